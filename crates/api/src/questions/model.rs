//! Parameters, FLOPs and bytes of architectures, alone, side by side, compressed, or advised on.

use flopcast_core::catalog::Accelerator;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::compress::{Compressed, Compression, Target};
use flopcast_core::model::roofline::Device;
use flopcast_core::model::{AttentionCount, Decode, Input, Model, Spec};
use flopcast_core::quantity::{Precision, Time, text};
use flopcast_report::subject::advice::Advised;
use flopcast_report::subject::compression::Comparison;
use flopcast_report::subject::model::{ModelReport, Models};
use flopcast_study::advice;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Declared, Show, within};
use crate::Session;
use crate::request::{Asking, Out, Texts, Tried};

/// A larger batch, a longer sample or a larger image is a slip of units.
pub const MOST_SAMPLES: u64 = 1 << 24;
/// See [`MOST_SAMPLES`].
pub const MOST_TOKENS: u64 = 1 << 28;
/// See [`MOST_SAMPLES`].
pub const MOST_PIXELS: u64 = 1 << 16;
/// Tokens of an answer where nobody says.
const ANSWER: u64 = 128;

/// Architectures to count.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command")]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Presets by any of their names, sizes (7B, 671B-A37B), or paths of configurations among `files`.
    #[schemars(length(min = 1))]
    pub models: Vec<String>,
    /// Files that `models` names, such as a config.json: texts, or JSON as an object.
    #[serde(default)]
    pub files: Texts,
    /// Samples in the batch; 1 when left out.
    #[schemars(range(min = 1, max = 16_777_216))]
    pub batch: Option<u64>,
    /// Tokens of a sample; min(2048, the model's maximum) when left out.
    #[schemars(range(min = 1, max = 268_435_456))]
    pub seq_len: Option<u64>,
    /// Tokens of a sample on the decoder's side of an encoder-decoder.
    #[schemars(range(min = 1, max = 268_435_456))]
    pub decoder_seq_len: Option<u64>,
    /// Height and width of an image in pixels.
    #[schemars(range(min = 1, max = 65_536))]
    pub image_size: Option<u64>,
    /// Images of a sample, of a model that reads text beside them.
    #[schemars(range(min = 1, max = 16_777_216))]
    pub images: Option<u64>,
    /// Frames of video of a sample.
    #[schemars(range(min = 1, max = 16_777_216))]
    pub frames: Option<u64>,
    /// Length of the sound of a sample: `30s`.
    pub audio: Option<String>,
    /// Steps in which a pipeline of diffusion denoises; those usual for it.
    #[schemars(range(min = 1, max = 65_536))]
    pub steps: Option<u64>,
    /// Strength of classifier-free guidance.
    pub guidance: Option<f64>,
    /// Count one token of an answer: FLOPs, and the weights and the cache that it reads.
    #[serde(default)]
    pub decode: bool,
    /// Tokens before the decoded one; those of `seq_len`, else 2048.
    #[schemars(range(min = 1, max = 268_435_456))]
    pub context: Option<u64>,
    /// How attention is counted: `causal` (when left out), the pairs that the mask lets through; or
    /// `full`, every query against every key.
    #[serde(default)]
    pub attention: Attention,
    /// Sizes of an ONNX graph's symbolic dimensions: `N=1,S=128`.
    #[serde(default)]
    pub bind: String,
    /// Count the backward pass too, operator by operator.
    #[serde(default)]
    pub training: bool,
    /// A row for every layer.
    #[serde(default)]
    pub layers: bool,
    /// Bound the time of each operator by this accelerator's roofline.
    pub on: Option<String>,
    /// Number format of weights, activations and products; bf16, and weights as their file stores
    /// them.
    pub precision: Option<String>,
    /// Compression to compare with: `quantization=fp8`, `pruning=2:4`, `pruning.mlp=30%`,
    /// `layer_drop=25%`, `low_rank.mlp=128`, `distillation=TEACHER`.
    #[serde(default)]
    pub compress: Vec<String>,
    /// Name the layers that take most time, bytes and energy on the accelerator of `on`, and what each
    /// compression of each group of layers would save there.
    #[serde(default)]
    pub advise: bool,
    /// Tokens of an answer that advice counts on, of a model that generates; 128 when left out, 0 reads
    /// prompts alone.
    #[schemars(range(min = 0, max = 268_435_456))]
    pub answer: Option<u64>,
}

