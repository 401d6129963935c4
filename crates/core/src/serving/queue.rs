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
//! a token takes TPOT = s + p b / g, and by Little's law the rate is r = b / (g TPOT) =
//! b / (g s + b p). The highest rate is that of a full batch, what [`super::simulator`] calls a queue
//! that grows without end.
//!
//! A first token waits for the step under way and for what came within it, then for its own step. With
//! steps T' = V + the prompts that came in T, each of which adds t, and rho = r t, that is
//! (1/2 + rho) E[T^2] / E[T], Var[T] = r E[T] E[t^2] / (1 - rho^2). Where the batch is full it waits for
//! a place: (Ca^2 + Cs^2) / 2 x rho^sqrt(2 (B + 1)) / (B (1 - rho)) x g TPOT (Sakasegawa 1977), with
//! rho = b / B and the squared coefficients of variation of gaps and answers.

use super::request::MeanRequest;
use super::simulator::{Limits, Scheduler, StepTime};

/// What an instance does for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Reads the prompt and generates.
    Both,
    /// Reads the prompt; another instance generates.
    Prefill,
    /// Generates; another instance has read the prompt.
    Decode,
}

/// An instance under a load of alike requests; times in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Queue<'a, S> {
    time: &'a S,
    limits: Limits,
    request: MeanRequest,
    phase: Phase,
}

/// An instance at one rate; times in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Busy {
    /// Requests per second.
    pub rate: f64,
    /// Sequences at once.
    pub batch: f64,
    /// A decode step of that batch.
    pub step: f64,
    /// What a prompt adds to the steps that carry it.
    pub prompt: f64,
}

impl<'a, S: StepTime> Queue<'a, S> {
    /// An instance within its limits.
    pub fn new(time: &'a S, limits: Limits, request: MeanRequest, phase: Phase) -> Self {
        Self { time, limits, request, phase }
    }

    /// Decode steps of a request.
    pub fn steps(&self) -> f64 {
        match self.phase {
            Phase::Prefill => 0.0,
            _ => (self.request.output - 1.0).max(0.0),
        }
    }

    /// Sequences at once, at most: those of a batch, or those whose cache fits.
    pub fn most(&self) -> f64 {
        let tokens = (self.limits.blocks * u64::from(self.limits.block)) as f64;
        // The last block of a sequence is half full.
        let held = self.request.context + f64::from(self.limits.block) / 2.0;
        (tokens / held).min(self.limits.sequences.into()).max(1.0)
    }

    /// The instance with so many sequences at once.
    pub fn at_batch(&self, batch: f64) -> Busy {
        let (step, prompt) = (self.step(batch), self.prompt(batch));
        Busy { rate: batch / (self.steps() * step + batch * prompt), batch, step, prompt }
    }

    /// The instance at its highest rate.
    pub fn full(&self) -> Busy {
        self.at_batch(self.most())
    }

    /// The instance at a rate below its highest, by bisection on the batch.
    pub fn at_rate(&self, rate: f64) -> Busy {
        let (mut low, mut high) = (0.0, self.most());
        while high - low > 1e-9 * high {
            let middle = f64::midpoint(low, high);
            if self.at_batch(middle).rate < rate { low = middle } else { high = middle }
        }
        Busy { rate, ..self.at_batch(high) }
    }

    /// Mean wait for the step under way and what came within it, and the time of the step with the
    /// prompt itself.
    pub fn first_token(&self, busy: Busy) -> (f64, f64) {
        let Busy { rate, batch, step, prompt } = busy;
        let decoding = self.decoding(batch);
        let lone = self.request.computed.min(self.budget(batch));
        let pieces = self.request.computed / lone.max(1.0);
        let attention = self.attention();
        let own = pieces * (self.tokens(decoding, lone, 1.0) + decoding * self.context()) + attention;
        // A prompt more in a step that has one: without what the first of them costs alone.
        let full = self.budget(batch).max(2.0 * lone);
        let slope = (self.tokens(decoding, full, full / lone) - self.tokens(decoding, lone, 1.0))
            / (full - lone);
        let each = self.request.computed * slope.max(0.0) + attention;
        let fixed = (own - step - each).max(0.0);
        let mean = self.token(busy);
        let rho = (rate * each).min(1.0 - 1e-9);
        let alone = -(-rate * mean).exp_m1();
        let square = mean * mean
            + rate * mean * each * each * (1.0 + self.request.prompts) / (1.0 - rho * rho)
            + alone * (1.0 - alone) * fixed * fixed;
        let under_way = -(-(batch + rate * prompt)).exp_m1();
        (under_way * (0.5 + rho) * square / mean, own)
    }

