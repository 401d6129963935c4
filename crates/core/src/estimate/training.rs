//! The forecast of a training run: its time, the devices that it holds, and what they cost and
//! emit.
//!
//! `training::run` computes time and device-hours from the settled efficiency; this module hands
//! them to the ledger. Device-hours with work draw full power, those of restarts and spares idle
//! power (`phases`).

use super::{Ownership, money};
use crate::diagnostic::{Error, Result};
use crate::estimate::plan::{Deadline, Finance, TrainingPlan};
use crate::ledger::energy::{Load, Phase, When};
use crate::ledger::footprint::Footprint;
use crate::ledger::line::{Ledger, Period, Stage};
use crate::ledger::packing::Packing;
use crate::ledger::rent::{FlopPerMoney, Lent};
use crate::ledger::sci::TrainingIntensity;
use crate::ledger::window::BestStart;
use crate::provenance::{Input, Traced, Unknown, Value};
use crate::quantity::dimension::CENTURY;
use crate::quantity::text::number;
use crate::quantity::{DeviceMemory, DeviceTime, Devices, Flop, Measure, Money, Ratio, Time};
use crate::training::memory::{Held, Memory};
use crate::training::run::{RunTime, Settled, Spent};

/// The forecast of a training run.
#[derive(Clone, Debug)]
pub struct TrainingForecast {
    /// FLOPs, utilisation and time.
    pub run: RunTime,
    /// Devices that train, spares left out; `None` where nobody says how many.
    pub devices: Option<Traced<Devices>>,
    /// The instances that hold them and the spares, where instances are sold.
    pub packing: Option<Packing>,
    /// Money, row by row; empty where no price of the devices is known.
    pub money: Ledger<Money>,
    /// The sum of the rows in USD; absent without rows, unknown where one is.
    pub cost: Value<Money>,
    /// FLOP for a dollar at the dense peak: device-time x peak / cost.
    pub peak_flops_per_usd: Value<FlopPerMoney>,
    /// Model FLOP for a dollar: model FLOPs / cost.
    pub achieved_flops_per_usd: Value<FlopPerMoney>,
    /// Parameters that are trained, where adapters are.
    pub trainable: Option<Traced<Ratio>>,
    /// Memory of the fullest device, where the layout is known.
    pub memory: Option<Memory<Traced<DeviceMemory>>>,
    /// Energy, carbon and water.
    pub footprint: Footprint,
    /// Software carbon intensity: (E x I + M) per run, token and billion parameters (ISO/IEC
    /// 21031).
    pub sci: TrainingIntensity,
    /// The cleanest start, where the scenario asks for it, or why it is unknown.
    pub best_start: Option<std::result::Result<BestStart, Unknown>>,
    /// The purchases for it, where the hardware is owned.
    pub ownership: Option<Ownership>,
    /// The time until the devices are there, before the run; absent where they are there at once.
    pub wait: Value<Time>,
    /// First and last day, where the start is known.
    pub calendar: Option<Calendar>,
    /// Whole days left to the deadline, if there is one; negative if the run misses it.
    pub margin_days: Option<i64>,
}

/// The first and the last day of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// The first day.
    pub start: chrono::NaiveDate,
    /// The day on which the last step ends.
    pub end: chrono::NaiveDate,
}

