//! Every combination of a space, forecast: rows in order, the front of those that no other beats,
//! and why the rest cannot be done. Memory does not grow with the number of combinations.

use std::collections::BTreeMap;

use flopcast_core::diagnostic::Result;
use rayon::prelude::*;

use super::aim::Aim;
use super::pareto;
use super::space::{Point, Space};

/// Combinations that are forecast together; between them progress is told.
const TOGETHER: u64 = 2048;

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

/// Forecasts every combination; `each` gets the rows in order, `progress` the number that is done.
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
    let mut start = 0;
    while start < space.len() {
        let end = space.len().min(start + TOGETHER);
        let points: Vec<_> =
            (start..end).into_par_iter().map(|number| row(space, question, number)).collect();
        for row in points {
            let row = row?;
            each(&row)?;
            collector.add(row);
        }
        progress(end)?;
        start = end;
    }
    Ok(collector.finish())
}

/// The row of a combination.
///
/// # Errors
/// If a column is no figure of the forecast.
fn row(space: &Space<'_>, question: &Question, number: u64) -> Result<Row> {
    let point = space.point(number);
    Ok(Row { number, values: values(&point, &question.columns)?, obstacle: point.obstacle })
}

/// Some figures of a combination; none is absent or unknown.
///
/// # Errors
/// If a column is no figure of the forecast.
pub(crate) fn values(point: &Point, columns: &[Aim]) -> Result<Vec<Option<f64>>> {
    if let Some(estimate) = &point.estimate {
        let missing = |column: &&Aim| !column.is_short() && !column.is_in(estimate);
        if let Some(column) = columns.iter().find(missing) {
            column.check(&estimate.figures())?;
        }
    }
    let value = |aim: &Aim| aim.value_in(point.estimate.as_ref()?);
    Ok(columns.iter().map(value).collect())
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
    fn add(&mut self, row: Row) {
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
            self.front.offer(ranks, row);
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
