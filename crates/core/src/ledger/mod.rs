//! The ledger: device-hours and energy become money, carbon and water.
//!
//! A stage (the training run, a year of service) hands over device-time, and this room charges it.
//! Every amount is a row, quantity x unit price, with its stage, its resource and its period
//! ([`mod@line`]); totals are sums of rows and nothing else, so money by month, by resource and by
//! stage agree to the last digit. The same rows carry energy ([`energy`]), from which CO2e and
//! water follow ([`footprint`]).
//!
//! | module | question |
//! |---|---|
//! | [`packing`] | How many whole instances hold the devices? |
//! | [`cohorts`] | What does a fleet take on as it grows and ages, and what stands by? |
//! | [`rent`] | What does a provider charge, tariff by tariff, commitments included? |
//! | [`owned`] | What does device-time on hardware of one's own pay? |
//! | [`overhead`] | What do storage, egress and staff add? |
//! | [`energy`], [`footprint`] | Which energy, CO2e and water does device-time take? |
//! | [`sci`] | What is the software carbon intensity of the training? |
//! | [`window`] | When is the grid cleanest for the run? |
//! | [`rent_or_buy`], [`api`] | When does buying pay against rent, a fleet against a hosted model? |
//! | [`years`] | How do growth and discounting change amounts over the years? |
//!
//! [`plan`] holds the inputs of all of them. `estimate` calls this room; nothing here knows the
//! scenario's file.

pub mod api;
pub mod cohorts;
pub mod energy;
pub mod footprint;
pub mod line;
pub mod overhead;
pub mod owned;
pub mod packing;
pub mod plan;
pub mod rent;
pub mod rent_or_buy;
pub mod sci;
pub mod window;
pub mod years;
