//! A forecast against the limits of a policy.

use flopcast_core::diagnostic::Result;
use flopcast_core::estimate::Engine;
use flopcast_report::subject::policy::Checked;
use flopcast_study::aim::Aim;
use flopcast_study::compare::compare;
use flopcast_study::policy::{Findings, Policy};
use flopcast_study::snapshot::Snapshot;

use super::Declared;
use crate::request::{Asking, Out, Source, Tried, about_a_scenario};
use crate::snapshot;

about_a_scenario! {
    /// A forecast against a policy.
    pub struct Request {
        /// The policy: its YAML text, or an object such as
        /// `{"limits": [{"figure": "cost", "max": "5M USD"}]}`.
        pub policy: Source,
        /// An earlier forecast, the answer of `estimate`, for limits on what it may grow by.
        pub baseline: Option<Source>,
    }
}

/// A forecast and what a policy found, as a subject that is shown.
///
/// # Errors
/// If the forecast and its baseline cannot be compared.
pub fn checked(
    (forecast, engines): (&Snapshot, &[Engine]),
    baseline: Option<&Snapshot>,
    findings: Findings,
) -> Result<Checked> {
    let aims = ["cost", "co2e"].map(Aim::read);
    let against = |baseline| compare(baseline, forecast, alone(engines), &aims);
    Ok(Checked {
        name: forecast.name().to_owned(),
        findings,
        given_by_lock: Vec::new(),
        kept_by_lock: Vec::new(),
        comparison: baseline.map(against).transpose()?,
        warnings: forecast.warnings().map(str::to_owned).collect(),
    })
}

/// The engine of a forecast that has one: what changes it is then told by input.
pub fn alone(engines: &[Engine]) -> Option<&Engine> {
    engines.first().filter(|_| engines.len() == 1)
}

/// The earlier forecast of the same name; of a `single` scenario, the single one.
pub fn baseline_of<'a>(
    earlier: &'a [Snapshot],
    now: &Snapshot,
    single: bool,
) -> Option<&'a Snapshot> {
    let only = || earlier.first().filter(|_| earlier.len() == 1 && single);
    earlier.iter().find(|earlier| earlier.name() == now.name()).or_else(only)
}

impl Declared for Request {
    const NAME: &'static str = "check";
    const SAYS: &'static str = "Check a forecast against the limits of a policy: which are kept, which are \
         broken, by how much.";

    fn answer(&self, asking: &Asking<'_>, out: &mut Out) -> Tried<bool> {
        let policy = Policy::read("policy", &asking.beside("policy", &self.policy))?;
        let (asked, files) = asking.asked(&self.whole())?;
        let (forecast, engines) = snapshot(&asking.with(&files), &asked)?;
        let saved = self.baseline.as_ref().map(|it| Snapshot::read_all(&it.text())).transpose()?;
        let saved = saved.unwrap_or_default();
        let baseline = baseline_of(&saved, &forecast, true);
        let findings = policy.judge(&forecast, baseline)?;
        let checked = checked((&forecast, &engines), baseline, findings)?;
        let fails = checked.fails();
        out.show(&vec![checked])?;
        Ok(!fails)
    }
}
