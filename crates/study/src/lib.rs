//! Many estimates: what they hang on, which option to choose, how large a fleet must be.

pub mod aim;
pub mod axis;
pub mod capacity;
pub mod commitment;
pub mod compare;
pub mod fleets;
pub mod layouts;
mod memo;
pub mod metric;
pub mod optimize;
pub mod pareto;
pub mod places;
pub mod policy;
pub mod portfolio;
pub mod shapes;
pub mod sizing;
pub mod snapshot;
pub mod space;
pub mod sweep;
pub mod uncertainty;
