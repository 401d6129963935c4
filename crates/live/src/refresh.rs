//! A refresh: every part of a source is asked, and all of them make one snapshot or none.

use chrono::{DateTime, Utc};
use flopcast_core::catalog::{Catalog, Change};
use flopcast_core::diagnostic::{Error, Result};
use indexmap::IndexMap;
use reqwest::blocking::Client;

use super::feeds::{Feed, Scope, Session};
use super::secret::Secrets;
use super::sheet::MOST_ROWS;
use super::snapshot::{MAX_BYTES, Part, SCHEMA, Snapshot, Store};
use super::transport::{self, Answer, Policy, Server};

/// The settings of a refresh.
pub struct Refresh<'a> {
    /// The catalog, which says what is wanted and how it is named.
    pub catalog: &'a Catalog,
    /// Earlier snapshots.
    pub store: &'a Store,
    /// Regions and zones to ask for; none means all that make sense.
    pub regions: &'a [String],
    /// The environment: keys and addresses.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// The time.
    pub now: DateTime<Utc>,
    /// How patient it is.
    pub policy: Policy<'a>,
}

/// The outcome of asking a source.
#[derive(Debug)]
pub enum Outcome {
    /// The rows as they now stand, not yet written.
    Fetched(Snapshot),
    /// It was not asked, and why.
    Skipped(String),
}

