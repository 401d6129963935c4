//! The best within limits, and sizes by scaling laws, as table, Markdown, JSON and CSV.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use flopcast_core::quantity::text::{count, number};
use flopcast_core::quantity::{Flop, Measure, show};
use flopcast_study::optimize::{Answer, Limit, Plan};
use flopcast_study::sizing::{Law, Size};
use flopcast_study::space::Space;
use flopcast_study::sweep::Row;
use serde_json::{Map, Value, json};

use super::compare::short;
use super::grid::Grid;
use super::tree::wrap;

const LIST_PRICES: &str = "Prices are list prices: a price is not availability, and large orders \
                           are negotiated.";

/// What was found, as aligned text.
pub fn table(space: &Space<'_>, limits: &[Limit], answer: &Answer) -> String {
    document(space, limits, answer, Grid::text)
}

/// The same as Markdown.
pub fn markdown(space: &Space<'_>, limits: &[Limit], answer: &Answer) -> String {
    document(space, limits, answer, Grid::markdown)
}

fn document(
    space: &Space<'_>,
    limits: &[Limit],
    answer: &Answer,
    render: fn(&Grid) -> String,
) -> String {
    let mut out = format!(
        "{} combinations, {} can be done, {} within the limits\n",
        number(answer.tried as f64),
        number(answer.doable as f64),
        number(answer.within as f64)
    );
    if answer.best.is_empty() {
        for line in binding(space, limits, answer) {
            let _ = writeln!(out, "\n{}", wrap(&line, 78).join("\n  "));
        }
    } else {
        let way = if answer.columns[0].most { "most" } else { "least" };
        let _ = writeln!(out, "\nBest first, by the {way} {}:\n", answer.columns[0].key);
        out.push_str(&render(&grid(space, answer, &answer.best)));
        out.push_str(&plans(&answer.plans));
    }
    for (why, rows) in answer.obstacles.iter().take(3).filter(|_| answer.doable == 0) {
        let _ =
            writeln!(out, "\n{}", wrap(&format!("{rows} cannot be done: {why}"), 78).join("\n  "));
    }
    let _ = writeln!(out, "\n{}", wrap(LIST_PRICES, 78).join("\n"));
    out
}

fn grid(space: &Space<'_>, answer: &Answer, rows: &[Row]) -> Grid {
    let axes = space.axes().iter().map(|axis| axis.name.rsplit('.').next().unwrap_or_default());
    let keys = answer.columns.iter().map(|aim| aim.key.as_str());
    let mut grid = Grid::new(space.axes().len(), axes.chain(keys));
    for row in rows {
        let values = row.values.iter().map(|it| it.map_or("unknown".to_owned(), short));
        grid.push(space.labels(row.number).map(str::to_owned).chain(values));
    }
    grid
}

/// How each is run, one line for those that are run alike.
fn plans(plans: &[Plan]) -> String {
    let mut alike: Vec<(String, Vec<usize>)> = Vec::new();
    for (words, number) in plans.iter().map(plan).zip(1..) {
        match alike.iter_mut().find(|(known, _)| *known == words) {
            Some((_, numbers)) => numbers.push(number),
            None if words.is_empty() => {}
            None => alike.push((words, vec![number])),
        }
    }
    let mut out = String::new();
    for (words, numbers) in &alike {
        let head = if out.is_empty() { "\nHow, by rank:\n" } else { "" };
        let numbers: Vec<_> = numbers.iter().map(ToString::to_string).collect();
        let line = format!("{}: {words}", numbers.join(", "));
        let _ = writeln!(out, "{head}  {}", wrap(&line, 76).join("\n     "));
    }
    let starts = plans.iter().filter_map(|plan| plan.best_start.as_ref());
    let unknown: BTreeSet<&str> = starts.filter_map(|it| Some(&*it.as_ref().err()?.why)).collect();
    for why in unknown {
        let _ = writeln!(out, "  {}", wrap(&format!("unknown: {why}"), 76).join("\n     "));
    }
    out
}

