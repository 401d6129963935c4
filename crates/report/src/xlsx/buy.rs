//! The sheet that compares hardware of one's own with a rent, live: the two cumulated payments over
//! the service life, and the time at which they meet.

use flopcast_core::estimate::{Figure, Id, Place};
use flopcast_core::ledger::rent_or_buy::RentOrBuy;
use flopcast_core::provenance::Traced;
use flopcast_core::quantity::Measure;
use flopcast_core::quantity::text::convert;
use rust_xlsxwriter::{Chart, ChartType, Formula, Worksheet};

use super::book::{Book, exact};
use super::sheets::{Done, head, layout, number_format};
use crate::Report;

/// The name of the sheet.
pub(super) const SHEET: &str = "Rent or buy";

/// Points of the service life at which payments are cumulated.
const POINTS: u32 = 20;

/// A row of a block: its name, formula, value and unit.
struct Line<'a> {
    name: &'a str,
    formula: String,
    value: Option<f64>,
    unit: &'a str,
}

/// A block per stage whose hardware is owned and could be rented.
pub(super) fn sheet(report: &Report, sheet: &mut Worksheet, book: &mut Book<'_>) -> Done {
    head(sheet, book.look, &["item", "value", "unit"], 1)?;
    let mut row = 0;
    for (place, compared) in &report.rent_or_buy {
        row = block(report, place, compared, row, sheet, book)? + 2;
    }
    layout(sheet, &[44.0, 18.0, 18.0, 18.0, 18.0])
}

/// The block of a stage from the line below `row` on; returns its last line.
fn block(
    report: &Report,
    place: &Place,
    compared: &RentOrBuy,
    mut row: u32,
    sheet: &mut Worksheet,
    book: &mut Book<'_>,
) -> Done<u32> {
    let look = book.look;
    let (stage, bought) = match place {
        Place::Training => ("Training", Place::TrainingPurchase),
        _ => ("Service", Place::ServicePurchase),
    };
    row += 1;
    sheet.write_with_format(row, 0, stage, &look.title)?;
    let first = row + 1;
    let at = |line: u32| format!("$B${}", first + line + 1);
    let [cost, running, rent, rate, life, left, own, time] = std::array::from_fn(|n| at(n as u32));
    let gap = format!("(({rent}-{running})*{HOURS:?})");
    let met = format!("IF({rate}=0,{cost}/{gap},-LN(1-{cost}*LN(1+{rate})/{gap})/LN(1+{rate}))");
    let net = format!(
        "({rent}-{running})*{HOURS:?}*{}-{cost}*(1-{left}*(1+{rate})^-{life})",
        annuity(&life, &rate)
    );
    let break_even = report.figure(Id::PurchaseBreakEven.at(bought.clone()));
    let months = break_even.and_then(flopcast_core::estimate::Figure::value);
    let npv = report.figure(Id::PurchaseValue.at(bought.clone())).and_then(Figure::value);
    let never = format!("IF({rent}<={running},\"never\",IFERROR({met},\"never\"))");
    let lines = [
        line(
            "to buy a device, with its share of the cluster",
            &compared.capex,
            "USD/device",
            book,
        )?,
        line("to run it", &compared.running, "USD/device-h", book)?,
        line("to rent one instead", &compared.rent, "USD/device-h", book)?,
        line("discount rate a year", &compared.discount, "", book)?,
        Line { unit: "years", ..line("service life", &compared.life, YEARS, book)? },
        line("part of the price that is left after it", &compared.residual, "", book)?,
        Line { name: "NPV of buying over renting", formula: net, value: npv, unit: "USD/device" },
        Line {
            name: "payments meet after",
            formula: never,
            value: months.map(|it| it / 12.0),
            unit: "years",
        },
        Line {
            name: "buying breaks even after",
            formula: format!(
                "IF(ISNUMBER({time}),IF({time}>{life},\"never\",12*{time}),\"never\")"
            ),
            value: months,
            unit: "months",
        },
    ];
    for Line { name, formula, value, unit } in &lines {
        row += 1;
        sheet.write_with_format(row, 0, *name, &look.text)?;
        let live = Formula::new(format!("={formula}"));
        let live = live.set_result(value.map_or("never".to_owned(), exact));
        let format = number_format(look, value.unwrap_or_default());
        let format = format.set_align(rust_xlsxwriter::FormatAlign::Right);
        sheet.write_with_format(row, 1, live, &format)?;
        sheet.write_with_format(row, 2, *unit, &look.unit)?;
    }
    for (id, cell) in [(Id::PurchaseBreakEven, at(8)), (Id::PurchaseValue, own)] {
        book.answers.insert(id.at(bought.clone()), format!("'{SHEET}'!{cell}"));
    }
    let [cost, running, rent, rate, life] = [cost, running, rent, rate, life];
    payments(compared, [&cost, &running, &rent, &rate, &life], row + 1, stage, sheet, book)
}

