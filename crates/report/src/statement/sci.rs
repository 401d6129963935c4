//! The statement of a software carbon intensity (ISO/IEC 21031) as Markdown.

use flopcast_core::diagnostic::Result;

use super::{VERSION, single};
use crate::Report;
use crate::doc::{Block, Cell, Column, Doc, Grid};
use crate::render::markdown;

/// The terms of SCI = (E x I + M) per R (ISO/IEC 21031) as Markdown, as far as the scenario says
/// them.
///
/// # Errors
/// If there are several scenarios.
pub fn statement(reports: &[Report]) -> Result<String> {
    let report = single(reports, "a statement")?;
    let mut doc = Doc::titled(format!("Software carbon intensity: {}", report.name));
    doc.push(Block::Text(format!(
        "SCI = (E x I + M) per R, ISO/IEC 21031. E is facility energy, I the location-based \
         intensity of the grid, M the embodied share, middle estimate; contracts and certificates \
         do not enter. A forecast by flopcast {VERSION}."
    )));
    let mut terms = Grid::new([Column::words("term"), Column::quantities("value")]);
    for figure in &report.figures {
        if let Some(label) = figure.term() {
            terms.push([Cell::text(label), Cell::text(figure.shown())]);
        }
    }
    let units = report.inputs.iter().filter(|step| step.name.as_deref() == Some("functional_unit"));
    for unit in units {
        terms.push([Cell::text("R, the functional unit"), Cell::text(unit.shown())]);
    }
    doc.push_some(Block::Grid(terms));
    doc.push(Block::Text(
        "Boundary: the accelerators and their hosts, with cooling and losses (PUE). Networks of \
         users, storage and the training of other models are outside."
            .to_owned(),
    ));
    Ok(markdown::text(&doc))
}
