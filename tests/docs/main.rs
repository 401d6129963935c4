//! The documentation and the source text say what is so. `UPDATE_DOCS=1` writes the pages anew.

#[path = "../common/mod.rs"]
mod common;

mod accuracy;
mod architecture;
mod data_sources;
#[cfg(unix)]
mod pages;
#[cfg(unix)]
mod presets;
