//! Formulas as data: one expression over steps, and the folds over it.
//!
//! Operators on [`super::Traced`] build an [`Expr`]. Its value ([`Step::evaluate`]), its text
//! ([`Step::formula`]) and its spreadsheet formula ([`Step::spelled`]) are computed from it, so
//! that none of them can say anything else. A step is shared between the formulas that use it: a
//! derivation is a directed acyclic graph whose leaves are inputs and constants.

use std::collections::HashSet;
use std::sync::Arc;

use super::Basis;
use super::notation::{Notation, TEXT};
use crate::quantity::Dimension;
use crate::quantity::text::show_stored;

/// A value with the way it came about: a node of the derivation of a figure.
#[derive(Clone, Debug)]
pub struct Step {
    /// The figure's or the input's name; steps in between have none.
    pub name: Option<String>,
    /// The value, in the stored unit of its dimension.
    pub value: f64,
    /// Its dimension.
    pub dimension: Dimension,
    /// How it came about.
    pub how: Expr,
}

/// The operation by which a step's value follows from others.
#[derive(Clone, Debug)]
pub enum Expr {
    /// The value entered from outside; the basis says why it is what it is.
    Leaf(Basis),
    /// A constant of the formula.
    Constant,
    /// The product of factors with exponent 1 or -1: a quotient has the divisor with -1.
    Product(Vec<(Arc<Step>, i8)>),
    /// The sum of terms with sign 1 or -1.
    Sum(Vec<(Arc<Step>, i8)>),
    /// A function of its arguments.
    Call(Function, Vec<Arc<Step>>),
    /// One of two values.
    If {
        /// The left side of the comparison.
        left: Arc<Step>,
        /// How the sides compare.
        relation: Relation,
        /// Its right side.
        right: Arc<Step>,
        /// The value where the comparison holds.
        then: Arc<Step>,
        /// The value where it does not.
        otherwise: Arc<Step>,
    },
}

/// The functions that formulas use beside arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// The least of the arguments.
    Min,
    /// The greatest of the arguments.
    Max,
    /// The next whole number; what exceeds one by no more than [`SLACK`] is rounding.
    Ceil,
    /// The whole number at or below.
    Floor,
    /// The first argument to the power of the second.
    Pow,
    /// The natural logarithm.
    Ln,
    /// e to the power of the argument.
    Exp,
}

/// By how much a whole number may be exceeded before [`Function::Ceil`] goes on to the next.
pub const SLACK: f64 = 1e-9;

impl Function {
    /// The function's value; NaN where arguments are missing. Min and Max of nothing are infinite.
    pub fn apply(self, arguments: &[f64]) -> f64 {
        match (self, arguments) {
            (Self::Min, all) => all.iter().copied().fold(f64::INFINITY, f64::min),
            (Self::Max, all) => all.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            (Self::Ceil, [x, ..]) => (x - SLACK).ceil(),
            (Self::Floor, [x, ..]) => x.floor(),
            (Self::Pow, [base, exponent, ..]) if exponent.total_cmp(&0.5).is_eq() => base.sqrt(),
            (Self::Pow, [base, exponent, ..]) => base.powf(*exponent),
            (Self::Ln, [x, ..]) => x.ln(),
            (Self::Exp, [x, ..]) => x.exp(),
            _ => f64::NAN,
        }
    }
}

/// A comparison of two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `=`
    Equal,
}

impl Relation {
    /// True if the comparison of the two values holds.
    pub fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Below => left < right,
            Self::AtMost => left <= right,
            Self::Equal => left.total_cmp(&right).is_eq(),
        }
    }

    /// The sign of the comparison in formulas.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Below => "<",
            Self::AtMost => "<=",
            Self::Equal => "=",
        }
    }
}

impl Step {
    /// A value that entered from outside, named.
    pub(super) fn leaf(name: String, value: f64, dimension: Dimension, basis: Basis) -> Self {
        Self { name: Some(name), value, dimension, how: Expr::Leaf(basis) }
    }

    /// A constant of a formula.
    pub(super) fn constant(value: f64, dimension: Dimension) -> Self {
        Self { name: None, value, dimension, how: Expr::Constant }
    }

    /// The steps that the formula is directly over, constants included, in the order of the
    /// formula.
    pub fn operands(&self) -> Vec<&Arc<Step>> {
        let mut operands = Vec::new();
        self.each_operand(&mut |operand| operands.push(operand));
        operands
    }

    /// Visits [`Step::operands`].
    fn each_operand<'a>(&'a self, visit: &mut dyn FnMut(&'a Arc<Step>)) {
        match &self.how {
            Expr::Leaf(_) | Expr::Constant => {}
            Expr::Product(parts) | Expr::Sum(parts) => {
                for (step, _) in parts {
                    visit(step);
                }
            }
            Expr::Call(_, arguments) => arguments.iter().for_each(visit),
            Expr::If { left, right, then, otherwise, .. } => {
                [left, right, then, otherwise].into_iter().for_each(visit);
            }
        }
    }

    /// True if this is a product or a sum of quantities alone, without a constant.
    fn is_plain(&self) -> bool {
        match &self.how {
            Expr::Product(parts) | Expr::Sum(parts) => {
                parts.iter().all(|(step, _)| !matches!(step.how, Expr::Constant))
            }
            _ => false,
        }
    }

    /// The steps that explain this one. A product or a sum of quantities has each of them; any
    /// other formula is written out as a whole, and what it is over follows: named steps and
    /// inputs, each once.
    pub fn inputs(&self) -> Vec<&Arc<Step>> {
        if self.is_plain() {
            return self.operands();
        }
        let mut found = Vec::new();
        self.gather(&mut found);
        found
    }

