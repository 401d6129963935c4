//! The best device, place, purchase and size within a budget, a deadline and a carbon cap.

use chrono::NaiveDate;
use flopcast_core::catalog::Purchase;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::quantity::text::number;
use flopcast_core::quantity::{Measure, Precision, Time, text};
use flopcast_core::serving::capacity::Search;
use flopcast_report::subject::optimize::Found;
use flopcast_scenario::day::Day;
use flopcast_scenario::document::Node;
use flopcast_scenario::spelling;
use flopcast_study::aim::Aim;
use flopcast_study::axis::{Axis, Setting};
use flopcast_study::optimize::{
    COUNT, LONGEST_DAYS, Limit, Market, Request as Sought, offers, search,
};
use flopcast_study::space::Space;
use flopcast_study::{fleets, layouts, places};

use super::{Declared, Show, capacity};
use crate::request::{Asking, Errors, Opened, Out, Tried, about_a_scenario};
use crate::{Asked, Session};

about_a_scenario! {
    /// The best way to run a scenario within limits.
    pub struct Request {
        /// Figure to minimise: cost (when left out), days, co2e, energy, devices, or a figure by its path.
        pub objective: Option<String>,
        /// No more than this, in USD: `2M`.
        pub max_cost: Option<String>,
        /// The run must end by this day (from placement.start), or take no longer than this: `60 days`.
        pub deadline: Option<String>,
        /// No more CO2e than this, location-based: `100 t`; a bare number is in kg.
        pub max_co2e: Option<String>,
        /// No more than these devices; of a run, 1,024 when left out.
        #[schemars(range(min = 1, max = 1_000_000))]
        pub devices: Option<u64>,
        /// Time until the devices are there: the run starts that much later.
        pub lead_time: Option<String>,
        /// Name the cleanest start within this time after placement.start: `7 days`.
        pub window: Option<String>,
        /// Only these accelerators.
        #[serde(default)]
        pub accelerator: Vec<String>,
        /// Only these providers.
        #[serde(default)]
        pub provider: Vec<String>,
        /// Only these regions.
        #[serde(default)]
        pub region: Vec<String>,
        /// Only these ways to buy: on-demand (when left out), spot, reserved-1y, savings-plan-3y, capacity-block...
        pub purchase: Option<Vec<String>>,
        /// Let offers run over several nodes whose network nobody knows.
        #[serde(default)]
        pub any_network: bool,
        /// More that varies, as in `sweep`.
        #[serde(default)]
        pub vary: Vec<String>,
    }
}

/// What is sought, within which limits and where.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Figure to minimise.
    pub objective: String,
    /// The most USD.
    pub max_cost: Option<String>,
    /// The last day, or the longest time.
    pub deadline: Option<String>,
    /// The most CO2e.
    pub max_co2e: Option<String>,
    /// The most devices.
    pub devices: Option<u64>,
    /// Time until the devices are there.
    pub lead_time: Option<String>,
    /// How long the start may wait for a cleaner grid.
    pub window: Option<String>,
    /// Only these accelerators.
    pub accelerators: Vec<String>,
    /// Only these providers.
    pub providers: Vec<String>,
    /// Only these regions.
    pub regions: Vec<String>,
    /// Only these ways to buy, by name.
    pub purchases: Vec<String>,
    /// Let offers run over nodes whose network nobody knows.
    pub any_network: bool,
    /// More that varies.
    pub vary: Vec<String>,
}

/// Devices of a combination: doublings from a node's usual eight.
const FEWEST: u64 = 8;

const DAY: f64 = 86_400.0;

impl Wanted {
    /// Searches the combinations and shows the best ones, or what stands in the way; false if nothing
    /// is within the limits. `name` is the scenario's.
    ///
    /// # Errors
    /// If a limit is no quantity of its figure, nothing is on offer, or no combination can be forecast.
    pub fn run(
        &self,
        session: &Session<'_>,
        name: &str,
        asked: Asked,
        show: &mut Show<'_>,
    ) -> Result<bool> {
        match asked.file.training.as_ref().map(|training| training.precision.value) {
            Some(precision) => self.training(session, asked, precision, show),
            None => self.service(session, name, asked.document, show),
        }
    }

