//! How many requests an instance has at once under a load, and what a step then takes: queueing
//! over the times of [`StepTime`], in closed form but for one root.
//!
//! A request of `i` computed prompt tokens and `o` output tokens takes one prompt and `g = o - 1`
//! decode steps. With `b` sequences at once,
//! ```text
//! s(b)  a decode step: T(b, 0) + b (context x cache)
//! p(b)  what a prompt adds to the steps that carry it: f (T(b, n) - T(b, 0)) + pairs x attention
//! f     steps that carry a part of a prompt / prompts: prompts that come within a step share it
//!       (Poisson, m = b / g of them), and no step takes more than its budget of tokens:
//!       f = max((1 - e^-m) / m, i / (budget - b)), n = i / f
//! ```
//! Where prompts go first, those that come while others are read are read before the next decode step,
//! too: of P such steps of time t between two decode steps,
//! ```text
//! P = (1 - e^(-r s)) e^(r t), r = m / (s + P t), f = P / m
//! ```
//! as a step is followed by one of prompts unless none came in it. A full batch takes prompts in as
//! answers end, after a decode step: there P is 1 - e^-m, as above.
//!
//! a token takes TPOT = s + p b / g, and by Little's law the rate is r = b / (g TPOT) =
//! b / (g s + b p). The highest rate is that of a full batch, what [`super::simulator`] calls a queue
//! that grows without end. It has no more sequences than its steps have tokens for: where prompts are
//! read beside decoding, b + b i / g of them, so that b <= budget / (1 + i / g).
//!
//! Where the memory bounds a full batch, prompts are taken in up to its brim, so that the tokens of the
//! next step need the place of those taken in last, which are pre-empted and computed again: all
//! tokens of an answer but those of steps after one in which an answer ended and left its place,
//! g e^-m of a request with m = b / g.
//!
//! Prompts come in crowds, and an answer begins within one: with rho = r p, L = rho + rho^2 (1 + Cp^2) /
//! (2 (1 - rho)) prompts are left behind by one that was read (M/G/1), and take R = L p / (1 - rho) with
//! those that come meanwhile. The first decode step waits for R where prompts go first; elsewhere the
//! first R / T of them take T, the time of a step that is full of prompts.
//!
//! A first token waits for the step under way and for what came within it, then for its own step. With
//! steps T' = V + the prompts that came in T, each of which adds t, and rho = r t, that is
//! (1/2 + rho) E(T^2) / E(T), Var(T) = r E(T) E(t^2) / (1 - rho^2). Where the batch is full it waits for
//! a place: (Ca^2 + Cs^2) / 2 x rho^sqrt(2 (B + 1)) / (B (1 - rho)) x g TPOT (Sakasegawa 1977), with
//! rho = b / B, at most rate / highest rate, and the squared coefficients of variation of gaps and
//! answers.

use super::request::MeanRequest;
use super::simulator::{Limits, Scheduler, StepTime};

/// The work of an instance for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Reads the prompt and generates.
    Both,
    /// Reads the prompt; another instance generates.
    Prefill,
    /// Generates; another instance has read the prompt.
    Decode,
}

/// An instance under a load; times in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Queue<'a, S> {
    time: &'a S,
    limits: Limits,
    request: MeanRequest,
    phase: Phase,
    most: f64,
    /// The memory bounds the batch: not its setting, nor the tokens of a step.
    brim: bool,
    /// Decode attention of one sequence.
    context: f64,
    /// Attention over a prompt.
    attention: f64,
}

/// An instance with so many sequences at once; times in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Busy {
    /// Requests per second.
    pub(crate) rate: f64,
    /// Sequences at once.
    pub(crate) batch: f64,
    /// A decode step of that batch, without the caches that it reads.
    pub(crate) products: f64,
    /// The time that a prompt adds to the steps that carry it, without its attention.
    pub(crate) carried: f64,
}

/// The parts of a first token's wait; times in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct First {
    /// The step of a prompt that no other shares, its attention included.
    pub(crate) own: f64,
    /// The time that a further prompt adds to a step that has one.
    pub(crate) further: f64,
    /// The time that a first prompt adds to a decode step beyond that, squared, x how far the
    /// number of
    /// steps with prompts varies.
    pub(crate) fixed: f64,
    /// Share of the time that a step is under way.
    pub(crate) under_way: f64,
    /// The step that a request finds under way / the time of a token: less than one where a token
    /// waits for several steps.
    pub(crate) step: f64,
}

