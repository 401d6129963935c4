//! The accuracy of a calibration: `docs/accuracy.md` and the answer of `flopcast calibrate`.

use std::collections::BTreeMap;

use flopcast_core::calibration::{Calibration, Facts};
use flopcast_core::kernel::calibration::Documented as Runtimes;
use flopcast_core::serving::calibration::Engines;
use flopcast_core::training::calibration::Documented;
use flopcast_core::training::whole_run::Documented as Losses;
use flopcast_evidence::backtest::calibrate::{FoldScore, HELD_OUT, Proof, mean_of_folds};
use flopcast_evidence::backtest::score::{Scored, Summary};
use flopcast_evidence::backtest::{Backtest, Kind};
use serde_json::{Value, json};

use super::backtest::errors;
use crate::doc::{Block, Cell, Column, Doc, Grid, Subject};

/// The kinds of training run that have errors of their own.
const KINDS: [&str; 3] = ["dense", "moe", "lora"];

/// `docs/accuracy.md`: the proof of the shipped constants, and what they make of published
/// memory and runs.
#[derive(Clone, Copy, Debug)]
pub struct Accuracy<'a> {
    /// The proof of the constants.
    pub proof: &'a Proof<Documented>,
    /// The proof of what whole runs lose.
    pub runs: &'a Proof<Losses>,
    /// Back-tests with the shipped constants.
    pub tests: &'a [Backtest],
}

impl Subject for Accuracy<'_> {
    fn doc(&self) -> Doc {
        let mut doc = Doc::titled("How wrong flopcast is");
        doc.push(Block::Text(WRITTEN.to_owned()));
        doc.push(Block::Section("Training throughput".to_owned()));
        doc.blocks.extend(self.proof.doc().blocks);
        for test in self.tests {
            let title = match test.kind {
                Kind::TrainingThroughput => {
                    "Shipped rows with the shipped constants, memory among them"
                }
                Kind::Runs => "Published runs",
                Kind::Serving => "Serving",
                Kind::Networks => "Networks",
                Kind::Lora => "Adapters",
                Kind::Systems => "Systems",
            };
            doc.push(Block::Section(title.to_owned()));
            doc.blocks.extend(test.doc().blocks);
        }
        doc.blocks.extend(self.runs.doc().blocks);
        doc
    }

    fn json(&self) -> Option<Value> {
        self.proof.json()
    }
}

const WRITTEN: &str = "Written by `flopcast calibrate --format markdown > docs/accuracy.md`; a test \
                       compares. The rows are facts cited in hardware/backtest/, the model is \
                       crates/core/src/training/step_time.rs, and docs/backtest.md describes the \
                       columns and the contradictions of published runs. Nothing is fitted per \
                       model.";

/// `docs/accuracy.md` as it was when this was built; a test holds it to the calibration.
const DOCUMENT: &str = flopcast_data::ACCURACY;

/// The error of one figure on runs that no fit had seen, as `docs/accuracy.md` prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The figure that is forecast, in words.
    pub figure: String,
    /// Runs compared.
    pub runs: &'static str,
    /// Median of the absolute errors.
    pub median: &'static str,
    /// Nine of ten errors are below it.
    pub p90: &'static str,
}

/// Rows of the serving table, and what a document calls them.
const SERVING: [(&str, &str); 3] = [
    ("`ttft_mean_ms`, closed", "time to first token"),
    ("`tpot_mean_ms`, closed", "time per output token"),
    ("`output_tokens_per_s`, offline", "throughput of a saturated service"),
];

/// The errors of the forecasts, for a document to state: those of `docs/accuracy.md`.
pub fn statement() -> Vec<Statement> {
    let training = rows_under("### A model that the fit has not seen")
        .map(|(kind, cells)| (format!("training throughput, {kind} models"), cells));
    let hours = rows_under("device_hours")
        .filter(|(kind, _)| *kind == "all")
        .map(|(_, cells)| ("device-hours of published runs".to_owned(), cells));
    let serving = SERVING.iter().flat_map(|(row, name)| {
        rows_under("### Groups that the fit has not seen")
            .filter(move |(kind, _)| kind == row)
            .map(|(_, cells)| ((*name).to_owned(), cells))
    });
    let rows = training.chain(hours).chain(serving);
    rows.map(|(figure, [runs, median, p90])| Statement { figure, runs, median, p90 }).collect()
}

