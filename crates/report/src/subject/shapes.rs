//! Shapes of a model within limits: the scores are the user's table's, and the costs are counted.

use flopcast_core::quantity::text::{count, number};
use flopcast_study::shapes::{Limit, Shape, Table, Take};
use serde_json::{Map, Value, json};

use crate::doc::{Block, Cell, Column, Doc, Grid, Subject};

/// The remark on what scores and costs are.
const MEASURED: &str = "Scores are those of your table. A scaling law sees size, not shape: it could \
                        not tell these apart. Memory and latency are lower bounds of one forward \
                        pass of one sample.";

/// Shapes of a table against limits, those within them first.
#[derive(Clone, Copy, Debug)]
pub struct Shapes<'a> {
    /// The table of scores.
    pub table: &'a Table,
    /// The limits.
    pub limits: &'a [Limit],
    /// Its shapes.
    pub shapes: &'a [Shape],
}

impl Subject for Shapes<'_> {
    fn doc(&self) -> Doc {
        let Self { limits, shapes, .. } = self;
        let within = shapes.iter().filter(|shape| shape.over.is_empty()).count();
        let front = shapes.iter().filter(|shape| shape.on_front).count();
        let mut doc = Doc { rows: Some(self.rows()), ..Doc::default() };
        doc.push(Block::Text(format!(
            "{} shapes, {within} within the limits, {front} that no other beats (*)",
            shapes.len()
        )));
        doc.push_some(Block::Grid(self.grid()));
        let over: Vec<String> = shapes.iter().filter_map(over).collect();
        if !over.is_empty() {
            doc.blocks.extend([Block::Caption("Over a limit:".to_owned()), Block::List(over)]);
        }
        if within == 0 {
            doc.blocks.extend(binding(limits, shapes).into_iter().map(Block::Text));
        }
        doc.push(Block::Text(MEASURED.to_owned()));
        doc
    }

    fn json(&self) -> Option<Value> {
        Some(value(self.table, self.limits, self.shapes))
    }
}

impl Shapes<'_> {
    /// The shapes for people, those within the limits first.
    fn grid(&self) -> Grid {
        let shown = shown(self.shapes);
        // `sequence_length` is understood as `sequence`, and there is room for 80 columns.
        let keys = self.table.keys.iter().map(|key| key.rsplit('.').next().unwrap_or_default());
        let keys =
            keys.map(|key| if key.len() > 8 { key.split('_').next().unwrap_or(key) } else { key });
        let words = [""].into_iter().chain(keys).map(Column::words);
        let labels = shown.iter().map(|take| take.label());
        let numbers = [self.table.metric.as_str()].into_iter().chain(labels);
        let mut grid = Grid::new(words.chain(numbers.map(Column::numbers)));
        for shape in self.shapes {
            let takes = shown.iter().map(|take| Cell::known(shape.take(*take), Cell::counted));
            let mark = if shape.on_front { "*" } else { "" };
            let cells = [mark].into_iter().chain(shape.cells.iter().map(String::as_str));
            let cells = cells.map(Cell::from).chain([Cell::number(shape.score)]);
            grid.push(cells.chain(takes));
        }
        grid
    }

    /// One row per shape.
    fn rows(&self) -> Grid {
        let words = self.table.keys.iter().map(Column::words);
        let takes = Take::ALL.map(Take::key).into_iter();
        let numbers = [self.table.metric.as_str()].into_iter().chain(takes).map(Column::numbers);
        let rest = ["over", "on_front"].map(Column::words);
        let mut grid = Grid::new(words.chain(numbers).chain(rest));
        for shape in self.shapes {
            let over: Vec<_> = shape.over.iter().map(|(take, _)| take.key()).collect();
            let cells = shape.cells.iter().map(Cell::text).chain([Cell::number(shape.score)]);
            let takes = shape.takes.map(Cell::from);
            let rest = [Cell::text(over.join(" ")), Cell::Flag(shape.on_front)];
            grid.push(cells.chain(takes).chain(rest));
        }
        grid
    }
}

/// By how much a shape is over which limits.
fn over(shape: &Shape) -> Option<String> {
    let by = |(take, share): &(Take, f64)| format!("{} by {}", name(*take), percent(*share));
    let by: Vec<_> = shape.over.iter().map(by).collect();
    (!by.is_empty()).then(|| format!("{}: {}", shape.cells.join(" "), by.join(", ")))
}

/// Each limit that no shape keeps, and by how much.
fn binding(limits: &[Limit], shapes: &[Shape]) -> Vec<String> {
    let of = |limit: &Limit| {
        let least = shapes.iter().filter_map(|shape| shape.take(limit.take)).reduce(f64::min)?;
        (least > limit.most).then(|| {
            format!(
                "{} binds: no shape is below {}, {} over the limit of {}",
                name(limit.take),
                with_unit(limit.take, least),
                percent(least / limit.most - 1.0),
                with_unit(limit.take, limit.most)
            )
        })
    };
    let lines: Vec<_> = limits.iter().filter_map(of).collect();
    if lines.is_empty() {
        vec!["each limit can be kept, but not all of them together".to_owned()]
    } else {
        lines
    }
}

/// The facts of any shape.
fn shown(shapes: &[Shape]) -> Vec<Take> {
    let known = |take: &Take| shapes.iter().any(|shape| shape.take(*take).is_some());
    Take::ALL.into_iter().filter(known).collect()
}

/// A cost in words.
fn name(take: Take) -> &'static str {
    match take {
        Take::Flops => "FLOPs",
        Take::Parameters => "parameters",
        Take::Memory => "memory",
        Take::Latency => "latency",
    }
}

/// A share in percent.
fn percent(share: f64) -> String {
    format!("{} %", number(100.0 * share))
}

/// A cost with its unit.
fn with_unit(take: Take, value: f64) -> String {
    match take {
        Take::Flops | Take::Parameters => count(value),
        Take::Memory | Take::Latency => format!("{} {}", number(value), take.unit()),
    }
}

/// `flopcast.shapes/1`.
fn value(table: &Table, limits: &[Limit], shapes: &[Shape]) -> Value {
    let shape = |shape: &Shape| {
        let set: Map<_, _> =
            table.keys.iter().cloned().zip(shape.cells.iter().map(|cell| json!(cell))).collect();
        let takes = Take::ALL.iter().filter_map(|take| Some((take, shape.take(*take)?)));
        let figures: Map<_, _> =
            takes.map(|(take, value)| (take.key().to_owned(), json!(value))).collect();
        let over: Map<_, _> =
            shape.over.iter().map(|(take, by)| (take.key().to_owned(), json!(by))).collect();
        json!({"shape": set, "score": shape.score, "figures": figures, "over": over,
               "on_front": shape.on_front})
    };
    let limit = |limit: &Limit| json!({"figure": limit.take.key(), "most": limit.most});
    json!({
        "schema": "flopcast.shapes/1",
        "metric": table.metric,
        "limits": limits.iter().map(limit).collect::<Vec<_>>(),
        "shapes": shapes.iter().map(shape).collect::<Vec<_>>(),
        "note": MEASURED,
    })
}
