//! Points by two figures, less of both being better, with the Pareto front.

use std::fmt::Write as _;

use super::{Anchor, Frame, Picture, WIDTH, series};
use crate::render::svg::escape;
use crate::text::cut;

/// One choice, placed by its two figures.
#[derive(Clone, Debug)]
pub struct Point {
    /// Its name.
    pub name: String,
    /// The figure along the horizontal axis.
    pub across: f64,
    /// The figure along the vertical axis.
    pub up: f64,
}

/// A chart of points.
#[derive(Clone, Debug)]
pub struct Points<'a> {
    /// The choices.
    pub points: &'a [Point],
    /// The label of the horizontal figure.
    pub across: &'a str,
    /// The label of the vertical figure.
    pub up: &'a str,
}

const HEIGHT: f64 = 280.0;
const FRAME: Frame = Frame { left: 62.0, right: WIDTH - 14.0, top: 34.0, floor: HEIGHT - 42.0 };

impl Points<'_> {
    /// True if no other choice is at least as good in both figures and better in one.
    fn on_front(&self, point: &Point) -> bool {
        !self.points.iter().any(|other| {
            other.across <= point.across
                && other.up <= point.up
                && (other.across < point.across || other.up < point.up)
        })
    }
}

/// The picture; points on the front are filled and joined.
pub fn points(
    data: &Points<'_>,
    show_across: &dyn Fn(f64) -> String,
    show_up: &dyn Fn(f64) -> String,
) -> String {
    let mut picture = Picture::new(HEIGHT);
    let most = |pick: fn(&Point) -> f64| data.points.iter().map(pick).fold(0.0, f64::max);
    let axis = picture.scale(FRAME, most(|point| point.up), show_up);
    let far = super::round_up(most(|point| point.across));
    let along = |value: f64| FRAME.left + value / far * (FRAME.right - FRAME.left);
    for (share, anchor) in [(0.0, Anchor::Start), (0.5, Anchor::Middle), (1.0, Anchor::End)] {
        let label = show_across(far * share);
        picture.text(along(far * share), FRAME.floor + 17.0, anchor, "quiet", &label);
    }
    picture.text(0.0, 12.0, Anchor::Start, "quiet", &format!("{}, less is better", data.up));
    let middle = f64::midpoint(FRAME.left, FRAME.right);
    picture.text(middle, HEIGHT - 6.0, Anchor::Middle, "quiet", data.across);
    picture.path(&format!("M{} {:.1}H{}", FRAME.left, FRAME.floor, FRAME.right), "axis");
    let mut front: Vec<&Point> = data.points.iter().filter(|point| data.on_front(point)).collect();
    front.sort_by(|a, b| a.across.total_cmp(&b.across));
    let mut path = String::new();
    for point in &front {
        let letter = if path.is_empty() { 'M' } else { 'L' };
        let _ = write!(path, "{letter}{:.1} {:.1}", along(point.across), axis.down(point.up));
    }
    picture.path(&path, "front");
    let mut words = Vec::new();
    for (index, point) in data.points.iter().enumerate() {
        let (x, y) = (along(point.across), axis.down(point.up));
        let tip = format!("{}: {}, {}", point.name, show_across(point.across), show_up(point.up));
        let _ = write!(
            picture.body,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\" class=\"{}\"><title>{}</title></circle>",
            series(index),
            escape(&tip)
        );
        let (x, anchor) =
            if x > middle { (x - 9.0, Anchor::End) } else { (x + 9.0, Anchor::Start) };
        // Neighbours are named above and below in turn.
        let y = if index % 2 == 0 { y - 8.0 } else { y + 16.0 };
        picture.text(x, y, anchor, "quiet", &cut(&point.name, 30));
        words.push(tip);
    }
    picture.finish(&format!("{} against {}", data.up, data.across), &words.join("; "))
}
