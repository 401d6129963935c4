//! The inference section.

use std::sync::Arc;

use flopcast_core::catalog::{Accelerator, Catalog};
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::plan::{Refresh, Service};
use flopcast_core::ledger::plan::{Tariff, Terms};
use flopcast_core::model::{Input as ModelInput, Model};
use flopcast_core::provenance::{Basis, Input};
use flopcast_core::quantity::{Data, Measure, Time, TokensPerRequest, show};
use flopcast_core::serving::plan::{
    Demand, FlopPerRequest, KvPerToken, Mixture, Replica, Speculation, Spread,
};

use super::super::file::{Inference, Placement, ScenarioFile};
use super::super::given::Given;
use super::compress::Served;
use super::costs::Payer;
use super::rent::Tenant;
use super::spread::{self, Spreading};
use super::traffic::{self, Asked};
use super::{
    Files, Notes, api, assumed, default, owned, placement, pools, share, site, speculation,
    training,
};

pub(super) fn plan(
    file: &ScenarioFile,
    service: &Inference,
    catalog: &Catalog,
    files: &dyn Files,
    notes: &mut Notes,
) -> Result<Service> {
    let first = generation(file, service, catalog, files, notes)?;
    let Some(given) = &service.refresh else { return Ok(first) };
    let year = given.year.value;
    if !(2..=1000).contains(&year) {
        return Err(Error::input("the fleet of the first year is renewed from year 2 on")
            .at(Some(&given.year.place)));
    }
    let later = Inference {
        hardware: given.hardware.clone(),
        parallelism: given.parallelism.clone(),
        placement: given.placement.clone().or_else(|| service.placement.clone()),
        refresh: None,
        ..service.clone()
    };
    let later = generation(file, &later, catalog, files, notes)?;
    Ok(Service { refresh: Some(Refresh { year, service: Box::new(later) }), ..first })
}

/// The service on one fleet.
fn generation(
    file: &ScenarioFile,
    service: &Inference,
    catalog: &Catalog,
    files: &dyn Files,
    notes: &mut Notes,
) -> Result<Service> {
    let device = placement::accelerator(catalog, &service.hardware)?;
    let nowhere = Placement::default();
    let place = service.placement.as_ref().or(file.placement.as_ref()).unwrap_or(&nowhere);
    let asked = traffic::asked(service, files, notes)?;

    let of = |input: &ModelInput| -> Result<(Served, Arc<Model>)> {
        let model = training::model_of(file, files, input)?;
        Ok((Served::new(file, service, device, &model)?, model))
    };
    let at = |tokens: f64| ModelInput {
        sequence: Some((tokens.round() as u64).max(1)),
        ..ModelInput::default()
    };
    let first = asked.classes.first().and_then(|class| class.input.as_ref());
    let prompt = first.map_or_else(ModelInput::default, |length| at(length.mean.value.value));
    let (served, model) = of(&prompt)?;
    let of_first = served.flops().value / model.input.batch as f64;
    served.note(device, notes);
    // The answer's tokens pass the model one by one: forward of the whole less that of the prompt.
    // What is found in the cache is not computed again.
    let (mut prefill, mut whole) = (0.0, 0.0);
    for (i, class) in asked.classes.iter().enumerate() {
        let (input, output) = class.tokens();
        let forward = |tokens: f64| -> Result<f64> {
            let (served, model) = of(&at(tokens))?;
            Ok(served.flops().value / model.input.batch as f64)
        };
        let first = if i == 0 { of_first } else { forward(input)? };
        let all = if class.output.is_some() { forward(input + output)? } else { first };
        let found = first * class.cached.value.get();
        prefill += class.share.value.get() * (first - found);
        whole += class.share.value.get() * (all - found);
    }
    let counted = |name: &str, flops: f64, formula: String| {
        Input::new(name, FlopPerRequest::from_stored(flops), Basis::Derived { formula })
    };
    let speculation = match &service.speculative {
        Some(given) => {
            let answers = asked.classes.iter().map(|it| it.share.value.get() * it.tokens().1);
            let decode = (whole - prefill) / answers.sum::<f64>().max(1.0);
            Some(speculation::plan(given, service, files, &asked, decode)?)
        }
        None => None,
    };
    let (replica, spread) =
        replica(service, catalog, device, &served, &asked, prefill, speculation)?;
    let rent = Tenant {
        catalog,
        placement: place,
        device,
        together: replica.devices.value.value as u64,
        stage: "inference",
    }
    .rent(notes)?;
    let committed = |tariff: &Tariff| matches!(tariff.terms, Terms::Reserved { .. });
    if let (Some(scaling), Some(rent)) = (&service.autoscaling, &rent)
        && rent.tariffs.iter().any(committed)
    {
        return Err(scaling
            .start_up
            .refuse("reserved devices are paid for whether they run or not")
            .hint("buy on demand or spot, or leave inference.autoscaling out"));
    }
    Ok(Service {
        rate: asked.rate,
        peak_to_mean: asked.peak_to_mean,
        headroom: assumed(
            "planned load of a replica",
            share(0.8),
            "queues grow without bound at full load",
        ),
        growth: asked.growth,
        redundancy: Input::new(
            "inference.redundancy",
            service.redundancy as f64,
            Basis::Derived { formula: "replicas beside those that the peak needs".to_owned() },
        ),
        start_up: service
            .autoscaling
            .as_ref()
            .map(|it| it.start_up.input("inference.autoscaling.start_up")),
        flops: counted(
            "FLOPs of a request",
            whole,
            format!("operators of {}, forward over prompt and answer", model.name),
        ),
        site: site::site(catalog, place, &service.hardware, device, "inference", notes)?,
        api: match &service.api {
            Some(asked) => Some(api::plan(catalog, asked, replica.output.is_some(), notes)?),
            None => None,
        },
        owned: owned::plan(
            catalog,
            place,
            device,
            if service.placement.is_some() { "inference.placement" } else { "placement" },
            notes,
        )?,
        rent,
        costs: match &service.costs {
            Some(costs) => Some(
                Payer { catalog, placement: place, section: "inference.costs" }
                    .of_service(costs)?,
            ),
            None => None,
        },
        demand: Demand {
            model: Arc::new(served.model().clone()),
            accelerator: device.id.clone(),
            spread,
            precision: service.precision.placed(),
            kv_precision: service.kv_precision.unwrap_or(service.precision.value),
            quantized: served.formats(),
            kinds: asked.classes.into_iter().map(traffic::AskedClass::kind).collect(),
            burstiness: asked.burstiness,
            trace: asked.trace,
            profile: asked.profile,
            router: service.router.unwrap_or_default().into(),
            objective: asked.objective,
            engine: service.engine.as_ref().map(super::super::reader::Located::placed),
            max_batch_tokens: of_engine(service.max_batch_tokens.as_ref(), "max_batch_tokens")?,
            kv_cache: of_engine(service.kv_cache.as_ref(), "kv_cache")?,
            step_time: of_engine(service.step_time.as_ref(), "step_time")?,
            max_wait: max_wait(service, replica.output.is_some())?,
        },
        replica,
        refresh: None,
    })
}

