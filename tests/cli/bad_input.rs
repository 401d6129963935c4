//! Every bad input gets file, line, caret and hint, exit code 2, and nothing on stdout.

use std::fmt::Write as _;

use serde_json::Value;

use crate::common::{holds, json, number, refused, stdout, written};

const GOOD: &str = "\
name: a run
model: gpt2
data: {tokens: 10B}
training:
  precision: bf16
  hardware: {accelerator: h100-sxm, count: 8}
  efficiency: {mfu: 0.4}
placement:
  provider: aws
  region: us-east-2
  pue: 1.1
";

/// The text must be refused, and the message must hold every part.
fn check(name: &str, bytes: &[u8], parts: &[&str]) {
    let path = written("bad_input", name, bytes);
    holds(name, &refused(&["estimate", &path], 2), parts);
}

/// The good scenario with one passage replaced; the message points at the line.
fn changed(name: &str, from: &str, to: &str, parts: &[&str]) {
    assert!(GOOD.contains(from), "{from}");
    check(name, GOOD.replacen(from, to, 1).as_bytes(), parts);
}

#[test]
fn the_good_scenario_is_good() {
    stdout(&["estimate", &written("bad_input", "good.yaml", GOOD)]);
}

#[test]
fn words_that_are_not_known() {
    changed(
        "key",
        "training:",
        "trainign:",
        &["unknown key `trainign`", ":4:1", "^^^", "`training`"],
    );
    changed("inner", "count: 8", "cuont: 8", &["unknown key `cuont`", ":6:", "`count`"]);
    changed("device", "h100-sxm", "h100-smx", &["no accelerator `h100-smx`", ":6:", "`h100-sxm`"]);
    changed("region", "us-east-2", "us-esat-2", &["no region `us-esat-2`", ":10:", "`us-east-2`"]);
    changed("provider", "aws", "awz", &["no provider `awz`", ":9:", "`aws`"]);
    changed("model", "gpt2", "gtp2", &["no model `gtp2`", ":2:", "`gpt2`"]);
    // Beside a given efficiency, too.
    let run = "precision: bf16";
    let foo = "precision: bf16\n  framework: foo";
    changed("framework", run, foo, &["framework `foo`", ":6:", "deepspeed"]);
    let named = "count: 8, network: InfiniBand}";
    changed("network", "count: 8}", named, &["how fast it is", ":6:", "50 GB/s/device", "NDR"]);
    let soap = "precision: bf16\n  optimizer: soap";
    changed("optimizer", run, soap, &["adamw-bf16, adamw-8bit, paged-adamw, "]);
    changed("precision", "bf16", "bf61", &["`bf61` is not one of", ":5:", "`bf16`"]);
}

/// Devices without bf16 compute in what they have, where nobody names a format.
#[test]
fn a_format_that_nobody_names_is_one_of_the_devices() {
    for (device, format) in [("h100-sxm", "bf16"), ("v100-sxm2-32gb", "fp16"), ("t4", "fp16")] {
        let run = "data: {tokens: 1B}\ntraining:\n  efficiency: {mfu: 0.4}\n";
        let service = "inference:\n  traffic: {requests: 1/s, input_tokens: 9, output_tokens: 9}\n";
        for (section, text) in [("training", run), ("inference", service)] {
            let hardware = format!("  hardware: {{accelerator: {device}}}\n");
            let text = format!("name: a\nmodel: gpt2\n{text}{hardware}");
            let path = written("bad_input", "unnamed.yaml", text);
            let it = json(&["estimate", &path, "--format", "json"]);
            let mut assumed = it["assumptions"].as_array().expect("assumptions").iter();
            let of = |it: &&Value| it["path"] == format!("{section}.precision");
            let choice = assumed.find(of).unwrap_or_else(|| panic!("{it}"));
            assert_eq!(choice["value"], format, "{section} on {device}");
        }
    }
}

