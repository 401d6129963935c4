//! How much traffic a replica takes within its SLO, and how many replicas that makes.

mod fleet;
mod objective;
mod search;

pub use fleet::{Autoscaling, Fleet, autoscale, fleet};
pub use objective::{Limit, Objective, Slo};
pub use search::{HighestRate, Near, Search, at_rate, crossing, highest_rate, in_balance};
