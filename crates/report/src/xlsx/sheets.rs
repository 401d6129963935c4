//! The sheets: summary, inputs, calculation, ledger, cash flow, years.

use flopcast_core::estimate::plan::Currency;
use flopcast_core::estimate::{Figure, Id, Section};
use flopcast_core::quantity::text::convert;
use rust_xlsxwriter::{
    Chart, ChartType, Color, Format, FormatAlign, FormatBorder, Formula, Workbook, Worksheet,
    XlsxError,
};

use super::book::{ANEW, Book, CALCULATION, INPUTS, Units, exact, is_one};
use super::{buy, money};
use crate::cash::CashFlow;
use crate::{Report, currency, ledger, text};

pub(super) type Done<T = ()> = Result<T, XlsxError>;

/// The formats of cells.
pub(super) struct Look {
    pub(super) title: Format,
    pub(super) head: Format,
    pub(super) head_right: Format,
    pub(super) text: Format,
    pub(super) wrapped: Format,
    note: Format,
    pub(super) unit: Format,
    number: Format,
    /// The inputs that a reader may change.
    pub(super) input: Format,
    /// The same for a share of an amount.
    pub(super) share: Format,
    pub(super) money: Format,
    pub(super) total: Format,
    pub(super) total_text: Format,
}

impl Look {
    /// The formats of the built-in look.
    fn new() -> Self {
        let head = Format::new().set_bold().set_border_bottom(FormatBorder::Thin);
        let text = Format::new().set_align(FormatAlign::Top);
        let number = text.clone();
        let input = number
            .clone()
            .set_font_color(Color::RGB(0x00_0A_64_A4))
            .set_background_color(Color::RGB(0x00_FF_F8_E1));
        Self {
            title: Format::new().set_bold().set_font_size(16),
            head_right: head.clone().set_align(FormatAlign::Right),
            wrapped: text.clone().set_text_wrap().set_font_color(Color::Gray),
            note: text.clone().set_font_color(Color::Gray),
            unit: text.clone().set_align(FormatAlign::Left).set_indent(1),
            share: input.clone().set_num_format("0.00%;-0.00%;"),
            input: input.set_num_format("#,##0.########"),
            money: text.clone().set_num_format("#,##0.00"),
            total: head.clone().set_num_format("#,##0.00").set_border_top(FormatBorder::Thin),
            total_text: head.clone().set_border_top(FormatBorder::Thin),
            head,
            text,
            number,
        }
    }
}

/// The format of a number: four digits or more, and no more decimals than tell something.
pub(super) fn number_format(look: &Look, value: f64) -> Format {
    let size = value.abs();
    let digits = match size {
        _ if size.fract() == 0.0 && size < 1e15 => "#,##0",
        _ if !(1e-3..1e15).contains(&size) => "0.000E+00",
        _ if size >= 1e3 => "#,##0",
        _ if size >= 10.0 => "#,##0.00",
        _ => "0.0000",
    };
    look.number.clone().set_num_format(digits)
}

/// Writes all sheets into the book.
pub(super) fn write(report: &Report, book: &mut Workbook) -> Done {
    let look = Look::new();
    let mut book_of = Book::new(report, &look)?;
    let mut sheets = vec![];
    let mut sheet = |name: &str, book: &mut Book<'_>, fill: Fill| -> Done {
        let mut sheet = Worksheet::new();
        sheet.set_name(name)?;
        fill(report, &mut sheet, book)?;
        sheets.push(sheet);
        Ok(())
    };
    if !report.rent_or_buy.is_empty() {
        sheet(buy::SHEET, &mut book_of, buy::sheet)?;
    }
    sheet("Summary", &mut book_of, summary_sheet)?;
    if !report.ledger.is_empty() {
        sheet("Ledger", &mut book_of, ledger_sheet)?;
        // Sums by quarter without an unknown row would look like all that is paid.
        if CashFlow::of(report).is_some() {
            sheet("Cash flow", &mut book_of, money::cash_sheet)?;
            sheet(money::TIMING, &mut book_of, money::timing_sheet)?;
        }
    }
    if !report.intervals.is_empty() {
        sheet("P50 and P80", &mut book_of, money::ranges_sheet)?;
    }
    if !report.years().is_empty() {
        sheet("Years", &mut book_of, years_sheet)?;
    }
    let (own, names) = book_of.finish()?;
    sheets.extend(own);
    sheets.sort_by_key(|sheet| ORDER.iter().position(|name| *name == sheet.name()));
    for sheet in sheets {
        book.push_worksheet(sheet);
    }
    for (name, cell) in names {
        book.define_name(name.as_str(), &format!("={cell}"))?;
    }
    Ok(())
}

