//! What is asked of a service: as the user types it, from a recorded [`Trace`], over the hours of a
//! [`Profile`].

use flopcast_core::quantity::{RequestRate, Share, Time, TokensPerRequest, YearlyRate};
use schemars::JsonSchema;
use serde::Deserialize;

use super::given::Given;
use super::reader::Located;

/// What is asked of a service. Lengths come from one of `input_tokens` with `output_tokens`,
/// `classes`, `trace`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Traffic {
    /// Mean rate in the first year: `2M/day`, `25/s`; that of the trace, where there is one.
    pub requests: Option<Given<RequestRate>>,
    /// Tokens of the prompt, or of the text to encode.
    pub input_tokens: Option<Lengths>,
    /// Tokens of the answer; none for an encoder.
    pub output_tokens: Option<Lengths>,
    /// Kinds of requests, each with its own lengths and SLO; shares add up to 100 %.
    #[serde(default)]
    pub classes: Vec<Class>,
    /// A file of recorded requests, relative to this one: CSV as of the Azure LLM inference traces,
    /// or JSON lines as of Mooncake. Gaps and lengths are its own, scaled to `requests`.
    pub trace: Option<Located<String>>,
    /// Coefficient of variation of the gaps between requests (gamma distributed): 1 is Poisson.
    pub burstiness: Option<Given<f64>>,
    /// Peak rate / mean rate; that of `hours` and `weekdays`, assumed without.
    pub peak_to_mean: Option<Given<f64>>,
    /// Load of each hour of a day relative to the others: 24 numbers, midnight first.
    pub hours: Option<Located<Vec<f64>>>,
    /// Load of each day of a week relative to the others: 7 numbers, Monday first.
    pub weekdays: Option<Located<Vec<f64>>>,
    /// Growth of the rate; 0 %/year.
    pub growth: Option<Given<YearlyRate>>,
}

/// A kind of request.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// What it is called in the answer.
    pub name: Located<String>,
    /// Its share of the requests.
    pub share: Given<Share>,
    /// Tokens of the prompt.
    pub input_tokens: Lengths,
    /// Tokens of the answer.
    pub output_tokens: Option<Lengths>,
    /// Share of the prompt tokens found in the prefix cache; the service's.
    pub prefix_cache_hit: Option<Given<Share>>,
    /// Percentiles of this class's latency, beside those of the service.
    #[serde(default)]
    pub slo: Slo,
}

/// How long prompts or answers are: lognormal with this mean and 95th percentile. Where both are
/// equal, all are alike.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "{mean: 900} or {mean: 900, p95: 2000}")]
pub struct Lengths {
    /// The mean.
    pub mean: Given<TokensPerRequest>,
    /// The 95th percentile.
    pub p95: Option<Given<TokensPerRequest>>,
}

/// A service-level objective.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Slo {
    /// Time to first token.
    pub ttft: Option<Percentiles>,
    /// Time per output token after the first.
    pub tpot: Option<Percentiles>,
    /// The whole request.
    pub e2e: Option<Percentiles>,
}

/// Bounds of a latency's percentiles.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "percentiles such as {p95: 200 ms}")]
pub struct Percentiles {
    /// The median.
    pub p50: Option<Given<Time>>,
    /// The 90th percentile.
    pub p90: Option<Given<Time>>,
    /// The 95th percentile.
    pub p95: Option<Given<Time>>,
    /// The 99th percentile.
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

/// Who of the replicas gets the next request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Router {
    /// Any: each replica then sees the same traffic as if it stood alone.
    #[default]
    Random,
    /// Each in turn.
    RoundRobin,
    /// The one with the fewest unanswered requests.
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
    /// From the decision to start a replica until it answers: machine, image, weights. It is started
    /// that much ahead, and paid for meanwhile.
    pub start_up: Given<Time>,
}

/// A class of requests, or all of them where there are no classes.
#[derive(Clone, Copy, Debug)]
pub struct Kind<'a> {
    /// The class, where there are classes.
    pub class: Option<&'a Class>,
    /// Tokens of the prompt.
    pub input: Option<&'a Lengths>,
    /// Tokens of the answer.
    pub output: Option<&'a Lengths>,
}

impl Traffic {
    /// The classes; one that is all where there are none.
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
