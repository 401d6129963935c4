//! Fleets side by side: the cheapest, the greenest and the smallest that keep the promises.

use std::fmt::Write as _;

use flopcast_core::quantity::text::number;
use flopcast_study::fleets::{Choice, Merits, Verdict};
use flopcast_study::space::Space;
use serde_json::{Map, Value, json};

use super::compare::short;
use super::grid::Grid;
use super::tree::wrap;

/// Obstacles that a terminal gets.
const OBSTACLES: usize = 8;

/// The best in each respect, a line each.
fn best(space: &Space<'_>, choice: &Choice) -> Vec<String> {
    let best = [
        ("cheapest", choice.cheapest),
        ("greenest", choice.greenest),
        ("smallest", choice.smallest),
    ];
    best.into_iter()
        .filter_map(|(title, at)| {
            let labels: Vec<_> = space.labels(at?).collect();
            Some(format!("{title}: {}", labels.join(", ")))
        })
        .collect()
}

fn grid(space: &Space<'_>, choice: &Choice) -> Grid {
    let names =
        space.axes().iter().map(|axis| axis.name.rsplit('.').next().unwrap_or_default().to_owned());
    let columns = ["rate/s", "devices", "USD", "kgCO2e"].map(str::to_owned);
    let mut grid = Grid::new(space.axes().len(), names.chain(columns));
    let mut sized: Vec<_> = choice
        .verdicts
        .iter()
        .zip(0_u64..)
        .filter_map(|(verdict, at)| match verdict {
            Verdict::Sized(sized) => Some((at, sized)),
            _ => None,
        })
        .collect();
    let key = |merits: &Merits| (merits.cost_usd.unwrap_or(f64::INFINITY), merits.devices);
    sized.sort_by(|(_, a), (_, b)| {
        let (a, b) = (key(&a.merits), key(&b.merits));
        a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
    });
    let known = |merit: Option<f64>| merit.map_or("-".to_owned(), short);
    for (at, sized) in sized {
        let labels = space.labels(at).map(str::to_owned);
        let merits = sized.merits;
        let cells = [
            number(sized.rate.value),
            number(merits.devices),
            known(merits.cost_usd),
            known(merits.co2e_kg),
        ];
        grid.push(labels.chain(cells));
    }
    grid
}

/// What became of those that are not in the table.
fn rest(space: &Space<'_>, choice: &Choice) -> Vec<String> {
    let beaten = choice.verdicts.iter().filter(|it| matches!(it, Verdict::Beaten(_))).count();
    let mut lines = Vec::new();
    if beaten > 0 {
        lines.push(format!(
            "{beaten} not simulated: their bound is behind the best in devices, cost and carbon"
        ));
    }
    for (verdict, at) in choice.verdicts.iter().zip(0_u64..) {
        if let Verdict::Infeasible(why) = verdict {
            lines.push(format!("{}: {why}", space.labels(at).collect::<Vec<_>>().join(", ")));
        }
    }
    lines
}

/// For a terminal of 80 columns.
pub fn table(name: &str, space: &Space<'_>, choice: &Choice) -> String {
    let mut out = format!("{name}\n\nFleets that keep the promises, first year\n");
    for line in best(space, choice) {
        let _ = writeln!(out, "  {}", wrap(&line, 76).join("\n    "));
    }
    out.push('\n');
    let grid = grid(space, choice);
    out += &if grid.is_empty() { "  none\n".to_owned() } else { grid.text() };
    let lines = rest(space, choice);
    if !lines.is_empty() {
        out.push_str("\nThe others\n");
    }
    for line in lines.iter().take(OBSTACLES + 1) {
        let _ = writeln!(out, "  {}", wrap(line, 76).join("\n    "));
    }
    if lines.len() > OBSTACLES + 1 {
        let _ = writeln!(out, "  and {} more", lines.len() - OBSTACLES - 1);
    }
    out
}

/// For a document.
pub fn markdown(name: &str, space: &Space<'_>, choice: &Choice) -> String {
    let mut out = format!("# {name}\n\n{}", grid(space, choice).markdown());
    for line in best(space, choice).into_iter().chain(rest(space, choice)) {
        let _ = write!(out, "\n- {line}");
    }
    out + "\n"
}

/// Every combination with its verdict.
pub fn json(space: &Space<'_>, choice: &Choice) -> Value {
    let merits = |it: &Merits| json!({"devices": it.devices, "cost_usd": it.cost_usd, "co2e_kg": it.co2e_kg});
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
        "cheapest": choice.cheapest,
        "greenest": choice.greenest,
        "smallest": choice.smallest,
        "rows": rows,
    })
}
