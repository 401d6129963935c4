//! Spellings that people type where a scenario has another word: keys by their usual names
//! elsewhere, words in capitals, a device with its count in one text. Each is read, and said.

mod amounts;
mod hardware;
mod places;
mod steps;
mod table;
mod users;

use flopcast_core::diagnostic::Place;
use flopcast_core::quantity::Precision;
use flopcast_import::document::{Key, Node, Value};
use flopcast_import::job::Told;

use self::hardware::{count_and_device, hardware, machines, nodes};
use self::places::{located, place};
use self::table::{KEYS, OTHERWISE, RUN, Row, SECTIONS, SERVED, SHARDING, UNREAD, WORDS};

/// Puts what people type into the scenario's own words; says each that it read so.
pub fn respell(document: &mut Node) -> Vec<String> {
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
    steps::respell(document, &mut notes);
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
    for section in ["placement", "inference.placement"] {
        located(document, section, &mut notes);
    }
    notes
}

/// True if what is set at a path may be of another spelling.
pub fn concerns(path: &str) -> bool {
    let inside = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let mut typed = KEYS.iter().flat_map(|row| {
        let names = move |section: &'static str| {
            let own = move |name: &&str| join(section, name) != row.key;
            row.typed.iter().copied().filter(own).map(move |name| join(section, name))
        };
        row.sections.iter().copied().flat_map(names)
    });
    let sections = SECTIONS.iter().map(|(section, _)| *section);
    typed.any(|typed| inside(path, &typed) || inside(&typed, path))
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

/// Values of which a part is spelled otherwise, each by its path.
const TEXTS: &[(&str, Meaning)] = &[
    ("inference.traffic.requests", rate),
    ("placement.region", |text| text.replace('_', "-")),
    ("inference.placement.region", |text| text.replace('_', "-")),
    ("training.deadline", |text| text.strip_prefix("in ").unwrap_or(text).to_owned()),
    ("model", |text| text.replace(" billion", "B").replace(" million", "M")),
];

/// What a bare number means; none where it means nothing else.
type Unit = fn(f64) -> Option<String>;

/// Bare numbers whose unit nobody doubts, each by its path.
const NUMBERS: &[(&str, Unit)] = &[
    ("finance.horizon", |years| Some(format!("{years} years"))),
    ("placement.owned.amortisation", |years| Some(format!("{years} years"))),
    // No grid is below 3 g or above 3 kg.
    ("placement.grid", |grid| (grid > 0.0 && grid < 3.0).then(|| format!("{grid} kgCO2e/kWh"))),
];

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
    // An engine may have its version behind it.
    let engine = plain.split_whitespace().next().filter(|_| path.ends_with("engine"));
    let word = named.or(engine).unwrap_or(&plain).to_owned();
    if word != typed {
        notes.push(format!("`{path}: {typed}` as `{word}`"));
        let value = match word.parse::<f64>() {
            Ok(stage) if path.ends_with("zero") => Value::Number(stage),
            _ => Value::Text(word),
        };
        let place = node.place.clone();
        let _ = document.put(path, Node { value, place });
    }
}

#[cfg(test)]
mod tests {
    use flopcast_import::document;

    use super::*;

    pub(super) fn check(text: &str, wanted: &str) {
        let mut node = document::parse("test.yaml", text.as_bytes()).expect("YAML");
        let notes = respell(&mut node);
        let mut expected = document::parse("test.yaml", wanted.as_bytes()).expect("YAML");
        let again = respell(&mut expected);
        assert!(again.is_empty(), "{wanted} is not in the scenario's words: {again:?}");
        assert_eq!(plain(&node), plain(&expected), "{text}: {notes:?}");
    }

