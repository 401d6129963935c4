//! `flopcast optimize`: the best device, place, purchase and size within limits, or the best size
//! of model and data for a budget.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chrono::NaiveDate;
use clap::Args;
use flopcast_core::catalog::{Catalog, Purchase};
use flopcast_core::diagnostic::{Error, Kind, Result};
use flopcast_core::estimate::plan::Scenario;
use flopcast_core::estimate::{Engine, Id, Key};
use flopcast_core::provenance::Inputs as _;
use flopcast_core::quantity::text::number;
use flopcast_core::quantity::{Flop, Measure, Time, Tokens, text};
use flopcast_core::serving::capacity::Search;
use flopcast_core::training::plan::Work;
use flopcast_report::subject::optimize::Found;
use flopcast_report::subject::sizing::{Sized, Sizes};
use flopcast_scenario::document::Node;
use flopcast_study::aim::Aim;
use flopcast_study::axis::{Axis, Setting};
use flopcast_study::optimize::{Limit, Market, Request, offers, search};
use flopcast_study::sizing::Law;
use flopcast_study::space::Space;
use flopcast_study::{fleets, layouts, places};

use super::input::document;
use super::progress::Progress;
use super::search::Space as Architectures;
use super::shapes::Shapes;
use super::{Global, capacity, load};

/// Options of `flopcast optimize`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  flopcast optimize plan.yaml --max-cost 2M --deadline 2027-06-30 --devices 512
  flopcast optimize plan.yaml --objective days --max-cost 2M --provider aws,azure
  flopcast optimize --size --flops 3.14e23 --served 1T
  flopcast optimize plan.yaml --size --max-cost 5M
  flopcast optimize plan.yaml --shapes accuracy.csv --max-flops 5G --max-params 30M
  flopcast optimize --search space.yaml --propose 3 -o next

The first two try every offer of the catalog with 8, 16, 32... devices. Of a service, every device is
tried in its best layout, where it is cheapest: the fleets that keep its SLO within the limits. Leave efficiency and
power out of the scenario: they are predicted for each device. --size asks scaling laws for
the model and the data that a budget trains best; the budget is --flops, or what the
scenario's cluster computes within the limits. --shapes weighs depth, width and the like
by a table of accuracies that you measured: a scaling law sees size, not shape. --search
varies any key of a model and of `compress` within constraints and limits, and predicts
quality from your table.")]
pub(super) struct Options {
    /// The scenario file.
    #[arg(required_unless_present_any = ["flops", "search"])]
    file: Option<PathBuf>,
    /// Figure to minimise: cost, days, co2e, energy, devices, or a figure by its path.
    #[arg(long, value_name = "AIM", default_value = "cost")]
    objective: String,
    /// No more than this, in USD.
    #[arg(long, value_name = "USD")]
    max_cost: Option<String>,
    /// The run must end by this day (from placement.start), or take no longer than this (`60 days`).
    #[arg(long, value_name = "DATE|TIME")]
    deadline: Option<String>,
    /// No more CO2e than this, location-based: `100 t`; a bare number is in kg.
    #[arg(long, value_name = "CO2E")]
    max_co2e: Option<String>,
    /// No more than these devices; of a run, 1,024 when left out.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    devices: Option<u64>,
    /// Time until the devices are there: the run starts that much later.
    #[arg(long, value_name = "TIME")]
    lead_time: Option<String>,
    /// Name the cleanest start within this time after placement.start: `7 days`.
    #[arg(long, value_name = "TIME")]
    window: Option<String>,
    /// Only these accelerators.
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    accelerator: Vec<String>,
    /// Only these providers.
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    provider: Vec<String>,
    /// Only these regions.
    #[arg(long, value_name = "CODE,...", value_delimiter = ',')]
    region: Vec<String>,
    /// Only these ways to buy: on-demand, spot, reserved-1y, reserved-3y.
    #[arg(long, value_name = "PLAN,...", value_delimiter = ',', default_value = "on-demand")]
    purchase: Vec<String>,
    /// Let offers run over several nodes whose network nobody knows: devices without a known link
    /// to other nodes, and marketplaces of single machines.
    #[arg(long)]
    any_network: bool,
    /// More that varies, as in `flopcast sweep`; repeatable.
    #[arg(long, value_name = "PATH=VALUES")]
    vary: Vec<String>,
    /// The size of model and data instead.
    #[arg(help_heading = "The size of model and data", long)]
    size: bool,
    /// The compute to size for.
    #[arg(
        help_heading = "The size of model and data",
        long,
        value_name = "FLOP",
        requires = "size"
    )]
    flops: Option<String>,
    /// Tokens that the model will read and write in its life.
    #[arg(
        help_heading = "The size of model and data",
        long,
        value_name = "TOKENS",
        requires = "size"
    )]
    served: Option<String>,
    #[command(flatten)]
    shapes: Shapes,
    #[command(flatten)]
    space: Architectures,
}

