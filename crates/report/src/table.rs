//! The forecast for a terminal of 80 columns.

use std::fmt::Write as _;

use flopcast_core::estimate::Figure;
use flopcast_core::provenance::{Basis, How, Step};
use flopcast_core::quantity::text::{count, number};
use flopcast_study::uncertainty::{Interval, PERCENTILES};
use serde_json::Value;
use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Padding, Style};

use super::tree::wrap;
use super::{Fact, RENEWED, Report, answer, carbon, currency, ledger};

/// Sections of the table: title and, for each figure shown, path and label.
pub(super) const SECTIONS: &[(&str, &[(&str, &str)])] = &[
    (
        "Training",
        &[
            ("training.tokens", "tokens passed"),
            ("training.samples", "samples passed"),
            ("training.flops.six_nd", "FLOPs by 6ND"),
            ("training.flops.model", "FLOPs, operator-exact"),
            ("training.flops.model_full", "  with attention in full"),
            ("training.mfu", "MFU (operator-exact, dense peak)"),
            ("training.goodput", "goodput"),
            ("training.step_time_s", "step time"),
            ("training.tokens_per_second_per_device", "throughput"),
            ("training.devices", "devices"),
            ("training.instances", "instances"),
            ("training.stranded_devices", "  devices paid for but unused"),
            ("training.device_hours", "device-hours"),
            ("training.wall_clock_days", "wall clock"),
            ("training.memory_gb.weights", "memory: weights"),
            ("training.memory_gb.gradients", "  gradients"),
            ("training.memory_gb.optimizer", "  optimizer state"),
            ("training.memory_gb.activations", "  activations"),
            ("training.memory_gb.allocated", "  allocated, with the rest"),
            ("training.memory_gb.reserved", "  reserved by the process"),
            ("training.memory_gb.capacity", "  there"),
        ],
    ),
    (
        ENERGY_OF_TRAINING,
        &[
            ("training.energy_kwh.it", "IT energy"),
            ("training.energy_kwh.facility", "facility energy (x PUE)"),
            ("training.co2e_kg.location", "CO2e, location-based"),
            ("training.co2e_kg.work", "  of work above idle"),
            ("training.co2e_kg.idle", "  of the idle draw"),
            ("training.co2e_kg.upstream", "CO2e, upstream of the fuels"),
            ("training.co2e_kg.market", "CO2e, market-based"),
            ("training.co2e_kg.marginal", "CO2e, marginal: another view"),
            ("training.co2e_kg.embodied.low", "CO2e, embodied, low"),
            ("training.co2e_kg.embodied.mid", "CO2e, embodied, mid"),
            ("training.co2e_kg.embodied.high", "CO2e, embodied, high"),
            ("training.water_l.on_site", "water, on site"),
            ("training.water_l.off_site", "water, of the electricity"),
            ("sci.training.kg_per_run", "SCI of the run"),
            ("sci.training.kg_per_million_tokens", "SCI per million tokens"),
            ("training.start_window.saving", "saving by the cleanest start"),
            ("training.start_window.saved_co2e_kg", "  in CO2e, location-based"),
        ],
    ),
    (
        "Cost of the training",
        &[
            ("training.cost_usd.compute", "rent of the devices"),
            ("training.cost_usd.host", "rent of their hosts"),
            ("training.cost_usd.unused_commitment", "commitment left unused"),
            ("training.cost_usd.hardware", "amortisation of the hardware"),
            ("training.cost_usd.unused", "hardware without work"),
            ("training.cost_usd.colocation", "colocation"),
            ("training.cost_usd.electricity", "electricity"),
            ("training.cost_usd.maintenance", "maintenance"),
            ("training.cost_usd.storage", "storage"),
            ("training.cost_usd.egress", "egress"),
            ("training.cost_usd.staff", "staff"),
            ("training.cost_usd.total", "total"),
            ("training.flops_per_usd.peak", "FLOP per dollar at peak"),
            ("training.flops_per_usd.achieved", "  achieved"),
        ],
    ),
    (
        "Rent or buy, training",
        &[
            ("training.capex_usd.chips", "to buy: chips"),
            ("training.capex_usd.servers", "  other parts of the servers"),
            ("training.capex_usd.interconnect", "  interconnect"),
            ("training.capex_usd.total", "  in all"),
            ("rent_or_buy.training.capex_usd_per_device", "  per device"),
            ("rent_or_buy.training.running_usd_per_device_h", "to run a device that is owned"),
            ("rent_or_buy.training.rent_usd_per_device_h", "to rent one instead"),
            ("rent_or_buy.training.break_even_months", "buying breaks even after"),
            (
                "rent_or_buy.training.net_present_value_usd_per_device",
                "  NPV over the service life",
            ),
        ],
    ),
    (
        "Rent or buy, service",
        &[
            ("inference.capex_usd.chips", "to buy: chips"),
            ("inference.capex_usd.servers", "  other parts of the servers"),
            ("inference.capex_usd.interconnect", "  interconnect"),
            ("inference.capex_usd.total", "  in all"),
            ("rent_or_buy.inference.capex_usd_per_device", "  per device"),
            ("rent_or_buy.inference.running_usd_per_device_h", "to run a device that is owned"),
            ("rent_or_buy.inference.rent_usd_per_device_h", "to rent one instead"),
            ("rent_or_buy.inference.break_even_months", "buying breaks even after"),
            (
                "rent_or_buy.inference.net_present_value_usd_per_device",
                "  NPV over the service life",
            ),
        ],
    ),
    (
        "Serving, first year",
        &[
            ("inference.ttft_ms.mean", "mean time to first token"),
            ("inference.tpot_ms.mean", "mean time per output token"),
            ("inference.e2e_ms.mean", "mean time of a request"),
            ("inference.replica.devices", "devices of a replica"),
            ("inference.replica.prefill_devices", "  of them for prompts"),
            ("inference.replica.kv_capacity_tokens", "KV cache of a replica"),
            ("inference.replica.max_concurrency", "requests at once"),
            ("inference.replica.max_rate_per_s", "highest rate of a replica"),
            ("inference.speculative.acceptance", "guessed tokens that are accepted"),
            ("inference.speculative.tokens_per_verification", "  tokens a verification yields"),
            ("inference.speculative.draft_share", "  share of a round that drafting takes"),
            ("inference.fleet.peak_rate_per_s", "peak rate"),
            ("inference.fleet.replicas", "replicas"),
            ("inference.fleet.devices", "devices"),
            ("inference.fleet.instances", "instances"),
            ("inference.fleet.stranded_devices", "  devices paid for but unused"),
        ],
    ),
    (
        "Own fleet or hosted model, first year",
        &[
            ("inference.api.per_query_usd", "hosted model, a request"),
            ("inference.api.usd_per_year", "  a year"),
            ("inference.api.fleet_usd_per_year", "own fleet, a year"),
            ("inference.api.break_even_requests_per_day", "break-even"),
            ("inference.api.break_even_tokens_per_month", "  in tokens"),
        ],
    ),
    (
        "Per request",
        &[
            ("inference.per_query.flops", "FLOPs"),
            ("inference.per_query.serving_usd", "cost of serving"),
            ("inference.per_query.loaded_usd", "  with the training"),
            ("inference.per_query.energy_wh", "facility energy"),
            ("inference.per_query.co2e_g.location", "CO2e, location-based"),
            ("inference.per_query.co2e_g.embodied", "CO2e, embodied"),
        ],
    ),
    (
        "Per million tokens",
        &[
            ("inference.per_million_tokens.cost_usd", "cost of serving"),
            ("inference.per_million_tokens.input_usd", "  input tokens"),
            ("inference.per_million_tokens.output_usd", "  output tokens"),
            ("inference.per_million_tokens.energy_kwh", "facility energy"),
            ("inference.per_million_tokens.co2e_kg.location", "CO2e, location-based"),
        ],
    ),
    (
        "Per token of an answer",
        &[
            ("inference.per_output_token.energy_j", "facility energy"),
            ("inference.per_output_token.co2e_g.location", "CO2e, location-based"),
        ],
    ),
    (
        "Lower bound by FLOPs, first year",
        &[
            ("inference.lower_bound.flops", "FLOPs of all requests"),
            ("inference.lower_bound.device_hours", "device-hours at the dense peak"),
            ("inference.lower_bound.share_of_fleet", "  as a share of the fleet's"),
            ("inference.lower_bound.energy_kwh.facility", "facility energy"),
            ("inference.lower_bound.co2e_kg.location", "CO2e, location-based"),
        ],
    ),
    (
        "Total",
        &[
            ("tco.total_usd", "cost"),
            ("tco.present_value_usd", "  as a present value"),
            ("tco.energy_kwh", "facility energy"),
            ("tco.co2e_kg.location", "CO2e, location-based"),
            ("tco.co2e_kg.embodied", "CO2e, embodied"),
            ("sci.co2e_g", "SCI per functional unit"),
        ],
    ),
];

