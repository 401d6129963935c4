//! Training throughput and memory against what was published.

use flopcast_core::diagnostic::Result;
use flopcast_core::quantity::{DeviceMemory, Measure};
use flopcast_core::training::calibration::{Calibration, Familiarity};
use flopcast_core::training::parallelism::Zero;

use super::case::{Case, MemoryKind};
use super::score::Scored;

/// The figure of training speed.
pub const THROUGHPUT: &str = "tokens_per_second_per_device";
/// Half-width of the 80 % interval of ln(measured / predicted) of allocated memory, whose tensors
/// are counted.
const ALLOCATED: f64 = 0.08;
/// The same of reserved memory: what an allocator adds depends on its history.
const RESERVED: f64 = 0.2;

/// The throughput of a case beside its prediction; `None` where none was published. `seen`
/// overrides whether the framework counts as one that the constants were fitted on.
///
/// # Errors
/// Nothing was measured on the hardware's architecture or its relatives.
pub fn score_throughput(
    case: &Case,
    calibration: &Calibration,
    seen: Option<bool>,
) -> Result<Option<Scored>> {
    let Some(measured) = case.throughput else { return Ok(None) };
    let known = case.familiarity(calibration)?;
    let known = Familiarity { framework: seen.unwrap_or(known.framework), ..known };
    let predicted = case.step(calibration)?.throughput.stored();
    let width = calibration.intervals.half_width(known).exp();
    Ok(Some(Scored {
        id: case.id.clone(),
        figure: THROUGHPUT,
        measured: measured.stored(),
        predicted,
        interval: (predicted / width, predicted * width),
        groups: groups(case, known),
    }))
}

/// The memory of a case beside its prediction, in GB; `None` where none was published.
///
/// # Errors
/// As [`score_throughput`].
pub fn score_memory(case: &Case, calibration: &Calibration) -> Result<Option<Scored>> {
    let Some((measured, kind)) = case.memory else { return Ok(None) };
    let memory = case.memory(calibration)?;
    let gigabytes = |memory: DeviceMemory| memory.stored() / 1e9;
    let (figure, predicted, width) = match kind {
        MemoryKind::Allocated => ("memory_allocated_gb", memory.allocated, ALLOCATED),
        MemoryKind::Reserved => ("memory_reserved_gb", memory.reserved, RESERVED),
    };
    let predicted = gigabytes(predicted);
    Ok(Some(Scored {
        id: case.id.clone(),
        figure,
        measured: gigabytes(measured),
        predicted,
        interval: (predicted / width.exp(), predicted * width.exp()),
        groups: groups(case, case.familiarity(calibration)?),
    }))
}

/// The throughput that a rule of thumb gives: 40 % of the dense peak, over 6 x active parameters
/// plus causal attention per token.
pub fn constant_mfu(case: &Case) -> Option<Scored> {
    const MFU: f64 = 0.4;
    let measured = case.throughput?.stored();
    let model = &case.transformer;
    let idle = model.experts.map_or(0.0, |experts| {
        let routed = model.expert_layers() as f64 * model.expert_weights();
        routed * (1.0 - experts.top_k as f64 / experts.count as f64)
    });
    let attention = 6.0 * (model.layers * model.heads * model.key_dim * case.batch.length) as f64;
    let per_token = 6.0 * (model.parameters as f64 - idle) + attention;
    let predicted = MFU * case.hardware.peak.stored() / per_token;
    Some(Scored {
        id: case.id.clone(),
        figure: THROUGHPUT,
        measured,
        predicted,
        interval: (predicted, predicted),
        groups: vec![("kind", kind(case).to_owned())],
    })
}

fn kind(case: &Case) -> &'static str {
    if case.transformer.experts.is_some() { "moe" } else { "dense" }
}

fn groups(case: &Case, known: Familiarity) -> Vec<(&'static str, String)> {
    vec![
        ("kind", kind(case).to_owned()),
        ("accelerator", case.accelerator.clone()),
        ("source", case.publisher().to_owned()),
        ("sharding", if case.layout.zero == Zero::Weights { "ZeRO-3" } else { "other" }.to_owned()),
        ("constants", if known.accelerator { "own" } else { "inherited" }.to_owned()),
    ]
}
