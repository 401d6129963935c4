//! The rows of the ledger against the arithmetic that a bill is checked with.

use flopcast::diagnostic::Result;
use flopcast::estimate::Id;
use flopcast::report::Report;
use flopcast::report::cash::CashFlow;
use serde_json::Value;

use crate::common::library::{Way, answer, asked, report, resolved};
use crate::common::{close, holds, number};

/// A run of 1,000 H100 for 100,000 productive device-hours.
fn run(rest: &str) -> String {
    format!(
        "
name: a run
model: llama-3-8b
data: {{tokens: 1T}}
training:
  precision: bf16
  sequence_length: 4096
  hardware: {{accelerator: h100-sxm, count: 1000}}
  efficiency: {{tokens_per_second_per_device: 2777.7777777777778}}
  goodput: 1
{rest}"
    )
}

fn tried(rest: &str) -> Result<Value> {
    answer(Way::Estimate, &resolved(&run(rest))?)
}

fn estimate(rest: &str) -> Value {
    tried(rest).unwrap_or_else(|error| panic!("{error}"))
}

/// Rows of a resource: quantity and amount.
fn rows(forecast: &Value, resource: &str) -> Vec<(f64, f64)> {
    let rows = forecast["ledger"].as_array().expect("a ledger");
    let of = rows.iter().filter(|row| row["resource"] == resource);
    of.map(|row| (number(row, "quantity"), number(row, "amount_usd"))).collect()
}

#[test]
fn whole_instances_at_the_list_price_less_the_discount() {
    // 125 instances of 8; 100,000 device-hours are 12,500 instance-hours at 55.04 USD.
    let place =
        "placement: {provider: aws, region: us-east-2, purchase: on-demand, discount: 10 %}";
    let forecast = estimate(place);
    let [(hours, amount)] = rows(&forecast, "compute")[..] else { panic!("one row") };
    close("instance-hours", hours, 12_500.0, 1e-9);
    close("amount", amount, 12_500.0 * 55.04 * 0.9, 1e-9);
    close("total", number(&forecast, "training.cost_usd.total"), amount, 1e-12);
}

#[test]
fn interruptions_cost_half_an_interval_and_a_restart_each() {
    let place = "  reliability: {checkpoint_interval: 2 h, restart: 30 min}
placement: {provider: aws, region: us-east-2, purchase: spot}";
    let forecast = estimate(place);
    // 125 instances, 15 % of them interrupted in 720 h (AWS's band for the H100), 1.5 h each.
    let overhead = 125.0 * 0.15 / 720.0 * 1.5;
    close("hours", number(&forecast, "training.device_hours"), 1e5 * (1.0 + overhead), 1e-9);
    let calm = "placement: {provider: aws, region: us-east-2, purchase: spot, interruptions: 0 %}";
    close("calm", number(&estimate(calm), "training.device_hours"), 1e5, 1e-9);
}

#[test]
fn a_term_is_paid_to_its_end_unless_others_use_it() {
    let place = |charged: &str| {
        format!(
            "placement: {{provider: gcp, region: us-central1, unused_commitment: {charged},
  purchase: {{reserved-1y: 60 %, on-demand: 40 %}}}}"
        )
    };
    let forecast = estimate(&place("100 %"));
    let [(reserved, _), (on_demand, _)] = rows(&forecast, "compute")[..] else {
        panic!("two rows")
    };
    close("on reservation", reserved, 60_000.0, 1e-9);
    close("on demand, by the instance", on_demand, 5_000.0, 1e-9);
    let [(unused, amount)] = rows(&forecast, "unused_commitment")[..] else { panic!("one row") };
    close("unused", unused, 600.0 * 8766.0 - 60_000.0, 1e-9);
    close("at the reserved price", amount, unused * 7.67, 1e-9);
    let shared = estimate(&place("25 %"));
    close("a quarter", rows(&shared, "unused_commitment")[0].1, amount / 4.0, 1e-9);
}