/// The error of FLOPs counted from architecture and data, on published runs that state theirs.
pub fn of_flops() -> Option<Statement> {
    rows_under("flops").find(|(kind, _)| *kind == "all").map(|(_, [runs, median, p90])| Statement {
        figure: "FLOPs of published runs".to_owned(),
        runs,
        median,
        p90,
    })
}

/// The first cells of each row of the table that follows the line which starts so.
fn rows_under(heading: &str) -> impl Iterator<Item = (&'static str, [&'static str; 3])> + use<'_> {
    DOCUMENT
        .lines()
        .skip_while(move |line| !line.starts_with(heading))
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .filter_map(|line| {
            let mut cells = line.trim_matches('|').split('|').map(str::trim);
            let cells = [cells.next()?, cells.next()?, cells.next()?, cells.next()?];
            let [name, rest @ ..] = cells;
            (!name.is_empty() && !name.starts_with('-')).then_some((name, rest))
        })
}

/// The proof: before and after, on rows that the fits had not seen.
impl Subject for Proof<Documented> {
    fn doc(&self) -> Doc {
        let mut doc = Doc::default();
        doc.push(Block::Text(format!(
            "Throughput of {} rows. An error is predicted / measured - 1; intervals are those of \
             the fitted calibration.",
            self.before.len()
        )));
        let mut part = |title: &str, grid: Grid| {
            doc.blocks.extend([Block::Subsection(title.to_owned()), Block::Grid(grid)]);
        };
        for (title, scored) in [
            ("Constants before, on all rows", self.before.iter().collect::<Vec<_>>()),
            ("Fitted, on the rows of the fit", self.after.iter().collect()),
            ("A model that the fit has not seen, on a known framework", rows(&self.splits)),
            ("A publisher that the fit has not seen", rows(&self.publishers)),
            ("Rule of thumb: 40 % of the peak", self.baseline.iter().collect()),
        ] {
            part(title, errors(&by_kind(&scored)));
        }
        let title = format!(
            "Mean over {} random splits, {:.0} % of the models left out of each",
            self.splits.len(),
            100.0 * HELD_OUT
        );
        part(&title, means(&self.splits));
        part("One publisher left out at a time", errors(&publishers(&self.publishers)));
        for (kind, folds) in &self.apart {
            let title = match *kind {
                "device_new" => "A device that the fit has not seen",
                "own_prior" => "A generation of devices known by microbenchmarks alone",
                _ => "Sizes outside of those that the fit has seen",
            };
            let each = folds.iter().filter_map(|f| Some((f.name.clone(), Summary::of(&f.rows)?)));
            let lines: Vec<_> = by_kind(&rows(folds)).into_iter().chain(each).collect();
            part(title, errors(&lines));
        }
        doc.push(Block::Subsection("Constants".to_owned()));
        doc.push(Block::Text(
            "Fitted on a logarithmic scale; the spread is the standard deviation of the prior's \
             logarithm."
                .to_owned(),
        ));
        doc.push(Block::Grid(constants(&self.calibration)));
        doc
    }

    fn json(&self) -> Option<Value> {
        Some(value(self))
    }
}

/// Median and P90 over the folds of a proof, before and after the fit.
fn means(splits: &[FoldScore]) -> Grid {
    let numbers = ["median", "P90"].map(Column::numbers);
    let mut grid = Grid::new([Column::words("")].into_iter().chain(numbers));
    let percent = |share: f64| Cell::shown(share, format!("{:.1} %", 100.0 * share));
    for kind in KINDS {
        if let Some((median, p90)) = mean_of_folds(splits, kind) {
            grid.push([kind.into(), percent(median), percent(p90)]);
        }
    }
    grid
}

/// Errors by publisher and kind: a fold leaves out all rows of one publisher.
fn publishers(folds: &[FoldScore]) -> Vec<(String, Summary)> {
    let mut lines = Vec::new();
    for fold in folds {
        for kind in KINDS {
            let some = fold.rows.iter().filter(|row| row.group("kind") == Some(kind));
            let name = format!("{}, {kind}", fold.name);
            lines.extend(Summary::of(some).map(|summary| (name, summary)));
        }
        // Published tools are compared on 3-D parallelism alone.
        let three = |row: &&Scored| row.group("sharding") != Some("ZeRO-3");
        let rest = Summary::of(fold.rows.iter().filter(three));
        if rest.is_some_and(|rest| rest.n < fold.rows.len()) {
            let name = format!("{}, without ZeRO-3", fold.name);
            lines.extend(rest.map(|summary| (name, summary)));
        }
    }
    lines
}

