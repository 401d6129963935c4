//! The JSON snapshot: stable keys, units in the key, `null` for a figure that is unknown.
//!
//! The schema `flopcast.estimate/1` only grows: a key keeps its meaning and its unit. `compare`,
//! policies and portfolios read snapshots of earlier versions.

use flopcast_core::estimate::Key;
use flopcast_core::estimate::plan::UsualSpread;
use flopcast_core::provenance::Step;
use flopcast_study::uncertainty::{Interval, PERCENTILES};
use serde_json::{Map, Value, json};

use super::{Report, carbon, currency, ledger};

/// The report as `flopcast.estimate/1`.
pub fn estimate(report: &Report) -> Value {
    let mut root = Map::new();
    root.insert("schema".to_owned(), json!("flopcast.estimate/1"));
    root.insert("scenario".to_owned(), json!(report.name));
    let dates: Map<_, _> = report.dates.iter().map(|(k, v)| (k.clone(), json!(v))).collect();
    root.insert("catalog".to_owned(), Value::Object(dates));
    for figure in &report.figures {
        let keys: Vec<&str> = figure.path.split('.').collect();
        insert(&mut root, &keys, json!(figure.value()));
    }
    for fact in &report.facts {
        let keys: Vec<&str> = fact.declared.path.split('.').collect();
        insert(&mut root, &keys, fact.value.clone());
    }
    years_as_list(&mut root);
    if !report.commitments.is_empty() {
        let commitments = report.commitments.iter().map(ledger::commitment).collect();
        insert(&mut root, &["inference", "commitments"], commitments);
    }
    if let Some(currency) = currency::json(report) {
        root.insert("currency".to_owned(), currency);
    }
    for (key, rows) in [("ledger", &report.ledger), ("purchases", &report.purchases)] {
        if !rows.is_empty() {
            root.insert(key.to_owned(), rows.iter().map(ledger::json).collect());
        }
    }
    if !report.footprint.is_empty() {
        root.insert("footprint".to_owned(), report.footprint.iter().map(carbon::json).collect());
    }
    let mut intervals = Map::new();
    for (id, short, long) in report.predicted.iter().flat_map(|it| &it.figures) {
        let (low, high) = (short.min(*long), short.max(*long));
        intervals.insert(Key::from(*id).path(), json!({"p10": low, "p90": high}));
    }
    intervals.extend(report.intervals.iter().map(|it| (it.path(), percentiles(it))));
    if !intervals.is_empty() {
        root.insert("intervals".to_owned(), Value::Object(intervals));
    }
    if !report.spreads.is_empty() {
        let spread = |it: &UsualSpread| {
            let [low, high] = it.within;
            json!({"input": it.of, "p10": low, "p90": high, "why": it.why})
        };
        root.insert("spreads".to_owned(), report.spreads.iter().map(spread).collect());
    }
    let assumptions = report
        .assumptions()
        .map(|(path, value, why, source)| {
            json!({"path": path, "value": value, "why": why, "source": source})
        })
        .chain(report.model_assumptions.iter().map(|why| json!({"path": "model", "why": why})));
    root.insert("assumptions".to_owned(), assumptions.collect());
    root.insert("inputs".to_owned(), report.inputs.iter().map(|step| input(step)).collect());
    root.insert("warnings".to_owned(), json!(report.warnings));
    Value::Object(root)
}

/// One report as an object, several as an array.
pub fn estimates(reports: &[Report]) -> String {
    let value = match reports {
        [one] => estimate(one),
        many => many.iter().map(estimate).collect(),
    };
    crate::text::json(&value)
}

/// The percentiles of a range, and the swing of each input.
fn percentiles(interval: &Interval) -> Value {
    let mut map: Map<String, Value> = PERCENTILES
        .iter()
        .zip(interval.values)
        .map(|(percentile, value)| (format!("p{percentile}"), json!(value)))
        .collect();
    let swings: Vec<Value> = interval
        .swings
        .iter()
        .map(|swing| json!({"factor": swing.factor, "at_p10": swing.low, "at_p90": swing.high}))
        .collect();
    map.insert("sensitivity".to_owned(), Value::Array(swings));
    Value::Object(map)
}

/// An input: its value in the stored unit, and why it is so.
fn input(step: &Step) -> Value {
    json!({
        "name": step.name,
        "value": step.value,
        "unit": step.dimension.stored_unit(),
        "shown": step.shown(),
        "basis": step.formula(),
    })
}

/// The derivation of a figure: name, value in the stored unit, formula, inputs.
pub fn derivation(step: &Step) -> Value {
    let inputs: Vec<_> = step.inputs().into_iter().map(|input| derivation(input)).collect();
    json!({
        "name": step.name,
        "value": step.value,
        "unit": step.dimension.stored_unit(),
        "shown": step.shown(),
        "how": step.formula(),
        "inputs": inputs,
    })
}

/// Adds a value under a path of keys.
fn insert(map: &mut Map<String, Value>, keys: &[&str], value: Value) {
    match keys {
        [] => {}
        [key] => {
            map.insert((*key).to_owned(), value);
        }
        [key, rest @ ..] => {
            let inner = map.entry((*key).to_owned()).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

/// `years: {"1": {...}}` becomes `years: [{year: 1, ...}]`, in each part too.
fn years_as_list(root: &mut Map<String, Value>) {
    let parts = root.get_mut("parts").and_then(Value::as_object_mut);
    let parts = parts.into_iter().flat_map(|parts| parts.iter_mut());
    parts.filter_map(|(_, part)| part.as_object_mut()).for_each(years_as_list);
    let Some(years) = root.get_mut("inference").and_then(|i| i.get_mut("years")) else { return };
    if let Value::Object(by_year) = years {
        let list = std::mem::take(by_year).into_iter().map(|(year, figures)| {
            let mut entry = Map::new();
            entry.insert("year".to_owned(), json!(year.parse::<u32>().unwrap_or_default()));
            if let Value::Object(figures) = figures {
                entry.extend(figures);
            }
            Value::Object(entry)
        });
        *years = list.collect();
    }
}
