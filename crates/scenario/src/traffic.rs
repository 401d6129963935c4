//! The requests to a service, as the user types them: rate, lengths, classes, objectives and the
//! course of the load over a week.

use flopcast_core::quantity::{RequestRate, Requests, Share, Time, TokensPerRequest, YearlyRate};
use schemars::JsonSchema;
use serde::Deserialize;

use super::given::{Given, Positive};
use super::reader::Located;

/// The requests to a service. Lengths come from one of `input_tokens` with `output_tokens`,
/// `classes`, `trace`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Traffic {
    /// Mean rate in the first year: `2M/day`, `25/s`; that of the trace, if there is one.
    pub requests: Option<Given<RequestRate>>,
    /// Input tokens: those of the prompt, or of the text to encode.
    pub input_tokens: Option<Lengths>,
    /// Output tokens; none for an encoder.
    pub output_tokens: Option<Lengths>,
    /// Tokens that all prompts begin with, on top of their own: instructions, tools. They are computed
    /// and held once.
    pub system_prompt: Option<Given<TokensPerRequest>>,
    /// Conversations: each request is a turn of one, `input_tokens` are those that it adds.
    pub sessions: Option<Sessions>,
    /// A job that ends, in place of requests without end.
    pub job: Option<Job>,
    /// Images of each request, whose tokens come on top of its input tokens; the model's tower runs
    /// once for each.
    pub images: Option<Located<u64>>,
    /// Height and width of these images in pixels; the model's own size, else 224.
    pub image_size: Option<Located<u64>>,
    /// Sound of each request, whose tokens come on top of its input tokens: `30 s`.
    pub audio: Option<Given<Time>>,
    /// Steps in which a pipeline of diffusion makes each image or video; those usual for it, one of a
    /// denoiser alone.
    pub steps: Option<Located<u64>>,
    /// Strength of classifier-free guidance; above 1 each step runs twice, unless the denoiser takes
    /// the strength as an input. As is usual for the pipeline.
    pub guidance: Option<Located<f64>>,
    /// Kinds of requests, each with its own lengths and SLO; shares add up to 100 %.
    #[serde(default)]
    pub classes: Vec<Class>,
    /// A file of recorded requests, relative to this one: CSV in the form of the Azure LLM
    /// inference traces, or JSON lines in that of Mooncake. Gaps and lengths are its own, scaled to
    /// `requests`.
    pub trace: Option<Located<String>>,
    /// Coefficient of variation of the gaps between requests (gamma distributed): 1 is Poisson.
    pub burstiness: Option<Given<f64>>,
    /// Peak rate / mean rate; that of `hours` and `weekdays`, and assumed without them.
    pub peak_to_mean: Option<Given<f64>>,
    /// Load of each hour of a day relative to the others: 24 numbers, midnight first.
    pub hours: Option<Located<Vec<f64>>>,
    /// Load of each day of a week relative to the others: 7 numbers, Monday first.
    pub weekdays: Option<Located<Vec<f64>>>,
    /// Requests that reach this service for each of `requests`, such as its calls of an agent's
    /// request; 1.
    pub per_request: Option<Given<f64, Positive>>,
    /// True if regions answer each other's requests, so that all of them see the load of the whole at
    /// any hour, not that of their own day; false.
    pub follow_the_sun: Option<Located<bool>>,
    /// Growth of the rate; 0 %/year.
    pub growth: Option<Given<YearlyRate>>,
}

/// Conversations. The prompt of a turn is all that came before it and a text of its own; what the
/// cache still holds of it is not computed again.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sessions {
    /// Turns of a conversation.
    pub turns: Located<u64>,
    /// Mean time from an answer to the next turn.
    pub think_time: Given<Time>,
}

/// Requests that all must be answered by a time: documents, an evaluation, synthetic data.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// How many there are: `2M`.
    pub requests: Given<Requests>,
    /// The time that the job may take: `36 h`.
    pub within: Given<Time>,
}

