//! Hot layers of models on a device, and what each compression would save there.

use std::collections::BTreeSet;

use flopcast_core::quantity::{Energy, Measure, Time};
use flopcast_study::advice::{Action, Advice, Hot};
use serde_json::{Value, json};

use crate::doc::{Block, Cell, Column, Doc, Grid, Subject};

/// Layers and actions that people are shown.
const SHOWN: usize = 12;

/// A model on a device.
#[derive(Clone, Debug)]
pub struct Advised<'a> {
    /// The name of the model.
    pub model: &'a str,
    /// The input, in words.
    pub input: String,
    /// The name of the device.
    pub device: &'a str,
    /// What to do.
    pub advice: Advice,
}

fn energy(energy: Option<Energy>) -> Cell {
    energy.map_or(Cell::Unknown, Cell::quantity)
}

fn share(part: Time, whole: Time) -> f64 {
    part.value / whole.value
}

impl Advised<'_> {
    fn hot(&self) -> Grid {
        let numbers = ["runs", "time", "share", "bytes", "energy <="].map(Column::numbers);
        let bound = [Column::words("bound")];
        let mut grid = Grid::new([Column::words("layer")].into_iter().chain(numbers).chain(bound));
        for hot in self.advice.hot.iter().take(SHOWN) {
            let Hot { name, count, time, limit, moved, energy: at_most, .. } = hot;
            grid.push([
                Cell::text(name),
                Cell::Count(*count),
                Cell::quantity(*time),
                Cell::percent(share(*time, self.advice.time)),
                Cell::quantity(*moved),
                energy(*at_most),
                limit.name().into(),
            ]);
        }
        grid
    }

    fn actions(&self, most: usize) -> Grid {
        let numbers = ["time after", "saved", "share", "bytes saved", "energy saved <=", "delta"];
        let known = self.advice.actions.iter().any(|it| it.delta.is_some());
        let count = if known { 6 } else { 5 };
        let numbers = numbers.into_iter().take(count).map(Column::numbers);
        let mut grid = Grid::new([Column::words("compression")].into_iter().chain(numbers));
        for action in self.advice.actions.iter().take(most) {
            let Action { setting, after, saved, bytes, energy: less, delta } = action;
            let mut cells = vec![
                Cell::text(setting),
                Cell::quantity(*after),
                Cell::quantity(*saved),
                Cell::percent(share(*saved, self.advice.time)),
                Cell::quantity(*bytes),
                energy(*less),
            ];
            if known {
                cells.push(Cell::maybe(*delta, Cell::signed));
            }
            grid.push(cells);
        }
        grid
    }

    fn document(&self) -> Doc {
        let advice = &self.advice;
        let mut doc = Doc::default();
        doc.push(Block::Caption(format!(
            "{} on {} in {}, {}: a pass takes at least {} and moves {}",
            self.model,
            self.device,
            advice.precision,
            self.input,
            Cell::quantity(advice.time).people(),
            Cell::quantity(advice.moved).people()
        )));
        doc.push(Block::Grid(self.hot()));
        doc.push(Block::Caption("What compression would save of that time:".to_owned()));
        doc.push(Block::Grid(self.actions(SHOWN)));
        let mut notes = Vec::new();
        let idle = advice.actions.iter().filter(|it| it.saved.value <= 0.0);
        let idle: Vec<_> = idle.map(|it| it.setting.as_str()).collect();
        if !idle.is_empty() {
            notes.push(format!("saves no time there: {}", idle.join(", ")));
        }
        let whys: BTreeSet<&str> = advice.refused.iter().map(|(_, why)| why.as_str()).collect();
        for why in whys {
            let those = advice.refused.iter().filter(|(_, other)| other == why);
            let those: Vec<_> = those.map(|(setting, _)| setting.as_str()).collect();
            notes.push(format!("{}: {why}", those.join(", ")));
        }
        if advice.actions.iter().all(|it| it.delta.is_none()) {
            notes.push(
                "what this costs in quality is unknown: --deltas names a table of what you measured"
                    .to_owned(),
            );
        }
        doc.push_some(Block::List(notes));
        doc
    }

    fn value(&self) -> Value {
        let advice = &self.advice;
        let joules = |energy: Option<Energy>| energy.map(Measure::stored);
        json!({
            "schema": "flopcast.advice/1",
            "model": self.model,
            "accelerator": self.device,
            "precision": advice.precision.name(),
            "forward_time_s": advice.time.stored(),
            "bytes_moved": advice.moved.stored(),
            "energy_j": joules(advice.energy),
            "layers": advice.hot.iter().map(|it| json!({
                "name": it.name, "role": it.role.name(), "count": it.count,
                "time_s": it.time.stored(), "bound_by": it.limit.name(),
                "bytes_moved": it.moved.stored(), "energy_j": joules(it.energy),
            })).collect::<Vec<_>>(),
            "actions": advice.actions.iter().map(|it| json!({
                "compress": it.setting, "forward_time_s": it.after.stored(),
                "saved_s": it.saved.stored(), "saved_bytes": it.bytes.stored(),
                "saved_j": joules(it.energy), "delta": it.delta,
            })).collect::<Vec<_>>(),
            "refused": advice.refused.iter().map(|(setting, why)| json!({
                "compress": setting, "why": why,
            })).collect::<Vec<_>>(),
        })
    }
}

impl Subject for Vec<Advised<'_>> {
    fn doc(&self) -> Doc {
        Doc::joined(self.iter().map(Advised::document))
    }

    fn json(&self) -> Option<Value> {
        Some(match self.as_slice() {
            [one] => one.value(),
            many => many.iter().map(Advised::value).collect(),
        })
    }
}
