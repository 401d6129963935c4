//! The plain serving model: means and bounds in closed form, over the times of the engine's step.
//!
//! A decode step takes `a` and `c` more for each of its sequences, and a prompt adds `p` to the steps
//! that carry it, all at the batch in question (`super::queue`). With rate r per replica and g decode
//! steps of an answer,
//!
//! - a token takes TPOT = a / (1 - r p - r c g), as r g TPOT sequences run at once (Little's law);
//! - the highest rate is that of a full batch of B: r = 1 / (g (a / B + c) + p).
//!
//! A first token waits for the API server, for the step under way and what came within it, for its own
//! step and, where the batch is nearly full, for a place in it.
//!
//! If prompts have instances of their own, n of them beside m that decode, p is no part of a decode
//! step: the highest rate is the lower of n / p and m / (g (a / B + c)), and the cache of a prompt
//! passes the link between them before the second token.
//!
//! Of conversations the cache holds the more the fewer come: prompts are those of a rate.
//!
//! Percentiles are no part of it: the simulator holds an SLO.

use std::convert::Infallible;
use std::ops::{Div, Mul};
use std::sync::Arc;

pub use super::batches::Batches;
use super::correction::Correction;
use super::first::First;
use super::instance::{Engines, Instances, Pool, Unfit};
use super::plan::{Demand, KvPerToken, Pools, Replica, RequestKind, Speculation};
use super::queue::{Attention, Busy, Phase, Queue};
use super::request::Asked;
use super::speculative::Speculative;
use super::step::Roofline;
use super::traffic::Session;
use crate::provenance::{Input, Traced};
use crate::quantity::{
    Devices, Measure, Per, Ratio, RequestRate, Requests, Share, Time, Times as Product, Tokens,
    TokensPerRequest,
};

/// Time that one request takes of a resource.
pub type TimePerRequest = Per<Time, Requests>;
/// Time between two tokens of an answer.
pub type TimePerToken = Per<Time, Tokens>;
/// Time of a decode step for each token of context.
type TimePerContext = Per<TimePerToken, TokensPerRequest>;
/// Time of a prompt for each pair of tokens.
type TimePerPair = Per<TimePerRequest, Product<TokensPerRequest, TokensPerRequest>>;

/// The limits of one replica.
#[derive(Clone, Debug)]
pub struct Capability {
    /// Tokens that its KV cache holds; none for a model without one.
    pub kv_capacity: Option<Traced<Tokens>>,
    /// Concurrent requests of mean length that fit.
    pub max_concurrency: Traced<Ratio>,
    /// The highest rate that it can keep up with.
    pub max_rate: Traced<RequestRate>,
    /// Share of a full replica's time that prompts take, or of its devices; none where nothing is
    /// generated.
    pub prompt_share: Option<Traced<Ratio>>,
    /// The rounds of speculative decoding, where tokens are drafted.
    pub speculation: Option<Rounds>,
    form: Form,
}

/// How long requests take.
#[derive(Clone, Debug)]
enum Form {
    /// The latencies of an engine that generates.
    Tokens(Arc<Generation>),
    /// The latencies of a network that answers in one pass, whose batches wait so long for
    /// requests.
    Pass(Batches, Traced<TimePerRequest>),
}

/// Turns of conversations, whose caches compete for the memory of a replica.
#[derive(Clone, Debug)]
struct Conversations {
    demand: Demand,
    window: Option<u32>,
    /// Tokens that a replica's caches hold.
    held: f64,
    /// Time of an answer alone on a replica.
    answer: Time,
}

/// The parameters of an engine's latencies beside the rate.
#[derive(Clone, Debug)]
struct Generation {
    engines: Engines,
    asked: Asked,
    conversations: Option<Conversations>,
    /// Sequences of a decode instance at once, at most; tokens of one of its steps.
    most: Traced<f64>,
    budget: Traced<f64>,
    split: Option<Split>,
    factors: Factors,
    /// Squared coefficient of variation of the gaps between requests.
    gaps: Traced<f64>,
    api_server: Traced<TimePerRequest>,
    /// The latencies of the first rate that was asked about.
    memo: First<f64, Latency>,
}

