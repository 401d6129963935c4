//! Errors of forecasts on published figures: predicted / measured - 1 by figure and group, with the
//! share of rows within their 80 % interval.

use flopcast_evidence::backtest::score::{Scored, Summary};
use flopcast_evidence::backtest::{Backtest, Kind};
use serde_json::{Map, Value, json};

use crate::doc::{Block, Cell, Column, Doc, Grid, Subject};

impl Subject for Backtest {
    fn doc(&self) -> Doc {
        let mut doc = Doc { rows: Some(rows(self)), ..Doc::default() };
        doc.push(Block::Text(format!(
            "{}: {} of {} rows scored. An error is predicted / measured - 1.",
            self.kind.name(),
            self.rows_scored,
            self.rows
        )));
        for figure in self.figures() {
            let caption = Block::Caption(figure.to_owned());
            doc.blocks.extend([caption, Block::Grid(errors(&summaries(self, figure)))]);
        }
        if !self.skipped.is_empty() {
            let what = match self.kind {
                Kind::Runs => "figures",
                _ => "rows",
            };
            let caption = format!("{} {what} not scored:", self.skipped.len());
            let reasons = reasons(&self.skipped).into_iter();
            let reasons = reasons.map(|(why, ids)| (why.to_owned(), ids)).collect();
            doc.blocks.extend([Block::Caption(caption), Block::Facts(reasons)]);
        }
        doc
    }

    fn json(&self) -> Option<Value> {
        Some(value(self))
    }
}

/// The stable snapshot.
fn value(test: &Backtest) -> Value {
    let figures: Map<String, Value> = test
        .figures()
        .into_iter()
        .filter_map(|figure| Some((figure.to_owned(), json!(test.summary(figure)?))))
        .collect();
    let groups: Vec<Value> = test
        .groups()
        .into_iter()
        .map(|group| {
            let mut value = json!(group.summary);
            if let Some(object) = value.as_object_mut() {
                object.insert("by".to_owned(), json!(group.by));
                object.insert("name".to_owned(), json!(group.name));
                object.insert("figure".to_owned(), json!(group.figure));
            }
            value
        })
        .collect();
    let skipped: Vec<Value> =
        test.skipped.iter().map(|(id, why)| json!({"id": id, "why": why})).collect();
    let mut report = json!({
        "schema": "flopcast.backtest/1",
        "kind": test.kind.name(),
        "rows": test.rows,
        "scored": test.rows_scored,
        "skipped": skipped,
        "figures": figures,
        "groups": groups,
    });
    if let (Some(object), Some(baseline)) = (report.as_object_mut(), Summary::of(&test.baseline)) {
        object.insert("baseline_mfu_40_percent".to_owned(), json!(baseline));
    }
    report
}

/// Every scored figure: id, figure, measured, predicted, low, high.
fn rows(test: &Backtest) -> Grid {
    let words = ["id", "figure"].map(Column::words);
    let numbers = ["measured", "predicted", "low", "high"].map(Column::numbers);
    let mut grid = Grid::new(words.into_iter().chain(numbers));
    for row in &test.scored {
        let Scored { figure, measured, predicted, interval: (low, high), .. } = row;
        let words = [row.id.as_str(), figure].map(Cell::from);
        let numbers = [*measured, *predicted, *low, *high].map(Cell::from);
        grid.push(words.into_iter().chain(numbers));
    }
    grid
}

/// A table of errors.
pub(super) fn errors(rows: &[(String, Summary)]) -> Grid {
    let numbers = ["n", "median", "P90", "bias", "in 80 % interval"].map(Column::numbers);
    let mut grid = Grid::new([Column::words("")].into_iter().chain(numbers));
    let percent = |share: f64| Cell::shown(share, format!("{:.1} %", 100.0 * share));
    for (name, summary) in rows {
        let (bias, covered) = (summary.median_signed_error, summary.coverage_80);
        grid.push([
            Cell::text(name),
            Cell::Count(summary.n as u64),
            percent(summary.median_abs_error),
            percent(summary.p90_abs_error),
            Cell::shown(bias, format!("{:+.1} %", 100.0 * bias)),
            Cell::shown(covered, format!("{:.0} %", 100.0 * covered)),
        ]);
    }
    grid
}

/// Errors of a figure: all rows, the rule of thumb, then the groups.
fn summaries(test: &Backtest, figure: &str) -> Vec<(String, Summary)> {
    let mut rows = Vec::new();
    rows.extend(test.summary(figure).map(|summary| ("all".to_owned(), summary)));
    if figure == flopcast_evidence::backtest::throughput::THROUGHPUT
        || figure == flopcast_evidence::backtest::networks::SPEED
    {
        for kind in ["dense", "moe", "lora", "inference", "training"] {
            let some = test.baseline.iter().filter(|row| row.group("kind") == Some(kind));
            let name = format!("(constant MFU 40 %, {kind})");
            rows.extend(Summary::of(some).map(|summary| (name, summary)));
        }
    }
    let groups = test.groups();
    for group in groups.iter().filter(|group| group.figure == figure) {
        // A single group says what "all" has said.
        let alone = groups.iter().filter(|g| g.figure == figure && g.by == group.by).count();
        if alone > 1 {
            rows.push((format!("{}: {}", group.by, group.name), group.summary));
        }
    }
    rows
}

/// Reasons with the rows that they hold for.
fn reasons(skipped: &[(String, String)]) -> Vec<(&str, String)> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for (id, why) in skipped {
        match reasons.iter_mut().find(|(known, _)| known == why) {
            Some((_, ids)) => ids.push(id),
            None => reasons.push((why, vec![id])),
        }
    }
    let some = |ids: Vec<&str>| match ids.len() {
        0..=4 => ids.join(", "),
        n => format!("{}, and {} more", ids[..3].join(", "), n - 3),
    };
    reasons.into_iter().map(|(why, ids)| (why, some(ids))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::{csv, markdown, terminal};

    fn test() -> Backtest {
        let row = |id: &str, measured: f64, kind: &str| Scored {
            id: id.to_owned(),
            figure: "tokens_per_second_per_device",
            measured,
            predicted: 100.0,
            interval: (90.0, 111.0),
            groups: vec![("kind", kind.to_owned())],
        };
        Backtest {
            kind: Kind::TrainingThroughput,
            rows: 3,
            rows_scored: 2,
            scored: vec![row("a,b", 100.0, "dense"), row("c", 125.0, "moe")],
            skipped: vec![("d".to_owned(), "empty".to_owned())],
            baseline: Vec::new(),
        }
    }

    #[test]
    fn json_has_the_keys_that_scripts_read() {
        let report = test().json().unwrap();
        assert_eq!(report["schema"], "flopcast.backtest/1");
        assert_eq!(report["scored"], 2);
        assert_eq!(report["skipped"][0]["why"], "empty");
        let figure = &report["figures"]["tokens_per_second_per_device"];
        assert_eq!(figure["n"], 2);
        assert_eq!(figure["coverage_80"], 0.5);
        assert_eq!(report["groups"][1]["name"], "moe");
    }

    #[test]
    fn every_form_names_groups_and_reasons() {
        let doc = test().doc();
        let csv = csv::text(&doc);
        assert!(csv.contains("\n\"a,b\",tokens_per_second_per_device,100,100,90,111\n"), "{csv}");
        for text in [terminal::text(&doc, 80), markdown::text(&doc)] {
            assert!(text.contains("kind: dense") && text.contains("empty: d"), "{text}");
            assert!(text.contains("10.0 %"), "{text}");
        }
    }
}
