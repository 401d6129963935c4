//! The command line as a user meets it: what it prints, refuses and writes.

#[path = "../common/mod.rs"]
mod common;

mod actuals;
mod asked;
mod backtest;
mod bad_input;
mod bad_model;
mod bounds;
mod capacity;
mod check;
mod commands;
mod compare;
mod fleets;
mod hostile;
mod lock;
mod model;
mod optimize;
mod search;
mod services;
mod shapes;
mod sweep;
mod writers;
