//! Embodied carbon: what making the devices and their servers emitted, with the time that shares
//! it.
//!
//! Sources differ by a factor of four for one card, so low, mid and high are kept apart throughout.

use flopcast_core::catalog::{Accelerator, Catalog, Kind};
use flopcast_core::diagnostic::Result;
use flopcast_core::ledger::plan::{Embodied, Owned, Stated};
use flopcast_core::provenance::{Basis, Input, Unknown};
use flopcast_core::quantity::{Co2eMass, DeviceCo2e, Devices, Measure};

use super::super::environment::EmbodiedCarbon;
use super::{default, share};

/// Embodied emissions as given, else as the catalog has them for the device, else the usual ones of
/// its kind. `section` is the path of the placement.
///
/// # Errors
/// If a default is missing from the catalog.
pub(super) fn embodied(
    catalog: &Catalog,
    given: Option<&EmbodiedCarbon>,
    device: &Accelerator,
    section: &str,
) -> Result<Embodied> {
    let none = EmbodiedCarbon::default();
    let given = given.unwrap_or(&none);
    let name = |key: &str| format!("{section}.embodied.{key}");
    let formula = format!("devices of a usual node of {}", device.id);
    Ok(Embodied {
        device: match &given.device {
            Some(given) => [(); 3].map(|()| Ok(given.input(&name("device")))),
            None => of_device(catalog, device)?,
        },
        server: match &given.server {
            Some(given) => [(); 3].map(|()| Ok(given.input(&name("server")))),
            None => of_server(catalog, device)?.map(Ok),
        },
        together: Input::new(
            "devices of a server",
            Devices::from_stored(device.devices_per_node as f64),
            Basis::Derived { formula },
        ),
        lifetime: match &given.lifetime {
            Some(given) => given.input(&name("lifetime")),
            None => default(
                catalog,
                "service life of a device",
                "amortisation.embodied",
                "embodied CO2e is spread over this time",
            )?,
        },
        utilisation: match &given.utilisation {
            Some(given) => given.input(&name("utilisation")),
            None => default(
                catalog,
                IN_USE,
                "embodied.utilisation",
                "embodied CO2e is spread over the time in use",
            )?,
        },
    })
}

/// The same of hardware of one's own, which is made for the life over which it is written off: of a
/// run, time without work falls to it as it does in the ledger; of a fleet every hour is counted, in
/// use or not, so that over the life all falls to it that was emitted. What is given stays.
pub(super) fn of_owned(
    embodied: Embodied,
    given: Option<&EmbodiedCarbon>,
    owned: Option<&Owned>,
    is_fleet: bool,
) -> Embodied {
    let Some(owned) = owned else { return embodied };
    let none = EmbodiedCarbon::default();
    let given = given.unwrap_or(&none);
    let all = || {
        let formula = "every hour of a fleet of one's own is counted, in use or not".to_owned();
        Input::new(IN_USE, share(1.0), Basis::Derived { formula })
    };
    Embodied {
        lifetime: match given.lifetime {
            Some(_) => embodied.lifetime,
            None => owned.life.clone(),
        },
        utilisation: match given.utilisation {
            Some(_) => embodied.utilisation,
            None if is_fleet => all(),
            None => owned.utilisation.clone(),
        },
        ..embodied
    }
}

/// The name of the share of the service life that the emissions fall to.
const IN_USE: &str = "part of the service life in use";

/// low, mid and high of the machine that a device sits in: a server, unless the device is sold in
/// another form.
fn of_server(catalog: &Catalog, device: &Accelerator) -> Result<[Input<Co2eMass>; 3]> {
    let form = format!("embodied.server.{}", device.id);
    if catalog.has_default(&form) {
        let why = "the machine that this device is sold in, which is no server";
        return levels(catalog, &form, "embodied CO2e of the machine", why);
    }
    levels(catalog, "embodied.server", "embodied CO2e of a server", "a usual one")
}

/// low, mid and high of a device. What is usual of an accelerator fills a gap unless it
/// contradicts the highest figure that is known of this one.
fn of_device(catalog: &Catalog, device: &Accelerator) -> Result<[Stated<DeviceCo2e>; 3]> {
    let usual: [Input<DeviceCo2e>; 3] = levels(
        catalog,
        "embodied.device",
        "embodied CO2e of an accelerator",
        "nothing better is published of this one; sources differ by 4x for one card",
    )?;
    let embodied = &device.embodied;
    let highest = embodied.high.as_ref().map_or(f64::INFINITY, |high| high.value.stored());
    let accelerator = matches!(device.kind, Kind::Gpu | Kind::Tpu | Kind::Asic);
    let mut known = [&embodied.low, &embodied.mid, &embodied.high].into_iter().zip(LEVELS);
    Ok(usual.map(|usual| match known.next() {
        Some((Some(fact), level)) => {
            Ok(fact.input(format!("{level} embodied CO2e of {}", device.id)))
        }
        _ if accelerator && usual.value.stored() <= highest => Ok(usual),
        _ => Err(Unknown {
            why: format!("the catalog has no such embodied figure for {}", device.id),
        }),
    }))
}

/// The names of the three levels.
const LEVELS: [&str; 3] = ["low", "mid", "high"];

/// A default's low, mid and high figure; the middle one three times where no range is known.
fn levels<Q: Measure>(catalog: &Catalog, id: &str, name: &str, why: &str) -> Result<[Input<Q>; 3]> {
    let mid = default(catalog, &format!("mid {name}"), id, why)?;
    let Some([low, high]) = catalog.default_range::<Q>(id)? else {
        return Ok([mid.clone(), mid.clone(), mid]);
    };
    let end = |level: &str, end: flopcast_core::catalog::Sourced<Q>| {
        let source = Some(end.citation.to_string());
        let basis = Basis::Assumed { why: why.to_owned(), source };
        Input::new(format!("{level} {name}"), end.value, basis)
    };
    Ok([end("low", low), mid, end("high", high)])
}
