//! Changes that make a model fit that does not fit: each change alone, computed.
//!
//! Wider tensor parallelism, a narrower precision, a narrower cache, another device and a shorter
//! request are tried in turn, and those that fit are told with the number of requests that the
//! memory then holds.

use flopcast_core::catalog::{Catalog, Device};
use flopcast_core::diagnostic::Error;
use flopcast_core::estimate::plan::Service;
use flopcast_core::quantity::{Precision, text};
use flopcast_core::serving::instance::{Instances, Unfit, weights};
use flopcast_core::serving::memory::KvCapacity;
use flopcast_core::serving::step::Deployment;

/// The most devices that are named, those with the least memory first.
const DEVICES: usize = 3;
/// The widest tensor parallelism that is tried.
const WIDEST: u32 = 64;

/// The error of a replica that does not fit, with the changes that would make it fit as hints.
pub(super) fn explained(
    unfit: Unfit,
    service: &Service,
    instances: &Instances,
    catalog: &Catalog,
    (input, output): (f64, f64),
) -> Error {
    let replica = Replica {
        service,
        instances,
        deployment: unfit.deployment,
        length: (input + output).ceil() as u32,
        parallelism: if unfit.prefill {
            "inference.disaggregated.prefill_parallelism"
        } else {
            "inference.parallelism"
        },
    };
    replica.remedies(catalog).into_iter().fold(unfit.error, Error::hint)
}

/// The replica that does not fit, with all that a change may touch.
struct Replica<'a> {
    service: &'a Service,
    instances: &'a Instances,
    deployment: Deployment,
    /// Tokens of a request.
    length: u32,
    /// The place where its parallelism is given.
    parallelism: &'static str,
}

impl Replica<'_> {
    /// The changes that make it fit, in words.
    fn remedies(&self, catalog: &Catalog) -> Vec<String> {
        let Self { service, instances, deployment, length, parallelism } = self;
        let (demand, device) = (&service.demand, &instances.device);
        let holds = |device: &Device, deployment: &Deployment, length| {
            instances.holds(demand, device, deployment, length).ok()
        };
        let at_once = |memory: &KvCapacity| {
            let count = memory.sequences.min(service.replica.max_batch.value);
            let requests = if count < 2.0 { "request" } else { "requests" };
            format!("{} {requests} at once", text::count(count.floor()))
        };
        let mut found = Vec::new();
        let mut with = |key: String, memory: KvCapacity| {
            found.push(format!("it fits with {key}: {}", at_once(&memory)));
        };
        let wider = std::iter::successors(Some(1), |tensor| Some(2 * tensor))
            .take_while(|tensor| *tensor <= WIDEST)
            .filter(|tensor| *tensor > deployment.tensor)
            .find_map(|tensor| {
                let wider = Deployment { tensor, ..*deployment };
                Some((tensor, holds(device, &wider, *length)?))
            });
        if let Some((tensor, memory)) = wider {
            with(format!("{parallelism}.tensor={tensor}"), memory);
        }
        let given = demand.precision.value;
        // Formats that the device computes in come first, then those of weights alone.
        let accelerator = catalog.accelerator(&demand.accelerator);
        let narrower = |precision: &Precision| {
            demand.quantized.is_none()
                && precision.size() < given.size()
                && accelerator.as_ref().is_ok_and(|it| it.products(*precision).is_ok())
        };
        let mut formats = [Precision::Fp8, Precision::Int8, Precision::Int4, Precision::Fp4];
        formats.sort_by_key(|it| !accelerator.as_ref().is_ok_and(|of| of.peak(*it).is_ok()));
        let narrowed = formats.into_iter().filter(narrower).find_map(|precision| {
            let cache = |format| instances.settings().cache(format);
            let follows = demand.kv_precision == cache(given);
            let kv_bytes =
                if follows { cache(precision).size().value } else { deployment.kv_bytes };
            let narrow = Deployment { weights: weights(precision), kv_bytes, ..*deployment };
            Some((precision, holds(device, &narrow, *length)?))
        });
        if let Some((precision, memory)) = narrowed {
            with(format!("inference.precision={}", precision.name()), memory);
        }
        if deployment.kv_bytes > 1.0 {
            let narrow = Deployment { kv_bytes: 1.0, ..*deployment };
            if let Some(memory) = holds(device, &narrow, *length) {
                with("inference.kv_precision=fp8".to_owned(), memory);
            }
        }
        let (mut least, mut most) = (0, *length);
        while most - least > 1 {
            let middle = u32::midpoint(least, most);
            let fits = holds(device, deployment, middle).is_some();
            (least, most) = if fits { (middle, most) } else { (least, middle) };
        }
        if least > 0 {
            let tokens = text::count(f64::from(least));
            found.push(format!("it fits with requests of at most {tokens} tokens on average"));
        }
        let kind = catalog.accelerator(&demand.accelerator).map(|it| it.kind).ok();
        let mut larger: Vec<_> = catalog
            .accelerators()
            .filter(|it| Some(it.kind) == kind)
            .filter_map(|it| Some((&it.id, Device::of(it).ok()?)))
            .filter(|(_, other)| other.memory > device.memory)
            .filter(|(_, other)| holds(other, deployment, *length).is_some())
            .collect();
        larger.sort_by(|(_, a), (_, b)| a.memory.value.total_cmp(&b.memory.value));
        let larger = larger.into_iter().take(DEVICES);
        let named: Vec<_> =
            larger.map(|(id, device)| format!("{id} ({})", text::show(device.memory))).collect();
        if !named.is_empty() {
            found.push(format!("it fits on {}", named.join(", ")));
        }
        found
    }
}
