//! The inference section.

use std::sync::Arc;

use super::super::file::{Inference, Lengths, Placement, ScenarioFile};
use super::super::plan::{Demand, FlopPerRequest, KvPerToken, Replica, Service};
use super::compress::Served;
use super::rent::Tenant;
use super::{Files, Notes, assumed, default, placement, share, training};
use crate::catalog::{Accelerator, Catalog};
use crate::diagnostic::{Error, Result};
use crate::model::Input as ModelInput;
use crate::provenance::{Basis, Input};
use crate::quantity::{Data, Devices, Measure, TokensPerRequest, YearlyRate, show};

pub(super) fn plan(
    file: &ScenarioFile,
    service: &Inference,
    catalog: &Catalog,
    files: &dyn Files,
    notes: &mut Notes,
) -> Result<Service> {
    let device = placement::accelerator(catalog, &service.hardware)?;
    let traffic = &service.traffic;
    let nowhere = Placement::default();
    let place = service.placement.as_ref().or(file.placement.as_ref()).unwrap_or(&nowhere);

    let prompt = traffic.input_tokens.as_ref().map(|lengths| &lengths.mean);
    let answer = traffic.output_tokens.as_ref().map(|lengths| &lengths.mean);
    let at = |tokens: f64| ModelInput {
        sequence: Some((tokens.round() as u64).max(1)),
        ..ModelInput::default()
    };
    let prompt_tokens = prompt.map(|given| given.spread.central().value);
    let answer_tokens = answer.map(|given| given.spread.central().value);
    if answer_tokens.is_some_and(|tokens| tokens < 1.0) {
        return Err(Error::input("an answer has at least one token").at(answer.map(|a| &a.place)));
    }
    let model =
        training::model_of(file, files, &prompt_tokens.map_or_else(ModelInput::default, at))?;
    let served = Served::new(file, service, device, &model)?;
    served.note(device, notes);
    let prefill = served.flops().value / model.input.batch as f64;
    // The answer's tokens pass the model one by one: forward of the whole less that of the prompt.
    let whole = match (prompt_tokens, answer_tokens) {
        (Some(prompt), Some(answer)) => {
            let longer = training::model_of(file, files, &at(prompt + answer))?;
            Served::new(file, service, device, &longer)?.flops().value
        }
        (None, Some(_)) => {
            return Err(
                Error::input("output_tokens need input_tokens").at(answer.map(|a| &a.place))
            );
        }
        _ => prefill,
    };
    let hit = service.prefix_cache_hit.as_ref().map_or_else(
        || assumed("inference.prefix_cache_hit", share(0.0), "no prompts share a prefix"),
        |given| given.input("inference.prefix_cache_hit"),
    );
    // What is found in the cache is not computed again.
    let found = prefill * hit.value.get();
    let (prefill, whole) = (prefill - found, whole - found);
    let counted = |name: &str, flops: f64, formula: String| {
        Input::new(name, FlopPerRequest::from_stored(flops), Basis::Derived { formula })
    };
    let replica = replica(service, catalog, device, &served, prefill)?;
    Ok(Service {
        rate: traffic.requests.input("inference.traffic.requests"),
        peak_to_mean: match &traffic.peak_to_mean {
            Some(given) if given.spread.central() < 1.0 => {
                return Err(
                    given.refuse("the peak is at least the mean: peak_to_mean is 1 or more")
                );
            }
            Some(given) => given.input("inference.traffic.peak_to_mean"),
            None => assumed(
                "inference.traffic.peak_to_mean",
                2.0,
                "a daily rhythm; set it from your own traffic",
            ),
        },
        headroom: assumed(
            "planned load of a replica",
            share(0.8),
            "queues grow without bound at full load",
        ),
        growth: traffic.growth.as_ref().map_or_else(
            || {
                assumed(
                    "inference.traffic.growth",
                    YearlyRate::from_stored(0.0),
                    "no growth is planned",
                )
            },
            |given| given.input("inference.traffic.growth"),
        ),
        redundancy: Input::new(
            "inference.redundancy",
            service.redundancy as f64,
            Basis::Derived { formula: "replicas beside those that the peak needs".to_owned() },
        ),
        flops: counted(
            "FLOPs of a request",
            whole,
            format!("operators of {}, forward over prompt and answer", model.name),
        ),
        site: placement::site(catalog, place, &service.hardware, device, "inference", notes)?,
        rent: Tenant {
            catalog,
            placement: place,
            device,
            together: replica.devices.value.value as u64,
            stage: "inference",
        }
        .rent(notes)?,
        demand: Demand {
            model: Arc::new(served.model().clone()),
            accelerator: device.id.clone(),
            precision: service.precision.clone(),
            kv_precision: service.kv_precision.unwrap_or(service.precision.value),
            quantized: file.compress.as_ref().is_some_and(|it| !it.value.quantization.is_empty()),
            traffic: traffic.clone(),
            slo: service.slo.clone(),
            engine: service.engine.clone(),
            prefix_cache_hit: hit,
        },
        replica,
    })
}

