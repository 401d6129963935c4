//! `flopcast optimize`: the best device, place, purchase and size within limits, or the best size
//! of model and data for a budget.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use flopcast_api::questions::optimize::{Wanted, parse, quantity};
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::plan::Scenario;
use flopcast_core::estimate::{Engine, Id, Key};
use flopcast_core::provenance::Inputs as _;
use flopcast_core::quantity::{Flop, Measure, Tokens};
use flopcast_core::training::plan::Work;
use flopcast_report::subject::sizing::{Sized, Sizes};
use flopcast_study::optimize::Limit;
use flopcast_study::places;
use flopcast_study::sizing::Law;

use super::input::document;
use super::search::Space as Architectures;
use super::shapes::Shapes;
use super::{Global, capacity, exit, load};

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
    /// The run must end by this day (from placement.start), or take no longer than this (`60 days`);
    /// a year when left out.
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
    /// Only these ways to buy: on-demand, spot, reserved-1y, reserved-3y, savings-plan-1y,
    /// savings-plan-3y, capacity-block, flex-start.
    #[arg(long, value_name = "PLAN,...", value_delimiter = ',', default_value = "on-demand")]
    purchase: Vec<String>,
    /// Let offers run over several nodes whose network nobody knows: devices without a known link
    /// to other nodes, and marketplaces of single machines.
    #[arg(long)]
    any_network: bool,
    /// More that varies, as in `flopcast sweep`; repeatable. `training.hardware.count=512` tries just
    /// so many devices.
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
        let asked = load::typed(places::with_devices(document(path, global)?))?;
        let about = load::About::new(path, &catalog, global)?;
        let name = capacity::file_name(path);
        let kept = about.ask(|session| {
            self.wanted().run(session, &name, asked, &mut |subject| global.show(subject))
        })?;
        Ok(exit(kept))
    }

    /// What is sought, as the library takes it.
    fn wanted(&self) -> Wanted {
        Wanted {
            objective: self.objective.clone(),
            max_cost: self.max_cost.clone(),
            deadline: self.deadline.clone(),
            max_co2e: self.max_co2e.clone(),
            devices: self.devices,
            lead_time: self.lead_time.clone(),
            window: self.window.clone(),
            accelerators: self.accelerator.clone(),
            providers: self.provider.clone(),
            regions: self.region.clone(),
            purchases: self.purchase.clone(),
            any_network: self.any_network,
            vary: self.vary.clone(),
        }
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
        let limits =
            self.wanted().limits(scenario.training.as_ref().and_then(|plan| plan.start))?;
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
