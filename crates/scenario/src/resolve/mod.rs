//! From what the user typed to a plan: references looked up, defaults named, contradictions
//! refused.
//!
//! A stage is resolved apart from the other ([`Part`]), so that a study which varies one of them
//! resolves the other once; [`Frame::around`] puts them together. Whatever nobody gave becomes an
//! input whose basis is [`Basis::Assumed`], with the reason and the source: reports list it, and
//! `--strict` refuses it. A fact that no source has stays unknown, with a sentence that says what
//! to give.
//!
//! | module | section of the file |
//! |---|---|
//! | `training`, `recipe` | `data`, `training`: the work, the efficiency, the layout |
//! | `inference`, `traffic`, `spread`, `pools`, `speculation`, `compress` | `inference`, `compress` |
//! | `rent`, `owned`, `costs`, `api` | prices of `placement`, `costs`, `inference.api` |
//! | `site`, `power`, `embodied`, `placement` | power, grid, water and embodied carbon of a place |

mod age;
mod api;
mod compress;
mod costs;
mod efficiency;
mod embodied;
mod goodput;
mod held;
mod inference;
mod memory;
mod owned;
mod placement;
mod pools;
mod power;
mod prediction;
mod recipe;
mod rent;
mod rollout;
mod site;
mod speculation;
mod spread;
mod terms;
mod traffic;
mod training;
mod work;

use std::collections::BTreeMap;
use std::sync::Arc;

use flopcast_core::catalog::{Accelerator, Catalog, Links};
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::plan;
use flopcast_core::estimate::plan::Scenario;
use flopcast_core::model::{Input as Sample, Model, Spec};
use flopcast_core::provenance::{Basis, Input};
use flopcast_core::quantity::system::time::year;
use flopcast_core::quantity::{
    Distribution, Measure, Precision, Requests, Share, YearlyRate, show,
};

use super::file::{Finance as FinanceFile, ScenarioFile};
use super::models::Models;
use super::reader::Located;

/// A reader of the files that a scenario refers to; paths are as written in the scenario.
///
/// The command line reads them from disk, below the scenario's folder; tests and the web page have
/// them in memory.
pub trait Files {
    /// Reads a file whole.
    ///
    /// # Errors
    /// If the file cannot be read, or may not be.
    fn read(&self, path: &str) -> Result<Vec<u8>>;

    /// Reads the first `most` bytes of a file; of a large one no more need be read.
    ///
    /// # Errors
    /// As [`Files::read`].
    fn head(&self, path: &str, most: u64) -> Result<Vec<u8>> {
        let mut bytes = self.read(path)?;
        bytes.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        Ok(bytes)
    }

    /// At most `most` bytes of a file from a place on.
    ///
    /// # Errors
    /// As [`Files::read`].
    fn part(&self, path: &str, from: u64, most: u64) -> Result<Vec<u8>> {
        let mut head = self.head(path, from.saturating_add(most))?;
        let from = usize::try_from(from).unwrap_or(usize::MAX).min(head.len());
        Ok(head.split_off(from))
    }

    /// The size of a file in bytes; `None` if there is no such file.
    fn size(&self, path: &str) -> Option<u64> {
        self.read(path).ok().map(|bytes| bytes.len() as u64)
    }

    /// The names in a folder, in alphabetical order; `None` if it is no folder.
    fn names(&self, path: &str) -> Option<Vec<String>> {
        let _ = path;
        None
    }

    /// A model on an input. An implementation that resolves many scenarios remembers those it has
    /// built.
    ///
    /// # Errors
    /// If its file cannot be read, or the model cannot be built (see [`Spec::build`]).
    fn model(&self, spec: &Spec, input: &Sample) -> Result<Arc<Model>> {
        flopcast_import::build(spec, &Seen(self), input).map(Arc::new)
    }
}

/// The files of a scenario, as the reader of a model sees them.
pub struct Seen<'f, F: ?Sized>(pub &'f F);

impl<F: Files + ?Sized> flopcast_import::Files for Seen<'_, F> {
    fn head(&self, path: &str, most: u64) -> Result<Vec<u8>> {
        self.0.head(path, most)
    }

    fn part(&self, path: &str, from: u64, most: u64) -> Result<Vec<u8>> {
        self.0.part(path, from, most)
    }

    fn size(&self, path: &str) -> Option<u64> {
        self.0.size(path)
    }

    fn names(&self, path: &str) -> Option<Vec<String>> {
        self.0.names(path)
    }
}

