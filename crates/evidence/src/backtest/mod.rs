//! How wrong flopcast is on published runs, and the fit of its constants to them.
//!
//! [`Backtest`] scores a table, [`calibrate`] fits the constants to one and says what that is
//! worth on rows that the fit has not seen. The tables that the crate ships are in
//! `hardware/backtest/`.

pub mod calibrate;
pub mod case;
pub mod fit;
mod least_squares;
pub mod lora;
pub mod networks;
pub mod runs;
pub mod score;
pub mod serving;
pub mod systems;
pub mod table;
pub mod throughput;

use flopcast_core::catalog::Catalog;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::training::calibration::Calibration;
use rayon::prelude::*;

use case::Case;
use score::{Scored, Summary};
use table::Table;

/// The kind of rows that a back-test scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Throughput and memory of training steps.
    TrainingThroughput,
    /// FLOPs, device-hours, energy and carbon of whole runs.
    Runs,
    /// Throughput and memory of training with adapters.
    Lora,
    /// Latency and throughput of serving engines.
    Serving,
    /// Speed of networks that take a whole sample at once, in inference and training.
    Networks,
    /// Hours of systems of which parameters, compute and hardware alone are known.
    Systems,
}

/// Runs that are simulated together; between them progress is told.
const TOGETHER: usize = 256;

/// The keys that scored figures are grouped by; each kind of table has some of them.
const GROUPINGS: [&str; 12] = [
    "kind",
    "table",
    "length",
    "load",
    "devices",
    "engine",
    "model",
    "basis",
    "accelerator",
    "source",
    "sharding",
    "constants",
];

/// A scored table.
#[derive(Clone, Debug)]
pub struct Backtest {
    /// The scored rows.
    pub kind: Kind,
    /// Rows of the table.
    pub rows: usize,
    /// Rows with at least one figure scored.
    pub rows_scored: usize,
    /// Every figure that was scored.
    pub scored: Vec<Scored>,
    /// Rows or figures that were not, with the reason.
    pub skipped: Vec<(String, String)>,
    /// The score of a rule of thumb on the same rows.
    pub baseline: Vec<Scored>,
}

/// A group of scored figures.
#[derive(Clone, Debug)]
pub struct Group {
    /// The key of the group: `kind`, `accelerator`, `source`.
    pub by: &'static str,
    /// Its name.
    pub name: String,
    /// Which figure.
    pub figure: &'static str,
    /// Its errors.
    pub summary: Summary,
}

impl Kind {
    /// Its name on the command line and in the JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::TrainingThroughput => "training-throughput",
            Self::Runs => "runs",
            Self::Serving => "serving",
            Self::Networks => "networks",
            Self::Lora => "lora",
            Self::Systems => "systems",
        }
    }

    /// A table of this kind. Shapes that one of steps leaves out are those of the models that ship.
    ///
    /// # Errors
    /// As [`Table::read`].
    pub fn table(self, text: &str) -> Result<Table> {
        let table = Table::read(text)?;
        match self {
            Self::TrainingThroughput | Self::Lora => {
                table.join(flopcast_data::evidence::MODELS, "model")
            }
            _ => Ok(table),
        }
    }

    /// The table that the crate ships.
    ///
    /// # Errors
    /// No table of serving figures is shipped; the others are sound, as a test makes sure.
    pub fn shipped(self) -> Result<Table> {
        match self {
            Self::TrainingThroughput => self.table(flopcast_data::evidence::THROUGHPUT),
            Self::Runs => Table::read(flopcast_data::evidence::RUNS),
            Self::Serving | Self::Networks | Self::Lora | Self::Systems => {
                let name = self.name();
                Err(Error::input(format!("flopcast ships no table of {name}"))
                    .hint(format!("name one: flopcast backtest --kind {name} FILE.csv")))
            }
        }
    }
}

