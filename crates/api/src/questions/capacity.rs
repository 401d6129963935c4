//! The fleet that keeps a service's latency SLO, or the fleets of several layouts.

use flopcast_core::diagnostic::Result;
use flopcast_core::estimate::plan::Scenario;
use flopcast_core::serving::calibration::Calibration;
use flopcast_core::serving::capacity::Search;
use flopcast_report::Report;
use flopcast_report::subject::capacity::{Service, Services, report};
use flopcast_report::subject::fleets::Fleets;
use flopcast_scenario::document::Node;
use flopcast_study::axis::Axis;
use flopcast_study::capacity::Capacity;
use flopcast_study::fleets::{Limits, Objective, Wanted, choose};
use flopcast_study::optimize::Market;
use flopcast_study::space::Space;
use flopcast_study::{layouts, places};

use super::{Declared, Show, search};
use crate::request::{Asking, Opened, Out, Tried, about_a_scenario};
use crate::{Asked, Forecast, Ready, Session, forecast, offered, settled, simulated, tried};

about_a_scenario! {
    /// The fleet of a service.
    pub struct Request {
        /// Requests of each simulated run; 20,000 when left out.
        #[schemars(range(min = 100, max = 100_000_000))]
        pub requests: Option<u64>,
        /// Runs per rate, each with other arrivals: an SLO must hold in their mean with 95 % confidence.
        #[schemars(range(min = 1, max = 1000))]
        pub seeds: Option<u32>,
        /// Compare fleets: keys and their values, `inference.hardware.accelerator=h100-sxm,l40s` or `=*`;
        /// every combination is sized.
        #[serde(default)]
        pub vary: Vec<String>,
    }
}

/// A sized service with its report.
pub struct Fleet {
    /// Its forecast.
    pub report: Report,
    /// What was found.
    pub capacity: Capacity,
    /// The scenario that was sized.
    pub scenario: Scenario,
}

impl Fleet {
    /// The fleet of a scenario's service, in the layout that is best for it; with `records`, every
    /// request at the peak is kept.
    ///
    /// # Errors
    /// If the scenario has no service, nothing fits, or no load keeps the SLO.
    pub fn of(
        session: &Session<'_>,
        asked: &Asked,
        search: &Search,
        records: bool,
    ) -> Result<Self> {
        // Its training, if it has one, changes nothing about the fleet.
        let whole = session.resolve(&asked.file)?;
        let scenario = Scenario { training: None, ..whole };
        let settled = settled(session, &asked.document, scenario, true, search)?;
        let scenario = Scenario { training: None, ..settled.scenario };
        let capacity = simulated(session, &scenario, search, records)?;
        let mut report = report(&scenario, &capacity);
        report.facts.extend(settled.tried.map(tried));
        report.facts.extend(settled.offers.map(offered));
        Ok(Self { report, capacity, scenario })
    }

    /// Shows it.
    ///
    /// # Errors
    /// What `show` refuses.
    pub fn show(self, show: &mut Show<'_>) -> Result<()> {
        show(&Service { report: self.report, capacity: &self.capacity })
    }
}

/// Shows the fleets of a file of several services; false where the whole request breaks its SLO.
///
/// # Errors
/// As [`forecast`].
pub fn together(
    session: &Session<'_>,
    asked: &Asked,
    search: &Search,
    show: &mut Show<'_>,
) -> Result<bool> {
    let of = |ready: &Ready| ready.report(session);
    let Forecast { report, kept, .. } = forecast(session, asked, (search, true), &of)?;
    show(&Services(report))?;
    Ok(kept)
}

/// The axes of `vary` over a service's document: each device at a place that sells it.
///
/// # Errors
/// As [`places::axes`].
pub fn axes(vary: &[String], document: &Node, session: &Session<'_>) -> Result<Vec<Axis>> {
    places::axes(vary, document, &Market::default(), session.catalog)
}

/// Shows the fleets of every combination of axes within limits, each in its best layout; false if
/// there is none. `name` is the scenario's.
///
/// # Errors
/// As [`choose`].
pub fn fleets(
    session: &Session<'_>,
    (name, document, axes): (&str, Node, Vec<Axis>),
    search: &Search,
    (limits, objective): (&Limits, Objective),
    show: &mut Show<'_>,
) -> Result<bool> {
    let Session { catalog, files, watch, .. } = *session;
    let (axes, searched) = layouts::beside(&document, axes, catalog, files)?;
    let space = Space::new(document, axes, catalog, files)?;
    let calibration = Calibration::shipped()?;
    // The bounds that leave out a fleet do not know its energy.
    let wanted = match objective {
        Objective::Energy => Wanted::Within(*limits),
        _ => Wanted::from(*limits),
    };
    let choice = choose(&space, catalog, calibration, search, wanted, &|done| {
        watch("fleets", done as f64 / space.len() as f64)
    })?;
    show(&Fleets { name, space: &space, choice: &choice, objective, searched })?;
    Ok(choice.smallest.is_some())
}

impl Declared for Request {
    const NAME: &'static str = "capacity";
    const SAYS: &'static str = "Size the fleet that keeps a service's latency SLO at its traffic, and \
         price it; with `vary`, compare the fleets of several devices or layouts.";
    const LONG: bool = true;

    fn answer(&self, asking: &Asking<'_>, out: &mut Out) -> Tried<bool> {
        let search = search(self.requests, self.seeds);
        let mut show = |subject: &dyn flopcast_report::doc::Subject| out.show(subject);
        if !self.vary.is_empty() {
            let Opened { document, files } = asking.open(&self.whole())?;
            let session = asking.with(&files);
            let name = self.name.as_deref().unwrap_or("scenario");
            let of = (name, document.clone(), axes(&self.vary, &document, &session)?);
            return Ok(fleets(
                &session,
                of,
                &search,
                (&Limits::default(), Objective::Cost),
                &mut show,
            )?);
        }
        let (asked, files) = asking.asked(&self.whole())?;
        if asked.whole.is_some() {
            return Ok(together(&asking.with(&files), &asked, &search, &mut show)?);
        }
        Fleet::of(&asking.with(&files), &asked, &search, false)?.show(&mut show)?;
        Ok(true)
    }
}
