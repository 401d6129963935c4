//! The traffic section: rate, rhythm, and what a request of each class is like.
//!
//! Rate and lengths are given, or read from a recorded trace; not from both. A length without a
//! 95th percentile has one of three times its mean, an assumption. The rhythm of a week (`hours`,
//! `weekdays`) gives the peak; without it the peak is `peak_to_mean`.

use std::sync::Arc;

use flopcast_core::catalog::Catalog;
use flopcast_core::diagnostic::{Error, Place, Result};
use flopcast_core::model::Input as ModelInput;
use flopcast_core::provenance::{Basis, Input, Uncertain as _};
use flopcast_core::quantity::system::time;
use flopcast_core::quantity::{
    Distribution, Measure, RequestRate, Scale, Share, Time, TokensPerRequest, YearlyRate, show,
};
use flopcast_core::serving::capacity::{Limit, Objective, Slo};
use flopcast_core::serving::plan::{Length, RequestKind, Session};
use flopcast_core::serving::traffic::{Lengths, Profile, Recorded, Trace};

use super::super::file::{Admission, Inference, Lengths as Stated, Percentiles, Traffic};
use super::super::given::{Given, Positive};
use super::super::reader::Located;
use super::super::traffic::Job;
use super::{Files, Notes, assumed, share};

/// The demand on a service.
pub(super) struct Asked {
    pub rate: Input<RequestRate>,
    pub peak_to_mean: Input<f64>,
    pub growth: Input<YearlyRate>,
    pub profile: Option<Profile>,
    pub trace: Option<Arc<Trace>>,
    pub burstiness: Input<f64>,
    pub objective: Objective,
    /// At least one.
    pub classes: Vec<AskedClass>,
    /// Tokens that all prompts begin with.
    pub opening: u32,
    /// The time that a job may take.
    pub within: Option<Input<Time>>,
}

/// A class of requests: its share of them, and their lengths.
pub(super) struct AskedClass {
    pub name: Option<String>,
    pub share: Input<Share>,
    pub input: Option<Length>,
    pub output: Option<Length>,
    pub cached: Input<Share>,
    pub own: Option<Length>,
    pub session: Option<Session>,
}

/// Share of the requests that an admission control may refuse, where nobody says.
const REFUSED: f64 = 0.01;

/// 95th percentile of a length / its mean, where nobody says: between those of the Azure LLM
/// inference trace of 2023 (conversation: 3.5 for prompts, 2.1 for answers).
const P95_TO_MEAN: f64 = 3.0;

impl AskedClass {
    /// Mean tokens of the prompt and of the answer, 0 where there are none.
    pub(super) fn tokens(&self) -> (f64, f64) {
        let mean =
            |length: &Option<Length>| length.as_ref().map_or(0.0, |length| length.mean.value.value);
        (mean(&self.input), mean(&self.output))
    }

    /// Puts tokens that stand for images and sound on top of its prompt.
    pub(super) fn lengthen(&mut self, tokens: u64) {
        let longer = |input: &Input<TokensPerRequest>, key: &str| {
            let value = input.value + TokensPerRequest::from_stored(tokens as f64);
            let formula = format!("{} of text and {tokens} of images and sound", input.value.value);
            derived(&format!("inference.traffic.input_tokens.{key}"), value, &formula)
        };
        for length in [&mut self.input, &mut self.own].into_iter().flatten() {
            length.mean = longer(&length.mean, "mean");
            length.p95 = longer(&length.p95, "p95");
        }
    }