/// The side results of resolving: assumptions about the model, choices, warnings, dates of the
/// data.
#[derive(Clone, Debug, Default)]
struct Notes {
    model_assumptions: Vec<String>,
    choices: Vec<plan::Choice>,
    spreads: Vec<plan::UsualSpread>,
    warnings: Vec<String>,
    /// The day and the row of each price, with whether it is old.
    prices: BTreeMap<(chrono::NaiveDate, String), bool>,
    grid_as_of: Option<chrono::NaiveDate>,
}

/// The format in place of the usual one, where nobody names any and the device lacks that: the first
/// that it has.
fn unnamed(
    format: &Located<Precision>,
    device: &Accelerator,
    formats: &[Precision],
) -> Option<Located<Precision>> {
    let is_named = format.place.line > 0;
    let value = device.first_of(formats).filter(|it| !is_named && *it != format.value)?;
    Some(Located { value, place: format.place.clone() })
}

impl Notes {
    /// Notes the format that stands where nobody names one.
    fn format(&mut self, path: &'static str, format: &Located<Precision>, why: &str) {
        if format.place.line == 0 {
            let value = format.value.to_string();
            self.choose(plan::Choice { path, value, why: why.to_owned() });
        }
    }

    /// Warns, once.
    fn warn(&mut self, warning: String) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Notes a choice, once.
    fn choose(&mut self, choice: plan::Choice) {
        if !self.choices.contains(&choice) {
            self.choices.push(choice);
        }
    }

    /// Notes the usual spread of an input: that of a factor around 1.
    fn spread(&mut self, of: &str, factor: &Distribution, why: String) {
        let within = [0.1, 0.9].map(|share| factor.quantile(share));
        let spread = plan::UsualSpread { of: of.to_owned(), within, why };
        if !self.spreads.contains(&spread) {
            self.spreads.push(spread);
        }
    }
}

/// A stage of a scenario, resolved apart from the other; empty where the scenario has no such
/// stage.
#[derive(Clone, Debug)]
pub struct Part<P> {
    plan: Option<Arc<P>>,
    notes: Arc<Notes>,
}

/// The surroundings of the stages: a name, the rules of money over time, the functional unit.
#[derive(Clone, Debug)]
pub struct Frame {
    name: String,
    finance: plan::Finance,
    start: Option<chrono::NaiveDate>,
    functional_unit: Option<Input<Requests>>,
    warning: Option<&'static str>,
}

/// Resolves a scenario against a catalog.
///
/// # Errors
/// If something is contradictory, impossible or unknown to the catalog. The error has the place in
/// the file and a hint.
pub fn resolve(file: &ScenarioFile, catalog: &Catalog, files: &dyn Files) -> Result<Scenario> {
    let files = &Models::new(files);
    let frame = Frame::resolve(file, files)?;
    let training = Part::training(file, catalog, files)?;
    let inference = Part::inference(file, catalog, files)?;
    Ok(frame.around(training, inference))
}

impl Part<plan::TrainingPlan> {
    /// Resolves the training section.
    ///
    /// # Errors
    /// As [`resolve()`].
    pub fn training(file: &ScenarioFile, catalog: &Catalog, files: &dyn Files) -> Result<Self> {
        Self::of(file.training.as_ref(), |training, notes| {
            training::plan(file, training, catalog, files, notes)
        })
    }
}

impl Part<plan::Service> {
    /// Resolves the inference section.
    ///
    /// # Errors
    /// As [`resolve()`].
    pub fn inference(file: &ScenarioFile, catalog: &Catalog, files: &dyn Files) -> Result<Self> {
        Self::of(file.inference.as_ref(), |service, notes| {
            inference::plan(file, service, catalog, files, notes)
        })
    }
}

impl<P> Part<P> {
    /// Resolves a section, if the scenario has it, with notes of its own.
    fn of<S>(section: Option<S>, plan: impl FnOnce(S, &mut Notes) -> Result<P>) -> Result<Self> {
        let mut notes = Notes::default();
        let plan = section.map(|section| plan(section, &mut notes)).transpose()?.map(Arc::new);
        Ok(Self { plan, notes: Arc::new(notes) })
    }
}

impl Frame {
    /// Resolves all but the stages.
    ///
    /// # Errors
    /// As [`resolve()`]; a model that no stage uses must still be right.
    pub fn resolve(file: &ScenarioFile, files: &dyn Files) -> Result<Self> {
        if let Some(version) = &file.flopcast
            && version.value != 1
        {
            let message = format!("this flopcast reads format 1, not {}", version.value);
            return Err(Error::input(message).at(Some(&version.place)));
        }
        alone(file)?;
        if file.training.is_none() && file.inference.is_none() {
            // The model itself must still be right.
            training::model_of(file, files, &Sample::default())?;
        }
        let served = file.inference.as_ref().and_then(|it| it.placement.as_ref());
        let idle = file.compress.is_some() && file.inference.is_none();
        Ok(Self {
            name: file.name.clone(),
            finance: finance(&file.finance)?,
            start: [file.placement.as_ref(), served]
                .into_iter()
                .flatten()
                .find_map(|place| Some(place.start.as_ref()?.value)),
            functional_unit: file
                .functional_unit
                .as_ref()
                .map(|unit| unit.input("functional_unit")),
            warning: idle.then_some("compress changes what is served, and nothing is"),
        })
    }
}

