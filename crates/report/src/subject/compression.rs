//! A model before and after compression, or a student beside its teacher: parameters, bytes, FLOPs,
//! least time, and the layers that save most.

use flopcast_core::model::compress::{Compressed, FIRST, Take, Target};
use flopcast_core::model::{AttentionCount, Layer, Role};
use flopcast_core::quantity::{Data, Flop, Measure, Time};
use serde_json::{Value, json};

use super::model::{group_name, input_words, percent, show_flops};
use crate::doc::{Block, Cell, Column, Doc, Grid, Subject};

/// Two forms of a model, or of two models where one learns from the other.
#[derive(Clone, Debug)]
pub struct Comparison<'a> {
    /// As it was; the teacher, where there is one.
    pub before: &'a Compressed,
    /// As it would be.
    pub after: &'a Compressed,
    /// The compression, in words.
    pub words: String,
    /// How attention is counted.
    pub attention: AttentionCount,
    /// The accelerator of the time bound, and its name.
    pub target: Option<(&'a str, &'a Target)>,
    /// True if `before` is the teacher of `after`.
    pub distilled: bool,
}

/// The sums of one side of a group.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    flops: Flop,
    parameters: u64,
    weights: Data,
    moved: Data,
    time: Time,
}

impl Sum {
    /// Adds a layer.
    fn add(&mut self, take: &Take) {
        self.flops += take.flops.total();
        self.parameters += take.parameters;
        self.weights += take.weights;
        self.moved += take.moved;
        self.time += take.bound.map_or_else(Time::default, |bound| bound.time);
    }
}

impl Comparison<'_> {
    /// The costs of the layers of a side on the target.
    fn takes(&self, side: &Compressed) -> Vec<Take> {
        side.takes(self.attention, self.target.map(|(_, target)| target))
    }

    /// The sums over all layers of a side.
    fn sum(&self, side: &Compressed) -> Sum {
        let mut sum = Sum::default();
        self.takes(side).iter().for_each(|take| sum.add(take));
        sum
    }

    /// Groups of layers with their sums before and after, in the order of a forward pass.
    fn groups(&self) -> Vec<(String, [Sum; 2])> {
        let mut groups: Vec<((Role, &str), [Sum; 2])> = Vec::new();
        for (side, compressed) in [self.before, self.after].into_iter().enumerate() {
            for (layer, take) in compressed.model.layers.iter().zip(self.takes(compressed)) {
                if layer.count == 0 {
                    continue;
                }
                let key = (layer.role, layer.operator.kind());
                let at = groups.iter().position(|(other, _)| *other == key).unwrap_or_else(|| {
                    groups.push((key, <[Sum; 2]>::default()));
                    groups.len() - 1
                });
                groups[at].1[side].add(&take);
            }
        }
        groups.sort_by_key(|((role, _), _)| *role);
        groups.into_iter().map(|((role, kind), sums)| (group_name(role, kind), sums)).collect()
    }

    /// The saving of each layer: in the time bound, or without an accelerator in the bytes moved.
    /// Empty where the two sides have different layers.
    fn savings(&self) -> Vec<(&Layer, f64)> {
        if self.distilled {
            return Vec::new();
        }
        let (before, after) = (self.takes(self.before), self.takes(self.after));
        let worth = |take: &Take| match take.bound {
            Some(bound) => bound.time.stored(),
            None => take.moved.stored(),
        };
        // A layer is what it was, or two factors.
        let mut factors = self.after.model.layers.iter().zip(&after);
        let mut rest = || -> f64 {
            let Some((layer, take)) = factors.next() else { return 0.0 };
            let second = layer.name.ends_with(FIRST).then(|| factors.next()).flatten();
            worth(take) + second.map_or(0.0, |(_, take)| worth(take))
        };
        let layers = self.before.model.layers.iter();
        let mut saved: Vec<_> = layers
            .zip(&before)
            .map(|(layer, before)| (layer, worth(before) - rest()))
            .filter(|(_, saved)| *saved > 0.0)
            .collect();
        saved.sort_by(|a, b| b.1.total_cmp(&a.1));
        saved
    }

    /// FLOPs of one training step on the input: teacher's forward pass, student's forward and
    /// backward (Hinton et al. 2015, arXiv:1503.02531).
    fn distillation(&self) -> Option<[Flop; 2]> {
        self.distilled.then(|| {
            let student = &self.after.model;
            let own =
                student.forward(self.attention).matmul + student.backward(self.attention).matmul;
            [self.before.model.forward(self.attention).matmul, own]
        })
    }
}

