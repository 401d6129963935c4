//! Spellings that people type where a scenario has another word: keys by their usual names
//! elsewhere, words in capitals, a device with its count in one text. Each is read, and said.

mod amounts;
mod formats;
mod hardware;
mod places;
mod steps;
mod table;
mod users;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use flopcast_core::diagnostic::Place;
use flopcast_core::quantity::Precision;
use flopcast_import::document::{Key, Node, Value};
use flopcast_import::job::Told;

use self::hardware::{count_and_device, hardware, link, machines, nodes, shared_link};
use self::places::{located, place};
pub(crate) use self::steps::{in_tokens, said};
use self::table::{KEYS, OTHERWISE, RUN, Row, SECTIONS, SERVED, SHARDING, UNREAD, WORDS};

/// Puts what people type into the scenario's own words; says each that it read so.
pub fn respell(document: &mut Node) -> Vec<String> {
    let mut notes = respell_keys(document);
    steps::respell(document, &mut notes);
    notes
}

/// The same, but for steps and batches in sequences: their length may be set yet.
pub fn respell_keys(document: &mut Node) -> Vec<String> {
    let mut notes = Vec::new();
    alone(document, &mut notes);
    served(document, &mut notes);
    nodes(document, &mut notes);
    kv_format(document, &mut notes);
    owned(document, &mut notes);
    layout(document, &mut notes);
    promises(document, &mut notes);
    for (path, spelt) in TEXTS {
        texts(document, path, *spelt, &mut notes);
    }
    for (path, spelt) in NUMBERS {
        number(document, path, *spelt, &mut notes);
    }
    for row in KEYS {
        for section in row.sections {
            rename(document, row.typed, row, section, &mut notes);
        }
    }
    amounts::respell(document, &mut notes);
    users::respell(document, &mut notes);
    for (section, names) in UNREAD {
        for typed in typed_in(document, section, names) {
            if document.take(&typed).is_some() {
                notes.push(format!("`{typed}` as nothing, for it changes no figure"));
            }
        }
    }
    for (section, key) in SECTIONS {
        widen(document, section, key, &mut notes);
    }
    for path in WORDS {
        lower(document, path, &mut notes);
    }
    machines(document, &mut notes);
    shared_link(document, &mut notes);
    for section in ["placement", "inference.placement"] {
        located(document, section, &mut notes);
    }
    notes
}

/// Every path of another spelling, in their order.
static TYPED: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let of_row = |row: &'static Row| {
        let names = move |section: &'static str| {
            row.typed.iter().map(move |name| join(section, name)).filter(|path| *path != row.key)
        };
        row.sections.iter().copied().flat_map(names)
    };
    KEYS.iter().flat_map(of_row).collect()
});

/// True if what is set at a path may be of another spelling.
pub fn concerns(path: &str) -> bool {
    let inside = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let dots = path.match_indices('.').map(|(at, _)| at);
    let mut around = dots.chain([path.len()]).map(|at| &path[..at]);
    let section = format!("{path}.");
    let mut below = TYPED.range(section.clone()..);
    let sections = SECTIONS.iter().map(|(section, _)| *section);
    around.any(|path| TYPED.contains(path))
        || below.next().is_some_and(|typed| typed.starts_with(&section))
        || sections.chain(WORDS.iter().copied()).any(|known| inside(known, path))
}

/// The devices and the place that assignments set: `training.hardware=64xH100`, `gpus=8`.
pub fn told(assignments: &[String]) -> Told {
    let mut node = Node { value: Value::Map(Vec::new()), place: Place::default() };
    for assignment in assignments {
        // What is no assignment is refused where it is set.
        let _ = node.set(assignment);
    }
    respell(&mut node);
    let devices = match node.at("training.hardware.count").map(|node| &node.value) {
        Some(Value::Number(count)) if *count >= 1.0 && count.fract() == 0.0 && *count < 1e15 => {
            Some(*count as u64)
        }
        _ => None,
    };
    let sections = ["training", "inference"];
    let name = |section| match &node.at(&format!("{section}.hardware.accelerator"))?.value {
        Value::Text(name) => Some(name.clone()),
        _ => None,
    };
    Told {
        devices,
        accelerator: sections.into_iter().find_map(name),
        placed: node.at("placement").is_some(),
    }
}

