//! The forecast of a file: of one service, or of all that it is.

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::Engine;
use flopcast_core::quantity::{Measure as _, Time, show};
use flopcast_core::serving::capacity::Search;
use flopcast_core::serving::simulator::{ClassReport, Histogram};
use flopcast_report::{Answered, Report};
use flopcast_scenario::compose::{Called, Composition, Part};
use flopcast_scenario::document::parse;
use flopcast_scenario::file::Percentiles;
use flopcast_study::layouts::KEY;

use crate::session::Session;
use crate::{Asked, Ready};

/// A forecast, with what made it.
#[derive(Clone, Debug)]
pub struct Forecast {
    /// Its report.
    pub report: Report,
    /// True unless it has an SLO that no fleet keeps.
    pub kept: bool,
    /// The engine of each service.
    pub engines: Vec<Engine>,
}

/// Makes the report of a service that is ready.
type Reported<'a> = dyn Fn(&Ready) -> Result<(Engine, Report)> + 'a;

/// The forecast of a file; `always` simulates a service without an SLO, too. Of several services,
/// each is sized by its own SLO; where the whole request has one, the fleets are planned with less of
/// their highest rate and in faster layouts until it holds, and then each as small as it allows.
///
/// # Errors
/// As [`Ready::of`] and what `of` says, after the name of the service.
pub fn forecast(
    session: &Session<'_>,
    asked: &Asked,
    (search, always): (&Search, bool),
    of: &Reported<'_>,
) -> Result<Forecast> {
    let Some(whole) = &asked.whole else {
        let ready = Ready::of(session, asked, search, always)?;
        let (engine, report) = of(&ready)?;
        return Ok(Forecast { report, kept: ready.is_kept(), engines: vec![engine] });
    };
    let always = always || whole.graph.is_some();
    let mut tried = Tried::of(session, whole, (search, always))?;
    tried.beside_priced()?;
    let sized = tried.best(whole);
    let latency = of_requests(whole, &sized);
    let broken = broken(whole, latency.as_ref());
    let (mut engines, mut parts) = (Vec::new(), Vec::new());
    for (at, (part, ready)) in whole.parts.iter().zip(&sized).enumerate() {
        let (engine, report) = of(ready).map_err(|error| error.within(&part.name))?;
        engines.push(engine);
        let first = at % whole.services.max(1) == 0;
        parts.push(Answered {
            name: part.name.clone(),
            per_request: part.share * part.per_request,
            once: if first { 1.0 / part.per_request } else { 0.0 },
            report,
        });
    }
    let calls = called(whole, &sized);
    let calls: Vec<_> = calls.iter().map(|(name, it)| (name.as_str(), it)).collect();
    let mut report = Report::whole(&whole.name, parts, latency.as_ref(), &calls)
        .ok_or_else(|| Error::input("the file has no service"))?;
    let unkept = broken.is_some();
    report.warnings.splice(0..0, broken);
    let kept = !unkept && sized.iter().all(|ready| ready.is_kept());
    Ok(Forecast { report, kept, engines })
}

/// Parts of the highest rate that fleets are planned with, one after the other, until a request of
/// several calls keeps its SLO.
const USED: [f64; 5] = [0.6, 0.4, 0.25, 0.1, 0.03];

/// Tensor parallelism that a service without a layout of its own is tried with beside the layout that
/// takes the fewest devices: whole requests may need faster steps.
const FASTER: [u32; 3] = [2, 4, 8];

/// Fleets of each service, which of them were tried together, and how far their requests are beyond the
/// SLO ([`excess`]).
#[derive(Default)]
struct Tried {
    fleets: Vec<Vec<Ready>>,
    together: Vec<(Vec<usize>, f64)>,
}

impl Tried {
    /// Fleets that are planned with less and less of their highest rate, each in the layout of the
    /// fewest devices and in faster ones where the file names none, until some keep the SLO.
    ///
    /// # Errors
    /// As [`Ready::of`], of a service as the file has it.
    fn of(
        session: &Session<'_>,
        whole: &Composition,
        (search, always): (&Search, bool),
    ) -> Result<Self> {
        let mut tried = Self::default();
        tried.fleets.resize_with(whole.parts.len(), Vec::new);
        for used in std::iter::once(None).chain(USED.map(Some)) {
            let mut plain = Vec::new();
            for (fleets, part) in tried.fleets.iter_mut().zip(&whole.parts) {
                plain.push(fleets.len());
                fleets.push(sized(session, part, (used, None), (search, always))?);
            }
            tried.add(whole, &plain);
            if used.is_none() && tried.keeps() {
                break;
            }
            let mut last = plain;
            for tensor in FASTER {
                for (at, part) in whole.parts.iter().enumerate() {
                    if !is_slower(&tried.fleets[at][last[at]], part, tensor) {
                        continue;
                    }
                    // A layout that is not possible is none of the choices.
                    let faster = (used, Some(tensor));
                    if let Ok(ready) = sized(session, part, faster, (search, always)) {
                        last[at] = tried.fleets[at].len();
                        tried.fleets[at].push(ready);
                    }
                }
                tried.add(whole, &last);
            }
            if tried.keeps() {
                break;
            }
        }
        Ok(tried)
    }

