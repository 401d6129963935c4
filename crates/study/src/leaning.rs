//! The assumed inputs that an answer leans on.
//!
//! Nobody gave an assumed input, so the reader wants to know first what a wrong one would do. Each
//! is raised by a tenth while all others stand still; the change of the figure ranks them.

use std::sync::Arc;

use flopcast_core::estimate::figure::headlines;
use flopcast_core::estimate::{Engine, Id, Key};
use flopcast_core::provenance::{Basis, Expr, Inputs as _, Step};
use flopcast_core::quantity::{Devices, Measure as _};

use crate::uncertainty::{PREDICTIONS, stored};

/// An assumed input and its pull on a figure.
#[derive(Clone, Debug)]
pub struct Leaning {
    /// The input: name, value, and why it was assumed.
    pub input: Arc<Step>,
    /// The relative change of the figure when the input is a tenth larger.
    pub change: f64,
}

/// The assumed inputs that move one figure, most first.
#[derive(Clone, Debug)]
pub struct Leanings {
    /// The figure.
    pub figure: Id,
    /// The inputs; those that do not move it are left out.
    pub inputs: Vec<Leaning>,
}

/// The part by which each input is raised.
const TENTH: f64 = 0.1;

/// Below this relative change an input does not move a figure.
const STILL: f64 = 1e-6;

/// What a forecast's first headline leans on: the total cost where it is known, else the next
/// figure that answers at a glance. `None` where none is known.
pub fn of(engine: &Engine) -> Option<Leanings> {
    let mut engine = engine.clone();
    let central = engine.run().ok()?;
    let known = |id: &Id| stored(&central, &Key::from(*id)).is_some_and(|value| value > 0.0);
    let figure = headlines().find(known)?;
    let key = Key::from(figure);
    let before = stored(&central, &key)?;
    let mut assumed: Vec<Arc<Step>> = Vec::new();
    engine.for_each_input(&mut |input| {
        let leaf = input.leaf();
        let nobody = matches!(leaf.how, Expr::Leaf(Basis::Assumed { .. }))
            && !PREDICTIONS.contains(&input.name());
        // There is no tenth of a device, and none of nothing.
        let whole = leaf.dimension == Devices::DIMENSION || leaf.value == 0.0;
        if nobody && !whole && !assumed.iter().any(|other| other.name == leaf.name) {
            assumed.push(Arc::clone(leaf));
        }
    });
    let mut inputs = Vec::new();
    for input in assumed {
        let scale = |engine: &mut Engine, factor: f64| {
            engine.for_each_input(&mut |other| {
                if other.leaf().name == input.name {
                    let value = other.leaf().value;
                    other.set(value * factor);
                }
            });
        };
        scale(&mut engine, 1.0 + TENTH);
        let after = engine.run().ok().and_then(|estimate| stored(&estimate, &key));
        scale(&mut engine, 1.0);
        let Some(change) = after.map(|after| after / before - 1.0) else { continue };
        if change.abs() > STILL {
            inputs.push(Leaning { input, change });
        }
    }
    inputs.sort_by(|a, b| b.change.abs().total_cmp(&a.change.abs()));
    Some(Leanings { figure, inputs })
}
