//! ATTRIBUTION and the table of docs/data-sources.md say what the catalog cites. With
//! `UPDATE_DOCS=1` they are written anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use chrono::NaiveDate;
use flopcast::catalog::{Catalog, Source};

const MARKS: [&str; 2] = ["<!-- sources: begin -->\n", "<!-- sources: end -->\n"];

const ATTRIBUTION: &str = "\
flopcast embeds facts (prices, datasheet figures, grid intensities, constants) from the sources
below. The facts were re-typed into flopcast's own tables; no file of a source is included. The
terms are those of the source; flopcast's own licences do not extend to them. Every row of
hardware/, pricing/ and regions/ names its source by the short name in brackets.
docs/data-sources.md says what each table holds and where its traps are.

The electricity series are by Our World in Data, based on Ember and the Energy Institute, under
CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/); years without a figure were left out,
and figures of exactly zero were left empty. Hardware data and prices by Epoch AI, under CC BY.
";

/// Where each source is cited: table -> facts.
fn uses(catalog: &Catalog) -> BTreeMap<String, Vec<(&'static str, usize)>> {
    let mut uses: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for health in catalog.doctor(NaiveDate::default()) {
        for source in health.sources {
            uses.entry(source.source).or_default().push((health.table, source.facts));
        }
    }
    uses
}

fn date(source: &Source) -> String {
    source.as_of.map(|date| date.to_string()).unwrap_or_default()
}

fn attribution(catalog: &Catalog) -> String {
    let mut text = ATTRIBUTION.to_owned();
    for source in catalog.sources().filter(|s| !s.reference.is_empty()) {
        let Source { id, title, reference, licence, .. } = source;
        let date = date(source);
        let _ = write!(text, "\n[{id}] {title}\n    {reference}, {date}\n    {licence}\n");
    }
    text
}

fn table(catalog: &Catalog) -> String {
    let uses = uses(catalog);
    let mut text =
        "| source | what | date | licence | facts in | remarks |\n|---|---|---|---|---|---|\n"
            .to_owned();
    for source in catalog.sources() {
        let Source { id, title, reference, licence, note, .. } = source;
        let what =
            if reference.is_empty() { title.clone() } else { format!("{title} ({reference})") };
        let cited: Vec<_> = uses
            .get(id)
            .into_iter()
            .flatten()
            .map(|(table, facts)| format!("{table} ({facts})"))
            .collect();
        let (date, cited) = (date(source), cited.join(", "));
        let _ = writeln!(text, "| `{id}` | {what} | {date} | {licence} | {cited} | {note} |");
    }
    text
}

/// The text with the number of rows of each table as it is: `| `sources.csv` | 52 | ...`.
fn counted(text: &str) -> String {
    let health = Catalog::embedded().doctor(NaiveDate::default());
    let line = |line: &str| {
        let cells: Vec<_> = line.split(" | ").collect();
        let named = health.iter().find(|h| cells[0] == format!("| `{}`", h.table));
        match named {
            Some(h) => format!("{} | {} | {}\n", cells[0], h.rows, cells[2..].join(" | ")),
            None => format!("{line}\n"),
        }
    };
    text.lines().map(line).collect()
}

fn check(file: &str, section: impl Fn(&str) -> String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let actual = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    let expected = section(&actual);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, expected).expect("the file can be written");
    } else {
        let hint = "run `UPDATE_DOCS=1 cargo test --test docs`";
        assert!(actual == expected, "{file} does not say what sources.csv says; {hint}");
    }
}

#[test]
fn attribution_names_every_source() {
    check("ATTRIBUTION", |_| attribution(&Catalog::embedded()));
}

#[test]
fn data_sources_lists_every_source() {
    check("docs/data-sources.md", |actual| {
        let (before, rest) = actual.split_once(MARKS[0]).expect("the mark where the table begins");
        let (_, after) = rest.split_once(MARKS[1]).expect("the mark where the table ends");
        let (catalog, before) = (Catalog::embedded(), counted(before));
        format!("{before}{}{}{}{after}", MARKS[0], table(&catalog), MARKS[1])
    });
}
