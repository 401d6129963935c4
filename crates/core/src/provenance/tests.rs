//! A formula, its value, its text and its spreadsheet formula are one thing.

use super::*;
use crate::quantity::{Share, Time, YearlyRate};

const YEAR: f64 = 31_557_600.0;

fn input<Q: Measure>(name: &str, value: Q) -> Traced<Q> {
    let basis = Basis::Assumed { why: "a test".to_owned(), source: None };
    let mut input = Input::new(name, value, basis);
    input.record();
    input.trace()
}

/// The value, the value computed anew, the text and the spreadsheet's formula, with inputs by
/// name.
fn check<Q: Measure>(figure: &Traced<Q>, value: f64, text: &str, sheet: &str) {
    let step = figure.step().expect("recorded");
    let close = |actual: f64| (actual - value).abs() <= 1e-12 * value.abs();
    assert!(close(figure.value().stored()), "{text}: {}", figure.value().stored());
    assert!(close(step.evaluate()), "{text}: {}", step.evaluate());
    assert_eq!(step.formula(), text);
    let mut cell = |step: &std::sync::Arc<Step>| step.name.clone();
    assert_eq!(step.spelled(&SPREADSHEET, &mut cell), sheet);
}

#[test]
fn one_expression_three_folds() {
    let (a, b) = (input("a", 2.0), input("b", 3.5));
    check(&(&a + &b * 2.0), 9.0, "a + (b x 2)", "a+(b*2.0)");
    check(&(1.0 - &a), -1.0, "1 - a", "1.0-a");
    check(&(1.0 / &a), 0.5, "1 / a", "1.0/a");
    check(&(&a / &(&a + &b)), 2.0 / 5.5, "a / (a + b)", "a/(a+b)");
    check(&a.min(&b), 2.0, "min(a, b)", "MIN(a,b)");
    check(&(&a - &b).or_nothing(), 0.0, "max(a - b, 0)", "MAX(a-b,0.0)");
    check(&(&b / &a).ceil(), 2.0, "ceil(b / a)", "(-INT(1E-9-(b/a)))");
    check(&b.floor(), 3.0, "floor(b)", "INT(b)");
    check(&(&a + 1.0).pow(&b), 3f64.powf(3.5), "(a + 1) ^ b", "(a+1.0)^b");
    check(&(&a.ln() * &b.exp()), 2f64.ln() * 3.5f64.exp(), "ln(a) x exp(b)", "LN(a)*EXP(b)");
    let chosen = a.below(&b).choose(&(&b - &a), &Traced::constant(0.0));
    check(&chosen, 1.5, "if a < b then b - a else 0", "IF(a<b,b-a,0.0)");
}

#[test]
fn constants_have_units() {
    let change = input("change", YearlyRate::from_stored(-0.1 / YEAR));
    let grown =
        (1.0 + &(&change * &Traced::constant(Time::from_stored(YEAR)))).pow(&Traced::constant(2.0));
    check(&grown, 0.81, "(1 + (change x 1 year)) ^ 2", "(1.0+(change*31557600.0))^2.0");
}

#[test]
fn a_total_shows_its_parts() {
    let part = |name: &str, value: f64| Traced::derived(name, Time::from_stored(value), "counted");
    let total = Traced::total([part("products", 2.0), part("bubble", 1.0)]).named("step");
    check(&total, 3.0, "products + bubble", "products+bubble");
    assert_eq!(total.step().map(|step| step.inputs().len()), Some(2));
}

/// Products of quantities show their factors; formulas with constants are written out, and what
/// they are over is listed once.
#[test]
fn what_explains_a_formula() {
    let (rate, time) = (input("rate", 0.25), input("time", 2.0));
    let busy = &rate * &time;
    let names = |figure: &Traced<f64>| -> Vec<String> {
        let step = figure.step().expect("recorded");
        step.inputs().iter().map(|it| it.name.clone().unwrap_or_else(|| it.formula())).collect()
    };
    assert_eq!(names(&(&time / &(1.0 - &busy))), ["time", "1 - (rate x time)"]);
    assert_eq!(names(&(1.0 - &busy)), ["rate", "time"]);
    assert_eq!(names(&(1.0 - busy.named("busy"))), ["busy"]);
}

#[test]
fn without_a_step_nothing_is_recorded() {
    let (a, b) = (Traced::constant(2.0), Traced::constant(3.0));
    let figure = a.below(&b).choose(&(&(1.0 - &a) * &b).ceil(), &a.pow(&b)).named("figure");
    assert!(figure.step().is_none());
    let basis = Basis::Derived { formula: String::new() };
    let share = Input::new("share", Share::from_stored(0.5), basis);
    assert!((1.0 - share.trace()).step().is_none());
}
