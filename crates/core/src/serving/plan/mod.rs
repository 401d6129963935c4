//! One replica, what is asked of it and its SLO: inputs only. What follows from them is
//! computed by [`super::closed_form`] and the simulator.

mod mixture;
mod pools;
mod speculation;

use std::sync::Arc;

use super::capacity::Objective;
use super::instance::Instances;
use super::simulator::Admission;
use super::traffic::{Profile, Trace};
use crate::diagnostic::{Place, Placed};
use crate::model::Model;
use crate::provenance::{Input, Step, inputs};
use crate::quantity::{
    Data, DeviceBandwidth, DeviceFlopRate, DeviceMemory, Devices, Flop, Per, Precision, Requests,
    Share, Time, Tokens, TokensPerRequest,
};

pub use mixture::Mixture;
pub use pools::Pools;
pub use speculation::{Draft, Speculation};

/// FLOP of one request.
pub type FlopPerRequest = Per<Flop, Requests>;

/// KV cache of one token.
pub type KvPerToken = Per<Data, Tokens>;

/// One replica and what it is asked for.
#[derive(Clone, Debug)]
pub struct Replica {
    /// Devices that hold one copy of the model; where there are pools, those of an engine that
    /// writes answers.
    pub devices: Input<Devices>,
    /// Engines that read prompts apart from those that write answers.
    pub pools: Option<Pools>,
    /// All weights in the serving precision.
    pub weights: Input<Data>,
    /// FLOPs of the prompt (or of the whole request, for an encoder).
    pub prefill: Input<FlopPerRequest>,
    /// Tokens of the prompt.
    pub input: Mixture<TokensPerRequest>,
    /// Tokens of the answer; none for an encoder.
    pub output: Option<Mixture<TokensPerRequest>>,
    /// Dense peak of one device in the serving precision.
    pub peak: Input<DeviceFlopRate>,
    /// Memory bandwidth of one device.
    pub bandwidth: Input<DeviceBandwidth>,
    /// Memory of one device.
    pub memory: Input<DeviceMemory>,
    /// Part of the memory that the engine takes.
    pub memory_share: Input<Share>,
    /// The part of it that a device needs beside weights and cache.
    pub reserve: Input<DeviceMemory>,
    /// The efficiency of a network that answers in one pass; none where tokens are generated.
    pub reached: Option<Reached>,
    /// Most sequences that the engine batches.
    pub max_batch: Input<f64>,
    /// Tokens that are guessed and verified together.
    pub speculation: Option<Speculation>,
}

/// The efficiency of a device under a network that answers in one pass.
#[derive(Clone, Debug)]
pub struct Reached {
    /// Part of the peak, on average over its FLOPs.
    pub compute: Input<Share>,
    /// Bytes that pass over memory / the activations read and written by every operator.
    pub passes: Input<f64>,
    /// Least time of a kernel.
    pub kernel: Input<Time>,
    /// Weights that a pass reads / all: a table is read row by row.
    pub read: Input<Share>,
    /// Half-width of the 80 % interval of ln(measured / predicted).
    pub half_width: f64,
}

/// Formats after compression.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantized {
    /// The format of routed experts; that of the rest where there are none.
    pub experts: GroupFormat,
    /// The format of everything else but head and embedding.
    pub rest: GroupFormat,
}

/// The format of a group of weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GroupFormat {
    /// Storage of one weight on average.
    pub weight: Data,
    /// In which format most of their products are computed.
    pub products: Precision,
}

/// How a replica is spread over tensor x pipeline x data devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// Devices that share each matrix.
    pub tensor: u32,
    /// Pipeline stages.
    pub pipeline: u32,
    /// Ranks that attend to sequences of their own.
    pub data: u32,
    /// True if each device holds whole experts.
    pub whole_experts: bool,
}