/// The key that a path of another spelling means in a document: `training.hardware.count` for `gpus`, or
/// that of the service in a document about a service alone.
pub fn meaning(path: &str, document: &Node) -> Option<&'static str> {
    let typed = |row: &&Row, path: &str| {
        let of = |section: &&str| row.typed.iter().any(|name| join(section, name) == path);
        path != row.key && row.sections.iter().any(of)
    };
    let key = |path: &str| KEYS.iter().find(|row| typed(row, path)).map(|row| row.key);
    let of_service = document.at("inference").is_some() && document.at("training").is_none();
    match key(path) {
        Some(run) if of_service && run.starts_with("training.") => {
            key(&join("inference", path)).or(Some(run))
        }
        meant => meant,
    }
}

/// A device and how many of it, as a scenario reads them: `8 H100s`, `H100:8`, `a100x8`.
pub fn devices(text: &str) -> Option<(f64, String)> {
    count_and_device(text)
}

/// The word that a scenario has at a key for one that is typed there: `aws` for `Amazon`.
pub fn word(key: &str, typed: &str) -> String {
    let place = Place::default();
    let mut node = Node { value: Value::Map(Vec::new()), place: place.clone() };
    let _ = node.put(key, Node { value: Value::Text(typed.to_owned()), place });
    respell(&mut node);
    match node.at(key).map(|node| &node.value) {
        Some(Value::Text(word)) => word.clone(),
        _ => typed.to_owned(),
    }
}

/// The keys that an assignment sets in a document, whatever words it is typed in.
pub fn set_by(assignment: &str, document: &Node) -> Vec<String> {
    let place = Place::default();
    let empty = || Node { value: Value::Map(Vec::new()), place: place.clone() };
    let mut alone = empty();
    for section in ["training", "inference"] {
        if document.at(section).is_some() {
            let _ = alone.put(section, empty());
        }
    }
    // What is no assignment is refused where it is set.
    let _ = alone.set(assignment);
    respell(&mut alone);
    let mut keys = Vec::new();
    leaves(&alone, "", &mut keys);
    keys
}

/// The paths of all values.
fn leaves(node: &Node, path: &str, found: &mut Vec<String>) {
    match &node.value {
        Value::Map(entries) => {
            for (key, value) in entries {
                leaves(value, &join(path, &key.name), found);
            }
        }
        _ => found.push(path.to_owned()),
    }
}

/// The path of a key in a section.
fn join(section: &str, name: &str) -> String {
    if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") }
}

/// The paths of the keys of a section that have one of these names, whatever their capitals.
fn typed_in(document: &Node, section: &str, names: &[&str]) -> Vec<String> {
    let node = if section.is_empty() { Some(document) } else { document.at(section) };
    let Some(Value::Map(entries)) = node.map(|node| &node.value) else { return Vec::new() };
    let here = entries.iter().filter(|(key, _)| names.iter().any(|name| is_typed(&key.name, name)));
    // A dotted path cannot name a key that has a dot itself.
    let named = here.filter(|(key, _)| !key.name.contains('.'));
    named.map(|(key, _)| join(section, &key.name)).collect()
}

/// True if a key is a name of the tables but for capitals and the marks between its words.
fn is_typed(key: &str, name: &str) -> bool {
    let plain = |byte: u8| match byte {
        b'-' | b' ' => b'_',
        _ => byte.to_ascii_lowercase(),
    };
    key.len() == name.len() && key.bytes().map(plain).eq(name.bytes())
}

/// A text as a value that stands where another one stood.
fn text_like(node: &Node, text: impl Into<String>) -> Node {
    Node { value: Value::Text(text.into()), place: node.place.clone() }
}

