//! The catalog: typed tables of devices, prices and places, embedded in the binary, each fact with
//! its source and date.
//!
//! A [`Catalog`] reads a table the first time it is asked for, so an estimate pays only for the
//! tables that it uses. A gap in a table is a `None`, never a zero. Rows lie in layers: the
//! embedded ones, a list that was fetched ([`Catalog::with_fetched`]), the user's own
//! ([`Catalog::with_overlay`]); a later layer replaces rows of the same key. [`Catalog::as_of`]
//! hides what is newer than a date, and a lock ([`Lock`]) carries the rows that a scenario used.
//!
//! | table | rows | module |
//! |---|---|---|
//! | `hardware/accelerators.csv`, `aliases.csv` | devices and their other names | `accelerator` |
//! | `pricing/prices.csv` | rents | `price`, `rental` |
//! | `pricing/api.csv`, `purchase.csv`, `index.csv` | hosted models, purchases, the rent index | `market` |
//! | `pricing/defaults.csv` | candidates for assumptions | `defaults` |
//! | `regions/*.csv` | places, grids, water, electricity | `place`, `region` |
//! | `regions/signals.csv` | intensities by the hour, fetched only | `signal` |
//! | `sources.csv` | publications | `source` |
//!
//! `scenario::resolve` looks facts up here and turns each into an input with its citation.
//!
//! ```
//! use flopcast_core::catalog::Catalog;
//! use flopcast_core::quantity::{Precision, show};
//! let catalog = Catalog::embedded();
//! let h100 = catalog.accelerator("H100 SXM").unwrap();
//! let peak = h100.peak(Precision::Bf16).unwrap();
//! assert_eq!(show(peak.value), "989.4 TFLOP/s/device");
//! assert!(!peak.citation.sources.is_empty());
//! ```

mod accelerator;
mod called;
mod card;
mod changes;
mod defaults;
mod device;
mod doctor;
mod lock;
mod market;
mod place;
mod price;
mod ratio;
mod region;
mod rental;
mod signal;
mod source;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock, PoisonError};

use chrono::NaiveDate;

use crate::diagnostic::{Error, Result};
use accelerator::Alias;
use lock::LookUps;
use place::{GridRow, GridWater, MonthHours, Place, Tariff};
use table::{Layer, Overlay, Row, Sources, Stored, Table};

pub use accelerator::{Accelerator, Confidence, Embodied, Kind};
pub use card::{Card, Fact};
pub use changes::Change;
pub use defaults::DefaultFigure;
pub use device::{Device, Links};
pub use doctor::{SourceAge, TableHealth};
pub use lock::Lock;
pub use market::{ApiPrice, IndexValue, PurchasePrice, Purchased, TokenPrice};
pub use price::{Charge, Price, PriceBasis, Purchase, Quality, Rental};
pub use ratio::PlanRatio;
pub use region::{CarbonFree, Extent, Grid, GridBasis, HourlyProfile, Region, ResidualMix, Zone};
pub use rental::Wanted;
pub use signal::{Signal, SignalZones};
pub use source::{AsOf, Citation, Source, Sourced, Span};
pub use table::quoted;

/// The tables, with fetched ones and the user's own over them.
#[derive(Debug, Default)]
pub struct Catalog {
    as_of: Option<NaiveDate>,
    overlays: Vec<Overlay>,
    /// The lock that replaces the embedded rows, if the catalog was made from one.
    lock: Option<Lock>,
    look_ups: Option<LookUps>,
    /// Rows of the lock that no known catalog has.
    by_lock: Vec<String>,
    tables: Tables,
}

/// A table with the publications that its rows cite. Every look-up through it is noted if the
/// catalog records.
struct Rows<'a, T> {
    table: &'a Table<T>,
    sources: &'a Sources,
    look_ups: Option<&'a LookUps>,
}