/// The decode steps right after a first token, while the prompts that came with it are read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Crowd {
    /// How many there are.
    pub(crate) steps: f64,
    /// Seconds that each takes longer than the mean token.
    pub(crate) longer: f64,
}

impl Crowd {
    /// Of `steps` decode steps of an answer, how many are among them.
    pub(crate) fn among(&self, steps: f64) -> f64 {
        if steps > 0.0 { steps * -(-self.steps / steps).exp_m1() } else { 0.0 }
    }
}

/// Times of a step that a context adds, per token of it; in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Attention {
    /// Decoding: per token of context, in full layers and in those with a window.
    pub(crate) context: (f64, f64),
    /// Prompts: per pair of tokens.
    pub(crate) pairs: (f64, f64),
}

impl Attention {
    /// That of a model of steps.
    pub(crate) fn of(time: &impl StepTime) -> Self {
        let (full, windowed) = time.pairs();
        let in_window = time.windowed().map_or(0.0, |(each, _)| each.value);
        Self { context: (time.context().value, in_window), pairs: (full.value, windowed.value) }
    }
}

impl<'a, S: StepTime> Queue<'a, S> {
    /// An instance with `most` sequences at once, at most, and no more than its steps have tokens for.
    pub(crate) fn new(
        time: &'a S,
        limits: Limits,
        request: MeanRequest,
        phase: Phase,
        most: f64,
    ) -> Self {
        let Attention { context, pairs } = Attention::of(time);
        let prompt = pairs.0 * request.keys + pairs.1 * request.windowed_keys;
        let fed = f64::from(limits.tokens) / each_step(request, phase, limits.scheduler);
        Self {
            time,
            limits,
            request,
            phase,
            most: most.min(fed.max(1.0)),
            brim: most < f64::from(limits.sequences) - 1e-6 && most <= fed,
            context: context.0 * request.context + context.1 * request.windowed,
            attention: request.computed * prompt,
        }
    }

    /// Sequences at once, at most.
    pub(crate) fn most(&self) -> f64 {
        self.most
    }

    /// Decode steps of a request.
    fn steps(&self) -> f64 {
        steps(self.request, self.phase)
    }

    /// The instance with so many sequences at once.
    pub(crate) fn at_batch(&self, batch: f64) -> Busy {
        self.busy(batch, self.carriers(batch))
    }

    /// The instance at its highest rate: requests come in as answers end.
    pub(crate) fn full(&self) -> Busy {
        let again = self.recomputed();
        let computed = self.request.computed + again;
        let request = MeanRequest { computed, ..self.request };
        let queue = Self::new(self.time, self.limits, request, self.phase, self.most);
        let busy = queue.busy(self.most, queue.shared(self.most));
        // The attention of a prompt is told apart, that of what is computed again is not.
        let attention = queue.attention - self.attention;
        Busy { carried: busy.carried + attention, ..busy }
    }

    /// Tokens of a request that a full batch computes again after pre-emptions.
    fn recomputed(&self) -> f64 {
        let steps = self.steps();
        if self.phase != Phase::Both || self.limits.sets_aside || !self.brim || steps <= 0.0 {
            return 0.0;
        }
        steps * (-self.most / steps).exp()
    }

    /// The instance with so many sequences at once and steps with prompts / prompts.
    fn busy(&self, batch: f64, carriers: f64) -> Busy {
        let (stay, products, carried) = self.stay(batch, carriers);
        Busy { rate: batch / stay.max(f64::MIN_POSITIVE), batch, products, carried }
    }

