//! The scenario resolved: every reference looked up, every default named, ready to compute.
//!
//! `scenario::resolve` makes a [`Scenario`] from the file that the user wrote. It holds inputs with
//! their basis and the plans of the rooms that compute with them; no type of the file goes further.

use std::fmt;
use std::sync::Arc;

use chrono::NaiveDate;

use super::rollout::Rollout;
use crate::ledger::packing::Packing;
use crate::ledger::plan::{Api, Costs, Owned, Rent, Site};
use crate::provenance::{Input, Inputs as _, Traced, Unknown, inputs};
use crate::quantity::text::number;
use crate::quantity::{
    Data, DataPerRequest, Precision, Ratio, RequestRate, Requests, Share, Time, YearlyRate,
};
use crate::serving::plan::{Demand, FlopPerRequest, Replica};
use crate::training::memory::Held;
use crate::training::plan::{Efficiency, Prediction, Run};

/// A resolved scenario: what [`crate::estimate`] computes from.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The scenario's description in one line.
    pub name: String,
    /// The training run.
    pub training: Option<Arc<TrainingPlan>>,
    /// The service.
    pub inference: Option<Arc<Service>>,
    /// The rules by which money over time is added up.
    pub finance: Finance,
    /// The first day.
    pub start: Option<NaiveDate>,
    /// Requests in a functional unit of the software carbon intensity; `None` where the scenario
    /// names none.
    pub functional_unit: Option<Input<Requests>>,
    /// Tables of the catalog that it rests on, with the dates of their data.
    pub dates: Vec<(String, String)>,
    /// Assumptions about the model, one sentence each.
    pub model_assumptions: Vec<String>,
    /// Choices that flopcast made because nobody did, beside quantities.
    pub choices: Vec<Choice>,
    /// The spreads that inputs have although nobody gave a range.
    pub spreads: Vec<UsualSpread>,
    /// Warnings to read before trusting the figures.
    pub warnings: Vec<String>,
}

/// The spread of an input that nobody gave as a range: of a price by its age, of demand by how
/// plans turn out.
#[derive(Clone, Debug, PartialEq)]
pub struct UsualSpread {
    /// The input, as ranges name it.
    pub of: String,
    /// The factors around the central value between which 80 % lie.
    pub within: [f64; 2],
    /// The reason, with its source.
    pub why: String,
}

/// A choice that is no quantity and that nobody made: an assumption like an input's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The key of the scenario that would make it.
    pub path: &'static str,
    /// The choice, as the key would name it.
    pub value: String,
    /// The reason for it, one sentence.
    pub why: String,
}

/// A service: one replica, the demand on the fleet, and the place where it runs.
#[derive(Clone, Debug)]
pub struct Service {
    /// One copy of the model on its devices.
    pub replica: Replica,
    /// Mean rate of requests in the first year.
    pub rate: Input<RequestRate>,
    /// Peak rate / mean rate, at least 1.
    pub peak_to_mean: Input<f64>,
    /// Part of a replica's highest rate that the fleet is planned for, so that it holds its SLO at
    /// the peak.
    pub target_utilisation: Input<Share>,
    /// Growth of the rate per year.
    pub growth: Input<YearlyRate>,
    /// Replicas beside those that the peak needs.
    pub redundancy: Input<f64>,
    /// The time that a job may take, in place of requests without end.
    pub within: Option<Input<Time>>,
    /// The time that a replica takes to start, where the fleet follows its load; `None` for a fixed
    /// fleet.
    pub start_up: Option<Input<Time>>,
    /// FLOPs of one request, prompt and answer.
    pub flops: Input<FlopPerRequest>,
    /// The rent; absent where no price of the devices is known.
    pub rent: Option<Rent>,
    /// The cost of owned hardware: then there is no rent.
    pub owned: Option<Owned>,
    /// Costs beside devices.
    pub costs: Option<Costs<DataPerRequest>>,
    /// Power, grid and water.
    pub site: Site,
    /// A hosted model that it is compared with.
    pub api: Option<Api>,
    /// Traffic, SLO and router: the inputs of the engine's closed form and of a simulation.
    pub demand: Demand,
    /// The refresh of its fleet by other hardware, where one is planned.
    pub refresh: Option<Refresh>,
}

impl Service {
    /// Its replicas in whole instances, with figures named after `stage`; `None` where devices are
    /// sold singly.
    pub fn pack(&self, stage: impl fmt::Display, replicas: &Traced<Ratio>) -> Option<Packing> {
        self.rent.as_ref()?.pack(stage, &self.replica.groups(&replicas.number()))
    }

    /// The same service with inputs that record.
    #[must_use]
    pub fn recorded(&self) -> Self {
        let mut recorded = self.clone();
        recorded.for_each_input(&mut |input| input.record());
        recorded
    }

    /// True if anything of it has a price: its devices before or after a refresh, or other costs.
    pub fn is_priced(&self) -> bool {
        let renewed = self.refresh.as_ref().is_some_and(|it| it.service.is_priced());
        self.rent.is_some() || self.owned.is_some() || self.costs.is_some() || renewed
    }

    /// The service on the hardware of a year of the horizon, from 1.
    pub fn in_year(&self, year: u32) -> &Self {
        match &self.refresh {
            Some(refresh) if year >= refresh.year => &refresh.service,
            _ => self,
        }
    }
}