/// Inputs of the simulation of a service beside those of the closed forms.
#[derive(Clone, Debug)]
pub struct Demand {
    /// The model, pruned as it is served.
    pub model: Arc<Model>,
    /// Id of the accelerator.
    pub accelerator: String,
    /// The parts of its replicas; none for a network that answers in one pass.
    pub instances: Option<Arc<Instances>>,
    /// Number format of weights and matrix products.
    pub precision: Placed<Precision>,
    /// Number format of the KV cache.
    pub kv_precision: Precision,
    /// The formats of weights and products, where compression changed them.
    pub quantized: Option<Quantized>,
    /// The kinds of requests; at least one. Shares add up to one.
    pub kinds: Vec<RequestKind>,
    /// Coefficient of variation of the gaps between requests (gamma distributed): 1 is Poisson.
    pub burstiness: Input<f64>,
    /// Requests as they were recorded, instead of random ones.
    pub trace: Option<Arc<Trace>>,
    /// How the rate varies over a week; where nobody says, by `peak_to_mean` over each day.
    pub profile: Option<Profile>,
    /// The rule that chooses the replica of the next request.
    pub router: Router,
    /// The service-level objective.
    pub objective: Objective,
    /// The engine, where the user names one.
    pub engine: Option<Placed<String>>,
    /// Tokens of a step at most, where the user says so.
    pub max_batch_tokens: Option<Input<f64>>,
    /// Tokens that the KV cache of a replica holds, where the user says so.
    pub kv_cache: Option<Input<Tokens>>,
    /// Measured / forecast time of a step.
    pub step_time: Option<Input<f64>>,
    /// The error of the forecast of a step, as a factor on it: 1, with its distribution. None where
    /// the user measured it, or nothing is generated.
    pub step_error: Option<Input<f64>>,
    /// How long the first request of a batch waits for others; none where tokens are generated.
    pub max_wait: Option<Input<Time>>,
    /// Tokens that all prompts begin with.
    pub opening: u32,
    /// Requests that an engine refuses.
    pub admission: Admission,
}

impl Demand {
    /// Mean tokens of the prompt and of the answer of a request; one of a class that is over with
    /// its
    /// prompt.
    pub fn mean_lengths(&self) -> (f64, f64) {
        let mean = |length: &Option<Length>, without: f64| {
            length.as_ref().map_or(without, |length| length.mean.value.value)
        };
        self.kinds.iter().fold((0.0, 0.0), |(input, output), kind| {
            let share = kind.share.value.get();
            (input + share * mean(&kind.input, 0.0), output + share * mean(&kind.output, 1.0))
        })
    }

    /// The inputs that requests are drawn from, as the leaves of a derivation.
    pub fn leaves(&self) -> Vec<Arc<Step>> {
        let lengths = self.kinds.iter().flat_map(|kind| [&kind.input, &kind.output]).flatten();
        let lengths = lengths.flat_map(|length| [length.mean.leaf(), length.p95.leaf()]);
        let cached = self.kinds.iter().map(|kind| kind.cached.leaf());
        let all = std::iter::once(self.burstiness.leaf()).chain(lengths).chain(cached);
        all.map(|leaf| Arc::new(leaf.clone())).collect()
    }
}

/// A class of requests, or all of them where there are no classes.
#[derive(Clone, Debug)]
pub struct RequestKind {
    /// The name of the class, where there are classes.
    pub class: Option<String>,
    /// Its share of the requests.
    pub share: Input<Share>,
    /// Tokens of the prompt, or of the text to encode.
    pub input: Option<Length>,
    /// Tokens of the answer; none for an encoder.
    pub output: Option<Length>,
    /// Share of the prompt tokens found in the prefix cache.
    pub cached: Input<Share>,
    /// Tokens of a request's own text, where its prompt has more: what all begin with, or the turns
    /// before it. `input` and `cached` are then those of whole prompts, with a cache of any size.
    pub own: Option<Length>,
    /// The conversations that the requests are turns of.
    pub session: Option<Session>,
}

