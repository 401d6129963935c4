//! The derivations of figures as trees, for `explain` on a terminal and for pages.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use flopcast_core::provenance::{Expr, Step};

use crate::text::{length, wrap};

/// The tree from a figure down to the scenario's lines and the catalog's rows. A step that was
/// printed once is only named again. Lines are at most 80 columns wide where words allow it.
pub fn derivation(step: &Arc<Step>) -> String {
    Derivations::default().of(step)
}

/// Derivations of figures that share steps: each step is put into words once.
#[derive(Default)]
pub(crate) struct Derivations<'a>(HashMap<*const Step, Rc<Told<'a>>>);

/// A step in words.
struct Told<'a> {
    /// Its name, or else its formula, and its value.
    text: String,
    length: usize,
    /// How a named one came about.
    how: Option<String>,
    /// Several services have figures of one name.
    named: Option<(&'a str, u64)>,
    inputs: Vec<&'a Arc<Step>>,
}

impl<'a> Told<'a> {
    fn of(step: &'a Arc<Step>) -> Self {
        let name = step.name.as_deref();
        let formula = step.formula();
        let text = format!("{} = {}", name.unwrap_or(&formula), step.shown());
        let how = match &step.how {
            Expr::Leaf(_) => formula,
            _ => format!("derived: {formula}"),
        };
        Self {
            length: length(&text),
            text,
            how: name.map(|_| how),
            named: name.map(|name| (name, step.value.to_bits())),
            inputs: step.inputs(),
        }
    }
}

impl<'a> Derivations<'a> {
    /// The derivation of one figure.
    pub(crate) fn of(&mut self, step: &'a Arc<Step>) -> String {
        let (told, printed) = (&mut self.0, HashSet::new());
        let mut tree = Tree { told, printed, before: String::new(), out: String::new() };
        tree.write(step, ["", ""]);
        tree.out
    }
}

/// A tree that is being written.
struct Tree<'a, 't> {
    told: &'t mut HashMap<*const Step, Rc<Told<'a>>>,
    printed: HashSet<(&'a str, u64)>,
    /// What stands before a line.
    before: String,
    out: String,
}

impl<'a> Tree<'a, '_> {
    /// Writes a step and those below it; the marks stand before its first line and before all others.
    fn write(&mut self, step: &'a Arc<Step>, [first, other]: [&str; 2]) {
        let told = self.told.entry(Arc::as_ptr(step)).or_insert_with(|| Rc::new(Told::of(step)));
        let Told { text, length: long, how, named, inputs } = &*Rc::clone(told);
        let pipe = if inputs.is_empty() { " " } else { "│" };
        let above = self.before.len();
        let width = 76usize.saturating_sub(length(&self.before) + length(other));
        // What goes on below is set in.
        let whole = *long <= width + 4;
        let lines = if whole { vec![text.as_str()] } else { wrap(text, width) };
        for (at, line) in lines.into_iter().enumerate() {
            if at == 0 {
                self.line([first, line]);
                self.before += other;
            } else {
                self.line([pipe, "   ", line]);
            }
        }
        let again = named.is_some_and(|named| !self.printed.insert(named));
        if again && !inputs.is_empty() {
            self.line(["  (see above)"]);
        } else {
            for line in how.iter().flat_map(|how| wrap(how, width)) {
                self.line([pipe, " ", line]);
            }
            for (at, input) in inputs.iter().enumerate() {
                let last = at + 1 == inputs.len();
                self.write(input, if last { ["└─ ", "   "] } else { ["├─ ", "│  "] });
            }
        }
        self.before.truncate(above);
    }

    /// Writes a line of some parts.
    fn line<const N: usize>(&mut self, parts: [&str; N]) {
        self.out += &self.before;
        self.out.extend(parts);
        self.out.push('\n');
    }
}
