//! Clouds that rent out GPUs alone: Lambda, `RunPod`, Vast.ai. The names that they use for devices
//! are aliases in `hardware/aliases.csv`.

use std::collections::BTreeMap;

use flopcast_core::catalog::{PriceBasis, Purchase};
use flopcast_core::diagnostic::Result;
use serde::Deserialize;
use serde_json::json;

use super::super::number::Number;
use super::super::sheet::{Product, Rents, Sheet};
use super::super::transport::{Answer, Request};
use super::Session;

/// An answer of Lambda: instance types by name.
#[derive(Deserialize)]
struct Instances {
    data: BTreeMap<String, Instance>,
}

/// An entry of Lambda.
#[derive(Deserialize)]
struct Instance {
    instance_type: InstanceType,
}

/// An instance type of Lambda.
#[derive(Deserialize)]
struct InstanceType {
    name: String,
    /// The device in Lambda's words.
    #[serde(default)]
    gpu_description: String,
    /// Price of the instance in US cents per hour.
    price_cents_per_hour: Number,
    specs: Specs,
}

/// The hardware of an instance type.
#[derive(Deserialize)]
struct Specs {
    #[serde(default)]
    gpus: u64,
}

/// Lambda's instance types, at one price in every region, converted from cents to USD/h.
///
/// # Errors
/// If the server fails, or answers in another form.
pub(super) fn lambda(session: &Session<'_>, _: &str) -> Result<Answer<Sheet>> {
    let request = Request { path: "/api/v1/instance-types".to_owned(), ..Request::default() };
    let answer: Instances = session.server.fresh(&request)?;
    let mut rents = Rents::default();
    for Instance { instance_type: it } in answer.data.values() {
        if it.specs.gpus == 0 {
            continue;
        }
        let devices = it.specs.gpus;
        let product = session.product("lambda", &it.name, &it.gpu_description, devices);
        let price = it.price_cents_per_hour.positive().map(|cents| cents / 100.0);
        rents.offer(&product, "*", Purchase::OnDemand, price);
    }
    Ok(Answer::New(rents.sheet(), None))
}

/// An answer of `RunPod`, with the errors of GraphQL.
#[derive(Deserialize)]
struct Graph {
    data: Option<GpuTypes>,
    #[serde(default)]
    errors: Vec<GraphError>,
}

/// An error of GraphQL.
#[derive(Deserialize)]
struct GraphError {
    message: String,
}

/// The devices of `RunPod`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GpuTypes {
    gpu_types: Vec<GpuType>,
}

/// A device of `RunPod`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GpuType {
    id: String,
    /// Price in the secure cloud, in USD/h.
    secure_price: Number,
    /// The lowest price, if there is one now.
    lowest_price: Option<LowestPrice>,
}

/// The lowest bid for an interruptible device, in USD/h.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LowestPrice {
    #[serde(default)]
    minimum_bid_price: Number,
}

/// `RunPod`'s secure cloud by the GPU in USD/h, with the lowest bid as the price of interruptible
/// ones.
///
/// # Errors
/// If the server fails, or answers in another form, or with an error of GraphQL.
pub(super) fn runpod(session: &Session<'_>, _: &str) -> Result<Answer<Sheet>> {
    let query = "query GpuTypes($lowestPriceInput: GpuLowestPriceInput) { gpuTypes { id \
                 securePrice lowestPrice(input: $lowestPriceInput) { minimumBidPrice } } }";
    let variables = json!({"lowestPriceInput": {"gpuCount": 1, "secureCloud": true}});
    let request = Request {
        path: "/graphql".to_owned(),
        post: Some(json!({"query": query, "variables": variables})),
        ..Request::default()
    };
    let answer: Graph = session.server.fresh(&request)?;
    let Some(data) = answer.data else {
        let said = answer.errors.first().map_or("no data", |error| error.message.as_str());
        return Err(session.server.failed(said));
    };
    let mut rents = Rents::default();
    for gpu in &data.gpu_types {
        let product = session.product("runpod", &gpu.id, &gpu.id, 1);
        rents.offer(&product, "*", Purchase::OnDemand, gpu.secure_price.positive());
        let bid = gpu.lowest_price.as_ref().and_then(|lowest| lowest.minimum_bid_price.positive());
        rents.offer(&product, "*", Purchase::Spot, bid);
    }
    Ok(Answer::New(rents.sheet(), None))
}

/// An answer of Vast.ai.
#[derive(Deserialize)]
struct Offers {
    offers: Vec<Offer>,
}

/// An offer of a machine on Vast.ai.
#[derive(Deserialize)]
struct Offer {
    gpu_name: String,
    num_gpus: u64,
    /// Memory of one GPU, in MB.
    gpu_ram: Number,
    /// Price of the whole offer, in USD/h.
    dph_total: Number,
    /// The lowest bid for the whole offer, in USD/h.
    #[serde(default)]
    min_bid: Number,
}

/// Device names to ask for one by one, because the answer to a broad query is cut short.
const VAST_NAMES: &[&str] = &[
    "A10",
    "A100 PCIE",
    "A100 SXM4",
    "B200",
    "H100 NVL",
    "H100 PCIE",
    "H100 SXM",
    "H200",
    "H200 NVL",
    "L4",
    "L40",
    "L40S",
    "RTX 3090",
    "RTX 4090",
    "RTX 5090",
    "RTX A6000",
];

/// The cheapest verified offer of each device on Vast.ai, in USD/h per GPU: price of the offer /
/// its GPUs.
///
/// # Errors
/// If the server fails, or answers in another form.
pub(super) fn vast(session: &Session<'_>, _: &str) -> Result<Answer<Sheet>> {
    let mut rents = Rents::default();
    for name in VAST_NAMES {
        let yes = json!({"eq": true});
        let request = Request {
            path: "/api/v0/bundles/".to_owned(),
            post: Some(json!({
                "gpu_name": {"eq": name}, "verified": yes, "rentable": yes,
                "order": [["dph_total", "asc"]],
            })),
            ..Request::default()
        };
        let answer: Offers = session.server.fresh(&request)?;
        for offer in answer.offers.iter().filter(|offer| offer.num_gpus > 0) {
            let memory = offer.gpu_ram.0.unwrap_or(0.0);
            // Two sizes of the A100 share a name; the memory is in MB.
            let size = if memory > 60_000.0 { " 80GB" } else { " 40GB" };
            let size = if offer.gpu_name.starts_with("A100") { size } else { "" };
            let device = format!("{}{size}", offer.gpu_name);
            let product = session.product("vast", &device, &device, 1);
            let each = |price: Number| price.positive().map(|price| price / offer.num_gpus as f64);
            rents.offer(&product, "*", Purchase::OnDemand, each(offer.dph_total));
            rents.offer(&product, "*", Purchase::Spot, each(offer.min_bid));
        }
    }
    Ok(Answer::New(rents.sheet(), None))
}

impl Session<'_> {
    /// A product whose device the cloud calls `device`. If the hardware table lacks the device, the
    /// product keeps its name alone: its price can be listed, but no estimate can use it.
    fn product(&self, provider: &str, sku: &str, device: &str, devices: u64) -> Product {
        let known = self.catalog.accelerator(device);
        Product {
            provider: provider.to_owned(),
            sku: sku.to_owned(),
            accelerator: known.map(|device| device.id.clone()).unwrap_or_default(),
            name: device.to_owned(),
            devices: Some(devices),
            basis: PriceBasis::Instance,
            host_sku: String::new(),
        }
    }
}
