//! The forecast of a scenario.

use flopcast_report::Report;

use super::{Declared, search};
use crate::request::{Asking, Out, Tried, Whole, about_a_scenario};
use crate::{Forecast, Ranges, Ready, forecast};

about_a_scenario! {
    /// The forecast of a scenario.
    pub struct Request {
        /// Samples for the ranges of the figures; when left out 10,000 where an input is a range, else 256.
        #[schemars(range(min = 20, max = 1_000_000))]
        pub samples: Option<u32>,
        /// The same seed gives the same ranges; 1 when left out.
        #[schemars(range(max = 9_007_199_254_740_991_u64))]
        pub seed: Option<u64>,
        /// False leaves the error of predicted step times out of the ranges.
        pub model_error: Option<bool>,
        /// Simulate the service though it has no SLO: percentiles of latency. One that has an SLO is
        /// simulated anyhow.
        #[serde(default)]
        pub simulate: bool,
        /// Requests of each simulated run; 20,000 when left out.
        #[schemars(range(min = 100, max = 100_000_000))]
        pub requests: Option<u64>,
        /// Runs per rate, each with other arrivals.
        #[schemars(range(min = 1, max = 1000))]
        pub seeds: Option<u32>,
    }
}

/// How a forecast is made, beside its scenario.
#[derive(Clone, Copy, Debug)]
pub(super) struct Means {
    pub(super) samples: Option<u32>,
    pub(super) seed: Option<u64>,
    pub(super) model_error: Option<bool>,
    pub(super) simulate: bool,
    pub(super) requests: Option<u64>,
    pub(super) seeds: Option<u32>,
}

impl Means {
    /// The forecast, and whether it stands: it fits, comes in time, keeps its SLO.
    pub(super) fn forecast(&self, asking: &Asking<'_>, of: &Whole<'_>) -> Tried<(Report, bool)> {
        let (asked, files) = asking.asked(of)?;
        let session = asking.with(&files);
        let search = search(self.requests, self.seeds);
        let ranges = self.ranges();
        let of = |ready: &Ready| ranges.report(&session, ready);
        let Forecast { report, kept, .. } =
            forecast(&session, &asked, (&search, self.simulate), &of)?;
        let stands = kept && report.fits && report.late_days.is_none();
        Ok((report, stands))
    }

    fn ranges(&self) -> Ranges {
        let usual = Ranges::default();
        Ranges {
            samples: self.samples,
            seed: self.seed.unwrap_or(usual.seed),
            model_error: self.model_error.unwrap_or(usual.model_error),
        }
    }
}

impl Declared for Request {
    const NAME: &'static str = "estimate";
    const SAYS: &'static str = "Forecast a scenario: time, money, energy, carbon and water of training \
         and serving, with the inputs that they rest on.";

    fn answer(&self, asking: &Asking<'_>, out: &mut Out) -> Tried<bool> {
        let Self { samples, seed, model_error, simulate, requests, seeds, .. } = *self;
        let means = Means { samples, seed, model_error, simulate, requests, seeds };
        let (report, stands) = means.forecast(asking, &self.whole())?;
        out.show(&vec![report])?;
        Ok(stands)
    }
}
