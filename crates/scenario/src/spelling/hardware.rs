//! Hardware as people type it: a device with its count in one text, nodes of so many devices.

use flopcast_core::quantity::text::split_number;
use flopcast_import::document::{Node, Value};

use super::places::CATALOG;
use super::{text_like, typed_in};

/// Nodes and the devices of each, as the count of devices.
pub(super) fn nodes(document: &mut Node, notes: &mut Vec<String>) {
    let service = document.at("inference").is_some() && document.at("training").is_none();
    let hardware = if service { "inference.hardware" } else { "training.hardware" };
    for section in [hardware, if service { "inference" } else { "training" }, ""] {
        let nodes = typed_in(document, section, &["nodes", "num_nodes", "n_nodes"]);
        let each =
            ["gpus_per_node", "devices_per_node", "num_gpus_per_node", "accelerators_per_node"];
        let each = typed_in(document, section, &each);
        let ([nodes], [each]) = (nodes.as_slice(), each.as_slice()) else { continue };
        let number = |path: &str| match document.at(path).map(|node| &node.value) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        };
        let Some(count) = number(nodes).zip(number(each)).map(|(nodes, each)| nodes * each) else {
            continue;
        };
        let Some(node) = document.take(nodes) else { continue };
        document.take(each);
        let count = Node { value: Value::Number(count), place: node.place };
        let key = format!("{hardware}.count");
        if document.put(&key, count).is_ok() {
            notes.push(format!("`{nodes}` x `{each}` as `{key}`"));
        }
    }
}

/// The keys that a text at a count or a device of hardware means instead: the hardware with both
/// (`64xH100`), each of the two beside what else is said of it, or the device without a count (`gpus: L4`).
pub(super) fn hardware(document: &Node, key: &str, value: &Node) -> Option<Vec<(String, Node)>> {
    let (Some((section, part)), Value::Text(text)) = (key.rsplit_once('.'), &value.value) else {
        return None;
    };
    if !section.ends_with("hardware") || !["count", "accelerator"].contains(&part) {
        return None;
    }
    let [count, device] = ["count", "accelerator"].map(|part| format!("{section}.{part}"));
    let Some((number, name)) = count_and_device(text) else {
        let named = part == "count" && text.starts_with(|c: char| c.is_ascii_alphabetic());
        let open = named && document.at(&device).is_none();
        return open.then(|| vec![(device, value.clone())]);
    };
    if document.at(&count).is_some() || document.at(&device).is_some() {
        return None;
    }
    let beside = |node: &Node| matches!(&node.value, Value::Map(all) if !all.is_empty());
    if document.at(section).is_some_and(beside) {
        let number = Node { value: Value::Number(number), place: value.place.clone() };
        return Some(vec![(count, number), (device, text_like(value, name))]);
    }
    Some(vec![(section.to_owned(), value.clone())])
}

/// Machines of a cloud, or slices of processors, as their devices: `4 x p4d.24xlarge` is 32 A100.
pub(super) fn machines(document: &mut Node, notes: &mut Vec<String>) {
    for section in ["training.hardware", "inference.hardware"] {
        let [count, device] = ["count", "accelerator"].map(|key| format!("{section}.{key}"));
        let typed = typed_in(document, section, &["instance", "instance_type", "machine_type"]);
        if let [typed] = typed.as_slice()
            && document.at(&device).is_none()
            && let Some(node) = document.take(typed)
        {
            let _ = document.put(&device, node);
        }
        let Some(Node { value: Value::Text(name), place }) = document.at(&device) else { continue };
        // The names of most devices are of another form, which saves looking them up.
        let end = name.rsplit('-').next().unwrap_or(name);
        let size = end.strip_suffix('g').unwrap_or(end).parse::<u64>().is_ok();
        if !(size || name.contains(['.', '_'])) || CATALOG.accelerator(name).is_ok() {
            continue;
        }
        let (name, place) = (name.clone(), place.clone());
        let Some((found, each)) = CATALOG.machine(&name) else { continue };
        let machines = match document.at(&count).map(|node| &node.value) {
            Some(Value::Number(machines)) => *machines,
            None => 1.0,
            Some(_) => continue,
        };
        let node = |value| Node { value, place: place.clone() };
        let devices = machines * each as f64;
        notes.push(format!("`{device}: {name}` as {devices} x `{}`", found.id));
        let _ = document.put(&device, node(Value::Text(found.id.clone())));
        // A service sizes its own fleet.
        if section.starts_with("training") || document.at(&count).is_some() {
            let _ = document.put(&count, node(Value::Number(devices)));
        }
    }
}

