//! The services that the calls of a request need.

use flopcast_core::diagnostic::{Error, Place, Result};
use flopcast_core::serving::calls::{Call as Step, Graph};
use flopcast_import::document::{Node, Value};

use super::{CALLS, Called, SERVICES, map, number, plain, text};
use crate::file::Call;
use crate::reader::{self, Located};

/// The services, and the calls of them.
pub(super) struct Services {
    pub(super) all: Vec<Service>,
    pub(super) calls: Vec<Called>,
    pub(super) graph: Option<Graph>,
}

/// A service that answers calls.
pub(super) struct Service {
    /// Its name; empty where the file has one.
    pub(super) name: String,
    pub(super) document: Node,
    /// Calls of it in a request.
    pub(super) per_request: f64,
}

/// The name of the file's own service.
const OWN: &str = "main";

/// The most calls in a row, or at once.
const MOST: u64 = 1000;

/// Keys of `inference` that are set for the file's own model, and not for another one.
const OF_MODEL: [&str; 20] = [
    "parallelism",
    "disaggregated",
    "kv_precision",
    "max_batch",
    "max_batch_tokens",
    "kv_cache",
    "step_time",
    "max_wait",
    "prefix_cache_hit",
    "adapters",
    "speculative",
    "api",
    "refresh",
    "costs",
    "traffic.system_prompt",
    "traffic.images",
    "traffic.image_size",
    "traffic.audio",
    "traffic.steps",
    "traffic.guidance",
];

/// Keys of `inference.traffic` that are of the requests to a model, and not of calls.
const OF_REQUESTS: [&str; 4] = ["trace", "classes", "sessions", "job"];

/// The services of a document, each with the calls that it answers; the file's own where it says no
/// calls. `base` is the document without calls and services.
pub(super) fn services(document: &Node, mut base: Node) -> Result<Services> {
    let Some(listed) = document.at(CALLS) else {
        if let Some(services) = document.get(SERVICES) {
            return Err(Error::input("nothing calls these services")
                .at(Some(&services.place))
                .hint(
                    "list the calls of a request: inference.calls: [{name: ..., service: ...}]",
                ));
        }
        let all = vec![Service { name: String::new(), document: base, per_request: 1.0 }];
        return Ok(Services { all, calls: Vec::new(), graph: None });
    };
    let given: Vec<Call> = reader::read(listed)?;
    let (Value::List(nodes), Some(_)) = (&listed.value, given.first()) else {
        return Err(Error::input("a request makes at least one call").at(Some(&listed.place)));
    };
    for key in OF_REQUESTS {
        if let Some(node) = document.at(&format!("inference.traffic.{key}")) {
            return Err(Error::input(format!("`{key}` does not go with calls"))
                .at(Some(&node.place))
                .hint("give lengths to each call, and `requests` to the traffic"));
        }
    }
    let steps = steps(&given)?;
    let graph = Graph::new(steps.clone()).map_err(|circle| waiting(&given, &circle))?;
    base.take("inference.slo");
    let names: Vec<&str> = given.iter().map(service_of).collect();
    let mut known: Vec<&str> = vec![OWN];
    if let Some(Value::Map(entries)) = document.get(SERVICES).map(|it| &it.value) {
        if let Some((key, _)) = entries.iter().find(|(key, _)| key.name == OWN) {
            return Err(Error::input(format!("`{OWN}` is the file's own service"))
                .at(Some(&key.place))
                .hint("give its keys in the file itself, or another name to this one"));
        }
        if let Some((key, _)) = entries.iter().find(|(key, _)| !names.contains(&key.name.as_str()))
        {
            return Err(Error::input(format!("no call is of the service `{}`", key.name))
                .at(Some(&key.place))
                .hint("name it in a call under inference.calls, or leave it out"));
        }
        known.extend(entries.iter().map(|(key, _)| key.name.as_str()));
    }
    for call in &given {
        if let Some(name) = &call.service
            && !known.contains(&name.value.as_str())
        {
            return Err(Error::input(format!("there is no service `{}`", name.value))
                .at(Some(&name.place))
                .suggest(&name.value, known.iter().copied())
                .hint(format!("the services: {}", known.join(", "))));
        }
    }
    let asked: Vec<Asked<'_>> = given
        .iter()
        .zip(nodes)
        .zip(&steps)
        .map(|((call, node), step)| Asked { call, node, per_request: step.per_request() })
        .collect();
    let called: Vec<&str> =
        known.iter().copied().filter(|service| names.contains(service)).collect();
    let all: Vec<Service> =
        called.iter().map(|name| service(name, document, &base, &asked)).collect::<Result<_>>()?;
    let at = |name: &str| called.iter().position(|it| *it == name).unwrap_or_default();
    let calls = given.iter().map(|call| {
        let service = service_of(call);
        let single = names.iter().filter(|it| **it == service).count() == 1;
        let name = call.name.value.clone();
        Called { class: (!single).then(|| name.clone()), name, service: at(service) }
    });
    Ok(Services { calls: calls.collect(), graph: Some(graph), all })
}

/// A call with its node, and how often a request makes it.
#[derive(Clone, Copy)]
struct Asked<'a> {
    call: &'a Call,
    node: &'a Node,
    per_request: f64,
}

