//! What the world charges, draws and emits: typed tables of devices, prices and places, embedded
//! in the binary, each fact with its source and date.
//!
//! A [`Catalog`] reads a table the first time it is asked for, so an estimate pays only for what
//! it uses. A gap in a table is a `None`, never a zero. The user's own tables lie over the
//! embedded ones ([`Catalog::with_overlay`]); [`Catalog::as_of`] hides what is newer than a date.

mod accelerator;
mod card;
mod defaults;
mod doctor;
mod market;
mod place;
mod price;
mod region;
mod rental;
mod source;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use chrono::NaiveDate;

pub use accelerator::{Accelerator, Confidence, Embodied, Kind};
pub use card::{Card, Fact};
pub use defaults::Default;
pub use doctor::{SourceAge, TableHealth};
pub use market::{ApiPrice, IndexValue, PurchasePrice, Purchased, TokenPrice};
pub use price::{Charge, Price, PriceBasis, Purchase, Quality, Rental};
pub use region::{CarbonFree, Extent, Grid, GridBasis, HourlyProfile, Region, Zone};
pub use rental::Wanted;
pub use source::{AsOf, Citation, Source, Sourced, Span};

use crate::diagnostic::{Error, Result};
use accelerator::Alias;
use place::{GridRow, MonthHour, Place, Tariff};
use table::{Overlay, Row, Sources};

/// The tables, with what the user lays over them.
#[derive(Debug, Default)]
pub struct Catalog {
    as_of: Option<NaiveDate>,
    overlays: Vec<Overlay>,
    tables: Tables,
}

