//! The best within limits, sizes, and many scenarios as one budget.

use std::fs;
use std::path::PathBuf;

use flopcast::catalog::Catalog;
use flopcast::diagnostic::{Error, Result};
use flopcast::estimate::{Estimate, Figure, estimate};
use flopcast::explore::aim::Aim;
use flopcast::explore::axis::Axis;
use flopcast::explore::optimize::{Limit, Request, search};
use flopcast::explore::space::Space;
use flopcast::scenario::{Files, document, reader, resolve};

use crate::common::{flopcast, json, number, root, stdout};

const RUN: &str = "\
name: A run
model: {parameters: 7B}
data: {tokens: 100B}
training:
  precision: bf16
  sequence_length: 2048
  hardware: {accelerator: h100-sxm, count: 64}
  efficiency: {mfu: 0.4, convention: six_nd}
placement: {purchase: {price: 2 USD/device-h}, region: USA, start: 2027-01-01}
";

struct NoFiles;

impl Files for NoFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>> {
        Err(Error::input(format!("{path} is not read here")))
    }
}

const AXES: [(&str, &[&str]); 4] = [
    ("training.hardware.accelerator", &["a100-sxm-80gb", "h100-sxm", "v100-sxm2-32gb"]),
    ("training.hardware.count", &["8", "64", "512"]),
    ("placement.region", &["USA", "FRA", "DEU"]),
    ("placement.purchase", &["{price: 1 USD/device-h}", "{price: 3 USD/device-h}"]),
];

/// What one combination takes by itself: nothing shared, nothing remembered.
fn alone(catalog: &Catalog, set: &[(&str, &str)]) -> Option<Vec<Figure>> {
    let mut node = document::parse("run.yaml", RUN.as_bytes()).expect("a document");
    for (path, value) in set {
        node.set(&format!("{path}={value}")).expect("a key");
    }
    let file = reader::read(&node).expect("a scenario");
    let scenario = resolve(&file, catalog, &NoFiles).ok()?;
    estimate(&scenario, catalog, false).ok().as_ref().map(Estimate::figures)
}

/// 200 random sub-grids, objectives and limits: the optimum is that of trying all one by one.
#[test]
fn the_optimum_is_that_of_brute_force() {
    let catalog = Catalog::embedded();
    let sizes = AXES.map(|(_, values)| values.len());
    let all: usize = sizes.iter().product();
    let digits = |mut number: usize| {
        let mut digits = [0; 4];
        for (digit, size) in digits.iter_mut().zip(sizes).rev() {
            *digit = number % size;
            number /= size;
        }
        digits
    };
    let table: Vec<Option<Vec<Figure>>> = (0..all)
        .map(|number| {
            let chosen = digits(number);
            let set: Vec<_> = (0..4).map(|i| (AXES[i].0, AXES[i].1[chosen[i]])).collect();
            alone(&catalog, &set)
        })
        .collect();
    let names = ["cost", "days", "co2e", "energy"];
    // A linear congruential generator (Knuth, MMIX): the same problems every time.
    let mut state: u64 = 7;
    let mut pick = |most: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % most
    };
    let (mut solved, mut impossible) = (0, 0);
    for problem in 0..200 {
        // A sub-grid: of every axis at least one value, in order.
        let chosen: Vec<Vec<usize>> = sizes
            .iter()
            .map(|&size| {
                let mask = 1 + pick((1 << size) - 1);
                (0..size).filter(|bit| mask >> bit & 1 == 1).collect()
            })
            .collect();
        let objective = Aim::read(names[pick(names.len())]);
        let value = |figures: &[Figure], aim: &Aim| aim.of(figures).and_then(|it| it.value);
        // Limits at the values of some combination, so that they bind now and then.
        let limits: Vec<Limit> = (0..=pick(3))
            .filter_map(|_| {
                let aim = Aim::read(names[pick(names.len())]);
                let figures = table[pick(all)].as_ref()?;
                let most = value(figures, &aim)? * (0.5 + pick(100) as f64 / 100.0);
                Some(Limit { aim, most })
            })
            .collect();
        let inside = |number: &usize| {
            digits(*number).iter().zip(&chosen).all(|(digit, kept)| kept.contains(digit))
        };
        let kept = |figures: &[Figure]| {
            limits.iter().all(|it| value(figures, &it.aim).is_some_and(|v| v <= it.most))
        };
        let best = (0..all)
            .filter(inside)
            .filter_map(|number| table[number].as_deref())
            .filter(|figures| kept(figures))
            .filter_map(|figures| value(figures, &objective))
            .min_by(f64::total_cmp);

        let axis = |i: usize| {
            let values: Vec<_> = chosen[i].iter().map(|&at| AXES[i].1[at]).collect();
            Axis::read(&format!("{}={}", AXES[i].0, values.join(","))).expect("an axis")
        };
        let node = document::parse("run.yaml", RUN.as_bytes()).expect("a document");
        let space =
            Space::new(node, (0..4).map(axis).collect(), &catalog, &NoFiles).expect("a space");
        let request = Request { objective, limits: limits.clone(), beside: Vec::new() };
        let answer = search(&space, &request, &|_| {}).expect("an answer");
        let found = answer.best.first().and_then(|row| row.values[0]);
        assert_eq!(found, best, "problem {problem}: {limits:?}");
        if best.is_some() { solved += 1 } else { impossible += 1 }
    }
    assert!(solved > 50 && impossible > 20, "{solved} solved, {impossible} impossible");
}

fn plan(name: &str, text: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("optimize");
    fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join(name);
    fs::write(&path, text).expect("a file");
    path.to_str().expect("a UTF-8 path").to_owned()
}

