//! The terms that go with a plan: how long it is committed, when it is paid, how long a run may be,
//! and how long one waits for the devices.

use flopcast_core::catalog::Purchase;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::plan;
use flopcast_core::ledger::plan::{Length, LongStep, Rent, Terms, Upfront};
use flopcast_core::provenance::{Input, Unknown};
use flopcast_core::quantity::system::time;
use flopcast_core::quantity::{Share, Time};

use super::rent::Tenant;
use super::{Notes, assumed, default, share};

/// The time until devices are there, or why it is unknown.
type Wait = std::result::Result<Input<Time>, Unknown>;

impl Tenant<'_> {
    /// The terms of a plan.
    ///
    /// # Errors
    /// If a service is bought on terms that end after some days, or the catalog lacks a default.
    pub(super) fn terms(self, plan: Purchase, notes: &mut Notes) -> Result<Terms> {
        let reserved =
            |length, upfront| Terms::Reserved { plan, length, charged: self.charged(), upfront };
        Ok(match (plan, plan.years()) {
            (_, Some(years)) => reserved(Length::Years(years), self.upfront(plan, notes)),
            (Purchase::CapacityBlock, _) => {
                self.runs_for_days(plan)?;
                reserved(self.blocks()?, Upfront::All)
            }
            (Purchase::FlexStart, _) => {
                self.runs_for_days(plan)?;
                Terms::Queued
            }
            (Purchase::Spot, _) => Terms::Spot,
            _ => Terms::OnDemand,
        })
    }

    /// The longest run that a plan is sold for, where the provider says.
    ///
    /// # Errors
    /// If the catalog's default is no time.
    pub(super) fn longest(self, plan: Purchase) -> Result<Option<Input<Time>>> {
        let why = "the longest that the provider sells";
        self.of_plan(plan, "longest", why)
    }

    /// How long one waits for the devices of a rent: as given, else the longest of its plans. None
    /// for devices on demand, and for those of savings plans, which buy a price and no devices.
    ///
    /// # Errors
    /// If the catalog's default is no time.
    pub(super) fn wait(self, rent: Option<&Rent>) -> Result<Option<Wait>> {
        if let Some(given) = &self.placement.wait {
            return Ok(Some(Ok(given.input(&self.key("wait")))));
        }
        let mut longest: Option<Input<Time>> = None;
        for tariff in rent.iter().flat_map(|rent| &rent.tariffs) {
            let plan = match &tariff.terms {
                Terms::OnDemand | Terms::Own => continue,
                Terms::Spot => Purchase::Spot,
                Terms::Queued => Purchase::FlexStart,
                Terms::Reserved { plan, .. } if plan.kind() == "savings-plan" => continue,
                Terms::Reserved { plan, .. } => *plan,
            };
            let id = format!("wait.{}.{}", plan.kind(), self.provider());
            if !self.catalog.has_default(&id) {
                return Ok(Some(Err(self.no_wait_known(plan))));
            }
            let why = "the least notice that the provider asks for; longer where nothing is free";
            let wait = default::<Time>(self.catalog, &self.key("wait"), &id, why)?;
            if longest.as_ref().is_none_or(|it| it.value < wait.value) {
                longest = Some(wait);
            }
        }
        Ok(longest.map(Ok))
    }

    /// Why nobody knows how long one waits.
    fn no_wait_known(self, plan: Purchase) -> Unknown {
        let (kind, provider) = (plan.kind(), self.provider());
        let at = if provider.is_empty() { String::new() } else { format!(" at {provider}") };
        let why = format!(
            "nobody publishes how long one waits for {kind} devices{at}, so that days are counted \
             from when they are there: give placement.wait"
        );
        Unknown { why }
    }

    /// A fact of a plan at the provider, where the catalog has it.
    fn of_plan(self, plan: Purchase, fact: &str, why: &str) -> Result<Option<Input<Time>>> {
        let id = format!("plan.{}.{}.{fact}", plan.kind(), self.provider());
        let known = self.catalog.has_default(&id);
        let name = format!("{fact} of a {}", plan.name());
        known.then(|| default(self.catalog, &name, &id, why)).transpose()
    }

    /// The steps in which blocks are sold: those of the provider, else whole days.
    fn blocks(self) -> Result<Length> {
        let block = |fact, why| self.of_plan(Purchase::CapacityBlock, fact, why);
        let day = || assumed("step of a capacity-block", Time::new::<time::day>(1.0), "whole days");
        let above = block("long", "longer blocks have another step")?;
        let step = block("long-step", "the step of long blocks")?;
        Ok(Length::Blocks {
            step: block("step", "the provider sells blocks of whole steps")?.unwrap_or_else(day),
            long: above.zip(step).map(|(above, step)| LongStep { above, step }),
        })
    }

    /// Refuses a service on terms that are sold for days or weeks.
    fn runs_for_days(self, plan: Purchase) -> Result<()> {
        if self.stage == "training" {
            return Ok(());
        }
        let place = self.placement.purchase.as_ref().map(|purchase| &purchase.place);
        let name = plan.name();
        Err(Error::input(format!("a service runs all year, and {name} is sold for days or weeks"))
            .at(place)
            .hint("give the service a placement of its own: inference.placement.purchase"))
    }

    /// When a commitment is paid; without upfront payment where nobody says.
    fn upfront(self, plan: Purchase, notes: &mut Notes) -> Upfront {
        let said = self.placement.payment.as_ref().and_then(|payment| payment.value.of(plan));
        if said.is_none() {
            notes.choose(plan::Choice {
                path: if self.stage == "training" {
                    "placement.payment"
                } else {
                    "inference.placement.payment"
                },
                value: "no-upfront".to_owned(),
                why: "nobody says when the reservation is paid: month by month. It moves cash \
                      alone, not the cost"
                    .to_owned(),
            });
        }
        said.unwrap_or_default().into()
    }

    /// Refuses a payment option of a plan that is not bought.
    ///
    /// # Errors
    /// If there is one.
    pub(super) fn pays_for(self, rent: &Rent) -> Result<()> {
        let Some(payment) = &self.placement.payment else { return Ok(()) };
        let bought = |plan: &Purchase| rent.tariffs.iter().any(|it| it.terms.name() == plan.name());
        match payment.value.plans().find(|plan| !bought(plan)) {
            Some(plan) => {
                let message = format!("{} has a payment option, and is not bought", plan.name());
                let error = Error::input(message).at(Some(&payment.place));
                Err(error.hint("placement.purchase says what is bought"))
            }
            None => Ok(()),
        }
    }

    /// The part of an unused commitment that the scenario bears.
    fn charged(self) -> Input<Share> {
        let name = self.key("unused_commitment");
        self.placement.unused_commitment.as_ref().map_or_else(
            || {
                let why = "a term is paid to its end; the service of the same devices uses what it can of \
                           the rest, and nobody said that others do";
                assumed(&name, share(1.0), why)
            },
            |given| given.input(&name),
        )
    }

    /// The provider's name; empty where none is named.
    pub(super) fn provider(&self) -> &str {
        self.placement.provider.as_ref().map_or("", |provider| provider.value.as_str())
    }
}
