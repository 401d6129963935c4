//! Traffic in the words of a product: so many users, and how often each asks.

use flopcast_core::quantity::text::split_number;
use flopcast_import::document::{Node, Value};

use super::{text_like, typed_in};

const RATE: &str = "inference.traffic.requests";
const USERS: &[&str] = &["users", "daily_users", "active_users", "daily_active_users", "dau"];
const EACH: &[&str] = &[
    "requests_per_user",
    "queries_per_user",
    "messages_per_user",
    "prompts_per_user",
    "requests_per_user_per_day",
];

/// Gives the rate of `users` who each ask `requests_per_user`, a day where nothing else is said.
pub(super) fn respell(document: &mut Node, notes: &mut Vec<String>) {
    for section in ["inference.traffic", "inference", ""] {
        let one = |names| typed_in(document, section, names).into_iter().next();
        let (Some(users), Some(each)) = (one(USERS), one(EACH)) else { continue };
        let amounts = [&users, &each].map(|path| amount(document, path));
        let ([Some((count, _)), Some((asks, per))], None) = (amounts, document.at(RATE)) else {
            continue;
        };
        let per = if per.is_empty() { "/day".to_owned() } else { per };
        let rate = format!("{}{per}", count * asks);
        let (Some(value), Some(_)) = (document.take(&users), document.take(&each)) else {
            continue;
        };
        if document.put(RATE, text_like(&value, &rate)).is_ok() {
            notes.push(format!("`{users}` and `{each}` as `{RATE}: {rate}`"));
        }
    }
}

/// A number, with what stands behind it: `20/day`.
fn amount(document: &Node, path: &str) -> Option<(f64, String)> {
    let scaled = |number: &str, rest: &str| {
        let (scale, rest) = match rest.chars().next() {
            Some('k' | 'K') => (1e3, &rest[1..]),
            Some('M') => (1e6, &rest[1..]),
            _ => (1.0, rest),
        };
        let number: f64 = number.replace('_', "").parse().ok()?;
        (number > 0.0).then(|| (number * scale, rest.trim().to_owned()))
    };
    match &document.at(path)?.value {
        Value::Number(number) => (*number > 0.0).then(|| (*number, String::new())),
        Value::Text(text) => {
            let (number, rest) = split_number(text.trim());
            scaled(number, rest.trim())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    #[test]
    fn users_and_what_each_asks() {
        let rate = "inference: {traffic: {requests: 1000000/day}}";
        check("inference: {traffic: {users: 100k, requests_per_user: 10}}", rate);
        check("inference: {daily_users: 50_000, queries_per_user: 20/day}", rate);
        check(
            "inference: {users: 500, requests_per_user: 6/h}",
            "inference: {traffic: {requests: 3000/h}}",
        );
    }
}
