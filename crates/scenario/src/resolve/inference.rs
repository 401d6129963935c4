//! The inference section: what a request computes, the replica that answers it, and the fleet's
//! place.
//!
//! Each class of requests is counted at its mean lengths:
//! ```text
//! prefill = forward of the prompt x (1 - part found in the cache)
//! request = forward of prompt and answer - the part found in the cache
//! ```
//! averaged over the classes by their shares. The engine's time of a step comes from
//! `serving::instance`; a network that answers in one pass has operators timed one by one.

use std::collections::BTreeMap;
use std::sync::Arc;

use flopcast_core::catalog::{Accelerator, Catalog, Device};
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::plan::{Choice, Refresh, Service};
use flopcast_core::ledger::plan::{Tariff, Terms};
use flopcast_core::model::adapt::lora;
use flopcast_core::model::{Input as ModelInput, Model};
use flopcast_core::provenance::{Basis, Input};
use flopcast_core::quantity::{
    Data, DeviceFlopRate, DeviceMemory, Distribution, Measure, Precision, Share, Time,
    TokensPerRequest, text,
};
use flopcast_core::serving::calibration::Calibration;
use flopcast_core::serving::instance::{Instances, Parts};
use flopcast_core::serving::plan::{
    Adapters, Demand, FlopPerRequest, Mixture, Replica, Speculation, Spread,
};
use flopcast_core::serving::served::ServedModel;
use flopcast_core::serving::simulator::Admission;
use flopcast_core::serving::step::Weights;
use flopcast_core::serving::{instance, memory, network};

use super::super::file::{Inference, Placement, ScenarioFile};
use super::super::given::Given;
use super::compress::Served;
use super::costs::Payer;
use super::embodied::of_owned;
use super::rent::Tenant;
use super::spread::{self, Spreading};
use super::traffic::{self, Asked};
use super::{
    Files, Notes, api, assumed, owned, placement, pools, share, site, speculation, training,
};

