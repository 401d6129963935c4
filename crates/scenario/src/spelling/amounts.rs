//! Amounts as people type them: digits in groups, lengths of sequences in thousands.

use flopcast_core::quantity::text::split_number;
use flopcast_import::document::{Node, Value};

use super::{leaves, text_like};

/// Keys whose texts are words, whatever digits they have.
const WORDS: &[&str] = &["name", "model", "source", "description", "notes"];

/// Digits in groups as a number: `2,000,000,000`; lengths of sequences in tokens: `8k`, `8192 tokens`.
pub(super) fn respell(document: &mut Node, notes: &mut Vec<String>) {
    let mut keys = Vec::new();
    leaves(document, "", &mut keys);
    for key in keys {
        let Some(node) = document.at(&key) else { continue };
        let Value::Text(typed) = &node.value else { continue };
        let last = key.rsplit('.').next().unwrap_or(&key);
        let meant = if last == "sequence_length" {
            length(typed).map(Value::Number)
        } else {
            ungrouped(typed)
                .filter(|_| !WORDS.contains(&last))
                .map(|text| text.parse().map_or(Value::Text(text), Value::Number))
        };
        let Some(value) = meant else { continue };
        let said = match &value {
            Value::Number(number) => number.to_string(),
            Value::Text(text) => text.clone(),
            _ => continue,
        };
        notes.push(format!("`{key}: {typed}` as `{said}`"));
        let node = Node { value, ..text_like(node, String::new()) };
        let _ = document.put(&key, node);
    }
}

/// An amount without the commas between its digits; none where there are none.
fn ungrouped(text: &str) -> Option<String> {
    let digits = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == ',');
    let (number, rest) = text.split_at(text.len() - digits.len());
    let (first, groups) = number.split_once(',')?;
    let whole = (1..=3).contains(&first.len()) && groups.split(',').all(|group| group.len() == 3);
    // An expression of units goes on, a list does not.
    let goes_on = rest.is_empty() || rest.starts_with([' ', '.']);
    (whole && goes_on).then(|| number.replace(',', "") + rest)
}

/// A length in tokens; thousands of it are powers of two, as contexts are named.
fn length(text: &str) -> Option<f64> {
    let plain = ungrouped(text.trim()).unwrap_or_else(|| text.trim().to_owned());
    let bare = plain.strip_suffix("tokens").or_else(|| plain.strip_suffix("token"));
    let (number, unit) = split_number(bare.unwrap_or(&plain).trim());
    let number: f64 = number.replace('_', "").parse().ok()?;
    match unit.trim() {
        "" => Some(number),
        "k" | "K" | "Ki" => Some(number * 1024.0),
        "M" | "Mi" => Some(number * 1_048_576.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    #[test]
    fn amounts_in_groups_and_lengths_in_thousands() {
        check("training: {sequence_length: 8k}", "training: {sequence_length: 8192}");
        check("training: {sequence_length: 8192 tokens}", "training: {sequence_length: 8192}");
        check("training: {sequence_length: '8,192'}", "training: {sequence_length: 8192}");
        check("data: {tokens: '2,000,000,000'}", "data: {tokens: 2000000000}");
        check("data: {tokens: '2,000 B'}", "data: {tokens: 2000 B}");
        check("name: 1,000 runs", "name: 1,000 runs");
        check("data: {tokens: '2,00'}", "data: {tokens: '2,00'}");
    }
}
