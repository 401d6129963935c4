//! Speculative decoding: what guessing ahead gains, and where it does not.

use crate::common::{close, flopcast, json, number};

const FILE: &str = "scenarios/llama-3-70b-serving.yaml";
const QUICK: [&str; 4] = ["--requests", "600", "--seeds", "1"];

fn asked(command: &str, sets: &[&str]) -> serde_json::Value {
    let mut all = vec![command, FILE, "--format", "json"];
    if command == "capacity" {
        all.extend(QUICK);
    }
    all.extend(sets.iter().flat_map(|set| ["--set", set]));
    json(&all)
}

const DRAFT: &str = "inference.speculative={draft: llama-3.2-1b, tokens: 4, acceptance: 70 %}";
const LOOKED_UP: &str = "inference.speculative={tokens: 4, acceptance: 70 %}";

/// Leviathan et al. 2023, equation 1: (1 - 0.7^5) / (1 - 0.7) = 2.7731 tokens.
#[test]
fn a_round_yields_what_the_paper_says() {
    for command in ["estimate", "capacity"] {
        let report = asked(command, &[DRAFT]);
        let at = |path: &str| number(&report, &format!("inference.speculative.{path}"));
        close("tokens", at("tokens_per_verification"), 2.7731, 1e-12);
        close("acceptance", at("acceptance"), 0.7, 1e-12);
        assert!((0.005..0.5).contains(&at("draft_share")), "{command}: {}", at("draft_share"));
        let plain = asked(command, &[LOOKED_UP]);
        assert!(plain["inference"]["speculative"].get("draft_share").is_none());
    }
}

#[test]
fn guesses_shorten_the_time_between_tokens_where_few_share_a_batch() {
    for command in ["estimate", "capacity"] {
        let tpot = |sets: &[&str]| {
            let few = "inference.traffic.requests=20k/day";
            number(&asked(command, &[&[few], sets].concat()), "inference.tpot_ms.mean")
        };
        let (plain, draft, free) = (tpot(&[]), tpot(&[DRAFT]), tpot(&[LOOKED_UP]));
        assert!(free < draft && draft < plain, "{command}: {free} {draft} {plain}");
        assert!(draft > plain / 2.7731, "{command}: {draft} {plain}");
        let wrong =
            tpot(&["inference.speculative={draft: llama-3-8b, tokens: 4, acceptance: 0 %}"]);
        assert!(wrong > plain, "{command}: nothing accepted, {wrong} {plain}");
    }
}

#[test]
fn a_draft_takes_memory() {
    for command in ["estimate", "capacity"] {
        let tokens = |sets: &[&str]| {
            let sets = [&["inference.parallelism={tensor: 2}"], sets].concat();
            number(&asked(command, &sets), "inference.replica.kv_capacity_tokens")
        };
        assert!(tokens(&[DRAFT]) < 0.99 * tokens(&[]), "{command}");
        close("n-grams take none", tokens(&[LOOKED_UP]), tokens(&[]), 1e-12);
    }
}

#[test]
fn guesses_that_cannot_be_are_refused() {
    let file = |text: &str| -> (&str, String) { (FILE, format!("inference.speculative={text}")) };
    let network = (
        "scenarios/bert-base-serving.yaml",
        "inference.speculative={tokens: 4, acceptance: 70 %}".to_owned(),
    );
    for ((path, set), code, part) in [
        (file("{tokens: 4, acceptance: 170 %}"), 2, "share 1.7 is not between 0 and 1"),
        (file("{tokens: 4, acceptance: -0.1}"), 2, "is not between 0 and 1"),
        (file("{tokens: 0, acceptance: 70 %}"), 2, "from 1 to 64 tokens"),
        (file("{tokens: 65, acceptance: 70 %}"), 2, "from 1 to 64 tokens"),
        (file("{tokens: 4}"), 2, "acceptance"),
        (file("{draft: llama-3-9b, tokens: 4, acceptance: 0.7}"), 2, "llama-3-8b"),
        (network, 2, "there are no tokens to guess"),
    ] {
        let output = flopcast(&["estimate", path, "--set", &set]);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{set}: {message}");
        assert!(message.contains(part), "{set}: {message}");
    }
    for command in ["estimate", "capacity"] {
        let large = "inference.speculative={draft: llama-3.1-405b, tokens: 4, acceptance: 0.7}";
        let two = "inference.parallelism={tensor: 2}";
        let output = flopcast(&[command, FILE, "--set", large, "--set", two]);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{command}: {message}");
        assert!(message.contains("does not fit"), "{command}: {message}");
    }
    let network = "inference.speculative={draft: resnet50, tokens: 4, acceptance: 0.7}";
    let output = flopcast(&["capacity", FILE, "--set", network]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("does not generate tokens"));
}

#[test]
fn every_figure_of_the_rounds_explains_itself() {
    for figure in ["tokens_per_verification", "draft_share"] {
        let path = format!("inference.speculative.{figure}");
        let output = flopcast(&["explain", FILE, &path, "--set", DRAFT]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && text.contains("given"), "{text}");
    }
}