    /// The prompts of requests that begin with so many tokens of all, and are turns of
    /// conversations: with `a` tokens of their own, answers of `b` and n turns, each as frequent, the
    /// mean is opening + (n - 1) / 2 (a + b) + a, of which all but a is found.
    fn within(self, opening: f64, session: Option<Session>) -> Self {
        let (Some(own), Some(answer)) = (self.input.clone(), self.output.as_ref()) else {
            return self;
        };
        let of = |length: &Length| {
            let (mean, p95) = (length.mean.value.value, length.p95.value.value);
            (mean, Lengths::variance_of(mean, p95))
        };
        let ((added, added_variance), (said, said_variance)) = (of(&own), of(answer));
        let turns = session.as_ref().map_or(1.0, |it| f64::from(it.turns));
        let before = (turns - 1.0) / 2.0;
        let mean = opening + before * (added + said) + added;
        // The turn is uniform: its variance is (n^2 - 1) / 12.
        let variance = (turns * turns - 1.0) / 12.0 * (added + said).powi(2)
            + before * (added_variance + said_variance)
            + added_variance;
        let p95 = Lengths::p95_of(mean, variance);
        let formula = format!(
            "{opening} that all begin with + {before} turns before it on average x ({added} + \
             {said}) + {added} of its own"
        );
        let tokens = |key: &str, value: f64| {
            let name = format!("inference.traffic.input_tokens.{key} of a whole prompt");
            derived(&name, TokensPerRequest::from_stored(value), &formula)
        };
        let found = share((mean - added) / mean);
        let why = "all of a prompt but the request's own text";
        let input = Length {
            mean: tokens("mean", mean),
            p95: tokens("p95", p95),
            place: own.place.clone(),
        };
        Self {
            input: Some(input),
            cached: derived("inference.prefix_cache_hit", found, why),
            own: Some(own),
            session,
            ..self
        }
    }

    /// The class as plans hold it.
    pub(super) fn kind(self) -> RequestKind {
        let Self { name, share, input, output, cached, own, session } = self;
        RequestKind { class: name, share, input, output, cached, own, session }
    }
}

/// Resolves the traffic of a service.
///
/// # Errors
/// If it says no rate, two rates or two peaks, a length that makes no sense, or names a trace that
/// cannot be read.
pub(super) fn asked(service: &Inference, files: &dyn Files, notes: &mut Notes) -> Result<Asked> {
    let traffic = &service.traffic.value;
    let place = &service.traffic.place;
    let hit = service.prefix_cache_hit.as_ref();
    contradictions(traffic)?;
    let trace = match &traffic.trace {
        Some(path) => Some(trace(&path.value, &path.place, hit, files, notes)?),
        None => None,
    };
    let (opening, session) = conversation(traffic, service, notes)?;
    let job = traffic.job.as_ref().map(|job| rate_of(job, traffic)).transpose()?;
    let rate = match (&traffic.requests, &trace) {
        _ if job.is_some() => job.clone().map(|(rate, _)| rate).ok_or_else(no_rate)?,
        (Some(given), _) => given.input("inference.traffic.requests"),
        (None, Some(trace)) => {
            let rate = trace.rate().ok_or_else(|| {
                let place = traffic.trace.as_ref().map(|path| &path.place);
                Error::input(if trace.untimed {
                    "the trace has no times: it says no rate"
                } else {
                    "all requests of the trace came at once: it says no rate"
                })
                .at(place)
                .hint("give inference.traffic.requests")
            })?;
            derived("inference.traffic.requests", rate, "1 / mean gap of the trace")
        }
        (None, None) => return Err(no_rate().at(Some(place))),
    };
    let rate = match &traffic.per_request {
        Some(given) => times(&rate, given),
        None => rate,
    };
    let profile = profile(traffic)?;
    Ok(Asked {
        rate,
        peak_to_mean: match &job {
            Some(_) => {
                assumed("inference.traffic.peak_to_mean", 1.0, "a job is there from the start")
            }
            None => peak_to_mean(traffic, profile.as_ref())?,
        },
        opening: opening as u32,
        within: job.map(|(_, within)| within),
        growth: traffic.growth.as_ref().map_or_else(
            || {
                let none = YearlyRate::from_stored(0.0);
                assumed("inference.traffic.growth", none, "no growth is planned")
            },
            |given| given.input("inference.traffic.growth"),
        ),
        burstiness: traffic.burstiness.as_ref().map_or_else(
            || assumed("inference.traffic.burstiness", 1.0, "requests come at random (Poisson)"),
            |given| given.input("inference.traffic.burstiness"),
        ),
        objective: objective(service),
        classes: if let Some(trace) = &trace {
            vec![recorded(trace, place, hit)]
        } else {
            let plain = opening <= 0.0 && session.is_none();
            let within = |class: AskedClass| {
                if plain { class } else { class.within(opening, session.clone()) }
            };
            classes(traffic, hit)?.into_iter().map(within).collect()
        },
        profile,
        trace: trace.map(Arc::new),
    })
}