fn plan(plan: &Plan) -> String {
    let layout = plan.layout.map(|layout| format!("{layout}"));
    let start = match (&plan.best_start, plan.start) {
        (Some(Ok(it)), _) => {
            let saving = 100.0 * it.saving.value().get();
            Some(format!("start {} UTC, {saving:.1} % less CO2e", it.best.format("%F %H:%M")))
        }
        (Some(Err(_)), _) => Some("the cleanest start is unknown".to_owned()),
        (None, start) => start.map(|start| format!("start {start}")),
    };
    layout.into_iter().chain(start).collect::<Vec<_>>().join("; ")
}

/// Which limit stands in the way, and by how much.
fn binding(space: &Space<'_>, limits: &[Limit], answer: &Answer) -> Vec<String> {
    let mut lines = Vec::new();
    for (limit, least) in limits.iter().zip(&answer.least) {
        let (key, most) = (&limit.aim.key, short(limit.most));
        match least {
            Some(least) if *least > limit.most => lines.push(format!(
                "{key} binds: no combination is below {}, {} over the limit of {most}",
                short(*least),
                short(least - limit.most)
            )),
            None if answer.doable > 0 => {
                lines.push(format!("{key} binds: it is unknown for every combination"));
            }
            _ => {}
        }
    }
    let Some(nearest) = &answer.nearest else { return lines };
    let passed: Vec<String> = limits
        .iter()
        .filter_map(|limit| {
            let at = answer.columns.iter().position(|column| column.key == limit.aim.key)?;
            let value = nearest.values[at]?;
            let over = value - limit.most;
            let share = 100.0 * over / limit.most.abs();
            (over > 0.0)
                .then(|| format!("{} of {} is {share:.1} % over", limit.aim.key, short(value)))
        })
        .collect();
    if lines.is_empty() {
        lines.push("each limit can be kept, but not all of them together".to_owned());
    }
    if !passed.is_empty() {
        let labels: Vec<_> = space.labels(nearest.number).collect();
        lines.push(format!("nearest: {}: {}", labels.join(", "), passed.join(", ")));
    }
    lines
}

/// `flopcast.optimize/1`.
pub fn json(space: &Space<'_>, limits: &[Limit], answer: &Answer) -> Value {
    let row = |row: &Row| {
        let axes = space.axes().iter().map(|axis| axis.name.clone());
        let set: Map<_, _> = axes.zip(space.labels(row.number).map(|it| json!(it))).collect();
        let keys = answer.columns.iter().map(|aim| aim.key.clone());
        let figures: Map<_, _> = keys.zip(row.values.iter().map(|it| json!(it))).collect();
        json!({"set": set, "figures": figures})
    };
    let planned = |(it, plan): (&Row, &Plan)| {
        let mut value = row(it);
        value["parallelism"] = json!(plan.layout.map(|layout| layout.to_string()));
        value["start"] = json!(plan.start.map(|start| start.to_string()));
        if let Some(Ok(best)) = &plan.best_start {
            value["best_start"] = json!(best.best.format("%FT%H:%MZ").to_string());
            value["best_start_saves"] = json!(best.saving.value().get());
        }
        value
    };
    let limit = |(limit, least): (&Limit, &Option<f64>)| json!({"figure": limit.aim.key, "most": limit.most, "least": least});
    json!({
        "schema": "flopcast.optimize/1",
        "objective": answer.columns[0].key,
        "combinations": answer.tried, "doable": answer.doable, "within": answer.within,
        "best": answer.best.iter().zip(&answer.plans).map(planned).collect::<Vec<_>>(),
        "limits": limits.iter().zip(&answer.least).map(limit).collect::<Vec<_>>(),
        "nearest": answer.nearest.as_ref().map(row),
        "note": LIST_PRICES,
    })
}

