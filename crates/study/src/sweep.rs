//! Every combination of a space, forecast: rows in order, the front of those that no other beats,
//! and why the rest cannot be done. Memory does not grow with the number of combinations.

use std::collections::BTreeMap;

use flopcast_core::diagnostic::{Error, Result};

use super::aim::Aim;
use super::batch::Batch;
use super::pareto;
use super::space::{Point, Space};

/// Values that are held at a time until their rows have passed: 16 MB.
const HELD: usize = 1 << 21;
/// Rows that are held at a time where their order shares nothing.
const TOGETHER: usize = 1 << 13;

/// One combination.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its number in the space.
    pub number: u64,
    /// Its figures, in the order of the columns; none is absent or unknown.
    pub values: Vec<Option<f64>>,
    /// Why it cannot be done, where it cannot.
    pub obstacle: Option<String>,
}

/// The question of a sweep.
#[derive(Clone, Debug)]
pub struct Question {
    /// The figures of each row.
    pub columns: Vec<Aim>,
    /// The columns that the front is measured by; one that no feasible row knows is left out.
    pub front: Vec<Aim>,
}

/// The summary of a sweep when its rows have passed.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Combinations.
    pub rows: u64,
    /// Those that can be done.
    pub feasible: u64,
    /// The aims of the front: those that any feasible row knows.
    pub aims: Vec<Aim>,
    /// The rows that know every aim and that no other beats, in order of the first aim.
    pub front: Vec<Row>,
    /// The aims that were asked for with the number of feasible rows that do not know them, where
    /// there are any.
    pub unknown: Vec<(Aim, u64)>,
    /// Obstacles with the number of rows that they stop, the commonest first.
    pub obstacles: Vec<(String, u64)>,
    /// Some of the feasible rows, evenly picked, for a plot.
    pub sample: Vec<Row>,
}

/// Most obstacles that are told apart, and most rows of the sample.
const OBSTACLES: usize = 64;
const SAMPLE: usize = 2000;

/// Forecasts every combination; `each` gets the rows in order, some time after `progress` has told
/// that they are done.
///
/// # Errors
/// A column that no forecast has; what `each` or `progress` refuses.
pub fn run(
    space: &Space<'_>,
    question: &Question,
    each: &mut dyn FnMut(&Row) -> Result<()>,
    progress: &dyn Fn(u64) -> Result<()>,
) -> Result<Summary> {
    let mut collector = Collector::new(question);
    let mut row = Row { number: 0, values: Vec::new(), obstacle: None };
    let shared = space.plain().contains(&true);
    let most = if shared { HELD / question.columns.len().max(1) } else { TOGETHER };
    let together = most as u64;
    let mut start = 0;
    while start < space.len() {
        let count = together.min(space.len() - start) as usize;
        let digits = |at: usize, into: &mut [usize]| space.write_digits(start + at as u64, into);
        let batch = Batch { count, digits: &digits, columns: &question.columns };
        let wrong = |_: usize, _: &[usize], error: Error| Ok(Point::impossible(&error));
        let mut figures = batch.run(space, &wrong, &mut |done| progress(start + done as u64))?;
        for at in 0..count {
            row.number = start + at as u64;
            row.obstacle = figures.read(at, &mut row.values);
            each(&row)?;
            collector.add(&row);
        }
        start += count as u64;
    }
    Ok(collector.finish())
}

struct Collector<'a> {
    question: &'a Question,
    /// Positions among the columns of the aims that were asked for, and how many feasible rows do
    /// not know each.
    asked: Vec<(usize, u64)>,
    obstacles: BTreeMap<String, u64>,
    /// Every how many feasible rows one is kept for the plot.
    stride: u64,
    front: pareto::Front<Row>,
    summary: Summary,
}

impl<'a> Collector<'a> {
    /// The summary of no rows.
    fn new(question: &'a Question) -> Self {
        let columns = &question.columns;
        let column = |aim: &Aim| columns.iter().position(|column| column.key == aim.key);
        let asked = question.front.iter().filter_map(column).map(|at| (at, 0)).collect();
        Self {
            question,
            asked,
            obstacles: BTreeMap::new(),
            stride: 1,
            front: pareto::Front::default(),
            summary: Summary::default(),
        }
    }

