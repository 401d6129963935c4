//! Every figure that is declared stands in every full form: JSON, CSV, table, Markdown, page,
//! workbook and `explain`.

use std::collections::BTreeSet;
use std::io::{Cursor, Read as _};

use flopcast::estimate::figure::{DECLARED, Figure};
use flopcast::estimate::{Key, Section};
use flopcast::quantity::text::shown_parts;
use flopcast::report::render::{Format, Setting};
use flopcast::report::{Report, tree};
use serde_json::Value;

use crate::common::library::{report, shipped, sized_report};

/// Scenarios that have every figure between them.
const SCENARIOS: &[(&str, &[&str])] = &[
    ("gpt3-175b", &[]),
    ("llama-3-8b-ledger", &[]),
    ("bloom-176b-owned", &["placement.wait=5 days"]),
    ("carbon-london", &["placement.start_window=7d"]),
    ("resnet50-imagenet", &[]),
    ("llama-3.1-405b", &["training.efficiency=auto"]),
    ("lora-llama-3-8b", &[]),
    (
        "llama-3-70b-serving",
        &[
            "inference.refresh={year: 2, hardware: {accelerator: h200-sxm}}",
            "inference.speculative={draft: llama-3.2-1b, tokens: 4, acceptance: 70 %}",
        ],
    ),
];

/// Services that are simulated.
const SIMULATED: &[(&str, &[&str])] = &[
    ("two-classes-serving", &["inference.admission={queue: 64, refused: 5 %}"]),
    ("llama-3-70b-serving", &["inference.disaggregated={prefill: 1, decode: 1}"]),
    ("bert-base-serving", &[]),
    ("llama-3-8b-ledger", &["inference.traffic.requests=null", JOB]),
];

/// A service that ends when all is answered.
const JOB: &str = "inference.traffic.job={requests: 2M, within: 36 h}";

/// A report in all its forms.
struct Forms {
    json: Value,
    csv: String,
    table: String,
    markdown: String,
    page: String,
    workbook: String,
}

impl Forms {
    fn of(report: &Report) -> Self {
        let subject = vec![report.clone()];
        let bytes =
            |format: Format| format.render(&subject, Setting::default()).expect("a document");
        let text = |format| String::from_utf8(bytes(format)).expect("UTF-8");
        Self {
            json: serde_json::from_str(&text(Format::Json)).expect("JSON"),
            csv: text(Format::Csv),
            table: text(Format::Table),
            markdown: text(Format::Markdown),
            page: text(Format::Html),
            workbook: strings(bytes(Format::Xlsx)),
        }
    }

    /// Those that lack a figure.
    fn without(&self, figure: &Figure) -> Vec<&'static str> {
        let (path, shown) = (figure.path.as_str(), figure.shown());
        let label = figure.label();
        let label = label.trim();
        let line = |text: &str, parts: &[&str]| {
            text.lines().any(|line| parts.iter().all(|part| line.contains(part)))
        };
        let [number, _] = figure.short();
        let yearly = figure.section() == Section::Years;
        let in_book = if yearly { label } else { path };
        let spelled = if yearly { figure.cell() } else { shown };
        let on_page = |text: &str| self.page.contains(&format!(">{text}<"));
        [
            ("JSON", self.pointer(figure).is_some_and(|it| same(it.as_f64(), figure.value()))),
            ("CSV", line(&self.csv, &[&format!(",{path},")])),
            ("table", line(&self.table, &[label, &number])),
            ("Markdown", line(&self.markdown, &[&format!("| {label} |"), &format!("| {number}")])),
            ("page", on_page(label) && on_page(&spelled)),
            ("workbook", self.workbook.contains(&format!(">{in_book}"))),
        ]
        .into_iter()
        .filter_map(|(form, there)| (!there).then_some(form))
        .collect()
    }

    /// The figure's place in the JSON, in which years are a list.
    fn pointer(&self, figure: &Figure) -> Option<&Value> {
        let mut at = &self.json;
        for key in figure.path.split('.') {
            at = match at {
                Value::Array(years) => {
                    years.iter().find(|it| it["year"].as_u64() == key.parse().ok())?
                }
                other => other.get(key)?,
            };
        }
        Some(at)
    }
}

/// Reading JSON may lose the last digit.
fn same(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-12 * b.abs(),
        (a, b) => a == b,
    }
}

/// The texts of a workbook.
fn strings(book: Vec<u8>) -> String {
    let mut book = zip::ZipArchive::new(Cursor::new(book)).expect("a workbook");
    let mut text = String::new();
    let mut part = book.by_name("xl/sharedStrings.xml").expect("texts");
    part.read_to_string(&mut text).expect("XML");
    text
}

#[test]
fn a_declared_figure_stands_in_every_form() {
    let (mut seen, mut lacking) = (BTreeSet::new(), Vec::new());
    let scenario = |(name, sets): &(&str, &[&str])| {
        shipped(&format!("scenarios/{name}.yaml"), sets).unwrap_or_else(|it| panic!("{name}: {it}"))
    };
    let estimated = SCENARIOS.iter().map(|it| (it.0, report(&scenario(it))));
    let simulated = SIMULATED.iter().map(|it| (it.0, sized_report(&scenario(it), 600)));
    for (name, report) in estimated.chain(simulated) {
        let report = report.unwrap_or_else(|error| panic!("{name}: {error}"));
        let forms = Forms::of(&report);
        for figure in &report.figures {
            let path = &figure.path;
            assert_eq!(Key::parse(path).as_ref(), Some(&figure.key), "{path}");
            let explained = figure.step().is_none_or(|step| {
                // A line may break before the unit.
                let [number, _] = shown_parts(step.value, step.dimension);
                tree::derivation(step).contains(&number)
            });
            let forms = forms.without(figure);
            if !forms.is_empty() || !explained {
                lacking.push(format!("{name}: {path} lacks {forms:?}, explained: {explained}"));
            }
            seen.insert(figure.key.id);
        }
    }
    let unseen = DECLARED.iter().map(|row| row.id).filter(|id| !seen.contains(id));
    lacking.extend(unseen.map(|id| format!("no scenario has {id:?}")));
    assert!(lacking.is_empty(), "{} lacking:\n{}", lacking.len(), lacking.join("\n"));
}

/// Masses of CO2e of a document have one unit, that of the largest.
#[test]
fn masses_have_one_unit() {
    for (name, sets) in SCENARIOS {
        let scenario = shipped(&format!("scenarios/{name}.yaml"), sets).expect("a scenario");
        let report = report(&scenario).expect("a forecast");
        let masses = report.figures.iter().filter(|it| it.declared().unit == "kgCO2e");
        let known = masses.filter(|it| it.value().is_some());
        let units: BTreeSet<String> = known.map(|it| it.short()[1].clone()).collect();
        assert_eq!(units.len(), 1, "{name}: {units:?}");
    }
}
