//! Whatever a scenario says, it is answered or refused: no panic, no figure without end, no amount
//! below nothing, in any form.

use std::io::{Cursor, Read as _};
use std::process::Command;

use flopcast::report::Report;
use flopcast::report::render::{Carries, FORMS, Format, Setting};
use proptest::prelude::*;
use proptest::sample::select;

use crate::common::library::{report, shipped};
use crate::common::{peak, root, written};

/// Commands that forecast, FILE being the scenario.
const COMMANDS: &[&str] = &[
    "estimate FILE --samples 60",
    "estimate FILE --format json",
    "estimate FILE --format html",
    "explain FILE",
    "explain FILE tco.total_usd --format markdown",
    "validate FILE",
    "compare FILE FILE --format markdown",
    "check FILE --policy POLICY --format markdown",
    "check FILE --policy POLICY --format csv",
    "sweep FILE --vary training.hardware.count=8,64,0 --format csv",
    "optimize FILE --accelerator h100-sxm --provider aws --devices 64 --format json",
    "capacity FILE --requests 100 --seeds 1 --format csv",
    "report FILE -o OUT.svg --samples 60 --force",
    "report FILE -o OUT.xlsx --force",
    "report FILE -o OUT.focus.csv --force",
];

const POLICY: &str = "limits:\n  - {figure: cost, max: 1M USD}\n  - {figure: co2e, max: 1 t}\n";

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

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("UTF-8")
}

/// The sheets of a workbook and their words.
fn cells(book: Vec<u8>) -> String {
    let mut book = zip::ZipArchive::new(Cursor::new(book)).expect("a workbook");
    let mut text = String::new();
    for index in 0..book.len() {
        let mut part = book.by_index(index).expect("a part");
        let name = part.name().expect("a name").into_owned();
        if name.contains("worksheets/") || name.ends_with("sharedStrings.xml") {
            part.read_to_string(&mut text).expect("XML");
        }
    }
    text
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
    for form in FORMS {
        let format = form.format;
        let bytes = match format.render(&reports, Setting::default()) {
            Ok(bytes) => bytes,
            // A picture takes ranges, a statement of carbon a run with carbon.
            Err(error) => {
                prop_assert!(form.carries == Carries::Forecasts, "{format:?}: {error}");
                continue;
            }
        };
        let text = if format == Format::Xlsx { cells(bytes) } else { text(bytes) };
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_command_answers_or_refuses(
        command in select(COMMANDS),
        file in select(FILES),
        sets in prop::collection::vec((select(KEYS), select(VALUES)), 0..3),
    ) {
        let policy = written("any-input", "policy.yaml", POLICY);
        let fill = |word: &str| match word {
            "FILE" => file.to_owned(),
            "POLICY" => policy.clone(),
            word => word.replace("OUT", &policy.replace("policy.yaml", "out")),
        };
        let mut process = Command::new(env!("CARGO_BIN_EXE_flopcast"));
        process.args(command.split(' ').map(fill)).current_dir(root());
        process.env("FLOPCAST_CACHE", root().join("target/no-cache"));
        for (key, value) in &sets {
            process.args(["--set", &format!("{key}={value}")]);
        }
        let (output, most) = peak(&mut process);
        let said = String::from_utf8_lossy(&output.stderr);
        let code = output.status.code();
        prop_assert!(matches!(code, Some(0..=3)), "{process:?}: {said}");
        prop_assert!(code != Some(2) || output.stdout.is_empty(), "{process:?}: {said}");
        prop_assert!(code == Some(0) || !said.is_empty() || !output.stdout.is_empty(), "{process:?}");
        let text = text(output.stdout);
        prop_assert!(says_nonsense(&text).is_none(), "{process:?}: {text}");
        prop_assert!(most.is_none_or(|mib| mib < 512), "{process:?}: {most:?} MiB");
    }
}