/// The sheets in their order: the answer, what a reader may change, and last how the one comes of
/// the other.
const ORDER: [&str; 9] = [
    "Summary",
    INPUTS,
    "Ledger",
    "Cash flow",
    "P50 and P80",
    buy::SHEET,
    "Years",
    money::TIMING,
    CALCULATION,
];

/// What writes a sheet.
type Fill = fn(&Report, &mut Worksheet, &mut Book<'_>) -> Done;

/// Writes a row of headings; those from column `right` on are aligned on the right.
pub(super) fn head(sheet: &mut Worksheet, look: &Look, headings: &[&str], right: usize) -> Done {
    for (column, heading) in headings.iter().enumerate() {
        let format = if column == right { &look.head_right } else { &look.head };
        sheet.write_with_format(0, column as u16, *heading, format)?;
    }
    sheet.set_freeze_panes(1, 0)?;
    Ok(())
}

/// A text that takes as many lines as it needs in a cell as wide as `width` letters.
pub(super) fn wrapped(
    sheet: &mut Worksheet,
    look: &Look,
    [row, column]: [u32; 2],
    text: &str,
    width: usize,
) -> Done {
    sheet.write_with_format(row, column as u16, text, &look.wrapped)?;
    sheet.set_row_height(row, 15.0 * (text.len() / width + 1) as f64)?;
    Ok(())
}

/// Sets the widths of the columns.
pub(super) fn layout(sheet: &mut Worksheet, widths: &[f64]) -> Done {
    for (column, width) in widths.iter().enumerate() {
        sheet.set_column_width(column as u16, *width)?;
    }
    sheet.set_landscape().set_paper_size(9).set_print_fit_to_pages(1, 0);
    Ok(())
}

/// The summary: totals, then all figures by section, each live, in one unit of energy and one of
/// mass for the whole book; beside each its path in the JSON and its value there.
fn summary_sheet(report: &Report, sheet: &mut Worksheet, book: &mut Book<'_>) -> Done {
    let look = book.look;
    let units = Units::of(report);
    sheet.write_with_format(0, 0, &report.name, &look.title)?;
    sheet.write_with_format(1, 0, text::dates(&report.dates), &look.wrapped)?;
    sheet.write_with_format(
        2,
        0,
        "Change a value on the sheet Inputs (blue on yellow): every sheet follows.",
        &look.wrapped,
    )?;
    let mut row = 3;
    if !book.anew.is_empty() {
        let names: Vec<_> = book.anew.iter().map(|(end, _)| *end).collect();
        let told =
            format!("{ANEW} {}: they add or drop rows, which no formula does.", names.join(", "));
        sheet.write_with_format(row, 0, told, &look.wrapped)?;
        row += 1;
    }
    // The order of the answer: totals first.
    let total = |(section, _): &(Section, Vec<&Figure>)| *section == Section::Total;
    let (totals, rest): (Vec<_>, Vec<_>) = report.sections().partition(total);
    for (index, (section, figures)) in totals.into_iter().chain(rest).enumerate() {
        row += 1;
        let beside = if index == 0 { ["", "", "path in the JSON", "value there"] } else { [""; 4] };
        sheet.write_with_format(row, 0, section.title(), &look.head)?;
        for (text, column) in beside.into_iter().zip(1..) {
            let format = if column == 4 { &look.head_right } else { &look.head };
            sheet.write_with_format(row, column, text, format)?;
        }
        for figure in figures {
            row += 1;
            sheet.write_with_format(row, 0, figure.label().trim(), &look.text)?;
            let (factor, unit) = units.shown(figure);
            write_figure(sheet, [row, 1], figure, factor, book)?;
            sheet.write_with_format(row, 2, unit, &look.unit)?;
            sheet.write_with_format(row, 3, &figure.path, &look.note)?;
            write_figure(sheet, [row, 4], figure, 1.0, book)?;
        }
        row += 1;
    }
    row = currency_rows(report, sheet, row, book)?;
    for warning in &report.warnings {
        row += 1;
        sheet.merge_range(row, 0, row, 3, "", &look.wrapped)?;
        wrapped(sheet, look, [row, 0], &format!("warning: {warning}"), 120)?;
    }
    layout(sheet, &[46.0, 20.0, 26.0, 48.0, 20.0])
}

/// The main figures of money at the user's rate, which is an input; returns the next row.
fn currency_rows(
    report: &Report,
    sheet: &mut Worksheet,
    mut row: u32,
    book: &mut Book<'_>,
) -> Done<u32> {
    let Some((Currency { code, per_usd, .. }, rate)) =
        report.currency.as_ref().zip(book.exchange_rate.clone())
    else {
        return Ok(row);
    };
    let title = report.currency.as_ref().map(currency::title).unwrap_or_default();
    row += 1;
    sheet.write_with_format(row, 0, title, &book.look.head)?;
    for figure in currency::shown(report) {
        row += 1;
        sheet.write_with_format(row, 0, figure.declared().name, &book.look.text)?;
        if let Some((value, usd)) = figure.value().zip(book.formula(figure)?) {
            let live = Formula::new(format!("=({usd})*{rate}")).set_result(exact(value * per_usd));
            let format = number_format(book.look, value * per_usd);
            sheet.write_with_format(row, 1, live, &format)?;
        } else {
            write_figure(sheet, [row, 1], figure, 1.0, book)?;
        }
        sheet.write_with_format(row, 2, code, &book.look.unit)?;
    }
    Ok(row + 1)
}

/// A figure in its declared unit x `factor`: live where its derivation is known, else its value or
/// `unknown`.
fn write_figure(
    sheet: &mut Worksheet,
    [row, column]: [u32; 2],
    figure: &Figure,
    factor: f64,
    book: &mut Book<'_>,
) -> Done {
    let shown = figure.value().map(|value| value * factor);
    let format = number_format(book.look, shown.unwrap_or_default());
    let column = column as u16;
    if let Some(cell) = book.answers.get(&figure.key) {
        let result = shown.map_or_else(|| figure.shown(), exact);
        let right = format.set_align(FormatAlign::Right);
        let live = Formula::new(format!("={cell}")).set_result(result);
        sheet.write_with_format(row, column, live, &right)?;
    } else if let Some((value, text)) = shown.zip(book.formula(figure)?) {
        let times = if is_one(factor) { String::new() } else { format!("*{factor:?}") };
        let live = Formula::new(format!("={text}{times}")).set_result(exact(value));
        sheet.write_with_format(row, column, live, &format)?;
    } else if let Some(value) = shown {
        sheet.write_with_format(row, column, value, &format)?;
    } else {
        let right = book.look.text.clone().set_align(FormatAlign::Right);
        sheet.write_with_format(row, column, figure.shown(), &right)?;
    }
    Ok(())
}

/// The ledger with its total.
fn ledger_sheet(report: &Report, sheet: &mut Worksheet, book: &mut Book<'_>) -> Done {
    let rows: &[ledger::Row] = &report.ledger;
    let look = book.look;
    let headings =
        ["stage", "item", "kind", "first month", "months", "quantity", "unit", "USD each", "USD"];
    head(sheet, look, &headings, 8)?;
    for (index, row) in rows.iter().enumerate() {
        let line = index as u32 + 1;
        let entry = &row.entry;
        sheet.write_with_format(line, 0, entry.stage.label(), &look.text)?;
        sheet.write_with_format(line, 1, entry.label(), &look.text)?;
        sheet.write_with_format(line, 2, entry.kind.name(), &look.text)?;
        sheet.write_with_format(line, 3, entry.period.month() + 1, &look.text)?;
        sheet.write_with_format(line, 4, entry.period.months(), &look.text)?;
        match (&row.steps, &row.quantity, row.unit_price, row.amount) {
            (Some((used, price)), Some((quantity, unit)), Some(each), Some(amount)) => {
                let factor = if unit.is_empty() { 1.0 } else { convert(1.0, unit) };
                for (column, step, factor, value) in
                    [(5, used, factor, *quantity), (7, price, 1.0 / factor, each)]
                {
                    let live = format!("={}*{factor:?}", book.term(step)?);
                    let live = Formula::new(live).set_result(exact(value));
                    sheet.write_with_format(line, column, live, &number_format(look, value))?;
                }
                sheet.write_with_format(line, 6, unit, &look.unit)?;
                let live = Formula::new(format!("=F{0}*H{0}", line + 1)).set_result(exact(amount));
                sheet.write_with_format(line, 8, live, &look.money)?;
            }
            (.., Some(amount)) => {
                sheet.write_with_format(line, 8, amount, &look.money)?;
            }
            _ => {
                sheet.write_with_format(line, 8, "unknown", &look.text)?;
            }
        }
    }
    let last = rows.len() as u32 + 1;
    sheet.write_with_format(last, 0, "total", &look.total_text)?;
    for column in 1..8 {
        sheet.write_with_format(last, column, "", &look.total_text)?;
    }
    // A sum that leaves out an unknown row would look like the total.
    if let Some(total) = rows.iter().map(|row| row.amount).sum::<Option<f64>>() {
        let sum = Formula::new(format!("=SUM(I2:I{last})")).set_result(exact(total));
        sheet.write_with_format(last, 8, sum, &look.total)?;
    } else {
        sheet.write_with_format(last, 8, "unknown", &look.total)?;
    }
    let mut chart = Chart::new(ChartType::Bar);
    chart
        .add_series()
        .set_categories(("Ledger", 1, 0, last - 1, 1))
        .set_values(("Ledger", 1, 8, last - 1, 8))
        .set_name("USD");
    chart.title().set_name("Cost by row");
    chart.legend().set_hidden();
    // Each row has its label, with its stage.
    chart.x_axis().set_label_interval(1);
    chart.set_width(900).set_height(120 + 24 * last);
    sheet.insert_chart(last + 2, 0, &chart)?;
    layout(sheet, &[14.0, 34.0, 9.0, 12.0, 9.0, 18.0, 16.0, 14.0, 18.0])
}

/// A row per year, a column per figure.
fn years_sheet(report: &Report, sheet: &mut Worksheet, book: &mut Book<'_>) -> Done {
    let look = book.look;
    let years = report.years();
    let mut columns: Vec<Id> =
        years.iter().flat_map(|(_, all)| all.iter().map(|it| it.key.id)).collect();
    columns.sort_unstable();
    columns.dedup();
    head(sheet, look, &["year"], 0)?;
    for (id, column) in columns.iter().zip(1..) {
        let row = id.declared();
        let said = row.unit.is_empty() || row.unit == row.label();
        let comma = if said { String::new() } else { format!(", {}", row.unit) };
        let heading = format!("{}{comma}", row.label().trim());
        sheet.write_with_format(0, column, heading, &look.head_right)?;
    }
    let mut last = 0;
    for ((year, figures), row) in years.iter().zip(1..) {
        sheet.write_with_format(row, 0, *year, &look.text)?;
        for (id, column) in columns.iter().zip(1..) {
            if let Some(figure) = figures.iter().find(|figure| figure.key.id == *id) {
                write_figure(sheet, [row, column], figure, 1.0, book)?;
            }
        }
        last = row;
    }
    if let Some(cost) = columns.iter().position(|id| *id == Id::YearCost) {
        let mut chart = Chart::new(ChartType::Column);
        let column = cost as u16 + 1;
        chart
            .add_series()
            .set_categories(("Years", 1, 0, last, 0))
            .set_values(("Years", 1, column, last, column));
        chart.title().set_name("Cost of serving by year, USD");
        chart.legend().set_hidden();
        sheet.insert_chart(last + 3, 0, &chart)?;
    }
    let mut widths = vec![8.0];
    widths.extend(columns.iter().map(|_| 24.0));
    layout(sheet, &widths)
}
