//! The facts that flopcast ships, as text that its readers parse: released without code.
//!
//! They live at the root of the repository, one row or a few declarative lines per fact, each with
//! a source of [`SOURCES`]. YAML is turned into JSON when this crate is built, so that no reader of
//! trusted data needs a YAML parser and none of its errors is left to run time.

#![allow(clippy::unreadable_literal, reason = "the build script writes the places of rows")]

/// The text of a file below the folder of the facts.
macro_rules! table {
    ($path:expr) => {
        include_str!(concat!(env!("FLOPCAST_FACTS"), "/", $path))
    };
}

mod csv;

pub use csv::{Csv, Group};

/// A table whose rows are looked up by their leading cells.
macro_rules! csv {
    ($path:literal, $groups:literal) => {{
        #[allow(unused_imports, reason = "a table may be empty")]
        use crate::csv::{Group, Groups};
        Csv {
            file: concat!($path, ".csv"),
            text: table!(concat!($path, ".csv")),
            groups: include!(concat!(env!("OUT_DIR"), "/", $groups, ".rs")),
        }
    }};
}

/// Publications that rows refer to.
pub static SOURCES: Csv = csv!("sources", "sources");

/// The accuracy that the shipped constants reach, as `docs/accuracy.md` prints it.
pub const ACCURACY: &str = table!("docs/accuracy.md");

/// Accelerators and the constants of the time models.
pub mod hardware {
    use crate::Csv;

    /// Datasheets of accelerators.
    pub static ACCELERATORS: Csv = csv!("hardware/accelerators", "hardware-accelerators");
    /// Other names of accelerators.
    pub static ALIASES: Csv = csv!("hardware/aliases", "hardware-aliases");
    /// Timed matrix products, four numbers per device and format.
    pub const GEMM: &str = table!("hardware/kernels/gemm.csv");
    /// The source of those, by its name in `sources.csv`.
    pub const GEMM_SOURCE: &str = "aiconfigurator-core";
    /// Constants of training, as JSON.
    pub const CALIBRATION: &str = include_str!(concat!(env!("OUT_DIR"), "/calibration.json"));
    /// Constants of whole runs, as JSON.
    pub const RUN_CALIBRATION: &str =
        include_str!(concat!(env!("OUT_DIR"), "/run-calibration.json"));
    /// Constants of operators, as JSON.
    pub const KERNEL_CALIBRATION: &str =
        include_str!(concat!(env!("OUT_DIR"), "/kernel-calibration.json"));
    /// Constants of serving, as JSON.
    pub const SERVING_CALIBRATION: &str =
        include_str!(concat!(env!("OUT_DIR"), "/serving-calibration.json"));
}

/// Prices of devices, tokens and people.
pub mod pricing {
    use crate::Csv;

    /// Price lists of providers.
    pub static PRICES: Csv = csv!("pricing/prices", "pricing-prices");
    /// The newest of their dates.
    pub const NEWEST: &str = env!("FLOPCAST_NEWEST_PRICE");
    /// Prices of hosted models.
    pub static API: Csv = csv!("pricing/api", "pricing-api");
    /// Purchase prices of accelerators.
    pub static PURCHASE: Csv = csv!("pricing/purchase", "pricing-purchase");
    /// Price indices.
    pub static INDEX: Csv = csv!("pricing/index", "pricing-index");
    /// Defaults of everything else.
    pub static DEFAULTS: Csv = csv!("pricing/defaults", "pricing-defaults");
}

/// Places, their grids and their water.
pub mod regions {
    use crate::Csv;

    /// Regions of providers.
    pub static REGIONS: Csv = csv!("regions/regions", "regions-regions");
    /// Grid zones.
    pub static ZONES: Csv = csv!("regions/zones", "regions-zones");
    /// Carbon intensity of grids.
    pub static GRID: Csv = csv!("regions/grid", "regions-grid");
    /// Carbon intensity by month and hour.
    pub static HOURLY: Csv = csv!("regions/hourly", "regions-hourly");
    /// Residual mixes of electricity.
    pub static RESIDUAL: Csv = csv!("regions/residual", "regions-residual");
    /// Water of electricity.
    pub static WATER: Csv = csv!("regions/water", "regions-water");
    /// Prices of electricity.
    pub static ELECTRICITY: Csv = csv!("regions/electricity", "regions-electricity");
    /// Which live signal covers a place.
    pub static SIGNALS: Csv = csv!("regions/signals", "regions-signals");
}

/// Published runs and measurements that the back-test scores.
pub mod evidence {
    /// Published training throughput.
    pub const THROUGHPUT: &str = table!("hardware/backtest/throughput.csv");
    /// The models of these rows.
    pub const MODELS: &str = table!("hardware/backtest/models.csv");
    /// Published training runs.
    pub const RUNS: &str = table!("hardware/backtest/runs.csv");
}

/// The words of training frameworks, launchers and serving engines.
pub mod jobs {
    include!(concat!(env!("OUT_DIR"), "/jobs.rs"));
}

/// Families of architectures, presets, and what is known about models.
pub mod models {
    /// Names of the presets elsewhere, with the parameters that their publishers state.
    pub const NAMES: &str = table!("models/names.csv");
    /// Published scaling laws.
    pub const SCALING_LAWS: &str = table!("models/scaling-laws.csv");
    /// Published accuracies of torchvision's networks.
    pub const TORCHVISION: &str = table!("models/accuracy/torchvision.csv");

    include!(concat!(env!("OUT_DIR"), "/models.rs"));
}
