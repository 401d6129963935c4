//! Sizes of model and data for a budget, by scaling laws.

use flopcast_core::quantity::{Flop, Measure, show};
use flopcast_study::sizing::{Law, Size};
use serde_json::{Value, json};

use crate::doc::{Block, Cell, Column, Doc, Grid, Subject};

/// The answer of scaling laws for a budget.
#[derive(Clone, Debug)]
pub struct Sizes {
    /// The compute of the training.
    pub budget: Flop,
    /// The laws with their sizes.
    pub laws: Vec<Sized>,
}

/// A law and the sizes that it gives for a budget.
#[derive(Clone, Debug)]
pub struct Sized {
    /// The law.
    pub law: Law,
    /// The least loss.
    pub optimum: Size,
    /// The same loss with the least compute over training and use, where tokens of use are given.
    pub used: Option<Size>,
}

/// The remark on what a scaling law knows.
const SIZE_ONLY: &str = "A scaling law sees size, not shape, data or recipe: it says how to split \
                         a budget, not how good a model of yours will be.";

impl Subject for Sizes {
    fn doc(&self) -> Doc {
        let mut doc = Doc { rows: Some(rows(&self.laws)), ..Doc::default() };
        doc.push(Block::Text(format!("{} of training, C = 6ND", show(self.budget))));
        doc.push_some(Block::Grid(grid(&self.laws)));
        doc.push(Block::Text(SIZE_ONLY.to_owned()));
        doc
    }

    fn json(&self) -> Option<Value> {
        Some(value(self.budget, &self.laws))
    }
}

/// The sizes by law: parameters, tokens, tokens per parameter, loss.
fn grid(all: &[Sized]) -> Grid {
    let words = ["law", ""].map(Column::words);
    let numbers = ["parameters", "tokens", "per parameter", "loss"].map(Column::numbers);
    let mut grid = Grid::new(words.into_iter().chain(numbers));
    for it in all {
        let mut row = |law: &str, what: &str, size: &Size| {
            grid.push([
                law.into(),
                what.into(),
                Cell::counted(size.parameters),
                Cell::counted(size.tokens.stored()),
                Cell::number(size.tokens_per_parameter()),
                Cell::maybe(size.loss, Cell::number),
            ]);
        };
        row(&it.law.name, "least loss", &it.optimum);
        if let Some(used) = &it.used {
            row("", "least with its use", used);
        }
    }
    grid
}

/// One row per law and size.
fn rows(all: &[Sized]) -> Grid {
    let words = ["law", "size"].map(Column::words);
    let numbers = ["parameters", "tokens", "loss"].map(Column::numbers);
    let mut grid = Grid::new(words.into_iter().chain(numbers));
    for it in all {
        let sizes = [("optimum", Some(&it.optimum)), ("with_use", it.used.as_ref())];
        for (what, size) in sizes.into_iter().filter_map(|(what, size)| Some((what, size?))) {
            let numbers = [Some(size.parameters), Some(size.tokens.stored()), size.loss];
            let words = [it.law.id.as_str(), what].map(Cell::from);
            grid.push(words.into_iter().chain(numbers.map(Cell::from)));
        }
    }
    grid
}

/// `flopcast.sizing/1`.
fn value(budget: Flop, all: &[Sized]) -> Value {
    let size = |it: &Size| {
        json!({
            "parameters": it.parameters, "tokens": it.tokens.stored(), "loss": it.loss,
            "training_flops": it.training.stored(), "inference_flops": it.inference.stored(),
        })
    };
    let law = |it: &Sized| {
        json!({
            "law": it.law.id, "name": it.law.name, "source": it.law.source, "reference": it.law.reference,
            "optimum": size(&it.optimum), "with_use": it.used.as_ref().map(size),
        })
    };
    json!({
        "schema": "flopcast.sizing/1",
        "flops": budget.stored(),
        "laws": all.iter().map(law).collect::<Vec<_>>(),
        "note": SIZE_ONLY,
    })
}