    /// The instance at a rate below its highest: by Little's law the batch is the root of
    /// batch - rate x time that a request stays, found by the Illinois method.
    pub(crate) fn at_rate(&self, rate: f64) -> Busy {
        let miss = |batch: f64| batch - rate * self.stay(batch, self.carriers(batch)).0;
        let (mut low, mut high) = ((0.0, miss(0.0)), (self.most, miss(self.most)));
        if high.1 < 0.0 && self.prompts_first() {
            return self.crowded(rate);
        }
        if self.steps() <= 0.0 {
            // Nobody stays to decode.
            return Busy { rate, ..self.at_batch(0.0) };
        }
        let mut moved_high = false;
        while high.0 - low.0 > 1e-9 * high.0 && high.1 > 0.0 && low.1 < 0.0 {
            let batch = (low.0 * high.1 - high.0 * low.1) / (high.1 - low.1);
            let off = miss(batch);
            if off.abs() <= 1e-10 * batch {
                high.0 = batch;
                break;
            }
            // An end that stays twice is given less weight, so that it moves, too.
            if off < 0.0 {
                high.1 /= if moved_high { 1.0 } else { 2.0 };
                (low, moved_high) = ((batch, off), false);
            } else {
                low.1 /= if moved_high { 2.0 } else { 1.0 };
                (high, moved_high) = ((batch, off), true);
            }
        }
        Busy { rate, ..self.at_batch(high.0) }
    }

    /// A full batch below its highest rate, whose prompts come in fewer at a time than answers end:
    /// by Little's law each adds what is left of its stay.
    fn crowded(&self, rate: f64) -> Busy {
        let full = self.full();
        let step = full.products + full.batch * self.context;
        let prompt = 1.0 / rate - self.steps() * step / full.batch;
        Busy { rate, carried: full.carried.max(prompt - self.attention), ..full }
    }

    /// How long a request is in the batch, its part of others' prompts included.
    fn stay(&self, batch: f64, carriers: f64) -> (f64, f64, f64) {
        let products = self.products(batch);
        let carried = self.carried(batch, carriers, products);
        let step = products + batch * self.context;
        let prompt = carried + self.attention;
        (self.steps() * step + batch * prompt, products, carried)
    }

    /// The parts of a first token's wait at a rate.
    pub(crate) fn first(&self, busy: Busy, token: f64) -> First {
        let Busy { rate, batch, products, carried } = busy;
        let decoding = self.decoding(batch);
        let attention = self.attention;
        let budget = self.budget(batch);
        let lone = self.request.computed.min(budget);
        let pieces = self.request.computed / lone.max(1.0);
        let piece = self.tokens(decoding, lone, 1.0) + decoding * self.context;
        let own = pieces * piece + attention;
        // A prompt more in a step that has one: without what the first of them costs alone.
        let full = budget.max(2.0 * lone);
        let slope = (self.tokens(decoding, full, full / lone.max(1.0))
            - self.tokens(decoding, lone, 1.0))
            / (full - lone).max(1.0);
        // Prompts of which a step holds no second one take steps of their own.
        let beside = self.request.computed * slope.max(0.0);
        let further = attention + if budget < 2.0 * lone { carried } else { beside };
        let step = products + batch * self.context;
        let under_way = -(-(batch + rate * (carried + attention))).exp_m1();
        if self.prompts_first() {
            // The step under way is one of those between two tokens, the longer the likelier.
            let between = (token - step).max(0.0);
            let reading = self.carriers(batch) * batch / self.steps().max(1e-9);
            let longer = between * between / reading.max(1e-9);
            let share = ((step * step + longer) / (token * token)).min(1.0);
            return First { own, further, fixed: 0.0, under_way, step: share };
        }
        let fixed = (own - step - further).max(0.0);
        let alone = -(-rate * token).exp_m1();
        let fixed = alone * (1.0 - alone) * fixed * fixed;
        First { own, further, fixed, under_way, step: 1.0 }
    }

    /// What follows a first token in a load where a token takes `token` on average; `variation` is the
    /// squared coefficient of variation of the prompts.
    pub(crate) fn crowd(&self, busy: Busy, token: f64, variation: f64) -> Crowd {
        let Busy { rate, batch, carried, .. } = busy;
        if self.phase != Phase::Both || self.request.computed <= 0.0 {
            return Crowd { steps: 0.0, longer: 0.0 };
        }
        let prompt = carried + self.attention;
        let rho = (rate * prompt).min(0.99);
        let behind = rho + rho * rho * (1.0 + variation) / (2.0 * (1.0 - rho));
        let reading = behind * prompt / (1.0 - rho);
        if self.prompts_first() {
            // By Little's law a request that stays longer than so would leave no place for the next.
            let most = (self.most / rate - self.steps() * token).max(0.0);
            return Crowd { steps: 1.0, longer: reading.min(most) };
        }
        let prompts = behind.max(1.0).min(self.budget(batch) / self.request.computed);
        let tokens = self.tokens(batch, prompts * self.request.computed, prompts.max(1.0));
        let step = tokens + batch * self.context + prompts * self.attention;
        Crowd { steps: reading / step, longer: (step - token).max(0.0) }
    }

