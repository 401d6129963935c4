//! Failures, checkpoints and restarts: the part of the elapsed time that trains.
//!
//! A job of n devices fails n times as often as one. Work since the last checkpoint is lost, so
//! checkpoints are taken at the interval that balances their stall against the loss (Young 1974,
//! Daly 2006).

use crate::diagnostic::{Error, Result};
use crate::provenance::{Basis, Expr, Input, Traced};
use crate::quantity::system::device::device;
use crate::quantity::system::time::{day, hour, minute, second};
use crate::quantity::{Data, DeviceTime, Devices, Measure, Per, Ratio, Share, Time, show};
use crate::training::plan::Goodput;

/// Failures per device and time.
pub type FailureRate = Per<f64, DeviceTime>;

/// How reliable a cluster is and what an interruption costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reliability {
    /// Failures of one device that interrupt the job, per time. Published: 0.3 to 1.9 per 1,000
    /// devices and day.
    pub failures: FailureRate,
    /// Time that the job stands still for one checkpoint.
    pub stall: Time,
    /// Time from a failure until the job runs again: detection, replacement, loading.
    pub restart: Time,
}

/// The effect of reliability on a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Mean time between failures of the job.
    pub mtbf: Time,
    /// Time between two checkpoints.
    pub interval: Time,
    /// Productive / elapsed time.
    pub goodput: Share,
}

impl Default for Reliability {
    /// 0.5 failures per 1,000 devices and day (Llama 3 405B: 419 in 54 days on 16,384 devices,
    /// arXiv:2407.21783 sec. 3.3.4); checkpoints of 40 s (BLOOM-176B, bigscience chronicles); 10
    /// minutes to run again (`MegaScale`, arXiv:2402.15627).
    fn default() -> Self {
        Self {
            failures: 0.5 / (Devices::new::<device>(1000.0) * Time::new::<hour>(24.0)),
            stall: Time::new::<second>(40.0),
            restart: Time::new::<minute>(10.0),
        }
    }
}

/// A job of less goodput never ends.
const LEAST: f64 = 1e-3;

/// Bytes of a checkpoint per parameter: bf16 weights, fp32 weights and two moments (BLOOM-176B:
/// 2.3 TB).
pub const CHECKPOINT_BYTES: f64 = 14.0;

/// Size of a full checkpoint.
pub fn checkpoint_size(parameters: u64) -> Data {
    Data::from_stored(CHECKPOINT_BYTES * parameters as f64)
}

impl Reliability {
    /// Mean time between failures of a job.
    pub fn mtbf(&self, devices: Devices) -> Time {
        Time::from_stored((1.0 / (self.failures * devices)).stored())
    }

    /// The interval between checkpoints that loses least (Daly 2006, eq. 37):
    /// √(2 stall MTBF) (1 + ⅓ √(stall / 2 MTBF) + stall / 18 MTBF) - stall, at most the MTBF; 0 where
    /// they are free.
    pub fn best_interval(&self, devices: Devices) -> Time {
        let [stall, mtbf] = [self.stall, self.mtbf(devices)].map(Measure::stored);
        if stall <= 0.0 {
            return Time::from_stored(0.0);
        }
        let ratio = stall / (2.0 * mtbf);
        let interval = if ratio < 1.0 {
            (2.0 * stall * mtbf).sqrt() * (1.0 + ratio.sqrt() / 3.0 + ratio / 9.0) - stall
        } else {
            mtbf
        };
        Time::from_stored(interval.max(0.0))
    }

