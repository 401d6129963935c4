//! What a run and a service cost beside devices, as the user types it.

use flopcast_core::quantity::{
    Data, DataPerRequest, EgressPrice, PayRate, Share, StoragePrice, Time,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::given::Given;

/// What a training run costs beside its devices.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainingCosts {
    /// The data set, stored while the run lasts.
    pub storage: Option<Storage>,
    /// Checkpoints that are kept.
    pub checkpoints: Option<Checkpoints>,
    /// What leaves the provider, once.
    pub egress: Option<Egress>,
    /// The people.
    pub staff: Option<Staff>,
}

/// What a service costs beside its devices.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServingCosts {
    /// What is stored all year: weights, logs.
    pub storage: Option<ServingStorage>,
    /// What leaves the provider with every request.
    pub egress: Option<EgressPerRequest>,
    /// The people.
    pub staff: Option<Staff>,
}

/// Data that is stored.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    /// How much: `45 TB`.
    pub data: Given<Data>,
    /// How long it is kept after the run; 0.
    pub retention: Option<Given<Time>>,
    /// Price: `0.023 USD/GB-month`; the provider's object storage.
    pub price: Option<Given<StoragePrice>>,
}

/// Data that a service stores.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServingStorage {
    /// How much: `1 TB`.
    pub data: Given<Data>,
    /// Price: `0.023 USD/GB-month`; the provider's object storage.
    pub price: Option<Given<StoragePrice>>,
}

/// Checkpoints that are kept.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Checkpoints {
    /// How many are stored at a time.
    pub keep: Given<f64>,
    /// Size of one; trained weights with the optimizer's state.
    pub size: Option<Given<Data>>,
    /// How long they are kept after the run; 0.
    pub retention: Option<Given<Time>>,
    /// Price: `0.023 USD/GB-month`; the provider's object storage.
    pub price: Option<Given<StoragePrice>>,
}

/// Data that leaves the provider once.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Egress {
    /// How much: `2 TB`.
    pub data: Given<Data>,
    /// Price: `0.09 USD/GB`; the provider's.
    pub price: Option<Given<EgressPrice>>,
}

/// Data that leaves the provider with every request.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EgressPerRequest {
    /// How much: `4 KB/request`.
    pub data: Given<DataPerRequest>,
    /// Price: `0.09 USD/GB`; the provider's.
    pub price: Option<Given<EgressPrice>>,
}

/// People, by head or as a share of the whole cost.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Staff {
    /// Full-time equivalents; with `cost`.
    pub fte: Option<Given<f64>>,
    /// What one costs, all in: `350k USD/year`.
    pub cost: Option<Given<PayRate>>,
    /// How long they work on it; the run, or all year.
    pub duration: Option<Given<Time>>,
    /// Instead: their part of the total, staff included.
    pub share_of_total: Option<Given<Share>>,
}