    /// Adds a row.
    fn add(&mut self, row: &Row) {
        self.summary.rows += 1;
        if let Some(obstacle) = &row.obstacle {
            let room = self.obstacles.len() < OBSTACLES || self.obstacles.contains_key(obstacle);
            let key = if room { obstacle.as_str() } else { "other reasons" };
            *self.obstacles.entry(key.to_owned()).or_default() += 1;
            return;
        }
        if self.summary.feasible.is_multiple_of(self.stride) {
            self.summary.sample.push(row.clone());
            if self.summary.sample.len() > SAMPLE {
                let mut index = 0;
                self.summary.sample.retain(|_| {
                    index += 1;
                    index % 2 == 1
                });
                self.stride *= 2;
            }
        }
        // A front of the rows before the first that knows an aim lacks it, and ends.
        let before = self.summary.feasible;
        let first = |(at, unknown): &(usize, u64)| *unknown == before && row.values[*at].is_some();
        if self.asked.iter().any(first) {
            self.front = pareto::Front::default();
        }
        self.summary.feasible += 1;
        for (at, unknown) in &mut self.asked {
            *unknown += u64::from(row.values[*at].is_none());
        }
        let columns = &self.question.columns;
        let ranks = self.aims().map(|at| columns[at].rank(row.values[at]));
        if let Some(ranks) = ranks.collect::<Option<Vec<f64>>>().filter(|it| !it.is_empty()) {
            self.front.offer(ranks, || row.clone());
        }
    }

    /// Positions of the aims that a feasible row knows.
    fn aims(&self) -> impl Iterator<Item = usize> {
        let feasible = self.summary.feasible;
        self.asked.iter().filter(move |(_, unknown)| *unknown < feasible).map(|(at, _)| *at)
    }

    /// The summary of the rows so far.
    fn finish(mut self) -> Summary {
        let columns = &self.question.columns;
        self.summary.aims = self.aims().map(|at| columns[at].clone()).collect();
        let unknown = self.asked.iter().filter(|(_, unknown)| *unknown > 0);
        self.summary.unknown = unknown.map(|(at, rows)| (columns[*at].clone(), *rows)).collect();
        self.summary.front = self.front.into_best();
        let mut obstacles: Vec<_> = self.obstacles.into_iter().collect();
        obstacles.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        self.summary.obstacles = obstacles;
        self.summary
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The front is the same in any order of the rows, and each row of it knows every aim.
        #[test]
        fn the_order_of_the_rows_is_nothing_to_the_front(
            rows in prop::collection::vec(prop::array::uniform2(prop::option::of(0..9_u8)), 0..9)
                .prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
        ) {
            let aims = ["cost", "days"].map(Aim::read).to_vec();
            let question = Question { columns: aims.clone(), front: aims };
            let summary = |rows: &[[Option<u8>; 2]]| {
                let mut collector = Collector::new(&question);
                for (number, row) in (0..).zip(rows) {
                    let values = row.map(|value| value.map(f64::from)).to_vec();
                    collector.add(&Row { number, values, obstacle: None });
                }
                collector.finish()
            };
            let (one, other) = (summary(&rows.0), summary(&rows.1));
            let front = |it: &Summary| -> Vec<_> {
                it.front.iter().map(|row| row.values.clone()).collect()
            };
            prop_assert_eq!(front(&one), front(&other));
            prop_assert_eq!(&one.aims, &other.aims);
            prop_assert_eq!(&one.unknown, &other.unknown);
            for (at, aim) in question.columns.iter().enumerate() {
                let known = rows.0.iter().any(|row| row[at].is_some());
                prop_assert_eq!(known, one.aims.contains(aim));
                prop_assert!(!known || one.front.iter().all(|row| row.values[at].is_some()));
            }
        }
    }
}
