//! Whatever a scenario says, it is answered or refused: no panic, no figure without end, no amount
//! below nothing, in any form.

use flopcast::report::Report;
use flopcast::report::render::{Format, Setting};
use proptest::prelude::*;
use proptest::sample::select;

use crate::common::library::{report, shipped};

const FILES: &[&str] =
    &["scenarios/gpt3-175b.yaml", "scenarios/llama-65b.yaml", "scenarios/resnet50-edge.yaml"];

/// Keys of every kind of quantity.
const KEYS: &[&str] = &[
    "data.tokens",
    "data.epochs",
    "functional_unit",
    "finance.horizon",
    "finance.discount_rate",
    "finance.price_change",
    "training.goodput",
    "training.spares",
    "training.experiments",
    "training.global_batch",
    "training.hardware.count",
    "training.hardware.power",
    "training.efficiency.mfu",
    "training.costs.staff.fte",
    "training.costs.staff.cost",
    "training.costs.storage.data",
    "training.costs.storage.retention",
    "training.costs.checkpoints.keep",
    "training.reliability.failures_per_1000_devices_day",
    "training.reliability.restart",
    "placement.pue",
    "placement.grid",
    "placement.wue",
    "placement.discount",
    "placement.embodied.lifetime",
    "placement.embodied.utilisation",
    "placement.embodied.device",
    "inference.traffic.requests",
    "inference.traffic.growth",
    "inference.traffic.peak_to_mean",
    "inference.traffic.input_tokens.mean",
    "inference.traffic.output_tokens.mean",
    "inference.max_batch",
    "inference.prefix_cache_hit",
    "inference.redundancy",
    "inference.precision",
    "model",
];

const VALUES: &[&str] = &[
    "0",
    "-1",
    "1",
    "0.5",
    "2",
    "1e-300",
    "1e-9",
    "1e9",
    "1e23",
    "1e300",
    ".nan",
    ".inf",
    "0 %",
    "-150 %/year",
    "40 %/year",
    "1e6 %/year",
    "1..2",
    "0..5",
    "{low: 0, mode: 1, high: 2}",
    "1 year",
    "1e9 years",
    "0 s",
    "1 TB",
    "300k USD/year",
    "100 gCO2e/kWh",
    "1 L/kWh",
    "0/s",
    "1e12/s",
    "2M/day",
    "fp8",
    "gpt2",
    "{parameters: 7B}",
    "{parameters: 1}",
    "resnet50",
    "[]",
    "{}",
    "null",
    "\"=1+1\"",
    "1000 requests",
    "300 W",
    "10 kgCO2e/device",
];

fn says_nonsense(text: &str) -> Option<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let mut words = words.filter(|word| !word.is_empty());
    words.find(|word| {
        let lower = word.to_ascii_lowercase();
        lower == "nan" || lower == "inf" || lower == "infinity" || lower == "unknownt"
    })
}

/// Differences and changes may be below nothing.
fn is_signed(path: &str) -> bool {
    ["rent_or_buy", "margin", "saved", "net", "avoided", "change", "break_even"]
        .iter()
        .any(|word| path.contains(word))
}

fn check(report: Report) -> Result<(), TestCaseError> {
    for figure in &report.figures {
        if let Some(value) = figure.value() {
            prop_assert!(value.is_finite(), "{} is {value}", figure.path);
            prop_assert!(value >= 0.0 || is_signed(&figure.path), "{} is {value}", figure.path);
        }
    }
    for row in &report.ledger {
        prop_assert!(row.amount.is_none_or(f64::is_finite), "{}", row.path());
    }
    let reports = vec![report];
    for format in [Format::Table, Format::Json, Format::Csv, Format::Markdown] {
        let bytes = format.render(&reports, Setting::default());
        let bytes = bytes.map_err(|error| TestCaseError::fail(error.to_string()))?;
        let text = String::from_utf8_lossy(&bytes);
        let wrong = says_nonsense(&text);
        prop_assert!(wrong.is_none(), "{format:?} says {wrong:?}:\n{text}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn every_scenario_is_answered_or_refused(
        file in select(FILES),
        sets in prop::collection::vec((select(KEYS), select(VALUES)), 1..4),
    ) {
        let sets: Vec<String> = sets.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
        match shipped(file, &sets).and_then(|scenario| report(&scenario)) {
            Ok(report) => check(report)?,
            Err(error) => {
                prop_assert!((1..=2).contains(&error.exit_code()), "{error}");
                prop_assert!(!error.message().is_empty());
            }
        }
    }
}
