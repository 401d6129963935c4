//! Prompts and answers on engines of their own, as the user types it.

use schemars::JsonSchema;
use serde::Deserialize;

use super::ServingParallelism;
use crate::given::Given;
use crate::reader::Located;

/// Disaggregated prefill and decode: a replica is a group of engines of which some read prompts and
/// hand the KV cache over to the others, which write the answers.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Disaggregated {
    /// Engines of a replica that read prompts.
    pub prefill: Given<f64>,
    /// Engines of a replica that write answers.
    pub decode: Given<f64>,
    /// How an engine that reads prompts is spread over devices; as `inference.parallelism`, which is
    /// then that of the others.
    pub prefill_parallelism: Option<Located<ServingParallelism>>,
}
