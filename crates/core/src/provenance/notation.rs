//! The notations of a formula: one for people, one for a spreadsheet.
//!
//! A [`Notation`] is a table of signs and spellings; [`Step::spelled`](super::Step::spelled) folds
//! an expression with it. A third notation is another such table.

use super::expression::Function;
use crate::quantity::system::time::year;
use crate::quantity::text::{number, show_stored};
use crate::quantity::{Dimension, Measure as _, Time};

/// The signs and the spellings of functions by which a formula is written.
pub struct Notation {
    pub(super) plus: &'static str,
    pub(super) minus: &'static str,
    pub(super) times: &'static str,
    pub(super) over: &'static str,
    pub(super) power: &'static str,
    pub(super) comma: &'static str,
    /// A constant, from its stored value.
    pub(super) constant: fn(f64, Dimension) -> String,
    /// A function of arguments that are written already.
    pub(super) call: fn(Function, &str) -> String,
    /// One of two values: left, sign, right, then, otherwise.
    pub(super) choice: fn(&str, &str, &str, &str, &str) -> String,
}

/// The notation for people: `prefill time / (1 - utilisation)`.
pub static TEXT: Notation = Notation {
    plus: " + ",
    minus: " - ",
    times: " x ",
    over: " / ",
    power: " ^ ",
    comma: ", ",
    constant: told,
    call: |function, arguments| {
        let name = match function {
            Function::Min => "min",
            Function::Max => "max",
            Function::Ceil => "ceil",
            Function::Floor => "floor",
            Function::Pow => "pow",
            Function::Ln => "ln",
            Function::Exp => "exp",
        };
        format!("{name}({arguments})")
    },
    choice: |left, sign, right, then, otherwise| {
        format!("if {left} {sign} {right} then {then} else {otherwise}")
    },
};

/// The notation for a spreadsheet, over stored values: seconds, joules, per second.
pub static SPREADSHEET: Notation = Notation {
    plus: "+",
    minus: "-",
    times: "*",
    over: "/",
    power: "^",
    comma: ",",
    constant: |value, _| match value {
        // The largest number there is.
        _ if value.is_infinite() => "9.99E+307".to_owned(),
        _ if value < 0.0 => format!("({value:?})"),
        _ => format!("{value:?}"),
    },
    call: |function, arguments| match function {
        Function::Min => format!("MIN({arguments})"),
        Function::Max => format!("MAX({arguments})"),
        // INT goes down for negative numbers too, which ROUNDUP does not.
        Function::Ceil => format!("(-INT(1E-9-({arguments})))"),
        Function::Floor => format!("INT({arguments})"),
        Function::Pow => format!("POWER({arguments})"),
        Function::Ln => format!("LN({arguments})"),
        Function::Exp => format!("EXP({arguments})"),
    },
    choice: |left, sign, right, then, otherwise| {
        format!("IF({left}{sign}{right},{then},{otherwise})")
    },
};

/// A constant of a formula as people write it: years are whole, where a length that is found in a
/// scenario would be told in days.
fn told(value: f64, dimension: Dimension) -> String {
    let years = value / Time::new::<year>(1.0).stored();
    match dimension {
        _ if value.is_infinite() => "never".to_owned(),
        Dimension::NONE => number(value),
        Time::DIMENSION if years >= 1.0 && years.fract() == 0.0 => {
            format!("{years} {}", if years > 1.0 { "years" } else { "year" })
        }
        _ => show_stored(value, dimension),
    }
}
