//! How wrong flopcast is: the back-test on published runs, the fit of its constants, actuals.

pub mod actuals;
pub mod backtest;
pub mod calibration_file;
