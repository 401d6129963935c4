//! Collections of references that are not part of the repository. `FLOPCAST_ORACLES` names their
//! folder: `FLOPCAST_ORACLES=FOLDER cargo test --release --test oracles -- --ignored --nocapture`.
#![allow(clippy::print_stdout)]

#[path = "../common/mod.rs"]
mod common;

mod backtest;
mod hf;
mod onnx;
mod replay;
mod search;
mod serving;
mod vision;

use std::path::PathBuf;

/// The folder of the collections.
fn folder() -> PathBuf {
    std::env::var_os("FLOPCAST_ORACLES").expect("FLOPCAST_ORACLES names the folder").into()
}
