//! Sheets for finance: the cash flow by calendar with when each row is paid, and the ranges with
//! their contingency.

use flopcast_core::estimate::cash::fiscal_year;
use flopcast_core::ledger::line::Kind;
use flopcast_study::uncertainty::PERCENTILES;
use rust_xlsxwriter::{Formula, Worksheet, column_number_to_name};

use super::book::{Book, Units, exact, is_one};
use super::sheets::{Done, head, layout, number_format};
use crate::Report;
use crate::cash::{self, CashFlow};
use crate::ledger::Row;
use crate::subject::estimate::spreads;

/// The sheet that says which share of a row is paid when.
pub(super) const TIMING: &str = "Timing";

/// The column of amounts; periods follow it.
const AMOUNT: u16 = 2;

/// The rows and columns of the cash flow and of its timing, which lie one over the other.
struct Plan<'a> {
    flow: CashFlow,
    /// The rows that are paid, then those that are amortised; each with the formula of its amount.
    paid: Vec<Part<'a>>,
    amortised: Vec<Part<'a>>,
}

/// A row with its label and its shares by period and by fiscal year.
struct Part<'a> {
    label: String,
    row: &'a Row,
    /// Its place: in the ledger, or among the purchases.
    listed: Option<usize>,
    periods: Vec<f64>,
    years: Vec<f64>,
}

impl Plan<'_> {
    /// The plan of a report; `None` where the cash flow is unknown.
    fn of(report: &Report) -> Option<Plan<'_>> {
        let flow = CashFlow::of(report)?;
        let (_, months) = cash::periods(report);
        let place: Vec<usize> = months
            .iter()
            .map(|name| flow.periods.iter().position(|it| it.period == *name).unwrap_or(0))
            .collect();
        let year = |month: u32| {
            let name = fiscal_year(report.start?, month, report.fiscal_year);
            flow.fiscal_years.iter().position(|(known, _)| *known == name)
        };
        let part = |label: String, row, listed, shares: &[(u32, f64)]| {
            let mut periods = vec![0.0; flow.periods.len()];
            let mut years = vec![0.0; flow.fiscal_years.len()];
            for (month, share) in shares {
                periods[place[*month as usize]] += share;
                if let Some(at) = year(*month) {
                    years[at] += share;
                }
            }
            Part { label, row, listed, periods, years }
        };
        let named = |row: &Row| format!("{}: {}", row.entry.stage.label(), row.entry.label());
        let mut paid: Vec<_> = (report.ledger.iter().enumerate())
            .filter(|(_, row)| !row.shares.is_empty())
            .map(|(index, row)| part(named(row), row, Some(index), &row.shares))
            .collect();
        paid.extend(report.purchases.iter().map(|row| {
            let label = format!("{}: purchase, {}", row.entry.stage.label(), row.entry.detail);
            part(label, row, None, &row.shares)
        }));
        let capital = |(_, row): &(usize, &Row)| row.entry.kind == Kind::Capex;
        let amortised = (report.ledger.iter().enumerate())
            .filter(capital)
            .map(|(index, row)| {
                let shares: Vec<_> = row.entry.period.by_month(1.0).collect();
                part(named(row), row, Some(index), &shares)
            })
            .collect();
        Some(Plan { flow, paid, amortised })
    }

    /// The headings of both sheets from the first period on: periods, then fiscal years.
    fn headings(&self, report: &Report) -> Vec<String> {
        let dated = report.start.is_some();
        let unit = self.flow.unit;
        let periods = self
            .flow
            .periods
            .iter()
            .map(|it| if dated { it.period.clone() } else { format!("{unit} {}", it.period) });
        periods.chain(self.flow.fiscal_years.iter().map(|(year, _)| year.clone())).collect()
    }

    /// The first line of what is amortised, from 0, on both sheets: below the rows and four sums.
    fn amortised_from(&self) -> u32 {
        self.paid.len() as u32 + 6
    }
}

/// The columns of periods and of fiscal years, for which a column stays free between them.
fn column(index: usize, periods: usize) -> u16 {
    AMOUNT + 1 + index as u16 + u16::from(index >= periods)
}

