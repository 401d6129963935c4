//! `flopcast model`: parameters, FLOPs and bytes of architectures, alone, side by side, compressed,
//! or weighed against a score.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use flopcast_api::Session;
use flopcast_api::questions::model::{
    self, MOST_PIXELS, MOST_SAMPLES, MOST_TOKENS, Request, device,
};
use flopcast_core::catalog::{Accelerator, Catalog};
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::{Input, Model, spec};
use flopcast_core::quantity::text::count;
use flopcast_core::quantity::{Flop, Measure, Time, show};
use flopcast_report::doc::{Block, Cell, Column, Doc, Grid, Subject};
use flopcast_report::render::Format;
use flopcast_report::subject::model::{ModelReport, Models, Standing, show_flops};
use flopcast_report::subject::scatter::{self, Plot, Point};
use flopcast_study::advice;
use flopcast_study::metric::{Metric, Score};
use flopcast_study::pareto::front;

use super::{Global, architecture, load, output, print};

/// Options of `flopcast model`.
#[derive(Args, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct Options {
    /// A preset by any of its names, a size (7B, 671B-A37B), hf:owner/name, or the path of a
    /// configuration (config.json, params.json, `adapter_config.json`, `model_index.json`, Megatron
    /// YAML), an .onnx file, a model file (.yaml), weights (.safetensors, its index, .gguf), or a
    /// folder of these.
    #[arg(required_unless_present_any = ["list", "metric"], value_name = "SPEC")]
    specs: Vec<String>,
    /// List the presets.
    #[arg(long)]
    list: bool,
    /// Samples in the batch.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=MOST_SAMPLES))]
    batch: u64,
    /// Tokens of a sample; min(2048, the model's maximum) when left out.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=MOST_TOKENS))]
    seq_len: Option<u64>,
    /// Tokens of a sample on the decoder's side of an encoder-decoder.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=MOST_TOKENS))]
    decoder_seq_len: Option<u64>,
    /// Height and width of an image in pixels.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=MOST_PIXELS))]
    image_size: Option<u64>,
    /// Images of a sample, of a model that reads text beside them; one where their size is given.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=MOST_SAMPLES))]
    images: Option<u64>,
    /// Frames of video of a sample.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=MOST_SAMPLES))]
    frames: Option<u64>,
    /// Length of the sound of a sample: 30s.
    #[arg(long, value_name = "TIME", value_parser = heard)]
    audio: Option<String>,
    /// Steps in which a pipeline of diffusion denoises; those usual for it.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=MOST_PIXELS))]
    steps: Option<u64>,
    /// Strength of classifier-free guidance: above 1 each step runs twice, unless the denoiser takes the
    /// strength as an input.
    #[arg(long, value_name = "SCALE")]
    guidance: Option<f64>,
    /// Count one token of an answer: FLOPs, and the weights and the cache that it reads.
    #[arg(long, conflicts_with_all = ["training", "metric", "compress", "layers"])]
    decode: bool,
    /// Tokens before the decoded one; those of --seq-len, else 2048.
    #[arg(long, value_name = "TOKENS", requires = "decode", value_parser = clap::value_parser!(u64).range(1..=MOST_TOKENS))]
    context: Option<u64>,
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
    /// Number format of weights, activations and products; bf16, and weights as their file stores
    /// them.
    #[arg(long)]
    precision: Option<String>,
    /// Compression to compare with: quantization=fp8, pruning=2:4, pruning.mlp=30%,
    /// `layer_drop=25%`, `low_rank.mlp=128`, distillation=TEACHER; repeatable.
    #[arg(long, value_name = "KEY=VALUE", conflicts_with_all = ["metric", "layers"])]
    compress: Vec<String>,
    /// Name the layers that take most time, bytes and energy on the accelerator of --on, and what each
    /// compression of each group of layers would save there.
    #[arg(long, requires = "on", conflicts_with_all = ["metric", "layers", "compress", "decode", "training"])]
    advise: bool,
    /// Tokens of an answer that advice counts on, of a model that generates; 0 reads prompts alone.
    #[arg(long, value_name = "TOKENS", requires = "advise", default_value_t = 128, value_parser = clap::value_parser!(u64).range(0..=MOST_TOKENS))]
    answer: u64,
    /// What compressions do to a score, as you measured it: a table with the columns compress,delta.
    #[arg(long, value_name = "FILE.csv", requires = "advise")]
    deltas: Option<PathBuf>,
    /// Compare models by a score: a table with the columns model,score, or `torchvision` for the
    /// accuracies that flopcast ships. Without SPEC, every model of the table.
    #[arg(long, value_name = "FILE.csv|torchvision")]
    metric: Option<String>,
    /// Cost to weigh the score against.
    #[arg(long, value_enum, default_value_t = Against::Flops, requires = "metric")]
    against: Against,
    /// Draw score against cost into this file.
    #[arg(long, value_name = "OUT.svg", requires = "metric")]
    svg: Option<PathBuf>,
    /// Write over a file that exists.
    #[arg(long)]
    force: bool,
}

/// The costs that a score is weighed against.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Against {
    /// FLOPs of one forward pass, matmul class.
    Flops,
    /// All parameters.
    Parameters,
    /// The time bound of one forward pass on the accelerator of --on.
    Time,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Attention {
    /// The pairs that the mask lets through.
    Causal,
    /// Every query against every key.
    Full,
}

/// The presets: a name a line, or in the format that is asked for.
fn presets(global: &Global) -> Result<ExitCode> {
    let names = spec::preset_names();
    if global.format == Format::Table {
        print(&names.collect::<Vec<_>>().join("\n"))
    } else {
        let mut grid = Grid::new([Column::words("model")]);
        names.for_each(|name| grid.push([Cell::from(name)]));
        let mut doc = Doc::default();
        doc.push(Block::Grid(grid));
        global.print(&doc)
    }
}

