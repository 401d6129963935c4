//! The FOCUS export: the official validator takes it, and its rows add up to the forecast.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{SHORT, holds, json, refused, scenarios, scratch, stdout, tool};

/// The scenarios whose costs are known, all of them: the others have no bill.
fn priced() -> impl Iterator<Item = PathBuf> {
    scenarios().into_iter().filter(|scenario| {
        let file = scenario.to_str().expect("UTF-8");
        let estimate = json(&[&["estimate", file, "--format", "json"][..], &SHORT].concat());
        estimate.pointer("/tco/total_usd").is_some_and(serde_json::Value::is_number)
    })
}

#[test]
fn a_cost_that_is_unknown_is_on_no_bill() {
    let folder = scratch("focus-unknown");
    let check = |name: &str, set: &[&str], parts: &[&str]| {
        let path = folder.join(format!("{name}.focus.csv"));
        let to = path.to_str().expect("UTF-8");
        let set = set.iter().flat_map(|it| ["--set", *it]);
        let asked: Vec<&str> =
            ["report", "scenarios/llama-65b.yaml", "-o", to].into_iter().chain(set).collect();
        holds(name, &refused(&asked, 2), parts);
        assert!(!path.exists(), "{name}");
    };
    check("unpriced", &[], &["tco.total_usd is unknown", "give a price"]);
    let staff = "training.costs={staff: {fte: 1, cost: 100k USD/year}}";
    check("staff", &[staff], &["training.compute is unknown", "name a provider that sells it"]);
}

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
    for scenario in priced() {
        let path = export(&scenario, &folder);
        let file = scenario.to_str().expect("UTF-8");
        let estimate = json(&[&["estimate", file, "--format", "json"][..], &SHORT].concat());
        let stages = ["/training/cost_usd/total", "/inference/cost_usd/total"];
        let costs = stages.map(|stage| estimate.pointer(stage).and_then(serde_json::Value::as_f64));
        let total: f64 = costs.into_iter().flatten().sum();
        let exported = sum(&path, "EffectiveCost");
        assert!((exported - total).abs() < 0.005, "{}: {exported} {total}", scenario.display());
        // Expenses are paid in full, if at another time; what is bought to last is paid for itself.
        let of_kind = |column: &str, kind: &str| -> f64 {
            let of = cells(&path, column).into_iter().zip(cells(&path, "x_Kind"));
            of.filter(|(_, of)| of == kind).filter_map(|(it, _)| it.parse::<f64>().ok()).sum()
        };
        let [billed, cost] = ["BilledCost", "EffectiveCost"].map(|column| of_kind(column, "opex"));
        assert!((billed - cost).abs() < 0.005, "{}: {billed} {cost}", scenario.display());
        let bought = ["/training/capex_usd/total", "/inference/capex_usd/total"];
        let bought = bought.iter().filter_map(|it| estimate.pointer(it)?.as_f64()).sum::<f64>();
        let billed = of_kind("BilledCost", "capex");
        assert!((billed - bought).abs() < 0.005, "{}: {billed} {bought}", scenario.display());
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
        ("EffectiveCost", "495.36"),
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
    let [list, paid] = ["ListCost", "EffectiveCost"].map(|column| sum(&reserved, column));
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
fn what_is_billed_is_the_cash_flow() {
    let folder = scratch("focus-cash");
    // The months of what is bought, USD: paid when it is due, and an expense when it is used.
    let check = |name: &str, file: &str, set: &[&str], right: &[(&str, f64)]| {
        let path = folder.join(format!("{name}.focus.csv"));
        let to = path.to_str().expect("UTF-8");
        let set: Vec<&str> = set.iter().flat_map(|it| ["--set", *it]).collect();
        stdout(&[&["report", file, "-o", to][..], &set].concat());
        let of = |column: &str| cells(&path, column);
        let number = |text: String| text.parse::<f64>().expect("a number");
        let rows = of("ChargeCategory").into_iter().zip(of("ChargePeriodStart"));
        let amounts = of("BilledCost").into_iter().zip(of("EffectiveCost"));
        let mut months: Vec<(String, f64)> = Vec::new();
        let mut cost = 0.0;
        for ((category, month), (billed, effective)) in rows.zip(amounts) {
            cost += number(effective.clone());
            match category.as_str() {
                "Purchase" => {
                    assert!(number(effective).abs() < 1e-12, "{name}");
                    let month = month[..7].to_owned();
                    match months.iter_mut().find(|(known, _)| *known == month) {
                        Some((_, sum)) => *sum += number(billed),
                        None => months.push((month, number(billed))),
                    }
                }
                _ => assert!([0.0, number(effective)].contains(&number(billed)), "{name}"),
            }
        }
        assert!(cost > 0.0, "{name}");
        let got: Vec<_> = months.iter().map(|(month, sum)| (month.as_str(), *sum)).collect();
        let same = |(got, right): (&(&str, f64), &(&str, f64))| {
            got.0 == right.0 && (got.1 / right.1 - 1.0).abs() < 1e-9
        };
        let all = got.len() == right.len() && got.iter().zip(right).all(same);
        assert!(all, "{name}: {got:?}");
    };
    let run = "tests/data/ledger/runaws.yaml";
    // Eight devices for a year of 8,766 hours at 2 USD, all or half of it on the first day.
    let year = 8.0 * 8766.0 * 2.0;
    let reserved = ["price=2 USD/device-h", "purchase=reserved-1y", "start=2026-03-01"];
    let reserved = reserved.map(|it| format!("placement.{it}"));
    let paid = |how: &'static str| -> Vec<&str> {
        reserved.iter().map(String::as_str).chain([how]).collect()
    };
    check("upfront", run, &paid("placement.payment=all-upfront"), &[("2026-03", year)]);
    let months = ["03", "04", "05", "06", "07", "08", "09", "10", "11", "12"];
    let months = months.map(|it| format!("2026-{it}"));
    let months = months.iter().map(String::as_str).chain(["2027-01", "2027-02"]);
    let rest = |(at, month)| (month, year / 24.0 + if at == 0 { year / 2.0 } else { 0.0 });
    let half: Vec<_> = months.enumerate().map(rest).collect();
    check("partial", run, &paid("placement.payment=partial-upfront"), &half);
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
    let all: Vec<_> = priced().collect();
    for scenario in &all {
        let text = std::fs::read_to_string(export(scenario, &folder)).expect("the export");
        let (header, own) = text.split_once('\n').expect("a header");
        if rows.is_empty() {
            rows = format!("{header}\n");
        }
        assert!(rows.starts_with(header), "{} has other columns", scenario.display());
        rows += own;
    }
    assert!(all.len() > 10 && rows.lines().count() > all.len(), "{}", all.len());
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