#[test]
fn offers_of_the_catalog_within_limits() {
    let file = plan("offers.yaml", RUN);
    let market = ["--accelerator", "h100-sxm", "--provider", "aws,azure", "--devices", "128"];
    let run = |more: &[&str]| {
        let output = flopcast(&[&["optimize", &file][..], &market, more].concat());
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, table) = run(&["--deadline", "2027-12-31"]);
    assert_eq!(code, Some(0), "{table}");
    assert!(table.contains("a price is not availability"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");

    // Nothing is that cheap: the limit that binds is named, with how much it lacks.
    let (code, table) = run(&["--max-cost", "10 USD"]);
    assert_eq!(code, Some(1), "{table}");
    assert!(table.contains("cost_usd binds") && table.contains("over the limit"), "{table}");

    // A lead time takes its days off the deadline.
    let text = ["optimize", &file, "--format", "json", "--deadline", "60 days"];
    let answer = json(&[&text[..], &market, &["--lead-time", "10 days"]].concat());
    assert!((number(&answer, "limits.0.most") - 50.0).abs() < 1e-9);
    assert!(number(&answer, "best.0.figures.days") <= 50.0);
}

/// A plan names accelerator, region, purchase, parallelism and start.
#[test]
fn the_best_say_how_they_are_run() {
    let text = RUN
        .replace("model: {parameters: 7B}", "model: llama-3-8b")
        .replace("  efficiency: {mfu: 0.4, convention: six_nd}\n", "")
        .replace("100B", "1B")
        .replace("purchase: {price: 2 USD/device-h}, region: USA, ", "");
    let file = plan("plan.yaml", &text);
    let asked =
        ["optimize", &file, "--provider", "gcp", "--region", "europe-west2", "--window", "2d"];
    let more = ["--accelerator", "h100-sxm", "--devices", "64"];
    let answer = json(&[&asked[..], &more, &["--format", "json"]].concat());
    let best = &answer["best"][0];
    assert!(best["set"]["offer"].as_str().expect("an offer").contains("europe-west2 on-demand"));
    assert!(best["parallelism"].as_str().expect("a layout").contains("data"), "{best}");
    assert_eq!(best["start"], "2027-01-01");
    assert!(best["best_start"].as_str().expect("a start") > "2027-01-01");
    assert!((0.0..0.5).contains(&number(best, "best_start_saves")), "{best}");
    let table = stdout(&[&asked[..], &more].concat());
    assert!(table.contains("How, by rank") && table.contains("start 2027-01-0"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
}

/// Hoffmann et al. 2022: GPT-3's compute is best spent on 30 to 55 B parameters.
#[test]
fn sizes_for_a_budget() {
    let sized = json(&["optimize", "--size", "--flops", "3.14e23", "--format", "json"]);
    let laws = sized["laws"].as_array().expect("laws");
    assert_eq!(laws.len(), 4);
    let catalog = Catalog::embedded();
    for law in laws {
        assert!(catalog.source(law["source"].as_str().expect("an id")).is_some(), "{law}");
        let parameters = number(law, "optimum.parameters");
        assert!((29e9..55e9).contains(&parameters), "{law}");
    }
    let table = stdout(&["optimize", "--size", "--flops", "3.14e23", "--served", "1T"]);
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    assert!(table.contains("size, not shape"), "{table}");

    // Twice the money buys twice the compute of the same cluster.
    let file = plan("size.yaml", RUN);
    let budget = |cost: &str| {
        let text = ["optimize", &file, "--size", "--max-cost", cost, "--format", "json"];
        number(&json(&text), "flops")
    };
    let ratio = budget("2000 USD") / budget("1000 USD");
    assert!((ratio - 2.0).abs() < 1e-6, "{ratio}");
}

#[test]
fn a_folder_is_one_budget() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("portfolio");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    let file = |name: &str, text: &str| fs::write(folder.join(name), text).expect("a file");
    // 10T tokens on 64 devices take half a year.
    file("a.yaml", &format!("{}tags: {{team: red}}\n", RUN.replace("100B", "10T")));
    file("b.yaml", &format!("{RUN}tags: {{team: blue, quarter: 2026Q4}}\n"));
    file("c.yaml", &RUN.replace("purchase: {price: 2 USD/device-h}, ", ""));
    file("base.yaml", "placement: {pue: 1.1}\n");
    let path = folder.to_str().expect("a UTF-8 path");
    let it = json(&["portfolio", path, "--format", "json"]);
    assert_eq!(it["scenarios"].as_array().map(Vec::len), Some(3));
    assert_eq!(it["total"]["sums"]["cost_usd"], serde_json::Value::Null);
    for tag in ["team", "quarter"] {
        let groups = it["by"][tag].as_array().expect("groups");
        for key in ["cost_usd", "energy_kwh", "co2e_kg"] {
            let sum: f64 = groups.iter().map(|it| number(it, &format!("known.{key}"))).sum();
            let total = number(&it, &format!("total.known.{key}"));
            assert!((sum - total).abs() <= 1e-12 * total, "{tag}, {key}");
        }
    }
    // One says its quarter, two begin in the next, of which one goes on.
    let quarters = it["by"]["quarter"].as_array().expect("quarters");
    let found: Vec<_> = quarters
        .iter()
        .map(|it| (it["value"].as_str().expect("a quarter"), number(it, "scenarios")))
        .collect();
    assert_eq!(found[..3], [("2026Q4", 1.0), ("2027Q1", 2.0), ("2027Q2", 1.0)]);
    let table = stdout(&["portfolio", path, "--by", "team"]);
    assert!(table.contains("(none)") && table.contains("unknown of"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    assert_eq!(flopcast(&["portfolio", path, "--by", "teem"]).status.code(), Some(2));
    assert_eq!(
        flopcast(&["portfolio", root().join("src").to_str().expect("a path")]).status.code(),
        Some(2)
    );
}
