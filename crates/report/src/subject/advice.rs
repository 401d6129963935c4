//! Hot layers of models on a device, and what each compression would save there.

use std::collections::BTreeSet;

use flopcast_core::quantity::{Energy, Measure, Time};
use flopcast_study::advice::{Action, Advice, Hot};
use serde_json::{Value, json};

use super::first_screen;
use crate::doc::{Block, Cell, Column, Doc, Grid, Subject};

/// Layers and actions that people are shown.
const SHOWN: usize = 12;

/// A model on a device.
#[derive(Clone, Debug)]
pub struct Advised<'a> {
    /// The name of the model.
    pub model: String,
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

    /// What takes how long, in words.
    fn words(&self) -> String {
        let advice = &self.advice;
        let several = |count: u64, what: &str| match count {
            1 => format!("one {what}"),
            _ => format!("{count} {what}s"),
        };
        let tokens = |what: &str, count: Option<u64>| {
            count.map_or_else(String::new, |count| format!(", {what} of {count} tokens"))
        };
        let devices = match advice.devices {
            1 => self.device.to_owned(),
            many => format!("{many} {}", self.device),
        };
        let percent = |factor: f64| format!("{:+.0} %", (factor - 1.0) * 100.0);
        format!(
            "{} on {devices} in {}: {}{}{} take{} {} ({} to {}, 80 %) and move{} {}",
            self.model,
            advice.precision,
            several(advice.requests, "request"),
            tokens("prompt", advice.prompt),
            tokens("answer", advice.answer),
            if advice.requests == 1 { "s" } else { "" },
            Cell::quantity(advice.time).people(),
            percent((-advice.spread.half_width).exp()),
            percent(advice.spread.half_width.exp()),
            if advice.requests == 1 { "s" } else { "" },
            Cell::quantity(advice.moved).people()
        )
    }

    fn document(&self) -> Doc {
        let advice = &self.advice;
        let mut doc = Doc::default();
        doc.push(Block::Caption(self.words()));
        doc.push(Block::Grid(self.hot()));
        doc.push(Block::Caption("What compression would save of that time:".to_owned()));
        doc.push(Block::Grid(self.actions(SHOWN)));
        let parts = match advice.answer {
            Some(_) => "layers share the time by their rooflines",
            None => "layers share the time by what each takes alone",
        };
        let mut notes = vec![format!("times are those of `estimate` for such a service; {parts}")];
        notes.extend(advice.spread.why.clone());
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
            "schema": "flopcast.advice/2",
            "model": self.model,
            "accelerator": self.device,
            "precision": advice.precision.name(),
            "requests": advice.requests,
            "prompt_tokens": advice.prompt,
            "answer_tokens": advice.answer,
            "devices": advice.devices,
            "scenario": advice.scenario,
            "time_s": advice.time.stored(),
            "half_width": advice.spread.half_width,
            "wider_because": advice.spread.why,
            "bytes_moved": advice.moved.stored(),
            "energy_j": joules(advice.energy),
            "layers": advice.hot.iter().map(|it| json!({
                "name": it.name, "role": it.role.name(), "count": it.count,
                "time_s": it.time.stored(), "bound_by": it.limit.name(),
                "bytes_moved": it.moved.stored(), "energy_j": joules(it.energy),
            })).collect::<Vec<_>>(),
            "actions": advice.actions.iter().map(|it| json!({
                "compress": it.setting, "time_s": it.after.stored(),
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

    fn first_screen(&self) -> Option<Doc> {
        first_screen::shortened(&self.doc())
    }

    fn json(&self) -> Option<Value> {
        Some(match self.as_slice() {
            [one] => one.value(),
            many => many.iter().map(Advised::value).collect(),
        })
    }
}