/// How attention is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Attention {
    /// The pairs that the mask lets through.
    #[default]
    Causal,
    /// Every query against every key.
    Full,
}

/// Builds the model of a name or path on an input.
pub type Build<'a> = dyn Fn(&str, &Input) -> Result<Model> + 'a;

impl Request {
    /// Counts the models and shows them. `deltas` are what compressions do to a score, where advice is
    /// asked for.
    ///
    /// # Errors
    /// If a model cannot be read or built, or a combination of settings makes no sense.
    pub fn run(
        &self,
        session: &Session<'_>,
        build: &Build<'_>,
        deltas: &[(String, f64)],
        show: &mut Show<'_>,
    ) -> Result<()> {
        let on = self.on.as_deref().map(|name| session.catalog.accelerator(name)).transpose()?;
        match on {
            Some(on) if self.advise => return self.advised(session, on, build, deltas, show),
            None if self.advise => {
                return Err(
                    Error::input("advice needs an accelerator").hint("name one: on h100-sxm")
                );
            }
            _ => {}
        }
        let precision = self.precision()?;
        if !self.compress.is_empty() {
            return self.compressed(precision, on, build, show);
        }
        let device = device(on, precision)?;
        let input = self.input()?;
        let models: Vec<Model> =
            self.models.iter().map(|spec| build(spec, &input)).collect::<Result<_>>()?;
        let mut reports: Vec<_> =
            models.iter().map(|model| self.report(model, precision, device)).collect();
        if self.decode {
            for (report, spec) in reports.iter_mut().zip(&self.models) {
                report.decode = Some(self.decoded(spec, precision, build)?);
            }
        }
        show(&Models { reports, standings: Vec::new(), plot: None })
    }

    /// The number format: bf16 when left out.
    ///
    /// # Errors
    /// If there is no such format, with those that there are.
    pub fn precision(&self) -> Result<Precision> {
        self.precision.as_deref().map_or(Ok(Precision::Bf16), precision)
    }

    /// The input that the models run on.
    ///
    /// # Errors
    /// A number out of its range.
    pub fn input(&self) -> Result<Input> {
        let number = |key: &str, value: Option<u64>, most: u64| {
            value.map(|value| within(key, value, 1, most)).transpose()
        };
        Ok(Input {
            batch: number("batch", self.batch, MOST_SAMPLES)?.unwrap_or(1),
            sequence: number("seq_len", self.seq_len, MOST_TOKENS)?,
            decoder_sequence: number("decoder_seq_len", self.decoder_seq_len, MOST_TOKENS)?,
            image_size: number("image_size", self.image_size, MOST_PIXELS)?,
            images: number("images", self.images, MOST_SAMPLES)?,
            frames: number("frames", self.frames, MOST_SAMPLES)?,
            sound: self.audio.as_deref().map(sound).transpose()?,
            steps: number("steps", self.steps, MOST_PIXELS)?,
            guided: self.guidance.map(|scale| scale > 1.0),
            training: self.training,
        })
    }