    /// Mean wait for a place in the batch; `gaps` is the squared coefficient of variation of the
    /// gaps between requests.
    pub fn place(&self, busy: Busy, gaps: f64) -> f64 {
        let places = self.most();
        let rho = (busy.batch / places).min(1.0 - 1e-9);
        let variation = f64::midpoint(gaps, self.request.answers);
        let stay = self.steps() * self.token(busy);
        variation * rho.powf((2.0 * (places + 1.0)).sqrt()) / (places * (1.0 - rho)) * stay
    }

    /// Time per output token.
    pub fn token(&self, busy: Busy) -> f64 {
        busy.step + if self.steps() > 0.0 { busy.prompt * busy.batch / self.steps() } else { 0.0 }
    }

    /// A decode step; one with less than a sequence has one, less often.
    fn step(&self, batch: f64) -> f64 {
        if self.steps() <= 0.0 {
            return 0.0;
        }
        let batch = batch.max(1.0);
        self.tokens(batch, 0.0, 0.0) + batch * self.context()
    }

    fn prompt(&self, batch: f64) -> f64 {
        if self.phase == Phase::Decode || self.request.computed <= 0.0 {
            return 0.0;
        }
        let carried = self.carried(batch);
        let (tokens, prompts) = (self.request.computed / carried, (1.0 / carried).max(1.0));
        let decoding = self.decoding(batch);
        let with = self.tokens(decoding, tokens, prompts);
        let without = if decoding > 0.0 {
            decoding.min(1.0) * self.tokens(decoding.max(1.0), 0.0, 0.0)
        } else {
            0.0
        };
        carried * (with - without).max(0.0) + self.attention()
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

    /// Steps that carry a part of a prompt / prompts.
    fn carried(&self, batch: f64) -> f64 {
        let full = self.request.computed / self.budget(batch);
        let steps = self.steps();
        // An instance that only reads prompts fills its steps.
        let coming = if steps > 0.0 { batch / steps } else { return full.max(f64::MIN_POSITIVE) };
        let shared = if coming > 1e-9 { -(-coming).exp_m1() / coming } else { 1.0 };
        shared.max(full)
    }

    fn tokens(&self, decode: f64, prefill: f64, prompts: f64) -> f64 {
        self.time.tokens(decode, prefill, prompts).value
    }

    /// Decode attention of one sequence.
    fn context(&self) -> f64 {
        let windowed = self.time.windowed().map_or(0.0, |(each, _)| each.value);
        self.time.context().value * self.request.context + windowed * self.request.windowed
    }

    /// Attention over a prompt.
    fn attention(&self) -> f64 {
        let (full, windowed) = self.time.pairs();
        full.value * self.request.pairs + windowed.value * self.request.windowed_pairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::quantity::{Measure as _, RequestRate, Time};
    use crate::serving::calibration::Calibration;
    use crate::serving::capacity::{Objective, Search, at_rate, highest_rate};
    use crate::serving::memory::KvCapacity;
    use crate::serving::served::ServedModel;
    use crate::serving::simulator::{Bounds, Fleet, Router, Simulation};
    use crate::serving::step::{Deployment, Device, Roofline, Weights};
    use crate::serving::traffic::{Class, Lengths, Source, Traffic};

    fn model(params: f64) -> ServedModel {
        let layers = (params / 196_608.0).cbrt().round();
        let (layers, hidden) = (layers as u64, (128.0 * layers) as u64);
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

    #[test]
    fn the_highest_rate_is_the_simulators() {
        for (params, device, tensor, engine, input, in95, output, out95, batch) in [
            (70e9, "h100-sxm", 4, "vllm", 1155.0, 4000.0, 211.0, 450.0, 256),
            (70e9, "h100-sxm", 2, "vllm", 1155.0, 4000.0, 211.0, 450.0, 256),
            (8e9, "h100-sxm", 1, "vllm", 500.0, 1500.0, 500.0, 1500.0, 256),
            (8e9, "h100-sxm", 1, "sglang", 500.0, 1500.0, 500.0, 1500.0, 256),
            (8e9, "h100-sxm", 1, "vllm", 6000.0, 12000.0, 150.0, 300.0, 256),
            (8e9, "l40s", 1, "vllm", 1000.0, 3000.0, 1000.0, 3000.0, 256),
            (175e9, "h200-sxm", 4, "trtllm", 300.0, 900.0, 300.0, 900.0, 512),
            (1e9, "h100-sxm", 1, "vllm", 100.0, 300.0, 20.0, 60.0, 64),
        ] {
            let model = model(params);
            let device = Device::of(Catalog::embedded().accelerator(device).unwrap()).unwrap();
            let deployment = Deployment {
                tensor, pipeline: 1, data: 1, expert_parallel: false, weights: Weights::Eight, kv_bytes: 1.0,
            };
            let calibration = Calibration::shipped().unwrap();
            let settings = calibration.engine(engine).unwrap();
            let time = Roofline::new(&model, &device, &deployment, &calibration.constants(engine).unwrap());
            let memory = KvCapacity::of(&model, &device, &deployment, settings, (input + output) as u32).unwrap();
            let limits = memory.limits(settings, &deployment, batch);
            let class = Class {
                weight: 1.0,
                input: Lengths::lognormal(input, 0.95, in95, None).unwrap(),
                output: Lengths::lognormal(output, 0.95, out95, None).unwrap(),
                cached: 0.0,
            };
            let traffic = Traffic { rate: RequestRate::from_stored(1.0), profile: None, source: Source::Random { burstiness: 1.0, classes: vec![class] } };
            let simulation = Simulation {
                fleet: Fleet { time: &time, limits, replicas: 1, router: Router::RoundRobin },
                handover: None, front_end: Time::from_stored(0.0), slo: vec![Bounds::default()], warm_up: 0, queue_limit: 10_000, records: false,
            };
            let search = Search { seeds: 2, ..Search::default() };
            let found = highest_rate(&simulation, &traffic, &Objective::default(), &search, &|_| ()).unwrap();
            let request = crate::serving::request::tests::request((input, in95), (output, out95));
            let queue = Queue::new(&time, limits, request, Phase::Both);
            let full = queue.full();
            println!("{params:e} {engine} {input} {output}: sim {} closed {} ratio {:.3} B {:.1} most {:.1} kv {:.2} preempt {}", found.rate.value, full.rate, full.rate/found.rate.value, queue.most(), memory.sequences, found.report.answering().kv.0, found.report.answering().preemptions);
            println!("   sim batch {:?}", found.report.answering().batch);
            for share in [0.05, 0.3, 0.6, 0.8, 0.95] {
                let rate = share * found.rate.value.min(full.rate);
                let report = at_rate(&simulation, &traffic, RequestRate::from_stored(rate), &search, 1).all();
                let busy = queue.at_rate(rate);
                let (wait, own) = queue.first_token(busy);
                let place = queue.place(busy, 1.0);
                println!("   {share}: TPOT sim {:.2} closed {:.2}  TTFT sim {:.1} closed {:.1} = {:.1} + {:.1} + {:.1}; b {:.1}", 1e3*report.tpot.mean().unwrap(), 1e3*queue.token(busy), 1e3*report.ttft.mean().unwrap(), 1e3*(wait+own+place), 1e3*wait, 1e3*own, 1e3*place, busy.batch);
            }
        }
    }
}