impl<'a, T: Row> Rows<'a, T> {
    /// Every row; the look-up is noted as one of the whole table.
    fn iter(&self) -> impl Iterator<Item = &'a T> + use<'a, T> {
        self.note("");
        self.table.iter(Some(self.sources))
    }

    /// The rows whose first cell is `key`.
    fn of<'k>(&self, key: &'k str) -> impl Iterator<Item = &'a T> + use<'a, 'k, T> {
        self.note(key);
        self.table.of(Some(self.sources), key)
    }

    /// The rows whose first cells are `key` and `second`, `of` being the second cell of a row.
    fn at<'s>(
        &self,
        key: &'s str,
        second: &'s str,
        of: fn(&T) -> &str,
    ) -> impl Iterator<Item = &'a T> + use<'a, 's, T> {
        self.note(&format!("{key},{second}"));
        self.table.at(Some(self.sources), key, second).filter(move |row| of(row) == second)
    }

    /// The row of `key` whose second cell is `name`, or the first that `is` called so; `of` is the
    /// second cell of a row.
    fn find(
        &self,
        key: &str,
        name: &str,
        of: fn(&T) -> &str,
        is: impl Fn(&T) -> bool,
    ) -> Option<&'a T> {
        let rows = |second| self.table.at(Some(self.sources), key, second);
        let exact = rows(name).find(|row| of(row) == name);
        let found = exact.or_else(|| self.table.of(Some(self.sources), key).find(|row| is(row)));
        self.note(&format!("{key},{}", found.map_or(name, of)));
        found
    }

    /// The first cell that is `name` but for capitals.
    fn name(&self, name: &str) -> Option<&'a str> {
        let alike = || self.keys().find(|key| key.eq_ignore_ascii_case(name));
        let found = self.table.known(name).or_else(alike);
        self.note(found.unwrap_or(name));
        found
    }

    /// Notes a look-up of `key`, found or not.
    fn note(&self, key: &str) {
        if let Some(look_ups) = self.look_ups {
            let mut look_ups = look_ups.lock().unwrap_or_else(PoisonError::into_inner);
            look_ups.insert((T::FILE, key.to_owned()));
        }
    }

    /// True if a row has that first cell; such a look is not noted.
    fn has(&self, key: &str) -> bool {
        self.table.has(key)
    }

    /// The first cells, without reading the rows; such a look is not noted.
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
                let table = || {
                    Table::new(Some(sources), &self.overlays, self.lock.is_some()).expect(CHECKED)
                };
                let table = self.tables.$name.get_or_init(table);
                Rows { table, sources, look_ups: self.look_ups.as_ref() }
            })+

            /// Reads every overlay, so that its mistakes surface when it is laid and not in a
            /// look-up later.
            ///
            /// # Errors
            /// If an overlay is faulty.
            fn check_overlays(&self) -> Result<()> {
                let sources = Sources::new(None, &self.overlays, self.lock.is_some())?;
                let sources = self.tables.sources.get_or_init(|| sources);
                $(if self.overlays.iter().any(|o| o.is(<$row as Row>::FILE)) {
                    let table = Table::new(Some(sources), &self.overlays, self.lock.is_some())?;
                    self.tables.$name.get_or_init(|| table);
                })+
                Ok(())
            }

            /// Every row as text, by table with its columns, after overlays replaced theirs;
            /// publications are left out.
            fn stored(&self) -> Result<Vec<StoredTable>> {
                let sources = Some(self.source_table());
                Ok(vec![$((
                    <$row as Row>::FILE,
                    <$row as Row>::columns(),
                    Table::<$row>::stored(sources, &self.overlays, self.lock.is_some())?,
                ),)+])
            }

            /// Text of every table, the embedded one first.
            fn texts(&self) -> Vec<(&'static str, Vec<&str>)> {
                let embedded = [<Arc<Source> as Row>::TABLE, $(<$row as Row>::TABLE),+];
                let mut texts: Vec<_> =
                    embedded.iter().map(|table| (table.file, vec![table.text])).collect();
                for (file, texts) in &mut texts {
                    let own = self.overlays.iter().filter(|o| o.is(file));
                    texts.extend(own.map(|o| o.text.as_str()));
                }
                texts
            }
        }
    };
}

