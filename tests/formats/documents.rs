//! Documents in forms that others prescribe: their validators take every one that a shipped scenario
//! carries, and what they say is what the forecast says.

use std::fs;
use std::process::Command;

use flopcast::report::Report;
use flopcast::report::json;
use flopcast::report::render::{Carries, FORMS, Form, Setting};
use serde_json::Value;

use crate::common::library::{report, shipped};
use crate::common::{
    RUN, close, flopcast, holds, json as answer, number, root, scenarios, scratch, stdout, tool,
    written,
};

/// The forms that carry forecasts alone and that `.ci/documents` checks.
fn prescribed() -> impl Iterator<Item = &'static Form> {
    let alone = FORMS.iter().filter(|form| form.carries == Carries::Forecasts);
    alone.filter(|form| {
        !matches!(
            form.name,
            "xlsx" | "svg" | "focus" | "sci" | "ghg" | "slurm" | "skypilot" | "vllm"
        )
    })
}

fn forecast(scenario: &str, sets: &[&str]) -> Report {
    let scenario = shipped(scenario, sets).unwrap_or_else(|error| panic!("{scenario}: {error}"));
    report(&scenario).expect("a forecast")
}

/// The document of a forecast; `None` where it is refused with a reason.
fn document(form: &Form, report: &Report) -> Option<String> {
    match form.format.render(&vec![report.clone()], Setting::default()) {
        Ok(bytes) => Some(String::from_utf8(bytes).expect("UTF-8")),
        Err(error) => {
            let reasons = ["trains nothing", "unknown", "known"];
            let said = error.to_string();
            assert!(reasons.iter().any(|reason| said.contains(reason)), "{}: {said}", form.name);
            None
        }
    }
}

#[test]
fn the_validators_take_them_all() {
    let Some(python) = tool(&["documents-python"]) else { return };
    let folder = scratch("documents");
    let mut count = 0;
    for scenario in scenarios() {
        let name = scenario.file_stem().and_then(|name| name.to_str()).expect("a name");
        let report = forecast(scenario.to_str().expect("UTF-8"), &[]);
        for form in prescribed() {
            let Some(text) = document(form, &report) else { continue };
            fs::write(folder.join(format!("{name}{}", form.endings[0])), text).expect("written");
            count += 1;
        }
    }
    assert!(count > 100, "{count} documents");
    let checked = Command::new(python)
        .arg(root().join(".ci/documents"))
        .arg(&folder)
        .output()
        .expect("it runs");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}

const GPT3: &str = "scenarios/gpt3-175b.yaml";

/// The document of an ending, and the forecast that it is of.
fn of(scenario: &str, ending: &str) -> (String, Value) {
    let form = FORMS.iter().find(|form| form.endings.contains(&ending)).expect("a form");
    let report = forecast(scenario, &[]);
    (document(form, &report).expect("a document"), json::estimate(&report))
}

#[test]
fn they_say_what_the_forecast_says() {
    let (text, forecast) = of(GPT3, ".spdx.json");
    let spdx: Value = serde_json::from_str(&text).expect("JSON");
    let model = spdx["@graph"].as_array().expect("a graph").iter();
    let model = model.into_iter().find(|it| it["type"] == "ai_AIPackage").expect("a model");
    let of = |value: &Value, path: &str| number(value, path);
    let stages = [("training", "training"), ("inference", "inference.years.0")];
    for (key, stage) in stages {
        let said = &model["ai_energyConsumption"][format!("ai_{key}EnergyConsumption")];
        let energy = of(&forecast, &format!("{stage}.energy_kwh.facility"));
        close(key, of(said, "0.ai_energyQuantity"), energy, 1e-9);
    }
    let (text, _) = self::of(GPT3, ".cdx.json");
    let cdx: Value = serde_json::from_str(&text).expect("JSON");
    let path = "components.0.modelCard.considerations.environmentalConsiderations.\
                energyConsumptions.0";
    let kg = of(&forecast, "training.co2e_kg.location");
    close("tonnes", of(&cdx, &format!("{path}.co2CostEquivalent.value")), kg / 1e3, 1e-9);
    let (text, _) = self::of(GPT3, ".boamps.json");
    let boamps: Value = serde_json::from_str(&text).expect("JSON");
    let energy = of(&forecast, "training.energy_kwh.facility");
    close("kWh", of(&boamps, "measures.0.powerConsumption"), energy, 1e-9);
    close("g/kWh", of(&boamps, "environment.powerSourceCarbonIntensity"), 1e3 * kg / energy, 1e-9);
}

/// The run comes back out of the file as it went in.
#[test]
fn the_row_of_codecarbon_is_read_back() {
    let (text, forecast) = of(GPT3, ".codecarbon.csv");
    let log = written("documents-log", "gpt3.codecarbon.csv", text);
    let actuals = answer(&["actuals", &log, "--against", GPT3, "--format", "json"]);
    let found = actuals.to_string();
    for (figure, path) in [
        ("device_hours", "training.device_hours"),
        ("energy_kwh.it", "training.energy_kwh.it"),
        ("energy_kwh.facility", "training.energy_kwh.facility"),
        ("co2e_kg.location", "training.co2e_kg.location"),
    ] {
        let rows = actuals["items"].as_array().unwrap_or_else(|| panic!("{found}"));
        let row = rows.iter().find(|row| row["item"] == figure);
        let row = row.unwrap_or_else(|| panic!("no {figure}: {found}"));
        close(figure, number(row, "actual"), number(&forecast, path), 1e-9);
    }
}