/// Gives the keys of a section that have one of these names the name that a row says they mean.
fn rename(document: &mut Node, names: &[&str], row: &Row, section: &str, notes: &mut Vec<String>) {
    for typed in typed_in(document, section, names) {
        if typed == row.key || document.at(row.key).is_some() {
            continue;
        }
        let Some(value) = document.take(&typed) else { continue };
        let meant = meant(&value, row);
        if matches!(value.value, Value::Bool(false)) && !row.key.ends_with("zero") {
            notes.push(format!("`{typed}: false` as nothing"));
            continue;
        }
        let puts = hardware(document, row.key, &value)
            .unwrap_or_else(|| vec![(row.key.to_owned(), meant)]);
        let said = |(key, node): &(String, Node)| match (&value.value, &node.value) {
            (Value::Text(was), Value::Text(is)) if was != is => format!("`{key}: {is}`"),
            _ => format!("`{key}`"),
        };
        let said = puts.iter().map(said).collect::<Vec<_>>().join(" and ");
        // A service that says a part of its place has the rest of it from the document's.
        if row.key.starts_with("inference.placement.")
            && document.at("inference.placement").is_none()
            && let Some(whole) = document.at("placement").cloned()
        {
            let _ = document.put("inference.placement", whole);
        }
        // A plan by its name makes room for a price.
        if let Some(terms) = row.key.strip_suffix(".price")
            && let Some(plan @ Node { value: Value::Text(_), .. }) = document.at(terms).cloned()
        {
            document.take(terms);
            let _ = document.put(&join(terms, "plan"), plan);
        }
        if puts.into_iter().all(|(key, node)| document.put(&key, node).is_ok()) {
            notes.push(format!("`{typed}` as {said}"));
        } else {
            // Where it does not fit, the reader says what is wrong with it as typed.
            let _ = document.put(&typed, value);
        }
    }
}

/// The value that a typed one means: with the unit of the key, by the word for a switch.
fn meant(value: &Node, row: &Row) -> Node {
    match &value.value {
        Value::Number(number) if !row.unit.is_empty() => {
            text_like(value, format!("{number}{}", row.unit))
        }
        // What people name a price beside a device is that of one device.
        Value::Text(text) if last(row.key) == "price" => {
            let (amount, of) = text.split_once('/').unwrap_or((text, "h"));
            match of.trim().to_lowercase().as_str() {
                "h" | "hr" | "hour" => text_like(value, format!("{}/device-h", amount.trim())),
                _ => value.clone(),
            }
        }
        Value::Text(text) if row.key == "placement.grid" => {
            text_like(value, text.replace("CO2/", "CO2e/"))
        }
        Value::Text(text) if last(row.key) == "region" => text_like(value, region(text)),
        Value::Bool(true) if row.key.ends_with("recompute") => text_like(value, "full"),
        Value::Bool(true) if row.key.ends_with("purchase") => text_like(value, "spot"),
        _ => value.clone(),
    }
}

/// The region of a zone: `us-central1` of `us-central1-a`, `us-east-1` of `us-east-1a`.
fn region(text: &str) -> String {
    let zone = |rest: &str| rest.ends_with(|c: char| c.is_ascii_digit()) && rest.contains('-');
    let bare = text.strip_suffix(|c: char| c.is_ascii_lowercase()).unwrap_or(text);
    let bare = bare.strip_suffix('-').unwrap_or(bare);
    if zone(bare) { bare.to_owned() } else { text.to_owned() }
}

/// What a text means.
type Meaning = fn(&str) -> String;

/// A provider's region with the dashes that it has; codes in capitals keep theirs (`OWID_EU27`).
fn dashed(region: &str) -> String {
    let own = region.starts_with(|c: char| c.is_ascii_lowercase());
    if own { region.replace('_', "-") } else { region.to_owned() }
}

/// Values of which a part is spelled otherwise, each by its path.
const TEXTS: &[(&str, Meaning)] = &[
    ("inference.traffic.requests", rate),
    ("placement.region", dashed),
    ("inference.placement.region", dashed),
    ("training.hardware.network", link),
    ("training.deadline", |text| text.strip_prefix("in ").unwrap_or(text).to_owned()),
    ("model", |text| text.replace(" billion", "B").replace(" million", "M")),
];

/// What a bare number means; none where it means nothing else.
type Unit = fn(f64) -> Option<String>;

/// Bare numbers whose unit nobody doubts, each by its path.
const NUMBERS: &[(&str, Unit)] = &[
    ("finance.horizon", |years| Some(format!("{years} years"))),
    ("placement.owned.amortisation", |years| Some(format!("{years} years"))),
    ("inference.placement.owned.amortisation", |years| Some(format!("{years} years"))),
    // No device has a server of less.
    ("placement.owned.power", kilowatts),
    ("inference.placement.owned.power", kilowatts),
    // No grid is below 3 g or above 3 kg.
    ("placement.grid", |grid| (grid > 0.0 && grid < 3.0).then(|| format!("{grid} kgCO2e/kWh"))),
];

