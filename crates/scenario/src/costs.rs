//! Costs of a run and a service beside devices, as the user types them.

use flopcast_core::quantity::{
    Data, DataPerRequest, EgressPrice, PayRate, Share, StoragePrice, Time,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::given::Given;

/// Costs of a training run beside its devices.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainingCosts {
    /// The data set, stored while the run lasts.
    pub storage: Option<Storage>,
    /// Checkpoints that are kept.
    pub checkpoints: Option<Checkpoints>,
    /// Data that leaves the provider once.
    pub egress: Option<Egress>,
    /// The people who work on the run.
    pub staff: Option<Staff>,
}

/// Costs of a service beside its devices.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServingCosts {
    /// Data that is stored all year: weights, logs.
    pub storage: Option<ServingStorage>,
    /// Data that leaves the provider with every request.
    pub egress: Option<EgressPerRequest>,
    /// The people who run the service.
    pub staff: Option<Staff>,
}

/// Data that is stored.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    /// Amount of data: `45 TB`.
    pub data: Given<Data>,
    /// Time that it is kept after the run; 0.
    pub retention: Option<Given<Time>>,
    /// Price: `0.023 USD/GB-month`; the provider's object storage.
    pub price: Option<Given<StoragePrice>>,
}

/// Data that a service stores.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServingStorage {
    /// Amount of data: `1 TB`.
    pub data: Given<Data>,
    /// Price: `0.023 USD/GB-month`; the provider's object storage.
    pub price: Option<Given<StoragePrice>>,
}

/// Checkpoints that are kept.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Checkpoints {
    /// The number of checkpoints that are stored at a time.
    pub keep: Given<f64>,
    /// Size of one checkpoint; trained weights with the optimizer's state.
    pub size: Option<Given<Data>>,
    /// Time that they are kept after the run; 0.
    pub retention: Option<Given<Time>>,
    /// Price: `0.023 USD/GB-month`; the provider's object storage.
    pub price: Option<Given<StoragePrice>>,
}

/// Data that leaves the provider once.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Egress {
    /// Amount of data: `2 TB`.
    pub data: Given<Data>,
    /// Price: `0.09 USD/GB`; the provider's.
    pub price: Option<Given<EgressPrice>>,
}

/// Data that leaves the provider with every request.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EgressPerRequest {
    /// Amount of data: `4 KB/request`.
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
    /// Cost of one full-time equivalent, all in: `350k USD/year`.
    pub cost: Option<Given<PayRate>>,
    /// Time that they work on it; the run, or all year.
    pub duration: Option<Given<Time>>,
    /// Share of the total cost, staff included, instead of `fte` and `cost`.
    pub share_of_total: Option<Given<Share>>,
}
