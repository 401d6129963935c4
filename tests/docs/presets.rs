//! docs/presets.md lists the presets from `models/names.csv`. With `UPDATE_DOCS=1` it is written
//! anew.

use std::fmt::Write as _;

use flopcast::quantity::text::count;
use serde::Deserialize;

use crate::common::root;

#[derive(Deserialize)]
struct Row {
    preset: String,
    hub_name: String,
    short_names: String,
    published_parameters: f64,
    source: String,
}

#[test]
fn the_table_of_presets_is_current() {
    let file = csv::Reader::from_path(root().join("models/names.csv")).expect("names.csv");
    let rows: Vec<Row> = file.into_deserialize().map(|row| row.expect("a row")).collect();
    let mut page = format!(
        "# Presets\n\nWritten by `UPDATE_DOCS=1 cargo test --test docs` from `models/names.csv`: the \
         {} models that flopcast knows by name, the parameters that their publishers state, and who \
         says so. [Names](model.md#names) are read in any spelling.\n\n\
         | preset | on the Hub | other names | parameters | source |\n|---|---|---|---|---|\n",
        rows.len()
    );
    for row in rows {
        let others = row.short_names.split(';').filter(|name| !name.is_empty());
        let others: Vec<String> = others.map(|name| format!("`{name}`")).collect();
        let hub =
            if row.hub_name.is_empty() { String::new() } else { format!("`{}`", row.hub_name) };
        let _ = writeln!(
            page,
            "| `{}` | {hub} | {} | {} | {} |",
            row.preset,
            others.join(", "),
            count(row.published_parameters),
            row.source.replace('|', "/"),
        );
    }
    super::pages::current(&root().join("docs/presets.md"), &page);
}
