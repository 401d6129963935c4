//! Many scenarios at once.

use crate::common::{flopcast, holds, json, number, refused, scratch, stdout, written};

const FILE: &str = "scenarios/llama-3.1-8b-stages.yaml";
const AXES: [&str; 3] = [
    "training.hardware.count=256..1024*2",
    "training.hardware.accelerator=a100-sxm-80gb,h100-sxm",
    "placement.purchase={price: 1 USD/device-h},{price: 2 USD/device-h}",
];

fn vary<'a>(file: &'a str, axes: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    let axes = axes.iter().flat_map(|axis| ["--vary", axis]);
    ["sweep", file].into_iter().chain(axes).chain(more.iter().copied()).collect()
}

fn sweep<'a>(more: &[&'a str]) -> Vec<&'a str> {
    vary(FILE, &AXES, more)
}

/// A row of a sweep is the forecast of the scenario with the same keys set, whatever parts of it the
/// combinations share.
#[test]
fn a_row_is_the_forecast_with_its_keys_set() {
    check(FILE, &AXES, &[0, 7, 10], 12);
    // The service has a placement of its own, until one of the values takes it away.
    let apart = [
        "training.hardware.count=5000,10000",
        "placement.region=eastus,westus2",
        "inference.traffic.requests=1M/day,8M/day",
        "finance.horizon=1 years,3 years",
    ];
    check("scenarios/gpt3-175b.yaml", &apart, &[0, 1, 2, 5, 11, 15], 16);
    let shared = [
        "inference.placement={provider: aws, region: us-west-2},null",
        "placement.purchase={price: 1 USD/device-h},{price: 2 USD/device-h}",
        "compress.quantization=fp8,int8",
    ];
    check("scenarios/gpt3-175b.yaml", &shared, &[0, 2, 4, 5, 6], 8);
}

/// An axis has the names that a scenario has.
#[test]
fn an_axis_by_its_other_name() {
    let (typed, meant) = ("gpus=256..512*2", "training.hardware.count=256..512*2");
    let of = |axis| stdout(&vary(FILE, &[axis], &["--format", "csv"]));
    assert_eq!(of(typed), of(meant));
}

