//! Many combinations at a time: what they share is resolved once, and a plain number that varies is
//! set where the plan holds it.
//!
//! A key of [`PLAIN`] is read as one number into inputs of the plan, and decides nothing else. So
//! combinations that agree in all other axes have one engine: their numbers are set in it one after
//! the other, as ranges draw theirs. The digits are those of a scenario that is read anew, which a
//! test over many keys holds.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::Engine;
use flopcast_core::provenance::{Basis, Expr, Inputs as _, Step};
use flopcast_core::quantity::text::parse_stored;
use flopcast_scenario::document::{Node, Value};
use flopcast_scenario::spelling;
use rayon::prelude::*;

use super::aim::Aim;
use super::space::{Point, Space, obstacle};

/// Keys that are read as a number into the inputs of a plan, and that decide nothing else: no
/// choice, no error, no other input. By their section.
const PLAIN: &[(&str, &[&str])] = &[
    ("placement", PLACE),
    ("placement", &["interruptions"]),
    ("inference.placement", PLACE),
    ("finance", &["discount_rate", "price_change"]),
    ("training.costs", COSTS),
    ("training.costs", &["storage.retention", "checkpoints.price", "checkpoints.retention"]),
    ("inference.costs", COSTS),
    ("inference.api", &["input_price", "cached_input_price", "output_price"]),
    ("inference", &["target_utilisation", "traffic.requests", "traffic.growth"]),
];
const PLACE: &[&str] = &[
    "pue",
    "wue",
    "grid",
    "grid_water",
    "upstream",
    "marginal",
    "contracts.residual_mix",
    "discount",
    "unused_commitment",
    "purchase.price",
    "embodied.device",
    "embodied.server",
    "embodied.lifetime",
    "embodied.utilisation",
];
const COSTS: &[&str] = &[
    "storage.data",
    "storage.price",
    "egress.data",
    "egress.price",
    "staff.fte",
    "staff.cost",
    "staff.duration",
];

/// Combinations that one thread forecasts at a time, at most.
const TOGETHER: usize = 512;
/// Parts of as many combinations are handed out between two words on progress.
const PARTS: usize = 64;

/// True if a key is a plain number.
pub(crate) fn is_plain(path: &str) -> bool {
    let of = |(section, keys): &(&str, &[&str])| {
        let key = path.strip_prefix(section).and_then(|rest| rest.strip_prefix('.'));
        key.is_some_and(|key| keys.contains(&key))
    };
    !spelling::concerns(path) && PLAIN.iter().any(of)
}

/// The values of the axes of plain numbers, as the plan stores them; what their key cannot have as
/// one number is not a number.
#[derive(Default)]
pub(crate) struct Numbers(Mutex<BTreeMap<usize, Arc<Vec<f64>>>>);

impl Numbers {
    /// The values of an axis whose input is of the dimension of `leaf`.
    fn of(&self, axis: usize, leaf: &Step, space: &Space<'_>) -> Arc<Vec<f64>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.entry(axis).or_default();
        let choices = &space.axes()[axis].choices;
        if known.len() < choices.len() {
            let value = |choice: usize| {
                let [set] = choices[choice].sets.as_slice() else { return f64::NAN };
                if !space.checked() {
                    let mut digits = vec![0; space.axes().len()];
                    digits[axis] = choice;
                    if space.file(&digits).is_err() {
                        return f64::NAN;
                    }
                }
                let text = number(set.node());
                text.and_then(|text| parse_stored(&text, leaf.dimension).ok()).unwrap_or(f64::NAN)
            };
            let news: Vec<f64> = (known.len()..choices.len()).map(value).collect();
            Arc::make_mut(known).extend(news);
        }
        Arc::clone(known)
    }
}

/// The text of one number.
fn number(node: &Node) -> Option<String> {
    match &node.value {
        Value::Number(number) => Some(number.to_string()),
        Value::Text(text) => Some(text.clone()),
        _ => None,
    }
}

/// Combinations, one after the other. The engine of the last one serves the next where they differ
/// in plain numbers alone.
#[derive(Default)]
pub(crate) struct Walk {
    /// The digits of the engine: the first of plain numbers.
    common: Vec<usize>,
    engine: Option<Result<Common>>,
}

/// The engine of combinations that differ in plain numbers.
struct Common {
    engine: Engine,
    /// The inputs of the engine that plain numbers are set in, in their order; none where the plan
    /// does not hold them so.
    set: Option<Vec<Slot>>,
}

