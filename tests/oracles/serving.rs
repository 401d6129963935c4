//! The serving constants against published runs.

use flopcast::catalog::Catalog;
use flopcast::evidence::backtest::calibrate::prove;
use flopcast::evidence::backtest::score::{Scored, Summary};
use flopcast::evidence::backtest::serving::Reader;
use flopcast::evidence::backtest::table::Table;
use flopcast::model::Input;
use flopcast::model::config;
use flopcast::report::doc::Subject as _;
use flopcast::report::render::markdown;
use flopcast::serving::calibration::Calibration;

use crate::folder;

#[test]
#[ignore = "needs FLOPCAST_ORACLES"]
fn runs_left_out_of_the_fit_are_forecast_within_the_bars() {
    let folder = folder();
    let text = std::fs::read_to_string(folder.join("serving.csv")).expect("serving.csv");
    let table = Table::read(&text).expect("a table");
    let catalog = Catalog::embedded();
    let calibration = Calibration::shipped().expect("a calibration");
    let model = |config: &str| {
        let path = folder.join("serving_configs").join(format!("{config}.json"));
        let text = std::fs::read_to_string(&path).expect("a config");
        config::read(config, &text, &Input::default())
    };
    let (runs, _) = Reader::new(&catalog, &calibration.facts, &model).runs(&table);
    let proof = prove(&runs, calibration, 10, &calibration.fitted).expect("a fit");
    println!("{}", markdown::text(&proof.doc()));
    let few = |row: &&Scored| row.group("devices") == Some("up to 16");
    for (figure, load, median, p90) in [
        ("tpot_mean_ms", "closed", 0.13, 0.40),
        ("ttft_mean_ms", "closed", 0.25, f64::INFINITY),
        ("output_tokens_per_s", "offline", 0.15, f64::INFINITY),
    ] {
        let rows = proof.splits.iter().flat_map(|split| &split.rows).filter(few);
        let rows = rows.filter(|row| row.figure == figure && row.group("load") == Some(load));
        let summary = Summary::of(rows).expect("rows");
        assert!(summary.median_abs_error <= median, "{figure}: {summary:?}");
        assert!(summary.p90_abs_error <= p90, "{figure}: {summary:?}");
        assert!((0.75..=0.88).contains(&summary.coverage_80), "{figure}: {summary:?}");
    }
    // The shipped values are those of the fit.
    for ((name, fitted), (_, shipped)) in
        proof.calibration.constants.iter().zip(calibration.constants.iter())
    {
        assert!((shipped.value / fitted.value).ln().abs() < 0.1, "{name}: {}", fitted.value);
    }
}
