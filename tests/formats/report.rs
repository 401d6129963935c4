//! `flopcast report`: one document per ending, the figures of `estimate`, nothing overwritten.

use std::fs;
use std::io::Read as _;

use crate::common::{close, flopcast, json, number, root, scratch, stdout};

fn write(scenario: &str, name: &str) -> String {
    let path = scratch(&format!("report-{name}")).join(name);
    let path = path.to_str().expect("UTF-8");
    stdout(&["report", scenario, "-o", path]);
    fs::read_to_string(path).expect("the document")
}

const GPT3: &str = "scenarios/gpt3-175b.yaml";

#[test]
fn a_model_card_counts_in_grams() {
    let text = write(GPT3, "gpt3.card.md");
    let (yaml, words) = text.trim_start_matches("---").split_once("\n---\n").expect("two parts");
    let card: serde_json::Value = serde_yaml::from_str(yaml).expect("YAML");
    let card = &card["co2_eq_emissions"];
    let forecast = json(&["estimate", GPT3, "--format", "json"]);
    let kg = number(&forecast, "training.co2e_kg.location");
    let kwh = number(&forecast, "training.energy_kwh.facility");
    let hours = 24.0 * number(&forecast, "training.wall_clock_days");
    close("kWh", card["energy_consumed"].as_f64().expect("a number"), kwh, 1e-6);
    close("hours", card["hours_used"].as_f64().expect("a number"), hours, 1e-5);
    assert!(words.contains("| Training compute | 3.186e23 FLOP |"), "{words}");
    let grams = card["emissions"].as_f64().expect("a number");
    assert!((grams - 1e3 * kg).abs() <= 0.5, "{grams}");
    assert_eq!(card["training_type"], "pre-training");
    assert_eq!(card["geographical_location"], "azure eastus");
    assert_eq!(card["hardware_used"], "10,000 x v100-sxm2-32gb");
}

#[test]
fn a_statement_names_the_terms() {
    let text = write("scenarios/llama-3-70b-serving.yaml", "llama.sci.md");
    for term in ["E, energy of a request", "M, devices", "| R, the functional unit | 1,000"] {
        assert!(text.contains(term), "{text}");
    }
}

#[test]
fn the_snapshot_is_the_estimate() {
    let snapshot: serde_json::Value =
        serde_json::from_str(&write(GPT3, "gpt3.json")).expect("JSON");
    assert_eq!(snapshot, json(&["estimate", GPT3, "--format", "json"]));
}

#[test]
fn the_page_says_what_the_estimate_says() {
    let page = write(GPT3, "gpt3.html");
    let estimate = stdout(&["estimate", "--full", GPT3]);
    assert!(estimate.contains("1,287  MWh") && page.contains("1,287 MWh"));
    assert_eq!(page, write(GPT3, "gpt3.html"), "the same input gives the same bytes");
}

#[test]
fn a_name_is_text_and_never_markup() {
    let folder = scratch("report-hostile");
    let scenario = folder.join("scenario.yaml");
    let text = fs::read_to_string(root().join(GPT3)).expect("a scenario");
    let name = text.lines().find(|line| line.starts_with("name:")).expect("a name");
    let text = text.replace(name, "name: \"<script>alert(1)</script> {{ content }}\"");
    fs::write(&scenario, text).expect("written");
    let page = write(scenario.to_str().expect("UTF-8"), "hostile.html");
    assert!(!page.contains("<script"));
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt; {{ content }}"));
}

#[test]
fn what_cannot_be_written_is_said() {
    let folder = scratch("report-refused");
    let there = folder.join("there.html");
    fs::write(&there, "mine").expect("written");
    let template = folder.join("template.html");
    fs::write(&template, "<p>nothing</p>").expect("written");
    let out = |name: &str| folder.join(name).to_str().expect("UTF-8").to_owned();
    let (there, new) = (out("there.html"), out("new.html"));
    let two = "scenarios/llama-65b.yaml";
    for (arguments, says) in [
        (vec!["report", GPT3, "-o", &there], "--force"),
        (vec!["report", GPT3, "-o", &out("new.docx")], ".html"),
        (vec!["report", GPT3, "-o", &new, "--template", &out("template.html")], "{{ content }}"),
        (vec!["report", GPT3, two, "-o", &out("new.xlsx")], "one scenario"),
        (vec!["report", GPT3, two, "-o", &out("new.card.md")], "one scenario"),
        (vec!["report", "scenarios/llama-3-70b-serving.yaml", "-o", &out("new.card.md")], "trains"),
    ] {
        let output = flopcast(&arguments.iter().map(|a| &**a).collect::<Vec<_>>());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
        assert!(errors.contains(says), "{arguments:?}: {errors}");
    }
    assert_eq!(fs::read_to_string(&there).expect("still there"), "mine");
}

/// A sum by quarter that leaves out an unknown row would look like all that is paid.
#[test]
fn a_workbook_with_an_unknown_row_has_no_cash_flow() {
    let folder = scratch("report-unknown");
    let text = "name: a run\nmodel: gpt2\ndata: {tokens: 1B}\ntraining:\n  precision: bf16\n  \
                hardware: {accelerator: h100-sxm, count: 8}\n  efficiency: {mfu: 0.4}\n  \
                costs: {storage: {data: 1 TB}}\nplacement: {purchase: {price: 2 USD/device-h}}\n";
    let priced = text.replace("data: 1 TB", "data: 1 TB, price: 0.02 USD/GB-month");
    for (name, text, expected) in [("priced", priced, true), ("unpriced", text.to_owned(), false)] {
        let scenario = folder.join(format!("{name}.yaml"));
        fs::write(&scenario, text).expect("a scenario");
        let book = folder.join(format!("{name}.xlsx"));
        let [scenario, path] = [&scenario, &book].map(|path| path.to_str().expect("UTF-8"));
        stdout(&["report", scenario, "-o", path]);
        let mut book = zip::ZipArchive::new(fs::File::open(&book).expect("a file")).expect("zip");
        let mut text = String::new();
        let mut part = book.by_name("xl/workbook.xml").expect("a workbook");
        part.read_to_string(&mut text).expect("XML");
        assert!(text.contains("name=\"Ledger\""), "{name}");
        assert_eq!(text.contains("name=\"Cash flow\""), expected, "{name}");
    }
}
