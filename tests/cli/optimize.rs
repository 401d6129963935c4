//! The best within limits, sizes, and many scenarios as one budget.

use std::fs;

use crate::common::library::CATALOG;
use crate::common::{RUN, flopcast, holds, json, number, refused, root, scratch, stdout, written};

fn plan(name: &str, text: &str) -> String {
    written("optimize", name, text)
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

/// The devices are what is asked for: a file that names none gets the answer of one that does.
#[test]
fn a_file_need_not_name_the_devices_that_are_sought() {
    let answer = |name: &str, text: &str| {
        let file = plan(name, text);
        let market = ["--accelerator", "h100-sxm", "--provider", "aws", "--devices", "64"];
        let mut answer = json(&[&["optimize", &file, "--format", "json"][..], &market].concat());
        answer.as_object_mut().expect("an object").remove("name");
        answer.to_string().replace(name, "")
    };
    let named = RUN.replace("purchase: {price: 2 USD/device-h}, region: USA, ", "");
    let open = named.replace("  hardware: {accelerator: h100-sxm, count: 64}\n", "");
    assert!(!open.contains("accelerator"), "{open}");
    assert_eq!(answer("named.yaml", &named), answer("open.yaml", &open));
}

/// On 512 devices only clusters are named; what stands in no cluster is listed with its reason.
#[test]
fn a_run_on_512_devices_is_on_a_cluster() {
    let text = RUN.replace("7B", "13B").replace("100B", "1T").replace("count: 64", "count: 512");
    let text = text.replace("purchase: {price: 2 USD/device-h}, region: USA, ", "");
    let file = plan("cluster.yaml", &text);
    let asked = ["optimize", &file, "--vary", "training.hardware.count=512"];
    let answer = json(&[&asked[..], &["--format", "json"]].concat());
    let best = answer["best"].as_array().expect("the best");
    assert_eq!(best.len(), 10, "{answer}");
    for row in best {
        let offer = row["set"]["offer"].as_str().expect("an offer");
        let mut words = offer.split(' ');
        let (device, provider) =
            (words.next().expect("a device"), words.next().expect("a provider"));
        let device = CATALOG.accelerator(device).expect("a device of the catalog");
        assert!(!flopcast::catalog::Links::of(device).scale_out_assumed, "{offer}: no network");
        assert!(!["vast", "salad"].contains(&provider), "{offer}: single machines");
        assert_eq!(row["set"]["training.hardware.count"], "512", "{row}");
    }
    let left_out = answer["left_out"].as_array().expect("what is left out");
    let why = |row: &serde_json::Value| row["why"].as_str().expect("why").to_owned();
    let reasons: Vec<String> = left_out.iter().map(why).collect();
    for (name, reason) in [
        ("vast", "a marketplace of single machines"),
        ("salad", "a marketplace of single machines"),
        ("rtx-3090", "no cluster network is known"),
        ("rtx-4090", "no cluster network is known"),
        ("rtx-5090", "no cluster network is known"),
        ("rtx-a6000", "no cluster network is known"),
        ("l4", "no cluster network is known"),
        ("l40s", "no cluster network is known"),
        ("a100-pcie-80gb", "no cluster network is known"),
        ("h100-pcie", "no cluster network is known"),
    ] {
        assert!(reasons.contains(&format!("{name}: {reason}")), "{name}: {reasons:?}");
    }
    // Whoever asks for any network gets them.
    let any = json(&[&asked[..], &["--any-network", "--format", "json"]].concat());
    assert_eq!(any["left_out"].as_array().map(Vec::len), Some(0), "{}", any["left_out"]);
    assert!(number(&any, "best.0.figures.cost_usd") < number(&answer, "best.0.figures.cost_usd"));
    // Without a deadline, a run of years on one node is no answer either.
    let table = stdout(&["optimize", &file, "--devices", "512", "--full"]);
    assert!(table.contains("a run of more than a year"), "{table}");
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
    for law in laws {
        assert!(CATALOG.source(law["source"].as_str().expect("an id")).is_some(), "{law}");
        let parameters = number(law, "optimum.parameters");
        assert!((29e9..55e9).contains(&parameters), "{law}");
    }
    let table = stdout(&["optimize", "--size", "--flops", "3.14e23", "--served", "1T"]);
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    assert!(table.contains("size, not shape"), "{table}");

    // Twice the money buys twice the compute of the same cluster.
    // Lengths of runs lose different shares of their time: the same is given for all.
    let file = plan("size.yaml", &RUN.replace("  efficiency:", "  goodput: 95 %\n  efficiency:"));
    let budget = |cost: &str| {
        let text = ["optimize", &file, "--size", "--max-cost", cost, "--format", "json"];
        number(&json(&text), "flops")
    };
    let ratio = budget("2000 USD") / budget("1000 USD");
    assert!((ratio - 2.0).abs() < 1e-6, "{ratio}");
}

#[test]
fn a_folder_is_one_budget() {
    let folder = scratch("portfolio");
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

/// A service is ranked by what is asked for, and what is asked of a run alone is refused.
#[test]
fn a_service_by_its_objective() {
    let file = "scenarios/llama-3-70b-serving.yaml";
    let asked =
        ["optimize", file, "--accelerator", "h100-sxm,a100-sxm-80gb,l40s", "--format", "json"];
    for (objective, key) in [("cost", "cost_usd"), ("energy", "energy_kwh"), ("devices", "devices")]
    {
        let answer = json(&[&asked[..], &["--objective", objective]].concat());
        let rows = answer["rows"].as_array().expect("rows");
        let value = |row: &serde_json::Value| row["first_year"][key].as_f64();
        let least = rows.iter().filter_map(value).fold(f64::INFINITY, f64::min);
        let best = answer["best"].as_u64().expect("a best one") as usize;
        assert!(least.is_finite() && value(&rows[best]) == Some(least), "{objective}: {best}");
        // A grid gives off 0.01 to 1.5 kg of CO2e a kWh.
        let of = |key: &str| number(&rows[best], &format!("first_year.{key}"));
        let intensity = of("co2e_kg") / of("energy_kwh");
        assert!((0.01..1.5).contains(&intensity), "{objective}: {intensity} kg/kWh");
    }
    for (option, said, part) in [
        ("--objective", "foo", "no objective `foo`"),
        ("--objective", "days", "cost, co2e, energy, devices"),
        ("--window", "7 days", "no window"),
        ("--lead-time", "7 days", "no lead time"),
    ] {
        holds(option, &refused(&["optimize", file, option, said], 2), &[part]);
    }
}

/// Providers, regions and ways to buy by the words that a scenario takes; what nobody sells is an
/// error of the question.
#[test]
fn a_market_by_the_words_of_people() {
    let text = RUN.replace("purchase: {price: 2 USD/device-h}, region: USA, ", "");
    let file = plan("words.yaml", &text);
    let ask = |provider: &str, region: &str, purchase: &str| {
        let asked = ["optimize", &file, "--accelerator", "h100-sxm", "--devices", "64"];
        let market = ["--provider", provider, "--region", region, "--purchase", purchase];
        stdout(&[&asked[..], &market, &["--format", "json"]].concat())
    };
    assert_eq!(ask("Amazon", "US-EAST-1", "On-Demand"), ask("aws", "us-east-1", "on-demand"));
    assert_eq!(ask("Google", "Iowa", "on demand"), ask("gcp", "us-central1", "on-demand"));
    for (option, said, parts) in [
        ("--provider", "awss", &["`aws`"][..]),
        ("--region", "us-east-11", &["`us-east-1`"]),
        ("--purchase", "on-demnd", &["`on-demand`"]),
        ("--deadline", "2026-12-01", &["before the start"]),
    ] {
        holds(said, &refused(&["optimize", &file, option, said], 2), parts);
    }
}

/// Of offers that are equal in the objective the cheaper comes first.
#[test]
fn equals_are_ranked_by_cost() {
    let text = RUN.replace("purchase: {price: 2 USD/device-h}, region: USA, ", "");
    let file = plan("equals.yaml", &text);
    let asked = ["optimize", &file, "--accelerator", "h100-sxm", "--objective", "devices"];
    let answer = json(&[&asked[..], &["--devices", "8", "--format", "json"]].concat());
    let costs: Vec<f64> = answer["best"]
        .as_array()
        .expect("offers")
        .iter()
        .map(|row| row["figures"]["cost_usd"].as_f64().unwrap_or(f64::INFINITY))
        .collect();
    assert!(costs.len() > 3 && costs.is_sorted(), "{costs:?}");
}
