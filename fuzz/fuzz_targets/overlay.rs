//! Any text as a table of a folder of own data. The first line names the table.
#![no_main]

use flopcast::catalog::Catalog;
use flopcast_fuzz::{SCENARIO, forecast};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Some((table, rows)) = text.split_once('\n') else { return };
    let Some(table) = Catalog::TABLES.iter().find(|it| **it == table) else { return };
    if let Ok(catalog) = Catalog::embedded().with_overlay(&[(*table, rows)]) {
        let _ = forecast(&SCENARIO, &catalog);
    }
});
