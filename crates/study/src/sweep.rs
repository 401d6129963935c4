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
    /// The columns that the front is measured by; one that the first feasible row does not know
    /// is left out.
    pub front: Vec<Aim>,
}

/// The summary of a sweep when its rows have passed.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Combinations.
    pub rows: u64,
    /// Those that can be done.
    pub feasible: u64,
    /// The aims of the front.
    pub aims: Vec<Aim>,
    /// The rows that no other beats, in order of the first aim.
    pub front: Vec<Row>,
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
    /// Positions of the aims among the columns, once a feasible row tells which are known.
    aims: Vec<usize>,
    obstacles: BTreeMap<String, u64>,
    /// Every how many feasible rows one is kept for the plot.
    stride: u64,
    front: pareto::Front<Row>,
    summary: Summary,
}

impl<'a> Collector<'a> {
    /// The summary of no rows.
    fn new(question: &'a Question) -> Self {
        Self {
            question,
            aims: Vec::new(),
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
        self.summary.feasible += 1;
        let columns = &self.question.columns;
        if self.aims.is_empty() {
            let column = |aim: &Aim| columns.iter().position(|column| column.key == aim.key);
            let asked = self.question.front.iter().filter_map(column);
            self.aims = asked.filter(|&at| row.values[at].is_some()).collect();
        }
        let ranks = self.aims.iter().map(|&at| columns[at].rank(row.values[at]));
        if let Some(ranks) = ranks.collect::<Option<Vec<f64>>>() {
            self.front.offer(ranks, || row.clone());
        }
    }

    /// The summary of the rows so far.
    fn finish(mut self) -> Summary {
        self.summary.aims = self.aims.iter().map(|&at| self.question.columns[at].clone()).collect();
        self.summary.front = self.front.into_best();
        let mut obstacles: Vec<_> = self.obstacles.into_iter().collect();
        obstacles.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        self.summary.obstacles = obstacles;
        self.summary
    }
}