/// A kind of request.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// The name of the class in the answer.
    pub name: Located<String>,
    /// Its share of the requests.
    pub share: Given<Share>,
    /// Input tokens: those of the prompt.
    pub input_tokens: Lengths,
    /// Output tokens.
    pub output_tokens: Option<Lengths>,
    /// Share of the prompt tokens found in the prefix cache; the service's.
    pub prefix_cache_hit: Option<Given<Share>>,
    /// Percentiles of this class's latency, beside those of the service.
    #[serde(default)]
    pub slo: Slo,
}

/// Distribution of the lengths of prompts or outputs: lognormal with this mean and 95th percentile.
/// If both are equal, all lengths are.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "{mean: 900} or {mean: 900, p95: 2000}")]
pub struct Lengths {
    /// The mean.
    pub mean: Given<TokensPerRequest>,
    /// The 95th percentile.
    pub p95: Option<Given<TokensPerRequest>>,
}

/// A service-level objective (SLO): upper bounds of latency.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Slo {
    /// Time to first token (TTFT).
    pub ttft: Option<Percentiles>,
    /// Time per output token after the first (TPOT).
    pub tpot: Option<Percentiles>,
    /// End-to-end latency: the time of the whole request.
    pub e2e: Option<Percentiles>,
}

/// Upper bounds of a latency's percentiles.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "percentiles such as {p95: 200 ms}")]
pub struct Percentiles {
    /// Bound of the median.
    pub p50: Option<Given<Time>>,
    /// Bound of the 90th percentile.
    pub p90: Option<Given<Time>>,
    /// Bound of the 95th percentile.
    pub p95: Option<Given<Time>>,
    /// Bound of the 99th percentile.
    pub p99: Option<Given<Time>>,
}

impl Percentiles {
    /// The bounds that are given, each with its percentile as a share.
    pub fn bounds(&self) -> impl Iterator<Item = (f64, &Given<Time>)> {
        [(0.5, &self.p50), (0.9, &self.p90), (0.95, &self.p95), (0.99, &self.p99)]
            .into_iter()
            .filter_map(|(share, bound)| Some((share, bound.as_ref()?)))
    }
}

/// The choice of the replica for the next request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Router {
    /// Any replica at random: each then sees the same traffic as if it stood alone.
    #[default]
    Random,
    /// Each replica in turn.
    RoundRobin,
    /// The replica with the fewest unanswered requests.
    LeastOutstanding,
}

impl From<Router> for flopcast_core::serving::plan::Router {
    fn from(router: Router) -> Self {
        match router {
            Router::Random => Self::Random,
            Router::RoundRobin => Self::RoundRobin,
            Router::LeastOutstanding => Self::LeastOutstanding,
        }
    }
}

/// A fleet that follows its load.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Autoscaling {
    /// Time from the decision to start a replica until it answers: machine, image, weights. The
    /// replica is started that much ahead, and paid for meanwhile.
    pub start_up: Given<Time>,
}

/// A class of requests, or all of them if there are no classes.
#[derive(Clone, Copy, Debug)]
pub struct Kind<'a> {
    /// The class, if there are classes.
    pub class: Option<&'a Class>,
    /// Input tokens.
    pub input: Option<&'a Lengths>,
    /// Output tokens.
    pub output: Option<&'a Lengths>,
}

impl Traffic {
    /// The classes of requests; a single kind for all requests if there are none.
    pub fn kinds(&self) -> Vec<Kind<'_>> {
        if self.classes.is_empty() {
            let (input, output) = (self.input_tokens.as_ref(), self.output_tokens.as_ref());
            return vec![Kind { class: None, input, output }];
        }
        let kind = |class| Kind::from(class);
        self.classes.iter().map(kind).collect()
    }
}

impl<'a> From<&'a Class> for Kind<'a> {
    fn from(class: &'a Class) -> Self {
        let (input, output) = (Some(&class.input_tokens), class.output_tokens.as_ref());
        Self { class: Some(class), input, output }
    }
}
