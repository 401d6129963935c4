//! From FLOPs to device-hours: the run as a whole.
//!
//! device-hours = FLOPs / (dense peak x MFU x goodput), in the FLOP convention that the MFU was
//! stated in, then x (1 + spares) where spares are paid for.

use std::ops::Mul;

use super::goodput::{self, Uptime};
use super::predict::Predicted;
use crate::diagnostic::Result;
use crate::provenance::{Input, Traced, inputs};
use crate::quantity::{
    DeviceFlopRate, DeviceTime, DeviceTokenRate, Flop, Instances, Measure, Mfu, Ratio, Samples,
    Share, Time, Tokens,
};
use crate::training::plan::{Efficiency, FlopConvention, Goodput, Interruptions, Pace, Run, Work};

/// FLOPs of a run in the conventions that people use.
#[derive(Clone, Debug)]
pub struct RunFlops {
    /// 6 x active parameters x tokens; absent where there are no tokens.
    pub six_nd: Option<Traced<Flop>>,
    /// Operator-exact, causal attention by half.
    pub model: Traced<Flop>,
    /// Operator-exact, attention in full.
    pub model_full: Traced<Flop>,
    /// With recomputation.
    pub hardware: Traced<Flop>,
}

/// A plan with its open choices settled.
#[derive(Clone, Debug)]
pub struct Settled {
    /// How well the devices are used, as given or predicted.
    pub efficiency: Efficiency,
    /// FLOPs of activations computed anew / model FLOPs, where any are.
    pub recomputation: Option<Input<f64>>,
    /// Elapsed time of a whole run / expected, where the run is predicted: 1, with its spread.
    pub run_error: Option<Input<f64>>,
    /// The step-time model's prediction, where it was asked.
    pub predicted: Option<Predicted>,
}

/// How long a run takes.
#[derive(Clone, Debug)]
pub struct RunTime {
    /// FLOPs by convention.
    pub flops: RunFlops,
    /// Tokens passed, epochs included.
    pub tokens: Option<Traced<Tokens>>,
    /// Samples passed, epochs included.
    pub samples: Option<Traced<Samples>>,
    /// Device-hours paid: goodput, spares and experiments included.
    pub device_time: Traced<DeviceTime>,
    /// The same by what the devices do.
    pub spent: Spent,
    /// Productive time / elapsed time.
    pub goodput: Traced<Share>,
    /// Model FLOPs / (productive time x peak).
    pub mfu: Traced<Ratio>,
    /// Hardware FLOPs / (productive time x peak).
    pub hfu: Traced<Ratio>,
    /// First to last day, where the number of devices is known.
    pub wall_clock: Option<Traced<Time>>,
    /// Time of one optimizer step, where the batch is known.
    pub step_time: Option<Traced<Time>>,
    /// Throughput while productive.
    pub throughput: Option<Traced<DeviceTokenRate>>,
}

/// The device-hours of a run by what the devices do; experiments are in each.
#[derive(Clone, Debug)]
pub struct Spent {
    /// They take steps.
    pub steps: Traced<DeviceTime>,
    /// They take steps again that a failure lost, or lose time in ways that nobody told.
    pub lost: Traced<DeviceTime>,
    /// They wait for checkpoints and restarts, where that is known.
    pub waiting: Option<Traced<DeviceTime>>,
    /// They stand by.
    pub spares: Traced<DeviceTime>,
}

impl Run {
    /// FLOPs, device-hours and time of the run.
    ///
    /// # Errors
    /// The job fails before it gets anything done.
    pub fn time(&self, settled: &Settled) -> Result<RunTime> {
        let flops = self.flops(settled);
        let peak = self.peak.trace();
        let experiments = self.experiments.trace();
        let productive = productive_time(&settled.efficiency, &flops, &peak, &self.goodput);
        let Uptime { goodput, waiting } = goodput::of(&self.goodput, &productive)?;
        let run = if let Efficiency::DeviceHours(given) = &settled.efficiency {
            // Published device-hours are elapsed time: goodput and interruptions are in them.
            given.trace()
        } else {
            let elapsed = &productive / &goodput;
            match self.interruptions.as_ref().map(Interruptions::overhead) {
                Some(overhead) => &elapsed + &(&elapsed * &overhead),
                None => elapsed,
            }
        };
        let run = match &settled.run_error {
            Some(error) => &run * &error.trace(),
            None => run,
        }
        .named("device-hours of the run");
        let standing_by = self.spares.trace();
        let spares = 1.0 + &standing_by;
        let experiments = 1.0 + experiments;
        let paid = &(&run * &spares) * &experiments;
        let waiting = waiting.map(|share| &run * &share);
        let idle_or_lost = &run - &productive;
        let lost = waiting.as_ref().map_or_else(|| idle_or_lost.clone(), |w| &idle_or_lost - w);
        let spent = Spent {
            steps: &productive * &experiments,
            lost: &lost * &experiments,
            waiting: waiting.map(|waiting| &waiting * &experiments),
            spares: &(&run * &standing_by) * &experiments,
        };
        let (tokens, samples) = match &self.work {
            Work::Tokens { tokens, epochs, .. } => {
                let passed = &tokens.trace() * &epochs.trace();
                (Some(passed.named("training.tokens")), None)
            }
            Work::Samples { samples, epochs, .. } => {
                let passed = &samples.trace() * &epochs.trace();
                (None, Some(passed.named("training.samples")))
            }
        };
        let throughput = tokens
            .as_ref()
            .map(|passed| (passed / &productive).named("training.tokens_per_second_per_device"));
        let devices = self.devices.as_ref().map(Input::trace);
        let step_time = match (&self.global_batch, &throughput, &devices) {
            (Some(batch), Some(rate), Some(devices)) => {
                let cluster = rate * devices;
                Some((&batch.trace() / &cluster).named("training.step_time_s"))
            }
            _ => None,
        };
        Ok(RunTime {
            mfu: (&flops.model / &(&productive * &peak)).named("training.mfu"),
            hfu: (&flops.hardware / &(&productive * &peak)).named("training.hfu"),
            wall_clock: devices.map(|devices| (&run / &devices).named("training.wall_clock_days")),
            device_time: paid.named("training.device_hours"),
            spent,
            step_time,
            throughput,
            tokens,
            samples,
            goodput: goodput.or_named("training.goodput"),
            flops,
        })
    }

