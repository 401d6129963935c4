//! Devices, prices, regions, defaults and sources that the catalog knows.

use flopcast_core::catalog::{Catalog, Purchase};
use flopcast_core::diagnostic::{Error, Result};
use flopcast_report::subject::catalog::{Table, list, listing};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Declared, Show};
use crate::request::{Asking, Out, Tried};
use chrono::NaiveDate;

/// Rows of the catalog, or all about a name.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The table: accelerators, prices, providers, regions, grid, api, purchases, defaults or sources.
    /// Without it and without `show`, the tables are listed.
    pub list: Option<String>,
    /// Only rows in which each of these words occurs.
    #[serde(default)]
    pub words: Vec<String>,
    /// Prices on these terms: on-demand (when left out), spot, reserved-1y, savings-plan-3y, capacity-block...
    pub purchase: Option<String>,
    /// Names to tell everything about: `h100-sxm`, `aws/us-east-2`, `France`, `colocation.rent`.
    #[serde(default)]
    pub show: Vec<String>,
}

/// Shows the rows of a table that have each of the words, or the list of tables.
///
/// # Errors
/// If there is no such row.
pub fn show_list(
    catalog: &Catalog,
    (table, purchase): (Option<Table>, Purchase),
    words: &[String],
    today: Option<NaiveDate>,
    show: &mut Show<'_>,
) -> Result<()> {
    let mut rows = list(catalog, table, purchase, today);
    rows.filter(words);
    if rows.is_empty() {
        let error = Error::input("no row has all of these words");
        return Err(error.hint("`flopcast catalog list` says what there is"));
    }
    show(&listing(rows))
}

/// Shows everything about devices, places, defaults and sources.
///
/// # Errors
/// If the catalog does not know a name.
pub fn show_cards(catalog: &Catalog, names: &[String], show: &mut Show<'_>) -> Result<()> {
    let cards = names.iter().map(|name| catalog.card(name));
    show(&cards.collect::<Result<Vec<_>>>()?)
}

/// The one of a list that has this name.
fn named<T: Copy>(what: &str, name: &str, all: &[(&'static str, T)]) -> Result<T> {
    let known = || all.iter().map(|(name, _)| *name);
    all.iter().find(|(known, _)| *known == name).map(|(_, it)| *it).ok_or_else(|| {
        Error::input(format!("`{name}` is no {what}"))
            .suggest(name, known())
            .hint(format!("one of {}", known().collect::<Vec<_>>().join(", ")))
    })
}

impl Declared for Request {
    const NAME: &'static str = "catalog";
    const SAYS: &'static str = "List what the catalog knows (devices, prices, regions, grids, sources), or \
         tell everything about a name.";

    fn answer(&self, asking: &Asking<'_>, out: &mut Out) -> Tried<bool> {
        let session = &asking.session;
        let mut show = |subject: &dyn flopcast_report::doc::Subject| out.show(subject);
        if !self.show.is_empty() {
            show_cards(session.catalog, &self.show, &mut show)?;
            return Ok(true);
        }
        let table =
            self.list.as_deref().map(|name| named("table", name, &Table::ALL)).transpose()?;
        let plans = Purchase::ALL.map(|plan| (plan.name(), plan));
        let purchase = self.purchase.as_deref().unwrap_or(Purchase::OnDemand.name());
        let purchase = named("way to buy", purchase, &plans)?;
        let (catalog, today) = (session.catalog, session.today);
        show_list(catalog, (table, purchase), &self.words, today, &mut show)?;
        Ok(true)
    }
}
