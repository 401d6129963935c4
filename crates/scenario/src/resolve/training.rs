//! The training section: a run of some work on devices, its efficiency, and its place.
//!
//! The work is FLOPs per token x tokens (or per sample x samples). Its time follows from one of:
//!
//! - a pace that the scenario gives: MFU, HFU, a step time, tokens/s per device, device-hours;
//! - the step-time model (`training::predict`), where devices, tokens and format allow a
//!   prediction;
//! - for a network over samples, its operators timed one by one (`kernel::network`);
//! - else a dated default of the device's generation, an assumption.

use std::sync::Arc;

use flopcast_core::catalog::Catalog;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::plan::{Card, Deadline, TrainingPlan};
use flopcast_core::kernel;
use flopcast_core::model::{Input as ModelInput, Model, Spec};
use flopcast_core::provenance::{Basis, Input};
use flopcast_core::quantity::{DeviceFlopRate, Devices, Measure, Precision, Share, Tokens};
use flopcast_core::training::calibration::Calibration;
use flopcast_core::training::plan::{Prediction, Run, Work};
use flopcast_core::training::state::State;

use super::super::file::{Offload, Placement, Recipe, ScenarioFile, Training};
use super::super::given::Given;
use super::super::reader::Located;
use super::costs::Payer;
use super::embodied::of_owned;
use super::rent::Tenant;
use super::work::{self, Counted};
use super::{
    Files, Notes, assumed, efficiency, goodput, held, memory, owned, placement, prediction,
    rollout, share, site,
};

/// The scenario's model at an input.
///
/// # Errors
/// As [`built`].
pub(super) fn model_of(
    file: &ScenarioFile,
    files: &dyn Files,
    input: &ModelInput,
) -> Result<Arc<Model>> {
    built(&file.model, files, input)
}

/// A model that the scenario names, at an input.
///
/// # Errors
/// If it cannot be built: the error has the place of its name.
pub(super) fn built(
    spec: &Located<Spec>,
    files: &dyn Files,
    input: &ModelInput,
) -> Result<Arc<Model>> {
    files.model(&spec.value, input).map_err(|error| error.at(Some(&spec.place)))
}

/// Formats of a run that names none, by preference.
const FORMATS: [Precision; 3] = [Precision::Bf16, Precision::Fp16, Precision::Fp32];

