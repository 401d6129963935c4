//! Time that a whole run loses beside its steps and its failures: warm-up, evaluations, setbacks.
//!
//! ```text
//! lost / productive = evaluation + setbacks (1 - e^(-productive / a day)) + warm-up / productive
//! ```
//! The constants of `hardware/run-calibration.yaml` are fitted to elapsed times of published runs,
//! from minutes (`MLPerf` to a target) to months; `flopcast calibrate
//! hardware/backtest/runs.csv` fits them again.

use serde::{Deserialize, Serialize};

use crate::calibration::{self, Facts, Shipped, declared};
use crate::diagnostic::Result;
use crate::provenance::{Basis, Input, Traced, inputs};
use crate::quantity::system::time::{day, second};
use crate::quantity::{Devices, Measure, Share, Time};
use crate::training::goodput::Reliability;
use crate::training::plan::Goodput;

/// The constants of whole runs.
pub type Calibration = calibration::Calibration<Documented>;

/// Documented facts of whole runs.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Documented {
    /// The runs that the constants were fitted to.
    pub runs: String,
}

impl Facts for Documented {
    const KIND: &'static str = "run calibration";

    fn shipped() -> &'static Shipped<Self> {
        static SHIPPED: Shipped<Documented> =
            Shipped::new(|| Calibration::read(flopcast_data::hardware::RUN_CALIBRATION));
        &SHIPPED
    }

    fn check(calibration: &Calibration) -> Result<()> {
        calibration.fitted_losses().map(drop)
    }
}

declared! {
    /// The fitted losses of published runs.
    struct Fitted;
    /// Seconds until all devices run at full speed.
    warm_up = "warm-up-s";
    /// Time of evaluations / time of steps.
    evaluation = "evaluation";
    /// Further loss of runs of many days / time of steps.
    setbacks = "setbacks";
}

impl Calibration {
    /// The fitted constants.
    ///
    /// # Errors
    /// One of them is missing.
    pub fn fitted_losses(&self) -> Result<Fitted> {
        Fitted::read(&self.constants, &|name| self.constants.value(name))
    }

    /// Half-width of the 80 % interval of ln(elapsed / expected) of a run of a length, beside the
    /// error `step` of its step: runs of days differ in what they lose.
    pub fn half_width(&self, useful: Time, step: f64) -> f64 {
        // The intervals are those of whole runs that the fit had not seen, steps included.
        let own = |kind| {
            let [all, steps] = [kind, "step"].map(|kind| self.intervals.half_width(kind));
            (all * all - steps * steps).max(0.0)
        };
        let days = long(useful.stored());
        (step * step + days * own("days") + (1.0 - days) * own("hours")).sqrt()
    }
}

/// 1 - e^(-useful / a day): 0 of a run of minutes, 1 of one of weeks.
fn long(useful: f64) -> f64 {
    1.0 - (-useful / Time::new::<day>(1.0).stored()).exp()
}

/// Time that a run loses beside failures, each part with its source.
#[derive(Clone, Debug)]
pub struct Losses {
    /// Time until all devices run at full speed.
    pub warm_up: Input<Time>,
    /// Time of evaluations / time of steps.
    pub evaluation: Input<Share>,
    /// Further loss of runs of many days / time of steps: steps taken again, batch ramps, phases on
    /// fewer devices, stops by hand.
    pub setbacks: Input<Share>,
}

inputs!(Losses { warm_up, evaluation, setbacks });

impl Losses {
    /// The losses that were fitted to published runs.
    ///
    /// # Errors
    /// A constant is missing.
    pub fn of_runs(calibration: &Calibration) -> Result<Self> {
        Ok(Self::new(&calibration.fitted_losses()?, |name| {
            calibration.constants.get(name).map_or(String::new(), |it| it.why.clone())
        }))
    }

    /// The losses of some constants, with the reason of each by its name.
    pub fn new(fitted: &Fitted, why: impl Fn(&str) -> String) -> Self {
        let basis = |name: &str| Basis::Assumed {
            why: why(name),
            source: Some("fitted to published runs, hardware/run-calibration.yaml".to_owned()),
        };
        let share = |name: &str, value| {
            let said = format!("training.reliability.{name}");
            Input::new(said, Share::from_stored(value), basis(name))
        };
        let warm_up = Time::new::<second>(fitted.warm_up);
        Self {
            warm_up: Input::new("training.reliability.warm_up", warm_up, basis("warm-up-s")),
            evaluation: share("evaluation", fitted.evaluation),
            setbacks: share("setbacks", fitted.setbacks),
        }
    }

    /// Lost time / productive time:
    /// evaluation + setbacks (1 - e^(-useful / a day)) + warm-up / useful.
    pub(super) fn of(&self, useful: &Traced<Time>) -> Traced<f64> {
        let one_day = Traced::constant(Time::new::<day>(1.0));
        let short: Traced<f64> = (-(useful / one_day).number()).exp();
        let long: Traced<f64> = 1.0 - short;
        let setbacks = self.setbacks.trace().number() * long.named("part of a long run");
        let warm_up = (self.warm_up.trace() / useful).number();
        self.evaluation.trace().number() + setbacks + warm_up
    }
}

impl Goodput {
    /// The goodput of a cluster of usual reliability, with fitted losses.
    pub fn usual(devices: Input<Devices>, losses: Losses) -> Self {
        let usual = Reliability::default();
        let assumed = |why: &str| Basis::Assumed { why: why.to_owned(), source: None };
        Self::Failures {
            rate: Input::new(
                "failures per 1,000 devices and day",
                0.5,
                assumed(
                    "Llama 3 405B: 419 in 54 days on 16,384 devices (arXiv:2407.21783); \
                     published: 0.3 to 1.9",
                ),
            ),
            stall: Input::new(
                "checkpoint stall",
                usual.stall,
                assumed("BLOOM-176B, bigscience chronicles"),
            ),
            interval: None,
            restart: Input::new("restart", usual.restart, assumed("MegaScale (arXiv:2402.15627)")),
            devices,
            losses,
        }
    }
}