impl Asked {
    /// The demand with the usual error of a plan, where the user gave no ranges: the rate of the
    /// first year by `spread.demand`, and each year's growth by as much again. A job asks for what it
    /// asks for.
    ///
    /// # Errors
    /// If the catalog lacks the default.
    pub(super) fn uncertain(mut self, catalog: &Catalog, notes: &mut Notes) -> Result<Self> {
        if self.within.is_some() || self.rate.value.stored() <= 0.0 {
            return Ok(self);
        }
        let usual = catalog.default_value::<Share>("spread.demand")?;
        let factor = Distribution::of_half_width(1.0, usual.value.get().ln_1p());
        let year = Time::new::<time::year>(1.0).stored();
        let (least, now) = (-1.0 / year, self.growth.value.stored() + 1.0 / year);
        let [low, high] = [0.05, 0.95].map(|share| least + now * factor.quantile(share));
        let growth = (now > 0.0).then(|| Distribution::range(low, high, Scale::LogAbove(least)));
        for (named, is_range, what) in [
            (self.rate.leaf().name.as_deref(), self.rate.is_range(), "the demand of a year"),
            (self.growth.leaf().name.as_deref(), self.growth.is_range(), "1 + growth, each year"),
        ] {
            if let Some(name) = named.filter(|_| !is_range) {
                let why = format!("{what}, where no range is given ({})", usual.citation);
                notes.spread(name, &factor, why);
            }
        }
        let rate = factor.scaled(self.rate.value.stored());
        self.rate = self.rate.spread(Some(rate));
        self.growth = self.growth.spread(growth);
        Ok(self)
    }
}

/// The rate of a service that gets so many requests for each of a whole.
fn times(rate: &Input<RequestRate>, given: &Given<f64, Positive>) -> Input<RequestRate> {
    let factor = given.spread.central();
    let scaled = RequestRate::from_stored(rate.value.stored() * factor);
    let formula = format!("{} x {factor} of each ({})", show(rate.value), given.place.cited());
    let distribution = rate.distribution().map(|it| it.scaled(factor));
    derived("inference.traffic.requests", scaled, &formula).ranged(distribution)
}

/// The error of a service without a rate of requests.
fn no_rate() -> Error {
    Error::input("inference.traffic says no rate")
        .hint("give `requests`, such as 2M/day, a `trace`, or a `job`")
}

/// The mean rate of a job, and the time that it may take.
fn rate_of(job: &Job, traffic: &Traffic) -> Result<(Input<RequestRate>, Input<Time>)> {
    let other = traffic.requests.as_ref().map(|it| it.refuse("a job has a rate of its own"));
    if let Some(error) = other {
        return Err(error.hint("leave inference.traffic.requests out, or the job"));
    }
    let (count, within) = (job.requests.spread.central(), job.within.spread.central());
    if within.value <= 0.0 {
        return Err(job.within.refuse("a job takes some time: 36 h"));
    }
    let rate = RequestRate::from_stored(count.value / within.value);
    let rate = derived("inference.traffic.requests", rate, "requests of the job / its time");
    Ok((rate, job.within.input("inference.traffic.job.within")))
}

/// Tokens that all prompts begin with, and the conversations that requests are turns of.
fn conversation(
    traffic: &Traffic,
    service: &Inference,
    notes: &mut Notes,
) -> Result<(f64, Option<Session>)> {
    let opening = traffic.system_prompt.as_ref().map_or(0.0, |it| it.spread.central().value);
    let session = match &traffic.sessions {
        None => None,
        Some(given) => {
            let turns = u32::try_from(given.turns.value).ok().filter(|it| (1..=1000).contains(it));
            let turns = turns.ok_or_else(|| {
                Error::input("a conversation has from 1 to 1,000 turns")
                    .at(Some(&given.turns.place))
            })?;
            let think = given.think_time.input("inference.traffic.sessions.think_time");
            if think.value.value <= 0.0 {
                return Err(given
                    .think_time
                    .refuse("the next turn comes some time after an answer"));
            }
            notes.warnings.push(
                "the turns of a conversation go to the replica that holds its cache, and come as \
                 requests at random: many conversations are under way"
                    .to_owned(),
            );
            Some(Session { turns, think })
        }
    };
    if opening <= 0.0 && session.is_none() {
        return Ok((0.0, None));
    }
    let of_class = traffic.classes.iter().find_map(|class| class.prefix_cache_hit.as_ref());
    if let Some(hit) = service.prefix_cache_hit.as_ref().or(of_class) {
        return Err(hit
            .refuse("system_prompt and sessions say what the prefix cache finds")
            .hint("leave prefix_cache_hit out, or them"));
    }
    if let Some(trace) = &traffic.trace {
        return Err(Error::input(format!("`{}` has prompts of its own", trace.value))
            .at(Some(&trace.place))
            .hint("leave system_prompt and sessions out beside a trace"));
    }
    Ok((opening, session))
}

