//! What an architecture is, as table, JSON, CSV and Markdown.

use std::fmt::Write as _;

use flopcast_core::model::roofline::{Bound, Device};
use flopcast_core::model::{AttentionCount, Flops, Layer, Model, Role, roofline};
use flopcast_core::quantity::text::{count, number};
use flopcast_core::quantity::{Data, Flop, Measure, Precision, Time, show};
use serde_json::{Value, json};
use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Padding, Style};

use super::tree::wrap;

/// A model with what the user wants to know of it.
#[derive(Clone, Debug)]
pub struct ModelReport<'a> {
    /// The model.
    pub model: &'a Model,
    /// How attention is counted.
    pub attention: AttentionCount,
    /// Number format of weights and activations.
    pub precision: Precision,
    /// Forward and backward instead of forward alone.
    pub training: bool,
    /// Every layer instead of a row per kind.
    pub layers: bool,
    /// The device of the roofline, and its name.
    pub device: Option<(&'a str, Device)>,
}

/// Where a model stands among others by a score.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// What the score is.
    pub metric: &'a str,
    /// The score.
    pub score: f64,
    /// Whether no other model is better at its cost.
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

/// A row of the table: layers of one role and kind, or one layer.
struct Row {
    name: String,
    flops: Flops,
    backward: Flops,
    parameters: u64,
    moved: Data,
    bound: Option<(Time, &'static str)>,
}

impl ModelReport<'_> {
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

    /// A row per role and kind, or per layer.
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

    /// FLOPs that the shares refer to.
    fn counted(&self, row: &Row) -> Flop {
        if self.training { row.flops.total() + row.backward.total() } else { row.flops.total() }
    }

    /// The least time of one forward pass.
    pub fn time_bound(&self) -> Option<Time> {
        self.device?;
        Some(self.rows().iter().filter_map(|row| row.bound).map(|(time, _)| time).sum())
    }
}

/// The name of layers of one role and kind.
pub(super) fn group_name(role: Role, kind: &str) -> String {
    if role.name() == kind { kind.to_owned() } else { format!("{} {kind}", role.name()) }
}

/// What the input is, in words.
pub(super) fn input_words(model: &Model) -> String {
    let input = &model.input;
    let mut parts = vec![format!("batch {}", input.batch)];
    parts.extend(input.sequence.map(|n| format!("sequence {n}")));
    parts.extend(input.decoder_sequence.map(|n| format!("decoder sequence {n}")));
    parts.extend(input.image_size.map(|n| format!("image {n} x {n}")));
    parts.join(", ")
}

/// The model as aligned text.
pub fn table(report: &ModelReport<'_>) -> String {
    let model = report.model;
    let parameters = model.parameters();
    let forward = model.forward(report.attention);
    let full = model.forward(AttentionCount::Full).matmul;
    let causal = model.forward(AttentionCount::Causal).matmul;
    let backward = model.backward(report.attention);
    let mut totals = Builder::default();
    let mut line = |label: &str, value: String, note: &str| {
        totals.push_record([format!("  {label}"), value, note.to_owned()]);
    };
    line("parameters", count(parameters.total as f64), &format!("exactly {}", parameters.total));
    if parameters.active != parameters.total {
        line("  active", count(parameters.active as f64), "that one position passes through");
    }
    line("  in embeddings", count(parameters.embedding as f64), "");
    line("weights", show(model.weight_data(report.precision.size())), report.precision.name());
    line(
        "forward FLOPs, matmul",
        format!("{}FLOP", show_flops(forward.matmul)),
        "2 per multiply-accumulate",
    );
    if causal == full {
        line(
            "  as MACs",
            format!("{}MAC", show_flops(forward.matmul * 0.5)),
            "what papers often call FLOPs",
        );
    } else {
        line(
            "  causal attention",
            format!("{}FLOP", show_flops(causal)),
            "what the mask lets through",
        );
        line(
            "  full attention",
            format!("{}FLOP", show_flops(full)),
            "every query against every key",
        );
        line(
            "  as MACs, full",
            format!("{}MAC", show_flops(full * 0.5)),
            "what papers often call FLOPs",
        );
    }
    line(
        "forward FLOPs, elementwise",
        show_flops(forward.elementwise),
        "norms, activations, softmax",
    );
    if report.training {
        let ratio = backward.matmul / forward.matmul;
        line(
            "backward FLOPs, matmul",
            show_flops(backward.matmul),
            &format!("{} x forward", number(ratio.value)),
        );
        line(
            "training FLOPs, matmul",
            show_flops(forward.matmul + backward.matmul),
            "forward + backward",
        );
    }
    if let (Some((name, _)), Some(time)) = (report.device, report.time_bound()) {
        line(
            "forward pass, at least",
            show(time),
            &format!("roofline of {name}, {}", report.precision),
        );
    }
    let pass = if report.training { "forward and backward" } else { "forward" };
    let mut out = format!("{}: {pass}, {}\n", model.name, input_words(model));
    push(&mut out, totals, &[1]);
    out.push('\n');
    push(&mut out, group_table(report), &[1, 2, 3, 4, 5, 6]);
    hot_spots(report, &mut out);
    notes(model, &mut out);
    out
}

