//! Energy, carbon and water: published splits, laws over random scenarios, every region.

use std::fmt::Write as _;

use flopcast::catalog::GridBasis;
use flopcast::estimate::Estimate;
use flopcast::ledger::footprint::comparable;
use flopcast::provenance::{Basis, Expr, Step};
use proptest::prelude::*;

use crate::common::library::{CATALOG, Way, asked, forecast, leaves, refuses, resolved};
use crate::common::{close, number, root};

fn value(estimate: &Estimate, path: &str) -> Option<f64> {
    estimate.figures().into_iter().find(|figure| figure.path == path).and_then(|f| f.value())
}

/// A run on a placement, in flow style.
fn run(placement: &str) -> String {
    format!(
        "{{name: x, model: llama-3-8b, data: {{tokens: 1B}}, training: {{precision: bf16, \
         hardware: {{accelerator: h100-sxm, count: 64}}, efficiency: {{mfu: 0.4}}, goodput: 0.9, \
         spares: 5 %}}, placement: {{{placement}}}}}"
    )
}

#[test]
fn bloom_s_split() {
    let path = "scenarios/bloom-176b-life-cycle.yaml";
    let bloom = asked(Way::Estimate, path, &[]);
    // arXiv:2211.02001: dynamic, idle, embodied, and all of it.
    for (figure, published) in [
        ("training.co2e_kg.work", 24_700.0),
        ("training.co2e_kg.idle", 14_600.0),
        ("training.co2e_kg.embodied.mid", 11_200.0),
        ("sci.training.kg_per_run", 50_500.0),
    ] {
        close(figure, number(&bloom, figure), published, 0.005);
    }
}

/// A host belongs to a busy device as to an idle one: what works draws more than what waits, on a card of
/// 72 W as on a board of 1,400.
#[test]
fn every_device_draws_more_at_work_than_idle() {
    let mut tried = 0;
    for device in CATALOG.accelerators().filter(|device| device.tdp.is_some()) {
        let text = format!(
            "{{name: x, model: resnet-50, training: {{hardware: {{accelerator: {}, count: 8}}, \
             efficiency: {{mfu: 0.3}}}}, data: {{samples: 10M}}}}",
            device.id
        );
        let Ok(scenario) = resolved(&text) else { continue };
        let Ok(report) = crate::common::library::report(&scenario) else { continue };
        let answer = flopcast::report::json::estimate(&report);
        let [work, idle] =
            ["work", "idle"].map(|part| number(&answer, &format!("training.energy_kwh.{part}")));
        assert!(work > 0.0 && idle > 0.0, "{}: {work} kWh of work, {idle} idle", device.id);
        tried += 1;
    }
    assert!(tried > 50, "{tried}");
}

/// Who rents an instance of eight for one of its devices has the others powered, and made, too.
#[test]
fn devices_that_stand_unused_idle_beside_the_others() {
    let service = "{name: x, model: llama-3-8b, inference: {PLACE, traffic: {requests: 1/s, \
                   input_tokens: {mean: 1000}, output_tokens: {mean: 200}}, precision: fp8, \
                   hardware: {accelerator: h200-sxm}, parallelism: {tensor: 1}}}";
    let training = run("").replace("count: 64", "count: 1").replace("h100-sxm", "h200-sxm");
    let whole = "placement: {provider: aws, region: us-east-2}";
    let single = "placement: {purchase: {price: 2 USD/device-h}, pue: 1.2, grid: 400 gCO2e/kWh}";
    for (stage, text, from) in
        [("inference.years.1", service, "PLACE"), ("training", training.as_str(), "placement: {}")]
    {
        let [whole, single] = [whole, single].map(|place| forecast(&text.replace(from, place)));
        let at = |estimate: &Estimate, key: &str| {
            value(estimate, &format!("{stage}.{key}")).unwrap_or_else(|| panic!("{stage}.{key}"))
        };
        let stranded = value(&whole, "inference.fleet.stranded_devices");
        let stranded = stranded.or_else(|| value(&whole, "training.stranded_devices"));
        let times = 1.0
            + stranded.expect("an instance") / value(&single, "training.devices").unwrap_or(1.0);
        assert!(times > 1.0, "{stage}: {times}");
        let embodied = |it| at(it, "co2e_kg.embodied.mid");
        close(stage, embodied(&whole), times * embodied(&single), 0.1);
        assert!(at(&whole, "energy_kwh.it") > 1.5 * at(&single, "energy_kwh.it"), "{stage}");
    }
}

