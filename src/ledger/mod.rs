//! The ledger: device-hours and energy become money, carbon and water.

pub mod footprint;
pub mod line;
pub mod rent;
pub mod years;
