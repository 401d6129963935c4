//! Quality as somebody measured it: a table of results, and what it says about other points.
//!
//! ```text
//! hidden_size,num_hidden_layers,quantization,top1        columns: knobs or counted figures, score
//! 384,12,none,79.8                                       repeats are rows of their own
//! ```
//! A Gaussian process ([`super::gaussian`]) is fitted to the rows. Every row is also left out and
//! predicted by the others: the error of that, and the width that holds 80 % of the rows, go with
//! every prediction. Numbers that span much are read as logarithms, texts as sets of their words.

use flopcast_core::diagnostic::{Error, Result};

use super::gaussian::{self, Gaussian};
use crate::uncertainty::percentile;

/// The most rows of a table of measurements.
const MOST_ROWS: usize = 2000;
/// The fewest rows that a left-out error means anything for.
const FEWEST_ROWS: usize = 5;
/// Greatest / least value from which a column of positive numbers is read as logarithms.
const SPAN: f64 = 4.0;
/// The share of the rows that an interval holds, and the normal quantile of such an interval.
const HELD: f64 = 0.8;
/// The 90th percentile of the normal distribution: what an 80 % interval reaches.
const NORMAL: f64 = 1.281_551_565_5;

/// A table of results: what was varied, and the score of each row.
#[derive(Clone, Debug)]
pub struct Table {
    /// The name of the file.
    pub name: String,
    /// The columns that say a configuration.
    pub columns: Vec<String>,
    /// The name of the score.
    pub score: String,
    /// Cells and score of each row.
    pub rows: Vec<(Vec<String>, f64)>,
}

impl Table {
    /// Reads a table, whose column `score` is the score; `wanted` says which others say a
    /// configuration, all where it is none.
    ///
    /// # Errors
    /// No such column (with the nearest ones), no other column, a score or cell that is missing or
    /// no finite number (with its line), fewer rows than a left-out error needs.
    pub fn read(name: &str, text: &str, score: &str, wanted: Option<&[String]>) -> Result<Self> {
        let wrong = |message: String| {
            Error::input(message).within(name).hint(format!(
                "a header of knobs and `{score}`, then one row per configuration that was measured"
            ))
        };
        let mut reader =
            csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
        let header = reader.headers().map_err(|error| wrong(error.to_string()))?.clone();
        let place = |column: &str| {
            header.iter().position(|it| it == column).ok_or_else(|| {
                wrong(format!("there is no column `{column}`")).suggest(column, header.iter())
            })
        };
        let at = place(score)?;
        let others: Vec<usize> = match wanted {
            Some(wanted) => wanted.iter().map(|it| place(it)).collect::<Result<_>>()?,
            None => (0..header.len()).filter(|other| *other != at).collect(),
        };
        if others.is_empty() {
            return Err(wrong("no column says a configuration".to_owned()));
        }
        let mut rows = Vec::new();
        for (record, line) in reader.records().zip(2..) {
            let record = record.map_err(|error| wrong(error.to_string()))?;
            let value = record[at].parse().ok().filter(|value: &f64| value.is_finite());
            let value = value
                .ok_or_else(|| wrong(format!("line {line}: `{}` is no {score}", &record[at])))?;
            let cells: Vec<String> = others.iter().map(|it| record[*it].to_owned()).collect();
            if let Some((cell, column)) = cells.iter().zip(&others).find(|(cell, _)| lost(cell)) {
                let column = &header[*column];
                return Err(wrong(format!("line {line}: `{cell}` is no {column}")));
            }
            rows.push((cells, value));
            if rows.len() > MOST_ROWS {
                return Err(wrong(format!("there are more than {MOST_ROWS} rows")));
            }
        }
        let columns = others.iter().map(|it| header[*it].to_owned()).collect();
        let table = Self { name: name.to_owned(), columns, score: score.to_owned(), rows };
        let distinct = table.distinct();
        if distinct < FEWEST_ROWS {
            return Err(wrong(format!(
                "{distinct} configuration(s) cannot say how wrong a prediction is"
            ))
            .hint(format!("measure at least {FEWEST_ROWS}; `--propose` works from then on")));
        }
        Ok(table)
    }

