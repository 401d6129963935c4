//! From hot layers to action: which layers take a device's time, bytes and energy, and what each
//! compression of each group of layers would save there.
//!
//! A model is served on the device in batches of B requests, as a scenario with `inference.max_batch: B`
//! and no promise would serve it. A batch takes
//! ```text
//! time = B / highest rate of a replica        saved = time before - time after compression
//! ```
//! both by the forecast of such a service, so that a layer that memory bounds saves nothing by fewer
//! FLOPs. The layers share the time of a batch by what each would take alone: by its kernel where the
//! model answers in one pass, by its roofline where an engine generates. Energy is the devices' TDP over
//! that time, the most that they draw.

use std::sync::Arc;

use flopcast_core::catalog::{Accelerator, Catalog};
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::ReplicaLimits;
use flopcast_core::estimate::plan::Service;
use flopcast_core::kernel;
use flopcast_core::kernel::network::{Setup, Task, Work, half_width};
use flopcast_core::model::compress::{Compressed, Compression, Format, Take, Target};
use flopcast_core::model::operator::{Attention, Mask};
use flopcast_core::model::roofline::Limit;
use flopcast_core::model::{AttentionCount, Decode, Input, Layer, Model, Operator, Role, Spec};
use flopcast_core::quantity::{Data, Devices, Energy, Measure as _, Precision, Time};
use flopcast_core::serving;
use flopcast_scenario::file::ScenarioFile;
use flopcast_scenario::{Files, Models, document, resolve};

/// Groups that compression names.
const GROUPS: [Role; 6] =
    [Role::Attention, Role::Mixer, Role::Mlp, Role::Experts, Role::Conv, Role::Head];
/// The share of units that advice prunes, of blocks that it drops, and of the rank that it leaves.
const SHARE: &str = "25%";

/// A model on a device, to be advised on.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// Builds the model on an input.
    pub build: &'a dyn Fn(&Input) -> Result<Model>,
    /// The batch, and the prompt or other sample of each of its requests.
    pub input: Input,
    /// Tokens of an answer, of a model that generates.
    pub answer: u64,
    /// The device.
    pub accelerator: &'a Accelerator,
    /// The number format before compression.
    pub precision: Precision,
    /// Devices, prices, regions.
    pub catalog: &'a Catalog,
}

/// A layer and what it takes on the device.
#[derive(Clone, Debug)]
pub struct Hot {
    /// Its name.
    pub name: String,
    /// Its group.
    pub role: Role,
    /// How often it runs in a pass.
    pub count: u64,
    /// Its part of the time of a batch.
    pub time: Time,
    /// What bounds it.
    pub limit: Limit,
    /// Bytes that it moves.
    pub moved: Data,
    /// Energy at the devices' TDP; unknown where that is.
    pub energy: Option<Energy>,
}

/// A compression and what it would save.
#[derive(Clone, Debug)]
pub struct Action {
    /// The setting, as `--compress` takes it.
    pub setting: String,
    /// The time of a batch after it.
    pub after: Time,
    /// The time that it saves; negative where it costs time.
    pub saved: Time,
    /// The bytes that it saves.
    pub bytes: Data,
    /// Energy at the devices' TDP over the saved time.
    pub energy: Option<Energy>,
    /// What it does to the score, as the user measured it.
    pub delta: Option<f64>,
}

/// The error of the forecast time.
#[derive(Clone, Debug)]
pub struct Spread {
    /// Half-width of the 80 % interval of ln(measured / forecast).
    pub half_width: f64,
    /// Why it is wider than usual.
    pub why: Option<String>,
}

/// What to do about a model on a device.
#[derive(Clone, Debug)]
pub struct Advice {
    /// The format that the model has before.
    pub precision: Precision,
    /// Requests of a batch.
    pub requests: u64,
    /// Tokens of a prompt; none of a model that reads no tokens.
    pub prompt: Option<u64>,
    /// Tokens of an answer; none of a model that answers in one pass.
    pub answer: Option<u64>,
    /// Devices of a replica.
    pub devices: u64,
    /// The scenario whose service is timed.
    pub scenario: String,
    /// The time of a batch.
    pub time: Time,
    /// The error of that time.
    pub spread: Spread,
    /// Bytes that a batch moves.
    pub moved: Data,
    /// Energy of a batch at the devices' TDP.
    pub energy: Option<Energy>,
    /// Layers, the longest first.
    pub hot: Vec<Hot>,
    /// What may be done: by time saved per point of quality where deltas are known, then by time
    /// saved.
    pub actions: Vec<Action>,
    /// What cannot be done there, and why.
    pub refused: Vec<(String, String)>,
}

