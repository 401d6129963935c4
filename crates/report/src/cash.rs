//! The cash flow: what is paid in each calendar quarter, investment and expense apart, with the sum
//! so far, the amortisation beside it, and the sums by fiscal year.

use flopcast_core::estimate::cash::{fiscal_year, quarter};
use flopcast_core::ledger::line::Kind;

use crate::Report;
use crate::ledger::Row;

/// Months after which a cash flow without a start is told by quarters.
const SHORT: u32 = 18;

/// What is paid in one period, in USD.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Paid {
    /// The period: `2027Q1`, or its number where nobody says when the scenario starts.
    pub period: String,
    /// For things that last.
    pub capex: f64,
    /// For what is used up.
    pub opex: f64,
    /// All that was paid by its end.
    pub so_far: f64,
    /// The amortisation of owned hardware that falls into it, which is no payment.
    pub amortisation: f64,
}

/// The payments of a scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct CashFlow {
    /// Its periods: `quarter`, or `month`.
    pub unit: &'static str,
    /// The periods in their order.
    pub periods: Vec<Paid>,
    /// USD by fiscal year; empty where nobody says when the scenario starts.
    pub fiscal_years: Vec<(String, f64)>,
    /// True if hardware is owned, so that cost and cash differ.
    pub owned: bool,
}

/// Money to the cent: `26,570,332.85`.
///
/// ```
/// use flopcast_report::cash::cents;
/// assert_eq!(cents(26_570_332.854), "26,570,332.85");
/// assert_eq!(cents(-0.001), "0.00");
/// assert_eq!(cents(-1234.5), "-1,234.50");
/// ```
pub fn cents(amount: f64) -> String {
    let text = format!("{:.2}", amount.abs());
    let (whole, part) = text.split_once('.').unwrap_or((&text, "00"));
    let groups: Vec<&str> = (0..whole.len())
        .filter(|at| (whole.len() - at) % 3 == 0 || *at == 0)
        .map(|at| &whole[at..=at + (whole.len() - at - 1) % 3])
        .collect();
    let sign = if amount < 0.0 && text != "0.00" { "-" } else { "" };
    format!("{sign}{}.{part}", groups.join(","))
}

/// All rows that are paid: those of the ledger, then the purchases.
pub fn rows(report: &Report) -> impl Iterator<Item = &Row> {
    report.ledger.iter().chain(&report.purchases)
}

/// The periods by month, from 0 to the last in which anything is paid or amortised.
pub fn periods(report: &Report) -> (&'static str, Vec<String>) {
    let months = rows(report).flat_map(|row| row.paid.iter().chain(&row.by_month));
    let last = months.map(|(month, _)| *month).max().unwrap_or(0);
    let (unit, step) = match report.start {
        None if last < SHORT => ("month", 1),
        _ => ("quarter", 3),
    };
    let name = |month: u32| match report.start {
        Some(start) => quarter(start, month),
        None => (month / step + 1).to_string(),
    };
    (unit, (0..=last).map(name).collect())
}

impl CashFlow {
    /// The cash flow; `None` where nothing is paid, or the amount of a payment is unknown: a sum
    /// without it would look like all that is paid.
    pub fn of(report: &Report) -> Option<Self> {
        let (unit, names) = periods(report);
        let mut periods: Vec<Paid> = Vec::new();
        let mut place = Vec::with_capacity(names.len());
        for name in names {
            if periods.last().is_none_or(|last| last.period != name) {
                periods.push(Paid { period: name, ..Paid::default() });
            }
            place.push(periods.len() - 1);
        }
        let mut fiscal_years: Vec<(String, f64)> = Vec::new();
        let mut by_month = vec![0.0; place.len()];
        for row in rows(report) {
            for (month, amount) in &row.paid {
                let (amount, month) = ((*amount)?, *month as usize);
                let at = &mut periods[place[month]];
                match row.entry.kind {
                    Kind::Capex => at.capex += amount,
                    Kind::Opex => at.opex += amount,
                }
                by_month[month] += amount;
            }
        }
        let amortised = report.ledger.iter().filter(|row| row.entry.kind == Kind::Capex);
        let mut owned = false;
        for (month, amount) in amortised.flat_map(|row| &row.by_month) {
            periods[place[*month as usize]].amortisation += (*amount)?;
            owned = true;
        }
        let mut so_far = 0.0;
        for at in &mut periods {
            so_far += at.capex + at.opex;
            at.so_far = so_far;
        }
        for (month, amount) in by_month.into_iter().enumerate() {
            let Some(start) = report.start else { continue };
            let year = fiscal_year(start, month as u32, report.fiscal_year);
            match fiscal_years.last_mut().filter(|(last, _)| *last == year) {
                Some((_, sum)) => *sum += amount,
                None => fiscal_years.push((year, amount)),
            }
        }
        let any = rows(report).next().is_some();
        any.then_some(Self { unit, periods, fiscal_years, owned })
    }
}