/// The images and the sound of a request, as an input of the model.
///
/// # Errors
/// If a size is zero or beyond what a request may hold.
pub(super) fn media(traffic: &Traffic) -> Result<ModelInput> {
    let sound = match &traffic.audio {
        Some(given) if given.spread.central().value <= 0.0 => {
            return Err(given.refuse("sound lasts some time: 30 s"));
        }
        given => given.as_ref().map(|given| (given.spread.central().value * 1e3).ceil() as u64),
    };
    let whole = |given: &Option<Located<u64>>| given.as_ref().map(|it| it.value);
    for (given, most) in
        [(&traffic.images, 1 << 16), (&traffic.image_size, 1 << 16), (&traffic.steps, 1 << 16)]
    {
        if let Some(it) = given.as_ref().filter(|it| !(1..=most).contains(&it.value)) {
            return Err(Error::input(format!("{} is not between 1 and {most}", it.value))
                .at(Some(&it.place)));
        }
    }
    Ok(ModelInput {
        images: whole(&traffic.images),
        image_size: whole(&traffic.image_size),
        sound,
        steps: whole(&traffic.steps),
        guided: traffic.guidance.as_ref().map(|it| it.value > 1.0),
        ..ModelInput::default()
    })
}

/// Refuses sections of which only one can be true: lengths beside a trace or beside classes,
/// burstiness beside a trace.
fn contradictions(traffic: &Traffic) -> Result<()> {
    let single = traffic.input_tokens.as_ref().or(traffic.output_tokens.as_ref());
    let class = traffic.classes.first().map(|class| &class.name.place);
    if let (Some(trace), Some(place)) =
        (&traffic.trace, single.map(|lengths| &lengths.mean.place).or(class))
    {
        return Err(Error::input(format!("`{}` has lengths of its own", trace.value))
            .at(Some(place))
            .hint("leave input_tokens, output_tokens and classes out beside a trace"));
    }
    if let (Some(lengths), Some(_)) = (single, class) {
        return Err(lengths.mean.refuse("each of the classes has lengths of its own"));
    }
    if let (Some(_), Some(burstiness)) = (&traffic.trace, &traffic.burstiness) {
        return Err(burstiness.refuse("a trace has gaps of its own: it cannot be bursty as well"));
    }
    if let Some(burstiness) = &traffic.burstiness
        && !(0.05..=20.0).contains(&burstiness.spread.central())
    {
        return Err(burstiness
            .refuse("burstiness lies between 0.05 and 20")
            .hint("it is the coefficient of variation of the gaps: 1 is Poisson"));
    }
    Ok(())
}

/// Reads a recorded trace. A hit rate of the prefix cache that the scenario gives replaces the
/// trace's own.
///
/// # Errors
/// If the file cannot be read as a trace.
fn trace(
    path: &str,
    place: &Place,
    hit: Option<&Given<Share>>,
    files: &dyn Files,
    notes: &mut Notes,
) -> Result<Trace> {
    let read = || {
        let text = String::from_utf8(files.read(path)?)
            .map_err(|_| Error::input(format!("{path} is not UTF-8 text")))?;
        Trace::read(&text).map_err(|error| error.within(path))
    };
    let mut trace = read().map_err(|error| error.at(Some(place)))?;
    notes.warnings.extend(trace.notes.iter().map(|note| format!("{path}: {note}")));
    if let Some(hit) = hit {
        for request in &mut trace.requests {
            request.cached = (f64::from(request.input) * hit.spread.central().get()) as u32;
        }
    }
    Ok(trace)
}