/// A table as text: its path, its columns, and the rows that remain after overlays replaced theirs.
type StoredTable = (&'static str, Vec<&'static str>, Vec<Stored>);

/// The reason why reading a table of this catalog does not fail.
const CHECKED: &str = "overlays were read when they were laid over";

tables! {
    devices: Accelerator;
    aliases: Alias;
    price_rows: Price;
    api_rows: ApiPrice;
    purchase_rows: Purchased;
    index_rows: IndexValue;
    default_rows: DefaultFigure;
    places: Place;
    zone_rows: Zone;
    grid_rows: GridRow;
    hours: MonthHours;
    residual_rows: ResidualMix;
    grid_water: GridWater;
    tariffs: Tariff;
    signal_rows: Signal;
}

impl Catalog {
    /// The catalog of the tables that the binary carries. Nothing is read yet.
    pub fn embedded() -> Self {
        <Self as Default>::default()
    }

    /// Lays the user's tables over these: `(path, text)`, the path as in [`Catalog::TABLES`] or
    /// just its file name. A row replaces the one of the same key, or is added; columns may be
    /// left out. A row that cites no source is cited as the user's own.
    ///
    /// # Errors
    /// If a table is none of these, or a row is faulty: the error has file, line and what is wrong.
    pub fn with_overlay(self, files: &[(&str, &str)]) -> Result<Self> {
        self.over(files.iter().map(|file| layer(file, Layer::Own)).collect::<Result<_>>()?)
    }

    /// Lays tables over these that were fetched: as [`Catalog::with_overlay`], but every row
    /// cites its source, and none counts as the user's own.
    ///
    /// # Errors
    /// As [`Catalog::with_overlay`].
    pub fn with_fetched(self, files: &[(&str, &str)]) -> Result<Self> {
        self.over(files.iter().map(|file| layer(file, Layer::Fetched)).collect::<Result<_>>()?)
    }

    /// Lays the layers over the tables, all of which are read anew.
    fn over(mut self, overlays: Vec<Overlay>) -> Result<Self> {
        self.overlays.extend(overlays);
        self.tables = Tables::default();
        self.check_overlays()?;
        Ok(self)
    }

    /// The catalog as it stood on a date: prices, annual figures and profiles of a later date are
    /// hidden. Devices, defaults and sources are not dated.
    #[must_use]
    pub fn as_of(mut self, date: NaiveDate) -> Self {
        self.as_of = Some(date);
        self
    }

    /// The date that [`Catalog::as_of`] set.
    pub fn date(&self) -> Option<NaiveDate> {
        self.as_of
    }

    /// A device by id or by another name that sources use; capitals and separators do not matter,
    /// nor do the vendor and the kind of memory that labels of clusters add:
    /// `nvidia_h100_80gb_hbm3`.
    ///
    /// # Errors
    /// If the device is unknown, with the nearest that are known.
    pub fn accelerator(&self, name: &str) -> Result<&Accelerator> {
        let by_id = || self.devices().name(name);
        let by_alias = || {
            let alias = self.aliases().name(name)?;
            Some(self.aliases().of(alias).next()?.accelerator.as_str())
        };
        let same = |device: &&Accelerator| device.name.eq_ignore_ascii_case(name);
        let by_name = || Some(self.accelerators().find(same)?.id.as_str());
        let by_letters = || {
            let letters = accelerator::letters(name);
            let ids = self.accelerators().map(|it| (it.id.as_str(), it.id.as_str()));
            let aliases =
                self.aliases().iter().map(|it| (it.alias.as_str(), it.accelerator.as_str()));
            let mut names = ids.chain(aliases);
            let same = |(name, _): &(&str, &str)| accelerator::letters(name) == letters;
            names.find(same).filter(|_| !letters.is_empty()).map(|(_, id)| id)
        };
        let id = by_id().or_else(by_alias).or_else(by_name).or_else(by_letters);
        let id = id.unwrap_or_default();
        self.devices().of(id).next().ok_or_else(|| {
            // Of a name with a number, devices of that number: an H200 is no H20.
            let number = accelerator::model_number(name);
            let same = |id: &&str| number.is_none() || accelerator::model_number(id) == number;
            let alike: Vec<&str> = self.devices().keys().filter(same).collect();
            let error = Error::input(format!("the catalog has no accelerator `{name}`"));
            let error = match alike.as_slice() {
                [] => error.suggest(name, self.devices().keys()),
                alike => error.suggest(name, alike.iter().copied()),
            };
            error.hint("`flopcast catalog list accelerators` shows them all")
        })
    }

