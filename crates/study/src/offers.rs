//! What the settings that a document leaves open would save: narrower formats that the device
//! multiplies itself, each in its best layout, and other batches than the engine's own.
//!
//! A format is told, not taken: it is a choice about quality. A batch is taken where the layout is
//! searched and percentiles bound it.

use flopcast_core::diagnostic::Result;
use flopcast_core::estimate::plan::{Scenario, Service};
use flopcast_core::quantity::{Measure as _, Precision};
use flopcast_scenario::document::Node;

use super::axis::{Axis, Choice as Value, Setting};
use super::fleets::{Sized, Wanted, choose};
use super::layouts::{self, Means, rough};
use super::space::Space;

/// The key of a service's format, and that of its batch.
const FORMAT: &str = "inference.precision";
pub(super) const BATCH: &str = "inference.max_batch";
/// Batches that are tried.
const BATCHES: [u32; 6] = [32, 64, 128, 256, 512, 1024];
/// Formats of 8 and 4 bits, the usual one of each width first.
const FORMATS: [&[Precision]; 2] = [&[Precision::Fp8, Precision::Int8], &[Precision::Fp4]];
/// The least saving that is told.
const LEAST: f64 = 0.02;

/// A setting that the document leaves open and that makes the fleet cheaper.
pub(super) struct Saving {
    /// The setting's key and value.
    pub name: &'static str,
    pub value: String,
    /// The scenario with it, and its devices.
    pub scenario: Scenario,
    devices: f64,
    shown: String,
    /// Change of the cost, or of the devices where no price is known: below zero.
    pub change: f64,
}

impl Saving {
    /// The saving in words.
    pub(super) fn words(&self) -> String {
        let Self { name, value, devices, shown, change, .. } = self;
        let word = if *devices <= 1.0 { "device" } else { "devices" };
        format!("with {name}: {value}: {devices:.0} {word} ({shown}), {:+.0} %", 100.0 * change)
    }
}

/// The batch at which a fleet in its layout, which `chosen` sets, is the cheapest, where the document
/// leaves it open and it saves anything beside `best`.
///
/// # Errors
/// As [`choose`].
pub(super) fn batch(
    document: &Node,
    chosen: Vec<Setting>,
    service: &Service,
    best: &Sized,
    means: &Means<'_>,
) -> Result<Option<Saving>> {
    if document.at(BATCH).is_some() || service.demand.instances.is_none() {
        return Ok(None);
    }
    let mut laid_out = document.clone();
    chosen.into_iter().try_for_each(|setting| setting.put(&mut laid_out))?;
    let batch = |most: u32| -> Result<Value> {
        let text = most.to_string();
        Ok(Value { sets: vec![Setting::new("batch", BATCH, &text)?], shown: text })
    };
    let own = service.replica.max_batch.value as u32;
    let choices = BATCHES.into_iter().filter(|most| *most != own).map(batch);
    let axis = Axis { name: BATCH.to_owned(), choices: choices.collect::<Result<_>>()? };
    let saved = saved(laid_out, axis, best, means)?;
    Ok(saved.map(|it| Saving { name: BATCH, value: it.shown.clone(), ..it }))
}

/// The formats that make a fleet cheaper than `best`, each in its best layout, where the document
/// leaves the format open.
///
/// # Errors
/// As [`choose`].
pub(super) fn narrower(
    document: &Node,
    service: &Service,
    best: &Sized,
    means: &Means<'_>,
) -> Result<Vec<Saving>> {
    let written =
        document.at("compress").is_some() || document.at("inference.disaggregated").is_some();
    if document.at(FORMAT).is_some() || written {
        return Ok(Vec::new());
    }
    let mut savings = Vec::new();
    for format in formats(service, means)? {
        let mut narrower = document.clone();
        Setting::new("format", FORMAT, format.name())?.put(&mut narrower)?;
        if let Some(axis) = layouts::axis(service)? {
            let value = format.name().to_owned();
            let saved = saved(narrower, axis, best, means)?;
            savings.extend(saved.map(|it| Saving { name: FORMAT, value, ..it }));
        }
    }
    Ok(savings)
}

/// Formats that the device multiplies and that are narrower than the service's own.
fn formats(service: &Service, means: &Means<'_>) -> Result<Vec<Precision>> {
    let device = means.catalog.accelerator(&service.demand.accelerator)?;
    let own = service.demand.precision.value.size().stored();
    let native = |format: &Precision| format.size().stored() < own && device.peak(*format).is_ok();
    let first = |formats: &[Precision]| formats.iter().copied().find(native);
    Ok(FORMATS.into_iter().filter_map(first).collect())
}

/// The best value of an axis, where it takes less than what there is.
fn saved(document: Node, axis: Axis, than: &Sized, means: &Means<'_>) -> Result<Option<Saving>> {
    let Means { catalog, files, calibration, search } = *means;
    let space = Space::own(document, axis, catalog, files);
    let wanted = Wanted::Below((1.0 - LEAST) * than.merits.price());
    let choice = choose(&space, catalog, calibration, &rough(search), wanted, &|_| Ok(()))?;
    let best = choice.cheapest.or(choice.smallest).and_then(|best| Some((best, choice.at(best)?)));
    let Some((number, sized)) = best else { return Ok(None) };
    let change = sized.merits.price() / than.merits.price() - 1.0;
    if change > -LEAST {
        return Ok(None);
    }
    Ok(Some(Saving {
        name: "",
        value: String::new(),
        scenario: space.scenario(number)?,
        devices: sized.merits.devices,
        shown: space.labels(number).next().unwrap_or_default().to_owned(),
        change,
    }))
}
