//! The plain serving model: means and bounds in closed form.
//!
//! A replica holds the weights and, in what memory is left, the KV cache of its concurrent
//! requests. Prefill is bound by compute, decode by memory bandwidth. With rate r per replica, a
//! prefill of time p per request, a decode step that takes a for the weights and c more for each
//! concurrent sequence, and o output tokens:
//!
//! - the share of time that prefill takes is r p, and decode runs in the rest;
//! - TPOT = (a + c b) / (1 - r p) with b = r o TPOT concurrent sequences (Little's law), so
//!   TPOT = a / (1 - r p - r c o);
//! - the highest rate is the one at which b reaches what the KV cache holds, B:
//!   r = B / (o a + B (p + c o)).
//!
//! Where k tokens are guessed and verified together and a round yields E of them
//! ([`super::speculative`]), with a draft that reads a' of weights and c' of cache for each guess and
//! v the time that a token's FLOPs take, a becomes (a + k a') / E and c becomes (c + k c' + k v) / E:
//! the FLOPs of the tokens beyond the first do not hide behind the weights.
//!
//! Where prompts have engines of their own, n of them beside m that decode, prefill takes no time
//! from decode: the highest rate is the lower of n / p and m B / (o a + B c o), and the cache of a
//! prompt passes the link between them before the second token.

use crate::provenance::{Traced, function};
use crate::quantity::{
    Data, Devices, Flop, Measure, Per, Ratio, RequestRate, Requests, Share, Time, Tokens,
    TokensPerRequest,
};
use crate::serving::plan::{FlopPerRequest, KvPerToken, Pools, Replica, Speculation};

/// Time that one request takes of a resource.
pub type TimePerRequest = Per<Time, Requests>;
/// Time between two tokens of an answer.
pub type TimePerToken = Per<Time, Tokens>;
/// What one replica can do.
#[derive(Clone, Debug)]
pub struct Capability {
    /// Tokens that its KV cache holds; none for a model without one.
    pub kv_capacity: Option<Traced<Tokens>>,
    /// Concurrent requests of mean length that fit.
    pub max_concurrency: Traced<Ratio>,
    /// The highest rate that it can keep up with.
    pub max_rate: Traced<RequestRate>,
    /// Time of one prefill.
    pub prefill_time: Traced<TimePerRequest>,
    /// What guessing ahead does, where tokens are guessed.
    pub speculation: Option<Rounds>,
    decode: Option<Decode>,
    apart: Option<Apart>,
    batches: Option<Batches>,
}

/// Batches of a network that answers in one pass.
#[derive(Clone, Debug)]
pub struct Batches {
    /// Time of a request alone.
    pub alone: Traced<Time>,
    /// Time of a full batch.
    pub full: Traced<Time>,
    /// Requests of a full batch, at least one.
    pub most: Traced<Requests>,
}

impl Capability {
    /// That of a replica which answers batch by batch.
    pub fn in_one_pass(
        batches: Batches,
        max_concurrency: Traced<Ratio>,
        max_rate: Traced<RequestRate>,
    ) -> Self {
        Self {
            kv_capacity: None,
            max_concurrency,
            max_rate,
            prefill_time: (&batches.full / &batches.most)
                .named("time of a request in a full batch"),
            speculation: None,
            decode: None,
            apart: None,
            batches: Some(batches),
        }
    }
}

/// Engines that read prompts and those that decode.
#[derive(Clone, Debug)]
struct Apart {
    prefill: Traced<Ratio>,
    decode: Traced<Ratio>,
    /// Devices of the former / all.
    share: Traced<Ratio>,
    /// To hand the cache of a prompt over.
    handover: Traced<TimePerRequest>,
}

/// Rounds of guesses and a verification.
#[derive(Clone, Debug)]
pub struct Rounds {
    /// Share of the guesses that are accepted.
    pub acceptance: Traced<Share>,
    /// Tokens of a sequence that a round yields.
    pub yields: Traced<Ratio>,
    /// Share of a round that the draft takes; none where guesses cost nothing.
    pub draft_share: Option<Traced<Ratio>>,
}

