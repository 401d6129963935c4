//! Every ONNX file of a folder of references against its table of parameters, MACs and backward
//! passes.

use std::collections::BTreeMap;
use std::path::Path;

use flopcast::import::onnx;
use flopcast::model::Bindings;
use flopcast::model::{AttentionCount, Model, Operator};
use flopcast::quantity::system::compute::flop;

use crate::folder;

type Row = BTreeMap<String, String>;

/// Reference graphs whose backward pass is not that of the file: their auxiliary head ran, and
/// its loss did not.
const OTHER_BACKWARD: [&str; 2] = ["fcn_resnet50", "deeplabv3_resnet50"];

fn rows(path: &Path) -> Vec<Row> {
    let mut table = csv::Reader::from_path(path).expect("a table");
    table.deserialize().map(|row| row.expect("a row")).collect()
}

/// MACs of the matmul class of layers that `wanted` picks.
fn macs(model: &Model, wanted: impl Fn(&Operator) -> bool) -> u64 {
    let layers = model.layers.iter().filter(|layer| wanted(&layer.operator));
    let flops: f64 =
        layers.map(|layer| layer.forward(AttentionCount::Full).matmul.get::<flop>()).sum();
    (flops / 2.0).round() as u64
}

/// By the columns of the table: what it calls Gemm and `MatMul` are dense layers and products.
fn by_columns(model: &Model) -> [(&'static str, u64); 5] {
    let convolution = |op: &Operator, transposed| matches!(op, Operator::Convolution(it) if it.transposed == transposed);
    [
        ("macs_total", macs(model, |_| true)),
        ("macs_Conv", macs(model, |op| convolution(op, false))),
        ("macs_ConvTranspose", macs(model, |op| convolution(op, true))),
        ("macs_LSTM", macs(model, |op| matches!(op, Operator::Recurrent(_)))),
        (
            "macs_Gemm+macs_MatMul",
            macs(model, |op| matches!(op, Operator::Dense(_) | Operator::Matmul(_))),
        ),
    ]
}

/// Differences between a file and its row, in words; `ratio` is backward over forward.
fn differences(folder: &Path, row: &Row, ratio: Option<f64>) -> Vec<String> {
    let bytes = std::fs::read(folder.join(&row["file"])).expect("the row's file");
    let bindings: Bindings = row["dynamic_dims"].replace(';', ",").parse().expect("dimensions");
    let model = match onnx::read(bytes, &bindings) {
        Ok(model) => model,
        Err(error) => return vec![error.to_string()],
    };
    let mut wrong: Vec<String> = model.unresolved.iter().map(|it| format!("{it:?}")).collect();
    let mut check = |columns: &str, got: u64| {
        let want: u64 = columns.split('+').map(|name| row[name].parse::<u64>().expect("n")).sum();
        if got != want {
            wrong.push(format!("{columns}: {got} instead of {want}"));
        }
    };
    check("float_initializer_elems_in_file", model.parameters().total);
    for (columns, got) in by_columns(&model) {
        check(columns, got);
    }
    if let Some(want) = ratio {
        let forward = model.forward(AttentionCount::Full).matmul.get::<flop>();
        let got = model.backward(AttentionCount::Full).matmul.get::<flop>() / forward;
        if (got / want - 1.0).abs() > 0.005 {
            wrong.push(format!("backward / forward: {got:.4} instead of {want:.4}"));
        }
    }
    wrong
}

#[test]
#[ignore = "needs FLOPCAST_ORACLES"]
fn files_equal_their_rows() {
    let ratios: BTreeMap<String, f64> = rows(&folder().join("vision/training_ratio.csv"))
        .into_iter()
        .filter(|row| !OTHER_BACKWARD.contains(&row["model"].as_str()))
        .filter_map(|row| Some((row["model"].clone(), row["corrected_ratio"].parse().ok()?)))
        .collect();
    let folder = folder().join("onnx");
    let mut misses = 0;
    for row in rows(&folder.join("expected.csv")) {
        let ratio = ratios.get(&row["model"]).copied();
        let wrong = differences(&folder, &row, ratio);
        let verdict = if wrong.is_empty() { "equal" } else { "DIFFERS" };
        let backward = if ratio.is_some() { "with its backward pass" } else { "" };
        println!("{:34} {verdict} {backward}", row["file"]);
        for line in &wrong {
            println!("    {line}");
        }
        misses += usize::from(!wrong.is_empty());
    }
    assert_eq!(misses, 0, "files that differ");
}