/// Cumulated payments over the life, with their picture; returns the last line.
fn payments(
    compared: &RentOrBuy,
    [cost, running, rent, rate, life]: [&str; 5],
    mut row: u32,
    stage: &str,
    sheet: &mut Worksheet,
    book: &Book<'_>,
) -> Done<u32> {
    let look = book.look;
    row += 1;
    for (text, column) in ["month", "bought, USD/device", "rented, USD/device"].iter().zip(0..) {
        sheet.write_with_format(row, column, *text, &look.head_right)?;
    }
    let first = row + 1;
    let years = convert(compared.life.value().stored(), YEARS);
    let interest = compared.discount.value();
    for point in 0..=POINTS {
        row += 1;
        let share = f64::from(point) / f64::from(POINTS);
        let month = format!("$A${}", row + 1);
        let paid = annuity(&format!("({month}/12)"), rate);
        let time = share * years;
        let worth = match interest {
            0.0 => time,
            _ => (1.0 - (1.0 + interest).powf(-time)) / interest.ln_1p(),
        };
        let [capex, run, hire] = [
            compared.capex.value().stored(),
            convert(compared.running.value().stored(), "USD/device-h"),
            convert(compared.rent.value().stored(), "USD/device-h"),
        ];
        let cells = [
            (format!("={share:?}*12*{life}"), 12.0 * time),
            (format!("={cost}+{running}*{HOURS:?}*{paid}"), capex + run * HOURS * worth),
            (format!("={rent}*{HOURS:?}*{paid}"), hire * HOURS * worth),
        ];
        for ((formula, value), column) in cells.into_iter().zip(0..) {
            let live = Formula::new(formula).set_result(exact(value));
            let format = if column == 0 { number_format(look, 12.5) } else { look.money.clone() };
            sheet.write_with_format(row, column, live, &format)?;
        }
    }
    let mut chart = Chart::new(ChartType::ScatterStraight);
    for (name, column) in [("bought", 1_u16), ("rented", 2)] {
        chart
            .add_series()
            .set_categories((SHEET, first, 0_u16, row, 0_u16))
            .set_values((SHEET, first, column, row, column))
            .set_name(name);
    }
    chart.title().set_name(&format!("{stage}: paid so far, present value"));
    chart.x_axis().set_name("month");
    chart.y_axis().set_name("USD/device");
    chart.set_width(640).set_height(360);
    sheet.insert_chart(first - 1, 4, &chart)?;
    Ok(row)
}

/// Hours of a Julian year.
const HOURS: f64 = 8766.0;
/// The unit of a life.
const YEARS: &str = "year";

/// The present value of one a year, paid day by day over some years.
fn annuity(years: &str, rate: &str) -> String {
    format!("IF({rate}=0,{years},(1-(1+{rate})^-{years})/LN(1+{rate}))")
}

/// A row of a quantity whose derivation is live.
fn line<'a, Q: Measure>(
    name: &'a str,
    of: &Traced<Q>,
    unit: &'a str,
    book: &mut Book<'_>,
) -> Done<Line<'a>> {
    let factor = if unit.is_empty() { 1.0 } else { convert(1.0, unit) };
    let stored = of.value().stored();
    let formula = match of.step() {
        Some(step) => format!("{}*{factor:?}", book.term(step)?),
        None => exact(stored * factor),
    };
    Ok(Line { name, formula, value: Some(stored * factor), unit })
}
