//! The serving model against the published runs of a folder that `FLOPCAST_ORACLES` names.
//!
//! `FLOPCAST_ORACLES=... cargo test --release --test serving_oracle -- --ignored --nocapture`

#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use flopcast::catalog::Catalog;
use flopcast::explore::backtest::score::{Scored, Summary};
use flopcast::explore::backtest::serving::Serving;
use flopcast::explore::backtest::table::Table;
use flopcast::model::Input;
use flopcast::model::import::hf;
use flopcast::serving::calibration::Calibration;

#[test]
#[ignore = "needs FLOPCAST_ORACLES"]
fn published_runs_are_forecast_within_the_stated_errors() {
    let Some(folder) = std::env::var_os("FLOPCAST_ORACLES").map(PathBuf::from) else {
        println!("left out: FLOPCAST_ORACLES names no folder");
        return;
    };
    let text = std::fs::read_to_string(folder.join("serving.csv")).expect("serving.csv");
    let table = Table::read(&text).expect("a table");
    let catalog = Catalog::embedded();
    let calibration = Calibration::shipped().expect("a calibration");
    let model = |config: &str| {
        let path = folder.join("serving_configs").join(format!("{config}.json"));
        let text = std::fs::read_to_string(&path).expect("a config");
        hf::read(config, &text, &Input::default())
    };
    let mut serving = Serving::new(&catalog, &calibration, &model);
    let mut scored: Vec<Scored> = Vec::new();
    let mut skipped: BTreeMap<String, usize> = BTreeMap::new();
    for row in table.rows() {
        if row.number("n_devices").ok().flatten().is_some_and(|n| n > 16.0) {
            continue;
        }
        match serving.score(&row) {
            Ok(score) => scored.push(score),
            Err(error) => *skipped.entry(error.message().to_owned()).or_default() += 1,
        }
    }
    for (why, count) in &skipped {
        println!("{count:6} skipped: {why}");
    }
    let group = |s: &Scored| {
        let part = |by: &str| s.group(by).unwrap_or("?").to_owned();
        format!("{} {} {} {}", part("load"), part("model"), part("accelerator"), part("engine"))
    };
    let mut groups: BTreeMap<(&str, String), Vec<&Scored>> = BTreeMap::new();
    for score in &scored {
        groups.entry((score.figure, group(score))).or_default().push(score);
        let load = score.group("load").unwrap_or("?");
        groups.entry((score.figure, format!("= {load}"))).or_default().push(score);
    }
    for ((figure, group), rows) in &groups {
        let s = Summary::of(rows.iter().copied()).expect("rows");
        println!(
            "{figure:24} {group:60} n {:5} median {:6.1} p90 {:6.0} bias {:6.1} covered {:4.0}",
            s.n,
            100.0 * s.median_abs_error,
            100.0 * s.p90_abs_error,
            100.0 * s.median_signed_error,
            100.0 * s.coverage_80
        );
    }
}