    /// Every offer of the market with 8, 16, 32... devices.
    fn training(
        &self,
        session: &Session<'_>,
        Asked { mut document, file, .. }: Asked,
        precision: Precision,
        show: &mut Show<'_>,
    ) -> Result<bool> {
        let start = file.placement.as_ref().and_then(|it| it.start.as_ref()).map(|it| it.value);
        let limits = self.limits(start)?;
        if let (Some(start), Some(lead)) = (start, &self.lead_time) {
            let days = chrono::Days::new((time(lead)?.stored() / DAY).ceil() as u64);
            let later = start.checked_add_days(days).unwrap_or(start);
            let set = Setting::new("--lead-time", "placement.start", &later.to_string())?;
            set.put(&mut document)?;
        }
        if let Some(window) = &self.window {
            Setting::new("--window", "placement.start_window", window)?.put(&mut document)?;
        }
        let market = self.market(session)?;
        let (offers, reach) = offers(session.catalog, precision, &market)?;
        let mut axes = vec![offers];
        let read = |text: &String| Axis::read(text, &document);
        let varied = self.vary.iter().map(read).collect::<Result<Vec<_>>>()?;
        if varied.iter().all(|axis| axis.name != COUNT) {
            axes.push(self.counts(&document)?);
        }
        axes.extend(varied);
        let space = Space::new(document, axes, session.catalog, session.files)?;
        let sought = Sought {
            objective: Aim::read(&self.objective),
            limits,
            beside: ["cost", "days", "co2e"].map(Aim::read).to_vec(),
            reach: if self.any_network { Vec::new() } else { reach },
            longest: self.deadline.is_none().then_some(LONGEST_DAYS),
        };
        let answer = search(&space, &sought, &|done| {
            let (done, all) = (done as f64, space.len() as f64);
            (session.watch)(&format!("{} of {}", number(done), number(all)), done / all)
        })?;
        show(&Found { space: &space, limits: &sought.limits, answer: &answer })?;
        Ok(!answer.best.is_empty())
    }

    /// The offers that are of interest, in the catalog's words.
    ///
    /// # Errors
    /// A provider, region or way to buy that the catalog does not know.
    fn market(&self, session: &Session<'_>) -> Result<Market> {
        let words = |key: &str, typed: &[String]| -> Vec<String> {
            typed.iter().map(|typed| spelling::word(key, typed)).collect()
        };
        let purchases = words("placement.purchase", &self.purchases);
        let market = Market {
            accelerators: self.accelerators.clone(),
            providers: words("placement.provider", &self.providers),
            regions: self.regions.clone(),
            purchases: purchases.iter().map(|name| plan(name)).collect::<Result<_>>()?,
        };
        market.known(session.catalog)
    }

    /// Devices in doublings up to the most.
    fn counts(&self, document: &Node) -> Result<Axis> {
        let most = self.devices.unwrap_or(1024);
        let doublings = (0..).map(|it| FEWEST << it).take_while(|count| *count <= most);
        let mut counts: Vec<String> = doublings.map(|count| count.to_string()).collect();
        if counts.last().is_none_or(|last| *last != most.to_string()) {
            counts.push(most.to_string());
        }
        Axis::read(&format!("{COUNT}={}", counts.join(",")), document)
    }

    /// Fleets of a service that keep its SLO: each device in its best layout where it is cheapest.
    fn service(
        &self,
        session: &Session<'_>,
        name: &str,
        mut document: Node,
        show: &mut Show<'_>,
    ) -> Result<bool> {
        for (option, said) in [
            ("deadline", &self.deadline),
            ("lead time", &self.lead_time),
            ("window of its start", &self.window),
        ] {
            if let Some(said) = said {
                return Err(Error::input(format!("a service has no {option} of {said}"))
                    .hint("a job has: inference.traffic.job={requests: 2M, within: 36 h}"));
            }
        }
        let objective = fleets::Objective::named(&self.objective)?;
        let devices = self.accelerators.join(",");
        let devices = if devices.is_empty() { "*" } else { &devices };
        let mut texts = vec![format!("inference.hardware.accelerator={devices}")];
        texts.extend(self.vary.iter().cloned());
        let market = self.market(session)?;
        match market.purchases.as_slice() {
            // What is usual leaves the file its own way to buy.
            [] | [Purchase::OnDemand] => {}
            [plan] => {
                let own = document.at("inference.placement").is_some();
                let place = if own { "inference.placement" } else { "placement" };
                let key = format!("{place}.purchase");
                Setting::new("--purchase", &key, plan.name())?.put(&mut document)?;
            }
            _ => {
                return Err(Error::input("the fleets of a service are bought in one way")
                    .hint("--vary placement.purchase=on-demand,spot compares several"));
            }
        }
        let axes = places::axes(&texts, &document, &market, session.catalog)?;
        let bound = |text: &Option<String>, unit| {
            text.as_ref().map(|text| quantity(text, unit)).transpose()
        };
        let limits = fleets::Limits {
            cost_usd: bound(&self.max_cost, "USD")?,
            co2e_kg: bound(&self.max_co2e, "kgCO2e")?,
            devices: self.devices.map(|most| most as f64),
        };
        let search = layouts::rough(&Search::default());
        let limits = (&limits, objective);
        capacity::fleets(session, (name, document, axes), &search, limits, show)
    }