/// Resolves the inference section into a service, with the fleet that takes over where one is
/// planned.
///
/// # Errors
/// If a part of it contradicts another, is impossible, or is unknown to the catalog.
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
    let renamed = given.hardware.accelerator.value != service.hardware.accelerator.value;
    let place = service.placement.as_ref().or(file.placement.as_ref());
    if renamed && given.placement.is_none() && place.is_some_and(Placement::prices_devices) {
        notes.warnings.push(format!(
            "the price given for {} is taken for {} from year {year} on; `refresh.placement` gives \
             it its own",
            service.hardware.accelerator.value, given.hardware.accelerator.value
        ));
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

/// The service on one fleet: that of the first year, or the one that takes over.
///
/// # Errors
/// As [`plan`].
fn generation(
    file: &ScenarioFile,
    service: &Inference,
    catalog: &Catalog,
    files: &dyn Files,
    notes: &mut Notes,
) -> Result<Service> {
    let device = placement::device(catalog, &service.hardware)?;
    let device = &*device;
    let other = super::unnamed(&service.precision, device, &Accelerator::FORMATS);
    let other = other.map(|precision| Inference { precision, ..service.clone() });
    let service = other.as_ref().unwrap_or(service);
    let nowhere = Placement::default();
    let place = service.placement.as_ref().or(file.placement.as_ref()).unwrap_or(&nowhere);
    let mut asked = traffic::asked(service, files, notes)?.uncertain(catalog, notes)?;

    let media = traffic::media(&service.traffic.value)?;
    let of = |input: &ModelInput| -> Result<(Served, Arc<Model>)> {
        let model = training::model_of(file, files, input)?;
        Ok((Served::new(file, service, device, &model)?, model))
    };
    if media != ModelInput::default() {
        let tokens = of(&media)?.1.media_tokens;
        asked.classes.iter_mut().for_each(|class| class.lengthen(tokens));
    }
    let whole = |tokens: f64| (tokens.round() as u64).max(1);
    let at = |tokens: f64| ModelInput { sequence: Some(whole(tokens)), ..media };
    let first = asked.classes.first().and_then(|class| class.input.as_ref());
    let prompt = first.map_or(media, |length| at(length.mean.value.value));
    let (served, model) = of(&prompt)?;
    let why = "the format of activations where none is named";
    notes.format("inference.precision", &service.precision, why);
    // An encoder reads the prompt and a decoder writes the answer; a decoder alone passes both.
    let encoded = model.input.decoder_sequence.is_some();
    served.note(device, notes);
    let doubts = model.warnings.iter().map(|warning| format!("model: {warning}"));
    notes.warnings.extend(doubts);
    counted_at_all(&model)?;
    notes.warnings.extend(model.unresolved.iter().map(ToString::to_string));
    remark(&asked, (&model, &media), &|input| of(input).map(|(_, model)| model), notes)?;
    // The answer's tokens pass the model one by one: forward of the whole less that of the prompt.
    // What is found in the cache is not computed again.
    let (mut prefill, mut request) = (0.0, 0.0);
    for class in &asked.classes {
        let (input, output) = class.tokens();
        let forward = |answer: f64| -> Result<f64> {
            let input = match (&class.input, encoded && class.output.is_some()) {
                (None, _) => media,
                (Some(_), false) => at(input + answer),
                (Some(_), true) => {
                    ModelInput { decoder_sequence: Some(whole(answer)), ..at(input) }
                }
            };
            let (served, model) = of(&input)?;
            Ok(served.flops().value / model.input.batch as f64)
        };
        let first = forward(0.0)?;
        let all = if class.output.is_some() { forward(output)? } else { first };
        let found = first * class.cached.value.get();
        prefill += class.share.value.get() * (first - found);
        request += class.share.value.get() * (all - found);
    }
    let counted = |name: &str, flops: f64, formula: String| {
        Input::new(name, FlopPerRequest::from_stored(flops), Basis::Derived { formula })
    };
    let speculation = match &service.speculative {
        Some(given) => Some(speculation::plan(given, service, (files, &model), &asked)?),
        None => None,
    };
    let engine = Engine::of(service, device, &served, &asked, notes)?;
    let tower = tower(&model, device, service.precision.value, &asked)?;
    let (replica, instances) =
        replica(service, device, &served, &asked, (prefill, tower), speculation, &engine)?;
    if let Some(count) = &service.hardware.count {
        notes.warnings.push(format!(
            "inference.hardware.count of {} changes no figure: a service sizes its own fleet by its \
             traffic, and inference.parallelism spreads a replica over devices",
            count.spread.central().value
        ));
    }
    super::network(notes, device, replica.devices.value.value);
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
    let mut site = site::site(catalog, place, &service.hardware, device, "inference", notes)?;
    let section = if service.placement.is_some() { "inference.placement" } else { "placement" };
    let owned = owned::plan(catalog, place, device, section, notes)?;
    site.embodied = of_owned(site.embodied, place.embodied.as_ref(), owned.as_ref(), true);
    Ok(Service {
        rate: asked.rate,
        peak_to_mean: asked.peak_to_mean,
        target_utilisation: target_utilisation(service, asked.within.is_some()),
        within: asked.within,
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
            request,
            format!("operators of {}, forward over prompt and answer", model.name),
        ),
        site,
        api: match &service.api {
            Some(asked) => Some(api::plan(catalog, asked, replica.output.is_some(), notes)?),
            None => None,
        },
        owned,
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
            step_error: instances
                .as_ref()
                .and_then(|it| step_error(service, served.model(), it, engine.calibration)),
            instances: instances.map(Arc::new),
            precision: service.precision.placed(),
            kv_precision: engine.kv,
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
            opening: asked.opening,
            admission: admission(service, replica.output.is_some())?,
        },
        replica,
        refresh: None,
    })
}

