//! The facts that flopcast ships, as text that its readers parse: released without code.
//!
//! They live at the root of the repository, one row or a few declarative lines per fact, each with
//! a source of [`SOURCES`]. YAML is turned into JSON when this crate is built, so that no reader of
//! trusted data needs a YAML parser and none of its errors is left to run time.

/// Publications that rows refer to.
pub const SOURCES: &str = include_str!("../../../sources.csv");

/// Accelerators and the constants of the time models.
pub mod hardware {
    /// Datasheets of accelerators.
    pub const ACCELERATORS: &str = include_str!("../../../hardware/accelerators.csv");
    /// Other names of accelerators.
    pub const ALIASES: &str = include_str!("../../../hardware/aliases.csv");
    /// Constants of training, as JSON.
    pub const CALIBRATION: &str = include_str!(concat!(env!("OUT_DIR"), "/calibration.json"));
    /// Constants of serving, as JSON.
    pub const SERVING_CALIBRATION: &str =
        include_str!(concat!(env!("OUT_DIR"), "/serving-calibration.json"));
}

/// What devices, tokens and people cost.
pub mod pricing {
    /// Price lists of providers.
    pub const PRICES: &str = include_str!("../../../pricing/prices.csv");
    /// Prices of hosted models.
    pub const API: &str = include_str!("../../../pricing/api.csv");
    /// Purchase prices of accelerators.
    pub const PURCHASE: &str = include_str!("../../../pricing/purchase.csv");
    /// Price indices.
    pub const INDEX: &str = include_str!("../../../pricing/index.csv");
    /// Defaults of everything else.
    pub const DEFAULTS: &str = include_str!("../../../pricing/defaults.csv");
}

/// Places, their grids and their water.
pub mod regions {
    /// Regions of providers.
    pub const REGIONS: &str = include_str!("../../../regions/regions.csv");
    /// Grid zones.
    pub const ZONES: &str = include_str!("../../../regions/zones.csv");
    /// Carbon intensity of grids.
    pub const GRID: &str = include_str!("../../../regions/grid.csv");
    /// Carbon intensity by month and hour.
    pub const HOURLY: &str = include_str!("../../../regions/hourly.csv");
    /// Water of electricity.
    pub const WATER: &str = include_str!("../../../regions/water.csv");
    /// Prices of electricity.
    pub const ELECTRICITY: &str = include_str!("../../../regions/electricity.csv");
    /// Which live signal covers a place.
    pub const SIGNALS: &str = include_str!("../../../regions/signals.csv");
}

/// Published runs and measurements that the back-test scores.
pub mod evidence {
    /// Published training throughput.
    pub const THROUGHPUT: &str = include_str!("../../../hardware/backtest/throughput.csv");
    /// The models of these rows.
    pub const MODELS: &str = include_str!("../../../hardware/backtest/models.csv");
    /// Published training runs.
    pub const RUNS: &str = include_str!("../../../hardware/backtest/runs.csv");
}

/// Families of architectures, presets, and what is known about models.
pub mod models {
    /// Published scaling laws.
    pub const SCALING_LAWS: &str = include_str!("../../../models/scaling-laws.csv");
    /// Published accuracies of torchvision's networks.
    pub const TORCHVISION: &str = include_str!("../../../models/accuracy/torchvision.csv");

    include!(concat!(env!("OUT_DIR"), "/models.rs"));
}
