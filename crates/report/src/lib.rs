//! Documents for people and programs: a subject builds a [`doc::Doc`], a renderer per form writes
//! any of them.
//!
//! ```text
//! Report, Comparison, Capacity, ...  --Subject::doc-->  Doc  --render-->  table, Markdown, CSV, HTML
//!                                    --Subject::json-->  JSON with a schema of its own
//! Report alone                       -->  page with pictures, workbook, FOCUS, model card, SCI statement
//! ```
//! [`Report`] is what a document about one scenario may show. [`subject`] has a file per subject,
//! [`mod@render`] one per form and the registry of forms. Texts of users are escaped where they are
//! rendered, by [`text`] and the renderer of the form.

mod answer;
pub mod carbon;
pub mod cash;
pub mod chart;
pub mod currency;
pub mod doc;
pub mod fact;
pub mod focus;
pub mod html;
pub mod json;
mod launch;
pub mod ledger;
pub mod render;
pub mod statement;
pub mod subject;
pub mod text;
pub mod tree;
pub mod view;
mod whole;
pub mod xlsx;

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::NaiveDate;
use flopcast_core::estimate::plan::{Card, Choice, Currency, Scenario, UsualSpread};
use flopcast_core::estimate::{Calendar, Estimate, Figure, Id, Key, Place, Section};
use flopcast_core::ledger::rent_or_buy::RentOrBuy;
use flopcast_core::provenance::{Basis, Expr, Step};
use flopcast_core::quantity::text::number;
use flopcast_core::quantity::{Measure, show};
use flopcast_core::training::layout::Candidate;
use flopcast_core::training::memory::{Held, Memory};
use flopcast_core::training::predict::Predicted;
use flopcast_study::commitment::Commitment;
use flopcast_study::leaning::Leanings;
use flopcast_study::uncertainty::{self, Interval};
use serde_json::json;

use crate::doc::Block;
pub use crate::launch::Launch;

pub use self::fact::Fact;
pub use self::whole::Answered;

/// The latencies of a replica at a rate: P50, P95 and P99.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Requests per second and replica.
    pub rate: f64,
    /// Time to first token, in seconds.
    pub ttft: [f64; 3],
    /// Time per output token, in seconds.
    pub tpot: [f64; 3],
}

/// Everything that a document about one scenario may show.
#[derive(Clone, Debug)]
pub struct Report {
    /// The scenario's description in one line.
    pub name: String,
    /// The training in the words of a model card; `None` for a scenario without training.
    pub card: Option<Card>,
    /// The dates of the data that the figures rest on: the oldest price, the newest, how many are old,
    /// the newest year of a grid.
    pub dates: Vec<(String, String)>,
    /// Every figure, in the order of the JSON.
    pub figures: Vec<Figure>,
    /// The first day, where the scenario says so.
    pub start: Option<NaiveDate>,
    /// The first month of the fiscal year, 1 to 12.
    pub fiscal_year: u32,
    /// True if the run fits the memory of its devices, as far as that is known.
    pub fits: bool,
    /// Days by which the run misses its deadline, where it does.
    pub late_days: Option<i64>,
    /// The rows of money that the costs are sums of.
    pub ledger: Vec<ledger::Row>,
    /// Payments for owned hardware: in the cash flow in place of the ledger's capex rows.
    pub purchases: Vec<ledger::Row>,
    /// Owned hardware against a rent, by the stage that bought it, where both are known.
    pub rent_or_buy: Vec<(Place, RentOrBuy)>,
    /// The providers that rent is paid to, by stage and tariff.
    pub sellers: Vec<focus::Seller>,
    /// The currency that is shown beside USD.
    pub currency: Option<Currency>,
    /// Commitments that would save money.
    pub commitments: Vec<Commitment>,
    /// The rows of energy and carbon.
    pub footprint: Vec<carbon::Row>,
    /// What each stage emits, for the scopes of the GHG Protocol.
    pub emitted: Vec<statement::ghg::Emitted>,
    /// Every input that a figure rests on, in the order of first use.
    pub inputs: Vec<Arc<Step>>,
    /// Facts that are no numbers: the layout, whether it fits, the days.
    pub facts: Vec<Fact>,
    /// The spreads that inputs have although nobody gave a range.
    pub spreads: Vec<UsualSpread>,
    /// Ranges of the figures, where inputs are uncertain.
    pub intervals: Vec<Interval>,
    /// Simulated latencies of a replica at several rates, in seconds.
    pub load: Vec<Load>,
    /// The simulation's answer about the service, which stands before the figures.
    pub service: Vec<Block>,
    /// The services and regions that it is the whole of, where there are several.
    pub parts: Vec<Block>,
    /// Figures of a service at the ends of the 80 % interval of its step time, where no interval was
    /// sampled.
    pub predicted: Option<uncertainty::Predicted>,
    /// Assumptions about the model.
    pub model_assumptions: Vec<String>,
    /// The plan as far as a job file says it.
    pub launch: Launch,
    /// The assumed inputs that the answer leans on, where somebody asked.
    pub leanings: Option<Leanings>,
    /// Choices that flopcast made because nobody did, beside quantities.
    pub choices: Vec<Choice>,
    /// Warnings to read before trusting the figures.
    pub warnings: Vec<String>,
}

