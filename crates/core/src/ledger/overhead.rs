//! Costs beside devices: storage, egress and staff.
//! ```text
//! storage = data x copies x (length of the stage + retention) x USD/GB-month
//! egress  = data that leaves the provider x USD/GB
//! staff   = full-time equivalents x time x USD/year,   or   other costs x share / (1 - share)
//! ```
//! A share of staff is one of the total, staff included, as studies of development cost state it
//! (Cottier et al. 2024, arXiv:2405.21015); therefore the staff row is entered last.

use super::line::{Entry, Kind, Ledger, Line, Period, Resource, Stage};
use crate::ledger::plan::{Costs, Staff, trace};
use crate::provenance::{Input, Traced, Value};
use crate::quantity::{Data, Measure, Money, Ratio, Time};

/// The stage that costs arise in, with the time that it takes.
#[derive(Clone, Copy, Debug)]
pub struct Span<'a> {
    /// The stage that the rows belong to.
    pub stage: Stage,
    /// The period over which the rows fall due.
    pub period: Period,
    /// The length of the stage, unknown where no number of devices gives one; rows by time are
    /// unknown then.
    pub length: &'a Value<Time>,
}

impl<E: Measure> Costs<E> {
    /// Enters the rows of a stage, after those of its devices, because staff may be a part of their
    /// total. `moved` turns the input of egress into data: itself for a run, data per request x
    /// requests for a service.
    ///
    /// A row is unknown where its price is, or where it goes by a length that is unknown. Storage
    /// with a retention falls due over a period that is longer by the retention.
    pub fn enter(
        &self,
        ledger: &mut Ledger<Money>,
        span: Span<'_>,
        moved: impl Fn(&Input<E>) -> Traced<Data>,
    ) {
        let Span { stage, period, length } = span;
        let kind = Kind::Opex;
        for stored in &self.stored {
            let kept = stored.retention.as_ref().map(Input::trace);
            let after = kept.as_ref().map_or(Time::from_stored(0.0), Traced::value);
            let held = Period { length: period.length + after, ..period };
            let (resource, detail) = (Resource::Storage, stored.detail);
            let entry = Entry { stage, resource, detail, kind, period: held };
            let data = stored.data.trace();
            let data = match &stored.copies {
                Some(copies) => &data * &copies.trace(),
                None => data,
            };
            let quantity = match &kept {
                Some(kept) => &data * &(length + kept),
                None => &data * length,
            };
            ledger.enter(Line::new(entry, &quantity, &trace(&stored.price)));
        }
        if let Some(egress) = &self.egress {
            let entry = Entry { stage, resource: Resource::Egress, detail: "", kind, period };
            let price = trace(&egress.price);
            ledger.enter(Line::new(entry, &Value::Known(moved(&egress.data)), &price));
        }
        let entry = Entry { stage, resource: Resource::Staff, detail: "", kind, period };
        match &self.staff {
            None => {}
            Some(Staff::Hired { fte, cost, duration }) => {
                let time = duration.as_ref().map(Input::trace);
                let length_of = time.as_ref().map_or(period.length, Traced::value);
                let entry = Entry { period: Period { length: length_of, ..period }, ..entry };
                let time = time.map_or_else(|| length.clone(), Value::Known);
                let work = &time * &fte.trace();
                ledger.enter(Line::new(entry, &work, &Value::Known(cost.trace())));
            }
            Some(Staff::ShareOfTotal(share)) => {
                let others = ledger.sum(|entry| entry.stage == stage);
                if others.is_absent() {
                    return;
                }
                let share = share.trace().number();
                let ratio: Traced<Ratio> = (&share / (1.0 - &share)).retype();
                let others = others.named("all other costs");
                ledger.enter(Line::new(entry, &others, &Value::Known(ratio)));
            }
        }
    }
}