#[test]
fn a_mix_says_what_is_wrong_with_it() {
    for (purchase, part) in [
        ("{reserved-1y: 60 %, on-demand: 30 %}", "add up to 100 %, not 90 %"),
        ("{reserved-2y: 100 %}", "reserved-3y"),
        ("{price: 2 USD/device-h, spot: 10 %}", "write {price: ...}, or shares"),
        ("{spot: 10 %..20 %, on-demand: 85 %}", "not ranges"),
    ] {
        let place =
            format!("placement: {{provider: aws, region: us-east-2, purchase: {purchase}}}");
        let error = tried(&place).expect_err(purchase);
        assert_eq!(error.exit_code(), 2, "{error}");
        holds(purchase, &error.to_string(), &[part, "test.yaml:"]);
    }
    let own = "placement: {purchase: {price: 2 USD/device-h}, discount: 10 %}";
    let error = tried(own).expect_err("no list price");
    holds("own", &error.to_string(), &["needs a list price"]);
}

/// The sum of the amounts of a stage, in cents.
fn cents(forecast: &Value, stage: &str) -> f64 {
    let rows = forecast["ledger"].as_array().expect("a ledger").iter();
    rows.filter(|row| row["stage"] == stage).map(|row| 100.0 * number(row, "amount_usd")).sum()
}

#[test]
fn storage_egress_and_staff_by_hand() {
    let rest = "  costs:
    storage: {data: 60 TB, retention: 11 months}
    checkpoints: {keep: 10, size: 2 TB, price: 0.05 USD/GB-month}
    egress: {data: 3 TB}
    staff: {fte: 4, cost: 300k USD/year, duration: 6 months}
placement: {provider: aws, region: us-east-2}";
    let forecast = estimate(rest);
    let run = 100.0 / 24.0 / (365.25 / 12.0);
    // List prices of pricing/defaults.csv: S3 0.023 USD/GB-month, egress 0.09 USD/GB.
    let data = 60_000.0 * (run + 11.0) * 0.023;
    let checkpoints = 10.0 * 2_000.0 * run * 0.05;
    let cost = |key: &str| number(&forecast, &format!("training.cost_usd.{key}"));
    close("storage", cost("storage"), data + checkpoints, 1e-9);
    close("egress", cost("egress"), 3_000.0 * 0.09, 1e-9);
    close("staff", cost("staff"), 4.0 * 0.5 * 300e3, 1e-9);
    close("total", 100.0 * cost("total"), cents(&forecast, "training"), 1e-12);
    let kept = forecast["ledger"].as_array().expect("rows").iter();
    let kept = kept.into_iter().find(|row| row["detail"] == "data set").expect("the data set");
    assert_eq!((kept["month"].as_u64(), kept["months"].as_u64()), (Some(0), Some(12)));
}

#[test]
fn a_share_of_the_total_is_that_share() {
    let rest = "  costs: {staff: {share_of_total: 35 %}}
placement: {provider: aws, region: us-east-2}";
    let forecast = estimate(rest);
    let [staff, total] =
        ["staff", "total"].map(|key| number(&forecast, &format!("training.cost_usd.{key}")));
    close("share", staff / total, 0.35, 1e-12);
}

#[test]
fn costs_without_a_price_are_unknown() {
    // Staff alone is not the cost of a run whose rent nobody knows.
    let forecast = estimate("  costs: {staff: {fte: 1, cost: 100k USD/year}}\n");
    assert!(forecast["training"]["cost_usd"]["total"].is_null());
    assert!(forecast["training"]["cost_usd"]["staff"].is_number());
    assert!(forecast["warnings"].to_string().contains("is known there: name a provider"));
    // No list price of storage without a provider: the row is unknown, and so is the total.
    let rest = "  costs: {storage: {data: 1 TB}}\nplacement: {purchase: {price: 2 USD/device-h}}";
    let forecast = estimate(rest);
    assert!(forecast["training"]["cost_usd"]["total"].is_null());
    assert!(forecast["warnings"].to_string().contains("give training.costs.storage.price"));
}