/// Refuses a file of several services where one is asked for.
fn alone(file: &ScenarioFile) -> Result<()> {
    let inference = file.inference.as_ref();
    let called = inference.and_then(|it| Some(&it.calls.first()?.name.place));
    let shared = inference.and_then(|it| it.placement.as_ref()).and_then(|it| it.share.as_ref());
    let sun = inference.and_then(|it| it.traffic.value.follow_the_sun.as_ref());
    if let Some(share) = shared {
        return Err(share
            .refuse("a share of the requests is that of a list of places")
            .hint("write a list under inference.placement, or leave `share` out"));
    }
    if let Some(sun) = sun.filter(|it| it.value) {
        return Err(Error::input("there is one region: nobody follows the sun")
            .at(Some(&sun.place))
            .hint("write a list under inference.placement, each with `share` and `utc_offset`"));
    }
    match file.several.as_ref().or(called) {
        None if file.services.is_empty() => Ok(()),
        place => {
            Err(Error::input("this takes one service, and the file has several").at(place).hint(
                "estimate, capacity, explain, check, compare, report and portfolio take them all",
            ))
        }
    }
}

impl Frame {
    /// The scenario that has these stages. Warnings of both are told once.
    pub fn around(
        self,
        training: Part<plan::TrainingPlan>,
        inference: Part<plan::Service>,
    ) -> Scenario {
        let frame = self;
        let mut warnings: Vec<String> = Vec::new();
        let notes = [training.notes, inference.notes];
        let said = notes.iter().flat_map(|notes| notes.warnings.iter().map(String::as_str));
        let owned = inference.plan.as_ref().is_some_and(|it| it.owned.is_some());
        let changes = frame.finance.price_change.value.stored() != 0.0;
        let kept = (owned && changes).then_some(OWNED_KEEPS);
        for warning in said.chain(frame.warning).chain(kept) {
            if !warnings.iter().any(|known| known == warning) {
                warnings.push(warning.to_owned());
            }
        }
        let mut choices: Vec<plan::Choice> = Vec::new();
        for choice in notes.iter().flat_map(|notes| &notes.choices) {
            if !choices.contains(choice) {
                choices.push(choice.clone());
            }
        }
        let trains = training.plan.as_ref().is_some_and(|it| it.is_priced());
        let serves = inference.plan.as_ref().is_some_and(|it| it.is_priced());
        Scenario {
            name: frame.name,
            training: training.plan,
            inference: inference.plan,
            finance: plan::Finance { priced: trains || serves, ..frame.finance },
            start: frame.start,
            functional_unit: frame.functional_unit,
            dates: dates(&notes),
            model_assumptions: notes
                .iter()
                .flat_map(|notes| notes.model_assumptions.iter().cloned())
                .collect(),
            choices,
            spreads: notes.iter().flat_map(|notes| notes.spreads.iter().cloned()).collect(),
            warnings,
        }
    }
}

/// The warning about a change of prices that nothing of a fleet of one's own follows.
const OWNED_KEEPS: &str = "finance.price_change is that of rents: hardware of one's own, its \
                           electricity and its colocation keep their prices; owned.price_change \
                           says what later purchases cost";

/// The dates of the data: the oldest price in use, the newest where it is another, how many are old,
/// and the newest year of a grid.
fn dates(notes: &[Arc<Notes>]) -> Vec<(String, String)> {
    let prices: BTreeMap<_, _> = notes.iter().flat_map(|notes| &notes.prices).collect();
    let days = || prices.keys().map(|(day, _)| *day);
    let (oldest, newest) = (days().min(), days().max());
    let old = prices.values().filter(|old| ***old).count();
    let grid = notes.iter().filter_map(|notes| notes.grid_as_of).max();
    let text = |day: chrono::NaiveDate| day.to_string();
    [
        ("prices_as_of", oldest.map(text)),
        ("newest_price", newest.filter(|_| newest != oldest).map(text)),
        ("old_prices", (old > 0).then(|| format!("{old} of {}", prices.len()))),
        ("grid_as_of", grid.map(text)),
    ]
    .into_iter()
    .filter_map(|(key, text)| Some((key.to_owned(), text?)))
    .collect()
}

