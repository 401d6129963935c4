//! Many estimates: how wrong they are, what they hang on, which one to choose.

pub mod backtest;
pub mod capacity;
pub mod metric;
pub mod pareto;
pub mod uncertainty;
