//! A service of one's own against a hosted model that is paid by the token.

use serde_json::Value;

use crate::common::library::{Way, asked, refuses};
use crate::common::{close, number};

const FILE: &str = "scenarios/llama-3-70b-serving.yaml";

fn against(api: &str, more: &[&str]) -> Value {
    let api = format!("inference.api={api}");
    asked(Way::Estimate, FILE, &[&[api.as_str()], more].concat())
}

#[test]
fn a_request_costs_its_tokens() {
    // 1,155 tokens in and 211 out at 5 and 25 USD per million (LiteLLM 1.109.1).
    let forecast = against("anthropic/claude-opus-5", &[]);
    let price = number(&forecast, "inference.api.per_query_usd");
    close("a request", price, (1155.0 * 5.0 + 211.0 * 25.0) / 1e6, 1e-12);
    close("a year", number(&forecast, "inference.api.usd_per_year"), price * 730.5e6, 1e-9);
    let rows = forecast["ledger"].as_array().unwrap();
    let first: f64 = rows
        .iter()
        .filter(|row| row["stage"] == "inference.years.1")
        .map(|row| row["amount_usd"].as_f64().unwrap())
        .sum();
    close("the fleet", number(&forecast, "inference.api.fleet_usd_per_year"), first, 1e-12);
}

#[test]
fn at_the_break_even_both_cost_the_same() {
    for more in [&[] as &[&str], &["inference.redundancy=3"], &["inference.parallelism.tensor=4"]] {
        let forecast = against("{input_price: 2 USD/Mtoken, output_price: 8 USD/Mtoken}", more);
        let rate = number(&forecast, "inference.api.break_even_requests_per_day");
        let at = format!("inference.traffic.requests={rate}/day");
        let more: Vec<&str> = more.iter().copied().chain([at.as_str()]).collect();
        let there = against("{input_price: 2 USD/Mtoken, output_price: 8 USD/Mtoken}", &more);
        let api = &there["inference"]["api"];
        close("costs", number(api, "fleet_usd_per_year"), number(api, "usd_per_year"), 1e-9);
        let tokens = number(&forecast, "inference.api.break_even_tokens_per_month");
        close("tokens", tokens, rate * 365.25 / 12.0 * 1366.0, 1e-9);
    }
}

#[test]
fn a_dearer_hosted_model_breaks_even_earlier_and_a_cheap_one_never() {
    let rate = |price: f64| {
        let api = format!("{{input_price: {price} USD/Mtoken, output_price: {price} USD/Mtoken}}");
        against(&api, &[])["inference"]["api"]["break_even_requests_per_day"].as_f64()
    };
    let rates: Vec<_> = [2.0, 4.0, 8.0].map(|price| rate(price).expect("a break-even")).into();
    assert!(rates.is_sorted_by(|a, b| a > b), "{rates:?}");
    let cheap = against("gpt-5-nano", &[]);
    assert!(cheap["inference"]["api"]["break_even_requests_per_day"].is_null());
    let answer = cheap["inference"]["api"]["answer"].as_str().unwrap();
    assert!(answer.starts_with("never: a request costs"), "{answer}");
}

#[test]
fn what_no_catalog_has_is_refused() {
    for (api, expected) in [
        ("anthropic/claude-opus-55", "no hosted model `anthropic/claude-opus-55`"),
        ("{input_price: 2 USD/Mtoken}", "no price of output tokens"),
        ("{output_price: 2 USD/Mtoken}", "`input_price` is missing"),
        ("{input_price: 2 USD/h, output_price: 2 USD/Mtoken}", "does not fit"),
        ("3", "a hosted model such as"),
    ] {
        refuses(Way::Estimate, FILE, &[&format!("inference.api={api}")], 2, expected);
    }
}
