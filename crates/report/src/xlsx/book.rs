//! The cells that formulas refer to: inputs with their names, and the steps of the calculation.
//!
//! A step is written when a figure first asks for it, below the steps that it is computed from, so
//! the calculation sheet is in the order of the derivation. A step without a name stands within the
//! formula that it is part of.

use std::collections::HashMap;
use std::sync::Arc;

use flopcast_core::estimate::{Figure, Key};
use flopcast_core::ledger::line::{Entry, Resource, Stage};
use flopcast_core::provenance::{Basis, Expr, SPREADSHEET, Step};
use flopcast_core::quantity::Dimension;
use flopcast_core::quantity::text::{dimension, fitting_unit};
use rust_xlsxwriter::{Formula, Worksheet};

use super::names::Names;
use super::sheets::{Done, Look, head, layout, number_format, wrapped};
use crate::{Report, currency};

/// The sheet of inputs.
pub(super) const INPUTS: &str = "Inputs";
/// The sheet of steps.
pub(super) const CALCULATION: &str = "Calculation";

/// Unnamed parts that one formula may hold; a longer one gets cells of its own for them.
const PARTS: usize = 40;

/// The headings of the sheet of inputs, each with how its rows are told by name and dimension; the
/// first that fits takes a row.
const GROUPS: [(&str, Fits); 6] = [
    ("Prices", |_, dimension| dimension.is_money()),
    ("Shares, rates and terms of money", |name, _| {
        name.starts_with("finance.") || has(name, &MONEY)
    }),
    ("Power, energy, carbon and water", |name, _| has(name, &SITE)),
    ("Run", |name, _| name.starts_with("training.") || name.starts_with("data.")),
    ("Service", |name, _| name.starts_with("inference.")),
    ("Hardware and methods", |_, _| true),
];

/// The last heading: what flopcast computed before, which follows no change.
const SEEN: &str = "Computed by flopcast, fixed in this workbook";

/// Words of the names of terms of money.
const MONEY: [&str; 10] = [
    "purchase.",
    "discount",
    "unused_commitment",
    "price_change",
    "utilisation",
    "amortisation",
    "maintenance",
    "interruptions",
    "share_of_total",
    "owned.",
];

/// Words of the names of what a site and its power are.
const SITE: [&str; 9] =
    ["pue", "wue", "grid", "marginal", "contracts", "embodied", "power", "TDP", "service life"];

/// How a group tells its rows.
type Fits = fn(&str, Dimension) -> bool;

/// True if a name holds one of some words.
fn has(name: &str, words: &[&str]) -> bool {
    words.iter().any(|word| name.contains(word))
}

/// A number with all its digits, as a formula takes it.
pub(super) fn exact(value: f64) -> String {
    format!("{value:?}")
}

/// What is said of an input that formulas do not follow all the way.
pub(super) const ANEW: &str = "Forecast anew where you change";

/// The cells that hold the steps which were written already.
#[derive(Default)]
struct Cells {
    steps: HashMap<*const Step, String>,
    leaves: HashMap<(String, u64, String), String>,
    naming: Names,
    names: Vec<(String, String)>,
    input_rows: u32,
    steps_rows: u32,
}

/// The two sheets that formulas refer to.
pub(super) struct Book<'a> {
    pub(super) look: &'a Look,
    /// The cell of the exchange rate, where the scenario has a currency.
    pub(super) exchange_rate: Option<String>,
    /// Cells that answer a figure in the place of its derivation.
    pub(super) answers: HashMap<Key, String>,
    /// Inputs that add rows or drop them, which formulas cannot, each by the end of its name.
    pub(super) anew: Vec<Anew>,
    inputs: Worksheet,
    calculation: Worksheet,
    cells: Cells,
}

/// An input that formulas do not follow all the way: the end of its name, and what they leave out.
pub(super) type Anew = (&'static str, &'static str);

