//! Files for other programs: the browser, the office suite, the FOCUS validator.

#[path = "../common/mod.rs"]
mod common;

mod browser;
mod cash;
mod documents;
mod figures;
mod focus;
mod jobs;
mod report;
mod spreadsheet;
mod traces;
