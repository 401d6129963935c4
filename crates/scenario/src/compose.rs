//! A file of several services: the calls that a request makes, the regions that share the requests.
//! Each service in each region becomes a scenario of its own.
//!
//! ```text
//! inference.calls      a request makes them; a service gets share x times x parallel of each
//! services.NAME        keys over this file: the service that answers some of the calls
//! inference.placement  a list: each region gets its share of the requests
//! ```
//! Calls of one service are the classes of its traffic. Places of values stay, so an error about a part
//! points at its line of the file.

mod calls;
mod regions;

use flopcast_core::diagnostic::{Error, Place, Result};
use flopcast_core::serving::calls::Graph;
use flopcast_import::document::{Key, Node, Value};

use super::file::Slo;
use super::reader;

/// A file of several services.
#[derive(Clone, Debug)]
pub struct Composition {
    /// The scenario in one line.
    pub name: String,
    /// The services by region: those of the first region first.
    pub parts: Vec<Part>,
    /// Services of a region.
    pub services: usize,
    /// The calls of a request, each of the service of that place within a region and of that class of
    /// its traffic; none where a request is one call.
    pub calls: Vec<Called>,
    /// The order of the calls.
    pub graph: Option<Graph>,
    /// Bounds on the latency of the whole request.
    pub slo: Slo,
    /// Where it turns out to be several services.
    pub place: Place,
}

/// A service in a region.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// The scenario of it alone.
    pub document: Node,
    /// The region's share of the requests.
    pub share: f64,
    /// Requests that it gets for each of the region.
    pub per_request: f64,
}

/// A call and who answers it.
#[derive(Clone, Debug)]
pub struct Called {
    /// The call's name.
    pub name: String,
    /// The service's place among those of a region.
    pub service: usize,
    /// The name of its class in the traffic of that service; none where that has one kind.
    pub class: Option<String>,
}

/// Keys that are of several services.
const SERVICES: &str = "services";
const CALLS: &str = "inference.calls";
const PLACES: &str = "inference.placement";

impl Composition {
    /// The services of a file; `None` where it is one.
    ///
    /// # Errors
    /// A call of an unknown service, calls that wait for each other, shares that are not 100 % in all.
    pub fn read(document: &Node) -> Result<Option<Self>> {
        let listed = document.at(PLACES).filter(|it| matches!(it.value, Value::List(_)));
        let calls = document.at(CALLS);
        let Some(whole) = calls.or(document.get(SERVICES)).or(listed) else { return Ok(None) };
        let place = whole.place.clone();
        if let Some(training) = document.get("training") {
            return Err(Error::input("a file of several services has no training")
                .at(Some(&training.place))
                .hint("put the training into a file of its own; `flopcast portfolio` adds both"));
        }
        let name = match document.get("name").map(|it| &it.value) {
            Some(Value::Text(name)) => name.clone(),
            _ => {
                return Err(
                    Error::input("the key `name` is missing here").at(Some(&document.place))
                );
            }
        };
        let mut base = document.clone();
        base.take(SERVICES);
        base.take(CALLS);
        let services = calls::services(document, base)?;
        let regions = listed.map(|it| regions::regions(document, it)).transpose()?;
        let slo = match document.at("inference.slo").filter(|_| services.graph.is_some()) {
            Some(slo) => of_request(reader::read(slo)?)?,
            None => Slo::default(),
        };
        let mut parts = Vec::new();
        for region in regions.unwrap_or_else(|| vec![regions::Region::whole()]) {
            for service in &services.all {
                let names = [&service.name, &region.name].map(String::as_str);
                let names = names.into_iter().filter(|it| !it.is_empty());
                let name = names.collect::<Vec<_>>().join("-");
                let mut document = service.document.clone();
                region.settle(&mut document)?;
                let requests = service.per_request * region.share;
                document.put("inference.traffic.per_request", number(requests, &place))?;
                let share = region.share;
                parts.push(Part { name, document, share, per_request: service.per_request });
            }
        }
        let calls::Services { all, calls, graph } = services;
        Ok(Some(Self { name, parts, services: all.len(), calls, graph, slo, place }))
    }
}

/// The bounds of a whole request, which has no time per output token.
fn of_request(slo: Slo) -> Result<Slo> {
    let tpot = slo.tpot.as_ref().and_then(|it| it.bounds().next());
    match tpot {
        None => Ok(slo),
        Some((_, bound)) => Err(bound
            .refuse("a request of several calls has no time per output token")
            .hint("bound it in the `slo` of the call that answers the user")),
    }
}

/// A number at a place.
fn number(value: f64, place: &Place) -> Node {
    Node { value: Value::Number(value), place: place.clone() }
}

/// A text at a place.
fn text(value: &str, place: &Place) -> Node {
    Node { value: Value::Text(value.to_owned()), place: place.clone() }
}

/// A map at a place.
fn map(entries: Vec<(&str, Node)>, place: &Place) -> Node {
    let key = |name: &str| Key { name: name.to_owned(), place: place.clone() };
    let entries = entries.into_iter().map(|(name, node)| (key(name), node)).collect();
    Node { value: Value::Map(entries), place: place.clone() }
}

/// A name as a path of the JSON has it: letters, digits, `-` and `_`.
fn plain(name: &str) -> String {
    let known = |c: char| c.is_alphanumeric() || "-_".contains(c);
    name.chars().map(|c| if known(c) { c } else { '-' }).collect()
}
