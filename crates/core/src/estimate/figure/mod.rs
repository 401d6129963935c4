//! The forecast as figures: each is declared in `table` and read off an [`Estimate`] by its id.
//!
//! A [`Declared`] row says of a figure its key, unit, label and section, and the part of the
//! forecast that it is read off. A [`Key`] is such a row at a [`Place`] (the run, a year of
//! service), and a [`Figure`] is its value there. JSON, CSV, tables, page, workbook, `explain`,
//! ranges, aims and policies iterate the rows, so that a figure is added in one place.
//!
//! A value is known, unknown with a reason, never reached, or absent ([`Value`]); an absent figure
//! is no figure of the forecast.

mod read;
mod table;
mod whole;

use std::sync::Arc;

use crate::ledger::line::{Stage, YEARS};
use crate::provenance::{Amount, Step, Unknown, Value};
use crate::quantity::text::{convert, dimension, fitting_name, fitting_unit, shown_in};

use self::read::Read;
use self::read::{co2e_of, energy_of, latency, seen};
use super::Estimate;

pub use self::table::{DECLARED, Id};
pub use self::whole::{Share, whole};

/// A row of the table: what is said of a figure wherever it stands.
#[derive(Debug)]
pub struct Declared {
    /// The figure's id.
    pub id: Id,
    /// Its key below its place in the JSON: `energy_kwh.it`.
    pub key: &'static str,
    /// The unit of its value in the JSON.
    pub unit: &'static str,
    /// The unit without what the label says it is per: the USD of USD/request.
    pub short_unit: &'static str,
    /// The unit that the label names: `request`; empty where it names none.
    per: &'static str,
    /// Its label among the figures of its section; set in where it is a part of the one above.
    label: &'static str,
    /// Its name outside of its section, where "per request" would not be understood.
    pub name: &'static str,
    /// The views that want it.
    marks: &'static [Mark],
    sections: &'static [Section],
    read: Read,
}

/// A view that shows some of the figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The page shows it on a tile, and comparisons show it at a glance.
    Headline,
    /// The first screen of a terminal shows it.
    First,
    /// `--range` tells its interval, and which inputs move it.
    Range,
    /// It is shown in the user's currency too.
    Converted,
    /// It is shown in the unit of the JSON, not in the one that suits its size.
    AsDeclared,
    /// It is a term of the statement of the software carbon intensity, under this label.
    Term(&'static str),
    /// Of several services it adds up: devices, money, energy.
    Adds,
    /// It is per request, so that of several services it is the sum over what a request asks of each.
    Weighs,
    /// It is of the requests, which are the same for all services of a request; regions add up.
    Once,
    /// It can be aimed at: its short name in `--objective`, and the heading that tables give it.
    Aim(&'static str, &'static str),
}

/// Figures that stand together, in the order of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Section {
    Training,
    Footprint,
    TrainingCost,
    TrainingPurchase,
    ServicePurchase,
    Serving,
    Simulated,
    ServiceCost,
    Api,
    PerRequest,
    PerMillionTokens,
    PerOutputToken,
    LowerBound,
    Total,
    Years,
    Parts,
}

impl Section {
    /// All of them, in the order of a document.
    pub const ALL: [Self; 16] = [
        Self::Training,
        Self::Footprint,
        Self::TrainingCost,
        Self::TrainingPurchase,
        Self::ServicePurchase,
        Self::Serving,
        Self::Simulated,
        Self::ServiceCost,
        Self::Api,
        Self::PerRequest,
        Self::PerMillionTokens,
        Self::PerOutputToken,
        Self::LowerBound,
        Self::Total,
        Self::Years,
        Self::Parts,
    ];

