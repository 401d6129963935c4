//! `flopcast catalog`: list, show, refresh, doctor.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::NaiveDate;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use flopcast_api::questions::catalog::{show_cards, show_list};
use flopcast_core::catalog::{Catalog, Purchase};
use flopcast_core::diagnostic::{Error, Result};
use flopcast_report::subject::catalog::{Checkup, Table};

use super::{Global, load, refresh};

/// Options of `flopcast catalog`.
#[derive(Args, Debug)]
pub(super) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the tables, or the rows of one.
    List {
        /// The table; without it, all tables.
        #[arg(value_parser = named(Table::ALL.to_vec()))]
        what: Option<Table>,
        /// Only rows in which each of these words occurs, such as `h100 aws`.
        words: Vec<String>,
        /// Prices on these terms.
        #[arg(long, default_value = "on-demand",
            value_parser = named(Purchase::ALL.map(|terms| (terms.name(), terms)).to_vec()))]
        purchase: Purchase,
    },
    /// Everything about a device, a place, a default or a source.
    Show {
        /// Such as `h100-sxm`, `aws/us-east-2`, `France`, `colocation.rent`.
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Tell how old the facts of each table are, and where its gaps are.
    Doctor {
        /// Fail (exit code 1) if the newest facts of a source of prices are older.
        #[arg(long, value_name = "DAYS")]
        max_age: Option<i64>,
        /// Instead, what the last refresh changed in the built-in figures.
        #[arg(long)]
        diff: bool,
    },
    /// Ask live sources for today's prices and grids. Only this and `--online` dial out.
    Refresh(refresh::Options),
}

/// One of these names, read as what it stands for.
fn named<T: Copy + Send + Sync + 'static>(
    all: Vec<(&'static str, T)>,
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(all.iter().map(|(name, _)| *name)).try_map(move |given| {
        let found = all.iter().find(|(name, _)| *name == given);
        found.map(|(_, it)| *it).ok_or("not one of them")
    })
}

impl Options {
    /// Runs the subcommand.
    pub(super) fn run(&self, global: &Global) -> Result<ExitCode> {
        let catalog = load::catalog(global)?;
        let today = global.as_of.or_else(today);
        match &self.command {
            Command::List { what, words, purchase } => {
                let table = (*what, *purchase);
                show_list(&catalog, table, words, today, &mut |subject| global.show(subject))?;
                Ok(ExitCode::SUCCESS)
            }
            Command::Show { names } => {
                show_cards(&catalog, names, &mut |subject| global.show(subject))?;
                Ok(ExitCode::SUCCESS)
            }
            Command::Doctor { diff: true, .. } => refresh::changed(global),
            Command::Doctor { max_age, .. } => doctor(&catalog, *max_age, today, global),
            Command::Refresh(options) => options.run(global),
        }
    }
}

/// The day by this machine's clock (UTC).
#[expect(clippy::disallowed_methods, reason = "the command line may read the clock")]
pub(super) fn today() -> Option<NaiveDate> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let days = i32::try_from(since.as_secs() / 86400).ok()?;
    NaiveDate::from_epoch_days(days)
}

/// Prints the age of the tables' facts on a day, or what changed since the embedded ones.
fn doctor(
    catalog: &Catalog,
    max_age: Option<i64>,
    today: Option<NaiveDate>,
    global: &Global,
) -> Result<ExitCode> {
    let today = today.ok_or_else(|| {
        Error::input("this machine's clock gives no date").hint("name the day with --as-of")
    })?;
    global.print(&Checkup::new(catalog, today))?;
    let Some(limit) = max_age else { return Ok(ExitCode::SUCCESS) };
    let health = catalog.doctor(today);
    let prices = health.iter().find(|table| table.table == "pricing/prices.csv");
    let old: Vec<_> = prices
        .into_iter()
        .flat_map(|table| &table.sources)
        .filter(|source| source.age_days.is_some_and(|days| days > limit))
        .map(|source| source.source.as_str())
        .collect();
    if old.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    Err(Error::limit(format!("prices older than {limit} days: {}", old.join(", ")))
        .hint("`flopcast catalog refresh` or a price book (--data-dir) brings newer ones"))
}
