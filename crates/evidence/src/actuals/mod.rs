//! The measured resources of a run or a service beside the forecast, item by item, with the reasons
//! for a difference as far as the two sides tell them.
//!
//! Energy = device-hours x power, cost = device-hours x price, CO2e = facility energy x grid. If
//! both sides know the factors, the ratio of an item is the product of the ratios of its factors. A
//! figure that was not metered is unknown, never zero, and explains nothing.

mod codecarbon;
mod focus;
mod hint;
mod nvidia_smi;
pub mod requests;
mod sacct;
mod table;

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::{Estimate, Id, Key, Place};
use flopcast_core::ledger::line::Resource;
use flopcast_core::quantity::text::convert;
use flopcast_core::quantity::{Co2eMass, DeviceTime, Energy, Measure, Money, Time};

pub use hint::Hint;

/// A log of a run that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `emissions.csv` of `CodeCarbon`.
    CodeCarbon,
    /// `sacct --parsable2` of Slurm.
    Slurm,
    /// `nvidia-smi --query-gpu=... --format=csv`.
    NvidiaSmi,
    /// A cloud bill in the columns of FOCUS.
    Focus,
    /// Requests to a service with their latencies: see [`requests`].
    Requests,
}

/// The figures that were measured; a figure that the log does not have is `None`.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// Time of all devices together, in device-hours.
    pub device_time: Option<DeviceTime>,
    /// Energy of the devices and, if the meter includes them, their hosts: IT energy.
    pub it: Option<Energy>,
    /// The same energy with cooling and the rest of the building.
    pub facility: Option<Energy>,
    /// Location-based CO2e of the electricity.
    pub co2e: Option<Co2eMass>,
    /// Time of all instances together, in hours as billed.
    pub instance_time: Option<Time>,
    /// Billed amounts in USD, by the ledger's key of the resource.
    pub costs: Vec<(&'static str, Money)>,
    /// Remarks to read before relying on the figures.
    pub notes: Vec<String>,
}

/// Forecast and fact of one item.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Its path below `training` (of requests: `inference`) in the JSON of an estimate. The path
    /// names the unit.
    pub path: String,
    /// The forecast, if there is one.
    pub forecast: Option<f64>,
    /// The measurement, if there is one.
    pub actual: Option<f64>,
    /// The ratios whose product is actual / forecast, if all of them are known.
    pub factors: Vec<(&'static str, f64)>,
}

/// The comparison of a forecast with a log.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The kind of log.
    pub form: Form,
    /// The items that either side has.
    pub items: Vec<Item>,
    /// The changes of the scenario with which the forecast would have come true.
    pub hints: Vec<Hint>,
    /// Remarks to read before relying on the comparison.
    pub notes: Vec<String>,
}

impl Form {
    /// Forms of log with their names and the columns by which they are known.
    const COLUMNS: &'static [(Self, &'static str, &'static [&'static str])] = &[
        (Self::CodeCarbon, "CodeCarbon emissions.csv", &["duration", "emissions"]),
        (Self::Slurm, "Slurm sacct --parsable2", &["JobID", "ElapsedRaw", "AllocTRES"]),
        (Self::NvidiaSmi, "nvidia-smi --format=csv", &["timestamp", "power.draw"]),
        (Self::Focus, "FOCUS bill", &["BilledCost", "ChargeCategory"]),
    ];

    /// The name of the kind of log.
    pub fn name(self) -> &'static str {
        let known = Self::COLUMNS.iter().find(|(form, ..)| *form == self);
        known.map_or("log of requests", |(_, name, _)| name)
    }
}