fn group_table(report: &ModelReport<'_>) -> Builder {
    let rows = report.rows();
    let total: Flop = rows.iter().map(|row| report.counted(row)).sum();
    let timed: Time = rows.iter().filter_map(|row| row.bound).map(|(time, _)| time).sum();
    let mut header = vec!["  layers", "FLOP", "share", "params", "bytes", "FLOP/B"];
    if report.device.is_some() {
        header.extend(["time", "bound"]);
    }
    let mut records = vec![header.into_iter().map(str::to_owned).collect::<Vec<_>>()];
    for row in &rows {
        let flops = report.counted(row);
        let mut cells = vec![
            format!("  {}", row.name),
            show_flops(flops),
            percent(flops.value / total.value),
            count(row.parameters as f64),
            show(row.moved),
            if row.moved.value > 0.0 {
                number(row.flops.total().value / row.moved.value)
            } else {
                String::new()
            },
        ];
        if let Some((time, limit)) = row.bound {
            cells.extend([percent(time.value / timed.value), limit.to_owned()]);
        }
        records.push(cells);
    }
    fit(&mut records);
    Builder::from_iter(records)
}

/// Shortens the names in the first column, from the front, where the table would be wider than a
/// terminal of 80 columns.
pub(super) fn fit(records: &mut [Vec<String>]) {
    const MOST: usize = 80;
    const NAME: usize = 16;
    let width = |records: &[Vec<String>], column: usize| {
        let cells = records.iter().filter_map(|record| record.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let columns = records.first().map_or(0, Vec::len);
    let others: usize = (1..columns).map(|column| width(records, column) + 2).sum();
    let most = MOST.saturating_sub(others).max(NAME);
    for name in records.iter_mut().filter_map(|record| record.first_mut()) {
        let length = name.chars().count();
        if length > most {
            let tail: String = name.chars().skip(length + 3 - most).collect();
            *name = format!("  \u{2026}{tail}");
        }
    }
}

/// The few layers that most FLOPs are spent in.
fn hot_spots(report: &ModelReport<'_>, out: &mut String) {
    if report.layers {
        return;
    }
    let each = ModelReport { layers: true, ..report.clone() };
    let mut rows = each.rows();
    let total: f64 = rows.iter().map(|row| each.counted(row).value).sum();
    rows.sort_by(|a, b| each.counted(b).value.total_cmp(&each.counted(a).value));
    let hot = rows.iter().take(3).filter(|row| each.counted(row).value > 0.0);
    let hot: Vec<_> = hot
        .map(|row| format!("{} {}", row.name, percent(each.counted(row).value / total)))
        .collect();
    if !hot.is_empty() {
        let text = wrap(&format!("hot spots: {}", hot.join(", ")), 76).join("\n    ");
        let _ = writeln!(out, "\n  {text}");
    }
}

fn notes(model: &Model, out: &mut String) {
    for unresolved in &model.unresolved {
        let text =
            format!("not counted: {} {} ({})", unresolved.count, unresolved.kind, unresolved.why);
        let _ = writeln!(out, "  {}", wrap(&text, 76).join("\n    "));
    }
    for note in &model.assumptions {
        let text = format!("assumed: {} = {} ({})", note.what, note.value, note.why);
        let _ = writeln!(out, "  {}", wrap(&text, 76).join("\n    "));
    }
}

pub(super) fn push(out: &mut String, builder: Builder, right: &[usize]) {
    let mut table = builder.build();
    table.with(Style::empty()).with(Padding::new(0, 2, 0, 0));
    for column in right {
        table.modify(Columns::one(*column), Alignment::right());
    }
    for line in table.to_string().lines() {
        let _ = writeln!(out, "{}", line.trim_end());
    }
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

pub(super) fn percent(share: f64) -> String {
    if share.is_finite() { format!("{:.1}%", 100.0 * share) } else { String::new() }
}

/// The model as `flopcast.model/1`.
pub fn json(report: &ModelReport<'_>) -> Value {
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
                "weight_bytes": layer.weight_data(element).value,
                "activation_bytes": layer.activation_data(element).value,
            });
            if let Some((_, device)) = report.device {
                let bound = roofline::bound(layer, report.attention, element, device);
                row["roofline"] = json!({"time_s": bound.time.value, "bound_by": bound.limit.name()});
            }
            row
        })
        .collect();
    let mut value = json!({
        "schema": "flopcast.model/1",
        "name": model.name,
        "parameters": {
            "total": parameters.total,
            "active": parameters.active,
            "embedding": parameters.embedding,
            "trainable": parameters.trainable,
        },
        "forward": {
            "sequence_length": model.input.sequence,
            "decoder_sequence_length": model.input.decoder_sequence,
            "image_size": model.input.image_size,
            "batch": model.input.batch,
            "attention": if report.attention == AttentionCount::Full { "full" } else { "causal" },
            "flops": {
                "matmul": forward.matmul.value,
                "elementwise": forward.elementwise.value,
                "total": forward.total().value,
            },
            "macs": forward.matmul.value / 2.0,
        },
        "operators": operators,
        "unresolved": model.unresolved.iter()
            .map(|u| json!({"kind": u.kind, "count": u.count, "why": u.why})).collect::<Vec<_>>(),
        "assumptions": model.assumptions.iter()
            .map(|a| json!({"what": a.what, "value": a.value, "why": a.why})).collect::<Vec<_>>(),
    });
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

