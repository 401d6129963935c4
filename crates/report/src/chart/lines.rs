//! Lines over a common axis.

use std::fmt::Write as _;

use super::{Anchor, Frame, Picture, WIDTH};

/// Values of several series at the same places.
#[derive(Clone, Debug)]
pub struct Lines {
    /// The title.
    pub title: String,
    /// The label of the horizontal axis, with its unit.
    pub across: String,
    /// The places.
    pub at: Vec<f64>,
    /// Name and values of each series.
    pub series: Vec<(String, Vec<f64>)>,
}

const HEIGHT: f64 = 246.0;
const FRAME: Frame = Frame { left: 62.0, right: WIDTH - 14.0, top: 34.0, floor: HEIGHT - 42.0 };

/// The picture with a key above and the axis named below.
pub fn lines(
    data: &Lines,
    show: &dyn Fn(f64) -> String,
    show_place: &dyn Fn(f64) -> String,
) -> String {
    let mut picture = Picture::new(HEIGHT);
    let values = data.series.iter().flat_map(|(_, values)| values.iter().copied());
    let axis = picture.scale(FRAME, values.fold(0.0, f64::max), show);
    let names = data.series.iter().map(|(name, _)| name.as_str());
    picture.key(12.0, names.enumerate());
    let (low, high) = match (data.at.first(), data.at.last()) {
        (Some(low), Some(high)) if high > low => (*low, *high),
        _ => (0.0, 1.0),
    };
    let along = |at: f64| FRAME.left + (at - low) / (high - low) * (FRAME.right - FRAME.left);
    let mut words = Vec::new();
    for (index, (name, values)) in data.series.iter().enumerate() {
        let mut path = String::new();
        for (at, value) in data.at.iter().zip(values) {
            let letter = if path.is_empty() { 'M' } else { 'L' };
            let _ = write!(path, "{letter}{:.1} {:.1}", along(*at), axis.down(*value));
        }
        picture.path(&path, &format!("l{}", index % 6 + 1));
        let ends = values.first().zip(values.last());
        words.extend(ends.map(|(from, to)| format!("{name}: {} to {}", show(*from), show(*to))));
    }
    for (at, anchor) in
        [(low, Anchor::Start), (f64::midpoint(low, high), Anchor::Middle), (high, Anchor::End)]
    {
        picture.text(along(at), FRAME.floor + 17.0, anchor, "quiet", &show_place(at));
    }
    picture.path(&format!("M{} {:.1}H{}", FRAME.left, FRAME.floor, FRAME.right), "axis");
    let middle = f64::midpoint(FRAME.left, FRAME.right);
    picture.text(middle, HEIGHT - 6.0, Anchor::Middle, "quiet", &data.across);
    picture.finish(&data.title, &words.join("; "))
}
