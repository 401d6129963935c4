//! JSON: the subject's own schema, or the rows of its document as objects.

use serde_json::{Map, Number, Value};

use crate::doc::{Cell, Doc, Grid, Subject};

/// The subject as JSON: its own schema, or the rows of its document.
pub fn text(subject: &dyn Subject) -> String {
    let value = subject.json().unwrap_or_else(|| value(&subject.doc()));
    crate::text::json(&value)
}

/// The rows that programs read: those meant for them, else those among the blocks.
pub(crate) fn grids(doc: &Doc) -> impl Iterator<Item = &Grid> {
    let own = doc.rows.as_ref();
    let shown = doc.blocks.iter().filter_map(|block| match block {
        crate::doc::Block::Grid(grid) => Some(grid),
        _ => None,
    });
    own.into_iter().chain(shown.filter(move |_| own.is_none()))
}

/// One table is a list of objects, several are a list of such lists.
fn value(doc: &Doc) -> Value {
    let mut tables: Vec<Value> = grids(doc).map(rows).collect();
    if tables.len() == 1 { tables.remove(0) } else { Value::Array(tables) }
}

/// The rows of a grid as objects by the keys of its columns.
pub fn rows(grid: &Grid) -> Value {
    let row = |cells: &Vec<Cell>| {
        let keys = grid.columns.iter().map(|column| column.key.clone());
        Value::Object(keys.zip(cells.iter().map(cell)).collect::<Map<_, _>>())
    };
    Value::Array(grid.rows.iter().map(row).collect())
}

/// A cell as JSON: a number with all digits, `null` where there is none.
fn cell(cell: &Cell) -> Value {
    match cell {
        Cell::Blank | Cell::Gap | Cell::Unknown => Value::Null,
        Cell::Text(text) | Cell::Said { text, .. } => Value::String(text.clone()),
        Cell::Count(count) => Value::from(*count),
        Cell::Flag(flag) => Value::Bool(*flag),
        Cell::Number { value, .. } => Number::from_f64(*value).map_or(Value::Null, Value::Number),
    }
}
