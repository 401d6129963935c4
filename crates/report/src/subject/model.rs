//! The document of an architecture: parameters, FLOPs, bytes and, with a device, the least time of
//! each group of layers.
//!
//! FLOPs are those of the counts in [`flopcast_core::model`]; a multiply-accumulate is two. The
//! least time is the roofline's, max(FLOPs / peak, bytes / bandwidth), summed over layers.

use flopcast_core::model::roofline::{Bound, Device};
use flopcast_core::model::{AttentionCount, Decode, Flops, Layer, Model, Part, Role, roofline};
use flopcast_core::quantity::text::{self, number};
use flopcast_core::quantity::{Data, Flop, Measure, Precision, Time};
use serde_json::{Value, json};

use super::scatter::{self, Plot};
use crate::doc::{Block, Cell, Column, Doc, Grid, Subject};

/// A model with the settings of its document.
#[derive(Clone, Debug)]
pub struct ModelReport<'a> {
    /// The model.
    pub model: &'a Model,
    /// How attention is counted.
    pub attention: AttentionCount,
    /// Number format of activations, and of weights where they are not counted as stored.
    pub precision: Precision,
    /// Weights count as their file stores them, where it says how.
    pub stored: bool,
    /// Forward and backward instead of forward alone.
    pub training: bool,
    /// Every layer instead of a row per kind.
    pub layers: bool,
    /// The device of the roofline, and its name.
    pub device: Option<(&'a str, Device)>,
    /// One token of an answer, where that is asked.
    pub decode: Option<Decode>,
}

/// The rank of a model among others by a score of the user's.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// The name of the score.
    pub metric: &'a str,
    /// The score.
    pub score: f64,
    /// True if no other model is better at its cost.
    pub on_front: bool,
}

impl Standing<'_> {
    /// A model's JSON with its standing.
    pub fn json(&self, mut model: Value) -> Value {
        model["metric"] =
            json!({"name": self.metric, "score": self.score, "pareto_front": self.on_front});
        model
    }
}

/// One model by itself, several side by side.
#[derive(Clone, Debug)]
pub struct Models<'a> {
    /// The models.
    pub reports: Vec<ModelReport<'a>>,
    /// The rank of each by a score, if they are weighed.
    pub standings: Vec<Standing<'a>>,
    /// Their scores against their costs.
    pub plot: Option<Plot<'a>>,
}

impl Subject for Models<'_> {
    fn doc(&self) -> Doc {
        let mut doc = match self.reports.as_slice() {
            [one] if self.standings.is_empty() => alone(one),
            many => side_by_side(many, &self.standings),
        };
        if let Some(plot) = &self.plot {
            doc.push(Block::Picture { lines: scatter::lines(plot), svg: scatter::svg(plot) });
        }
        Doc { rows: Some(rows(&self.reports)), ..doc }
    }

    fn json(&self) -> Option<Value> {
        let mut standings = self.standings.iter();
        let each = self.reports.iter().map(|report| match standings.next() {
            Some(standing) => standing.json(value(report)),
            None => value(report),
        });
        let mut all: Vec<Value> = each.collect();
        let alone = all.len() == 1 && self.standings.is_empty();
        Some(if alone { all.remove(0) } else { Value::Array(all) })
    }
}

/// A row of the table: the layers of one role and kind, or one layer.
struct Row {
    name: String,
    flops: Flops,
    backward: Flops,
    parameters: u64,
    moved: Data,
    bound: Option<(Time, &'static str)>,
}

impl ModelReport<'_> {
    /// The sums over some layers, with their least time on the device.
    fn row(&self, name: String, layers: &[&Layer]) -> Row {
        let element = self.precision.size();
        let bounds: Vec<Bound> = match self.device {
            Some((_, device)) => layers
                .iter()
                .map(|layer| roofline::bound(layer, self.attention, element, device))
                .collect(),
            None => Vec::new(),
        };
        let longest = bounds.iter().max_by(|a, b| a.time.value.total_cmp(&b.time.value));
        Row {
            name,
            flops: layers.iter().map(|layer| layer.forward(self.attention)).sum(),
            backward: layers.iter().map(|layer| layer.backward(self.attention)).sum(),
            parameters: layers.iter().map(|layer| layer.parameters()).sum(),
            moved: layers.iter().map(|layer| roofline::moved(layer, element, element)).sum(),
            bound: longest.map(|most| (bounds.iter().map(|b| b.time).sum(), most.limit.name())),
        }
    }