#[test]
fn every_factor_of_an_a100_hour_in_france_has_a_source() {
    let path = root().join("scenarios/a100-hour-france.yaml");
    let forecast = forecast(&std::fs::read_to_string(path).expect("a scenario"));
    let figures = forecast.figures();
    let figure = |path: &str| figures.iter().find(|f| f.path == path).expect("the figure");
    let location = figure("training.co2e_kg.location");
    let mut found = Vec::new();
    leaves(location.step().expect("a derivation"), &mut found);
    let mut bases: Vec<&Basis> = Vec::new();
    for leaf in found {
        if let Expr::Leaf(basis) = &leaf.how
            && !bases.contains(&basis)
        {
            bases.push(basis);
        }
    }
    // TDP, load, the part of the device in it, idle power of device and host, PUE, grid.
    let sourced = bases.iter().filter(|basis| match basis {
        Basis::Catalog { source, .. } => !source.is_empty(),
        Basis::Assumed { source, .. } => source.is_some(),
        _ => false,
    });
    assert_eq!(sourced.count(), 7, "{bases:#?}");
    // 608 W of the device with its host x PUE 1.56 x 40.83 g/kWh of France in 2024.
    close("an A100-hour", location.value().expect("known"), 0.608 * 1.56 * 40.83e-3, 1e-3);
}

#[test]
fn the_power_at_work_is_what_was_measured() {
    // Device with its host, W: system power measured in arXiv:2104.10350 tables 1 and 4, in
    // arXiv:2506.14551 (0.76 of 10.2 kW / 8) and by MLPerf inference v5.1.
    for (accelerator, low, high) in [
        ("p100-sxm2", 295.0, 298.0),
        ("v100-sxm2-32gb", 329.0, 331.0),
        ("tpu-v2", 206.0, 230.0),
        ("tpu-v3", 245.0, 310.0),
        ("h100-sxm", 960.0, 975.0),
        ("b200-sxm", 1200.0, 1305.0),
    ] {
        let text = run("region: FRA").replace("h100-sxm", accelerator).replace("bf16", "fp16");
        let text = if accelerator.starts_with("tpu") { text.replace("fp16", "bf16") } else { text };
        let estimate = forecast(&text);
        let figures = estimate.figures();
        let it = figures.iter().find(|f| f.path == "training.energy_kwh.it").expect("energy");
        let watts = find(it.step().expect("a tree"), "power of a busy device with its host");
        let watts = watts.expect("a power");
        assert!((low..=high).contains(&watts), "{accelerator}: {watts} W");
    }
}

fn find(step: &Step, name: &str) -> Option<f64> {
    if step.name.as_deref() == Some(name) {
        return Some(step.value);
    }
    step.inputs().into_iter().find_map(|input| find(input, name))
}

#[test]
fn every_region_has_a_figure_or_says_why_not() {
    let mut unknown = 0;
    for region in CATALOG.regions() {
        let provider = if region.provider == "*" { "owned" } else { &region.provider };
        let text = run(&format!(
            "provider: {provider}, region: {:?}, purchase: {{price: 2 USD/device-h}}",
            region.code
        ));
        let estimate = forecast(&text);
        let figures = estimate.figures();
        let figure = |path: &str| figures.iter().find(|f| f.path == path).expect("a figure");
        for path in ["training.co2e_kg.location", "training.energy_kwh.facility"] {
            let figure = figure(path);
            match (figure.value(), figure.unknown()) {
                (Some(value), None) => assert!(value > 0.0, "{path} of {} is 0", region.code),
                (None, Some(why)) => {
                    assert!(why.why.contains(&region.code), "{}", why.why);
                    unknown += 1;
                }
                other => panic!("{path} of {}: {other:?}", region.code),
            }
        }
    }
    assert!(unknown < 10, "{unknown} regions have no life-cycle figure");
}