    /// The section's heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Training => "Training",
            Self::Footprint => "Energy, carbon and water of the training",
            Self::TrainingCost => "Cost of the training",
            Self::TrainingPurchase => "Rent or buy, training",
            Self::ServicePurchase => "Rent or buy, service",
            Self::Serving => "Serving, first year",
            Self::Simulated => "Serving at the peak, simulated",
            Self::ServiceCost => "Cost of the service",
            Self::Api => "Own fleet or hosted model, first year",
            Self::PerRequest => "Per request",
            Self::PerMillionTokens => "Per million tokens",
            Self::PerOutputToken => "Per token of an answer",
            Self::LowerBound => "Lower bound by FLOPs, first year",
            Self::Years => "Years of service",
            Self::Total => "Total",
            Self::Parts => "Services and regions",
        }
    }
}

/// The part of a forecast that a figure is of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// The training run.
    Training,
    /// The service.
    Service,
    /// A class of the service's requests, by name.
    Class(Arc<str>),
    /// A year of service, from 1.
    Year(u32),
    /// The hardware that was bought for the training.
    TrainingPurchase,
    /// The hardware that was bought for the service.
    ServicePurchase,
    /// Training and service together.
    Total,
    /// The software carbon intensity of the functional unit.
    Unit,
    /// That of training.
    TrainingUnit,
    /// A place in one of several services or regions, by its name.
    Part(Arc<str>, Arc<Place>),
}

/// Places that are not numbered, with their path in the JSON.
const PLACES: &[(Place, &str)] = &[
    (Place::Training, "training"),
    (Place::Service, "inference"),
    (Place::TrainingPurchase, "rent_or_buy.training"),
    (Place::ServicePurchase, "rent_or_buy.inference"),
    (Place::Total, "tco"),
    (Place::Unit, "sci"),
    (Place::TrainingUnit, "sci.training"),
];

/// The prefix of the JSON path of a class of requests; its name follows.
const CLASSES: &str = "inference.classes.";

/// The prefix of the JSON path of one of several services or regions; its name and the path of a
/// place follow.
const PARTS: &str = "parts.";

impl From<Stage> for Place {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Training => Self::Training,
            Stage::Serving(year) => Self::Year(year),
        }
    }
}

impl Place {
    /// The place's path in the JSON: `inference.years.1`.
    pub fn path(&self) -> String {
        match self {
            Self::Class(name) => format!("{CLASSES}{name}"),
            Self::Year(year) => Stage::Serving(*year).path(),
            Self::Part(name, place) => format!("{PARTS}{name}.{}", place.path()),
            _ => {
                let known = PLACES.iter().find(|(place, _)| place == self);
                known.map_or("", |(_, path)| path).to_owned()
            }
        }
    }

    /// The top-level keys of the JSON that hold figures, each once.
    pub fn stages() -> impl Iterator<Item = &'static str> {
        let stages = PLACES.iter().map(|(_, path)| *path).chain([PARTS]);
        let stages = stages.filter_map(|path| path.split('.').next());
        let mut seen = Vec::new();
        stages.filter(move |stage| {
            !seen.contains(stage) && {
                seen.push(*stage);
                true
            }
        })
    }

    /// The place within a part; of the whole, the place itself.
    fn inner(&self) -> &Self {
        match self {
            Self::Part(_, place) => place.inner(),
            place => place,
        }
    }

    /// The place of a path; `None` if there is no such place.
    fn parse(path: &str) -> Option<Self> {
        if let Some((name, rest)) = path.strip_prefix(PARTS).and_then(|it| it.split_once('.')) {
            return Some(Self::Part(name.into(), Arc::new(Self::parse(rest)?)));
        }
        if let Some(year) = path.strip_prefix(YEARS) {
            return year.parse().ok().map(Self::Year);
        }
        if let Some(class) = path.strip_prefix(CLASSES) {
            return Some(Self::Class(class.into()));
        }
        PLACES.iter().find(|(_, known)| *known == path).map(|(place, _)| place.clone())
    }
}