/// A device and how many: `64x H100`, `H100:64`, `8 nodes of 8 H100`. Numbers behind the device's
/// name belong to it (`RTX 4090`), unless an `x` stands between.
pub(super) fn count_and_device(text: &str) -> Option<(f64, String)> {
    let number = |word: &str| {
        let digits = word.replace(['_', ','], "");
        let whole = digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse::<f64>().ok().filter(|it| whole && *it >= 1.0)
    };
    let (mut count, mut device, mut times) = (None::<f64>, Vec::new(), false);
    let mut add = |more: f64| count = Some(count.unwrap_or(1.0) * more);
    for word in text.split_whitespace() {
        let mut word = word;
        // `64x`, `8x8`, `64xH100`.
        while let Some((first, rest)) = word.split_once(['x', 'X', '×', '*'])
            && device.is_empty()
            && let Some(first) = number(first)
        {
            add(first);
            word = rest;
        }
        // `a100x8`, where the name has a digit before the `x`: `rtx4090` has none.
        if device.is_empty()
            && let Some((name, last)) = word.rsplit_once(['x', 'X'])
            && name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.ends_with(|c: char| c.is_ascii_alphanumeric())
            && name.contains(|c: char| c.is_ascii_digit())
            && let Some(last) = number(last)
        {
            add(last);
            word = name;
        }
        // `H100:64`, `H100x64`.
        if let Some((name, last)) = word.rsplit_once([':', '*', '×'])
            && let Some(last) = number(last)
            && !name.is_empty()
        {
            add(last);
            word = name;
        }
        match word.to_lowercase().as_str() {
            "x" | "×" | "*" => times = !device.is_empty(),
            "" | "of" | "nodes" | "node" | "with" | "gpus" | "each" => {}
            _ => match number(word) {
                Some(more) if device.is_empty() || times => add(more),
                _ => device.push(word),
            },
        }
    }
    let device = device.join(" ");
    // `64 H100s`.
    let one = device.strip_suffix('s').filter(|it| it.ends_with(|c: char| c.is_ascii_digit()));
    let device = one.unwrap_or(&device).to_owned();
    count.map(|count| (count, device)).filter(|(_, device)| !device.is_empty())
}

/// Links by their names, with the bandwidth of one port in GB/s.
const LINKS: &[(&str, f64)] = &[
    ("edr", 12.5),
    ("hdr", 25.0),
    ("ndr", 50.0),
    ("xdr", 100.0),
    ("10gbe", 1.25),
    ("25gbe", 3.125),
    ("100gbe", 12.5),
    ("200gbe", 25.0),
    ("400gbe", 50.0),
    ("800gbe", 100.0),
];

