//! A run in the words of a trainer: a batch in sequences, a length in steps.

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

/// Gives a batch in sequences in tokens, and a run of so many steps the data that they read.
pub(super) fn respell(document: &mut Node, notes: &mut Vec<String>) {
    in_samples(document);
    if let (Some(batch), Some(length)) = (number(document, BATCH), number(document, SEQUENCE))
        && batch < FEW_TOKENS
    {
        let tokens = Value::Text(format!("{} tokens", batch * length));
        replace(document, BATCH, BATCH, tokens, notes);
    }
    for section in ["training", "data", ""] {
        for typed in typed_in(document, section, STEPS) {
            let said = document.at("data.tokens").or_else(|| document.at("data.samples"));
            let (Some(steps), None) = (number(document, &typed), said) else { continue };
            let (key, amount) = match document.at(BATCH).map(|node| &node.value) {
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

    #[test]
    fn a_run_in_the_words_of_a_trainer() {
        check(
            "training: {batch_size: 1024, seq_len: 4096}",
            "training: {sequence_length: 4096, global_batch: 4194304 tokens}",
        );
        check(
            "training: {global_batch: 1_024 sequences, seq_len: 4096}",
            "training: {sequence_length: 4096, global_batch: 4194304 tokens}",
        );
        check("training: {batch_size: 2048 images}", "training: {global_batch: 2048}");
        check(
            "training: {global_batch: 4M tokens, max_steps: 1_000}",
            "{training: {global_batch: 4M tokens}, data: {tokens: 4000M tokens}}",
        );
        check(
            "training: {batch_size: 256, seq_len: 1024, steps: 10}",
            "{training: {sequence_length: 1024, global_batch: 262144 tokens}, data: {tokens: 2621440 tokens}}",
        );
        check(
            "training: {batch_size: 256, steps: 10}",
            "{training: {global_batch: 256}, data: {samples: 2560}}",
        );
        // What is said of the data stands.
        check(
            "{data: {tokens: 1T}, training: {global_batch: 4M, steps: 10}}",
            "{data: {tokens: 1T}, training: {global_batch: 4M, steps: 10}}",
        );
    }
}
