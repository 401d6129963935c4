//! `estimate` and `capacity` compute a service from one model of the engine's step: what they both say
//! is the same, and what a closed form cannot hold it names.

use serde_json::Value;

use crate::common::library::{Way, asked, shipped, simulated};
use crate::common::{close, number};

const FILES: [&str; 4] = [
    "scenarios/llama-3-70b-serving.yaml",
    "scenarios/two-classes-serving.yaml",
    "scenarios/bert-base-serving.yaml",
    "scenarios/resnet50-edge.yaml",
];

/// Takes every bound on latencies out.
const FREE: &str = "inference.slo={}";

fn replica(report: &Value, figure: &str) -> Option<f64> {
    report.pointer(&format!("/inference/replica/{figure}")).and_then(Value::as_f64)
}

#[test]
fn without_an_slo_both_find_the_same_highest_rate() {
    for sets in [
        &[FREE][..],
        &[FREE, "inference.engine=sglang"],
        &[FREE, "inference.disaggregated={prefill: 2, decode: 1}"],
        &[FREE, "model=llama-3.1-8b", "inference.traffic.output_tokens={mean: 20, p95: 40}"],
        &[FREE, "model=qwen3-30b-a3b", "inference.prefix_cache_hit=50 %"],
    ] {
        let scenario = shipped(FILES[0], sets).unwrap();
        let closed = asked(Way::Estimate, FILES[0], sets);
        // A queue counts as growing once a batch and a twentieth of the requests wait: of few
        // requests that is a large part.
        let simulated = simulated(&scenario, 20_000).unwrap();
        let ratio = replica(&closed, "max_rate_per_s").unwrap()
            / replica(&simulated, "max_rate_per_s").unwrap();
        assert!((0.85..1.15).contains(&ratio), "{sets:?}: {ratio}");
    }
}

#[test]
fn capacity_and_estimate_hold_the_same_cache() {
    for file in FILES {
        let [closed, simulated] = [Way::Estimate, Way::Capacity].map(|way| asked(way, file, &[]));
        for figure in ["kv_capacity_tokens", "max_concurrency", "devices"] {
            let both = [&closed, &simulated].map(|report| replica(report, figure));
            match both {
                [Some(closed), Some(simulated)] => close(file, closed, simulated, 1e-9),
                both => assert_eq!(both, [None, None], "{file} {figure}"),
            }
        }
    }
}

#[test]
fn an_estimate_stays_below_what_its_replicas_take() {
    for file in FILES {
        let mut last = 0.0;
        for rate in ["10/s", "50/s", "200/s", "1000/s"] {
            let report =
                asked(Way::Estimate, file, &[&format!("inference.traffic.requests={rate}")]);
            let fleet = number(&report, "inference.fleet.replicas");
            let peak = number(&report, "inference.fleet.peak_rate_per_s");
            let most = number(&report, "inference.replica.max_rate_per_s");
            assert!(peak <= fleet * most, "{file} {rate}: {peak} {fleet} {most}");
            assert!(number(&report, "inference.e2e_ms.mean") > 0.0);
            assert!(fleet >= last, "{file} {rate}: {fleet} {last}");
            last = fleet;
        }
    }
}

#[test]
fn what_nobody_gave_is_assumed_by_both() {
    let bare = [
        "inference.engine=null",
        "inference.traffic={requests: 1M/day, input_tokens: {mean: 500}, output_tokens: {mean: 100}}",
    ];
    for way in [Way::Estimate, Way::Capacity] {
        let report = asked(way, FILES[0], &bare);
        let assumed = report["assumptions"].as_array().unwrap();
        for path in [
            "inference.engine",
            "inference.traffic.input_tokens.p95",
            "inference.traffic.output_tokens.p95",
            "inference.traffic.burstiness",
        ] {
            assert!(assumed.iter().any(|it| it["path"] == path), "{way:?} {path}");
        }
    }
}
