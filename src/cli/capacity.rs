//! `flopcast capacity`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use flopcast_core::catalog::Catalog;
use flopcast_core::diagnostic::{Error, Kind, Result};
use flopcast_core::estimate::Engine;
use flopcast_core::estimate::plan::Scenario;
use flopcast_core::serving::calibration::Calibration;
use flopcast_core::serving::capacity::{Objective, Search};
use flopcast_report::Report;
use flopcast_report::fact::{self, Declared, Fact};
use flopcast_report::subject::capacity::{Service, report};
use flopcast_report::subject::fleets::Fleets;
use flopcast_report::subject::{requests, timeline};
use flopcast_scenario::document::Node;
use flopcast_study::axis::Axis;
use flopcast_study::capacity::{Capacity, Question};
use flopcast_study::fleets::{Limits, choose};
use flopcast_study::layouts::{Means, Settled};
use flopcast_study::optimize::Market;
use flopcast_study::space::Space;
use flopcast_study::{capacity, layouts, places};

use super::ask::Asked;
use super::input::document;
use super::progress::Progress;
use super::{Global, load, output};

/// Options of `flopcast capacity`.
#[derive(Args, Debug)]
pub(super) struct Options {
    /// A scenario file with an `inference` section.
    #[arg(value_name = "FILE", required_unless_present = "model", conflicts_with = "model")]
    file: Option<PathBuf>,
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    runs: Runs,
    /// Compare fleets: a key and its values, as for sweep; repeatable. Every combination is sized,
    /// but those that a bound already excludes: the cheapest, the greenest and the smallest.
    /// `inference.hardware.accelerator=*` is every device that somebody rents out. Where the layout
    /// of a replica is left open, each combination gets its best one.
    #[arg(long, value_name = "PATH=VALUES", conflicts_with_all = ["per_request", "timeline"])]
    vary: Vec<String>,
    /// Also write every request at the peak, with its latencies, as CSV.
    #[arg(long, value_name = "OUT.csv")]
    per_request: Option<PathBuf>,
    /// Also draw how many requests wait, read their prompt and generate over time, as SVG.
    #[arg(long, value_name = "OUT.svg")]
    timeline: Option<PathBuf>,
}

/// How much is simulated.
#[derive(Args, Debug)]
pub(super) struct Runs {
    /// Requests of each simulated run, 20,000 when left out; or, with --model, the rate to serve:
    /// 40/s, 2M/day. Both may be said.
    #[arg(long, value_name = "N|RATE")]
    requests: Vec<Requests>,
    /// Runs per rate, each with other arrivals: an SLO must hold in their mean with 95 %
    /// confidence.
    #[arg(long, value_name = "N", default_value_t = Search::default().seeds,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    seeds: u32,
}

/// The meanings of `--requests`.
#[derive(Clone, Debug)]
enum Requests {
    /// Requests of a simulated run.
    Simulated(u64),
    /// Requests per time.
    Rate(String),
}

impl std::str::FromStr for Requests {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        if text.contains('/') {
            return Ok(Self::Rate(text.to_owned()));
        }
        let few = || format!("{text} is neither a number from 100 to 100000000 nor a rate: 40/s");
        let number = text.parse().ok().filter(|number| (100..=100_000_000).contains(number));
        number.map(Self::Simulated).ok_or_else(few)
    }
}

impl Runs {
    /// The settings of a search: requests of a run, seeds.
    pub(super) fn search(&self) -> Search {
        let said = self.requests.iter().rev().find_map(|it| match it {
            Requests::Simulated(number) => Some(*number),
            Requests::Rate(_) => None,
        });
        let usual = Search::default();
        Search { requests: said.unwrap_or(usual.requests), seeds: self.seeds, ..usual }
    }

    /// The rate to serve, where it is said.
    pub(super) fn rate(&self) -> Option<&str> {
        self.requests.iter().rev().find_map(|it| match it {
            Requests::Rate(rate) => Some(rate.as_str()),
            Requests::Simulated(_) => None,
        })
    }
}

impl Options {
    /// Sizes the fleet of a service and prints it with its forecast, or compares the fleets of
    /// several layouts.
    ///
    /// # Errors
    /// If the scenario has no service, nothing fits, or no load keeps the SLO.
    pub(super) fn run(&self, global: &Global) -> Result<ExitCode> {
        for path in self.per_request.iter().chain(&self.timeline) {
            output::vacant(path, self.asked.force)?;
        }
        let (global, asked) = self.asked.scenario(self.runs.rate(), global)?;
        let global = &global;
        let Some(file) = asked.as_ref().or(self.file.as_ref()) else {
            return Err(Error::input("name a scenario file, or a --model"));
        };
        let catalog = load::catalog_of(file, global)?;
        if !self.vary.is_empty() {
            return self.compare(file, global, &catalog);
        }
        let whole = load::scenario(file, &catalog, global)?;
        // Its training, if it has one, changes nothing about the fleet.
        let scenario = Scenario { training: None, ..whole };
        let search = self.runs.search();
        let settled = settled((file, &catalog, global), scenario, true, &search)?;
        let scenario = Scenario { training: None, ..settled.scenario };
        let records = self.per_request.is_some() || self.timeline.is_some();
        let sized = simulated(&scenario, &catalog, &search, records)?;
        let requests = &sized.found.planned.records;
        if let Some(path) = &self.per_request {
            output::write(
                path,
                &requests::csv(requests, &sized.objective.classes),
                self.asked.force,
            )?;
        }
        if let Some(path) = &self.timeline {
            output::write(path, &timeline::svg(&scenario.name, requests), self.asked.force)?;
        }
        let mut report = report(&scenario, &sized);
        report.facts.extend(settled.tried.map(tried));
        let offer = |words: String| Fact { declared: fact::OFFERS, value: words.into() };
        report.facts.extend(settled.offers.map(offer));
        global.print(&Service { report, capacity: &sized })
    }