/// The amount of a row: its cell in the ledger, or quantity x price of a purchase.
fn amount(part: &Part<'_>, book: &mut Book<'_>) -> Done<Formula> {
    let value = part.row.amount.unwrap_or_default();
    let text = match (part.listed, &part.row.steps) {
        (Some(index), _) => format!("=Ledger!$I${}", index + 2),
        (None, Some((quantity, price))) => {
            format!("={}*{}", book.term(quantity)?, book.term(price)?)
        }
        (None, None) => format!("={value:?}"),
    };
    Ok(Formula::new(text).set_result(exact(value)))
}

/// The payments by period and by fiscal year, each its share of the row's amount; sums by kind, of
/// all, so far; below, the amortisation, which is no payment.
pub(super) fn cash_sheet(report: &Report, sheet: &mut Worksheet, book: &mut Book<'_>) -> Done {
    let Some(plan) = Plan::of(report) else { return Ok(()) };
    let look = book.look;
    let headings = plan.headings(report);
    let periods = plan.flow.periods.len();
    head(sheet, look, &["item", "kind", "USD"], AMOUNT.into())?;
    for (index, name) in headings.iter().enumerate() {
        sheet.write_with_format(0, column(index, periods), name, &look.head_right)?;
    }
    let below = plan.amortised_from();
    for (parts, from) in [(&plan.paid, 1), (&plan.amortised, below)] {
        for (part, line) in parts.iter().zip(from..) {
            sheet.write_with_format(line, 0, &part.label, &look.text)?;
            sheet.write_with_format(line, 1, part.row.entry.kind.name(), &look.text)?;
            sheet.write_with_format(line, AMOUNT, amount(part, book)?, &look.money)?;
            let value = part.row.amount.unwrap_or_default();
            let shares = part.periods.iter().chain(&part.years);
            for (index, share) in shares.enumerate() {
                let at = column(index, periods);
                let text = format!("=$C${0}*{TIMING}!{1}${0}", line + 1, column_number_to_name(at));
                let live = Formula::new(text).set_result(exact(share * value));
                sheet.write_with_format(line, at, live, &look.money)?;
            }
        }
    }
    let columns: Vec<u16> = std::iter::once(AMOUNT)
        .chain((0..headings.len()).map(|index| column(index, periods)))
        .collect();
    sums(&plan, &columns, sheet, book)?;
    if !plan.amortised.is_empty() {
        let last = below + plan.amortised.len() as u32;
        sheet.write_with_format(below - 1, 0, "No payment:", &look.text)?;
        sheet.write_with_format(last, 0, "amortisation, no payment", &look.total_text)?;
        sheet.write_with_format(last, 1, "", &look.total_text)?;
        for (index, at) in columns.iter().enumerate() {
            let value = plan.amortised.iter().map(|part| part.at(index, periods)).sum();
            add_up(sheet, book, last, *at, [below + 1, last], value)?;
        }
    }
    let mut widths = vec![44.0, 8.0, 16.0];
    widths.extend(std::iter::repeat_n(15.0, headings.len() + 1));
    layout(sheet, &widths)
}

impl Part<'_> {
    /// USD in a column: the whole amount, then periods, then fiscal years.
    fn at(&self, index: usize, periods: usize) -> f64 {
        let share = match index.checked_sub(1) {
            None => 1.0,
            Some(index) if index < periods => self.periods[index],
            Some(index) => self.years[index - periods],
        };
        share * self.row.amount.unwrap_or_default()
    }
}

/// A sum over lines, counted from 1, of a column.
fn add_up(
    sheet: &mut Worksheet,
    book: &Book<'_>,
    line: u32,
    at: u16,
    [first, last]: [u32; 2],
    value: f64,
) -> Done {
    let letter = column_number_to_name(at);
    let live = Formula::new(format!("=SUM({letter}{first}:{letter}{last})"));
    sheet.write_with_format(line, at, live.set_result(exact(value)), &book.look.total)?;
    Ok(())
}