/// The name of the service that answers a call.
fn service_of(call: &Call) -> &str {
    call.service.as_ref().map_or(OWN, |it| it.value.as_str())
}

/// The calls with what they wait for by place.
fn steps(given: &[Call]) -> Result<Vec<Step>> {
    let known = || given.iter().map(|it| it.name.value.as_str());
    let number = |given: &Option<Located<u64>>| match given {
        None => Ok(1),
        Some(it) if (1..=MOST).contains(&it.value) => Ok(it.value as u32),
        Some(it) => Err(Error::input(format!("{} is not from 1 to {MOST}", it.value))
            .at(Some(&it.place))
            .hint("calls that some requests make have a `share`")),
    };
    let mut steps = Vec::new();
    for (at, call) in given.iter().enumerate() {
        let name = &call.name;
        if known().take(at).any(|it| it == name.value) {
            return Err(Error::input(format!("two calls are named `{}`", name.value))
                .at(Some(&name.place))
                .hint("the answer tells calls apart by name"));
        }
        let place = |wanted: &Located<String>| {
            known().position(|it| it == wanted.value).ok_or_else(|| {
                Error::input(format!("there is no call `{}`", wanted.value))
                    .at(Some(&wanted.place))
                    .suggest(&wanted.value, known())
            })
        };
        let after = match &call.after {
            Some(names) => names.iter().map(place).collect::<Result<_>>()?,
            None => at.checked_sub(1).into_iter().collect(),
        };
        let share = call.share.as_ref().map_or(1.0, |it| it.spread.central().get());
        if let Some(given) = call.share.as_ref().filter(|_| share <= 0.0) {
            return Err(given.refuse("no request makes this call").hint("leave the call out"));
        }
        let (times, parallel) = (number(&call.times)?, number(&call.parallel)?);
        steps.push(Step { after, share, times, parallel });
    }
    Ok(steps)
}

/// The error of calls that wait for each other.
fn waiting(given: &[Call], circle: &[usize]) -> Error {
    let name = |at: &usize| given[*at].name.value.as_str();
    let around = circle.iter().chain(circle.first()).map(name).collect::<Vec<_>>().join(" -> ");
    let place: Option<&Place> = circle.first().map(|at| &given[*at].name.place);
    Error::input(format!("calls wait for each other: {around}"))
        .at(place)
        .hint("`after` names calls that end before; leave one of them out")
}

/// The scenario of a service: what the file says, under what it says of the service, with the calls
/// as its requests.
fn service(name: &str, document: &Node, base: &Node, asked: &[Asked<'_>]) -> Result<Service> {
    let mut own = base.clone();
    let over = document.get(SERVICES).and_then(|it| it.get(name));
    if let Some(over) = over {
        if over.get("model").is_some() {
            own.take("model");
            own.take("compress");
            for key in OF_MODEL {
                own.take(&format!("inference.{key}"));
            }
        }
        if over.at("inference.hardware").is_some() {
            own.take("inference.hardware");
            own.take("inference.parallelism");
        }
        own = over.clone().over(own);
    }
    let mine: Vec<Asked<'_>> =
        asked.iter().copied().filter(|it| service_of(it.call) == name).collect();
    let per_request = mine.iter().map(|it| it.per_request).sum::<f64>();
    let traffic = |own: &mut Node, key: &str| own.take(&format!("inference.traffic.{key}"));
    let usual = ["input_tokens", "output_tokens"].map(|key| traffic(&mut own, key));
    let title = match document.get("name").map(|it| &it.value) {
        Some(Value::Text(title)) => format!("{title}: {name}"),
        _ => name.to_owned(),
    };
    let place = document.place.clone();
    own.put("name", text(&title, &place))?;
    match mine.as_slice() {
        [one] => {
            for (key, node) in lengths(one, &usual) {
                own.put(&format!("inference.traffic.{key}"), node)?;
            }
            for key in ["prefix_cache_hit", "slo"] {
                if let Some(node) = one.node.get(key) {
                    own.put(&format!("inference.{key}"), node.clone())?;
                }
            }
        }
        several => {
            let classes = several.iter().map(|it| {
                let at = &it.node.place;
                let share = number(it.per_request / per_request, at);
                let mut class = vec![("name", text(&it.call.name.value, at)), ("share", share)];
                class.extend(lengths(it, &usual));
                for key in ["prefix_cache_hit", "slo"] {
                    class.extend(it.node.get(key).map(|node| (key, node.clone())));
                }
                map(class, at)
            });
            let classes = Node { value: Value::List(classes.collect()), place };
            own.put("inference.traffic.classes", classes)?;
        }
    }
    Ok(Service { name: plain(name), document: own, per_request })
}

/// The lengths of a call; those of the traffic where it has none.
fn lengths(of: &Asked<'_>, usual: &[Option<Node>; 2]) -> Vec<(&'static str, Node)> {
    let [input, output] = ["input_tokens", "output_tokens"].map(|key| of.node.get(key).cloned());
    let output = match &input {
        Some(_) => output,
        None => output.or_else(|| usual[1].clone()),
    };
    let input = input.or_else(|| usual[0].clone());
    let named = [("input_tokens", input), ("output_tokens", output)];
    named.into_iter().filter_map(|(key, node)| Some((key, node?))).collect()
}