#[derive(Clone, Debug)]
struct Decode {
    step: Traced<TimePerToken>,
    per_sequence: Traced<TimePerToken>,
    output: Traced<TokensPerRequest>,
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

/// Why a replica cannot hold the model.
#[derive(Clone, Debug, PartialEq)]
pub struct DoesNotFit {
    /// The weights.
    pub weights: Data,
    /// The memory that they may use.
    pub usable: Data,
    /// The devices that have it.
    pub devices: Devices,
}

impl Replica {
    /// All devices: of its one engine, or of its engines for prompts and for answers.
    pub fn all_devices(&self, explain: bool) -> Traced<Devices> {
        let devices = self.devices.traced(explain);
        match &self.pools {
            None => devices,
            Some(pools) => {
                let decode = pools.decode.traced(explain).retype::<Ratio>();
                let all = &(&decode * &devices) + &self.prefill_pool(pools, explain);
                all.named("inference.replica.devices")
            }
        }
    }

    /// Devices of the engines that read prompts.
    pub fn prefill_pool(&self, pools: &Pools, explain: bool) -> Traced<Devices> {
        let engines = pools.prefill.traced(explain).retype::<Ratio>();
        (&engines * &pools.prefill_devices.traced(explain))
            .named("inference.replica.prefill_devices")
    }

    fn apart(
        &self,
        pools: &Pools,
        kv: &Traced<KvPerToken>,
        input: &Traced<TokensPerRequest>,
        explain: bool,
    ) -> Apart {
        let link = &pools.network.traced(explain) * &pools.prefill_devices.traced(explain);
        let cache = kv * input;
        Apart {
            prefill: pools.prefill.traced(explain).retype(),
            decode: pools.decode.traced(explain).retype(),
            share: &self.prefill_pool(pools, explain) / &self.all_devices(explain),
            handover: (&cache / &link).named("time to hand the KV cache over"),
        }
    }

