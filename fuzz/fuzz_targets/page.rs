//! Any text as the template of a page.
#![no_main]

use std::sync::LazyLock;

use flopcast::report::{Report, html};
use flopcast_fuzz::{CATALOG, SCENARIO, forecast};
use libfuzzer_sys::fuzz_target;

static REPORT: LazyLock<Report> =
    LazyLock::new(|| forecast(&SCENARIO, &CATALOG).expect("a forecast"));

fuzz_target!(|template: &str| {
    let _ = html::page(std::slice::from_ref(&REPORT), template);
});
