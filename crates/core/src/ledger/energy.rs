//! Energy by what the devices do: power x device-time, row by row.
//!
//! A device draws idle + (busy - idle) x load, which Fan, Weber and Barroso (ISCA 2007) found for
//! servers. The energy of a stretch of device-time is therefore two rows: the idle draw during all
//! of it, and what work adds during the part with work. Where the scenario gives the power as an
//! average, one row holds everything.
//!
//! This is IT energy, of the devices with their share of the host; `footprint` multiplies it by
//! PUE. The two ends of the line are inputs ([`PowerModel`]) with sources of their own.

use super::line::{Entry, Kind, Ledger, Line, Period, Resource, Stage};
use crate::ledger::plan::{Draw, PowerModel};
use crate::provenance::{Traced, Unknown, Value};
use crate::quantity::{DevicePower, DeviceTime, Energy, Measure, Ratio};

/// A stretch of device-time that is paid for, during which the devices are equally busy.
#[derive(Clone, Debug)]
pub struct Phase {
    /// The name: `steps`, `spares`.
    pub name: &'static str,
    /// Devices x elapsed time.
    pub time: Traced<DeviceTime>,
    /// How busy the devices are during it.
    pub load: Load,
}

/// How busy devices are: the factor of (busy - idle) in their power.
#[derive(Clone, Debug)]
pub enum Load {
    /// Load 1: at work all the time.
    Busy,
    /// Load 0: powered, and waiting for a restart, a checkpoint or a request.
    Waiting,
    /// A load between 0 and 1, averaged over the stretch.
    Partly(Traced<Ratio>),
}

/// The stage that energy is entered for, and its time.
#[derive(Clone, Copy, Debug)]
pub struct When {
    /// The stage.
    pub stage: Stage,
    /// The time in which it falls.
    pub period: Period,
}

/// The rows of IT energy of all phases, in joules.
///
/// A known average power gives one row, power x the device-time of all phases. A power by load
/// gives for each phase a row of idle draw, idle power x time, and where there is work a row of
/// what it adds, (busy power - idle power) x time x load, never below zero. An unknown power gives
/// one unknown row.
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
                let of_busy = (&busy - &host.device.trace()).or_nothing();
                let host = host.usual.trace().min(&of_busy);
                idle = &idle + &host.named("power of an idle host, at most a busy one's");
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
/// at the highest rate of a replica / the device-time of the fleet. It is the load of a model that
/// answers batch by batch, where a replica is either at its highest rate or idle.
pub fn utilisation(work: &Traced<DeviceTime>, fleet: &Traced<DeviceTime>) -> Traced<Ratio> {
    (work / fleet).min(&Traced::constant(Measure::from_stored(1.0)))
}

impl Draw {
    /// The power of one device in W/device: as given, or TDP x share.
    fn trace(&self) -> Traced<DevicePower> {
        match self {
            Self::Watts(power) => power.trace(),
            Self::OfTdp { tdp, share } => &tdp.trace() * &share.trace(),
        }
    }
}
