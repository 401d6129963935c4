//! A document as Markdown, for a pull request or a wiki.
//!
//! Texts of users stay texts: one line each, and nothing in them becomes a tag, a mention, a link
//! with a text of its own, a picture, or emphasis.

use std::fmt::Write as _;

use crate::doc::{Block, Column, Doc, Grid, Kind};
use crate::text::visible;

/// The document as Markdown.
pub fn text(doc: &Doc) -> String {
    let title = doc.title.clone().map(Block::Title);
    let mut out = String::new();
    blocks(title.iter().chain(&doc.blocks), &mut out);
    out
}

/// Writes the blocks with an empty line between them.
fn blocks<'a>(all: impl Iterator<Item = &'a Block>, out: &mut String) {
    // A tag opens a comment, and lies right before what follows.
    let mut tight = true;
    for block in all {
        let mut text = String::new();
        self::block(block, &mut text);
        if text.is_empty() {
            continue;
        }
        if !tight {
            out.push('\n');
        }
        *out += &text;
        tight = matches!(block, Block::Tag(_));
    }
}

/// Writes one block.
fn block(block: &Block, out: &mut String) {
    let _ = match block {
        Block::Title(text) => writeln!(out, "# {}", inline(text)),
        Block::Section(text) => writeln!(out, "## {}", inline(text)),
        Block::Subsection(text) => writeln!(out, "### {}", inline(text)),
        Block::Caption(text) | Block::Text(text) => writeln!(out, "{}", line(text)),
        Block::Lead { name, text } => writeln!(out, "**{}** {}", inline(name), inline(text)),
        Block::List(items) | Block::Lines(items) if items.is_empty() => Ok(()),
        Block::List(items) => items.iter().try_for_each(|item| writeln!(out, "- {}", line(item))),
        Block::Facts(facts) => facts
            .iter()
            .try_for_each(|(label, says)| writeln!(out, "- {}: {}", line(label), inline(says))),
        Block::Warnings(warnings) => {
            let _ = writeln!(out, "## Warnings\n");
            warnings.iter().try_for_each(|text| writeln!(out, "- {}", line(text)))
        }
        Block::Grid(grid) => {
            table(grid, out);
            Ok(())
        }
        Block::Lines(lines) => fenced(lines, out),
        // A text form has no picture: its figures stand in a grid.
        Block::Picture { .. } | Block::Legend(_) | Block::Next => Ok(()),
        Block::Details { summary, blocks } => {
            let _ = writeln!(out, "<details><summary>{}</summary>\n", inline(summary));
            self::blocks(blocks.iter(), out);
            writeln!(out, "\n</details>")
        }
        Block::Tag(tag) => writeln!(out, "{tag}"),
    };
}

/// Lines in a fence that is longer than any in them.
fn fenced(lines: &[String], out: &mut String) -> std::fmt::Result {
    let ticks = |line: &String| line.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(lines.iter().map(ticks).max().unwrap_or(0).max(2) + 1);
    writeln!(out, "{fence}")?;
    lines.iter().try_for_each(|line| writeln!(out, "{}", visible(line)))?;
    writeln!(out, "{fence}")
}

/// Writes a grid as a table, quantities on the right; nothing for an empty one.
fn table(grid: &Grid, out: &mut String) {
    if grid.is_empty() {
        return;
    }
    let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let headed = grid.columns.iter().any(|column| !column.heading.is_empty());
    let heading = |column: &Column| inline(if headed { &column.heading } else { &column.key });
    *out += &row(grid.columns.iter().map(heading).collect());
    let rule = |kind: Kind| match kind {
        Kind::Words | Kind::Prose => "---",
        Kind::Numbers | Kind::Quantities => "---:",
    };
    let rules: Vec<_> = grid.columns.iter().map(|column| rule(column.kind)).collect();
    let _ = writeln!(out, "|{}|", rules.join("|"));
    for cells in &grid.rows {
        *out += &row(cells.iter().map(|cell| inline(&cell.people())).collect());
    }
}

/// A text that stands at the start of a line, where more than within it has a meaning.
fn line(text: &str) -> String {
    let text = inline(text);
    let marks = ['#', '>', '-', '+', '=', '~', ':', '|'];
    let number = text.trim_start_matches(|it: char| it.is_ascii_digit());
    let listed = number.len() < text.len() && number.starts_with(['.', ')']);
    match text.chars().next() {
        Some(first) if marks.contains(&first) => format!("\\{text}"),
        Some('`') if text.starts_with("```") => format!("\\{text}"),
        Some(_) if listed => {
            let digits = text.len() - number.len();
            format!("{}\\{number}", &text[..digits])
        }
        _ => text,
    }
}

/// A text within a line or a cell.
///
/// Code in backticks stays code: HTML in it is none, and it does not reach beyond its paragraph.
pub fn inline(text: &str) -> String {
    let text = visible(text.trim());
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        let next = rest.peek().copied();
        match character {
            '<' => out += "&lt;",
            '|' | '*' | '[' | ']' => out.extend(['\\', character]),
            // What a backslash precedes would lose its meaning, or get one.
            '\\' if next.is_some_and(|next| next.is_ascii_punctuation() && next != '{') => {
                out += "\\\\";
            }
            '&' if next.is_some_and(|next| next == '#' || next.is_ascii_alphabetic()) => {
                out += "&amp;";
            }
            // Nobody is called by a name in a table.
            '@' if next.is_some_and(char::is_alphanumeric) => out += "@&#8203;",
            _ => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doc::Cell;

    #[test]
    fn hostile_texts_stay_texts() {
        for (text, expected) in [
            ("training.cost_usd.total", "training.cost_usd.total"),
            ("run `x`", "run `x`"),
            ("a|b", "a\\|b"),
            ("** ok **\n\n<!-- hidden", "\\*\\* ok \\*\\*\\n\\n&lt;!-- hidden"),
            ("![p](https://x/y.png)", "!\\[p\\](https://x/y.png)"),
            ("hey @team", "hey @&#8203;team"),
            ("a@b", "a@&#8203;b"),
            ("&#64;team &lt;b>", "&amp;#64;team &amp;lt;b>"),
            ("R & D", "R & D"),
            ("\\<img src=x>", "\\\\&lt;img src=x>"),
            ("\\|", "\\\\\\|"),
            ("<details>\u{202e}", "&lt;details>\\u{202e}"),
        ] {
            assert_eq!(inline(text), expected);
        }
        for (text, expected) in
            [("# big", "\\# big"), ("- x", "\\- x"), ("> q", "\\> q"), ("1. x", "1\\. x")]
        {
            assert_eq!(line(text), expected);
        }
    }

    #[test]
    fn a_row_is_a_line() {
        let mut grid = Grid::new([Column::words("name"), Column::numbers("value")]);
        grid.push(["x\n| 1 | 2 |".into(), Cell::number(2.0)]);
        let mut out = String::new();
        table(&grid, &mut out);
        assert_eq!(out, "| name | value |\n|---|---:|\n| x\\n\\| 1 \\| 2 \\| | 2 |\n");
    }

    #[test]
    fn a_fence_is_longer_than_those_inside() {
        let mut out = String::new();
        fenced(&["```".to_owned(), "<b>".to_owned()], &mut out).unwrap();
        assert_eq!(out, "````\n```\n<b>\n````\n");
    }
}
