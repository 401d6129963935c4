//! The live sources: the requests to each, and the way from its answer to rows. One file serves one
//! service.
//!
//! A feed turns its answer into rows of one of the catalog's tables, in the units of that table's
//! columns. It refuses an answer in another currency or unit instead of converting by a guess,
//! leaves out products that the catalog does not know, and treats a missing or non-positive number
//! as a gap.

mod aws;
mod azure;
mod carbon;
mod eia;
mod ember;
mod gcp;
mod gpu_clouds;
mod litellm;
mod skypilot;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use flopcast_core::catalog::Catalog;
use flopcast_core::diagnostic::{Error, Result};

use super::Key;
use super::sheet::{Sheet, priced_regions};
use super::transport::{Answer, Server};

/// A live source.
pub struct Feed {
    /// Its name on the command line; in capitals, it is part of the names of its variables.
    pub name: &'static str,
    /// Its publication.
    pub title: &'static str,
    /// Terms under which its figures may be used.
    pub licence: &'static str,
    /// Its address, unless `FLOPCAST_<NAME>_BASE` has another.
    pub base: &'static str,
    /// The place of the key of `FLOPCAST_<NAME>_KEY` in a request, if it needs one.
    pub key: Option<Key>,
    /// The parts of a refresh, each of which is asked for on its own.
    pub(super) parts: fn(&Scope<'_>) -> Vec<String>,
    /// Asks for one part.
    pub(super) read: fn(&Session<'_>, &str) -> Result<Answer<Sheet>>,
}

/// The scope of a refresh.
pub(super) struct Scope<'a> {
    /// The catalog whose products and regions are asked for.
    pub catalog: &'a Catalog,
    /// Regions and zones that the user named; none means all that make sense.
    pub regions: &'a [String],
}

/// A session with a source during a refresh.
pub(super) struct Session<'a> {
    /// The server that is asked.
    pub server: Server<'a>,
    /// The catalog that translates names into those of our tables.
    pub catalog: &'a Catalog,
    /// The time of the refresh, which dates the rows.
    pub now: DateTime<Utc>,
    /// The server's tag of the copy at hand.
    pub etag: Option<String>,
}

/// Every source. If two list the same price on the same day, the later one here counts: the
/// provider itself comes after a collection.
pub const FEEDS: &[Feed] = &[
    Feed {
        name: "skypilot",
        title: "SkyPilot catalog v8, list prices",
        licence: "list prices (facts)",
        base: "https://raw.githubusercontent.com/skypilot-org/skypilot-catalog/master/catalogs/v8",
        key: None,
        parts: |_| skypilot::CLOUDS.iter().map(|cloud| (*cloud).to_owned()).collect(),
        read: skypilot::read,
    },
    Feed {
        name: "azure",
        title: "Azure Retail Prices API",
        licence: "list prices (facts)",
        base: "https://prices.azure.com",
        key: None,
        parts: |scope| scope.regions_of("azure"),
        read: azure::read,
    },
    Feed {
        name: "aws",
        title: "AWS Price List, bulk files of EC2",
        licence: "list prices (facts)",
        base: "https://pricing.us-east-1.amazonaws.com",
        key: None,
        parts: |scope| scope.regions_of("aws"),
        read: aws::read,
    },
    Feed {
        name: "gcp",
        title: "Google Cloud Billing Catalog API, Compute Engine",
        licence: "list prices (facts)",
        base: "https://cloudbilling.googleapis.com",
        key: Some(Key::Query("key")),
        parts: whole,
        read: gcp::read,
    },
    Feed {
        name: "lambda",
        title: "Lambda Cloud API, instance types",
        licence: "list prices (facts)",
        base: "https://cloud.lambdalabs.com",
        key: Some(Key::Bearer),
        parts: whole,
        read: gpu_clouds::lambda,
    },
    Feed {
        name: "runpod",
        title: "RunPod API, GPU types",
        licence: "list prices (facts)",
        base: "https://api.runpod.io",
        key: None,
        parts: whole,
        read: gpu_clouds::runpod,
    },
    Feed {
        name: "vast",
        title: "Vast.ai API, verified offers",
        licence: "list prices (facts)",
        base: "https://console.vast.ai",
        key: None,
        parts: whole,
        read: gpu_clouds::vast,
    },
    Feed {
        name: "electricity-maps",
        title: "Electricity Maps API, carbon intensity",
        licence: "terms of the key's plan",
        base: "https://api.electricitymaps.com",
        key: Some(Key::Header("auth-token")),
        parts: |scope| scope.zones(|zones| zones.electricity_maps),
        read: carbon::electricity_maps,
    },
    Feed {
        name: "watttime",
        title: "WattTime API, marginal emissions forecast",
        licence: "terms of the key's plan",
        base: "https://api.watttime.org",
        key: Some(Key::Login),
        parts: |scope| scope.zones(|zones| zones.watttime),
        read: carbon::watttime,
    },
    Feed {
        name: "gb-carbon-intensity",
        title: "National Energy System Operator, Carbon Intensity API for Great Britain",
        licence: "CC BY 4.0 (recalled)",
        base: "https://api.carbonintensity.org.uk",
        key: None,
        parts: whole,
        read: carbon::great_britain,
    },
    Feed {
        name: "eia",
        title: "US EIA API v2, industrial price of electricity by state",
        licence: "public domain (US federal)",
        base: "https://api.eia.gov",
        key: Some(Key::Query("api_key")),
        parts: whole,
        read: eia::read,
    },
    Feed {
        name: "ember",
        title: "Ember API, yearly carbon intensity of electricity",
        licence: "CC BY 4.0",
        base: "https://api.ember-energy.org",
        key: Some(Key::Query("api_key")),
        parts: whole,
        read: ember::read,
    },
    Feed {
        name: "litellm",
        title: "LiteLLM, model prices",
        licence: "MIT (recalled)",
        base: "https://raw.githubusercontent.com/BerriAI/litellm/main",
        key: None,
        parts: whole,
        read: litellm::read,
    },
];