    /// Configurations that differ.
    pub fn distinct(&self) -> usize {
        let cells: std::collections::BTreeSet<_> =
            self.rows.iter().map(|(cells, _)| cells).collect();
        cells.len()
    }

    /// True if a configuration was measured.
    pub fn has(&self, cells: &[String]) -> bool {
        self.rows.iter().any(|(known, _)| known.iter().zip(cells).all(|(a, b)| same(a, b)))
    }
}

/// A cell without a value.
fn lost(cell: &str) -> bool {
    cell.is_empty() || cell.parse::<f64>().is_ok_and(|value| !value.is_finite())
}

/// Equal as numbers or as texts.
fn same(a: &str, b: &str) -> bool {
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a.total_cmp(&b).is_eq(),
        _ => a == b,
    }
}

/// A plain number, or a share in percent.
fn number(text: &str) -> Option<f64> {
    let (text, unit) = text.strip_suffix('%').map_or((text, 1.0), |rest| (rest.trim(), 0.01));
    text.parse::<f64>().ok().map(|value| value * unit)
}

/// The numbers of a cell, where it is a number or a list of them.
fn numbers(text: &str) -> Option<Vec<f64>> {
    match text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(list) => list.split(',').map(|part| number(part.trim())).collect(),
        None => number(text).map(|value| vec![value]),
    }
}

/// The words of a text: runs of letters, runs of digits.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before = None;
    for c in text.chars() {
        let kind = (c.is_alphabetic(), c.is_numeric());
        if kind != (false, false) {
            match words.last_mut() {
                Some(word) if before == Some(kind) => word.extend(c.to_lowercase()),
                _ => words.push(c.to_lowercase().collect()),
            }
        }
        before = Some(kind);
    }
    words
}

/// How a column becomes features.
#[derive(Clone, Debug)]
enum Reading {
    /// Numbers, each: logarithm, mean, spread.
    Numbers(Vec<(bool, f64, f64)>),
    /// The words that are known, each a feature.
    Words(Vec<String>),
}

/// Two words of a pair are as far as one spread of a number is, shared among a column's words.
const WORD: f64 = 1.0;

impl Reading {
    fn of(cells: &[&str]) -> Self {
        let lists: Option<Vec<Vec<f64>>> = cells.iter().map(|cell| numbers(cell)).collect();
        let lists = lists.filter(|lists| lists.iter().all(|list| list.len() == lists[0].len()));
        let Some(lists) = lists else {
            let mut known: Vec<String> = cells.iter().flat_map(|cell| words(cell)).collect();
            known.sort();
            known.dedup();
            // A word of one row alone, or of all, tells nothing about another row.
            let rows = |word: &String| cells.iter().filter(|it| words(it).contains(word)).count();
            known.retain(|word| rows(word) > 1 && rows(word) < cells.len());
            return Self::Words(known);
        };
        let scale = |at: usize| {
            let values = || lists.iter().map(|list| list[at]);
            let (low, high) = values()
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), it| {
                    (it.min(low), it.max(high))
                });
            let by_ratio = low > 0.0 && high / low >= SPAN;
            let read = |value: f64| if by_ratio { value.ln() } else { value };
            let count = lists.len() as f64;
            let mean = values().map(read).sum::<f64>() / count;
            let square = values().map(|it| (read(it) - mean).powi(2)).sum::<f64>() / count;
            let spread = square.sqrt();
            (by_ratio, mean, if spread > 0.0 { spread } else { 1.0 })
        };
        Self::Numbers((0..lists[0].len()).map(scale).collect())
    }

    /// The features of a cell; none where it is not of the column's kind.
    fn features(&self, cell: &str, into: &mut Vec<f64>) -> Option<()> {
        match self {
            Self::Numbers(scales) => {
                let values = numbers(cell).filter(|values| values.len() == scales.len())?;
                for (value, (by_ratio, mean, spread)) in values.iter().zip(scales) {
                    let value = if *by_ratio { value.ln() } else { *value };
                    into.push((value - mean) / spread);
                }
                into.last().is_none_or(|it| it.is_finite()).then_some(())
            }
            Self::Words(known) => {
                let there = words(cell);
                into.extend(known.iter().map(|it| if there.contains(it) { WORD } else { 0.0 }));
                Some(())
            }
        }
    }
}