/// Prefill and decode instances.
#[derive(Clone, Debug)]
struct Split {
    prefill: Traced<f64>,
    decode: Traced<f64>,
    prompts: Batches,
    /// To move the cache of a prompt.
    transfer: Traced<TimePerRequest>,
}

/// The user's correction of the step time, which the times of a derivation are multiples of.
#[derive(Clone, Debug)]
struct Factors {
    /// Measured / forecast step.
    step: Option<Traced<f64>>,
    /// Tokens of a verification.
    round: Option<Traced<f64>>,
    /// The model that times it, in words.
    how: Arc<str>,
}

/// Rounds of drafted tokens and a verification.
#[derive(Clone, Debug)]
pub struct Rounds {
    /// Share of the drafted tokens that are accepted.
    pub acceptance: Traced<Share>,
    /// Tokens of a sequence that a verification yields: the accepted length and the token after it.
    pub tokens: Traced<Ratio>,
    /// Share of a round that the draft takes; none where drafting costs nothing.
    pub draft_share: Option<Traced<Ratio>>,
}

/// Mean latencies at a rate.
#[derive(Clone, Debug)]
pub struct Latency {
    /// Time to first token, or of the whole request for an encoder.
    pub ttft: Traced<TimePerRequest>,
    /// Time per output token after the first.
    pub tpot: Option<Traced<TimePerToken>>,
    /// The whole request.
    pub e2e: Traced<TimePerRequest>,
}

/// The three times of a load.
struct Load {
    busy: Busy,
    step: Traced<TimePerToken>,
    sequence: Traced<TimePerToken>,
    prompt: Traced<TimePerRequest>,
}

impl Replica {
    /// All devices: of its one instance, or of its prefill and decode instances.
    pub fn all_devices(&self) -> Traced<Devices> {
        let devices = self.devices.trace();
        match &self.pools {
            None => devices,
            Some(pools) => {
                let decode = pools.decode.trace();
                let all = decode * &devices + self.prefill_pool(pools);
                all.named("inference.replica.devices")
            }
        }
    }

    /// The instances of so many replicas, and the devices of each.
    pub fn groups(&self, replicas: &Traced<f64>) -> Vec<(Traced<f64>, Traced<Devices>)> {
        let devices = self.devices.trace();
        match &self.pools {
            None => vec![(replicas.clone(), devices)],
            Some(pools) => vec![
                (replicas * pools.prefill.trace(), pools.prefill_devices.trace()),
                (replicas * pools.decode.trace(), devices),
            ],
        }
    }

    /// Devices of the prefill instances.
    pub fn prefill_pool(&self, pools: &Pools) -> Traced<Devices> {
        (pools.prefill.trace() * pools.prefill_devices.trace())
            .named("inference.replica.prefill_devices")
    }

    /// Capacity and highest rate of a replica that generates; networks that answer in one pass have
    /// [`super::network::Pass::capability`].
    ///
    /// # Errors
    /// [`Unfit`] where weights and the KV cache of a single request exceed the memory.
    pub fn capability(
        &self,
        instances: &Instances,
        demand: &Demand,
    ) -> Result<Capability, Box<Unfit>> {
        let asked = || Ok::<_, Infallible>(Asked::of(demand, instances.window(), &|_| 1.0));
        if self.devices.trace().step().is_some() {
            let Ok(asked) = asked();
            return self.computed(instances, demand, asked);
        }
        let mut inputs = Vec::with_capacity(32);
        demand.for_each_length(&mut |value| inputs.push(value));
        let Ok(asked) = instances.memo.asked.of(inputs.clone(), asked);
        self.for_each_value(&mut |value| inputs.push(value));
        demand.for_each_value(&mut |value| inputs.push(value));
        instances.memo.capability.of(inputs, || self.computed(instances, demand, asked))
    }