/// An input, by its place among those of an engine, and the axis that it is a number of.
struct Slot {
    input: usize,
    axis: usize,
    numbers: Arc<Vec<f64>>,
}

impl Walk {
    /// The forecast of a combination of a space, which is that of the combinations before, with what
    /// hinders it.
    ///
    /// # Errors
    /// As [`Space::forecast`].
    pub(crate) fn forecast(&mut self, space: &Space<'_>, digits: &[usize]) -> Result<Point> {
        let plain = space.plain();
        if !plain.contains(&true) {
            return space.forecast(digits);
        }
        let other = |((known, digit), plain): ((&usize, &usize), &bool)| !plain && known != digit;
        if self.engine.is_none() || self.common.iter().zip(digits).zip(plain).any(other) {
            let first = |(digit, plain): (&usize, &bool)| if *plain { 0 } else { *digit };
            self.common = digits.iter().zip(plain).map(first).collect();
            self.engine = Some(Common::new(space, &self.common));
        }
        let common = match self.engine.as_mut() {
            Some(Ok(common)) => common,
            // A plain number is not what cannot be resolved.
            Some(Err(error)) => return Err(error.clone()),
            None => return space.forecast(digits),
        };
        if !common.move_to(digits) {
            return space.forecast(digits);
        }
        let estimate = common.engine.run()?;
        Ok(Point { obstacle: obstacle(&common.engine, &estimate), estimate: Some(estimate) })
    }
}

impl Common {
    fn new(space: &Space<'_>, digits: &[usize]) -> Result<Self> {
        let (mut engine, sized) = space.ready(digits)?;
        let set = if sized && space.serves_plain() { None } else { slots(&mut engine, space) };
        Ok(Self { engine, set })
    }

    /// Sets the numbers of a combination; false where the plan does not hold them.
    fn move_to(&mut self, digits: &[usize]) -> bool {
        let Some(slots) = &self.set else { return false };
        let value = |slot: &Slot| slot.numbers[digits[slot.axis]];
        if slots.iter().any(|slot| value(slot).is_nan()) {
            return false;
        }
        let (mut index, mut rest) = (0, slots.iter().peekable());
        self.engine.for_each_input(&mut |input| {
            if let Some(slot) = rest.next_if(|slot| slot.input == index) {
                input.set(value(slot));
            }
            index += 1;
        });
        true
    }
}

/// The inputs of an engine that cite the settings of plain axes; none where an axis has no input, or
/// one that holds another value than its own.
fn slots(engine: &mut Engine, space: &Space<'_>) -> Option<Vec<Slot>> {
    let plain = space.axes().iter().enumerate().zip(space.plain()).filter(|(_, plain)| **plain);
    let cited: Vec<(usize, String)> = plain
        .map(|((axis, values), _)| (axis, values.choices[0].sets[0].node().place.cited()))
        .collect();
    let (mut slots, mut index, mut sound) = (Vec::new(), 0, true);
    engine.for_each_input(&mut |input| {
        let leaf = input.leaf();
        if let Expr::Leaf(Basis::Given { place, .. }) = &leaf.how
            && let Some((axis, _)) = cited.iter().find(|(_, cited)| cited == place)
        {
            let numbers = space.numbers().of(*axis, leaf, space);
            sound &= numbers[0].to_bits() == leaf.value.to_bits();
            slots.push(Slot { input: index, axis: *axis, numbers });
        }
        index += 1;
    });
    let held = |(axis, _): &(usize, String)| slots.iter().any(|slot| slot.axis == *axis);
    (sound && cited.iter().all(held)).then_some(slots)
}

/// The figures of many combinations.
pub(crate) struct Figures {
    columns: usize,
    /// Combination by combination; what is absent or unknown is not a number.
    values: Vec<f64>,
    /// Why a combination cannot be done, by its place.
    obstacles: BTreeMap<usize, String>,
}

impl Figures {
    /// The figures of the combination at a place, into a row, and what hinders it.
    pub(crate) fn read(&mut self, at: usize, row: &mut Vec<Option<f64>>) -> Option<String> {
        let values = &self.values[at * self.columns..][..self.columns];
        row.clear();
        row.extend(values.iter().map(|value| (!value.is_nan()).then_some(*value)));
        self.obstacles.remove(&at)
    }
}

