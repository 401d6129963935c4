//! The forecast of a training run.

use super::{Ownership, money};
use crate::diagnostic::Result;
use crate::ledger::footprint::Footprint;
use crate::ledger::line::Ledger;
use crate::ledger::rent::{FlopPerMoney, Packing};
use crate::provenance::{Input, Known, Traced};
use crate::quantity::{Devices, Flop, Money};
use crate::scenario::plan::TrainingPlan;
use crate::training::memory::Memory;
use crate::training::run::{RunTime, Settled};

/// What a training run takes.
#[derive(Clone, Debug)]
pub struct TrainingForecast {
    /// FLOPs, utilisation and time.
    pub run: RunTime,
    /// Devices that train.
    pub devices: Option<Traced<Devices>>,
    /// The instances that hold them, where instances are sold.
    pub packing: Option<Packing>,
    /// Money, row by row; empty where the scenario names neither provider nor price.
    pub money: Ledger<Money>,
    /// The sum of the rows.
    pub cost: Option<Known<Money>>,
    /// FLOP for a dollar at the dense peak.
    pub peak_flops_per_usd: Option<Known<FlopPerMoney>>,
    /// Model FLOP for a dollar.
    pub achieved_flops_per_usd: Option<Known<FlopPerMoney>>,
    /// Memory of the fullest device, where the layout is known.
    pub memory: Option<Memory>,
    /// Energy, carbon and water.
    pub footprint: Footprint,
    /// What was bought for it, where the hardware is owned.
    pub ownership: Option<Ownership>,
    /// The last day, and the days left to the deadline (negative when missed).
    pub calendar: Option<Calendar>,
}

/// First and last day of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// The first day.
    pub start: chrono::NaiveDate,
    /// The day on which the last step ends.
    pub end: chrono::NaiveDate,
    /// Days from the end to the deadline, if there is one.
    pub margin_days: Option<i64>,
}

/// Forecasts a training run.
pub(super) fn forecast(
    plan: &TrainingPlan,
    settled: &Settled,
    discount: &Input<f64>,
    explain: bool,
) -> Result<TrainingForecast> {
    let run = plan.run.time(settled, explain)?;
    let devices = plan.run.devices.as_ref().map(|devices| devices.traced(explain));
    let spares = plan.run.spares.traced(explain).map::<f64>("1 + spares", |v| 1.0 + v[0]);
    let held = devices.as_ref().map(|devices| devices * &spares);
    let packing = plan
        .rent
        .as_ref()
        .zip(held.as_ref())
        .and_then(|(rent, devices)| rent.pack("training", devices, explain));
    let footprint = plan.site.footprint("training", &run.device_time, explain);
    let facility = &footprint.facility;
    let (trains, packed) = (devices.as_ref(), packing.as_ref());
    let money = money::of_training(plan, &run, trains, packed, facility, explain);
    let ownership = plan.owned.as_ref().map(|owned| {
        let used = (&run.device_time, facility);
        Ownership::of_run(owned, held.as_ref(), used, discount, explain)
    });
    let cost = money.sum(|_| true).map(|cost| super::name(cost, "training.cost_usd.total"));
    let per_usd = |flops: &Traced<Flop>, name: &str| {
        let cost = cost.clone()?;
        Some(cost.map(|cost| (flops / &cost).named(&format!("training.flops_per_usd.{name}"))))
    };
    let at_peak = &run.device_time * &plan.run.peak.traced(explain);
    let calendar = plan.start.zip(run.wall_clock.as_ref()).and_then(|(start, wall)| {
        let days = (wall.value().value / 86_400.0).ceil();
        let end = start.checked_add_days(chrono::Days::new(days.min(1e6) as u64))?;
        let margin_days = plan.deadline.map(|deadline| (deadline - end).num_days());
        Some(Calendar { start, end, margin_days })
    });
    Ok(TrainingForecast {
        memory: settled.predicted.as_ref().map(|predicted| predicted.candidate.memory),
        peak_flops_per_usd: per_usd(&at_peak, "peak"),
        achieved_flops_per_usd: per_usd(&run.flops.model, "achieved"),
        footprint,
        ownership,
        run,
        devices,
        packing,
        money,
        cost,
        calendar,
    })
}
