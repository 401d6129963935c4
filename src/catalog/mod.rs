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
use table::{Overlay, Row, Sources, Table};

/// The tables, with what the user lays over them.
#[derive(Debug, Default)]
pub struct Catalog {
    as_of: Option<NaiveDate>,
    overlays: Vec<Overlay>,
    tables: Tables,
}

/// A table with what its rows cite.
struct Rows<'a, T> {
    table: &'a Table<T>,
    sources: &'a Sources,
}

impl<'a, T: Row> Rows<'a, T> {
    /// Every row.
    fn iter(&self) -> impl Iterator<Item = &'a T> + use<'a, T> {
        self.table.iter(Some(self.sources))
    }

    /// The rows whose first cell is `key`.
    fn of(&self, key: &str) -> &'a [T] {
        self.table.of(Some(self.sources), key)
    }

    /// The first cells, without reading the rows.
    fn keys(&self) -> impl Iterator<Item = &'a str> + use<'a, T> {
        self.table.keys()
    }
}

macro_rules! tables {
    ($($name:ident: $row:ty;)+) => {
        /// Each table once it was asked for.
        #[derive(Debug, Default)]
        struct Tables {
            sources: OnceLock<Sources>,
            $($name: OnceLock<Table<$row>>,)+
        }

        impl Catalog {
            /// Paths of the tables inside a data folder.
            pub const TABLES: &'static [&'static str] =
                &[<Arc<Source> as Row>::FILE, $(<$row as Row>::FILE,)+];

            $(fn $name(&self) -> Rows<'_, $row> {
                let sources = self.source_table();
                let table = || Table::new(Some(sources), &self.overlays).expect(CHECKED);
                Rows { table: self.tables.$name.get_or_init(table), sources }
            })+

            /// Reads every overlay, so that its mistakes surface here.
            fn check_overlays(&self) -> Result<()> {
                let sources = Sources::new(None, &self.overlays)?;
                let sources = self.tables.sources.get_or_init(|| sources);
                $(if self.overlays.iter().any(|o| o.is(<$row as Row>::FILE)) {
                    let table = Table::new(Some(sources), &self.overlays)?;
                    self.tables.$name.get_or_init(|| table);
                })+
                Ok(())
            }

            /// Text of every table, the embedded one first.
            fn texts(&self) -> Vec<(&'static str, Vec<&str>)> {
                let mut texts = vec![(<Arc<Source> as Row>::FILE, vec![<Arc<Source> as Row>::TEXT])];
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

/// Why a table of this catalog can be read.
const CHECKED: &str = "overlays were read when they were laid over";

tables! {
    devices: Accelerator;
    aliases: Alias;
    price_rows: Price;
    api_rows: ApiPrice;
    purchase_rows: Purchased;
    index_rows: IndexValue;
    default_rows: Default;
    places: Place;
    zone_rows: Zone;
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
        let same = |key: &&str| key.eq_ignore_ascii_case(name);
        let by_id = || self.devices().keys().find(same);
        let by_alias = || {
            let alias = self.aliases().keys().find(same)?;
            Some(self.aliases().of(alias).first()?.accelerator.as_str())
        };
        let by_name = || Some(self.accelerators().find(|a| same(&a.name.as_str()))?.id.as_str());
        let id = by_id().or_else(by_alias).or_else(by_name).unwrap_or_default();
        self.devices().of(id).first().ok_or_else(|| {
            Error::input(format!("the catalog has no accelerator `{name}`"))
                .suggest(name, self.devices().keys())
                .hint("`flopcast catalog list accelerators` shows them all")
        })
    }

    /// Every device.
    pub fn accelerators(&self) -> impl Iterator<Item = &Accelerator> {
        self.devices().iter()
    }

    /// Prices of hosted models by the token.
    pub fn api_prices(&self) -> impl Iterator<Item = &ApiPrice> {
        self.api_rows().iter()
    }

    /// Every default.
    pub fn defaults(&self) -> impl Iterator<Item = &Default> {
        self.default_rows().iter()
    }

    /// Countries, states and other areas that have a series of grid intensities.
    pub fn zones(&self) -> impl Iterator<Item = &Zone> {
        self.zone_rows().iter()
    }

    /// Every price, of all dates up to the catalog's.
    pub fn prices(&self) -> impl Iterator<Item = &Price> {
        self.price_rows().iter().filter(|p| self.is_visible(p.citation.as_of))
    }

    fn prices_of(&self, provider: &str) -> impl Iterator<Item = &Price> {
        let rows = self.price_rows().of(provider).iter();
        rows.filter(|p| self.is_visible(p.citation.as_of))
    }

    /// What a device cost to buy, oldest first.
    pub fn purchases(&self, accelerator: &str) -> Vec<&Purchased> {
        let mut rows: Vec<_> = self
            .purchase_rows()
            .of(accelerator)
            .iter()
            .filter(|p| self.is_visible(p.price.citation.as_of))
            .collect();
        rows.sort_by_key(|p| p.price.citation.as_of);
        rows
    }

    /// The path of a device's median rent at smaller clouds, oldest first.
    pub fn rent_index(&self, accelerator: &str) -> Vec<&IndexValue> {
        let rows = self.index_rows().of(accelerator).iter();
        rows.filter(|v| self.is_visible(v.median.citation.as_of)).collect()
    }

    /// Everybody who has a price or a region.
    pub fn providers(&self) -> BTreeSet<&str> {
        self.price_rows().keys().chain(self.places().keys()).filter(|p| *p != "*").collect()
    }

    /// Every publication.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.source_table().iter(None).map(Arc::as_ref)
    }

    /// A publication by its short name.
    pub fn source(&self, id: &str) -> Option<&Source> {
        self.source_table().of(None, id).first().map(Arc::as_ref)
    }

    fn source_table(&self) -> &Sources {
        let table = || Sources::new(None, &self.overlays).expect(CHECKED);
        self.tables.sources.get_or_init(table)
    }

    fn is_visible(&self, as_of: Option<AsOf>) -> bool {
        match (self.as_of, as_of) {
            (Some(date), Some(as_of)) => as_of.start <= date,
            _ => true,
        }
    }
}

/// The name of an enum's value in its table of names.
fn name_of<E: PartialEq + Copy>(names: &'static [(&'static str, E)], value: E) -> &'static str {
    names.iter().find(|(_, v)| *v == value).map_or("", |(name, _)| name)
}