/// What the user says of the engine itself.
fn of_engine<Q: Measure>(given: Option<&Given<Q>>, key: &str) -> Result<Option<Input<Q>>> {
    match given {
        Some(given) if given.spread.central().stored() <= 0.0 => {
            Err(given.refuse(format!("inference.{key} is above zero")))
        }
        given => Ok(given.map(|given| given.input(&format!("inference.{key}")))),
    }
}

/// How long a batch is waited for, where requests are answered batch by batch.
fn max_wait(service: &Inference, generates: bool) -> Result<Option<Input<Time>>> {
    let name = "inference.max_wait";
    match &service.max_wait {
        Some(given) if generates => Err(given
            .refuse("an engine that generates tokens does not wait for a batch")
            .hint("leave max_wait out, or output_tokens")),
        Some(given) if given.spread.central().value < 0.0 => {
            Err(given.refuse("a wait is not negative"))
        }
        Some(given) => Ok(Some(given.input(name))),
        None if generates => Ok(None),
        None => Ok(Some(assumed(name, Time::from_stored(0.0), "a batch takes what waits"))),
    }
}

fn replica(
    service: &Inference,
    catalog: &Catalog,
    device: &Accelerator,
    served: &Served,
    asked: &Asked,
    prefill: f64,
    speculation: Option<Speculation>,
) -> Result<(Replica, Spread)> {
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
    let lengths = asked.classes.iter().map(|class| {
        let (input, output) = class.tokens();
        class.share.value.get() * (input + output)
    });
    let length = lengths.sum::<f64>().max(1.0) as u64;
    let kv_per_token =
        kv.size().value * model.extents.cached_elements(length) as f64 / length as f64;
    let formula = |text: String| Basis::Derived { formula: text };

    let usable_data = Data::from_stored(memory.value.value * usable.get());
    let draft = speculation.as_ref().and_then(|it| it.draft.as_ref());
    let beside = draft.map_or(Data::default(), |draft| draft.weights.value);
    let pools = match &service.disaggregated {
        Some(given) => {
            let held = (weights.clone(), beside, usable_data);
            let generates = asked.classes.iter().any(|class| class.output.is_some());
            Some(pools::plan(given, service, device, model, generates, held)?)
        }
        None => None,
    };
    let Spreading { spread, devices, stages, weights } =
        spread::over_devices(service.parallelism.as_ref(), model, weights, beside, usable_data)?;
    let none =
        || assumed("input tokens", TokensPerRequest::from_stored(0.0), "the model reads none");
    let input = asked.classes.iter().map(|class| {
        (class.share.clone(), class.input.as_ref().map_or_else(none, |it| it.mean.clone()))
    });
    // A class without answers among others that have them generates nothing.
    let generates = asked.classes.iter().any(|class| class.output.is_some());
    let output = asked.classes.iter().filter(|_| generates).map(|class| {
        let silent = || {
            assumed("output tokens", TokensPerRequest::from_stored(0.0), "the class has no answer")
        };
        (class.share.clone(), class.output.as_ref().map_or_else(silent, |it| it.mean.clone()))
    });
    let replica = Replica {
        devices,
        pools,
        stages,
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
        input: Mixture::of(input)
            .ok_or_else(|| Error::input("the service has no requests").at(Some(named)))?,
        output: Mixture::of(output),
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
        max_batch: match &service.max_batch {
            Some(given) if !(1.0..=65536.0).contains(&given.spread.central()) => {
                return Err(given.refuse("a batch holds from 1 to 65,536 requests"));
            }
            Some(given) => given.input("inference.max_batch"),
            None => assumed("largest batch", 256.0, "a usual engine setting"),
        },
        speculation,
    };
    Ok((replica, spread))
}
