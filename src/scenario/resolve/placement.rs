//! Where something runs: rent, power, grid, water.

use super::super::file::{Hardware, Placement};
use super::super::plan::{PowerModel, Site, Stated};
use super::{Notes, default};
use crate::catalog::{Accelerator, Catalog, GridBasis, Kind, Region};
use crate::diagnostic::Result;
use crate::provenance::Unknown;
use crate::quantity::{DeviceCo2e, Pue};

/// The accelerator that a scenario names.
pub(super) fn accelerator<'a>(
    catalog: &'a Catalog,
    hardware: &Hardware,
) -> Result<&'a Accelerator> {
    let name = &hardware.accelerator;
    catalog.accelerator(&name.value).map_err(|error| error.at(Some(&name.place)))
}

/// The region, where the placement names one.
pub(super) fn region(catalog: &Catalog, placement: &Placement) -> Result<Option<Region>> {
    let Some(code) = &placement.region else { return Ok(None) };
    let provider = placement.provider.as_ref().map_or("owned", |p| p.value.as_str());
    catalog.region(provider, &code.value).map(Some).map_err(|error| {
        let of_provider = error.message().contains("provider");
        let place =
            placement.provider.as_ref().filter(|_| of_provider).map_or(&code.place, |p| &p.place);
        error.at(Some(place))
    })
}

/// Power, grid and water of devices at a placement.
pub(super) fn site(
    catalog: &Catalog,
    placement: &Placement,
    hardware: &Hardware,
    device: &Accelerator,
    stage: &str,
    notes: &mut Notes,
) -> Result<Site> {
    let region = region(catalog, placement)?;
    // The scenario's own path: `placement.pue`, `inference.placement.pue`.
    let section = if stage == "training" { "placement" } else { "inference.placement" };
    let name = |key: &str| format!("{section}.{key}");
    let no_region = |what: &str| Unknown {
        why: format!("{what} is unknown: the scenario names neither a region nor a value"),
    };
    let grid = match (&placement.grid, &region) {
        (Some(given), _) => Ok(given.input(&name("grid"))),
        (None, None) => Err(no_region("the grid's carbon intensity")),
        (None, Some(region)) => match region.grid(GridBasis::LifeCycle) {
            Some(grid) => {
                let date = grid.intensity.citation.as_of.map(|as_of| as_of.start);
                notes.grid_as_of = notes.grid_as_of.max(date);
                Ok(grid.intensity.input(format!(
                    "{}, life-cycle, {} of {}",
                    name("grid"),
                    grid.extent.name(),
                    region.code
                )))
            }
            None => Err(Unknown {
                why: format!("the catalog has no life-cycle grid intensity for {}", region.code),
            }),
        },
    };
    let wue = match (&placement.wue, &region) {
        (Some(given), _) => Ok(given.input(&name("wue"))),
        (None, None) => Err(no_region("the water use")),
        (None, Some(region)) => match &region.wue {
            Some(wue) => Ok(wue.input(name("wue"))),
            None => Err(Unknown { why: format!("no water use is published for {}", region.code) }),
        },
    };
    let embodied = [&device.embodied.low, &device.embodied.mid, &device.embodied.high];
    let missing =
        || Unknown { why: format!("the catalog has no such embodied figure for {}", device.id) };
    let embodied: [Stated<DeviceCo2e>; 3] = embodied.map(|level| {
        level
            .as_ref()
            .map(|fact| fact.input(format!("{} embodied CO2e", device.id)))
            .ok_or_else(missing)
    });
    Ok(Site {
        power: power(catalog, hardware, device, stage, notes)?,
        pue: pue(catalog, placement, region.as_ref(), &name("pue"))?,
        grid,
        wue,
        embodied,
        lifetime: default(
            catalog,
            "service life of a device",
            "amortisation.embodied",
            "embodied CO2e is spread over this time in use",
        )?,
    })
}

fn pue(
    catalog: &Catalog,
    placement: &Placement,
    region: Option<&Region>,
    name: &str,
) -> Result<Stated<Pue>> {
    if let Some(given) = &placement.pue {
        return Ok(Ok(given.input(name)));
    }
    if let Some(pue) = region.and_then(|region| region.pue.as_ref()) {
        return Ok(Ok(pue.input(name)));
    }
    let why = "the region publishes none; the average of surveyed data centres";
    default(catalog, name, "pue.industry", why).map(Ok)
}

/// The given power, or TDP x load + the host's share.
fn power(
    catalog: &Catalog,
    hardware: &Hardware,
    device: &Accelerator,
    stage: &str,
    notes: &mut Notes,
) -> Result<Result<PowerModel, Unknown>> {
    if let Some(given) = &hardware.power {
        return Ok(Ok(PowerModel::Given(given.input(&format!("{stage}.hardware.power")))));
    }
    let Some(tdp) = &device.tdp else {
        return Ok(Err(Unknown {
            why: format!(
                "the power of {} is unknown: no TDP is published; give {stage}.hardware.power",
                device.id
            ),
        }));
    };
    let tpu = device.kind == Kind::Tpu;
    // The load of a TPU is measured with its host; a system on a chip is its own host.
    let own_host = tpu || device.kind == Kind::Soc;
    let host = device.host_power().filter(|_| !own_host);
    if host.is_none() && !own_host {
        notes.warnings.push(format!(
            "the host power of {} is unknown: the energy of the {stage} is that of the devices \
             alone; give {stage}.hardware.power with the host in it",
            device.id
        ));
    }
    let (id, why) = if tpu {
        ("power.load.tpu", "average power of a busy TPU with its host / TDP")
    } else {
        ("power.load.gpu", "average power of a busy device / TDP")
    };
    Ok(Ok(PowerModel::Modelled {
        tdp: tdp.input(format!("TDP of {}", device.id)),
        load: default(catalog, &format!("{stage} power / TDP"), id, why)?,
        host: host.map(|host| host.input(format!("host power per {}", device.id))),
    }))
}
