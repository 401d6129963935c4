//! Texts of users stay texts in every form: nothing in a name, a tag or a source moves a terminal's
//! cursor, opens HTML, calls somebody, hides a line or is computed by a spreadsheet.

use std::fs;
use std::path::PathBuf;

use crate::common::{flopcast, refused, scratch, stdout};

/// As YAML writes it between quotation marks.
const NAME: &str = r"=1+cmd|x!A0 \e]0;owned\a\e[2J** keeps 9 limits.\n\n<!-- @oncall ![p](https://x.example/p.png) <b>&lt;i> \u202Egnp";
const TAG: &str = r"@ops\t<img src=q>\n| 1 | 2 |";
const SOURCE: &str = r"+SUM(A1) <details>\e[31m | [see](https://x.example) @board \u2066end";

/// A folder with a scenario of hostile texts, an earlier forecast of it and a policy.
fn folder(name: &str) -> PathBuf {
    let folder = scratch(name);
    let text = format!(
        "name: \"{NAME}\"\ntags: {{team: \"{TAG}\"}}\nmodel: gpt2\ndata: {{tokens: 10B..12B}}\n\
         training:\n  precision: bf16\n  hardware: {{accelerator: h100-sxm, count: 8}}\n  \
         efficiency: {{mfu: {{value: 0.4, source: \"{SOURCE}\"}}}}\n\
         placement: {{provider: aws, region: us-east-2, pue: 1.1}}\n"
    );
    fs::write(folder.join("plan.yaml"), &text).expect("a scenario");
    fs::write(folder.join("later.yaml"), text.replace("count: 8", "count: 16")).expect("another");
    let policy = "limits:\n  - {figure: cost, max: 1 USD, why: \"<b>@cfo</b> \\e[1m\"}\n";
    fs::write(folder.join("policy.yml"), policy).expect("a policy");
    let plan = folder.join("plan.yaml").display().to_string();
    let base = stdout(&["estimate", &plan, "--format", "json"]);
    fs::write(folder.join("base.json"), base).expect("an earlier forecast");
    folder
}

/// Every subject that shows a text of the scenario.
fn subjects(folder: &std::path::Path) -> Vec<Vec<String>> {
    let file = |name: &str| folder.join(name).display().to_string();
    let (plan, later, base) = (file("plan.yaml"), file("later.yaml"), file("base.json"));
    let scenarios = folder.join("scenarios");
    fs::create_dir_all(&scenarios).expect("a folder");
    fs::copy(&plan, scenarios.join("plan.yaml")).expect("a copy");
    let scenarios = scenarios.display().to_string();
    let policy = file("policy.yml");
    let vary = "name==2+3,x".to_owned();
    let all: [&[&str]; 7] = [
        &["estimate", &plan],
        &["compare", &base, &later],
        &["check", &later, "--policy", &policy, "--baseline", &base],
        &["portfolio", &scenarios],
        &["explain", &plan, "training.mfu"],
        &["sweep", &plan, "--vary", &vary],
        &["validate", &plan],
    ];
    all.iter().map(|command| command.iter().map(|part| (*part).to_owned()).collect()).collect()
}

/// What `--format` says of each subject.
fn each(folder: &str, format: &str, holds: impl Fn(&str, &str)) {
    for command in subjects(&self::folder(folder)) {
        let mut arguments: Vec<&str> = command.iter().map(String::as_str).collect();
        arguments.extend(["--format", format]);
        let output = flopcast(&arguments);
        let code = output.status.code();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(code, Some(0 | 1)), "{}: {errors}", command[0]);
        harmless(&command[0], &errors);
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        harmless(&command[0], &text);
        holds(&command[0], &text);
    }
}