/// A fleet on other hardware that takes over from a year on.
#[derive(Clone, Debug)]
pub struct Refresh {
    /// Its first year, at least 2.
    pub year: u32,
    /// The same service on the other hardware.
    pub service: Box<Service>,
}

/// A training run and the place where it runs.
#[derive(Clone, Debug)]
pub struct TrainingPlan {
    /// Model, data, devices and interruptions: the computation of the run.
    pub run: Run,
    /// The efficiency of the devices, as the scenario gives it; `None` where it is predicted.
    pub efficiency: Option<Efficiency>,
    /// Inputs of the step-time model, where devices, tokens and layout allow a prediction.
    pub prediction: Option<Prediction>,
    /// The memory of a network over samples, where its devices are known.
    pub held: Option<Held>,
    /// The answers that the model writes to learn from, where it does and their time is predicted.
    pub rollout: Option<Rollout>,
    /// The rent; absent where no price of the devices is known.
    pub rent: Option<Rent>,
    /// The cost of owned hardware: then there is no rent.
    pub owned: Option<Owned>,
    /// Costs beside devices.
    pub costs: Option<Costs<Data>>,
    /// Power, grid and water.
    pub site: Site,
    /// Parameters of the model, in billions.
    pub billion_parameters: Input<f64>,
    /// Parameters that are trained, where only those of adapters are.
    pub trainable: Option<Input<f64>>,
    /// Facts for its model card.
    pub card: Card,
    /// The first day: that on which the devices are asked for.
    pub start: Option<chrono::NaiveDate>,
    /// The time until they are there, or why it is unknown; none where they are there at once.
    pub wait: Option<Result<Input<Time>, Unknown>>,
    /// The day by which it must end.
    pub deadline: Option<Deadline>,
}

impl TrainingPlan {
    /// True if anything of it has a price: its devices or other costs.
    pub fn is_priced(&self) -> bool {
        self.rent.is_some() || self.owned.is_some() || self.costs.is_some()
    }
}

/// The time by which a run must have ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Deadline {
    /// On a day.
    On(NaiveDate),
    /// A time after its start.
    Within(Time),
}

/// The facts of a run that are no figures, as model cards, bills of materials and statements to
/// regulators ask for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// The model's name.
    pub model: String,
    /// Its parameters, all of them.
    pub parameters: u64,
    /// True if it writes text token by token.
    pub generates: bool,
    /// `pre-training` or `fine-tuning` (the Hub's `co2_eq_emissions`).
    pub training_type: &'static str,
    /// True if the run goes on from trained weights.
    pub adapts: bool,
    /// The number format of the products.
    pub precision: Precision,
    /// The accelerator's name in the catalog.
    pub accelerator: String,
    /// The number of accelerators, where it is known.
    pub devices: Option<u64>,
    /// The provider, where one is named.
    pub provider: Option<String>,
    /// The region, where one is named.
    pub region: Option<String>,
    /// The region's country, ISO 3166 alpha-3.
    pub country: Option<String>,
}

impl Card {
    /// The accelerator, with how many where that is known: `10,000 x v100-sxm2-32gb`.
    pub fn hardware(&self) -> String {
        match self.devices {
            Some(devices) => format!("{} x {}", number(devices as f64), self.accelerator),
            None => self.accelerator.clone(),
        }
    }

    /// Provider and region, as far as they are known.
    pub fn place(&self) -> Option<String> {
        let named: Vec<&str> =
            [&self.provider, &self.region].into_iter().flatten().map(|it| &**it).collect();
        (!named.is_empty()).then(|| named.join(" "))
    }
}

/// The rules by which money over time is added up.
#[derive(Clone, Debug)]
pub struct Finance {
    /// Years of service, the horizon.
    pub years: u32,
    /// Discount rate per year, nominal; the cost of a year is discounted from its end.
    pub discount_rate: Input<f64>,
    /// Change of the rents of serving per year.
    pub price_change: Input<YearlyRate>,
    /// The currency of reports, where it is not USD.
    pub currency: Option<Currency>,
    /// The first month of the fiscal year, 1 to 12.
    pub fiscal_year: u32,
    /// True if anything of the scenario, or of what it is a part of, has a price: whatever has none
    /// is unknown then, never free.
    pub priced: bool,
}

/// A currency in which reports show money beside USD.
#[derive(Clone, Debug, PartialEq)]
pub struct Currency {
    /// Its ISO 4217 code: `EUR`.
    pub code: String,
    /// Units of the currency for one USD.
    pub per_usd: f64,
    /// The day of the rate.
    pub date: NaiveDate,
    /// The publisher of the rate, where the scenario names one.
    pub source: Option<String>,
}

inputs!(Scenario {
    training, inference, finance, functional_unit;
    but name, start, dates, model_assumptions, choices, spreads, warnings,
});
inputs!(TrainingPlan {
    run, efficiency, rent, owned, costs, site, billion_parameters, trainable, wait;
    but prediction, held, rollout, card, start, deadline,
});
inputs!(Service {
    replica,
    rate,
    peak_to_mean,
    target_utilisation,
    growth,
    redundancy,
    within,
    start_up,
    flops,
    demand,
    rent,
    api,
    owned,
    costs,
    site,
    refresh,
});
inputs!(Refresh { service; but year });
inputs!(Finance { discount_rate, price_change; but years, currency, fiscal_year, priced });
