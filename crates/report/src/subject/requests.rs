//! Simulated requests one by one, as CSV.

use flopcast_core::quantity::Time;
use flopcast_core::serving::simulator::Record;

use crate::render::csv::Writer;

/// The columns.
const HEADING: [&str; 11] = [
    "id",
    "class",
    "arrival_s",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "queueing_ms",
    "ttft_ms",
    "tpot_ms",
    "e2e_ms",
    "preemptions",
];

/// One line per request in the order of answers; times in seconds from the start of the run,
/// latencies in milliseconds. `tpot_ms` is empty where there is one output token.
pub fn csv(records: &[Record], classes: &[String]) -> String {
    let mut out = Writer::default();
    out.record(HEADING);
    for record in records {
        let asked = &record.arrival;
        let class = classes.get(usize::from(asked.class)).map_or("", String::as_str);
        let since = |time: Time| format!("{:.3}", 1e3 * (time - asked.at).value);
        let gaps = f64::from(asked.output.max(1) - 1);
        let decoding = 1e3 * (record.finished - record.first_token).value;
        let tpot = if gaps > 0.0 { format!("{:.3}", decoding / gaps) } else { String::new() };
        let counts = [asked.input, asked.output, asked.cached].map(|count| count.to_string());
        let [input, output, cached] = &counts;
        out.record([
            &record.id.to_string(),
            class,
            &format!("{:.6}", asked.at.value),
            input,
            output,
            cached,
            &since(record.scheduled),
            &since(record.first_token),
            &tpot,
            &since(record.finished),
            &record.preemptions.to_string(),
        ]);
    }
    out.text()
}