    /// Steps that only carry prompts: time of one prompt, prompts of a full step, its time.
    pub(crate) fn prompts(&self) -> (f64, f64, f64) {
        let (attention, budget) = (self.attention, self.budget(0.0));
        let computed = self.request.computed.max(1.0);
        let lone = computed.min(budget);
        let alone = computed / lone * self.tokens(0.0, lone, 1.0) + attention;
        let together = (budget / computed).max(1.0);
        if together <= 1.0 {
            return (alone, 1.0, alone);
        }
        (alone, together, self.tokens(0.0, budget, together) + together * attention)
    }

    /// A decode step without the caches; one with less than a sequence has one, less often.
    pub(crate) fn products(&self, batch: f64) -> f64 {
        if self.steps() <= 0.0 { 0.0 } else { self.tokens(batch.max(1.0), 0.0, 0.0) }
    }

    /// The time that a prompt adds to the steps that carry it, of which there are so many / prompts.
    fn carried(&self, batch: f64, carriers: f64, products: f64) -> f64 {
        if self.phase == Phase::Decode || self.request.computed <= 0.0 {
            return 0.0;
        }
        let (tokens, prompts) = (self.request.computed / carriers, (1.0 / carriers).max(1.0));
        let decoding = self.decoding(batch);
        let with = self.tokens(decoding, tokens, prompts);
        // Without answers nothing decodes, and products say nothing of a step.
        let without = if decoding <= 0.0 {
            0.0
        } else if self.steps() > 0.0 {
            decoding.min(1.0) * products
        } else {
            decoding.min(1.0) * self.tokens(decoding.max(1.0), 0.0, 0.0)
        };
        carriers * (with - without).max(0.0)
    }

    /// Sequences that decode in a step with prompt tokens.
    fn decoding(&self, batch: f64) -> f64 {
        match (self.phase, self.limits.scheduler) {
            (Phase::Prefill, _) | (_, Scheduler::PrefillFirst) => 0.0,
            _ => batch,
        }
    }

    /// Prompt tokens of a step, at most.
    fn budget(&self, batch: f64) -> f64 {
        (f64::from(self.limits.tokens) - self.decoding(batch)).max(1.0)
    }

    /// True if decoding waits while prompts are there.
    fn prompts_first(&self) -> bool {
        self.phase == Phase::Both && self.limits.scheduler == Scheduler::PrefillFirst
    }

    /// Steps that carry a part of a prompt / prompts, where prompts are taken in as they come.
    fn carriers(&self, batch: f64) -> f64 {
        let shared = self.shared(batch);
        let coming = batch / self.steps();
        if !self.prompts_first() || self.request.computed <= 0.0 || !(1e-6..1e6).contains(&coming) {
            return shared;
        }
        // More of them are shorter, and leave less time for others to come: one root between the
        // fewest, which all prompts of a token share, and one for each prompt.
        let step = self.products(batch) + batch * self.context;
        let (mut low, mut high) = (shared * coming, coming.max(shared * coming));
        for _ in 0..30 {
            let steps = f64::midpoint(low, high);
            let time = self.reading_step(coming / steps);
            let rate = coming / (step + steps * time);
            let follow = -(-rate * step).exp_m1() * (rate * time).exp();
            if follow > steps {
                low = steps;
            } else {
                high = steps;
            }
            if high - low <= 1e-6 * high {
                break;
            }
        }
        low / coming
    }

    /// Time of a step that reads so many prompts and nothing else.
    fn reading_step(&self, prompts: f64) -> f64 {
        self.tokens(0.0, self.request.computed * prompts, prompts.max(1.0))
            + prompts * self.attention
    }

    /// Steps that carry a part of a prompt / prompts, where those that come within a step share the next.
    fn shared(&self, batch: f64) -> f64 {
        let full = self.request.computed / self.budget(batch);
        let steps = self.steps();
        if steps <= 0.0 {
            return full;
        }
        let coming = batch / steps;
        let shared = if coming > 1e-9 { -(-coming).exp_m1() / coming } else { 1.0 };
        shared.max(full)
    }

