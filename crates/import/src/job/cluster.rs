//! The devices that a job takes, and where: what it says, in the words of the catalog, and a usual
//! node where it says nothing.

use flopcast_core::catalog::{Catalog, Purchase, Wanted};
use serde_json::{Map, Value as Json, json};

use super::fact::{Fact, words_of_range};
use super::scenario::{ROOM, Writer, put};
use super::words;

/// The devices of a node where a job does not say them.
const USUAL_NODE: u64 = 8;
/// Its memory in bytes.
const USUAL_BYTES: f64 = 80e9;
/// The device where a job does not say it.
pub(super) const USUAL_DEVICE: &str = "h100-sxm";

impl Writer<'_> {
    /// The device by a name that the catalog knows: as said, as a feature that machines must have,
    /// or that of the cloud's instance. A name that it does not know is noted.
    pub(super) fn device(&mut self) -> Option<String> {
        let catalog = Catalog::embedded();
        let said = self.facts.word(Fact::Accelerator);
        // Conditions are joined: `a100|h100`, `[h100*4]&ib`.
        let features = self.facts.word(Fact::Feature).unwrap_or_default();
        let parts = features.split(|c: char| !c.is_alphanumeric() && !"-_.".contains(c));
        let known = |name: &&str| !name.is_empty() && catalog.accelerator(name).is_ok();
        let found = said.into_iter().chain(parts).find(known).map(str::to_owned);
        if found.is_none()
            && let Some(said) = said
        {
            self.note(format!("no device is known as {said}"));
        }
        found.or_else(|| Some(self.instance()?.0))
    }

    /// The device of the cloud's instance, and how many it has.
    fn instance(&self) -> Option<(String, u64)> {
        let catalog = Catalog::embedded();
        let (device, count) = catalog.machine(self.facts.word(Fact::Instance)?)?;
        Some((device.id.clone(), count))
    }

    /// The device and the number of them: nodes x devices of a node, as stated, or the product of
    /// the degrees. What is not said is a usual node's, with a note.
    pub(super) fn devices(&mut self) -> (String, u64) {
        let facts = self.facts;
        let count = |fact| facts.count(fact);
        let name = self.device();
        let said_nodes = facts.nodes();
        let nodes = said_nodes.unwrap_or(1);
        if let Some((least, _)) = facts.word(Fact::Nodes).and_then(words_of_range) {
            let range = facts.word(Fact::Nodes).unwrap_or_default();
            self.note(format!("the job takes {range} nodes: the fewest, {least}, are counted"));
        }
        let of_node = count(Fact::DevicesPerNode).or_else(|| Some(self.instance()?.1));
        let all = of_node.and_then(|of_node| of_node.checked_mul(nodes));
        let degrees = [Fact::Data, Fact::Replicate, Fact::Tensor, Fact::Pipeline, Fact::Context];
        let product = || degrees.into_iter().filter_map(count).try_fold(1, u64::checked_mul);
        let of_layout = || count(Fact::Data).and_then(|_| product());
        let of_tasks = || count(Fact::DevicesPerTask)?.checked_mul(facts.tasks()?);
        let said = all
            .filter(|_| said_nodes.is_some())
            .or_else(of_tasks)
            .or(all)
            .or_else(|| count(Fact::Devices))
            .or_else(|| count(Fact::DevicesPerTask))
            .or_else(|| facts.mesh())
            .or_else(of_layout);
        let copy = product().unwrap_or(1).max(1);
        let experts = count(Fact::Pipeline).unwrap_or(1);
        let experts = count(Fact::Expert).and_then(|it| it.checked_mul(experts)).unwrap_or(1);
        let least = if self.sized { copy } else { copy.max(experts).next_multiple_of(copy) };
        let devices = match said {
            Some(said) if said >= least => said,
            Some(said) => {
                self.note(format!("{said} devices are said, but the layout takes {least}"));
                least
            }
            None => self.usual(least, nodes),
        };
        let device = name.clone().unwrap_or_else(|| USUAL_DEVICE.to_owned());
        for (missing, what) in [(name.is_none(), "accelerator"), (said.is_none(), "count")] {
            if missing {
                self.assumed.push(("training.hardware", what));
            }
        }
        if let Some(lacks) = match (&name, said) {
            (None, None) => Some("its devices"),
            (None, _) => Some("the kind of its devices"),
            (_, None) => Some("how many devices it takes"),
            _ => None,
        } {
            self.note(format!(
                "the job does not say {lacks}: {devices} x {device} is assumed; \
                 --set training.hardware={devices}xH100"
            ));
        }
        (device, devices)
    }

    /// The devices that a job takes which does not say it: a usual node, or as many nodes as hold
    /// the weights and what training keeps of them, and no more than its batch has micro-batches for.
    fn usual(&self, least: u64, nodes: u64) -> u64 {
        let facts = self.facts;
        let adapters = facts.has(Fact::Rank) || facts.has(Fact::Targets);
        let recipe = facts.word(Fact::Recipe).or(adapters.then_some("lora"));
        let bytes = words::held(recipe, true);
        let held = self.parameters().unwrap_or(0.0) * bytes / (USUAL_BYTES * ROOM);
        let holding = (held / USUAL_NODE as f64).ceil().clamp(1.0, 1e6) as u64;
        let whole = least.max(nodes.max(holding.next_power_of_two()).saturating_mul(USUAL_NODE));
        let mut devices = whole.next_multiple_of(least);
        let of_copy = facts.count(Fact::LocalBatch).or_else(|| facts.count(Fact::MicroBatch));
        let micro = of_copy.unwrap_or(1).max(1);
        let batch = facts.count(Fact::GlobalBatch).map(|sequences| (sequences / micro).max(1));
        while let Some(batch) = batch
            && !batch.is_multiple_of(devices / least)
            && devices.is_multiple_of(2 * least)
        {
            devices /= 2;
        }
        devices
    }

    /// Provider, region and spot purchase, as far as the job says them and the catalog has prices.
    pub(super) fn placement(&mut self) -> Option<Json> {
        let catalog = Catalog::embedded();
        let lower = |fact| self.facts.word(fact).map(str::to_ascii_lowercase);
        let infrastructure = lower(Fact::Provider)?;
        // SkyPilot writes `aws/us-east-1/us-east-1a`.
        let mut parts = infrastructure.split('/');
        let provider = parts.next().unwrap_or_default();
        let region = parts.next().map(str::to_owned).or_else(|| lower(Fact::Region));
        let region = region.filter(|it| it != "*");
        let device = self.device().unwrap_or_else(|| USUAL_DEVICE.to_owned());
        let purchase = if self.facts.has(Fact::Spot) { Purchase::Spot } else { Purchase::OnDemand };
        let sold = |region: Option<&str>, purchase| {
            let wanted = Wanted { provider, region, accelerator: &device, purchase };
            catalog.rentals(wanted).is_ok()
        };
        let places = [(region.as_deref(), purchase), (None, purchase), (None, Purchase::OnDemand)];
        let found = places.into_iter().find(|(region, purchase)| sold(*region, *purchase));
        let Some((region, purchase)) = found else {
            self.note(format!(
                "no price of {device} at {infrastructure} is known: the cost stays open; \
                 --set placement.provider=... --set placement.region=..."
            ));
            return None;
        };
        let mut placement = Map::new();
        placement.insert("provider".to_owned(), json!(provider));
        put(&mut placement, "region", region.map(Json::from));
        if purchase == Purchase::Spot {
            placement.insert("purchase".to_owned(), json!("spot"));
        }
        Some(Json::Object(placement))
    }
}
