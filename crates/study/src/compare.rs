//! The differences between two forecasts, and the inputs that explain them.
//!
//! The effect of an input on a figure is the figure - the figure with that input alone as it was
//! before. Effects of inputs that multiply do not add up to the whole change.

use flopcast_core::diagnostic::Result;
use flopcast_core::estimate::{Engine, Key, Place};
use flopcast_core::ledger::footprint::comparable;
use flopcast_core::provenance::Inputs as _;

use super::aim::Aim;
use super::snapshot::{Snapshot, Stated, Told, stage};

/// The part of a figure below which a change is rounding.
const ROUNDING: f64 = 1e-9;

/// Two forecasts side by side.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The name of each.
    pub names: [String; 2],
    /// Figures that differ, in the order of the JSON.
    pub lines: Vec<Line>,
    /// Figures that are the same.
    pub same: usize,
    /// Stages that only one side has, with the number of their figures.
    pub stages: Vec<(String, usize)>,
    /// Inputs that differ; what moves the first aim most comes first.
    pub inputs: Vec<InputChange>,
    /// The aims that the effect of an input is measured by.
    pub aims: Vec<Aim>,
    /// The change of each aim as a whole.
    pub totals: Vec<Option<f64>>,
}

/// A figure that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Which it is; none for what is no figure, or none of this version's.
    pub figure: Option<Key>,
    /// Its path.
    pub path: String,
    /// Its value before.
    pub before: Side,
    /// Its value after.
    pub after: Side,
}

/// A forecast's value of a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Side {
    /// Nothing: it was not computed.
    Absent,
    /// That it is unknown.
    Unknown,
    /// Its value.
    Value(f64),
}

impl Side {
    /// One side's value of a path: absent, unknown, or a number.
    fn by(figures: &[Told], path: &str) -> Self {
        match figures.iter().find(|figure| figure.path == path) {
            None => Self::Absent,
            Some(figure) => figure.value.map_or(Self::Unknown, Self::Value),
        }
    }

    /// The value, where there is one.
    pub fn value(self) -> Option<f64> {
        match self {
            Self::Value(value) => Some(value),
            _ => None,
        }
    }
}

/// An input that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct InputChange {
    /// As it was.
    pub before: Option<Stated>,
    /// As it is.
    pub after: Option<Stated>,
    /// The part of each aim's figure that is due to this change, all others made.
    pub effects: Vec<Option<f64>>,
}

impl Comparison {
    /// The number of figures of a stage that only one side has; `None` if both or none have it.
    pub fn one_sided(&self, stage: &str) -> Option<usize> {
        self.stages.iter().find(|(name, _)| name == stage).map(|(_, count)| *count)
    }
}

impl Line {
    /// The part of the forecast that the figure is in.
    pub fn stage(&self) -> &str {
        stage(&self.path)
    }

    /// True if it is of a single year of service.
    pub fn is_of_a_year(&self) -> bool {
        self.figure.as_ref().is_some_and(|it| matches!(it.place, Place::Year(_)))
    }

    /// The mark of the change: `+` for a new figure, `-` for one that is gone, `~` for another
    /// value.
    pub fn mark(&self) -> char {
        match (self.before, self.after) {
            (Side::Absent, _) => '+',
            (_, Side::Absent) => '-',
            _ => '~',
        }
    }

    /// After - before, where both are known.
    pub fn difference(&self) -> Option<f64> {
        Some(self.after.value()? - self.before.value()?)
    }

    /// After / before - 1; `None` where one is unknown or the figure was zero.
    pub fn relative(&self) -> Option<f64> {
        let before = self.before.value().filter(|before| *before != 0.0)?;
        Some(self.difference()? / before.abs())
    }
}