/// One figure of a forecast: a row of the table, at a place, of a family the member.
///
/// ```
/// use flopcast_core::estimate::{Id, Key, Place};
/// let key = Key::parse("training.mfu").expect("a figure");
/// assert_eq!(key, Id::Mfu.at(Place::Training));
/// assert_eq!(key.path(), "training.mfu");
/// assert_eq!(key.id.declared().name, "MFU");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The row of the table.
    pub id: Id,
    /// The place.
    pub place: Place,
    /// The member of the row's family, `compute` of the costs; empty where the row is no family.
    pub member: &'static str,
}

impl Id {
    /// The row of the table that declares it.
    pub fn declared(self) -> &'static Declared {
        &DECLARED[self as usize]
    }

    /// This figure at a place.
    pub fn at(self, place: Place) -> Key {
        Key { id: self, place, member: "" }
    }
}

/// The figure at the place where it stands; where it stands at several, at the first.
impl From<Id> for Key {
    fn from(id: Id) -> Self {
        id.at(id.declared().read.place())
    }
}

impl Key {
    /// The figure's path in the JSON: place, key and member, with dots between.
    pub fn path(&self) -> String {
        let dot = if self.member.is_empty() { "" } else { "." };
        format!("{}.{}{dot}{}", self.place.path(), self.id.declared().key, self.member)
    }

    /// The path with a star for the number of a year: `inference.years.*.requests`.
    pub fn pattern(&self) -> String {
        match self.place {
            Place::Year(_) => format!("{YEARS}*.{}", self.id.declared().key),
            _ => self.path(),
        }
    }

    /// The figure of a path; `None` if no row has such a key at that place.
    pub fn parse(path: &str) -> Option<Self> {
        DECLARED.iter().find_map(|row| {
            row.read.members().iter().find_map(|(member, _)| {
                let rest = match *member {
                    "" => path,
                    member => path.strip_suffix(member)?.strip_suffix('.')?,
                };
                let place = Place::parse(rest.strip_suffix(row.key)?.strip_suffix('.')?)?;
                row.read.stands_at(place.inner()).then_some(Self { id: row.id, place, member })
            })
        })
    }

    /// True if a view shows it. Figures of a year are shown in the table of years alone.
    pub fn is(&self, mark: Mark) -> bool {
        !matches!(self.place, Place::Year(_) | Place::Part(..))
            && self.id.declared().marks.contains(&mark)
    }
}

/// A figure as it was read off a forecast.
#[derive(Clone, Debug)]
pub struct Figure {
    /// The figure's row and place.
    pub key: Key,
    /// Its path in the JSON: `training.energy_kwh.it`.
    pub path: String,
    /// Its value, which is not absent.
    pub reading: Value<Amount>,
    /// The unit of masses of the forecast, where it is one: that of the largest.
    mass: Option<&'static str>,
}

