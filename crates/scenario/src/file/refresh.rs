//! The hardware refresh of a fleet, as the user types it.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Hardware, Placement, ServingParallelism};
use crate::reader::Located;

/// Hardware refresh: from a year on, the service runs on other hardware.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    /// The first year of the new fleet, from 2.
    pub year: Located<u32>,
    /// The accelerators of the new fleet.
    pub hardware: Hardware,
    /// The layout of a replica on them; the smallest power of two that holds it.
    pub parallelism: Option<Located<ServingParallelism>>,
    /// The place of the new fleet and the terms of its rent; as the service before.
    pub placement: Option<Placement>,
}
