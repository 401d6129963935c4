//! `flopcast model`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::input::read_bytes;
use super::{Format, Global, load, print};
use crate::diagnostic::{Error, Result};
use crate::model::import::onnx::{self, Bindings};
use crate::model::import::{hf, safetensors};
use crate::model::roofline::Device;
use crate::model::{AttentionCount, Input, Model, spec};
use crate::quantity::Precision;
use crate::report::model::{ModelReport, csv, json, side_by_side, table};

/// Larger model files are refused; the weights of a safetensors file are not read.
const MAX_BYTES: u64 = 4 << 30;
/// The longest header of a safetensors file that is read.
const MAX_HEADER: u64 = 128 << 20;

/// Options of `flopcast model`.
#[derive(Args, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct Options {
    /// A preset, or the path of a Hugging Face config.json, an .onnx file, a model file (.yaml), a
    /// .safetensors file or its index.
    #[arg(required_unless_present = "list", value_name = "SPEC")]
    specs: Vec<String>,
    /// List the presets.
    #[arg(long)]
    list: bool,
    /// Samples in the batch.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    batch: u64,
    /// Tokens of a sample; min(2048, the model's maximum) when left out.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    seq_len: Option<u64>,
    /// Tokens of a sample on the decoder's side of an encoder-decoder.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    decoder_seq_len: Option<u64>,
    /// Height and width of an image in pixels.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    image_size: Option<u64>,
    /// How attention is counted.
    #[arg(long, value_enum, default_value_t = Attention::Causal)]
    attention: Attention,
    /// Sizes of an ONNX graph's symbolic dimensions: N=1,S=128.
    #[arg(long, value_name = "SYMBOL=SIZE,...", default_value = "")]
    bind: String,
    /// Count the backward pass too, operator by operator.
    #[arg(long)]
    training: bool,
    /// A row for every layer.
    #[arg(long)]
    layers: bool,
    /// Bound the time of each operator by this accelerator's roofline.
    #[arg(long, value_name = "ACCELERATOR")]
    on: Option<String>,
    /// Number format of weights, activations and products.
    #[arg(long, default_value = "bf16")]
    precision: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Attention {
    /// What the mask lets through.
    Causal,
    /// Every query against every key.
    Full,
}

impl Options {
    pub(super) fn run(&self, global: &Global) -> Result<ExitCode> {
        if self.list {
            return print(&spec::preset_names().collect::<Vec<_>>().join("\n"));
        }
        let catalog = load::catalog(global)?;
        let precision = Precision::ALL
            .into_iter()
            .find(|precision| precision.name() == self.precision)
            .ok_or_else(|| {
                let known = Precision::ALL.map(Precision::name);
                Error::input(format!("`{}` is not a precision", self.precision))
                    .hint(format!("one of {}", known.join(", ")))
            })?;
        let device = match &self.on {
            None => None,
            Some(name) => {
                let accelerator = catalog.accelerator(name)?;
                let bandwidth = accelerator.bandwidth.as_ref().ok_or_else(|| {
                    Error::input(format!("the memory bandwidth of {name} is unknown"))
                })?;
                let peak = accelerator.peak(precision)?.value;
                Some((accelerator.id.as_str(), Device { peak, bandwidth: bandwidth.value }))
            }
        };
        let models: Vec<Model> =
            self.specs.iter().map(|spec| self.read(spec)).collect::<Result<_>>()?;
        let reports: Vec<ModelReport<'_>> = models
            .iter()
            .map(|model| ModelReport {
                model,
                attention: match self.attention {
                    Attention::Causal => AttentionCount::Causal,
                    Attention::Full => AttentionCount::Full,
                },
                precision,
                training: self.training,
                layers: self.layers,
                device,
            })
            .collect();
        print(&match (global.format, reports.as_slice()) {
            (Format::Json, [one]) => pretty(&json(one))?,
            (Format::Json, many) => {
                pretty(&serde_json::Value::Array(many.iter().map(json).collect()))?
            }
            (Format::Csv, many) => csv(many),
            (Format::Table, [one]) => table(one),
            (Format::Table, many) => side_by_side(many, false),
            (Format::Markdown, many) => side_by_side(many, true),
        })
    }

    fn input(&self) -> Input {
        Input {
            batch: self.batch,
            sequence: self.seq_len,
            decoder_sequence: self.decoder_seq_len,
            image_size: self.image_size,
        }
    }

    /// A preset's name, or a file by its ending.
    fn read(&self, spec: &str) -> Result<Model> {
        let path = Path::new(spec);
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or(spec);
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        let text = || {
            String::from_utf8(read_bytes(path, 16 << 20)?)
                .map_err(|_| Error::input(format!("{spec} is not UTF-8 text")))
        };
        match ending {
            "onnx" => onnx::read(read_bytes(path, MAX_BYTES)?, &self.bind.parse::<Bindings>()?),
            "safetensors" => weights(path)?.model(name),
            "json" if name.ends_with(".safetensors.index.json") => sharded(path, &text()?, name),
            "json" => hf::read(name, &text()?, &self.input()),
            "yaml" | "yml" => spec::from_yaml(name, &text()?, &self.input()),
            _ if path.is_dir() => self.read(&path.join("config.json").display().to_string()),
            _ => spec::from_preset(spec, &self.input()),
        }
        .map_err(|error| if path.is_file() { error.within(spec) } else { error })
    }
}

fn pretty(value: &serde_json::Value) -> Result<String> {
    serde_json::to_string_pretty(value)
        .map_err(|error| Error::input(format!("the JSON could not be written: {error}")))
}

/// The tensors of one file, from its header alone.
fn weights(path: &Path) -> Result<safetensors::Weights> {
    use std::io::Read;
    let cannot =
        |error: std::io::Error| Error::input(format!("cannot read {}: {error}", path.display()));
    let mut file = std::fs::File::open(path).map_err(cannot)?;
    let size = file.metadata().map_err(cannot)?.len();
    let mut bytes = vec![0; 8.min(usize::try_from(size).unwrap_or(8))];
    file.read_exact(&mut bytes).map_err(cannot)?;
    let header = safetensors::header_length(&bytes)? as u64;
    file.take(header.min(MAX_HEADER)).read_to_end(&mut bytes).map_err(cannot)?;
    safetensors::read(&bytes, Some(size))
}

/// The tensors of an index and the files that it names.
fn sharded(path: &Path, text: &str, name: &str) -> Result<Model> {
    let index = safetensors::Index::read(text)?;
    let folder = path.parent().map(PathBuf::from).unwrap_or_default();
    let mut files = std::collections::BTreeMap::new();
    for file in index.files.keys() {
        files.insert(file.clone(), weights(&folder.join(file))?);
    }
    index.collect(files)?.model(name)
}