/// Notes that a network is assumed, where so many devices work together over links that no source
/// gives.
fn network(notes: &mut Notes, device: &Accelerator, together: f64) {
    let links = Links::of(device);
    if links.scale_out_assumed && together > links.domain as f64 {
        notes.choices.push(plan::Choice {
            path: "link to other nodes",
            value: show(links.scale_out),
            why: format!(
                "the catalog has no scale_out_gb_per_s of {}: a 100 Gbit/s card each, or in a pod \
                 the link within",
                device.id
            ),
        });
    }
}

/// An input that nobody gave, with the reason why the value is a sensible one.
fn assumed<Q: Measure>(name: &str, value: Q, why: &str) -> Input<Q> {
    Input::new(name, value, Basis::Assumed { why: why.to_owned(), source: None })
}

/// A default of the catalog: an assumption with a source.
///
/// # Errors
/// If the catalog has no such default.
fn default<Q: Measure>(catalog: &Catalog, name: &str, id: &str, why: &str) -> Result<Input<Q>> {
    let fact = catalog.default_value::<Q>(id)?;
    let source = Some(fact.citation.to_string());
    Ok(Input::new(name, fact.value, Basis::Assumed { why: why.to_owned(), source }))
}

/// A share that makes sense by construction; what rounding left outside 0 to 1 is put inside.
fn share(value: f64) -> Share {
    Share::from_stored(value.clamp(0.0, 1.0))
}

/// Resolves the horizon, rates and currency: 3 years, 8 % a year, and no price change where nobody
/// says.
///
/// # Errors
/// If the horizon is no whole number of years from 1 to 50, or the currency lacks its rate.
fn finance(file: &FinanceFile) -> Result<plan::Finance> {
    let years = match &file.horizon {
        None => 3,
        Some(given) => {
            let years = given.spread.central().get::<year>();
            // A file that says `1095 days` means three years.
            let whole = years.round();
            if !(0.9..=50.0).contains(&years) || (years - whole).abs() > 0.01 {
                return Err(given.refuse("the horizon is a whole number of years from 1 to 50"));
            }
            whole as u32
        }
    };
    let zero = YearlyRate::from_stored(0.0);
    Ok(plan::Finance {
        years,
        discount_rate: file.discount_rate.as_ref().map_or_else(
            || assumed("finance.discount_rate", 0.08, "a usual cost of capital; set your own"),
            |given| given.input("finance.discount_rate"),
        ),
        price_change: file.price_change.as_ref().map_or_else(
            || {
                let why = "rents fell until 2025 and rose in 2026, so no trend is assumed";
                assumed("finance.price_change", zero, why)
            },
            |given| given.input("finance.price_change"),
        ),
        currency: currency(file)?,
        fiscal_year: match &file.fiscal_year {
            None => 1,
            Some(month) if (1..=12).contains(&month.value) => month.value,
            Some(month) => {
                return Err(Error::input("the fiscal year begins in a month from 1 to 12")
                    .at(Some(&month.place)));
            }
        },
        priced: false,
    })
}

/// The currency of reports. The catalog has no rates, which would be old when they are read.
///
/// # Errors
/// If one of currency and rate is missing, the code is no three capitals, or the rate is not above
/// zero.
fn currency(file: &FinanceFile) -> Result<Option<plan::Currency>> {
    let (code, rate) = match (&file.currency, &file.exchange_rate) {
        (None, None) => return Ok(None),
        (Some(code), None) if code.value == "USD" => return Ok(None),
        (Some(code), Some(rate)) => (code, rate),
        (Some(code), None) => {
            return Err(Error::input(format!("{} needs an exchange rate", code.value))
                .at(Some(&code.place))
                .hint("exchange_rate: {per_usd: 0.92, date: 2026-11-20, source: ECB}"));
        }
        (None, Some(rate)) => {
            return Err(Error::input("an exchange rate needs a currency")
                .at(Some(&rate.place))
                .hint("finance: {currency: EUR, ...}"));
        }
    };
    if code.value.len() != 3 || !code.value.bytes().all(|c| c.is_ascii_uppercase()) {
        return Err(Error::input(format!("`{}` is no currency code such as EUR", code.value))
            .at(Some(&code.place)));
    }
    let per_usd = rate.value.per_usd;
    if !(per_usd > 0.0 && per_usd.is_finite()) {
        return Err(Error::input("an exchange rate is above zero").at(Some(&rate.place)));
    }
    let (date, source) = (rate.value.date, rate.value.source.clone());
    Ok(Some(plan::Currency { code: code.value.clone(), per_usd, date, source }))
}