/// No character acts on a terminal or on the direction of writing.
fn harmless(what: &str, text: &str) {
    let acts = |it: char| {
        (it.is_control() && !matches!(it, '\n' | '\t'))
            || matches!(it, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let found: String = text.chars().filter(|it| acts(*it)).collect();
    assert!(found.is_empty(), "{what}: {found:?} in\n{}", text.escape_debug());
}

#[test]
fn a_terminal_shows_what_would_act_on_it() {
    each("hostile-table", "table", |what, text| {
        assert!(!text.contains('\t'), "{what}: {text}");
    });
}

#[test]
fn json_on_a_terminal_is_harmless_too() {
    each("hostile-json", "json", |what, text| {
        assert!(serde_json::from_str::<serde_json::Value>(text).is_ok(), "{what}: {text}");
    });
}

#[test]
fn markdown_has_no_html_mention_picture_or_second_line_of_a_user() {
    each("hostile-markdown", "markdown", |what, text| {
        // Lines between fences are code.
        let outside: Vec<&str> = text.split("```").step_by(2).collect();
        let text = outside.concat().replace("<!-- flopcast:check -->", "");
        for own in ["<details>", "</details>", "<summary>", "</summary>"] {
            let lines = text.lines().filter(|line| line.contains(own));
            assert!(lines.clone().all(|line| !line.contains("SUM(A1)")), "{what}: {text}");
        }
        let ours = ["details>", "/details>", "summary>", "/summary>"];
        for (at, _) in text.match_indices('<') {
            let tag = &text[at + 1..];
            assert!(ours.iter().any(|own| tag.starts_with(own)), "{what}: {tag}");
        }
        for (at, _) in text.match_indices('@') {
            assert!(text[at + 1..].starts_with("&#8203;"), "{what}: {}", &text[at..]);
        }
        for (at, _) in text.match_indices(['[', ']']) {
            assert!(text[..at].ends_with('\\'), "{what}: {}", &text[at..]);
        }
        assert!(!text.contains("&lt;i>"), "{what}: an entity of the user is none: {text}");
        let bold = text.match_indices("**").filter(|(at, _)| !text[..*at].ends_with('\\'));
        assert!(bold.count() <= 2, "{what}: {text}");
    });
}

#[test]
fn no_cell_of_a_csv_is_a_formula() {
    each("hostile-csv", "csv", no_formulas);
}

fn no_formulas(what: &str, text: &str) {
    let mut rows =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    for record in rows.records() {
        for cell in &record.expect("a record") {
            let starts = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
            let number = cell.parse::<f64>().is_ok() || matches!(cell, "+" | "-");
            assert!(!starts || number, "{what}: {cell:?}");
        }
    }
}

#[test]
fn documents_hold_no_character_that_xml_forbids_and_no_path_of_this_machine() {
    let folder = folder("hostile-documents");
    let plan = folder.join("plan.yaml").display().to_string();
    for name in
        ["a.html", "a.svg", "a.md", "a.sci.md", "a.card.md", "a.csv", "a.focus.csv", "a.txt"]
    {
        let file = folder.join(name);
        stdout(&["report", &plan, "-o", &file.display().to_string(), "--samples", "100"]);
        let text = fs::read_to_string(&file).expect("a document");
        harmless(name, &text);
        assert!(!text.contains(&folder.display().to_string()), "{name} names a folder");
        let ending = name.rsplit('.').next().expect("an ending");
        if ending == "csv" {
            no_formulas(name, &text);
        }
        if ["svg", "html"].contains(&ending) {
            assert!(!text.contains("<b>") && !text.contains("<img"), "{name}");
        }
    }
}

/// A scenario that is made of a job file has the file's name and words in it.
#[test]
fn a_job_s_words_stay_words() {
    let folder = scratch("hostile-job");
    let job = "train_batch_size: 8\nbase_model: \"a/b \\u202e\\x9b\\U000E0041\\nextends: x\"\nadapter: lora\n\
               sequence_len: 2048\nmicro_batch_size: 1\ngradient_accumulation_steps: 2\n";
    let file = folder.join("x\nextends: .yml");
    fs::write(&file, job).expect("a job");
    let text = stdout(&["import", &file.display().to_string()]);
    harmless("import", &text);
    assert!(!text.lines().any(|line| line.starts_with("extends")), "{text}");
}

#[test]
fn an_error_shows_what_would_act_on_a_terminal() {
    let folder = scratch("hostile-errors");
    let file = folder.join("plan.yaml");
    fs::write(&file, "name: x\n\"\\e]52;c;eA==\\a\": 1\nmodel: gpt2\n").expect("a scenario");
    harmless("key", &refused(&["estimate", &file.display().to_string()], 2));
    harmless("path", &refused(&["estimate", "no\u{1b}[2Jsuch.yaml"], 2));
    let figure = "training.\u{202e}ufm";
    harmless("figure", &refused(&["explain", "scenarios/gpt3-175b.yaml", figure], 2));
}
