//! Figures of a batch are those of scenarios that are read one by one, digit by digit.

use flopcast_core::catalog::Catalog;
use flopcast_scenario::document::parse;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;
use crate::axis::Axis;
use crate::nowhere::Nowhere;

/// A run and a service, paid for in one of several ways.
const TRAINING: &str = "name: run
model: llama-3.1-8b
data: {tokens: 1T}
training:
  precision: bf16
  sequence_length: 8192
  hardware: {accelerator: h100-sxm, count: 256}
  efficiency: {mfu: 0.4}
  costs:
    storage: {data: 10 TB}
    checkpoints: {keep: 3, retention: 1 year}
    egress: {data: 2 TB}
    staff: {fte: 4, cost: 300k USD/year}
";
const SERVICE: &str = "name: service
model: llama-3.1-8b
inference:
  precision: bf16
  hardware: {accelerator: h100-sxm}
  parallelism: {tensor: 1}
  traffic: {requests: 2M/day, input_tokens: {mean: 1000}, output_tokens: {mean: 200}}
  api: {input_price: 1 USD/Mtoken, cached_input_price: 0.1 USD/Mtoken, output_price: 3 USD/Mtoken}
  costs:
    storage: {data: 1 TB}
    egress: {data: 4 KB/request}
    staff: {fte: 1, cost: 200k USD/year}
functional_unit: 1000 requests
";
const PLACES: &[&str] = &[
    "placement: {provider: aws, region: us-east-1, purchase: on-demand, start: 2026-06-01}\n",
    "placement: {provider: aws, region: us-east-1, purchase: spot, grid_basis: direct}\n",
    "placement: {provider: aws, region: us-east-1, purchase: reserved-1y, discount: 10 %}\n",
    "placement: {region: FRA, purchase: {price: 2 USD/device-h}, contracts: {carbon_free: 50 %}}\n",
    "placement: {provider: owned, region: USA, owned: {chip: 25000 USD/device}}\n",
];

/// Two values of a plain key, the second given otherwise than the first.
fn values(key: &str) -> &'static str {
    match key.rsplit_once('.').map_or(key, |(_, last)| last) {
        "pue" => "1.1,1.37",
        "wue" | "grid_water" => "0.5 L/kWh,1900 mL/kWh",
        "grid" | "upstream" | "marginal" | "residual_mix" => {
            "20 gCO2e/kWh,0.4 kgCO2e/kWh,{value: 390 gCO2e/kWh}"
        }
        "discount" => "0,12.5 %,30 %",
        "interruptions" | "unused_commitment" => "0.1,35 %",
        "price" if key.contains("purchase") => {
            "1.9 USD/device-h,2.5 USD/device-h,16 USD/instance-h"
        }
        "price" if key.contains("egress") => "0.09 USD/GB,50 USD/TB",
        "price" => "0.023 USD/GB-month,15 USD/TB-month",
        "device" => "100 kgCO2e/device,170 kgCO2e/device",
        "server" => "900 kgCO2e,1.2 tCO2e",
        "lifetime" => "3 years,1500 days",
        "utilisation" => "0.5,85 %",
        "discount_rate" => "0.03,7 %",
        "price_change" => "-10 %/year,3 %/year",
        "data" if key.starts_with("inference.costs.egress") => "1 KB/request,2.5 KB/request",
        "data" => "3 TB,1.5 PB",
        "retention" | "duration" => "90 days,2 years",
        "fte" => "1,2.5",
        "cost" => "150k USD/year,0.2M USD/year",
        "input_price" | "cached_input_price" | "output_price" => "2 USD/Mtoken,0.5 USD/Mtoken",
        "target_utilisation" => "0.6,80 %",
        "requests" => "1M/day,40/s",
        "growth" => "0 %/year,40 %/year",
        other => panic!("no values for {other}"),
    }
}