    /// The rows of the table: one per role and kind, or per layer, in the order of a forward pass.
    fn rows(&self) -> Vec<Row> {
        let layers = self.model.layers.iter().filter(|layer| layer.count > 0);
        if self.layers {
            return layers
                .map(|layer| {
                    let times =
                        if layer.count > 1 { format!(" x{}", layer.count) } else { String::new() };
                    self.row(format!("{}{times}", layer.name), &[layer])
                })
                .collect();
        }
        let mut groups: Vec<((Role, &str), Vec<&Layer>)> = Vec::new();
        for layer in layers {
            let key = (layer.role, layer.operator.kind());
            match groups.iter_mut().find(|(other, _)| *other == key) {
                Some((_, members)) => members.push(layer),
                None => groups.push((key, vec![layer])),
            }
        }
        groups.sort_by_key(|((role, _), _)| *role);
        groups
            .into_iter()
            .map(|((role, kind), members)| self.row(group_name(role, kind), &members))
            .collect()
    }

    /// Bytes of all weights, as stored or in the format of the run.
    fn weights(&self) -> Data {
        let element = self.precision.size();
        let model = self.model;
        if self.stored { model.stored_data(element) } else { model.weight_data(element) }
    }

    /// The format of the weights, in words.
    fn format(&self) -> String {
        match &self.model.storage {
            Some(storage) if self.stored && storage.packed => {
                format!("as stored: {}", storage.name)
            }
            Some(storage) if self.stored => storage.name.clone(),
            _ => self.precision.name().to_owned(),
        }
    }

    /// The FLOPs that shares refer to: forward, or forward and backward for training.
    fn counted(&self, row: &Row) -> Flop {
        if self.training { row.flops.total() + row.backward.total() } else { row.flops.total() }
    }

    /// FLOPs of the model with an SI prefix and a unit behind.
    fn flops(&self, sum: Flop, unit: &str) -> Cell {
        if self.model.is_counted() { flops(sum, unit) } else { Cell::Unknown }
    }

    /// The least time of one forward pass; `None` without a device, or where no FLOPs are known.
    pub fn time_bound(&self) -> Option<Time> {
        self.device.filter(|_| self.model.is_counted())?;
        Some(self.rows().iter().filter_map(|row| row.bound).map(|(time, _)| time).sum())
    }
}

/// The name of layers of one role and kind.
pub(super) fn group_name(role: Role, kind: &str) -> String {
    if role.name() == kind { kind.to_owned() } else { format!("{} {kind}", role.name()) }
}

/// The input in words: batch, sequence, images.
pub fn input_words(model: &Model) -> String {
    let input = &model.input;
    let mut parts = vec![format!("batch {}", input.batch)];
    parts.extend(input.sequence.map(|n| format!("sequence {n}")));
    parts.extend(input.decoder_sequence.map(|n| format!("decoder sequence {n}")));
    parts.extend(input.image_size.map(|n| format!("image {n} x {n}")));
    parts.extend(input.images.map(|n| format!("{n} images")));
    parts.extend(input.frames.map(|n| format!("{n} frames")));
    parts.extend(input.steps.map(|n| format!("{n} steps")));
    parts.extend(input.guided.filter(|guided| *guided).map(|_| "guided".to_owned()));
    parts.extend(input.sound.map(|n| format!("{} s of sound", number(n as f64 / 1e3))));
    parts.join(", ")
}

