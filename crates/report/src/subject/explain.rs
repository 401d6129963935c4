//! The derivation of a figure as a tree, or the formulas of all figures.

use flopcast_core::estimate::Figure;
use serde_json::Value;

use crate::doc::{Block, Cell, Column, Doc, Grid, Subject};
use crate::text::wrap;
use crate::{Report, json, tree};

/// The derivation of one figure.
#[derive(Clone, Copy, Debug)]
pub struct Derivation<'a>(pub &'a Figure);

impl Subject for Derivation<'_> {
    fn doc(&self) -> Doc {
        let figure = self.0;
        let lines = match (figure.step(), figure.unknown()) {
            (Some(step), _) => tree::derivation(step).lines().map(str::to_owned).collect(),
            (None, Some(unknown)) => {
                let why = wrap(&unknown.why, 76).into_iter().map(|line| format!("  {line}"));
                std::iter::once(format!("{} is unknown", figure.path)).chain(why).collect()
            }
            (None, None) => vec![format!("{} = {}", figure.path, figure.shown())],
        };
        Doc { blocks: vec![Block::Lines(lines)], rows: Some(rows([self.0])), ..Doc::default() }
    }

    fn json(&self) -> Option<Value> {
        self.0.step().map(|step| json::derivation(step))
    }
}

/// Every figure of a forecast with its formula.
#[derive(Clone, Copy, Debug)]
pub struct Derivations<'a>(pub &'a Report);

impl Subject for Derivations<'_> {
    fn doc(&self) -> Doc {
        let mut lines = Vec::new();
        for figure in &self.0.figures {
            lines.push(format!("{} = {}", figure.path, figure.shown()));
            let how = how(figure);
            if !how.is_empty() {
                lines.extend(wrap(&how, 74).join("\n  ").lines().map(|line| format!("    {line}")));
            }
        }
        let rows = rows(&self.0.figures);
        Doc { blocks: vec![Block::Lines(lines)], rows: Some(rows), ..Doc::default() }
    }
}

/// The formula of a figure, or the reason why it has no value.
fn how(figure: &Figure) -> String {
    match (figure.step(), figure.unknown()) {
        (Some(step), _) => step.formula(),
        (_, Some(unknown)) => unknown.why.clone(),
        _ => String::new(),
    }
}

/// One row per figure.
fn rows<'a>(figures: impl IntoIterator<Item = &'a Figure>) -> Grid {
    let columns = [Column::words("figure"), Column::numbers("value"), Column::prose("formula")];
    let mut grid = Grid::new(columns);
    for figure in figures {
        grid.push([Cell::text(&figure.path), figure.value().into(), Cell::text(how(figure))]);
    }
    grid
}
