//! All combinations of some values: rows as they come, then what remains of them.

use flopcast_core::diagnostic::Result;
use flopcast_core::quantity::text::number;
use flopcast_report::subject::sweep::{csv_head, csv_row, json_head, json_row, json_tail};
use flopcast_study::aim::Aim;
use flopcast_study::axis::Axis;
use flopcast_study::space::Space;
use flopcast_study::sweep::{Question, Row, Summary, run};

use super::Declared;
use crate::Session;
use crate::request::{Asking, Opened, Out, Tried, about_a_scenario};

about_a_scenario! {
    /// All combinations of some values.
    pub struct Request {
        /// Keys and their values, a list `a,b,c` or numbers `64..1024*2`, `10..50+20`:
        /// `training.hardware.count=64,128`. All combinations are forecast, the last key varies fastest.
        #[schemars(length(min = 1))]
        pub vary: Vec<String>,
        /// Figures to measure the front by: cost, days, co2e, energy, devices, or figures by their path;
        /// less is better, `max:training.mfu` turns that round. When left out: cost, days, co2e.
        pub pareto: Option<Vec<String>>,
        /// The figures of each row beside those of the front; devices when left out.
        pub figures: Option<Vec<String>>,
        /// Only the rows of the front.
        #[serde(default)]
        pub front: bool,
    }
}

/// The question of a sweep: its columns are the front's figures and others beside.
pub fn question(front: &[String], beside: &[String]) -> Question {
    let front: Vec<Aim> = front.iter().map(|text| Aim::read(text)).collect();
    let mut columns = front.clone();
    for aim in beside.iter().map(|text| Aim::read(text)) {
        if columns.iter().all(|known| known.key != aim.key) {
            columns.push(aim);
        }
    }
    Question { columns, front }
}

/// The form in which rows leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Objects.
    Json,
    /// Lines of CSV.
    Csv,
    /// No rows: the summary alone is wanted.
    None,
}

/// Forecasts every combination; the text of rows goes to `write` as they come, or once all have
/// passed, those of the front alone.
///
/// # Errors
/// As [`run`]; what `write` refuses.
pub fn stream(
    session: &Session<'_>,
    (space, question): (&Space<'_>, &Question),
    (rows, front): (Rows, bool),
    write: &mut dyn FnMut(&str) -> Result<()>,
) -> Result<Summary> {
    let told = |done: u64| {
        let (done, all) = (done as f64, space.len() as f64);
        (session.watch)(&format!("{} of {}", number(done), number(all)), done / all)
    };
    match rows {
        Rows::None => return run(space, question, &mut |_| Ok(()), &told),
        Rows::Json => write(&json_head(space))?,
        Rows::Csv => write(&csv_head(space, question))?,
    }
    let mut written = 0_u64;
    let mut row = |row: &Row| {
        let text = if rows == Rows::Json {
            let comma = if written > 0 { ",\n" } else { "" };
            format!("{comma}{}", json_row(space, question, row))
        } else {
            csv_row(space, row)
        };
        written += 1;
        write(&text)
    };
    let mut each = |it: &Row| if front { Ok(()) } else { row(it) };
    let summary = run(space, question, &mut each, &told)?;
    if front {
        summary.front.iter().try_for_each(&mut row)?;
    }
    if rows == Rows::Json {
        write(&json_tail(&summary))?;
    }
    Ok(summary)
}

impl Declared for Request {
    const NAME: &'static str = "sweep";
    const SAYS: &'static str = "Forecast all combinations of some values: which are best, which cannot be \
         done and why.";
    const LONG: bool = true;

    fn answer(&self, asking: &Asking<'_>, out: &mut Out) -> Tried<bool> {
        let Opened { document, files } = asking.open(&self.whole())?;
        let session = asking.with(&files);
        let read = |text: &String| Axis::read(text, &document);
        let axes = self.vary.iter().map(read).collect::<Result<Vec<_>>>()?;
        let space = Space::new(document, axes, session.catalog, session.files)?;
        let usual = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let front = self.pareto.clone().unwrap_or_else(|| usual(&["cost", "days", "co2e"]));
        let beside = self.figures.clone().unwrap_or_else(|| usual(&["devices"]));
        let question = question(&front, &beside);
        let summary =
            stream(&session, (&space, &question), (Rows::Json, self.front), &mut |text| {
                out.write(text);
                Ok(())
            })?;
        Ok(summary.feasible > 0)
    }
}