    /// A tree without its places, keys sorted.
    fn plain(node: &Node) -> String {
        match &node.value {
            Value::Map(entries) => {
                let mut all: Vec<String> = entries
                    .iter()
                    .map(|(key, node)| format!("{}: {}", key.name, plain(node)))
                    .collect();
                all.sort();
                format!("{{{}}}", all.join(", "))
            }
            Value::Text(text) => text.clone(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn paths_that_may_be_spelled_otherwise() {
        let concerned = ["gpus", "train.hardware.count", "training", "training.precision", "data"];
        assert!(concerned.iter().all(|path| concerns(path)));
        let plain = ["training.hardware.count", "placement.pue", "data.tokens", "gpusx"];
        assert!(plain.iter().all(|path| !concerns(path)));
    }

    #[test]
    fn keys_by_their_other_names() {
        check("tokens: 1T", "data: {tokens: 1T}");
        check(
            "training: {tp: 1, parallelism: {tp: 8}}",
            "training: {tp: 1, parallelism: {tensor: 8}}",
        );
        check("inference: {traffic: {rps: 40}}", "inference: {traffic: {requests: 40/s}}");
        check(
            "placement: {price: 2 USD/device-h}",
            "placement: {purchase: {price: 2 USD/device-h}}",
        );
        check("training: {mfu: 0.4}", "training: {efficiency: {mfu: 0.4}}");
        for price in ["$2.10/hr", "$2.10/hour", "$2.10 / h", "$2.10"] {
            check(
                &format!("placement: {{price: {price}}}"),
                "placement: {purchase: {price: $2.10/device-h}}",
            );
        }
        check(
            "inference: {region: eu-west-1, cloud: aws}",
            "inference: {placement: {region: eu-west-1, provider: aws}}",
        );
        check("inference: {zone: us-central1-a}", "inference: {placement: {region: us-central1}}");
        check("model: {total: 30B, activated: 3B}", "model: {parameters: 30B, active: 3B}");
        check(
            "placement: {owned: {price_per_gpu: 30000, depreciation: 5, electricity_price: 0.1}}",
            "placement: {owned: {chip: 30000 USD/device, amortisation: 5 years, \
             electricity: 0.1 USD/kWh}}",
        );
        check("finance: {horizon: 4}", "finance: {horizon: 4 years}");
        check("placement: {grid: 0.35}", "placement: {grid: 0.35 kgCO2e/kWh}");
        check(
            "placement: {purchase: 2 USD/device-h}",
            "placement: {purchase: {price: 2 USD/device-h}}",
        );
        check(
            "placement: {purchase: Reserved-1y, price: 2}",
            "placement: {purchase: {plan: reserved-1y, price: 2 USD/device-h}}",
        );
        check(
            "inference: {purchase: spot, price: $2/h}",
            "inference: {placement: {purchase: {plan: spot, price: $2/device-h}}}",
        );
        check("placement: {purchase: 1 year}", "placement: {purchase: reserved-1y}");
        check("placement: {purchase: 3y}", "placement: {purchase: reserved-3y}");
        check("finance: {years: 3, wacc: 8 %}", "finance: {horizon: 3 years, discount_rate: 8 %}");
        check(
            "inference: {speculative: {draft_model: a, k: 4, acceptance_rate: 0.7}, prefix_cache: 0.5}",
            "inference: {speculative: {draft: a, tokens: 4, acceptance: 0.7}, prefix_cache_hit: 0.5}",
        );
    }

    /// Where a file names no run, its words are those of its service.
    #[test]
    fn a_service_that_says_where_it_is_keeps_the_rest_of_the_place() {
        check(
            "{placement: {provider: aws, region: us-east-1}, inference: {region: eu-west-1}}",
            "{placement: {provider: aws, region: us-east-1}, \
             inference: {placement: {provider: aws, region: eu-west-1}}}",
        );
    }

    #[test]
    fn assignments_set_keys_in_the_words_of_their_document() {
        let keys = |assignment: &str, text: &str| {
            let document = document::parse("test.yaml", text.as_bytes()).expect("YAML");
            set_by(assignment, &document)
        };
        let (service, run) = ("inference: {precision: fp8}", "training: {precision: fp8}");
        let device = "inference.hardware.accelerator";
        assert_eq!(keys("gpu=L40S", service), [device]);
        assert_eq!(keys("inference.gpus=L40S", service), [device]);
        assert_eq!(keys("inference.hardware=L40S", service), [device]);
        assert_eq!(keys("tp=4", service), ["inference.parallelism.tensor"]);
        assert_eq!(keys("gpus=64", run), ["training.hardware.count"]);
        let both = ["training.hardware.count", "training.hardware.accelerator"];
        assert_eq!(keys("gpus=64xH100", run), both);
        assert_eq!(keys("training.precision=bf16", run), ["training.precision"]);
    }

    #[test]
    fn words_of_a_service_alone() {
        let traffic = "traffic: {requests: 5/s, input_tokens: {mean: 9}, output_tokens: {mean: 7}}";
        for (typed, wanted) in [
            ("gpus: 4x H100", "hardware: {count: 4, accelerator: H100}"),
            ("gpu: H100\ndevices: 4", "hardware: {accelerator: H100, count: 4}"),
            ("hardware: H100\ntp: 2", "hardware: {accelerator: H100}, parallelism: {tensor: 2}"),
            ("gpu: H100\nnodes: 2\ngpus_per_node: 8", "hardware: {accelerator: H100, count: 16}"),
            ("batch_size: 64\ndtype: FP8", "max_batch: 64, precision: fp8"),
            ("ttft: 500 ms\nengine: vLLM", "slo: {ttft: {p95: 500 ms}}, engine: vllm"),
        ] {
            for load in ["rps: 5\nisl: 9\nosl: 7", "serving: {qps: 5, input_tokens: 9, output: 7}"]
            {
                check(&format!("{load}\n{typed}"), &format!("inference: {{{traffic}, {wanted}}}"));
            }
        }
        // A run's words stay a run's.
        check(
            "gpus: 4x H100\ntokens: 1T\nserving: {rps: 1}",
            "training: {hardware: {count: 4, accelerator: H100}}\ndata: {tokens: 1T}\n\
             inference: {traffic: {requests: 1/s}}",
        );
    }

    #[test]
    fn a_key_that_is_there_is_never_replaced() {
        let text = "tokens: 1T\ndata: {tokens: 2T}";
        check(text, text);
    }

    #[test]
    fn values_for_sections() {
        check(
            "training: {hardware: 64x H100}",
            "training: {hardware: {count: 64, accelerator: H100}}",
        );
        check("inference: {hardware: H100}", "inference: {hardware: {accelerator: H100}}");
        check("inference: {slo: {ttft: 500 ms}}", "inference: {slo: {ttft: {p95: 500 ms}}}");
        check("data: 2T", "data: {tokens: 2T}");
        check("training: {efficiency: auto}", "training: {efficiency: auto}");
        check("training: {lora: 16}", "training: {lora: {rank: 16}}");
        check("placement: aws/us-east-1", "placement: {provider: aws, region: us-east-1}");
        check(
            "training: {parallelism: tp8 pp4}",
            "training: {parallelism: {tensor: 8, pipeline: 4}}",
        );
    }

    #[test]
    fn devices_of_an_assignment() {
        for (assignment, wanted) in [
            ("training.hardware=64xH100", Some(64)),
            ("gpus=8", Some(8)),
            ("training.hardware={accelerator: h100-sxm, count: 16}", Some(16)),
            ("training.hardware=H100", None),
            ("training.precision=fp8", None),
            ("inference.hardware=H100", None),
        ] {
            assert_eq!(told(&[assignment.to_owned()]).devices, wanted, "{assignment}");
        }
        let all = ["training.hardware=64xH100", "placement.provider=aws"].map(str::to_owned);
        let wanted = Told { devices: Some(64), accelerator: Some("H100".to_owned()), placed: true };
        assert_eq!(told(&all), wanted);
    }

    #[test]
    fn what_changes_no_figure_is_left_out() {
        check("training: {lr: 1e-4, optimizer: adamw}", "training: {optimizer: adamw}");
    }

    #[test]
    fn percentiles_and_rates_as_they_are_typed() {
        check("inference: {slo: {TTFT_p95: 0.5s}}", "inference: {slo: {ttft: {p95: 0.5s}}}");
        check(
            "inference: {slo: {ttft_ms: 500, tpot_p99: 40 ms}}",
            "inference: {slo: {ttft: {p95: 500 ms}, tpot: {p99: 40 ms}}}",
        );
        check("inference: {rpm: 600}", "inference: {traffic: {requests: 600/min}}");
        check(
            "inference: {traffic: 1000 requests per minute}",
            "inference: {traffic: {requests: 1000/minute}}",
        );
        check("placement: {zone: us-central1-a}", "placement: {region: us-central1}");
        check("placement: {carbon_intensity: 50 gCO2/kWh}", "placement: {grid: 50 gCO2e/kWh}");
        check(
            "inference: {traffic: {requests: 600 requests per minute}}",
            "inference: {traffic: {requests: 600/minute}}",
        );
        check("training: {recompute: true}", "training: {parallelism: {recompute: full}}");
        check("placement: {region: us_east_1}", "placement: {region: us-east-1}");
        check("training: {deadline: in 30 days}", "training: {deadline: 30 days}");
        check("model: 8 billion", "model: 8B");
        check("inference: {kv_cache: fp8}", "inference: {kv_precision: fp8}");
        check("training: {strategy: FSDP}", "training: {parallelism: {zero: 3}}");
        check("model: {name: gpt2}", "model: gpt2");
    }

    #[test]
    fn words_in_capitals_and_by_other_names() {
        check("placement: {provider: AWS}", "placement: {provider: aws}");
        check("training: {precision: bfloat16}", "training: {precision: bf16}");
        check("inference: {engine: vLLM}", "inference: {engine: vllm}");
        for place in
            ["{purchase: owned}", "{provider: on-prem, purchase: Owned}", "{provider: own}"]
        {
            check(&format!("placement: {place}"), "placement: {provider: owned}");
        }
    }
}