/// The format of a model on a device, where nobody names one.
///
/// # Errors
/// It computes in none of them.
pub fn plain(accelerator: &Accelerator) -> Result<Precision> {
    accelerator
        .first_of(&Accelerator::FORMATS)
        .ok_or_else(|| Error::input(format!("no dense peak of {} is known", accelerator.id)))
}

/// Settings and their measured deltas of the score.
///
/// # Errors
/// A table without the columns `compress` and `delta`, or a delta that is no number.
pub fn deltas(name: &str, text: &str) -> Result<Vec<(String, f64)>> {
    let wrong = |message: String| {
        let header = "a header `compress,delta`, rows such as quantization.mlp=int8,-0.3";
        Error::input(message).within(name).hint(header)
    };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| wrong(error.to_string()))?.clone();
    let column = |name: &str| {
        header.iter().position(|it| it == name).ok_or_else(|| wrong(format!("no column `{name}`")))
    };
    let (setting, delta) = (column("compress")?, column("delta")?);
    reader
        .records()
        .zip(2..)
        .map(|(record, line)| {
            let record = record.map_err(|error| wrong(error.to_string()))?;
            let value = record[delta].parse().ok().filter(|value: &f64| value.is_finite());
            let refuse = || wrong(format!("line {line}: `{}` is no delta", &record[delta]));
            Ok((record[setting].to_owned(), value.ok_or_else(refuse)?))
        })
        .collect()
}

/// The compressions that advice weighs for a model.
fn settings(model: &Model) -> Vec<String> {
    let present = |role: &&Role| {
        model.layers.iter().any(|layer| layer.role == **role && layer.parameters() > 0)
    };
    let groups = GROUPS.iter().filter(present).map(|role| format!(".{}", role.name()));
    let mut settings = Vec::new();
    for group in [String::new()].into_iter().chain(groups) {
        let formats = Format::ALL.iter().map(|it| format!("quantization{group}={}", it.name()));
        settings.extend(formats);
        settings.extend(["2:4", SHARE].map(|it| format!("pruning{group}={it}")));
        settings.push(format!("low_rank{group}={SHARE}"));
    }
    settings.push(format!("layer_drop={SHARE}"));
    settings
}

/// Weighs every compression of every group of layers of a model on a device.
///
/// # Errors
/// The service cannot be forecast: the device's bandwidth or its peak in the precision is unknown, the
/// model does not fit.
pub fn advise(question: &Question<'_>, deltas: &[(String, f64)]) -> Result<Advice> {
    let none = Compression::default();
    let files = Models::new(question);
    let model = (question.build)(&question.input)?;
    let asked = Asked::new(question, &model);
    let first = asked.service(&files, question.catalog, None)?;
    let asked = asked.over(&first);
    let time = asked.time(&first)?;
    let passes = asked.passes(question, model)?;
    let energy = |time: Time| {
        let devices = Devices::from_stored(asked.devices as f64);
        Some(question.accelerator.tdp.as_ref()?.value * devices * time)
    };
    let alone = passes.takes(question, &none)?;
    let moved = alone.iter().map(|it| it.moved).sum();
    let hot = passes.hot(question, &alone, time, &energy)?;
    let (mut actions, mut refused) = (Vec::new(), Vec::new());
    for setting in settings(&passes.prompt) {
        let after = || -> Result<(Time, Data)> {
            let service = asked.service(&files, question.catalog, Some(&setting))?;
            let compression = Compression::from_settings([setting.as_str()])?;
            let takes = passes.takes(question, &compression)?;
            Ok((asked.time(&service)?, takes.iter().map(|it| it.moved).sum()))
        };
        let (after, rest) = match after() {
            Ok(sums) => sums,
            Err(error) => {
                refused.push((setting, error.message().to_owned()));
                continue;
            }
        };
        let saved = time - after;
        let delta = deltas.iter().find(|(known, _)| *known == setting).map(|(_, delta)| *delta);
        let bytes = moved - rest;
        actions.push(Action { setting, after, saved, bytes, energy: energy(saved), delta });
    }
    actions.sort_by(|a, b| worth(b).total_cmp(&worth(a)).then(by_time(a, b)));
    Ok(Advice {
        precision: question.precision,
        requests: asked.requests,
        prompt: asked.prompt,
        answer: asked.answer,
        devices: asked.devices,
        spread: spread(question, &first)?,
        scenario: asked.scenario(),
        energy: energy(time),
        time,
        moved,
        hot,
        actions,
        refused,
    })
}