/// Days, energy and carbon need no price.
#[test]
fn without_a_price_the_cost_alone_is_unknown() {
    for (device, region, provider) in
        [("tpu-v4", "us-east-2", "gcp"), ("h100-sxm", "eu-west-1", "us-west-2")]
    {
        let text = GOOD.replace("h100-sxm", device).replace("us-east-2", region);
        let path = written("bad_input", "unpriced.yaml", text);
        let it = json(&["estimate", &path, "--format", "json"]);
        assert!(it["tco"]["total_usd"].is_null(), "{it}");
        for figure in [
            "training.wall_clock_days",
            "training.energy_kwh.facility",
            "training.co2e_kg.location",
        ] {
            assert!(number(&it, figure) > 0.0, "{figure}");
        }
        let warnings = it["warnings"].to_string();
        let words = format!("no on-demand price for {device} at aws");
        holds(device, &warnings, &[&words, "so the cost is unknown", provider]);
        let priced = ["--set", "placement.purchase={price: 2 USD/device-h}"];
        let command = ["estimate", &path, "--format", "json"].into_iter().chain(priced);
        assert!(number(&json(&command.collect::<Vec<_>>()), "tco.total_usd") > 0.0);
    }
}

#[test]
fn prices_that_are_not_there_or_not_clear() {
    let unsold = GOOD.replace("h100-sxm", "tpu-v4");
    let spot = unsold.replace("us-east-2", "us-east-2\n  purchase: spot");
    check(
        "unsold",
        spot.as_bytes(),
        &["no spot price for tpu-v4 at aws", ":11:", "give the price"],
    );
    let price = |text: &str| format!("us-east-2\n  purchase: {{price: {text}}}");
    changed("per-what", "us-east-2", &price("2 USD/h"), &["per device or per instance", ":11:"]);
    changed("free", "us-east-2", &price("0 USD/device-h"), &["not above zero", ":11:"]);
    changed("negative", "us-east-2", &price("-2 USD/device-h"), &["cannot be negative", ":11:"]);
}

#[test]
fn quantities_that_make_no_sense() {
    changed("unit", "10B", "10 kWh", &["does not fit here; use tokens", ":3:"]);
    changed("word", "10B", "10 tokns", &["`tokns` is not a unit; use tokens", ":3:"]);
    changed("minus", "10B", "-10B", &["cannot be negative", ":3:"]);
    changed("nan", "10B", ".nan", &["finite", ":3:"]);
    changed("inf", "10B", ".inf", &["finite", ":3:"]);
    changed("huge", "10B", "1e999", &["finite", ":3:"]);
    changed("pue", "pue: 1.1", "pue: 0.9", &["PUE 0.9 is not between 1 and 5", ":11:"]);
    changed("mfu", "mfu: 0.4", "mfu: 1.4", &["MFU 1.4 is not between", ":7:"]);
    changed("falling", "mfu: 0.4", "mfu: 0.5..0.4", &["does not rise", ":7:"]);
    changed("none", "count: 8", "count: 0", &["whole number from 1", ":6:"]);
    changed("part", "count: 8", "count: 2.5", &["whole number from 1", ":6:"]);
    let more = |text: &str| format!("pue: 1.1\n  {text}");
    changed("share", "pue: 1.1", &more("discount: 15"), &["did you mean `15 %`", ":12:"]);
    changed("watts", "count: 8", "count: 8, power: 1.3", &["1.3 W is no power", "`1.3 kW`", ":6:"]);
    let rate = ["expected keys with values", "exchange_rate: {per_usd: 0.92", "EUR for one USD"];
    changed("rate", "pue: 1.1", "pue: 1.1\nfinance: {currency: EUR, exchange_rate: 1.08}", &rate);
    let owned = GOOD.replace("provider: aws\n  region: us-east-2", "region: DEU");
    let owned = |text: &str| owned.replace("pue: 1.1", &format!("owned: {{colocation: {text}}}"));
    check("let", owned("130 EUR").as_bytes(), &["use USD/kW-month"]);
}

