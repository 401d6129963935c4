//! `flopcast capacity` as a user meets it. Few requests: the tests ask for structure, not for
//! the third digit.

use crate::common::library::{Way, asked};
use crate::common::{close, holds, json, number, printed, refused, stdout, written};

const FILE: &str = "scenarios/llama-3-70b-serving.yaml";
const QUICK: [&str; 5] = ["--requests", "600", "--seeds", "1", "--full"];

fn arguments<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["capacity", FILE][..], &QUICK, more].concat()
}

#[test]
fn the_same_input_gives_the_same_bytes_in_every_form() {
    for format in ["table", "json", "csv", "markdown"] {
        let once = || stdout(&arguments(&["--format", format]));
        let text = once();
        assert_eq!(text, once());
        assert!(text.contains("P95") || text.contains("p95"), "{format}: {text}");
    }
}

#[test]
fn requests_one_by_one_and_over_time_are_written_on_demand() {
    let (table, picture) =
        (written("capacity", "requests.csv", ""), written("capacity", "timeline.svg", ""));
    let files = ["--per-request", &table, "--timeline", &picture, "--force"];
    stdout(&arguments(&files));
    let read = |path: &str| std::fs::read_to_string(path).expect("a file");
    let text = read(&table);
    // A tenth of the requests warms the replica up; a run of 600 that is short beside what is under way
    // at once is taken longer.
    assert!(text.lines().count() > 540, "{}", text.lines().count());
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let cell = |i: usize| cells[i].parse::<f64>().expect("a number");
        let (output, queued, ttft, tpot, e2e) = (cell(4), cell(6), cell(7), cells[8], cell(9));
        assert!(queued <= ttft && ttft <= e2e, "{line}");
        let tpot = tpot.parse().unwrap_or(0.0);
        assert!((ttft + tpot * (output - 1.0) - e2e).abs() < 1e-3 * output, "{line}");
    }
    assert!(read(&picture).starts_with("<svg"));
    // A file is not overwritten unasked.
    refused(&arguments(&files[..2]), 2);
}

#[test]
fn the_command_says_what_the_library_says() {
    // The command searches layouts, and tries others beside the file's own.
    let layout = "inference.parallelism={tensor: 2, pipeline: 1, data: 1, expert: 1}";
    let mut report = json(&arguments(&["--format", "json", "--set", layout]));
    let replica = report["inference"]["replica"].as_object_mut().expect("a replica");
    let layouts = replica.remove("layouts").expect("layouts");
    holds(
        "layouts",
        layouts.as_str().unwrap(),
        &["tensor 2: ", "tensor 4: ", "not possible: tensor 1"],
    );
    assert_eq!(report, printed(&asked(Way::Capacity, FILE, &[layout])));
}

#[test]
fn an_estimate_of_a_service_with_an_slo_is_that_of_capacity() {
    let mut all = vec!["estimate", FILE, "--format", "json"];
    all.extend(QUICK);
    let (estimate, capacity) = (json(&all), json(&arguments(&["--format", "json"])));
    assert_eq!(estimate["schema"], "flopcast.estimate/1");
    for path in ["ttft_ms.p95", "tpot_ms.p99", "ttft_ms.mean", "fleet.devices"] {
        let path = format!("inference.{path}");
        close(&path, number(&estimate, &path), number(&capacity, &path), 1e-12);
    }
}