/// Resolves the training section into a plan.
///
/// # Errors
/// If a part of it contradicts another, is impossible, or is unknown to the catalog.
pub(super) fn plan(
    file: &ScenarioFile,
    training: &Training,
    catalog: &Catalog,
    files: &dyn Files,
    notes: &mut Notes,
) -> Result<TrainingPlan> {
    let device = placement::accelerator(catalog, &training.hardware)?;
    if let Some(slice) = &training.hardware.slice {
        return Err(Error::input("a run takes whole devices: slices have no link to each other")
            .at(Some(&slice.place))
            .hint("leave training.hardware.slice out; services run on slices"));
    }
    let other = super::unnamed(&training.precision, device, &FORMATS);
    let other = other.map(|precision| Training { precision, ..training.clone() });
    let training = other.as_ref().unwrap_or(training);
    let why = "mixed precision where none is named";
    notes.format("training.precision", &training.precision, why);
    let devices = devices(training)?;
    let Counted { work, model, spent, learned, written, trained, held } =
        work::work(file, training, files, notes)?;
    take_note(&model, notes);
    let precision = &training.precision;
    let peak = device.peak(precision.value).map_err(|error| error.at(Some(&precision.place)))?;
    let whole = model_of(file, files, &model.input)?;
    let learners = rollout::learners(training, devices.as_ref())?;
    let prediction = prediction::prediction(file, training, device, &work, learners, &whole)?;
    let settled = |asked: Prediction| Prediction {
        work: spent,
        learned,
        written,
        trained: trained.min(1.0),
        state: State { trained, ..memory::beside(asked.state, held, training) },
        ..asked
    };
    let rollout = match &prediction {
        Some(asked) => rollout::of(training, device, devices.as_ref(), asked, notes)?,
        None => None,
    };
    if training.recipe.row().writes() && training.efficiency.is_none() && rollout.is_none() {
        return Err(untimed(training));
    }
    let prediction = prediction
        .map(|asked| prediction::in_stages(settled(asked), file, training, files))
        .transpose()?;
    // What is predicted finds a layout that fits; what is not has none, and a given pace names none.
    let is_network = !whole.extents.is_transformer();
    let state = State { trained, ..memory::beside(memory::state(training)?, held, training) };
    if prediction.is_none() || training.efficiency.is_some() {
        match memory::least_memory(&whole, device, devices.as_ref(), state, training) {
            Err(error) if is_network || training.efficiency.is_none() => return Err(error),
            Err(error) => notes.warnings.push(format!(
                "{}: {}; the given pace is not that of a run like this",
                error.message(),
                error.hints().join(", ")
            )),
            Ok(()) => {}
        }
    }
    if training.offload != Offload::None && prediction.is_some() && training.efficiency.is_none() {
        notes.warnings.push(
            "the host is taken to update 3.9 billion parameters a second on a node, over links of 25 GB/s \
             from each device (`training.offload`)"
                .to_owned(),
        );
    }
    let count = devices.as_ref().map(|it| it.value);
    let (at_once, held) = match work {
        Work::Samples { .. } if model.layers.len() > 1 => {
            held::held(training, device, &model, count, state)?
        }
        _ => (1.0, None),
    };
    let timed = prediction.is_some() && training.efficiency.is_none();
    framework(training, timed, notes)?;
    let efficiency = efficiency::efficiency(
        catalog,
        training,
        device,
        (&work, &model),
        devices.as_ref(),
        (prediction.is_some(), at_once),
    )?;
    let peak = peak.input(format!("dense {} peak of {}", precision.value, device.id));
    let run = run(training, work, peak, devices, prediction.as_ref())?;
    let nowhere = Placement::default();
    let place = file.placement.as_ref().unwrap_or(&nowhere);
    let together = run.devices.as_ref().map_or(1.0, |d| d.value.value).max(1.0) as u64;
    if run.devices.is_some() && efficiency.is_none() && training.hardware.network.is_none() {
        super::network(notes, device, together as f64);
    }
    let together = together.min(device.devices_per_node);
    let start = place.start.as_ref();
    if let Some(deadline) = &training.deadline {
        due(deadline, start)?;
    }
    // The site first: a region that does not exist has no price either.
    let mut site = site::site(catalog, place, &training.hardware, device, "training", notes)?;
    let tenant = Tenant { catalog, placement: place, device, together, stage: "training" };
    let owned = owned::plan(catalog, place, device, "placement", notes)?;
    site.embodied = of_owned(site.embodied, place.embodied.as_ref(), owned.as_ref(), false);
    let rent = tenant.rent(notes)?;
    let interruptions = match &rent {
        Some(rent) => {
            let reliability = &training.reliability;
            let interval = goodput::interval(reliability);
            tenant.interruptions(rent, &run, interval, goodput::restart(reliability))?
        }
        None => None,
    };
    let wait = tenant.wait(rent.as_ref())?;
    let payer = Payer { catalog, placement: place, section: "training.costs" };
    let costs = match &training.costs {
        Some(costs) => {
            let checkpoint = memory::checkpoint(memory::state(training)?, &whole, trained);
            Some(payer.of_training(costs, checkpoint)?)
        }
        None => None,
    };
    Ok(TrainingPlan {
        card: card(training, place, &device.id, &whole, catalog)?,
        site,
        rent,
        owned,
        costs,
        trainable: training.adapts().then(|| {
            let count = (trained * whole.parameters().total as f64).round();
            let formula = format!("adapters of {}", whole.name);
            Input::new("training.trainable_parameters", count, Basis::Derived { formula })
        }),
        billion_parameters: Input::new(
            "parameters of the model, in billions",
            whole.parameters().total as f64 / 1e9,
            Basis::Derived { formula: format!("counted from {}", whole.name) },
        ),
        start: start.map(|start| start.value),
        wait,
        deadline: training.deadline.as_ref().map(|deadline| deadline.value.0),
        efficiency,
        prediction,
        held,
        rollout,
        run: Run { interruptions, ..run },
    })
}

/// Refuses a framework of which nothing is known. Where a run of it is `timed` that was never
/// measured, says as what.
///
/// # Errors
/// Neither its speed nor its formats nor what runs its networks are known.
fn framework(training: &Training, timed: bool, notes: &mut Notes) -> Result<()> {
    let Some(framework) = &training.framework else { return Ok(()) };
    let name = framework.value.as_str();
    let runtime = kernel::calibration::Calibration::shipped()?.runtime(name);
    match Calibration::shipped()?.framework_named(name) {
        Ok(None) if timed => notes.warn(format!(
            "no run of `{name}` was ever measured: it is timed as a usual framework, in its own formats"
        )),
        Ok(_) => {}
        Err(_) if !timed && (runtime.compiled || runtime.channels_last) => {}
        Err(error) => return Err(error.at(Some(&framework.place))),
    }
    Ok(())
}