macro_rules! tables {
    ($($(#[$doc:meta])* $visibility:vis $name:ident: $row:ty;)+) => {
        /// Each table once it was read.
        #[derive(Debug, Default)]
        struct Tables {
            sources: OnceLock<Sources>,
            $($name: OnceLock<Vec<$row>>,)+
        }

        impl Catalog {
            /// Paths of the tables inside a data folder.
            pub const TABLES: &'static [&'static str] = &[Source::FILE, $(<$row as Row>::FILE,)+];

            $($(#[$doc])*
            $visibility fn $name(&self) -> &[$row] {
                self.tables.$name.get_or_init(|| self.read())
            })+

            /// Reads every table that has an overlay, so that its mistakes surface here.
            fn check_overlays(&self) -> Result<()> {
                let sources = table::read::<Source>(&Sources::new(), &self.overlays)?;
                let sources = self.tables.sources.get_or_init(|| by_id(sources));
                $(if self.overlays.iter().any(|o| o.is(<$row as Row>::FILE)) {
                    let rows = table::read::<$row>(sources, &self.overlays)?;
                    self.tables.$name.get_or_init(|| rows);
                })+
                Ok(())
            }

            /// Header and text of every table, the embedded one first.
            fn texts(&self) -> Vec<(&'static str, Vec<&str>)> {
                let mut texts = vec![(Source::FILE, vec![Source::TEXT])];
                $(texts.push((<$row as Row>::FILE, vec![<$row as Row>::TEXT]));)+
                for (file, texts) in &mut texts {
                    let own = self.overlays.iter().filter(|o| o.is(file));
                    texts.extend(own.map(|o| o.text.as_str()));
                }
                texts
            }
        }
    };
}

tables! {
    /// Every device.
    pub accelerators: Accelerator;
    aliases: Alias;
    price_rows: Price;
    /// Prices of hosted models by the token.
    pub api_prices: ApiPrice;
    purchase_rows: Purchased;
    index_rows: IndexValue;
    /// Every default.
    pub defaults: Default;
    places: Place;
    /// Countries, states and other areas that have a series of grid intensities.
    pub zones: Zone;
    grid_rows: GridRow;
    hours: MonthHour;
    tariffs: Tariff;
}

impl Catalog {
    /// The tables that the binary carries. Nothing is read yet.
    pub fn embedded() -> Self {
        <Self as std::default::Default>::default()
    }

    /// Lays the user's tables over these: `(path, text)`, the path as in [`Catalog::TABLES`] or
    /// just its file name. A row replaces the one of the same key, or is added; columns may be
    /// left out. A row that cites no source is cited as the user's own.
    ///
    /// # Errors
    /// A table that is none of these, or a faulty row: file, line and what is wrong.
    pub fn with_overlay(mut self, files: &[(&str, &str)]) -> Result<Self> {
        for (name, text) in files {
            let overlay = Overlay { name: (*name).to_owned(), text: (*text).to_owned() };
            if !Self::TABLES.iter().any(|file| overlay.is(file)) {
                let error = Error::input(format!("`{name}` is no table of the catalog"));
                let known = Self::TABLES.join(", ");
                return Err(error
                    .suggest(name, Self::TABLES.iter().copied())
                    .hint(format!("the tables are {known}")));
            }
            self.overlays.push(overlay);
        }
        self.tables = Tables::default();
        self.check_overlays()?;
        Ok(self)
    }

    /// The catalog as it stood: prices and annual figures of a later date are hidden. Devices
    /// and defaults are not dated.
    #[must_use]
    pub fn as_of(mut self, date: NaiveDate) -> Self {
        self.as_of = Some(date);
        self
    }

    /// The date that [`Catalog::as_of`] set.
    pub fn date(&self) -> Option<NaiveDate> {
        self.as_of
    }

    /// A device by id or by another name that sources use; capitals do not matter.
    ///
    /// # Errors
    /// An unknown one, with the nearest that are known.
    pub fn accelerator(&self, name: &str) -> Result<&Accelerator> {
        let by_id = |id: &str| self.accelerators().iter().find(|a| a.id.eq_ignore_ascii_case(id));
        let alias = |a: &&Alias| a.alias.eq_ignore_ascii_case(name);
        let by_alias = || by_id(&self.aliases().iter().find(alias)?.accelerator);
        let by_name = || self.accelerators().iter().find(|a| a.name.eq_ignore_ascii_case(name));
        by_id(name).or_else(by_alias).or_else(by_name).ok_or_else(|| {
            let ids = self.accelerators().iter().map(|a| a.id.as_str());
            Error::input(format!("the catalog has no accelerator `{name}`"))
                .suggest(name, ids)
                .hint("`flopcast catalog list accelerators` shows them all")
        })
    }

    /// Every price, of all dates up to the catalog's.
    pub fn prices(&self) -> impl Iterator<Item = &Price> {
        self.price_rows().iter().filter(|p| self.is_visible(p.citation.as_of))
    }

    /// What a device cost to buy, oldest first.
    pub fn purchases(&self, accelerator: &str) -> Vec<&Purchased> {
        let mut rows: Vec<_> = self
            .purchase_rows()
            .iter()
            .filter(|p| p.accelerator == accelerator && self.is_visible(p.price.citation.as_of))
            .collect();
        rows.sort_by_key(|p| p.price.citation.as_of);
        rows
    }

    /// The path of a device's median rent at smaller clouds, oldest first.
    pub fn rent_index(&self, accelerator: &str) -> Vec<&IndexValue> {
        let rows = self.index_rows().iter().filter(|v| v.accelerator == accelerator);
        rows.filter(|v| self.is_visible(v.median.citation.as_of)).collect()
    }

    /// Everybody who has a price or a region.
    pub fn providers(&self) -> BTreeSet<&str> {
        let sellers = self.price_rows().iter().map(|p| p.provider.as_str());
        let hosts = self.places().iter().map(|p| p.provider.as_str());
        sellers.chain(hosts).filter(|p| *p != "*").collect()
    }

    /// Every publication.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.source_map().values().map(Arc::as_ref)
    }

    /// A publication by its short name.
    pub fn source(&self, id: &str) -> Option<&Source> {
        self.source_map().get(id).map(Arc::as_ref)
    }

    fn source_map(&self) -> &Sources {
        let read = || table::read::<Source>(&Sources::new(), &self.overlays);
        self.tables.sources.get_or_init(|| by_id(read().expect("checked when it was laid over")))
    }

    fn read<T: Row>(&self) -> Vec<T> {
        // Embedded tables are read by a test, overlays by `with_overlay`.
        table::read(self.source_map(), &self.overlays).expect("a table that was read before")
    }

    fn is_visible(&self, as_of: Option<AsOf>) -> bool {
        match (self.as_of, as_of) {
            (Some(date), Some(as_of)) => as_of.start <= date,
            _ => true,
        }
    }
}

fn by_id(sources: Vec<Source>) -> Sources {
    sources.into_iter().map(|source| (source.id.clone(), Arc::new(source))).collect()
}

/// The name of an enum's value in its table of names.
fn name_of<E: PartialEq + Copy>(names: &'static [(&'static str, E)], value: E) -> &'static str {
    names.iter().find(|(_, v)| *v == value).map_or("", |(name, _)| name)
}