#[test]
fn the_series_is_matched_to_the_year_of_the_start() {
    let grid = |start: &str| {
        let estimate = forecast(&run(&format!("region: GBR, start: {start}")));
        let figures = estimate.figures();
        let co2e = figures.iter().find(|f| f.path == "training.co2e_kg.location").expect("co2e");
        let names = |name: &str| find(co2e.step().expect("a tree"), name);
        let year =
            |year: i32| names(&format!("placement.grid, life-cycle, country of GBR, {year}"));
        (2014..2030).find_map(|y| Some((y, year(y)?))).expect("a year")
    };
    let (then, before) = grid("2016-05-01");
    let (now, after) = grid("2026-12-01");
    assert_eq!((then, now), (2016, 2025));
    assert!(after < 0.75 * before, "{before} to {after}");
    assert_eq!(grid("2010-01-01").0, 2015, "the series begins later");
}

#[test]
fn contracts_make_the_market_based_figure() {
    let market = |contracts: &str| {
        let grid = "pue: 1.2, grid: 300 gCO2e/kWh";
        let estimate = forecast(&run(&format!("{grid}, contracts: {contracts}")));
        let kwh = value(&estimate, "training.energy_kwh.facility").expect("energy");
        value(&estimate, "training.co2e_kg.market").map(|kg| 1e3 * kg / kwh)
    };
    assert_eq!(market("{}"), None);
    for (contracts, intensity) in [
        ("{carbon_free: 60 %, residual_mix: 500 gCO2e/kWh}", 200.0),
        ("{carbon_free: 60 %, certificates: 10 %, residual_mix: 500 gCO2e/kWh}", 150.0),
        ("{residual_mix: 500 gCO2e/kWh}", 500.0),
        ("{certificates: 100 %, residual_mix: 500 gCO2e/kWh}", 0.0),
        ("{carbon_free: 50 %}", 150.0),
    ] {
        let found = market(contracts).expect("contracts are named");
        assert!((found - intensity).abs() < 1e-6, "{contracts}: {found}");
    }
    // The published residual mix stands where no other is given: AIB, 2024 and 2025.
    let published = |place: &str| {
        let estimate = forecast(&run(place));
        let kwh = value(&estimate, "training.energy_kwh.facility").expect("energy");
        value(&estimate, "training.co2e_kg.market").map(|kg| 1e3 * kg / kwh)
    };
    for (place, intensity) in [
        ("region: DEU, start: 2024-06-01", Some(724.56)),
        ("region: DEU, start: 2026-06-01", Some(701.47)),
        ("region: FRA, start: 2024-06-01, contracts: {carbon_free: 50 %}", Some(11.76)),
        ("region: AUS", Some(810.0)),
        ("region: CHN", None),
        ("region: AUT", None),
        // Certificates of another decade or another continent cover nothing.
        (
            "region: DEU, start: 2024-06-01, contracts: {certificates: 50 %, vintage: 2024, market: NOR}",
            Some(362.28),
        ),
        (
            "region: DEU, start: 2024-06-01, contracts: {certificates: 50 %, vintage: 2015}",
            Some(724.56),
        ),
        (
            "region: DEU, start: 2024-06-01, contracts: {certificates: 50 %, market: US-TX}",
            Some(724.56),
        ),
    ] {
        match (published(place), intensity) {
            (Some(found), Some(right)) => assert!((found - right).abs() < 1e-6, "{place}: {found}"),
            (found, right) => assert_eq!(found, right, "{place}"),
        }
    }
    let both = run("region: FRA, contracts: {carbon_free: 60 %, certificates: 50 %}");
    let refused = resolved(&both).unwrap_err().to_string();
    assert!(refused.contains("110 %"), "{refused}");
}