/// Forecasts a training run whose efficiency is settled.
///
/// # Errors
/// If the job fails all the time, or the run takes more than a century: a unit may be wrong then.
pub(super) fn forecast(
    plan: &TrainingPlan,
    settled: &Settled,
    finance: &Finance,
) -> Result<TrainingForecast> {
    let run = plan.run.time(settled)?;
    let devices = plan.run.devices.as_ref().map(Input::trace);
    let spares = 1.0 + plan.run.spares.trace();
    let held = devices.as_ref().map(|devices| devices * &spares);
    let packing = plan.rent.as_ref().zip(held.as_ref()).and_then(|(rent, devices)| {
        let one = Traced::constant(Devices::from_stored(1.0));
        rent.pack("training", &[((devices / &one).number(), one)])
    });
    let length = run.wall_clock.as_ref().map_or(Time::from_stored(0.0), Traced::value);
    if length.value > CENTURY {
        let years = number(length.value / CENTURY * 100.0);
        return Err(Error::input(format!("the run takes {years} years; at most 100 are forecast"))
            .hint("check data, hardware.count, efficiency and goodput: a unit may be wrong"));
    }
    let wait = waiting(plan);
    let before = wait.known().map_or(Time::from_stored(0.0), Traced::value);
    let when = When { stage: Stage::Training, period: Period { start: before, length } };
    let unused = packing.as_ref().and_then(|it| it.unused(&run.device_time));
    let phases: Vec<_> = phases(&run.spent).into_iter().chain(unused).collect();
    let footprint = plan.site.footprint(format_args!("training"), when, &phases);
    let facility = &footprint.facility;
    let (trains, packed) = (devices.as_ref(), packing.as_ref());
    let money = money::of_training(plan, &run, trains, packed, facility, &[], finance);
    let ownership = plan.owned.as_ref().map(|owned| {
        let used = (&run.device_time, facility);
        let bought = held.as_ref().map(|devices| (devices, length));
        Ownership::of_run(owned, bought, used, &finance.discount_rate)
    });
    let (cost, [peak_flops_per_usd, achieved_flops_per_usd]) = priced(plan, &run, &money);
    let after = |days: f64| {
        let days = chrono::Days::new(days.min(1e6) as u64);
        plan.start.and_then(|start| start.checked_add_days(days))
    };
    let begun = (before.value / 86_400.0).floor();
    let first = after(begun);
    let calendar = run.wall_clock.as_ref().and_then(|wall| {
        // A run of an hour ends on the day on which it begins.
        let whole = ((before + wall.value()).value / 86_400.0).ceil();
        Some(Calendar { start: first?, end: after((whole - 1.0).max(begun))? })
    });
    let margin_days = plan.deadline.and_then(|deadline| match deadline {
        Deadline::On(day) => Some((day - calendar?.end).num_days()),
        Deadline::Within(time) => {
            let left = time - before - run.wall_clock.as_ref()?.value();
            Some((left.value / 86_400.0).floor() as i64)
        }
    });
    Ok(TrainingForecast {
        memory: settled
            .predicted
            .as_ref()
            .map(|predicted| predicted.candidate.held())
            .or(plan.held)
            .map(|Held { layout, memory }| memory.traced(&layout, &run.device_time)),
        peak_flops_per_usd,
        achieved_flops_per_usd,
        sci: TrainingIntensity::new(&footprint, run.tokens.as_ref(), &plan.billion_parameters),
        trainable: plan.trainable.as_ref().map(|it| it.trace().retype::<Ratio>()),
        best_start: best_start(plan, first, run.wall_clock.as_ref()),
        footprint,
        ownership,
        run,
        devices,
        packing,
        money,
        cost,
        wait,
        calendar,
        margin_days,
    })
}

/// The time until the devices are there.
pub(super) fn waiting(plan: &TrainingPlan) -> Value<Time> {
    match &plan.wait {
        None => Value::Absent,
        Some(Ok(wait)) => wait.trace().named("training.wait_days").into(),
        Some(Err(unknown)) => unknown.clone().into(),
    }
}

/// The sum of the rows, and the FLOP for a dollar at the peak and as achieved.
fn priced(
    plan: &TrainingPlan,
    run: &RunTime,
    money: &Ledger<Money>,
) -> (Value<Money>, [Value<FlopPerMoney>; 2]) {
    let cost = money.sum(|_| true).named("training.cost_usd.total");
    let per_usd = |flops: &Traced<Flop>, name: &str| {
        (flops / &cost).named(format_args!("training.flops_per_usd.{name}"))
    };
    let at_peak = &run.device_time * &plan.run.peak.trace();
    let per_usd = [per_usd(&at_peak, "peak"), per_usd(&run.flops.model, "achieved")];
    (cost, per_usd)
}

impl TrainingForecast {
    /// Gives the service what it uses of the run's terms.
    pub(super) fn lend(&mut self, plan: &TrainingPlan, lent: &[Lent], finance: &Finance) {
        let facility = &self.footprint.facility;
        let (devices, packing) = (self.devices.as_ref(), self.packing.as_ref());
        let run = &self.run;
        self.money = money::of_training(plan, run, devices, packing, facility, lent, finance);
        let (cost, [peak, achieved]) = priced(plan, &self.run, &self.money);
        self.cost = cost;
        self.peak_flops_per_usd = peak;
        self.achieved_flops_per_usd = achieved;
    }
}

/// The phases of paid device-time, by how busy the devices are. Lost time of an unknown kind counts
/// as busy, so that energy is not told too low.
fn phases(spent: &Spent) -> Vec<Phase> {
    let phase = |name, time: &Traced<DeviceTime>, load| Phase { name, time: time.clone(), load };
    let mut phases = vec![phase("steps", &spent.steps, Load::Busy)];
    if spent.lost.value().value > 0.0 {
        phases.push(phase("lost time", &spent.lost, Load::Busy));
    }
    if let Some(waiting) = &spent.waiting {
        phases.push(phase("stalls and restarts", waiting, Load::Waiting));
    }
    if spent.spares.value().value > 0.0 {
        phases.push(phase("spares", &spent.spares, Load::Waiting));
    }
    phases
}

/// The cleanest start of the run; `None` where the scenario does not ask for it, unknown where the
/// run's length is.
fn best_start(
    plan: &TrainingPlan,
    first: Option<chrono::NaiveDate>,
    length: Option<&Traced<Time>>,
) -> Option<std::result::Result<BestStart, Unknown>> {
    let (window, start) = plan.site.start_window.as_ref().zip(first)?;
    let why = "the best start is unknown: nobody says on how many devices the run is";
    let unknown = || Err(Unknown::new(why));
    Some(length.map_or_else(unknown, |length| window.best_start(start, length)))
}