    /// Capacity and highest rate of an engine that writes answers of these lengths; networks that
    /// answer in one pass have [`super::network::Pass::capability`].
    ///
    /// # Errors
    /// [`DoesNotFit`] where weights and the KV cache of a single request exceed the memory.
    pub fn capability(
        &self,
        output: Traced<TokensPerRequest>,
        explain: bool,
    ) -> Result<Capability, DoesNotFit> {
        let devices = self.devices.traced(explain);
        let weights = self.weights.traced(explain);
        let memory = &self.memory.traced(explain) * &self.usable_memory.traced(explain);
        let usable = (&memory * &devices).named("usable memory");
        let draft = self.speculation.as_ref().and_then(|it| it.draft.as_ref());
        let mut free = &usable - &weights;
        if let Some(draft) = draft {
            free = free - &draft.weights.traced(explain);
        }
        let does_not_fit = || DoesNotFit {
            weights: weights.value(),
            usable: usable.value(),
            devices: devices.value(),
        };
        if free.value().value <= 0.0 {
            return Err(does_not_fit());
        }
        let compute =
            &(&self.peak.traced(explain) * &self.compute_efficiency.traced(explain)) * &devices;
        let mut prefill = self.prefill.traced(explain);
        if let Some(draft) = draft {
            prefill = prefill + &draft.prefill.traced(explain);
        }
        let reading = match &self.pools {
            None => compute.clone(),
            Some(pools) => {
                let weights = pools.prefill_weights.value
                    + draft.map_or(Data::default(), |draft| draft.weights.value);
                let usable = memory.value() * pools.prefill_devices.value;
                if weights >= usable {
                    return Err(DoesNotFit {
                        weights,
                        usable,
                        devices: pools.prefill_devices.value,
                    });
                }
                &(&self.peak.traced(explain) * &self.compute_efficiency.traced(explain))
                    * &pools.prefill_devices.traced(explain)
            }
        };
        let prefill_time = (&prefill / &reading).named("prefill time");
        let bandwidth = &(&self.bandwidth.traced(explain)
            * &self.bandwidth_efficiency.traced(explain))
            * &devices;
        let max_batch = self.max_batch.traced(explain);

        let kv = self.kv_per_token.traced(explain);
        let held = match draft {
            Some(draft) => &kv + &draft.kv_per_token.traced(explain),
            None => kv.clone(),
        };
        let kv_capacity = (&free / &held).named("inference.replica.kv_capacity_tokens");
        let input = self.input.traced(explain);
        let length = &input + &output;
        let fitting: Traced<Ratio> = function(
            "min(KV capacity / tokens of a request, largest batch)",
            &[kv_capacity.part(), length.part(), max_batch.part()],
            |v| (v[0] / v[1]).min(v[2]),
        );
        let max_concurrency = fitting.named("inference.replica.max_concurrency");
        if max_concurrency.value().value < 1.0 {
            return Err(does_not_fit());
        }
        let mut step = per_token(&(&weights / &bandwidth)).named("time to read the weights");
        if let Some(stages) = &self.stages {
            // A token passes the stages one after the other; each holds its part of the weights.
            step = (&step * &stages.traced(explain)).named("time to pass the pipeline's stages");
        }
        let context =
            function::<Tokens>("input + output / 2", &[input.part(), output.part()], |v| {
                v[0] + v[1] / 2.0
            });
        let per_sequence = per_token(&(&(&kv * &context) / &bandwidth))
            .named("time to read the KV cache of a sequence");
        let mut decode = Decode { step, per_sequence, output };
        let speculation = self.speculation.as_ref().map(|given| {
            let (rounds, guessed) = given.rounds(&decode, &context, &bandwidth, &compute, explain);
            decode = guessed;
            rounds
        });
        let apart = self.pools.as_ref().map(|pools| self.apart(pools, &held, &input, explain));
        let parts = [
            max_concurrency.part(),
            decode.output.part(),
            decode.step.part(),
            prefill_time.part(),
            decode.per_sequence.part(),
        ];
        let max_rate = match &apart {
            None => function(
                "B / (o a + B (p + c o)) with B concurrency, o output, a weights, p prefill, c cache",
                &parts,
                |v| v[0] / (v[1] * v[2] + v[0] * (v[3] + v[4] * v[1])),
            ),
            Some(Apart { prefill, decode, .. }) => function(
                "min(n / p, m B / (o a + B c o)) with B concurrency, o output, a weights, p prefill, \
                 c cache, n engines for prompts, m for answers",
                &[&parts[..], &[prefill.part(), decode.part()]].concat(),
                |v| (v[5] / v[3]).min(v[6] * v[0] / (v[1] * v[2] + v[0] * v[4] * v[1])),
            ),
        };
        let (kv_capacity, max_concurrency) = match &apart {
            None => (kv_capacity, max_concurrency),
            Some(Apart { decode, .. }) => (
                (&kv_capacity * decode).named("KV cache of all engines"),
                (&max_concurrency * decode).named("concurrency of all engines"),
            ),
        };
        Ok(Capability {
            kv_capacity: Some(kv_capacity),
            max_concurrency,
            max_rate: max_rate.named("inference.replica.max_rate_per_s"),
            prefill_time,
            speculation,
            decode: Some(decode),
            apart,
            batches: None,
        })
    }
}

impl Speculation {
    /// Rounds of guesses in place of plain decode steps at this bandwidth and compute.
    fn rounds(
        &self,
        plain: &Decode,
        context: &Traced<Tokens>,
        bandwidth: &Traced<Per<Data, Time>>,
        compute: &Traced<Per<Flop, Time>>,
        explain: bool,
    ) -> (Rounds, Decode) {
        let guesses: Traced<Ratio> = self.tokens.traced(explain).retype();
        let yields = self.tokens_per_verification(explain);
        let verifying = &(&self.verification.traced(explain) / compute) * &guesses;
        let mut step = plain.step.clone();
        let mut per_sequence = &plain.per_sequence + &verifying.named("time to verify guesses");
        let mut draft_share = None;
        if let Some(draft) = &self.draft {
            let weights = per_token(&(&draft.weights.traced(explain) / bandwidth));
            let cache = &draft.kv_per_token.traced(explain) * context;
            let drafting = (&weights * &guesses).named("time to read the draft's weights");
            step = (&step + &drafting).named("time of a round");
            per_sequence = &per_sequence + &(&per_token(&(&cache / bandwidth)) * &guesses);
            draft_share = Some((&drafting / &step).named("inference.speculative.draft_share"));
        }
        let decode = Decode {
            step: (&step / &yields).named("time of a round per token"),
            per_sequence: (&per_sequence.named("time of a sequence in a round") / &yields)
                .named("time of a sequence in a round per token"),
            output: plain.output.clone(),
        };
        (Rounds { acceptance: self.acceptance.traced(explain), yields, draft_share }, decode)
    }
}

impl Replica {
    /// A rate that no engine exceeds: 1 / the longer of the two times that a request takes of the
    /// devices at their datasheet rates,
    /// ```text
    /// compute = FLOPs / (peak x devices)
    /// memory  = output (weights / B + cache per token (input + output / 2)) / (bandwidth x devices)
    /// ```
    /// with B the requests that fit all of the memory, at most the largest batch. A model with
    /// experts need not read all weights in a step: none are counted. Where tokens are guessed, what
    /// is read serves as many as a verification yields.
    ///
    /// # Errors
    /// [`DoesNotFit`] where the weights exceed all of the memory.
    pub fn rate_bound(
        &self,
        flops: FlopPerRequest,
        experts: bool,
    ) -> Result<RequestRate, DoesNotFit> {
        let all = self.all_devices(false).value();
        let devices = all.value;
        let usable = self.memory.value.value * devices;
        let free = usable - self.weights.value.value;
        if free <= 0.0 {
            let usable = Data::from_stored(usable);
            return Err(DoesNotFit { weights: self.weights.value, usable, devices: all });
        }
        let compute = flops.value / (self.peak.value.value * devices);
        let memory = self.output.as_ref().map_or(0.0, |output| {
            let (input, output) = (self.input.traced(false), output.traced(false));
            let (input, output) = (input.value().value, output.value().value);
            let cache = self.kv_per_token.value.value;
            let fitting = free / (cache * (input + output)).max(f64::MIN_POSITIVE);
            let batch = self.max_batch.value.min(fitting).max(1.0);
            let weights = if experts { 0.0 } else { self.weights.value.value / batch };
            let moved = weights + cache * (input + output / 2.0);
            let yields = self.speculation.as_ref();
            let yields = yields.map_or(1.0, |it| it.tokens_per_verification(false).value().value);
            output * moved / yields / (self.bandwidth.value.value * devices)
        });
        Ok(RequestRate::from_stored(1.0 / compute.max(memory).max(f64::MIN_POSITIVE)))
    }
}

impl Batches {
    /// Mean time of a request where a batch takes what waits. With T1 the time of one request and
    /// a = (TB - T1) / (B - 1) that of each further one, a batch of rate x T requests takes
    /// T = (T1 - a) / (1 - r a), at least T1; a request waits for half of the batch under way and
    /// then takes its own. Without batches it is M/D/1.
    fn latency(&self, rate: &Traced<RequestRate>) -> Traced<TimePerRequest> {
        let parts = [self.alone.part(), self.full.part(), self.most.part(), rate.part()];
        if self.most.value().value < 2.0 {
            return function(
                "T1 + r T1^2 / (2 (1 - r T1)) with T1 time of a request, r rate",
                &[parts[0], parts[3]],
                |v| v[0] + v[1] * v[0] * v[0] / (2.0 * (1.0 - v[1] * v[0])),
            );
        }
        function(
            "T (1 + min(1, r T1) / 2) with T = max(T1, (T1 - a) / (1 - r a)), a = (TB - T1) / (B - 1), \
             T1 and TB times of one request and of a full batch B, r rate",
            &parts,
            |v| {
                let each = (v[1] - v[0]) / (v[2] - 1.0);
                let batch = v[0].max((v[0] - each) / (1.0 - v[3] * each));
                batch * (1.0 + (v[3] * v[0]).min(1.0) / 2.0)
            },
        )
    }
}

impl Capability {
    /// Share of a full replica's time that prompts take: prefill time x highest rate.
    pub fn prompt_share(&self) -> Option<Traced<Ratio>> {
        self.decode.as_ref()?;
        if let Some(apart) = &self.apart {
            return Some(apart.share.clone().named("share of devices that read prompts"));
        }
        Some((&self.prefill_time * &self.max_rate).named("share of time that prompts take"))
    }

