//! Means over the classes of requests.

use std::ops::{Add, Mul};

use crate::provenance::{Input, Traced, inputs};
use crate::quantity::{Measure, Share};

/// The mean of a quantity over classes: the sum of share x value.
#[derive(Clone, Debug)]
pub struct Mixture<Q> {
    first: (Input<Share>, Input<Q>),
    others: Vec<(Input<Share>, Input<Q>)>,
}

impl<Q: Measure + Mul<Share, Output = Q> + Add<Output = Q>> Mixture<Q> {
    /// The mixture of these classes, whose shares add up to 1; none of no class.
    pub fn of(classes: impl IntoIterator<Item = (Input<Share>, Input<Q>)>) -> Option<Self> {
        let mut classes = classes.into_iter();
        Some(Self { first: classes.next()?, others: classes.collect() })
    }

    /// The mean.
    pub fn trace(&self) -> Traced<Q> {
        if self.others.is_empty() {
            return self.first.1.trace();
        }
        let part = |(share, value): &(Input<Share>, Input<Q>)| value.trace() * share.trace();
        self.others.iter().fold(part(&self.first), |sum, class| sum + part(class))
    }
}

inputs!(Mixture<Q: Measure> { first, others });
