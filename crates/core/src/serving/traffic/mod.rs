//! The requests and their times: random traffic from a few figures, or a recorded trace.

mod length;
mod profile;
pub mod records;
pub mod stamp;
mod trace;

use std::sync::Arc;

use rayon::prelude::*;

use super::simulator::Arrival;
use crate::quantity::{Measure as _, RequestRate, Time};
use crate::random::Stream;

pub use length::Lengths;
pub use profile::Profile;
pub use trace::{Answered, Recorded, Trace};

/// A kind of request; its place in the list of classes is its class in the simulator.
#[derive(Clone, Debug, PartialEq)]
pub struct Class {
    /// Weight among the classes; any positive number.
    pub weight: f64,
    /// Prompt tokens.
    pub input: Lengths,
    /// Tokens to generate.
    pub output: Lengths,
    /// Share of the prompt found in the prefix cache, 0 to 1; of sessions, what their own cache
    /// holds comes in its place.
    pub cached: f64,
    /// Tokens that all prompts begin with, which are always found.
    pub opening: u32,
    /// Each request is a turn of a conversation.
    pub session: Option<Session>,
}

/// Conversations: a turn's prompt is all that came before it and a text of its own, of length
/// [`Class::input`].
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// Turns of a conversation, each of which is as frequent.
    pub turns: u32,
    /// Mean time from an answer to the next turn; exponential.
    pub think: Time,
    /// Time that an answer takes.
    pub answer: Time,
    /// Longest prompt of a model.
    pub most: u32,
    /// Tokens that the caches of the replicas hold together; a conversation stays with its replica.
    pub held: f64,
}

impl Session {
    /// The probability that the cache of a conversation is still there at its next turn, at so many
    /// turns a second of these mean lengths.
    ///
    /// Caches are dropped least recently used first, so one is there unless its turn comes later
    /// than T after the last: with S the tokens of a conversation after a mean turn, held for the
    /// answer and for at most T of thinking, the cache holds (Che's approximation)
    /// ```text
    /// held = rate x S (answer + think (1 - e^(-T / think)))
    /// ```
    /// and the probability is 1 - e^(-T / think).
    pub(crate) fn found(&self, rate: f64, added: f64, answered: f64) -> f64 {
        let tokens = f64::midpoint(f64::from(self.turns), 1.0) * (added + answered);
        let waiting = self.held / (rate * tokens).max(f64::MIN_POSITIVE) - self.answer.value;
        (waiting / self.think.value.max(f64::MIN_POSITIVE)).clamp(0.0, 1.0)
    }
}

/// Requests at a rate.
#[derive(Clone, Debug, PartialEq)]
pub struct Traffic {
    /// Requests per time, averaged over the profile.
    pub rate: RequestRate,
    /// How the rate varies over the hours of a week; constant without.
    pub profile: Option<Profile>,
    /// The origin of gaps and lengths.
    pub source: Source,
}

/// The origin of the gaps between requests and of their lengths.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// They are drawn.
    Random {
        /// Coefficient of variation of the gaps between requests: 1 is Poisson, more is bursty
        /// (gamma distributed gaps of shape 1 / cv^2).
        burstiness: f64,
        /// The classes of requests, at least one.
        classes: Vec<Class>,
    },
    /// They were recorded; the trace begins anew where it ends.
    Recorded(Arc<Trace>),
    /// One of the others, whose first requests are kept: see [`Traffic::kept`].
    Drawn(Arc<Drawn>),
}

/// Requests of a source that are kept, since many runs ask for the same ones.
#[derive(Debug, PartialEq)]
pub struct Drawn {
    source: Source,
    /// Gaps in units of their mean, and requests: those of seed 1 first.
    seeds: Vec<Vec<(f64, Arrival)>>,
}

/// Most requests that are kept, over all seeds: 16 MB.
const MOST_KEPT: u64 = 1 << 19;

