//! The goodput of a training run: as the scenario gives it, or the inputs from which it follows.

use flopcast_core::diagnostic::Result;
use flopcast_core::provenance::Input;
use flopcast_core::quantity::system::time;
use flopcast_core::quantity::{Devices, Time};
use flopcast_core::training::plan::Goodput;
use flopcast_core::training::whole_run::{self, Losses};

use super::super::file::{Reliability, Training};
use super::{assumed, share};

/// The given goodput, or the inputs to compute it from failures, checkpoints and what published
/// runs lose beside them.
pub(super) fn goodput(training: &Training, devices: Option<&Input<Devices>>) -> Result<Goodput> {
    let name = "training.goodput";
    let given = &training.reliability;
    let devices = match (&training.goodput, devices) {
        (Some(given), _) => return Ok(Goodput::Given(given.input(name))),
        (None, _) if training.efficiency.as_ref().is_some_and(|e| e.device_hours.is_some()) => {
            let why = "published device-hours are taken as all productive";
            return Ok(Goodput::Given(assumed(name, share(1.0), why)));
        }
        (None, None) => {
            let why = "without a number of devices, no failures";
            return Ok(Goodput::Given(assumed(name, share(1.0), why)));
        }
        (None, Some(devices)) => devices.clone(),
    };
    let shipped = whole_run::Calibration::shipped()?;
    let mut planned = Goodput::usual(devices, Losses::of_runs(shipped)?);
    if let Goodput::Failures { rate, stall, interval: every, losses, restart: again, .. } =
        &mut planned
    {
        let said = |key: &str| format!("training.reliability.{key}");
        let failures = given.failures_per_1000_devices_day.as_ref();
        replace(rate, failures.map(|it| it.input(&said("failures_per_1000_devices_day"))));
        let stalls = given.checkpoint_stall.as_ref();
        replace(stall, stalls.map(|it| it.input(&said("checkpoint_stall"))));
        replace(&mut losses.warm_up, given.warm_up.as_ref().map(|it| it.input(&said("warm_up"))));
        let evaluation = given.evaluation.as_ref();
        replace(&mut losses.evaluation, evaluation.map(|it| it.input(&said("evaluation"))));
        let setbacks = given.setbacks.as_ref();
        replace(&mut losses.setbacks, setbacks.map(|it| it.input(&said("setbacks"))));
        *again = restart(given);
        *every = interval(given);
    }
    Ok(planned)
}

/// Replaces an assumed input by a given one.
fn replace<Q>(assumed: &mut Input<Q>, given: Option<Input<Q>>) {
    if let Some(given) = given {
        *assumed = given;
    }
}

/// The time between checkpoints, where the scenario gives it.
pub(super) fn interval(reliability: &Reliability) -> Option<Input<Time>> {
    let given = reliability.checkpoint_interval.as_ref()?;
    Some(given.input("training.reliability.checkpoint_interval"))
}

/// The time that a restart takes: as given, or ten minutes (`MegaScale`, arXiv:2402.15627).
pub(super) fn restart(reliability: &Reliability) -> Input<Time> {
    reliability.restart.as_ref().map_or_else(
        || assumed("restart", seconds(600.0), "MegaScale (arXiv:2402.15627)"),
        |given| given.input("training.reliability.restart"),
    )
}

/// A time in seconds.
fn seconds(value: f64) -> Time {
    Time::new::<time::second>(value)
}
