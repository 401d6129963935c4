//! Horizontal bars: shares of a whole, and what moves a figure.

use std::fmt::Write as _;

use flopcast_study::uncertainty::{Interval, Swing};

use super::{Anchor, Picture, WIDTH, series};
use crate::text::cut;

/// One amount among others.
#[derive(Clone, Debug)]
pub struct Bar {
    /// The label.
    pub name: String,
    /// How much, zero or more.
    pub value: f64,
    /// The amount as text.
    pub shown: String,
}

/// The height of a row, and of a second line of text.
const ROW: f64 = 38.0;
const LINE: f64 = 16.0;
/// Letters of a line.
const LETTERS: usize = 58;

/// A row per amount, the largest first.
pub fn bars(title: &str, parts: &[Bar]) -> String {
    let mut order: Vec<&Bar> = parts.iter().collect();
    order.sort_by(|a, b| b.value.total_cmp(&a.value));
    let most = order.first().map_or(0.0, |part| part.value).max(f64::MIN_POSITIVE);
    let mut picture = Picture::new(ROW * order.len() as f64);
    let mut words = Vec::new();
    for (row, part) in order.iter().enumerate() {
        let y = ROW * row as f64;
        picture.text(0.0, y + 14.0, Anchor::Start, "", &cut(&part.name, 38));
        picture.text(WIDTH, y + 14.0, Anchor::End, "strong", &part.shown);
        picture.rect([0.0, y + 20.0, WIDTH, 9.0], "track", "");
        let tip = format!("{}: {}", part.name, part.shown);
        picture.rect([0.0, y + 20.0, WIDTH * part.value / most, 9.0], &series(0), &tip);
        words.push(tip);
    }
    picture.finish(title, &words.join("; "))
}

/// A row per factor: the figure with that factor at its P10 and P90 and all others as they are.
pub fn tornado(interval: &Interval, show: &dyn Fn(f64) -> String) -> String {
    const ROWS: usize = 8;
    let swings = &interval.swings[..interval.swings.len().min(ROWS)];
    let ends = swings.iter().flat_map(|swing| [swing.low, swing.high]);
    let low = ends.clone().fold(f64::INFINITY, f64::min);
    let high = ends.fold(f64::NEG_INFINITY, f64::max);
    let across = |value: f64| WIDTH * (value - low) / (high - low).max(f64::MIN_POSITIVE);
    let median = interval.values[2].clamp(low, high);
    let amount = |swing: &Swing| format!("{} … {}", show(swing.low), show(swing.high));
    // A name that leaves no room for its amount has a line of its own.
    let lines = |swing: &Swing| {
        let letters = swing.factor.chars().count() + amount(swing).chars().count();
        if letters > LETTERS { LINE } else { 0.0 }
    };
    let floor: f64 = swings.iter().map(|swing| ROW + lines(swing)).sum();
    let mut picture = Picture::new(floor + 18.0);
    let mut words = Vec::new();
    // The median is marked across each bar, so that it strikes out no words.
    let (x, mut marks, mut y) = (across(median), String::new(), 0.0);
    for swing in swings {
        let amount = amount(swing);
        picture.text(0.0, y + 14.0, Anchor::Start, "", &cut(&swing.factor, LETTERS));
        y += lines(swing);
        picture.text(WIDTH, y + 14.0, Anchor::End, "quiet", &amount);
        picture.rect([0.0, y + 20.0, WIDTH, 9.0], "track", "");
        let tip = format!("{}: {amount}", swing.factor);
        // Orange raises the figure with the factor, blue lowers it.
        let (from, to) = (across(swing.low), across(swing.high));
        let class = series(usize::from(to >= from));
        picture.rect([from.min(to), y + 20.0, (to - from).abs().max(1.5), 9.0], &class, &tip);
        words.push(tip);
        let _ = write!(marks, "M{x:.1} {:.1}v15", y + 17.0);
        y += ROW;
    }
    picture.path(&marks, "axis");
    let anchor = match x / WIDTH {
        share if share < 0.2 => Anchor::Start,
        share if share > 0.8 => Anchor::End,
        _ => Anchor::Middle,
    };
    picture.text(x, floor + 12.0, anchor, "quiet", &format!("P50 {}", show(median)));
    picture.finish(&format!("What moves {}", interval.path()), &words.join("; "))
}