    /// The fleets of every combination.
    fn compare(&self, file: &Path, global: &Global, catalog: &Catalog) -> Result<ExitCode> {
        let document = document(file, global)?;
        let axes = places::axes(&self.vary, &document, &Market::default(), catalog)?;
        let of = (file, document, axes);
        fleets(of, catalog, global, &self.runs.search(), &Limits::default())
    }
}

/// Prints the fleets of every combination of axes within limits, each in its best layout.
pub(super) fn fleets(
    (file, document, axes): (&Path, Node, Vec<Axis>),
    catalog: &Catalog,
    global: &Global,
    search: &Search,
    limits: &Limits,
) -> Result<ExitCode> {
    let files = load::Beside::new(file, global)?;
    let (axes, searched) = layouts::beside(&document, axes, catalog, &files)?;
    let space = Space::new(document, axes, catalog, &files)?;
    let bar = Progress::new();
    let calibration = Calibration::shipped()?;
    let choice = choose(&space, catalog, &calibration, search, limits, &|done| {
        bar.bar("fleets", done as f64 / space.len() as f64);
    })?;
    drop(bar);
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    global.print(&Fleets { name: &name, space: &space, choice: &choice, searched })?;
    let none = choice.smallest.is_none();
    Ok(if none { ExitCode::from(Kind::Limit as u8) } else { ExitCode::SUCCESS })
}

/// The layouts of a replica that were tried, as a fact of the report.
pub(super) fn tried(words: String) -> Fact {
    Fact { declared: fact::LAYOUTS, value: words.into() }
}

/// A service in the layout that is best for it, with a progress bar; with `beside`, others are tried
/// beside the file's own.
pub(super) fn settled(
    (file, catalog, global): (&Path, &Catalog, &Global),
    scenario: Scenario,
    beside: bool,
    search: &Search,
) -> Result<Settled> {
    let files = load::Beside::new(file, global)?;
    let calibration = Calibration::shipped()?;
    let means = Means { catalog, files: &files, calibration: &calibration, search };
    let bar = Progress::new();
    let progress = |share: f64| bar.bar("layouts", share);
    layouts::settle(&document(file, global)?, scenario, beside, &means, &progress)
}

/// A scenario ready to be forecast: its service in the best of the layouts that the file leaves open
/// and, where it has an SLO, of the size that a simulation finds.
pub(super) struct Ready {
    pub(super) scenario: Scenario,
    /// The sized service; none without one, without an SLO, or where no fleet keeps it.
    pub(super) sized: Option<Capacity>,
    /// Why no fleet keeps the SLO.
    unkept: Option<Error>,
    tried: Option<String>,
}

impl Ready {
    /// The scenario of a file; `always` simulates a service without an SLO, too, and takes no
    /// forecast by means for an answer.
    pub(super) fn of(
        file: &Path,
        catalog: &Catalog,
        global: &Global,
        search: &Search,
        always: bool,
    ) -> Result<Self> {
        let scenario = load::scenario(file, catalog, global)?;
        let plain = |scenario| Self { scenario, sized: None, unkept: None, tried: None };
        let Some(service) = &scenario.inference else { return Ok(plain(scenario)) };
        if !always && service.rate.value.value <= 0.0 {
            return Ok(plain(scenario));
        }
        let by_means = !always && service.demand.objective.is_empty();
        let Settled { scenario, tried, .. } =
            settled((file, catalog, global), scenario, false, search)?;
        if by_means {
            return Ok(Self { scenario, sized: None, unkept: None, tried });
        }
        match simulated(&scenario, catalog, search, false) {
            Ok(sized) => Ok(Self { scenario, sized: Some(sized), unkept: None, tried }),
            Err(error) if !always && error.exit_code() == Kind::Limit as u8 => {
                Ok(Self { unkept: Some(error), ..plain(scenario) })
            }
            Err(error) => Err(error),
        }
    }

    /// Its forecast, ready to run.
    pub(super) fn engine(&self, catalog: &Catalog) -> Result<Engine> {
        match &self.sized {
            Some(sized) => Ok(sized.forecast.clone()),
            None => load::engine(&self.scenario, catalog),
        }
    }

    /// Its report, with an engine for what varies in it.
    pub(super) fn report(&self, catalog: &Catalog) -> Result<(Engine, Report)> {
        let engine = self.engine(catalog)?;
        let mut report = match &self.sized {
            Some(sized) => report(&self.scenario, sized),
            None => Report::new(&self.scenario, &engine.recorded().run()?, engine.predicted()),
        };
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
        Ok((engine, report))
    }

    /// True unless it has an SLO that no fleet keeps.
    pub(super) fn is_kept(&self) -> bool {
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

/// A sized service, with a progress bar.
pub(super) fn simulated(
    scenario: &Scenario,
    catalog: &Catalog,
    search: &Search,
    records: bool,
) -> Result<Capacity> {
    let progress = Progress::new();
    let calibration = Calibration::shipped()?;
    let bar = |what: &str, share: f64| progress.bar(what, share);
    let question = Question { calibration: &calibration, search, records, progress: &bar };
    capacity::size(scenario, catalog, &question)
}
