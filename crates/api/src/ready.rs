//! A scenario made ready: its service in the best of the layouts that the file leaves open, and of
//! the size that a simulation finds.

use std::sync::Arc;

use flopcast_core::diagnostic::{Error, Kind, Result};
use flopcast_core::estimate::Engine;
use flopcast_core::estimate::plan::Scenario;
use flopcast_core::serving::calibration::Calibration;
use flopcast_core::serving::capacity::{Objective, Search};
use flopcast_report::fact::{self, Declared, Fact};
use flopcast_report::subject::capacity::report;
use flopcast_report::{Report, json};
use flopcast_scenario::compose::Composition;
use flopcast_scenario::document::Node;
use flopcast_scenario::file::ScenarioFile;
use flopcast_study::capacity::{Capacity, Question};
use flopcast_study::layouts::{Means, Settled};
use flopcast_study::snapshot::Snapshot;
use flopcast_study::uncertainty::Sampling;
use flopcast_study::{capacity, commitment, layouts, leaning, uncertainty};

use crate::session::Session;
use crate::whole::{Forecast, forecast};

/// A document and the scenario that it reads as.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The document.
    pub document: Node,
    /// The same, typed; of several services the first.
    pub file: ScenarioFile,
    /// The services that it is, where it is several.
    pub whole: Option<Arc<Composition>>,
}

impl Asked {
    /// A document as a scenario.
    ///
    /// # Errors
    /// All its faults, in the order of the document; at least one.
    pub fn read(document: Node) -> Result<Self, Vec<Error>> {
        if let Some(whole) = Composition::read(&document).map_err(|error| vec![error])? {
            let mut first = None;
            for part in &whole.parts {
                let file = Self::read(part.document.clone())?.file;
                first = first.or(Some(ScenarioFile { several: Some(whole.place.clone()), ..file }));
            }
            if let Some(file) = first {
                return Ok(Self { document, file, whole: Some(Arc::new(whole)) });
            }
        }
        match ScenarioFile::read(&document) {
            Ok(file) => Ok(Self { document, file, whole: None }),
            Err(first) => {
                let faults = ScenarioFile::faults(&document);
                Err(if faults.is_empty() { vec![first] } else { faults })
            }
        }
    }
}

impl Asked {
    /// Each service of the document, with its name where there are several.
    ///
    /// # Errors
    /// The first fault of a service.
    pub fn services(&self) -> Result<Vec<(Option<&str>, Self)>> {
        let Some(whole) = &self.whole else { return Ok(vec![(None, self.clone())]) };
        let parts = whole.parts.iter();
        parts.map(|part| Ok((Some(&*part.name), Self::first(part.document.clone())?))).collect()
    }

    /// A document as a scenario, or the first of its faults.
    pub(crate) fn first(document: Node) -> Result<Self> {
        let first = |faults: Vec<Error>| faults.into_iter().next();
        Self::read(document)
            .map_err(|faults| first(faults).unwrap_or_else(|| Error::input("this is no scenario")))
    }
}

/// The layouts of a replica that were tried, as a fact of the report.
pub fn tried(words: String) -> Fact {
    Fact { declared: fact::LAYOUTS, value: words.into() }
}

/// What settings that the file leaves open would save, as a fact of the report.
pub fn offered(words: String) -> Fact {
    Fact { declared: fact::OFFERS, value: words.into() }
}

/// A service in the layout that is best for it; with `beside`, others are tried beside the file's
/// own.
///
/// # Errors
/// As [`layouts::settle`].
pub fn settled(
    session: &Session<'_>,
    document: &Node,
    scenario: Scenario,
    beside: bool,
    search: &Search,
) -> Result<Settled> {
    let Session { catalog, files, watch, .. } = *session;
    let calibration = Calibration::shipped()?;
    let means = Means { catalog, files, calibration, search };
    layouts::settle(document, scenario, beside, &means, &|share| watch("layouts", share))
}

