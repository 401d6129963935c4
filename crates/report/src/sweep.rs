//! A sweep: rows as they come, then what remains of them.

use std::fmt::Write as _;

use flopcast_core::quantity::text::number;
use flopcast_study::space::Space;
use flopcast_study::sweep::{Question, Row, Summary};
use serde_json::{Map, Value, json};

use super::compare::short;
use super::grid::Grid;
use super::scatter::{self, Plot, Point};
use super::tree::wrap;

/// Rows of the front and obstacles that a terminal gets.
const SHOWN: usize = 40;
const OBSTACLES: usize = 8;

/// The heading of the CSV.
pub fn csv_head(space: &Space<'_>, question: &Question) -> String {
    let axes = space.axes().iter().map(|axis| axis.name.as_str());
    let columns = question.columns.iter().map(|aim| aim.key.as_str());
    record(["number"].into_iter().chain(axes).chain(columns).chain(["infeasible"]))
}

/// A row of the CSV; what is unknown is an empty cell.
pub fn csv_row(space: &Space<'_>, row: &Row) -> String {
    let id = row.number.to_string();
    let values: Vec<_> =
        row.values.iter().map(|v| v.map(|v| v.to_string()).unwrap_or_default()).collect();
    let values = values.iter().map(String::as_str);
    let obstacle = row.obstacle.as_deref().unwrap_or_default();
    let labels = space.labels(row.number);
    record([id.as_str()].into_iter().chain(labels).chain(values).chain([obstacle]))
}

