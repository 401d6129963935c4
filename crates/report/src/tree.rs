//! The derivation of a figure as a tree, for `explain` on a terminal.

use std::fmt::Write as _;
use std::sync::Arc;

use flopcast_core::provenance::{Expr, Step};

use crate::text::wrap;

/// The tree from a figure down to the scenario's lines and the catalog's rows. A step that was
/// printed once is only named again. Lines are at most 80 columns wide where words allow it.
pub fn derivation(step: &Arc<Step>) -> String {
    let mut out = String::new();
    let mut printed = Vec::new();
    write_step(step, "", "", &mut printed, &mut out);
    out
}

/// Writes a step and those below it; `lead` stands before its first line, `below` before all
/// others.
fn write_step(
    step: &Arc<Step>,
    lead: &str,
    below: &str,
    printed: &mut Vec<(String, u64)>,
    out: &mut String,
) {
    let name = step.name.clone().unwrap_or_else(|| step.formula());
    let children = step.inputs();
    let pipe = if children.is_empty() { " " } else { "│" };
    let width = 76usize.saturating_sub(below.chars().count());
    let text = format!("{name} = {}", step.shown());
    // What goes on below is set in.
    let whole = text.chars().count() <= width + 4;
    let lines = if whole { vec![text] } else { wrap(&text, width) };
    for (at, line) in lines.iter().enumerate() {
        let _ = match at {
            0 => writeln!(out, "{lead}{line}"),
            _ => writeln!(out, "{below}{pipe}   {line}"),
        };
    }
    // Several services have figures of one name.
    let named = step.name.clone().map(|name| (name, step.value.to_bits()));
    let again = named.as_ref().is_some_and(|named| printed.contains(named));
    if again && !children.is_empty() {
        let _ = writeln!(out, "{below}  (see above)");
        return;
    }
    printed.extend(named);
    let (kind, formula) = match &step.how {
        Expr::Leaf(basis) => (String::new(), basis.to_string()),
        _ => ("derived: ".to_owned(), step.formula()),
    };
    if step.name.is_some() {
        for line in wrap(&format!("{kind}{formula}"), width) {
            let _ = writeln!(out, "{below}{pipe} {line}");
        }
    }
    for (i, child) in children.iter().enumerate() {
        let last = i + 1 == children.len();
        let (lead, next) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        write_step(child, &format!("{below}{lead}"), &format!("{below}{next}"), printed, out);
    }
}