/// A model by itself: its totals, its layers, where its FLOPs are spent.
fn alone(report: &ModelReport<'_>) -> Doc {
    let model = report.model;
    let pass = if report.training { "forward and backward" } else { "forward" };
    let mut doc = Doc::default();
    if let Some(token) = &report.decode {
        let context = token.context;
        doc.push(Block::Caption(format!("{}: one token after {context} others", model.name)));
        doc.push(Block::Grid(decoded(report, token)));
        doc.push_some(Block::List(
            notes(model).filter(|note| !note.contains("sequence")).collect(),
        ));
        return doc;
    }
    doc.push(Block::Caption(format!("{}: {pass}, {}", model.name, input_words(model))));
    doc.push(Block::Grid(totals(report)));
    doc.push_some(Block::Grid(groups(report)));
    let hot = hot_spots(report);
    doc.push_some(Block::List(hot.into_iter().chain(notes(model)).collect()));
    doc
}

/// FLOPs with an SI prefix and a unit behind.
fn flops(flops: Flop, unit: &str) -> Cell {
    Cell::shown(flops.stored(), show_flops(flops) + unit)
}

/// The table of one token of an answer: what it computes and reads.
fn decoded(report: &ModelReport<'_>, token: &Decode) -> Grid {
    let precision = report.precision.name();
    let mut grid = Grid::new([Column::words(""), Column::numbers(""), Column::words("")]);
    let mut line =
        |label: &str, value: Cell, note: &str| grid.push([label.into(), value, note.into()]);
    line("parameters", Cell::counted(report.model.parameters().total as f64), "");
    let active = Cell::counted(token.active as f64);
    line("  active", active, "that the token passes through, tables left out");
    line("FLOPs, matmul", flops(token.flops.matmul, "FLOP"), "2 per multiply-accumulate");
    let mixing = flops(token.mixing.matmul, "FLOP");
    line("  of attention and scans", mixing, "over the context");
    line("weights read", Cell::quantity(token.weights), &format!("{precision}, once for a batch"));
    line("KV cache read", Cell::quantity(token.cache), &format!("{precision}, for each sequence"));
    let bytes = token.weights + token.cache;
    let intensity = token.flops.matmul.value / bytes.value;
    line("FLOP/B", Cell::number(intensity), "of one sequence alone");
    if let Some((name, device)) = report.device {
        let note = format!("roofline of {name}, {precision}, of one sequence alone");
        line("token, at least", Cell::quantity(token.least(device)), &note);
    }
    grid
}

/// The remark beside multiply-accumulates, which papers and libraries often call FLOPs.
const MACS: &str = "what papers often call FLOPs";