    /// The device that a machine of a cloud or a slice of Google's processors has, and how many: by the
    /// names of price lists (`p4d.24xlarge`, `a3-highgpu-8g`, `Standard_ND96isr_H100_v5`) and of
    /// slices (`v5e-256`, `TPU v4-512`).
    pub fn machine(&self, name: &str) -> Option<(&Accelerator, u64)> {
        // Some sell a machine by the name of its device.
        let is_device = || self.accelerator(name).is_ok();
        self.slice(name).or_else(|| self.instance(name)).filter(|_| !is_device())
    }

    /// A slice of Google's processors. Generations of two cores a chip count the cores (v2 to v4 and
    /// v5p, <https://cloud.google.com/tpu/docs/v5p>), the others chips.
    fn slice(&self, name: &str) -> Option<(&Accelerator, u64)> {
        let lower = name.trim().to_ascii_lowercase();
        let bare = lower.trim_start_matches("tpu").trim_start_matches([' ', '-', '_']);
        let (generation, size) = bare.rsplit_once('-')?;
        let size: u64 = size.parse().ok().filter(|size| *size > 0)?;
        let of_cores = ["v2", "v3", "v4", "v5p"].contains(&generation);
        let generation = match generation {
            "v5litepod" => "v5e",
            other => other,
        };
        let device = self.devices().of(&format!("tpu-{generation}")).next()?;
        Some((device, if of_cores { (size / 2).max(1) } else { size }))
    }

    /// A machine of a price list.
    fn instance(&self, name: &str) -> Option<(&Accelerator, u64)> {
        let name = name.trim();
        // SageMaker's: `ml.p5.48xlarge`.
        let bare = name.strip_prefix("ml.").unwrap_or(name);
        // A name of one word with several parts; `h100` alone is a device.
        if bare.contains(char::is_whitespace) || !bare.contains(['.', '-', '_']) {
            return None;
        }
        // `H100-MEGA x8 (a3-megagpu-8g)`: of a price by the device, the row of the whole machine.
        let named = |sku: &str| sku.split([' ', '(', ')']).any(|it| it.eq_ignore_ascii_case(bare));
        let sold = self.prices().filter(|it| !it.accelerator.is_empty() && named(&it.sku));
        let price = sold.max_by_key(|it| it.devices)?;
        Some((self.devices().of(&price.accelerator).next()?, price.devices?))
    }

    /// Every device, in the order of the table.
    pub fn accelerators(&self) -> impl Iterator<Item = &Accelerator> {
        self.devices().iter()
    }

    /// Prices of hosted models by the token, of all dates up to the catalog's.
    pub fn api_prices(&self) -> impl Iterator<Item = &ApiPrice> {
        self.api_rows().iter().filter(|row| self.is_visible(row.input.citation.as_of))
    }

    /// Every default.
    pub fn defaults(&self) -> impl Iterator<Item = &DefaultFigure> {
        self.default_rows().iter()
    }

    /// Countries, states and other areas that have a series of grid intensities.
    pub fn zones(&self) -> impl Iterator<Item = &Zone> {
        self.zone_rows().iter()
    }