/// The proof of serving constants.
impl Subject for Proof<Engines> {
    fn doc(&self) -> Doc {
        let mut doc = Doc::default();
        doc.push(Block::Section("Serving".to_owned()));
        doc.push(Block::Text(format!(
            "Written by `flopcast calibrate serving.csv`; the table is not shipped. {}. An error \
             is predicted / measured - 1. The constants are fitted to runs on up to 16 devices \
             under closed, offline and static load; the others (`max-seqs`, more devices) are \
             scored only. {:.0} % of the pairs of a model and an accelerator are left out of each \
             of {} random splits.",
            self.calibration.fitted,
            100.0 * HELD_OUT,
            self.splits.len()
        )));
        for (title, rows) in [
            ("Groups that the fit has not seen", rows(&self.splits)),
            ("Fitted, on the rows of the fit", self.after.iter().collect()),
            ("Constants before, on the rows of the fit", self.before.iter().collect()),
        ] {
            let lines = by_figure(&rows).into_iter();
            let lines: Vec<_> = lines
                .map(|(figure, load, summary)| (format!("`{figure}`, {load}"), summary))
                .collect();
            doc.blocks.extend([Block::Subsection(title.to_owned()), Block::Grid(errors(&lines))]);
        }
        let numbers = ["value", "prior", "spread", "range"].map(Column::numbers);
        let mut grid = Grid::new([Column::words("constant")].into_iter().chain(numbers));
        for (name, constant) in self.calibration.constants.iter() {
            let [low, high] = constant.range.unwrap_or([constant.value; 2]).map(rounded);
            grid.push([
                Cell::text(name),
                Cell::shown(constant.value, rounded(constant.value)),
                Cell::shown(constant.prior, rounded(constant.prior)),
                Cell::shown(constant.spread, constant.spread.to_string()),
                Cell::text(format!("{low} - {high}")),
            ]);
        }
        doc.blocks.extend([Block::Subsection("Constants".to_owned()), Block::Grid(grid)]);
        doc
    }

    fn json(&self) -> Option<Value> {
        Some(serving_value(self))
    }
}

/// The proof of what whole runs lose.
impl Subject for Proof<Losses> {
    fn doc(&self) -> Doc {
        let mut doc = Doc::default();
        doc.push(Block::Section("Whole runs".to_owned()));
        doc.push(Block::Text(format!(
            "Device-hours of {}, from minutes to months: {}. Fitted is what a run loses beside its \
             steps and its failures; the errors are those of the step's speed too. `estimate` and \
             `backtest` share it.",
            self.calibration.fitted, self.calibration.facts.runs
        )));
        for (title, scored) in [
            ("Fitted, on the rows of the fit", self.after.iter().collect::<Vec<_>>()),
            ("Publishers that the fit has not seen", rows(&self.publishers)),
            ("Steps alone", self.baseline.iter().collect()),
        ] {
            let grid = errors(&by(&scored, "length", &["hours", "days"]));
            doc.blocks.extend([Block::Subsection(title.to_owned()), Block::Grid(grid)]);
        }
        doc.blocks.extend([
            Block::Subsection("Constants".to_owned()),
            Block::Grid(constants(&self.calibration)),
        ]);
        doc
    }
}

/// The proof of operators' constants.
impl Subject for Proof<Runtimes> {
    fn doc(&self) -> Doc {
        let mut doc = Doc::default();
        doc.push(Block::Section("Networks".to_owned()));
        doc.push(Block::Text(format!(
            "Samples per second. {}. An error is predicted / measured - 1.",
            self.calibration.fitted
        )));
        for (title, scored) in [
            ("Constants before", self.before.iter().collect::<Vec<_>>()),
            ("Fitted, on the rows of the fit", self.after.iter().collect()),
            ("Families of networks that the fit has not seen", rows(&self.splits)),
            ("A device that the fit has not seen", rows(&self.publishers)),
            ("Rule of thumb: 40 % of the peak", self.baseline.iter().collect()),
        ] {
            let grid = errors(&by_kind(&scored));
            doc.blocks.extend([Block::Subsection(title.to_owned()), Block::Grid(grid)]);
        }
        doc.blocks.extend([
            Block::Subsection("Constants".to_owned()),
            Block::Grid(constants(&self.calibration)),
        ]);
        doc
    }
}