/// The service that a model is timed in.
#[derive(Clone, Debug)]
struct Asked {
    requests: u64,
    prompt: Option<u64>,
    answer: Option<u64>,
    precision: Precision,
    accelerator: String,
    /// Devices of a replica.
    devices: u64,
    /// An engine generates, or several devices share a replica: the layout is that of the model before.
    held: bool,
    model: String,
}

impl Asked {
    fn new(question: &Question<'_>, model: &Model) -> Self {
        let sizes = (Data::default(), Data::default());
        let generates = || Decode::of(question.build, &question.input, 1, sizes).is_ok();
        let answer = question.answer;
        Self {
            requests: question.input.batch.max(1),
            prompt: model.input.sequence,
            answer: (answer > 0 && model.input.sequence.is_some() && generates()).then_some(answer),
            precision: question.precision,
            accelerator: question.accelerator.id.clone(),
            devices: 1,
            held: false,
            model: model.name.clone(),
        }
    }

    /// The same over the devices that the model takes before it is compressed.
    fn over(self, service: &Service) -> Self {
        let devices = service.replica.devices.value.value as u64;
        let held = service.demand.instances.is_some() || devices > 1;
        Self { devices, held, ..self }
    }

    /// The scenario as text.
    fn scenario(&self) -> String {
        let Self { requests, precision, accelerator, devices, .. } = self;
        let name = serde_json::Value::from(self.model.as_str());
        let tokens = |key: &str, count: Option<u64>| {
            count.map_or_else(String::new, |count| format!(", {key}: {{mean: {count}}}"))
        };
        let lengths = tokens("input_tokens", self.prompt) + &tokens("output_tokens", self.answer);
        let layout = if self.held {
            format!("  parallelism: {{tensor: {devices}}}\n")
        } else {
            String::new()
        };
        format!(
            "name: {name}\nmodel: {name}\ninference:\n  precision: {precision}\n  hardware: \
             {{accelerator: {accelerator}}}\n  max_batch: {requests}\n{layout}  traffic: {{requests: \
             1/s{lengths}}}\n"
        )
    }

    /// The service of the scenario, after a compression.
    fn service(
        &self,
        files: &dyn Files,
        catalog: &Catalog,
        setting: Option<&str>,
    ) -> Result<Arc<Service>> {
        let resolved = || {
            let mut node = document::parse("advice", self.scenario().as_bytes())?;
            if let Some((key, value)) = setting.and_then(|it| it.split_once('=')) {
                node.set(&format!("compress.{key}={}", serde_json::Value::from(value)))?;
            }
            let file = ScenarioFile::read(&node)?;
            resolve(&file, catalog, files)?
                .inference
                .ok_or_else(|| Error::input("the scenario has no service"))
        };
        // A place in this text is none that the user knows.
        resolved().map_err(|error: Error| {
            error.hints().iter().fold(Error::input(error.message()), Error::hint)
        })
    }

    /// The time of a batch.
    fn time(&self, service: &Service) -> Result<Time> {
        let rate = ReplicaLimits::of(service)?.max_rate.value().value;
        Ok(Time::from_stored(self.requests as f64 / rate))
    }

    /// The passes of a batch through the model.
    fn passes(&self, question: &Question<'_>, prompt: Model) -> Result<Passes> {
        let after = |answer: u64| -> Result<(Model, f64)> {
            let one = (question.build)(&Input { sequence: Some(1), ..question.input })?;
            let context = self.prompt.unwrap_or(1) + answer / 2;
            Ok((decoding(one, context), answer.saturating_sub(1) as f64))
        };
        let apart = self.answer.filter(|_| prompt.input.decoder_sequence.is_none());
        Ok(Passes { decode: apart.map(after).transpose()?, prompt, engine: self.answer.is_some() })
    }
}

impl Files for Question<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>> {
        Err(Error::input(format!("there is no file {path}")))
    }

    /// The model of the question, whatever it is called.
    fn model(&self, _: &Spec, input: &Input) -> Result<Arc<Model>> {
        let Input { batch, sequence, decoder_sequence, .. } = *input;
        (self.build)(&Input { batch, sequence, decoder_sequence, ..self.input }).map(Arc::new)
    }
}