#[test]
fn upstream_is_counted_once() {
    let life_cycle = forecast(&run("grid: 160 gCO2e/kWh"));
    assert_eq!(value(&life_cycle, "training.co2e_kg.upstream"), None);
    let direct = "grid: 125 gCO2e/kWh, grid_basis: direct, upstream: 35 gCO2e/kWh";
    let direct = forecast(&run(direct));
    let parts = ["location", "upstream"]
        .map(|part| value(&direct, &format!("training.co2e_kg.{part}")).expect("a figure"));
    let whole = value(&life_cycle, "training.co2e_kg.location").expect("a figure");
    assert!((parts[0] + parts[1] - whole).abs() < 1e-9 * whole);
    let unsaid = forecast(&run("grid: 125 gCO2e/kWh, grid_basis: direct"));
    let upstream = unsaid.figures().into_iter().find(|f| f.path == "training.co2e_kg.upstream");
    assert!(upstream.expect("a line").unknown().is_some());
}

#[test]
fn unlike_bases_do_not_compare() {
    assert!(comparable(GridBasis::LifeCycle, GridBasis::LifeCycle).is_ok());
    for other in [GridBasis::Direct, GridBasis::Marginal] {
        let refused = comparable(GridBasis::LifeCycle, other).unwrap_err();
        assert!(refused.message().contains(other.name()));
    }
}

/// Over its life, all that was emitted to make hardware of one's own falls to it, once.
#[test]
fn owned_hardware_is_made_once() {
    let per_device = |life: u32, horizon: u32| {
        let text = format!(
            "name: t\nmodel: llama-3-8b\ninference:\n  placement: {{region: DEU, owned: \
             {{chip: 30000 USD/device, amortisation: {life} years}}, embodied: \
             {{device: 1000 kgCO2e/device, server: 8000 kgCO2e}}}}\n  traffic: {{requests: 100/s, \
             input_tokens: {{mean: 1000}}, output_tokens: {{mean: 300}}, peak_to_mean: 2}}\n  \
             hardware: {{accelerator: h100-sxm}}\n  precision: fp8\n\
             finance: {{horizon: {horizon} years}}\n"
        );
        let forecast = forecast(&text);
        let value = |path: &str| value(&forecast, path).expect("a figure");
        value("tco.co2e_kg.embodied") / value("inference.fleet.devices")
    };
    for (life, horizon) in [(10, 10), (4, 4), (4, 2), (2, 4)] {
        let (got, right) =
            (per_device(life, horizon), 2000.0 * f64::from(horizon) / f64::from(life));
        assert!((got / right - 1.0).abs() < 1e-9, "{life} {horizon}: {got}, not {right}");
    }
    // A run pays for the time without work beside its own.
    let of_run = |owned: &str| {
        let place = format!("region: DEU, owned: {{chip: 30000 USD/device, {owned}}}");
        value(&forecast(&run(&place)), "training.co2e_kg.embodied.mid").expect("a figure")
    };
    let full = of_run("amortisation: 5 years");
    let half = of_run("amortisation: 5 years, utilisation: 50 %");
    let short = of_run("amortisation: 2 years");
    assert!((half / full - 2.0).abs() < 1e-9 && (short / full - 2.5).abs() < 1e-9);
}

#[test]
fn a_state_without_a_figure_says_whose_it_takes() {
    let warned = |place: &str| {
        let scenario = resolved(&run(place)).expect("a scenario");
        scenario.warnings.iter().any(|it| it.contains("tells states apart"))
    };
    assert!(warned("region: US-WA") && !warned("region: US-WA, grid_basis: direct"));
    assert!(!warned("region: USA") && !warned("region: US-WA, grid: 50 gCO2e/kWh"));
}