impl Report {
    /// The report of an estimate whose inputs recorded. `predicted` is the step-time model's
    /// prediction of the run.
    pub fn new(scenario: &Scenario, estimate: &Estimate, predicted: Option<&Predicted>) -> Self {
        let figures = estimate.figures();
        let observed = estimate.inference.as_ref().and_then(|it| it.observed.as_ref());
        let observed = observed.iter().flat_map(|observed| &observed.inputs);
        // Of inputs of one name the first stands for all; the calendar is arithmetic.
        let mut names = BTreeSet::new();
        let mut inputs = Step::leaves(figures.iter().filter_map(Figure::step).chain(observed));
        inputs.retain(|step| match &step.how {
            Expr::Leaf(Basis::Derived { formula }) if formula == "calendar" => false,
            _ => names.insert(step.name.as_deref()),
        });
        let inputs = inputs.into_iter().cloned().collect();
        let mut warnings = scenario.warnings.clone();
        warnings.extend(unknowns(&figures));
        let mut facts = Vec::new();
        if let Some(predicted) = predicted {
            prediction(predicted, &mut facts);
        }
        let held =
            predicted.map(|it| it.candidate.held()).or_else(|| scenario.training.as_ref()?.held);
        if let (Some(Held { layout, memory }), None) = (&held, predicted) {
            facts.push(Fact { declared: fact::LAYOUT, value: json!(layout.to_string()) });
            facts.push(Fact { declared: fact::FITS, value: json!(memory.fits()) });
        }
        warnings.splice(0..0, held.as_ref().and_then(|held| unfit(&held.memory)));
        for (stage, ownership) in estimate.ownerships() {
            if let Ok(compared) = &ownership.rent_or_buy {
                let declared = match stage {
                    Place::Training => fact::TRAINING_PURCHASE,
                    _ => fact::SERVICE_PURCHASE,
                };
                facts.push(Fact { declared, value: json!(compared.answer()) });
            }
        }
        let api = estimate.inference.as_ref().and_then(|it| it.api.as_ref()?.answer());
        if let Some(answer) = api {
            facts.push(Fact { declared: fact::API, value: json!(answer) });
        }
        if let Some(refresh) = estimate.inference.as_ref().and_then(|it| it.refresh.as_ref()) {
            let shown = show(refresh.max_rate.value());
            let value = format!(
                "from year {} on {}, at most {shown} per replica",
                refresh.year, refresh.accelerator
            );
            facts.push(Fact { declared: fact::RENEWED, value: json!(value) });
        }
        let calendar = estimate.training.as_ref().and_then(|training| training.calendar);
        if let Some(calendar) = calendar {
            days(calendar, &mut facts);
        }
        let margin = estimate.training.as_ref().and_then(|training| training.margin_days);
        if let Some(margin) = margin {
            facts.push(Fact { declared: fact::MARGIN, value: json!(margin) });
            if margin < 0 {
                warnings.insert(0, format!("the run ends {} days after its deadline", -margin));
            }
        }
        let mfu = estimate.training.as_ref().map(|training| training.run.mfu.value().stored());
        let paced = predicted.is_some_and(|predicted| predicted.run_half_width.is_some());
        warnings.splice(0..0, mfu.and_then(|mfu| implausible(mfu, paced)));
        carbon::facts(estimate, &mut facts);
        Self {
            name: scenario.name.clone(),
            card: scenario.training.as_ref().map(|training| training.card.clone()),
            dates: scenario.dates.clone(),
            figures,
            late_days: margin.filter(|margin| *margin < 0).map(|margin| -margin),
            start: scenario.start,
            fiscal_year: scenario.finance.fiscal_year,
            fits: held.is_none_or(|held| held.memory.fits()),
            ledger: ledger::rows(scenario, estimate),
            purchases: estimate
                .ownerships()
                .flat_map(|(_, ownership)| ownership.purchases.lines())
                .map(ledger::Row::new)
                .collect(),
            rent_or_buy: estimate
                .ownerships()
                .filter_map(|(place, it)| Some((place, it.rent_or_buy.as_ref().ok()?.clone())))
                .collect(),
            sellers: focus::sellers(scenario),
            currency: scenario.finance.currency.clone(),
            commitments: Vec::new(),
            predicted: None,
            footprint: carbon::rows(estimate),
            emitted: statement::ghg::emitted(estimate),
            inputs,
            facts,
            spreads: scenario.spreads.clone(),
            intervals: Vec::new(),
            load: Vec::new(),
            service: Vec::new(),
            parts: Vec::new(),
            model_assumptions: scenario.model_assumptions.clone(),
            launch: Launch::new(scenario, predicted),
            leanings: None,
            choices: scenario.choices.clone(),
            warnings,
        }
    }