impl Refresh<'_> {
    /// Asks a source; `progress` hears of each part before it is asked.
    ///
    /// # Errors
    /// The source fails in a part, or what it says is no part of a catalog. Nothing is kept of
    /// it then.
    pub fn ask(&self, feed: &'static Feed, progress: &dyn Fn(&str)) -> Result<Outcome> {
        let key = match feed.key {
            None => None,
            Some(form) => match (self.variable)(&feed.variable("KEY")) {
                Some(key) if !key.trim().is_empty() => Some((form, key.trim().to_owned())),
                _ => {
                    let variable = feed.variable("KEY");
                    return Ok(Outcome::Skipped(format!("it wants a key in {variable}")));
                }
            },
        };
        let parts = (feed.parts)(&Scope { catalog: self.catalog, regions: self.regions });
        if parts.is_empty() {
            let why = "none of its regions or zones is named (--region)".to_owned();
            return Ok(Outcome::Skipped(why));
        }
        let client = transport::client(&self.policy)?;
        let secrets = Secrets::of(key.as_ref().map(|(_, key)| key.as_str()));
        // What cannot be read was said when the catalog was made.
        let earlier = self.store.newest_of(feed.name, None, &mut |_| {});
        let earlier = earlier.map(|snapshot| snapshot.parts).unwrap_or_default();
        let mut all = earlier.clone();
        let today = self.now.date_naive();
        for name in &parts {
            progress(&format!("{} {name}", feed.name));
            let etag = all.get(name).and_then(|part| part.etag.clone());
            let session = self.session(feed, &client, (key.clone(), &secrets), etag);
            match (feed.read)(&session, name)? {
                Answer::New(sheet, _) if sheet.is_empty() => {
                    let why = format!("none of the rows that are wanted ({name})");
                    return Err(session.server.failed(&why).hint("what was there before stands"));
                }
                Answer::New(sheet, _) if sheet.is_full() => {
                    return Err(session.server.failed(&format!(
                        "the answer is too large: it has more than {MOST_ROWS} rows ({name})"
                    )));
                }
                Answer::New(sheet, etag) => {
                    let part = Part { date: today, etag, ..sheet.into_part(&secrets) };
                    all.insert(name.clone(), part);
                }
                Answer::Unchanged => match all.get_mut(name) {
                    Some(part) => part.date = today,
                    None => return Err(session.server.failed("nothing new, and nothing at hand")),
                },
            }
        }
        let mut snapshot = self.snapshot(feed, all);
        let usable = |snapshot: &Snapshot| {
            snapshot.over(Catalog::embedded()).map_err(|error| {
                let why = secrets.masked(error.message());
                Error::live(format!("{}: its rows cannot be used: {why}", feed.name))
            })
        };
        // What the catalog could not read tomorrow is not kept today.
        let after = usable(&snapshot)?;
        if self.hold_back(&mut snapshot, &earlier, &after)? {
            usable(&snapshot)?;
        }
        if snapshot.text().len() as u64 > MAX_BYTES {
            let most = MAX_BYTES >> 20;
            return Err(Error::live(format!("{}: its rows take over {most} MiB", feed.name)));
        }
        Ok(Outcome::Fetched(snapshot))
    }

    /// Takes prices back that are a thousand times what was said last, or a thousandth: a unit went
    /// wrong. The price that was there before stands. It tells whether there are any.
    fn hold_back(
        &self,
        snapshot: &mut Snapshot,
        earlier: &IndexMap<String, Part>,
        after: &Catalog,
    ) -> Result<bool> {
        for change in after.changes_since(self.catalog)? {
            let Some(before) = change.before.filter(|before| *before > 0.0) else { continue };
            let ratio = change.after / before;
            if (1.0 / LARGEST_JUMP..LARGEST_JUMP).contains(&ratio) || !is_price(&change) {
                continue;
            }
            let said = format!(
                "{} {} is held back: {} after {before} is a jump of {LARGEST_JUMP} times or more",
                change.row, change.column, change.after
            );
            for (name, part) in &mut snapshot.parts {
                let Some(lines) = part.tables.get_mut(change.table) else { continue };
                let old = earlier.get(name).and_then(|part| part.tables.get(change.table));
                let old = old.and_then(|lines| line_about(lines, &change));
                let Some(at) = line_about(lines, &change) else { continue };
                match old {
                    Some((_, line)) => lines[at.0] = line,
                    None => drop(lines.remove(at.0)),
                }
                snapshot.held_back.push(said.clone());
            }
        }
        Ok(!snapshot.held_back.is_empty())
    }

    /// The session with a source: its server, its key, the catalog.
    fn session<'s>(
        &'s self,
        feed: &'static Feed,
        client: &'s Client,
        (key, secrets): (Option<(super::Key, String)>, &'s Secrets),
        etag: Option<String>,
    ) -> Session<'s> {
        let base = (self.variable)(&feed.variable("BASE")).filter(|base| !base.is_empty());
        let base = base.unwrap_or_else(|| feed.base.to_owned());
        let server = Server { name: feed.name, base, key, secrets, client, policy: &self.policy };
        Session { server, catalog: self.catalog, now: self.now, etag }
    }

    /// The snapshot of a source with these parts, dated today.
    fn snapshot(&self, feed: &Feed, parts: IndexMap<String, Part>) -> Snapshot {
        Snapshot {
            schema: SCHEMA.to_owned(),
            source: feed.name.to_owned(),
            title: feed.title.to_owned(),
            reference: feed.base.to_owned(),
            licence: feed.licence.to_owned(),
            date: self.now.date_naive(),
            parts,
            held_back: Vec::new(),
        }
    }
}

/// The largest factor by which a price changes from one refresh to the next.
const LARGEST_JUMP: f64 = 1000.0;

/// True if the change is one of money.
fn is_price(change: &Change) -> bool {
    change.column.contains("usd")
}

/// The line of a table that a change is about, with its place.
fn line_about(lines: &[String], change: &Change) -> Option<(usize, String)> {
    let cells = |line: &String| {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
        reader.records().next().and_then(Result::ok)
    };
    let columns = cells(lines.first()?)?;
    let about: Vec<usize> = change
        .about
        .iter()
        .filter_map(|name| columns.iter().position(|column| column == *name))
        .collect();
    lines.iter().enumerate().skip(1).find_map(|(at, line)| {
        let cells = cells(line)?;
        let name: Vec<&str> = about.iter().filter_map(|at| cells.get(*at)).collect();
        (name.join("/") == change.row).then(|| (at, line.clone()))
    })
}
