//! The FOCUS export: the official validator takes it, and its rows add up to the forecast.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{SHORT, json, scenarios, scratch, stdout, tool};

fn export(scenario: &Path, folder: &Path) -> PathBuf {
    let name = scenario.file_stem().and_then(|name| name.to_str()).expect("a name");
    let path = folder.join(format!("{name}.focus.csv"));
    let [file, to] = [scenario, &path].map(|path| path.to_str().expect("UTF-8"));
    stdout(&[&["report", file, "-o", to][..], &SHORT].concat());
    path
}

fn sum(path: &Path, column: &str) -> f64 {
    let mut reader = csv::Reader::from_path(path).expect("a table");
    let header = reader.headers().expect("a header").clone();
    let place = header.iter().position(|name| name == column).expect("the column");
    reader.records().map(|row| row.expect("a row")[place].parse().unwrap_or(0.0)).sum()
}

#[test]
fn rows_add_up_to_the_forecast() {
    let folder = scratch("focus-sums");
    for scenario in scenarios() {
        let path = export(&scenario, &folder);
        let file = scenario.to_str().expect("UTF-8");
        let estimate = json(&[&["estimate", file, "--format", "json"][..], &SHORT].concat());
        let stages = ["/training/cost_usd/total", "/inference/cost_usd/total"];
        let costs = stages.map(|stage| estimate.pointer(stage).and_then(serde_json::Value::as_f64));
        let total: f64 = costs.into_iter().flatten().sum();
        let exported = sum(&path, "BilledCost");
        assert!((exported - total).abs() < 0.005, "{}: {exported} {total}", scenario.display());
        let energy = estimate.pointer("/tco/energy_kwh").and_then(serde_json::Value::as_f64);
        // A stage has rows to carry its energy where it has a cost, known or not.
        let rows = ["/training", "/inference"].into_iter().zip(stages).all(|(stage, cost)| {
            estimate.pointer(stage).is_none() || estimate.pointer(cost).is_some()
        });
        if let Some(energy) = energy.filter(|_| rows) {
            let exported = sum(&path, "x_EnergyKwh");
            assert!((exported / energy - 1.0).abs() < 1e-6, "{}: {exported}", scenario.display());
        }
    }
}

/// The cells of a column, row by row.
fn cells(path: &Path, column: &str) -> Vec<String> {
    let mut reader = csv::Reader::from_path(path).expect("a table");
    let header = reader.headers().expect("a header").clone();
    let place = header.iter().position(|name| name == column).expect("the column");
    reader.records().map(|row| row.expect("a row")[place].to_owned()).collect()
}

#[test]
fn a_bill_of_the_same_usage_can_be_joined() {
    let folder = scratch("focus-join");
    let of = |file: &str| export(Path::new(&format!("tests/data/ledger/{file}")), &folder);
    let listed = of("focus-list-price.yaml");
    let check = |path: &Path, column: &str, right: &str| {
        assert_eq!(cells(path, column)[0], right, "{column}");
    };
    for (column, right) in [
        ("ListUnitPrice", "55.04"),
        ("ListCost", "550.4"),
        ("ContractedUnitPrice", "49.536"),
        ("BilledCost", "495.36"),
        ("ProviderName", "AWS"),
        ("RegionId", "us-east-1"),
        ("SkuId", "p5.48xlarge"),
        ("PricingUnit", "Hours"),
        ("PricingCategory", "Standard"),
        ("CommitmentDiscountStatus", ""),
    ] {
        let got = &cells(&listed, column)[0];
        match (got.parse::<f64>(), right.parse::<f64>()) {
            (Ok(got), Ok(right)) => assert!((got / right - 1.0).abs() < 1e-9, "{column}: {got}"),
            _ => check(&listed, column, right),
        }
    }
    let reserved = of("reserved-price-change.yaml");
    check(&reserved, "PricingCategory", "Committed");
    check(&reserved, "CommitmentDiscountStatus", "Used");
    check(&reserved, "CommitmentDiscountCategory", "Usage");
    let [list, paid] = ["ListCost", "BilledCost"].map(|column| sum(&reserved, column));
    assert!(list > paid, "{list} {paid}");
    let plans: &[(&str, &[(&str, &str)])] = &[
        ("spot", &[("PricingCategory", "Dynamic")]),
        (
            "savings-plan-1y",
            &[
                ("PricingCategory", "Committed"),
                ("CommitmentDiscountCategory", "Spend"),
                ("CommitmentDiscountType", "Savings Plan"),
                ("CommitmentDiscountUnit", "USD"),
            ],
        ),
        ("capacity-block", &[("PricingCategory", "Standard"), ("CommitmentDiscountStatus", "")]),
    ];
    let run = "tests/data/ledger/runaws.yaml";
    for (plan, cells) in plans {
        let path = folder.join(format!("{plan}.focus.csv"));
        let purchase = format!("placement.purchase={plan}");
        stdout(&["report", run, "-o", path.to_str().expect("UTF-8"), "--set", &purchase]);
        cells.iter().for_each(|(column, right)| check(&path, column, right));
    }
}

#[test]
fn the_export_is_read_back() {
    let folder = scratch("focus-back");
    let run = "tests/data/ledger/runaws.yaml";
    let path = export(Path::new(run), &folder);
    let path = path.to_str().expect("UTF-8");
    let value = json(&["actuals", path, "--against", run, "--format", "json"]);
    for item in value["items"].as_array().expect("items") {
        let ratio = item["ratio"].as_f64();
        assert!(ratio.is_none_or(|ratio| (ratio - 1.0).abs() < 1e-9), "{item}");
    }
    let hours = value["items"][0]["actual"].as_f64();
    assert!(hours.is_some_and(|hours| (hours - 80.0).abs() < 1e-9), "{hours:?}");
}

#[test]
fn the_official_validator_takes_every_scenario() {
    let Some(validator) = tool(&["focus-validator"]) else { return };
    let folder = scratch("focus");
    // It looks for its list of currencies beside its own package.
    let library = validator.parent().and_then(Path::parent).expect("an environment").join("lib");
    let python = std::fs::read_dir(library).expect("its library").filter_map(Result::ok);
    let packages = python
        .map(|entry| entry.path().join("site-packages"))
        .find(|path| path.join("focus_validator").is_dir())
        .expect("its package");
    // The validator takes seconds to start: it is handed the rows of all at once.
    let mut rows = String::new();
    for scenario in scenarios() {
        let text = std::fs::read_to_string(export(&scenario, &folder)).expect("the export");
        let (header, own) = text.split_once('\n').expect("a header");
        if rows.is_empty() {
            rows = format!("{header}\n");
        }
        assert!(rows.starts_with(header), "{} has other columns", scenario.display());
        rows += own;
    }
    assert!(rows.lines().count() > scenarios().len(), "{rows}");
    let path = folder.join("all.csv");
    std::fs::write(&path, rows).expect("written");
    let output = Command::new(&validator)
        .args(["--validate-version", "1.0", "--data-file"])
        .arg(&path)
        .current_dir(&packages)
        .output()
        .expect("the validator runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("Validation succeeded"), "{text}");
}