/// A table and what it says of points that nobody measured.
#[derive(Clone, Debug)]
pub struct Surrogate {
    /// The table.
    pub table: Table,
    /// What leaving out one row after the other shows.
    pub error: LeftOut,
    readings: Vec<Reading>,
    process: Gaussian,
}

/// How wrong the surrogate is about rows that it was not shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LeftOut {
    /// Median of the absolute errors.
    pub median: f64,
    /// Nine of ten errors are no larger.
    pub p90: f64,
    /// Spearman's rank correlation of predicted and measured.
    pub rank_correlation: f64,
    /// Half-width of an 80 % interval, in standard deviations of the process.
    pub width: f64,
}

/// What a surrogate says of a point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Predicted {
    /// The most likely score.
    pub score: f64,
    /// Half-width of the 80 % interval.
    pub half_width: f64,
}

impl Predicted {
    /// Standard deviation of a normal distribution of that interval.
    pub fn deviation(&self) -> f64 {
        self.half_width / NORMAL
    }
}

impl Surrogate {
    /// Fits a table.
    ///
    /// # Errors
    /// Scores that are all the same.
    pub fn fit(table: Table) -> Result<Self> {
        let column = |at: usize| -> Vec<&str> {
            table.rows.iter().map(|(cells, _)| cells[at].as_str()).collect()
        };
        let readings: Vec<_> =
            (0..table.columns.len()).map(|at| Reading::of(&column(at))).collect();
        let points: Option<Vec<_>> =
            table.rows.iter().map(|(cells, _)| features(&readings, cells)).collect();
        let values: Vec<f64> = table.rows.iter().map(|(_, score)| *score).collect();
        let process =
            points.and_then(|points| Gaussian::fit(points, &values)).ok_or_else(|| {
                let message = format!("{}: every {} is the same", table.name, table.score);
                Error::input(message).hint("a score that nothing changes needs no search")
            })?;
        let error = LeftOut::of(&values, process.left_out());
        Ok(Self { table, error, readings, process })
    }

    /// Predicts the score of a configuration, in the order of the table's columns; none where a
    /// cell is of another kind than its column.
    pub fn predict(&self, cells: &[String]) -> Option<Predicted> {
        let (score, deviation) = self.process.predict(&features(&self.readings, cells)?);
        Some(Predicted { score, half_width: self.error.width * deviation })
    }
}

fn features(readings: &[Reading], cells: &[String]) -> Option<Vec<f64>> {
    let mut features = Vec::new();
    for (reading, cell) in readings.iter().zip(cells) {
        reading.features(cell, &mut features)?;
    }
    Some(features)
}

impl LeftOut {
    fn of(values: &[f64], left_out: &[gaussian::LeftOut]) -> Self {
        let errors = || values.iter().zip(left_out).map(|(value, it)| (value - it.mean).abs());
        let ratios = errors().zip(left_out).map(|(error, it)| error / it.deviation).collect();
        let predicted: Vec<f64> = left_out.iter().map(|it| it.mean).collect();
        Self {
            median: quantile(errors().collect(), 0.5),
            p90: quantile(errors().collect(), 0.9),
            rank_correlation: rank_correlation(values, &predicted),
            width: quantile(ratios, HELD),
        }
    }
}

/// The percentile of values in any order; not a number where there are none.
pub fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    if values.is_empty() { f64::NAN } else { percentile(&values, share) }
}