/// A reservation fixes the price of its term, whatever prices do: the rows of the years of one term
/// cost the same, those of the next what a price has become by then.
#[test]
fn a_reservation_keeps_its_price() {
    const FILE: &str = "tests/data/ledger/reserved-price-change.yaml";
    let prices = |plan: &str, years: u32| {
        let purchase = format!("inference.placement.purchase={plan}");
        let horizon = format!("finance.horizon={years} years");
        let value = asked(Way::Estimate, FILE, &[&purchase, &horizon]);
        let rows = value["ledger"].as_array().expect("a ledger").clone();
        let rent = rows.iter().filter(|row| row["resource"] == "compute");
        rent.map(|row| row["unit_price_usd"].as_f64().expect("a price")).collect::<Vec<_>>()
    };
    let check = |plan: &str, years: u32, factors: &[f64]| {
        let prices = prices(plan, years);
        for (price, factor) in prices.iter().zip(factors) {
            close(plan, price / prices[0], *factor, 1e-9);
        }
        assert_eq!(prices.len(), factors.len());
    };
    check("reserved-3y", 3, &[1.0, 1.0, 1.0]);
    close("the term's price", prices("reserved-3y", 3)[0], 1.81, 1e-9);
    check("reserved-3y", 5, &[1.0, 1.0, 1.0, 0.729, 0.729]);
    check("reserved-1y", 3, &[1.0, 0.9, 0.81]);
    check("on-demand", 3, &[1.0, 0.9, 0.81]);
}

/// What is committed as a fleet grows has the price of its own year; a year pays the terms that run.
#[test]
fn each_reservation_has_the_price_of_its_year() {
    const FILE: &str = "tests/data/ledger/reserved-price-change.yaml";
    let value = asked(Way::Estimate, FILE, &["inference.traffic.growth=60 %/year"]);
    let rows = value["ledger"].as_array().expect("a ledger").iter();
    let rent = rows.filter(|row| row["resource"] == "compute");
    let rent: Vec<_> =
        rent.map(|row| ["quantity", "unit_price_usd"].map(|key| number(row, key))).collect();
    let [[first, today], ..] = rent[..] else { panic!("three years") };
    let (mut had, mut paid, mut price) = (first, first * today, today);
    for [hours, each] in &rent[1..] {
        price *= 0.9;
        paid += (hours - had) * price;
        assert!(*hours > had, "the fleet grows");
        had = *hours;
        close("a year's rent", hours * each, paid, 1e-9);
    }
}

/// The cash of the run, from the first of January 2027.
fn cash(rest: &str) -> (Report, CashFlow) {
    let report = report(&resolved(&run(rest)).expect("a scenario")).expect("a forecast");
    let cash = CashFlow::of(&report).expect("all amounts are known");
    (report, cash)
}

#[test]
fn a_reservation_is_paid_by_its_option_over_its_term() {
    for (payment, parts) in [
        ("", [0.25, 0.25, 0.25, 0.25]),
        (", payment: no-upfront", [0.25, 0.25, 0.25, 0.25]),
        (", payment: partial-upfront", [0.625, 0.125, 0.125, 0.125]),
        (", payment: all-upfront", [1.0, 0.0, 0.0, 0.0]),
    ] {
        let (report, cash) = cash(&format!(
            "placement: {{provider: aws, region: us-east-2, purchase: reserved-1y, start: 2027-01-01{payment}}}"
        ));
        let total = report
            .figure(Id::TrainingCost)
            .and_then(flopcast::estimate::Figure::value)
            .expect("USD");
        for (index, part) in parts.into_iter().enumerate() {
            let paid = cash.periods.get(index).map_or(0.0, |it| it.opex);
            assert!(
                (paid - part * total).abs() < 1e-6 * total,
                "{payment} {index}: {paid} {total}"
            );
        }
        assert_eq!(cash.periods[0].period, "2027Q1");
        close(payment, cash.periods.last().expect("a period").so_far, total, 1e-9);
    }
}

