//! The assumptions of the scenario that would have made the forecast agree with the measurement.
//!
//! Each factor that differs gives the value of one input: MFU / ratio of device-hours, power x
//! ratio, PUE, grid, price. A factor that both sides share exactly says nothing.

use flopcast_core::estimate::Id;
use flopcast_core::quantity::text::{number, typed};

use super::compare::Pair;

/// A key of the scenario with the value that fits the measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct Hint {
    /// The key, as `--set` takes it.
    pub path: &'static str,
    /// The value, as a scenario writes it.
    pub value: String,
    /// The measurement that it is drawn from.
    pub why: String,
}

/// The least relative difference that gives a hint.
const SAME: f64 = 0.01;
/// Ratios beyond which the two sides count different things: of device-hours, of power, of price.
const ABSURD: [f64; 3] = [5.0, 3.0, 10.0];

/// The hints, one per factor that differs: MFU / ratio of device-hours, or goodput / that ratio at
/// the same MFU, and power, PUE, grid intensity and price as measured. A factor that is the same on
/// both sides, or unknown on one, gives none; one that is many times the forecast's gives a note:
/// the log and the scenario are then of different runs, or count different things.
pub(super) fn hints(
    forecast: &dyn Fn(Id) -> Option<f64>,
    (hours, power, pue, grid, price): (Pair, Pair, Pair, Pair, Pair),
    of_machines: bool,
    notes: &mut Vec<String>,
) -> Vec<Hint> {
    let factors = [("device-hours", hours), ("watts per device", power), ("price", price)];
    for ((what, pair), most) in factors.into_iter().zip(ABSURD) {
        if let Some(ratio) = pair.ratio().filter(|ratio| *ratio > most || *ratio < 1.0 / most) {
            notes.push(format!(
                "{what}: {} times the forecast's; look whether log and scenario are of the same run \
                 and count the same devices before you draw anything from them",
                number(ratio)
            ));
        }
    }
    let sound = |pair: Pair, most: f64| {
        let ratio = pair.ratio().filter(|ratio| *ratio <= most && *ratio >= 1.0 / most);
        if ratio.is_some() { pair } else { Pair::default() }
    };
    // What rests on absurd hours is absurd as well.
    let mad = hours.ratio().is_some() && sound(hours, ABSURD[0]).ratio().is_none();
    let of_hours = |pair: Pair, most: f64| if mad { Pair::default() } else { sound(pair, most) };
    let (hours, power, price) =
        (sound(hours, ABSURD[0]), of_hours(power, ABSURD[1]), of_hours(price, ABSURD[2]));
    let differs = |pair: Pair| pair.ratio().filter(|ratio| (ratio - 1.0).abs() > SAME);
    let mut hints = Vec::new();
    if let (Some(ratio), Some(mfu)) = (differs(hours), forecast(Id::Mfu)) {
        let goodput = forecast(Id::Goodput).map_or(String::new(), |goodput| {
            format!(", `--set training.goodput={}`", typed(goodput))
        });
        let why = format!(
            "device-hours came to {} times the forecast; the MFU of {} would have been this, at \
             the same goodput{goodput}",
            number(ratio),
            number(mfu)
        );
        let value = typed(mfu / ratio);
        // An efficiency above the peak cannot be: the run was another one.
        if mfu / ratio <= 1.0 {
            hints.push(Hint {
                path: "training.efficiency",
                value: format!("{{mfu: {value}, convention: model}}"),
                why,
            });
        }
        if let Some(goodput) = forecast(Id::Goodput).filter(|goodput| goodput / ratio <= 1.0) {
            let why = format!("or this, at the same MFU (the forecast's is {})", number(goodput));
            hints.push(Hint { path: "training.goodput", value: typed(goodput / ratio), why });
        }
    }
    let mut add = |path, pair: Pair, unit: &str, what: &str| {
        if let (Some(_), Some(actual), Some(expected)) = (differs(pair), pair.actual, pair.forecast)
        {
            let value = format!("{} {unit}", typed(actual)).trim_end().to_owned();
            hints.push(Hint { path, value, why: format!("{what}; forecast {}", number(expected)) });
        }
    };
    add("training.hardware.power", power, "W", "measured energy / device-hours");
    add("placement.pue", pue, "", "measured facility energy / IT energy");
    let energy = if of_machines { "energy of the machines" } else { "facility energy" };
    add("placement.grid", grid, "gCO2e/kWh", &format!("measured CO2e / {energy}"));
    if let (Some(_), Some(actual), Some(expected)) = (differs(price), price.actual, price.forecast)
    {
        let value = format!("{{price: {} USD/device-h}}", typed(actual));
        let why = format!("billed / device-hours; forecast {}", number(expected));
        hints.push(Hint { path: "placement.purchase", value, why });
    }
    hints
}
