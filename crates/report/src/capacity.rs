//! A sized service: latencies beside their bounds, then the forecast of its fleet.

use std::fmt::Write as _;

use flopcast_core::estimate::plan::Scenario;
use flopcast_core::estimate::{Id, Key, Section};
use flopcast_core::quantity::{Measure, Time, text};
use flopcast_core::serving::capacity::Autoscaling;
use flopcast_core::serving::simulator::{ClassReport, Histogram};
use flopcast_study::capacity::{Capacity, Engaged, Found};
use serde_json::{Value, json};
use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Padding, Style};

use super::fact::{self, Fact};
use super::tree::wrap;
use super::{Load, Report, answer, memory, table};

/// The forecast of the fleet with the simulated percentiles among its figures.
pub fn report(scenario: &Scenario, capacity: &Capacity) -> Report {
    let mut report = Report::new(scenario, &capacity.estimate, capacity.forecast.predicted());
    let engine = match &capacity.engaged {
        Engaged::Engine(name, _) => name.clone(),
        Engaged::Network(times) => {
            let ends = [times.first(), times.last()];
            let [one, most] = ends.map(|it| text::show(it.copied().unwrap_or_default()));
            let count = times.len();
            format!("batches: one request takes {one}, the most that fit ({count}) {most}")
        }
    };
    let mut say = |declared, value: String| {
        report.facts.push(Fact { declared, value: json!(value) });
    };
    say(fact::ENGINE, engine);
    say(fact::BOTTLENECK, capacity.found.highest.bottleneck.clone());
    say(fact::FLEET, fleet(capacity));
    let years = capacity.estimate.inference.iter().flat_map(|it| &it.years);
    if let Some(scaling) = years.take(1).find_map(|year| year.scaling.as_ref()) {
        say(fact::AUTOSCALING, autoscaling(scaling));
        let value = json!(scaling.replicas);
        report.facts.push(Fact { declared: fact::REPLICAS_BY_HOUR, value });
    }
    let at = |latencies: &Histogram| [0.5, 0.95, 0.99].map(|share| latencies.quantile(share));
    report.load = capacity
        .found
        .load
        .iter()
        .map(|(rate, latencies)| {
            let known = |percentiles: [Option<f64>; 3]| percentiles.map(Option::unwrap_or_default);
            let (ttft, tpot) = (known(at(&latencies.ttft)), known(at(&latencies.tpot)));
            Load { rate: rate.value, ttft, tpot }
        })
        .collect();
    report.warnings.splice(0..0, capacity.warnings.iter().cloned());
    report
}

/// A week of a fleet that follows its load, in words.
fn autoscaling(scaling: &Autoscaling) -> String {
    let ends = (scaling.replicas.iter().min(), scaling.replicas.iter().max());
    format!(
        "{} to {} replicas, {} replica-hours instead of {}; {:.0} % of them idle on average",
        ends.0.unwrap_or(&0),
        ends.1.unwrap_or(&0),
        text::count(scaling.replica_hours.round()),
        text::count(scaling.fixed_replica_hours),
        100.0 * scaling.idle,
    )
}

/// The fleet in words.
fn fleet(capacity: &Capacity) -> String {
    let Found { fleet, interval, .. } = &capacity.found;
    let (needed, spare) = (fleet.needed, fleet.replicas - fleet.needed);
    let least = interval.fleet.1.devices;
    let devices = match interval.fleet.0.map(|fleet| fleet.devices) {
        None => format!("{least} devices to no bound"),
        Some(1) => "1 device".to_owned(),
        Some(most) if most == least => format!("{most} devices"),
        Some(most) => format!("{least} to {most} devices"),
    };
    format!(
        "{needed} {} for the peak with {:.0} % of the highest rate unused, and {spare} spare; \
         {devices} (80 % interval: {} is off by up to x{:.2})",
        if needed == 1 { "replica" } else { "replicas" },
        100.0 * fleet.headroom,
        capacity.found.highest.limit.name(),
        interval.factor,
    )
}

/// The stable snapshot: the keys of an estimate's `inference`, with percentiles.
pub fn json(report: &Report, capacity: &Capacity) -> Value {
    let mut value = super::json::estimate(report);
    let interval = &capacity.found.interval;
    let (slow, fast) = interval.rate;
    let fleets = (interval.fleet.1, interval.fleet.0);
    let path = |figure: Id| Key::from(figure).path();
    if let Some(root) = value.as_object_mut() {
        root.insert("schema".to_owned(), json!("flopcast.capacity/1"));
        root.insert(
            "intervals".to_owned(),
            json!({
                path(Id::MaxRate): {"p10": slow.map(|rate| rate.value), "p90": fast.value},
                path(Id::FleetReplicas):
                    {"p10": fleets.0.replicas, "p90": fleets.1.map(|fleet| fleet.replicas)},
                path(Id::FleetDevices):
                    {"p10": fleets.0.devices, "p90": fleets.1.map(|fleet| fleet.devices)},
            }),
        );
    }
    value
}