#[test]
fn owned_hardware_is_paid_when_it_is_bought() {
    let (report, cash) = cash(
        "placement: {region: USA, start: 2026-12-15, owned: {chip: 25000 USD/device, electricity: 0.1 USD/kWh}}
finance: {fiscal_year: 4}",
    );
    let bought =
        report.figure(Id::CapexTotal).and_then(flopcast::estimate::Figure::value).expect("USD");
    close("purchases", cash.periods[0].capex, bought, 1e-12);
    assert!(cash.owned && cash.periods[0].amortisation < 0.5 * bought);
    let paid: f64 = cash.fiscal_years.iter().map(|(_, paid)| paid).sum();
    close("fiscal years", paid, cash.periods.last().expect("a period").so_far, 1e-12);
    assert_eq!(cash.fiscal_years[0].0, "FY2027", "December 2026 lies in the year to March 2027");
}

#[test]
fn staff_is_paid_over_its_time() {
    let costs = "  costs: {staff: {fte: 1, cost: 120000 USD/year, duration: 6 months}}
placement: {purchase: {price: 2 USD/device-h}, start: 2027-01-01}";
    let (_, cash) = cash(costs);
    close("the second quarter", cash.periods[1].opex, 30_000.0, 1e-3);
}

/// What a run leaves of its reservation serves, while the term lasts, at the price that was paid for
/// it; nothing of it is paid twice, and nothing is lent where the scenario says who uses the rest,
/// or where the service is elsewhere.
#[test]
fn a_run_lends_its_terms_to_its_service() {
    let scenario = |unused: &str, region: &str| {
        run(&format!(
            "placement: {{provider: aws, region: us-east-1, purchase: reserved-1y{unused}, start: 2027-01-01}}
inference:
  placement: {{provider: aws, region: {region}, purchase: on-demand}}
  traffic: {{requests: 20M/day, input_tokens: {{mean: 900}}, output_tokens: {{mean: 200}}}}
  hardware: {{accelerator: h100-sxm}}
  precision: bf16
finance: {{horizon: 2 years}}"
        ))
    };
    let of = |unused: &str, region: &str| {
        answer(Way::Estimate, &resolved(&scenario(unused, region)).expect("a scenario"))
            .expect("a forecast")
    };
    let own = of(", unused_commitment: 100 %", "us-east-1");
    let lent = of("", "us-east-1");
    for apart in [of("", "us-east-2"), own.clone()] {
        assert!(rows(&apart, "lent_commitment").is_empty());
    }
    let sum = |value: &Value, resource: &str| -> [f64; 2] {
        let rows = rows(value, resource);
        [rows.iter().map(|row| row.0).sum(), rows.iter().map(|row| row.1).sum()]
    };
    let [hours, amount] = sum(&lent, "lent_commitment");
    assert!(hours > 0.0, "{}", lent["ledger"]);
    let [idle_before, idle] = [&own, &lent].map(|value| sum(value, "unused_commitment"));
    close("a term is paid once", idle[1] + amount, idle_before[1], 1e-9);
    close("instance-hours of a term", idle[0] + hours, idle_before[0], 1e-9);
    // The service rents by so many device-hours less: eleven months of its fleet.
    let devices = number(&own, "inference.fleet.devices");
    close("what is lent", 8.0 * hours, devices * 8766.0 * 11.0 / 12.0, 1e-9);
    let total = |value: &Value| number(value, "tco.total_usd");
    assert!(total(&lent) < total(&own), "{} {}", total(&lent), total(&own));
    // The cash of a year's term is even over it, whoever uses it.
    let report = report(&resolved(&scenario("", "us-east-1")).expect("it")).expect("a forecast");
    let of_term = report.ledger.iter().filter(|row| {
        ["reserved-1y"].contains(&row.entry.detail) && row.amount.is_some_and(|it| it > 0.0)
    });
    let mut months = [0.0; 12];
    for (month, part) in of_term.flat_map(|row| &row.paid) {
        months[*month as usize] += part.expect("known");
    }
    let whole: f64 = months.iter().sum();
    for part in months {
        close("a month of the term", part, whole / 12.0, 1e-9);
    }
}

