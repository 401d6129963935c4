//! Score against cost as a plot: for a terminal and as SVG, with the Pareto front marked.

use std::fmt::Write as _;

use flopcast_core::quantity::text::number;

use crate::render::svg::escape;
use crate::text::visible;

/// A named point.
#[derive(Clone, Debug)]
pub struct Point {
    /// Its name.
    pub name: String,
    /// The place on the axis of cost, which is logarithmic; above zero.
    pub cost: f64,
    /// The place on the axis of score.
    pub score: f64,
    /// True if no other point is better.
    pub on_front: bool,
}

/// A plot.
#[derive(Clone, Debug)]
pub struct Plot<'a> {
    /// The points.
    pub points: &'a [Point],
    /// The name of the cost, with its unit.
    pub cost: &'a str,
    /// The name of the score.
    pub score: &'a str,
    /// A cost as text.
    pub show_cost: fn(f64) -> String,
}

/// Columns and rows of the plot on a terminal.
const COLUMNS: usize = 66;
const ROWS: usize = 10;

/// The range of an axis, with a margin on either side.
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    /// The range of these values.
    fn over(values: impl Iterator<Item = f64> + Clone) -> Self {
        let low = values.clone().fold(f64::INFINITY, f64::min);
        let high = values.fold(f64::NEG_INFINITY, f64::max);
        let margin = if high > low { 0.04 * (high - low) } else { 0.5 };
        Self { low: low - margin, high: high + margin }
    }

    /// The position of a value, 0 to 1 from the low to the high end.
    fn share(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }
}

impl Plot<'_> {
    /// The axes: the logarithm of the cost, and the score.
    fn scales(&self) -> (Scale, Scale) {
        let costs = self.points.iter().map(|point| point.cost.ln());
        (Scale::over(costs), Scale::over(self.points.iter().map(|point| point.score)))
    }

    /// The ends of an axis as text.
    fn ends(&self, points: impl Fn(&Point) -> f64) -> (f64, f64) {
        let low = self.points.iter().map(&points).fold(f64::INFINITY, f64::min);
        (low, self.points.iter().map(&points).fold(f64::NEG_INFINITY, f64::max))
    }
}

/// At most 80 columns: `*` on the front, `o` off it, names where there is room for them.
pub fn lines(plot: &Plot<'_>) -> Vec<String> {
    if plot.points.is_empty() {
        return Vec::new();
    }
    let (x, y) = plot.scales();
    let mut cells = vec![vec![' '; COLUMNS]; ROWS];
    let place = |point: &Point| {
        let column = (x.share(point.cost.ln()) * (COLUMNS - 1) as f64).round() as usize;
        let row = ((1.0 - y.share(point.score)) * (ROWS - 1) as f64).round() as usize;
        (row.min(ROWS - 1), column.min(COLUMNS - 1))
    };
    // The front is drawn last, and named first.
    let mut order: Vec<&Point> = plot.points.iter().collect();
    order.sort_by_key(|point| point.on_front);
    for point in &order {
        let (row, column) = place(point);
        cells[row][column] = if point.on_front { '*' } else { 'o' };
    }
    for point in order.iter().rev() {
        let (row, column) = place(point);
        let name: Vec<char> = visible(&point.name).chars().collect();
        let left = column.checked_sub(name.len() + 1);
        let free = |from: usize| {
            let (before, until) = (from.saturating_sub(1), from + name.len() + 1);
            let inside = from + name.len() <= COLUMNS;
            inside && (before..until.min(COLUMNS)).all(|at| at == column || cells[row][at] == ' ')
        };
        if let Some(start) = [Some(column + 2), left].into_iter().flatten().find(|&at| free(at)) {
            cells[row][start..start + name.len()].copy_from_slice(&name);
        }
    }
    let (low, high) = plot.ends(|point| point.score);
    let mut out = vec![format!("  {} (* on the Pareto front)", plot.score)];
    let rows = [place_row(&y, high), place_row(&y, low)];
    for (row, line) in cells.iter().enumerate() {
        let label = match row {
            row if row == rows[0] => number(high),
            row if row == rows[1] => number(low),
            _ => String::new(),
        };
        let line: String = line.iter().collect();
        out.push(format!("{label:>9} |{}", line.trim_end()));
    }
    let (low, high) = plot.ends(|point| point.cost);
    let (low, high) = ((plot.show_cost)(low), (plot.show_cost)(high));
    let middle = COLUMNS.saturating_sub(low.len() + high.len() + 2);
    out.push(format!("{:>9} +{}", "", "-".repeat(COLUMNS)));
    out.push(format!("{:>9}  {low} {:^middle$} {high}", "", plot.cost));
    out
}