/// A sized service; with `records`, every request at the peak is kept.
///
/// # Errors
/// As [`capacity::size`].
pub fn simulated(
    session: &Session<'_>,
    scenario: &Scenario,
    search: &Search,
    records: bool,
) -> Result<Capacity> {
    let calibration = Calibration::shipped()?;
    let question = Question { calibration, search, records, progress: &session.watch };
    capacity::size(scenario, session.catalog, &question)
}

/// A scenario ready to be forecast.
pub struct Ready {
    /// The scenario.
    pub scenario: Scenario,
    /// The sized service; none without one, without an SLO, or where no fleet keeps it.
    pub sized: Option<Capacity>,
    /// Why no fleet keeps the SLO.
    unkept: Option<Error>,
    tried: Option<String>,
    search: Search,
}

impl Ready {
    /// A scenario made ready; `always` simulates a service without an SLO, too, and takes no
    /// forecast by means for an answer.
    ///
    /// # Errors
    /// If it cannot be resolved or, where it must be, not be sized.
    pub fn of(session: &Session<'_>, asked: &Asked, search: &Search, always: bool) -> Result<Self> {
        Self::resolved(session, asked, session.resolve(&asked.file)?, search, always)
    }

    /// The same of a document that is resolved already.
    ///
    /// # Errors
    /// As [`Ready::of`].
    pub fn resolved(
        session: &Session<'_>,
        asked: &Asked,
        scenario: Scenario,
        search: &Search,
        always: bool,
    ) -> Result<Self> {
        let plain =
            |scenario| Self { scenario, sized: None, unkept: None, tried: None, search: *search };
        let Some(service) = &scenario.inference else { return Ok(plain(scenario)) };
        if !always && service.rate.value.value <= 0.0 {
            return Ok(plain(scenario));
        }
        let by_means = !always && service.demand.objective.is_empty();
        let Settled { scenario, tried, .. } =
            settled(session, &asked.document, scenario, false, search)?;
        if by_means {
            return Ok(Self { tried, ..plain(scenario) });
        }
        match simulated(session, &scenario, search, false) {
            Ok(sized) => Ok(Self { sized: Some(sized), tried, ..plain(scenario) }),
            Err(error) if !always && error.kind() == Kind::Limit => {
                Ok(Self { unkept: Some(error), ..plain(scenario) })
            }
            Err(error) => Err(error),
        }
    }

    /// Makes what it has no price of unknown: something that it is a part of has one.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub(crate) fn beside_priced(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.scenario.finance.priced, true) {
            return Ok(());
        }
        if let Some(sized) = &mut self.sized {
            let mut scenario = sized.forecast.scenario().clone();
            scenario.finance.priced = true;
            sized.forecast = sized.forecast.moved(scenario);
            sized.estimate = sized.forecast.recorded().run()?;
        }
        Ok(())
    }

    /// Its forecast, ready to run.
    fn engine(&self, session: &Session<'_>) -> Result<Engine> {
        if let Some(sized) = &self.sized {
            return Ok(sized.forecast.clone());
        }
        // Means need few requests, unless somebody asks for more.
        let usual = self.search.requests == Search::default().requests;
        let search = if usual { layouts::rough(&self.search) } else { self.search };
        capacity::played(session.engine(&self.scenario)?, &search, &session.watch)
    }

    /// Its report, with an engine for what varies in it.
    ///
    /// # Errors
    /// As [`Session::engine`] and [`Engine::run`].
    pub fn report(&self, session: &Session<'_>) -> Result<(Engine, Report)> {
        let engine = self.engine(session)?;
        let report = match &self.sized {
            Some(sized) => report(&self.scenario, sized),
            None => Report::new(&self.scenario, &engine.recorded().run()?, engine.predicted()),
        };
        Ok((engine, self.beside(report)))
    }

    /// Its report by means in closed form, which takes no longer than a frame; derivations are there
    /// where they are asked for, since they take longer than the figures.
    ///
    /// # Errors
    /// As [`Session::engine`] and [`Engine::run`].
    pub fn means(&self, session: &Session<'_>, derived: bool) -> Result<Report> {
        let engine = session.engine(&self.scenario)?;
        let estimate = if derived { engine.recorded().run()? } else { engine.run()? };
        Ok(self.beside(Report::new(&self.scenario, &estimate, engine.predicted())))
    }

    /// A report with what there is to tell beside the figures.
    fn beside(&self, mut report: Report) -> Report {
        let section = match &self.sized {
            Some(_) => fact::LAYOUTS.section,
            None => fact::SERVING_ERROR.section,
        };
        report.facts.extend(self.tried.clone().map(|words| {
            let Fact { declared, value } = tried(words);
            Fact { declared: Declared { section, ..declared }, value }
        }));
        if let (None, Some(service)) = (&self.sized, &self.scenario.inference) {
            report.warnings.push(self.by_means(&service.demand.objective));
        }
        report
    }

    /// The layouts that were tried, in words; none where the file leaves none open.
    pub fn tried(&self) -> Option<&str> {
        self.tried.as_deref()
    }

    /// The same with words on layouts that were tried before.
    #[must_use]
    pub fn told(self, tried: Option<String>) -> Self {
        Self { tried: self.tried.or(tried), ..self }
    }

    /// True unless it has an SLO that no fleet keeps.
    pub fn is_kept(&self) -> bool {
        self.unkept.is_none()
    }

    /// The warning on what a fleet by means leaves out.
    fn by_means(&self, objective: &Objective) -> String {
        let means = "the fleet is what throughput alone needs, from means in closed form";
        match &self.unkept {
            Some(error) => {
                format!("no fleet keeps {}: {}; {means}", objective.words(), error.message())
            }
            None => format!("{means}; with an inference.slo it is sized by percentiles of latency"),
        }
    }
}

