//! A sweep: rows are written as they come, so that memory does not grow with their number; the
//! summary follows, with the Pareto front, the reasons for infeasible combinations and a plot.

use flopcast_core::quantity::text::number;
use flopcast_study::space::Space;
use flopcast_study::sweep::{Question, Row, Summary};
use serde_json::{Map, Value, json};

use super::scatter::{self, Plot, Point};
use crate::doc::{Block, Cell, Column, Doc, Grid, Subject, short};
use crate::render::csv;

/// The most rows of the front that the table shows.
const SHOWN: usize = 40;
/// The most reasons for infeasible combinations that the table shows.
const OBSTACLES: usize = 8;

/// The heading of the CSV.
pub fn csv_head(space: &Space<'_>, question: &Question) -> String {
    let axes = space.axes().iter().map(|axis| axis.name.as_str());
    let columns = question.columns.iter().map(|aim| aim.key.as_str());
    csv::record(["number"].into_iter().chain(axes).chain(columns).chain(["infeasible"]))
}

/// A row of the CSV; what is unknown is an empty cell.
pub fn csv_row(space: &Space<'_>, row: &Row) -> String {
    let obstacle = row.obstacle.as_deref().unwrap_or_default();
    let head =
        std::iter::once(Cell::Count(row.number)).chain(space.labels(row.number).map(Cell::from));
    let values = row.values.iter().map(|value| Cell::from(*value));
    csv::row(&head.chain(values).chain([Cell::from(obstacle)]).collect::<Vec<_>>())
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

/// The summary of a sweep.
#[derive(Clone, Copy)]
pub struct Remains<'a> {
    /// The axes that vary.
    pub space: &'a Space<'a>,
    /// The question.
    pub question: &'a Question,
    /// The summary.
    pub summary: &'a Summary,
}

/// The front, why the rest cannot be done, and a plot.
impl Subject for Remains<'_> {
    fn doc(&self) -> Doc {
        let Self { space, question, summary } = self;
        let mut doc = Doc::default();
        doc.push(Block::Text(standing(summary)));
        let (front, left) = front(space, question, summary);
        if !front.is_empty() {
            let caption = format!("No other is better in {}:", by(summary));
            doc.blocks.extend([Block::Caption(caption), Block::Grid(front)]);
        }
        if left > 0 {
            let more = format!("... and {left} more; --format csv --front has all");
            doc.push(Block::List(vec![more]));
        }
        for (aim, rows) in &summary.unknown {
            let text = if *rows == summary.feasible {
                format!("the front leaves out {}: no row knows it", aim.key)
            } else {
                let known = if *rows == 1 { "row does" } else { "rows do" };
                let rows = number(*rows as f64);
                format!("{rows} {known} not know {}, and so stand off the front", aim.key)
            };
            doc.push(Block::Text(text));
        }
        let obstacles = obstacles(summary);
        if !obstacles.is_empty() {
            let caption = Block::Caption("What cannot be done:".to_owned());
            doc.blocks.extend([caption, Block::Grid(obstacles)]);
        }
        if let Some(points) = points(space, question, summary) {
            let plot = plot(summary, &points);
            doc.push(Block::Picture { lines: scatter::lines(&plot), svg: scatter::svg(&plot) });
        }
        doc
    }
}

/// The first two aims against each other as a picture; none where fewer are known.
pub fn svg(space: &Space<'_>, question: &Question, summary: &Summary) -> Option<String> {
    let points = points(space, question, summary)?;
    Some(scatter::svg(&plot(summary, &points)))
}

/// The counts in a sentence: combinations, feasible ones, those on the front.
fn standing(summary: &Summary) -> String {
    format!(
        "{} combinations, {} feasible, {} on the Pareto front",
        number(summary.rows as f64),
        number(summary.feasible as f64),
        number(summary.front.len() as f64)
    )
}

/// The aims of the front in words.
fn by(summary: &Summary) -> String {
    let keys: Vec<_> = summary.aims.iter().map(|aim| aim.key.as_str()).collect();
    keys.join(" and ")
}

/// The table of the front, and the number of rows that it leaves out.
fn front(space: &Space<'_>, question: &Question, summary: &Summary) -> (Grid, usize) {
    let axes = space.axes().iter().map(|axis| axis.name.as_str());
    let last = axes.map(|name| name.rsplit('.').next().unwrap_or(name));
    let keys = question.columns.iter().map(|aim| Column::numbers(&aim.key));
    let mut grid = Grid::new(last.map(Column::words).chain(keys));
    for row in summary.front.iter().take(SHOWN) {
        let values = row.values.iter().map(|value| Cell::known(*value, Cell::short));
        grid.push(space.labels(row.number).map(Cell::from).chain(values));
    }
    (grid, summary.front.len().saturating_sub(SHOWN))
}

/// The reasons for infeasible combinations, with their counts.
fn obstacles(summary: &Summary) -> Grid {
    let mut grid =
        Grid::new([Column::numbers("rows"), Column::prose("why")].map(|column| column.headed("")));
    for (why, rows) in summary.obstacles.iter().take(OBSTACLES) {
        grid.push([Cell::Count(*rows), why.as_str().into()]);
    }
    let rest: u64 = summary.obstacles.iter().skip(OBSTACLES).map(|(_, rows)| rows).sum();
    if rest > 0 {
        grid.push([Cell::Count(rest), "other reasons".into()]);
    }
    grid
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

/// The plot of the first two aims.
fn plot<'a>(summary: &'a Summary, points: &'a [Point]) -> Plot<'a> {
    Plot { points, cost: &summary.aims[0].key, score: &summary.aims[1].key, show_cost: short }
}
