//! Derivations as spreadsheet formulas.
//!
//! Products and sums are written as they are. The few other functions are told apart by the
//! formula that `explain` prints, which is one more reason for it to be exact.

use std::collections::HashMap;
use std::sync::Arc;

use flopcast_core::provenance::{Expr, SPREADSHEET, Step};

/// A formula as `explain` prints it, and as a spreadsheet computes it over stored values: seconds,
/// joules, per second. `{0}` is the first argument, `{..}` all; YEAR is a year's seconds.
const FUNCTIONS: &[(&str, &str)] = &[
    ("1 + spares", "1+{0}"),
    ("1 + experiments", "1+{0}"),
    ("1 - discount", "1-{0}"),
    ("1 - share of prompts", "1-{0}"),
    ("share / (1 - share)", "{0}/(1-{0})"),
    ("per token of a sequence", "{0}"),
    ("max(0, devices - devices before)", "MAX({0}-{1},0)"),
    ("devices / devices per instance, rounded up", "ROUNDUP({0}/{1}-1E-9,0)"),
    ("spot devices / devices per instance, rounded up", "ROUNDUP({0}/{1}-1E-9,0)"),
    (
        "spot instances x part interrupted within 30 days / 30 days x time lost by each",
        "{0}*{1}/2592000*{2}",
    ),
    (
        "peak rate / planned rate of a replica, rounded up, + redundancy",
        "MAX(ROUNDUP({0}/{1}-1E-9,0),1)+{2}",
    ),
    (
        "devices x term x terms begun - device-hours used",
        "MAX(ROUNDUP({0}/({1}*{2})-1E-9,0),0)*{1}*{2}-{0}",
    ),
    ("price x (1 + change per year) ^ age", "{0}*(1+{1}*YEAR)^({2}/YEAR)"),
    ("chip x (server / chip - 1)", "{0}*({1}-1)"),
    ("(1 - residual) / service life", "(1-{0})/{1}"),
    ("-change x (1 + change) ^ (year of service - 1)", "-{0}*(1+{0}*YEAR)^({1}-1)"),
    ("(1 + change per year) ^ service life", "(1+{0}*YEAR)^({1}/YEAR)"),
    ("time x (1 / utilisation - 1)", "{0}*(1/{1}-1)"),
    ("(1 + change per year) ^ years", "(1+{0}*YEAR)^{1}"),
    ("amount / (1 + discount rate) ^ year", "{0}/(1+{1})^{2}"),
    ("min(KV capacity / tokens of a request, largest batch)", "MIN({0}/{1},{2})"),
    ("input + output / 2", "{0}+{1}/2"),
    ("p + r p^2 / (2 (1 - r p)) with p prefill time, r rate", "{0}+{1}*{0}^2/(2*(1-{1}*{0}))"),
    (
        "a / (1 - r p - r c o) with a weights, r rate, p prefill, c cache, o output",
        "{0}/(1-{1}*({2}+{3}*{4}))",
    ),
    ("TTFT + TPOT (output - 1)", "{0}+{1}*({2}-1)"),
    (
        "B / (o a + B (p + c o)) with B concurrency, o output, a weights, p prefill, c cache",
        "{0}/({1}*{2}+{0}*({3}+{4}*{1}))",
    ),
    ("half the checkpoint interval + restart", "{0}/2+{1}"),
    ("busy - idle, at least 0", "MAX({0}-{1},0)"),
    ("needed - committed, at least 0", "MAX({0}-{1},0)"),
    ("committed - needed, at least 0", "MAX({0}-{1},0)"),
    ("device-hours of work / those of the fleet, at most 1", "MIN({0}/{1},1)"),
    ("server x interconnect / (1 - interconnect)", "{0}*{1}/(1-{1})"),
    ("1 - what contracts cover, at least 0", "MAX(1-SUM({..}),0)"),
    ("1 - best / planned", "1-{0}/{1}"),
    ("-ln(1 + change per year)", "-LN(1+{0}*YEAR)/YEAR"),
    (
        "-ln(1 - capex x ln(1 + i) / (rent - running)) / ln(1 + i), i discount rate",
        "IF({3}=0,{0}/({1}-{2}),-YEAR*LN(1-{0}*LN(1+{3})/(({1}-{2})*YEAR))/LN(1+{3}))",
    ),
    (
        "(rent - running) x a(life) + capex x residual / (1 + i)^life - capex, \
         a(t) = (1 - (1 + i)^-t) / ln(1 + i)",
        "({0}-{1})*IF({2}=0,{3},(1-(1+{2})^(-{3}/YEAR))/LN(1+{2})*YEAR)\
         +{4}*({5}*(1+{2})^(-{3}/YEAR)-1)",
    ),
];

/// The formula of a step over the cells of its inputs; none for a function that no spreadsheet
/// has.
pub(super) fn of(step: &Step, cell: &mut dyn FnMut(&Arc<Step>) -> String) -> Option<String> {
    match &step.how {
        Expr::Leaf(_) => None,
        Expr::Typed { formula, inputs, .. } => {
            let (_, template) = FUNCTIONS.iter().find(|(known, _)| known == formula)?;
            let cells: Vec<String> = inputs.iter().map(cell).collect();
            let mut text = template.replace("YEAR", "31557600").replace("{..}", &cells.join(","));
            for (index, cell) in cells.iter().enumerate() {
                text = text.replace(&format!("{{{index}}}"), cell);
            }
            Some(text)
        }
        _ => {
            let inputs = step.inputs();
            let known = |part: &Arc<Step>| inputs.iter().any(|input| Arc::ptr_eq(input, part));
            Some(step.spelled(&SPREADSHEET, &mut |part| known(part).then(|| cell(part))))
        }
    }
}

/// Names that a workbook may define, each once.
#[derive(Default)]
pub(super) struct Names(HashMap<String, u32>);

impl Names {
    /// `training.hardware.power` becomes `in_training_hardware_power`.
    pub(super) fn of(&mut self, name: &str) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let mut short: String = name.chars().map(plain).collect();
        while short.contains("__") {
            short = short.replace("__", "_");
        }
        let short = format!("in_{}", short.trim_matches('_'));
        let count = self.0.entry(short.to_ascii_lowercase()).or_default();
        *count += 1;
        if *count == 1 { short } else { format!("{short}_{count}") }
    }
}