    /// The capability of a replica of engines: what its memory holds, and the rate that its steps
    /// allow.
    ///
    /// # Errors
    /// If the model does not fit the devices.
    fn computed(
        &self,
        instances: &Instances,
        demand: &Demand,
        asked: Asked,
    ) -> Result<Capability, Box<Unfit>> {
        let lengths = demand.mean_lengths();
        let engines = instances.under(self, demand, lengths)?;
        let pool = &engines.decode;
        let kv_capacity = self.kv_capacity(instances, demand, pool, &asked);
        let request = Traced::constant(Requests::from_stored(1.0));
        let room = |held: &Traced<TokensPerRequest>| (&kv_capacity / (held * &request)).number();
        let limit = self.max_batch.trace().floor();
        // The last block of a sequence is half full.
        let block = TokensPerRequest::from_stored(f64::from(pool.limits.block) / 2.0);
        let held = if pool.limits.sets_aside {
            &asked.input + &asked.output
        } else {
            &asked.context + Traced::constant(block)
        };
        // What all prompts begin with is held once.
        let shared = f64::from(pool.limits.shared * pool.limits.block);
        let held = held - Traced::constant(TokensPerRequest::from_stored(shared));
        let most = room(&held).min(&limit);
        let most = most.max(&Traced::constant(1.0)).named("sequences of a full batch");
        let length = match &self.output {
            Some(output) => (self.input.trace() + output.trace()).ceil(),
            None => self.input.trace().ceil(),
        };
        let length = length - Traced::constant(TokensPerRequest::from_stored(shared));
        let concurrency = room(&length).min(&limit);
        let factors = Factors::of(self, instances, demand);
        let split = self.split(instances, &engines, &asked, &factors);
        let generation = Generation {
            gaps: demand.burstiness.trace().pow(&Traced::constant(2.0)),
            api_server: asked.input.beside(
                TimePerRequest::from_stored(engines.api_server.value),
                || {
                    let how = format!("{}, of this prompt length", factors.how);
                    ("API-server overhead".to_owned(), how)
                },
            ),
            conversations: Conversations::of(demand, instances, &engines),
            budget: budget(demand, pool, &asked),
            engines,
            asked,
            most,
            split,
            factors,
            memo: First::default(),
        };
        let generation = generation.at_most(self, instances);
        let full = generation.load(generation.queue().full());
        let steps = generation.asked.steps();
        let share = &full.step / generation.sequences() + &full.sequence;
        let decoding = (&steps * &share).named("decoding of a request in a full batch");
        let (max_rate, prompt_share) = match &generation.split {
            None => {
                let rate = one() / (decoding + &full.prompt);
                let share = (&full.prompt * &rate).retype::<Ratio>();
                (rate, share.named("share of time that prompts take"))
            }
            Some(Split { prefill, decode, prompts, .. }) => {
                let prompts = (&prompts.most / &prompts.full * prefill)
                    .named("highest rate of the prefill instances");
                let answers =
                    (one() / decoding * decode).named("highest rate of the decode instances");
                let devices = self.all_devices();
                let pools = self.pools.as_ref().map(|pools| self.prefill_pool(pools));
                let share =
                    pools.map_or(Traced::constant(Ratio::from_stored(0.0)), |it| it / devices);
                (prompts.min(&answers), share.named("share of devices that read prompts"))
            }
        };
        let caches = generation.engines.decode.memory.caches();
        let (kv_capacity, concurrency) = match &generation.split {
            None => (kv_capacity, concurrency),
            Some(Split { decode, .. }) => (kv_capacity * decode, concurrency * decode),
        };
        Ok(Capability {
            kv_capacity: caches.then(|| kv_capacity.named("inference.replica.kv_capacity_tokens")),
            max_concurrency: concurrency.retype().named("inference.replica.max_concurrency"),
            max_rate: max_rate.named("inference.replica.max_rate_per_s"),
            prompt_share: Some(prompt_share),
            speculation: generation.rounds(self, full.busy.batch),
            form: Form::Tokens(Arc::new(generation)),
        })
    }

