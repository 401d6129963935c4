//! The forecast of a training run beside what its logs measured: one item per figure, with the
//! factors that explain its ratio.

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::{Estimate, Id, Key, Place};
use flopcast_core::ledger::line::Resource;
use flopcast_core::quantity::text::{convert, number};
use flopcast_core::quantity::{DeviceTime, Measure, Money, Time};

use super::{Comparison, Form, Item, Measured, hint};

/// The forecast of a training run beside the measurement.
///
/// Power = IT energy / device-hours, PUE = facility energy / IT energy, grid = CO2e / facility
/// energy, price = cost of compute / device-hours, each on both sides. If no device time was
/// metered, it is billed hours x devices per instance.
///
/// # Errors
/// If the forecast has no training run.
pub fn compare(estimate: &Estimate, read: &[(Form, Measured)]) -> Result<Comparison> {
    let forecast = |figure: Id| estimate.value(&figure.at(Place::Training));
    if forecast(Id::DeviceHours).is_none() {
        return Err(Error::input("the scenario has no training run to compare with"));
    }
    let forms: Vec<Form> = read.iter().map(|(form, _)| *form).collect();
    let measured = together(read);
    let mut notes = measured.notes;
    let hours = device_hours(&forecast, measured.device_time, measured.instance_time, &mut notes);
    let it = Pair::new(forecast(Id::ItEnergy), in_unit(measured.it, "kWh"));
    let facility = Pair::new(forecast(Id::FacilityEnergy), in_unit(measured.facility, "kWh"));
    let co2e = Pair::new(forecast(Id::LocationCo2e), in_unit(measured.co2e, "kgCO2e"));
    let mut power = it.over(hours).times(1000.0);
    power.actual = power.actual.or(in_unit(measured.power, "W/device"));
    let pue = facility.over(it);
    // Emissions without a PUE are those of the machines' energy.
    let of_machines = Pair { actual: it.actual.filter(|_| facility.actual.is_none()), ..facility };
    let emitting = Pair { actual: facility.actual.or(of_machines.actual), ..facility };
    let grid = co2e.over(emitting).times(1000.0);
    // They stand beside the forecast of the machines' alone.
    let bare = of_machines.actual.is_some() && co2e.actual.is_some();
    let share = it.forecast.zip(facility.forecast).map(|(it, facility)| it / facility);
    let co2e = match (bare, co2e.forecast, share) {
        (true, Some(whole), Some(share)) => {
            notes.push(format!(
                "no PUE is stated: the CO2e is that of the machines, and so is the forecast beside \
                 it; with the building it is {} kgCO2e",
                number(whole)
            ));
            Pair { forecast: Some(whole * share), ..co2e }
        }
        _ => co2e,
    };
    let (costs, billed) = costs(estimate, &measured.costs);
    let rent = costs.iter().find(|(key, _)| *key == Resource::Compute.key()).map(|(_, cost)| *cost);
    let price = rent.unwrap_or_default().over(hours);
    let key = |figure: Id| figure.declared().key;
    let mut items = Vec::new();
    let mut item = |path: &str, pair: Pair, factors: &[(&'static str, Pair)]| {
        if pair.actual.is_none() && pair.forecast.is_none() {
            return;
        }
        let ratios = factors.iter().map(|(name, factor)| Some((*name, factor.ratio()?)));
        let factors = ratios.collect::<Option<Vec<_>>>().filter(|_| pair.ratio().is_some());
        let Pair { forecast, actual } = pair;
        let factors = factors.unwrap_or_default();
        items.push(Item { path: path.to_owned(), forecast, actual, factors });
    };
    item(key(Id::DeviceHours), hours, &[]);
    item("power_w_per_device", power, &[]);
    item(key(Id::ItEnergy), it, &[("hours", hours), ("power", power)]);
    item("pue", pue, &[]);
    item(key(Id::FacilityEnergy), facility, &[("hours", hours), ("power", power), ("PUE", pue)]);
    item("grid_g_per_kwh", grid, &[]);
    let facility_factors = [("hours", hours), ("power", power), ("PUE", pue), ("grid", grid)];
    let of_it = [("hours", hours), ("power", power), ("grid", grid)];
    let short = if bare {
        [("energy", it), ("grid", grid)]
    } else {
        [("energy", facility), ("grid", grid)]
    };
    let metered = facility_factors.iter().all(|(_, factor)| factor.ratio().is_some());
    let of_it_metered = bare && of_it.iter().all(|(_, factor)| factor.ratio().is_some());
    let co2e_factors: &[_] = match (metered, of_it_metered) {
        (true, _) => &facility_factors,
        (_, true) => &of_it,
        _ => &short,
    };
    item(key(Id::LocationCo2e), co2e, co2e_factors);
    item("price_usd_per_device_h", price, &[]);
    let money = key(Id::Cost);
    for (name, cost) in &costs {
        let factors = [("hours", hours), ("price", price)];
        let is_rent = *name == Resource::Compute.key();
        item(&format!("{money}.{name}"), *cost, if is_rent { &factors } else { &[] });
    }
    if costs.len() > 1 {
        item(&format!("{money}.billed"), billed, &[]);
    }
    if measured.devices_alone && power.actual.is_some() {
        notes.push(
            "the log sees the devices alone; the forecast's power has their share of the host in \
             it, so that none is suggested"
                .to_owned(),
        );
    }
    let kept = if measured.devices_alone { Pair::default() } else { power };
    let hints = hint::hints(&forecast, (hours, kept, pue, grid, price), bare, &mut notes);
    Ok(Comparison { forms, items, hints, notes })
}

/// Device-hours: metered, plus billed hours x devices per instance.
fn device_hours(
    forecast: &dyn Fn(Id) -> Option<f64>,
    device_time: Option<DeviceTime>,
    instance_time: Option<Time>,
    notes: &mut Vec<String>,
) -> Pair {
    let metered = in_unit(device_time, "device-h");
    let billed_hours = in_unit(instance_time, "h").map(|instance_hours| {
        // Devices that are sold singly are instances of one.
        let held = forecast(Id::TrainingDevices).unwrap_or(0.0)
            + forecast(Id::TrainingStranded).unwrap_or(0.0);
        let size = forecast(Id::TrainingInstances).map_or(1.0, |instances| held / instances);
        notes.push(format!("device-hours are billed hours x devices per instance ({size})"));
        instance_hours * size
    });
    let sum = match (metered, billed_hours) {
        (Some(metered), Some(billed)) => Some(metered + billed),
        (metered, billed) => metered.or(billed),
    };
    Pair::new(forecast(Id::DeviceHours), sum)
}

/// The billed resources, each beside its forecast, and the sum of all that was billed. A resource that
/// was not forecast adds nothing to the forecast; an unknown cost makes the sum unknown.
fn costs(
    estimate: &Estimate,
    measured: &[(&'static str, Money)],
) -> (Vec<(&'static str, Pair)>, Pair) {
    let (mut costs, mut billed) = (Vec::new(), Pair::new(Some(0.0), Some(0.0)));
    let total = Id::TrainingCost.at(Place::Training);
    let rent = Key { member: Resource::Compute.key(), ..Id::Cost.at(Place::Training) };
    let only_rent = estimate
        .value(&total)
        .zip(estimate.value(&rent))
        .is_some_and(|(total, rent)| (total - rent).abs() <= 1e-9 * total.abs());
    for (key, money) in measured {
        let key = if *key == "total" && only_rent { Resource::Compute.key() } else { *key };
        let figure = match key {
            "total" => total.clone(),
            _ => Key { member: key, ..Id::Cost.at(Place::Training) },
        };
        let cost = Pair::new(estimate.value(&figure), in_unit(Some(*money), "USD"));
        billed.actual = billed.actual.zip(cost.actual).map(|(sum, cost)| sum + cost);
        if !estimate.read(&figure).is_absent() {
            billed.forecast = billed.forecast.zip(cost.forecast).map(|(sum, cost)| sum + cost);
        }
        costs.push((key, cost));
    }
    (costs, billed)
}

/// Logs of several forms as one: each figure is that of the first that has it, the machines' energy
/// before that of devices alone, with the facility's and the CO2e of the same log.
fn together(read: &[(Form, Measured)]) -> Measured {
    let mut all = Measured::default();
    let several = read.len() > 1;
    for (form, measured) in read {
        let said = measured
            .notes
            .iter()
            .map(|note| if several { format!("{}: {note}", form.name()) } else { note.clone() });
        all.notes.extend(said);
        let timed = all.device_time.is_some() || all.instance_time.is_some();
        if !timed {
            (all.device_time, all.instance_time) = (measured.device_time, measured.instance_time);
        } else if let Some((first, second)) = all.device_time.zip(measured.device_time) {
            let [first, second] = [first, second].map(|time| convert(time.stored(), "device-h"));
            if (second / first - 1.0).abs() > 0.01 {
                all.notes.push(format!(
                    "{}: {} device-hours beside {} of the log before, which hold",
                    form.name(),
                    number(second),
                    number(first)
                ));
            }
        }
        if all.costs.is_empty() {
            all.costs.clone_from(&measured.costs);
        }
        let whole = measured.it.is_some() && !measured.devices_alone;
        if all.it.is_none() && measured.it.is_some() || all.devices_alone && whole {
            all.it = measured.it;
            (all.facility, all.co2e) = (measured.facility, measured.co2e);
            all.devices_alone = measured.devices_alone;
        } else if all.it.is_none() {
            all.facility = all.facility.or(measured.facility);
            all.co2e = all.co2e.or(measured.co2e);
            all.power = all.power.or(measured.power);
            all.devices_alone |= measured.devices_alone;
        }
    }
    all
}

/// A quantity as a number of a unit.
fn in_unit<Q: Measure>(value: Option<Q>, unit: &str) -> Option<f64> {
    value.map(|value| convert(value.stored(), unit))
}

/// A figure on both sides, in one unit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pair {
    pub(super) forecast: Option<f64>,
    pub(super) actual: Option<f64>,
}

impl Pair {
    /// The two sides of a figure.
    fn new(forecast: Option<f64>, actual: Option<f64>) -> Self {
        Self { forecast, actual }
    }

    /// The quotient of two figures on each side; unknown if a divisor is not above zero.
    fn over(self, other: Self) -> Self {
        let quotient = |a: Option<f64>, b: Option<f64>| Some(a? / b.filter(|b| *b > 0.0)?);
        Self::new(quotient(self.forecast, other.forecast), quotient(self.actual, other.actual))
    }

    /// The figure x a factor, on each side.
    fn times(self, factor: f64) -> Self {
        Self::new(self.forecast.map(|v| v * factor), self.actual.map(|v| v * factor))
    }

    /// Actual / forecast; unknown if the forecast is not above zero.
    pub(super) fn ratio(self) -> Option<f64> {
        let forecast = self.forecast.filter(|forecast| *forecast > 0.0)?;
        Some(self.actual? / forecast)
    }
}