/// Compares a forecast with an earlier or another one. With the engine of the later one, what each
/// input does is told too.
///
/// # Errors
/// Carbon intensities of different bases: their CO2e cannot be compared.
pub fn compare(
    before: &Snapshot,
    after: &Snapshot,
    engine: Option<&Engine>,
    aims: &[Aim],
) -> Result<Comparison> {
    for stage in Place::stages() {
        if let (Some(a), Some(b)) = (before.carbon_basis(stage), after.carbon_basis(stage)) {
            comparable(a, b).map_err(|error| {
                error.within(&format!("{stage} of {} and {}", before.name(), after.name()))
            })?;
        }
    }
    let (old, new) = (before.figures(), after.figures());
    let gone = old.iter().filter(|it| Side::by(new, &it.path) == Side::Absent);
    let lines: Vec<Line> = new
        .iter()
        .chain(gone)
        .map(|it| Line {
            figure: it.figure.clone(),
            path: it.path.clone(),
            before: Side::by(old, &it.path),
            after: Side::by(new, &it.path),
        })
        .collect();
    let all = lines.len();
    let lines: Vec<Line> = lines.into_iter().filter(differs).collect();
    let mut inputs = changes(before.inputs(), after.inputs());
    let known = |aim: &&Aim| engine.is_some_and(|engine| measure(engine, aim).is_some());
    let aims: Vec<Aim> = aims.iter().filter(known).cloned().collect();
    if let Some(engine) = engine {
        for change in &mut inputs {
            change.effects = effects(engine, change, &aims);
        }
    }
    let weight =
        |change: &InputChange| change.effects.first().copied().flatten().map_or(-1.0, f64::abs);
    inputs.sort_by(|a, b| weight(b).total_cmp(&weight(a)));
    let total = |aim: &Aim| Some(aim.value(new)? - aim.value(old)?);
    Ok(Comparison {
        names: [before.name().to_owned(), after.name().to_owned()],
        same: all - lines.len(),
        stages: one_sided(old, new),
        lines,
        inputs,
        totals: aims.iter().map(total).collect(),
        aims,
    })
}

/// Stages that only one side has.
fn one_sided(a: &[Told], b: &[Told]) -> Vec<(String, usize)> {
    let count = |side: &[Told], stage| side.iter().filter(|it| it.stage() == stage).count();
    Place::stages()
        .map(|stage| (count(a, stage), count(b, stage), stage.to_owned()))
        .filter(|(a, b, _)| (*a == 0) != (*b == 0))
        .map(|(a, b, stage)| (stage, a + b))
        .collect()
}

/// True if the two sides differ by more than rounding.
fn differs(line: &Line) -> bool {
    match (line.before, line.after) {
        (Side::Value(before), Side::Value(after)) => {
            (after - before).abs() > ROUNDING * before.abs().max(after.abs())
        }
        (before, after) => before != after,
    }
}

/// Pairs of inputs that differ: by name, and those left over by kind. An input of another device
/// has another name (`TDP of ...`): the same unit and the same first or last word are the same kind.
fn changes(before: Vec<Stated>, after: Vec<Stated>) -> Vec<InputChange> {
    let mut left = before;
    let mut pairs: Vec<InputChange> = Vec::new();
    let mut take = |wanted: &Stated, same: fn(&Stated, &Stated) -> bool| {
        left.iter().position(|other| same(other, wanted)).map(|at| left.remove(at))
    };
    let (mut named, mut rest) = (Vec::new(), Vec::new());
    for input in after {
        match take(&input, |a, b| a.name == b.name) {
            Some(old) => named.push((old, input)),
            None => rest.push(input),
        }
    }
    let change = |before, after| InputChange { before, after, effects: Vec::new() };
    for input in rest {
        pairs.push(change(take(&input, same_kind), Some(input)));
    }
    let moved = |(a, b): &(Stated, Stated)| {
        a.unit != b.unit || (a.value - b.value).abs() > ROUNDING * a.value.abs().max(b.value.abs())
    };
    let named = named.into_iter().filter(moved).map(|(a, b)| change(Some(a), Some(b)));
    let same = |pair: &InputChange| match (&pair.before, &pair.after) {
        (Some(a), Some(b)) => (a.value - b.value).abs() <= ROUNDING * a.value.abs(),
        _ => false,
    };
    pairs.retain(|pair| !same(pair));
    named.chain(pairs).chain(left.into_iter().map(|old| change(Some(old), None))).collect()
}

/// True if two inputs of different names are of one kind, such as `TDP of ...` of two devices.
fn same_kind(a: &Stated, b: &Stated) -> bool {
    let first = |it: &Stated| it.name.split([' ', ',']).next().map(str::to_owned);
    let last = |it: &Stated| it.name.rsplit(' ').next().map(str::to_owned);
    a.unit == b.unit && (first(a) == first(b) || last(a) == last(b))
}

/// The part of each aim that is due to a change: its figure - its figure with the input as it was.
fn effects(engine: &Engine, change: &InputChange, aims: &[Aim]) -> Vec<Option<f64>> {
    let (Some(before), Some(after)) = (&change.before, &change.after) else {
        return vec![None; aims.len()];
    };
    let mut other = engine.clone();
    let mut found = false;
    other.for_each_input(&mut |input| {
        if input.name() == after.name {
            input.set(before.value);
            found = true;
        }
    });
    let effect = |aim: &Aim| Some(measure(engine, aim)? - measure(&other, aim)?);
    aims.iter().map(|aim| effect(aim).filter(|_| found)).collect()
}

/// The aim's value in the forecast of an engine; `None` if it cannot be forecast.
fn measure(engine: &Engine, aim: &Aim) -> Option<f64> {
    aim.value_in(&engine.run().ok()?)
}