fn record<'a>(cells: impl IntoIterator<Item = &'a str>) -> String {
    let mut out = csv::Writer::from_writer(Vec::new());
    // Writing into memory does not fail.
    let _ = out.write_record(cells);
    out.into_inner().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// The beginning of the JSON, up to the first row.
pub fn json_head(space: &Space<'_>) -> String {
    let axes: Vec<_> = space.axes().iter().map(|axis| axis.name.as_str()).collect();
    format!("{{\"schema\": \"flopcast.sweep/1\", \"axes\": {}, \"rows\": [\n", json!(axes))
}

/// A row of the JSON.
pub fn json_row(space: &Space<'_>, question: &Question, row: &Row) -> Value {
    let axes = space.axes().iter().map(|axis| axis.name.clone());
    let set: Map<_, _> = axes.zip(space.labels(row.number).map(|label| json!(label))).collect();
    let keys = question.columns.iter().map(|aim| aim.key.clone());
    let figures: Map<_, _> = keys.zip(row.values.iter().map(|value| json!(value))).collect();
    let mut value = json!({"number": row.number, "set": set, "figures": figures});
    if let Some(obstacle) = &row.obstacle {
        value["infeasible"] = json!(obstacle);
    }
    value
}

/// The end of the JSON, after the last row.
pub fn json_tail(summary: &Summary) -> String {
    let aims: Vec<_> = summary.aims.iter().map(|aim| aim.key.as_str()).collect();
    let front: Vec<_> = summary.front.iter().map(|row| row.number).collect();
    let obstacles: Vec<_> =
        summary.obstacles.iter().map(|(why, rows)| json!({"why": why, "rows": rows})).collect();
    format!(
        "], \"combinations\": {}, \"feasible\": {}, \"front\": {}, \"infeasible\": {}}}\n",
        summary.rows,
        summary.feasible,
        json!({"by": aims, "numbers": front}),
        Value::Array(obstacles)
    )
}

/// The front, why the rest cannot be done, and a plot.
pub fn table(space: &Space<'_>, question: &Question, summary: &Summary) -> String {
    let mut out = format!("{}\n", standing(summary));
    let (front, left) = front(space, question, summary);
    if !front.is_empty() {
        let _ = writeln!(out, "\nNo other is better in {}:", by(summary));
        out.push_str(&front.text());
    }
    if left > 0 {
        let _ = writeln!(out, "  ... and {left} more; --format csv --front has all");
    }
    notes(question, summary, &mut out);
    if let Some(points) = points(space, question, summary) {
        let _ = write!(out, "\n{}", scatter::text(&plot(summary, &points)));
    }
    out
}

/// The same as Markdown, without the plot.
pub fn markdown(space: &Space<'_>, question: &Question, summary: &Summary) -> String {
    let mut out = format!("{}\n", standing(summary));
    let (front, left) = front(space, question, summary);
    if !front.is_empty() {
        let _ = writeln!(out, "\nNo other is better in {}:\n\n{}", by(summary), front.markdown());
    }
    if left > 0 {
        let _ = writeln!(out, "... and {left} more");
    }
    notes(question, summary, &mut out);
    out
}

/// The first two aims against each other as a picture; none where fewer are known.
pub fn svg(space: &Space<'_>, question: &Question, summary: &Summary) -> Option<String> {
    let points = points(space, question, summary)?;
    Some(scatter::svg(&plot(summary, &points)))
}

fn standing(summary: &Summary) -> String {
    format!(
        "{} combinations, {} feasible, {} on the Pareto front",
        number(summary.rows as f64),
        number(summary.feasible as f64),
        number(summary.front.len() as f64)
    )
}

fn by(summary: &Summary) -> String {
    let keys: Vec<_> = summary.aims.iter().map(|aim| aim.key.as_str()).collect();
    keys.join(" and ")
}

fn front(space: &Space<'_>, question: &Question, summary: &Summary) -> (Grid, usize) {
    let axes = space.axes().iter().map(|axis| axis.name.as_str());
    let last = axes.map(|name| name.rsplit('.').next().unwrap_or(name));
    let keys = question.columns.iter().map(|aim| aim.key.as_str());
    let mut grid = Grid::new(space.axes().len(), last.chain(keys));
    for row in summary.front.iter().take(SHOWN) {
        let values = row.values.iter().map(|value| value.map_or("unknown".to_owned(), short));
        grid.push(space.labels(row.number).map(str::to_owned).chain(values));
    }
    (grid, summary.front.len().saturating_sub(SHOWN))
}

fn notes(question: &Question, summary: &Summary, out: &mut String) {
    let unknown = |aim: &&flopcast_study::aim::Aim| !summary.aims.contains(aim);
    for aim in question.front.iter().filter(unknown).filter(|_| summary.feasible > 0) {
        let _ = writeln!(out, "\nthe front leaves out {}: the forecast does not know it", aim.key);
    }
    if summary.obstacles.is_empty() {
        return;
    }
    let _ = writeln!(out, "\nWhat cannot be done:");
    for (why, rows) in summary.obstacles.iter().take(OBSTACLES) {
        let lines = wrap(why, 68).join("\n           ");
        let _ = writeln!(out, "{:>9}  {lines}", number(*rows as f64));
    }
    let rest: u64 = summary.obstacles.iter().skip(OBSTACLES).map(|(_, rows)| rows).sum();
    if rest > 0 {
        let _ = writeln!(out, "{:>9}  other reasons", number(rest as f64));
    }
}

/// The sampled rows and those of the front by the first two aims, the first of them above zero.
fn points(space: &Space<'_>, question: &Question, summary: &Summary) -> Option<Vec<Point>> {
    let at = |aim: usize| {
        let key = &summary.aims.get(aim)?.key;
        question.columns.iter().position(|column| column.key == *key)
    };
    let (x, y) = (at(0)?, at(1)?);
    let point = |row: &Row, on_front: bool| {
        let labels: Vec<_> = space.labels(row.number).collect();
        let (cost, score) = (row.values[x].filter(|x| *x > 0.0)?, row.values[y]?);
        Some(Point { name: labels.join(" "), cost, score, on_front })
    };
    let on_front = |row: &Row| summary.front.iter().any(|other| other.number == row.number);
    let rest =
        summary.sample.iter().filter(|row| !on_front(row)).filter_map(|row| point(row, false));
    let points: Vec<_> =
        rest.chain(summary.front.iter().filter_map(|row| point(row, true))).collect();
    (points.len() > 1).then_some(points)
}

fn plot<'a>(summary: &'a Summary, points: &'a [Point]) -> Plot<'a> {
    Plot { points, cost: &summary.aims[0].key, score: &summary.aims[1].key, show_cost: short }
}
