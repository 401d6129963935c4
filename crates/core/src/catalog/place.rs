//! The rows of the tables in `regions/`, from which [`super::region`] describes a place.
//!
//! Each row type reads one table. Intensities are stored in kgCO2e/J (1 gCO2e/kWh = 1e-3 / 3.6e6),
//! water in L/J, electricity in USD/J. A figure without a source is an error of the table.

use std::sync::Arc;

use super::region::{CarbonFree, Extent, Grid, GridBasis, ResidualMix, Zone};
use super::source::{AsOf, Citation, Source, Sourced};
use super::table::{Cells, Row};
use crate::diagnostic::Result;
use crate::quantity::{EnergyPrice, GridIntensity, Measure, Pue, Share, WaterIntensity};

/// kgCO2e/J of 1 gCO2e/kWh.
const G_PER_KWH: f64 = 1e-3 / 3.6e6;
/// L/J or USD/J of 1 L/kWh or 1 USD/kWh.
const PER_KWH: f64 = 1.0 / 3.6e6;

/// A row of `regions/regions.csv`: a provider's region or, with provider `*`, a country or state.
///
/// Units of the cells: grid and marginal intensity gCO2e/kWh, WUE L/kWh of IT energy; carbon-free
/// share and PUE are ratios.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The provider; `*` for a country or state.
    pub provider: String,
    /// The provider's code of the region.
    pub region: String,
    /// The location in words; may be empty.
    pub location: String,
    /// Country, ISO 3166 alpha-3.
    pub country: String,
    /// State or other grid zone; empty if none is known.
    pub zone: String,
    /// The zone's name at Electricity Maps; empty if it has none.
    pub electricity_maps: String,
    /// The region's name at `WattTime`; empty if it has none.
    pub watttime: String,
    /// Intensities that the row itself has: the annual average on its basis, and the marginal one.
    pub grids: Vec<Grid>,
    /// The carbon-free share, hourly or annual.
    pub carbon_free: Option<CarbonFree>,
    /// Facility energy / IT energy.
    pub pue: Option<Sourced<Pue>>,
    /// True if the PUE is that of the provider's whole fleet.
    pub pue_of_fleet: bool,
    /// Litres on site per kWh of IT energy, stored as L/J.
    pub wue: Option<Sourced<WaterIntensity>>,
    /// The publications that describe the place.
    pub citation: Arc<Citation>,
}

impl Row for Place {
    const TABLE: &'static flopcast_data::Csv = &flopcast_data::regions::REGIONS;

    /// Reads a row. A figure needs its source; an intensity needs its basis, and a carbon-free
    /// share says whether it is hourly or annual.
    fn read(cells: &Cells<'_>) -> Result<Self> {
        let provider = cells.required("provider")?.to_owned();
        let region = cells.required("region")?.to_owned();
        let location = cells.text("location").to_owned();
        let country = cells.required("country")?.to_owned();
        let zone = cells.text("zone").to_owned();
        let electricity_maps = cells.text("electricity_maps_zone").to_owned();
        let watttime = cells.text("watttime_region").to_owned();
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
            let value = WaterIntensity::from_stored(litres * PER_KWH);
            wue = Some(Sourced { value, citation: cite("wue_year", "wue_source")? });
        }
        let citation = cells.citation(&key, "source", None)?;
        Ok(Self {
            provider,
            region,
            location,
            country,
            zone,
            electricity_maps,
            watttime,
            grids,
            carbon_free,
            pue,
            pue_of_fleet: fleet.unwrap_or(false),
            wue,
            citation,
        })
    }

    /// Provider and region.
    fn key(&self) -> String {
        format!("{}/{}", self.provider, self.region)
    }
}

impl Row for Zone {
    const TABLE: &'static flopcast_data::Csv = &flopcast_data::regions::ZONES;

    /// Reads a row; code, name and kind are required.
    fn read(cells: &Cells<'_>) -> Result<Self> {
        Ok(Self {
            code: cells.required("zone")?.to_owned(),
            name: cells.required("name")?.to_owned(),
            kind: cells.required("kind")?.to_owned(),
        })
    }

    /// The zone's code.
    fn key(&self) -> String {
        self.code.clone()
    }
}

/// A row of `regions/grid.csv`: the mean intensity of one zone in one year, in gCO2e/kWh.
#[derive(Clone, Debug)]
pub(super) struct GridRow {
    /// Country or state.
    pub zone: String,
    /// The year of the mean.
    pub year: i32,
    /// Annual mean, stored as kgCO2e/J; `None` for a year without a figure.
    pub intensity: Option<GridIntensity>,
    /// The emissions that it counts.
    pub basis: GridBasis,
    /// The one publication of the series.
    pub source: Arc<Source>,
}