    /// Goodput at an interval, or at the best one (Daly 2006, eq. 13):
    /// interval / (MTBF e^(restart / MTBF) (e^((interval + stall) / MTBF) - 1)).
    ///
    /// # Errors
    /// The interval is not positive, or the job fails before it gets anything done.
    pub fn outcome(&self, devices: Devices, interval: Option<Time>) -> Result<Outcome> {
        let mtbf = self.mtbf(devices);
        let interval = interval.unwrap_or_else(|| self.best_interval(devices));
        let [m, tau, stall, restart] =
            [mtbf, interval, self.stall, self.restart].map(Measure::stored);
        if tau <= 0.0 && stall > 0.0 {
            return Err(Error::input("the checkpoint interval is not positive")
                .hint("leave it out to have the best one"));
        }
        // Without a stall, checkpoints are free and only restarts cost; without failures, only
        // the stall does.
        let goodput = if m.is_infinite() {
            if stall <= 0.0 || tau.is_infinite() { 1.0 } else { tau / (tau + stall) }
        } else if tau <= 0.0 {
            (-restart / m).exp()
        } else {
            tau / (m * (restart / m).exp() * ((tau + stall) / m).exp_m1())
        };
        let goodput = Share::new(goodput).map_err(|error| Error::input(error.to_string()))?;
        if goodput.get() < LEAST {
            let error = Error::limit(format!(
                "a job of {} devices fails every {} and never gets far",
                devices.stored(),
                show(mtbf)
            ));
            let best = self.best_interval(devices);
            let often = best < interval && self.outcome(devices, Some(best)).is_ok();
            return Err(if often {
                error.hint(format!("checkpoints more often: about every {}", show(best)))
            } else {
                error.hint("faster checkpoints and restarts, or fewer devices")
            });
        }
        Ok(Outcome { mtbf, interval, goodput })
    }

    /// Spare devices that keep the job whole while broken ones are repaired: the mean number in
    /// repair and two standard deviations (failures are Poisson).
    pub fn spares(&self, devices: Devices, repair: Time) -> Devices {
        let broken = (self.failures * devices * repair).stored();
        Devices::from_stored((broken + 2.0 * broken.sqrt()).ceil())
    }
}

/// The productive part of a run's elapsed time, and the part in which its devices wait.
#[derive(Clone, Debug)]
pub struct Uptime {
    /// Productive time / elapsed time.
    pub goodput: Traced<Share>,
    /// Time in which the devices wait for checkpoints and restarts / elapsed time:
    /// goodput x (stall / interval + (1 - e^(-restart / MTBF)) / goodput of failures). Those happen
    /// while the job computes, saves or restarts, and a restart that fails begins anew: restarts are
    /// that part of what Daly's model counts. None for a given goodput, of whose loss nobody says
    /// what it is.
    pub waiting: Option<Traced<Share>>,
}

/// The goodput of a plan that computes for `productive` device-time: as given, or what failures
/// leave at a checkpoint interval (the best one where none is given; Daly 2006, eq. 13 and 37, as
/// [`Reliability::outcome`]) and the run's own [`Losses`](super::whole_run::Losses):
///
/// ```text
/// goodput = 1 / (1 / goodput of failures + evaluation + setbacks (1 - e^(-productive / a day)) + warm-up / productive)
/// ```
/// Of a run's intervals all but the last end with a checkpoint: one that is shorter than the interval
/// takes none.
///
/// # Errors
/// The job fails before it gets anything done.
pub fn of(planned: &Goodput, productive: &Traced<DeviceTime>) -> Result<Uptime> {
    let (rate, stall, interval, restart, devices, losses) = match planned {
        Goodput::Given(share) => return Ok(Uptime { goodput: share.trace(), waiting: None }),
        Goodput::Failures { rate, stall, interval, restart, devices, losses } => {
            (rate, stall, interval, restart, devices, losses)
        }
    };
    let useful = (productive / devices.trace()).named("productive time");
    // Checked once with words for the user, then computed where the derivation can repeat it.
    let run = useful.value();
    let every = interval.as_ref().map(|given| if given.value < run { given.value } else { run });
    let usual = reliability(rate.value, stall.value, restart.value);
    usual.outcome(devices.value, every).map_err(|error| {
        match interval.as_ref().map(|it| (it.value, &it.leaf().how)) {
            Some((value, Expr::Leaf(Basis::Given { place, .. }))) => {
                error.hint(format!("{} between checkpoints are said in {place}", show(value)))
            }
            _ => error,
        }
    })?;
    let (stall, restart) = (stall.trace(), restart.trace());
    let cycle = Cycle::of(rate, &stall, interval.as_ref(), devices);
    let (cycle, stall) = cycle.within(&useful, &stall);
    let failures = cycle.goodput(&stall, &restart);
    let goodput = (1.0 / (1.0 / &failures + losses.of(&useful))).named("training.goodput");
    let stalls = cycle.interval.as_ref().map(|interval| (&stall / interval).number());
    let restarts = cycle.mtbf.as_ref().map(|mtbf| {
        let running: Traced<f64> = (-(&restart / mtbf).number()).exp();
        (1.0 - running) / &failures
    });
    let waiting = &goodput * Traced::total(stalls.into_iter().chain(restarts));
    let waiting = waiting.min(&(1.0 - &goodput)).retype();
    Ok(Uptime { goodput: goodput.retype(), waiting: Some(waiting) })
}

