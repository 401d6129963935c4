//! Errors of predictions: medians, tails, bias, coverage of the stated intervals.

use serde::Serialize;

/// A published figure beside the predicted one.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// The row's name.
    pub id: String,
    /// Which figure.
    pub figure: &'static str,
    /// As published.
    pub measured: f64,
    /// As predicted.
    pub predicted: f64,
    /// The 80 % interval of the prediction.
    pub interval: (f64, f64),
    /// The groups of the row: (`source`, `llm-foundry`) and so on.
    pub groups: Vec<(&'static str, String)>,
}

/// Errors of one figure. An error is predicted / measured - 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Rows.
    pub n: usize,
    /// Median of the absolute errors.
    pub median_abs_error: f64,
    /// 90th percentile of the absolute errors.
    pub p90_abs_error: f64,
    /// Median of the signed errors: the bias.
    pub median_signed_error: f64,
    /// Part of the measured figures inside their 80 % interval.
    pub coverage_80: f64,
}

impl Scored {
    /// Predicted / measured - 1.
    pub fn error(&self) -> f64 {
        self.predicted / self.measured - 1.0
    }

    /// True if the interval holds the measured figure.
    pub fn covered(&self) -> bool {
        (self.interval.0..=self.interval.1).contains(&self.measured)
    }

    /// Its group of a kind.
    pub fn group(&self, by: &str) -> Option<&str> {
        self.groups.iter().find(|(name, _)| *name == by).map(|(_, group)| group.as_str())
    }
}

impl Summary {
    /// Sums up; `None` without rows.
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a Scored>) -> Option<Self> {
        let rows: Vec<_> = rows.into_iter().collect();
        let signed: Vec<f64> = rows.iter().map(|row| row.error()).collect();
        let absolute: Vec<f64> = signed.iter().map(|error| error.abs()).collect();
        Some(Self {
            n: rows.len(),
            median_abs_error: quantile(&absolute, 0.5)?,
            p90_abs_error: quantile(&absolute, 0.9)?,
            median_signed_error: quantile(&signed, 0.5)?,
            coverage_80: rows.iter().filter(|row| row.covered()).count() as f64 / rows.len() as f64,
        })
    }
}

/// The quantile of some numbers, interpolated linearly; `None` of none.
pub fn quantile(numbers: &[f64], at: f64) -> Option<f64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    let position = at.clamp(0.0, 1.0) * last as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(last);
    Some(sorted[below] + (position - below as f64) * (sorted[above] - sorted[below]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_up_errors_and_coverage() {
        let row = |measured: f64, predicted: f64| Scored {
            id: String::new(),
            figure: "x",
            measured,
            predicted,
            interval: (predicted * 0.9, predicted * 1.1),
            groups: vec![("kind", "dense".to_owned())],
        };
        let rows = [row(100.0, 105.0), row(100.0, 80.0), row(100.0, 100.0)];
        let summary = Summary::of(&rows).expect("rows");
        assert!((summary.median_abs_error - 0.05).abs() < 1e-12);
        assert!((summary.median_signed_error - 0.0).abs() < 1e-12);
        assert!((summary.coverage_80 - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(rows[0].group("kind"), Some("dense"));
        assert_eq!(Summary::of(&[]), None);
    }

    #[test]
    fn quantiles_interpolate() {
        assert_eq!(quantile(&[3.0, 1.0, 2.0], 0.5), Some(2.0));
        assert_eq!(quantile(&[0.0, 10.0], 0.9), Some(9.0));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