/// Says what the requests take for granted of the model: passes that are no whole answer, and
/// prompts longer than it was made for.
///
/// # Errors
/// If they have tokens, and the model reads none.
fn remark(
    asked: &Asked,
    (model, media): (&Model, &ModelInput),
    built: &dyn Fn(&ModelInput) -> Result<Arc<Model>>,
    notes: &mut Notes,
) -> Result<()> {
    if let Some(length) = asked.classes.iter().find_map(|class| class.input.as_ref())
        && model.extents.vocabulary == 0
        && built(media)?.input.sequence.is_none()
    {
        return Err(Error::input(format!("{} has no use for input tokens", model.name))
            .at(Some(&length.place))
            .hint("leave it out"));
    }
    let encoded = model.input.decoder_sequence.is_some();
    for class in &asked.classes {
        let (input, output) = class.tokens();
        let length = if encoded { input.max(output) } else { input + output };
        if let Some(most) = model.extents.max_sequence.filter(|most| length > *most as f64) {
            notes.warn(format!(
                "requests of {} tokens on average are longer than the {} that {} was made for",
                text::count(length),
                text::count(most as f64),
                model.name
            ));
        }
    }
    if asked.classes.iter().any(|class| class.output.is_some()) {
        return Ok(());
    }
    if encoded && ServedModel::of(model).is_ok() {
        notes.warn(
            "one pass of encoder and decoder; nothing is generated: say \
             inference.traffic.output_tokens"
                .to_owned(),
        );
    }
    // A denoiser alone runs as often as is asked for, once where nobody does.
    let runs = |model: &Model| model.layers.first().map(|layer| layer.count);
    let twice = built(&ModelInput { steps: Some(2), ..*media });
    if model.input.steps.is_none() && twice.is_ok_and(|it| runs(&it) > runs(model)) {
        notes.warn(
            "one pass of the denoiser, not an image or a video: inference.traffic.steps says how \
             many it takes, and guidance whether each runs twice"
                .to_owned(),
        );
    }
    Ok(())
}

/// Checks that the model's products are counted: of weights alone nothing says how they multiply, and
/// nothing would bound the rate.
///
/// # Errors
/// If there are parts that could not be counted, and no products.
fn counted_at_all(model: &Model) -> Result<()> {
    let Some(first) = model.unresolved.first().filter(|_| !model.is_counted()) else {
        return Ok(());
    };
    Err(Error::input(format!("the FLOPs of {} are unknown: {}", model.name, first.why))
        .hint("put the model's config.json beside its weights, or name the model"))
}

/// The admission control of an engine.
///
/// # Errors
/// If it admits nothing, or nothing is generated: a network that answers batch by batch has none.
fn admission(service: &Inference, generates: bool) -> Result<Admission> {
    let Some(given) = &service.admission else { return Ok(Admission::ALL) };
    if !generates {
        return Err(Error::input("admission control is that of an engine that generates tokens")
            .at(Some(&service.traffic.place))
            .hint("leave inference.admission out, or give output_tokens"));
    }
    if let Some(queue) = given.queue.as_ref().filter(|queue| queue.value == 0) {
        return Err(Error::input("a request waits for the next step: a queue of 1 or more")
            .at(Some(&queue.place)));
    }
    let queue = given.queue.as_ref().map(|queue| u32::try_from(queue.value).unwrap_or(u32::MAX));
    let timeout = given.timeout.as_ref();
    if let Some(timeout) = timeout.filter(|timeout| timeout.spread.central().value <= 0.0) {
        return Err(timeout.refuse("a request may wait some time: 10 s"));
    }
    Ok(Admission { queue, timeout: timeout.map(|timeout| timeout.spread.central()) })
}

/// Share of a replica's highest rate that the peak may take.
fn target_utilisation(service: &Inference, job: bool) -> Input<Share> {
    let plain = "target utilisation of a replica";
    match &service.target_utilisation {
        Some(given) => given.input("inference.target_utilisation"),
        None if job => assumed(plain, share(1.0), "a job may queue"),
        None => assumed(plain, share(0.8), "queues grow without bound at full load"),
    }
}

/// A setting of the engine that the user gives, named `inference.<key>`.
///
/// # Errors
/// If it is not above zero.
fn of_engine<Q: Measure>(given: Option<&Given<Q>>, key: &str) -> Result<Option<Input<Q>>> {
    match given {
        Some(given) if given.spread.central().stored() <= 0.0 => {
            Err(given.refuse(format!("inference.{key} is above zero")))
        }
        given => Ok(given.map(|given| given.input(&format!("inference.{key}")))),
    }
}

/// The time for which a batch is waited for, where requests are answered batch by batch; zero where
/// nobody says.
///
/// # Errors
/// If it is negative, or the model generates tokens: an engine does not wait.
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

/// The serving engine: the device as the step-time model sees it, and the formats that the engine
/// runs in, where tokens are generated.
struct Engine {
    calibration: &'static Calibration,
    device: Device,
    peak: Input<DeviceFlopRate>,
    weights: Weights,
    kv: Precision,
    /// Its name; none for a network that answers in one pass.
    name: Option<String>,
    adapters: Option<Adapters>,
}