/// A model at one position, whose attention looks at a context.
fn decoding(one: Model, context: u64) -> Model {
    let after = |layer: Layer| match layer.operator {
        Operator::Attention(it) if !it.cross && !matches!(it.mask, Mask::Full | Mask::Band(_)) => {
            let seen = Attention { queries: 1, keys: context, ..it };
            Layer { operator: Operator::Attention(seen), ..layer }
        }
        _ => layer,
    };
    let layers = one.layers.into_iter().map(after).collect();
    Model { layers, ..one }
}

/// The passes of a batch: its prompts or samples, and the tokens of its answers.
struct Passes {
    prompt: Model,
    /// A step of the answers, and how many there are.
    decode: Option<(Model, f64)>,
    engine: bool,
}

/// A layer over all passes of a batch.
struct Alone {
    time: Time,
    moved: Data,
    limit: Option<Limit>,
}

impl Passes {
    /// Rooflines of the layers after a compression.
    fn takes(&self, question: &Question<'_>, compression: &Compression) -> Result<Vec<Alone>> {
        let precision = question.accelerator.products(question.precision)?;
        let target = Target::new(question.accelerator, precision, compression)?;
        let of = |model: &Model| -> Result<Vec<Take>> {
            let model = Compressed::new(model, precision, compression)?;
            Ok(model.takes(AttentionCount::Causal, Some(&target)))
        };
        let time = |take: &Take| take.bound.map_or(Time::default(), |bound| bound.time);
        let limit = |take: &Take| take.bound.map(|bound| bound.limit);
        let mut all: Vec<Alone> = of(&self.prompt)?
            .iter()
            .map(|take| Alone { time: time(take), moved: take.moved, limit: limit(take) })
            .collect();
        let Some((decode, steps)) = &self.decode else { return Ok(all) };
        for (layer, take) in all.iter_mut().zip(of(decode)?) {
            let more = time(&take) * *steps;
            if more > layer.time {
                layer.limit = limit(&take);
            }
            layer.time += more;
            layer.moved += take.moved * *steps;
        }
        Ok(all)
    }

    /// The layers, the longest first, with their parts of the time of a batch.
    fn hot(
        &self,
        question: &Question<'_>,
        alone: &[Alone],
        whole: Time,
        energy: &dyn Fn(Time) -> Option<Energy>,
    ) -> Result<Vec<Hot>> {
        let layers = &self.prompt.layers;
        let times: Vec<Time> = if self.engine {
            alone.iter().map(|it| it.time).collect()
        } else {
            let (setup, device) = kernel(question)?;
            let empty = Model { layers: Vec::new(), ..self.prompt.clone() };
            let element = question.accelerator.products(question.precision)?.size();
            let one = |layer: &Layer| {
                let model = Model { layers: vec![layer.clone()], ..empty.clone() };
                let cost = setup.cost(&Work::of(&model, element, Task::Inference), &device);
                cost.time(self.prompt.input.batch.max(1) as f64)
            };
            layers.iter().map(one).collect()
        };
        let sum: Time = times.iter().copied().sum();
        let each = whole.value / sum.value.max(f64::MIN_POSITIVE);
        let rows = layers.iter().zip(alone).zip(times);
        let hot = |((layer, alone), time): ((&Layer, &Alone), Time)| {
            let time = time * each;
            Some(Hot {
                name: layer.name.clone(),
                role: layer.role,
                count: layer.count,
                limit: alone.limit?,
                moved: alone.moved,
                energy: energy(time),
                time,
            })
        };
        let mut hot: Vec<Hot> = rows.filter_map(hot).filter(|it| it.time.value > 0.0).collect();
        hot.sort_by(|a, b| b.time.value.total_cmp(&a.time.value));
        Ok(hot)
    }
}

/// The device and its constants, as networks are timed on it.
fn kernel(question: &Question<'_>) -> Result<(Setup, kernel::Device)> {
    let accelerator = question.accelerator;
    let products = accelerator.products(question.precision)?;
    let device = kernel::Device::of(accelerator, products)?;
    let calibration = kernel::calibration::Calibration::shipped()?;
    let setup = Setup::new(&device, calibration.runtime("compiled"), &calibration)?;
    Ok((setup, device))
}