/// Devices of a combination: doublings from a node's usual eight.
const FEWEST: u64 = 8;

impl Options {
    /// Searches the combinations and prints the best ones, or what stands in the way.
    ///
    /// # Errors
    /// If a limit is no quantity of its figure, nothing is on offer, or no combination can be
    /// forecast.
    pub(super) fn run(&self, global: &Global) -> Result<ExitCode> {
        if self.size {
            return self.sized(global);
        }
        if let Some(space) = self.space.asked() {
            return self.space.run(space, self.file.as_deref(), global);
        }
        let Some(path) = &self.file else {
            return Err(Error::input("a scenario is needed").hint("flopcast optimize plan.yaml"));
        };
        if let Some(scores) = self.shapes.asked() {
            return self.shapes.run(scores, path, global);
        }
        let catalog = load::catalog(global)?;
        let mut document = document(path, global)?;
        let file = load::typed(&document)?;
        let Some(training) = file.training.as_ref() else {
            return self.service(path, document, &catalog, global);
        };
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
        let market = Market {
            accelerators: self.accelerator.clone(),
            providers: self.provider.clone(),
            regions: self.region.clone(),
            purchases: self.purchase.iter().map(|name| plan(name)).collect::<Result<_>>()?,
        };
        let precision = training.precision.value;
        let (offers, reach) = offers(&catalog, precision, &market)?;
        let mut axes = vec![offers];
        let most = self.devices.unwrap_or(1024);
        let doublings = (0..).map(|it| FEWEST << it).take_while(|count| *count <= most);
        let mut counts: Vec<String> = doublings.map(|count| count.to_string()).collect();
        if counts.last().is_none_or(|last| *last != most.to_string()) {
            counts.push(most.to_string());
        }
        axes.push(Axis::read(&format!("training.hardware.count={}", counts.join(",")))?);
        axes.extend(self.vary.iter().map(|text| Axis::read(text)).collect::<Result<Vec<_>>>()?);
        let files = load::Beside::new(path, global)?;
        let space = Space::new(document, axes, &catalog, &files)?;
        let request = Request {
            objective: Aim::read(&self.objective),
            limits,
            beside: ["cost", "days", "co2e"].map(Aim::read).to_vec(),
            reach: if self.any_network { Vec::new() } else { reach },
        };
        let bar = Progress::new();
        let answer = search(&space, &request, &|done| {
            bar.show(&format!("{} of {}", number(done as f64), number(space.len() as f64)));
        })?;
        drop(bar);
        global.print(&Found { space: &space, limits: &request.limits, answer: &answer })?;
        let none = answer.best.is_empty();
        Ok(if none { ExitCode::from(Kind::Limit as u8) } else { ExitCode::SUCCESS })
    }

    /// Fleets of a service that keep its SLO: each device in its best layout where it is cheapest.
    fn service(
        &self,
        path: &Path,
        document: Node,
        catalog: &Catalog,
        global: &Global,
    ) -> Result<ExitCode> {
        if let Some(deadline) = &self.deadline {
            return Err(Error::input(format!("a service has no deadline of {deadline}"))
                .hint("a job has: inference.traffic.job={requests: 2M, within: 36 h}"));
        }
        let devices = self.accelerator.join(",");
        let devices = if devices.is_empty() { "*" } else { &devices };
        let mut texts = vec![format!("inference.hardware.accelerator={devices}")];
        texts.extend(self.vary.iter().cloned());
        let market = Market {
            providers: self.provider.clone(),
            regions: self.region.clone(),
            ..Market::default()
        };
        let axes = places::axes(&texts, &document, &market, catalog)?;
        let bound = |text: &Option<String>, unit| {
            text.as_ref().map(|text| quantity(text, unit)).transpose()
        };
        let limits = fleets::Limits {
            cost_usd: bound(&self.max_cost, "USD")?,
            co2e_kg: bound(&self.max_co2e, "kgCO2e")?,
            devices: self.devices.map(|most| most as f64),
        };
        let search = layouts::rough(&Search::default());
        capacity::fleets((path, document, axes), catalog, global, &search, &limits)
    }

