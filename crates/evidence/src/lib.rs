//! Evidence of how wrong flopcast is: the back-test on published figures, the fit of its constants
//! to them, and actuals of the user's own runs.
//!
//! [`backtest`] scores tables of `hardware/backtest/` and fits the constants of a calibration
//! (`flopcast backtest`, `flopcast calibrate`); `docs/accuracy.md` is its output. [`actuals`] sets
//! a forecast beside logs, bills and meters (`flopcast actuals`).

pub mod actuals;
pub mod backtest;
pub mod calibration_file;