/// The class of a trace: lengths as the trace has them, as the lognormal that varies alike.
fn recorded(trace: &Trace, place: &Place, hit: Option<&Given<Share>>) -> AskedClass {
    let (input, _, cached) = trace.means();
    let tokens = |key: &str, of: fn(&Recorded) -> u32| {
        let (mean, p95) = Lengths::like(trace.requests.iter().map(|it| f64::from(of(it))));
        let name = format!("inference.traffic.{key}");
        let (mean, p95) = (TokensPerRequest::from_stored(mean), TokensPerRequest::from_stored(p95));
        Some(Length {
            mean: derived(&format!("{name}.mean"), mean, "mean of the trace"),
            p95: derived(
                &format!("{name}.p95"),
                p95,
                "of a lognormal that varies as the trace does",
            ),
            place: place.clone(),
        })
    };
    let own = || {
        let found = share(cached / input.max(1.0));
        derived("inference.prefix_cache_hit", found, "the trace's blocks that came before")
    };
    AskedClass {
        name: None,
        share: all(),
        input: tokens("input_tokens", |it| it.input),
        output: tokens("output_tokens", |it| it.output),
        cached: hit.map_or_else(own, |given| given.input("inference.prefix_cache_hit")),
        own: None,
        session: None,
    }
}

/// The most classes of a scenario: figures are told for each, so they are kinds of requests, not
/// customers.
const MOST_CLASSES: usize = 100;

/// The classes of requests; one where the scenario names none.
///
/// # Errors
/// If shares do not add up to 100 %, are ranges, or names are empty or double; if an answer has no
/// prompt.
fn classes(traffic: &Traffic, hit: Option<&Given<Share>>) -> Result<Vec<AskedClass>> {
    if let Some(class) = traffic.classes.get(MOST_CLASSES) {
        let count = traffic.classes.len();
        return Err(Error::input(format!("{count} classes of requests; at most {MOST_CLASSES}"))
            .at(Some(&class.name.place))
            .hint("classes of like lengths can be one, with a p95"));
    }
    let shares = || traffic.classes.iter().map(|class| &class.share);
    let sum: f64 = shares().map(|given| given.spread.central().get()).sum();
    if let Some(last) = shares().next_back()
        && (sum - 1.0).abs() > 1e-3
    {
        let sum = 100.0 * sum;
        return Err(
            last.refuse(format!("the shares of the classes add up to {sum:.1} %, not 100 %"))
        );
    }
    if let Some(range) = shares().find(|given| given.spread.distribution().is_some()) {
        return Err(range.refuse("the share of a class is one value: shares add up to 100 %"));
    }
    let names: Vec<&str> = traffic.classes.iter().map(|class| class.name.value.as_str()).collect();
    for (i, class) in traffic.classes.iter().enumerate() {
        let name = &class.name;
        let plain = |c: char| c.is_alphanumeric() || c == '-' || c == '_' || c == ' ';
        if name.value.is_empty() || !name.value.chars().all(plain) {
            return Err(
                Error::input("a class's name is letters, digits, - and _").at(Some(&name.place))
            );
        }
        if names[..i].contains(&name.value.as_str()) {
            return Err(Error::input(format!("two classes are called `{}`", name.value))
                .at(Some(&name.place)));
        }
    }
    traffic
        .kinds()
        .into_iter()
        .map(|kind| {
            let under = kind.class.map_or_else(
                || "inference.traffic".to_owned(),
                |class| format!("inference.traffic.classes.{}", class.name.value),
            );
            let length = |given: Option<&Stated>, key: &str| {
                given.map(|given| {
                    let mean = given.mean.input(&format!("{under}.{key}.mean"));
                    length(mean, given.p95.as_ref(), &format!("{under}.{key}"), &given.mean.place)
                })
            };
            if let (None, Some(answer)) = (kind.input, kind.output) {
                let hint = "such as `input_tokens: 1000`; `input_tokens: 4` starts a transcript";
                return Err(answer.mean.refuse("output_tokens need input_tokens").hint(hint));
            }
            if let Some(answer) = kind.output.filter(|it| it.mean.spread.central().value < 1.0) {
                return Err(answer.mean.refuse("an answer has at least one token"));
            }
            let own = kind.class.and_then(|class| class.prefix_cache_hit.as_ref());
            let cached = match (own, hit) {
                (Some(given), _) => given.input(&format!("{under}.prefix_cache_hit")),
                (None, Some(given)) => given.input("inference.prefix_cache_hit"),
                (None, None) => {
                    let why = "no prompts share a prefix";
                    assumed("inference.prefix_cache_hit", share(0.0), why)
                }
            };
            Ok(AskedClass {
                name: kind.class.map(|class| class.name.value.clone()),
                share: kind
                    .class
                    .map_or_else(all, |class| class.share.input(&format!("{under}.share"))),
                input: length(kind.input, "input_tokens"),
                output: length(kind.output, "output_tokens"),
                cached,
                own: None,
                session: None,
            })
        })
        .collect()
}

