//! Everything that the catalog says about one name, for people to read: `flopcast catalog show
//! NAME`.
//!
//! A [`Card`] has facts that are quantities, each with its citation, and facts that are text. A gap
//! in the tables is a fact that is left out.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::source::{Citation, Sourced};
use super::{Accelerator, Catalog, DefaultFigure, Region, Source};
use crate::diagnostic::{Error, Result};
use crate::provenance::Step;
use crate::quantity::Measure;

/// The catalog's facts about a device, a place, a default or a source.
#[derive(Clone, Debug)]
pub struct Card {
    /// The kind of entry: `accelerator`, `region`, `default` or `source`.
    pub kind: &'static str,
    /// Its name in scenarios and tables.
    pub name: String,
    /// The facts that are not quantities: label and text.
    pub about: Vec<(&'static str, String)>,
    /// The quantities, each with its citation.
    pub facts: Vec<Fact>,
    /// A warning to read before relying on the facts.
    pub note: String,
}

/// A quantity of a card, with its source.
#[derive(Clone, Debug)]
pub struct Fact {
    /// The name, value and basis of the quantity.
    pub step: Step,
    /// The publications and date that it comes from.
    pub citation: Arc<Citation>,
}

impl Catalog {
    /// The card of a device (`h100`), a place (`aws/us-east-2`, `FRA`, `Ohio`), a default
    /// (`colocation.rent`) or a source (`owid-ember`).
    ///
    /// # Errors
    /// If the name is none of these, with the nearest that are known; or if it is a region code
    /// that several providers have.
    pub fn card(&self, name: &str) -> Result<Card> {
        if let Ok(device) = self.accelerator(name) {
            return Ok(self.device_card(device));
        }
        if let Ok(default) = self.default(name) {
            return Ok(default_card(default));
        }
        if let Some(source) = self.source(name) {
            return Ok(source_card(source));
        }
        if let Some((provider, region)) = name.split_once('/') {
            return Ok(region_card(&self.region(provider, region)?));
        }
        let generic = self.region(super::region::OWNED[0], name).ok();
        let owners: Vec<&str> = self
            .places()
            .iter()
            .filter(|p| p.region == name && p.provider != "*")
            .map(|p| p.provider.as_str())
            .collect();
        match (generic, owners.as_slice()) {
            (Some(region), _) => Ok(region_card(&region)),
            (None, [provider]) => Ok(region_card(&self.region(provider, name)?)),
            (None, []) => Err(self.nothing(name)),
            (None, several) => {
                let names: Vec<_> = several.iter().map(|p| format!("`{p}/{name}`")).collect();
                let error = Error::input(format!("several providers have a region `{name}`"));
                Err(error.hint(format!("name one of {}", names.join(", "))))
            }
        }
    }

    /// The error for a name that no table has, with the nearest that are known.
    fn nothing(&self, name: &str) -> Error {
        let places = self.places().iter().flat_map(|p| [p.region.as_str(), p.location.as_str()]);
        let devices = self.devices().keys();
        let defaults = self.default_rows().keys();
        let known = devices.chain(places).chain(defaults).filter(|name| !name.is_empty());
        Error::input(format!("the catalog has no device, place, default or source `{name}`"))
            .suggest(name, known)
            .hint("`flopcast catalog list` says what there is")
    }

