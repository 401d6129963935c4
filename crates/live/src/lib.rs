//! Live data: what providers charge and grids emit today, asked for when the user says so.
//!
//! A [`Feed`] says what to ask and how to read it; `transport` bounds what a server may do (time,
//! size, type, repetition, redirects); a refresh ends in a [`Snapshot`], which is whole or is not
//! written. The catalog reads snapshots as one more layer of tables. Nothing here dials unless
//! `catalog refresh` or `--online` asks for it, and a key or token is masked in whatever a server
//! echoes.

mod feeds;
mod hub;
mod number;
mod refresh;
mod scalar;
mod secret;
mod sheet;
mod snapshot;
mod transport;

pub use feeds::{FEEDS, Feed, feed};
pub use hub::{Hub, Repository};
pub use refresh::{Outcome, Refresh};
pub use snapshot::{Part, Snapshot, Store};
pub use transport::Policy;

/// How a source wants its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// As a query parameter.
    Query(&'static str),
    /// As a header.
    Header(&'static str),
    /// As a bearer token.
    Bearer,
    /// `user:password`, exchanged for a token.
    Login,
}
