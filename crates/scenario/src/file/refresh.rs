//! The renewal of a fleet, as the user types it.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Hardware, Placement, ServingParallelism};
use crate::reader::Located;

/// The fleet is renewed: from a year on, the service runs on other hardware.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    /// The first year of the new fleet, from 2.
    pub year: Located<u32>,
    /// Its accelerators.
    pub hardware: Hardware,
    /// How a replica is spread over them; the smallest power of two that holds it.
    pub parallelism: Option<Located<ServingParallelism>>,
    /// Where it runs and how it is bought; as the service before.
    pub placement: Option<Placement>,
}
