//! Prefill and decode on instances of their own, as the user types it.

use schemars::JsonSchema;
use serde::Deserialize;

use super::ServingParallelism;
use crate::given::Given;
use crate::reader::Located;

/// Disaggregated prefill and decode: a replica is a group of prefill instances, which process
/// prompts and transfer the KV cache, and decode instances, which generate the output tokens.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Disaggregated {
    /// Prefill instances of a replica.
    pub prefill: Given<f64>,
    /// Decode instances of a replica.
    pub decode: Given<f64>,
    /// The layout of a prefill instance on devices; as `inference.parallelism`, which is then that
    /// of the decode instances.
    pub prefill_parallelism: Option<Located<ServingParallelism>>,
}
