//! The step-time and memory models on the whole ground truth.

use crate::common::{json, number};
use crate::folder;

#[test]
#[ignore = "needs FLOPCAST_ORACLES"]
fn ground_truth() {
    let at = |name: &str| folder().join(format!("{name}.csv")).display().to_string();
    let proof = json(&["calibrate", &at("training_throughput"), "--format", "json"]);
    for (kind, median, p90) in [("dense", 0.08, 0.25), ("moe", 0.20, 0.45)] {
        for folds in ["left_out_models", "left_out_publishers"] {
            let figure = |name: &str| number(&proof, &format!("{folds}.{kind}.{name}"));
            assert!(figure("median_abs_error") <= median, "{folds} {kind}");
            assert!(figure("p90_abs_error") <= p90, "{folds} {kind}: {}", figure("p90_abs_error"));
            assert!((0.75..=0.88).contains(&figure("coverage_80")), "{folds} {kind}");
        }
    }
    let throughput = json(&["backtest", &at("training_throughput"), "--format", "json"]);
    assert!(number(&throughput, "scored") >= 0.97 * number(&throughput, "rows"));
    assert!(number(&throughput, "figures.memory_reserved_gb.median_abs_error") <= 0.15);
    let memory = json(&["backtest", &at("training_memory"), "--format", "json"]);
    assert!(number(&memory, "figures.memory_allocated_gb.median_abs_error") <= 0.05);
    assert!(number(&memory, "figures.memory_allocated_gb.p90_abs_error") <= 0.12);
    let runs = json(&["backtest", "--kind", "runs", &at("training_runs"), "--format", "json"]);
    for figure in ["energy_mwh", "tco2e"] {
        assert!(number(&runs, &format!("figures.{figure}.p90_abs_error")) <= 0.05);
    }
    assert!(number(&runs, "figures.device_hours.median_abs_error") <= 0.25);
}