impl Options {
    /// Counts the models and prints them, or lists the presets.
    ///
    /// # Errors
    /// If a model cannot be read or built, or a combination of options makes no sense.
    pub(super) fn run(&self, global: &Global) -> Result<ExitCode> {
        if self.list {
            return presets(global);
        }
        let catalog = load::catalog(global)?;
        let request = self.request();
        if let Some(name) = &self.metric {
            return self.weighed(global, &catalog, &request, &metric(name)?);
        }
        let deltas = match &self.deltas {
            Some(path) => advice::deltas(&path.display().to_string(), &architecture::text(path)?)?,
            None => Vec::new(),
        };
        let build =
            |spec: &str, input: &Input| architecture::named(spec, input, &self.bind, global);
        let show = &mut |subject: &dyn Subject| global.show(subject);
        request.run(&Session::new(&catalog), &build, &deltas, show)?;
        Ok(ExitCode::SUCCESS)
    }

    /// The question of these options.
    fn request(&self) -> Request {
        Request {
            models: self.specs.clone(),
            batch: Some(self.batch),
            seq_len: self.seq_len,
            decoder_seq_len: self.decoder_seq_len,
            image_size: self.image_size,
            images: self.images,
            frames: self.frames,
            audio: self.audio.clone(),
            steps: self.steps,
            guidance: self.guidance,
            decode: self.decode,
            context: self.context,
            attention: match self.attention {
                Attention::Causal => model::Attention::Causal,
                Attention::Full => model::Attention::Full,
            },
            training: self.training,
            layers: self.layers,
            on: self.on.clone(),
            precision: self.precision.clone(),
            compress: self.compress.clone(),
            advise: self.advise,
            answer: Some(self.answer),
            ..Request::default()
        }
    }

    /// Models side by side with a score, its cost and the Pareto front of the two.
    fn weighed(
        &self,
        global: &Global,
        catalog: &Catalog,
        request: &Request,
        metric: &Metric,
    ) -> Result<ExitCode> {
        let on = self.on.as_deref().map(|name| catalog.accelerator(name)).transpose()?;
        let precision = request.precision(on)?;
        if matches!(self.against, Against::Time) && on.is_none() {
            return Err(
                Error::input("--against time needs an accelerator").hint("name one: --on h100-sxm")
            );
        }
        let device = device(on, precision)?;
        let scored: Vec<(String, &Score)> = if self.specs.is_empty() {
            metric.scores.iter().map(|score| (score.model.clone(), score)).collect()
        } else {
            let score = |spec: &String| Ok((spec.clone(), metric.of(&scored_as(spec))?));
            self.specs.iter().map(score).collect::<Result<_>>()?
        };
        let input = request.input()?;
        let models: Vec<Model> = scored
            .iter()
            .map(|(spec, score)| {
                let image_size = input.image_size.or(score.image_size);
                architecture::named(spec, &Input { image_size, ..input }, &self.bind, global)
            })
            .collect::<Result<_>>()?;
        let reports: Vec<_> =
            models.iter().map(|model| request.report(model, precision, device)).collect();
        let cost = |report: &ModelReport<'_>| match self.against {
            Against::Flops => report.model.forward(request.count()).matmul.stored(),
            Against::Parameters => report.model.parameters().total as f64,
            Against::Time => report.time_bound().unwrap_or_default().stored(),
        };
        let places: Vec<_> =
            reports.iter().zip(&scored).map(|(it, (_, score))| (cost(it), score.score)).collect();
        if let Some(at) = places.iter().position(|(cost, _)| *cost <= 0.0) {
            return Err(Error::input(format!("the cost of {} is not known", models[at].name)));
        }
        let points: Vec<Point> = places
            .iter()
            .zip(front(&places))
            .zip(&scored)
            .map(|((&(cost, score), on_front), (spec, _))| Point {
                name: scored_as(spec),
                cost,
                score,
                on_front,
            })
            .collect();
        let (cost, show_cost) = self.axis(on);
        let plot = Plot { points: &points, cost: &cost, score: &metric.name, show_cost };
        if let Some(path) = &self.svg {
            output::write(path, &scatter::svg(&plot), self.force)?;
        }
        let standings = points
            .iter()
            .map(|point| Standing {
                metric: &metric.name,
                score: point.score,
                on_front: point.on_front,
            })
            .collect();
        global.print(&Models { reports, standings, plot: Some(plot) })
    }

    /// The axis of cost: what it is, and how a value is shown.
    fn axis(&self, on: Option<&Accelerator>) -> (String, fn(f64) -> String) {
        match self.against {
            Against::Flops => ("forward FLOPs, matmul".to_owned(), |cost| {
                show_flops(Flop::from_stored(cost)) + "FLOP"
            }),
            Against::Parameters => ("parameters".to_owned(), count),
            Against::Time => {
                let on = on.map_or("", |on| on.id.as_str());
                (format!("forward pass on {on}, at least"), |cost| show(Time::from_stored(cost)))
            }
        }
    }
}

/// The name that a table of scores has for a model: that of the file, without its ending.
fn scored_as(spec: &str) -> String {
    match Path::new(spec) {
        path if path.is_file() => {
            path.file_stem().and_then(|stem| stem.to_str()).unwrap_or(spec).to_owned()
        }
        _ => spec.to_owned(),
    }
}

/// The table of scores of a name, or of a file.
fn metric(name: &str) -> Result<Metric> {
    match name {
        "torchvision" => Metric::torchvision(),
        path => Metric::read(path, &architecture::text(Path::new(path))?),
    }
}

/// A length of sound.
fn heard(text: &str) -> std::result::Result<String, String> {
    model::sound(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}