/// Aligned text for a terminal.
pub fn table(report: &Report, capacity: &Capacity) -> String {
    let answer = wrap(&answer::sentences(report), 78).join("\n");
    let fits = memory::table(capacity);
    let mut out = format!("{}\n\n{answer}\n\n{fits}{}\n", report.name, title(capacity));
    let mut builder = Builder::default();
    for mut row in rows(capacity) {
        row[0].insert_str(0, "  ");
        builder.push_record(row);
    }
    let mut table = builder.build();
    table
        .with(Style::empty())
        .with(Padding::new(0, 2, 0, 0))
        .modify(Columns::new(1..), Alignment::right());
    for line in table.to_string().lines() {
        let _ = writeln!(out, "{}", line.trim_end());
    }
    for (label, shown) in facts(report) {
        let _ = writeln!(out, "  {}", wrap(&format!("{label}: {shown}"), 76).join("\n    "));
    }
    table::body(report, &mut out);
    out
}

/// Tables for a document.
pub fn markdown(report: &Report, capacity: &Capacity) -> String {
    let whole = super::markdown::estimate(report);
    let (answer, rest) = whole.split_once("\n## ").unwrap_or((&whole, ""));
    let fits = memory::markdown(capacity);
    let mut out = format!("{answer}{fits}\n## {}\n", title(capacity));
    for (i, row) in rows(capacity).into_iter().enumerate() {
        let _ = write!(out, "\n| {} |", row.join(" | "));
        if i == 0 {
            let _ = write!(out, "\n|---|--:|--:|--:|--:|--:|--:|");
        }
    }
    out.push('\n');
    for (label, shown) in facts(report) {
        let _ = write!(out, "\n- {label}: {shown}");
    }
    out + "\n\n## " + rest
}

/// What is said about the service in words.
fn facts(report: &Report) -> impl Iterator<Item = (&str, &str)> {
    let service = report.facts_of(Section::Simulated);
    service.filter_map(|fact| Some((fact.declared.label, fact.value.as_str()?)))
}

fn title(capacity: &Capacity) -> String {
    format!("Latency at the peak, {} per replica", text::show(capacity.found.planned_rate))
}

/// All requests, then each class where there are several.
fn groups(capacity: &Capacity) -> Vec<(Option<&str>, ClassReport)> {
    let all = (None, capacity.found.planned.all());
    let classes = capacity.objective.classes.iter().zip(&capacity.found.planned.classes);
    std::iter::once(all).chain(classes.map(|(n, it)| (Some(n.as_str()), it.clone()))).collect()
}

/// Latencies by percentile, and what is promised.
fn rows(capacity: &Capacity) -> Vec<[String; 7]> {
    let heading = ["", "mean", "P50", "P90", "P95", "P99", "promised"];
    let mut rows = vec![heading.map(str::to_owned)];
    let shown = |seconds: Option<f64>| {
        seconds.map_or("-".to_owned(), |seconds| text::show(Time::from_stored(seconds)))
    };
    for (class, (name, latencies)) in (0..).zip(groups(capacity)) {
        if let Some(name) = name {
            let blank = String::new;
            let title = format!("{name}:");
            rows.push([title, blank(), blank(), blank(), blank(), blank(), blank()]);
        }
        let class = name.map(|_| class - 1);
        // The first answer of a network is all of it.
        let generates = matches!(capacity.engaged, Engaged::Engine(..));
        let keys: &[_] = if generates { &[] } else { &["ttft_ms", "tpot_ms"] };
        for (key, label, histogram) in latencies.each() {
            if keys.contains(&key) {
                continue;
            }
            let at = |share: f64| shown(histogram.quantile(share));
            let promises = capacity.objective.promises.iter();
            let bounds: Vec<String> = promises
                .filter(|it| it.class == class && key == format!("{}_ms", it.latency.key()))
                .map(|it| format!("P{:.0} {}", 100.0 * it.percentile, text::show(it.bound)))
                .collect();
            let mean = shown(histogram.mean());
            let label = label.to_owned();
            rows.push([label, mean, at(0.5), at(0.9), at(0.95), at(0.99), bounds.join(", ")]);
        }
    }
    rows
}
