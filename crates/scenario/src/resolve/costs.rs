//! The costs beside devices, with the provider's prices where none are given.
//!
//! Storage and egress have list prices by provider among the catalog's defaults (`storage.aws`,
//! `egress.gcp`); at another provider their price is unknown until the scenario gives it.

use flopcast_core::catalog::Catalog;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::ledger::plan::{Costs, Egress, Staff, Stated, Stored};
use flopcast_core::provenance::{Input, Unknown};
use flopcast_core::quantity::{Data, DataPerRequest, EgressPrice, Measure, Time};

use super::super::costs::{
    Checkpoints, ServingCosts, ServingStorage, Staff as StaffFile, Storage, TrainingCosts,
};
use super::super::file::Placement;
use super::super::given::Given;
use super::default;

/// The context of a stage's costs: the catalog's price list, the placement, and the section of the
/// file.
#[derive(Clone, Copy)]
pub(super) struct Payer<'a> {
    pub catalog: &'a Catalog,
    pub placement: &'a Placement,
    /// `training.costs` or `inference.costs`.
    pub section: &'static str,
}

impl Payer<'_> {
    /// The costs of a run; `checkpoint` is the size of one.
    ///
    /// # Errors
    /// If staff is given in two ways or in none.
    pub(super) fn of_training(
        self,
        costs: &TrainingCosts,
        checkpoint: Input<Data>,
    ) -> Result<Costs<Data>> {
        let mut stored = Vec::new();
        if let Some(Storage { data, retention, price }) = &costs.storage {
            let data = data.input(&self.name("storage.data"));
            stored.push(Stored {
                detail: "data set",
                data,
                copies: None,
                retention: self.retention("storage", retention.as_ref()),
                price: self.price("storage", STORAGE, price.as_ref())?,
            });
        }
        if let Some(Checkpoints { keep, size, retention, price }) = &costs.checkpoints {
            let name = self.name("checkpoints.size");
            stored.push(Stored {
                detail: "checkpoints",
                data: size.as_ref().map_or(checkpoint, |given| given.input(&name)),
                copies: Some(keep.input(&self.name("checkpoints.keep"))),
                retention: self.retention("checkpoints", retention.as_ref()),
                price: self.price("checkpoints", STORAGE, price.as_ref())?,
            });
        }
        let egress = match &costs.egress {
            Some(egress) => Some(self.egress(&egress.data, egress.price.as_ref())?),
            None => None,
        };
        Ok(Costs { stored, egress, staff: self.staff(costs.staff.as_ref())? })
    }

    /// The costs of a service.
    ///
    /// # Errors
    /// As [`Payer::of_training`].
    pub(super) fn of_service(self, costs: &ServingCosts) -> Result<Costs<DataPerRequest>> {
        let mut stored = Vec::new();
        if let Some(ServingStorage { data, price }) = &costs.storage {
            stored.push(Stored {
                detail: "",
                data: data.input(&self.name("storage.data")),
                copies: None,
                retention: None,
                price: self.price("storage", STORAGE, price.as_ref())?,
            });
        }
        let egress = match &costs.egress {
            Some(egress) => Some(self.egress(&egress.data, egress.price.as_ref())?),
            None => None,
        };
        Ok(Costs { stored, egress, staff: self.staff(costs.staff.as_ref())? })
    }

    /// The scenario's own path of a key.
    fn name(self, key: &str) -> String {
        format!("{}.{key}", self.section)
    }

    /// The time for which data is kept after the stage, where the scenario gives it.
    fn retention(self, of: &str, given: Option<&Given<Time>>) -> Option<Input<Time>> {
        given.map(|given| given.input(&self.name(&format!("{of}.retention"))))
    }

    /// Data that leaves the provider, with its price.
    fn egress<E: Measure>(
        self,
        data: &Given<E>,
        price: Option<&Given<EgressPrice>>,
    ) -> Result<Egress<E>> {
        let data = data.input(&self.name("egress.data"));
        Ok(Egress { data, price: self.price("egress", ("egress", "data that leaves"), price)? })
    }

    /// The given price of a section, or the default `ID.PROVIDER`; unknown where there is none.
    fn price<Q: Measure>(
        self,
        of: &str,
        (id, what): (&str, &str),
        given: Option<&Given<Q>>,
    ) -> Result<Stated<Q>> {
        let name = self.name(&format!("{of}.price"));
        if let Some(given) = given {
            return Ok(Ok(given.input(&name)));
        }
        let provider = self.placement.provider.as_ref().map_or("", |p| p.value.as_str());
        let id = format!("{id}.{provider}");
        if !self.catalog.has_default(&id) {
            let at = if provider.is_empty() { "no provider" } else { provider };
            let why = format!("the catalog has no price of {what} at {at}; give {name}");
            return Ok(Err(Unknown { why }));
        }
        let why = format!("list price of {what} at {provider}");
        default(self.catalog, &name, &id, &why).map(Ok)
    }

    /// The people: by head, or as a share of the total.
    ///
    /// # Errors
    /// If neither or both are given, or the share is the whole.
    fn staff(self, staff: Option<&StaffFile>) -> Result<Option<Staff>> {
        let Some(staff) = staff else { return Ok(None) };
        let name = |key: &str| self.name(&format!("staff.{key}"));
        Ok(Some(match staff {
            StaffFile { fte: Some(fte), cost: Some(cost), duration, share_of_total: None } => {
                Staff::Hired {
                    fte: fte.input(&name("fte")),
                    cost: cost.input(&name("cost")),
                    duration: duration.as_ref().map(|given| given.input(&name("duration"))),
                }
            }
            StaffFile { fte: None, cost: None, duration: None, share_of_total: Some(share) } => {
                if share.spread.central().get() >= 1.0 {
                    return Err(share.refuse("staff is less than the whole cost"));
                }
                Staff::ShareOfTotal(share.input(&name("share_of_total")))
            }
            _ => {
                return Err(Error::input(format!(
                    "{} needs either fte and cost, or share_of_total",
                    self.name("staff")
                ))
                .hint("staff: {fte: 4, cost: 300k USD/year}, or {share_of_total: 35 %}"));
            }
        }))
    }
}

/// The default that object storage is priced by, and its name.
const STORAGE: (&str, &str) = ("storage", "object storage");
