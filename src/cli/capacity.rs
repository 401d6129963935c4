//! `flopcast capacity`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use flopcast_core::catalog::Catalog;
use flopcast_core::diagnostic::{Error, Kind, Result};
use flopcast_core::estimate::plan::{Choice, Scenario};
use flopcast_core::provenance::{Basis, Expr};
use flopcast_core::serving::calibration::Calibration;
use flopcast_core::serving::capacity::Search;
use flopcast_report::fact::{self, Fact};
use flopcast_report::subject::capacity::{Service, report};
use flopcast_report::subject::fleets::Fleets;
use flopcast_report::subject::{requests, timeline};
use flopcast_study::axis::Axis;
use flopcast_study::capacity;
use flopcast_study::capacity::{Capacity, Question};
use flopcast_study::fleets::choose;
use flopcast_study::space::Space;

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
    #[arg(long, value_name = "PATH=VALUES", conflicts_with_all = ["per_request", "timeline"])]
    vary: Vec<String>,
    /// Also write every request at the peak, with its latencies, as CSV.
    #[arg(long, value_name = "OUT.csv")]
    per_request: Option<PathBuf>,
    /// Also draw how many requests wait, read their prompt and generate over time, as SVG.
    #[arg(long, value_name = "OUT.svg")]
    timeline: Option<PathBuf>,
    /// Overwrite these files.
    #[arg(long)]
    force: bool,
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
            output::vacant(path, self.force)?;
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
        let layouts = self.layouts(file, &scenario, &catalog, global)?;
        let open = layouts.as_ref().and_then(|it| it.chosen.clone());
        let scenario = open.map_or(scenario, |chosen| Scenario { training: None, ..chosen });
        let records = self.per_request.is_some() || self.timeline.is_some();
        let sized = simulated(&scenario, &catalog, &self.runs.search(), records)?;
        let requests = &sized.found.planned.records;
        if let Some(path) = &self.per_request {
            output::write(path, &requests::csv(requests, &sized.objective.classes), self.force)?;
        }
        if let Some(path) = &self.timeline {
            output::write(path, &timeline::svg(&scenario.name, requests), self.force)?;
        }
        let mut report = report(&scenario, &sized);
        if let Some(layouts) = layouts {
            let value = layouts.words.into();
            report.facts.push(Fact { declared: fact::LAYOUTS, value });
        }
        global.print(&Service { report, capacity: &sized })
    }
}

/// Tensor-parallel degrees that are tried where the file says no more of the layout.
const DEGREES: &str = "inference.parallelism.tensor=1,2,4,8";

/// The layouts of a replica that were tried.
struct Layouts {
    /// All of them with what they cost.
    words: String,
    /// The cheapest, where the file leaves the layout open.
    chosen: Option<Scenario>,
}

impl Options {
    /// Tries the layouts of a replica of an engine: the cheapest is the answer where the file leaves
    /// it open, and stands beside the file's own where it does not. None for pools and degrees
    /// beside tensor parallelism: those are the file's to say.
    fn layouts(
        &self,
        file: &Path,
        scenario: &Scenario,
        catalog: &Catalog,
        global: &Global,
    ) -> Result<Option<Layouts>> {
        let Some(service) = scenario.inference.as_ref() else { return Ok(None) };
        let Some(instances) = service.demand.instances.as_ref() else { return Ok(None) };
        let own = instances.decode.deployment;
        if service.replica.pools.is_some() || own.pipeline > 1 || own.data > 1 || own.tensor > 8 {
            return Ok(None);
        }
        let open = matches!(service.replica.devices.leaf().how, Expr::Leaf(Basis::Assumed { .. }));
        let files = load::Beside::new(file, global)?;
        let axis = vec![Axis::read(DEGREES)?];
        let space = Space::new(document(file, global)?, axis, catalog, &files)?;
        let search = self.runs.search();
        let rough =
            Search { requests: search.requests.min(5000), seeds: 1, tolerance: 0.05, ..search };
        let calibration = Calibration::shipped()?;
        let bar = Progress::new();
        let choice = choose(&space, catalog, &calibration, &rough, &|done| {
            bar.bar("layouts", done as f64 / space.len() as f64);
        })?;
        drop(bar);
        let Some(best) = choice.cheapest.or(choice.smallest) else { return Ok(None) };
        let tensor = |number: u64| space.labels(number).next().unwrap_or_default().to_owned();
        let given = own.tensor.to_string();
        let chosen = if open && tensor(best) != given {
            let mut chosen = space.scenario(best)?;
            chosen.choices.push(Choice {
                path: "inference.parallelism.tensor",
                value: tensor(best),
                why: "the cheapest of the degrees that were tried".to_owned(),
            });
            Some(chosen)
        } else {
            None
        };
        Ok(Some(Layouts { words: choice.layouts(best, tensor, (!open).then_some(&given)), chosen }))
    }

    /// The fleets of every combination.
    fn compare(&self, file: &Path, global: &Global, catalog: &Catalog) -> Result<ExitCode> {
        let axes = self.vary.iter().map(|text| Axis::read(text)).collect::<Result<Vec<_>>>()?;
        let files = load::Beside::new(file, global)?;
        let space = Space::new(document(file, global)?, axes, catalog, &files)?;
        let bar = Progress::new();
        let calibration = Calibration::shipped()?;
        let choice = choose(&space, catalog, &calibration, &self.runs.search(), &|done| {
            bar.bar("fleets", done as f64 / space.len() as f64);
        })?;
        drop(bar);
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        global.print(&Fleets { name: &name, space: &space, choice: &choice })?;
        let none = choice.smallest.is_none();
        Ok(if none { ExitCode::from(Kind::Limit as u8) } else { ExitCode::SUCCESS })
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
