//! A student for a budget: the largest model of a space that keeps its limits, what distilling a
//! teacher into it takes, and after how many queries it has paid.
//!
//! ```text
//! queries to pay = cost of the distillation / (cost of a query to the teacher - to the student)
//! ```

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::{Estimate, Id, Key};
use flopcast_core::quantity::{Flop, Measure as _, Money, Requests};

use super::point::{Facts, Points};

/// A student and what it takes.
#[derive(Clone, Debug)]
pub struct Student {
    /// The point.
    pub facts: Facts,
    /// The teacher's name.
    pub teacher: String,
    /// FLOPs of the teacher's forward passes.
    pub passes: Option<Flop>,
    /// Figures of the distillation run: its key in JSON, and its value.
    pub run: Vec<(&'static str, Option<f64>)>,
    /// What a query costs, to the student and to the teacher.
    pub query: [Option<Money>; 2],
    /// Queries after which the distillation has paid; none where the student's cost no less, or a
    /// cost is unknown.
    pub pays: Option<Requests>,
}

/// Figures of the distillation that are told, by their keys.
const TOLD: [(&str, Id); 5] = [
    ("device_hours", Id::DeviceHours),
    ("wall_clock_days", Id::WallClock),
    ("cost_usd", Id::TrainingCost),
    ("energy_kwh", Id::FacilityEnergy),
    ("co2e_kg", Id::LocationCo2e),
];

fn value(estimate: &Estimate, id: Id) -> Option<f64> {
    estimate.value(&Key::from(id))
}

/// The student that a search found: the first of its front, which is best in the first objective.
///
/// # Errors
/// A scenario that the student or the teacher cannot be forecast in.
pub fn student(points: &Points<'_>, digits: &[usize]) -> Result<Student> {
    let teacher =
        points.plan.teacher.clone().ok_or_else(|| {
            Error::input("the space names no teacher").hint("teacher: llama-3-70b")
        })?;
    let facts = points.facts(digits, true)?;
    let estimate = facts.estimate.as_deref().ok_or_else(|| {
        Error::input("a student is sized in a scenario")
            .hint("flopcast optimize plan.yaml --search space.yaml")
    })?;
    let query = Id::ServingCost;
    let alone = points.alone(digits)?;
    let flops = |estimate: &Estimate| value(estimate, Id::ModelFlops);
    let passes = flops(estimate).zip(flops(&alone)).map(|(all, own)| Flop::from_stored(all - own));
    let taught = points.taught()?;
    let costs = [value(estimate, query), taught.as_ref().and_then(|it| value(it, query))];
    let cost = value(estimate, Id::TrainingCost);
    let saved = costs[1].zip(costs[0]).map(|(teacher, own)| teacher - own);
    let pays = cost.zip(saved.filter(|saved| *saved > 0.0)).map(|(cost, saved)| cost / saved);
    let run = TOLD.map(|(key, id)| (key, value(estimate, id))).to_vec();
    Ok(Student {
        teacher,
        passes,
        run,
        query: costs.map(|cost| cost.map(Money::from_stored)),
        pays: pays.map(Requests::from_stored),
        facts,
    })
}
