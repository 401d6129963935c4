//! The fields on compute, training time and energy of the documentation that Regulation (EU)
//! 2024/1689 (AI Act) asks of providers of general-purpose models (Annex XI section 1, 2(d) and
//! 2(e); the Model Documentation Form of the Code of practice), and what the thresholds of compute
//! make of them.
//!
//! The training compute C is lognormal: its median is the operator-exact count, or the P50 of the
//! sampled ranges; the half-width of its 80 % interval, as a logarithm, is the root of the sum of
//! the squares of
//! - the sampled ranges of the inputs,
//! - the distance to the counts by the other conventions (6ND; attention in full), the larger one,
//! - the error of such counts on published runs (`docs/accuracy.md`).
//!
//! The probability of a threshold is P(C > threshold).

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::Id;
use flopcast_core::estimate::plan::Card;
use flopcast_core::quantity::{Distribution, Flop, Measure as _};

use super::{VERSION, single, trained, two_digits};
use crate::Report;
use crate::doc::{Block, Cell, Column, Doc, Grid};
use crate::render::markdown;
use crate::subject::accuracy;

/// Whom a threshold concerns.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Concerns {
    /// Who trains a model from the start.
    Provider,
    /// Who goes on training somebody else's.
    Modifier,
}

/// A threshold of training compute, in FLOP.
struct Threshold {
    rule: &'static str,
    source: &'static str,
    flop: f64,
    concerns: Concerns,
    above: &'static str,
    below: &'static str,
}

/// The thresholds. A modifier's is a third of the original model's compute; where that is not
/// known, a third of the threshold that the original is above.
const THRESHOLDS: [Threshold; 4] = [
    Threshold {
        rule: "indicative criterion of a general-purpose model",
        source: "C(2025) 7719, point 17",
        flop: 1e23,
        concerns: Concerns::Provider,
        above: "met",
        below: "not met",
    },
    Threshold {
        rule: "presumption of systemic risk",
        source: "Art. 51(2)",
        flop: 1e25,
        concerns: Concerns::Provider,
        above: "presumed: the Commission is notified within two weeks (Art. 52)",
        below: "not presumed",
    },
    Threshold {
        rule: "a modifier becomes provider, compute of the original unknown",
        source: "C(2025) 7719, points 60-61",
        flop: 1e23 / 3.0,
        concerns: Concerns::Modifier,
        above: "provider of the modified model",
        below: "stays a downstream user",
    },
    Threshold {
        rule: "the same, where the original is of systemic risk",
        source: "C(2025) 7719, points 60-61",
        flop: 1e25 / 3.0,
        concerns: Concerns::Modifier,
        above: "provider of a modified model of systemic risk",
        below: "stays a downstream user",
    },
];

/// The fields and the verdicts as Markdown.
///
/// # Errors
/// If there are several scenarios, the scenario trains nothing, or its compute is unknown.
pub fn form(reports: &[Report]) -> Result<String> {
    let report = single(reports, "the documentation")?;
    let card = trained(report, "the documentation")?;
    let compute = compute(report)?;
    let mut doc = Doc::titled(format!("EU AI Act, documentation of {}", card.model));
    doc.push(Block::Text(format!(
        "Fields of the Model Documentation Form (Code of practice for general-purpose AI, \
         transparency chapter; Annex XI section 1, 2(d) and 2(e) of Regulation (EU) 2024/1689) that \
         follow from a forecast by flopcast {VERSION} of \"{}\". It is a help for those who fill \
         the form in, and no legal advice.",
        report.name
    )));
    doc.section("Fields", fields(report, card, &compute));
    doc.section("Thresholds of training compute", verdicts(card, &compute));
    doc.push(Block::List(remarks(card)));
    Ok(markdown::text(&doc))
}

/// The distribution of the training compute, in FLOP.
///
/// # Errors
/// If the count, or the error of such counts, is unknown.
fn compute(report: &Report) -> Result<Distribution> {
    let flop = |id: Id| report.figure(id).and_then(flopcast_core::estimate::Figure::value);
    let exact = flop(Id::ModelFlops).filter(|flop| *flop > 0.0);
    let exact = exact.ok_or_else(|| Error::input("the FLOPs of the training are unknown"))?;
    let sampled = report.intervals.iter().find(|range| range.figure == Id::ModelFlops);
    let (median, sampled) = match sampled.map(|range| range.values) {
        Some([_, p10, p50, _, p90, _]) if p10 > 0.0 => (p50, (p90 / p10).ln() / 2.0),
        _ => (exact, 0.0),
    };
    let others = [Id::SixNd, Id::FullFlops].into_iter().filter_map(flop).filter(|it| *it > 0.0);
    let convention = others.map(|other| (other / exact).ln().abs()).fold(0.0, f64::max);
    let half_width = [sampled, convention, counting_error()?].map(|it| it * it).iter().sum::<f64>();
    Ok(Distribution::of_half_width(median, half_width.sqrt()))
}

/// Nine of ten counts of published runs are within this, as a logarithm.
///
/// # Errors
/// If the document of the errors does not say it: without it every verdict would look certain.
fn counting_error() -> Result<f64> {
    let percent =
        accuracy::of_flops().and_then(|it| it.p90.trim_end_matches('%').trim().parse::<f64>().ok());
    let percent = percent.ok_or_else(|| Error::input("the error of counted FLOPs is not known"))?;
    Ok((percent / 100.0).ln_1p())
}