    /// Tokens that the cache of an instance holds: what the engine says, or what weights and
    /// reserve
    /// leave of the memory.
    fn kv_capacity(
        &self,
        instances: &Instances,
        demand: &Demand,
        pool: &Pool,
        asked: &Asked,
    ) -> Traced<Tokens> {
        if let Some(tokens) = &demand.kv_cache {
            return tokens.trace();
        }
        let memory = self.memory.trace() * self.memory_share.trace() - self.reserve.trace();
        let usable = (memory * self.devices.trace()).named("usable memory");
        let mut free = usable - self.weights.trace();
        if let Some(draft) = self.speculation.as_ref().and_then(|it| it.draft.as_ref()) {
            free = free - draft.weights.trace();
        }
        let per_token = asked.input.beside(pool.memory.per_token(), || {
            let how = format!("{}, at the mean length of a request", instances.cache());
            ("KV cache per token".to_owned(), how)
        });
        free / per_token
    }

    /// The times of a disaggregated replica: prompts on their own instances, and the KV transfer.
    /// `None` where one engine does both.
    fn split(
        &self,
        instances: &Instances,
        engines: &Engines,
        asked: &Asked,
        factors: &Factors,
    ) -> Option<Split> {
        let (pools, (pool, transfer)) = (self.pools.as_ref()?, engines.prefill.as_ref()?);
        let queue = Queue::new(&pool.time, pool.limits, asked.numbers(), Phase::Prefill, 1.0);
        let (alone, most, full) = queue.prompts();
        let time = |seconds: f64, name: &str| {
            factors.time(
                &asked.computed,
                Time::from_stored(seconds),
                name,
                When::Each("prompts alone"),
            )
        };
        let link = pools.network.trace() * pools.prefill_devices.trace();
        let told = |name: &str, how: &str| (name.to_owned(), how.to_owned());
        let reached = asked.input.beside::<f64>(instances.link(), || {
            told("share of a link's bandwidth that is reached", "the step-time model's")
        });
        let bytes = transfer.value * instances.link() * link.value().value;
        let cache = asked.input.beside(KvPerToken::from_stored(bytes), || {
            told("KV cache of a prompt's token", "cached elements of the model x their size")
        });
        Some(Split {
            prefill: pools.prefill.trace(),
            decode: pools.decode.trace(),
            prompts: Batches {
                alone: time(alone, "time of a prompt alone"),
                full: time(full, "time of a full step of prompts"),
                most: asked.computed.beside(Requests::from_stored(most), || {
                    (
                        "prompts of a full step".to_owned(),
                        "tokens of a step / those of a prompt".to_owned(),
                    )
                }),
            },
            transfer: (cache * &asked.input / (link * reached)).named("KV transfer"),
        })
    }
}

/// When a time of the model is that.
#[derive(Clone, Copy)]
enum When {
    /// With so many sequences at once.
    Batch(f64),
    /// Always, for each of something.
    Each(&'static str),
}

impl std::fmt::Display for When {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Batch(batch) => write!(f, "at {batch:.1} sequences at once"),
            Self::Each(what) => f.write_str(what),
        }
    }
}

impl Factors {
    /// The factors on a step: the measured step time, the tokens of a round of speculation.
    fn of(replica: &Replica, instances: &Instances, demand: &Demand) -> Self {
        Self {
            step: demand.step_time.as_ref().map(Input::trace),
            round: replica
                .speculation
                .as_ref()
                .map(|given| given.tokens_per_verification().number()),
            how: instances.words(),
        }
    }

    /// A time of the step-time model, told where `input` is, as a multiple of what the user
    /// measured.
    fn time<I: Measure, Q>(&self, input: &Traced<I>, time: Q, name: &str, when: When) -> Traced<Q>
    where
        Q: Measure + Mul<f64, Output = Q>,
    {
        let factor = self.step.as_ref().map_or(1.0, Traced::value);
        let plain = input
            .beside(time * (1.0 / factor), || (name.to_owned(), format!("{}, {when}", self.how)));
        match &self.step {
            None => plain,
            Some(factor) => plain * factor,
        }
    }