/// A contracted power of a device: in kW, where it is too small for W.
fn kilowatts(power: f64) -> Option<String> {
    (power > 0.0 && power < 20.0).then(|| format!("{power} kW"))
}

/// Gives a bare number its unit.
fn number(document: &mut Node, path: &str, spelt: Unit, notes: &mut Vec<String>) {
    let Some(node) = document.at(path) else { return };
    let Value::Number(number) = node.value else { return };
    if let Some(text) = spelt(number) {
        notes.push(format!("`{path}: {number}` as `{text}`"));
        let value = text_like(node, text);
        let _ = document.put(path, value);
    }
}

/// Puts a text into the scenario's spelling.
fn texts(document: &mut Node, path: &str, spelt: fn(&str) -> String, notes: &mut Vec<String>) {
    let Some(node) = document.at(path) else { return };
    let Value::Text(typed) = &node.value else { return };
    let word = spelt(typed);
    if word != *typed {
        notes.push(format!("`{path}: {typed}` as `{word}`"));
        let value = text_like(node, word);
        let _ = document.put(path, value);
    }
}

/// A model that is only named, in a map of its own: `model: {name: ...}`.
fn alone(document: &mut Node, notes: &mut Vec<String>) {
    let Some(Value::Map(entries)) = document.at("model").map(|model| &model.value) else { return };
    let [(key, value)] = entries.as_slice() else { return };
    let names = ["name", "id", "preset", "hf", "hub", "path"];
    if !names.contains(&key.name.as_str()) || !matches!(value.value, Value::Text(_)) {
        return;
    }
    let (typed, value) = (key.name.clone(), value.clone());
    if document.put("model", value).is_ok() {
        notes.push(format!("`model.{typed}` as `model`"));
    }
}

/// Puts words of the document itself into the service, where it says nothing of a run: those that
/// services alone have, and then those that runs have too (`gpus`, `tp`, `batch_size`, `dtype`).
fn served(document: &mut Node, notes: &mut Vec<String>) {
    let of_services = || KEYS.iter().filter(|row| row.key.starts_with("inference."));
    for row in KEYS.iter().filter(|row| row.sections == [""] && row.key.starts_with("inference")) {
        rename(document, row.typed, row, "", notes);
    }
    let has = |names: &[&str]| !typed_in(document, "", names).is_empty();
    let of_runs =
        |row: &&Row| row.sections.contains(&"") && RUN.iter().any(|it| row.key.starts_with(it));
    let run = has(&["training", "train", "data"])
        || KEYS.iter().filter(of_runs).any(|row| has(row.typed));
    let asks = |row: &Row| has(row.typed) || has(&[last(row.key)]);
    let load = |row: &&Row| row.sections.contains(&"inference.traffic");
    let service = document.at("inference").is_some() || of_services().filter(load).any(asks);
    if run || !service {
        return;
    }
    for key in SERVED {
        let own = Row { sections: &[""], typed: &[], key, unit: "" };
        rename(document, &[last(key)], &own, "", notes);
    }
    let inside = ["inference", "inference.traffic", "inference.slo"];
    for row in of_services().filter(|row| row.sections.iter().any(|it| inside.contains(it))) {
        rename(document, row.typed, row, "", notes);
        rename(document, &[last(row.key)], row, "", notes);
    }
}

/// The last name of a path.
fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// A cache that is named by its number format.
fn kv_format(document: &mut Node, notes: &mut Vec<String>) {
    let Some(node) = document.at("inference.kv_cache") else { return };
    let Value::Text(text) = &node.value else { return };
    if Precision::named(&text.trim().to_lowercase()).is_none() {
        return;
    }
    if let Some(value) = document.take("inference.kv_cache")
        && document.put("inference.kv_precision", value).is_ok()
    {
        notes.push("`inference.kv_cache` as `inference.kv_precision`".to_owned());
    }
}