/// The four sums below the payments: by kind, of all, and so far.
fn sums(plan: &Plan<'_>, columns: &[u16], sheet: &mut Worksheet, book: &Book<'_>) -> Done {
    let look = book.look;
    let (rows, periods) = (plan.paid.len() as u32 + 1, plan.flow.periods.len());
    let names = [Kind::Capex.name(), Kind::Opex.name(), "together", "paid so far"];
    for (name, line) in names.into_iter().zip(rows..) {
        sheet.write_with_format(line, 0, name, &look.total_text)?;
        sheet.write_with_format(line, 1, "", &look.total_text)?;
    }
    for (index, at) in columns.iter().enumerate() {
        let letter = column_number_to_name(*at);
        let of = |kind: Kind| -> f64 {
            let parts = plan.paid.iter().filter(|part| part.row.entry.kind == kind);
            parts.map(|part| part.at(index, periods)).sum()
        };
        let (capex, opex) = (of(Kind::Capex), of(Kind::Opex));
        for (name, value, line) in [(names[0], capex, rows), (names[1], opex, rows + 1)] {
            let text = format!("=SUMIF($B$2:$B${rows},\"{name}\",{letter}$2:{letter}${rows})");
            let live = Formula::new(text).set_result(exact(value));
            sheet.write_with_format(line, *at, live, &look.total)?;
        }
        let text = format!("={letter}{}+{letter}{}", rows + 1, rows + 2);
        let live = Formula::new(text).set_result(exact(capex + opex));
        sheet.write_with_format(rows + 2, *at, live, &look.total)?;
        // So far: within the periods, and again within the fiscal years.
        let (from, passed) = match index.checked_sub(1) {
            None => (0, 0),
            Some(period) if period < periods => (1, period),
            Some(year) => (1 + periods, year - periods),
        };
        let so_far: f64 = (from..=from + passed)
            .map(|index| plan.paid.iter().map(|part| part.at(index, periods)).sum::<f64>())
            .sum();
        let first = column_number_to_name(columns[from]);
        let live = Formula::new(format!("=SUM(${first}{0}:{letter}{0})", rows + 3));
        sheet.write_with_format(rows + 3, *at, live.set_result(exact(so_far)), &look.total)?;
    }
    Ok(())
}

/// Which share of each row of the cash flow is paid when: inputs, on the lines of the cash flow.
pub(super) fn timing_sheet(report: &Report, sheet: &mut Worksheet, book: &mut Book<'_>) -> Done {
    let Some(plan) = Plan::of(report) else { return Ok(()) };
    let look = book.look;
    let headings = plan.headings(report);
    let periods = plan.flow.periods.len();
    head(sheet, look, &["share of the amount that is paid then", "kind", "together"], 2)?;
    for (index, name) in headings.iter().enumerate() {
        sheet.write_with_format(0, column(index, periods), name, &look.head_right)?;
    }
    let last = column_number_to_name(column(periods.max(1) - 1, periods));
    for (parts, from) in [(&plan.paid, 1), (&plan.amortised, plan.amortised_from())] {
        for (part, line) in parts.iter().zip(from..) {
            sheet.write_with_format(line, 0, &part.label, &look.text)?;
            sheet.write_with_format(line, 1, part.row.entry.kind.name(), &look.text)?;
            let all = Formula::new(format!("=SUM(D{0}:{last}{0})", line + 1));
            let percent = look.text.clone().set_num_format("0.00%");
            sheet.write_with_format(line, AMOUNT, all.set_result("1"), &percent)?;
            for (index, share) in part.periods.iter().chain(&part.years).enumerate() {
                sheet.write_with_format(line, column(index, periods), *share, &look.share)?;
            }
        }
    }
    let note = "The days of payment stay as they were when the workbook was made; amounts follow the inputs.";
    let line = plan.amortised_from() + plan.amortised.len() as u32 + 1;
    sheet.write_with_format(line, 0, note, &look.text)?;
    let mut widths = vec![44.0, 8.0, 12.0];
    widths.extend(std::iter::repeat_n(10.0, headings.len() + 1));
    layout(sheet, &widths)
}