    /// The same of a decode step, each of which is a part of a round where tokens are drafted.
    fn decode<I: Measure, Q>(&self, input: &Traced<I>, time: Q, name: &str, when: When) -> Traced<Q>
    where
        Q: Measure + Mul<f64, Output = Q> + Div<f64, Output = Q>,
    {
        match &self.round {
            None => self.time(input, time, name, when),
            Some(tokens) => self.time(input, time * tokens.value(), name, when) / tokens,
        }
    }
}

impl Conversations {
    /// Those of a service, if its requests are turns of some.
    fn of(demand: &Demand, instances: &Instances, engines: &Engines) -> Option<Self> {
        demand.kinds.iter().any(|kind| kind.session.is_some()).then_some(())?;
        let window = instances.window();
        let pool = &engines.decode;
        let request = Asked::of(demand, window, &|_| 1.0).numbers();
        let queue = Queue::new(&pool.time, pool.limits, request, Phase::Both, 1.0);
        let answer = Time::from_stored(1.0 / queue.full().rate.max(f64::MIN_POSITIVE));
        let held = pool.memory.tokens.value * f64::from(pool.count);
        Some(Self { demand: demand.clone(), window, held, answer })
    }

    /// The mean request where a replica gets so many a second.
    fn asked(&self, rate: f64) -> Asked {
        let opening = f64::from(self.demand.opening);
        let there = |kind: &RequestKind| {
            let lengths = [&kind.input, &kind.own, &kind.output];
            let means = lengths.map(|it| it.as_ref().map_or(0.0, |it| it.mean.value.value));
            let [whole, own, answered] = means;
            let Some(session) = &kind.session else { return 1.0 };
            let session = Session {
                turns: session.turns,
                think: session.think.value,
                answer: self.answer,
                most: u32::MAX,
                held: self.held,
            };
            let kept = session.found(rate * kind.share.value.get(), own, answered);
            // What all prompts begin with is always there.
            let before = (whole - own).max(f64::MIN_POSITIVE);
            (opening + kept * (before - opening)) / before
        };
        Asked::of(&self.demand, self.window, &there)
    }
}

impl Generation {
    /// The same whose conversations find in the cache what is there at the highest rate. A higher
    /// rate leaves less there, and less there a lower highest rate: one root.
    fn at_most(self, replica: &Replica, instances: &Instances) -> Self {
        let Some(conversations) = &self.conversations else { return self };
        let highest = |asked: &Asked| {
            let split = replica.split(instances, &self.engines, asked, &self.factors);
            let generation = Self { asked: asked.clone(), split, ..self.clone() };
            (generation.queue().full().rate, generation)
        };
        let ends = [f64::INFINITY, 0.0].map(|rate| highest(&conversations.asked(rate)).0);
        let [mut low, mut high] = ends;
        for _ in 0..40 {
            let rate = f64::midpoint(low, high);
            if highest(&conversations.asked(rate)).0 > rate {
                low = rate;
            } else {
                high = rate;
            }
            if high - low <= 1e-6 * high {
                break;
            }
        }
        highest(&conversations.asked(low)).1
    }

    /// The same at a rate of a replica whose engines read and write.
    fn at(&self, rate: f64) -> Option<Self> {
        let conversations = self.conversations.as_ref().filter(|_| self.split.is_none())?;
        Some(Self { asked: conversations.asked(rate), conversations: None, ..self.clone() })
    }