/// The error of the forecast of a service, as the back-test found it.
fn spread(question: &Question<'_>, service: &Service) -> Result<Spread> {
    let device = &question.accelerator.id;
    if let Some(instances) = &service.demand.instances {
        let calibration = serving::calibration::Calibration::shipped()?;
        let regime = instances.regime();
        let width = calibration.half_width("output_tokens_per_s", regime);
        let half_width = service.demand.model.extents.widened(width, &calibration.intervals);
        let why = "no run of the engine on it, in this format, is in the fit of its constants";
        return Ok(Spread { half_width, why: regime.unseen.then(|| format!("{device}: {why}")) });
    }
    let calibration = kernel::calibration::Calibration::shipped()?;
    let (setup, _) = kernel(question)?;
    let (half_width, why) = half_width(&calibration.intervals, Task::Inference, setup.known);
    Ok(Spread { half_width, why: why.map(|why| format!("{device}: {why}")) })
}

fn by_time(a: &Action, b: &Action) -> std::cmp::Ordering {
    b.saved.value.total_cmp(&a.saved.value)
}

/// Time saved per point of quality lost; what nobody measured comes last.
fn worth(action: &Action) -> f64 {
    match action.delta {
        Some(delta) if delta < 0.0 => action.saved.value / -delta,
        Some(_) if action.saved.value > 0.0 => f64::INFINITY,
        _ => f64::NEG_INFINITY,
    }
}

#[cfg(test)]
mod tests {
    use flopcast_core::model::spec;

    use super::*;

    fn asked(model: &str, device: &str, batch: u64, deltas: &[(String, f64)]) -> Advice {
        let sequence = (model == "llama-3.2-1b").then_some(128);
        let input = Input { batch, sequence, ..Input::default() };
        let catalog = Catalog::embedded();
        let accelerator = catalog.accelerator(device).unwrap();
        let precision = plain(accelerator).unwrap();
        let build = &|input: &Input| spec::from_preset(model, input);
        let catalog = &catalog;
        advise(&Question { build, input, answer: 128, accelerator, precision, catalog }, deltas)
            .unwrap()
    }

    fn advice(model: &str, device: &str, batch: u64) -> Advice {
        asked(model, device, batch, &[])
    }

    fn saved(advice: &Advice, setting: &str) -> f64 {
        let action = advice.actions.iter().find(|it| it.setting == setting);
        action.unwrap_or_else(|| panic!("{setting}: {:?}", advice.refused)).saved.value
            / advice.time.value
    }

    /// A language model that decodes one sequence reads its weights: fewer bytes save time, on any
    /// device; a network at a large batch computes, and bytes alone save little.
    #[test]
    fn bytes_help_where_memory_binds_and_flops_where_compute_does() {
        for device in ["jetson-orin-nano-8gb", "l4", "snapdragon-x-elite-npu"] {
            let decode = advice("llama-3.2-1b", device, 1);
            assert!(saved(&decode, "quantization=int4") > 0.25, "{device}");
            assert!(decode.hot[0].limit == Limit::Memory, "{device}");
        }
        let batch = advice("vit_b_16", "l4", 64);
        assert!(saved(&batch, "quantization.mlp=int4").abs() < 0.01);
        assert!(saved(&batch, "quantization.mlp=int8") > 0.1);
        assert!(saved(&batch, "pruning.mlp=2:4") > 0.1);
        // The NPU is not known to skip zeros, and has int8 alone.
        let npu = advice("vit_b_16", "snapdragon-x-elite-npu", 64);
        assert!(saved(&npu, "pruning.mlp=2:4").abs() < 1e-9);
        assert_eq!(npu.precision, Precision::Int8);
        assert!(npu.refused.iter().any(|(setting, _)| setting == "quantization=fp8"));
    }

    #[test]
    fn measured_deltas_come_first() {
        let measured = deltas("d.csv", "compress,delta\npruning.conv=2:4,-2.0\n").unwrap();
        let advice = asked("resnet50", "l4", 1, &measured);
        assert_eq!(advice.actions[0].setting, "pruning.conv=2:4");
        for (text, part) in [
            ("compress\nx\n", "no column `delta`"),
            ("compress,delta\nx,nan\n", "line 2: `nan` is no delta"),
        ] {
            assert!(deltas("d.csv", text).unwrap_err().to_string().contains(part));
        }
    }
}
