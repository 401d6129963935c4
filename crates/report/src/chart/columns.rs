//! Stacked columns over time.

use super::{Anchor, Frame, Picture, WIDTH, series};

/// Amounts by moment and series.
#[derive(Clone, Debug)]
pub struct Columns {
    /// The title.
    pub title: String,
    /// The series, from the bottom up.
    pub series: Vec<String>,
    /// Each column: its label and, per series, an amount of zero or more.
    pub columns: Vec<(String, Vec<f64>)>,
}

/// The width of a letter of a label.
const LETTER: f64 = 7.0;
const HEIGHT: f64 = 230.0;
const FRAME: Frame = Frame { left: 62.0, right: WIDTH, top: 34.0, floor: HEIGHT - 24.0 };

/// The picture, with a key where there are several series.
pub fn columns(data: &Columns, show: &dyn Fn(f64) -> String) -> String {
    let mut picture = Picture::new(HEIGHT);
    let sums = data.columns.iter().map(|(_, parts)| parts.iter().sum::<f64>());
    let axis = picture.scale(FRAME, sums.clone().fold(0.0, f64::max), show);
    let used = |number: &usize| data.columns.iter().any(|(_, parts)| parts[*number] > 0.0);
    let used: Vec<usize> = (0..data.series.len()).filter(used).collect();
    picture.key(12.0, used.iter().map(|number| (*number, data.series[*number].as_str())));
    let step = (FRAME.right - FRAME.left) / data.columns.len().max(1) as f64;
    let width = (0.62 * step).min(64.0);
    // Where labels would touch, every n-th is shown.
    let longest = data.columns.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(1);
    let every = ((LETTER * longest as f64 + 14.0) / step).ceil().max(1.0) as usize;
    let mut words = Vec::new();
    for (index, ((label, parts), sum)) in data.columns.iter().zip(sums).enumerate() {
        let middle = FRAME.left + step * (index as f64 + 0.5);
        let mut below = 0.0;
        for (number, (part, name)) in parts.iter().zip(&data.series).enumerate() {
            let (top, bottom) = (axis.down(below + part), axis.down(below));
            let place = [middle - width / 2.0, top, width, bottom - top];
            picture.rect(place, &series(number), &format!("{label}, {name}: {}", show(*part)));
            below += part;
        }
        // One that would run out of the picture is left out, as those between are.
        let ends = middle + LETTER / 2.0 * label.chars().count() as f64;
        if index % every == 0 && (every == 1 || ends <= WIDTH) {
            picture.text(middle, HEIGHT - 6.0, Anchor::Middle, "quiet", label);
        }
        words.push(format!("{label}: {}", show(sum)));
    }
    picture.path(&format!("M{} {:.1}H{}", FRAME.left, FRAME.floor, FRAME.right), "axis");
    picture.finish(&data.title, &words.join("; "))
}
