//! `docs/accuracy.md` says what the shipped constants reach on the shipped rows.
#![allow(clippy::unwrap_used)]

use flopcast::catalog::Catalog;
use flopcast::evidence::backtest::calibrate::prove;
use flopcast::evidence::backtest::runs::whole_runs;
use flopcast::evidence::backtest::{Backtest, Kind, cases};
use flopcast::report::doc::Subject as _;
use flopcast::report::render::markdown;
use flopcast::report::subject::accuracy::Accuracy;
use flopcast::training::calibration::Calibration;
use flopcast::training::whole_run;

#[test]
fn the_document_is_what_the_back_test_says() {
    let (catalog, calibration) = (Catalog::embedded(), Calibration::shipped().unwrap());
    let table = Kind::TrainingThroughput.shipped().unwrap();
    let (cases, _) = cases(&table, &catalog, calibration);
    let proof = prove(&cases, calibration, 10, "shipped").unwrap();
    let tests = [Kind::TrainingThroughput, Kind::Runs]
        .map(|kind| Backtest::run(kind, &kind.shipped().unwrap(), &catalog, calibration).unwrap());
    let losses = whole_run::Calibration::shipped().unwrap();
    let (runs, _) = whole_runs(&Kind::Runs.shipped().unwrap(), &catalog, calibration);
    let runs = prove(&runs, losses, 0, &losses.fitted).unwrap();
    let document = markdown::text(&Accuracy { proof: &proof, runs: &runs, tests: &tests }.doc());
    // What follows is of a table that is not shipped: tests/oracles/serving.rs.
    let shipped = include_str!("../../docs/accuracy.md").split("\n## Serving\n").next().unwrap();
    assert!(
        document == shipped,
        "docs/accuracy.md is out of date: flopcast calibrate --format markdown, up to Serving"
    );
    // The shipped values are those of the fit.
    for (name, constant) in proof.calibration.constants.iter() {
        let shipped = calibration.constants.value(name).unwrap();
        assert!((shipped / constant.value - 1.0).abs() < 1e-3, "{name}: {shipped}");
    }
    for (name, constant) in runs.calibration.constants.iter() {
        let shipped = losses.constants.value(name).unwrap();
        assert!((shipped / constant.value - 1.0).abs() < 1e-3, "{name}: {shipped}");
    }
}
