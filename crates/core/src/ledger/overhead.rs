//! Costs beside devices: storage, egress, staff.

use super::line::{Entry, Kind, Ledger, Line, Period, Resource, Stage};
use crate::ledger::plan::{Costs, Staff, trace};
use crate::provenance::{Input, Traced, Value};
use crate::quantity::{Data, Measure, Money, Ratio, Time};

/// The stage that costs arise in.
#[derive(Clone, Copy, Debug)]
pub struct Span<'a> {
    /// Which.
    pub stage: Stage,
    /// When.
    pub period: Period,
    /// How long it is, where that is known.
    pub length: &'a Value<Time>,
}

impl<E: Measure> Costs<E> {
    /// Enters the rows of a stage, after those of its devices: staff may be a part of the total.
    /// `moved` says how much data egress is.
    ///
    /// Storage = data x copies x (length of the stage + retention); staff = people x time x pay, or
    /// others x share / (1 - share).
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
