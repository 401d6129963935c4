//! Simulated requests one by one, as CSV.

use std::fmt::Write as _;

use flopcast_core::serving::simulator::Record;

/// One line per request in the order of answers; times in seconds from the start of the run,
/// latencies in milliseconds. `tpot_ms` is empty where there is one output token.
pub fn csv(records: &[Record], classes: &[String]) -> String {
    let mut out = String::from(
        "id,class,arrival_s,input_tokens,output_tokens,cached_tokens,queueing_ms,ttft_ms,tpot_ms,\
         e2e_ms,preemptions\n",
    );
    for record in records {
        let asked = &record.arrival;
        let class = classes.get(usize::from(asked.class)).map_or("", String::as_str);
        let since = |time: flopcast_core::quantity::Time| 1e3 * (time - asked.at).value;
        let gaps = f64::from(asked.output.max(1) - 1);
        let decoding = 1e3 * (record.finished - record.first_token).value;
        let tpot = if gaps > 0.0 { format!("{:.3}", decoding / gaps) } else { String::new() };
        let _ = writeln!(
            out,
            "{},{class},{:.6},{},{},{},{:.3},{:.3},{tpot},{:.3},{}",
            record.id,
            asked.at.value,
            asked.input,
            asked.output,
            asked.cached,
            since(record.scheduled),
            since(record.first_token),
            since(record.finished),
            record.preemptions,
        );
    }
    out
}
