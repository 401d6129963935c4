//! Places: the grid, efficiency, water and electricity price of a cloud region, a country, a
//! state.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Catalog;
use super::source::{AsOf, Citation, Source, Sourced};
use super::table::{Cells, Row};
use crate::diagnostic::{Error, Result};
use crate::quantity::{EnergyPrice, GridIntensity, Pue, Share, WaterIntensity};

/// The provider names that mean "my own site": its region is a country or a state.
pub(super) const OWNED: &[&str] = &["owned"];

/// kgCO2e/J of 1 gCO2e/kWh.
const G_PER_KWH: f64 = 1e-3 / 3.6e6;
/// L/J or USD/J of 1 L/kWh or 1 USD/kWh.
const PER_KWH: f64 = 1.0 / 3.6e6;

/// A place where devices run, with everything the catalog knows about it as of its date.
#[derive(Clone, Debug)]
pub struct Region {
    /// Whose region; `*` for a country or state as such.
    pub provider: String,
    /// The provider's code, or that of the country or state.
    pub code: String,
    /// Where it is, in words; may be empty.
    pub location: String,
    /// Country, ISO 3166 alpha-3.
    pub country: String,
    /// State or other grid zone within the country, where known: `US-OH`.
    pub zone: Option<String>,
    /// Annual average intensities and, where known, the marginal one: at most one per basis.
    pub grids: Vec<Grid>,
    /// Carbon-free share of the electricity, as the provider states it.
    pub carbon_free: Option<CarbonFree>,
    /// Power usage effectiveness; `None` where none is published.
    pub pue: Option<Sourced<Pue>>,
    /// Whether the PUE is one of the provider's whole fleet.
    pub pue_of_fleet: bool,
    /// Litres of water on site per kWh of IT energy.
    pub wue: Option<Sourced<WaterIntensity>>,
    /// What industry pays for electricity in the state or country.
    pub electricity: Option<Sourced<EnergyPrice>>,
    /// Where the place is described.
    pub citation: Arc<Citation>,
}

/// What emissions an intensity counts. Figures of different bases must not be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GridBasis {
    /// Annual average with the upstream of fuels and plants. Every region has it.
    LifeCycle,
    /// Annual average of what the plants themselves emit.
    Direct,
    /// What one more kWh causes.
    Marginal,
}

/// Of which area an intensity is the average, nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// The grid zone that serves the region.
    Grid,
    /// The state or province.
    State,
    /// The country.
    Country,
}

/// A carbon intensity with what it means.
#[derive(Clone, Debug)]
pub struct Grid {
    /// What it counts.
    pub basis: GridBasis,
    /// Of which area.
    pub extent: Extent,
    /// The intensity; its citation has the year.
    pub intensity: Sourced<GridIntensity>,
}

/// A carbon-free share; hourly and annual ones must not be compared.
#[derive(Clone, Debug)]
pub struct CarbonFree {
    /// The share.
    pub share: Sourced<Share>,
    /// Whether supply and demand are matched hour by hour, or only over the year.
    pub hourly: bool,
}

/// A country, state or other area with a series of annual intensities.
#[derive(Clone, Debug)]
pub struct Zone {
    /// ISO 3166 alpha-3 of a country, `US-OH` of a state, the source's name of an aggregate.
    pub code: String,
    /// Its name.
    pub name: String,
    /// country, us-state, cn-province, bidding-zone, aggregate.
    pub kind: String,
}

/// Mean intensity by month and hour of day (UTC) of one year.
#[derive(Clone, Debug)]
pub struct HourlyProfile {
    /// The year.
    pub year: i32,
    /// `[month][hour]`, January and midnight first; `None` where the table has a gap.
    pub intensity: [[Option<GridIntensity>; 24]; 12],
    /// Where it comes from.
    pub citation: Arc<Citation>,
}

impl Region {
    /// The intensity on a basis.
    pub fn grid(&self, basis: GridBasis) -> Option<&Grid> {
        self.grids.iter().find(|grid| grid.basis == basis)
    }
}

impl GridBasis {
    /// Names in tables and scenarios.
    pub const NAMES: &'static [(&'static str, Self)] =
        &[("life-cycle", Self::LifeCycle), ("direct", Self::Direct), ("marginal", Self::Marginal)];

    /// Its name.
    pub fn name(self) -> &'static str {
        super::name_of(Self::NAMES, self)
    }
}

impl Extent {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Grid => "grid zone",
            Self::State => "state",
            Self::Country => "country",
        }
    }
}