impl Engine {
    /// Looks up the engine: as named, or the first of the calibrated ones as a choice that is
    /// noted.
    ///
    /// # Errors
    /// If the peak, memory or bandwidth of the device is unknown, or no such engine is calibrated.
    fn of(
        service: &Inference,
        accelerator: &Accelerator,
        served: &Served,
        asked: &Asked,
        notes: &mut Notes,
    ) -> Result<Self> {
        let precision = &service.precision;
        let peak = served.peak(accelerator).map_err(|error| error.at(Some(&precision.place)))?;
        let calibration = Calibration::shipped()?;
        let device = Device::of(accelerator)
            .map_err(|error| error.at(Some(&service.hardware.accelerator.place)))?;
        let name = if !asked.classes.iter().any(|class| class.output.is_some()) {
            None
        } else if let Some(name) = &service.engine {
            let found = calibration.engine(&name.value);
            Some(found.map_err(|error| error.at(Some(&name.place)))?.0.to_owned())
        } else {
            let first = calibration.facts.engines.keys().next().cloned();
            notes.choices.extend(first.clone().map(|value| Choice {
                path: "inference.engine",
                value,
                why: "the first of the engines that are calibrated".to_owned(),
            }));
            first
        };
        let wide = precision.value.size().value > 2.0;
        if wide && name.is_some() {
            notes.warnings.push(format!(
                "no run in {} is in the calibration of engines: it is taken to reach the shares of \
                 the peak and the bandwidth that 16 bits reach",
                precision.value
            ));
        }
        Ok(Self {
            device: Device { wide: wide.then_some(peak.value), ..device },
            weights: served
                .formats()
                .map_or_else(|| instance::weights(precision.value), instance::quantized),
            kv: cache(service, name.as_deref(), calibration, notes)?,
            calibration,
            peak,
            adapters: adapters(service, served.model(), name.is_some())?,
            name,
        })
    }

    /// The instances of a replica so spread; `None` for a network that answers in one pass.
    ///
    /// # Errors
    /// If the calibration has no such combination.
    fn instances(
        &self,
        (accelerator, model, tower): (&Accelerator, &Model, Time),
        speculation: Option<&Speculation>,
        precision: Precision,
        (spread, prefill): (Spread, Option<Spread>),
    ) -> Result<Option<Instances>> {
        let Some(engine) = &self.name else { return Ok(None) };
        let draft = speculation.and_then(|it| it.draft.as_ref());
        let together = spread.tensor * spread.pipeline * spread.data > 1 || prefill.is_some();
        if accelerator.slices.is_some() && together {
            return Err(Error::limit(format!(
                "the model does not fit a slice of {}: slices have no link to each other",
                accelerator.id
            ))
            .hint("take a larger slice, a narrower precision, or a whole device"));
        }
        let parts = Parts {
            engine,
            device: self.device,
            accelerator: &accelerator.id,
            model,
            weights: self.weights,
            kv_bytes: self.kv.size().value,
            spread,
            prefill,
            drafted: speculation.map_or(0, |it| it.tokens.value as u32),
            draft: draft.map(|draft| (&*draft.model, instance::weights(precision))),
            adapters: self.adapters,
            tower,
        };
        Instances::new(&parts, self.calibration).map(Some)
    }
}

/// The number format of the KV cache: as named, or that of the engine as it comes.
///
/// # Errors
/// If no such engine is calibrated.
fn cache(
    service: &Inference,
    engine: Option<&str>,
    calibration: &Calibration,
    notes: &mut Notes,
) -> Result<Precision> {
    let precision = service.precision.value;
    let (None, Some(name)) = (service.kv_precision, engine) else {
        return Ok(service.kv_precision.unwrap_or(precision));
    };
    let (_, settings) = calibration.engine(name)?;
    let kept = settings.cache(precision);
    if precision.size().value < 2.0 {
        notes.choose(Choice {
            path: "inference.kv_precision",
            value: kept.to_string(),
            why: format!("the default of {name} {} for weights in {precision}", settings.version),
        });
    }
    Ok(kept)
}

