//! `flopcast optimize --search`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use flopcast_core::diagnostic::{Error, Kind, Result};
use flopcast_core::quantity::text::number;
use flopcast_report::subject::search::Found;
use flopcast_scenario::document::{self, Node, Value};
use flopcast_study::search::evolve::{Settings, search};
use flopcast_study::search::plan::Plan;
use flopcast_study::search::point::{Facts, Frame, Points};
use flopcast_study::search::propose::propose;
use flopcast_study::search::student::student;
use serde_json::Value as Json;

use super::input::{document as scenario_of, read_bytes};
use super::progress::Progress;
use super::{Global, load, output};

/// The largest file of a search.
const MAX_BYTES: u64 = 1 << 20;

/// A space of architectures and compressions.
#[derive(Args, Debug)]
#[command(next_help_heading = "A space of architectures and compressions")]
pub(super) struct Space {
    /// Search a space of architectures and compressions: a file with `model`, `knobs`,
    /// `constraints`, `devices`, `limits`, `objectives`, `quality`, `teacher` (docs/search.md). With a
    /// scenario, any figure of `estimate` is a limit or an objective.
    #[arg(long = "search", id = "search", value_name = "SPACE.yaml", conflicts_with_all = ["size", "shapes"])]
    plan: Option<PathBuf>,
    /// Points judged at most; a larger space is searched by NSGA-II, unless its points differ in
    /// plain numbers of the scenario alone.
    #[arg(long, value_name = "N", default_value_t = 20_000, requires = "search", value_parser = clap::value_parser!(u64).range(16..=10_000_000))]
    evaluations: u64,
    /// Names the stream of random numbers: the same seed gives the same answer.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "search")]
    seed: u64,
    /// Name the next configurations worth measuring: those expected to add most to the front.
    #[arg(long, value_name = "N", requires = "search", value_parser = clap::value_parser!(u64).range(1..=100))]
    propose: Option<u64>,
    /// Write every point of the front, and every proposal, as a model file and a scenario into
    /// this folder.
    #[arg(short, long = "out", value_name = "DIR", requires = "search")]
    out: Option<PathBuf>,
    /// Draw the first two objectives against each other into this file.
    #[arg(long, value_name = "OUT.svg", requires = "search")]
    svg: Option<PathBuf>,
    /// Write over files that exist.
    #[arg(long, requires = "search")]
    force: bool,
}

impl Space {
    /// The space that is asked about, if one is.
    pub(super) fn asked(&self) -> Option<&Path> {
        self.plan.as_deref()
    }

    /// Searches the space, in a scenario where there is one.
    pub(super) fn run(
        &self,
        path: &Path,
        scenario: Option<&Path>,
        global: &Global,
    ) -> Result<ExitCode> {
        let name = path.display().to_string();
        let node = document::parse(&name, &read_bytes(path, MAX_BYTES)?)?;
        let catalog = load::catalog(global)?;
        let whole = scenario.map(|path| scenario_of(path, global)).transpose()?;
        let inherited = whole.as_ref().and_then(|it| it.get("model")).map(json);
        let files = load::Beside::new(path, global)?;
        let plan = Plan::read(&node, inherited.as_ref(), whole.is_some(), &files)?;
        let beside = scenario.map(|path| load::Beside::new(path, global)).transpose()?;
        let frame = whole.zip(beside.as_ref()).map(|(document, files)| Frame {
            document,
            catalog: &catalog,
            files,
        });
        let points = Points::new(&plan, frame, &catalog, &files)?;
        if let Some(path) = &self.svg {
            output::vacant(path, self.force)?;
        }
        let bar = Progress::new();
        let settings = Settings { evaluations: self.evaluations, seed: self.seed };
        let tally = search(&points, settings, &|done| {
            bar.show(&format!("{} judged", number(done as f64)));
        });
        drop(bar);
        let facts = |digits: &[usize]| points.facts(digits, false);
        let front: Vec<Facts> =
            tally.front.iter().map(|(digits, _)| facts(digits)).collect::<Result<_>>()?;
        let nearest = tally.nearest.as_ref().filter(|_| front.is_empty());
        let nearest = nearest.map(|(digits, _)| facts(digits)).transpose()?;
        let proposals = match self.propose {
            Some(count) if !front.is_empty() => propose(&points, &tally, count as usize)?,
            _ => Vec::new(),
        };
        let best = tally.front.first().filter(|_| plan.teacher.is_some());
        let student = best.map(|(digits, _)| student(&points, digits)).transpose()?;
        let found = Found {
            points: &points,
            tally: &tally,
            front: &front,
            nearest: nearest.as_ref(),
            proposals: &proposals,
            student: student.as_ref(),
        };
        if let Some(folder) = &self.out {
            let proposed = proposals.iter().map(|it| &it.facts);
            self.write(folder, "front", front.iter(), &points, scenario)?;
            self.write(folder, "measure", proposed, &points, scenario)?;
        }
        if let Some(path) = &self.svg {
            let picture = found.svg().ok_or_else(|| {
                Error::limit("there are no two objectives with points within the limits to draw")
            })?;
            output::write(path, &picture, self.force)?;
        }
        global.print(&found)?;
        Ok(if front.is_empty() { ExitCode::from(Kind::Limit as u8) } else { ExitCode::SUCCESS })
    }

    /// Points as model files, each with a scenario beside it.
    fn write<'f>(
        &self,
        folder: &Path,
        kind: &str,
        facts: impl Iterator<Item = &'f Facts>,
        points: &Points<'_>,
        scenario: Option<&Path>,
    ) -> Result<()> {
        let cannot = |error: std::io::Error| {
            Error::input(format!("cannot make {}: {error}", folder.display()))
        };
        std::fs::create_dir_all(folder).map_err(cannot)?;
        // A scenario names what it extends from where it lies.
        let extends = scenario.map(|path| from(folder, path)).transpose().map_err(cannot)?;
        for (facts, number) in facts.zip(1..) {
            let name = format!("{kind}-{number:02}");
            let (model, plan) = points.written(facts, &name, extends.as_deref());
            output::write(&folder.join(format!("{name}.model.yaml")), &model, self.force)?;
            output::write(&folder.join(format!("{name}.yaml")), &plan, self.force)?;
        }
        Ok(())
    }
}

/// The path of a file as seen from a folder.
fn from(folder: &Path, file: &Path) -> std::io::Result<String> {
    let (folder, file) = (std::fs::canonicalize(folder)?, std::fs::canonicalize(file)?);
    let shared = folder.components().zip(file.components()).take_while(|(a, b)| a == b).count();
    let up = folder.components().skip(shared).map(|_| "..".to_owned());
    let down = file.components().skip(shared);
    let down = down.map(|part| part.as_os_str().to_string_lossy().into_owned());
    Ok(up.chain(down).collect::<Vec<_>>().join("/"))
}

/// A part of a document without its places.
fn json(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(truth) => Json::Bool(*truth),
        Value::Number(number) if number.fract() == 0.0 && number.abs() < 9e15 => {
            Json::from(*number as i64)
        }
        Value::Number(number) => Json::from(*number),
        Value::Text(text) => Json::String(text.clone()),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(entries) => {
            entries.iter().map(|(key, node)| (key.name.clone(), json(node))).collect()
        }
    }
}