impl Catalog {
    /// The place that a provider's region code names; for one's own site, or a provider whose
    /// regions the catalog does not know, a country or state by code or name (`FRA`, `US-OH`,
    /// `Ohio`).
    ///
    /// # Errors
    /// An unknown provider or region, with the nearest that are known.
    pub fn region(&self, provider: &str, region: &str) -> Result<Region> {
        self.known_provider(provider)?;
        let mut places = self.places().iter();
        if let Some(place) = places.find(|p| p.provider == provider && p.region == region) {
            return Ok(self.describe(place));
        }
        if self.places().iter().any(|p| p.provider == provider) {
            let error = Error::input(format!("{provider} has no region `{region}`"));
            return Err(error.suggest(region, self.regions_of(provider)));
        }
        self.generic(region).ok_or_else(|| {
            let error = Error::input(format!("`{region}` is no country or state"));
            let generic = self.places().iter().filter(|p| p.provider == "*");
            let names = generic.flat_map(|p| [p.region.as_str(), p.location.as_str()]);
            error.suggest(region, names).hint("name it as `FRA`, `France`, `US-OH` or `Ohio`")
        })
    }

    /// The codes of a provider's regions; `*` has the countries and states.
    pub fn regions_of<'a>(&'a self, provider: &'a str) -> impl Iterator<Item = &'a str> {
        let places = self.places().iter().filter(move |p| p.provider == provider);
        places.map(|p| p.region.as_str())
    }

    /// Every place, those of providers and the generic ones.
    pub fn regions(&self) -> impl Iterator<Item = Region> {
        self.places().iter().map(|place| self.describe(place))
    }

    /// A country, state or other area by code or name.
    ///
    /// # Errors
    /// An unknown one, with the nearest that are known.
    pub fn zone(&self, name: &str) -> Result<&Zone> {
        let is = |zone: &&Zone| {
            zone.code.eq_ignore_ascii_case(name) || zone.name.eq_ignore_ascii_case(name)
        };
        self.zones().iter().find(is).ok_or_else(|| {
            let names = self.zones().iter().flat_map(|z| [z.code.as_str(), z.name.as_str()]);
            Error::input(format!("the catalog has no grid zone `{name}`")).suggest(name, names)
        })
    }

    /// The annual intensities of a zone by year, as far as they are known.
    pub fn grid_series(&self, zone: &str) -> BTreeMap<i32, Grid> {
        let rows = self.grid_rows().iter().filter(|row| row.zone == zone);
        let rows = rows.filter(|row| self.is_visible(AsOf::year(row.year)));
        rows.filter_map(|row| Some((row.year, row.grid(Extent::Country)?))).collect()
    }

    /// The mean intensity by month and hour of a zone that has such a profile (`GB`).
    pub fn hourly_profile(&self, zone: &str) -> Option<HourlyProfile> {
        let rows: Vec<_> = self.hours().iter().filter(|row| row.zone == zone).collect();
        let year = rows.iter().map(|row| row.year).max()?;
        let mut intensity = [[None; 24]; 12];
        for row in rows.iter().filter(|row| row.year == year) {
            intensity[row.month - 1][row.hour] = Some(row.intensity);
        }
        let citation = Arc::new(Citation {
            row: format!("{}:{zone}/{year}", MonthHour::FILE),
            sources: vec![Arc::clone(&rows.first()?.source)],
            as_of: AsOf::year(year),
        });
        Some(HourlyProfile { year, intensity, citation })
    }

    fn generic(&self, name: &str) -> Option<Region> {
        let is = |p: &&Place| {
            p.provider == "*"
                && (p.region.eq_ignore_ascii_case(name) || p.location.eq_ignore_ascii_case(name))
        };
        self.places().iter().find(is).map(|place| self.describe(place))
    }

