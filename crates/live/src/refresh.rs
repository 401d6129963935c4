//! A refresh: every part of a source is asked, and all of them make one snapshot or none.

use chrono::{DateTime, Utc};
use flopcast_core::catalog::Catalog;
use flopcast_core::diagnostic::{Error, Result};
use indexmap::IndexMap;
use reqwest::blocking::Client;

use super::feeds::{Feed, Scope, Session};
use super::snapshot::{Part, SCHEMA, Snapshot, Store};
use super::transport::{self, Answer, Policy, Server};

/// What a refresh needs to know.
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

/// What asking a source came to.
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
        let earlier = self.store.newest_of(feed.name, None)?.map(|snapshot| snapshot.parts);
        let mut all = earlier.unwrap_or_default();
        let today = self.now.date_naive();
        for name in &parts {
            progress(&format!("{} {name}", feed.name));
            let etag = all.get(name).and_then(|part| part.etag.clone());
            let session = self.session(feed, &client, key.clone(), etag);
            match (feed.read)(&session, name)? {
                Answer::New(sheet, _) if sheet.is_empty() => {
                    let why = format!("none of the rows that are wanted ({name})");
                    return Err(session.server.failed(&why).hint("what was there before stands"));
                }
                Answer::New(sheet, etag) => {
                    let part = Part { date: today, etag, ..sheet.into_part() };
                    all.insert(name.clone(), part);
                }
                Answer::Unchanged => match all.get_mut(name) {
                    Some(part) => part.date = today,
                    None => return Err(session.server.failed("nothing new, and nothing at hand")),
                },
            }
        }
        self.snapshot(feed, all).map(Outcome::Fetched)
    }

    fn session<'s>(
        &'s self,
        feed: &'static Feed,
        client: &'s Client,
        key: Option<(super::Key, String)>,
        etag: Option<String>,
    ) -> Session<'s> {
        let base = (self.variable)(&feed.variable("BASE")).filter(|base| !base.is_empty());
        let base = base.unwrap_or_else(|| feed.base.to_owned());
        let server = Server { name: feed.name, base, key, client, policy: &self.policy };
        Session { server, catalog: self.catalog, now: self.now, etag }
    }

    fn snapshot(&self, feed: &Feed, parts: IndexMap<String, Part>) -> Result<Snapshot> {
        let snapshot = Snapshot {
            schema: SCHEMA.to_owned(),
            source: feed.name.to_owned(),
            title: feed.title.to_owned(),
            reference: feed.base.to_owned(),
            licence: feed.licence.to_owned(),
            date: self.now.date_naive(),
            parts,
        };
        // What the catalog could not read tomorrow is not kept today.
        snapshot.over(Catalog::embedded()).map_err(|error| {
            Error::live(format!("{}: its rows cannot be used: {}", feed.name, error.message()))
        })?;
        Ok(snapshot)
    }
}
