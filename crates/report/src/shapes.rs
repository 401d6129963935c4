//! Shapes of a model within limits, as table, Markdown, JSON and CSV.

use std::fmt::Write as _;

use flopcast_core::quantity::text::{count, number};
use flopcast_study::shapes::{Limit, Shape, Table, Take};
use serde_json::{Map, Value, json};

use super::grid::Grid;
use super::tree::wrap;

const MEASURED: &str = "Scores are those of your table. A scaling law sees size, not shape: it could \
                        not tell these apart. Memory and latency are lower bounds of one forward \
                        pass of one sample.";

/// Every shape, those within the limits first, as aligned text.
pub fn table(table: &Table, limits: &[Limit], shapes: &[Shape]) -> String {
    document(table, limits, shapes, Grid::text)
}

/// The same as Markdown.
pub fn markdown(table: &Table, limits: &[Limit], shapes: &[Shape]) -> String {
    document(table, limits, shapes, Grid::markdown)
}

fn document(
    table: &Table,
    limits: &[Limit],
    shapes: &[Shape],
    render: fn(&Grid) -> String,
) -> String {
    let within = shapes.iter().filter(|shape| shape.over.is_empty()).count();
    let front = shapes.iter().filter(|shape| shape.on_front).count();
    let shown = shown(shapes);
    // `sequence_length` is understood as `sequence`, and there is room for 80 columns.
    let keys = table.keys.iter().map(|key| key.rsplit('.').next().unwrap_or_default());
    let keys =
        keys.map(|key| if key.len() > 8 { key.split('_').next().unwrap_or(key) } else { key });
    let labels = shown.iter().map(|take| take.label());
    let heading = [""].into_iter().chain(keys).chain([table.metric.as_str()]).chain(labels);
    let mut grid = Grid::new(1 + table.keys.len(), heading);
    for shape in shapes {
        let takes = shown.iter().map(|take| shape.take(*take).map_or("unknown".to_owned(), count));
        let mark = if shape.on_front { "*" } else { "" };
        let cells = [mark.to_owned()].into_iter().chain(shape.cells.iter().cloned());
        grid.push(cells.chain([number(shape.score)]).chain(takes));
    }
    let mut out = format!(
        "{} shapes, {within} within the limits, {front} that no other beats (*)\n\n{}",
        shapes.len(),
        render(&grid)
    );
    let over: Vec<&Shape> = shapes.iter().filter(|shape| !shape.over.is_empty()).collect();
    if !over.is_empty() {
        out.push_str("\nOver a limit:\n");
    }
    for shape in over {
        let by = |(take, share): &(Take, f64)| format!("{} by {}", name(*take), percent(*share));
        let by: Vec<_> = shape.over.iter().map(by).collect();
        let line = format!("{}: {}", shape.cells.join(" "), by.join(", "));
        let _ = writeln!(out, "  {}", wrap(&line, 76).join("\n    "));
    }
    for line in binding(limits, shapes).iter().filter(|_| within == 0) {
        let _ = writeln!(out, "\n{}", wrap(line, 78).join("\n  "));
    }
    let _ = writeln!(out, "\n{}", wrap(MEASURED, 78).join("\n"));
    out
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

/// What is known of any shape.
fn shown(shapes: &[Shape]) -> Vec<Take> {
    let known = |take: &Take| shapes.iter().any(|shape| shape.take(*take).is_some());
    Take::ALL.into_iter().filter(known).collect()
}

fn name(take: Take) -> &'static str {
    match take {
        Take::Flops => "FLOPs",
        Take::Parameters => "parameters",
        Take::Memory => "memory",
        Take::Latency => "latency",
    }
}

fn percent(share: f64) -> String {
    format!("{} %", number(100.0 * share))
}

fn with_unit(take: Take, value: f64) -> String {
    match take {
        Take::Flops | Take::Parameters => count(value),
        Take::Memory | Take::Latency => format!("{} {}", number(value), take.unit()),
    }
}

/// `flopcast.shapes/1`.
pub fn json(table: &Table, limits: &[Limit], shapes: &[Shape]) -> Value {
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

/// One row per shape.
pub fn csv(table: &Table, shapes: &[Shape]) -> String {
    let mut out = csv::Writer::from_writer(Vec::new());
    let takes = Take::ALL.map(Take::key);
    let heading = table.keys.iter().map(String::as_str).chain([table.metric.as_str()]);
    // Writing into memory does not fail.
    let _ = out.write_record(heading.chain(takes).chain(["over", "on_front"]));
    for shape in shapes {
        let takes = shape.takes.map(|take| take.map(|it| it.to_string()).unwrap_or_default());
        let over: Vec<_> = shape.over.iter().map(|(take, _)| take.key()).collect();
        let cells = shape.cells.iter().cloned().chain([shape.score.to_string()]).chain(takes);
        let _ = out.write_record(cells.chain([over.join(" "), shape.on_front.to_string()]));
    }
    out.into_inner().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}
