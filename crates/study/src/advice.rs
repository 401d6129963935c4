//! From hot layers to action: which layers take a device's time, bytes and energy, and what each
//! compression of each group of layers would save there.
//!
//! Times are rooflines, as `model --on` gives them: a saving is the time of the model before less
//! that of the compressed one, so a layer that memory bounds saves nothing by fewer FLOPs. Energy
//! is the device's TDP over that time, the most that it draws.

use flopcast_core::catalog::Accelerator;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::compress::{Compressed, Compression, Format, Take, Target};
use flopcast_core::model::roofline::Limit;
use flopcast_core::model::{AttentionCount, Layer, Model, Role};
use flopcast_core::quantity::{Data, Devices, Energy, Measure as _, Precision, Time};

/// Groups that compression names.
const GROUPS: [Role; 6] =
    [Role::Attention, Role::Mixer, Role::Mlp, Role::Experts, Role::Conv, Role::Head];
/// The share of units that advice prunes, of blocks that it drops, and of the rank that it leaves.
const SHARE: &str = "25%";

/// A layer and what it takes on the device.
#[derive(Clone, Debug)]
pub struct Hot {
    /// Its name.
    pub name: String,
    /// Its group.
    pub role: Role,
    /// How often it runs.
    pub count: u64,
    /// The least time of all its runs.
    pub time: Time,
    /// What bounds it.
    pub limit: Limit,
    /// Bytes that it moves.
    pub moved: Data,
    /// Energy at the device's TDP; unknown where that is.
    pub energy: Option<Energy>,
}

/// A compression and what it would save.
#[derive(Clone, Debug)]
pub struct Action {
    /// The setting, as `--compress` takes it.
    pub setting: String,
    /// The time of a pass after it.
    pub after: Time,
    /// The time that it saves; negative where it costs time.
    pub saved: Time,
    /// The bytes that it saves.
    pub bytes: Data,
    /// Energy at the device's TDP over the saved time.
    pub energy: Option<Energy>,
    /// What it does to the score, as the user measured it.
    pub delta: Option<f64>,
}

/// What to do about a model on a device.
#[derive(Clone, Debug)]
pub struct Advice {
    /// The format that the model has before.
    pub precision: Precision,
    /// The time of a pass.
    pub time: Time,
    /// Bytes that a pass moves.
    pub moved: Data,
    /// Energy of a pass at the device's TDP.
    pub energy: Option<Energy>,
    /// Layers, the longest first.
    pub hot: Vec<Hot>,
    /// What may be done: by time saved per point of quality where deltas are known, then by time
    /// saved.
    pub actions: Vec<Action>,
    /// What cannot be done there, and why.
    pub refused: Vec<(String, String)>,
}

/// The widest format that the device computes in, of those that models are kept in.
///
/// # Errors
/// It computes in none of them.
pub fn plain(accelerator: &Accelerator) -> Result<Precision> {
    let formats = [Precision::Bf16, Precision::Fp16, Precision::Fp8, Precision::Int8];
    formats
        .into_iter()
        .find(|it| accelerator.peak(*it).is_ok())
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
/// The device's bandwidth or its peak in the precision is unknown.
pub fn advise(
    model: &Model,
    accelerator: &Accelerator,
    precision: Precision,
    attention: AttentionCount,
    deltas: &[(String, f64)],
) -> Result<Advice> {
    let energy = |time: Time| {
        let one = Devices::from_stored(1.0);
        Some(accelerator.tdp.as_ref()?.value * one * time)
    };
    let none = Compression::default();
    let before = Compressed::new(model, precision, &none)?;
    let target = Target::new(accelerator, precision, &none)?;
    let takes = before.takes(attention, Some(&target));
    let (time, moved) = sums(&takes);
    let hot = |(layer, take): (&Layer, &Take)| {
        let bound = take.bound?;
        let (name, role, count) = (layer.name.clone(), layer.role, layer.count);
        let (time, limit) = (bound.time, bound.limit);
        Some(Hot { name, role, count, time, limit, moved: take.moved, energy: energy(time) })
    };
    let mut hot: Vec<Hot> = before.model.layers.iter().zip(&takes).filter_map(hot).collect();
    hot.sort_by(|a, b| b.time.value.total_cmp(&a.time.value));
    let (mut actions, mut refused) = (Vec::new(), Vec::new());
    for setting in settings(model) {
        let after = || -> Result<(Time, Data)> {
            let compression = Compression::from_settings([setting.as_str()])?;
            let target = Target::new(accelerator, precision, &compression)?;
            let after = Compressed::new(model, precision, &compression)?;
            Ok(sums(&after.takes(attention, Some(&target))))
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
    Ok(Advice { precision, time, moved, energy: energy(time), hot, actions, refused })
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

/// Time and bytes of all layers.
fn sums(takes: &[Take]) -> (Time, Data) {
    let times = takes.iter().filter_map(|take| Some(take.bound?.time));
    (times.sum(), takes.iter().map(|take| take.moved).sum())
}

#[cfg(test)]
mod tests {
    use flopcast_core::catalog::Catalog;
    use flopcast_core::model::{Input, spec};

    use super::*;

    fn advice(model: &str, device: &str, batch: u64) -> Advice {
        let sequence = (model == "llama-3.2-1b").then_some(1);
        let input = Input { batch, sequence, ..Input::default() };
        let model = spec::from_preset(model, &input).unwrap();
        let catalog = Catalog::embedded();
        let device = catalog.accelerator(device).unwrap();
        let precision = plain(device).unwrap();
        advise(&model, device, precision, AttentionCount::Causal, &[]).unwrap()
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
            assert!(saved(&decode, "quantization=int4") > 0.3, "{device}");
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
        let catalog = Catalog::embedded();
        let model = spec::from_preset("resnet50", &Input::default()).unwrap();
        let device = catalog.accelerator("l4").unwrap();
        let measured = deltas("d.csv", "compress,delta\npruning.conv=2:4,-2.0\n").unwrap();
        let advice =
            advise(&model, device, Precision::Fp16, AttentionCount::Causal, &measured).unwrap();
        assert_eq!(advice.actions[0].setting, "pruning.conv=2:4");
        for (text, part) in [
            ("compress\nx\n", "no column `delta`"),
            ("compress,delta\nx,nan\n", "line 2: `nan` is no delta"),
        ] {
            assert!(deltas("d.csv", text).unwrap_err().to_string().contains(part));
        }
    }
}