    /// Makes the cost of what has no price unknown where another service has one: a sum without it
    /// would look like all that is paid.
    ///
    /// # Errors
    /// As [`Ready::beside_priced`].
    fn beside_priced(&mut self) -> Result<()> {
        if !self.fleets.iter().flatten().any(|it| it.scenario.finance.priced) {
            return Ok(());
        }
        self.fleets.iter_mut().flatten().try_for_each(Ready::beside_priced)
    }

    /// Takes these fleets for a choice, unless they were the last one.
    fn add(&mut self, whole: &Composition, choice: &[usize]) {
        if self.together.last().is_none_or(|(last, _)| last != choice) {
            let beyond = excess(whole, &self.chosen(choice));
            self.together.push((choice.to_vec(), beyond));
        }
    }

    /// True if some of the fleets keep the SLO together.
    fn keeps(&self) -> bool {
        self.together.iter().any(|(_, beyond)| *beyond <= 1.0)
    }

    /// So chosen fleets.
    fn chosen(&self, choice: &[usize]) -> Vec<&Ready> {
        self.fleets.iter().zip(choice).map(|(fleets, at)| &fleets[*at]).collect()
    }

    /// Of the fleets that keep the SLO the smallest, each service having the smallest with which the
    /// others keep it, the largest fleet first: most need not be as idle, or as fast, as the one that
    /// takes the time. Where none do, those that come nearest.
    fn best(&self, whole: &Composition) -> Vec<&Ready> {
        let kept = self.together.iter().filter(|(_, beyond)| *beyond <= 1.0);
        let kept = kept.map(|(choice, _)| self.loosened(whole, self.chosen(choice)));
        let total = |sized: &Vec<&Ready>| sized.iter().map(|it| devices(it)).sum::<u64>();
        let nearest = || {
            let nearest = self.together.iter().min_by(|(_, a), (_, b)| a.total_cmp(b));
            nearest.map(|(choice, _)| self.chosen(choice))
        };
        kept.min_by_key(total).or_else(nearest).unwrap_or_default()
    }

    /// Fleets that keep the SLO, each replaced by the smallest that does.
    fn loosened<'r>(&'r self, whole: &Composition, mut sized: Vec<&'r Ready>) -> Vec<&'r Ready> {
        let mut order: Vec<usize> = (0..sized.len()).collect();
        order.sort_by_key(|at| std::cmp::Reverse(devices(sized[*at])));
        for at in order {
            let kept = sized[at];
            let mut smaller: Vec<&Ready> = self.fleets[at].iter().collect();
            smaller.retain(|it| devices(it) < devices(kept));
            smaller.sort_by_key(|it| devices(it));
            for fleet in smaller {
                sized[at] = fleet;
                if excess(whole, &sized) <= 1.0 {
                    break;
                }
                sized[at] = kept;
            }
        }
        sized
    }
}

/// Devices of a sized fleet.
fn devices(ready: &Ready) -> u64 {
    ready.sized.as_ref().map_or(0, |it| it.found.fleet.devices)
}

/// True if a service that generates is free to take more devices to a replica than it has.
fn is_slower(ready: &Ready, part: &Part, tensor: u32) -> bool {
    let open = part.document.at(KEY).is_none() && part.document.at(POOLS).is_none();
    let service = ready.scenario.inference.as_deref();
    open && service.is_some_and(|it| {
        let devices = it.replica.devices.value.stored();
        it.demand.instances.is_some() && devices < f64::from(tensor)
    })
}

/// Where a file lays out pools of instances.
const POOLS: &str = "inference.disaggregated";

/// A service, sized; for so much of the highest rate of its replicas and in such a layout, where these
/// are given.
fn sized(
    session: &Session<'_>,
    part: &Part,
    (used, tensor): (Option<f64>, Option<u32>),
    (search, always): (&Search, bool),
) -> Result<Ready> {
    let mut document = part.document.clone();
    let used = used.map(|it| ("inference.target_utilisation", it.to_string()));
    let layout = tensor.map(|it| (KEY, format!("{{tensor: {it}}}")));
    for (path, text) in used.into_iter().chain(layout) {
        document.put(path, parse("the SLO of the whole request", text.as_bytes())?)?;
    }
    let asked = Asked::first(document)?;
    Ready::of(session, &asked, search, always).map_err(|error| error.within(&part.name))
}