/// The same as a stable snapshot.
fn serving_value(proof: &Proof<Engines>) -> Value {
    let figures = |rows: &[&Scored]| -> Value {
        let mut figures = serde_json::Map::new();
        for (figure, load, summary) in by_figure(rows) {
            let loads = figures.entry(figure).or_insert_with(|| json!({}));
            loads[load] = json!(summary);
        }
        figures.into()
    };
    json!({
        "schema": "flopcast.serving-calibration/1",
        "before": figures(&proof.before.iter().collect::<Vec<_>>()),
        "after": figures(&proof.after.iter().collect::<Vec<_>>()),
        "left_out_groups": figures(&rows(&proof.splits)),
        "intervals": proof.calibration.intervals,
    })
}

/// Errors by figure and by load, that of many devices apart.
fn by_figure(scored: &[&Scored]) -> Vec<(&'static str, String, Summary)> {
    let mut groups: BTreeMap<(&str, String), Vec<&Scored>> = BTreeMap::new();
    for row in scored {
        let load = row.group("load").unwrap_or("?");
        let many = row.group("devices").filter(|devices| *devices != "up to 16");
        let many = many.map_or(String::new(), |many| format!(", {many} devices"));
        groups.entry((row.figure, format!("{load}{many}"))).or_default().push(row);
    }
    let of = |((figure, load), rows)| Some((figure, load, Summary::of(rows)?));
    groups.into_iter().filter_map(of).collect()
}

/// The constants with their ranges and provenance.
fn constants<F: Facts>(calibration: &Calibration<F>) -> Grid {
    let numbers = ["value", "prior", "spread"].map(Column::numbers);
    let columns = [Column::words("constant")].into_iter().chain(numbers);
    let mut grid = Grid::new(columns.chain([Column::prose("what it is")]));
    for (name, constant) in calibration.constants.iter() {
        grid.push([
            Cell::text(name),
            Cell::shown(constant.value, rounded(constant.value)),
            Cell::shown(constant.prior, rounded(constant.prior)),
            Cell::shown(constant.spread, constant.spread.to_string()),
            Cell::text(constant.why.as_str()),
        ]);
    }
    grid
}

/// Three digits.
fn rounded(value: f64) -> String {
    let digits = (2.0 - value.abs().log10().floor()).clamp(0.0, 12.0) as usize;
    format!("{value:.digits$}")
}

/// The proof as a stable snapshot.
fn value(proof: &Proof<Documented>) -> Value {
    let kinds = |scored: &[&Scored]| -> Value {
        let summaries = by_kind(scored).into_iter();
        summaries
            .map(|(kind, summary)| (kind, json!(summary)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let refs = |scored: &[Scored]| kinds(&scored.iter().collect::<Vec<_>>());
    let publishers: serde_json::Map<String, Value> =
        proof.publishers.iter().map(|fold| (fold.name.clone(), refs(&fold.rows))).collect();
    json!({
        "schema": "flopcast.calibration/1",
        "rows": proof.before.len(),
        "before": refs(&proof.before),
        "after": refs(&proof.after),
        "left_out_models": kinds(&rows(&proof.splits)),
        "left_out_publishers": kinds(&rows(&proof.publishers)),
        "publishers": publishers,
        "baseline_mfu_40_percent": refs(&proof.baseline),
        "intervals": proof.calibration.intervals,
    })
}

/// The rows that the folds left out.
fn rows(folds: &[FoldScore]) -> Vec<&Scored> {
    folds.iter().flat_map(|fold| &fold.rows).collect()
}

/// Errors by kind of run; a kind without rows is left out.
fn by_kind(scored: &[&Scored]) -> Vec<(String, Summary)> {
    let kinds = [KINDS.as_slice(), &["inference", "training"]].concat();
    by(scored, "kind", &kinds)
}

/// Errors of groups by their names, those that there are.
fn by(scored: &[&Scored], group: &str, names: &[&str]) -> Vec<(String, Summary)> {
    let of = |name: &&str| {
        let some = scored.iter().copied().filter(|row| row.group(group) == Some(name));
        Some(((*name).to_owned(), Summary::of(some)?))
    };
    names.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_statement_has_training_whole_runs_and_serving() {
        let figures: Vec<_> = super::statement().into_iter().map(|row| row.figure).collect();
        let expected = [
            "training throughput, dense models",
            "training throughput, moe models",
            "training throughput, lora models",
            "device-hours of published runs",
            "time to first token",
            "time per output token",
            "throughput of a saturated service",
        ];
        assert_eq!(figures, expected);
    }
}
