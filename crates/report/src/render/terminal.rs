//! A document as aligned text for a terminal: 80 columns, unless it has more or fewer.
//!
//! Columns keep their width where there is room; else columns of words are cut or wrapped, the
//! widest first, and a table never runs over the edge unless its numbers alone do. Two columns of a
//! quantity, the number and its unit, are aligned apart.

use std::fmt::Write as _;

use tabled::builder::Builder;
use tabled::settings::formatting::AlignmentStrategy;
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Padding, Style};

use crate::doc::{Block, Cell, Column, Doc, Grid, Kind};
use crate::text::{cut, length, visible, wrap};

/// The columns of a terminal whose width is not known.
pub const WIDTH: usize = 80;
/// The width below which words are not cut.
const LEAST: usize = 10;
/// The spaces between two columns.
const GAP: usize = 2;
/// The longest line of prose, since longer ones are hard to read.
const LINE: usize = 78;

/// The document as aligned text, `width` columns wide.
pub fn text(doc: &Doc, width: usize) -> String {
    let mut out = String::new();
    let title = doc.title.clone().map(Block::Title);
    let mut last: Option<&Block> = None;
    for block in title.iter().chain(&doc.blocks) {
        if *block == Block::Next {
            last = Some(block);
        }
        let text = self::block(block, width);
        if text.is_empty() {
            continue;
        }
        if last.is_some_and(|last| !stands_on(last, block)) {
            out.push('\n');
        }
        out += &text;
        last = Some(block);
    }
    out
}

/// True if a block follows another without an empty line.
fn stands_on(above: &Block, block: &Block) -> bool {
    match above {
        Block::Section(_) | Block::Subsection(_) | Block::Caption(_) => true,
        Block::Grid(_)
        | Block::Lead { .. }
        | Block::List(_)
        | Block::Facts(_)
        | Block::Legend(_) => {
            matches!(block, Block::List(_) | Block::Facts(_) | Block::Legend(_))
        }
        _ => false,
    }
}

/// One block as text.
fn block(block: &Block, width: usize) -> String {
    let line = LINE.min(width.saturating_sub(2));
    let paragraph =
        |text: &str, hanging: &str| wrap(&visible(text), line).join(&format!("\n{hanging}")) + "\n";
    let set_in = |text: &str| {
        let text = visible(text);
        format!("  {}\n", wrap(&text, line.saturating_sub(2)).join("\n    "))
    };
    match block {
        Block::Title(text)
        | Block::Section(text)
        | Block::Subsection(text)
        | Block::Caption(text)
        | Block::Text(text) => paragraph(text, ""),
        Block::Lead { name, text } => {
            let text = visible(text);
            let lines = wrap(&text, line.saturating_sub(2));
            format!("{}\n  {}\n", visible(name), lines.join("\n  "))
        }
        Block::Legend(text) => set_in(text),
        Block::List(items) => items.iter().map(|item| set_in(item)).collect(),
        Block::Facts(facts) => {
            facts.iter().map(|(label, says)| set_in(&format!("{label}: {says}"))).collect()
        }
        Block::Warnings(warnings) => {
            let all = warnings.iter().map(|text| paragraph(&format!("warning: {text}"), "  "));
            all.collect::<Vec<_>>().join("\n")
        }
        Block::Grid(grid) => table(grid, width),
        Block::Lines(lines) | Block::Picture { lines, .. } => {
            let mut out = String::new();
            for line in lines {
                let _ = writeln!(out, "{}", visible(line));
            }
            out
        }
        Block::Details { .. } | Block::Tag(_) | Block::Next => String::new(),
    }
}

