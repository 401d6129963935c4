//! Places: the grid, efficiency, water and electricity price of a cloud region, a country, a
//! state.
//!
//! An intensity is looked for per basis (life-cycle, direct, marginal): the region's own figure
//! first, then its state's, then its country's. Bases are never mixed, because a life-cycle figure
//! counts emissions that a direct one leaves out, and a marginal one is the emissions of one more
//! kWh, not a mean.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Catalog;
use super::place::{MonthHours, Place};
use super::source::{AsOf, Citation, Sourced};
use super::table::Row;
use crate::diagnostic::{Error, Result};
use crate::quantity::{EnergyPrice, GridIntensity, Pue, Share, WaterIntensity};

/// The provider names that mean "my own site", whose region is a country or a state.
pub(super) const OWNED: &[&str] = &["owned"];

/// A place where devices run, with everything the catalog knows about it as of its date.
#[derive(Clone, Debug)]
pub struct Region {
    /// The provider whose region it is; `*` for a country or state as such.
    pub provider: String,
    /// The provider's code, or that of the country or state.
    pub code: String,
    /// The location in words; may be empty.
    pub location: String,
    /// Country, ISO 3166 alpha-3.
    pub country: String,
    /// State or other grid zone within the country, where known: `US-OH`.
    pub zone: Option<String>,
    /// Annual average intensities and, where known, the marginal one: at most one per basis.
    pub grids: Vec<Grid>,
    /// Carbon-free share of the electricity, as the provider states it.
    pub carbon_free: Option<CarbonFree>,
    /// Power usage effectiveness, facility energy / IT energy; `None` if none is published.
    pub pue: Option<Sourced<Pue>>,
    /// True if the PUE is that of the provider's whole fleet.
    pub pue_of_fleet: bool,
    /// Water usage effectiveness: litres of water on site per kWh of IT energy.
    pub wue: Option<Sourced<WaterIntensity>>,
    /// Litres of water that generating a kWh consumes in the country.
    pub grid_water: Option<Sourced<WaterIntensity>>,
    /// What a kWh emits that nobody has claimed, where that is published.
    pub residual: Option<ResidualMix>,
    /// The price of electricity for industry (or all non-household use, as the source has it) in
    /// the state or country, in USD/kWh.
    pub electricity: Option<Sourced<EnergyPrice>>,
    /// The publications that describe the place.
    pub citation: Arc<Citation>,
}

/// The residual mix: the emissions of the electricity of a zone and year that is left when what
/// certificates and contracts claim is taken out (GHG Protocol, Scope 2 Guidance, chapter 6). It
/// counts what plants emit (direct), without the upstream of fuels.
#[derive(Clone, Debug, PartialEq)]
pub struct ResidualMix {
    /// Country, ISO 3166 alpha-3, or state.
    pub zone: String,
    /// The year of the mix, its vintage.
    pub year: i32,
    /// The area in which certificates are traded, or the part of it that the mix is of.
    pub market: String,
    /// The intensity.
    pub intensity: Sourced<GridIntensity>,
}

/// The emissions that an intensity counts. Figures of different bases must not be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GridBasis {
    /// Annual average with the upstream of fuels and plants. Every region has it.
    LifeCycle,
    /// Annual average of the emissions of the plants themselves.
    Direct,
    /// The emissions that one more kWh causes.
    Marginal,
}

/// The area whose average an intensity is, nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// The grid zone that serves the region.
    Grid,
    /// The state or province.
    State,
    /// The country.
    Country,
}

/// A carbon intensity with its basis and its area.
#[derive(Clone, Debug)]
pub struct Grid {
    /// The emissions that it counts.
    pub basis: GridBasis,
    /// The area whose average it is.
    pub extent: Extent,
    /// The intensity in gCO2e/kWh; its citation has the year.
    pub intensity: Sourced<GridIntensity>,
}

/// A carbon-free share; hourly and annual ones must not be compared.
#[derive(Clone, Debug)]
pub struct CarbonFree {
    /// The share, 0 to 1.
    pub share: Sourced<Share>,
    /// True if supply and demand are matched hour by hour, false if only over the year.
    pub hourly: bool,
}

