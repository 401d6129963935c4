//! Questions to the library: a scenario in, its forecast out, without a process.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use flopcast::catalog::Catalog;
use flopcast::diagnostic::{Error, Result};
use flopcast::estimate::plan::Scenario;
use flopcast::estimate::{Engine, Estimate, Key};
use flopcast::provenance::{Expr, Step};
use flopcast::report::doc::Subject as _;
use flopcast::report::subject::capacity as sized_up;
use flopcast::report::{Report, json, tree};
use flopcast::scenario::document::{self, Node};
use flopcast::scenario::{Files, reader, resolve};
use flopcast::serving::calibration::Calibration;
use flopcast::serving::capacity::Search;
use flopcast::study::capacity::{self, Capacity, Question};
use serde_json::Value;

use super::{holds, root};

/// One catalog for all cases: its tables are read once.
pub static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::embedded);

/// Files of a folder, for scenarios in it.
pub struct Beside(PathBuf);

impl Beside {
    /// Those of the repository.
    pub fn root() -> Self {
        Self(root())
    }
}

impl Files for Beside {
    fn read(&self, path: &str) -> Result<Vec<u8>> {
        std::fs::read(self.0.join(path)).map_err(|error| Error::input(format!("{path}: {error}")))
    }
}

/// A scenario of this text.
pub fn resolved(text: &str) -> Result<Scenario> {
    let node = document::parse("test.yaml", text.as_bytes())?;
    resolve(&reader::read(&node)?, &CATALOG, &Beside::root())
}

/// A file of the repository over the one that it extends.
fn document(file: &str) -> Result<Node> {
    let bytes = std::fs::read(root().join(file)).expect("a scenario file");
    let folder = Path::new(file).parent().expect("a folder").join("");
    let node = document::parse_in(folder.to_str().expect("UTF-8"), file, &bytes)?;
    let base = match node.get("extends").map(|base| &base.value) {
        Some(document::Value::Text(name)) => Path::new(file).with_file_name(&**name),
        _ => return Ok(node),
    };
    Ok(node.over(document(base.to_str().expect("UTF-8"))?))
}

/// A scenario file of the repository with keys set, as `--set` does.
pub fn shipped(file: &str, sets: &[&str]) -> Result<Scenario> {
    let mut node = document(file)?;
    for assignment in sets {
        node.set(assignment)?;
    }
    let folder = root().join(file).with_file_name("");
    resolve(&reader::read(&node)?, &CATALOG, &Beside(folder))
}

fn recorded(scenario: &Scenario) -> Result<Estimate> {
    Engine::new(scenario, &CATALOG)?.recorded().run()
}

/// What a scenario takes, with derivations.
pub fn forecast(text: &str) -> Estimate {
    let scenario = resolved(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    recorded(&scenario).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The report of a scenario.
pub fn report(scenario: &Scenario) -> Result<Report> {
    report_after(scenario, 600)
}

/// The report of a scenario, whose latencies are those of a run of so many requests.
pub fn report_after(scenario: &Scenario, requests: u64) -> Result<Report> {
    let search = Search { requests, seeds: 1, ..Search::default() };
    let engine = capacity::played(Engine::new(scenario, &CATALOG)?, &search, &|_, _| Ok(()))?;
    Ok(Report::new(scenario, &engine.recorded().run()?, engine.predicted()))
}

/// The two ways to ask what a service takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `flopcast estimate`.
    Estimate,
    /// `flopcast capacity`, with as few requests as show its structure, not its third digit.
    Capacity,
}

/// Both.
pub const WAYS: [Way; 2] = [Way::Estimate, Way::Capacity];

/// The figures of a scenario as the command prints them in JSON.
pub fn answer(way: Way, scenario: &Scenario) -> Result<Value> {
    match way {
        Way::Estimate => report(scenario).map(|report| json::estimate(&report)),
        Way::Capacity => simulated(scenario, 600),
    }
}

/// The figures of a service after runs of so many requests.
pub fn simulated(scenario: &Scenario, requests: u64) -> Result<Value> {
    let (report, capacity) = sized(scenario, requests)?;
    Ok(sized_up::Service { report, capacity: &capacity }.json().expect("a schema"))
}

/// The report of a service after runs of so many requests.
pub fn sized_report(scenario: &Scenario, requests: u64) -> Result<Report> {
    Ok(sized(scenario, requests)?.0)
}

fn sized(scenario: &Scenario, requests: u64) -> Result<(Report, Capacity)> {
    // Its training, if it has one, changes nothing about the fleet.
    let scenario = Scenario { training: None, ..scenario.clone() };
    let search = Search { requests, seeds: 1, ..Search::default() };
    let calibration = Calibration::shipped()?;
    let question =
        Question { calibration, search: &search, records: false, progress: &|_, _| Ok(()) };
    let capacity = capacity::size(&scenario, &CATALOG, &question)?;
    Ok((sized_up::report(&scenario, &capacity), capacity))
}

/// The answer for a scenario file of the repository with keys set, if there is one.
pub fn tried(way: Way, file: &str, sets: &[&str]) -> Result<Value> {
    answer(way, &shipped(file, sets)?)
}

/// The answer for a scenario file of the repository with keys set.
pub fn asked(way: Way, file: &str, sets: &[&str]) -> Value {
    tried(way, file, sets).unwrap_or_else(|error| panic!("{file} {sets:?}: {error}"))
}

/// Fails unless there is no answer, the command would end with this exit code, and the message
/// holds the part.
pub fn refuses(way: Way, file: &str, sets: &[&str], code: u8, part: &str) {
    let what = format!("{way:?} {file} {sets:?}");
    let error = tried(way, file, sets).err().unwrap_or_else(|| panic!("{what} has an answer"));
    assert_eq!(error.exit_code(), code, "{what}: {error}");
    holds(&what, &error.to_string(), &[part]);
}

/// What a derivation begins with.
pub fn leaves<'a>(step: &'a Step, found: &mut Vec<&'a Step>) {
    if matches!(step.how, Expr::Leaf(_)) {
        found.push(step);
    }
    for input in step.inputs() {
        leaves(input, found);
    }
}

/// The derivation of a figure as `flopcast explain` prints it.
pub fn explained(file: &str, sets: &[&str], path: &str) -> String {
    let told = shipped(file, sets).and_then(|scenario| report(&scenario));
    let told = told.unwrap_or_else(|error| panic!("{file} {sets:?}: {error}"));
    let key = Key::parse(path).unwrap_or_else(|| panic!("{path} is no figure"));
    let figure = told.figure(key).unwrap_or_else(|| panic!("no figure {path}"));
    tree::derivation(figure.step().unwrap_or_else(|| panic!("{path} has no derivation")))
}