/// The row of a score on a terminal, from the top.
fn place_row(y: &Scale, value: f64) -> usize {
    ((1.0 - y.share(value)) * (ROWS - 1) as f64).round() as usize
}

const WIDTH: f64 = 820.0;
const HEIGHT: f64 = 520.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 110.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 60.0;

/// A picture of its own: no script, no font file; each point carries its name as a tooltip.
pub fn svg(plot: &Plot<'_>) -> String {
    let (x, y) = plot.scales();
    let across = |cost: f64| LEFT + x.share(cost.ln()) * (WIDTH - LEFT - RIGHT);
    let down = |score: f64| TOP + (1.0 - y.share(score)) * (HEIGHT - TOP - BOTTOM);
    let (right, floor) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<title>{} against {}</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <path d=\"M{LEFT} {TOP}V{floor}H{right}\" fill=\"none\" stroke=\"#444\"/>\n",
        escape(plot.score),
        escape(plot.cost)
    );
    let (low, high) = plot.ends(|point| point.cost);
    for cost in ticks(low.ln(), high.ln()).map(f64::exp) {
        let (at, label) = (across(cost), escape(&(plot.show_cost)(cost)));
        let _ = writeln!(
            out,
            "<path d=\"M{at:.1} {floor}v5\" stroke=\"#444\"/>\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>",
            floor + 18.0
        );
    }
    let (low, high) = plot.ends(|point| point.score);
    for score in ticks(low, high) {
        let at = down(score);
        let _ = writeln!(
            out,
            "<path d=\"M{LEFT} {at:.1}h-5\" stroke=\"#444\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 8.0,
            at + 4.0,
            number(score)
        );
    }
    let _ = writeln!(
        out,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\
         <text x=\"{LEFT}\" y=\"18\">{}; Pareto front filled</text>",
        f64::midpoint(LEFT, right),
        HEIGHT - 16.0,
        escape(plot.cost),
        escape(plot.score)
    );
    let mut front: Vec<&Point> = plot.points.iter().filter(|point| point.on_front).collect();
    front.sort_by(|a, b| a.cost.total_cmp(&b.cost));
    let line: Vec<_> =
        front.iter().map(|p| format!("{:.1},{:.1}", across(p.cost), down(p.score))).collect();
    let _ = writeln!(
        out,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#0072b2\" stroke-dasharray=\"4 3\"/>",
        line.join(" ")
    );
    for point in plot.points {
        let (at, level, name) = (across(point.cost), down(point.score), escape(&point.name));
        let fill = if point.on_front { "#0072b2" } else { "white" };
        let _ = writeln!(
            out,
            "<circle cx=\"{at:.1}\" cy=\"{level:.1}\" r=\"4\" fill=\"{fill}\" \
             stroke=\"#0072b2\"><title>{name}: {} at {}</title></circle>",
            number(point.score),
            escape(&(plot.show_cost)(point.cost))
        );
        if point.on_front || plot.points.len() <= 12 {
            let _ =
                writeln!(out, "<text x=\"{:.1}\" y=\"{:.1}\">{name}</text>", at + 7.0, level - 4.0);
        }
    }
    out.push_str("</svg>\n");
    out
}

/// Five values from `low` to `high`, or the one that both are.
pub(super) fn ticks(low: f64, high: f64) -> impl Iterator<Item = f64> {
    let steps = if high > low { 4 } else { 0 };
    (0..=steps).map(move |step| low + (high - low) * f64::from(step) / f64::from(steps.max(1)))
}