const ENERGY_OF_TRAINING: &str = "Energy, carbon and water of the training";

/// The columns of the table of years: figure under `inference.years.N`, heading.
pub(super) const YEARS: &[(&str, &str)] = &[
    ("requests", "requests"),
    ("replicas", "replicas"),
    ("devices", "devices"),
    ("cost_usd", "cost"),
    ("energy_kwh.facility", "facility energy"),
    ("co2e_kg.location", "CO2e"),
];

/// The report as aligned text.
pub fn estimate(report: &Report) -> String {
    let mut out = format!("{}\n", report.name);
    let answer = answer::sentences(report);
    if !answer.is_empty() {
        let _ = writeln!(out, "\n{}", wrap(&answer, 78).join("\n"));
    }
    body(report, &mut out);
    out
}

/// Everything below the title.
pub(super) fn body(report: &Report, out: &mut String) {
    for (title, rows) in SECTIONS {
        let mut builder = Builder::default();
        for (path, label) in *rows {
            if let Some(figure) = report.figure(path) {
                let (number, unit) = split(figure);
                builder.push_record([format!("  {label}"), number, unit]);
            }
        }
        section(out, title, builder, &[1]);
        let meant: fn(&Fact) -> bool = match *title {
            "Training" => |fact| fact.path.starts_with("training.") && !carbon::is_about(fact),
            ENERGY_OF_TRAINING => carbon::is_about,
            "Rent or buy, training" => |fact| fact.path.starts_with("rent_or_buy.training."),
            "Own fleet or hosted model, first year" => {
                |fact| fact.path.starts_with("inference.api.")
            }
            "Rent or buy, service" => |fact| fact.path.starts_with("rent_or_buy.inference."),
            _ => continue,
        };
        facts(report, meant, out);
    }
    years(report, out);
    ledger::table(&report.ledger, out);
    ledger::commitments(&report.commitments, out);
    currency::table(report, out);
    carbon::table(&report.footprint, out);
    ranges(report, out);
    inputs(report, out);
    for warning in &report.warnings {
        let lines = wrap(&format!("warning: {warning}"), 78);
        let _ = writeln!(out, "\n{}", lines.join("\n  "));
    }
}