/// Conversations: the prompt of a turn is all that came before it and a text of its own.
#[derive(Clone, Debug)]
pub struct Session {
    /// Turns of a conversation.
    pub turns: u32,
    /// Mean time from an answer to the next turn.
    pub think: Input<Time>,
}

/// Low-rank adapters of one model, one of which each request is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adapters {
    /// How many there are.
    pub count: f64,
    /// Weights of one, in 16 bits.
    pub each: Data,
}

/// How long prompts or answers are: lognormal with this mean and 95th percentile.
#[derive(Clone, Debug)]
pub struct Length {
    /// The mean.
    pub mean: Input<TokensPerRequest>,
    /// The 95th percentile.
    pub p95: Input<TokensPerRequest>,
    /// The place where the length is stated.
    pub place: Place,
}

/// The rule that chooses the replica of the next request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Router {
    /// Any: each replica then sees the same traffic as if it stood alone.
    #[default]
    Random,
    /// Each in turn.
    RoundRobin,
    /// The one with the fewest unanswered requests.
    LeastOutstanding,
}

impl Demand {
    /// Visits what the mean request depends on, in stored units.
    pub(super) fn for_each_length(&self, visit: &mut dyn FnMut(f64)) {
        for RequestKind { share, input, output, cached, own, session, class: _ } in &self.kinds {
            visit(share.value.get());
            visit(cached.value.get());
            for length in [input, output, own] {
                visit(length.as_ref().map_or(f64::NEG_INFINITY, |it| it.mean.value.value));
                visit(length.as_ref().map_or(f64::NEG_INFINITY, |it| it.p95.value.value));
            }
            visit(session.as_ref().map_or(f64::NEG_INFINITY, |it| it.think.value.value));
        }
    }

    /// Visits what a closed form depends on beside the mean request, in stored units.
    pub(super) fn for_each_value(&self, visit: &mut dyn FnMut(f64)) {
        visit(self.burstiness.value);
        let none = f64::NEG_INFINITY;
        visit(self.max_batch_tokens.as_ref().map_or(none, |it| it.value));
        visit(self.kv_cache.as_ref().map_or(none, |it| it.value.value));
        visit(self.step_time.as_ref().map_or(none, |it| it.value));
        visit(self.step_error.as_ref().map_or(none, |it| it.value));
    }
}

impl Replica {
    /// The same of a replica; its means are those of the kinds of requests.
    pub(super) fn for_each_value(&self, visit: &mut dyn FnMut(f64)) {
        let none = f64::NEG_INFINITY;
        visit(self.devices.value.value);
        visit(self.weights.value.value);
        visit(self.memory.value.value);
        visit(self.memory_share.value.get());
        visit(self.reserve.value.value);
        visit(self.max_batch.value);
        if let Some(pools) = &self.pools {
            visit(pools.prefill.value);
            visit(pools.decode.value);
            visit(pools.prefill_devices.value.value);
            visit(pools.network.value.value);
        }
        let speculation = self.speculation.as_ref();
        visit(speculation.map_or(none, |it| it.tokens.value));
        visit(speculation.map_or(none, |it| it.acceptance.value.get()));
        let draft = speculation.and_then(|it| it.draft.as_ref());
        visit(draft.map_or(none, |draft| draft.weights.value.value));
    }
}

inputs!(Replica {
    devices,
    pools,
    weights,
    prefill,
    input,
    output,
    peak,
    bandwidth,
    memory,
    memory_share,
    reserve,
    reached,
    max_batch,
    speculation,
});
inputs!(Reached { compute, passes, kernel, read; but half_width });
inputs!(Demand {
    max_wait, max_batch_tokens, kv_cache, step_time, step_error, burstiness, kinds;
    but model, accelerator, instances, precision, kv_precision, quantized, trace, profile, router,
    objective, engine, opening, admission,
});
inputs!(RequestKind { share, input, output, cached, own, session; but class });
inputs!(Session { think; but turns });
inputs!(Length { mean, p95; but place });