/// The inputs of a report that change which rows there are.
fn anew(report: &Report) -> Vec<Anew> {
    let has = |wanted: &dyn Fn(&Entry) -> bool| report.ledger.iter().any(|row| wanted(&row.entry));
    let of = |row: &Entry, resource: Resource| row.resource == resource;
    let bought = has(&|row| of(row, Resource::Hardware));
    let bears = has(&|row| of(row, Resource::Unused));
    let run = has(&|row| of(row, Resource::Hardware) && row.stage == Stage::Training);
    let years = has(&|row| row.stage == Stage::Serving(2));
    // Terms of a year begin anew with each.
    let commits = has(&|row| row.detail.ends_with("-3y"));
    let mut anew = Vec::new();
    if run && !bears {
        anew.push(("owned.utilisation", "below 100 % there are rows of unused time as well"));
    }
    if bought {
        anew.push(("owned.amortisation", "another life moves, adds or drops purchases"));
    }
    if years && (bought || commits) {
        anew.push(("traffic.growth", "a fleet that shrinks in another year leaves others unused"));
    }
    anew
}

/// Names of cells, each with its cell.
type Defined = Vec<(String, String)>;

impl<'a> Book<'a> {
    /// The book of a report, with all its inputs, by group.
    pub(super) fn new(report: &Report, look: &'a Look) -> Done<Self> {
        let (mut inputs, mut calculation) = (Worksheet::new(), Worksheet::new());
        inputs.set_name(INPUTS)?;
        calculation.set_name(CALCULATION)?;
        head(
            &mut inputs,
            look,
            &["input", "value", "unit", "in base units", "basis and source"],
            1,
        )?;
        let headings = ["figure", "value", "unit", "how", "in base units", "base unit"];
        head(&mut calculation, look, &headings, 1)?;
        let (exchange_rate, answers, cells) = (None, HashMap::new(), Cells::default());
        let anew = anew(report);
        let mut book = Self { look, exchange_rate, answers, anew, inputs, calculation, cells };
        book.enter(report)?;
        Ok(book)
    }

    /// Writes the inputs that anything in the report rests on.
    fn enter(&mut self, report: &Report) -> Done {
        let figures = report.figures.iter().filter_map(Figure::step);
        let rows = report.ledger.iter().chain(&report.purchases);
        let rows =
            rows.filter_map(|row| row.steps.as_ref()).flat_map(|(used, price)| [used, price]);
        let compared = report.rent_or_buy.iter();
        let compared =
            compared.flat_map(|(_, it)| [it.discount.step(), it.life.step(), it.residual.step()]);
        let leaves = Step::leaves(figures.chain(rows).chain(compared.flatten()));
        let group = |step: &Step| {
            if matches!(&step.how, Expr::Leaf(Basis::Derived { .. })) {
                return GROUPS.len();
            }
            let name = step.name.as_deref().unwrap_or_default();
            let fits = |(_, fits): &(&str, Fits)| fits(name, step.dimension);
            GROUPS.iter().position(fits).unwrap_or(GROUPS.len())
        };
        let titles = GROUPS.iter().map(|(title, _)| *title).chain([SEEN]);
        for (index, title) in titles.enumerate() {
            let mut of = leaves.iter().filter(|step| group(step) == index).peekable();
            let currency = report.currency.as_ref().filter(|_| index == 0);
            if of.peek().is_none() && currency.is_none() {
                continue;
            }
            self.cells.input_rows += 1;
            self.inputs.write_with_format(self.cells.input_rows, 0, title, &self.look.head)?;
            for step in of {
                let _ = self.cell(step)?;
            }
            if let Some(currency) = currency {
                let unit = format!("{}/USD", currency.code);
                let basis = currency::title(currency);
                let row =
                    self.input_row("exchange rate", currency.per_usd, 1.0, &unit, &basis, true)?;
                self.exchange_rate = Some(format!("{INPUTS}!$B${}", row + 1));
            }
        }
        Ok(())
    }

