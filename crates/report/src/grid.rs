//! Rows under a heading, for a terminal of 80 columns and as Markdown.

use std::fmt::Write as _;

/// The widest line of a terminal.
const WIDTH: usize = 80;
/// Words are not cut below this.
const LEAST: usize = 10;

/// A table: some columns of words, which are cut where there is no room, then columns of numbers.
#[derive(Clone, Debug)]
pub struct Grid {
    words: usize,
    rows: Vec<Vec<String>>,
}

impl Grid {
    /// A heading, of which the first `words` columns are words.
    pub fn new(words: usize, heading: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { words, rows: vec![heading.into_iter().map(Into::into).collect()] }
    }

    /// Adds a row.
    pub fn push(&mut self, row: impl IntoIterator<Item = impl Into<String>>) {
        self.rows.push(row.into_iter().map(Into::into).collect());
    }

    /// Whether there is nothing below the heading.
    pub fn is_empty(&self) -> bool {
        self.rows.len() < 2
    }

    /// Aligned text, indented by two.
    pub fn text(&self) -> String {
        let columns = self.rows.first().map_or(0, Vec::len);
        let mut widths: Vec<usize> = (0..columns)
            .map(|at| self.rows.iter().map(|row| length(&row[at])).max().unwrap_or(0))
            .collect();
        // The widest words give way first.
        let words = self.words.min(columns);
        while widths.iter().sum::<usize>() + 2 * columns > WIDTH {
            match widths[..words].iter_mut().max() {
                Some(widest) if *widest > LEAST => *widest -= 1,
                _ => break,
            }
        }
        let mut out = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (at, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                let cell = cut(cell, width);
                let _ = if at < words {
                    write!(line, "  {cell:<width$}")
                } else {
                    write!(line, "  {cell:>width$}")
                };
            }
            let _ = writeln!(out, "{}", line.trim_end());
        }
        out
    }

    /// A Markdown table.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        for (at, row) in self.rows.iter().enumerate() {
            let cells: Vec<_> = row.iter().map(|cell| cell.trim().replace('|', "\\|")).collect();
            let _ = writeln!(out, "| {} |", cells.join(" | "));
            if at == 0 {
                let rules = (0..row.len()).map(|at| if at < self.words { "---" } else { "---:" });
                let _ = writeln!(out, "|{}|", rules.collect::<Vec<_>>().join("|"));
            }
        }
        out
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// The end of a path tells more than its beginning, the beginning of a sentence more than its end.
fn cut(text: &str, width: usize) -> String {
    if length(text) <= width {
        return text.to_owned();
    }
    let kept = width.saturating_sub(1);
    if text.trim().contains(' ') {
        text.chars().take(kept).chain(['…']).collect()
    } else {
        std::iter::once('…').chain(text.chars().skip(length(text) - kept)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_give_way_to_numbers() {
        let mut grid = Grid::new(2, ["figure", "why", "value"]);
        grid.push(["training.energy_kwh.facility", &"word ".repeat(20), "1,287 MWh"]);
        grid.push(["short", "a|b", "2"]);
        let text = grid.text();
        assert!(text.lines().all(|line| length(line) <= WIDTH), "{text}");
        assert!(text.lines().next().is_some_and(|line| line.starts_with("  figure")), "{text}");
        assert!(text.contains("1,287 MWh") && text.contains('…'), "{text}");
        assert!(grid.markdown().starts_with("| figure | why | value |\n|---|---|---:|\n"));
        assert!(grid.markdown().contains("a\\|b"));
    }
}