    /// The queue of the instances that answer, at most `most` sequences at once.
    fn queue(&self) -> Queue<'_, Speculative<Roofline>> {
        let Self { engines, asked, most, split, .. } = self;
        let phase = if split.is_some() { Phase::Decode } else { Phase::Both };
        let pool = &engines.decode;
        Queue::new(&pool.time, pool.limits, asked.numbers(), phase, most.value())
    }

    /// Sequences of a full batch: no more than have tokens in each step beside the prompts that are
    /// read meanwhile.
    fn sequences(&self) -> Traced<f64> {
        let Self { asked, most, split, budget, .. } = self;
        if self.queue().most() >= most.value() {
            return most.clone();
        }
        let each = match split {
            None => 1.0 + (&asked.computed / asked.steps()).number(),
            Some(_) => one(),
        };
        let fed = budget / each.named("tokens of a step for each sequence");
        fed.max(&one()).named("sequences that the tokens of a step suffice for")
    }

    /// The three times at a batch: those of the chord from a single sequence to it.
    fn load(&self, busy: Busy) -> Load {
        let Self { asked, factors, .. } = self;
        let queue = self.queue();
        let one = queue.products(1.0);
        let slope = if busy.batch > 1.0 { (busy.products - one) / (busy.batch - 1.0) } else { 0.0 };
        let when = When::Batch(busy.batch);
        let times = Attention::of(&self.engines.decode.time);
        let told = &asked.output;
        let decode = |seconds: f64, name: &str| {
            factors.decode(told, TimePerToken::from_stored(seconds), name, when)
        };
        let context = |seconds: f64, name: &str| {
            factors.decode(
                told,
                TimePerContext::from_stored(seconds),
                name,
                When::Each("per token of context"),
            )
        };
        let pair = |seconds: f64, name: &str| {
            factors.time(
                told,
                TimePerPair::from_stored(seconds),
                name,
                When::Each("per pair of tokens"),
            )
        };
        let products = decode(slope, "products of a sequence");
        let mut sequence =
            &products + &asked.context * context(times.context.0, "decode attention");
        if times.context.1 > 0.0 {
            sequence = sequence
                + &asked.windowed * context(times.context.1, "decode attention within the window");
        }
        let mut attention = &asked.computed * &asked.keys * pair(times.pairs.0, "prompt attention");
        if times.pairs.1 > 0.0 {
            attention = attention
                + &asked.computed
                    * &asked.windowed_keys
                    * pair(times.pairs.1, "prompt attention within the window");
        }
        let carried = TimePerRequest::from_stored(busy.carried);
        let carried = factors.time(told, carried, "what a prompt adds to the steps", when);
        let reads = self.split.is_none();
        Load {
            step: if slope > 0.0 {
                self.decode_step(&busy) - &products * Traced::constant(busy.batch)
            } else {
                self.decode_step(&busy)
            },
            sequence: sequence.named("what a sequence adds to a decode step"),
            prompt: if reads { (carried + attention).named("time of a prompt") } else { carried },
            busy,
        }
    }

    /// A decode step of a batch without its caches, by its parts where one model takes it alone.
    fn decode_step(&self, busy: &Busy) -> Traced<TimePerToken> {
        let (told, time) = (&self.asked.output, &self.engines.decode.time);
        let decode = |seconds: f64, name: &str| {
            let time = TimePerToken::from_stored(seconds);
            self.factors.decode(told, time, name, When::Batch(busy.batch))
        };
        if told.step().is_none() || time.drafted > 0 || busy.products <= 0.0 {
            return decode(busy.products, "a decode step");
        }
        let parts = time.verification.parts(busy.batch.max(1.0)).into_iter();
        let parts = parts.filter(|(_, time)| time.value > 0.0);
        Traced::total(parts.map(|(name, time)| decode(time.value, name))).named("a decode step")
    }

    /// Mean latencies with `rate` requests per second on the replica, below its highest rate.
    fn latency(&self, rate: &Traced<RequestRate>, correction: Option<&Correction>) -> Latency {
        if let Some(generation) = self.at(rate.value().value) {
            return generation.latency(rate, correction);
        }
        let Self { asked, split, gaps, api_server, .. } = self;
        let most = &self.sequences();
        let decoding = match split {
            None => rate.clone(),
            Some(split) => (rate / &split.decode).named("rate of a decode instance"),
        };
        let queue = self.queue();
        let load = self.load(queue.at_rate(decoding.value().value));
        let steps = asked.steps().named("decode steps of a request");
        let answers = load.sequence * &steps;
        let busy = (&decoding * (&load.prompt + answers)).number();
        let token = load.step / (1.0 - busy);
        let crowd = queue.crowd(load.busy, token.value().value, asked.prompts.value());
        let count = steps.value().value;
        let first_steps = |share: f64, name: &str| {
            let longer = TimePerToken::from_stored(crowd.longer * share);
            self.factors.time(&asked.output, longer, name, When::Batch(load.busy.batch))
        };
        // Of a short answer they are a larger part, and it counts as much as a long one.
        let short = count / (1.0 + asked.answers.value());
        let (tpot, stay) = if crowd.steps * crowd.longer > 0.0 && count > 0.0 {
            let more =
                first_steps(crowd.among(short) / short, "longer steps after the first token");
            let stay = first_steps(crowd.among(count) / count, "the same over all tokens");
            (&token + more, &steps * (&token + stay))
        } else {
            (token.clone(), &steps * &token)
        };
        let plain = &steps * &token;
        let rho = self.scarcity(&queue, &decoding, &plain);
        let root = (2.0 * &(most + 1.0)).pow(&Traced::constant(0.5));
        let variation = (gaps + &asked.answers) / 2.0;
        let spare = 1.0 - &rho;
        // From the highest rate on the wait has no end.
        let spare = if spare.value() < 0.0 { spare.or_nothing() } else { spare };
        let place = variation * (rho.pow(&root) / (most * spare)) * plain;
        let place = place.named("wait for a place in the batch");
        let first = match split {
            None => self.first(&queue, load.busy, &decoding, &token),
            Some(split) => {
                let reading = (rate / &split.prefill).named("rate of a prefill instance");
                split.prompts.latency(&reading)
            }
        };
        // The second token waits for a place among those that decode, the first where one instance
        // does both.
        let (ttft, rest) = match split {
            None => (api_server + first + place, stay),
            Some(split) => (api_server + first, stay + &split.transfer + place),
        };
        // Answers of one token are over with the first.
        Latency::of(ttft, rest, (count > 0.0).then_some(tpot), correction)
    }

    /// Share of the batch in use. Prompts that come one by one fill it below its highest rate, at
    /// which they are read together: places are then as scarce as that rate is near.
    fn scarcity(
        &self,
        queue: &Queue<'_, Speculative<Roofline>>,
        rate: &Traced<RequestRate>,
        decoding: &Traced<TimePerRequest>,
    ) -> Traced<f64> {
        let share = (rate * decoding).number() / self.sequences();
        let highest = queue.full().rate;
        if rate.value().value / highest >= share.value() {
            return share.named("share of the batch in use");
        }
        let highest = self.asked.output.beside(RequestRate::from_stored(highest), || {
            ("highest rate of an instance".to_owned(), self.factors.how.to_string())
        });
        (rate / highest).number().named("share of the highest rate")
    }

    /// The wait for the step under way and what came within it, and the prompt's own step.
    fn first(
        &self,
        queue: &Queue<'_, Speculative<Roofline>>,
        busy: Busy,
        rate: &Traced<RequestRate>,
        tpot: &Traced<TimePerToken>,
    ) -> Traced<TimePerRequest> {
        let Self { asked, factors, .. } = self;
        let first = queue.first(busy, tpot.value().value);
        let when = When::Batch(busy.batch);
        let time = |seconds: f64, name: &str| {
            factors.time(&asked.output, TimePerRequest::from_stored(seconds), name, when)
        };
        let own = time(first.own, "step of the prompt");
        let further = time(first.further, "what a further prompt adds to a step");
        let fixed = time(
            first.fixed / tpot.value().value.max(f64::MIN_POSITIVE),
            "how steps with prompts differ from those without",
        );
        let under_way = asked.output.beside::<f64>(first.under_way, || {
            ("share of the time that a step is under way".to_owned(), factors.how.to_string())
        });
        let rho = (rate * &further).number().min(&Traced::constant(1.0 - 1e-9));
        let rho = rho.named("share of the time that prompts take");
        let token = tpot * Traced::constant(TokensPerRequest::from_stored(1.0));
        let token = if first.step < 1.0 {
            let share = asked.output.beside::<f64>(first.step, || {
                ("step under way / time of a token".to_owned(), factors.how.to_string())
            });
            token * share
        } else {
            token
        };
        let spread = rate * &further * &further * (1.0 + &asked.prompts)
            / (1.0 - rho.pow(&Traced::constant(2.0)));
        let wait = under_way * (0.5 + &rho) * (token + spread + fixed);
        wait.named("wait for the step under way") + own
    }

    /// Rounds of drafts and verifications in a batch.
    fn rounds(&self, replica: &Replica, batch: f64) -> Option<Rounds> {
        let given = replica.speculation.as_ref()?;
        let time = &self.engines.decode.time;
        let parts = time.round_parts(batch.max(1.0), self.asked.context.value().value);
        Some(given.rounds(parts, &self.factors.how))
    }
}

