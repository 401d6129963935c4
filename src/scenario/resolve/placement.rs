//! Where something runs: rent, power, grid, water.

use super::super::file::{Hardware, Placement, Purchase};
use super::super::plan::{PowerModel, Rent, Site, Stated};
use super::{Notes, assumed, default};
use crate::catalog::{
    Accelerator, Catalog, Charge, GridBasis, Kind, Purchase as Plan, Region, Wanted,
};
use crate::diagnostic::{Error, Result};
use crate::provenance::{Input, Unknown};
use crate::quantity::{DeviceCo2e, DevicesPerInstance, Measure, Pue};

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

/// The rent, where the placement names a provider or a price. `together` devices share an instance.
pub(super) fn rent(
    catalog: &Catalog,
    placement: &Placement,
    device: &Accelerator,
    together: u64,
    stage: &str,
    notes: &mut Notes,
) -> Result<Option<Rent>> {
    let name = format!("{stage} price");
    let plan = match placement.purchase.as_ref().map(|purchase| &purchase.value) {
        Some(Purchase::PerDevice(price)) => {
            return Ok(Some(Rent::Device { price: price.input(&name) }));
        }
        Some(Purchase::PerInstance(price)) => {
            let per_node = DevicesPerInstance::from_stored(device.devices_per_node as f64);
            let why =
                "devices of a usual node; a price per instance does not say how many it holds";
            return Ok(Some(Rent::Instance {
                price: price.input(&name),
                devices: assumed(&format!("{stage} devices per instance"), per_node, why),
            }));
        }
        Some(Purchase::Plan(plan)) => *plan,
        None => Plan::OnDemand,
    };
    let Some(provider) = &placement.provider else {
        return match &placement.purchase {
            Some(purchase) => Err(Error::input("a purchase needs a provider to buy from")
                .at(Some(&purchase.place))
                .hint("add `provider:`, or give the price: purchase: {price: 2.10 USD/device-h}")),
            None => Ok(None),
        };
    };
    if provider.value == "owned" {
        notes.warnings.push(format!(
            "the cost of the {stage} is left out: owned hardware is not priced yet; \
             purchase: {{price: 2.10 USD/device-h}} gives a rate of your own"
        ));
        return Ok(None);
    }
    let wanted = Wanted {
        provider: &provider.value,
        region: placement.region.as_ref().map(|r| r.value.as_str()),
        accelerator: &device.id,
        purchase: plan,
    };
    let place = placement.purchase.as_ref().map_or(&provider.place, |p| &p.place);
    let rental = catalog.rental(wanted, together).map_err(|error| error.at(Some(place)))?;
    if rental.is_for_any_region() && placement.region.is_some() {
        notes.warnings.push(format!(
            "{} quotes one price for all its regions; it is used for the region named",
            rental.provider
        ));
    }
    if !rental.note.is_empty() {
        notes
            .warnings
            .push(format!("price of {} at {}: {}", device.id, rental.provider, rental.note));
    }
    let date = rental.citation().as_of.map(|as_of| as_of.start);
    notes.prices_as_of = notes.prices_as_of.max(date);
    let name = format!("{stage} price, {} {}", rental.provider, rental.sku);
    Ok(Some(match &rental.charge {
        Charge::Device(price) => Rent::Device { price: price.input(name) },
        Charge::Instance { price, devices } => Rent::Instance {
            devices: Input::new(
                format!("devices of {}", rental.sku),
                DevicesPerInstance::from_stored(*devices as f64),
                price.citation.basis(),
            ),
            price: price.input(name),
        },
    }))
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
    // The load of a TPU is measured with its host.
    let host = device.host_power().filter(|_| !tpu);
    if host.is_none() && !tpu {
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