/// The link of a device to other nodes as people say it, in bits or by the name of its port: `400
/// Gbit/s` is 50 GB/s/device. A small `b` is a bit.
pub(super) fn link(text: &str) -> String {
    if text.ends_with("GB/s/device") {
        return text.to_owned();
    }
    let plain = text.to_lowercase().replace(' ', "");
    let name = plain.strip_prefix("infiniband").or(plain.strip_prefix("ib")).unwrap_or(&plain);
    let named = LINKS.iter().find(|(known, _)| *known == name).map(|(_, speed)| *speed);
    let of_one = ["/device", "/gpu", "/port", "perdevice", "pergpu", "perport"];
    let (speed, owner) = speed(text).unzip();
    let of_node = speed > Some(FASTEST_PORT) && !text.contains('B');
    let own =
        owner.filter(|owner| of_one.contains(&owner.as_str()) || owner.is_empty() && !of_node);
    match named.or(speed.filter(|_| own.is_some())) {
        Some(speed) => format!("{speed} GB/s/device"),
        _ => text.to_owned(),
    }
}

/// A bandwidth in GB/s, and whose it is, in small letters without blanks: `3.2 Tbit/s per node`.
fn speed(text: &str) -> Option<(f64, String)> {
    let (number, unit) = split_number(text.trim());
    let unit = unit.trim();
    // Bits and bytes differ by their capital alone; `bit` says which.
    let units = [
        ("Gbit/s", 0.125),
        ("Gbps", 0.125),
        ("Gb/s", 0.125),
        ("Tbit/s", 125.0),
        ("Tbps", 125.0),
        ("Tb/s", 125.0),
        ("GB/s", 1.0),
        ("GBps", 1.0),
        ("TB/s", 1000.0),
        ("TBps", 1000.0),
    ];
    let spelt = |name: &str| {
        let (said, rest) = unit.split_at_checked(name.len())?;
        let exact = said == name || !said.contains('B') && said.eq_ignore_ascii_case(name);
        exact.then_some(rest)
    };
    let (rest, scale) = units.iter().find_map(|(name, scale)| Some((spelt(name)?, scale)))?;
    let number = number.replace('_', "").parse::<f64>().ok()?;
    Some((number * scale, rest.to_lowercase().replace(' ', "")))
}

/// The fastest port of a device, in GB/s: 1.6 Tbit/s. A bare figure in bits beyond it is of a node.
const FASTEST_PORT: f64 = 200.0;