#[test]
fn the_scope_follows_the_placement() {
    let scope = |placement: &[&str]| {
        let file = "scenarios/carbon-london.yaml";
        asked(Way::Estimate, file, placement)["training"]["co2e_scope"].clone()
    };
    assert!(scope(&[]).as_str().expect("a scope").starts_with("scope 3"));
    let owned = ["placement.provider=owned", "placement.region=GBR"];
    assert!(scope(&owned).as_str().expect("a scope").starts_with("scope 2"));
    let mere_place = [owned[1], "placement.provider=null", "placement.purchase=null"];
    assert!(scope(&mere_place).is_null());
}

#[test]
fn a_window_moves_a_short_run_and_not_one_of_whole_days() {
    let file = "scenarios/carbon-london.yaml";
    let saving = |extra: &[&str]| {
        let out = asked(Way::Estimate, file, extra);
        let window = &out["training"]["start_window"];
        let location = number(&out, "training.co2e_kg.location");
        let saving = number(window, "saving");
        close("saved", number(window, "saved_co2e_kg") + 1.0, location * saving + 1.0, 1e-9);
        saving
    };
    let short = saving(&[]);
    assert!((0.01..0.5).contains(&short), "{short}");
    let days = ["training.efficiency={device_hours: 384}", "placement.start_window=3 days"];
    assert!(saving(&days).abs() < 1e-9);
    let out = asked(Way::Estimate, file, &["placement.region=us-east-2"]);
    assert!(out["training"]["start_window"]["saved_co2e_kg"].is_null());
    refuses(Way::Estimate, file, &["placement.start=null"], 2, "placement.start");
}