/// One row per layer.
pub fn csv(reports: &[ModelReport<'_>]) -> String {
    let mut out = csv::Writer::from_writer(Vec::new());
    let header = [
        "model",
        "layer",
        "kind",
        "count",
        "parameters",
        "forward_matmul_flops",
        "forward_elementwise_flops",
        "backward_matmul_flops",
    ];
    // Writing into memory does not fail.
    let _ = out.write_record(header);
    for report in reports {
        for layer in &report.model.layers {
            let forward = layer.forward(report.attention);
            let _ = out.write_record([
                report.model.name.clone(),
                layer.name.clone(),
                layer.operator.kind().to_owned(),
                layer.count.to_string(),
                layer.parameters().to_string(),
                forward.matmul.stored().to_string(),
                forward.elementwise.stored().to_string(),
                layer.backward(report.attention).matmul.stored().to_string(),
            ]);
        }
    }
    out.into_inner().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// Models side by side: parameters, FLOPs and, with a device, the time bound; with `standings`
/// (one per model) their scores.
pub fn side_by_side(
    reports: &[ModelReport<'_>],
    standings: &[Standing<'_>],
    markdown: bool,
) -> String {
    let timed = reports.iter().any(|report| report.device.is_some());
    let sparse = reports.iter().any(|report| {
        let parameters = report.model.parameters();
        parameters.active != parameters.total
    });
    let mut builder = Builder::default();
    let mut header = vec!["model", "parameters", "FLOPs", "MACs", "weights"];
    if sparse {
        header.insert(2, "active");
    }
    if timed {
        header.push("forward >=");
    }
    if let Some(standing) = standings.first() {
        header.extend([standing.metric, "front"]);
    }
    let columns = header.len();
    builder.push_record(header);
    let mut standings = standings.iter();
    for report in reports {
        let parameters = report.model.parameters();
        let flops = report.model.forward(report.attention).matmul;
        let mut cells = vec![
            report.model.name.clone(),
            count(parameters.total as f64),
            show_flops(flops),
            show_flops(flops * 0.5),
            show(report.model.weight_data(report.precision.size())),
        ];
        if sparse {
            cells.insert(2, count(parameters.active as f64));
        }
        if timed {
            cells.push(report.time_bound().map(show).unwrap_or_default());
        }
        if let Some(standing) = standings.next() {
            let mark = if standing.on_front { "*" } else { "" };
            cells.extend([number(standing.score), mark.to_owned()]);
        }
        builder.push_record(cells);
    }
    if markdown {
        let mut table = builder.build();
        table.with(Style::markdown());
        return format!("{table}\n");
    }
    let mut out = String::new();
    push(&mut out, builder, &(1..columns).collect::<Vec<_>>());
    if let Some(first) = reports.first() {
        let _ = writeln!(
            out,
            "\n  forward pass of batch {}; FLOPs of the matmul class, 2 per MAC; weights in {}",
            first.model.input.batch, first.precision
        );
    }
    out
}
