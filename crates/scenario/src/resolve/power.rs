//! The power of a device with its share of the host.
//!
//! Given power is taken as it is. Else a busy device draws TDP x a load factor, which the catalog
//! has as measured for the device or for its kind, and which contains the host where it was
//! measured so. An idle one draws its idle power, or TDP x 'power.idle', and its share of an idle
//! host, which draws no more than a busy one: an L4 of 72 W has no host of 150 W.

use flopcast_core::catalog::{Accelerator, Catalog, Kind};
use flopcast_core::diagnostic::Result;
use flopcast_core::ledger::plan::{Draw, IdleHost, PowerModel};
use flopcast_core::provenance::{Input, Unknown};
use flopcast_core::quantity::{DevicePower, Measure as _};

use super::super::file::Hardware;
use super::{Notes, default};

/// The given average, or the draw by load; unknown for a device without TDP.
pub(super) fn power(
    catalog: &Catalog,
    hardware: &Hardware,
    device: &Accelerator,
    stage: &str,
    notes: &mut Notes,
) -> Result<Result<PowerModel, Unknown>> {
    let name = |key: &str| format!("{stage}.hardware.{key}");
    let idle = hardware.idle.as_ref().map(|idle| Draw::Watts(idle.input(&name("idle"))));
    if let Some(given) = &hardware.power {
        let power = given.input(&name("power"));
        // 1.3 is a power in kW, 10.2 that of a server.
        let watts = power.value.stored();
        let tdp = device.tdp.as_ref().map(|tdp| tdp.value.stored());
        if let Some(tdp) = tdp.filter(|tdp| watts < 20.0 && watts < 0.05 * tdp) {
            let message = format!("{watts} W is no power of {}, whose TDP is {tdp} W", device.id);
            let kw = format!("write `{watts} kW` for so much a device");
            let server = format!("or, of a server, its part: `{watts} kW` / devices of it");
            return Err(given.refuse(message).hint(format!("{kw}, {server}")));
        }
        return Ok(Ok(match idle {
            None => PowerModel::Average(power),
            Some(idle) => PowerModel::ByLoad { busy: Draw::Watts(power), idle, idle_host: None },
        }));
    }
    let Some(tdp) = &device.tdp else {
        return Ok(Err(Unknown {
            why: format!(
                "the power of {} is unknown: no TDP is published; give {}",
                device.id,
                name("power")
            ),
        }));
    };
    // The load of a processor is its own; that of an accelerator is measured with its host.
    if device.kind == Kind::Cpu {
        notes.warnings.push(format!(
            "the host power of {} is unknown: the energy of the {stage} is that of the devices \
             alone; give {} with the host in it",
            device.id,
            name("power")
        ));
    }
    let tdp = tdp.input(format!("TDP of {}", device.id));
    let busy = busy(catalog, device, tdp.clone(), stage)?;
    if let Some(idle) = idle {
        return Ok(Ok(PowerModel::ByLoad { busy, idle, idle_host: None }));
    }
    let host = device.host_power().filter(|_| device.kind == Kind::Gpu);
    let idle_host = host
        .map(|host| -> Result<IdleHost> {
            let usual = host.input(format!("idle host power per {}", device.id));
            let why = "a server's parts draw alike beside their nameplates";
            let name = format!("{stage} power of the device alone / TDP");
            let share = default(catalog, &name, "power.load.alone", why)?;
            Ok(IdleHost { usual, device: Draw::OfTdp { tdp: tdp.clone(), share } })
        })
        .transpose()?;
    let idle = idle_alone(catalog, device, tdp, stage)?;
    Ok(Ok(PowerModel::ByLoad { busy, idle, idle_host }))
}

/// TDP x the load factor of the device, or of its kind.
fn busy(
    catalog: &Catalog,
    device: &Accelerator,
    tdp: Input<DevicePower>,
    stage: &str,
) -> Result<Draw> {
    let own = format!("power.load.{}", device.id);
    let (id, why) = if catalog.has_default(&own) {
        (own, "as measured on, or derived for, this device")
    } else {
        let of_kind = format!("power.load.{}", device.kind.name());
        (of_kind, "no measurement of this device; the usual one of its kind")
    };
    Ok(Draw::OfTdp { tdp, share: default(catalog, &format!("{stage} power / TDP"), &id, why)? })
}

/// The idle power of the device without its host: as published, or TDP x the usual ratio.
fn idle_alone(
    catalog: &Catalog,
    device: &Accelerator,
    tdp: Input<DevicePower>,
    stage: &str,
) -> Result<Draw> {
    if let Some(idle) = &device.idle {
        return Ok(Draw::Watts(idle.input(format!("idle power of {}", device.id))));
    }
    let (name, why) = (format!("{stage} idle power / TDP"), "GPUs of four generations idle alike");
    Ok(Draw::OfTdp { tdp, share: default(catalog, &name, "power.idle", why)? })
}