/// How often a job fails and saves its work; none where it never fails.
struct Cycle {
    /// Mean time between failures of the job.
    mtbf: Option<Traced<Time>>,
    /// Time between two checkpoints; none where they are free or never needed.
    interval: Option<Traced<Time>>,
}

impl Cycle {
    /// Time between failures = 1 / (rate x devices); the interval is the given one, or the best by
    /// Daly's series (FGCS 22, 2006, eq. 37).
    fn of(
        rate: &Input<f64>,
        stall: &Traced<Time>,
        interval: Option<&Input<Time>>,
        devices: &Input<Devices>,
    ) -> Self {
        let mtbf = (rate.value > 0.0).then(|| {
            let thousand_days = Devices::new::<device>(1000.0) * Time::new::<day>(1.0);
            let failures = rate.trace() * devices.trace() / Traced::constant(thousand_days);
            (Traced::constant(1.0) / failures).named("time between failures")
        });
        let interval = match (interval, &mtbf) {
            (Some(given), _) => Some(given.trace()).filter(|it| it.value().stored() > 0.0),
            (None, Some(mtbf)) if stall.value().stored() > 0.0 => {
                let ratio =
                    (stall / (2.0 * mtbf)).named("checkpoint stall / 2 times between failures");
                let root = ratio.pow(&Traced::constant(0.5));
                let growth = 1.0 + &root / 3.0 + &ratio.number() / 9.0;
                let best = 2.0 * mtbf * root * growth - stall;
                let one = Traced::constant(Ratio::from_stored(1.0));
                let interval = ratio.below(&one).choose(&best, mtbf).or_nothing();
                Some(interval.named("best checkpoint interval"))
            }
            (None, _) => None,
        };
        Self { mtbf, interval }
    }

    /// The cycle of a run of a length, with the stall of its checkpoints: the last interval of a run
    /// takes none.
    fn within(self, useful: &Traced<Time>, stall: &Traced<Time>) -> (Self, Traced<Time>) {
        let Some(interval) = &self.interval else { return (self, stall.clone()) };
        let interval = useful.min(interval).named("time between checkpoints, at most the run");
        let last: Traced<f64> = (&interval / useful).number();
        let stall = (stall * (1.0 - last)).named("checkpoint stall, none in the last interval");
        (Self { interval: Some(interval), ..self }, stall)
    }

    /// interval / (MTBF e^(restart / MTBF) (e^((interval + stall) / MTBF) - 1)).
    fn goodput(&self, stall: &Traced<Time>, restart: &Traced<Time>) -> Traced<f64> {
        match (&self.mtbf, &self.interval) {
            (None, None) => Traced::constant(1.0),
            // Without failures, only the stall costs.
            (None, Some(interval)) => (interval / (interval + stall)).number(),
            // Without a stall, only restarts do.
            (Some(mtbf), None) => (-(restart / mtbf).number()).exp(),
            (Some(mtbf), Some(interval)) => {
                let lost = ((interval + stall) / mtbf).exp() - 1.0;
                (interval / (mtbf * (restart / mtbf).exp() * lost)).number()
            }
        }
    }
}

/// Reliability from failures per 1,000 devices and day.
pub fn reliability(failures: f64, stall: Time, restart: Time) -> Reliability {
    let thousand_days = Devices::new::<device>(1000.0) * Time::new::<hour>(24.0);
    Reliability { failures: failures / thousand_days, stall, restart }
}

