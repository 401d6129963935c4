//! Sheets for finance: the cash flow by calendar, and the ranges with their contingency.

use std::fmt::Write as _;

use flopcast_core::ledger::line::Kind;
use flopcast_study::uncertainty::PERCENTILES;
use rust_xlsxwriter::{Formula, Worksheet, column_number_to_name};

use super::sheets::{Book, Done, Look, exact, head, layout, number_format};
use crate::Report;
use crate::cash::{self, CashFlow};
use crate::ledger::Row;
use crate::subject::estimate::spreads;

/// The column of amounts; periods follow it.
const AMOUNT: u16 = 2;

/// Parts of an amount by period, in the order of the periods: each share of it is paid then.
fn shares(row: &Row, of: &[(u32, Option<f64>)], place: &[usize], periods: usize) -> Vec<f64> {
    let mut parts = vec![0.0; periods];
    let amount = row.amount.filter(|amount| *amount != 0.0);
    for (month, part) in of {
        if let Some((amount, part)) = amount.zip(*part) {
            parts[place[*month as usize]] += part / amount;
        }
    }
    parts
}

/// The payments by period, each a live share of its row; sums by kind, of all, so far; the
/// amortisation, which is no payment; and the sums by fiscal year.
pub(super) fn cash_sheet(report: &Report, sheet: &mut Worksheet, book: &mut Book<'_>) -> Done {
    let look = book.look;
    let Some(flow) = CashFlow::of(report) else { return Ok(()) };
    let (_, months) = cash::periods(report);
    let at = |name: &String| flow.periods.iter().position(|it| it.period == *name).unwrap_or(0);
    let place: Vec<usize> = months.iter().map(at).collect();
    let count = flow.periods.len();
    head(sheet, look, &["item", "kind", "USD"], AMOUNT.into())?;
    for (index, it) in flow.periods.iter().enumerate() {
        let name = if report.start.is_some() {
            it.period.clone()
        } else {
            format!("{} {}", flow.unit, it.period)
        };
        sheet.write_with_format(0, AMOUNT + 1 + index as u16, name, &look.head_right)?;
    }
    let mut line = 0;
    let mut terms: Vec<(String, &Row)> = Vec::new();
    for (index, row) in cash::rows(report).enumerate() {
        if row.paid.is_empty() {
            continue;
        }
        line += 1;
        let bought = index >= report.ledger.len();
        let what = if bought { "purchase, " } else { "" };
        let label = format!("{}: {what}{}", row.entry.stage.label(), row.entry.label());
        sheet.write_with_format(line, 0, label, &look.text)?;
        sheet.write_with_format(line, 1, row.entry.kind.name(), &look.text)?;
        let amount = row.amount.unwrap_or_default();
        let text = match &row.steps {
            Some((quantity, price)) if bought => {
                format!("={}*{}", book.cell(quantity)?, book.cell(price)?)
            }
            _ if bought => format!("={amount:?}"),
            _ => format!("=Ledger!$I${}", index + 2),
        };
        let live = Formula::new(text).set_result(exact(amount));
        sheet.write_with_format(line, AMOUNT, live, &look.money)?;
        let own = format!("$C${}", line + 1);
        for (period, share) in shares(row, &row.paid, &place, count).into_iter().enumerate() {
            let live = Formula::new(format!("={own}*{share:?}")).set_result(exact(share * amount));
            sheet.write_with_format(line, AMOUNT + 1 + period as u16, live, &look.money)?;
        }
        terms.push((own, row));
    }
    sums(&flow, sheet, look, line)?;
    let below = amortisation(report, &flow, &place, sheet, look, line + 5)?;
    fiscal_years(report, &flow, &terms, sheet, look, below + 2)?;
    let mut widths = vec![40.0, 8.0, 16.0];
    widths.extend(std::iter::repeat_n(15.0, count));
    layout(sheet, &widths)
}

/// The sums below the rows, of which `last` is the last.
fn sums(flow: &CashFlow, sheet: &mut Worksheet, look: &Look, last: u32) -> Done {
    let names = [Kind::Capex.name(), Kind::Opex.name(), "together", "paid so far"];
    for (below, name) in names.into_iter().enumerate() {
        let line = last + 1 + below as u32;
        sheet.write_with_format(line, 0, name, &look.total_text)?;
        sheet.write_with_format(line, 1, "", &look.total_text)?;
        for column in AMOUNT..=AMOUNT + flow.periods.len() as u16 {
            let letter = column_number_to_name(column);
            let period = (column > AMOUNT).then(|| &flow.periods[usize::from(column - AMOUNT) - 1]);
            let all = |read: fn(&cash::Paid) -> f64| match period {
                Some(it) => read(it),
                None => flow.periods.iter().map(read).sum(),
            };
            let (capex, opex) = (all(|it| it.capex), all(|it| it.opex));
            let rows = last + 1;
            let (text, value) = match below {
                0 | 1 => (
                    format!("=SUMIF($B$2:$B${rows},\"{name}\",{letter}$2:{letter}${rows})"),
                    [capex, opex][below],
                ),
                2 => (format!("={letter}{}+{letter}{}", last + 2, last + 3), capex + opex),
                _ if column == AMOUNT => (format!("={letter}{}", last + 4), capex + opex),
                _ => (
                    format!("=SUM($D{0}:{letter}{0})", last + 4),
                    period.map_or(0.0, |it| it.so_far),
                ),
            };
            let live = Formula::new(text).set_result(exact(value));
            sheet.write_with_format(line, column, live, &look.total)?;
        }
    }
    Ok(())
}

