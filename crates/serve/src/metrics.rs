//! Counts of what was asked, in the text form that Prometheus reads.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A figure of a forecast, or what it was in fact.
#[derive(Clone, Debug, PartialEq)]
pub struct Gauge {
    /// True for what was measured, false for a forecast.
    pub actual: bool,
    /// The scenario.
    pub scenario: String,
    /// The figure's path in the JSON of an estimate, which names the unit.
    pub figure: String,
    /// Its value.
    pub value: f64,
}

/// Numbers of questions by name and outcome, with their seconds.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    answered: Mutex<BTreeMap<(&'static str, &'static str), (u64, f64)>>,
}

impl Metrics {
    /// Counts an answer or a refusal.
    pub(crate) fn answered(&self, question: &'static str, outcome: &'static str, took: Duration) {
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, seconds) = answered.entry((question, outcome)).or_default();
        *count += 1;
        *seconds += took.as_secs_f64();
    }

    /// The text; `load` is what waits and what is being answered.
    pub(crate) fn text(&self, load: (usize, usize), gauges: &[Gauge]) -> String {
        let mut text = String::new();
        let mut family = |name: &str, kind: &str, says: &str, rows: Vec<(String, String)>| {
            let _ = writeln!(text, "# HELP {name} {says}\n# TYPE {name} {kind}");
            for (labels, value) in rows {
                let _ = writeln!(text, "{name}{labels} {value}");
            }
        };
        let answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let rows = |value: fn(&(u64, f64)) -> String| {
            let label = |(question, outcome): &(&str, &str)| {
                format!("{{question=\"{question}\",outcome=\"{outcome}\"}}")
            };
            answered.iter().map(|(of, it)| (label(of), value(it))).collect::<Vec<_>>()
        };
        family(
            "flopcast_questions_total",
            "counter",
            "Questions by outcome: ok, or the kind of the refusal.",
            rows(|(count, _)| count.to_string()),
        );
        family(
            "flopcast_question_seconds_total",
            "counter",
            "Seconds from question to answer, waiting included.",
            rows(|(_, seconds)| seconds.to_string()),
        );
        let one = |count: usize| vec![(String::new(), count.to_string())];
        family("flopcast_questions_waiting", "gauge", "Questions that wait.", one(load.0));
        family("flopcast_questions_running", "gauge", "Questions being answered.", one(load.1));
        let of = |actual: bool| {
            let row = |it: &Gauge| {
                let [scenario, figure] = [&it.scenario, &it.figure].map(|text| escaped(text));
                let labels = format!("{{scenario=\"{scenario}\",figure=\"{figure}\"}}");
                (labels, it.value.to_string())
            };
            gauges.iter().filter(|it| it.actual == actual).map(row).collect::<Vec<_>>()
        };
        if !gauges.is_empty() {
            family("flopcast_forecast", "gauge", "Figures of tracked scenarios.", of(false));
            family("flopcast_actual", "gauge", "The same as they were in fact.", of(true));
        }
        text
    }
}

/// The value of a label.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