    /// The limits on the figures of a run that starts on a day, in their units.
    ///
    /// # Errors
    /// A limit that is no quantity of its figure; a deadline that nothing counts from.
    pub fn limits(&self, start: Option<NaiveDate>) -> Result<Vec<Limit>> {
        let mut limits = Vec::new();
        let bounds = [("cost", "USD", &self.max_cost), ("co2e", "kgCO2e", &self.max_co2e)];
        for (aim, unit, bound) in bounds {
            if let Some(text) = bound {
                limits.push(Limit { aim: Aim::read(aim), most: quantity(text, unit)? });
            }
        }
        if let Some(text) = &self.deadline {
            let lead = self.lead_time.as_deref().map_or(Ok(Time::default()), time)?.stored() / DAY;
            let days = match (text.parse::<Day>().map(|day| day.0), start) {
                // The last day counts.
                (Ok(end), Some(start)) if end < start => {
                    return Err(Error::input(format!(
                        "the deadline, {end}, is before the start, {start}"
                    )));
                }
                (Ok(end), Some(start)) => (end - start).num_days() as f64 + 1.0,
                (Ok(_), None) => {
                    return Err(Error::input("a deadline needs a start to count from").hint(
                        "give `placement: {start: 2027-01-01}`, or a time: --deadline '60 days'",
                    ));
                }
                (Err(_), _) => time(text)?.stored() / DAY,
            };
            limits.push(Limit { aim: Aim::read("days"), most: (days - lead).max(0.0) });
        }
        Ok(limits)
    }
}

/// A time with its unit.
fn time(text: &str) -> Result<Time> {
    parse(text)
}

/// A quantity with its unit.
///
/// # Errors
/// It is none, or out of its range.
pub fn parse<Q: Measure>(text: &str) -> Result<Q> {
    let value: Q = text::parse(text).map_err(|error| Error::input(error.to_string()))?;
    value.check().map_err(Error::input)?;
    Ok(value)
}

/// A quantity as a number of a unit.
///
/// # Errors
/// It is none, or no limit that can be kept.
pub fn quantity(text: &str, unit: &str) -> Result<f64> {
    let value = text::parse_in(text, unit).map_err(|error| Error::input(error.to_string()))?;
    if !(0.0..=1e30).contains(&value) {
        return Err(Error::input(format!("{text} is no limit that can be kept")));
    }
    Ok(value)
}

/// The terms of a purchase by name.
///
/// # Errors
/// If there are no such terms, with those that there are.
fn plan(name: &str) -> Result<Purchase> {
    let known = Purchase::ALL.map(Purchase::name);
    Purchase::ALL.into_iter().find(|plan| plan.name() == name).ok_or_else(|| {
        Error::input(format!("`{name}` is no way to buy"))
            .suggest(name, known)
            .hint(known.join(", "))
    })
}

impl Declared for Request {
    const NAME: &'static str = "optimize";
    const SAYS: &'static str = "Find the best device, place, purchase and size within a budget, a deadline and a \
                                carbon cap.";
    const LONG: bool = true;

    fn answer(&self, asking: &Asking<'_>, out: &mut Out) -> Tried<bool> {
        let Opened { document, files } = asking.open(&self.whole())?;
        let asked = Asked::read(places::with_devices(document)).map_err(Errors)?;
        let devices = self.devices;
        let text = |said: Option<&String>, usual: &str| {
            said.map_or_else(|| usual.to_owned(), String::clone)
        };
        let wanted = Wanted {
            objective: text(self.objective.as_ref(), "cost"),
            max_cost: self.max_cost.clone(),
            deadline: self.deadline.clone(),
            max_co2e: self.max_co2e.clone(),
            devices,
            lead_time: self.lead_time.clone(),
            window: self.window.clone(),
            accelerators: self.accelerator.clone(),
            providers: self.provider.clone(),
            regions: self.region.clone(),
            purchases: self.purchase.clone().unwrap_or_else(|| vec!["on-demand".to_owned()]),
            any_network: self.any_network,
            vary: self.vary.clone(),
        };
        let session = asking.with(&files);
        let name = self.name.as_deref().unwrap_or("scenario");
        Ok(wanted.run(&session, name, asked, &mut |subject| out.show(subject))?)
    }
}
