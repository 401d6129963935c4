//! The ledger: device-hours and energy become money, carbon and water.

pub mod api;
pub mod energy;
pub mod footprint;
pub mod line;
pub mod overhead;
pub mod owned;
pub mod packing;
pub mod plan;
pub mod rent;
pub mod rent_or_buy;
pub mod sci;
pub mod window;
pub mod years;