/// Takes over what the model assumes, warns of, and could not count.
fn take_note(model: &Model, notes: &mut Notes) {
    notes
        .model_assumptions
        .extend(model.assumptions.iter().map(|a| format!("{} = {}: {}", a.what, a.value, a.why)));
    notes.warnings.extend(model.warnings.iter().map(|warning| format!("model: {warning}")));
    notes.warnings.extend(model.unresolved.iter().map(ToString::to_string));
}

/// The refusal of a recipe that writes where no engine times its rollouts.
fn untimed(training: &Training) -> Error {
    Error::input(
        "nothing says how fast the run is: rollouts are timed of language models on a number of \
         devices in a format of matrix products",
    )
    .at(Some(&training.precision.place))
    .hint(
        "give `hardware: {count: ...}`, or what it reaches over all: efficiency: {mfu: 0.15, \
         convention: model}",
    )
}

/// The run: its work, its devices, what they lose, and what is paid for beside it. What interrupts
/// it follows from its rent.
///
/// # Errors
/// As [`goodput::goodput`].
fn run(
    training: &Training,
    work: Work,
    peak: Input<DeviceFlopRate>,
    devices: Option<Input<Devices>>,
    prediction: Option<&Prediction>,
) -> Result<Run> {
    Ok(Run {
        work,
        peak,
        goodput: goodput::goodput(training, devices.as_ref())?,
        devices,
        interruptions: None,
        spares: or_zero(
            training.spares.as_ref(),
            "training.spares",
            "no spare devices are paid for",
        ),
        experiments: training.experiments.as_ref().map_or_else(
            || assumed("training.experiments", 0.0, "ablations and failed runs are not counted"),
            |given| given.input("training.experiments"),
        ),
        global_batch: match (&training.global_batch, prediction) {
            (Some(batch), _) => Some(batch.input("training.global_batch")),
            (None, Some(prediction)) => Some(assumed(
                "training.global_batch",
                Tokens::from_stored((prediction.sequences * prediction.sequence) as f64),
                "tokens that runs of this recipe and size use",
            )),
            (None, None) => None,
        },
    })
}

/// Refuses a deadline before the start, or a day without a start to count from.
fn due(
    deadline: &Located<super::super::file::Deadline>,
    start: Option<&Located<chrono::NaiveDate>>,
) -> Result<()> {
    let Deadline::On(day) = deadline.value.0 else { return Ok(()) };
    let error = |message: String| Error::input(message).at(Some(&deadline.place));
    match start {
        None => Err(error("a deadline needs a start to count from".to_owned())
            .hint("give `placement: {start: 2027-01-01}`, or a time: `deadline: 60 days`")),
        Some(start) if day < start.value => {
            let message = format!("the deadline {day} is before the start {}", start.value);
            Err(error(message).hint(format!("placement.start is on line {}", start.place.line)))
        }
        Some(_) => Ok(()),
    }
}

/// The facts of the run that documents state.
///
/// # Errors
/// If the region is unknown.
fn card(
    training: &Training,
    place: &Placement,
    device: &str,
    model: &Model,
    catalog: &Catalog,
) -> Result<Card> {
    let recipe = training.recipe.row();
    let named = |name: &Option<Located<String>>| name.as_ref().map(|name| name.value.clone());
    let region = placement::region(catalog, place, None)?;
    let count = training.hardware.count.as_ref().map(|count| count.input("").value);
    Ok(Card {
        model: model.name.clone(),
        parameters: model.parameters().total,
        generates: model.generates(),
        training_type: recipe.card,
        adapts: !matches!(training.recipe, Recipe::Pretrain | Recipe::Distill),
        precision: training.precision.value,
        accelerator: device.to_owned(),
        devices: count.map(|count: Devices| count.value as u64),
        provider: named(&place.provider),
        region: named(&place.region),
        country: region.map(|region| region.country),
    })
}

/// The number of devices, where the scenario gives one.
///
/// # Errors
/// If it is no whole number from 1.
fn devices(training: &Training) -> Result<Option<Input<Devices>>> {
    let Some(count) = &training.hardware.count else { return Ok(None) };
    let devices = count.spread.central().value;
    if devices < 1.0 || devices.fract() != 0.0 {
        return Err(count.refuse("the number of devices is a whole number from 1"));
    }
    Ok(Some(count.input("training.hardware.count")))
}

/// A share that is zero where nobody gives it, as an assumption with its reason.
fn or_zero(given: Option<&Given<Share>>, name: &str, why: &str) -> Input<Share> {
    given.map_or_else(|| assumed(name, share(0.0), why), |given| given.input(name))
}