    fn describe(&self, place: &Place) -> Region {
        let seen = |citation: &Citation| self.is_visible(citation.as_of);
        let zone = (!place.zone.is_empty()).then(|| place.zone.clone());
        let mut grids: Vec<Grid> =
            place.grids.iter().filter(|g| seen(&g.intensity.citation)).cloned().collect();
        let areas = [(zone.as_deref(), Extent::State), (Some(&*place.country), Extent::Country)];
        for (area, extent) in areas {
            let Some(area) = area else { continue };
            let rows = self.grid_rows().iter().filter(|row| row.zone == area);
            let rows = rows.filter(|row| self.is_visible(AsOf::year(row.year)));
            let newest = rows.filter(|row| row.intensity.is_some()).max_by_key(|row| row.year);
            grids.extend(newest.and_then(|row| row.grid(extent)));
        }
        grids.sort_by_key(|grid| (grid.basis, grid.extent));
        grids.dedup_by_key(|grid| grid.basis);
        let electricity = areas.iter().find_map(|(area, _)| self.electricity((*area)?));
        Region {
            provider: place.provider.clone(),
            code: place.region.clone(),
            location: place.location.clone(),
            country: place.country.clone(),
            zone,
            grids,
            carbon_free: place.carbon_free.clone().filter(|c| seen(&c.share.citation)),
            pue: place.pue.clone().filter(|pue| seen(&pue.citation)),
            pue_of_fleet: place.pue_of_fleet,
            wue: place.wue.clone().filter(|wue| seen(&wue.citation)),
            electricity,
            citation: Arc::clone(&place.citation),
        }
    }

    /// What industry pays for electricity in a state or country: the newest figure.
    pub fn electricity(&self, zone: &str) -> Option<Sourced<EnergyPrice>> {
        let tariffs = self.tariffs().iter().filter(|t| t.zone == zone);
        let tariffs = tariffs.filter(|t| self.is_visible(t.price.citation.as_of));
        tariffs.max_by_key(|t| t.price.citation.as_of).map(|t| t.price.clone())
    }
}

/// A row of `regions/regions.csv`.
#[derive(Clone, Debug)]
pub(super) struct Place {
    provider: String,
    region: String,
    location: String,
    country: String,
    zone: String,
    grids: Vec<Grid>,
    carbon_free: Option<CarbonFree>,
    pue: Option<Sourced<Pue>>,
    pue_of_fleet: bool,
    wue: Option<Sourced<WaterIntensity>>,
    citation: Arc<Citation>,
}

impl Place {
    pub(super) fn provider(&self) -> &str {
        &self.provider
    }
}

impl Row for Place {
    const FILE: &'static str = "regions/regions.csv";
    const TEXT: &'static str = include_str!("../../regions/regions.csv");

    fn read(cells: &Cells<'_>) -> Result<Self> {
        let provider = cells.required("provider")?.to_owned();
        let region = cells.required("region")?.to_owned();
        let location = cells.text("location").to_owned();
        let country = cells.required("country")?.to_owned();
        let zone = cells.text("zone").to_owned();
        let key = format!("{provider}/{region}");
        let cite = |year, column| cells.citation(&key, column, cells.as_of(year)?);
        let grid = cells.number("grid_gco2e_per_kwh")?;
        let basis = cells.one_of("grid_basis", GridBasis::NAMES)?;
        let mut grids = Vec::new();
        if grid.is_some() {
            let citation = cite("grid_year", "grid_source")?;
            let basis = basis.ok_or_else(|| cells.empty("grid_basis"))?;
            let intensity = cells.sourced("grid_gco2e_per_kwh", G_PER_KWH, &citation)?;
            grids.extend(intensity.map(|i| Grid { basis, extent: Extent::Grid, intensity: i }));
        }
        if !cells.text("marginal_gco2_per_kwh").is_empty() {
            let citation = cite("marginal_year", "marginal_source")?;
            let intensity = cells.sourced("marginal_gco2_per_kwh", G_PER_KWH, &citation)?;
            let basis = GridBasis::Marginal;
            grids.extend(intensity.map(|i| Grid { basis, extent: Extent::Grid, intensity: i }));
        }
        let mut carbon_free = None;
        if let Some(share) = cells.number("carbon_free")? {
            let hourly =
                cells.one_of("carbon_free_basis", &[("hourly", true), ("annual", false)])?;
            let value = Share::new(share).map_err(|e| cells.error(e.to_string()))?;
            let citation = cite("carbon_free_year", "carbon_free_source")?;
            carbon_free = Some(CarbonFree {
                share: Sourced { value, citation },
                hourly: hourly.ok_or_else(|| cells.empty("carbon_free_basis"))?,
            });
        }
        let mut pue = None;
        if let Some(value) = cells.number("pue")? {
            let value = Pue::new(value).map_err(|e| cells.error(e.to_string()))?;
            pue = Some(Sourced { value, citation: cite("pue_year", "pue_source")? });
        }
        let fleet = cells.one_of("pue_scope", &[("region", false), ("fleet", true)])?;
        let mut wue = None;
        if let Some(litres) = cells.number("wue_l_per_kwh")? {
            // Zero is a value here: a site cooled by air alone.
            let value = crate::quantity::Measure::from_stored(litres * PER_KWH);
            wue = Some(Sourced { value, citation: cite("wue_year", "wue_source")? });
        }
        let citation = cells.citation(&key, "source", None)?;
        Ok(Self {
            provider,
            region,
            location,
            country,
            zone,
            grids,
            carbon_free,
            pue,
            pue_of_fleet: fleet.unwrap_or(false),
            wue,
            citation,
        })
    }

