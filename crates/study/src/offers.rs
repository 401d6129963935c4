//! What the settings that a document leaves open would save: narrower formats that the device
//! multiplies itself, each in its best layout, and other batches than the engine's own.
//!
//! They are told, not taken: a format is a choice about quality, a batch is set where the engine is
//! started.

use flopcast_core::diagnostic::Result;
use flopcast_core::estimate::plan::Service;
use flopcast_core::quantity::{Measure as _, Precision};
use flopcast_scenario::document::Node;

use super::axis::{Axis, Choice as Value, Setting};
use super::fleets::{Limits, Merits, Sized, choose};
use super::layouts::{self, Means, rough};
use super::space::Space;

/// The key of a service's format, and that of its batch.
const FORMAT: &str = "inference.precision";
const BATCH: &str = "inference.max_batch";
/// Batches that are tried.
const BATCHES: [u32; 6] = [32, 64, 128, 256, 512, 1024];
/// Formats of 8 and 4 bits, the usual one of each width first.
const FORMATS: [&[Precision]; 2] = [&[Precision::Fp8, Precision::Int8], &[Precision::Fp4]];
/// The least saving that is told.
const LEAST: f64 = 0.02;

/// The offers beside a service in its best layout, `chosen`, which takes `best`; none where nothing
/// saves anything.
///
/// # Errors
/// As [`Space::new`] and [`choose`].
pub(super) fn words(
    document: &Node,
    chosen: Vec<Setting>,
    service: &Service,
    best: &Sized,
    means: &Means<'_>,
) -> Result<Option<String>> {
    let mut told = Vec::new();
    let written =
        document.at("compress").is_some() || document.at("inference.disaggregated").is_some();
    if document.at(FORMAT).is_none() && !written {
        for format in formats(service, means)? {
            let mut narrower = document.clone();
            Setting::new("format", FORMAT, format.name())?.put(&mut narrower)?;
            if let Some(axis) = layouts::axis(service)? {
                let name = format!("{FORMAT}: {}", format.name());
                told.extend(saved(narrower, axis, best, means)?.map(|words| (name, words)));
            }
        }
    }
    if document.at(BATCH).is_none() && service.demand.instances.is_some() {
        let mut laid_out = document.clone();
        chosen.into_iter().try_for_each(|setting| setting.put(&mut laid_out))?;
        let batch = |most: u32| -> Result<Value> {
            let text = most.to_string();
            Ok(Value { sets: vec![Setting::new("batch", BATCH, &text)?], shown: text })
        };
        let own = service.replica.max_batch.value as u32;
        let choices = BATCHES.into_iter().filter(|most| *most != own).map(batch);
        let axis = Axis { name: BATCH.to_owned(), choices: choices.collect::<Result<_>>()? };
        told.extend(saved(laid_out, axis, best, means)?.map(|words| (BATCH.to_owned(), words)));
    }
    let told: Vec<String> =
        told.into_iter().map(|(name, words)| format!("with {name}: {words}")).collect();
    Ok((!told.is_empty()).then(|| told.join("; ")))
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
fn saved(document: Node, axis: Axis, than: &Sized, means: &Means<'_>) -> Result<Option<String>> {
    let Means { catalog, files, calibration, search } = *means;
    let space = Space::new(document, vec![axis], catalog, files)?;
    let choice =
        choose(&space, catalog, calibration, &rough(search), &Limits::default(), &|_| Ok(()))?;
    let of = |merits: &Merits| merits.cost_usd.unwrap_or(merits.devices);
    let best = choice.cheapest.or(choice.smallest).and_then(|best| Some((best, choice.at(best)?)));
    Ok(best.and_then(|(number, sized)| {
        let change = of(&sized.merits) / of(&than.merits) - 1.0;
        let devices = sized.merits.devices;
        let word = if devices <= 1.0 { "device" } else { "devices" };
        let name = space.labels(number).next().unwrap_or_default();
        (change <= -LEAST)
            .then(|| format!("{devices:.0} {word} ({name}), {:+.0} %", 100.0 * change))
    }))
}