impl Figure {
    /// The declaration that it shares with the same figure at other places.
    pub fn declared(&self) -> &'static Declared {
        self.key.id.declared()
    }

    /// Its value in the declared unit; `None` where it is unknown or never reached.
    pub fn value(&self) -> Option<f64> {
        self.declared().value(&self.reading)
    }

    /// The step that computed it, where the run recorded.
    pub fn step(&self) -> Option<&Arc<Step>> {
        self.reading.known().and_then(|figure| figure.step())
    }

    /// The reason why it is unknown; `None` where it is not.
    pub fn unknown(&self) -> Option<&Unknown> {
        self.reading.unknown()
    }

    /// Its label among the figures of its section; indented where it is a part of the one above.
    pub fn label(&self) -> String {
        let row = self.declared();
        let member = row.read.members().iter().find(|(member, _)| *member == self.key.member);
        let member = member.map_or("", |(_, label)| label);
        match &self.key.place {
            Place::Class(class) => format!("{class}: {}{member}", row.label),
            _ => format!("{}{member}", row.label),
        }
    }

    /// The year of service that it is of, from 1.
    pub fn year(&self) -> Option<u32> {
        match self.key.place {
            Place::Year(year) => Some(year),
            _ => None,
        }
    }

    /// The section of documents in which it stands.
    pub fn section(&self) -> Section {
        self.declared().section_at(&self.key.place)
    }

    /// Its label in the statement of the software carbon intensity; `None` where it is no term of
    /// it.
    pub fn term(&self) -> Option<&'static str> {
        let label = self.declared().marks.iter().find_map(|mark| match mark {
            Mark::Term(label) => Some(*label),
            _ => None,
        });
        label.filter(|_| !matches!(self.key.place, Place::Year(_) | Place::Part(..)))
    }

    /// Number and unit as people read them: `1,287 MWh`, `unknown`, `never`.
    pub fn shown(&self) -> String {
        self.as_text("").join(" ").trim_end().to_owned()
    }

    /// The same for a cell of a table, without the unit where the label says what it counts.
    pub fn cell(&self) -> String {
        let [number, unit] = self.short();
        let said = unit.is_empty() || unit == self.declared().label;
        if said { number } else { format!("{number} {unit}") }
    }

    /// The unit of the forecast's masses of CO2e, where the figure is one.
    pub fn mass_unit(&self) -> Option<&'static str> {
        self.mass
    }

    /// Another value of the figure, such as a percentile, from its declared unit to the one in which
    /// the figure is shown.
    pub fn in_shown_unit(&self, declared: f64) -> f64 {
        let Value::Known(figure) = &self.reading else { return declared };
        let one = convert(1.0, self.declared().unit);
        declared / one / self.shown_unit(figure.value()).0
    }

    /// The unit that an amount is shown in, and the stored value of one of it.
    fn shown_unit(&self, Amount { stored, dimension }: Amount) -> (f64, String) {
        let fixed =
            if self.key.is(Mark::AsDeclared) { Some(self.declared().unit) } else { self.mass };
        match fixed {
            Some(unit) => (1.0 / convert(1.0, unit), unit.to_owned()),
            None => fitting_unit(stored, dimension),
        }
    }

    /// Number and unit in two parts, the unit without what the label says it is per: USD/request as
    /// USD.
    pub fn short(&self) -> [String; 2] {
        self.as_text(self.declared().per)
    }

    /// Number and unit, the latter without a trailing `/per`.
    fn as_text(&self, per: &str) -> [String; 2] {
        let word = |word: &str| [word.to_owned(), String::new()];
        match &self.reading {
            Value::Known(figure) => {
                let amount = figure.value();
                let (one, unit) = self.shown_unit(amount);
                let [number, unit] = shown_in(amount.stored / one, unit);
                if self.key.is(Mark::AsDeclared) {
                    return [number, unit];
                }
                let said = unit.strip_suffix(per).and_then(|unit| unit.strip_suffix('/'));
                [number, said.map_or_else(|| unit.clone(), str::to_owned)]
            }
            Value::Unknown(_) => word("unknown"),
            Value::Never(_) => word("never"),
            Value::Absent => word(""),
        }
    }
}

/// The figures that answer at a glance, totals first.
pub fn headlines() -> impl Iterator<Item = Id> {
    let all = || DECLARED.iter().filter(|row| row.is(Mark::Headline));
    let is_total = |id: &Id| id.declared().section() == Section::Total;
    let ids = move || all().map(|row| row.id);
    ids().filter(is_total).chain(ids().filter(move |id| !is_total(id)))
}

impl Declared {
    /// True if a view shows the figure.
    pub fn is(&self, mark: Mark) -> bool {
        self.marks.contains(&mark)
    }

    /// True if its unit is money, or money for something.
    pub fn is_money(&self) -> bool {
        dimension(self.unit).is_money()
    }

    /// The short name that it goes by in `--objective`, and the heading that tables give it then.
    pub fn aim(&self) -> Option<(&'static str, &'static str)> {
        self.marks.iter().find_map(|mark| match mark {
            Mark::Aim(name, key) => Some((*name, *key)),
            _ => None,
        })
    }