/// A country, state or other area with a series of annual intensities.
#[derive(Clone, Debug)]
pub struct Zone {
    /// ISO 3166 alpha-3 of a country, `US-OH` of a state, the source's name of an aggregate.
    pub code: String,
    /// Its name.
    pub name: String,
    /// The kind of area: country, us-state, cn-province, bidding-zone or aggregate.
    pub kind: String,
}

/// Mean intensity by month and hour of day (UTC) of one year, on the life-cycle basis.
#[derive(Clone, Debug)]
pub struct HourlyProfile {
    /// The year.
    pub year: i32,
    /// `[month][hour]`, January and midnight first; `None` where the table has a gap.
    pub intensity: [[Option<GridIntensity>; 24]; 12],
    /// The publication that it comes from.
    pub citation: Arc<Citation>,
}

impl Region {
    /// The intensity on a basis; at most one is known.
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
    /// The place that a provider's region code names. For one's own site, or a provider whose
    /// regions the catalog does not know, it is a country or state by code or name (`FRA`, `US-OH`,
    /// `Ohio`).
    ///
    /// # Errors
    /// If the provider or region is unknown, with the nearest that are known.
    pub fn region(&self, provider: &str, region: &str) -> Result<Region> {
        self.region_in(provider, region, None)
    }

    /// [`Catalog::region`] as its grid was in a year. Each series gives its latest figure up to
    /// that year, or its earliest if the series begins later.
    ///
    /// # Errors
    /// As [`Catalog::region`].
    pub fn region_in(&self, provider: &str, region: &str, year: Option<i32>) -> Result<Region> {
        self.known_provider(provider)?;
        if let Some(place) = self.places().find(provider, region, |p| &p.region, |_| false) {
            return Ok(self.describe(place, year));
        }
        if self.places().has(provider) {
            let error = Error::input(format!("{provider} has no region `{region}`"));
            let meant = self.regions_meant(provider, region);
            let error = match meant.as_slice() {
                [] => error.suggest(region, self.regions_of(provider)),
                meant => error.hint(format!("it may be {}", meant.join(", "))),
            };
            let all: Vec<&str> = self.regions_of(provider).collect();
            return Err(error.hint(format!("{provider} has {}", all.join(", "))));
        }
        let place = self.generic(region).map(|place| self.describe(place, year));
        place.ok_or_else(|| {
            let error = Error::input(format!("`{region}` is no country or state"));
            let names =
                self.places().of("*").flat_map(|p| [p.region.as_str(), p.location.as_str()]);
            // A short name is near to many.
            let near = |name: &&str| {
                let [one, other] = [region, name].map(str::to_lowercase);
                let edits = strsim::damerau_levenshtein(&one, &other);
                edits <= (one.len() / 4).max(1) || one.len() > 3 && other.contains(&one)
            };
            let error = match Self::country_of_province(region) {
                Some(country) => error.hint(format!(
                    "the catalog has no grid of it alone, but that of its country: `{country}`"
                )),
                None => error.suggest(region, names.filter(near)),
            };
            error.hint("name it as `FRA`, `France`, `US-OH` or `Ohio`")
        })
    }

    /// The codes of a provider's regions; `*` has the countries and states.
    pub fn regions_of(&self, provider: &str) -> impl Iterator<Item = &str> {
        self.places().of(provider).map(|p| p.region.as_str())
    }

    /// Every place, those of providers and the generic ones.
    pub fn regions(&self) -> impl Iterator<Item = Region> {
        self.places().iter().map(|place| self.describe(place, None))
    }

    /// A country, state or other area by code or name.
    ///
    /// # Errors
    /// If the zone is unknown, with the nearest that are known.
    pub fn zone(&self, name: &str) -> Result<&Zone> {
        let is = |zone: &&Zone| {
            zone.code.eq_ignore_ascii_case(name) || zone.name.eq_ignore_ascii_case(name)
        };
        self.zones().find(is).ok_or_else(|| {
            let names = self.zones().flat_map(|z| [z.code.as_str(), z.name.as_str()]);
            Error::input(format!("the catalog has no grid zone `{name}`")).suggest(name, names)
        })
    }

    /// The annual intensities of a zone by year, as far as they are known.
    pub fn grid_series(&self, zone: &str) -> BTreeMap<i32, Grid> {
        let rows = self.grid_rows().of(zone);
        let rows = rows.filter(|row| self.is_visible(AsOf::year(row.year)));
        rows.filter_map(|row| Some((row.year, row.grid(Extent::Country)?))).collect()
    }

