//! Models in files as their libraries write them: `tests/data/files/expected.csv`, one figure a line
//! with its source.

use std::path::{Path, PathBuf};

use flopcast::diagnostic::{Error, Result};
use flopcast::import::{Files, Source};
use flopcast::model::stored::bits;
use flopcast::model::{AttentionCount, Input, Model};
use flopcast::quantity::Measure;

struct Folder(PathBuf);

impl Files for Folder {
    fn head(&self, path: &str, most: u64) -> Result<Vec<u8>> {
        let mut bytes =
            std::fs::read(self.0.join(path)).map_err(|it| Error::input(format!("{path}: {it}")))?;
        bytes.truncate(usize::try_from(most).expect("a length"));
        Ok(bytes)
    }

    fn size(&self, path: &str) -> Option<u64> {
        std::fs::metadata(self.0.join(path)).ok().filter(|it| it.is_file()).map(|it| it.len())
    }

    fn names(&self, path: &str) -> Option<Vec<String>> {
        let entries = std::fs::read_dir(self.0.join(path)).ok()?;
        Some(
            entries
                .map(|it| it.expect("an entry").file_name().into_string().expect("UTF-8"))
                .collect(),
        )
    }
}

fn read(spec: &str) -> Model {
    let folder = Folder(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/files"));
    let (file, bind) = spec.split_once('?').unwrap_or((spec, ""));
    let bindings = bind.replace('&', ",").parse().expect("bindings");
    Source::new(&folder, &Input::default(), &bindings)
        .read(file)
        .unwrap_or_else(|error| panic!("{spec}: {error}"))
}

fn check(file: &str, figure: &str, expected: f64) {
    let model = read(file);
    let value = match figure {
        "parameters" => model.parameters().total as f64,
        "trainable" => model.parameters().trainable as f64,
        "bytes" => model.stored_data(bits(16.0)).stored(),
        "macs" => model.forward(AttentionCount::Full).matmul.stored() / 2.0,
        other => panic!("{other}"),
    };
    assert!((value / expected - 1.0).abs() < 1e-9, "{file}: {figure} {value}, not {expected}");
}

#[test]
fn files_count_as_their_libraries_do() {
    let text = include_str!("../data/files/expected.csv");
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    let mut checked = 0;
    for row in rows.records() {
        let row = row.expect("a row");
        check(&row[0], &row[1], row[2].parse().expect("a number"));
        checked += 1;
    }
    assert!(checked > 25, "{checked}");
}

/// What a file says that is not what is counted is told.
#[test]
fn doubts_are_told() {
    let told = |file: &str, part: &str| {
        let model = read(file);
        let assumed =
            model.assumptions.iter().map(|it| format!("{} {} {}", it.what, it.value, it.why));
        let all = assumed.chain(model.warnings).collect::<Vec<_>>().join("\n");
        assert!(all.contains(part), "{file}: {all}");
    };
    told("kimi-k2.json", "model_type deepseek_v3");
    told("nomic-embed-v1.5.json", "code of its own");
    told("llama-lora-rank.json", "`lora_rank` = 8 is no key of `llama`");
    told("jina-v2-base.json", "comma");
    told("merged-decoder-if.onnx", "the branch that costs more");
    told("flux", "text_encoder_2: no config.json here");
    told("tiny.gguf", "its tensors hold 6400");
    assert!(read("dnabert2-117m.json").warnings.is_empty(), "its own code is known");
}