    /// The document of one model, with its settings.
    pub fn report<'m>(
        &self,
        model: &'m Model,
        precision: Precision,
        device: Option<(&'m str, Device)>,
    ) -> ModelReport<'m> {
        ModelReport {
            model,
            attention: self.count(),
            precision,
            stored: self.precision.is_none(),
            training: self.training,
            layers: self.layers,
            device,
            decode: None,
        }
    }

    /// The rule by which attention is counted.
    pub fn count(&self) -> AttentionCount {
        match self.attention {
            Attention::Causal => AttentionCount::Causal,
            Attention::Full => AttentionCount::Full,
        }
    }

    /// One token of an answer after the context.
    fn decoded(&self, spec: &str, precision: Precision, build: &Build<'_>) -> Result<Decode> {
        let context =
            within("context", self.context.or(self.seq_len).unwrap_or(2048), 1, MOST_TOKENS)?;
        let size = precision.size();
        Decode::of(|input: &Input| build(spec, input), &Input::default(), context, (size, size))
    }

    /// What to do about each model on a device.
    fn advised(
        &self,
        session: &Session<'_>,
        accelerator: &Accelerator,
        build: &Build<'_>,
        deltas: &[(String, f64)],
        show: &mut Show<'_>,
    ) -> Result<()> {
        if self.attention == Attention::Full {
            return Err(Error::input("advice counts attention as services do: by its mask")
                .hint("leave attention out"));
        }
        let said = self.precision.as_deref().map(precision).transpose()?;
        let precision = said.map_or_else(|| advice::plain(accelerator), Ok)?;
        let answer = within("answer", self.answer.unwrap_or(ANSWER), 0, MOST_TOKENS)?;
        let (input, catalog) = (self.input()?, session.catalog);
        let mut all = Vec::new();
        for spec in &self.models {
            let build = &|input: &Input| build(spec, input);
            let question =
                advice::Question { build, input, answer, accelerator, precision, catalog };
            all.push(Advised {
                model: build(&input)?.name,
                device: &accelerator.id,
                advice: advice::advise(&question, deltas)?,
            });
        }
        show(&all)
    }

    /// Each model before and after compression.
    fn compressed(
        &self,
        precision: Precision,
        on: Option<&Accelerator>,
        build: &Build<'_>,
        show: &mut Show<'_>,
    ) -> Result<()> {
        let compression = Compression::from_settings(self.compress.iter().map(String::as_str))?;
        let target = on.map(|on| Target::new(on, precision, &compression)).transpose()?;
        let target = on.map(|on| on.id.as_str()).zip(target.as_ref());
        let plain = Compression::default();
        let input = self.input()?;
        let teacher = match &compression.teacher {
            Some(Spec::Preset(name)) => Some(build(name, &input)?),
            Some(_) => return Err(Error::input("a teacher is named as a model is")),
            None => None,
        };
        let mut sides = Vec::new();
        for spec in &self.models {
            let model = build(spec, &input)?;
            let before = Compressed::new(teacher.as_ref().unwrap_or(&model), precision, &plain)?;
            sides.push((before, Compressed::new(&model, precision, &compression)?));
        }
        let comparisons: Vec<_> = sides
            .iter()
            .map(|(before, after)| Comparison {
                before,
                after,
                words: compression.words(),
                attention: self.count(),
                target,
                distilled: teacher.is_some(),
            })
            .collect();
        show(&comparisons)
    }
}

/// The number format of a name.
///
/// # Errors
/// If there is no such format, with those that there are.
pub fn precision(name: &str) -> Result<Precision> {
    Precision::named(name).ok_or_else(|| {
        let known = Precision::ALL.map(Precision::name);
        Error::input(format!("`{name}` is not a precision"))
            .suggest(name, known)
            .hint(format!("one of {}", known.join(", ")))
    })
}

/// Milliseconds of sound.
///
/// # Errors
/// No time, or none that sound lasts.
pub fn sound(text: &str) -> Result<u64> {
    let time: Time = text::parse(text).map_err(|error| Error::input(error.to_string()))?;
    let milliseconds = (time.value * 1e3).round();
    if (1.0..=1e9).contains(&milliseconds) {
        Ok(milliseconds as u64)
    } else {
        Err(Error::input("sound lasts from 1 ms to some days: 30s"))
    }
}

/// The accelerator as the roofline sees it.
///
/// # Errors
/// As [`Device::of`].
pub fn device(on: Option<&Accelerator>, precision: Precision) -> Result<Option<(&str, Device)>> {
    on.map(|on| Ok((on.id.as_str(), Device::of(on, precision)?))).transpose()
}

impl Declared for Request {
    const NAME: &'static str = "model";
    const SAYS: &'static str = "Count architectures: parameters, FLOPs, bytes, layer by layer; bound their \
         time on an accelerator, compare compressions.";

    fn answer(&self, asking: &Asking<'_>, out: &mut Out) -> Tried<bool> {
        let files = asking.given(&self.files);
        let session = asking.with(&files);
        let build = |spec: &str, input: &Input| session.model(spec, input, &self.bind);
        self.run(&session, &build, &[], &mut |subject| out.show(subject))?;
        Ok(true)
    }
}
