//! What a calibration is worth: `docs/accuracy.md` and the answer of `flopcast calibrate`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use flopcast_core::serving::calibration::Engines;
use flopcast_core::training::calibration::{Calibration, Documented};
use flopcast_evidence::backtest::calibrate::{FoldScore, Proof, mean_of_folds};
use flopcast_evidence::backtest::score::{Scored, Summary};
use flopcast_evidence::backtest::{Backtest, Kind};
use serde_json::{Value, json};

use super::backtest::markdown_table;

const KINDS: [&str; 2] = ["dense", "moe"];

/// `docs/accuracy.md`: the proof of the shipped constants, and what they make of published
/// memory and runs.
pub fn document(proof: &Proof<Documented>, tests: &[Backtest]) -> String {
    let mut text = "# How wrong flopcast is\n\nWritten by `flopcast calibrate --format markdown > \
                    docs/accuracy.md`; a test compares. The rows are facts cited in \
                    hardware/backtest/, the model is src/training/step_time.rs, and \
                    docs/backtest.md describes the columns and the contradictions of published \
                    runs. Nothing is fitted per model.\n\n## Training throughput\n\n"
        .to_owned();
    text += &markdown(proof);
    for test in tests {
        let title = match test.kind {
            Kind::TrainingThroughput => {
                "Shipped rows with the shipped constants, memory among them"
            }
            Kind::Runs => "Published runs",
            Kind::Serving => "Serving",
        };
        let _ = write!(text, "\n## {title}\n\n{}", super::backtest::markdown(test));
    }
    text
}

/// `docs/accuracy.md` as it was when this was built; a test holds it to the calibration.
const DOCUMENT: &str = include_str!("../../../docs/accuracy.md");

/// The error of one figure on runs that no fit had seen, as `docs/accuracy.md` prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What was forecast.
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

/// What a document may say of its own accuracy.
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

/// The first cells of the table after the line that starts so.
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

/// The proof as Markdown: before and after, on rows that the fits had not seen.
pub fn markdown(proof: &Proof<Documented>) -> String {
    let mut text = format!(
        "Throughput of {} rows. An error is predicted / measured - 1; intervals are those of the \
         fitted calibration.\n",
        proof.before.len()
    );
    let known: Vec<&Scored> = rows(&proof.splits);
    let new: Vec<&Scored> = rows(&proof.publishers);
    for (title, scored) in [
        ("Constants before, on all rows", proof.before.iter().collect::<Vec<_>>()),
        ("Fitted, on the rows of the fit", proof.after.iter().collect()),
        ("A model that the fit has not seen, on a known framework", known),
        ("A publisher that the fit has not seen", new),
        ("Rule of thumb: 40 % of the peak", proof.baseline.iter().collect()),
    ] {
        let _ = write!(text, "\n### {title}\n\n{}", markdown_table(&by_kind(&scored)));
    }
    let _ = write!(
        text,
        "\n### Mean over {} random splits, {:.0} % of the models left out of each\n\n",
        proof.splits.len(),
        100.0 * flopcast_evidence::backtest::calibrate::HELD_OUT
    );
    text += "| | median | P90 |\n|---|--:|--:|\n";
    for kind in KINDS {
        if let Some((median, p90)) = mean_of_folds(&proof.splits, kind) {
            let _ = writeln!(text, "| {kind} | {:.1} % | {:.1} % |", 100.0 * median, 100.0 * p90);
        }
    }
    text += "\n### One publisher left out at a time\n\n";
    let mut lines = Vec::new();
    for fold in &proof.publishers {
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
    text += &markdown_table(&lines);
    text + "\n" + &constants(&proof.calibration)
}

/// The proof of serving constants as Markdown.
pub fn serving(proof: &Proof<Engines>) -> String {
    let mut text = format!(
        "## Serving\n\nWritten by `flopcast calibrate serving.csv`; the table is not shipped. {}. \
         An error is predicted / measured - 1. The constants are fitted to runs on up to 16 \
         devices under closed, offline and static load; the others (`max-seqs`, more devices) are \
         scored only. {:.0} % of the pairs of a model and an accelerator are left out of each of \
         {} random splits.\n\n",
        proof.calibration.fitted,
        100.0 * flopcast_evidence::backtest::calibrate::HELD_OUT,
        proof.splits.len()
    );
    for (title, rows) in [
        ("Groups that the fit has not seen", rows(&proof.splits)),
        ("Fitted, on the rows of the fit", proof.after.iter().collect()),
        ("Constants before, on the rows of the fit", proof.before.iter().collect()),
    ] {
        let lines = by_figure(&rows).into_iter();
        let lines: Vec<_> =
            lines.map(|(figure, load, summary)| (format!("`{figure}`, {load}"), summary)).collect();
        let _ = write!(text, "### {title}\n\n{}\n", markdown_table(&lines));
    }
    text +=
        "### Constants\n\n| constant | value | prior | spread | range |\n|---|--:|--:|--:|--:|\n";
    for (name, constant) in proof.calibration.constants.iter() {
        let [low, high] = constant.range.unwrap_or([constant.value; 2]).map(rounded);
        let _ = writeln!(
            text,
            "| {name} | {} | {} | {} | {low} - {high} |",
            rounded(constant.value),
            rounded(constant.prior),
            constant.spread,
        );
    }
    text
}

/// The same as a stable snapshot.
pub fn serving_json(proof: &Proof<Engines>) -> Value {
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
fn constants(calibration: &Calibration) -> String {
    let mut text = "### Constants\n\nFitted on a logarithmic scale; the spread is the standard \
                    deviation of the prior's logarithm.\n\n\
                    | constant | value | prior | spread | what it is |\n|---|--:|--:|--:|---|\n"
        .to_owned();
    for (name, constant) in calibration.constants.iter() {
        let _ = writeln!(
            text,
            "| {name} | {} | {} | {} | {} |",
            rounded(constant.value),
            rounded(constant.prior),
            constant.spread,
            constant.why
        );
    }
    text
}

/// Three digits.
fn rounded(value: f64) -> String {
    let digits = (2.0 - value.abs().log10().floor()).clamp(0.0, 12.0) as usize;
    format!("{value:.digits$}")
}

/// The proof as a stable snapshot.
pub fn json(proof: &Proof<Documented>) -> Value {
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

fn rows(folds: &[FoldScore]) -> Vec<&Scored> {
    folds.iter().flat_map(|fold| &fold.rows).collect()
}

fn by_kind(scored: &[&Scored]) -> Vec<(String, Summary)> {
    let of = |kind: &&str| {
        let some = scored.iter().copied().filter(|row| row.group("kind") == Some(kind));
        Some(((*kind).to_owned(), Summary::of(some)?))
    };
    KINDS.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_statement_has_training_whole_runs_and_serving() {
        let figures: Vec<_> = super::statement().into_iter().map(|row| row.figure).collect();
        let expected = [
            "training throughput, dense models",
            "training throughput, moe models",
            "device-hours of published runs",
            "time to first token",
            "time per output token",
            "throughput of a saturated service",
        ];
        assert_eq!(figures, expected);
    }
}
