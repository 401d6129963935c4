//! Services on slices of GPUs.

use serde_json::Value;

use crate::common::library::{WAYS, Way, answer, asked, refuses, resolved};
use crate::common::{close, number};

/// A small service on a device that is sold by the card.
fn service(device: &str, more: &str) -> String {
    format!(
        "flopcast: 1\nname: slices\nmodel: llama-3.2-1b\ninference:\n  placement: {{purchase: {{price: \
         21 USD/instance-h}}, pue: 1.2, grid: 400 gCO2e/kWh}}\n  traffic: {{requests: 1/s, \
         input_tokens: {{mean: 300}}, output_tokens: {{mean: 100}}, peak_to_mean: 1}}\n  hardware: \
         {{accelerator: {device}}}\n  precision: fp8\n  parallelism: {{tensor: 1}}\n{more}"
    )
}

fn of(device: &str) -> Value {
    let scenario = resolved(&service(device, "")).expect("a service on a slice");
    answer(Way::Estimate, &scenario).expect("an estimate")
}

/// Seven slices fill a card, so eight cards hold 56 of them; a slice answers more than its eighth of the
/// card, whose steps have overheads of their own.
#[test]
fn a_slice_is_a_part_of_a_card() {
    let (whole, slice) = (of("h100-sxm"), of("h100-sxm, slice: 1g.10gb"));
    let at = |report: &Value, path: &str| number(report, &format!("inference.{path}"));
    let instance =
        |report: &Value| at(report, "fleet.devices") + at(report, "fleet.stranded_devices");
    close("devices of an instance", instance(&slice), 7.0 * instance(&whole), 1e-9);
    let [rate, small] = [&whole, &slice].map(|it| at(it, "replica.max_rate_per_s"));
    assert!(small < rate / 4.0 && small > rate / 9.0, "{small} {rate}");
    let [all, part] = [&whole, &slice].map(|it| at(it, "replica.kv_capacity_tokens"));
    assert!(part < all / 8.0, "{part} {all}");
}

/// What a provider asks for a card is shared by its slices.
#[test]
fn the_price_of_a_card_is_that_of_its_slices() {
    let file = "scenarios/llama-3-70b-serving.yaml";
    let small = ["model=llama-3.2-1b", "inference.slo={}", "inference.parallelism={tensor: 1}"];
    let report = |slice: &str| {
        let hardware = format!("inference.hardware={{accelerator: h100-sxm{slice}}}");
        let [model, slo, layout] = small;
        asked(Way::Estimate, file, &[model, slo, layout, &hardware])
    };
    let year = |report: &Value| number(&report["inference"]["years"][0], "cost_usd");
    let instances = |report: &Value| number(report, "inference.fleet.instances");
    let (whole, slice) = (report(""), report(", slice: 2g.20gb"));
    close(
        "rent of an instance",
        year(&slice) / instances(&slice),
        year(&whole) / instances(&whole),
        1e-9,
    );
}

#[test]
fn what_no_slice_can_do_is_said() {
    let file = "scenarios/llama-3-70b-serving.yaml";
    for way in WAYS {
        for (set, code, part) in [
            (
                "inference.hardware={accelerator: h100-sxm, slice: 3g.40gb}",
                1,
                "slices have no link",
            ),
            ("inference.hardware={accelerator: h100-sxm, slice: 5g.40gb}", 2, "it has 1g.10gb"),
            ("inference.hardware={accelerator: l4, slice: 1g.5gb}", 2, "is not divided"),
        ] {
            refuses(way, file, &[set], code, part);
        }
        let owned = "inference.placement={provider: owned, region: FRA}";
        let slice = "inference.hardware={accelerator: h100-sxm, slice: 1g.10gb}";
        let small = ["model=llama-3.2-1b", "inference.parallelism={tensor: 1}", owned, slice];
        refuses(way, file, &small, 2, "by the card");
    }
    let run = "training.hardware={accelerator: h100-sxm, slice: 1g.10gb, count: 8}";
    refuses(Way::Estimate, "scenarios/llama-65b.yaml", &[run], 2, "a run takes whole devices");
}
