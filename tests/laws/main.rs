//! What must hold of any figures: sums that reconcile, limits, derivations that multiply out.

#[path = "../common/mod.rs"]
mod common;

mod agreement;
mod any_input;
mod api;
mod capacity;
mod carbon;
mod disaggregated;
mod explain;
mod goodput;
mod ledger;
mod loads;
mod networks;
mod one_step_time;
mod optimum;
mod owned;
mod parallelism;
mod ranges;
mod recipes;
mod refresh;
mod requests;
mod search;
mod single_devices;
mod slices;
mod speculative;
mod token_prices;
mod unknown;