/// Blocks are sold by the day and, above two weeks, by the week; they are paid at once. Terms that are
/// not sold for so long a run leave its rent unknown.
#[test]
fn a_block_is_paid_in_whole_days_or_weeks() {
    const LISTED: &str = "provider: aws, region: us-east-2, purchase: capacity-block";
    const OWN: &str = "purchase: {price: 5 USD/device-h, plan: capacity-block}";
    const QUEUED: &str =
        "provider: gcp, region: us-central1, purchase: {price: 5 USD/device-h, plan: flex-start}";
    // A trillion tokens are 100 hours of 1,000 devices; a listed instance of 8 costs 39.33 USD/h.
    for (place, tokens, hours, each) in [
        (LISTED, "1T", Some(5.0 * 24.0), 125.0 * 39.33),
        (LISTED, "3.3T", Some(14.0 * 24.0), 125.0 * 39.33),
        (LISTED, "5T", Some(3.0 * 168.0), 125.0 * 39.33),
        (LISTED, "50T", None, 0.0),
        (OWN, "5T", Some(21.0 * 24.0), 5000.0),
        (QUEUED, "1T", Some(100.0), 5000.0),
        (QUEUED, "2T", None, 0.0),
    ] {
        let text = run(&format!("placement: {{{place}, start: 2027-01-15}}"));
        let text = text.replace("1T", tokens);
        let forecast = answer(Way::Estimate, &resolved(&text).expect(place)).expect(place);
        let cost = forecast["training"]["cost_usd"]["total"].as_f64();
        if let Some(hours) = hours {
            close(place, cost.expect("USD"), hours * each, 1e-9);
        } else {
            assert_eq!(cost, None, "{place}, {tokens}");
            let warnings = forecast["warnings"].to_string();
            holds(place, &warnings, &["days at most", "take more devices"]);
        }
    }
    let (_, cash) = cash(&format!("placement: {{{LISTED}, start: 2027-01-15}}"));
    close("at once", cash.periods[0].opex, 5.0 * 24.0 * 125.0 * 39.33, 1e-9);
}

/// A service needs its devices all year.
#[test]
fn no_service_on_a_block() {
    let service = "placement: {provider: aws, region: us-east-2, purchase: capacity-block}
inference:
  traffic: {requests: 1M/day, input_tokens: {mean: 900}, output_tokens: {mean: 200}}
  hardware: {accelerator: h100-sxm}";
    let error = tried(service).expect_err("a service of some days");
    holds("block", &error.to_string(), &["a service runs all year", "inference.placement"]);
}

/// A savings plan is a commitment like another, at its own price; where no list has it, the provider's
/// advertised discount is assumed.
#[test]
fn a_savings_plan_is_paid_to_its_end() {
    let forecast =
        estimate("placement: {provider: aws, region: us-east-2, purchase: savings-plan-1y}");
    close(
        "total",
        number(&forecast, "training.cost_usd.total"),
        125.0 * 8766.0 * 55.04 * 0.6,
        1e-9,
    );
    holds("why", &forecast["assumptions"].to_string(), &["the largest advertised discount"]);
}

/// A reservation that no list has takes the median of what the others ask, with their range.
#[test]
fn a_reservation_without_a_price_takes_the_usual_ratio() {
    let forecast = estimate("placement: {provider: lambda, purchase: reserved-1y}");
    let known = flopcast::catalog::Catalog::embedded()
        .plan_ratio("lambda", "h100-sxm", flopcast::catalog::Purchase::Reserved1y)
        .expect("lists with both prices");
    let on_demand = estimate("placement: {provider: lambda, purchase: on-demand}");
    let price = |of: &Value| of["ledger"][0]["unit_price_usd"].as_f64().expect("a price");
    close("ratio", price(&forecast) / price(&on_demand), known.median, 1e-9);
    holds(
        "why",
        &forecast["assumptions"].to_string(),
        &["no reserved-1y price is known", "median"],
    );
    let spread = forecast["spreads"].to_string();
    holds("range", &spread, &["median of"]);
}