    /// The two sheets when nothing more is asked for, and the names of cells.
    pub(super) fn finish(self) -> Done<([Worksheet; 2], Defined)> {
        let Self { mut inputs, mut calculation, cells, .. } = self;
        layout(&mut inputs, &[44.0, 18.0, 20.0, 18.0, 90.0])?;
        layout(&mut calculation, &[46.0, 20.0, 20.0, 90.0, 20.0, 20.0])?;
        Ok(([inputs, calculation], cells.names))
    }

    /// The cell that holds a step's value in base units; written when it is first asked for.
    fn cell(&mut self, step: &Arc<Step>) -> Done<String> {
        if let Some(cell) = self.cells.steps.get(&Arc::as_ptr(step)) {
            return Ok(cell.clone());
        }
        let cell = match &step.how {
            Expr::Leaf(basis) => self.leaf(step, basis)?,
            _ => self.computed(step)?,
        };
        self.cells.steps.insert(Arc::as_ptr(step), cell.clone());
        Ok(cell)
    }

    /// A step as a part of a formula, in base units: its cell, or itself where it has no name.
    pub(super) fn term(&mut self, step: &Arc<Step>) -> Done<String> {
        if stands_alone(step) {
            return self.cell(step);
        }
        Ok(format!("({})", self.spelled(step)?))
    }

    /// The cell of an input; a named one, with its basis beside it. What training and service have
    /// of one line of the scenario or the catalog is one cell.
    fn leaf(&mut self, step: &Step, basis: &Basis) -> Done<String> {
        let name = step.name.clone().unwrap_or_default();
        let (label, basis_text) = (label(&name), basis.to_string());
        let shared = label.replacen("inference.placement.", "placement.", 1);
        let key = (shared, step.value.to_bits(), basis_text);
        if let Some(cell) = self.cells.leaves.get(&key) {
            return Ok(cell.clone());
        }
        let (factor, unit) = fitting_unit(step.value, step.dimension);
        let free = !matches!(basis, Basis::Derived { .. });
        let anew = self.anew.iter().find(|(end, _)| label.ends_with(end));
        let told = anew.map_or_else(String::new, |(_, why)| format!("{ANEW} it: {why}. "));
        let basis = format!("{told}{}", key.2);
        let row = self.input_row(&label, step.value, factor, &unit, &basis, free)?;
        let cell = format!("{INPUTS}!$D${}", row + 1);
        self.cells.leaves.insert(key, cell.clone());
        Ok(cell)
    }

    /// Writes a row of the inputs and names its value; `free` is what a reader may change. Returns
    /// its line, from 0.
    fn input_row(
        &mut self,
        label: &str,
        stored: f64,
        factor: f64,
        unit: &str,
        basis: &str,
        free: bool,
    ) -> Done<u32> {
        self.cells.input_rows += 1;
        let (row, look, value) = (self.cells.input_rows, self.look, stored / factor);
        let sheet = &mut self.inputs;
        sheet.write_with_format(row, 0, label, &look.text)?;
        if free {
            sheet.write_with_format(row, 1, value, &look.input)?;
        } else {
            sheet.write_with_format(row, 1, value, &number_format(look, value))?;
        }
        sheet.write_with_format(row, 2, unit, &look.unit)?;
        let base = Formula::new(format!("=B{}*{factor:?}", row + 1)).set_result(exact(stored));
        sheet.write_with_format(row, 3, base, &number_format(look, stored))?;
        wrapped(sheet, look, [row, 4], basis, 90)?;
        let defined = self.cells.naming.of(label);
        self.cells.names.push((defined, format!("{INPUTS}!$B${}", row + 1)));
        Ok(row)
    }

    /// The formula of a step over cells.
    fn spelled(&mut self, step: &Arc<Step>) -> Done<String> {
        let mut failed = None;
        let text = step.spelled(&SPREADSHEET, &mut |part| {
            stands_alone(part).then(|| {
                self.cell(part).unwrap_or_else(|error| {
                    failed = Some(error);
                    String::new()
                })
            })
        });
        failed.map_or(Ok(text), Err)
    }

