//! Every ONNX file of a folder of references against its table of parameters and MACs.
//!
//! The folder is `$FLOPCAST_ORACLES/onnx`; without it the test says so. Run with
//! `FLOPCAST_ORACLES=... cargo test --test onnx_oracle -- --ignored --nocapture`.

use std::collections::BTreeMap;
use std::path::Path;

use flopcast::model::import::onnx::{self, Bindings};
use flopcast::model::{AttentionCount, Model, Operator};
use flopcast::quantity::system::compute::flop;

/// MACs of the matmul class of layers that `wanted` picks.
fn macs(model: &Model, wanted: impl Fn(&Operator) -> bool) -> u64 {
    let layers = model.layers.iter().filter(|layer| wanted(&layer.operator));
    let flops: f64 =
        layers.map(|layer| layer.forward(AttentionCount::Full).matmul.get::<flop>()).sum();
    (flops / 2.0).round() as u64
}

/// Expected figures by kind: what the table calls Gemm and `MatMul` are dense layers and products.
fn by_kind(model: &Model) -> [(&'static str, u64); 4] {
    [
        ("macs_Conv", macs(model, |op| matches!(op, Operator::Convolution(it) if !it.transposed))),
        (
            "macs_ConvTranspose",
            macs(model, |op| matches!(op, Operator::Convolution(it) if it.transposed)),
        ),
        ("macs_LSTM", macs(model, |op| matches!(op, Operator::Recurrent(_)))),
        (
            "macs_Gemm+macs_MatMul",
            macs(model, |op| {
                matches!(op, Operator::Dense(_) | Operator::Matmul(_) | Operator::Attention(_))
            }),
        ),
    ]
}

/// Differences between a file and its row, in words.
fn differences(folder: &Path, row: &BTreeMap<String, String>, ratio: Option<f64>) -> Vec<String> {
    let bytes = std::fs::read(folder.join(&row["file"])).expect("the row's file");
    let bindings: Bindings = row["dynamic_dims"].replace(';', ",").parse().expect("dimensions");
    let model = match onnx::read(bytes, &bindings) {
        Ok(model) => model,
        Err(error) => return vec![error.to_string()],
    };
    let expected = |columns: &str| -> u64 {
        columns.split('+').map(|column| row[column].parse::<u64>().expect("a count")).sum()
    };
    let mut wrong = Vec::new();
    let mut check = |name: &str, got: u64, want: u64| {
        if got != want {
            wrong.push(format!("{name}: {got} instead of {want}"));
        }
    };
    let parameters = model.parameters().total;
    check("parameters", parameters, expected("float_initializer_elems_in_file"));
    check("macs_total", macs(&model, |_| true), expected("macs_total"));
    for (columns, got) in by_kind(&model) {
        check(columns, got, expected(columns));
    }
    wrong.extend(model.unresolved.iter().map(|it| format!("{it:?}")));
    wrong
}

#[test]
#[ignore = "needs FLOPCAST_ORACLES"]
fn parameters_and_macs_equal_the_table() {
    let Ok(root) = std::env::var("FLOPCAST_ORACLES") else {
        return eprintln!("left out: FLOPCAST_ORACLES is not set");
    };
    let folder = Path::new(&root).join("onnx");
    let mut table = csv::Reader::from_path(folder.join("expected.csv")).expect("expected.csv");
    let mut misses = 0;
    for row in table.deserialize() {
        let row: BTreeMap<String, String> = row.expect("a row");
        let wrong = differences(&folder, &row, None);
        println!("{:34} {}", row["file"], if wrong.is_empty() { "equal" } else { "DIFFERS" });
        wrong.iter().for_each(|line| println!("    {line}"));
        misses += usize::from(!wrong.is_empty());
    }
    assert_eq!(misses, 0, "files that differ");
}
