//! Any text as a table of published runs, of training and of serving.
#![no_main]

use std::sync::LazyLock;

use flopcast::evidence::backtest::table::Table;
use flopcast::evidence::backtest::{self, serving};
use flopcast::model::{Input, spec};
use flopcast::training::calibration::Calibration;
use flopcast_fuzz::CATALOG;
use libfuzzer_sys::fuzz_target;

static CALIBRATION: LazyLock<&'static Calibration> =
    LazyLock::new(|| Calibration::shipped().expect("the shipped one"));

static SERVING: LazyLock<&'static flopcast::serving::calibration::Calibration> =
    LazyLock::new(|| {
        flopcast::serving::calibration::Calibration::shipped().expect("the shipped one")
    });

fuzz_target!(|text: &str| {
    if let Ok(table) = Table::read(text) {
        let _ = backtest::cases(&table, &CATALOG, &CALIBRATION);
        let model = |name: &str| spec::from_preset(name, &Input::default());
        let _ = serving::Reader::new(&CATALOG, &SERVING.facts, &model).runs(&table);
    }
});
