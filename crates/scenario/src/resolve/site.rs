//! Power, grid, water and embodied carbon of devices at a place.
//!
//! Each figure is the scenario's own, else the one that is published for the region, else unknown
//! with a sentence that says what to give. Only the PUE has a default beside these: the average of
//! surveyed data centres.

use chrono::{Datelike, NaiveDate};
use flopcast_core::catalog::{Accelerator, Catalog, Extent, GridBasis, Region};
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::ledger::plan::{Contracts, Scope, Site, StartWindow, Stated, Vintage};
use flopcast_core::provenance::{Input, Unknown};
use flopcast_core::quantity::system::time::day;
use flopcast_core::quantity::{GridIntensity, Pue, Share, Time};

use super::super::file::{Hardware, Placement};
use super::embodied::embodied;
use super::power::power;
use super::{Notes, default, placement};

/// The site of a stage's devices; the grid is that of the year in which the stage starts.
///
/// # Errors
/// If the region is unknown, contracts cover more than there is, or the start window has no start.
pub(super) fn site(
    catalog: &Catalog,
    place: &Placement,
    hardware: &Hardware,
    device: &Accelerator,
    stage: &str,
    notes: &mut Notes,
) -> Result<Site> {
    let start = place.start.as_ref().map(|start| start.value);
    let region = placement::region(catalog, place, start.map(|start| start.year()))?;
    // The scenario's own path: `placement.pue`, `inference.placement.pue`.
    let section = if stage == "training" { "placement" } else { "inference.placement" };
    let at = Local { catalog, place, region: region.as_ref(), section };
    let basis = place.grid_basis.unwrap_or_default().into();
    let grid = at.grid(basis, notes);
    let wue = match &place.wue {
        Some(given) => Ok(given.input(&at.name("wue"))),
        None => at.published("the water use on site", |r| {
            r.wue.as_ref().map(|w| w.input(at.name("wue")))
        }),
    };
    let grid_water = match &place.grid_water {
        Some(given) => Ok(given.input(&at.name("grid_water"))),
        None => at.published("the water that its electricity consumes", |region| {
            Some(region.grid_water.as_ref()?.input(format!(
                "{}, {}",
                at.name("grid_water"),
                region.country
            )))
        }),
    };
    Ok(Site {
        power: power(catalog, hardware, device, stage, notes)?,
        pue: at.pue(&device.id)?,
        upstream: (basis == GridBasis::Direct).then(|| match &place.upstream {
            Some(given) => Ok(given.input(&at.name("upstream"))),
            None => Err(Unknown {
                why: format!(
                    "the grid's intensity is direct combustion alone; {} gives the upstream of \
                     fuels and plants",
                    at.name("upstream")
                ),
            }),
        }),
        marginal: at.marginal(),
        contracts: at.contracts(&grid, start, notes)?,
        scope: scope(place),
        basis,
        vintage: at.vintage(basis, start),
        grid,
        wue,
        grid_water,
        embodied: embodied(catalog, place.embodied.as_ref(), device, section)?,
        start_window: at.start_window(start)?,
    })
}

/// The scope of the electricity under the GHG Protocol: 2 for owned devices, 3 for rented ones,
/// `None` where nobody says which they are.
fn scope(place: &Placement) -> Option<Scope> {
    match (&place.provider, &place.purchase) {
        (Some(provider), _) if provider.value == "owned" => Some(Scope::Two),
        (None, _) if place.owned.is_some() => Some(Scope::Two),
        (Some(_), _) | (None, Some(_)) => Some(Scope::Three),
        (None, None) => None,
    }
}

/// A placement with the catalog's facts about its region.
struct Local<'a> {
    catalog: &'a Catalog,
    place: &'a Placement,
    region: Option<&'a Region>,
    section: &'static str,
}