/// Devices that are bought, not rented, said as the way of a purchase.
fn owned(document: &mut Node, notes: &mut Vec<String>) {
    let is_owned = |document: &Node, path: &str| match document.at(path).map(|node| &node.value) {
        Some(Value::Text(text)) => {
            let plain = text.trim().to_lowercase();
            otherwise(OTHERWISE, &plain).unwrap_or(&plain) == "owned"
        }
        _ => false,
    };
    for place in ["placement", "inference.placement"] {
        let [provider, purchase] = ["provider", "purchase"].map(|key| join(place, key));
        let elsewhere = document.at(&provider).is_some() && !is_owned(document, &provider);
        if elsewhere || !is_owned(document, &purchase) {
            continue;
        }
        if let Some(value) = document.take(&purchase)
            && document.put(&provider, value).is_ok()
        {
            notes.push(format!("`{purchase}: owned` as `{provider}: owned`"));
        }
    }
}

/// The word that a table has for one in lower case.
fn otherwise(table: &[(&str, &'static str)], plain: &str) -> Option<&'static str> {
    let spaced = plain.replace(['-', '_'], " ");
    let other = table.iter().find(|(other, _)| *other == plain || *other == spaced);
    other.map(|(_, word)| *word)
}

/// A layout in one text: `tp8pp4`, `TP=8, PP=4`.
fn layout(document: &mut Node, notes: &mut Vec<String>) {
    for section in ["training.parallelism", "inference.parallelism"] {
        let Some(node) = document.at(section) else { continue };
        let Value::Text(text) = &node.value else { continue };
        let degrees = [
            ("tp", "tensor"),
            ("pp", "pipeline"),
            ("dp", "data"),
            ("cp", "context"),
            ("ep", "expert"),
        ];
        let lower = text.to_lowercase();
        let mut rest = lower.trim_start();
        let mut entries = Vec::new();
        while let Some((word, key)) = degrees.iter().find(|(word, _)| rest.starts_with(word)) {
            rest = rest[word.len()..].trim_start_matches(['=', ':', ' ', '-']);
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let Ok(degree) = rest[..digits].parse::<f64>() else { break };
            rest = rest[digits..].trim_start_matches([',', ' ', '-', '_', 'x', '+', ';']);
            let key = Key { name: (*key).to_owned(), place: node.place.clone() };
            entries.push((key, Node { value: Value::Number(degree), place: node.place.clone() }));
        }
        if rest.is_empty() && !entries.is_empty() {
            let place = node.place.clone();
            notes.push(format!("`{section}: {text}` as its degrees"));
            let _ = document.put(section, Node { value: Value::Map(entries), place });
        }
    }
}

/// Promises with their percentile or their unit in the key: `ttft_p95`, `tpot_ms`.
fn promises(document: &mut Node, notes: &mut Vec<String>) {
    let Some(Value::Map(entries)) = document.at("inference.slo").map(|slo| &slo.value) else {
        return;
    };
    let found: Vec<(String, String, String, String)> = entries
        .iter()
        .filter(|(key, _)| !key.name.contains('.'))
        .filter_map(|(key, _)| {
            let lower = key.name.to_lowercase();
            let mut words = lower.split('_');
            let promise = words.next().filter(|it| ["ttft", "tpot", "e2e"].contains(it))?;
            let (mut percentile, mut unit) = ("p95".to_owned(), String::new());
            let mut any = promise != key.name;
            for word in words {
                match word {
                    "ms" | "s" => word.clone_into(&mut unit),
                    _ if word.starts_with('p') && word[1..].parse::<u8>().is_ok() => {
                        word.clone_into(&mut percentile);
                    }
                    _ => return None,
                }
                any = true;
            }
            any.then(|| (key.name.clone(), promise.to_owned(), percentile, unit))
        })
        .collect();
    for (typed, promise, percentile, unit) in found {
        let typed = format!("inference.slo.{typed}");
        let key = format!("inference.slo.{promise}.{percentile}");
        let Some(value) = document.take(&typed) else { continue };
        let meant = match (&value.value, unit.as_str()) {
            (Value::Number(number), "") => text_like(&value, number.to_string()),
            (Value::Number(number), unit) => text_like(&value, format!("{number} {unit}")),
            _ => value.clone(),
        };
        if document.put(&key, meant).is_ok() {
            notes.push(format!("`{typed}` as `{key}`"));
        } else {
            let _ = document.put(&typed, value);
        }
    }
}

/// Makes a section of the single value that stands for it.
fn widen(document: &mut Node, section: &str, key: &str, notes: &mut Vec<String>) {
    // A purchase is a plan by its name, be it `1 year`, or a price.
    let is_amount = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_digit() || c == '$')
            && otherwise(OTHERWISE, &text.trim().to_lowercase()).is_none()
    };
    let named = |text: &str| text == "auto" || section.ends_with("purchase") && !is_amount(text);
    let is_scalar = |node: &&Node| {
        matches!(&node.value, Value::Text(text) if !named(text))
            || matches!(node.value, Value::Number(_))
    };
    if !document.at(section).is_some_and(|node| is_scalar(&node)) {
        return;
    }
    let Some(value) = document.take(section) else { return };
    let entry = |name: &str, value: Node| {
        (Key { name: name.to_owned(), place: value.place.clone() }, value)
    };
    let counted = match &value.value {
        Value::Text(text) if key == "accelerator" => count_and_device(text),
        _ => None,
    };
    if let (Value::Text(text), "placement") = (&value.value, section) {
        place(document, text, &value, notes);
        return;
    }
    let value = match &value.value {
        Value::Text(text) if section == "inference.traffic" => text_like(&value, rate(text)),
        _ => value,
    };
    let place = value.place.clone();
    let (entries, said) = match counted {
        Some((count, device)) => {
            let text =
                |text: &str| Node { value: Value::Text(text.to_owned()), place: place.clone() };
            let count_node = Node { value: Value::Number(count), place: place.clone() };
            let said = format!("`{section}` as `{{count: {count}, accelerator: {device}}}`");
            (vec![entry("count", count_node), entry("accelerator", text(&device))], said)
        }
        None => (vec![entry(key, value.clone())], format!("`{section}` as `{section}.{key}`")),
    };
    if document.put(section, Node { value: Value::Map(entries), place }).is_ok() {
        notes.push(said);
    }
}

/// A rate without the words around it: `1000/minute` of `1000 requests per minute`.
fn rate(text: &str) -> String {
    let lower = text.to_lowercase();
    let bare = lower.replace("requests", "").replace("queries", "").replace(" per ", "/");
    let words: Vec<&str> = bare.split_whitespace().collect();
    if lower.contains(" per ") { words.join(" ").replace(" /", "/") } else { text.to_owned() }
}

/// A word in lower case, or by the name that it has here.
fn lower(document: &mut Node, path: &str, notes: &mut Vec<String>) {
    let Some(node) = document.at(path) else { return };
    let typed = match &node.value {
        Value::Text(typed) => typed.clone(),
        Value::Bool(switch) if path.ends_with("zero") => switch.to_string(),
        _ => return,
    };
    let plain = typed.trim().to_lowercase();
    let format = || Precision::named(&plain).filter(|_| path.ends_with("precision"));
    let table = if path.ends_with("zero") { SHARDING } else { OTHERWISE };
    // `full` is a recomputation too.
    let own = path.ends_with("recompute") && plain == "full";
    let named = otherwise(table, &plain).filter(|_| !own).or_else(|| format().map(Precision::name));
    let model = match document.at("model").map(|it| &it.value) {
        Some(Value::Text(name)) => Some(name.as_str()),
        _ => None,
    };
    let near = formats::nearest(&plain, model).filter(|_| path.ends_with("precision"));
    // An engine may have its version behind it.
    let engine = plain.split_whitespace().next().filter(|_| path.ends_with("engine"));
    let word = named.or(near).or(engine).unwrap_or(&plain).to_owned();
    if word != typed {
        let so = if near == Some(word.as_str()) { ", the nearest number format" } else { "" };
        notes.push(format!("`{path}: {typed}` as `{word}`{so}"));
        let value = match word.parse::<f64>() {
            Ok(stage) if path.ends_with("zero") => Value::Number(stage),
            _ => Value::Text(word),
        };
        let place = node.place.clone();
        let _ = document.put(path, Node { value, place });
    }
}

#[cfg(test)]
mod tests;
