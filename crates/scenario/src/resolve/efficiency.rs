//! The efficiency of a training run: as the scenario gives it, timed by operators, or a dated default.

use flopcast_core::catalog::{Accelerator, Catalog, Links};
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::kernel;
use flopcast_core::kernel::network::{Fleet, Setup, Task, half_width};
use flopcast_core::model::{AttentionCount, Model};
use flopcast_core::provenance::{Basis, Input};
use flopcast_core::quantity::{Devices, Distribution, Measure, Mfu, Precision, show, text};
use flopcast_core::training::calibration::Calibration;
use flopcast_core::training::plan::{Efficiency, FlopConvention, Pace, Work};

use super::super::file::{Efficiency as EfficiencyFile, Training};
use super::{default, prediction};

/// The efficiency of the run: as given, or assumed where the step-time model cannot predict it.
/// `None` where it can. A network takes so many samples at once on each device.
///
/// # Errors
/// If two keys say how fast the run is, the convention does not count this run, or a step time
/// lacks the batch or the devices.
pub(super) fn efficiency(
    catalog: &Catalog,
    training: &Training,
    device: &Accelerator,
    (work, model): (&Work, &Model),
    devices: Option<&Input<Devices>>,
    (predictable, samples): (bool, f64),
) -> Result<Option<Efficiency>> {
    let nothing = EfficiencyFile::default();
    let EfficiencyFile {
        mfu,
        convention,
        hfu,
        step_time,
        tokens_per_second_per_device,
        device_hours,
    } = training.efficiency.as_ref().unwrap_or(&nothing);
    let given = [
        mfu.as_ref().map(|g| ("mfu", &g.place)),
        hfu.as_ref().map(|g| ("hfu", &g.place)),
        step_time.as_ref().map(|g| ("step_time", &g.place)),
        tokens_per_second_per_device.as_ref().map(|g| ("tokens_per_second_per_device", &g.place)),
        device_hours.as_ref().map(|g| ("device_hours", &g.place)),
    ];
    let given: Vec<_> = given.into_iter().flatten().collect();
    if let [(first, _), (second, place), ..] = given.as_slice() {
        return Err(Error::input(format!("`{first}` and `{second}` both say how fast the run is"))
            .at(Some(place))
            .hint("give one of them"));
    }
    let counted = matches!(work, Work::Tokens { six_nd: Some(_), .. });
    // Of a model known by its size, 6ND is what is known.
    let usual = if counted && model.extents.assumed {
        FlopConvention::SixNd
    } else {
        FlopConvention::Model
    };
    let convention = convention.map_or(usual, Into::into);
    if let (Some(mfu), FlopConvention::SixNd, false) = (mfu, convention, counted) {
        return Err(mfu
            .refuse("6ND does not count this run: it passes no tokens or trains adapters")
            .hint("use `convention: model`"));
    }
    let pace = |pace: Pace, place| match work {
        Work::Tokens { tokens, epochs, .. } => {
            Ok(Some(Efficiency::Measured { tokens: tokens.clone(), epochs: epochs.clone(), pace }))
        }
        Work::Samples { .. } => {
            Err(Error::input("a pace in tokens needs a run over tokens").at(Some(place)))
        }
    };
    let name = |key: &str| format!("training.efficiency.{key}");
    if let Some(mfu) = mfu {
        return Ok(Some(Efficiency::Mfu(mfu.input(&name("mfu")), convention)));
    }
    if let Some(hfu) = hfu {
        return Ok(Some(Efficiency::Hfu(hfu.input(&name("hfu")))));
    }
    if let Some(hours) = device_hours {
        return Ok(Some(Efficiency::DeviceHours(hours.input(&name("device_hours")))));
    }
    if let Some(rate) = tokens_per_second_per_device {
        let input = rate.input(&name("tokens_per_second_per_device"));
        return pace(Pace::Throughput(input), &rate.place);
    }
    if let Some(time) = step_time {
        let (Some(batch), Some(devices)) = (&training.global_batch, devices) else {
            return Err(time.refuse("a step time needs `global_batch` and `hardware.count`"));
        };
        let step = Pace::Step {
            time: time.input(&name("step_time")),
            batch: batch.input("training.global_batch"),
            devices: devices.clone(),
        };
        return pace(step, &time.place);
    }
    match (predictable, work) {
        (true, _) => Ok(None),
        (false, Work::Samples { .. }) if model.layers.len() > 1 => {
            network_mfu(training, device, model, devices.map(|it| it.value), samples).map(Some)
        }
        _ => assumed_mfu(catalog, training, device).map(Some),
    }
}

