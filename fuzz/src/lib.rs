//! What several fuzz targets do with what they were given.

use std::sync::LazyLock;

use flopcast::catalog::Catalog;
use flopcast::diagnostic::{Error, Result};
use flopcast::estimate::Engine;
use flopcast::report::{Report, json};
use flopcast::scenario::document::{self, Node};
use flopcast::scenario::{Files, reader, resolve};
use flopcast::study::snapshot::Snapshot;

/// The catalog, read once.
pub static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::embedded);

/// A run and its service, for targets whose input is laid over a scenario or beside one.
pub static SCENARIO: LazyLock<Node> = LazyLock::new(|| {
    let text = include_bytes!("../../scenarios/gpt3-175b.yaml");
    document::parse("gpt3-175b.yaml", text).expect("a scenario")
});

/// A scenario beside which there are no files.
pub struct Nothing;

impl Files for Nothing {
    fn read(&self, path: &str) -> Result<Vec<u8>> {
        Err(Error::input(format!("there is no {path}")))
    }
}

/// The forecast of a document.
pub fn forecast(document: &Node, catalog: &Catalog) -> Result<Report> {
    let scenario = resolve(&reader::read(document)?, catalog, &Nothing)?;
    let engine = Engine::new(&scenario, catalog)?;
    Ok(Report::new(&scenario, &engine.recorded().run()?, engine.predicted()))
}

/// The forecast of a document, as `estimate --format json` saves it.
pub fn snapshot(document: &Node) -> Result<Snapshot> {
    Snapshot::new(json::estimate(&forecast(document, &CATALOG)?))
}