impl GridRow {
    /// The row as an intensity of an area of this extent, cited by zone and year.
    pub(super) fn grid(&self, extent: Extent) -> Option<Grid> {
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
    const TABLE: &'static flopcast_data::Csv = &flopcast_data::regions::GRID;

    /// Reads a row; a year without a figure is a gap.
    fn read(cells: &Cells<'_>) -> Result<Self> {
        Ok(Self {
            zone: cells.required("zone")?.to_owned(),
            year: cells.year("year")?,
            intensity: cells.quantity("gco2e_per_kwh", G_PER_KWH)?,
            basis: cells.one_of("basis", GridBasis::NAMES)?.ok_or_else(|| cells.empty("basis"))?,
            source: cells.source("source")?,
        })
    }

    /// Zone and year.
    fn key(&self) -> String {
        format!("{}/{}", self.zone, self.year)
    }
}

/// A row of `regions/hourly.csv`: the mean intensities of the hours of the day (UTC, columns `h00` to
/// `h23`) in one month (1 to 12), in gCO2e/kWh.
#[derive(Clone, Debug)]
pub(super) struct MonthHours {
    /// Country or zone.
    pub zone: String,
    /// The year of the profile.
    pub year: i32,
    /// Month, 1 to 12.
    pub month: usize,
    /// Mean of each hour over the month, stored as kgCO2e/J; `None` where the cell is empty.
    pub intensity: [Option<GridIntensity>; 24],
    /// The one publication of the profile.
    pub source: Arc<Source>,
}

impl Row for MonthHours {
    const TABLE: &'static flopcast_data::Csv = &flopcast_data::regions::HOURLY;

    /// Reads a row; a month outside 1 to 12 is an error.
    fn read(cells: &Cells<'_>) -> Result<Self> {
        let month = cells.count("month")?.filter(|month| (1..=12).contains(month));
        let mut intensity = [None; 24];
        for (hour, mean) in intensity.iter_mut().enumerate() {
            *mean = cells.quantity(&format!("h{hour:02}"), G_PER_KWH)?;
        }
        Ok(Self {
            zone: cells.required("zone")?.to_owned(),
            year: cells.year("year")?,
            month: month.ok_or_else(|| cells.error("no such month"))? as usize,
            intensity,
            source: cells.source("source")?,
        })
    }

    /// Zone, year and month.
    fn key(&self) -> String {
        format!("{}/{}/{}", self.zone, self.year, self.month)
    }
}

impl Row for ResidualMix {
    const TABLE: &'static flopcast_data::Csv = &flopcast_data::regions::RESIDUAL;

    /// Reads a row; all of it is required.
    fn read(cells: &Cells<'_>) -> Result<Self> {
        let zone = cells.required("zone")?.to_owned();
        let year = cells.year("year")?;
        let citation = cells.citation(&format!("{zone}/{year}"), "source", AsOf::year(year))?;
        let intensity = cells.sourced("g_per_kwh", G_PER_KWH, &citation)?;
        Ok(Self {
            market: cells.required("market")?.to_owned(),
            intensity: intensity.ok_or_else(|| cells.empty("g_per_kwh"))?,
            zone,
            year,
        })
    }

    /// Zone and year.
    fn key(&self) -> String {
        format!("{}/{}", self.zone, self.year)
    }
}

/// A row of `regions/water.csv`: the water in L that generating a kWh consumes.
#[derive(Clone, Debug)]
pub(super) struct GridWater {
    /// Country.
    pub zone: String,
    /// Litres consumed per kWh generated, stored as L/J.
    pub intensity: Sourced<WaterIntensity>,
}

impl Row for GridWater {
    const TABLE: &'static flopcast_data::Csv = &flopcast_data::regions::WATER;

    /// Reads a row; the figure is required.
    fn read(cells: &Cells<'_>) -> Result<Self> {
        let zone = cells.required("zone")?.to_owned();
        let citation = cells.citation(&zone, "source", None)?;
        let intensity = cells.sourced("l_per_kwh", PER_KWH, &citation)?;
        Ok(Self { intensity: intensity.ok_or_else(|| cells.empty("l_per_kwh"))?, zone })
    }

    /// The country.
    fn key(&self) -> String {
        self.zone.clone()
    }
}

/// A row of `regions/electricity.csv`: the price of electricity for industry (or all non-household
/// use) in a zone and period, in USD/kWh.
#[derive(Clone, Debug)]
pub(super) struct Tariff {
    /// The price, stored as USD/J; its citation has the period.
    pub price: Sourced<EnergyPrice>,
}

impl Row for Tariff {
    const TABLE: &'static flopcast_data::Csv = &flopcast_data::regions::ELECTRICITY;

    /// Reads a row; the period (a month or a year) and the price are required.
    fn read(cells: &Cells<'_>) -> Result<Self> {
        let zone = cells.required("zone")?.to_owned();
        let period = cells.as_of("period")?;
        let key = format!("{zone}/{}", cells.required("period")?);
        let citation = cells.citation(&key, "source", period)?;
        let price = cells.sourced("usd_per_kwh", PER_KWH, &citation)?;
        Ok(Self { price: price.ok_or_else(|| cells.empty("usd_per_kwh"))? })
    }

    /// Zone and period, as the citation has them.
    fn key(&self) -> String {
        self.price.citation.row.rsplit(':').next().unwrap_or_default().to_owned()
    }
}