    /// A step without attention; where it runs beside an exchange that takes longer, what that takes
    /// beyond the attention of the mean request.
    fn tokens(&self, decode: f64, prefill: f64, prompts: f64) -> f64 {
        let own = self.time.tokens(decode, prefill, prompts).value;
        let least = self.time.beneath(decode, prefill).value;
        if least <= own {
            return own;
        }
        let read = prefill / self.request.computed.max(1.0);
        own.max(least - decode * self.context - read * self.attention)
    }
}

/// Decode steps of a request.
fn steps(request: MeanRequest, phase: Phase) -> f64 {
    if phase == Phase::Prefill { 0.0 } else { (request.output - 1.0).max(0.0) }
}

/// Tokens of the budget that each sequence takes of each step, so that as many prompts are read as
/// answers end: its own and 1 / g of a prompt. None where decoding has no part of the budget.
fn each_step(request: MeanRequest, phase: Phase, scheduler: Scheduler) -> f64 {
    let steps = steps(request, phase);
    match phase {
        _ if scheduler == Scheduler::PrefillFirst || steps <= 0.0 => 0.0,
        Phase::Decode => 1.0,
        _ => 1.0 + request.computed / steps,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Catalog, Device};
    use crate::quantity::{Measure as _, RequestRate, Time};
    use crate::random::Stream;
    use crate::serving::calibration::Calibration;
    use crate::serving::capacity::{Objective, Search, highest_rate};
    use crate::serving::memory::KvCapacity;
    use crate::serving::served::ServedModel;
    use crate::serving::simulator::{Bounds, Fleet, Router, Simulation};
    use crate::serving::step::{Deployment, Roofline, Weights};
    use crate::serving::traffic::{Class, Lengths, Source, Traffic};

    /// A decoder of so many parameters, with grouped queries and of the usual aspect.
    fn decoder(parameters: f64) -> ServedModel {
        let layers = (parameters / 196_608.0).cbrt().round() as u64;
        let hidden = 128 * layers;
        let pair = (4 * hidden * layers) as f64;
        ServedModel {
            layers,
            hidden,
            attention: layers * 5 * hidden * hidden / 2,
            dense: layers * 19 * hidden * hidden / 2,
            head: 128_256 * hidden,
            embedding: 128_256 * hidden,
            kv: layers * 2 * hidden / 8,
            kv_shards: 8,
            pair_flops: (pair, 0.0),
            context_flops: (pair, 0.0),
            ..ServedModel::default()
        }
    }

    /// A service on one replica.
    struct Case {
        time: Roofline,
        limits: Limits,
        request: MeanRequest,
        most: f64,
        traffic: Traffic,
    }

    impl Case {
        fn random(seed: u64) -> Option<Self> {
            let mut stream = Stream::new(seed, 9);
            let mut among = |low: f64, high: f64| low * (high / low).powf(stream.uniform());
            let model = decoder(among(1e9, 100e9));
            let (input, output) = (among(50.0, 5000.0), among(10.0, 1000.0));
            let (wide, long) = (among(1.2, 3.5), among(1.2, 3.0));
            let batch = among(8.0, 400.0) as u32;
            let tensor = 1 << (among(1.0, 15.9).log2() as u32);
            let engine = ["vllm", "sglang", "trtllm"][(seed % 3) as usize];
            let device = ["h100-sxm", "l40s", "h200-sxm"][(seed / 3 % 3) as usize];
            let device = Device::of(Catalog::embedded().accelerator(device).unwrap()).unwrap();
            let deployment = Deployment {
                tensor,
                pipeline: 1,
                data: 1,
                expert_parallel: false,
                weights: Weights::Eight,
                kv_bytes: 1.0,
            };
            let calibration = Calibration::shipped().unwrap();
            let (_, settings) = calibration.engine(engine).unwrap();
            let constants = calibration.constants(engine).unwrap();
            let length = (input + output).ceil() as u32;
            let memory = KvCapacity::of(&model, &device, &deployment, settings, length).ok()?;
            let limits = memory.limits(settings, &deployment, batch);
            let lengths = |mean: f64, ratio: f64| {
                let lengths = Lengths::lognormal(mean, 0.95, ratio * mean, None).unwrap();
                let Lengths::Lognormal { sigma, .. } = lengths else { unreachable!() };
                (lengths, (sigma * sigma).exp())
            };
            let ((input_lengths, squares_in), (output_lengths, squares_out)) =
                (lengths(input, wide), lengths(output, long));
            let request = MeanRequest {
                computed: input,
                output,
                context: input + output / 2.0 * squares_out,
                keys: input / 2.0 * squares_in,
                ..MeanRequest::default()
            };
            let classes = vec![Class {
                weight: 1.0,
                input: input_lengths,
                output: output_lengths,
                cached: 0.0,
                opening: 0,
                session: None,
            }];
            let held = if limits.sets_aside {
                input + output
            } else {
                request.context + f64::from(limits.block) / 2.0
            };
            Some(Self {
                time: Roofline::new(&model, &device, &deployment, &constants),
                most: (memory.tokens.value / held).min(batch.into()).max(1.0),
                limits,
                request,
                traffic: Traffic {
                    rate: RequestRate::from_stored(1.0),
                    profile: None,
                    source: Source::Random { burstiness: 1.0, classes },
                },
            })
        }

        fn queue(&self) -> Queue<'_, Roofline> {
            Queue::new(&self.time, self.limits, self.request, Phase::Both, self.most)
        }

        /// The highest rate without bounds on latencies.
        fn simulated(&self) -> f64 {
            let Self { time, limits, traffic, .. } = self;
            let simulation = Simulation {
                fleet: Fleet { time, limits: *limits, replicas: 1, router: Router::RoundRobin },
                transfer: None,
                api_server: Time::from_stored(0.0),
                slo: vec![Bounds::default()],
                warm_up: 0,
                queue_limit: 4000,
                records: false,
            };
            let search = Search { requests: 8000, seeds: 1, tolerance: 0.02, margin: 0.0 };
            let found =
                highest_rate(&simulation, traffic, &Objective::default(), &search, None, &|_| {
                    Ok(())
                });
            found.unwrap().rate.value
        }
    }

    #[test]
    fn the_highest_rate_is_what_the_simulator_finds() {
        let of = |seed| Some((seed, None, Case::random(seed)?));
        // Steps with few tokens: less than the batch, as many, not many more.
        let fed = |seed: u64| {
            let mut case = Case::random(seed)?;
            let share = [0.5, 1.0, 1.5][(seed % 3) as usize];
            case.limits.tokens = (share * case.most).max(64.0) as u32;
            Some((seed, Some(case.limits.tokens), case))
        };
        let mut count = (0, 0);
        for (seed, tokens, case) in (1..=24).filter_map(of).chain((25..=40).filter_map(fed)) {
            let (closed, simulated) = (case.queue().full().rate, case.simulated());
            let ratio = closed / simulated;
            let off = format!("{seed}, {tokens:?}: {closed} / {simulated} = {ratio}");
            assert!((0.85..1.15).contains(&ratio), "{off}");
            count = (count.0 + 1, count.1 + usize::from(tokens.is_some()));
        }
        assert!(count.0 > 20 && count.1 > 8, "{count:?} cases");
    }

    #[test]
    fn more_requests_fill_the_batch_and_slow_the_tokens() {
        for case in (1..=40).filter_map(Case::random) {
            let queue = case.queue();
            let full = queue.full();
            let token = |busy: Busy| {
                let steps = case.request.output - 1.0;
                // Little's law: rate x steps x time per token are at once.
                busy.batch / (busy.rate * steps)
            };
            let mut last = (0.0, 0.0);
            for share in [0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99] {
                let busy = queue.at_rate(share * full.rate);
                // An engine that reads prompts first fills its batch before its highest rate.
                if queue.prompts_first() && busy.batch >= full.batch {
                    break;
                }
                let found = queue.at_batch(busy.batch).rate;
                assert!((found / busy.rate - 1.0).abs() < 1e-6, "{found} {}", busy.rate);
                assert!(busy.batch > last.0 && busy.batch <= full.batch, "{busy:?}");
                assert!(token(busy) >= last.1 * (1.0 - 1e-6), "{busy:?}");
                last = (busy.batch, token(busy));
            }
        }
    }
}