/// The percentiles of the figures: the forecast, which is live, x what the samples were of it; and
/// the contingency, what lies between it and P80.
pub(super) fn ranges_sheet(report: &Report, sheet: &mut Worksheet, book: &mut Book<'_>) -> Done {
    let look = book.look;
    let units = Units::of(report);
    let count = PERCENTILES.len() as u16;
    let (first, contingency) = (3, 3 + count);
    let ratios = contingency + 3;
    head(sheet, look, &["figure", "unit", "forecast"], 2)?;
    for (percentile, column) in PERCENTILES.iter().zip(first..) {
        sheet.write_with_format(0, column, format!("P{percentile}"), &look.head_right)?;
        let heading = format!("P{percentile} / forecast");
        sheet.write_with_format(0, column - first + ratios, heading, &look.head_right)?;
    }
    for (heading, column) in
        ["contingency, forecast to P80", "of the forecast"].iter().zip(contingency..)
    {
        sheet.write_with_format(0, column, *heading, &look.head_right)?;
    }
    let at = |percentile: u32| PERCENTILES.iter().position(|it| *it == percentile).unwrap_or(0);
    let (p50, p80) = (at(50), at(80));
    let to = column_number_to_name(first + p80 as u16);
    for (range, line) in report.intervals.iter().zip(1..) {
        let (factor, unit) = units.of_unit(range.figure.declared().unit);
        let unit = if is_one(factor) { range.short_unit() } else { unit };
        sheet.write_with_format(line, 0, range.figure.declared().name, &look.text)?;
        sheet.write_with_format(line, 1, unit, &look.unit)?;
        let figure = report.figure(range.figure);
        let forecast = match figure {
            Some(figure) => figure.value().zip(book.formula(figure)?),
            None => None,
        };
        // A ratio to nothing is none: such percentiles stand alone.
        let forecast = forecast.filter(|(value, _)| *value != 0.0);
        if let Some((value, text)) = &forecast {
            let live = Formula::new(format!("={text}*{factor:?}"));
            let live = live.set_result(exact(value * factor));
            sheet.write_with_format(line, 2, live, &number_format(look, value * factor))?;
        }
        for (value, column) in range.values.iter().zip(first..) {
            let format = number_format(look, value * factor);
            let Some((central, _)) = &forecast else {
                sheet.write_with_format(line, column, value * factor, &format)?;
                continue;
            };
            let beside = column - first + ratios;
            sheet.write_with_format(line, beside, value / central, &look.input)?;
            let letter = column_number_to_name(beside);
            let live = Formula::new(format!("=$C{0}*{letter}{0}", line + 1));
            let live = live.set_result(exact(value * factor));
            sheet.write_with_format(line, column, live, &format)?;
        }
        // From the forecast, which headline and tables show; from P50 where it is nothing.
        let central = forecast.as_ref().map_or(range.values[p50], |(value, _)| *value);
        let from = if forecast.is_some() { 2 } else { first + p50 as u16 };
        let from = column_number_to_name(from);
        let more = (range.values[p80] - central) * factor;
        let text = format!("={to}{0}-{from}{0}", line + 1);
        let live = Formula::new(text).set_result(exact(more));
        sheet.write_with_format(line, contingency, live, &number_format(look, more))?;
        let part = more / (central * factor);
        let letter = column_number_to_name(contingency);
        let text = format!("=IF({from}{0}=0,\"\",{letter}{0}/{from}{0})", line + 1);
        let live = Formula::new(text).set_result(exact(if part.is_finite() { part } else { 0.0 }));
        let percent = look.text.clone().set_num_format("0.0%");
        sheet.write_with_format(line, contingency + 1, live, &percent)?;
    }
    let uncertain = spreads(report).into_iter().map(|(what, why)| format!("{what}: {why}"));
    let notes = std::iter::once(SAMPLED.to_owned()).chain(uncertain);
    for (note, line) in notes.zip(report.intervals.len() as u32 + 2..) {
        sheet.write_with_format(line, 0, note, &look.text)?;
    }
    let mut widths = vec![44.0, 14.0, 16.0];
    widths.extend(std::iter::repeat_n(16.0, usize::from(count)));
    widths.extend([24.0, 10.0, 4.0]);
    widths.extend(std::iter::repeat_n(14.0, usize::from(count)));
    layout(sheet, &widths)
}

/// The note below the ranges.
const SAMPLED: &str = "The percentiles were sampled when the workbook was made: as parts of the \
                       forecast they follow it.";