    /// The limits on the figures, in their units.
    fn limits(&self, start: Option<NaiveDate>) -> Result<Vec<Limit>> {
        let mut limits = Vec::new();
        let bounds = [("cost", "USD", &self.max_cost), ("co2e", "kgCO2e", &self.max_co2e)];
        for (aim, unit, bound) in bounds {
            if let Some(text) = bound {
                limits.push(Limit { aim: Aim::read(aim), most: quantity(text, unit)? });
            }
        }
        if let Some(text) = &self.deadline {
            let lead = self.lead_time.as_deref().map_or(Ok(Time::default()), time)?.stored() / DAY;
            let days = match (text.parse::<NaiveDate>(), start) {
                (Ok(end), Some(start)) => (end - start).num_days() as f64,
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

    /// The sizes that scaling laws give for a budget.
    fn sized(&self, global: &Global) -> Result<ExitCode> {
        let budget = match (&self.flops, &self.file) {
            (Some(flops), _) => Flop::from_stored(quantity(flops, "FLOP")?),
            (None, Some(path)) => self.affordable(path, global)?,
            (None, None) => return Err(Error::input("--size needs --flops or a scenario")),
        };
        if budget.stored() <= 0.0 {
            return Err(Error::input("no compute trains no model"));
        }
        let served = self.served.as_deref().map(parse::<Tokens>).transpose()?;
        let sized = |law: Law| {
            let optimum = law.optimum(budget);
            let used = served.and_then(|served| law.for_use(&optimum, served));
            Sized { law, optimum, used }
        };
        let laws = Law::shipped()?.into_iter().map(sized).collect();
        global.print(&Sizes { budget, laws })
    }

    /// The most compute that the scenario's run may take within the limits: its tokens are scaled,
    /// all else stays.
    fn affordable(&self, path: &Path, global: &Global) -> Result<Flop> {
        let catalog = load::catalog(global)?;
        let scenario: Scenario = load::scenario(path, &catalog, global)?;
        let limits = self.limits(scenario.training.as_ref().and_then(|plan| plan.start))?;
        let engine = Engine::new(&scenario, &catalog)?;
        let compute = Key::from(Id::SixNd);
        let once = engine.run()?.value(&compute).ok_or_else(|| {
            Error::input("the scenario has no training over tokens whose compute could be spent")
        })?;
        if limits.is_empty() {
            return Ok(Flop::from_stored(once));
        }
        let tokens = match scenario.training.as_ref().map(|plan| &plan.run.work) {
            Some(Work::Tokens { tokens, .. }) => tokens.value.stored(),
            _ => return Err(Error::input("only runs over tokens can be sized")),
        };
        let within = |factor: f64| {
            let mut other = engine.clone();
            other.for_each_input(&mut |input| {
                if input.name() == "data.tokens" {
                    input.set(tokens * factor);
                }
            });
            let Ok(estimate) = other.run() else { return false };
            let kept = |limit: &Limit| {
                limit.aim.value_in(&estimate).is_some_and(|value| value <= limit.most)
            };
            limits.iter().all(kept)
        };
        let (mut low, mut high) = (1e-9_f64.ln(), 1e9_f64.ln());
        if !within(low.exp()) {
            return Err(Error::limit(
                "no run of this scenario, however short, is within the limits",
            ));
        }
        for _ in 0..80 {
            let middle = f64::midpoint(low, high);
            if within(middle.exp()) { low = middle } else { high = middle }
        }
        Ok(Flop::from_stored(once * low.exp()))
    }
}

const DAY: f64 = 86_400.0;

/// A time with its unit.
fn time(text: &str) -> Result<Time> {
    parse(text)
}

/// A quantity with its unit.
fn parse<Q: Measure>(text: &str) -> Result<Q> {
    let value: Q = text::parse(text).map_err(|error| Error::input(error.to_string()))?;
    value.check().map_err(Error::input)?;
    Ok(value)
}

/// A quantity as a number of a unit.
fn quantity(text: &str, unit: &str) -> Result<f64> {
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
