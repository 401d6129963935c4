//! Any text as a `flopcast.lock`, and a forecast by its rows.
#![no_main]

use flopcast::catalog::{Catalog, Lock};
use flopcast_fuzz::{SCENARIO, forecast};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(catalog) = Lock::parse(text).and_then(|lock| Catalog::locked(lock, &[])) {
        let _ = forecast(&SCENARIO, &catalog);
        let _ = catalog.check_lock();
    }
});