    /// FLOPs of the run by convention.
    fn flops(&self, settled: &Settled) -> RunFlops {
        let (six_nd, model, model_full) = match &self.work {
            Work::Tokens { tokens, epochs, six_nd, model, model_full } => (
                six_nd.as_ref().map(|per| total(tokens, epochs, per)),
                total(tokens, epochs, model),
                total(tokens, epochs, model_full),
            ),
            Work::Samples { samples, epochs, model } => {
                let flops = total(samples, epochs, model);
                (None, flops.clone(), flops)
            }
        };
        RunFlops {
            six_nd: six_nd.map(|flops| flops.named("training.flops.six_nd")),
            hardware: settled
                .recomputation
                .as_ref()
                .map_or_else(|| model.clone(), |extra| &model + &(&model * &extra.trace()))
                .named("training.flops.hardware"),
            model: model.named("training.flops.model"),
            model_full: model_full.named("training.flops.model_full"),
        }
    }
}

/// units per epoch x epochs x FLOPs per unit
fn total<U, P>(units: &Input<U>, epochs: &Input<f64>, per: &Input<P>) -> Traced<Flop>
where
    U: Measure + Mul<f64, Output = U> + Mul<P, Output = Flop>,
    P: Measure,
{
    &(&units.trace() * &epochs.trace()) * &per.trace()
}

impl Interruptions {
    /// Time lost to interruptions / time without any: interruptions of all instances per time x
    /// (half a checkpoint interval + restart). An interrupted instance stops the whole run.
    fn overhead(&self) -> Traced<Ratio> {
        let devices = self.devices.trace();
        let spot = match &self.share {
            Some(share) => &devices * &share.trace(),
            None => devices,
        };
        let one = Traced::constant(Instances::from_stored(1.0));
        let instances = ((spot / self.instance.trace()).ceil() / one).named("spot instances");
        let lost = self.interval.trace() / 2.0 + self.restart.trace();
        let lost = lost.named("time lost by an interruption");
        let month = Traced::constant(Time::from_stored(THIRTY_DAYS));
        (instances * self.rate.trace() / month * lost)
            .named("time lost to spot interruptions / run")
    }
}

/// Seconds over which providers state how often spot instances are interrupted.
const THIRTY_DAYS: f64 = 30.0 * 86_400.0;

/// Device-time that does useful work.
fn productive_time(
    efficiency: &Efficiency,
    flops: &RunFlops,
    peak: &Traced<DeviceFlopRate>,
    goodput: &Goodput,
) -> Traced<DeviceTime> {
    let at_utilisation = |flops: &Traced<Flop>, share: &Input<Mfu>| {
        (flops / &(peak * &share.trace())).named("productive device-hours")
    };
    match efficiency {
        Efficiency::Mfu(mfu, convention) => {
            let flops = match (convention, &flops.six_nd) {
                (FlopConvention::SixNd, Some(six_nd)) => six_nd,
                (FlopConvention::ModelFull, _) => &flops.model_full,
                _ => &flops.model,
            };
            at_utilisation(flops, mfu)
        }
        Efficiency::Hfu(hfu) => at_utilisation(&flops.hardware, hfu),
        Efficiency::Measured { tokens, epochs, pace } => {
            let passed = &tokens.trace() * &epochs.trace();
            match pace {
                Pace::Throughput(rate) => &passed / &rate.trace(),
                Pace::Step { time, batch, devices } => {
                    let steps = &passed / &batch.trace();
                    &(&steps * &time.trace()) * &devices.trace()
                }
            }
            .named("productive device-hours")
        }
        // Elapsed time, of which a goodput beside it says how much was productive.
        Efficiency::DeviceHours(hours) => {
            let productive = match goodput {
                Goodput::Given(share) => &hours.trace() * &share.trace(),
                Goodput::Failures { .. } => hours.trace(),
            };
            productive.named("productive device-hours")
        }
    }
}

inputs!(Settled { efficiency, recomputation, run_error; but predicted });
