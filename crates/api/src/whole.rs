//! The forecast of a file: of one service, or of all that it is.

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::Engine;
use flopcast_core::quantity::{Time, show};
use flopcast_core::serving::capacity::Search;
use flopcast_core::serving::simulator::{ClassReport, Histogram};
use flopcast_report::{Answered, Report};
use flopcast_scenario::compose::{Called, Composition, Part};
use flopcast_scenario::document::parse;
use flopcast_scenario::file::Percentiles;

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
/// each is sized by its own SLO; where the whole request has one, the fleets are planned with less
/// of their highest rate until it holds, and then each with as much as it allows.
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
    let ready = |used: Option<f64>| -> Result<Vec<Ready>> {
        let of = |part| sized(session, part, used, search, always);
        let mut all = whole.parts.iter().map(of).collect::<Result<Vec<Ready>>>()?;
        if all.iter().any(|it| it.scenario.finance.priced) {
            all.iter_mut().try_for_each(Ready::beside_priced)?;
        }
        Ok(all)
    };
    let keeps = |sized: &[&Ready]| broken(whole, of_requests(whole, sized).as_ref()).is_none();
    let mut tried = vec![ready(None)?];
    let mut sized: Vec<&Ready> = tried[0].iter().collect();
    for used in USED {
        if keeps(&sized) {
            break;
        }
        tried.push(ready(Some(used))?);
        sized = tried.last().into_iter().flatten().collect();
    }
    if keeps(&sized) {
        loosen(&tried, &mut sized, &keeps);
    }
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

/// Gives each service the first fleet of those that were tried with which the whole request keeps its
/// SLO, the largest fleet first: most of them need not be as idle as the one that takes the time.
fn loosen<'r>(tried: &'r [Vec<Ready>], sized: &mut [&'r Ready], keeps: &dyn Fn(&[&Ready]) -> bool) {
    let devices = |ready: &Ready| ready.sized.as_ref().map_or(0, |it| it.found.fleet.devices);
    let mut order: Vec<usize> = (0..sized.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(devices(sized[*at])));
    for at in order {
        let kept = sized[at];
        for looser in tried {
            sized[at] = &looser[at];
            if keeps(sized) {
                break;
            }
            sized[at] = kept;
        }
    }
}

/// Parts of the highest rate that fleets are planned with, one after the other, until a request of
/// several calls keeps its SLO.
const USED: [f64; 5] = [0.6, 0.4, 0.25, 0.1, 0.03];

/// A service, sized; with `used`, for so much of the highest rate of its replicas.
fn sized(
    session: &Session<'_>,
    part: &Part,
    used: Option<f64>,
    search: &Search,
    always: bool,
) -> Result<Ready> {
    let mut document = part.document.clone();
    if let Some(used) = used {
        let value = parse("the SLO of the whole request", used.to_string().as_bytes())?;
        document.put("inference.target_utilisation", value)?;
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

/// The first bound that whole requests break, in words; none where they keep all.
fn broken(whole: &Composition, latency: Option<&ClassReport>) -> Option<String> {
    let slo = &whole.slo;
    let bounded = [&slo.e2e, &slo.ttft].into_iter().flatten().flat_map(Percentiles::bounds).next();
    bounded?;
    let Some(latency) = latency else {
        let why = "some of its calls never came up in the simulation: take more requests";
        return Some(format!("nobody knows whether the whole request keeps its SLO: {why}"));
    };
    let bounds = |given: &Option<Percentiles>, of: &Histogram, what: &str| {
        given.iter().flat_map(Percentiles::bounds).find_map(|(share, bound)| {
            let (took, most) = (of.quantile(share)?, bound.spread.central());
            let took = <Time as flopcast_core::quantity::Measure>::from_stored(took);
            (took > most).then(|| {
                format!(
                    "no fleet keeps the SLO of the whole request: P{:.0} of its {what} is {} and may \
                     be {}; calls that wait for fewer others, shorter answers or faster devices would help",
                    100.0 * share,
                    show(took),
                    show(most)
                )
            })
        })
    };
    bounds(&slo.e2e, &latency.e2e, "time")
        .or_else(|| bounds(&slo.ttft, &latency.ttft, "time to first token"))
}