/// Every plain key with its values.
fn plain() -> Vec<String> {
    let of = |(section, keys): &(&str, &'static [&'static str])| {
        let section = (*section).to_owned();
        keys.iter().map(move |key| format!("{section}.{key}"))
    };
    PLAIN.iter().flat_map(of).map(|key| format!("{key}={}", values(&key))).collect()
}

/// Keys that decide.
const OTHERS: &[&str] = &[
    "training.hardware.count=64,128",
    "placement.provider=aws,gcp",
    "placement.region=us-east-1,us-west-2,FRA",
    "training.precision=bf16,fp8",
    "inference.parallelism.tensor=1,2",
    "training.costs.staff.share_of_total=10 %,20 %",
    "finance.horizon=1 year,3 years",
];

/// A run, a service, or both; `apart` says that the service has the placement for its own.
fn document(stages: usize, place: usize, apart: bool) -> Node {
    let read = |text: &str| parse("s.yaml", text.as_bytes()).expect("YAML");
    let mut document = read(&([TRAINING, SERVICE, TRAINING][stages].to_owned() + PLACES[place]));
    if stages == 2 {
        for (section, value) in ["inference", "functional_unit"].map(|it| (it, read(SERVICE))) {
            document.put(section, value.get(section).expect("a section").clone()).expect("a key");
        }
    }
    if apart && stages > 0 {
        let own = document.get("placement").expect("a placement").clone();
        document.put("inference.placement", own).expect("a key");
    }
    document
}

/// Compares every figure of every combination; returns how many combinations were set in place.
fn check(document: &Node, axes: &[String]) -> Result<usize> {
    let catalog = Catalog::embedded();
    let axes: Vec<Axis> =
        axes.iter().map(|axis| Axis::read(axis, document)).collect::<Result<_>>()?;
    let space = Space::new(document.clone(), axes, &catalog, &Nowhere)?;
    let mut walk = Walk::default();
    let mut moved = 0;
    for number in 0..space.len() {
        let digits = space.digits(number);
        let (alone, batch) = (space.forecast(&digits), walk.forecast(&space, &digits));
        if let Some(Ok(common)) = &mut walk.engine {
            moved += usize::from(common.move_to(&digits));
        }
        let settings: Vec<&str> = space.labels(number).collect();
        let told = |point: Result<Point>| {
            let point = point.unwrap_or_else(|error| Point::impossible(&error));
            let figures = point.estimate.map(|it| it.figures()).unwrap_or_default();
            let figures: Vec<_> = figures
                .iter()
                .map(|it| (it.path.clone(), it.value().map(f64::to_bits), it.unknown().cloned()))
                .collect();
            (format!("{figures:#?}"), point.obstacle)
        };
        assert_eq!(told(alone), told(batch), "{settings:?}");
    }
    Ok(moved)
}

#[test]
fn every_plain_key_is_set_in_place_somewhere() {
    let held = |axis: &String| {
        let apart = axis.starts_with("inference.placement");
        let somewhere = (0..3).flat_map(|stages| (0..PLACES.len()).map(move |at| (stages, at)));
        let mut moved = somewhere.filter_map(|(stages, at)| {
            check(&document(stages, at, apart), std::slice::from_ref(axis)).ok()
        });
        moved.any(|moved| moved >= 2)
    };
    let nowhere: Vec<String> = plain().into_iter().filter(|axis| !held(axis)).collect();
    assert!(nowhere.is_empty(), "{nowhere:#?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn as_one_by_one(
        stages in 0..3_usize,
        place in 0..PLACES.len(),
        axes in subsequence(plain(), 1..=3),
        other in select(OTHERS),
        (first, apart) in any::<(bool, bool)>(),
    ) {
        let mut axes = axes;
        let at = if first { 0 } else { axes.len() };
        axes.insert(at, other.to_owned());
        // What no scenario of the kind can have is refused before.
        let _ = check(&document(stages, place, apart), &axes);
    }
}
