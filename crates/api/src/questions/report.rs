//! The forecast as a document for other people.

use flopcast_core::diagnostic::{Error, Result};
use flopcast_report::render::{FORMS, Format};

use super::Declared;
use super::estimate::Means;
use crate::request::{Asking, Out, Tried, about_a_scenario};

about_a_scenario! {
    /// The forecast as a document.
    pub struct Request {
        /// The document: `html`, `markdown`, `xlsx`, `csv`, `json`, `table`, `focus` (charges), `card`
        /// (model card), `sci` (SCI statement), `svg` (what moves the answer), or a plan to launch: `slurm`,
        /// `skypilot`, `vllm`.
        pub format: String,
        /// Samples for the ranges of the figures; when left out 10,000 where an input is a range, else 256.
        #[schemars(range(min = 20, max = 1_000_000))]
        pub samples: Option<u32>,
        /// The same seed gives the same ranges; 1 when left out.
        #[schemars(range(max = 9_007_199_254_740_991_u64))]
        pub seed: Option<u64>,
        /// Simulate the service though it has no SLO.
        #[serde(default)]
        pub simulate: bool,
    }
}

impl Declared for Request {
    const NAME: &'static str = "report";
    const SAYS: &'static str = "Write the forecast as a document: a page, a workbook, Markdown, CSV, a \
         model card, an SCI statement.";

    fn format(&self) -> Result<Format> {
        let known = || FORMS.iter().map(|form| form.name);
        let named = FORMS.iter().find(|form| form.name == self.format);
        named.map(|form| form.format).ok_or_else(|| {
            Error::input(format!("`{}` is no form of a document", self.format))
                .suggest(&self.format, known())
                .hint(format!("one of {}", known().collect::<Vec<_>>().join(", ")))
        })
    }

    fn answer(&self, asking: &Asking<'_>, out: &mut Out) -> Tried<bool> {
        let Self { samples, seed, simulate, .. } = *self;
        let means =
            Means { samples, seed, simulate, model_error: None, requests: None, seeds: None };
        let (report, _) = means.forecast(asking, &self.whole())?;
        out.show(&vec![report])?;
        Ok(true)
    }
}