    /// Adds the named steps and inputs that the formula is over, each once, in the order of the
    /// formula.
    fn gather<'a>(&'a self, found: &mut Vec<&'a Arc<Step>>) {
        for step in self.operands() {
            match &step.how {
                _ if found.iter().any(|known| Arc::ptr_eq(known, step)) => {}
                Expr::Constant => {}
                Expr::Leaf(_) => found.push(step),
                _ if step.name.is_some() => found.push(step),
                _ => step.gather(found),
            }
        }
    }

    /// The inputs from which some derivations start, in the order in which they are met. Derivations
    /// share most of their steps: each is walked once.
    pub fn leaves<'a>(of: impl IntoIterator<Item = &'a Arc<Self>>) -> Vec<&'a Arc<Self>> {
        fn walk<'a>(
            step: &'a Arc<Step>,
            walked: &mut HashSet<*const Step>,
            leaves: &mut Vec<&'a Arc<Step>>,
        ) {
            if !walked.insert(Arc::as_ptr(step)) {
                return;
            }
            if matches!(step.how, Expr::Leaf(_)) {
                leaves.push(step);
            }
            step.each_operand(&mut |operand| walk(operand, walked, leaves));
        }
        let (mut walked, mut leaves) = (HashSet::new(), Vec::new());
        for step in of {
            walk(step, &mut walked, &mut leaves);
        }
        leaves
    }

    /// The value computed anew from the leaves: equals [`Step::value`] up to rounding.
    pub fn evaluate(&self) -> f64 {
        match &self.how {
            Expr::Leaf(_) | Expr::Constant => self.value,
            Expr::Product(parts) => {
                parts.iter().map(|(s, e)| s.evaluate().powi((*e).into())).product()
            }
            Expr::Sum(parts) => parts.iter().map(|(s, sign)| s.evaluate() * f64::from(*sign)).sum(),
            Expr::Call(function, arguments) => {
                function.apply(&arguments.iter().map(|s| s.evaluate()).collect::<Vec<_>>())
            }
            Expr::If { left, relation, right, then, otherwise } => {
                let holds = relation.holds(left.evaluate(), right.evaluate());
                if holds { then.evaluate() } else { otherwise.evaluate() }
            }
        }
    }

    /// The value in the unit that suits it.
    pub fn shown(&self) -> String {
        show_stored(self.value, self.dimension)
    }

    /// The formula over the names of its inputs: `it energy x pue`.
    pub fn formula(&self) -> String {
        match &self.how {
            Expr::Leaf(basis) => basis.to_string(),
            Expr::Constant => self.shown(),
            _ => self.spelled(&TEXT, &mut |step| step.name.clone()),
        }
    }

    /// The formula in a notation. `known` says how a step is referred to: by its name, by a cell; a
    /// step without an answer is written out in place.
    pub fn spelled(
        &self,
        notation: &Notation,
        known: &mut dyn FnMut(&Arc<Step>) -> Option<String>,
    ) -> String {
        let mut writer = Writer { notation, known };
        match &self.how {
            Expr::Leaf(_) | Expr::Constant => (notation.constant)(self.value, self.dimension),
            Expr::Product(parts) => {
                let text = writer.chain(parts, notation.times, notation.over);
                let inverse = parts.first().is_some_and(|(_, sign)| *sign < 0);
                if inverse { format!("1{text}") } else { text }
            }
            Expr::Sum(parts) => {
                writer.chain(parts, notation.plus, notation.minus).trim_start().to_owned()
            }
            Expr::Call(Function::Pow, arguments) => {
                let sides: Vec<String> = arguments.iter().map(|s| writer.operand(s)).collect();
                sides.join(notation.power)
            }
            Expr::Call(function, arguments) => {
                let arguments: Vec<String> = arguments.iter().map(|s| writer.argument(s)).collect();
                (notation.call)(*function, &arguments.join(notation.comma))
            }
            Expr::If { left, relation, right, then, otherwise } => {
                let [left, right] = [left, right].map(|step| writer.operand(step));
                let [then, otherwise] = [then, otherwise].map(|step| writer.argument(step));
                (notation.choice)(&left, relation.sign(), &right, &then, &otherwise)
            }
        }
    }
}

/// Writes the parts of a formula in a notation.
struct Writer<'a> {
    notation: &'a Notation,
    known: &'a mut dyn FnMut(&Arc<Step>) -> Option<String>,
}

impl Writer<'_> {
    /// A part that stands between commas.
    fn argument(&mut self, step: &Arc<Step>) -> String {
        let constant = matches!(step.how, Expr::Constant);
        let name = if constant { None } else { (self.known)(step) };
        name.unwrap_or_else(|| step.spelled(self.notation, self.known))
    }

    /// A part that stands between signs: an operation is set in parentheses.
    fn operand(&mut self, step: &Arc<Step>) -> String {
        let name = match &step.how {
            Expr::Constant => None,
            _ => (self.known)(step),
        };
        let single = match &step.how {
            Expr::Leaf(_) | Expr::Constant => true,
            Expr::Call(function, _) => *function != Function::Pow,
            _ => false,
        };
        name.unwrap_or_else(|| {
            let text = step.spelled(self.notation, self.known);
            if single { text } else { format!("({text})") }
        })
    }

    /// The parts of a product or of a sum with their signs between them.
    fn chain(&mut self, parts: &[(Arc<Step>, i8)], plus: &str, minus: &str) -> String {
        let mut text = String::new();
        for (index, (step, sign)) in parts.iter().enumerate() {
            if index > 0 || *sign < 0 {
                text += if *sign > 0 { plus } else { minus };
            }
            text += &self.operand(step);
        }
        text
    }
}