/// The last day of a run is the one on which it ends, and a deadline on it is kept.
#[test]
fn a_run_of_an_hour_ends_on_its_first_day() {
    for (hours, end, left) in
        [(8, "2026-12-01", 0), (192, "2026-12-01", 0), (200, "2026-12-02", -1)]
    {
        let text = format!(
            "name: day\nmodel: {{parameters: 8B}}\ndata: {{tokens: 1B}}\ntraining:\n  hardware: \
             {{accelerator: h100-sxm, count: 8}}\n  efficiency: {{device_hours: {hours}}}\n  goodput: 1\n  \
             deadline: 2026-12-01\nplacement: {{purchase: {{price: 2 USD/device-h}}, start: 2026-12-01}}\n"
        );
        let forecast = answer(Way::Estimate, &resolved(&text).unwrap()).unwrap();
        let calendar = &forecast["training"]["calendar"];
        assert_eq!(calendar["end"], end, "{hours} device-hours");
        assert_eq!(calendar["margin_days"], left, "{hours} device-hours");
    }
}

/// Devices that are waited for come later; a deadline counts the wait.
#[test]
fn the_run_begins_when_its_devices_are_there() {
    let wait = |more: &str| {
        let place = format!(
            "  deadline: 20 days
placement: {{provider: aws, region: us-east-2, start: 2027-01-01, {more}}}"
        );
        estimate(&place)
    };
    let forecast = wait("purchase: on-demand, wait: 10 days");
    close("wait", number(&forecast, "training.wait_days"), 10.0, 1e-12);
    let run = number(&forecast, "training.wall_clock_days");
    close("end", number(&forecast, "training.end_days"), 10.0 + run, 1e-12);
    assert_eq!(forecast["training"]["calendar"]["start"], "2027-01-11");
    close("left", number(&forecast, "training.calendar.margin_days"), 5.0, 1e-12);
    // AWS asks for five days of notice; nobody says how long spot takes; on demand is there.
    close("notice", number(&wait("purchase: reserved-1y"), "training.wait_days"), 5.0, 1e-12);
    let spot = wait("purchase: spot");
    assert!(spot["training"]["wait_days"].is_null(), "{spot}");
    holds("spot", &spot["warnings"].to_string(), &["nobody publishes how long one waits for spot"]);
    assert!(wait("purchase: on-demand")["training"].get("wait_days").is_none());
    // Ten weeks of waiting are no months of rent.
    let (_, cash) = cash(
        "placement: {provider: aws, region: us-east-2, purchase: on-demand, start: 2027-01-01, wait: 70 days}",
    );
    close("paid later", cash.periods[0].opex, 125.0 * 100.0 * 55.04, 1e-9);
    assert_eq!(cash.periods[0].period, "2027Q1");
}

/// Each plan has its own payment option.
#[test]
fn a_payment_option_is_that_of_its_plan() {
    let place = |payment: &str| {
        format!(
            "placement: {{provider: aws, region: us-east-2, start: 2027-01-01, payment: {payment},
  purchase: {{reserved-1y: 50 %, savings-plan-1y: 50 %}}}}"
        )
    };
    let of = |payment: &str, plan: &str| -> f64 {
        let forecast = estimate(&place(payment));
        let rows = forecast["ledger"].as_array().expect("a ledger").clone();
        rows.iter().filter(|row| row["detail"] == plan).map(|row| number(row, "amount_usd")).sum()
    };
    let upfront = [("no-upfront", 0.25), ("partial-upfront", 0.625), ("all-upfront", 1.0)];
    for (reserved, first) in upfront {
        for (savings, second) in upfront {
            let payment = format!("{{reserved-1y: {reserved}, savings-plan-1y: {savings}}}");
            let right =
                first * of(&payment, "reserved-1y") + second * of(&payment, "savings-plan-1y");
            let (_, cash) = cash(&place(&payment));
            assert!((cash.periods[0].opex / right - 1.0).abs() < 1e-6, "{payment}");
        }
    }
    for (payment, part) in [
        ("{reserved-3y: all-upfront}", "is not bought"),
        ("{spot: all-upfront}", "has no payment option"),
        ("half", "all-upfront"),
    ] {
        let error = tried(&place(payment)).expect_err(payment);
        holds(payment, &error.to_string(), &[part, "test.yaml:"]);
    }
}