/// A row of amortisation by period, live; returns the line below it.
fn amortisation(
    report: &Report,
    flow: &CashFlow,
    place: &[usize],
    sheet: &mut Worksheet,
    look: &Look,
    line: u32,
) -> Done<u32> {
    if !flow.owned {
        return Ok(line);
    }
    let mut texts = vec![String::from("=0"); flow.periods.len()];
    let mut whole = String::from("=0");
    for (index, row) in report.ledger.iter().enumerate() {
        if row.entry.kind != Kind::Capex {
            continue;
        }
        let cell = format!("Ledger!$I${}", index + 2);
        let _ = write!(whole, "+{cell}");
        let parts = shares(row, &row.by_month, place, texts.len());
        for (text, share) in texts.iter_mut().zip(parts).filter(|(_, share)| *share != 0.0) {
            let _ = write!(text, "+{cell}*{share:?}");
        }
    }
    sheet.write_with_format(line, 0, "amortisation, no payment", &look.text)?;
    let sum: f64 = flow.periods.iter().map(|it| it.amortisation).sum();
    let live = Formula::new(whole).set_result(exact(sum));
    sheet.write_with_format(line, AMOUNT, live, &look.money)?;
    for ((text, it), column) in texts.into_iter().zip(&flow.periods).zip(AMOUNT + 1..) {
        let live = Formula::new(text).set_result(exact(it.amortisation));
        sheet.write_with_format(line, column, live, &look.money)?;
    }
    Ok(line + 1)
}

/// The sums by fiscal year, live, where the scenario says when it starts.
fn fiscal_years(
    report: &Report,
    flow: &CashFlow,
    terms: &[(String, &Row)],
    sheet: &mut Worksheet,
    look: &Look,
    mut line: u32,
) -> Done {
    let Some(start) = report.start.filter(|_| flow.fiscal_years.len() > 1) else { return Ok(()) };
    sheet.write_with_format(line, 0, "fiscal year", &look.head)?;
    sheet.write_with_format(line, AMOUNT, "paid, USD", &look.head_right)?;
    for (year, sum) in &flow.fiscal_years {
        line += 1;
        let mut text = String::from("=0");
        for (cell, row) in terms {
            let within = row.paid.iter().filter(|(month, _)| {
                flopcast_core::estimate::cash::fiscal_year(start, *month, report.fiscal_year)
                    == *year
            });
            let paid: f64 = within.filter_map(|(_, part)| *part).sum();
            let amount = row.amount.filter(|amount| *amount != 0.0 && paid != 0.0);
            if let Some(amount) = amount {
                let _ = write!(text, "+{cell}*{:?}", paid / amount);
            }
        }
        sheet.write_with_format(line, 0, year, &look.text)?;
        let live = Formula::new(text).set_result(exact(*sum));
        sheet.write_with_format(line, AMOUNT, live, &look.money)?;
    }
    Ok(())
}

/// The central values of the figures, their percentiles, and what lies between the central value and
/// P80: the contingency.
pub(super) fn ranges_sheet(report: &Report, sheet: &mut Worksheet, look: &Look) -> Done {
    head(sheet, look, &["figure", "unit", "central"], 2)?;
    for (percentile, column) in PERCENTILES.iter().zip(3..) {
        sheet.write_with_format(0, column, format!("P{percentile}"), &look.head_right)?;
    }
    let last = 3 + PERCENTILES.len() as u16;
    sheet.write_with_format(0, last, "contingency, central to P80", &look.head_right)?;
    let p80 = PERCENTILES.iter().position(|it| *it == 80).unwrap_or(0);
    let mut line = 0;
    for range in &report.intervals {
        let figure = report.figure(range.figure);
        let Some((figure, central)) = figure.and_then(|it| Some((it, it.value()?))) else {
            continue;
        };
        line += 1;
        sheet.write_with_format(line, 0, figure.declared().name, &look.text)?;
        sheet.write_with_format(line, 1, &figure.short()[1], &look.text)?;
        let shown = |value: f64| figure.in_shown_unit(value);
        for (value, column) in std::iter::once(&central).chain(&range.values).zip(2..) {
            let value = shown(*value);
            sheet.write_with_format(line, column, value, &number_format(look, value))?;
        }
        let [from, to] = [2, 3 + p80 as u16].map(column_number_to_name);
        let more = shown(range.values[p80]) - shown(central);
        let text = format!("={to}{0}-{from}{0}", line + 1);
        let live = Formula::new(text).set_result(exact(more));
        sheet.write_with_format(line, last, live, &number_format(look, more))?;
    }
    line += 1;
    for note in std::iter::once(SAMPLED.to_owned())
        .chain(spreads(report).into_iter().map(|(what, why)| format!("{what}: {why}")))
    {
        line += 1;
        sheet.write_with_format(line, 0, note, &look.wrapped)?;
    }
    layout(sheet, &[44.0, 14.0, 16.0, 16.0, 16.0, 16.0, 16.0, 16.0, 16.0, 26.0])
}

/// The note below the ranges.
const SAMPLED: &str =
    "Sampled when the workbook was made: they do not follow a change of the inputs.";