/// The thresholds of the EU AI Act: published compute of GPT-3 (3.14e23 FLOP, arXiv:2005.14165), of
/// Llama 3.1 405B (3.8e25, arXiv:2407.21783) and of DeepSeek-V3 (6 x 37e9 x 14.8e12 = 3.3e24,
/// arXiv:2412.19437), which stand on either side of 1e23 and 1e25.
#[test]
fn the_thresholds_of_the_ai_act_are_judged() {
    const CERTAIN: &str = "over 99.9%";
    const EXCLUDED: &str = "under 0.1%";
    let small = written("documents-eu", "7b.yaml", RUN);
    for (scenario, general, systemic, says) in [
        (GPT3, CERTAIN, EXCLUDED, "| met |"),
        ("scenarios/llama-3.1-405b.yaml", CERTAIN, CERTAIN, "presumed: the Commission is notified"),
        ("scenarios/deepseek-v3.yaml", CERTAIN, EXCLUDED, "| not presumed |"),
        ("scenarios/lora-llama-3-8b.yaml", EXCLUDED, EXCLUDED, "stays a downstream user"),
        // 6 x 7e9 x 100e9 = 4.2e21
        (&small, EXCLUDED, EXCLUDED, "| not met |"),
    ] {
        let (text, _) = of(scenario, ".eu.md");
        let probability = |rule: &str| {
            let line =
                text.lines().find(|line| line.contains(rule)).unwrap_or_else(|| panic!("{text}"));
            line.split('|').nth(4).map(str::trim).map(str::to_owned).expect("a cell")
        };
        assert_eq!(probability("indicative criterion of"), general, "{scenario}");
        assert_eq!(probability("presumption of systemic"), systemic, "{scenario}");
        holds(scenario, &text, &[says]);
    }
}

/// A range of the tokens that crosses a threshold leaves it open, in the part that is above.
#[test]
fn a_threshold_within_the_range_is_open() {
    let path = scratch("document-open").join("open.eu.md");
    let run = written("documents-open", "run.yaml", RUN);
    // 6 x 7e9 x 2.4e12 = 1.0e23, the middle of the range.
    stdout(&[
        "report",
        &run,
        "-o",
        path.to_str().expect("UTF-8"),
        "--set",
        "data.tokens=1.2T..4.8T",
    ]);
    let text = fs::read_to_string(path).expect("the document");
    let line = text.lines().find(|line| line.contains("indicative")).expect("a verdict");
    assert!(line.contains("open: met, or not met"), "{line}");
    let percent = line.split('|').nth(4).expect("a cell").trim().trim_end_matches('%');
    let percent: f64 = percent.parse().expect("a probability");
    assert!((40.0..60.0).contains(&percent), "{line}");
}

#[test]
fn the_page_is_printed_where_a_browser_is() {
    let Some(browser) = tool(&["chromium", "chromium-browser", "google-chrome"]) else { return };
    let path = scratch("document-pdf").join("gpt3.pdf");
    let path = path.to_str().expect("UTF-8");
    stdout(&["report", GPT3, "-o", path, "--browser", browser.to_str().expect("UTF-8")]);
    assert!(fs::read(path).expect("a file").starts_with(b"%PDF-"));
    let output = flopcast(&["report", GPT3, "-o", path, "--force", "--browser", "no-such-browser"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    holds("no browser", &errors, &["no browser no-such-browser", ".html"]);
}

/// Scope and category follow from who owns the devices; an unknown amount leaves its total unknown.
#[test]
fn emissions_stand_in_their_scopes() {
    let form = FORMS.iter().find(|form| form.name == "ghg").expect("a form");
    let check = |sets: &[&str], rows: &[(&str, Option<&str>)]| {
        let report = forecast("scenarios/llama-65b.yaml", sets);
        let text = document(form, &report).expect("a document");
        for (label, path) in rows {
            let line = text.lines().find(|line| line.contains(label));
            let line = line.unwrap_or_else(|| panic!("{label} in\n{text}"));
            let Some(path) = path else {
                assert!(line.contains("unknown"), "{line}");
                continue;
            };
            let figure = report.figures.iter().find(|it| it.path == *path).expect("a figure");
            let shown = figure.short();
            assert!(line.contains(&*shown[0]), "{line}: {shown:?}");
        }
        holds("remarks", &text, &["Not forecast", "ESRS E1-6", "of the training"]);
    };
    let owned = "placement={owned: {chip: 10000 USD/device}, region: DEU, start: 2025-06-01}";
    check(
        &[owned],
        &[
            ("| Scope 2, location-based", Some("training.co2e_kg.location")),
            ("| Scope 2, market-based", Some("training.co2e_kg.market")),
            ("category 2", Some("training.co2e_kg.embodied.mid")),
        ],
    );
    check(
        &["placement={provider: aws, region: ap-northeast-1}", "training.hardware.power=400 W"],
        &[("cloud computing services, market-based", None), ("Total of these, market-based", None)],
    );
}