impl Traffic {
    /// The requests, without end. The same seed gives the same gaps (in units of the mean) and the
    /// same requests at every rate: common random numbers. Of a trace, seed 1 begins with its first
    /// request, other seeds elsewhere.
    pub fn requests(&self, seed: u64) -> impl Iterator<Item = Arrival> + '_ {
        self.timed(std::iter::repeat_with(self.draws(seed)))
    }

    /// Gaps in units of their mean, and requests, one after the other. They are the same at every
    /// rate unless caches are, see [`Traffic::is_scaled`].
    fn draws(&self, seed: u64) -> Box<dyn FnMut() -> (f64, Arrival) + '_> {
        self.draws_of(&self.source, seed)
    }

    /// The same of a source.
    fn draws_of<'a>(
        &'a self,
        source: &'a Source,
        seed: u64,
    ) -> Box<dyn FnMut() -> (f64, Arrival) + 'a> {
        match source {
            Source::Random { burstiness, classes } => {
                Box::new(random(*burstiness, classes, self.rate.value, seed))
            }
            Source::Recorded(trace) => Box::new(recorded(trace, seed)),
            Source::Drawn(drawn) => {
                let kept = seed.checked_sub(1).and_then(|seed| drawn.seeds.get(seed as usize));
                let kept = kept.map_or(&[][..], Vec::as_slice);
                let (mut next, mut more) = (kept.iter(), None);
                Box::new(move || match next.next() {
                    Some(draw) => *draw,
                    None => more.get_or_insert_with(|| {
                        let mut more = self.draws_of(&drawn.source, seed);
                        for _ in kept {
                            more();
                        }
                        more
                    })(),
                })
            }
        }
    }

    /// The same requests, those of the first seeds drawn once for many runs, where they are the same at
    /// every rate and not too many.
    #[must_use]
    pub fn kept(&self, seeds: u32, requests: u64) -> Self {
        let enough = match &self.source {
            Source::Drawn(drawn) => {
                let kept = drawn.seeds.iter().take(seeds as usize);
                drawn.seeds.len() >= seeds as usize
                    && kept.map(Vec::len).min().is_some_and(|it| it as u64 >= requests)
            }
            _ => false,
        };
        let few = requests.saturating_mul(seeds.into()) <= MOST_KEPT;
        if enough || !few || !self.is_scaled() {
            return self.clone();
        }
        let draw = |seed: u32| {
            std::iter::repeat_with(self.draws(seed.into())).take(requests as usize).collect()
        };
        let seeds = (1..=seeds).into_par_iter().map(draw).collect();
        let source = match &self.source {
            Source::Drawn(drawn) => drawn.source.clone(),
            source => source.clone(),
        };
        Self { source: Source::Drawn(Arc::new(Drawn { source, seeds })), ..self.clone() }
    }

    /// True if another rate changes the gaps alone: more turns of conversations find less in a cache.
    fn is_scaled(&self) -> bool {
        match &self.source {
            Source::Random { classes, .. } => classes.iter().all(|class| class.session.is_none()),
            Source::Recorded(_) | Source::Drawn(_) => true,
        }
    }

    /// Requests of such draws at the times that the rate gives them.
    fn timed(&self, draws: impl Iterator<Item = (f64, Arrival)>) -> impl Iterator<Item = Arrival> {
        let mut now = 0.0;
        draws.map(move |(gap, request)| {
            let wait = gap / self.rate.value;
            now = self.profile.as_ref().map_or(now + wait, |profile| profile.after(now, wait));
            Arrival { at: Time::from_stored(now), ..request }
        })
    }

    /// True if the requests are those of a trace.
    pub(crate) fn is_recorded(&self) -> bool {
        match &self.source {
            Source::Random { .. } => false,
            Source::Recorded(_) => true,
            Source::Drawn(drawn) => matches!(drawn.source, Source::Recorded(_)),
        }
    }

    /// The same requests for so many replicas, each of which has a cache.
    #[must_use]
    pub fn over(&self, replicas: f64) -> Self {
        let mut over = self.clone();
        if let Source::Random { classes, .. } = &mut over.source {
            let sessions = classes.iter_mut().filter_map(|class| class.session.as_mut());
            sessions.for_each(|session| session.held *= replicas);
        }
        over
    }

    /// Mean prompt and output tokens of a request.
    pub fn mean_lengths(&self) -> (f64, f64) {
        self.source.mean_lengths()
    }
}

impl Source {
    /// See [`Traffic::mean_lengths`].
    fn mean_lengths(&self) -> (f64, f64) {
        match self {
            Source::Random { classes, .. } => {
                let total: f64 = classes.iter().map(|class| class.weight).sum();
                let mean = |of: fn(&Class) -> f64| {
                    classes.iter().map(|class| class.weight * of(class)).sum::<f64>() / total
                };
                (mean(Class::mean_prompt), mean(|class| class.output.mean()))
            }
            Source::Recorded(trace) => {
                let (input, output, _) = trace.means();
                (input, output)
            }
            Source::Drawn(drawn) => drawn.source.mean_lengths(),
        }
    }
}

