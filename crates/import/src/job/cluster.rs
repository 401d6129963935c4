//! The devices that a job takes, and where: what it says, in the words of the catalog, and a usual
//! node where it says nothing.

use flopcast_core::catalog::Catalog;
use serde_json::{Map, Value as Json, json};

use super::fact::Fact;
use super::scenario::{Writer, put};

/// The devices of a node where a job does not say them.
const USUAL_NODE: u64 = 8;
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
    fn instance(&self) -> Option<(String, Option<u64>)> {
        let name = self.facts.word(Fact::Instance)?;
        // Azure's names: `Standard_ND96isr_H100_v5`; SageMaker's: `ml.p5.48xlarge`.
        let name = name.strip_prefix("ml.").unwrap_or(name);
        let catalog = Catalog::embedded();
        let price = catalog
            .prices()
            .find(|it| !it.accelerator.is_empty() && it.sku.eq_ignore_ascii_case(name))?;
        Some((price.accelerator.clone(), price.devices))
    }

    /// The device and the number of them: nodes x devices of a node, as stated, or the product of
    /// the degrees. What is not said is a usual node's, with a note.
    pub(super) fn devices(&mut self) -> (String, u64) {
        let facts = self.facts;
        let count = |fact| facts.count(fact);
        let name = self.device();
        let nodes = count(Fact::Nodes).unwrap_or(1);
        let of_node = count(Fact::DevicesPerNode).or_else(|| self.instance()?.1);
        let all = of_node.and_then(|of_node| of_node.checked_mul(nodes));
        let degrees = [Fact::Data, Fact::Replicate, Fact::Tensor, Fact::Pipeline, Fact::Context];
        let product = || degrees.into_iter().filter_map(count).try_fold(1, u64::checked_mul);
        let of_layout = || count(Fact::Data).and_then(|_| product());
        let of_tasks =
            || count(Fact::DevicesPerTask)?.checked_mul(count(Fact::Tasks).unwrap_or(1));
        let said = all.or_else(|| count(Fact::Devices)).or_else(of_tasks).or_else(of_layout);
        let copy = product().unwrap_or(1).max(1);
        let node = if copy > 1 { USUAL_NODE.next_multiple_of(copy) } else { USUAL_NODE };
        let devices = said.unwrap_or_else(|| node.saturating_mul(nodes));
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
        if catalog.prices_of(provider).next().is_none() {
            self.note(format!("no prices of {provider} are known: give placement.provider"));
            return None;
        }
        let sold = |region: &String| catalog.prices_of(provider).any(|it| it.region == *region);
        let mut placement = Map::new();
        placement.insert("provider".to_owned(), json!(provider));
        put(&mut placement, "region", region.filter(sold).map(Json::from));
        if self.facts.has(Fact::Spot) {
            placement.insert("purchase".to_owned(), json!("spot"));
        }
        Some(Json::Object(placement))
    }
}
