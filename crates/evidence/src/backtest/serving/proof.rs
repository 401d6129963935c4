//! Serving runs as evidence for the serving constants: every run is simulated at every point.

use flopcast_core::diagnostic::Result;
use flopcast_core::serving::calibration::{Calibration, Engines, Regime};

use super::run::{Run, Setup};
use crate::backtest::fit::{Evidence, Method, Start};
use crate::backtest::score::Scored;

/// Standard deviation of ln(predicted / measured) that a good row is expected to have, by the kind
/// of figure.
const NOISE: [(&str, f64); 3] = [("ttft", 0.15), ("tpot", 0.1), ("output_tokens_per_s", 0.1)];

impl Evidence for Run {
    type Facts = Engines;
    type Setup = Setup;
    // A simulated schedule changes in jumps.
    const METHOD: Method = Method { step: 0.03, gain: 1e-3, start: Start::Nearby, families: 2 };

    fn usable(&self, calibration: &Calibration) -> bool {
        self.setup(calibration).is_ok()
    }

    /// Model and accelerator.
    fn family(&self) -> String {
        let of = |by: &str| self.group(by).unwrap_or_default();
        format!("{} on {}", of("model"), of("accelerator"))
    }

    fn publisher(&self) -> Option<&str> {
        None
    }

    /// The same model, accelerator, engine and load.
    fn alike(&self) -> String {
        format!("{} {} {:?}", self.family(), self.engine, self.group("load"))
    }

    fn figures(&self) -> usize {
        self.published.len()
    }

    fn binds(&self) -> bool {
        self.fitted()
    }

    fn setups(rows: &[&Self], calibration: &Calibration) -> Result<Vec<Setup>> {
        rows.iter().map(|run| run.setup(calibration)).collect()
    }

    fn errors(&self, setup: &Setup) -> Vec<f64> {
        let rows = self.published.iter().zip(self.predict(setup));
        rows.map(|(published, predicted)| {
            let noise = NOISE.iter().find(|(kind, _)| *kind == published.figure.interval);
            let noise = noise.map_or(f64::INFINITY, |(_, noise)| *noise);
            predicted.map_or(0.0, |p| (p / published.measured).ln() / noise)
        })
        .collect()
    }

    fn score(&self, calibration: &Calibration) -> Result<Vec<Scored>> {
        self.score(calibration)
    }

    fn rule_of_thumb(&self) -> Option<Scored> {
        None
    }

    /// Intervals are those of up to 16 devices that the fit has seen.
    fn tested(row: &Scored, _: bool) -> Option<&str> {
        let Regime { wide, unseen, apart } = regime(row);
        row.group("interval").filter(|_| !unseen && (apart || !wide))
    }

    fn half_width(calibration: &Calibration, row: &Scored, _: bool) -> f64 {
        calibration.half_width(row.group("interval").unwrap_or_default(), regime(row))
    }
}

/// The regime that a row was scored in.
fn regime(row: &Scored) -> Regime {
    let text = row.group("regime").unwrap_or_default();
    let of = |word: &str| text.contains(word);
    Regime { apart: of("apart"), wide: of("wide"), unseen: of("unseen") }
}
