//! Estimates per second of the pure function, with and without explanations.

use flopcast::catalog::Catalog;
use flopcast::diagnostic::{Error, Result};
use flopcast::estimate::Engine;
use flopcast::estimate::plan::Scenario;
use flopcast::scenario::{Files, document, reader, resolve};

fn main() {
    divan::main();
}

struct NoFiles;

impl Files for NoFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>> {
        Err(Error::input(format!("{path} is not read here")))
    }
}

fn scenario(text: &str) -> Scenario {
    let node = document::parse("bench.yaml", text.as_bytes()).expect("a document");
    let file = reader::read(&node).expect("a scenario");
    resolve(&file, &Catalog::embedded(), &NoFiles).expect("a resolved scenario")
}

const NAMES: [&str; 2] = ["training", "training and serving"];

fn text(name: &str) -> &'static str {
    match name {
        "training" => include_str!("../scenarios/llama-65b.yaml"),
        _ => include_str!("../scenarios/gpt3-175b.yaml"),
    }
}

#[divan::bench(args = NAMES)]
fn plain(bencher: divan::Bencher<'_, '_>, name: &str) {
    let scenario = scenario(text(name));
    let engine = Engine::new(&scenario, &Catalog::embedded()).expect("an engine");
    bencher.counter(divan::counter::ItemsCount::new(1u32)).bench(|| engine.run());
}

#[divan::bench(args = NAMES)]
fn explained(bencher: divan::Bencher<'_, '_>, name: &str) {
    let scenario = scenario(text(name));
    let engine = Engine::new(&scenario, &Catalog::embedded()).expect("an engine");
    let engine = engine.recorded();
    bencher.counter(divan::counter::ItemsCount::new(1u32)).bench(|| engine.run());
}

#[divan::bench]
fn resolved(bencher: divan::Bencher<'_, '_>) {
    bencher.bench(|| scenario(text(NAMES[1])));
}
