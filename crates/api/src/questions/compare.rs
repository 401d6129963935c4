//! Two forecasts line by line, with the inputs that explain the difference.

use flopcast_core::diagnostic::Error;
use flopcast_core::estimate::Engine;
use flopcast_study::aim::Aim;
use flopcast_study::compare::compare;
use flopcast_study::snapshot::Snapshot;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Declared;
use super::check::alone;
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
    /// The name of the first scenario's file.
    pub name_before: Option<String>,
    /// The name of the second scenario's file.
    pub name: Option<String>,
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
fn side(asking: &Asking<'_>, of: &Whole<'_>) -> Tried<(Snapshot, Vec<Engine>)> {
    if let Some(mut saved) = of.source.saved()? {
        return match (saved.pop(), saved.is_empty()) {
            (Some(snapshot), true) => Ok((snapshot, Vec::new())),
            _ => Err(Error::input("this does not hold one forecast").into()),
        };
    }
    let (asked, files) = asking.asked(of)?;
    Ok(snapshot(&asking.with(&files), &asked)?)
}

impl Declared for Request {
    const NAME: &'static str = "compare";
    const SAYS: &'static str =
        "Compare two forecasts line by line, with the inputs that explain the difference.";

    fn answer(&self, asking: &Asking<'_>, out: &mut Out) -> Tried<bool> {
        let files = &self.files;
        let before = Whole {
            source: &self.before,
            name: self.name_before.as_deref(),
            set: &self.set_before,
            files,
        };
        let after =
            Whole { source: &self.after, name: self.name.as_deref(), set: &self.set, files };
        let (before, _) = side(asking, &before)?;
        let (after, engines) = side(asking, &after)?;
        let by = self.by.clone().unwrap_or_else(|| vec!["cost".to_owned(), "co2e".to_owned()]);
        let aims: Vec<Aim> = by.iter().map(|text| Aim::read(text)).collect();
        out.show(&vec![compare(&before, &after, alone(&engines), &aims)?])?;
        Ok(true)
    }
}
