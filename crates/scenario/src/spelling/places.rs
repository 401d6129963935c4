//! Places as people type them: a provider with its region, a city.

use std::sync::LazyLock;

use flopcast_core::catalog::Catalog;
use flopcast_import::document::{Node, Value};

use super::text_like;

/// The catalog's names of places and machines.
pub(super) static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::embedded);

/// A provider, and its region behind a `/`: `aws/us-east-1`.
pub(super) fn place(document: &mut Node, text: &str, value: &Node, notes: &mut Vec<String>) {
    let (provider, region) = text.split_once('/').unwrap_or((text, ""));
    for (key, word) in [("provider", provider), ("region", region)] {
        let key = format!("placement.{key}");
        if !word.is_empty() && document.put(&key, text_like(value, word.trim())).is_ok() {
            notes.push(format!("`placement: {text}` as `{key}: {word}`"));
        }
    }
}

/// A region by the name of its place: `Frankfurt` of AWS is `eu-central-1`, `UK` of nobody `GBR`.
pub(super) fn located(document: &mut Node, section: &str, notes: &mut Vec<String>) {
    let text = |key: &str| match document.at(&format!("{section}.{key}")).map(|node| &node.value) {
        Some(Value::Text(text)) => Some(text.trim().to_owned()),
        _ => None,
    };
    let Some(typed) = text("region").filter(|typed| !is_code(typed)) else { return };
    let provider = text("provider");
    let Some(code) = CATALOG.place_called(provider.as_deref(), &typed) else { return };
    let key = format!("{section}.region");
    if let Some(place) = document.at(&key).map(|node| node.place.clone()) {
        notes.push(format!("`{key}: {typed}` as `{code}`"));
        let _ = document.put(&key, Node { value: Value::Text(code.to_owned()), place });
    }
}

/// True for a text of the form of a code, which saves looking it up: `us-east-1`, `FRA`.
fn is_code(text: &str) -> bool {
    let has = |is: fn(&char) -> bool| text.chars().any(|c| is(&c));
    let of_cloud =
        text.contains('-') && has(char::is_ascii_digit) && !has(char::is_ascii_uppercase);
    of_cloud || text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    #[test]
    fn regions_by_their_places() {
        for (typed, meant) in [
            ("placement: {provider: AWS, region: Frankfurt}", "aws, region: eu-central-1"),
            ("placement: {provider: google, region: US-CENTRAL1}", "gcp, region: us-central1"),
            ("placement: {provider: azure, region: East US}", "azure, region: eastus"),
            ("placement: {provider: owned, region: UK}", "owned, region: GBR"),
        ] {
            check(typed, &format!("placement: {{provider: {meant}}}"));
        }
        check("placement: {region: Tokyo}", "placement: {region: JPN}");
        check("inference: {region: DE}", "inference: {placement: {region: DEU}}");
    }
}
