//! Fleets side by side: the cheapest, the greenest and the smallest that keep the SLO.

use flopcast_study::fleets::{Choice, Merits, Objective, Verdict};
use flopcast_study::space::Space;
use serde_json::{Map, Value, json};

use super::first_screen;
use crate::doc::{Block, Cell, Column, Doc, Grid, Subject};

/// The most obstacles that the table shows.
const OBSTACLES: usize = 8;

/// The result of every fleet of a space.
#[derive(Clone, Copy)]
pub struct Fleets<'a> {
    /// The scenario.
    pub name: &'a str,
    /// The axes that vary.
    pub space: &'a Space<'a>,
    /// The verdicts.
    pub choice: &'a Choice,
    /// By what they are ranked.
    pub objective: Objective,
    /// The last axis is of layouts, searched for every combination of the others.
    pub searched: bool,
}

impl Fleets<'_> {
    /// Combinations of which a reader gets the best.
    fn together(&self) -> u64 {
        let last = self.space.axes().last().filter(|_| self.searched);
        last.map_or(1, |axis| axis.choices.len() as u64)
    }
}

impl Subject for Fleets<'_> {
    fn doc(&self) -> Doc {
        let Self { name, space, choice, objective, .. } = self;
        let mut doc = Doc { rows: Some(rows(space, choice)), ..Doc::titled(*name) };
        doc.push(Block::Section("Fleets that keep the SLO, first year".to_owned()));
        doc.push_some(Block::List(best(space, choice)));
        let grid = grid(space, choice, self.together(), *objective);
        doc.push(if grid.is_empty() {
            Block::List(vec!["none".to_owned()])
        } else {
            Block::Grid(grid)
        });
        let mut others = rest(space, choice, self.together());
        if others.len() > OBSTACLES + 1 {
            let more = others.split_off(OBSTACLES + 1);
            others.push(format!("and {} more", more.len()));
        }
        if !others.is_empty() {
            doc.blocks.extend([Block::Section("The others".to_owned()), Block::List(others)]);
        }
        doc
    }

    fn first_screen(&self) -> Option<Doc> {
        first_screen::shortened(&self.doc())
    }

    fn json(&self) -> Option<Value> {
        Some(value(self.space, self.choice, self.objective))
    }
}

/// The best in each respect, a line each, and the next cheapest.
fn best(space: &Space<'_>, choice: &Choice) -> Vec<String> {
    let name = |at: u64| space.labels(at).collect::<Vec<_>>().join(", ");
    let best = [
        ("cheapest", choice.cheapest),
        ("greenest", choice.greenest),
        ("smallest", choice.smallest),
    ];
    let mut lines: Vec<String> = best
        .into_iter()
        .filter_map(|(title, at)| Some(format!("{title}: {}", name(at?))))
        .collect();
    let cost = |at: u64| choice.at(at)?.merits.cost_usd;
    let least = choice.cheapest.and_then(cost);
    let others = choice
        .best_of_each(1, Objective::Cost)
        .into_iter()
        .filter(|(at, _)| Some(*at) != choice.cheapest);
    let next = others.take(1).find_map(|(at, it)| Some((at, it.merits.cost_usd? / least? - 1.0)));
    if let Some((at, more)) = next {
        lines.push(format!("next: {}, {:+.0} %", name(at), 100.0 * more));
    }
    lines
}

/// The fleets that are best in some respect, with rate, devices, cost and carbon.
fn grid(space: &Space<'_>, choice: &Choice, together: u64, objective: Objective) -> Grid {
    let names = space.axes().iter().map(|axis| axis.name.rsplit('.').next().unwrap_or_default());
    let columns = ["rate/s", "devices", "USD", "kgCO2e"].map(Column::numbers);
    let energy = (objective == Objective::Energy).then(|| Column::numbers("kWh"));
    let mut grid = Grid::new(names.map(Column::words).chain(columns).chain(energy));
    for (at, sized) in choice.best_of_each(together, objective) {
        let merits = sized.merits;
        let cells = [
            Cell::number(sized.rate.value),
            Cell::number(merits.devices),
            Cell::known(merits.cost_usd, Cell::short),
            Cell::known(merits.co2e_kg, Cell::short),
        ];
        let energy =
            (objective == Objective::Energy).then(|| Cell::known(merits.energy_kwh, Cell::short));
        grid.push(space.labels(at).map(Cell::from).chain(cells).chain(energy));
    }
    grid
}