impl Class {
    /// Mean tokens of a prompt: of a conversation, over its turns.
    fn mean_prompt(&self) -> f64 {
        let (added, answered) = (self.input.mean(), self.output.mean());
        let before = self
            .session
            .as_ref()
            .map_or(0.0, |session| f64::from(session.turns - 1) / 2.0 * (added + answered));
        f64::from(self.opening) + before + added
    }

    /// Tokens of a prompt and those of them that are found, where a conversation's cache is there
    /// with this probability.
    fn prompt(&self, lengths: &mut Stream, dice: &mut Stream, kept: f64) -> (u32, u32) {
        let Some(session) = &self.session else {
            let own = self.input.draw(lengths);
            let cached = (f64::from(own) * self.cached) as u32;
            return (own.saturating_add(self.opening), cached.saturating_add(self.opening));
        };
        let turn = dice.between(0, session.turns.max(1) - 1);
        let before = (0..turn).fold(0_u32, |sum, _| {
            sum.saturating_add(self.input.draw(lengths)).saturating_add(self.output.draw(lengths))
        });
        let found = if dice.uniform() < kept { before } else { 0 };
        let input = before.saturating_add(self.input.draw(lengths)).saturating_add(self.opening);
        (input.min(session.most), found.saturating_add(self.opening))
    }
}

/// Gaps in units of their mean, and requests.
fn random(
    burstiness: f64,
    classes: &[Class],
    rate: f64,
    seed: u64,
) -> impl FnMut() -> (f64, Arrival) {
    let mut gaps = Stream::new(seed, 1);
    let mut dice = Stream::new(seed, 2);
    let mut lengths = Stream::new(seed, 3);
    let total: f64 = classes.iter().map(|class| class.weight).sum();
    let kept = |class: &Class| {
        let share = class.weight / total;
        let (added, answered) = (class.input.mean(), class.output.mean());
        let session = class.session.as_ref();
        session.map_or(0.0, |session| session.found(rate * share, added, answered))
    };
    let kept: Vec<f64> = classes.iter().map(kept).collect();
    let shape = 1.0 / (burstiness * burstiness);
    let poisson = (burstiness - 1.0).abs() < 1e-9;
    move || {
        let gap = if poisson { gaps.exponential() } else { gaps.gamma(shape) };
        let mut left = dice.uniform() * total;
        let mut chosen = classes.len() - 1;
        for (i, class) in classes.iter().enumerate() {
            left -= class.weight;
            if left < 0.0 {
                chosen = i;
                break;
            }
        }
        let class = &classes[chosen];
        let (input, cached) = class.prompt(&mut lengths, &mut dice, kept[chosen]);
        let request = Arrival {
            at: Time::from_stored(0.0),
            input,
            output: class.output.draw(&mut lengths),
            cached,
            class: chosen as u16,
        };
        (gap, request)
    }
}