/// The relative change between two sums; blank where there was nothing before.
fn change(before: f64, after: f64) -> Cell {
    if before <= 0.0 {
        return Cell::Blank;
    }
    let share = after / before - 1.0;
    let same = share.abs() < 5e-5;
    Cell::shown(share, if same { "same".to_owned() } else { format!("{:+.1}%", 100.0 * share) })
}

/// FLOPs with an SI prefix.
fn flops(flops: Flop) -> Cell {
    Cell::shown(flops.stored(), show_flops(flops))
}

/// The table of totals before and after.
fn totals(it: &Comparison<'_>) -> Grid {
    let (before, after) = (it.sum(it.before), it.sum(it.after));
    let products = |side: &Compressed| side.forward(it.attention).matmul;
    let numbers = ["before", "after", "change"].map(Column::numbers);
    let mut grid = Grid::new([Column::words("")].into_iter().chain(numbers));
    let mut line = |label: &str, values: [Cell; 2], numbers: [f64; 2]| {
        let [before, after] = values;
        grid.push([label.into(), before, after, change(numbers[0], numbers[1])]);
    };
    let parameters = [before.parameters as f64, after.parameters as f64];
    line("parameters kept", parameters.map(Cell::counted), parameters);
    let weights = [before.weights, after.weights];
    line("weights", weights.map(Cell::quantity), weights.map(Measure::stored));
    let flops = [products(it.before), products(it.after)];
    let shown = flops.map(|it| Cell::shown(it.stored(), format!("{}FLOP", show_flops(it))));
    line("forward FLOPs, matmul", shown, flops.map(Measure::stored));
    let cached = [it.before, it.after].map(|side| {
        let elements = side.model.extents.cached_elements(1) as f64;
        side.precision.size() * elements
    });
    if cached[0].stored() > 0.0 {
        line("KV cache of one token", cached.map(Cell::quantity), cached.map(Measure::stored));
    }
    let moved = [before.moved, after.moved];
    line("bytes moved", moved.map(Cell::quantity), moved.map(Measure::stored));
    if it.target.is_some() {
        let time = [before.time, after.time];
        line("forward pass, at least", time.map(Cell::quantity), time.map(Measure::stored));
    }
    grid
}

/// The table of groups of layers before and after.
fn groups(it: &Comparison<'_>) -> Grid {
    let mut numbers = vec!["FLOP", "after", "weights", "after"];
    if it.target.is_some() {
        numbers.extend(["time", "after"]);
    }
    let numbers = numbers.into_iter().map(Column::numbers);
    let mut grid = Grid::new([Column::words("layers")].into_iter().chain(numbers));
    for (name, [before, after]) in it.groups() {
        let mut cells = vec![
            name.into(),
            flops(before.flops),
            flops(after.flops),
            Cell::quantity(before.weights),
            Cell::quantity(after.weights),
        ];
        if it.target.is_some() {
            cells.extend([before.time, after.time].map(Cell::quantity));
        }
        grid.push(cells);
    }
    grid
}

/// The document of one comparison.
fn document(it: &Comparison<'_>) -> Doc {
    let mut doc = Doc::default();
    doc.push(Block::Caption(title(it)));
    doc.push(Block::Grid(totals(it)));
    doc.push_some(Block::Grid(groups(it)));
    doc.push_some(Block::List(notes(it)));
    doc
}

/// One row per layer and side.
fn rows(all: &[Comparison<'_>]) -> Grid {
    let words = ["model", "side", "layer", "kind"].map(Column::words);
    let numbers = ["count", "parameters", "forward_flops", "weight_bytes", "bytes_moved", "time_s"];
    let mut grid = Grid::new(words.into_iter().chain(numbers.map(Column::numbers)));
    for it in all {
        for (side, compressed) in [("before", it.before), ("after", it.after)] {
            for (layer, take) in compressed.model.layers.iter().zip(it.takes(compressed)) {
                let (name, kind) = (compressed.model.name.as_str(), layer.operator.kind());
                grid.push([
                    name.into(),
                    side.into(),
                    Cell::text(&layer.name),
                    kind.into(),
                    Cell::Count(layer.count),
                    Cell::Count(take.parameters),
                    take.flops.total().stored().into(),
                    take.weights.stored().into(),
                    take.moved.stored().into(),
                    take.bound.map(|bound| bound.time.stored()).into(),
                ]);
            }
        }
    }
    grid
}

impl Subject for Vec<Comparison<'_>> {
    fn doc(&self) -> Doc {
        Doc { rows: Some(rows(self)), ..Doc::joined(self.iter().map(document)) }
    }

    fn json(&self) -> Option<Value> {
        Some(match self.as_slice() {
            [one] => value(one),
            many => many.iter().map(value).collect(),
        })
    }
}

