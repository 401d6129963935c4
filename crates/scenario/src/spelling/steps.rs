//! A run in the words of a trainer: a batch in sequences, a length in steps.

use std::borrow::Cow;

use flopcast_core::quantity::text::split_number;
use flopcast_import::document::{Node, Value};

use super::typed_in;

const BATCH: &str = "training.global_batch";
const SEQUENCE: &str = "training.sequence_length";
const STEPS: &[&str] = &[
    "steps",
    "max_steps",
    "train_steps",
    "training_steps",
    "num_steps",
    "total_steps",
    "train_iters",
    "max_iters",
    "iterations",
];
/// A bare number below it is one of sequences: no run takes fewer tokens a step.
const FEW_TOKENS: f64 = 65_536.0;

/// Gives a run of so many steps the data that they read. A batch in sequences stays one, for their length
/// may be set yet or vary.
pub(super) fn respell(document: &mut Node, notes: &mut Vec<String>) {
    in_samples(document);
    let tokens = tokens(document);
    for section in ["training", "data", ""] {
        for typed in typed_in(document, section, STEPS) {
            let said = document.at("data.tokens").or_else(|| document.at("data.samples"));
            let (Some(steps), None) = (number(document, &typed), said) else { continue };
            let (key, amount) = match document.at(BATCH).map(|node| &node.value) {
                _ if tokens.is_some() => {
                    let all = steps * tokens.unwrap_or_default();
                    ("data.tokens", Value::Text(format!("{all} tokens")))
                }
                Some(Value::Number(samples)) => ("data.samples", Value::Number(steps * samples)),
                Some(Value::Text(batch)) => {
                    let (number, unit) = split_number(batch.trim());
                    let Ok(number) = number.replace('_', "").parse::<f64>() else { continue };
                    ("data.tokens", Value::Text(format!("{}{unit}", steps * number)))
                }
                _ => continue,
            };
            replace(document, &typed, key, amount, notes);
        }
    }
}

/// The tokens of a batch that is given in sequences of a given length.
fn tokens(document: &Node) -> Option<f64> {
    let batch = number(document, BATCH).filter(|batch| *batch < FEW_TOKENS)?;
    Some(batch * number(document, SEQUENCE)?)
}

/// How a batch in sequences is read.
pub(crate) fn said(document: &Node) -> Option<String> {
    tokens(document).map(|tokens| format!("`{BATCH}` as `{BATCH}: {tokens} tokens`"))
}

/// The document with its batch in tokens, as it is read.
pub(crate) fn in_tokens(document: &Node) -> Cow<'_, Node> {
    let Some((tokens, batch)) = tokens(document).zip(document.at(BATCH)) else {
        return Cow::Borrowed(document);
    };
    let node = Node { value: Value::Text(format!("{tokens} tokens")), place: batch.place.clone() };
    let mut meant = document.clone();
    let _ = meant.put(BATCH, node);
    Cow::Owned(meant)
}

/// Takes the word away that says of a batch what a bare number says.
fn in_samples(document: &mut Node) {
    let Some(Node { value: Value::Text(text), place }) = document.at(BATCH) else { return };
    let (number, unit) = split_number(text.trim());
    let samples = ["sequences", "samples", "sequence", "seqs", "images", "examples"];
    if samples.contains(&unit.trim())
        && let Ok(number) = number.replace('_', "").parse::<f64>()
    {
        let node = Node { value: Value::Number(number), place: place.clone() };
        let _ = document.put(BATCH, node);
    }
}

/// The number at a path.
fn number(document: &Node, path: &str) -> Option<f64> {
    match document.at(path)?.value {
        Value::Number(number) => Some(number),
        _ => None,
    }
}

/// Puts an amount at a key in place of what was typed.
fn replace(document: &mut Node, typed: &str, key: &str, amount: Value, notes: &mut Vec<String>) {
    let Some(value) = document.take(typed) else { return };
    let said = match &amount {
        Value::Text(text) => format!("`{typed}` as `{key}: {text}`"),
        _ => format!("`{typed}` as `{key}`"),
    };
    if document.put(key, Node { value: amount, place: value.place.clone() }).is_ok() {
        notes.push(said);
    } else {
        let _ = document.put(typed, value);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    #[test]
    fn a_run_in_the_words_of_a_trainer() {
        check(
            "training: {batch_size: 1024, seq_len: 4096}",
            "training: {sequence_length: 4096, global_batch: 1024}",
        );
        check(
            "training: {global_batch: 1_024 sequences, seq_len: 4096}",
            "training: {global_batch: 1024, sequence_length: 4096}",
        );
        check("training: {batch_size: 2048 images}", "training: {global_batch: 2048}");
        check(
            "training: {global_batch: 4M tokens, max_steps: 1_000}",
            "{training: {global_batch: 4M tokens}, data: {tokens: 4000M tokens}}",
        );
        check(
            "training: {batch_size: 256, seq_len: 1024, steps: 10}",
            "{training: {sequence_length: 1024, global_batch: 256}, data: {tokens: 2621440 tokens}}",
        );
        check(
            "training: {batch_size: 256, steps: 10}",
            "{training: {global_batch: 256}, data: {samples: 2560}}",
        );
        // Its tokens follow the length, whatever sets it.
        for (text, tokens) in [
            ("training: {global_batch: 256, sequence_length: 1024}", Some("262144 tokens")),
            ("training: {global_batch: 256, sequence_length: 8192}", Some("2097152 tokens")),
            ("training: {global_batch: 4000000, sequence_length: 8192}", None),
            ("training: {global_batch: 256}", None),
        ] {
            let document = flopcast_import::document::parse("t", text.as_bytes()).expect("YAML");
            let meant = in_tokens(&document);
            let Some(tokens) = tokens else {
                assert!(matches!(meant, Cow::Borrowed(_)), "{text}");
                continue;
            };
            let value = meant.at(BATCH).map(|node| node.value.clone());
            assert!(matches!(value, Some(Value::Text(it)) if it == tokens), "{text}");
        }
        // What is said of the data stands.
        check(
            "{data: {tokens: 1T}, training: {global_batch: 4M, steps: 10}}",
            "{data: {tokens: 1T}, training: {global_batch: 4M, steps: 10}}",
        );
    }
}