    /// The inputs that nobody gave: name, value, reason, and the publication that it rests on.
    pub fn assumptions(&self) -> impl Iterator<Item = (&str, String, &str, Option<&str>)> {
        let chosen =
            self.choices.iter().map(|it| (it.path, it.value.clone(), it.why.as_str(), None));
        let inputs = self.inputs.iter().filter_map(|step| match &step.how {
            Expr::Leaf(Basis::Assumed { why, source }) => {
                let name = step.name.as_deref().unwrap_or_default();
                Some((name, step.shown(), why.as_str(), source.as_deref()))
            }
            _ => None,
        });
        inputs.chain(chosen)
    }

    /// The range whose causes are shown: that of the total cost, where it has one, else the first.
    pub fn widest(&self) -> Option<&Interval> {
        let costly = self.intervals.iter().find(|range| range.figure == Id::TotalCost);
        costly.or(self.intervals.first())
    }

    /// A figure of the forecast; `None` where it has no such figure.
    pub fn figure(&self, key: impl Into<Key>) -> Option<&Figure> {
        let key = key.into();
        self.figures.iter().find(|figure| figure.key == key)
    }

    /// The figures of a section, in the order of the JSON.
    pub fn section(&self, section: Section) -> impl Iterator<Item = &Figure> {
        self.figures.iter().filter(move |figure| figure.section() == section)
    }

    /// The sections that have figures; years are a table of their own.
    pub fn sections(&self) -> impl Iterator<Item = (Section, Vec<&Figure>)> {
        let apart = [Section::Years, Section::Parts];
        let sections = Section::ALL.into_iter().filter(move |section| !apart.contains(section));
        let filled = sections.map(|section| (section, self.section(section).collect::<Vec<_>>()));
        filled.filter(|(_, figures)| !figures.is_empty())
    }

    /// The years of service in their order, each with its figures.
    pub fn years(&self) -> Vec<(u32, Vec<&Figure>)> {
        let mut years: Vec<(u32, Vec<&Figure>)> = Vec::new();
        for figure in &self.figures {
            let Some(year) = figure.year() else { continue };
            match years.last_mut().filter(|(last, _)| *last == year) {
                Some((_, figures)) => figures.push(figure),
                None => years.push((year, vec![figure])),
            }
        }
        years
    }

    /// The facts that stand below a section.
    pub fn facts_of(&self, section: Section) -> impl Iterator<Item = &Fact> {
        self.facts.iter().filter(move |fact| fact.declared.section == Some(section))
    }
}

impl Report {
    /// Adds the interval of the predicted speed of a service, and what its ends make of the fleet.
    pub fn say_predicted(&mut self, predicted: uncertainty::Predicted) {
        let factor = predicted.factor;
        let (low, high) = (100.0 * (1.0 / factor - 1.0), 100.0 * (factor - 1.0));
        let devices = predicted.figures.iter().find(|(id, ..)| *id == Id::FleetDevices);
        let devices = devices.map_or(String::new(), |(_, least, most)| {
            if least.total_cmp(most).is_eq() {
                let devices = if *most <= 1.0 { "device" } else { "devices" };
                format!(": {least:.0} {devices}")
            } else {
                format!(": {least:.0} to {most:.0} devices")
            }
        });
        let value = format!("{low:+.0}% to {high:+.0}% (80% interval){devices}");
        self.facts.push(Fact { declared: fact::SERVING_ERROR, value: json!(value) });
        self.predicted = Some(predicted);
    }
}