    /// The mean intensity by month and hour of a country or zone that has such a profile (`GBR`),
    /// in the latest year that the table has and the catalog's date lets it see.
    pub fn hourly_profile(&self, zone: &str) -> Option<HourlyProfile> {
        let rows: Vec<&MonthHours> = self.hours().of(zone).collect();
        let years = rows.iter().map(|row| row.year);
        let year = years.filter(|year| self.is_visible(AsOf::year(*year))).max()?;
        let mut intensity = [[None; 24]; 12];
        for row in rows.iter().filter(|row| row.year == year) {
            intensity[row.month - 1] = row.intensity;
        }
        let citation = Arc::new(Citation {
            row: format!("{}:{zone}/{year}", MonthHours::FILE),
            sources: vec![Arc::clone(&rows.first()?.source)],
            as_of: AsOf::year(year),
        });
        Some(HourlyProfile { year, intensity, citation })
    }

    /// The country or state that a code or name names; capitals do not matter.
    pub(super) fn generic(&self, name: &str) -> Option<&Place> {
        let is = |p: &Place| {
            p.region.eq_ignore_ascii_case(name) || p.location.eq_ignore_ascii_case(name)
        };
        self.places().find("*", name, |p| &p.region, is)
    }

    /// Everything that is known about a place: its own grid figures first, then those of its state,
    /// then those of its country, one per basis.
    fn describe(&self, place: &Place, year: Option<i32>) -> Region {
        let seen = |citation: &Citation| self.is_visible(citation.as_of);
        let zone = (!place.zone.is_empty()).then(|| place.zone.clone());
        let mut grids: Vec<Grid> =
            place.grids.iter().filter(|g| seen(&g.intensity.citation)).cloned().collect();
        let areas = [(zone.as_deref(), Extent::State), (Some(&*place.country), Extent::Country)];
        for (area, extent) in areas {
            let Some(area) = area else { continue };
            let rows = self.grid_rows().of(area);
            let rows = rows.filter(|row| self.is_visible(AsOf::year(row.year)));
            let known = rows.filter(|row| row.intensity.is_some());
            // Years up to the one that is meant, latest first, then later ones, earliest first.
            let meant = year.unwrap_or(i32::MAX);
            let best = known.min_by_key(|row| (row.year > meant, meant.abs_diff(row.year)));
            grids.extend(best.and_then(|row| row.grid(extent)));
        }
        grids.sort_by_key(|grid| (grid.basis, grid.extent));
        grids.dedup_by_key(|grid| grid.basis);
        let residual = areas.iter().find_map(|(area, _)| self.residual_mix((*area)?, year));
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
            grid_water: self.grid_water().of(&place.country).next().map(|w| w.intensity.clone()),
            residual,
            electricity,
            citation: Arc::clone(&place.citation),
        }
    }

    /// The residual mix of a state or country in a year, or in the nearest before it that is
    /// published, or after.
    pub fn residual_mix(&self, zone: &str, year: Option<i32>) -> Option<ResidualMix> {
        let rows = self.residual_rows().of(zone);
        let rows = rows.filter(|row| self.is_visible(row.intensity.citation.as_of));
        let meant = year.unwrap_or(i32::MAX);
        rows.min_by_key(|row| (row.year > meant, meant.abs_diff(row.year))).cloned()
    }

    /// True if certificates of one zone cover use in the other: the zones are one, or lie in an
    /// area that trades them (the members of the AIB; the United States).
    pub fn one_market(&self, zone: &str, other: &str) -> bool {
        let area = |zone: &str| match zone.split_once('-') {
            Some((country, _)) => Some(country.to_owned()),
            None if zone == "USA" => Some("US".to_owned()),
            None => self.residual_rows().of(zone).last().map(|mix| mix.market.clone()),
        };
        zone == other || area(zone).zip(area(other)).is_some_and(|(one, other)| one == other)
    }

    /// The newest price of electricity for industry in a state or country.
    pub fn electricity(&self, zone: &str) -> Option<Sourced<EnergyPrice>> {
        let tariffs = self.tariffs().of(zone);
        let tariffs = tariffs.filter(|t| self.is_visible(t.price.citation.as_of));
        tariffs.max_by_key(|t| t.price.citation.as_of).map(|t| t.price.clone())
    }
}
