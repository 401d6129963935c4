//! Figures that others printed or counted, each with where it stands.

#[path = "../common/mod.rs"]
mod common;

mod adapters;
mod ahead;
mod cases;
mod commands;
mod contradictions;
mod diffusion;
mod files;
mod glossary;
mod hf_facts;
mod memory;
mod onnx;
mod presets;
mod rollouts;
mod scenarios;
mod services;
mod sizes;
mod vision;
