//! Speculative decoding: what guessing ahead gains, and where it does not.

use crate::common::library::{WAYS, Way, asked, explained, refuses};
use crate::common::{close, holds, number};

const FILE: &str = "scenarios/llama-3-70b-serving.yaml";

const DRAFT: &str = "inference.speculative={draft: llama-3.2-1b, tokens: 4, acceptance: 70 %}";
const LOOKED_UP: &str = "inference.speculative={tokens: 4, acceptance: 70 %}";

/// Leviathan et al. 2023, equation 1: (1 - 0.7^5) / (1 - 0.7) = 2.7731 tokens.
#[test]
fn a_round_yields_what_the_paper_says() {
    for way in WAYS {
        let report = asked(way, FILE, &[DRAFT]);
        let at = |path: &str| number(&report, &format!("inference.speculative.{path}"));
        close("tokens", at("tokens_per_verification"), 2.7731, 1e-12);
        close("acceptance", at("acceptance"), 0.7, 1e-12);
        assert!((0.005..0.5).contains(&at("draft_share")), "{way:?}: {}", at("draft_share"));
        let plain = asked(way, FILE, &[LOOKED_UP]);
        assert!(plain["inference"]["speculative"].get("draft_share").is_none());
    }
}

#[test]
fn guesses_shorten_the_time_between_tokens_where_few_share_a_batch() {
    for way in WAYS {
        let tpot = |sets: &[&str]| {
            let few = "inference.traffic.requests=20k/day";
            number(&asked(way, FILE, &[&[few], sets].concat()), "inference.tpot_ms.mean")
        };
        let (plain, draft, free) = (tpot(&[]), tpot(&[DRAFT]), tpot(&[LOOKED_UP]));
        assert!(free < draft && draft < plain, "{way:?}: {free} {draft} {plain}");
        assert!(draft > plain / 2.7731, "{way:?}: {draft} {plain}");
        let wrong =
            tpot(&["inference.speculative={draft: llama-3-8b, tokens: 4, acceptance: 0 %}"]);
        assert!(wrong > plain, "{way:?}: nothing accepted, {wrong} {plain}");
    }
}

#[test]
fn a_draft_takes_memory() {
    for way in WAYS {
        let tokens = |sets: &[&str]| {
            let sets = [&["inference.parallelism={tensor: 2}"], sets].concat();
            number(&asked(way, FILE, &sets), "inference.replica.kv_capacity_tokens")
        };
        assert!(tokens(&[DRAFT]) < 0.99 * tokens(&[]), "{way:?}");
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
        (network, 2, "there are no tokens to draft"),
    ] {
        refuses(Way::Estimate, path, &[&set], code, part);
    }
    for way in WAYS {
        let large = "inference.speculative={draft: llama-3.1-405b, tokens: 4, acceptance: 0.7}";
        let two = "inference.parallelism={tensor: 2}";
        refuses(way, FILE, &[large, two], 1, "does not fit");
    }
    let network = "inference.speculative={draft: resnet50, tokens: 4, acceptance: 0.7}";
    refuses(Way::Capacity, FILE, &[network], 2, "does not generate tokens");
}

#[test]
fn every_figure_of_the_rounds_explains_itself() {
    for figure in ["tokens_per_verification", "draft_share"] {
        let path = format!("inference.speculative.{figure}");
        holds(figure, &explained(FILE, &[DRAFT], &path), &["given"]);
    }
}
