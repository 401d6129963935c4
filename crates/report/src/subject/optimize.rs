//! The best combinations within limits, how each is run, and which limits stand in the way of
//! others.

use std::collections::BTreeSet;

use flopcast_core::quantity::text::number;
use flopcast_study::optimize::{Answer, Limit, Plan};
use flopcast_study::space::Space;
use flopcast_study::sweep::Row;
use serde_json::{Map, Value, json};

use super::first_screen;
use crate::doc::{Block, Cell, Column, Doc, Grid, Subject, short};

/// The result of a search.
#[derive(Clone, Copy)]
pub struct Found<'a> {
    /// The axes that vary.
    pub space: &'a Space<'a>,
    /// The limits.
    pub limits: &'a [Limit],
    /// The answer.
    pub answer: &'a Answer,
}

/// The remark that prices are no offers.
const LIST_PRICES: &str = "Prices are list prices: a price is not availability, and large orders \
                           are negotiated.";

impl Subject for Found<'_> {
    fn doc(&self) -> Doc {
        let Self { space, limits, answer } = self;
        let mut doc = Doc { rows: Some(self.rows()), ..Doc::default() };
        doc.push(Block::Text(format!(
            "{} combinations, {} can be done, {} within the limits",
            number(answer.tried as f64),
            number(answer.doable as f64),
            number(answer.within as f64)
        )));
        if answer.best.is_empty() {
            doc.blocks.extend(binding(space, limits, answer).into_iter().map(Block::Text));
        } else {
            let way = if answer.columns[0].most { "most" } else { "least" };
            let caption = format!("Best first, by the {way} {}:", answer.columns[0].key);
            doc.blocks.extend([Block::Caption(caption), Block::Grid(self.grid())]);
            let (how, unknown) = plans(&answer.plans);
            if !how.is_empty() {
                doc.blocks.extend([Block::Caption("How, by rank:".to_owned()), Block::Facts(how)]);
            }
            doc.push_some(Block::List(unknown));
        }
        for (why, rows) in answer.obstacles.iter().take(3).filter(|_| answer.doable == 0) {
            doc.push(Block::Text(format!("{rows} cannot be done: {why}")));
        }
        let left_out: Vec<String> = left_out(&answer.left_out);
        if !left_out.is_empty() {
            let caption = "Left out over several nodes, or as too long (--any-network and \
                           --deadline take them in):";
            doc.push(Block::Caption(caption.to_owned()));
            doc.push(Block::List(left_out));
        }
        doc.push(Block::Text(LIST_PRICES.to_owned()));
        doc
    }

    fn first_screen(&self) -> Option<Doc> {
        first_screen::shortened(&self.doc())
    }

    fn json(&self) -> Option<Value> {
        Some(value(self.space, self.limits, self.answer))
    }
}

impl Found<'_> {
    /// The best combinations for people: the last word of each axis, and the columns asked for.
    fn grid(&self) -> Grid {
        let axes = self.space.axes().iter();
        let axes = axes.map(|axis| axis.name.rsplit('.').next().unwrap_or_default());
        self.cells(axes, Cell::short)
    }

    /// One row per kept combination, the best first.
    fn rows(&self) -> Grid {
        self.cells(self.space.axes().iter().map(|axis| axis.name.as_str()), Cell::number)
    }

    /// A row per kept combination, the best first, with numbers as `show` makes them.
    fn cells<'n>(&self, axes: impl Iterator<Item = &'n str>, show: fn(f64) -> Cell) -> Grid {
        let keys = self.answer.columns.iter().map(|aim| Column::numbers(&aim.key));
        let mut grid = Grid::new(axes.map(Column::words).chain(keys));
        for row in &self.answer.best {
            let values = row.values.iter().map(|value| Cell::known(*value, show));
            grid.push(self.space.labels(row.number).map(Cell::from).chain(values));
        }
        grid
    }
}

/// Rising numbers with their runs in short: `1 to 3, 5`.
fn spans(numbers: &[usize]) -> String {
    let runs = numbers.chunk_by(|before, next| before + 1 == *next);
    let run = |run: &[usize]| match run {
        [first, .., last] if run.len() > 2 => format!("{first} to {last}"),
        few => few.iter().map(usize::to_string).collect::<Vec<_>>().join(", "),
    };
    runs.map(run).collect::<Vec<_>>().join(", ")
}

/// How a combination is run: layout, start, end.
fn plans(plans: &[Plan]) -> (Vec<(String, String)>, Vec<String>) {
    let mut alike: Vec<(String, Vec<usize>)> = Vec::new();
    for (words, number) in plans.iter().map(plan).zip(1..) {
        match alike.iter_mut().find(|(known, _)| *known == words) {
            Some((_, numbers)) => numbers.push(number),
            None if words.is_empty() => {}
            None => alike.push((words, vec![number])),
        }
    }
    let how = alike.into_iter().map(|(words, numbers)| (spans(&numbers), words));
    let starts = plans.iter().filter_map(|plan| plan.best_start.as_ref());
    let unknown: BTreeSet<&str> = starts.filter_map(|it| Some(&*it.as_ref().err()?.why)).collect();
    (how.collect(), unknown.into_iter().map(|why| format!("unknown: {why}")).collect())
}

/// How a combination is run: layout, start, end.
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

/// The reasons for which combinations are excluded, each once with the names that it holds for
/// (`name: reason`) and the number of combinations.
fn left_out(all: &[(String, u64)]) -> Vec<String> {
    let mut reasons: Vec<(&str, Vec<&str>, u64)> = Vec::new();
    for (why, count) in all {
        let (name, reason) = why.split_once(": ").unwrap_or(("", why));
        match reasons.iter_mut().find(|(known, ..)| *known == reason) {
            Some((_, names, total)) => {
                names.push(name);
                *total += count;
            }
            None => reasons.push((reason, vec![name], *count)),
        }
    }
    let line = |(reason, names, count): (&str, Vec<&str>, u64)| {
        let names = names.join(", ");
        let names = if names.is_empty() { names } else { format!(": {names}") };
        format!("{reason}{names} ({} combinations)", number(count as f64))
    };
    reasons.into_iter().map(line).collect()
}

/// `flopcast.optimize/1`.
fn value(space: &Space<'_>, limits: &[Limit], answer: &Answer) -> Value {
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
        "left_out": answer.left_out.iter().map(|(why, count)| json!({"why": why, "combinations": count})).collect::<Vec<_>>(),
        "note": LIST_PRICES,
    })
}