/// The fields that a forecast fills.
fn fields(report: &Report, card: &Card, compute: &Distribution) -> Grid {
    let mut grid =
        Grid::new([Column::words("field"), Column::words("value"), Column::prose("how")]);
    let mut say = |field: &str, value: String, how: String| {
        grid.push([field.into(), Cell::text(value), Cell::text(how)]);
    };
    let value = |id: Id| report.figure(id).and_then(flopcast_core::estimate::Figure::value);
    let unknown = |id: Id| {
        let why = report.figure(id).and_then(|figure| figure.unknown());
        why.map_or_else(|| "not in the scenario".to_owned(), |unknown| unknown.why.clone())
    };
    say("model", card.model.clone(), card.training_type.to_owned());
    let parameters = card.parameters as f64;
    say("parameters", two_digits(parameters), "all of them, to two significant figures".to_owned());
    let devices = report.figure(Id::DeviceHours).map(flopcast_core::estimate::Figure::shown);
    say(
        "training time",
        value(Id::WallClock)
            .map_or("unknown".to_owned(), |days| format!("{} days", two_digits(days))),
        devices.map_or_else(String::new, |hours| format!("{hours} on {}", card.hardware())),
    );
    let [low, high] = [0.1, 0.9].map(|share| two_digits(compute.quantile(share)));
    let conventions = [("6ND", Id::SixNd), ("attention in full", Id::FullFlops)];
    let others = conventions
        .into_iter()
        .filter_map(|(name, id)| Some(format!("{} {name}", two_digits(value(id)?))));
    let others: Vec<String> = others.collect();
    let beside = if others.is_empty() { String::new() } else { format!("; {}", others.join(", ")) };
    say(
        "training compute",
        format!("{} FLOP", two_digits(compute.quantile(0.5))),
        format!(
            "from the architecture: forward and backward passes, operator by operator; 80 % \
             interval {low} to {high} FLOP{beside}"
        ),
    );
    let energy = value(Id::FacilityEnergy);
    say(
        "energy of the training",
        energy.map_or("unknown".to_owned(), |kwh| format!("{} MWh", two_digits(kwh / 1e3))),
        if energy.is_some() {
            "power of devices and hosts x device-hours x PUE".to_owned()
        } else {
            unknown(Id::FacilityEnergy)
        },
    );
    if let Some(wh) = value(Id::RequestEnergy) {
        let how = "mean of a request in the first year of service, a forecast and no benchmark";
        say("energy of inference", format!("{} Wh", two_digits(wh)), how.to_owned());
    }
    grid
}

/// What the thresholds make of the compute.
fn verdicts(card: &Card, compute: &Distribution) -> Grid {
    let mut grid = Grid::new([
        Column::words("rule"),
        Column::words("source"),
        Column::numbers("threshold"),
        Column::numbers("probability above"),
        Column::prose("verdict"),
    ]);
    let mine = if card.adapts { Concerns::Modifier } else { Concerns::Provider };
    for threshold in &THRESHOLDS {
        let above = 1.0 - compute.below(Flop::from_stored(threshold.flop).stored());
        let verdict = if threshold.concerns != mine {
            match mine {
                Concerns::Provider => "concerns who modifies a model".to_owned(),
                Concerns::Modifier => "concerns the original, whose compute counts too".to_owned(),
            }
        } else if above >= CERTAIN {
            threshold.above.to_owned()
        } else if above <= 1.0 - CERTAIN {
            threshold.below.to_owned()
        } else {
            format!("open: {}, or {}", threshold.above, threshold.below)
        };
        grid.push([
            threshold.rule.into(),
            threshold.source.into(),
            Cell::shown(threshold.flop, format!("{} FLOP", two_digits(threshold.flop))),
            Cell::shown(above, probability(above)),
            verdict.into(),
        ]);
    }
    grid
}

/// A verdict stands from this probability on.
const CERTAIN: f64 = 0.95;

/// A probability in percent; nothing is certain.
fn probability(share: f64) -> String {
    match 100.0 * share {
        percent if percent > 99.9 => "over 99.9%".to_owned(),
        percent if percent < 0.1 => "under 0.1%".to_owned(),
        percent => format!("{percent:.1}%"),
    }
}

/// What the figures leave out.
fn remarks(card: &Card) -> Vec<String> {
    let modality = if card.generates {
        "The criterion also asks that the model generates language, images from text or video \
         from text: this one generates text."
    } else {
        "The criterion also asks that the model generates language, images from text or video \
         from text, which its architecture does not show: compute alone decides nothing."
    };
    let mut out = vec![
        modality.to_owned(),
        "Recomputed activations and runs that were given up are not counted. Compute that makes \
         synthetic data counts too (annex of the guidelines): add it where the scenario does not \
         contain it."
            .to_owned(),
        format!(
            "The interval is that of the inputs' ranges, of the conventions of counting, and of \
             the error of such counts on published runs. A verdict stands from {:.0} % on.",
            100.0 * CERTAIN
        ),
    ];
    if card.adapts {
        out.push(
            "Where the compute of the original is known, a third of it is the threshold in place \
             of the two above."
                .to_owned(),
        );
    }
    out
}
