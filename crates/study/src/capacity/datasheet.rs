//! The floor that a datasheet sets to latency.

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::plan::Service;
use flopcast_core::quantity::{Data, DeviceFlopRate, Measure as _, Time, text};
use flopcast_core::serving::capacity::{Limit, Objective, Slo};

/// Refuses an SLO that the datasheet forbids whatever the engine does: a token reads every weight
/// of a dense model, a prompt computes its FLOPs.
///
/// # Errors
/// A bound below the physical floor.
pub(super) fn allows(service: &Service, dense: bool, objective: &Objective) -> Result<()> {
    let replica = &service.replica;
    let devices = replica.devices.value;
    let refuse = |slo: &Slo, why: String| {
        Err(Error::limit(format!(
            "{} of {} is below the physical floor: {why}",
            objective.name(slo),
            text::show(slo.bound)
        ))
        .hint("use a faster device, more tensor parallelism, or a narrower precision"))
    };
    let unread = service.demand.instances.as_ref().map_or(Data::default(), |it| it.unread());
    let (mut weights, mut yields) = (replica.weights.value - unread, 1.0);
    if let Some(speculation) = &replica.speculation {
        let draft = speculation.draft.as_ref().map_or(Data::default(), |it| it.weights.value);
        weights += draft * speculation.tokens.value;
        yields = speculation.tokens_per_verification().value().value;
    }
    let read = weights / (replica.bandwidth.value * devices) / yields;
    let peak: DeviceFlopRate = replica.peak.value;
    let reading = replica.pools.as_ref().map_or(devices, |pools| pools.prefill_devices.value);
    let compute = Time::from_stored(replica.prefill.value.value / (peak.value * reading.value));
    for slo in &objective.slos {
        let tokens = slo.latency == Limit::Tpot && dense;
        if tokens && slo.bound.value < read.value {
            let each = if yields > 1.0 { &format!("{yields:.2} tokens") } else { "token" };
            let why = format!(
                "reading {} of weights for each {each} takes {} a token at the memory bandwidth \
                 of {}",
                text::show(weights),
                text::show(read),
                text::show(devices)
            );
            return refuse(slo, why);
        }
        // Nine in ten requests are no longer than the mean only where lengths hardly vary; of a
        // class the mean is another.
        let prompts = slo.latency == Limit::Ttft && slo.percentile >= 0.9;
        if prompts && slo.class.is_none() && slo.bound < compute {
            let why = format!(
                "the FLOPs of the mean prompt take {} at the dense peak of {}",
                text::show(compute),
                text::show(reading)
            );
            return refuse(slo, why);
        }
    }
    Ok(())
}