/// The heading: the model, the settings, the input and the device.
fn title(it: &Comparison<'_>) -> String {
    let (before, after) = (&it.before.model, &it.after.model);
    let what = if it.distilled {
        let done = if it.words.is_empty() { String::new() } else { format!(", {}", it.words) };
        format!("{} learns from {}{done}", after.name, before.name)
    } else {
        format!("{}: {}", after.name, it.words)
    };
    let on = it.target.map_or(String::new(), |(name, _)| format!(", on {name}"));
    format!("{what}; {} from {}{on}", input_words(after), it.before.precision)
}

/// The largest savings, and what the comparison leaves out.
fn notes(it: &Comparison<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    let savings = it.savings();
    let all: f64 = savings.iter().map(|(_, saved)| saved).sum();
    if all > 0.0 {
        let most: Vec<_> = savings
            .iter()
            .take(3)
            .map(|(layer, saved)| format!("{} {}", layer.name, percent(saved / all).people()))
            .collect();
        let of = if it.target.is_some() { "time" } else { "bytes moved" };
        notes.push(format!("most of the saved {of}: {}", most.join(", ")));
    }
    if let Some([teacher, student]) = it.distillation() {
        notes.push(format!(
            "training on this input: {}FLOP = {}FLOP forward of the teacher + {}FLOP forward and \
             backward of the student",
            show_flops(teacher + student),
            show_flops(teacher),
            show_flops(student)
        ));
    }
    let sparse = it.after.forms.iter().any(|form| form.sparse);
    if let Some((name, target)) = it.target
        && sparse
        && !target.skips_zeros
    {
        notes.push(format!("{name} is not known to skip zeros: 2:4 saves it no time and no bytes"));
    }
    if !it.words.is_empty() {
        notes.push("what this costs in quality is not forecast".to_owned());
    }
    notes
}

/// Before and after as `flopcast.compression/1`.
fn value(it: &Comparison<'_>) -> Value {
    let side = |compressed: &Compressed| {
        let sum = it.sum(compressed);
        let flops = compressed.forward(it.attention);
        let mut value = json!({
            "name": compressed.model.name,
            "parameters": sum.parameters,
            "weight_bytes": sum.weights.stored(),
            "bytes_moved": sum.moved.stored(),
            "forward_flops": {
                "matmul": flops.matmul.stored(),
                "elementwise": flops.elementwise.stored(),
                "total": flops.total().stored(),
            },
        });
        if it.target.is_some() {
            value["forward_time_s"] = json!(sum.time.stored());
        }
        value
    };
    let row = |layer: &Layer, take: &Take| {
        let mut value = json!({
            "name": layer.name,
            "kind": layer.operator.kind(),
            "role": layer.role.name(),
            "count": layer.count,
            "parameters": take.parameters,
            "forward_flops": take.flops.total().stored(),
            "weight_bytes": take.weights.stored(),
            "bytes_moved": take.moved.stored(),
        });
        if let Some(bound) = take.bound {
            value["time_s"] = json!(bound.time.stored());
            value["bound_by"] = json!(bound.limit.name());
        }
        value
    };
    let rows = |compressed: &Compressed| -> Vec<Value> {
        let takes = it.takes(compressed);
        compressed.model.layers.iter().zip(&takes).map(|(layer, take)| row(layer, take)).collect()
    };
    let mut value = json!({
        "schema": "flopcast.compression/1",
        "compression": it.words,
        "before": side(it.before),
        "after": side(it.after),
        "operators": {"before": rows(it.before), "after": rows(it.after)},
        "savings": it.savings().iter().map(|(layer, saved)| {
            let key = if it.target.is_some() { "time_s" } else { "bytes" };
            json!({"name": layer.name, key: saved})
        }).collect::<Vec<_>>(),
    });
    if let Some((name, target)) = it.target {
        value["accelerator"] = json!({"name": name, "skips_zeros": target.skips_zeros});
    }
    if let Some([teacher, student]) = it.distillation() {
        value["distillation"] = json!({
            "teacher_forward_flops": teacher.stored(),
            "student_training_flops": student.stored(),
            "training_flops": (teacher + student).stored(),
        });
    }
    value
}