/// Spearman's rank correlation; equal values share their mean rank.
pub fn rank_correlation(a: &[f64], b: &[f64]) -> f64 {
    let ranks = |values: &[f64]| -> Vec<f64> {
        let rank = |it: &f64| {
            let below = values.iter().filter(|other| *other < it).count() as f64;
            let equal = values.iter().filter(|other| other.total_cmp(it).is_eq()).count() as f64;
            below + (equal - 1.0) / 2.0
        };
        values.iter().map(rank).collect()
    };
    let (a, b) = (ranks(a), ranks(b));
    let middle = (a.len() as f64 - 1.0) / 2.0;
    let of = |x: &[f64], y: &[f64]| -> f64 {
        x.iter().zip(y).map(|(x, y)| (x - middle) * (y - middle)).sum()
    };
    of(&a, &b) / (of(&a, &a) * of(&b, &b)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_that_make_no_sense() {
        let five = "h,top1\n1,1\n2,2\n3,3\n4,4\n5,5\n";
        let cases = [
            ("", "no column `top1`"),
            ("h,top\n1,1\n", "did you mean `top`"),
            ("top1\n1\n", "no column says a configuration"),
            ("h,top1\n1,nan\n", "line 2: `nan` is no top1"),
            ("h,top1\n1,70\nNaN,71\n", "line 3: `NaN` is no h"),
            ("h,top1\n,70\n", "line 2: `` is no h"),
            ("h,top1\n1,70\n", "1 configuration(s)"),
            ("h,top1\n1,70\n1,71\n1,70\n1,71\n1,72\n", "1 configuration(s)"),
            (five, ""),
        ];
        for (text, expected) in cases {
            match Table::read("results.csv", text, "top1", None) {
                Ok(table) => assert_eq!((table.distinct(), expected), (5, "")),
                Err(error) => {
                    let error = error.to_string();
                    assert!(error.contains(expected) && !expected.is_empty(), "{text:?}: {error}");
                }
            }
        }
        let flat = five.replace(",2", ",1").replace(",3", ",1").replace(",4", ",1");
        let flat = flat.replace(",5", ",1");
        let table = Table::read("results.csv", &flat, "top1", None).unwrap();
        assert!(Surrogate::fit(table).unwrap_err().to_string().contains("every top1 is the same"));
    }

    #[test]
    fn texts_are_told_apart_by_their_words() {
        assert_eq!(words("convnext_base.fb_in22k"), ["convnext", "base", "fb", "in", "22", "k"]);
        let mut text = "depth,format,top1\n".to_owned();
        for at in 0..24 {
            let (depth, int8) = (6 + at / 2, at % 2 == 1);
            let format = if int8 { "int8" } else { "none" };
            let score = 60.0 + 2.0 * f64::from(depth).ln() - if int8 { 1.5 } else { 0.0 };
            text.extend([depth.to_string(), format!(",{format},{score}\n")]);
        }
        let surrogate = Surrogate::fit(Table::read("r.csv", &text, "top1", None).unwrap()).unwrap();
        let of =
            |format: &str| surrogate.predict(&["12".to_owned(), format.to_owned()]).unwrap().score;
        assert!((of("none") - of("int8") - 1.5).abs() < 0.2, "{} {}", of("none"), of("int8"));
        assert!(surrogate.error.median < 0.3 && surrogate.error.rank_correlation > 0.9);
        assert!(surrogate.predict(&["deep".to_owned(), "none".to_owned()]).is_none());
    }

    #[test]
    fn ranks_correlate() {
        assert!((rank_correlation(&[1.0, 2.0, 5.0], &[3.0, 4.0, 9.0]) - 1.0).abs() < 1e-12);
        assert!((rank_correlation(&[1.0, 2.0, 5.0], &[3.0, 2.0, 1.0]) + 1.0).abs() < 1e-12);
        assert!((quantile(vec![3.0, 1.0, 2.0], 0.75) - 2.5).abs() < 1e-12);
    }
}