/// Reads a log; its header tells its form.
///
/// # Errors
/// If the header is of no known form, or a cell cannot be read: the error has its line.
pub fn read(text: &str) -> Result<(Form, Measured)> {
    let table = table::Table::read(text)?;
    let known = |columns: &[&str]| columns.iter().all(|column| table.has(column));
    let form = Form::COLUMNS.iter().find(|(_, _, columns)| known(columns));
    let Some((form, ..)) = form else {
        let mut error = Error::input("the header is that of no log that can be read");
        for (_, name, columns) in Form::COLUMNS {
            error = error.hint(format!("{name} has the columns {}", columns.join(", ")));
        }
        return Err(error
            .hint("a log of requests has arrival_s, input_tokens, output_tokens, ttft_s, e2e_s"));
    };
    let measured = match form {
        Form::CodeCarbon => codecarbon::read(&table),
        Form::Slurm => sacct::read(&table),
        Form::NvidiaSmi => nvidia_smi::read(&table),
        Form::Focus => focus::read(&table),
        // A log of requests has none of the columns above, and is read elsewhere.
        Form::Requests => Ok(Measured::default()),
    };
    Ok((*form, measured?))
}

/// The forecast of a training run beside the measurement.
///
/// Power = IT energy / device-hours, PUE = facility energy / IT energy, grid = CO2e / facility
/// energy, price = cost of compute / device-hours, each on both sides. If no device time was
/// metered, it is billed hours x devices per instance.
///
/// # Errors
/// If the forecast has no training run.
pub fn compare(estimate: &Estimate, (form, measured): (Form, Measured)) -> Result<Comparison> {
    let forecast = |figure: Id| estimate.value(&figure.at(Place::Training));
    if forecast(Id::DeviceHours).is_none() {
        return Err(Error::input("the scenario has no training run to compare with"));
    }
    let mut notes = measured.notes;
    let metered = in_unit(measured.device_time, "device-h");
    let billed_hours = in_unit(measured.instance_time, "h").map(|instance_hours| {
        // Devices that are sold singly are instances of one.
        let held = forecast(Id::TrainingDevices).unwrap_or(0.0)
            + forecast(Id::TrainingStranded).unwrap_or(0.0);
        let size = forecast(Id::TrainingInstances).map_or(1.0, |instances| held / instances);
        notes.push(format!("device-hours are billed hours x devices per instance ({size})"));
        instance_hours * size
    });
    let hours = Pair::new(forecast(Id::DeviceHours), metered.or(billed_hours));
    let it = Pair::new(forecast(Id::ItEnergy), in_unit(measured.it, "kWh"));
    let facility = Pair::new(forecast(Id::FacilityEnergy), in_unit(measured.facility, "kWh"));
    let co2e = Pair::new(forecast(Id::LocationCo2e), in_unit(measured.co2e, "kgCO2e"));
    let power = it.over(hours).times(1000.0);
    let pue = facility.over(it);
    let grid = co2e.over(facility).times(1000.0);
    let (mut costs, mut billed) = (Vec::new(), Pair::new(Some(0.0), Some(0.0)));
    for (key, money) in &measured.costs {
        let figure = Key { member: key, ..Id::Cost.at(Place::Training) };
        let cost = Pair::new(estimate.value(&figure), in_unit(Some(*money), "USD"));
        billed.actual = billed.actual.zip(cost.actual).map(|(sum, cost)| sum + cost);
        // A resource that was not forecast adds nothing; an unknown cost makes the sum unknown.
        if !estimate.read(&figure).is_absent() {
            billed.forecast = billed.forecast.zip(cost.forecast).map(|(sum, cost)| sum + cost);
        }
        costs.push((*key, cost));
    }
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
    let short = [("energy", facility), ("grid", grid)];
    let metered = facility_factors.iter().all(|(_, factor)| factor.ratio().is_some());
    item(key(Id::LocationCo2e), co2e, if metered { &facility_factors } else { &short });
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
    let hints = hint::hints(&forecast, hours, power, pue, grid, price);
    Ok(Comparison { form, items, hints, notes })
}

/// A quantity as a number of a unit.
fn in_unit<Q: Measure>(value: Option<Q>, unit: &str) -> Option<f64> {
    value.map(|value| convert(value.stored(), unit))
}

/// A figure on both sides, in one unit.
#[derive(Clone, Copy, Debug, Default)]
struct Pair {
    forecast: Option<f64>,
    actual: Option<f64>,
}

impl Pair {
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
    fn ratio(self) -> Option<f64> {
        let forecast = self.forecast.filter(|forecast| *forecast > 0.0)?;
        Some(self.actual? / forecast)
    }
}
