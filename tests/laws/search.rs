//! The search of layouts: what it leaves out is never better than what it finds.

use flopcast::estimate::plan::{Scenario, Service};
use flopcast::scenario::document::{self, Node};
use flopcast::serving::calibration::Calibration;
use flopcast::serving::capacity::Search;
use flopcast::study::axis::Axis;
use flopcast::study::capacity::{Question, size};
use flopcast::study::fleets::{Choice, Merits, Verdict, Wanted, choose};
use flopcast::study::layouts::{self, Means};
use flopcast::study::space::Space;

use crate::common::library::{Beside, CATALOG, resolved};

const LAYOUTS: &str = "inference.parallelism={tensor: 1},{tensor: 2, pipeline: 2},{tensor: 8}";
const QUICK: Search = Search { requests: 100, seeds: 1, margin: 0.0, tolerance: 0.1 };

/// A service drawn at random.
fn service(seed: u64) -> String {
    // Splitmix64.
    let mut state = seed;
    let mut one = |among: &[&str]| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        among[((mixed ^ (mixed >> 31)) % among.len() as u64) as usize].to_owned()
    };
    let model = one(&["llama-3.1-8b", "llama-3-70b", "qwen2.5-7b", "mixtral-8x7b"]);
    let device = one(&["h100-sxm", "h200-sxm", "a100-sxm-80gb"]);
    let precision = one(&["fp8", "bf16"]);
    let precision = if device.starts_with('a') { "bf16".to_owned() } else { precision };
    let (ttft, tpot) = (one(&["300 ms", "1 s", "5 s"]), one(&["20 ms", "50 ms", "100 ms"]));
    let (input, output) = (one(&["100", "800", "3000"]), one(&["20", "150", "400"]));
    let (rate, engine) = (one(&["3/s", "40/s", "300/s"]), one(&["vllm", "sglang", "trtllm"]));
    format!(
        "flopcast: 1\nname: service {seed}\nmodel: {model}\ninference:\n  placement: {{provider: aws, region: us-east-1}}\n  \
         traffic: {{requests: {rate}, input_tokens: {{mean: {input}}}, output_tokens: {{mean: \
         {output}}}}}\n  hardware: {{accelerator: {device}}}\n  precision: {precision}\n  engine: \
         {engine}\n  slo: {{ttft: {{p90: {ttft}}}, tpot: {{p90: {tpot}}}}}\n"
    )
}

#[test]
fn no_fleet_that_an_exhaustive_run_finds_is_better() {
    let (kept, left_out) = compared(|_, node| Axis::read(LAYOUTS, node).expect("an axis"));
    assert!(kept > 150 && left_out > 20, "{kept} answers, {left_out} left out");
}

#[test]
#[ignore = "takes minutes"]
fn nor_over_every_layout_of_the_search() {
    let (kept, left_out) = compared(|service, _| layouts::axis(service).unwrap().expect("layouts"));
    assert!(kept > 150 && left_out > 500, "{kept} answers, {left_out} left out");
}

/// Compares the answers to 100 random services over an axis with those of an exhaustive run: answers
/// that are the best, and combinations that the search left out.
fn compared(axis: impl Fn(&Service, &Node) -> Axis) -> (usize, u64) {
    let calibration = Calibration::shipped().expect("a calibration");
    let question =
        Question { calibration, search: &QUICK, records: false, progress: &|_, _| Ok(()) };
    let files = Beside::root();
    let (mut kept, mut left_out) = (0, 0);
    for seed in 0..100 {
        let text = service(seed);
        let node = document::parse("test.yaml", text.as_bytes()).expect("YAML");
        let scenario = resolved(&text).expect("a scenario");
        let axis = axis(scenario.inference.as_ref().expect("a service"), &node);
        let space = Space::new(node, vec![axis], &CATALOG, &files).expect("a space");
        let choose = |wanted: Wanted| -> Choice {
            choose(&space, &CATALOG, calibration, &QUICK, wanted, &|_| Ok(())).expect("a choice")
        };
        let choice = choose(Wanted::Best);
        if let Some(best) = choice.cheapest.and_then(|best| choice.at(best)) {
            let below = |price: f64| choose(Wanted::Below(price)).cheapest;
            let price = best.merits.price();
            assert_eq!(below(1.1 * price), choice.cheapest, "seed {seed}\n{text}");
        }
        // What was simulated is what an exhaustive run finds; the rest is simulated now.
        let all = |number: u64| match &choice.verdicts[number as usize] {
            Verdict::Sized(sized) => Some(sized.merits),
            Verdict::Infeasible(_) => None,
            Verdict::Beaten(_) => {
                let scenario = Scenario { training: None, ..space.scenario(number).ok()? };
                Merits::of(&size(&scenario, &CATALOG, &question).ok()?.estimate)
            }
        };
        let all: Vec<Merits> = (0..space.len()).filter_map(all).collect();
        let least =
            |merit: fn(&Merits) -> Option<f64>| all.iter().filter_map(merit).min_by(f64::total_cmp);
        let found = |number: Option<u64>| number.and_then(|number| choice.at(number));
        for (name, best, merit) in [
            ("cheapest", choice.cheapest, (|it| it.cost_usd) as fn(&Merits) -> Option<f64>),
            ("greenest", choice.greenest, |it| it.co2e_kg),
            ("smallest", choice.smallest, |it| Some(it.devices)),
        ] {
            let found = found(best).and_then(|it| merit(&it.merits));
            assert_eq!(found, least(merit), "{name}, seed {seed}\n{text}");
            kept += usize::from(found.is_some());
        }
        left_out += space.len() - choice.sized().count() as u64;
    }
    (kept, left_out)
}

/// A batch limit that the document leaves open is taken where it makes the fleet smaller; one that it
/// gives stays.
#[test]
fn a_batch_is_taken_where_it_saves() {
    let calibration = Calibration::shipped().expect("a calibration");
    let (files, search) =
        (Beside::root(), Search { requests: 2000, seeds: 1, ..Search::default() });
    let means = Means { catalog: &CATALOG, files: &files, calibration, search: &search };
    let question =
        Question { calibration, search: &search, records: false, progress: &|_, _| Ok(()) };
    let fleet = |batch: &str| {
        let text = format!(
            "flopcast: 1\nname: b\nmodel: llama-3-70b\ninference:\n  placement: {{provider: aws, region: \
             us-east-1}}\n  traffic: {{requests: 100/s, input_tokens: {{mean: 800}}, output_tokens: \
             {{mean: 150}}, peak_to_mean: 1}}\n  hardware: {{accelerator: h100-sxm}}\n  precision: \
             fp8\n  engine: trtllm\n  slo: {{ttft: {{p90: 10 s}}, tpot: {{p90: 30 ms}}}}\n{batch}"
        );
        let node = document::parse("test.yaml", text.as_bytes()).expect("YAML");
        let scenario = resolved(&text).expect("a scenario");
        let settled = layouts::settle(&node, scenario, false, &means, &|_| Ok(())).unwrap();
        let mut choices = settled.scenario.choices.iter();
        let taken = choices.any(|it| it.path == "inference.max_batch");
        let sized = size(&settled.scenario, &CATALOG, &question).expect("a fleet");
        (taken, sized.found.fleet.devices)
    };
    let ((taken, open), (given, own)) = (fleet(""), fleet("  max_batch: 2048\n"));
    assert!(taken && !given && open < own, "{taken} {given}: {open} devices, {own}");
}
