//! `flopcast serve`: the page and the questions over HTTP.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use flopcast_api::NoFiles;
use flopcast_core::catalog::Catalog;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::{Estimate, Id, Place};
use flopcast_evidence::actuals::{self, Expected};
use flopcast_serve::http::{Config, serve};
use flopcast_serve::{Gauge, Limits, Surroundings};

use super::input::read_text;
use super::{Global, catalog, load, tell};

/// Options of `flopcast serve`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  flopcast serve
  curl -H 'Content-Type: application/json' -d '{\"models\": [\"7B\"]}' http://127.0.0.1:8642/v1/model
  FLOPCAST_TOKEN=$(openssl rand -hex 32) flopcast serve --bind 0.0.0.0:8642

POST /v1/QUESTION answers as the command does with --format json; /openapi.json describes every
question, /mcp offers them as tools, /metrics counts them. A request's scenario opens no file of this
machine: it brings what it names under `files`.")]
pub(super) struct Options {
    /// Address and port; beyond loopback every request must carry the token in FLOPCAST_TOKEN.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8642")]
    bind: SocketAddr,
    /// The most bytes of a request.
    #[arg(long, value_name = "N", default_value_t = Limits::default().body as u64,
          value_parser = clap::value_parser!(u64).range(1024..=1 << 30))]
    max_body: u64,
    /// The most seconds of an answer; a job may take fifteen times as long.
    #[arg(long, value_name = "N", default_value_t = Limits::default().time.as_secs(),
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    max_seconds: u64,
    /// Tell the figures of this scenario's forecast at /metrics, and beside them what a log says it
    /// took, as `flopcast actuals` reads it; repeatable.
    #[arg(long, value_name = "SCENARIO[=LOG]")]
    track: Vec<String>,
}

/// A longer log is refused.
const MAX_LOG: u64 = 128 << 20;

impl Options {
    /// Serves until the process is asked to end.
    ///
    /// # Errors
    /// If the address cannot be had, or is beyond loopback and there is no token; a tracked scenario
    /// that cannot be forecast.
    pub(super) fn run(&self, global: &Global) -> Result<ExitCode> {
        let catalog = load::catalog(global)?;
        let tracked: Vec<Tracked> =
            self.track.iter().map(|text| Tracked::new(text, global)).collect::<Result<_>>()?;
        let time = Duration::from_secs(self.max_seconds);
        let limits =
            Limits { body: self.max_body as usize, time, job: 15 * time, ..Limits::default() };
        let config = Config {
            bind: self.bind,
            token: load::variable("FLOPCAST_TOKEN").filter(|token| !token.is_empty()),
            limits,
            gauges: Box::new(move || tracked.iter().flat_map(Tracked::gauges).collect()),
        };
        let surroundings =
            Surroundings { catalog, files: Box::new(NoFiles), today: catalog::today };
        serve(surroundings, config, &|address| tell(&format!("serving http://{address}")))?;
        tell("stopped");
        Ok(ExitCode::SUCCESS)
    }
}

/// A scenario whose forecast is told, and the log of what it took.
struct Tracked {
    name: String,
    estimate: Estimate,
    hardware: String,
    catalog: Catalog,
    log: Option<PathBuf>,
}

impl Tracked {
    /// The forecast of `SCENARIO`, and the log of `SCENARIO=LOG`.
    fn new(text: &str, global: &Global) -> Result<Self> {
        let (path, log) =
            text.split_once('=').map_or((text, None), |(path, log)| (path, Some(log)));
        let path = Path::new(path);
        let catalog = load::catalog_of(path, global)?;
        let scenario = load::scenario(path, &catalog, global)?;
        let estimate = load::engine(&scenario, &catalog)?.run()?;
        let card = scenario.training.as_ref().map(|training| training.card.hardware.clone());
        let tracked = Self {
            name: scenario.name,
            estimate,
            hardware: card.unwrap_or_default(),
            catalog,
            log: log.map(PathBuf::from),
        };
        // A log that cannot be read is told at once, not in the first minute of service.
        tracked.measured()?;
        Ok(tracked)
    }

    /// What the log says of each figure; nothing without one.
    fn measured(&self) -> Result<Vec<(String, f64)>> {
        let Some(log) = &self.log else { return Ok(Vec::new()) };
        let (name, text) = (log.display().to_string(), read_text(log, MAX_LOG)?);
        let expected = Expected {
            devices: self.estimate.value(&Id::TrainingDevices.at(Place::Training)),
            hardware: &self.hardware,
            catalog: Some(&self.catalog),
        };
        let measured = actuals::read(&[(&name, &text)], &expected)?;
        let items = actuals::compare(&self.estimate, &measured)?.items;
        let stage = Place::stages().next().unwrap_or_default();
        let actual = |item: actuals::Item| Some((format!("{stage}.{}", item.path), item.actual?));
        Ok(items.into_iter().filter_map(actual).collect())
    }

    /// Every known figure of the forecast, and what was measured of them by now.
    fn gauges(&self) -> Vec<Gauge> {
        let gauge =
            |actual, figure, value| Gauge { actual, scenario: self.name.clone(), figure, value };
        let forecast = self.estimate.figures().into_iter();
        let forecast = forecast.filter_map(|it| Some(gauge(false, it.path.clone(), it.value()?)));
        let measured = self.measured().unwrap_or_else(|error: Error| {
            tell(&format!("warning: {error}"));
            Vec::new()
        });
        let measured = measured.into_iter().map(|(figure, value)| gauge(true, figure, value));
        forecast.chain(measured).collect()
    }
}