/// The source of a name.
///
/// # Errors
/// If it is unknown, with the nearest names.
pub fn feed(name: &str) -> Result<&'static Feed> {
    FEEDS.iter().find(|feed| feed.name == name).ok_or_else(|| {
        let names: Vec<_> = FEEDS.iter().map(|feed| feed.name).collect();
        Error::input(format!("there is no live source `{name}`"))
            .suggest(name, names.iter().copied())
            .hint(format!("there are {}", names.join(", ")))
    })
}

impl Feed {
    /// The variable that holds its key, or overrides its address.
    pub fn variable(&self, what: &str) -> String {
        format!("FLOPCAST_{}_{what}", self.name.replace('-', "_").to_uppercase())
    }
}

/// A source that is asked for everything at once.
fn whole(_: &Scope<'_>) -> Vec<String> {
    vec!["all".to_owned()]
}

impl Scope<'_> {
    /// The regions of a provider that have prices: those that the user named, or all.
    fn regions_of(&self, provider: &str) -> Vec<String> {
        if self.regions.is_empty() {
            return priced_regions(self.catalog, provider);
        }
        let known: BTreeSet<&str> = self.catalog.regions_of(provider).collect();
        let own = self.regions.iter().map(|name| {
            name.strip_prefix(provider).and_then(|rest| rest.strip_prefix('/')).unwrap_or(name)
        });
        own.filter(|name| known.contains(name)).map(str::to_owned).collect()
    }

    /// A service's names of the zones that the user named, or of the zones of the regions that the
    /// user named.
    fn zones(
        &self,
        of: fn(flopcast_core::catalog::SignalZones<'_>) -> Option<&str>,
    ) -> Vec<String> {
        let mut zones = BTreeSet::new();
        for place in self.catalog.signal_zones() {
            let Some(zone) = of(place) else { continue };
            let names = [zone, place.region, &format!("{}/{}", place.provider, place.region)];
            if self.regions.iter().any(|region| names.contains(&region.as_str())) {
                zones.insert(zone.to_owned());
            }
        }
        zones.into_iter().collect()
    }
}

/// The pages of a list that were followed; a page that occurs twice is a loop.
struct Pages {
    /// The source's name, for errors.
    source: &'static str,
    /// The pages so far.
    seen: BTreeSet<String>,
}

/// The most pages of a list; one that goes on is faulty.
const MOST_PAGES: usize = 2000;
/// The longest link from a page to the next, in bytes.
const LONGEST_LINK: usize = 4096;

impl Pages {
    fn new(source: &'static str) -> Self {
        Self { source, seen: BTreeSet::new() }
    }

    /// Notes a page, unless it occurred before or there are too many.
    fn enter(&mut self, page: &str) -> Result<()> {
        let name = self.source;
        if page.len() > LONGEST_LINK {
            return Err(Error::live(format!("{name}: the link to its next page has no end")));
        }
        if !self.seen.insert(page.to_owned()) {
            return Err(Error::live(format!("{name}: a page of its list leads back to itself")));
        }
        if self.seen.len() > MOST_PAGES {
            return Err(Error::live(format!("{name}: its list has over {MOST_PAGES} pages")));
        }
        Ok(())
    }
}

/// A fault of a CSV table as an error of reading.
fn csv_fault(error: csv::Error) -> std::io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => std::io::Error::new(std::io::ErrorKind::InvalidData, format!("{other:?}")),
    }
}

/// An error of reading: the data is not as expected.
fn invalid(message: String) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, message)
}