impl Speculation {
    /// Rounds of which a step of the draft and the verification take so long.
    fn rounds(&self, (draft, verification): (Time, Time), how: &str) -> Rounds {
        let drafted = self.tokens.trace();
        let told = |name: &str| (name.to_owned(), format!("{how}, in a full batch"));
        let share = || {
            let drafting = &drafted * drafted.beside(draft, || told("a step of the draft"));
            let verifying = drafted.beside(verification, || told("a verification"));
            let share: Traced<Ratio> = &drafting / (&drafting + verifying);
            share.named("inference.speculative.draft_share")
        };
        Rounds {
            acceptance: self.acceptance.trace(),
            tokens: self.tokens_per_verification(),
            draft_share: self.draft.as_ref().map(|_| share()),
        }
    }
}

impl Capability {
    /// That of a replica which answers batch by batch.
    pub fn in_one_pass(
        batches: Batches,
        delay: Traced<Time>,
        max_concurrency: Traced<Ratio>,
        max_rate: Traced<RequestRate>,
    ) -> Self {
        Self {
            kv_capacity: None,
            max_concurrency,
            max_rate,
            prompt_share: None,
            speculation: None,
            form: Form::Pass(batches, delay / Traced::constant(Requests::from_stored(1.0))),
        }
    }

    /// Mean latencies with `rate` requests per second on this replica, below its highest rate; those of
    /// an engine corrected, where a simulation was asked.
    pub fn latency(&self, rate: &Traced<RequestRate>, correction: Option<&Correction>) -> Latency {
        match &self.form {
            Form::Tokens(generation) if rate.step().is_some() || correction.is_some() => {
                generation.latency(rate, correction)
            }
            Form::Tokens(generation) => {
                let latency = || Ok::<_, Infallible>(generation.latency(rate, None));
                let Ok(latency) = generation.memo.of(rate.value().value, latency);
                latency
            }
            Form::Pass(batches, delay) => {
                let whole = batches.latency_after(rate, delay);
                let ttft = whole.clone().named("inference.ttft_ms.mean");
                Latency { e2e: whole.named("inference.e2e_ms.mean"), tpot: None, ttft }
            }
        }
    }
}

/// Tokens of a step of an instance.
fn budget(demand: &Demand, pool: &Pool, asked: &Asked) -> Traced<f64> {
    let tokens = f64::from(pool.limits.tokens);
    let told = || ("tokens of a step".to_owned(), "the engine's default".to_owned());
    match &demand.max_batch_tokens {
        Some(given) => given.trace() * Traced::constant(tokens / given.value),
        None => asked.output.beside(tokens, told),
    }
}

/// The number 1, as a constant of formulas.
fn one() -> Traced<f64> {
    Traced::constant(1.0)
}
