//! Carbon intensity hour by hour, as grid operators and services report and forecast it. No such
//! row is embedded: they are fetched, and out of date within days.
//!
//! A signal says its basis (average or marginal, direct or life-cycle); only signals of one basis
//! are compared with each other.

use chrono::{DateTime, Duration, Utc};

use super::Catalog;
use super::region::GridBasis;
use super::source::{AsOf, Sourced, Span};
use super::table::{Cells, Row};
use crate::diagnostic::Result;
use crate::quantity::GridIntensity;

/// The intensity of a grid zone over a stretch of time: a row of `regions/signals.csv`.
#[derive(Clone, Debug)]
pub struct Signal {
    /// The zone as the source names it: `DE`, `CAISO_NORTH`.
    pub zone: String,
    /// The start of the stretch.
    pub at: DateTime<Utc>,
    /// The length of the stretch, 1 to 1,440 minutes.
    pub length: Duration,
    /// Average or marginal, direct or over the life cycle: never to be mixed.
    pub basis: GridBasis,
    /// True for a forecast, false for a measurement.
    pub forecast: bool,
    /// The mean intensity over the stretch, in gCO2e/kWh.
    pub intensity: Sourced<GridIntensity>,
}

/// The names by which services call the grid zone of a region.
#[derive(Clone, Copy, Debug)]
pub struct SignalZones<'a> {
    /// The provider whose region it is.
    pub provider: &'a str,
    /// The provider's code of the region.
    pub region: &'a str,
    /// The zone of Electricity Maps.
    pub electricity_maps: Option<&'a str>,
    /// The region of `WattTime`.
    pub watttime: Option<&'a str>,
}

/// kgCO2e/J of 1 gCO2e/kWh.
const G_PER_KWH: f64 = 1e-3 / 3.6e6;

impl Row for Signal {
    const TABLE: &'static flopcast_data::Csv = &flopcast_data::regions::SIGNALS;

    /// Reads a row; its time is RFC 3339, its length a number of minutes.
    fn read(cells: &Cells<'_>) -> Result<Self> {
        let zone = cells.required("zone")?.to_owned();
        let at = cells.required("at")?;
        let at = DateTime::parse_from_rfc3339(at)
            .map_err(|_| cells.error(format!("`{at}` is not a time such as 2026-11-23T11:00:00Z")))?
            .to_utc();
        let minutes = cells.text("minutes").parse().ok().filter(|m| (1..=1440).contains(m));
        let minutes = minutes.ok_or_else(|| cells.error("`minutes` is not from 1 to 1440"))?;
        let basis = cells.one_of("basis", GridBasis::NAMES)?.ok_or_else(|| cells.empty("basis"))?;
        let forecast = cells.one_of("kind", &[("measured", false), ("forecast", true)])?;
        let row = format!("{zone}/{}/{}", basis.name(), at.format("%FT%TZ"));
        let day = AsOf { start: at.date_naive(), span: Span::Day };
        let citation = cells.citation(&row, "source", Some(day))?;
        let intensity = cells.sourced("gco2e_per_kwh", G_PER_KWH, &citation)?;
        Ok(Self {
            zone,
            at,
            length: Duration::minutes(minutes),
            basis,
            forecast: forecast.ok_or_else(|| cells.empty("kind"))?,
            intensity: intensity.ok_or_else(|| cells.empty("gco2e_per_kwh"))?,
        })
    }

    /// Zone, basis and time: a measured value and a forecast of one hour replace one another.
    fn key(&self) -> String {
        self.intensity.citation.row.clone()
    }
}

impl Catalog {
    /// The fetched intensities of a zone on one basis, oldest first. The zone is named as the
    /// source names it (`electricity_maps_zone` or `watttime_region` of `regions/regions.csv`).
    pub fn signals(&self, zone: &str, basis: GridBasis) -> Vec<&Signal> {
        let rows = self.signal_rows().of(zone).filter(|row| row.basis == basis);
        let seen = rows.filter(|row| self.is_visible(row.intensity.citation.as_of));
        let mut signals: Vec<_> = seen.collect();
        signals.sort_by_key(|row| row.at);
        signals
    }

    /// Every region with the names that Electricity Maps and `WattTime` have for its zone, if they
    /// have one.
    pub fn signal_zones(&self) -> impl Iterator<Item = SignalZones<'_>> {
        self.places().iter().map(|place| SignalZones {
            provider: &place.provider,
            region: &place.region,
            electricity_maps: Some(place.electricity_maps.as_str()).filter(|z| !z.is_empty()),
            watttime: Some(place.watttime.as_str()).filter(|z| !z.is_empty()),
        })
    }
}
