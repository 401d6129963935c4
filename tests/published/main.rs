//! Figures that others printed or counted, each with where it stands.

#[path = "../common/mod.rs"]
mod common;

mod contradictions;
mod glossary;
mod hf_facts;
mod onnx;
mod presets;
mod scenarios;
mod services;
mod sizes;
mod vision;