/// Aligned columns; quantities take two, the number and its unit.
fn table(grid: &Grid, width: usize) -> String {
    let columns: Vec<(Kind, usize)> = grid.columns.iter().flat_map(split).collect();
    if columns.is_empty() || grid.rows.is_empty() {
        return String::new();
    }
    let headings = grid.columns.iter().flat_map(|column| {
        let heading = std::iter::once(visible(&column.heading));
        heading.chain((column.kind == Kind::Quantities).then(String::new))
    });
    let mut headings: Vec<String> = headings.collect();
    let headed = headings.iter().any(|heading| !heading.is_empty());
    let mut rows: Vec<Vec<String>> = grid.rows.iter().map(|row| cells(grid, row)).collect();
    let mut widths: Vec<usize> = vec![0; columns.len()];
    for row in &rows {
        for ((cell, width), (_, most)) in row.iter().zip(&mut widths).zip(&columns) {
            *width = (*width).max(length(cell).min(*most));
        }
    }
    let room = (width + GAP).saturating_sub(grid.indent + GAP * columns.len());
    if headed {
        let heads: Vec<usize> = headings.iter().map(|heading| length(heading)).collect();
        let wide: usize = widths.iter().zip(&heads).map(|(width, head)| (*width).max(*head)).sum();
        if wide > room {
            // A heading wider than its cells stands on two lines, its unit or last word below.
            for (heading, width) in headings.iter_mut().zip(&widths) {
                *heading = stacked(heading, *width);
            }
        }
    }
    let heads: Vec<usize> =
        headings.iter().map(|text| text.lines().map(length).max().unwrap_or(0)).collect();
    let total = |widths: &[usize]| -> usize {
        widths.iter().zip(&heads).map(|(width, head)| (*width).max(*head)).sum()
    };
    // The widest words give way first.
    while total(&widths) > room {
        let gives = |at: &usize| {
            matches!(columns[*at].0, Kind::Words | Kind::Prose)
                && widths[*at] > heads[*at].max(LEAST)
        };
        let Some(widest) = (0..widths.len()).filter(gives).max_by_key(|at| widths[*at]) else {
            break;
        };
        widths[widest] -= 1;
    }
    for row in &mut rows {
        for ((cell, width), (kind, _)) in row.iter_mut().zip(&widths).zip(&columns) {
            match kind {
                Kind::Prose if length(cell) > *width => *cell = wrap(cell, *width).join("\n"),
                Kind::Words => *cell = cut(cell, *width),
                _ => {}
            }
        }
    }
    let mut builder = Builder::default();
    if headed {
        builder.push_record(headings);
    }
    for row in rows {
        builder.push_record(row);
    }
    let mut table = builder.build();
    table.with(Style::empty()).with(Padding::new(0, GAP, 0, 0)).with(AlignmentStrategy::PerLine);
    table.modify(Columns::first(), Padding::new(grid.indent, GAP, 0, 0));
    for (at, _) in columns.iter().enumerate().filter(|(_, (kind, _))| *kind == Kind::Numbers) {
        table.modify(Columns::one(at), Alignment::right());
    }
    let mut out = String::new();
    for line in table.to_string().lines() {
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

/// The columns of a terminal that a column takes, with the most characters of each.
fn split(column: &Column) -> Vec<(Kind, usize)> {
    match column.kind {
        Kind::Quantities => vec![(Kind::Numbers, column.most), (Kind::Words, column.most)],
        kind => vec![(kind, column.most)],
    }
}

/// The cells of a row as text, quantities as number and unit.
fn cells(grid: &Grid, row: &[Cell]) -> Vec<String> {
    let each = row.iter().zip(&grid.columns).flat_map(|(cell, column)| match (column.kind, cell) {
        (Kind::Quantities, Cell::Number { shown, unit, .. }) => {
            vec![visible(shown), visible(unit)]
        }
        (Kind::Quantities, cell) => vec![visible(&cell.people()), String::new()],
        (_, Cell::Said { brief, .. }) => vec![visible(brief)],
        (_, cell) => vec![visible(&cell.people())],
    });
    each.collect()
}

/// A heading with its unit on a second line, where the column is narrower than both.
fn stacked(heading: &str, width: usize) -> String {
    match heading.rsplit_once(' ') {
        Some((words, unit)) if length(heading) > width => format!("{words}\n{unit}"),
        _ => heading.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> Grid {
        let words = [Column::words("figure"), Column::words("why")];
        let mut grid = Grid::new(words.into_iter().chain([Column::quantities("value")]));
        let number = Cell::shown(1287.0, "1,287 MWh");
        grid.push(["training.energy_kwh.facility".into(), "word ".repeat(20).into(), number]);
        grid.push(["short".into(), "a|b".into(), Cell::Unknown]);
        grid
    }

    #[test]
    fn words_give_way_to_numbers() {
        for width in [60, 80, 160] {
            let text = table(&grid(), width);
            assert!(text.lines().all(|line| length(line) <= width), "{text}");
            assert!(text.starts_with("  figure"), "{text}");
            assert!(text.contains("  1,287  MWh\n"), "{text}");
            assert_eq!(text.contains('…'), width < 160, "{text}");
        }
    }

    #[test]
    fn prose_goes_on_below() {
        let mut prose = Grid::new([Column::words(""), Column::prose("")]);
        prose.push(["because".into(), "word ".repeat(30).trim().into()]);
        let text = table(&prose, 80);
        assert_eq!(text.matches("word").count(), 30, "{text}");
        assert!(text.lines().count() > 1 && text.lines().all(|line| length(line) <= 80), "{text}");
    }

    #[test]
    fn a_hostile_text_is_one_line_that_moves_no_cursor() {
        let hostile = "a\nb\u{1b}[2J\u{202e}c";
        let mut doc = Doc::titled(hostile);
        let mut grid = Grid::new([Column::words(hostile)]);
        grid.push([hostile.into()]);
        doc.blocks = vec![
            Block::Section(hostile.into()),
            Block::Grid(grid),
            Block::List(vec![hostile.into()]),
            Block::Facts(vec![(hostile.into(), hostile.into())]),
            Block::Warnings(vec![hostile.into()]),
            Block::Lead { name: hostile.into(), text: hostile.into() },
            Block::Lines(vec![hostile.into()]),
        ];
        let text = super::text(&doc, 80);
        let acts = |it: char| (it.is_control() && it != '\n') || it == '\u{202e}';
        assert!(!text.contains(acts), "{text:?}");
        assert_eq!(text.matches("a\\nb\\u{1b}[2J\\u{202e}c").count(), 11, "{text}");
    }
}