impl Backtest {
    /// Scores a table of training runs; nothing is fitted.
    ///
    /// # Errors
    /// The table has no rows, or is one of serving figures: see [`Backtest::serving`]. A row that
    /// cannot be scored is skipped with its reason.
    pub fn run(
        kind: Kind,
        table: &Table,
        catalog: &Catalog,
        calibration: &Calibration,
    ) -> Result<Self> {
        Self::score(kind, table, |test, row| match kind {
            Kind::TrainingThroughput => test.step(row, catalog, calibration),
            Kind::Systems => {
                test.scored.push(systems::score(row, catalog)?);
                Ok(())
            }
            Kind::Runs => test.whole_run(row, catalog, calibration),
            Kind::Lora => {
                test.scored.extend(lora::verdict(row, catalog)?);
                test.step(row, catalog, calibration)
            }
            Kind::Serving | Kind::Networks => {
                Err(Error::input("the figure needs the constants of its own model"))
            }
        })
    }

    /// Scores a table of networks; nothing is fitted.
    ///
    /// # Errors
    /// The table has no rows. A row that cannot be scored is skipped with its reason.
    pub fn networks(
        table: &Table,
        catalog: &Catalog,
        calibration: &flopcast_core::kernel::calibration::Calibration,
    ) -> Result<Self> {
        Self::score(Kind::Networks, table, |test, row| {
            let network = networks::Network::read(row, catalog, calibration)?;
            test.scored.push(network.scored(calibration)?);
            test.baseline.extend(fit::Evidence::rule_of_thumb(&network));
            Ok(())
        })
    }

    /// Scores a table of serving figures; nothing is fitted. `each` hears of every run done.
    ///
    /// # Errors
    /// The table has no rows. A row that cannot be scored is skipped with its reason.
    pub fn serving(
        table: &Table,
        reader: serving::Reader<'_>,
        calibration: &flopcast_core::serving::calibration::Calibration,
        mut each: impl FnMut(usize, usize),
    ) -> Result<Self> {
        let mut test = Self::empty(Kind::Serving, table)?;
        let (runs, skipped) = reader.runs(table);
        test.skipped = skipped;
        for (before, some) in (0..).step_by(TOGETHER).zip(runs.chunks(TOGETHER)) {
            each(before, runs.len());
            let scored: Vec<_> = some.par_iter().map(|run| run.score(calibration)).collect();
            for (run, scored) in some.iter().zip(scored) {
                match scored {
                    Ok(scored) => test.scored.extend(scored),
                    Err(error) => test.skipped.extend(run.skipped(&error)),
                }
            }
        }
        test.rows_scored = test.scored.len();
        Ok(test)
    }

    /// # Errors
    /// The table has no rows.
    fn empty(kind: Kind, table: &Table) -> Result<Self> {
        let test = Self {
            kind,
            rows: table.rows().count(),
            rows_scored: 0,
            scored: Vec::new(),
            skipped: Vec::new(),
            baseline: Vec::new(),
        };
        if test.rows == 0 {
            return Err(Error::input("the table has no rows"));
        }
        Ok(test)
    }

