//! A sentence about the training for a paper, in LaTeX, and the BibTeX of what it cites.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::Datelike;
use flopcast_core::diagnostic::Result;
use flopcast_core::estimate::Id;
use flopcast_core::provenance::{Basis, Expr};
use flopcast_core::quantity::text::number;

use super::{VERSION, day, single, slug, trained, two_digits};
use crate::Report;
use crate::text::visible;

/// The sentence: parameters, data, compute, hardware, time, energy and carbon, with the 80 %
/// intervals of those that have one. What is unknown is left out.
///
/// # Errors
/// If there are several scenarios, or the scenario trains nothing.
pub fn sentence(reports: &[Report]) -> Result<String> {
    let report = single(reports, "a sentence")?;
    let card = trained(report, "a sentence")?;
    let value = |id: Id| report.figure(id).and_then(flopcast_core::estimate::Figure::value);
    let said = |id: Id, unit: &str, scale: f64| {
        let middle = number(value(id)? / scale);
        let range = report.intervals.iter().find(|range| range.figure == id);
        let range = range.map_or(String::new(), |range| {
            let [_, low, _, _, high, _] = range.values.map(|it| number(it / scale));
            format!(" (80\\,\\% interval {low} to {high})")
        });
        Some(format!("{middle}\\,{unit}{range}"))
    };
    let parameters = power(card.parameters as f64);
    let mut text =
        format!("The {} of {} ({parameters} parameters", card.training_type, escaped(&card.model));
    for (id, what) in [(Id::TrainingTokens, "tokens"), (Id::TrainingSamples, "samples")] {
        if let Some(count) = value(id) {
            let _ = write!(text, ", {} {what}", power(count));
        }
    }
    text.push(')');
    let takes = value(Id::ModelFlops).map(|flop| format!("{}\\,FLOP", power(flop)));
    let on = |hours: String| format!("{hours} on {}", escaped(&card.hardware()));
    let days = said(Id::WallClock, "days", 1.0);
    let days = days.map(|days| match value(Id::Mfu) {
        Some(mfu) => format!("{days} at an MFU of {}\\,\\%", number(100.0 * mfu)),
        None => days,
    });
    let place = card.place().map_or(String::new(), |place| format!(", {}", escaped(&place)));
    let carbon = said(Id::LocationCo2e, "tCO\\textsubscript{2}e", 1e3);
    let parts: Vec<String> = [
        takes,
        said(Id::DeviceHours, "device-hours", 1.0).map(on),
        days,
        said(Id::FacilityEnergy, "MWh", 1e3),
        carbon.map(|carbon| format!("{carbon} (location-based{place})")),
    ]
    .into_iter()
    .flatten()
    .collect();
    let (last, rest) = parts.split_last().map_or(("", &[][..]), |(last, rest)| (last, rest));
    let list =
        if rest.is_empty() { last.to_owned() } else { format!("{} and {last}", rest.join(", ")) };
    let _ = writeln!(text, " takes {list}, as forecast by flopcast~{VERSION}~\\cite{{flopcast}}.");
    Ok(text)
}

/// BibTeX of flopcast and of the publications whose figures the forecast rests on.
///
/// # Errors
/// If there are several scenarios.
pub fn bibliography(reports: &[Report]) -> Result<String> {
    let report = single(reports, "a bibliography")?;
    let mut sources: BTreeMap<String, (&str, Option<i32>)> = BTreeMap::new();
    for step in &report.inputs {
        if let Expr::Leaf(Basis::Catalog { source, date, .. }) = &step.how {
            let year = date.map(|date| date.year());
            sources.entry(slug(source)).or_insert((source, year));
        }
    }
    let mut text = entry(
        "flopcast",
        &[
            (
                "title",
                "flopcast: cost, energy and carbon of AI models before they are trained".to_owned(),
            ),
            ("version", VERSION.to_owned()),
            ("year", day(report).year().to_string()),
            ("note", format!("Version {VERSION}, data of {}", day(report))),
        ],
    );
    for (key, (source, year)) in sources {
        let mut fields = vec![("title", escaped(source))];
        fields.extend(year.map(|year| ("year", year.to_string())));
        text.push('\n');
        text.push_str(&entry(&key, &fields));
    }
    Ok(text)
}

/// An entry of BibTeX.
fn entry(key: &str, fields: &[(&str, String)]) -> String {
    let mut text = format!("@misc{{{key},\n");
    for (name, value) in fields {
        let _ = writeln!(text, "  {name} = {{{value}}},");
    }
    text.push_str("}\n");
    text
}

/// A large number as a power of ten in LaTeX.
fn power(value: f64) -> String {
    let short = two_digits(value);
    let Some((mantissa, exponent)) = short.split_once('e') else { return number(value) };
    format!("${mantissa}\\times10^{{{exponent}}}$")
}

/// A text in which LaTeX finds no command.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in visible(text).chars() {
        match c {
            '\\' => out.push_str("\\textbackslash{}"),
            '~' => out.push_str("\\textasciitilde{}"),
            '^' => out.push_str("\\textasciicircum{}"),
            '{' | '}' | '$' | '&' | '#' | '_' | '%' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latex_finds_no_command_in_a_name() {
        for (text, expected) in [
            ("a_b & 5 %", "a\\_b \\& 5 \\%"),
            ("\\input{x}", "\\textbackslash{}input\\{x\\}"),
            ("$x^2$~#", "\\$x\\textasciicircum{}2\\$\\textasciitilde{}\\#"),
        ] {
            assert_eq!(escaped(text), expected);
        }
    }

    #[test]
    fn large_numbers_are_powers() {
        assert_eq!(power(3.143e23), "$3.1\\times10^{23}$");
        assert_eq!(power(1000.0), "1,000");
    }
}
