//! The facts that flopcast ships, as text that its readers parse: released without code.
//!
//! They live at the root of the repository, one row or a few declarative lines per fact, each with
//! a source of [`SOURCES`]. YAML is turned into JSON when this crate is built, so that no reader of
//! trusted data needs a YAML parser and none of its errors is left to run time.

/// The text of a file below the folder of the facts.
macro_rules! table {
    ($path:literal) => {
        include_str!(concat!(env!("FLOPCAST_FACTS"), "/", $path))
    };
}

/// Publications that rows refer to.
pub const SOURCES: &str = table!("sources.csv");

/// The accuracy that the shipped constants reach, as `docs/accuracy.md` prints it.
pub const ACCURACY: &str = table!("docs/accuracy.md");

/// Accelerators and the constants of the time models.
pub mod hardware {
    /// Datasheets of accelerators.
    pub const ACCELERATORS: &str = table!("hardware/accelerators.csv");
    /// Other names of accelerators.
    pub const ALIASES: &str = table!("hardware/aliases.csv");
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
    /// Price lists of providers.
    pub const PRICES: &str = table!("pricing/prices.csv");
    /// The newest of their dates.
    pub const NEWEST: &str = env!("FLOPCAST_NEWEST_PRICE");
    /// Prices of hosted models.
    pub const API: &str = table!("pricing/api.csv");
    /// Purchase prices of accelerators.
    pub const PURCHASE: &str = table!("pricing/purchase.csv");
    /// Price indices.
    pub const INDEX: &str = table!("pricing/index.csv");
    /// Defaults of everything else.
    pub const DEFAULTS: &str = table!("pricing/defaults.csv");
}

/// Places, their grids and their water.
pub mod regions {
    /// Regions of providers.
    pub const REGIONS: &str = table!("regions/regions.csv");
    /// Grid zones.
    pub const ZONES: &str = table!("regions/zones.csv");
    /// Carbon intensity of grids.
    pub const GRID: &str = table!("regions/grid.csv");
    /// Carbon intensity by month and hour.
    pub const HOURLY: &str = table!("regions/hourly.csv");
    /// Residual mixes of electricity.
    pub const RESIDUAL: &str = table!("regions/residual.csv");
    /// Water of electricity.
    pub const WATER: &str = table!("regions/water.csv");
    /// Prices of electricity.
    pub const ELECTRICITY: &str = table!("regions/electricity.csv");
    /// Which live signal covers a place.
    pub const SIGNALS: &str = table!("regions/signals.csv");
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