fn check(file: &str, axes: &[&str], numbers: &[usize], combinations: usize) {
    let swept = json(&vary(file, axes, &["--format", "json"]));
    let rows = swept["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), combinations);
    assert_eq!(swept["combinations"], combinations);
    for row in numbers.iter().map(|number| &rows[*number]) {
        let set: Vec<String> = row["set"]
            .as_object()
            .expect("the keys")
            .iter()
            .map(|(key, value)| format!("{key}={}", value.as_str().expect("a text")))
            .collect();
        let sets = set.iter().flat_map(|set| ["--set", set.as_str()]);
        let command = ["estimate", file, "--format", "json"].into_iter().chain(sets);
        let alone = json(&command.collect::<Vec<_>>());
        for (key, path) in [("cost_usd", "tco.total_usd"), ("days", "training.wall_clock_days")] {
            let (swept, alone) = (number(row, &format!("figures.{key}")), number(&alone, path));
            assert!((swept - alone).abs() <= 1e-12 * alone, "{set:?}: {swept} against {alone}");
        }
    }
}

/// A row of a table is the forecast with its cells set, in the order of the table; what is no key
/// passes through.
#[test]
fn a_table_is_forecast_row_by_row() {
    let table =
        "id,training.hardware.count,placement__pue\nfirst,256,1.1\n\"a, b\",512,\nthird,8,1.2\n";
    let path = written("sweep-table", "what-ifs.csv", table);
    let run = ["sweep", FILE, "--from", &path, "--keep", "id", "--pareto", "cost,days"];
    let told = stdout(&run);
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(
        lines[0],
        "id,training.hardware.count,placement__pue,cost_usd,days,devices,infeasible"
    );
    assert!(lines[1].starts_with("first,256,1.1,") && lines[2].starts_with("\"a, b\",512,,"));
    assert!(lines[3].starts_with("third,8,1.2,") && lines.len() == 4, "{told}");
    for (line, sets) in [
        (lines[1], &["training.hardware.count=256", "placement.pue=1.1"][..]),
        (lines[2].split_once("b\"").expect("a text").1, &["training.hardware.count=512"]),
    ] {
        let sets = sets.iter().flat_map(|set| ["--set", set]);
        let alone = json(
            &["estimate", FILE, "--format", "json"].into_iter().chain(sets).collect::<Vec<_>>(),
        );
        let days = line.split(',').nth_back(2).expect("days").parse::<f64>().expect("a number");
        let expected = number(&alone, "training.wall_clock_days");
        assert!((days - expected).abs() <= 1e-12 * expected, "{line}: {expected}");
    }
    let out = scratch("sweep-out").join("out.csv");
    let out = out.to_str().expect("a UTF-8 path");
    stdout(&run.iter().copied().chain(["-o", out]).collect::<Vec<_>>());
    assert_eq!(std::fs::read_to_string(out).expect("a table"), told);
    refused(&run.iter().copied().chain(["-o", out]).collect::<Vec<_>>(), 2);
}

#[test]
fn tables_that_make_no_sense() {
    let long = format!("training.hardware.count\n{}", "8".repeat(2 << 20));
    let cases = [
        ("training.hardware.cuont\n8\n", "line 2: unknown key `cuont`"),
        ("training.hardware.cuont\n8\n", "did you mean `count`?"),
        ("id,training.hardware.count\n1,8\n", "--keep NAME"),
        ("training.hardware.count\n8\nmany\n", "line 3, training.hardware.count"),
        ("training.hardware.count\n8\n-8\n", "line 3: -8 devices cannot be negative"),
        ("training.hardware.count\n\"[1\"\n", "line 2, training.hardware.count: not a valid YAML"),
        ("placement.pue,training.hardware.count\n8\n", "line: 2"),
        ("placement.pue,placement.pue\n1,1\n", "two columns are named `placement.pue`"),
        ("", "no column"),
        (long.as_str(), "longer than a megabyte"),
    ];
    for (table, expected) in cases {
        let path = written("sweep-table", "bad.csv", table);
        holds(expected, &refused(&["sweep", FILE, "--from", &path], 2), &[expected]);
    }
    let parquet = ["sweep", FILE, "--from", "params.parquet", "-o", "out.parquet"];
    holds("Parquet", &refused(&parquet, 2), &["python -m flopcast sweep"]);
    let path = written("sweep-table", "good.csv", "placement.pue\n1.1\n");
    let keep = ["sweep", FILE, "--from", &path, "--keep", "placement.pu"];
    holds("keep", &refused(&keep, 2), &["did you mean `placement.pue`?"]);
}

/// The same rows in the same order every time, in CSV as in JSON.
#[test]
fn rows_keep_their_order() {
    let csv = stdout(&sweep(&["--format", "csv"]));
    assert_eq!(csv, stdout(&sweep(&["--format", "csv"])));
    let first: Vec<_> = csv.lines().skip(1).map(|line| line.split(',').next()).collect();
    let numbers: Vec<_> = (0..12).map(|number| number.to_string()).collect();
    assert_eq!(first, numbers.iter().map(|it| Some(it.as_str())).collect::<Vec<_>>());
    let front = stdout(&sweep(&["--format", "csv", "--front"]));
    let rows: Vec<_> = front.lines().skip(1).collect();
    assert!(!rows.is_empty() && rows.iter().all(|row| csv.contains(row)), "{front}");
}

#[test]
fn a_terminal_has_80_columns() {
    let table = stdout(&sweep(&[]));
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    assert!(table.contains("on the Pareto front"), "{table}");
}

/// What cannot be done is a row with its reason; where nothing can, that is an exit code.
#[test]
fn what_cannot_be_done_says_why() {
    let count = "training.hardware.count=8,1024";
    let rows = json(&[
        "sweep",
        FILE,
        "--format",
        "json",
        "--vary",
        count,
        "--vary",
        "placement.region=us-east-1,eastus",
    ]);
    let why = rows["rows"][1]["infeasible"].as_str().expect("a reason");
    assert!(why.contains("aws has no region `eastus`"), "{why}");
    let none = flopcast(&["sweep", FILE, "--vary", "placement.region=eastus"]);
    assert_eq!(none.status.code(), Some(1));
}

#[test]
fn questions_that_make_no_sense() {
    let cases = [
        ("training.hardware.count", "has no `=`"),
        ("training.hardware.count=", "names no value"),
        ("training.hardware.count=8..64", "without a step"),
        ("training.hardware.count=64..8*2", "does not rise"),
        ("training.hardware.count=8..64*1", "does not rise"),
        ("training.hardware.count=8..1e12+1", "more than"),
        ("data.tokens=1B..4T*2", "several units"),
        ("training.hardwar.count=8", "unknown key `hardwar`"),
        ("training.hardware.count=many", "many"),
        ("training.precision.x=1", "not inside a map"),
    ];
    for (vary, expected) in cases {
        holds(vary, &refused(&["sweep", FILE, "--vary", vary], 2), &[expected]);
    }
    let errors = refused(&sweep(&["--pareto", "cots,days"]), 2);
    holds("cots", &errors, &["there is no figure `cots`"]);
}

#[test]
fn a_picture_is_written_once() {
    let file = scratch("sweep").join("sweep.svg");
    let path = file.to_str().expect("a UTF-8 path");
    stdout(&sweep(&["--svg", path]));
    assert!(std::fs::read_to_string(&file).expect("a picture").contains("</svg>"));
    refused(&sweep(&["--svg", path]), 2);
}