/// Adapters of the model: rank x (in + out) weights of each projection, in 16 bits.
fn adapters(service: &Inference, model: &Model, generates: bool) -> Result<Option<Adapters>> {
    let Some(given) = &service.adapters else { return Ok(None) };
    let refuse = |what: &str, place| Err(Error::input(what).at(Some(place)));
    if !generates {
        return refuse("adapters are served by engines that generate tokens", &given.count.place);
    }
    if !(1..=1_000_000).contains(&given.count.value) {
        return refuse("a service has from 1 to 1,000,000 adapters", &given.count.place);
    }
    let with = lora(model, given.rank.value, &[], &BTreeMap::new())
        .map_err(|error| error.at(Some(&given.rank.place)))?;
    let more = with.parameters().total.saturating_sub(model.parameters().total);
    let each = Data::from_stored(2.0 * more as f64);
    Ok(Some(Adapters { count: given.count.value as f64, each }))
}

/// Time that towers for images and sound add to a token of a prompt, on one device: a request's images
/// and sound, over the tokens of its prompt.
fn tower(
    model: &Model,
    accelerator: &Accelerator,
    precision: Precision,
    asked: &Asked,
) -> Result<Time> {
    let whole = network::beside(model, accelerator, precision)?;
    let prompts = asked.classes.iter().map(|class| class.share.value.get() * class.tokens().0);
    Ok(whole * (1.0 / prompts.sum::<f64>().max(1.0)))
}

/// A replica and, where tokens are generated, the instances that it consists of.
///
/// # Errors
/// If memory or bandwidth of the device is unknown, a batch is out of range, or degrees do not fit.
fn replica(
    service: &Inference,
    device: &Accelerator,
    served: &Served,
    asked: &Asked,
    (prefill, tower): (f64, Time),
    speculation: Option<Speculation>,
    engine: &Engine,
) -> Result<(Replica, Option<Instances>)> {
    let model = served.model();
    let named = &service.hardware.accelerator.place;
    let unknown = |what: &str| {
        Error::input(format!("the catalog does not know the {what} of {}", device.id))
            .at(Some(named))
    };
    let memory = device.memory.as_ref().ok_or_else(|| unknown("memory"))?;
    let bandwidth = device.bandwidth.as_ref().ok_or_else(|| unknown("memory bandwidth"))?;
    let (memory_share, reserve) = room(engine)?;
    let usable =
        Data::from_stored(memory.value.value * memory_share.value.get() - reserve.value.value);
    let draft = speculation.as_ref().and_then(|it| it.draft.as_ref());
    let beside = draft.map_or(Data::default(), |draft| draft.weights.value);
    let one = Spread { tensor: 1, pipeline: 1, data: 1, whole_experts: false };
    let instances = |spreads| {
        let precision = service.precision.value;
        engine.instances((device, model, tower), speculation.as_ref(), precision, spreads)
    };
    let whole = instances((one, None))?;
    let least = whole.as_ref().map_or_else(|| served.weights().value, |it| it.weights().0) + beside;
    let generates = whole.is_some();
    let pools = match &service.disaggregated {
        Some(given) => {
            Some(pools::plan(given, service, device, model, generates, (least, usable))?)
        }
        None => None,
    };
    let Spreading { spread, devices } =
        spread::over_devices(service.parallelism.as_ref(), model, least, usable)?;
    let (pools, prefill_spread) = pools.unzip();
    let instances = instances((spread, prefill_spread))?;
    let none =
        || assumed("input tokens", TokensPerRequest::from_stored(0.0), "the model reads none");
    let input = asked.classes.iter().map(|class| {
        (class.share.clone(), class.input.as_ref().map_or_else(none, |it| it.mean.clone()))
    });
    // A class without answers among others that have them generates nothing.
    let output = asked.classes.iter().filter(|_| generates).map(|class| {
        let silent = || {
            assumed("output tokens", TokensPerRequest::from_stored(0.0), "the class has no answer")
        };
        (class.share.clone(), class.output.as_ref().map_or_else(silent, |it| it.mean.clone()))
    });
    let replica = Replica {
        devices,
        pools,
        weights: match &instances {
            None => served.weights(),
            Some(it) => weights(it, model, spread),
        },
        prefill: Input::new(
            "FLOPs of the prompt",
            FlopPerRequest::from_stored(prefill),
            Basis::Derived {
                formula: format!("operators of {}, forward over the prompt", model.name),
            },
        ),
        input: Mixture::of(input)
            .ok_or_else(|| Error::input("the service has no requests").at(Some(named)))?,
        output: Mixture::of(output),
        reached: if generates { None } else { Some(served.reached(device)?) },
        peak: engine.peak.clone(),
        bandwidth: bandwidth.input(format!("memory bandwidth of {}", device.id)),
        memory: memory.input(format!("memory of {}", device.id)),
        memory_share,
        reserve,
        max_batch: match &service.max_batch {
            Some(given) => {
                let most = MOST_BATCH * f64::from(spread.data);
                if !(1.0..=most).contains(&given.spread.central()) {
                    let most = text::count(most);
                    return Err(given.refuse(format!("a batch holds from 1 to {most} requests")));
                }
                given.input("inference.max_batch")
            }
            None => max_batch(engine, spread.data)?,
        },
        speculation,
    };
    Ok((replica, instances))
}

