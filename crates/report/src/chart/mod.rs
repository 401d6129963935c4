//! Pictures of a report as inline SVG: bars, columns, lines and points.
//!
//! Colours are classes that the page's style sheet fills, so one picture serves light, dark and
//! paper. A picture is narrow, so that its text stays legible on a phone, and names itself for
//! readers who do not see it.

mod bars;
mod columns;
mod lines;
mod points;

use std::fmt::Write as _;

use crate::render::svg::escape;

pub use bars::{Bar, bars, tornado};
pub use columns::{Columns, columns};
pub use lines::{Lines, lines};
pub use points::{Point, Points, points};

/// The colours of a picture, as a style sheet; the page and a picture of its own share it.
pub const STYLE: &str = include_str!("chart.css");

/// Width of every picture, in its own units.
const WIDTH: f64 = 440.0;

/// A picture in the making: its height, and the elements so far.
struct Picture {
    height: f64,
    body: String,
}

/// The anchor of a text.
#[derive(Clone, Copy)]
enum Anchor {
    Start,
    Middle,
    End,
}

impl Picture {
    /// An empty picture of this height.
    fn new(height: f64) -> Self {
        Self { height, body: String::new() }
    }

    /// A text at a place, anchored there by its start, middle or end.
    fn text(&mut self, x: f64, y: f64, anchor: Anchor, class: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let class = attribute("class", class);
        let _ = write!(
            self.body,
            "<text x=\"{x:.1}\" y=\"{y:.1}\"{anchor}{class}>{}</text>",
            escape(text)
        );
    }

    /// A filled rectangle; `tip` is read when it is pointed at.
    fn rect(&mut self, [x, y, width, height]: [f64; 4], class: &str, tip: &str) {
        let tip = match tip {
            "" => String::new(),
            tip => format!("<title>{}</title>", escape(tip)),
        };
        let _ = write!(
            self.body,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{height:.1}\" \
             class=\"{class}\">{tip}</rect>",
            width.max(0.0)
        );
    }

    /// A path of SVG commands in the style of a class.
    fn path(&mut self, path: &str, class: &str) {
        let _ = write!(self.body, "<path d=\"{path}\" class=\"{class}\"/>");
    }

    /// A key of coloured squares in one line, from the left: number and name of each series.
    fn key<'a>(&mut self, y: f64, names: impl Iterator<Item = (usize, &'a str)>) {
        let mut x = 0.0;
        for (index, name) in names {
            self.rect([x, y - 10.0, 10.0, 10.0], &series(index), "");
            self.text(x + 15.0, y, Anchor::Start, "quiet", name);
            x += 32.0 + 7.0 * name.chars().count() as f64;
        }
    }

    /// Horizontal lines at round values with their labels on the left; returns how a value
    /// becomes a height.
    fn scale(&mut self, frame: Frame, high: f64, show: &dyn Fn(f64) -> String) -> Axis {
        let axis = Axis { low: 0.0, high: round_up(high), frame };
        for step in 0..=4 {
            let value = axis.high * f64::from(step) / 4.0;
            let y = axis.down(value);
            self.path(&format!("M{:.1} {y:.1}H{:.1}", frame.left, frame.right), "grid");
            self.text(frame.left - 6.0, y + 4.0, Anchor::End, "quiet", &show(value));
        }
        axis
    }

    /// The picture with its title and a description in words.
    fn finish(self, title: &str, description: &str) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {:.0}\" role=\"img\" \
             class=\"chart\"><title>{}</title><desc>{}</desc>{}</svg>",
            self.height,
            escape(title),
            escape(description),
            self.body
        )
    }
}

/// The part of a picture that the data fill.
#[derive(Clone, Copy)]
struct Frame {
    left: f64,
    right: f64,
    top: f64,
    floor: f64,
}

/// The vertical axis.
#[derive(Clone, Copy)]
struct Axis {
    low: f64,
    high: f64,
    frame: Frame,
}

impl Axis {
    /// The height of a value, from the top of the picture.
    fn down(&self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low);
        self.frame.floor - share * (self.frame.floor - self.frame.top)
    }
}

/// The picture as a file of its own, on paper that follows the reader's theme.
pub fn standalone(picture: &str) -> String {
    let head = format!("<style>{STYLE}svg{{background:var(--paper)}}</style><title>");
    format!("{}\n", picture.replacen("<title>", &head, 1))
}

/// The least of 1, 2, 2.5, 4, 5, 8, 10 x 10^n that is not below the value.
fn round_up(value: f64) -> f64 {
    if value <= 0.0 || !value.is_finite() {
        return 1.0;
    }
    let unit = 10f64.powf(value.log10().floor());
    let steps = [1.0, 1.2, 1.6, 2.0, 2.4, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    let enough = |step: &&f64| **step * unit >= value * (1.0 - 1e-12);
    steps.iter().find(enough).unwrap_or(&10.0) * unit
}

/// The class of the n-th series; colours repeat after six.
fn series(index: usize) -> String {
    format!("s{}", index % 6 + 1)
}

/// An attribute, or nothing for an empty value.
fn attribute(name: &str, value: &str) -> String {
    if value.is_empty() { String::new() } else { format!(" {name}=\"{value}\"") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_values() {
        for (value, end) in [(0.93, 1.0), (1.01, 1.2), (17.0, 20.0), (4321.0, 5000.0), (8.0, 8.0)] {
            assert!((round_up(value) - end).abs() < 1e-9 * end, "{value}");
        }
    }

    #[test]
    fn a_hostile_name_stays_text() {
        let [name, shown] = ["<script>&\"", "1 USD"].map(str::to_owned);
        let picture = bars("t", &[Bar { name, value: 1.0, shown }]);
        assert!(!picture.contains("<script"), "{picture}");
        assert!(picture.contains("&lt;script&gt;&amp;&quot;"));
    }
}
