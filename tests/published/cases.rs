//! Cases of money, carbon, logs and bills with right values: `tests/data/ledger/expected.csv`.

use serde_json::Value;

use crate::common::{json, scratch, stdout};

/// A row of the table.
#[derive(serde::Deserialize)]
struct Case {
    #[serde(rename = "case")]
    name: String,
    command: String,
    against: String,
    figure: String,
    right: String,
    within: String,
}

/// The number at a path with dots.
fn at(value: &Value, path: &str) -> Option<f64> {
    value.pointer(&format!("/{}", path.replace('.', "/")))?.as_f64()
}

/// A figure of an estimate, or of its rows.
fn estimated(value: &Value, figure: &str) -> Option<f64> {
    let rows = |key: &str| value[key].as_array().into_iter().flatten();
    match figure {
        "it watts of a device" => {
            let year = &value["inference"]["years"][0];
            let hours = at(value, "inference.fleet.device_hours")?;
            Some(1e3 * at(year, "energy_kwh.it")? / hours)
        }
        "price of the last year" => rows("ledger").next_back()?["unit_price_usd"].as_f64(),
        "amortised / bought" => {
            let sum = |key: &str| -> f64 {
                let capital = rows(key).filter(|row| row["kind"] == "capex");
                capital.filter_map(|row| row["amount_usd"].as_f64()).sum()
            };
            Some(sum("ledger") / sum("purchases"))
        }
        path => at(value, path),
    }
}

/// A measured item, or the value of a hint.
fn measured(value: &Value, figure: &str) -> Option<f64> {
    let named = |key: &str, by: &str, name: &str| {
        let all = value[key].as_array().expect(key);
        all.iter().find(|it| it[by] == name).cloned()
    };
    match figure.strip_prefix("hint ") {
        Some(path) => named("hints", "path", path).map(|_| f64::NAN),
        None => named("items", "item", figure)?["actual"].as_f64(),
    }
}

impl Case {
    /// What flopcast says.
    fn got(&self) -> Option<f64> {
        let path = |name: &str| format!("tests/data/ledger/{name}");
        let (file, against) = (path(&self.name), path(&self.against));
        let actuals =
            |log: &str| json(&["actuals", log, "--against", &against, "--format", "json"]);
        match self.command.as_str() {
            "estimate" => estimated(&json(&["estimate", &file, "--format", "json"]), &self.figure),
            "actuals" => measured(&actuals(&file), &self.figure),
            "focus" => {
                let export = scratch("cases").join(format!("{}.focus.csv", self.name));
                let export = export.to_str().expect("UTF-8");
                stdout(&["report", &file, "-o", export, "--force"]);
                if !self.against.is_empty() {
                    return measured(&actuals(export), &self.figure);
                }
                let mut table = csv::Reader::from_path(export).expect("a table");
                let column =
                    table.headers().expect("a header").iter().position(|it| it == self.figure);
                table.records().next()?.expect("a row")[column.expect("the column")].parse().ok()
            }
            "catalog" => {
                let shown = stdout(&["catalog", "show", &self.name]);
                let line = shown.lines().find(|line| line.contains(&self.figure))?;
                line.split_whitespace().find_map(|word| word.parse().ok())
            }
            other => panic!("no command {other}"),
        }
    }
}

#[test]
fn every_case_of_the_table_comes_out_right() {
    let mut table = csv::Reader::from_path("tests/data/ledger/expected.csv").expect("the table");
    let mut wrong = Vec::new();
    let mut cases = 0;
    for case in table.deserialize() {
        let case: Case = case.expect("a case");
        let got = case.got();
        let right = match (got, case.right.strip_prefix(">= ")) {
            (got, None) if case.right == "unknown" => got.is_none(),
            (Some(got), Some(least)) => got >= least.parse::<f64>().expect("a number"),
            (Some(got), None) => {
                let right: f64 = case.right.parse().expect("a number");
                (got / right - 1.0).abs() < case.within.parse::<f64>().expect("a tolerance")
            }
            (None, _) => false,
        };
        cases += 1;
        if !right {
            wrong.push(format!("{} {}: {got:?}, not {}", case.name, case.figure, case.right));
        }
    }
    assert!(cases > 25 && wrong.is_empty(), "{wrong:#?}");
}