impl Local<'_> {
    /// The scenario's own path of a key: `placement.pue`.
    fn name(&self, key: &str) -> String {
        format!("{}.{key}", self.section)
    }

    /// A figure of the region's row, or the reason why it is unknown.
    fn published<T>(
        &self,
        what: &str,
        read: impl FnOnce(&Region) -> Option<T>,
    ) -> Result<T, Unknown> {
        let why = match self.region {
            None => format!("{what} is unknown: the scenario names neither a region nor a value"),
            Some(region) => match read(region) {
                Some(found) => return Ok(found),
                None => format!("{what} is not published for {}", region.code),
            },
        };
        Err(Unknown { why })
    }

    /// The carbon intensity on a basis: as given, or that of the region; its year is noted.
    fn grid(&self, basis: GridBasis, notes: &mut Notes) -> Stated<GridIntensity> {
        if let Some(given) = &self.place.grid {
            return Ok(given.input(&self.name("grid")));
        }
        let what = match basis {
            GridBasis::LifeCycle => "the grid's life-cycle carbon intensity",
            GridBasis::Direct => "the grid's direct carbon intensity",
            GridBasis::Marginal => "the grid's marginal carbon intensity",
        };
        self.published(what, |region| {
            let grid = region.grid(basis)?;
            let mut states = region.grids.iter().filter(|it| it.extent == Extent::State);
            if let Some(own) = states.next().filter(|_| grid.extent == Extent::Country)
                && region.zone.as_ref() == Some(&region.code)
            {
                notes.warn(format!(
                    "{}: no {} intensity of its own is published, so that of {} is taken; \
                     grid_basis: {} tells states apart",
                    region.code,
                    basis.name(),
                    region.country,
                    own.basis.name()
                ));
            }
            let date = grid.intensity.citation.as_of.map(|as_of| as_of.start);
            notes.grid_as_of = notes.grid_as_of.max(date);
            let year = date.map(|date| format!(", {}", date.year())).unwrap_or_default();
            Some(grid.intensity.input(format!(
                "{}, {}, {} of {}{year}",
                self.name("grid"),
                basis.name(),
                grid.extent.name(),
                region.code
            )))
        })
    }

    /// The years of the grid's figure; none where the scenario gives it, or it is of no year.
    fn vintage(&self, basis: GridBasis, start: Option<NaiveDate>) -> Option<Vintage> {
        if self.place.grid.is_some() {
            return None;
        }
        let of = self.region?.grid(basis)?.intensity.citation.as_of?.start.year();
        Some(Vintage { of, used: start.map(|start| start.year()) })
    }

    /// The marginal intensity: as given, or that of the region; `None` where neither is known.
    fn marginal(&self) -> Option<Input<GridIntensity>> {
        let name = self.name("marginal");
        match (&self.place.marginal, self.region) {
            (Some(given), _) => Some(given.input(&name)),
            (None, Some(region)) => Some(region.grid(GridBasis::Marginal)?.intensity.input(name)),
            (None, None) => None,
        }
    }

    /// The electricity as it is bought: what contracts cover, and the intensity of the rest. That is
    /// as given, or the residual mix that is published for the state or country. Where contracts
    /// are named and neither is known, the grid's average stands in, as the GHG Protocol's Scope 2
    /// Guidance allows, with a warning.
    ///
    /// # Errors
    /// If contracts cover more than all of the electricity.
    fn contracts(
        &self,
        grid: &Stated<GridIntensity>,
        start: Option<NaiveDate>,
        notes: &mut Notes,
    ) -> Result<Result<Contracts, Unknown>> {
        let published = self.region.and_then(|region| region.residual.as_ref());
        let none = super::super::environment::Contracts::default();
        let given = self.place.contracts.as_ref().unwrap_or(&none);
        let covered = self.covered(given, start, notes)?;
        let name = self.name("contracts.residual_mix");
        if let Some(residual) = &given.residual_mix {
            return Ok(Ok(Contracts { covered, residual: residual.input(&name) }));
        }
        if let Some(mix) = published {
            let name = format!("{name}, direct, {}, {}", mix.zone, mix.year);
            return Ok(Ok(Contracts { covered, residual: mix.intensity.input(name) }));
        }
        if given.carbon_free.is_none() && given.certificates.is_none() {
            let place = self.region.map_or("the place", |region| &region.code);
            return Ok(Err(Unknown {
                why: format!(
                    "market-based CO2e needs contracts or a residual mix; the scenario names none, \
                     and none is published for {place}"
                ),
            }));
        }
        Ok(grid.clone().map(|grid| {
            notes.warnings.push(format!(
                "{} names no residual_mix: the grid's average stands in, which is too low where \
                 others have claimed its carbon-free part",
                self.name("contracts")
            ));
            Contracts { covered, residual: grid }
        }))
    }

    /// The parts of the electricity that contracts cover. Certificates that miss a quality criterion
    /// of the GHG Protocol (vintage, market) cover nothing, with a warning.
    ///
    /// # Errors
    /// If they cover more than all of the electricity.
    fn covered(
        &self,
        given: &super::super::environment::Contracts,
        start: Option<NaiveDate>,
        notes: &mut Notes,
    ) -> Result<Vec<Input<Share>>> {
        let missed = given.certificates.as_ref().and_then(|_| self.missed(given, start));
        let certificates = given.certificates.as_ref().filter(|_| missed.is_none());
        let shares = [("carbon_free", given.carbon_free.as_ref()), ("certificates", certificates)];
        notes.warnings.extend(missed.map(|why| {
            let name = self.name("contracts.certificates");
            format!("{name} do not count in the market-based view: {why}")
        }));
        let mut covered = Vec::new();
        for (key, share) in shares {
            let Some(share) = share else { continue };
            covered.push(share.input(&self.name(&format!("contracts.{key}"))));
            let total: f64 = covered.iter().map(|share| share.value.get()).sum();
            if total > 1.0 + 1e-9 {
                return Err(share
                    .refuse(format!(
                        "contracts cover {:.0} % of the electricity, more than there is",
                        100.0 * total
                    ))
                    .hint("what an agreement covers is not covered by certificates again"));
            }
        }
        Ok(covered)
    }

    /// The quality criterion of the GHG Protocol's Scope 2 Guidance that the certificates miss, as
    /// far as the scenario says of what year and market they are.
    fn missed(
        &self,
        given: &super::super::environment::Contracts,
        start: Option<NaiveDate>,
    ) -> Option<String> {
        let used = start.map(|start| start.year());
        if let Some((vintage, used)) = given.vintage.as_ref().zip(used)
            && vintage.value.abs_diff(used) > 1
        {
            return Some(format!(
                "their vintage is {}, the electricity is used in {used}",
                vintage.value
            ));
        }
        let (market, region) = (given.market.as_ref()?, self.region?);
        let zone = region.zone.as_deref().unwrap_or(&region.country);
        (!self.catalog.one_market(&market.value, zone)).then(|| {
            format!("they are of the market of {}, which is not that of {zone}", market.value)
        })
    }

    /// The PUE: as given, that of the region, that of a device which stands in no data centre, or
    /// the average of surveyed data centres.
    fn pue(&self, device: &str) -> Result<Stated<Pue>> {
        let name = self.name("pue");
        if let Some(given) = &self.place.pue {
            return Ok(Ok(given.input(&name)));
        }
        if let Some(pue) = self.region.and_then(|region| region.pue.as_ref()) {
            return Ok(Ok(pue.input(&name)));
        }
        let own = format!("pue.{device}");
        if self.place.provider.is_none() && self.catalog.has_default(&own) {
            let why = "the device stands in no data centre";
            return default(self.catalog, &name, &own, why).map(Ok);
        }
        let why = "the region publishes none; the average of surveyed data centres";
        default(self.catalog, &name, "pue.industry", why).map(Ok)
    }

    /// The window in which the run may start, where the scenario asks for one.
    ///
    /// # Errors
    /// If it is shorter than an hour or longer than a year, or the run has no planned start.
    fn start_window(&self, start: Option<NaiveDate>) -> Result<Option<StartWindow>> {
        let Some(given) = &self.place.start_window else { return Ok(None) };
        let within = given.spread.central();
        if !(1.0 / 24.0..=366.0).contains(&within.get::<day>()) {
            return Err(given.refuse("a start window is from one hour to a year long"));
        }
        if start.is_none() {
            return Err(Error::input("a start window needs the day that it opens")
                .at(Some(&given.place))
                .hint(format!("add {}: 2026-12-01", self.name("start"))));
        }
        let profile = self.published("the grid's intensity by the hour", |region| {
            let zones = region.zone.iter().chain([&region.country]);
            zones.into_iter().find_map(|zone| self.catalog.hourly_profile(zone))
        });
        Ok(Some(StartWindow { within: Time::new::<day>(within.get::<day>()), profile }))
    }
}

#[cfg(test)]
mod tests {
    use flopcast_import::document;

    use super::*;
    use crate::reader;

    #[test]
    fn the_scope_follows_from_who_owns_the_devices() {
        for (placement, expected) in [
            ("{region: FRA}", None),
            ("{provider: aws, region: us-east-2}", Some(Scope::Three)),
            ("{purchase: {price: 2 USD/device-h}}", Some(Scope::Three)),
            ("{provider: owned, region: FRA}", Some(Scope::Two)),
            ("{owned: {chip: 25000 USD/device}, region: FRA}", Some(Scope::Two)),
        ] {
            let node = document::parse("s.yaml", placement.as_bytes()).unwrap();
            let place: Placement = reader::read(&node).unwrap();
            assert_eq!(scope(&place), expected, "{placement}");
        }
    }
}