/// A titled table; nothing where it has no rows.
pub(super) fn section(out: &mut String, title: &str, builder: Builder, right: &[usize]) {
    if builder.count_records() == 0 {
        return;
    }
    let mut table = builder.build();
    table.with(Style::empty()).with(Padding::new(0, 2, 0, 0));
    for column in right {
        table.modify(Columns::one(*column), Alignment::right());
    }
    let _ = writeln!(out, "\n{title}");
    for line in table.to_string().lines() {
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

fn facts(report: &Report, meant: fn(&Fact) -> bool, out: &mut String) {
    for fact in report.facts.iter().filter(|fact| meant(fact)) {
        let shown = match &fact.value {
            Value::Array(items) => {
                items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; ")
            }
            Value::String(text) => text.clone(),
            Value::Bool(true) => "yes".to_owned(),
            Value::Bool(false) => "no".to_owned(),
            other => other.to_string(),
        };
        let lines = wrap(&format!("{}: {shown}", fact.label), 76);
        let _ = writeln!(out, "  {}", lines.join("\n    "));
    }
}

fn years(report: &Report, out: &mut String) {
    let mut builder = Builder::default();
    let shown = |year: u32, figure: &str| {
        report.figure(&format!("inference.years.{year}.{figure}")).map(|f| f.shown.clone())
    };
    let columns: Vec<_> = YEARS.iter().filter(|(figure, _)| shown(1, figure).is_some()).collect();
    let mut year = 1;
    while shown(year, "requests").is_some() {
        if year == 1 {
            let headings = columns.iter().map(|(_, heading)| (*heading).to_owned());
            builder.push_record(std::iter::once("  year".to_owned()).chain(headings));
        }
        let cells = columns.iter().map(|(figure, _)| {
            let text = shown(year, figure).unwrap_or_default();
            text.replace(" requests", "").replace(" devices", "")
        });
        builder.push_record(std::iter::once(format!("  {year}")).chain(cells));
        year += 1;
    }
    section(out, "Years of service", builder, &[1, 2, 3, 4, 5, 6]);
    facts(report, |fact| fact.path == RENEWED, out);
}

/// Ranges of the figures and, for the widest question, what moves it most.
fn ranges(report: &Report, out: &mut String) {
    let Some(widest) = report.widest() else { return };
    let mut builder = Builder::default();
    // A terminal has room for four of the percentiles; the JSON has all.
    let shown: Vec<usize> =
        (0..PERCENTILES.len()).filter(|i| [5, 50, 80, 95].contains(&PERCENTILES[*i])).collect();
    let heading = ["  figure".to_owned(), "unit".to_owned()];
    builder.push_record(
        heading.into_iter().chain(shown.iter().map(|i| format!("P{}", PERCENTILES[*i]))),
    );
    for interval in &report.intervals {
        let unit = interval.unit.trim_end_matches("/request").to_owned();
        let cells = [format!("  {}", shorten(label(interval.path).trim(), 26)), unit];
        builder.push_record(
            cells.into_iter().chain(shown.iter().map(|i| short_number(interval.values[*i]))),
        );
    }
    section(out, "Ranges (P50, with contingency to P80)", builder, &[2, 3, 4, 5]);
    tornado(widest, out);
}

/// Bars of what each factor alone does to a figure, P10 to P90.
fn tornado(interval: &Interval, out: &mut String) {
    let ends = |pick: fn(f64, f64) -> f64, start: f64| {
        interval.swings.iter().fold(start, |end, swing| pick(pick(end, swing.low), swing.high))
    };
    let (low, high) = (ends(f64::min, f64::INFINITY), ends(f64::max, f64::NEG_INFINITY));
    let _ = writeln!(
        out,
        "\n  What moves {} ({} at P10 to P90 of each factor alone)",
        label(interval.path),
        interval.unit
    );
    for swing in interval.swings.iter().take(8) {
        let at = |value: f64| {
            (20.0 * (value - low) / (high - low).max(f64::MIN_POSITIVE)).round() as usize
        };
        let (from, to) = (at(swing.low.min(swing.high)), at(swing.low.max(swing.high)));
        let bar: String =
            (0..=20).map(|i| if (from..=to).contains(&i) { '█' } else { '·' }).collect();
        let _ = writeln!(
            out,
            "  {:<28} {bar} {} .. {}",
            shorten(&swing.factor, 28),
            short_number(swing.low),
            short_number(swing.high)
        );
    }
}

/// The label that the tables above give a figure.
pub(super) fn label(path: &str) -> &str {
    let rows = SECTIONS.iter().flat_map(|(_, rows)| rows.iter());
    match path {
        "training.cost_usd.total" => "cost of the training",
        "tco.total_usd" => "total cost",
        "tco.present_value_usd" => "  as a present value",
        "tco.energy_kwh" => "total energy",
        "tco.co2e_kg.location" => "total CO2e, location-based",
        "inference.per_query.serving_usd" => "cost of a request",
        "inference.per_query.energy_wh" => "energy of a request",
        "inference.fleet.devices" => "devices of the fleet",
        _ => rows.into_iter().find(|(known, _)| *known == path).map_or(path, |(_, label)| label),
    }
}

fn short_number(value: f64) -> String {
    if value.abs() >= 1e6 { count(value) } else { number(value) }
}

fn inputs(report: &Report, out: &mut String) {
    let mut builder = Builder::default();
    let mut assumed = false;
    for step in report.inputs.iter().filter(|step| !is_derived(step)) {
        let (mark, basis) = basis(step);
        assumed |= mark == "*";
        let name = step.name.clone().unwrap_or_default();
        let (number, unit) = split_text(&step.shown());
        builder.push_record([format!("{mark:>1} {}", shorten(&name, 29)), number, unit, basis]);
    }
    section(out, "Inputs", builder, &[1]);
    if assumed {
        let _ = writeln!(out, "  * assumed: nobody said; `flopcast explain` tells why");
    }
    for assumption in &report.model_assumptions {
        let _ = writeln!(out, "{}", wrap(&format!("* model: {assumption}"), 78).join("\n    "));
    }
}

/// The mark of an assumed input and the short word for its basis.
fn basis(step: &Step) -> (&'static str, String) {
    match &step.how {
        How::Leaf(Basis::Given { place, .. }) => {
            let line = place.rsplit(':').next().unwrap_or_default();
            ("", format!("given, line {line}"))
        }
        How::Leaf(Basis::Catalog { date: Some(date), .. }) => ("", format!("catalog, {date}")),
        How::Leaf(Basis::Catalog { .. }) => ("", "catalog".to_owned()),
        How::Leaf(Basis::Assumed { .. }) => ("*", "assumed".to_owned()),
        _ => ("", "derived".to_owned()),
    }
}

fn is_derived(step: &Step) -> bool {
    matches!(step.how, How::Leaf(Basis::Derived { .. }))
}

/// Number and unit; what a row's label says already is left out of the unit.
fn split(figure: &Figure) -> (String, String) {
    let (number, unit) = split_text(&figure.shown);
    let unit = unit.trim_end_matches("/request").trim_end_matches("/Mtoken");
    (number, unit.to_owned())
}

fn split_text(shown: &str) -> (String, String) {
    match shown.split_once(' ') {
        Some((number, unit)) => (number.to_owned(), unit.to_owned()),
        None => (shown.to_owned(), String::new()),
    }
}

fn shorten(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    // The end of a path tells more than its beginning.
    if text.contains(' ') {
        text.chars().take(width - 1).chain(['…']).collect()
    } else {
        let skipped = text.chars().count() - (width - 1);
        std::iter::once('…').chain(text.chars().skip(skipped)).collect()
    }
}