    /// Mean latencies with `rate` requests per second on this replica, below its highest rate.
    pub fn latency(&self, rate: &Traced<RequestRate>) -> Latency {
        let each = |engines: fn(&Apart) -> &Traced<Ratio>| match &self.apart {
            None => rate.clone(),
            Some(apart) => (rate / engines(apart)).named("rate of an engine"),
        };
        if let Some(batches) = &self.batches {
            let ttft = batches.latency(rate).named("inference.ttft_ms.mean");
            return Latency { e2e: ttft.clone().named("inference.e2e_ms.mean"), tpot: None, ttft };
        }
        // One prefill is served at a time: M/D/1 waiting, Pollaczek-Khinchine.
        let reading = each(|apart| &apart.prefill);
        let ttft: Traced<TimePerRequest> = function(
            "p + r p^2 / (2 (1 - r p)) with p prefill time, r rate",
            &[self.prefill_time.part(), reading.part()],
            |v| v[0] + v[1] * v[0] * v[0] / (2.0 * (1.0 - v[1] * v[0])),
        );
        let ttft = ttft.named("inference.ttft_ms.mean");
        let Some(Decode { step, per_sequence, output }) = &self.decode else {
            return Latency { e2e: ttft.clone().named("inference.e2e_ms.mean"), tpot: None, ttft };
        };
        let writing = each(|apart| &apart.decode);
        let parts = [
            step.part(),
            writing.part(),
            per_sequence.part(),
            output.part(),
            self.prefill_time.part(),
        ];
        let tpot: Traced<TimePerToken> = match &self.apart {
            None => function(
                "a / (1 - r p - r c o) with a weights, r rate, c cache, o output, p prefill",
                &parts,
                |v| v[0] / (1.0 - v[1] * (v[4] + v[2] * v[3])),
            ),
            Some(_) => function(
                "a / (1 - r c o) with a weights, r rate, c cache, o output",
                &parts[..4],
                |v| v[0] / (1.0 - v[1] * v[2] * v[3]),
            ),
        };
        let tpot = tpot.named("inference.tpot_ms.mean");
        let mut e2e: Traced<TimePerRequest> =
            function("TTFT + TPOT (output - 1)", &[ttft.part(), tpot.part(), output.part()], |v| {
                v[0] + v[1] * (v[2] - 1.0)
            });
        if let Some(apart) = &self.apart {
            e2e = &e2e + &apart.handover;
        }
        Latency { ttft, tpot: Some(tpot), e2e: e2e.named("inference.e2e_ms.mean") }
    }
}

/// A decode step yields one token for each sequence: its time is the time per token.
fn per_token<Q: Measure>(time: &Traced<Q>) -> Traced<TimePerToken> {
    time.map("per token of a sequence", |v| v[0])
}
