//! Many estimates: ranges, searches, comparisons, and the size of fleets.
//!
//! A study makes engines ([`flopcast_core::estimate::Engine`]) from one scenario or several,
//! changes their inputs, and runs each. It prints nothing and reads no files; `report` shows what
//! it finds.
//!
//! | module | question |
//! |---|---|
//! | [`uncertainty`] | How wide is a figure, and which input moves it most? |
//! | [`leaning`] | Which of the assumed inputs moves a figure most? |
//! | [`space`], [`axis`], [`sweep`] | What do the figures become over all combinations of some keys? |
//! | [`rows`] | What do they become in each row of a table of values? |
//! | [`optimize`], [`aim`], [`pareto`] | Which combination is best within limits, and which limit binds? |
//! | [`capacity`], [`fleets`] | How large must a fleet be to keep its SLO, and which fleet is cheapest? |
//! | [`commitment`] | Which share of a fleet is worth a reservation? |
//! | [`compare`], [`snapshot`] | What changed between two forecasts, and by which input? |
//! | [`policy`], [`portfolio`] | Does a forecast keep its limits, and what do many cost together? |
//! | [`search`] | Which architecture and compression, of a space, by measured quality within a budget? |
//! | [`advice`] | Which layers take a device's time, and what would compressing them save? |
//! | [`shapes`], [`sizing`], [`metric`] | Which model: by measured scores, or by scaling laws? |

pub mod advice;
pub mod aim;
pub mod axis;
mod batch;
pub mod capacity;
pub mod commitment;
pub mod compare;
pub mod fleets;
pub mod layouts;
pub mod leaning;
pub mod metric;
#[cfg(test)]
mod nowhere;
mod offers;
pub mod optimize;
pub mod pareto;
pub mod places;
pub mod policy;
pub mod portfolio;
pub mod rows;
pub mod search;
pub mod shapes;
pub mod sizing;
pub mod snapshot;
pub mod space;
pub mod sweep;
pub mod uncertainty;