fn replica(
    service: &Inference,
    catalog: &Catalog,
    device: &Accelerator,
    served: &Served,
    prefill: f64,
) -> Result<Replica> {
    let precision = &service.precision;
    let peak = served.peak(device).map_err(|error| error.at(Some(&precision.place)))?;
    let model = served.model();
    let named = &service.hardware.accelerator.place;
    let unknown = |what: &str| {
        Error::input(format!("the catalog does not know the {what} of {}", device.id))
            .at(Some(named))
    };
    let memory = device.memory.as_ref().ok_or_else(|| unknown("memory"))?;
    let bandwidth = device.bandwidth.as_ref().ok_or_else(|| unknown("memory bandwidth"))?;
    let usable = share(0.9);
    let weights = served.weights();
    let kv = service.kv_precision.unwrap_or(precision.value);
    // Windows and states make it fall with the length: a request's own counts.
    let length = (mean(service.traffic.input_tokens.as_ref())
        + mean(service.traffic.output_tokens.as_ref()))
    .max(1.0) as u64;
    let kv_per_token = kv.size().value * model.shape.cached_elements(length) as f64 / length as f64;
    let formula = |text: String| Basis::Derived { formula: text };

    let fitting = smallest_power_of_two(weights.value, memory.value.value * usable.get());
    let devices = match service.parallelism {
        Some(parallelism) if parallelism.tensor == 0 => {
            return Err(Error::input("a replica has at least one device").at(Some(named)));
        }
        Some(parallelism) => Input::new(
            "inference.parallelism.tensor",
            Devices::from_stored(parallelism.tensor as f64),
            formula("given".to_owned()),
        ),
        None => assumed(
            "inference.parallelism.tensor",
            Devices::from_stored(fitting as f64),
            "the smallest power of two that holds the weights with room for the KV cache",
        ),
    };
    let tokens =
        |given: Option<&Lengths>, name: &str| given.map(|lengths| lengths.mean.input(name));
    let traffic = &service.traffic;
    Ok(Replica {
        devices,
        weights,
        kv_per_token: Input::new(
            "KV cache per token",
            KvPerToken::from_stored(kv_per_token),
            formula(format!(
                "cached elements of {} per position x {}",
                model.name,
                show(kv.size())
            )),
        ),
        prefill: Input::new(
            "FLOPs of the prompt",
            FlopPerRequest::from_stored(prefill),
            formula(format!("operators of {}, forward over the prompt", model.name)),
        ),
        input: tokens(traffic.input_tokens.as_ref(), "inference.traffic.input_tokens.mean")
            .unwrap_or_else(|| {
                assumed("input tokens", TokensPerRequest::from_stored(0.0), "the model reads none")
            }),
        output: tokens(traffic.output_tokens.as_ref(), "inference.traffic.output_tokens.mean"),
        peak,
        bandwidth: bandwidth.input(format!("memory bandwidth of {}", device.id)),
        memory: memory.input(format!("memory of {}", device.id)),
        usable_memory: assumed(
            "usable memory",
            usable,
            "the rest is the engine's own and activations",
        ),
        compute_efficiency: default(
            catalog,
            "prefill FLOP/s / peak",
            "serving.compute_efficiency",
            "what engines reach on average",
        )?,
        bandwidth_efficiency: default(
            catalog,
            "decode bytes/s / bandwidth",
            "serving.bandwidth_efficiency",
            "what engines reach on average",
        )?,
        max_batch: assumed("largest batch", 256.0, "a usual engine setting"),
    })
}

/// Mean tokens, 0 where there are none.
fn mean(lengths: Option<&Lengths>) -> f64 {
    lengths.map_or(0.0, |lengths| lengths.mean.spread.central().value)
}

/// Devices that hold the weights with a fifth of the memory left for the KV cache.
fn smallest_power_of_two(weights: Data, usable: f64) -> u64 {
    let mut devices: u64 = 1;
    while weights.value > 0.8 * usable * devices as f64 && devices < 1 << 20 {
        devices *= 2;
    }
    devices
}
