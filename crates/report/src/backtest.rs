//! Errors on published figures, as table, Markdown, JSON and CSV.

use std::fmt::Write as _;

use flopcast_evidence::backtest::score::{Scored, Summary};
use flopcast_evidence::backtest::{Backtest, Kind};
use serde_json::{Map, Value, json};
use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Padding, Style};

/// Headings of every error table.
const HEADINGS: [&str; 6] = ["", "n", "median", "P90", "bias", "in 80 % interval"];

/// The stable snapshot.
pub fn json(test: &Backtest) -> Value {
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
pub fn csv(test: &Backtest) -> String {
    let mut text = "id,figure,measured,predicted,low,high\n".to_owned();
    for row in &test.scored {
        let id = if row.id.contains([',', '"', '\n']) {
            format!("\"{}\"", row.id.replace('"', "\"\""))
        } else {
            row.id.clone()
        };
        let Scored { figure, measured, predicted, interval: (low, high), .. } = row;
        let _ = writeln!(text, "{id},{figure},{measured},{predicted},{low},{high}");
    }
    text
}

/// Aligned text for a terminal.
pub fn table(test: &Backtest) -> String {
    document(test, |rows| {
        let mut builder = Builder::default();
        builder.push_record(HEADINGS);
        for (name, summary) in rows {
            builder.push_record(cells(name, summary));
        }
        builder
            .build()
            .with(Style::empty())
            .with(Padding::new(0, 2, 0, 0))
            .modify(Columns::new(1..), Alignment::right())
            .to_string()
            + "\n"
    })
}

/// Tables for a document.
pub fn markdown(test: &Backtest) -> String {
    document(test, markdown_table)
}

/// A Markdown table of errors.
pub(super) fn markdown_table(rows: &[(String, Summary)]) -> String {
    let mut text = format!("| {} |\n|---|--:|--:|--:|--:|--:|\n", HEADINGS.join(" | "));
    for (name, summary) in rows {
        let _ = writeln!(text, "| {} |", cells(name, summary).join(" | "));
    }
    text
}

fn cells(name: &str, summary: &Summary) -> [String; 6] {
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    [
        name.to_owned(),
        summary.n.to_string(),
        percent(summary.median_abs_error),
        percent(summary.p90_abs_error),
        format!("{:+.1} %", 100.0 * summary.median_signed_error),
        format!("{:.0} %", 100.0 * summary.coverage_80),
    ]
}

/// Figure by figure: all rows, the rule of thumb, then the groups.
fn document(test: &Backtest, table: impl Fn(&[(String, Summary)]) -> String) -> String {
    let mut text = format!(
        "{}: {} of {} rows scored. An error is predicted / measured - 1.\n",
        test.kind.name(),
        test.rows_scored,
        test.rows
    );
    let groups = test.groups();
    for figure in test.figures() {
        let _ = write!(text, "\n{figure}\n\n");
        let mut rows = Vec::new();
        rows.extend(test.summary(figure).map(|summary| ("all".to_owned(), summary)));
        if figure == flopcast_evidence::backtest::throughput::THROUGHPUT {
            for kind in ["dense", "moe"] {
                let some = test.baseline.iter().filter(|row| row.group("kind") == Some(kind));
                let name = format!("(constant MFU 40 %, {kind})");
                rows.extend(Summary::of(some).map(|summary| (name, summary)));
            }
        }
        for group in groups.iter().filter(|group| group.figure == figure) {
            // A single group says what "all" has said.
            let alone = groups.iter().filter(|g| g.figure == figure && g.by == group.by).count();
            if alone > 1 {
                rows.push((format!("{}: {}", group.by, group.name), group.summary));
            }
        }
        text += &table(&rows);
    }
    if !test.skipped.is_empty() {
        let what = match test.kind {
            Kind::TrainingThroughput | Kind::Serving => "rows",
            Kind::Runs => "figures",
        };
        let _ = write!(text, "\n{} {what} not scored:\n", test.skipped.len());
        for (why, ids) in reasons(&test.skipped) {
            let _ = writeln!(text, "- {why}: {ids}");
        }
    }
    text
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
        let report = json(&test());
        assert_eq!(report["schema"], "flopcast.backtest/1");
        assert_eq!(report["scored"], 2);
        assert_eq!(report["skipped"][0]["why"], "empty");
        let figure = &report["figures"]["tokens_per_second_per_device"];
        assert_eq!(figure["n"], 2);
        assert_eq!(figure["coverage_80"], 0.5);
        assert_eq!(report["groups"][1]["name"], "moe");
    }

    #[test]
    fn csv_quotes_names() {
        let text = csv(&test());
        assert!(text.contains("\n\"a,b\",tokens_per_second_per_device,100,100,90,111\n"), "{text}");
    }

    #[test]
    fn tables_name_groups_and_reasons() {
        for text in [table(&test()), markdown(&test())] {
            assert!(text.contains("kind: dense") && text.contains("- empty: d"), "{text}");
            assert!(text.contains("10.0 %"), "{text}");
        }
    }
}