    /// The cell of a computed step: its formula over the cells of its inputs.
    fn computed(&mut self, step: &Arc<Step>) -> Done<String> {
        let text = self.spelled(step)?;
        self.cells.steps_rows += 1;
        let (row, look) = (self.cells.steps_rows, self.look);
        let sheet = &mut self.calculation;
        let name = step.name.as_deref().unwrap_or("part of a formula below");
        sheet.write_with_format(row, 0, name, &look.text)?;
        let (factor, unit) = fitting_unit(step.value, step.dimension);
        let shown = step.value / factor;
        let live = Formula::new(format!("=E{}/{factor:?}", row + 1)).set_result(exact(shown));
        sheet.write_with_format(row, 1, live, &number_format(look, shown))?;
        sheet.write_with_format(row, 2, unit, &look.unit)?;
        wrapped(sheet, look, [row, 3], &step.formula(), 90)?;
        let live = Formula::new(format!("={text}")).set_result(exact(step.value));
        sheet.write_with_format(row, 4, live, &number_format(look, step.value))?;
        sheet.write_with_format(row, 5, step.dimension.stored_unit(), &look.unit)?;
        Ok(format!("{CALCULATION}!$E${}", row + 1))
    }

    /// A formula, without its sign of equality, for a figure in the unit of its path.
    pub(super) fn formula(&mut self, figure: &Figure) -> Done<Option<String>> {
        let Some((step, value)) = figure.step().zip(figure.value()) else { return Ok(None) };
        let cell = self.term(step)?;
        let factor = if step.value == 0.0 { 1.0 } else { value / step.value };
        Ok(Some(if is_one(factor) { cell } else { format!("{cell}*{factor:?}") }))
    }
}

/// The name of an input in the workbook: prices are those of an offer, whoever pays them.
fn label(name: &str) -> String {
    ["training ", "inference "]
        .iter()
        .find_map(|stage| name.strip_prefix(stage))
        .filter(|rest| rest.starts_with("price,") || rest.starts_with("host price,"))
        .unwrap_or(name)
        .to_owned()
}

/// True if a step has a cell of its own: inputs, named steps, and what would make a formula too
/// long.
fn stands_alone(step: &Step) -> bool {
    match &step.how {
        Expr::Constant => false,
        Expr::Leaf(_) => true,
        _ => step.name.is_some() || parts(step, PARTS) > PARTS,
    }
}

/// The unnamed parts of a formula, counted up to a limit.
fn parts(step: &Step, limit: usize) -> usize {
    let mut sum = 0;
    for operand in step.operands() {
        sum += 1;
        if operand.name.is_none() && sum <= limit {
            sum += parts(operand, limit - sum);
        }
    }
    sum
}

/// The units of energy and of mass that a whole book is told in: those of its largest figures.
pub(super) struct Units(Vec<(Dimension, f64, String)>);

impl Units {
    /// The units of a report.
    pub(super) fn of(report: &Report) -> Self {
        let units = ["kWh", "kgCO2e"].map(dimension).map(|of| {
            let figures = report.figures.iter().filter_map(Figure::step);
            let sizes = figures.filter(|step| step.dimension == of).map(|step| step.value.abs());
            let (factor, unit) = fitting_unit(sizes.fold(0.0, f64::max), of);
            (of, factor, unit)
        });
        Self(units.into())
    }

    /// The unit of a figure, and what its value in the declared unit is multiplied by for it.
    pub(super) fn shown<'a>(&'a self, figure: &'a Figure) -> (f64, &'a str) {
        self.of_unit(figure.declared().unit)
    }

    /// The same for a declared unit.
    pub(super) fn of_unit<'a>(&'a self, unit: &'a str) -> (f64, &'a str) {
        let of = dimension(unit);
        let found = self.0.iter().find(|(known, ..)| *known == of);
        found.map_or((1.0, unit), |(_, factor, name)| {
            (flopcast_core::quantity::text::convert(1.0, unit).recip() / factor, name.as_str())
        })
    }
}

/// True for a factor that changes nothing but rounding.
pub(super) fn is_one(factor: f64) -> bool {
    (factor - 1.0).abs() < 1e-12
}