    /// A value in the declared unit; `None` where it is unknown, never reached, or not finite in
    /// that unit.
    pub fn value(&self, reading: &Value<Amount>) -> Option<f64> {
        let value = convert(reading.known()?.value().stored, self.unit);
        value.is_finite().then_some(value)
    }

    /// Its label among the figures of its section.
    pub fn label(&self) -> &'static str {
        self.label
    }

    /// The section in which it stands, at its first place.
    pub fn section(&self) -> Section {
        self.sections[0]
    }

    /// The section in which it stands at a place: rows of both stages have one for each.
    fn section_at(&self, place: &Place) -> Section {
        if matches!(place, Place::Part(..)) {
            return Section::Parts;
        }
        let later = matches!(place, Place::Year(_) | Place::Service | Place::ServicePurchase);
        self.sections[usize::from(later && self.sections.len() > 1)]
    }
}

/// The unit of the masses of CO2e that are not per anything.
const MASS: &str = "kgCO2e";

/// Shows every mass of CO2e in the unit that suits the largest, so that a document has one.
fn one_mass(figures: &mut [Figure]) {
    let is_mass = |figure: &Figure| figure.declared().unit == MASS;
    let masses = figures.iter().filter(|figure| is_mass(figure));
    let amounts = masses.filter_map(|figure| Some(figure.reading.known()?.value()));
    let largest = amounts.max_by(|a, b| a.stored.abs().total_cmp(&b.stored.abs()));
    let Some(Amount { stored, dimension }) = largest else { return };
    let unit = fitting_name(stored, dimension);
    figures.iter_mut().filter(|figure| is_mass(figure)).for_each(|figure| figure.mass = unit);
}

impl Estimate {
    /// Every figure of the forecast, in the order of the JSON.
    pub fn figures(&self) -> Vec<Figure> {
        let mut figures = Vec::with_capacity(128);
        for place in self.places() {
            for row in DECLARED.iter().filter(|row| row.read.stands_at(&place)) {
                for (member, _) in row.read.members() {
                    let key = Key { id: row.id, place: place.clone(), member };
                    figures.extend(self.figure(key));
                }
            }
        }
        one_mass(&mut figures);
        figures
    }

    /// A figure of the forecast; `None` where the forecast has no such figure. A value that is not
    /// finite in the figure's own unit is unknown.
    pub fn figure(&self, key: impl Into<Key>) -> Option<Figure> {
        let key = key.into();
        let mut reading = self.read(&key);
        // What numbers do not hold, in the figure's own unit at the latest, is unknown.
        if reading.known().is_some() && key.id.declared().value(&reading).is_none() {
            reading = Value::Unknown(Unknown::new("it has no bound"));
        }
        (!reading.is_absent()).then(|| {
            let path = key.path();
            let reading = reading.map(|figure| figure.or_named(&path));
            Figure { reading, path, key, mass: None }
        })
    }

    /// A figure's value in the declared unit; `None` where the forecast lacks it or does not know
    /// it.
    pub fn value(&self, key: &Key) -> Option<f64> {
        key.id.declared().value(&self.read(key))
    }

    /// The value of a figure: known, unknown, never reached, or absent.
    pub fn read(&self, key: &Key) -> Value<Amount> {
        key.id.declared().read.of(self, key)
    }

    /// The places of the forecast at which figures may stand, in the order of the JSON.
    fn places(&self) -> Vec<Place> {
        let years = self.inference.iter().flat_map(|it| &it.years).map(|it| Place::Year(it.year));
        let observed = self.inference.iter().filter_map(|it| it.observed.as_ref());
        let classes = observed.flat_map(|it| &it.classes).map(|(name, _)| name);
        let mut places = vec![Place::Training, Place::Service];
        places.extend(years);
        places.extend(classes.map(|name| Place::Class(Arc::clone(name))));
        places.extend([Place::TrainingPurchase, Place::ServicePurchase]);
        places.extend([Place::Total, Place::Unit, Place::TrainingUnit]);
        places
    }
}
