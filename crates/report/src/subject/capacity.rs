//! A sized service: latencies beside their bounds, the reason for the size of the fleet, then the
//! forecast of that fleet.

use flopcast_core::estimate::plan::Scenario;
use flopcast_core::estimate::{Id, Key};
use flopcast_core::quantity::{Measure, Time, text};
use flopcast_core::serving::capacity::Autoscaling;
use flopcast_core::serving::simulator::{ClassReport, Histogram};
use flopcast_study::capacity::{Capacity, Engaged, Found};
use serde_json::{Value, json};

use super::{estimate, first_screen};
use crate::doc::{Block, Cell, Column, Doc, Grid, Subject};
use crate::fact::{self, Fact};
use crate::{Load, Report};

/// The report of the fleet's forecast, with the simulated percentiles among its figures.
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
    report.service = service(capacity);
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
        None => {
            let p80 = interval.within_error.as_ref().and_then(|it| it.p80);
            let p80 =
                p80.map_or("no number at P80".to_owned(), |it| format!("{} at P80", it.devices));
            format!("{least} devices at P10, {} at P50, {p80}", fleet.devices)
        }
        Some(1) => "1 device".to_owned(),
        Some(most) if most == least => format!("{most} devices"),
        Some(most) => format!("{least} to {most} devices"),
    };
    format!(
        "{needed} {} for the peak with {:.0} % of the highest rate unused, and {spare} spare; \
         {devices} (80 % interval: {} is off by up to x{:.2}{})",
        if needed == 1 { "replica" } else { "replicas" },
        100.0 * fleet.headroom,
        capacity.found.highest.limit.name(),
        interval.factor,
        interval.regime.map_or(String::new(), |regime| format!("; {regime}")),
    )
}

/// The stable snapshot: the keys of an estimate's `inference`, with percentiles.
fn value(report: &Report, capacity: &Capacity) -> Value {
    let mut value = crate::json::estimate(report);
    let interval = &capacity.found.interval;
    let (slow, fast) = interval.rate;
    let fleets = (interval.fleet.1, interval.fleet.0);
    let path = |figure: Id| Key::from(figure).path();
    let within = interval.within_error.as_ref();
    let p80 = within.and_then(|it| it.p80).map(|fleet| fleet.devices);
    if let Some(root) = value.as_object_mut() {
        root.insert("schema".to_owned(), json!(SCHEMA));
        root.insert(
            "intervals".to_owned(),
            json!({
                path(Id::MaxRate): {"p10": slow.map(|rate| rate.value), "p90": fast.value},
                path(Id::FleetReplicas):
                    {"p10": fleets.0.replicas, "p90": fleets.1.map(|fleet| fleet.replicas)},
                path(Id::FleetDevices):
                    {"p10": fleets.0.devices, "p50": capacity.found.fleet.devices, "p80": p80,
                     "p90": fleets.1.map(|fleet| fleet.devices)},
            }),
        );
    }
    value
}

/// Services that are sized, each by its own SLO, with their forecast together.
#[derive(Clone, Debug)]
pub struct Services(pub Report);

impl Subject for Services {
    fn doc(&self) -> Doc {
        let rows = estimate::rows(std::slice::from_ref(&self.0));
        Doc { rows: Some(rows), ..estimate::document(&self.0) }
    }

    fn first_screen(&self) -> Option<Doc> {
        Some(first_screen::document(&self.0))
    }

    fn json(&self) -> Option<Value> {
        let mut value = crate::json::estimate(&self.0);
        value["schema"] = json!(SCHEMA);
        Some(value)
    }

    fn forecasts(&self) -> Option<&[Report]> {
        Some(std::slice::from_ref(&self.0))
    }
}

/// The schema of a sized service.
const SCHEMA: &str = "flopcast.capacity/1";

/// A sized service with the forecast of its fleet.
#[derive(Clone, Debug)]
pub struct Service<'a> {
    /// The forecast.
    pub report: Report,
    /// The basis of the answer.
    pub capacity: &'a Capacity,
}

impl Subject for Service<'_> {
    fn doc(&self) -> Doc {
        let rows = estimate::rows(std::slice::from_ref(&self.report));
        Doc { rows: Some(rows), ..estimate::document(&self.report) }
    }

    fn first_screen(&self) -> Option<Doc> {
        let latencies = latencies(self.capacity);
        Some(first_screen::of_fleet(&self.report, title(self.capacity), latencies))
    }

    fn json(&self) -> Option<Value> {
        Some(value(&self.report, self.capacity))
    }

    fn forecasts(&self) -> Option<&[Report]> {
        Some(std::slice::from_ref(&self.report))
    }
}

