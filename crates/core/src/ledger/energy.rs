//! Energy by what the devices do: power x device-time, row by row.
//!
//! A device draws idle + (busy - idle) x load, so the energy of a stretch of device-time is two
//! rows: the idle draw of all of it, and what work adds. Where the power is given as an average,
//! one row holds everything.

use super::line::{Entry, Kind, Ledger, Line, Period, Resource, Stage};
use crate::ledger::plan::{Draw, PowerModel};
use crate::provenance::{Traced, Unknown, Value};
use crate::quantity::{DevicePower, DeviceTime, Energy, Measure, Ratio};

/// A stretch of device-time that is paid for.
#[derive(Clone, Debug)]
pub struct Phase {
    /// The name: `steps`, `spares`.
    pub name: &'static str,
    /// How long, times devices.
    pub time: Traced<DeviceTime>,
    /// The load of the devices.
    pub load: Load,
}

/// How busy devices are.
#[derive(Clone, Debug)]
pub enum Load {
    /// At work all the time.
    Busy,
    /// Powered, and waiting.
    Waiting,
    /// At work for a part of the time.
    Partly(Traced<Ratio>),
}

/// For which stage and when.
#[derive(Clone, Copy, Debug)]
pub struct When {
    /// The stage.
    pub stage: Stage,
    /// The time in which it falls.
    pub period: Period,
}

/// The rows of IT energy of all phases.
pub fn rows(power: &Result<PowerModel, Unknown>, when: When, phases: &[Phase]) -> Ledger<Energy> {
    let mut ledger = Ledger::default();
    let When { stage, period } = when;
    let entry = |resource, detail| Entry { stage, resource, detail, kind: Kind::Opex, period };
    match power {
        Err(unknown) => ledger.enter(Line::unknown(entry(Resource::Power, ""), &unknown.why)),
        Ok(PowerModel::Average(power)) => {
            let paid = phases.iter().map(|phase| phase.time.clone());
            if let Some(paid) = paid.reduce(|sum, time| &sum + &time) {
                let (paid, power) = (Value::Known(paid), Value::Known(power.trace()));
                ledger.enter(Line::new(entry(Resource::Power, ""), &paid, &power));
            }
        }
        Ok(PowerModel::ByLoad { busy, idle, idle_host }) => {
            let busy = busy.trace().named("power of a busy device with its host");
            let mut idle = idle.trace();
            if let Some(host) = idle_host {
                idle = &idle + &host.trace();
            }
            let idle = idle.named("power of an idle device with its host");
            let above = (&busy - &idle).or_nothing();
            let (idle, above) = (Value::Known(idle), Value::Known(above));
            for Phase { name, time, load } in phases {
                let at_work = match load {
                    Load::Busy => Some(time.clone()),
                    Load::Waiting => None,
                    Load::Partly(part) => Some(time * part),
                };
                if let Some(at_work) = at_work {
                    let entry = entry(Resource::Work, name);
                    ledger.enter(Line::new(entry, &Value::Known(at_work), &above));
                }
                let time = Value::Known(time.clone());
                ledger.enter(Line::new(entry(Resource::Idle, name), &time, &idle));
            }
        }
    }
    ledger
}

/// The part of its time that a fleet is at work, at most 1: the device-time that its requests take
/// at the highest rate of a replica / the device-time of the fleet.
pub fn utilisation(work: &Traced<DeviceTime>, fleet: &Traced<DeviceTime>) -> Traced<Ratio> {
    (work / fleet).min(&Traced::constant(Measure::from_stored(1.0)))
}

impl Draw {
    fn trace(&self) -> Traced<DevicePower> {
        match self {
            Self::Watts(power) => power.trace(),
            Self::OfTdp { tdp, share } => &tdp.trace() * &share.trace(),
        }
    }
}