/// A rent of power is by the month, whatever people leave out.
#[test]
fn colocation_is_by_the_month() {
    let place = GOOD.replace("provider: aws\n  region: us-east-2", "region: DEU");
    let cost = |text: &str| {
        let owned = format!("owned: {{chip: 30000 USD/device, colocation: {text}}}");
        let file = written("bad_input", "let.yaml", place.replace("pue: 1.1", &owned));
        number(&json(&["estimate", &file, "--format", "json"]), "training.cost_usd.colocation")
    };
    let right = cost("130 USD/kW-month");
    for text in ["130", "130 USD/kW", "$130/kW", "130 USD/kW-mo", "130 USD/kW/month"] {
        let got = cost(text);
        assert!((got / right - 1.0).abs() < 1e-9, "{text}: {got}, not {right}");
    }
}

#[test]
fn contradictions() {
    changed(
        "both",
        "tokens: 10B",
        "tokens: 10B, samples: 1M",
        &["`tokens` and `samples` are two sizes of one data set", ":3:"],
    );
    changed("neither", "tokens: 10B", "epochs: 2", &["needs `tokens` or `samples`"]);
    changed("twice", "mfu: 0.4", "mfu: 0.4, hfu: 0.5", &["`mfu` and `hfu` both say", ":7:"]);
    let late = "bf16\n  deadline: 2026-01-01";
    let with_deadline = GOOD.replacen("bf16", late, 1) + "  start: 2026-12-01\n";
    check("late", with_deadline.as_bytes(), &["before the start", ":6:", "line 13"]);
}

#[test]
fn files_that_are_no_scenarios() {
    check("empty", b"", &["is empty", "flopcast init"]);
    check("comment", b"# nothing\n\n", &["is empty"]);
    check("latin1", b"name: caf\xe9\n", &["not UTF-8", "line 1"]);
    check("binary", &[0, 159, 146, 150], &["not UTF-8"]);
    check("list", b"- a\n- b\n", &[":1:"]);
    check("scalar", b"just words\n", &[":1:"]);
    changed(
        "duplicate",
        "name: a run",
        "name: a run\nname: again",
        &["duplicate key `name`", ":2:"],
    );
    check("documents", format!("{GOOD}---\n{GOOD}").as_bytes(), &["second"]);
    check("tab", b"name:\n\t- x\n", &["YAML", ":2:"]);
    check("tag", b"name: !!binary x\nmodel: gpt2\n", &[":1:"]);
}

#[test]
fn a_missing_file_and_a_directory() {
    for (path, part) in
        [("scenarios/gpt3-175b.yml", "did you mean"), ("scenarios", "is a directory")]
    {
        holds(path, &refused(&["estimate", path], 2), &[part]);
    }
}

#[test]
fn hostile_files_are_refused() {
    check("large", &vec![b'#'; 100 << 20], &["105 MB large"]);
    let nested = format!("name: {}", "[".repeat(20_000));
    check("nested", nested.as_bytes(), &["YAML"]);
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..10 {
        let uses = vec![format!("*a{}", i - 1); 10].join(", ");
        let _ = writeln!(bomb, "a{i}: &a{i} [{uses}]");
    }
    check("bomb", bomb.as_bytes(), &["aliases repeat more than"]);
    let long = format!("name: {}\n", "x".repeat(2 << 20));
    check("long", long.as_bytes(), &["at most"]);
}

#[test]
fn what_is_no_mapping_says_what_one_looks_like() {
    let hardware = "{accelerator: h100-sxm, count: 8}";
    changed("list.yaml", hardware, "[h100-sxm]", &["expected keys with values", "sequence", "^"]);
    let inference = "inference: {traffic: {requests: 1/s, input_tokens: [3000]}}\nplacement:";
    changed("lengths.yaml", "placement:", inference, &["{mean: 900}", "sequence", "^"]);
}