/// How the ranges of the figures are sampled.
#[derive(Clone, Copy, Debug)]
pub struct Ranges {
    /// Samples; none takes 10,000 where an input is a range, else 256.
    pub samples: Option<u32>,
    /// The same seed gives the same ranges.
    pub seed: u64,
    /// True if the error of predicted step times counts.
    pub model_error: bool,
}

impl Default for Ranges {
    fn default() -> Self {
        Self { samples: None, seed: 1, model_error: true }
    }
}

impl Ranges {
    /// The report with the ranges of its figures, where any input is uncertain.
    ///
    /// # Errors
    /// As [`Ready::report`].
    pub fn report(&self, session: &Session<'_>, ready: &Ready) -> Result<(Engine, Report)> {
        let (mut engine, mut report) = ready.report(session)?;
        report.leanings = leaning::of(&engine);
        if let Some(service) = &ready.scenario.inference {
            report.commitments = commitment::of(service, session.catalog);
        }
        let usual = Sampling::usual(&mut engine);
        let sampling = Sampling {
            samples: self.samples.map_or(usual.samples, |samples| samples as usize),
            seed: self.seed,
            model_error: self.model_error,
        };
        report.intervals = sampled(session, &engine, sampling)?;
        if ready.sized.is_none()
            && let Some(predicted) = uncertainty::predicted(&engine)
        {
            report.say_predicted(predicted);
        }
        Ok((engine, report))
    }
}

/// The ranges of the figures of a forecast.
///
/// # Errors
/// As [`uncertainty::intervals`].
fn sampled(
    session: &Session<'_>,
    engine: &Engine,
    sampling: Sampling,
) -> Result<Vec<uncertainty::Interval>> {
    uncertainty::intervals(engine, sampling, &|share| (session.watch)("ranges", share))
}

/// A scenario's forecast as a snapshot, with the engines that made it: one per service.
///
/// # Errors
/// As [`forecast`].
pub fn snapshot(session: &Session<'_>, asked: &Asked) -> Result<(Snapshot, Vec<Engine>)> {
    let usual = |ready: &Ready| {
        let (mut engine, mut report) = ready.report(session)?;
        let sampling = Sampling::usual(&mut engine);
        report.intervals = sampled(session, &engine, sampling)?;
        Ok((engine, report))
    };
    let Forecast { report, engines, .. } =
        forecast(session, asked, (&Search::default(), false), &usual)?;
    Ok((Snapshot::new(json::estimate(&report))?, engines))
}
