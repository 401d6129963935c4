//! `flopcast capacity`.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use flopcast_api::questions::capacity::{self, Fleet};
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::serving::capacity::Search;
use flopcast_report::doc::Subject;
use flopcast_report::subject::{requests, timeline};
use flopcast_study::fleets::{Limits, Objective};

use super::ask::Asked;
use super::input::document;
use super::{Global, exit, load, output};

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
        let about = load::About::new(file, &catalog, global)?;
        let search = self.runs.search();
        if !self.vary.is_empty() {
            let document = document(file, global)?;
            return about.ask(|session| {
                let axes = capacity::axes(&self.vary, &document, session)?;
                let of = (&*file_name(file), document, axes);
                let show = &mut |subject: &dyn Subject| global.show(subject);
                capacity::fleets(session, of, &search, (&Limits::default(), Objective::Cost), show)
                    .map(exit)
            });
        }
        let asked = load::asked(file, global)?;
        if let Some(whole) = &asked.whole {
            if self.per_request.is_some() || self.timeline.is_some() {
                return Err(Error::input(
                    "requests are written of one service; the file has several",
                )
                .at(Some(&whole.place))
                .hint("leave --per-request and --timeline out, or ask about one service"));
            }
            let show = &mut |subject: &dyn Subject| global.show(subject);
            return about
                .ask(|session| capacity::together(session, &asked, &search, show))
                .map(exit);
        }
        let records = self.per_request.is_some() || self.timeline.is_some();
        let fleet = about.ask(|session| Fleet::of(session, &asked, &search, records))?;
        let requests = &fleet.capacity.found.planned.records;
        if let Some(path) = &self.per_request {
            let classes = &fleet.capacity.objective.classes;
            output::write(path, &requests::csv(requests, classes), self.asked.force)?;
        }
        if let Some(path) = &self.timeline {
            let name = &fleet.scenario.name;
            output::write(path, &timeline::svg(name, requests), self.asked.force)?;
        }
        fleet.show(&mut |subject| global.show(subject))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The name of a scenario's file.
pub(super) fn file_name(file: &Path) -> Cow<'_, str> {
    file.file_name().unwrap_or_default().to_string_lossy()
}