    /// The day of the newest price that the binary carries.
    pub fn newest_price() -> Option<NaiveDate> {
        AsOf::parse(flopcast_data::pricing::NEWEST).map(|as_of| as_of.start)
    }

    /// Every price, of all dates up to the catalog's.
    pub fn prices(&self) -> impl Iterator<Item = &Price> {
        self.price_rows().iter().filter(|p| self.is_visible(p.citation.as_of))
    }

    /// Every price of a provider, of all dates up to the catalog's.
    pub fn prices_of(&self, provider: &str) -> impl Iterator<Item = &Price> {
        let rows = self.price_rows().of(provider);
        rows.filter(|p| self.is_visible(p.citation.as_of))
    }

    /// The prices that serve a region: those of that region and those for any region (`*`).
    fn prices_at<'a>(
        &'a self,
        provider: &'a str,
        region: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Price> {
        let regions = region.filter(|region| *region != "*").into_iter().chain(["*"]);
        let rows = regions.flat_map(move |at| self.price_rows().at(provider, at, |p| &p.region));
        rows.filter(|p| self.is_visible(p.citation.as_of))
    }

    /// The purchase prices of a device up to the catalog's date, oldest first.
    pub fn purchases(&self, accelerator: &str) -> Vec<&Purchased> {
        let mut rows: Vec<_> = self
            .purchase_rows()
            .of(accelerator)
            .filter(|p| self.is_visible(p.price.citation.as_of))
            .collect();
        rows.sort_by_key(|p| p.price.citation.as_of);
        rows
    }

    /// The path of a device's median rent at smaller clouds up to the catalog's date, oldest first.
    pub fn rent_index(&self, accelerator: &str) -> Vec<&IndexValue> {
        let rows = self.index_rows().of(accelerator);
        rows.filter(|v| self.is_visible(v.median.citation.as_of)).collect()
    }

    /// Every provider that has a price or a region.
    pub fn providers(&self) -> BTreeSet<&str> {
        self.price_rows().keys().chain(self.places().keys()).filter(|p| *p != "*").collect()
    }

    /// A publication by its short name; `None` if `sources.csv` lacks it.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.source_table().iter(None).map(Arc::as_ref)
    }

    /// A publication by its short name.
    pub fn source(&self, id: &str) -> Option<&Source> {
        self.source_table().of(None, id).next().map(Arc::as_ref)
    }

    /// The table of publications, read when it is first asked for.
    fn source_table(&self) -> &Sources {
        let table = || Sources::new(None, &self.overlays, self.lock.is_some()).expect(CHECKED);
        self.tables.sources.get_or_init(table)
    }

    /// True if a fact of this date is visible: undated facts always are, dated ones if their period
    /// begins by the catalog's date.
    fn is_visible(&self, as_of: Option<AsOf>) -> bool {
        match (self.as_of, as_of) {
            (Some(date), Some(as_of)) => as_of.start <= date,
            _ => true,
        }
    }
}

/// A file that lies over a table, as an overlay of this layer.
///
/// # Errors
/// If the file is no table of the catalog: the error lists the tables.
fn layer((name, text): &(&str, &str), layer: Layer) -> Result<Overlay> {
    let overlay =
        Overlay { name: (*name).to_owned(), text: (*text).to_owned(), layer, by_lock: false };
    if Catalog::TABLES.iter().any(|file| overlay.is(file)) {
        return Ok(overlay);
    }
    let error = Error::input(format!("`{name}` is no table of the catalog"));
    let known = Catalog::TABLES.join(", ");
    let error = error.suggest(name, Catalog::TABLES.iter().copied());
    Err(error.hint(format!("the tables are {known}")))
}

/// The name of an enum's value in its table of names.
fn name_of<E: PartialEq + Copy>(names: &'static [(&'static str, E)], value: E) -> &'static str {
    names.iter().find(|(_, v)| *v == value).map_or("", |(name, _)| name)
}
