//! Simulated requests over time, as a picture.

use std::fmt::Write as _;

use flopcast_core::quantity::text::{number, show};
use flopcast_core::quantity::{Measure as _, Time};
use flopcast_core::serving::simulator::Record;

use super::scatter::ticks;
use crate::render::svg::escape;

const WIDTH: f64 = 820.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;
/// Moments at which requests are counted.
const MOMENTS: usize = 400;
/// States of a request from the last to the first, each with its colour.
const STATES: [(&str, &str); 3] =
    [("generating", "#0072b2"), ("reading the prompt", "#56b4e9"), ("waiting", "#d55e00")];

/// How many requests generate, have their prompt read and wait at each moment, one on top of the
/// other. The picture does not grow with the number of requests.
pub fn svg(title: &str, records: &[Record]) -> String {
    let sent = records.iter().map(|it| it.arrival.at.value);
    let (start, end) = (
        sent.clone().fold(f64::INFINITY, f64::min),
        sent.fold(f64::NEG_INFINITY, f64::max).max(0.0),
    );
    let start = start.min(end);
    let span = (end - start).max(f64::MIN_POSITIVE);
    let counts = counts(records, start, span);
    let most = counts.iter().map(|at| at.iter().sum::<u32>()).max().unwrap_or(0).max(1);
    let across =
        |moment: usize| LEFT + (WIDTH - LEFT - RIGHT) * moment as f64 / (MOMENTS - 1) as f64;
    let floor = HEIGHT - BOTTOM;
    let down = |count: f64| floor - (floor - TOP) * count / f64::from(most);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<title>{0}</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"16\">{0}: requests at the peak</text>\n",
        escape(title)
    );
    let mut below = vec![0; MOMENTS];
    for (state, (name, colour)) in STATES.iter().enumerate() {
        let above: Vec<u32> = below.iter().zip(&counts).map(|(b, at)| b + at[state]).collect();
        let edge = |heights: &[u32], moment: usize| {
            format!("{:.1},{:.1}", across(moment), down(f64::from(heights[moment])))
        };
        let up: Vec<String> = (0..MOMENTS).map(|moment| edge(&above, moment)).collect();
        let back: Vec<String> = (0..MOMENTS).rev().map(|moment| edge(&below, moment)).collect();
        let x = LEFT + 170.0 * state as f64;
        let _ = writeln!(
            out,
            "<polygon points=\"{} {}\" fill=\"{colour}\"/>\n\
             <rect x=\"{x}\" y=\"23\" width=\"10\" height=\"10\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"32\">{name}</text>",
            up.join(" "),
            back.join(" "),
            x + 15.0
        );
        below = above;
    }
    let right = WIDTH - RIGHT;
    let _ =
        writeln!(out, "<path d=\"M{LEFT} {TOP}V{floor}H{right}\" fill=\"none\" stroke=\"#444\"/>");
    for count in ticks(0.0, f64::from(most)) {
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 8.0,
            down(count) + 4.0,
            number(count)
        );
    }
    for share in ticks(0.0, 1.0) {
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            LEFT + share * (right - LEFT),
            floor + 18.0,
            show(Time::from_stored(share * span))
        );
    }
    out.push_str("</svg>\n");
    out
}

/// Requests in each of [`STATES`] at each moment.
fn counts(records: &[Record], start: f64, span: f64) -> Vec<[u32; 3]> {
    // What begins and ends at a moment; the sums of these are the counts.
    let mut changes = vec![[0_i64; 3]; MOMENTS + 1];
    let moment = |time: f64| {
        let share = ((time - start) / span).clamp(0.0, 1.1);
        ((share * (MOMENTS - 1) as f64).ceil() as usize).min(MOMENTS)
    };
    for record in records {
        let times = [record.arrival.at, record.scheduled, record.first_token, record.finished]
            .map(|time| moment(time.value));
        for (state, pair) in [2, 1, 0].into_iter().zip(times.windows(2)) {
            changes[pair[0]][state] += 1;
            changes[pair[1]][state] -= 1;
        }
    }
    let mut now = [0_i64; 3];
    changes
        .into_iter()
        .take(MOMENTS)
        .map(|change| {
            for (count, by) in now.iter_mut().zip(change) {
                *count += by;
            }
            now.map(|count| u32::try_from(count).unwrap_or(0))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use flopcast_core::serving::simulator::Arrival;

    #[test]
    fn every_request_is_in_one_state_at_a_time() {
        let at = Time::from_stored;
        let record = |sent: f64| Record {
            id: 0,
            arrival: Arrival { at: at(sent), input: 1, output: 2, cached: 0, class: 0 },
            scheduled: at(sent + 1.0),
            first_token: at(sent + 3.0),
            finished: at(sent + 6.0),
            preemptions: 0,
        };
        let counts = counts(&[record(0.0), record(100.0)], 0.0, 100.0);
        let total = |state: usize| counts.iter().map(|at| at[state]).sum::<u32>();
        // A moment is 100 s / 399; the second request has only just come.
        assert_eq!((total(2), total(1), total(0)), (4 + 1, 8, 12));
        assert!(svg("a & b", &[]).contains("a &amp; b"));
    }
}