/// One row per kept combination, the best first.
pub fn csv(space: &Space<'_>, answer: &Answer) -> String {
    let mut out = csv::Writer::from_writer(Vec::new());
    let axes = space.axes().iter().map(|axis| axis.name.clone());
    // Writing into memory does not fail.
    let _ = out.write_record(axes.chain(answer.columns.iter().map(|aim| aim.key.clone())));
    for row in &answer.best {
        let values = row.values.iter().map(|it| it.map(|it| it.to_string()).unwrap_or_default());
        let _ = out.write_record(space.labels(row.number).map(str::to_owned).chain(values));
    }
    out.into_inner().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// A law with what it says of a budget.
#[derive(Clone, Debug)]
pub struct Sized {
    /// The law.
    pub law: Law,
    /// The least loss.
    pub optimum: Size,
    /// The same loss with the least compute over training and use, where tokens of use are given.
    pub used: Option<Size>,
}

const SIZE_ONLY: &str = "A scaling law sees size, not shape, data or recipe: it says how to split \
                         a budget, not how good a model of yours will be.";

fn sizes(all: &[Sized]) -> Grid {
    let heading = ["law", "", "parameters", "tokens", "per parameter", "loss"];
    let mut grid = Grid::new(2, heading);
    for it in all {
        let mut row = |law: &str, what: &str, size: &Size| {
            grid.push([
                law.to_owned(),
                what.to_owned(),
                count(size.parameters),
                count(size.tokens.stored()),
                number(size.tokens_per_parameter()),
                size.loss.map(number).unwrap_or_default(),
            ]);
        };
        row(&it.law.name, "least loss", &it.optimum);
        if let Some(used) = &it.used {
            row("", "least with its use", used);
        }
    }
    grid
}

/// Sizes for a budget, as aligned text.
pub fn sized_table(budget: Flop, all: &[Sized]) -> String {
    let mut out = format!("{} of training, C = 6ND\n\n{}", show(budget), sizes(all).text());
    let _ = writeln!(out, "\n{}", wrap(SIZE_ONLY, 78).join("\n"));
    out
}

/// The same as Markdown.
pub fn sized_markdown(budget: Flop, all: &[Sized]) -> String {
    format!("{} of training, C = 6ND\n\n{}\n{SIZE_ONLY}\n", show(budget), sizes(all).markdown())
}

/// `flopcast.sizing/1`.
pub fn sized_json(budget: Flop, all: &[Sized]) -> Value {
    let size = |it: &Size| {
        json!({
            "parameters": it.parameters, "tokens": it.tokens.stored(), "loss": it.loss,
            "training_flops": it.training.stored(), "inference_flops": it.inference.stored(),
        })
    };
    let law = |it: &Sized| {
        json!({
            "law": it.law.id, "name": it.law.name, "source": it.law.source, "reference": it.law.reference,
            "optimum": size(&it.optimum), "with_use": it.used.as_ref().map(size),
        })
    };
    json!({
        "schema": "flopcast.sizing/1",
        "flops": budget.stored(),
        "laws": all.iter().map(law).collect::<Vec<_>>(),
        "note": SIZE_ONLY,
    })
}

/// One row per law and size.
pub fn sized_csv(all: &[Sized]) -> String {
    let mut out = csv::Writer::from_writer(Vec::new());
    // Writing into memory does not fail.
    let _ = out.write_record(["law", "size", "parameters", "tokens", "loss"]);
    for it in all {
        let sizes = [("optimum", Some(&it.optimum)), ("with_use", it.used.as_ref())];
        for (what, size) in sizes.into_iter().filter_map(|(what, size)| Some((what, size?))) {
            let _ = out.write_record([
                it.law.id.clone(),
                what.to_owned(),
                size.parameters.to_string(),
                size.tokens.stored().to_string(),
                size.loss.map(|loss| loss.to_string()).unwrap_or_default(),
            ]);
        }
    }
    out.into_inner().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}