/// Adds the layout of a predicted run, its runners-up and the interval of its speed; warns of a
/// layout that does not fit, and of a device that no calibration has seen.
fn prediction(predicted: &Predicted, facts: &mut Vec<Fact>) {
    let mut say = |declared, value| facts.push(Fact { declared, value });
    let Candidate { layout, memory, .. } = predicted.candidate;
    say(fact::LAYOUT, json!(layout.to_string()));
    if layout.devices() > 1 {
        let network = &predicted.network;
        let basis = match &network.leaf().how {
            Expr::Leaf(basis) => format!(", {basis}"),
            _ => String::new(),
        };
        say(fact::NETWORK, json!(format!("{}{basis}", show(network.value))));
    }
    say(fact::SEQUENCES, json!(predicted.batch.sequences));
    say(fact::FITS, json!(memory.fits()));
    let others: Vec<String> = predicted
        .runners_up
        .iter()
        .map(|other| {
            let slower = other.step.total / predicted.candidate.step.total;
            format!("{} ({:+.1}%)", other.layout, 100.0 * (slower.value - 1.0))
        })
        .collect();
    if !others.is_empty() {
        say(fact::RUNNERS_UP, json!(others));
    }
    let reasons = predicted.reasons.join("; ");
    let because = if reasons.is_empty() { reasons } else { format!(": {reasons}") };
    say(fact::PREDICTION_ERROR, json!(interval(predicted.half_width) + &because));
    if let Some(width) = predicted.run_half_width {
        say(fact::RUN_ERROR, json!(interval(width)));
    }
}

/// The warning of a run that needs more memory than a device has.
fn unfit(memory: &Memory) -> Option<String> {
    (!memory.fits()).then(|| {
        format!(
            "the run does not fit: {} needed, {} there; more devices to shard over, a smaller \
             micro-batch, recomputation or gradients in bf16 (formats: {{gradients: bf16}}) would help",
            show(memory.reserved),
            show(memory.capacity)
        )
    })
}

/// The highest MFU that is believed of a prediction: published runs of language models reach 0.7.
const MOST_PREDICTED: f64 = 0.8;

/// The doubt about an MFU that no run reaches, of a given pace or of a predicted one.
fn implausible(mfu: f64, predicted: bool) -> Option<String> {
    let said = number(mfu);
    match predicted {
        true if mfu > MOST_PREDICTED => Some(format!(
            "a predicted MFU of {said} is above what any run has reached: the step-time model misses a \
             part of this model; give what it reaches: efficiency: {{mfu: 0.35, convention: model}}"
        )),
        false if mfu > 1.0 => Some(format!(
            "an MFU of {said} is impossible: check the pace, model, data and precision"
        )),
        _ => None,
    }
}

/// The 80 % interval of a half-width of ln(measured / predicted).
fn interval(half_width: f64) -> String {
    let [low, high] = [-half_width, half_width].map(|end| 100.0 * end.exp_m1());
    format!("{low:+.0}% to {high:+.0}% (80% interval)")
}

/// Adds the first and the last day.
fn days(calendar: Calendar, facts: &mut Vec<Fact>) {
    let mut say = |declared, value| facts.push(Fact { declared, value });
    say(fact::FIRST_DAY, json!(calendar.start.to_string()));
    say(fact::LAST_DAY, json!(calendar.end.to_string()));
}

/// Warnings about unknown figures: one per cause, with the paths that it leaves unknown.
fn unknowns(figures: &[Figure]) -> Vec<String> {
    let mut causes: Vec<(&str, Vec<String>)> = Vec::new();
    for figure in figures {
        let Some(unknown) = figure.unknown() else { continue };
        let path = figure.key.pattern();
        match causes.iter_mut().find(|(why, _)| *why == unknown.why) {
            Some((_, paths)) if paths.contains(&path) => {}
            Some((_, paths)) => paths.push(path),
            None => causes.push((&unknown.why, vec![path])),
        }
    }
    causes.into_iter().map(|(why, paths)| format!("{} unknown: {why}", paths.join(", "))).collect()
}

#[cfg(test)]
mod tests {
    use super::implausible;

    #[test]
    fn an_mfu_that_no_run_reaches_is_doubted() {
        for (mfu, predicted, said) in [
            (0.87, true, "the step-time model misses"),
            (1.47, true, "the step-time model misses"),
            (1.47, false, "impossible"),
        ] {
            assert!(implausible(mfu, predicted).is_some_and(|text| text.contains(said)), "{mfu}");
        }
        assert_eq!(implausible(0.87, false).or(implausible(0.6, true)), None);
    }
}