/// A length with its 95th percentile, `key` being its path.
fn length(
    mean: Input<TokensPerRequest>,
    p95: Option<&Given<TokensPerRequest>>,
    key: &str,
    place: &Place,
) -> Length {
    let name = format!("{key}.p95");
    if let Some(given) = p95 {
        return Length { mean, p95: given.input(&name), place: given.place.clone() };
    }
    let value = TokensPerRequest::from_stored(P95_TO_MEAN * mean.value.value);
    let why = "3 times the mean, between what the Azure LLM inference trace of 2023 has for prompts \
               and answers";
    Length { mean, p95: assumed(&name, value, why), place: place.clone() }
}

/// The SLO of all requests, then that of each class.
fn objective(service: &Inference) -> Objective {
    let classes = &service.traffic.value.classes;
    let each = classes.iter().zip(0_u16..).map(|(class, index)| (Some(index), &class.slo));
    let slos = std::iter::once((None, &service.slo)).chain(each).flat_map(|(class, slo)| {
        let lists = [(Limit::Ttft, &slo.ttft), (Limit::Tpot, &slo.tpot), (Limit::E2e, &slo.e2e)];
        lists.into_iter().flat_map(move |(latency, given)| {
            let bounds = given.iter().flat_map(Percentiles::bounds);
            bounds.map(move |(percentile, bound)| Slo {
                class,
                latency,
                percentile,
                bound: bound.spread.central(),
            })
        })
    });
    let refused = |admission: &Admission| {
        admission.refused.as_ref().map_or(REFUSED, |share| share.spread.central().get())
    };
    Objective {
        slos: slos.collect(),
        refused: service.admission.as_ref().map_or(0.0, refused),
        classes: classes.iter().map(|class| class.name.value.clone()).collect(),
    }
}

/// The share of a single class: all requests.
fn all() -> Input<Share> {
    derived("share of the requests", share(1.0), "there are no classes")
}

/// A value that follows from others of the scenario.
fn derived<Q: Measure>(name: &str, value: Q, formula: &str) -> Input<Q> {
    Input::new(name, value, Basis::Derived { formula: formula.to_owned() })
}

/// The rhythm of a week; `None` where the scenario gives none.
///
/// # Errors
/// If a weight is negative, or there are not 24 or 7 of them.
fn profile(traffic: &Traffic) -> Result<Option<Profile>> {
    let (hours, days) = (&traffic.hours, &traffic.weekdays);
    let Some(place) = hours.as_ref().or(days.as_ref()).map(|it| &it.place) else {
        return Ok(None);
    };
    let (alike_hours, alike_days) = ([1.0; 24], [1.0; 7]);
    let hours = hours.as_ref().map_or(&alike_hours[..], |it| &it.value);
    let days = days.as_ref().map_or(&alike_days[..], |it| &it.value);
    Profile::new(hours, days).map(Some).map_err(|error| error.at(Some(place)))
}

/// Peak rate / mean rate: as given, that of the weekly profile, or 2 by assumption.
///
/// # Errors
/// If it is below 1, or given beside a profile.
fn peak_to_mean(traffic: &Traffic, profile: Option<&Profile>) -> Result<Input<f64>> {
    let name = "inference.traffic.peak_to_mean";
    match (&traffic.peak_to_mean, profile) {
        (Some(given), Some(_)) => Err(given
            .refuse("hours and weekdays say how high the peak is")
            .hint("give one of them")),
        (Some(given), None) if given.spread.central() < 1.0 => {
            Err(given.refuse("the peak is at least the mean: peak_to_mean is 1 or more"))
        }
        (Some(given), None) => Ok(given.input(name)),
        (None, Some(profile)) => Ok(derived(name, profile.peak(), "the busiest hour of the week")),
        (None, None) => Ok(assumed(name, 2.0, "a daily rhythm; set it from your own traffic")),
    }
}