/// The table of totals: parameters, FLOPs, weights, activations, least time.
fn totals(report: &ModelReport<'_>) -> Grid {
    let model = report.model;
    let parameters = model.parameters();
    let forward = model.forward(report.attention);
    let full = model.forward(AttentionCount::Full).matmul;
    let causal = model.forward(AttentionCount::Causal).matmul;
    let mut grid = Grid::new([Column::words(""), Column::numbers(""), Column::words("")]);
    let mut line =
        |label: &str, value: Cell, note: &str| grid.push([label.into(), value, note.into()]);
    let exactly = format!("exactly {}", parameters.total);
    line("parameters", Cell::counted(parameters.total as f64), &exactly);
    if parameters.active != parameters.total {
        let active = Cell::counted(parameters.active as f64);
        line("  active", active, "that one position passes through");
    }
    line("  in embeddings", Cell::counted(parameters.embedding as f64), "");
    if parameters.trainable != parameters.total {
        let note = format!("exactly {}", parameters.trainable);
        line("  trainable", Cell::counted(parameters.trainable as f64), &note);
    }
    let (ahead, with_copies) = model.ahead_parameters();
    if ahead > 0 {
        let copies = text::count(with_copies as f64);
        let note = format!("apart; {copies} with their copies of tables");
        line("  MTP layers", Cell::counted(ahead as f64), &note);
    }
    line("weights", Cell::quantity(report.weights()), &report.format());
    line(
        "forward FLOPs, matmul",
        report.flops(forward.matmul, "FLOP"),
        "2 per multiply-accumulate",
    );
    if causal == full {
        line("  as MACs", report.flops(forward.matmul * 0.5, "MAC"), MACS);
    } else {
        line("  causal attention", report.flops(causal, "FLOP"), "what the mask lets through");
        line("  full attention", report.flops(full, "FLOP"), "every query against every key");
        line("  as MACs, full", report.flops(full * 0.5, "MAC"), MACS);
    }
    let beside = model.layers.iter().filter(|layer| layer.part == Part::Beside);
    let beside: Flops = beside.map(|layer| layer.forward(report.attention)).sum();
    if beside.matmul.value > 0.0 {
        let tokens = text::count(model.media_tokens as f64);
        let note = format!("of them; {tokens} tokens of images, sound");
        line("  towers", report.flops(beside.matmul, "FLOP"), &note);
    }
    let elementwise = report.flops(forward.elementwise, "");
    line("forward FLOPs, elementwise", elementwise, "norms, activations, softmax");
    if report.training {
        let backward = model.backward(report.attention);
        let ratio = format!("{} x forward", number((backward.matmul / forward.matmul).value));
        line("backward FLOPs, matmul", report.flops(backward.matmul, ""), &ratio);
        let sum = forward.matmul + backward.matmul;
        line("training FLOPs, matmul", report.flops(sum, ""), "forward + backward");
        if ahead > 0 {
            let model = model.with_ahead();
            let all = (model.forward(report.attention) + model.backward(report.attention)).matmul;
            line(
                "  with MTP layers",
                report.flops(all, ""),
                "where they train, with the head again",
            );
        }
    }
    if let (Some((name, _)), Some(time)) = (report.device, report.time_bound()) {
        let roofline = format!("roofline of {name}, {}", report.precision);
        line("forward pass, at least", Cell::quantity(time), &roofline);
    }
    grid
}

/// The table of layers by role and kind, with the share of each.
fn groups(report: &ModelReport<'_>) -> Grid {
    let rows = report.rows();
    let total: Flop = rows.iter().map(|row| report.counted(row)).sum();
    let timed: Time = rows.iter().filter_map(|row| row.bound).map(|(time, _)| time).sum();
    let numbers = ["FLOP", "share", "params", "bytes", "FLOP/B"].map(Column::numbers);
    let bound = [Column::numbers("time"), Column::words("bound")].into_iter();
    let bound = bound.filter(|_| report.device.is_some());
    let mut grid = Grid::new([Column::words("layers")].into_iter().chain(numbers).chain(bound));
    for row in rows {
        let counted = report.counted(&row);
        let intensity = (row.moved.value > 0.0).then(|| row.flops.total().value / row.moved.value);
        let mut cells = vec![
            Cell::text(row.name),
            flops(counted, ""),
            percent(counted.value / total.value),
            Cell::counted(row.parameters as f64),
            Cell::quantity(row.moved),
            Cell::maybe(intensity, Cell::number),
        ];
        if let Some((time, limit)) = row.bound {
            cells.extend([percent(time.value / timed.value), limit.into()]);
        }
        grid.push(cells);
    }
    grid
}

/// A sentence with the few layers that take most FLOPs; `None` where every layer has a row anyhow.
fn hot_spots(report: &ModelReport<'_>) -> Option<String> {
    if report.layers {
        return None;
    }
    let each = ModelReport { layers: true, ..report.clone() };
    let mut rows = each.rows();
    let total: f64 = rows.iter().map(|row| each.counted(row).value).sum();
    rows.sort_by(|a, b| each.counted(b).value.total_cmp(&each.counted(a).value));
    let hot = rows.iter().take(3).filter(|row| each.counted(row).value > 0.0);
    let share = |row: &Row| percent(each.counted(row).value / total).people();
    let hot: Vec<_> = hot.map(|row| format!("{} {}", row.name, share(row))).collect();
    (!hot.is_empty()).then(|| format!("hot spots: {}", hot.join(", ")))
}