    /// The card of a device: its figures, purchase prices, aliases and sellers.
    fn device_card(&self, device: &Accelerator) -> Card {
        let mut facts = Facts::default();
        for (precision, peak) in device.peaks() {
            facts.add(format!("dense {precision} peak"), Some(&peak));
        }
        facts.add("dense fp64 peak, matrix units", device.fp64_tensor.as_ref());
        facts.add("memory", device.memory.as_ref());
        facts.add("memory bandwidth", device.bandwidth.as_ref());
        facts.add("links in the node, both directions", device.scale_up.as_ref());
        facts.add("links to other nodes, one direction", device.scale_out.as_ref());
        facts.add("thermal design power", device.tdp.as_ref());
        facts.add("idle power", device.idle.as_ref());
        facts.add("host power, typical", device.host_power().as_ref());
        facts.add("server nameplate power", device.server_power().as_ref());
        facts.add("embodied, low", device.embodied.low.as_ref());
        facts.add("embodied, mid", device.embodied.mid.as_ref());
        facts.add("embodied, high", device.embodied.high.as_ref());
        for bought in self.purchases(&device.id) {
            let when = bought.price.citation.as_of.map(|as_of| format!(", {as_of}"));
            facts.add(format!("price to buy{}", when.unwrap_or_default()), Some(&bought.price));
        }
        let aliases = self.aliases().iter().filter(|a| a.accelerator == device.id);
        let aliases: Vec<_> = aliases.map(|a| a.alias.as_str()).collect();
        let rows = self.prices().filter(|p| p.accelerator == device.id);
        let sellers: BTreeSet<_> = rows.map(|p| p.provider.as_str()).collect();
        let mut about = vec![
            ("name", device.name.clone()),
            ("vendor", device.vendor.clone()),
            ("kind", device.kind.name().to_owned()),
            ("architecture", device.architecture.clone()),
            ("launched", device.launched.map(|date| date.to_string()).unwrap_or_default()),
            ("headline sparsity", device.sparsity.clone()),
            ("memory type", device.memory_type.clone()),
            ("link in the node", device.scale_up_link.clone()),
            ("devices per node", device.devices_per_node.to_string()),
            ("confidence", device.confidence.map(|c| c.name().to_owned()).unwrap_or_default()),
            ("also known as", aliases.join(", ")),
            ("rented out by", sellers.into_iter().collect::<Vec<_>>().join(", ")),
        ];
        about.retain(|(_, text)| !text.is_empty());
        let note = device.note.clone();
        Card { kind: "accelerator", name: device.id.clone(), about, facts: facts.0, note }
    }
}

/// The card of a place: its grid intensities by basis, carbon-free share, PUE, WUE, electricity
/// price.
fn region_card(region: &Region) -> Card {
    let mut facts = Facts::default();
    for grid in &region.grids {
        let name = format!("grid, {}, of the {}", grid.basis.name(), grid.extent.name());
        facts.add(name, Some(&grid.intensity));
    }
    if let Some(mix) = &region.residual {
        let name = format!("residual mix, {} of {}", mix.year, mix.zone);
        facts.add(name, Some(&mix.intensity));
    }
    if let Some(free) = &region.carbon_free {
        let matched = if free.hourly { "hourly" } else { "annual" };
        facts.add(format!("carbon-free share, {matched}"), Some(&free.share));
    }
    let fleet = if region.pue_of_fleet { ", fleet average" } else { "" };
    facts.add(format!("PUE{fleet}"), region.pue.as_ref());
    facts.add("WUE", region.wue.as_ref());
    facts.add("electricity, industrial", region.electricity.as_ref());
    let mut about = vec![
        ("location", region.location.clone()),
        ("country", region.country.clone()),
        ("zone", region.zone.clone().unwrap_or_default()),
        ("described by", region.citation.titles()),
    ];
    about.retain(|(_, text)| !text.is_empty());
    let name = format!("{}/{}", region.provider, region.code);
    let note = "grid intensities of different bases must not be compared".to_owned();
    Card { kind: "region", name, about, facts: facts.0, note }
}

/// The card of a default. It has texts, because only the reader of a default knows its dimension.
fn default_card(default: &DefaultFigure) -> Card {
    let mut about = vec![
        ("value", default.value.clone()),
        ("low", default.low.clone()),
        ("high", default.high.clone()),
        ("source", default.citation.to_string()),
    ];
    about.retain(|(_, text)| !text.is_empty());
    let (name, note) = (default.id.clone(), default.note.clone());
    Card { kind: "default", name, about, facts: Vec::new(), note }
}

/// The card of a publication.
fn source_card(source: &Source) -> Card {
    let mut about = vec![
        ("title", source.title.clone()),
        ("reference", source.reference.clone()),
        ("date", source.as_of.map(|date| date.to_string()).unwrap_or_default()),
        ("licence", source.licence.clone()),
    ];
    about.retain(|(_, text)| !text.is_empty());
    let (name, note) = (source.id.clone(), source.note.clone());
    Card { kind: "source", name, about, facts: Vec::new(), note }
}

/// The facts of a card so far; a figure that is unknown is left out.
#[derive(Default)]
struct Facts(Vec<Fact>);

impl Facts {
    /// Adds a fact under a name, unless it is unknown.
    fn add<Q: Measure>(&mut self, name: impl Into<String>, fact: Option<&Sourced<Q>>) {
        self.0.extend(fact.map(|fact| Fact {
            step: fact.input(name).leaf().clone(),
            citation: Arc::clone(&fact.citation),
        }));
    }
}
