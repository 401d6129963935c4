//! Cloud bills, a row per charge: sums of money by resource, and the hours of devices.
//!
//! Money is what the charge costs once commitments are spread over their use. Hours are those of
//! usage: a purchase has the hours of its use again, a commitment that nobody used has no use, and
//! a machine without devices has none of theirs.

mod cur;
mod export;
mod focus;
mod sku;

use std::borrow::Cow;

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::ledger::line::Resource;
use flopcast_core::quantity::text::number;
use flopcast_core::quantity::{DeviceTime, Measure, Money, Time};

use super::table::{Odd, Sum, Table};
use super::{Expected, Measured};
use sku::Machine;

/// The subject of a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Charged {
    Usage,
    Purchase,
    Unused,
    Tax,
    Credit,
}

/// A charge.
struct Charge<'a> {
    cost: Option<f64>,
    charged: Charged,
    /// The ledger's key of the resource.
    resource: &'static str,
    /// Quantity and unit.
    quantity: Option<(f64, Cow<'a, str>)>,
    /// Texts that may name the machine.
    named: Vec<Cow<'a, str>>,
}

/// Hourly prices below this part of the dearest are those of other machines.
const CHEAP: f64 = 0.1;

/// True if a log is a bill.
pub(super) fn is_in(table: &Table) -> bool {
    focus::is_in(table) || cur::is_in(table) || export::is_in(table)
}

/// Sums of the charges in USD by resource, taxes and credits apart, and the hours of devices:
/// those of instances whose devices are known, and hours of others.
///
/// # Errors
/// If a charge is in another currency than USD, or no charge has a cost.
pub(super) fn read(tables: &[Table], expected: &Expected<'_>) -> Result<Measured> {
    let (mut odd, mut charges) = (Odd::default(), Vec::new());
    let mut notes = Vec::new();
    for table in tables {
        if !focus::is_in(table) && !cur::is_in(table) {
            charges.extend(export::charges(table, expected.catalog, &mut odd, &mut notes)?);
            continue;
        }
        let read = if focus::is_in(table) { focus::charge } else { cur::charge };
        for row in table.rows() {
            charges.extend(read(row, &mut odd)?);
        }
    }
    let (devices, instances, hosts) = hours(&charges, expected, &mut notes);
    let mut costs: Vec<(&'static str, f64)> = Vec::new();
    let (mut priced, mut empty) = (0, 0);
    for (index, charge) in charges.iter().enumerate() {
        let Some(cost) = charge.cost else {
            empty += 1;
            continue;
        };
        priced += 1;
        let key = match charge.charged {
            Charged::Usage if hosts.contains(&index) => Resource::Host.key(),
            Charged::Usage | Charged::Purchase => charge.resource,
            Charged::Unused => Resource::UnusedCommitment.key(),
            Charged::Tax => "tax",
            Charged::Credit => "credit",
        };
        match costs.iter_mut().find(|(other, _)| *other == key) {
            Some((_, sum)) => *sum += cost,
            None => costs.push((key, cost)),
        }
    }
    if priced == 0 {
        return Err(Error::input("no row of the bill has a cost"));
    }
    notes.insert(0, format!("{priced} charge(s)"));
    if empty > 0 {
        notes.push(format!("{empty} charge(s) have no cost and are not in the sums"));
    }
    notes.extend(odd.notes());
    Ok(Measured {
        device_time: devices.map(|hours| DeviceTime::from_stored(hours * 3600.0)),
        instance_time: instances.map(|hours| Time::from_stored(hours * 3600.0)),
        costs: costs.into_iter().map(|(key, sum)| (key, Money::from_stored(sum))).collect(),
        notes,
        ..Measured::default()
    })
}

/// Device-hours where the machine is known, and hours of instances whose devices nobody says. Both
/// are unknown where a charge of usage of compute is not by the hour. With the places of the charges
/// for machines without devices.
fn hours(
    charges: &[Charge<'_>],
    expected: &Expected<'_>,
    notes: &mut Vec<String>,
) -> (Option<f64>, Option<f64>, Vec<usize>) {
    let compute = |(_, it): &(usize, &Charge<'_>)| {
        it.charged == Charged::Usage && it.resource == Resource::Compute.key()
    };
    let counted: Vec<(usize, &Charge<'_>, Machine, Option<sku::Hours>)> = charges
        .iter()
        .enumerate()
        .filter(compute)
        .map(|(index, charge)| {
            let hours = charge.quantity.as_ref();
            let hours = hours.and_then(|(quantity, unit)| sku::hours(*quantity, unit));
            let named: Vec<&str> = charge.named.iter().map(AsRef::as_ref).collect();
            (index, charge, sku::machine(&named, expected.catalog), hours)
        })
        .filter(|(_, charge, _, hours)| {
            // A charge without a quantity, such as a rounding, has no hours either.
            hours.is_some()
                || charge.quantity.as_ref().is_some_and(|(quantity, _)| *quantity != 0.0)
        })
        .collect();
    let price = |charge: &Charge<'_>, hours: &Option<sku::Hours>| {
        let hours = hours.as_ref().map(sku::Hours::value).filter(|hours| *hours > 0.0)?;
        Some(charge.cost? / hours)
    };
    let prices = counted.iter().filter_map(|(_, charge, _, hours)| price(charge, hours));
    let dearest = prices.fold(0.0, f64::max);
    let [mut devices, mut instances] = [Sum::new(); 2];
    let (mut hosts, mut host_hours) = (Vec::new(), 0.0);
    for (index, charge, machine, hours) in &counted {
        let cheap = *machine == Machine::Unclear
            && price(charge, hours).is_some_and(|price| price > 0.0 && price < CHEAP * dearest);
        if *machine == Machine::Host || cheap {
            hosts.push(*index);
            host_hours += hours.as_ref().map_or(0.0, sku::Hours::value);
            continue;
        }
        match (machine, hours) {
            (_, None) => {
                devices.add(None);
                instances.add(None);
            }
            (_, Some(sku::Hours::OfDevices(hours)))
            | (Machine::Device, Some(sku::Hours::OfInstances(hours))) => devices.add(Some(*hours)),
            (Machine::Instance(Some(size)), Some(sku::Hours::OfInstances(hours))) => {
                devices.add(Some(hours * size));
            }
            (_, Some(sku::Hours::OfInstances(hours))) => instances.add(Some(*hours)),
        }
    }
    if !hosts.is_empty() {
        notes.push(format!(
            "{} charge(s) for machines without devices ({} h) are in the cost of hosts, not in the \
             device-hours",
            hosts.len(),
            number(host_hours)
        ));
    }
    (devices.positive(), instances.positive(), hosts)
}