/// One row per combination.
fn rows(space: &Space<'_>, choice: &Choice) -> Grid {
    let names = ["number"].into_iter().chain(space.axes().iter().map(|axis| axis.name.as_str()));
    let numbers = ["max_rate_per_s", "devices", "cost_usd", "co2e_kg"].map(Column::numbers);
    let rest = ["verdict", "infeasible"].map(Column::words);
    let mut grid = Grid::new(names.map(Column::words).chain(numbers).chain(rest));
    for (verdict, at) in choice.verdicts.iter().zip(0_u64..) {
        let (word, rate, merits, why) = match verdict {
            Verdict::Sized(it) => ("sized", Some(it.rate.value), Some(&it.merits), ""),
            Verdict::Beaten(bound) => ("at least", None, Some(bound), ""),
            Verdict::Infeasible(why) => ("infeasible", None, None, why.as_str()),
        };
        let devices = merits.map(|it| it.devices);
        let [cost, co2e] = [merits.and_then(|it| it.cost_usd), merits.and_then(|it| it.co2e_kg)];
        let numbers = [rate, devices, cost, co2e].map(Cell::from);
        let head = std::iter::once(Cell::Count(at)).chain(space.labels(at).map(Cell::from));
        grid.push(head.chain(numbers).chain([word, why].map(Cell::from)));
    }
    grid
}

/// The fleets that are not in the table.
fn rest(space: &Space<'_>, choice: &Choice, together: u64) -> Vec<String> {
    let beaten = choice.verdicts.iter().filter(|it| matches!(it, Verdict::Beaten(_))).count();
    let mut lines = Vec::new();
    if beaten > 0 {
        lines.push(format!(
            "{beaten} not simulated: their bound is behind the best in devices, cost and carbon"
        ));
    }
    let verdicts = choice.verdicts.chunks(together.max(1) as usize);
    for (group, first) in verdicts.zip((0_u64..).step_by(together.max(1) as usize)) {
        // One layout that is possible stands for all.
        let why = group.iter().map(|it| match it {
            Verdict::Infeasible(why) => Some(why),
            _ => None,
        });
        if let Some(why) = why.collect::<Option<Vec<_>>>().and_then(|all| all.last().copied()) {
            let axes = space.axes().len() - usize::from(together > 1);
            let labels: Vec<_> = space.labels(first).take(axes).collect();
            lines.push(format!("{}: {why}", labels.join(", ")));
        }
    }
    lines
}

/// Every combination with its verdict.
fn value(space: &Space<'_>, choice: &Choice, objective: Objective) -> Value {
    let merits = |it: &Merits| {
        let Merits { devices, cost_usd, co2e_kg, energy_kwh } = it;
        json!({"devices": devices, "cost_usd": cost_usd, "co2e_kg": co2e_kg, "energy_kwh": energy_kwh})
    };
    let best = choice.best_of_each(u64::MAX, objective).first().map(|(number, _)| *number);
    let rows: Vec<Value> = choice
        .verdicts
        .iter()
        .zip(0_u64..)
        .map(|(verdict, at)| {
            let axes = space.axes().iter().map(|axis| axis.name.clone());
            let set: Map<_, _> = axes.zip(space.labels(at).map(|label| json!(label))).collect();
            let mut row = json!({"number": at, "set": set});
            match verdict {
                Verdict::Sized(sized) => {
                    row["first_year"] = merits(&sized.merits);
                    row["max_rate_per_s"] = json!(sized.rate.value);
                    row["replicas"] = json!(sized.replicas);
                    row["bottleneck"] = json!(sized.bottleneck);
                }
                Verdict::Beaten(bound) => row["at_least"] = merits(bound),
                Verdict::Infeasible(why) => row["infeasible"] = json!(why),
            }
            row
        })
        .collect();
    json!({
        "schema": "flopcast.fleets/1",
        "best": best,
        "cheapest": choice.cheapest,
        "greenest": choice.greenest,
        "smallest": choice.smallest,
        "rows": rows,
    })
}