prop_compose! {
    /// Scenarios over what energy and carbon depend on.
    fn scenarios()(
        tokens in 1e8..1e13f64,
        count in 1u32..5_000,
        goodput in prop::sample::select(vec!["auto", "0.9", "1"]),
        spares in 0.0..0.2f64,
        power in prop::sample::select(vec![
            "", ", power: 700 W", ", power: 900 W, idle: 250 W", ", idle: 250 W",
        ]),
        serve in any::<bool>(),
        rate in 1_000.0..1e8f64,
    ) -> String {
        let mut text = format!("
name: random
model: llama-3-8b
data: {{tokens: {tokens:e}}}
training:
  precision: bf16
  hardware: {{accelerator: h100-sxm, count: {count}{power}}}
  efficiency: {{mfu: 0.4}}
  goodput: {goodput}
  spares: {spares}
placement: {{provider: aws, region: us-east-2, purchase: {{price: 2 USD/device-h}}, PLACE}}
");
        if serve {
            let _ = write!(text, "
inference:
  traffic: {{requests: {rate}/day, input_tokens: {{mean: 900}}, output_tokens: {{mean: 200}}}}
  hardware: {{accelerator: h100-sxm{power}}}
  precision: bf16
");
        }
        text
    }
}

prop_compose! {
    fn places()(pue in 1.0..2.0f64, grid in 10.0..900.0f64, wue in 0.0..3.0f64) -> [f64; 3] {
        [pue, grid, wue]
    }
}

fn at(text: &str, [pue, grid, wue]: [f64; 3]) -> Estimate {
    forecast(&text.replace("PLACE", &format!("pue: {pue}, grid: {grid}, wue: {wue} L/kWh")))
}

/// Equal but for rounding.
fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn energy_carbon_and_water_multiply_out(text in scenarios(), place in places()) {
        let estimate = at(&text, place);
        let [pue, grid, wue] = place;
        let stages: Vec<String> = std::iter::once("training".to_owned())
            .chain((1..=3).map(|year| format!("inference.years.{year}")))
            .filter(|stage| value(&estimate, &format!("{stage}.energy_kwh.it")).is_some())
            .collect();
        for stage in stages {
            let figure = |path: &str| value(&estimate, &format!("{stage}.{path}")).expect(path);
            let (it, facility) = (figure("energy_kwh.it"), figure("energy_kwh.facility"));
            prop_assert!(same(it * pue, facility), "IT x PUE");
            prop_assert!(same(facility * grid / 1e3, figure("co2e_kg.location")), "energy x grid");
            prop_assert!(same(it * wue, figure("water_l.on_site")), "IT x WUE");
            prop_assert!(figure("water_l.off_site") > 0.0);
        }
    }

    #[test]
    fn rows_sum_to_totals(text in scenarios(), place in places()) {
        let estimate = at(&text, place);
        let training = estimate.training.as_ref().map(|t| ("training".to_owned(), &t.footprint));
        let years = estimate.inference.iter().flat_map(|inference| &inference.years);
        let years = years.map(|y| (format!("inference.years.{}", y.year), &y.footprint));
        for (stage, footprint) in training.into_iter().chain(years) {
            let accounts = footprint.accounts();
            let kwh: f64 = accounts
                .iter()
                .filter_map(|row| Some(row.energy.known()?.value().value))
                .sum();
            let kg: f64 = accounts
                .iter()
                .filter_map(|row| Some(row.location.known()?.value().value))
                .sum();
            let embodied: f64 = accounts
                .iter()
                .filter_map(|row| Some(row.embodied.as_ref()?[1].known()?.value().value))
                .sum();
            let figure = |path: &str| value(&estimate, &format!("{stage}.{path}")).expect(path);
            prop_assert!(same(kwh / 3.6e6, figure("energy_kwh.facility")));
            prop_assert!(same(kg, figure("co2e_kg.location")));
            prop_assert!(same(embodied, figure("co2e_kg.embodied.mid")));
        }
    }

    #[test]
    fn an_input_changes_only_what_depends_on_it(
        text in scenarios(),
        place in places(),
        other in places(),
        which in 0usize..3,
    ) {
        let mut changed = place;
        changed[which] = other[which];
        let depends = |path: &str| {
            let carbon = path.contains("co2e") && !path.contains("embodied");
            let (carbon, on_site) = (carbon || path.starts_with("sci"), path.contains("on_site"));
            match which {
                0 => carbon
                    || path.contains("facility") || path.contains("off_site")
                    || path.contains("energy") && !path.contains("energy_kwh.it"),
                1 => carbon,
                _ => on_site,
            }
        };
        let (before, after) = (at(&text, place).figures(), at(&text, changed).figures());
        for (a, b) in before.iter().zip(&after) {
            prop_assert_eq!(&a.path, &b.path);
            if !depends(&a.path) {
                prop_assert_eq!(a.value(), b.value(), "{}", a.path);
            }
        }
    }

    #[test]
    fn idle_devices_draw_less_than_busy_ones(rate in 1_000.0..1e7f64, more in 1u32..5) {
        let fleet = |redundancy: u32| {
            forecast(&format!("
name: x
model: llama-3-8b
inference:
  placement: {{region: FRA}}
  traffic: {{requests: {rate}/day, input_tokens: {{mean: 900}}, output_tokens: {{mean: 200}}}}
  hardware: {{accelerator: h100-sxm}}
  precision: bf16
  redundancy: {redundancy}
"))
        };
        let energy = |estimate: &Estimate| value(estimate, "inference.years.1.energy_kwh.it").expect("energy");
        let devices = |estimate: &Estimate| value(estimate, "inference.years.1.devices").expect("devices");
        let (small, large) = (fleet(0), fleet(more));
        // Spare replicas add their idle draw, and nothing else.
        let added = (energy(&large) - energy(&small)) / (devices(&large) - devices(&small));
        prop_assert!(same(added, 8.766 * (0.115 * 700.0 + 150.0)), "{added} kWh per device");
    }
}