    fn key(&self) -> String {
        format!("{}/{}", self.provider, self.region)
    }
}

impl Row for Zone {
    const FILE: &'static str = "regions/zones.csv";
    const TEXT: &'static str = include_str!("../../regions/zones.csv");

    fn read(cells: &Cells<'_>) -> Result<Self> {
        Ok(Self {
            code: cells.required("zone")?.to_owned(),
            name: cells.required("name")?.to_owned(),
            kind: cells.required("kind")?.to_owned(),
        })
    }

    fn key(&self) -> String {
        self.code.clone()
    }
}

/// A row of `regions/grid.csv`: one zone, one year.
#[derive(Clone, Debug)]
pub(super) struct GridRow {
    zone: String,
    year: i32,
    intensity: Option<GridIntensity>,
    basis: GridBasis,
    source: Arc<Source>,
}

impl GridRow {
    fn grid(&self, extent: Extent) -> Option<Grid> {
        let citation = Arc::new(Citation {
            row: format!("{}:{}/{}", Self::FILE, self.zone, self.year),
            sources: vec![Arc::clone(&self.source)],
            as_of: AsOf::year(self.year),
        });
        let intensity = Sourced { value: self.intensity?, citation };
        Some(Grid { basis: self.basis, extent, intensity })
    }
}

impl Row for GridRow {
    const FILE: &'static str = "regions/grid.csv";
    const TEXT: &'static str = include_str!("../../regions/grid.csv");

    fn read(cells: &Cells<'_>) -> Result<Self> {
        Ok(Self {
            zone: cells.required("zone")?.to_owned(),
            year: cells.year("year")?,
            intensity: cells.quantity("gco2e_per_kwh", G_PER_KWH)?,
            basis: cells.one_of("basis", GridBasis::NAMES)?.ok_or_else(|| cells.empty("basis"))?,
            source: cells.source("source")?,
        })
    }

    fn key(&self) -> String {
        format!("{}/{}", self.zone, self.year)
    }
}

/// A row of `regions/hourly.csv`.
#[derive(Clone, Debug)]
pub(super) struct MonthHour {
    zone: String,
    year: i32,
    month: usize,
    hour: usize,
    intensity: GridIntensity,
    source: Arc<Source>,
}

impl Row for MonthHour {
    const FILE: &'static str = "regions/hourly.csv";
    const TEXT: &'static str = include_str!("../../regions/hourly.csv");

    fn read(cells: &Cells<'_>) -> Result<Self> {
        let part = |column: &str, range: std::ops::RangeInclusive<u64>| {
            let value = cells.count(column)?.filter(|v| range.contains(v));
            value.map(|v| v as usize).ok_or_else(|| cells.error(format!("no such {column}")))
        };
        Ok(Self {
            zone: cells.required("zone")?.to_owned(),
            year: cells.year("year")?,
            month: part("month", 1..=12)?,
            hour: part("hour", 0..=23)?,
            intensity: cells
                .quantity("gco2e_per_kwh", G_PER_KWH)?
                .ok_or_else(|| cells.empty("gco2e_per_kwh"))?,
            source: cells.source("source")?,
        })
    }

    fn key(&self) -> String {
        format!("{}/{}/{}/{}", self.zone, self.year, self.month, self.hour)
    }
}

/// A row of `regions/electricity.csv`.
#[derive(Clone, Debug)]
pub(super) struct Tariff {
    zone: String,
    price: Sourced<EnergyPrice>,
}

impl Row for Tariff {
    const FILE: &'static str = "regions/electricity.csv";
    const TEXT: &'static str = include_str!("../../regions/electricity.csv");

    fn read(cells: &Cells<'_>) -> Result<Self> {
        let zone = cells.required("zone")?.to_owned();
        let period = cells.as_of("period")?;
        let key = format!("{zone}/{}", cells.required("period")?);
        let citation = cells.citation(&key, "source", period)?;
        let price = cells.sourced("usd_per_kwh", PER_KWH, &citation)?;
        Ok(Self { zone, price: price.ok_or_else(|| cells.empty("usd_per_kwh"))? })
    }

    fn key(&self) -> String {
        self.price.citation.row.rsplit(':').next().unwrap_or_default().to_owned()
    }
}
