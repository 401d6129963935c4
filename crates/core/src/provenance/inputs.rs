//! The inputs of a plan, whatever holds them.
//!
//! Ranges draw every input of a scenario anew, and `explain` lets every input record. Both walk the
//! plan by one trait, [`Inputs`], which the macro `inputs!` implements from a list of the fields.
//! The order of the walk is that of the list, and it is part of the result: sampled values are
//! drawn in it.

use std::sync::Arc;

use super::{Input, Uncertain};
use crate::quantity::Measure;

/// A type that holds inputs and shows them one after the other: to draw them, to let them record.
pub trait Inputs {
    /// Visits every input, in the order that the type declares.
    fn for_each_input(&mut self, visit: &mut dyn FnMut(&mut dyn Uncertain));
}

impl<Q: Measure> Inputs for Input<Q> {
    fn for_each_input(&mut self, visit: &mut dyn FnMut(&mut dyn Uncertain)) {
        visit(self);
    }
}

impl<T: Inputs> Inputs for Option<T> {
    fn for_each_input(&mut self, visit: &mut dyn FnMut(&mut dyn Uncertain)) {
        if let Some(it) = self {
            it.for_each_input(visit);
        }
    }
}

impl<T: Inputs, E> Inputs for Result<T, E> {
    fn for_each_input(&mut self, visit: &mut dyn FnMut(&mut dyn Uncertain)) {
        if let Ok(it) = self {
            it.for_each_input(visit);
        }
    }
}

impl<T: Inputs> Inputs for Vec<T> {
    fn for_each_input(&mut self, visit: &mut dyn FnMut(&mut dyn Uncertain)) {
        for it in self {
            it.for_each_input(visit);
        }
    }
}

impl<T: Inputs, const N: usize> Inputs for [T; N] {
    fn for_each_input(&mut self, visit: &mut dyn FnMut(&mut dyn Uncertain)) {
        for it in self {
            it.for_each_input(visit);
        }
    }
}

impl<A: Inputs, B: Inputs> Inputs for (A, B) {
    fn for_each_input(&mut self, visit: &mut dyn FnMut(&mut dyn Uncertain)) {
        self.0.for_each_input(visit);
        self.1.for_each_input(visit);
    }
}

impl<T: Inputs> Inputs for Box<T> {
    fn for_each_input(&mut self, visit: &mut dyn FnMut(&mut dyn Uncertain)) {
        (**self).for_each_input(visit);
    }
}

impl<T: Inputs + Clone> Inputs for Arc<T> {
    fn for_each_input(&mut self, visit: &mut dyn FnMut(&mut dyn Uncertain)) {
        Arc::make_mut(self).for_each_input(visit);
    }
}

/// Says which fields of a struct hold inputs, in the order in which they are visited, and which do
/// not: one that is forgotten does not compile. Of an enum, which parts of each variant do.
macro_rules! inputs {
    ($type:ident $(<$generic:ident: $bound:path>)? {
        $($field:ident),* $(,)? $(; but $($other:ident),* $(,)?)?
    }) => {
        impl $(<$generic: $bound>)? crate::provenance::Inputs for $type $(<$generic>)? {
            fn for_each_input(
                &mut self,
                visit: &mut dyn FnMut(&mut dyn crate::provenance::Uncertain),
            ) {
                let Self { $($field,)* $($($other: _,)*)? } = self;
                $(crate::provenance::Inputs::for_each_input($field, visit);)*
            }
        }
    };
    (enum $type:ty { $($variant:pat => [$($field:ident),*]),+ $(,)? }) => {
        impl crate::provenance::Inputs for $type {
            fn for_each_input(
                &mut self,
                visit: &mut dyn FnMut(&mut dyn crate::provenance::Uncertain),
            ) {
                match self {
                    $($variant => { $(crate::provenance::Inputs::for_each_input($field, visit);)* })+
                }
            }
        }
    };
}
pub(crate) use inputs;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provenance::Basis;

    struct Plan {
        one: Input<f64>,
        name: String,
        more: Vec<Option<Input<f64>>>,
        known: Result<Choice, String>,
    }

    enum Choice {
        Pair { value: Input<f64> },
        None,
    }

    inputs!(Plan { more, one, known; but name });
    inputs!(enum Choice { Self::Pair { value } => [value], Self::None => [] });

    #[test]
    fn inputs_are_visited_in_the_order_that_is_declared() {
        let input = |name: &str| Input::new(name, 1.0, Basis::Derived { formula: String::new() });
        let mut plan = Plan {
            one: input("one"),
            name: "a plan".to_owned(),
            more: vec![Some(input("two")), None, Some(input("three"))],
            known: Ok(Choice::Pair { value: input("four") }),
        };
        let mut names = Vec::new();
        plan.for_each_input(&mut |input| names.push(input.name().to_owned()));
        assert_eq!(names, ["two", "three", "one", "four"]);
        plan.known = if plan.name.is_empty() { Ok(Choice::None) } else { Err(plan.name.clone()) };
        let mut count = 0;
        plan.for_each_input(&mut |_| count += 1);
        assert_eq!(count, 3);
    }
}