/// The same of a trace, whose end is followed by its beginning after a mean gap; of lengths alone, with
/// gaps of a Poisson process.
fn recorded(trace: &Trace, seed: u64) -> impl FnMut() -> (f64, Arrival) {
    let requests = &trace.requests;
    let rate = trace.rate().map_or(0.0, |rate| rate.value);
    let last = (requests.len() - 1) as u32;
    let mut next = if seed == 1 { 0 } else { Stream::new(seed, 4).between(0, last) as usize };
    let mut first = true;
    let mut gaps = trace.untimed.then(|| Stream::new(seed, 1));
    move || {
        let request = requests[next];
        let gap = match (next, &mut gaps) {
            _ if first => 0.0,
            (_, Some(gaps)) => gaps.exponential(),
            (0, None) => 1.0,
            (_, None) => (request.at - requests[next - 1].at).value * rate,
        };
        (first, next) = (false, (next + 1) % requests.len());
        let (input, output, cached) = (request.input, request.output, request.cached);
        (gap, Arrival { at: request.at, input, output, cached, class: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traffic(burstiness: f64) -> Traffic {
        let class = |weight, tokens| Class {
            weight,
            input: Lengths::Fixed(tokens),
            output: Lengths::Fixed(10),
            cached: 0.5,
            opening: 0,
            session: None,
        };
        Traffic {
            rate: RequestRate::from_stored(20.0),
            profile: None,
            source: Source::Random { burstiness, classes: vec![class(3.0, 100), class(1.0, 1000)] },
        }
    }

    #[test]
    fn rate_burstiness_and_mix_are_as_asked() {
        for burstiness in [0.5, 1.0, 2.0] {
            let traffic = traffic(burstiness);
            let n = 100_000;
            let requests: Vec<_> = traffic.requests(3).take(n).collect();
            let times: Vec<f64> = requests.iter().map(|r| r.at.value).collect();
            let mean = times[n - 1] / n as f64;
            let square: f64 = times.windows(2).map(|t| (t[1] - t[0]).powi(2)).sum();
            let cv = (square / n as f64 / (mean * mean) - 1.0).sqrt();
            let large = requests.iter().filter(|r| r.class == 1).count() as f64 / n as f64;
            assert!((mean * 20.0 - 1.0).abs() < 0.03, "mean {mean}");
            assert!((cv / burstiness - 1.0).abs() < 0.03, "cv {cv}");
            assert!((large - 0.25).abs() < 0.01, "mix {large}");
            assert!(requests.iter().all(|r| r.cached * 2 == r.input));
        }
    }

    #[test]
    fn a_conversation_grows_and_its_cache_is_found_while_there_is_room() {
        let session = |held: f64| Session {
            turns: 5,
            think: Time::from_stored(60.0),
            answer: Time::from_stored(10.0),
            most: 10_000,
            held,
        };
        let of = |held: f64, rate: f64| {
            let class = Class {
                weight: 1.0,
                input: Lengths::Fixed(100),
                output: Lengths::Fixed(50),
                cached: 0.0,
                opening: 1000,
                session: Some(session(held)),
            };
            let source = Source::Random { burstiness: 1.0, classes: vec![class] };
            Traffic { rate: RequestRate::from_stored(rate), profile: None, source }
        };
        // Two turns of 150 tokens on average before one of 100, after 1000 that all begin with.
        assert!((of(1e9, 1.0).mean_lengths().0 - 1400.0).abs() < 1e-9);
        let drawn = |traffic: &Traffic| -> (f64, f64) {
            let all: Vec<_> = traffic.requests(1).take(20_000).collect();
            let mean = |of: fn(&Arrival) -> u32| {
                all.iter().map(|it| f64::from(of(it))).sum::<f64>() / all.len() as f64
            };
            assert!(all.iter().all(|it| it.cached + 100 <= it.input && it.cached >= 1000));
            (mean(|it| it.input), mean(|it| it.cached))
        };
        let (input, cached) = drawn(&of(1e9, 1.0));
        assert!((input / 1400.0 - 1.0).abs() < 0.01, "{input}");
        assert!((cached / 1300.0 - 1.0).abs() < 0.01, "{cached}");
        // 450 tokens after a mean turn, a turn a second, held for 10 + 60 / 2 s: half are found.
        let (_, cached) = drawn(&of(450.0 * 40.0, 1.0));
        assert!((cached / 1150.0 - 1.0).abs() < 0.02, "{cached}");
        assert!(drawn(&of(450.0 * 9.0, 1.0)).1 < 1000.5);
        // As many replicas as the load is larger find as much.
        let (_, more) = drawn(&of(450.0 * 40.0, 4.0).over(4.0));
        assert!((more / cached - 1.0).abs() < 0.02, "{more}");
    }

    #[test]
    fn a_trace_is_replayed_at_its_own_pace_and_begins_anew() {
        let text = "timestamp,input_tokens,output_tokens\n0,10,1\n1,20,2\n4,30,3\n";
        let trace = Trace::read(text).unwrap();
        let rate = trace.rate().unwrap();
        let source = Source::Recorded(Arc::new(trace));
        let replay = Traffic { rate, profile: None, source };
        let at = |traffic: &Traffic| -> Vec<(f64, u32)> {
            traffic.requests(1).take(6).map(|r| (r.at.value, r.input)).collect()
        };
        let expected = [(0.0, 10), (1.0, 20), (4.0, 30), (6.0, 10), (7.0, 20), (10.0, 30)];
        assert_eq!(at(&replay), expected);
        let faster = Traffic { rate: rate * 2.0, ..replay.clone() };
        assert_eq!(at(&faster), expected.map(|(time, input)| (time / 2.0, input)));
        assert!(replay.requests(2).take(3).map(|r| r.input).sum::<u32>() == 60);
    }

    #[test]
    fn another_rate_is_the_same_traffic_faster() {
        let slow = traffic(1.0);
        let fast = Traffic { rate: RequestRate::from_stored(40.0), ..slow.clone() };
        for (a, b) in slow.requests(9).zip(fast.requests(9)).take(1000) {
            assert!((a.at.value - 2.0 * b.at.value).abs() < 1e-9 * a.at.value);
            assert_eq!((a.input, a.class), (b.input, b.class));
        }
    }
}