/// Remarks: parts that were not counted, assumptions, warnings.
fn notes(model: &Model) -> impl Iterator<Item = String> {
    let unresolved = model.unresolved.iter();
    let unresolved =
        unresolved.map(|it| format!("not counted: {} {} ({})", it.count, it.kind, it.why));
    let assumed = model.assumptions.iter();
    let warnings = model.warnings.iter().map(|warning| format!("warning: {warning}"));
    warnings
        .chain(unresolved)
        .chain(assumed.map(|it| format!("assumed: {} = {} ({})", it.what, it.value, it.why)))
}

/// FLOPs with an SI prefix: `8.18 GFLOP`.
pub fn show_flops(flops: Flop) -> String {
    const STEPS: [(f64, &str); 6] =
        [(1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    let value = flops.value;
    match STEPS.iter().find(|(step, _)| value >= *step) {
        Some((step, prefix)) => format!("{} {prefix}", number(value / step)),
        None => number(value),
    }
}

/// A share in percent; blank if the whole is zero.
pub(super) fn percent(share: f64) -> Cell {
    if share.is_finite() { Cell::percent(share) } else { Cell::Blank }
}

/// Models side by side: parameters, FLOPs and, with a device, the time bound; with `standings`
/// (one per model) their scores.
fn side_by_side(reports: &[ModelReport<'_>], standings: &[Standing<'_>]) -> Doc {
    let timed = reports.iter().any(|report| report.device.is_some());
    let sparse = reports.iter().any(|report| {
        let parameters = report.model.parameters();
        parameters.active != parameters.total
    });
    let mut numbers = vec!["parameters", "FLOPs", "MACs", "weights"];
    if sparse {
        numbers.insert(1, "active");
    }
    if timed {
        numbers.push("forward >=");
    }
    if let Some(standing) = standings.first() {
        numbers.extend([standing.metric, "front"]);
    }
    let numbers = numbers.into_iter().map(Column::numbers);
    let mut grid = Grid::new([Column::words("model")].into_iter().chain(numbers)).flush();
    let mut standings = standings.iter();
    for report in reports {
        let parameters = report.model.parameters();
        let products = report.model.forward(report.attention).matmul;
        let mut cells =
            vec![Cell::text(&report.model.name), Cell::counted(parameters.total as f64)];
        if sparse {
            cells.push(Cell::counted(parameters.active as f64));
        }
        cells.extend([report.flops(products, ""), report.flops(products * 0.5, "")]);
        cells.push(Cell::quantity(report.weights()));
        if timed {
            cells.push(report.time_bound().map_or(Cell::Blank, Cell::quantity));
        }
        if let Some(standing) = standings.next() {
            let mark = if standing.on_front { "*" } else { "" };
            cells.extend([Cell::number(standing.score), mark.into()]);
        }
        grid.push(cells);
    }
    let mut doc = Doc::default();
    doc.push(Block::Grid(grid));
    let note = reports.first().map(|first| {
        format!(
            "forward pass of batch {}; FLOPs of the matmul class, 2 per MAC; weights in {}",
            first.model.input.batch,
            if reports.iter().any(|it| it.stored && it.model.storage.is_some()) {
                "the formats of their files".to_owned()
            } else {
                first.precision.name().to_owned()
            }
        )
    });
    doc.blocks.extend(note.map(Block::Text));
    doc
}

/// One row per layer.
fn rows(reports: &[ModelReport<'_>]) -> Grid {
    let words = ["model", "layer", "kind"].map(Column::words);
    let flops = ["forward_matmul_flops", "forward_elementwise_flops", "backward_matmul_flops"];
    let numbers = ["count", "parameters"].into_iter().chain(flops).map(Column::numbers);
    let mut grid = Grid::new(words.into_iter().chain(numbers));
    for report in reports {
        for layer in &report.model.layers {
            let forward = layer.forward(report.attention);
            let backward = layer.backward(report.attention);
            grid.push([
                Cell::text(&report.model.name),
                Cell::text(&layer.name),
                layer.operator.kind().into(),
                Cell::Count(layer.count),
                Cell::Count(layer.parameters()),
                forward.matmul.stored().into(),
                forward.elementwise.stored().into(),
                backward.matmul.stored().into(),
            ]);
        }
    }
    grid
}

/// The model as `flopcast.model/1`.
fn value(report: &ModelReport<'_>) -> Value {
    let model = report.model;
    let parameters = model.parameters();
    let forward = model.forward(report.attention);
    let element = report.precision.size();
    let operators: Vec<Value> = model
        .layers
        .iter()
        .map(|layer| {
            let forward = layer.forward(report.attention);
            let backward = layer.backward(report.attention);
            let mut row = json!({
                "name": layer.name,
                "kind": layer.operator.kind(),
                "role": layer.role.name(),
                "count": layer.count,
                "parameters": layer.parameters(),
                "forward_flops": {"matmul": forward.matmul.value, "elementwise": forward.elementwise.value},
                "backward_flops": {"matmul": backward.matmul.value, "elementwise": backward.elementwise.value},
                "weight_bytes": if report.stored { layer.stored_data(element) } else { layer.weight_data(element) }.value,
                "activation_bytes": layer.activation_data(element).value,
            });
            if let Some((_, device)) = report.device {
                let bound = roofline::bound(layer, report.attention, element, device);
                row["roofline"] = json!({"time_s": bound.time.value, "bound_by": bound.limit.name()});
            }
            row
        })
        .collect();
    let known = |flops: f64| model.is_counted().then_some(flops);
    let mut value = json!({
        "schema": "flopcast.model/1",
        "name": model.name,
        "parameters": {
            "total": parameters.total,
            "active": parameters.active,
            "embedding": parameters.embedding,
            "trainable": parameters.trainable,
        },
        "weights": {"bytes": report.weights().value, "format": report.format()},
        "forward": {
            "sequence_length": model.input.sequence,
            "decoder_sequence_length": model.input.decoder_sequence,
            "image_size": model.input.image_size,
            "images": model.input.images,
            "frames": model.input.frames,
            "sound_ms": model.input.sound,
            "media_tokens": model.media_tokens,
            "batch": model.input.batch,
            "attention": if report.attention == AttentionCount::Full { "full" } else { "causal" },
            "flops": {
                "matmul": known(forward.matmul.value),
                "elementwise": known(forward.elementwise.value),
                "total": known(forward.total().value),
            },
            "macs": known(forward.matmul.value / 2.0),
        },
        "operators": operators,
        "unresolved": model.unresolved.iter()
            .map(|u| json!({"kind": u.kind, "count": u.count, "why": u.why})).collect::<Vec<_>>(),
        "assumptions": model.assumptions.iter()
            .map(|a| json!({"what": a.what, "value": a.value, "why": a.why})).collect::<Vec<_>>(),
        "warnings": model.warnings,
    });
    let (ahead, with_copies) = model.ahead_parameters();
    if ahead > 0 {
        let forward: Flops = model.ahead.iter().map(|it| it.forward(report.attention)).sum();
        value["mtp"] = json!({
            "parameters": ahead,
            "with_copies": with_copies,
            "forward_flops_matmul": forward.matmul.value,
        });
    }
    if let Some(token) = &report.decode {
        value["decode"] = json!({
            "context": token.context,
            "active_parameters": token.active,
            "flops": {
                "matmul": token.flops.matmul.value,
                "elementwise": token.flops.elementwise.value,
                "attention_matmul": token.mixing.matmul.value,
            },
            "weight_bytes": token.weights.value,
            "kv_bytes": token.cache.value,
        });
        if let Some((_, device)) = report.device {
            value["decode"]["time_s"] = json!(token.least(device).value);
        }
    }
    if report.training {
        let backward = model.backward(report.attention);
        value["backward"] = json!({"flops": {
            "matmul": backward.matmul.value,
            "elementwise": backward.elementwise.value,
            "total": backward.total().value,
        }});
    }
    if let (Some((name, _)), Some(time)) = (report.device, report.time_bound()) {
        value["roofline"] = json!({"accelerator": name, "forward_time_s": time.value});
    }
    value
}
