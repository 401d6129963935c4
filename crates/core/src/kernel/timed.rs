//! Lines of the tables of `hardware/kernels/`, whose cells are asked for by the names of their
//! columns.

use crate::catalog::Accelerator;
use crate::quantity::Precision;

/// A line of a table.
#[derive(Clone, Copy)]
pub(super) struct Row {
    header: &'static str,
    line: &'static str,
}

impl Row {
    /// The lines of a table.
    pub(super) fn all(table: &'static str) -> impl Iterator<Item = Self> {
        let (header, lines) = table.split_once('\n').unwrap_or_default();
        lines.lines().map(move |line| Self { header, line })
    }

    /// The line of an accelerator, or that of another of its architecture, among those that `keep`
    /// wants.
    pub(super) fn of(
        table: &'static str,
        accelerator: &Accelerator,
        keep: impl Fn(&Self) -> bool,
    ) -> Option<Self> {
        let mut kin = None;
        for row in Self::all(table) {
            let own = row.text("device") == Some(&accelerator.id);
            if own && keep(&row) {
                return Some(row);
            }
            if kin.is_none()
                && row.text("architecture") == Some(&accelerator.architecture)
                && keep(&row)
            {
                kin = Some(row);
            }
        }
        kin
    }

    /// The cell of a column.
    pub(super) fn text(&self, column: &str) -> Option<&'static str> {
        let place = self.header.split(',').position(|name| name == column)?;
        self.line.split(',').nth(place)
    }

    /// The number in a column.
    pub(super) fn number(&self, column: &str) -> Option<f64> {
        self.text(column)?.parse().ok()
    }

    /// The number of microseconds in a column, in seconds.
    pub(super) fn micros(&self, column: &str) -> Option<f64> {
        Some(1e-6 * self.number(column)?)
    }

    /// True of kernels in a precision; both of 16 bits are alike.
    pub(super) fn runs_in(&self, precision: Precision) -> bool {
        let format = match precision {
            Precision::Fp16 | Precision::Bf16 => "bf16",
            narrow => narrow.name(),
        };
        self.text("format") == Some(format)
    }
}