/// The latencies of a call at the peak of a service; none where no such call was simulated.
fn of_call(ready: &Ready, called: &Called) -> Option<ClassReport> {
    let planned = &ready.sized.as_ref()?.found.planned;
    let report = match &called.class {
        None => planned.all(),
        Some(class) => {
            let classes = &ready.sized.as_ref()?.objective.classes;
            planned.classes.get(classes.iter().position(|it| it == class)?)?.clone()
        }
    };
    report.e2e.mean().is_some().then_some(report)
}

/// The latencies of whole requests; none where a service was not simulated.
fn of_requests(whole: &Composition, sized: &[&Ready]) -> Option<ClassReport> {
    let regions =
        || sized.chunks(whole.services.max(1)).zip(whole.parts.chunks(whole.services.max(1)));
    let of_region = |(ready, parts): (&[&Ready], &[Part])| {
        let calls = whole.calls.iter().map(|it| of_call(ready.get(it.service)?, it));
        Some((parts.first()?.share, calls.collect::<Option<Vec<_>>>()?))
    };
    let Some(graph) = &whole.graph else {
        let of = |(ready, parts): (&[&Ready], &[Part])| {
            Some((parts.first()?.share, ready.first()?.sized.as_ref()?.found.planned.all()))
        };
        let answers = regions().map(of).collect::<Option<Vec<_>>>()?;
        return Some(ClassReport::mixed(answers.iter().map(|(share, it)| (*share, it))));
    };
    let answers = regions().map(of_region).collect::<Option<Vec<_>>>()?;
    let answers: Vec<_> =
        answers.iter().map(|(share, calls)| (*share, calls.iter().collect())).collect();
    Some(graph.latency(&answers))
}

/// The calls with their latencies over all regions.
fn called(whole: &Composition, sized: &[&Ready]) -> Vec<(String, ClassReport)> {
    let shares: Vec<f64> =
        whole.parts.chunks(whole.services.max(1)).map(|it| it[0].share).collect();
    let of = |call: &Called| {
        let regions = sized.chunks(whole.services.max(1));
        let answers = regions.map(|ready| of_call(ready.get(call.service)?, call));
        let answers = answers.collect::<Option<Vec<_>>>()?;
        let shared = shares.iter().copied().zip(&answers);
        Some((call.name.clone(), ClassReport::mixed(shared)))
    };
    whole.calls.iter().filter_map(of).collect()
}

/// The bounds of whole requests: share of the requests, time in seconds that it takes, bound, and what
/// it is of; a time that nobody knows has no end.
fn bounds(
    whole: &Composition,
    latency: Option<&ClassReport>,
) -> Vec<(f64, f64, Time, &'static str)> {
    let slo = &whole.slo;
    let of = |given: &Option<Percentiles>, of: Option<&Histogram>, what| {
        let each = given.iter().flat_map(Percentiles::bounds).map(move |(share, bound)| {
            let took = of.and_then(|it| it.quantile(share)).unwrap_or(f64::INFINITY);
            (share, took, bound.spread.central(), what)
        });
        each.collect::<Vec<_>>()
    };
    let whole = of(&slo.e2e, latency.map(|it| &it.e2e), "time");
    let first = of(&slo.ttft, latency.map(|it| &it.ttft), "time to first token");
    [whole, first].concat()
}

/// How far whole requests of such fleets are beyond the bound that they keep least: at most 1 where
/// they keep all.
fn excess(whole: &Composition, sized: &[&Ready]) -> f64 {
    if whole.slo.e2e.is_none() && whole.slo.ttft.is_none() {
        return 0.0;
    }
    let latency = of_requests(whole, sized);
    let beyond = bounds(whole, latency.as_ref()).into_iter();
    beyond.map(|(_, took, most, _)| took / most.value).fold(0.0, f64::max)
}

/// The first bound that whole requests break, in words; none where they keep all.
fn broken(whole: &Composition, latency: Option<&ClassReport>) -> Option<String> {
    let broken = |it: &(f64, f64, Time, &str)| it.1 > it.2.value;
    let (share, took, most, what) = bounds(whole, latency).into_iter().find(broken)?;
    if took.is_infinite() {
        let why = "some of its calls never came up in the simulation: take more requests";
        return Some(format!("nobody knows whether the whole request keeps its SLO: {why}"));
    }
    Some(format!(
        "no fleet keeps the SLO of the whole request: P{:.0} of its {what} is {} at best and may be \
         {}; calls that wait for fewer others, shorter answers or faster devices would help",
        100.0 * share,
        show(Time::from_stored(took)),
        show(most)
    ))
}