impl Outcome {
    /// Interruptions that are to be expected in an elapsed time.
    pub fn interruptions(&self, elapsed: Time) -> f64 {
        elapsed.stored() / self.mtbf.stored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn devices(n: f64) -> Devices {
        Devices::new::<device>(n)
    }

    /// Llama 3 405B: 419 unexpected interruptions in 54 days, more than 90 % effective time.
    #[test]
    fn reproduces_llama_3() {
        let cluster = Reliability {
            stall: Time::new::<second>(30.0),
            restart: Time::new::<minute>(5.0),
            ..Reliability::default()
        };
        let outcome = cluster.outcome(devices(16_384.0), None).unwrap();
        assert!((outcome.mtbf.get::<hour>() - 2.93).abs() < 0.01);
        assert!((outcome.interval.get::<minute>() - 13.0).abs() < 0.5, "{outcome:?}");
        assert!((outcome.goodput.get() - 0.90).abs() < 0.01, "{outcome:?}");
        let failures = outcome.interruptions(Time::new::<hour>(54.0 * 24.0));
        assert!((failures / 419.0 - 1.0).abs() < 0.06, "{failures}");
    }

    #[test]
    fn the_best_interval_is_the_best() {
        let cluster = Reliability::default();
        let n = devices(4096.0);
        let best = cluster.outcome(n, None).unwrap();
        for factor in [0.5, 0.9, 1.1, 2.0] {
            let other = cluster.outcome(n, Some(best.interval * factor)).unwrap();
            assert!(other.goodput < best.goodput, "{factor}");
        }
    }

    /// A run of minutes takes no checkpoint and loses little; one of weeks loses what published ones
    /// did; a given goodput stands.
    #[test]
    fn what_a_run_loses_grows_with_its_length() {
        use crate::provenance::Basis;
        use crate::training::whole_run::{Calibration, Losses};
        let calibration = Calibration::shipped().unwrap();
        let basis = Basis::Derived { formula: String::new() };
        let devices = Input::new("devices", devices(1024.0), basis);
        let planned = Goodput::usual(devices, Losses::of_runs(calibration).unwrap());
        let goodput = |hours: f64| {
            let productive = DeviceTime::from_stored(hours * 3600.0 * 1024.0);
            of(&planned, &Traced::constant(productive)).unwrap().goodput.value().get()
        };
        let all = [0.05, 0.5, 24.0, 24.0 * 30.0].map(goodput);
        assert!(all[0] < all[1], "the warm-up weighs on minutes: {all:?}");
        assert!(all[1] > 0.9 && all[1] > all[2] && all[2] > all[3], "{all:?}");
        assert!((0.6..0.75).contains(&all[3]), "{all:?}");
        let width = |hours: f64| calibration.half_width(Time::new::<hour>(hours), 0.168);
        assert!(width(1.0) < 1.05 * 0.168 && width(240.0) > 1.5 * 0.168);
    }

    #[test]
    fn extremes_are_told() {
        let ideal = reliability(0.0, Time::from_stored(0.0), Time::new::<minute>(10.0));
        assert!((ideal.outcome(devices(256.0), None).unwrap().goodput.get() - 1.0).abs() < 1e-12);
        let month = Some(Time::new::<day>(30.0));
        let rare = Reliability::default().outcome(devices(1024.0), month).unwrap_err().to_string();
        assert!(
            rare.contains("every 1.953 days") && rare.contains("more often: about every"),
            "{rare}"
        );
        let fragile = Reliability { restart: Time::new::<hour>(48.0), ..Reliability::default() };
        assert_eq!(fragile.outcome(devices(1e6), None).unwrap_err().exit_code(), 1);
        let none = Reliability::default().outcome(devices(8.0), Some(Time::from_stored(0.0)));
        assert!(none.is_err());
        let free = Reliability { stall: Time::from_stored(0.0), ..Reliability::default() };
        assert!(free.outcome(devices(1024.0), None).unwrap().goodput.get() > 0.99);
    }

    #[test]
    fn bloom_s_checkpoint_and_spares() {
        assert!((checkpoint_size(176_247_271_424).stored() / 2.47e12 - 1.0).abs() < 0.01);
        let spares = Reliability::default().spares(devices(384.0), Time::new::<hour>(24.0 * 7.0));
        assert!((2.0..=8.0).contains(&spares.stored()), "{spares:?}");
    }
}
