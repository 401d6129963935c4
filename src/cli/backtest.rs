//! `flopcast backtest`: predictions beside published figures, with their errors by group.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use flopcast_core::calibration::{Calibration, Facts};
use flopcast_core::catalog::Catalog;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::{Input, Model, config};
use flopcast_evidence::backtest::serving::Reader;
use flopcast_evidence::backtest::table::Table;
use flopcast_evidence::backtest::{Backtest, Kind};
use flopcast_evidence::calibration_file;
use flopcast_report::doc::Subject as _;
use flopcast_report::render::csv;

use super::input::read_bytes;
use super::progress::Progress;
use super::project::Project;
use super::{Global, load, output};

/// Larger tables and calibrations are refused.
pub(super) const MAX_TABLE: u64 = 16 << 20;

/// Options of `flopcast backtest`.
#[derive(Args, Debug)]
pub(super) struct Options {
    /// A table of published figures in the columns of docs/backtest.md; the one that flopcast
    /// ships when left out.
    #[arg(value_name = "FILE.csv")]
    file: Option<PathBuf>,
    /// Kind of table to score.
    #[arg(long, value_enum, default_value_t = What::TrainingThroughput)]
    kind: What,
    /// Write every scored figure: id, figure, measured, predicted, low, high.
    #[arg(long, value_name = "OUT.csv")]
    rows: Option<PathBuf>,
    /// Write over a file that exists.
    #[arg(long)]
    force: bool,
    /// Constants to use instead of the built-in ones: what `flopcast calibrate` wrote.
    #[arg(long, value_name = "FILE.yaml")]
    calibration: Option<PathBuf>,
    /// The folder of the models that a serving table names in its column `config`, each a
    /// `config.json` called NAME.json; `serving_configs` beside the table when left out.
    #[arg(long, value_name = "DIR")]
    configs: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// Tokens per second and memory of training steps.
    TrainingThroughput,
    /// FLOPs, device-hours, energy and carbon of whole runs.
    Runs,
    /// Tokens per second of training with adapters, and whether its layouts are said to fit.
    Lora,
    /// Latency and throughput of serving engines.
    Serving,
    /// Speed of vision networks and encoders, in inference and training.
    Networks,
    /// Hours of systems of which compute and hardware alone are known.
    Systems,
}

impl Options {
    /// Scores the shipped table of a kind, or the user's own, and prints the errors.
    ///
    /// # Errors
    /// If the table is none of its kind, or no row can be scored.
    pub(super) fn run(&self, global: &Global) -> Result<ExitCode> {
        let kind = match self.kind {
            What::TrainingThroughput => Kind::TrainingThroughput,
            What::Runs => Kind::Runs,
            What::Serving => Kind::Serving,
            What::Networks => Kind::Networks,
            What::Lora => Kind::Lora,
            What::Systems => Kind::Systems,
        };
        if let Some(path) = &self.rows {
            output::vacant(path, self.force)?;
        }
        let catalog = load::catalog(global)?;
        let rows = match &self.file {
            Some(path) => kind.table(&text(path)?)?,
            None => kind.shipped()?,
        };
        let test = match kind {
            Kind::Serving => self.serving(&rows, &catalog)?,
            Kind::Networks => {
                Backtest::networks(&rows, &catalog, &calibration(self.calibration.as_deref())?)?
            }
            _ => Backtest::run(kind, &rows, &catalog, &calibration(self.calibration.as_deref())?)?,
        };
        if let Some(path) = &self.rows {
            output::write(path, &csv::text(&test.doc()), self.force)?;
        }
        global.print(&test)
    }

    /// Scores a table of serving figures, whose models lie beside it.
    fn serving(&self, rows: &Table, catalog: &Catalog) -> Result<Backtest> {
        let calibration = calibration(self.calibration.as_deref())?;
        let model = configs(self.file.as_deref(), self.configs.as_deref());
        let progress = Progress::new();
        Backtest::serving(
            rows,
            Reader::new(catalog, &calibration.facts, &model),
            &calibration,
            |done, total| {
                if done % 64 == 0 {
                    progress.show(&format!("{done} of {total} runs"));
                }
            },
        )
    }
}

/// Finds the models that a serving table names: in `folder`, or in `serving_configs` beside it.
pub(super) fn configs(
    table: Option<&Path>,
    folder: Option<&Path>,
) -> impl Fn(&str) -> Result<Model> {
    let beside = table.and_then(Path::parent).unwrap_or(Path::new(""));
    let folder = folder.map_or_else(|| beside.join("serving_configs"), Path::to_owned);
    move |name| {
        let file = format!("{name}.json");
        let path = Project::below(&folder).find(&folder.join("table"), &file)?;
        if !path.is_file() {
            return Err(Error::input(format!("there is no file {name}.json among the configs")));
        }
        config::read(name, &text(&path)?, &Input::default())
    }
}

/// The constants of a file, or the built-in ones.
pub(super) fn calibration<F: Facts>(path: Option<&Path>) -> Result<Calibration<F>> {
    match path {
        Some(path) => {
            Calibration::read(&calibration_file::json(&path.display().to_string(), &text(path)?)?)
        }
        None => Calibration::shipped().cloned(),
    }
}

/// The text of a table.
pub(super) fn text(path: &Path) -> Result<String> {
    String::from_utf8(read_bytes(path, MAX_TABLE)?)
        .map_err(|_| Error::input(format!("{} is not UTF-8 text", path.display())))
}
