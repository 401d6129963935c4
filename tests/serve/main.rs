//! `flopcast serve` and `flopcast mcp` as their clients meet them.
#![cfg(feature = "serve")]

#[path = "../common/mod.rs"]
mod common;

mod answers;
mod client;
mod hostile;
mod jobs;
mod load;
mod mcp;