    /// Scores every row by `one`, and keeps the reasons of those that cannot be scored.
    fn score(
        kind: Kind,
        table: &Table,
        mut score: impl FnMut(&mut Self, table::Row<'_>) -> Result<()>,
    ) -> Result<Self> {
        let mut test = Self::empty(kind, table)?;
        for row in table.rows() {
            let before = test.scored.len();
            let scored = score(&mut test, row);
            test.rows_scored += usize::from(test.scored.len() > before);
            if let Err(error) = scored {
                let id = row.id();
                // The row is named already.
                let named = error.message().strip_prefix("row ").and_then(|m| m.split_once("), "));
                let why = named.map_or(error.message(), |(_, why)| why);
                test.skipped.push((id, why.to_owned()));
            }
        }
        Ok(test)
    }

    /// Scores a training step: its throughput, and its memory where the row has one.
    fn step(
        &mut self,
        row: table::Row<'_>,
        catalog: &Catalog,
        calibration: &Calibration,
    ) -> Result<()> {
        let case = Case::read(row, catalog, calibration)?;
        let figures = [
            throughput::score_throughput(&case, calibration)?,
            throughput::score_memory(&case, calibration)?,
        ];
        if figures.iter().all(Option::is_none) {
            return Err(Error::input("neither throughput nor memory is published"));
        }
        self.scored.extend(figures.into_iter().flatten());
        self.baseline.extend(throughput::constant_mfu(&case));
        Ok(())
    }

    /// Scores a whole run: FLOPs, device-hours, energy, carbon.
    fn whole_run(
        &mut self,
        row: table::Row<'_>,
        catalog: &Catalog,
        calibration: &Calibration,
    ) -> Result<()> {
        let losses = flopcast_core::training::whole_run::Calibration::shipped()?;
        let (scored, skipped) = runs::score_run(row, catalog, calibration, losses)?;
        if scored.is_empty() && skipped.is_empty() {
            return Err(Error::input("no figure to compare with is published"));
        }
        self.scored.extend(scored);
        self.skipped.extend(skipped.into_iter().map(|why| (row.id(), why)));
        Ok(())
    }

    /// Names of the figures that were scored, in the order of the rows.
    pub fn figures(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        for row in &self.scored {
            if !names.contains(&row.figure) {
                names.push(row.figure);
            }
        }
        names
    }

    /// Errors of one figure over all rows.
    pub fn summary(&self, figure: &str) -> Option<Summary> {
        Summary::of(self.scored.iter().filter(|row| row.figure == figure))
    }

    /// Errors by every way of grouping, largest groups first.
    pub fn groups(&self) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        for figure in self.figures() {
            let rows = || self.scored.iter().filter(move |row| row.figure == figure);
            for by in GROUPINGS {
                let mut names: Vec<&str> = rows().filter_map(|row| row.group(by)).collect();
                names.sort_unstable();
                names.dedup();
                let of = |name: &&str| {
                    let name = *name;
                    let summary = Summary::of(rows().filter(|row| row.group(by) == Some(name)))?;
                    Some(Group { by, name: name.to_owned(), figure, summary })
                };
                let mut some: Vec<Group> = names.iter().filter_map(of).collect();
                some.sort_by(|a, b| b.summary.n.cmp(&a.summary.n).then(a.name.cmp(&b.name)));
                groups.extend(some);
            }
        }
        groups
    }
}

/// The rows of a table that can be predicted, and the reasons of the others.
pub fn cases(
    table: &Table,
    catalog: &Catalog,
    calibration: &Calibration,
) -> (Vec<Case>, Vec<(String, String)>) {
    let (mut cases, mut skipped) = (Vec::new(), Vec::new());
    for row in table.rows() {
        match Case::read(row, catalog, calibration) {
            Ok(case) => cases.push(case),
            Err(error) => skipped.push((row.id(), error.message().to_owned())),
        }
    }
    (cases, skipped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped(kind: Kind) -> Backtest {
        let calibration = Calibration::shipped().unwrap();
        Backtest::run(kind, &kind.shipped().unwrap(), &Catalog::embedded(), calibration).unwrap()
    }

    #[test]
    fn shipped_throughput_is_scored_and_no_worse_than_documented() {
        let test = shipped(Kind::TrainingThroughput);
        assert_eq!(test.skipped, []);
        assert!(test.rows_scored >= 150);
        let kind = |name: &str| {
            let rows = test.scored.iter().filter(|row| row.group("kind") == Some(name));
            Summary::of(rows.filter(|row| row.figure == throughput::THROUGHPUT)).unwrap()
        };
        assert!(kind("dense").median_abs_error < 0.06, "{:?}", kind("dense"));
        assert!(kind("moe").median_abs_error < 0.15, "{:?}", kind("moe"));
        let baseline = Summary::of(&test.baseline).unwrap();
        assert!(baseline.median_abs_error > 2.0 * kind("dense").median_abs_error);
        let memory = test.summary("memory_allocated_gb").unwrap();
        assert!(memory.median_abs_error < 0.05 && memory.p90_abs_error < 0.12, "{memory:?}");
        let reserved = test.summary("memory_reserved_gb").unwrap();
        assert!(reserved.median_abs_error < 0.15, "{reserved:?}");
    }

    #[test]
    fn shipped_runs_reproduce_energy_and_carbon() {
        let test = shipped(Kind::Runs);
        assert!(test.rows >= 60);
        for figure in ["energy_mwh", "tco2e"] {
            for row in test.scored.iter().filter(|row| row.figure == figure) {
                assert!(row.error().abs() < 0.05, "{row:?}");
            }
            assert!(test.summary(figure).unwrap().n >= 8, "{figure}");
        }
        assert!(test.summary("device_hours").unwrap().median_abs_error < 0.25);
        assert!(test.summary("flops").unwrap().median_abs_error < 0.01);
        assert!(!test.skipped.is_empty());
    }
}
