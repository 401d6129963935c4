//! The calls that a request makes.

use flopcast_core::quantity::Share;
use schemars::JsonSchema;
use serde::Deserialize;

use super::super::given::Given;
use super::super::reader::Located;
use super::{Lengths, Slo};

/// A call that a request makes: of the file's own service, or of one of `services`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Its name.
    pub name: Located<String>,
    /// The service that answers it, of `services`; the file's own.
    pub service: Option<Located<String>>,
    /// Names of the calls that it waits for; the one before it. `[]` waits for none.
    pub after: Option<Vec<Located<String>>>,
    /// Times that it is made, one after the other; 1.
    pub times: Option<Located<u64>>,
    /// Times that it is made at once; 1.
    pub parallel: Option<Located<u64>>,
    /// Share of the requests that make it; all.
    pub share: Option<Given<Share>>,
    /// Input tokens; those of the traffic.
    pub input_tokens: Option<Lengths>,
    /// Output tokens; those of the traffic, where it has no input tokens of its own.
    pub output_tokens: Option<Lengths>,
    /// Share of the prompt tokens found in the prefix cache; the service's.
    pub prefix_cache_hit: Option<Given<Share>>,
    /// Percentiles of its latency, beside those of its service.
    #[serde(default)]
    pub slo: Slo,
}
