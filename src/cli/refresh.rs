//! `flopcast catalog refresh`, and what it changed.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use flopcast_core::catalog::Catalog;
use flopcast_core::diagnostic::{Error, Kind, Result};
use flopcast_live::{FEEDS, Outcome, Policy, Refresh, Snapshot, Store, feed};
use flopcast_report::doc::{Cell, Grid};
use flopcast_report::subject::catalog::{grid, listing, number, text};

use super::progress::Progress;
use super::{Global, load, output, tell};

/// Options of `flopcast catalog refresh`.
#[derive(Args, Debug)]
pub(super) struct Options {
    /// A source, such as `azure`; repeatable. Without it, all that need no key or have theirs in
    /// FLOPCAST_<SOURCE>_KEY.
    #[arg(long, value_name = "NAME")]
    source: Vec<String>,
    /// Only this region or grid zone: `eastus`, `aws/us-east-1`, `DE`; repeatable.
    #[arg(long, value_name = "NAME")]
    region: Vec<String>,
    /// Ask, and say what would change, but keep nothing.
    #[arg(long)]
    dry_run: bool,
    /// Seconds that a server may be silent.
    #[arg(long, value_name = "S", default_value_t = 30.0, value_parser = seconds)]
    timeout: f64,
    /// How often a request is repeated after a failure that may pass.
    #[arg(long, value_name = "N", default_value_t = 4,
          value_parser = clap::value_parser!(u32).range(0..=10))]
    retries: u32,
}

/// A number of seconds above zero.
fn seconds(text: &str) -> Result<f64, String> {
    let value = text.parse::<f64>().map_err(|error| error.to_string())?;
    (0.01..=3600.0).contains(&value).then_some(value).ok_or_else(|| "from 0.01 to 3600".to_owned())
}

impl Options {
    /// Asks the sources, writes a snapshot of each that answers, and prints what changed. A source
    /// that fails does not keep the others from being asked; the exit code says so.
    ///
    /// # Errors
    /// If a source is unknown or needs a key that is not there.
    pub(super) fn run(&self, global: &Global) -> Result<ExitCode> {
        let named = self.source.iter().map(|name| feed(name)).collect::<Result<Vec<_>>>()?;
        let feeds = if named.is_empty() { FEEDS.iter().collect() } else { named };
        let store = load::store(global);
        let catalog = store.over(Catalog::embedded(), None, &mut load::passed_over)?;
        let refresh = Refresh {
            catalog: &catalog,
            store: &store,
            regions: &self.region,
            variable: &load::variable,
            now: load::now(),
            policy: Policy {
                timeout: Duration::from_secs_f64(self.timeout),
                retries: self.retries,
                pause: &std::thread::sleep,
            },
        };
        let progress = Progress::new();
        let mut rows = Vec::new();
        let mut fetched = Vec::new();
        let mut failed = false;
        for feed in feeds {
            let outcome = refresh.ask(feed, &|part| progress.show(&format!("asking {part} ...")));
            progress.show("");
            let (count, outcome) = match outcome {
                Ok(Outcome::Fetched(snapshot)) => {
                    snapshot.held_back.iter().for_each(|why| tell(&format!("warning: {why}")));
                    let saved = if self.dry_run { Ok("asked") } else { save(&store, &snapshot) };
                    // The disk may be full; the others may still fit, and are listed.
                    let outcome = saved.unwrap_or_else(|error| {
                        tell(&format!("error: {error}"));
                        failed = true;
                        "not written"
                    });
                    let count = snapshot.rows() as u64;
                    fetched.push(snapshot);
                    (Cell::Count(count), outcome)
                }
                Ok(Outcome::Skipped(why)) if self.source.is_empty() => {
                    tell(&format!("note: {} is left out: {why}", feed.name));
                    continue;
                }
                Ok(Outcome::Skipped(why)) => {
                    return Err(Error::input(format!("{} was not asked: {why}", feed.name)));
                }
                // The others may still answer.
                Err(error) => {
                    tell(&format!("error: {error}"));
                    failed = true;
                    (Cell::Gap, "failed")
                }
            };
            rows.push(vec![text(feed.name), count, text(outcome)]);
        }
        drop(progress);
        if self.dry_run {
            let after = fetched.iter().try_fold(
                store.over(Catalog::embedded(), None, &mut |_| {})?,
                |catalog, snapshot| snapshot.over(catalog),
            )?;
            global.print(&listing(changes(&catalog, &after)?))?;
        } else {
            global.print(&listing(grid(&["source", "rows", "outcome"], rows)))?;
        }
        Ok(if failed { ExitCode::from(Kind::Live as u8) } else { ExitCode::SUCCESS })
    }
}

/// `flopcast catalog doctor --diff`.
pub(super) fn changed(global: &Global) -> Result<ExitCode> {
    let at = |catalog: Catalog| match global.as_of {
        Some(date) => catalog.as_of(date),
        None => catalog,
    };
    let after =
        load::store(global).over(Catalog::embedded(), global.as_of, &mut load::passed_over)?;
    global.print(&listing(changes(&at(Catalog::embedded()), &at(after))?))
}

/// The figures that differ between two catalogs, as a table.
fn changes(before: &Catalog, after: &Catalog) -> Result<Grid> {
    let changes = after.changes_since(before)?.into_iter().map(|change| {
        let percent = change.before.map(|before| 100.0 * (change.after / before - 1.0));
        vec![
            text(change.row),
            text(change.column),
            number(change.before),
            number(Some(change.after)),
            number(percent),
            text(change.source),
            text(change.date),
        ]
    });
    let columns = &["row", "figure", "before", "after", "change_percent", "source", "as_of"];
    Ok(grid(columns, changes))
}

/// Writes a snapshot whole.
fn save(store: &Store, snapshot: &Snapshot) -> Result<&'static str> {
    let path = store.path(&snapshot.source, snapshot.date);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| {
            Error::input(format!("cannot make the folder {}: {error}", folder.display()))
                .hint("--cache-dir or FLOPCAST_CACHE names another")
        })?;
    }
    output::write(&path, &snapshot.text(), true).map(|()| "kept")
}
