//! The derivation of a figure, or the formulas of all.

use flopcast_core::diagnostic::{Error, Result};
use flopcast_report::Report;
use flopcast_report::subject::explain::{Derivation, Derivations};

use super::{Declared, Show, search};
use crate::request::{Asking, Out, Tried, about_a_scenario};
use crate::{Ready, forecast};

about_a_scenario! {
    /// The derivation of a figure.
    pub struct Request {
        /// The path of a figure in the answer of `estimate`, such as `training.co2e_kg.location`; without
        /// it, all are listed with their formula.
        pub figure: Option<String>,
        /// Simulate the service though it has no SLO, and explain what the forecast rests on then.
        #[serde(default)]
        pub simulate: bool,
    }
}

/// Shows the derivation of a figure of a report, or the formulas of all.
///
/// # Errors
/// If the forecast has no such figure, with the nearest ones.
pub fn show(report: &Report, figure: Option<&str>, show: &mut Show<'_>) -> Result<()> {
    let Some(path) = figure else { return show(&Derivations(report)) };
    let known = report.figures.iter().map(|figure| figure.path.as_str());
    let found = report.figures.iter().find(|figure| figure.path == *path).ok_or_else(|| {
        Error::input(format!("this forecast has no figure `{path}`"))
            .suggest(path, known)
            .hint("`flopcast explain FILE` lists them all")
    })?;
    show(&Derivation(found))
}

impl Declared for Request {
    const NAME: &'static str = "explain";
    const SAYS: &'static str =
        "Explain a figure of a forecast: its derivation down to inputs, lines and sources.";

    fn answer(&self, asking: &Asking<'_>, out: &mut Out) -> Tried<bool> {
        let (asked, files) = asking.asked(&self.whole())?;
        let session = asking.with(&files);
        let of = |ready: &Ready| ready.report(&session);
        let how = (&search(None, None), self.simulate);
        let report = forecast(&session, &asked, how, &of)?.report;
        show(&report, self.figure.as_deref(), &mut |subject| out.show(subject))?;
        Ok(true)
    }
}