/// What becomes of an error of the combination at a place, by its digits.
type Wrong<'b> = &'b (dyn Fn(usize, &[usize], Error) -> Result<Point> + Sync);

/// Values of some combinations, one after the other, and what hinders those of some places.
type Part = (Vec<f64>, Vec<(usize, String)>);

/// Combinations to forecast together.
pub(crate) struct Batch<'b> {
    /// How many there are.
    pub count: usize,
    /// Writes the digits of the combination at a place.
    pub digits: &'b (dyn Fn(usize, &mut [usize]) + Sync),
    /// The figures that are wanted.
    pub columns: &'b [Aim],
}

impl Batch<'_> {
    /// Forecasts them; `wrong` says what becomes of an error of the combination at a place.
    ///
    /// # Errors
    /// A column that no forecast has; what `wrong` or `progress` refuses.
    pub(crate) fn run(
        &self,
        space: &Space<'_>,
        wrong: Wrong<'_>,
        progress: &mut dyn FnMut(usize) -> Result<()>,
    ) -> Result<Figures> {
        let width = self.columns.len();
        let mut all = Figures {
            columns: width,
            values: vec![f64::NAN; self.count * width],
            obstacles: BTreeMap::new(),
        };
        let work = |places: &[u32]| -> Result<Part> {
            let mut walk = Walk::default();
            let mut digits = vec![0; space.axes().len()];
            let (mut values, mut obstacles) =
                (Vec::with_capacity(places.len() * width), Vec::new());
            for at in places.iter().map(|at| *at as usize) {
                (self.digits)(at, &mut digits);
                let point = match walk.forecast(space, &digits) {
                    Ok(point) => point,
                    Err(error) => wrong(at, &digits, error)?,
                };
                read(&point, self.columns, &mut values)?;
                obstacles.extend(point.obstacle.map(|why| (at, why)));
            }
            Ok((values, obstacles))
        };
        let mut done = 0;
        let mut take = |places: &[u32], part: Result<Part>| {
            let (values, obstacles) = part?;
            for (at, row) in places.iter().zip(values.chunks_exact(width.max(1))) {
                all.values[*at as usize * width..][..width].copy_from_slice(row);
            }
            all.obstacles.extend(obstacles);
            done += places.len();
            progress(done)
        };
        let mut digits = vec![0; space.axes().len()];
        let common = |at: usize| {
            (self.digits)(at, &mut digits);
            let axes = digits.iter().zip(space.axes()).zip(space.plain());
            axes.filter(|(_, plain)| !**plain).fold(0_u64, |number, ((digit, axis), _)| {
                number.wrapping_mul(axis.choices.len() as u64).wrapping_add(*digit as u64)
            })
        };
        grouped(self.count, common, work, &mut take)?;
        Ok(all)
    }
}

/// What takes the result of some places.
type Take<'t, R, E> = &'t mut dyn FnMut(&[u32], R) -> std::result::Result<(), E>;

/// Works on `count` places in parallel, those of one number together, some at a time; `take` gets
/// what comes of each part of them.
///
/// # Errors
/// What `take` refuses.
pub(crate) fn grouped<R: Send, E>(
    count: usize,
    number: impl FnMut(usize) -> u64,
    work: impl Fn(&[u32]) -> R + Sync,
    take: Take<'_, R, E>,
) -> std::result::Result<(), E> {
    let mut order: Vec<u32> = (0..count as u32).collect();
    let numbers: Vec<u64> = (0..count).map(number).collect();
    if !numbers.is_sorted() {
        order.sort_by_key(|at| numbers[*at as usize]);
    }
    drop(numbers);
    let part = (count / (16 * rayon::current_num_threads())).clamp(1, TOGETHER);
    for places in order.chunks(part * PARTS) {
        let parts: Vec<R> = places.par_chunks(part).map(&work).collect();
        places.chunks(part).zip(parts).try_for_each(|(places, part)| take(places, part))?;
    }
    Ok(())
}

/// Some figures of a combination; none is absent or unknown.
///
/// # Errors
/// If a column is no figure of the forecast.
fn read(point: &Point, columns: &[Aim], into: &mut Vec<f64>) -> Result<()> {
    for column in columns {
        let value = point.estimate.as_ref().and_then(|estimate| column.value_in(estimate));
        if let (None, Some(estimate)) = (value, &point.estimate)
            && !column.is_in(estimate)
        {
            column.check(&estimate.figures())?;
        }
        into.push(value.unwrap_or(f64::NAN));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