/// The largest load, and latencies beside their bounds.
fn service(capacity: &Capacity) -> Vec<Block> {
    let mut doc = Doc::default();
    doc.section("What fits, weights and KV cache of an engine", memory(capacity));
    doc.section(title(capacity), latencies(capacity));
    doc.blocks
}

/// The heading over the latencies: the rate at which they were simulated.
fn title(capacity: &Capacity) -> String {
    let service = capacity.estimate.inference.as_ref();
    let job = service.and_then(|it| it.years.first()).is_some_and(|it| it.job.is_some());
    let when = if job { "while the job runs" } else { "at the peak" };
    format!("Latency {when}, {} per replica", text::show(capacity.found.planned_rate))
}

/// All requests, then each class where there are several.
fn groups(capacity: &Capacity) -> Vec<(Option<&str>, ClassReport)> {
    let all = (None, capacity.found.planned.all());
    let classes = capacity.objective.classes.iter().zip(&capacity.found.planned.classes);
    std::iter::once(all).chain(classes.map(|(n, it)| (Some(n.as_str()), it.clone()))).collect()
}

/// Latencies by percentile beside their bounds, for all requests and by class.
fn latencies(capacity: &Capacity) -> Grid {
    let numbers = ["mean", "P50", "P90", "P95", "P99", "SLO"].map(Column::numbers);
    let mut grid = Grid::new([Column::prose("")].into_iter().chain(numbers));
    let shown = |seconds: Option<f64>| {
        seconds.map_or(Cell::Gap, |seconds| Cell::quantity(Time::from_stored(seconds)))
    };
    for (class, (name, latencies)) in (0..).zip(groups(capacity)) {
        if let Some(name) = name {
            let blanks = (0..6).map(|_| Cell::Blank);
            grid.push([Cell::text(format!("{name}:"))].into_iter().chain(blanks));
        }
        let class = name.map(|_| class - 1);
        // The first answer of a network is all of it.
        let generates = matches!(capacity.engaged, Engaged::Engine(..));
        let keys: &[_] = if generates { &[] } else { &["ttft_ms", "tpot_ms"] };
        for (key, label, histogram) in latencies.each() {
            if keys.contains(&key) {
                continue;
            }
            let at = [0.5, 0.9, 0.95, 0.99].map(|share| shown(histogram.quantile(share)));
            let slos = capacity.objective.slos.iter();
            let bounds: Vec<String> = slos
                .filter(|it| it.class == class && key == format!("{}_ms", it.latency.key()))
                .map(|it| format!("P{:.0} {}", 100.0 * it.percentile, text::show(it.bound)))
                .collect();
            let head = [Cell::text(label), shown(histogram.mean())];
            grid.push(head.into_iter().chain(at).chain([Cell::text(bounds.join(", "))]));
        }
    }
    grid
}

/// The memory of one engine: weights, cache, and the need of its load; empty for networks without a
/// cache.
fn memory(capacity: &Capacity) -> Grid {
    let columns = [Column::words("what"), Column::numbers("how much")];
    let mut grid = Grid::new(columns.map(|column| column.headed("")));
    let Engaged::Engine(_, memory) = &capacity.engaged else { return grid };
    let used = capacity.found.planned.answering();
    let share = |part: f64| format!("{:.0} %", 100.0 * part);
    let length = memory.tokens.value / memory.sequences;
    let mut row = |label: &str, cell: Cell| grid.push([label.into(), cell]);
    row("memory of its devices for both", Cell::quantity(memory.weights + memory.cache));
    row("weights", Cell::quantity(memory.weights));
    row("KV cache", Cell::quantity(memory.cache));
    row("  in tokens", Cell::counted(memory.tokens.value.floor()));
    let requests = format!("  in requests of {} tokens", text::count(length.round()));
    row(&requests, Cell::counted(memory.sequences.floor()));
    let kv = format!("{}, {}", share(used.kv.0), share(used.kv.1));
    row("  used at the peak, mean and most", Cell::text(kv));
    if let Some(inference) = &capacity.estimate.inference {
        let most = inference.limits.max_concurrency.value().stored();
        row("requests at once, most", Cell::counted(most.floor()));
    }
    grid
}