/// The largest batch that a scenario may give to a data-parallel rank.
const MOST_BATCH: f64 = 65_536.0;

/// The largest batch of an engine as it comes, each of whose data-parallel ranks has a scheduler of
/// its own, or of a network that answers in one pass.
fn max_batch(engine: &Engine, ranks: u32) -> Result<Input<f64>> {
    let Some(name) = &engine.name else {
        return Ok(assumed("largest batch", 256.0, "a usual setting of a server"));
    };
    let (_, settings) = engine.calibration.engine(name)?;
    let each = f64::from(settings.most_sequences(&engine.device));
    let most = each * f64::from(ranks);
    let why = format!("the default of {name} {} on such a device", settings.version);
    let why = match ranks {
        1 => why,
        _ => format!("{why}, {} for each of {ranks} data-parallel ranks", text::count(each)),
    };
    Ok(Input::new("largest batch", most, Basis::Assumed { why, source: None }))
}

/// The error of the forecast of a step as a lognormal factor around 1, where nobody measured it.
/// Its width is that of the back-test for such an instance.
fn step_error(
    service: &Inference,
    model: &Model,
    instances: &Instances,
    calibration: &Calibration,
) -> Option<Input<f64>> {
    let half_width = calibration.half_width("output_tokens_per_s", instances.regime());
    let half_width = model.extents.widened(half_width, &calibration.intervals);
    let formula = "1: measured / forecast, as the back-test found it".to_owned();
    let error = Distribution::of_half_width(1.0, half_width);
    service.step_time.is_none().then(|| {
        Input::new("error of the predicted step", 1.0, Basis::Derived { formula })
            .spread(Some(error))
    })
}

/// The share of a device's memory that weights and cache may use, and the memory that is reserved
/// beside them: those of the engine as it comes, or of a network that answers in one pass.
fn room(engine: &Engine) -> Result<(Input<Share>, Input<DeviceMemory>)> {
    let fitted = || Some(engine.calibration.fitted.clone());
    let basis = |why: String, source| Basis::Assumed { why, source };
    let Some(name) = &engine.name else {
        let why = "the rest is the runtime's own";
        let none = DeviceMemory::from_stored(0.0);
        return Ok((
            assumed("share of the memory in use", share(0.9), why),
            assumed("memory beside weights and activations", none, "activations are counted"),
        ));
    };
    let taken = share(engine.calibration.engine(name)?.1.memory_share);
    let why = format!("{name} takes this share of the memory unless it is told otherwise");
    let reserved = "context, activations and captured graphs of an engine".to_owned();
    Ok((
        Input::new("share of the memory in use", taken, basis(why, None)),
        Input::new(
            "memory beside weights and cache",
            memory::reserve(&engine.device),
            basis(reserved, fitted()),
        ),
    ))
}

/// All weights of an instance in their formats, replicated where ranks hold copies.
fn weights(instances: &Instances, model: &Model, spread: Spread) -> Input<Data> {
    let count = model.parameters().total;
    let copies = match spread.data {
        1 => String::new(),
        ranks => format!(", those of attention on {ranks} ranks"),
    };
    let formula =
        format!("{count} parameters in their formats, head and embedding in 16 bits{copies}");
    Input::new("weights", instances.weights().0, Basis::Derived { formula })
}