/// A link that the devices of a node share, as that of one of them: `400 GB/s per node`, `8 x 400 Gbit/s`,
/// and the 3.2 Tbit/s that clouds state of an instance.
pub(super) fn shared_link(document: &mut Node, notes: &mut Vec<String>) {
    const NETWORK: &str = "training.hardware.network";
    let text = |path: &str| match document.at(path).map(|node| &node.value) {
        Some(Value::Text(text)) => Some(text.trim().to_owned()),
        _ => None,
    };
    let Some(said) = text(NETWORK) else { return };
    let (ports, each) = match said.split_once(['x', '×', '*']) {
        Some((ports, each)) => match ports.trim().parse::<f64>() {
            Ok(ports) => (Some(ports), each),
            Err(_) => (None, said.as_str()),
        },
        None => (None, said.as_str()),
    };
    // `8x400G` is of ports as `8 x 400GbE` is.
    let bits = each.trim().strip_suffix(['G', 'g']).map(|each| format!("{each} Gbit/s"));
    let bits = bits.filter(|_| ports.is_some());
    let Some((one, owner)) = speed(bits.as_deref().unwrap_or(each)) else { return };
    let all = one * ports.unwrap_or(1.0);
    let in_bits = !each.contains('B');
    let of_nodes = ["/node", "/host", "/server", "/instance", "/machine"];
    let of_nodes = of_nodes.iter().any(|it| owner == *it || owner == it.replace('/', "per"));
    if !(of_nodes || ports.is_some() || owner.is_empty() && in_bits && all > FASTEST_PORT) {
        return;
    }
    let device = text("training.hardware.accelerator");
    let device = device.and_then(|name| CATALOG.accelerator(&name).ok());
    let Some(devices) = device.map(|it| it.devices_per_node) else { return };
    let speed = format!("{} GB/s/device", all / devices as f64);
    notes.push(format!("`{NETWORK}: {said}` of a node of {devices} devices as {speed}"));
    if let Some(place) = document.at(NETWORK).map(|node| node.place.clone()) {
        let _ = document.put(NETWORK, Node { value: Value::Text(speed), place });
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    #[test]
    fn devices_and_how_many() {
        for (text, count, device) in [
            ("64x H100", 64.0, "H100"),
            ("8 x a100-80gb", 8.0, "a100-80gb"),
            ("H100 x 64", 64.0, "H100"),
            ("H100:64", 64.0, "H100"),
            ("64 H100s", 64.0, "H100"),
            ("a100x8", 8.0, "a100"),
            ("A100-80GBx8", 8.0, "A100-80GB"),
            ("64 * NVIDIA H100 80GB", 64.0, "NVIDIA H100 80GB"),
            ("8 nodes of 8 H100", 64.0, "H100"),
            ("8x8 H100", 64.0, "H100"),
            ("2x RTX 4090", 2.0, "RTX 4090"),
            ("1,024 MI300X", 1024.0, "MI300X"),
        ] {
            assert_eq!(count_and_device(text), Some((count, device.to_owned())), "{text}");
        }
        for (text, speed) in [
            ("400 Gbit/s", "50"),
            ("400 Gbps", "50"),
            ("400Gb/s", "50"),
            ("50 GB/s", "50"),
            ("100GbE", "12.5"),
            ("InfiniBand NDR", "50"),
            ("200 Gbit/s/GPU", "25"),
        ] {
            assert_eq!(link(text), format!("{speed} GB/s/device"), "{text}");
        }
        // Nobody knows how many devices share these.
        for text in ["50 GB/s/device", "400 Gbit/s/node", "InfiniBand", "EFA"] {
            assert_eq!(link(text), text);
        }
        // A node has its devices' number from the catalog.
        for (text, speed) in [
            ("3.2 Tbps", "50"),
            ("3200 Gbit/s", "50"),
            ("3.2 Tbit/s per node", "50"),
            ("400 GB/s per node", "50"),
            ("200 Gbps/instance", "3.125"),
            ("8 x 400 Gbps", "50"),
            ("4x200G", "12.5"),
            ("1.6 Tbps per GPU", "200"),
            ("400 Gbps", "50"),
        ] {
            check(
                &format!("training: {{hardware: {{accelerator: h100-sxm, network: {text}}}}}"),
                &format!(
                    "training: {{hardware: {{accelerator: h100-sxm, network: {speed} GB/s/device}}}}"
                ),
            );
        }
        for text in ["H100", "RTX 4090", "h100-sxm", "mi300x", "rtx4090", "", "8", "x"] {
            assert_eq!(count_and_device(text), None, "{text}");
        }
        check(
            "training: {nodes: 8, gpus_per_node: 8, gpu: H100}",
            "training: {hardware: {count: 64, accelerator: H100}}",
        );
        check(
            "training: {hardware: 4 x p4d.24xlarge}",
            "training: {hardware: {count: 32, accelerator: a100-sxm-40gb}}",
        );
        check(
            "training: {hardware: {instance: p5.48xlarge, count: 2}}",
            "training: {hardware: {count: 16, accelerator: h100-sxm}}",
        );
        check(
            "training: {hardware: TPU v5e-256}",
            "training: {hardware: {count: 256, accelerator: tpu-v5e}}",
        );
        check("inference: {gpus: L4}", "inference: {hardware: {accelerator: L4}}");
        check("training: {devices: RTX 4090}", "training: {hardware: {accelerator: RTX 4090}}");
        check(
            "training: {devices: 64xH100}",
            "training: {hardware: {count: 64, accelerator: H100}}",
        );
        check(
            "training: {gpus: 64xH100, hardware: {network: 400 Gbit/s}}",
            "training: {hardware: {network: 50 GB/s/device, count: 64, accelerator: H100}}",
        );
    }
}
