//! How wrong flopcast is on published runs, and the fit of its constants to them.

pub mod calibrate;
pub mod case;
pub mod fit;
pub mod runs;
pub mod score;
pub mod table;
pub mod throughput;
