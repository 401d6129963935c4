//! `flopcast catalog`.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::NaiveDate;
use clap::{Args, Subcommand, ValueEnum};
use flopcast_core::catalog::{Catalog, Purchase};
use flopcast_core::diagnostic::{Error, Result};
use flopcast_report::subject::catalog::{Checkup, Table, list, listing};

use super::{Global, load, refresh};

/// Options of `flopcast catalog`.
#[derive(Args, Debug)]
pub(super) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// What the catalog knows: its tables, or the rows of one.
    List {
        /// The table; without it, all tables.
        what: Option<What>,
        /// Only rows in which each of these words occurs, such as `h100 aws`.
        words: Vec<String>,
        /// Prices on these terms.
        #[arg(long, value_enum, default_value = "on-demand")]
        purchase: Terms,
    },
    /// Everything about a device, a place, a default or a source.
    Show {
        /// Such as `h100-sxm`, `aws/us-east-2`, `France`, `colocation.rent`.
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// How old the facts of each table are, and where its gaps are.
    Doctor {
        /// Fail (exit code 1) if the newest facts of a source of prices are older.
        #[arg(long, value_name = "DAYS")]
        max_age: Option<i64>,
        /// Instead, what the last refresh changed in the built-in figures.
        #[arg(long)]
        diff: bool,
    },
    /// Ask live sources for today's prices and grids. Nothing else dials out.
    Refresh(refresh::Options),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    Accelerators,
    Prices,
    Providers,
    Regions,
    Grid,
    Api,
    Purchases,
    Defaults,
    Sources,
}

impl What {
    fn table(self) -> Table {
        match self {
            Self::Accelerators => Table::Accelerators,
            Self::Prices => Table::Prices,
            Self::Providers => Table::Providers,
            Self::Regions => Table::Regions,
            Self::Grid => Table::Grid,
            Self::Api => Table::Api,
            Self::Purchases => Table::Purchases,
            Self::Defaults => Table::Defaults,
            Self::Sources => Table::Sources,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Terms {
    OnDemand,
    Spot,
    #[value(name = "reserved-1y")]
    Reserved1y,
    #[value(name = "reserved-3y")]
    Reserved3y,
}

impl Options {
    pub(super) fn run(&self, global: &Global) -> Result<ExitCode> {
        let catalog = load::catalog(global)?;
        let today = global.as_of.or_else(today);
        match &self.command {
            Command::List { what, words, purchase } => {
                let purchase = Purchase::ALL[*purchase as usize];
                let mut rows = list(&catalog, what.map(What::table), purchase, today);
                rows.filter(words);
                if rows.is_empty() {
                    let error = Error::input("no row has all of these words");
                    return Err(error.hint("`flopcast catalog list` says what there is"));
                }
                global.print(&listing(rows))
            }
            Command::Show { names } => {
                let cards = names.iter().map(|name| catalog.card(name));
                global.print(&cards.collect::<Result<Vec<_>>>()?)
            }
            Command::Doctor { diff: true, .. } => refresh::changed(global),
            Command::Doctor { max_age, .. } => doctor(&catalog, *max_age, today, global),
            Command::Refresh(options) => options.run(global),
        }
    }
}

/// The day by this machine's clock (UTC).
#[expect(clippy::disallowed_methods, reason = "the command line may read the clock")]
fn today() -> Option<NaiveDate> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let days = i32::try_from(since.as_secs() / 86400).ok()?;
    NaiveDate::from_epoch_days(days)
}

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
