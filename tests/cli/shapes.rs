//! Shapes of a model against a table of accuracies.

use std::fs;

use crate::common::{close, flopcast, holds, json, number, refused, scratch, stdout};

const DECODER: &str = "\
name: A small decoder
model: {transformer: {layers: 12, hidden: 768, heads: 12, ffn: 3072, vocab: 50257}}
";

/// The table and a scenario in a folder of the test's own; the arguments that ask about them.
fn question(name: &str, scenario: &str, table: &str) -> Vec<String> {
    let folder = scratch(name);
    let (plan, shapes) = (folder.join("plan.yaml"), folder.join("shapes.csv"));
    fs::write(&plan, scenario).expect("a scenario");
    fs::write(&shapes, table).expect("a table");
    let paths = [plan, shapes].map(|path| path.display().to_string());
    vec!["optimize".to_owned(), paths[0].clone(), "--shapes".to_owned(), paths[1].clone()]
}

fn with<'a>(question: &'a [String], more: &[&'a str]) -> Vec<&'a str> {
    question.iter().map(String::as_str).chain(more.iter().copied()).collect()
}

/// Parameters, multiply-accumulates and accuracies of torchvision's weights `IMAGENET1K_V1`
/// (`models/accuracy/torchvision.csv`).
#[test]
fn published_networks_are_counted_and_the_front_is_theirs() {
    let table = "\
model,image_size,top1
resnet18,224,69.758
resnet34,224,73.314
resnet50,224,76.13
resnet101,224,77.374
vgg11,224,69.02
";
    let asked = question("shapes-vision", "name: Vision\nmodel: resnet18\n", table);
    let answer = json(&with(&asked, &["--max-flops", "9G", "--format", "json"]));
    let shapes = answer["shapes"].as_array().expect("shapes");
    let facts = [
        ("resnet50", 25_557_032.0, 4.089e9, true),
        ("resnet34", 21_797_672.0, 3.664e9, true),
        ("resnet18", 11_689_512.0, 1.814e9, true),
        ("resnet101", 44_549_160.0, 7.801e9, false),
        ("vgg11", 132_863_336.0, 7.609e9, false),
    ];
    for (shape, (name, parameters, macs, within)) in shapes.iter().zip(facts) {
        assert_eq!(shape["shape"]["model"], name, "{answer:#}");
        close(name, number(shape, "figures.parameters"), parameters, 1e-12);
        close(name, number(shape, "figures.flops"), 2.0 * macs, 2e-3);
        assert_eq!(shape["on_front"], within, "{name}");
        assert_eq!(shape["over"]["flops"].is_null(), within, "{name}");
    }
    // What VGG-11 takes is beaten by ResNet-18 in every respect.
    let free = json(&with(&asked, &["--format", "json"]));
    let front = |name: &str| {
        let shapes = free["shapes"].as_array().expect("shapes");
        let found = shapes.iter().find(|shape| shape["shape"]["model"] == name);
        found.expect("a shape")["on_front"] == true
    };
    assert!(front("resnet101") && front("resnet18") && !front("vgg11"));
}

/// Depth, width, heads and FFN of an inline model; each row is what the model counts alone.
#[test]
fn keys_of_the_model_are_columns() {
    let table = "layers,hidden,heads,ffn,sequence_length,accuracy\n\
                 6,768,12,3072,512,0.60\n24,512,8,2048,512,0.645\n48,384,6,1536,512,0.63\n";
    let asked = question("shapes-decoder", DECODER, table);
    let more = ["--max-params", "160M", "--max-latency", "1 s", "--on", "h100-sxm"];
    let mut arguments = with(&asked, &more);
    arguments.extend(["--max-memory", "1 GB", "--format", "json"]);
    let answer = json(&arguments);
    let first = &answer["shapes"][0];
    assert_eq!(first["shape"]["layers"], "24");
    assert_eq!(answer["shapes"].as_array().expect("shapes").len(), 3);
    // Attention 4 h^2, gated FFN 3 h f, two norms a layer; embedding, head, last norm.
    let (h, f, layers, vocabulary) = (512.0, 2048.0, 24.0, 50257.0);
    let parameters = layers * (4.0 * h * h + 3.0 * h * f + 2.0 * h) + 2.0 * vocabulary * h + h;
    close("parameters", number(first, "figures.parameters"), parameters, 1e-12);
    let memory = number(first, "figures.memory_gb");
    assert!(memory > 2.0 * parameters / 1e9 && memory < 4.0 * parameters / 1e9, "{memory}");
    assert!(number(first, "figures.latency_ms") > 0.0);
    let table = stdout(&with(&asked, &["--max-params", "150M"]));
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    assert!(table.contains("A scaling law sees size, not shape"), "{table}");
}

#[test]
fn what_does_not_fit_says_which_limit_binds() {
    let table = "layers,accuracy\n6,0.60\n12,0.64\n";
    let asked = question("shapes-none", DECODER, table);
    let output = flopcast(&with(&asked, &["--max-params", "1M"]));
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("parameters binds: no shape is below"), "{text}");
}

#[test]
fn tables_that_make_no_sense() {
    let cases = [
        ("layers,hidden\n1,2\n", "no column is the accuracy"),
        ("accuracy\n0.5\n", "no column says a shape"),
        ("layers,accuracy\n", "0 rows"),
        ("layers,accuracy\n6,good\n", "line 2: `good` is no accuracy"),
        ("layers,accuracy\n6\n", "record"),
        ("layer,accuracy\n6,0.5\n", "no key `layer`"),
        ("heads,accuracy\n7,0.5\n", "row 1, 7"),
        ("layers,image_size,accuracy\n6,big,0.5\n", "`big` is no whole number"),
    ];
    for (table, expected) in cases {
        let asked = question("shapes-wrong", DECODER, table);
        let message = refused(&with(&asked, &[]), 2);
        holds(table, &message, &[expected]);
    }
}
