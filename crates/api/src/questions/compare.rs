//! Two forecasts line by line, with the inputs that explain the difference.

use flopcast_core::diagnostic::Error;
use flopcast_core::estimate::Engine;
use flopcast_study::aim::Aim;
use flopcast_study::compare::compare;
use flopcast_study::snapshot::Snapshot;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Declared;
use crate::request::{Asking, Out, Source, Texts, Tried, Whole};
use crate::snapshot;

/// Two forecasts.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The first: a scenario as YAML text or an object, or the answer of an earlier `estimate`.
    pub before: Source,
    /// The second.
    pub after: Source,
    /// Overrides of the second scenario's keys, such as `placement.region=eu-north-1`.
    #[serde(default)]
    pub set: Vec<String>,
    /// Overrides of the first scenario's keys.
    #[serde(default)]
    pub set_before: Vec<String>,
    /// Figures to measure the effect of an input by: cost, days, co2e, energy, devices, or figures by
    /// their path. When left out: cost, co2e.
    pub by: Option<Vec<String>>,
    /// Files that the scenarios name, by their path.
    #[serde(default)]
    pub files: Texts,
}

/// A side's forecast: saved, or a scenario's, which has its engine.
fn side(asking: &Asking<'_>, of: &Whole<'_>) -> Tried<(Snapshot, Option<Engine>)> {
    if let Some(mut saved) = of.source.saved()? {
        return match (saved.pop(), saved.is_empty()) {
            (Some(snapshot), true) => Ok((snapshot, None)),
            _ => Err(Error::input("this does not hold one forecast").into()),
        };
    }
    let (asked, files) = asking.asked(of)?;
    let (snapshot, engine) = snapshot(&asking.with(&files), &asked)?;
    Ok((snapshot, Some(engine)))
}

impl Declared for Request {
    const NAME: &'static str = "compare";
    const SAYS: &'static str =
        "Compare two forecasts line by line, with the inputs that explain the difference.";

    fn answer(&self, asking: &Asking<'_>, out: &mut Out) -> Tried<bool> {
        let whole = |source, set| Whole { source, set, files: &self.files };
        let (before, _) = side(asking, &whole(&self.before, &self.set_before))?;
        let (after, engine) = side(asking, &whole(&self.after, &self.set))?;
        let by = self.by.clone().unwrap_or_else(|| vec!["cost".to_owned(), "co2e".to_owned()]);
        let aims: Vec<Aim> = by.iter().map(|text| Aim::read(text)).collect();
        out.show(&vec![compare(&before, &after, engine.as_ref(), &aims)?])?;
        Ok(true)
    }
}