/// The MFU of a network over whole samples, of which each device takes so many at once:
/// FLOPs / (peak x time), each operator timed by its kernel, with what the devices wait for each other.
///
/// # Errors
/// If the device has no peak in the format, or the calibration cannot be read.
fn network_mfu(
    training: &Training,
    device: &Accelerator,
    model: &Model,
    devices: Option<Devices>,
    samples: f64,
) -> Result<Efficiency> {
    let precision = training.precision.value;
    let machine = kernel::Device::of(device, precision)
        .map_err(|error| error.at(Some(&training.hardware.accelerator.place)))?;
    let calibration = kernel::calibration::Calibration::shipped()?;
    let framework = training.framework.as_ref().map_or("", |it| &it.value);
    let runtime = calibration.runtime(framework);
    let setup = Setup::new(&machine, runtime, calibration)?;
    let devices = devices.unwrap_or(Devices::from_stored(1.0));
    let scale_out = prediction::network(training, device).value;
    let fleet = Fleet::new(devices, &Links { scale_out, ..Links::of(device) });
    let work = kernel::network::Work::of(model, precision.size(), Task::Training);
    let step = setup.step(&work, &machine, samples, &fleet);
    let flops = model.forward(AttentionCount::Causal) + model.backward(AttentionCount::Causal);
    let flops = flops.matmul.value * samples / model.input.batch.max(1) as f64;
    let mfu = flops / (machine.peak.value * step.total.value);
    let (width, reason) = half_width(&calibration.intervals, Task::Training, setup.known);
    let reason = reason.map_or(String::new(), |reason| format!("; {reason}"));
    let waits = (step.links / step.total).value;
    let waits = if waits < 0.005 {
        String::new()
    } else {
        format!(
            ", {:.0} % of it waiting for links at {} between nodes",
            100.0 * waits,
            show(scale_out)
        )
    };
    let why = format!(
        "forward, backward and update operator by operator, {}, {} samples a device{waits}{reason}",
        setup.runtime().name(),
        text::number(samples)
    );
    let basis = Basis::Assumed { why, source: Some(calibration.fitted.clone()) };
    let error = Distribution::of_half_width(mfu, width);
    let mfu = Input::new("training.efficiency.mfu", Mfu::from_stored(mfu.min(1.0)), basis);
    Ok(Efficiency::Mfu(mfu.spread(Some(error)), FlopConvention::Model))
}

/// A dated default of the accelerator's generation and the precision.
///
/// # Errors
/// If no published run of this generation is known.
fn assumed_mfu(catalog: &Catalog, training: &Training, device: &Accelerator) -> Result<Efficiency> {
    let generation = device.architecture.to_lowercase();
    let generation = generation.split(' ').next().unwrap_or_default();
    let narrow =
        matches!(training.precision.value, Precision::Fp8 | Precision::Fp4 | Precision::Int8);
    let suffix = if narrow { "-fp8" } else { "" };
    let id = format!("training.mfu.{generation}{suffix}");
    let why = "what published runs of this generation reached; replace it by your own";
    default::<Mfu>(catalog, "training.efficiency.mfu", &id, why)
        .map(|mfu| Efficiency::Mfu(mfu, FlopConvention::SixNd))
        .map_err(|_| {
            let error = Error::input(format!(
                "no published run says how well {} is used in {}",
                device.id, training.precision.value
            ));
            let error = error.at(Some(&training.hardware.accelerator.place));
            // Where its generation is known, a number of devices is all that a prediction lacks.
            let timed = Calibration::shipped();
            let timed = timed.is_ok_and(|it| it.generation(&device.architecture).is_some());
            match training.hardware.count {
                None if timed => {
                    error.hint("say how many there are and it is predicted: hardware.count: 1")
                }
                _ => error.hint("give it: efficiency: {mfu: 0.35, convention: model}"),
            }
        })
}
