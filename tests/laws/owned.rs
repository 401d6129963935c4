//! Owned hardware: Epoch AI's cost model, the laws of amortisation, rent or buy.

use flopcast::catalog::Catalog;
use flopcast::ledger::line::{Ledger, Period, Stage};
use flopcast::ledger::plan::{Alternative, Amortisation, Owned};
use flopcast::provenance::{Basis, Input, Traced, Value as Figure};
use flopcast::quantity::{
    DevicePrice, DeviceTime, Energy, Measure, Money, Share, Time, YearlyRate, parse,
};
use proptest::prelude::*;
use serde_json::Value;

use crate::common::library::{Way, asked, refuses};
use crate::common::{close, number};

const FILE: &str = "scenarios/bloom-176b-owned.yaml";

/// A run as Epoch AI counts it (epoch-research/training-cost-trends @fb92689): `model_costs.csv` has
/// its results in dollars of 2023.
struct Run {
    model: &'static str,
    /// Amortised hardware and energy.
    cost: f64,
    /// Acquisition of the cluster, at its price when new.
    cluster: f64,
    devices: f64,
    /// A chip with its server, when new.
    server: f64,
    /// What its data say of the run, where it is not the scenario's.
    sets: &'static [&'static str],
}

const EPOCH: &[Run] = &[
    Run {
        model: "BLOOM-176B",
        cost: 995_819.117,
        cluster: 12_052_219.88,
        devices: 384.0,
        server: 24_875.0,
        sets: &[],
    },
    Run {
        model: "GPT-4",
        cost: 40_695_706.40,
        cluster: 778_066_898.67,
        devices: 25_000.0,
        server: 24_875.0,
        sets: &[
            "training.hardware={accelerator: a100-sxm-40gb, count: 25000, power: 609.4 W}",
            "training.efficiency.device_hours=57M",
            "placement.start=2022-05-12",
            "placement.owned.bought=2020-08-12",
            "placement.owned.electricity=0.0806 USD/kWh",
        ],
    },
    Run {
        model: "GPT-3",
        cost: 2_198_104.565,
        cluster: 242_000_906.33,
        devices: 10_000.0,
        server: 18_625.0,
        sets: &[
            "training.precision=fp16",
            "training.hardware={accelerator: v100-sxm2-32gb, count: 10000, power: 312.5 W}",
            "training.efficiency.device_hours=3.552M",
            "placement.start=2019-10-01",
            "placement.owned.bought=2018-06-25",
            "placement.owned.chip=11020.7 USD/device",
            "placement.owned.electricity=0.0667 USD/kWh",
        ],
    },
];

fn estimate(sets: &[&str]) -> Value {
    asked(Way::Estimate, FILE, sets)
}

#[test]
fn epochs_cost_model_is_reproduced() {
    for run in EPOCH {
        // The acquisition has the prices when new, so it tells the inflation to 2023.
        let inflation = run.cluster / (run.devices * run.server / (1.0 - 0.19));
        let total = number(&estimate(run.sets), "training.cost_usd.total");
        close(run.model, total * inflation, run.cost, 2e-3);
    }
    let bloom = number(&estimate(&[]), "training.cost_usd.total");
    close("BLOOM-176B, inflation left out", bloom, 995_819.117, 0.03);
}

#[test]
fn epochs_constants() {
    let catalog = Catalog::embedded();
    let plain = |id: &str| catalog.default_value::<f64>(id).unwrap().value;
    let server = |id: &str| {
        let device = catalog.accelerator(id).unwrap();
        device.server_power().unwrap().value.stored() / device.tdp.as_ref().unwrap().value.stored()
    };
    let year: Time = parse("1 year").unwrap();
    let decline = catalog.default_value::<YearlyRate>("price.decline").unwrap().value * year;
    // cost_analysis_standalone.py of epoch-research/training-cost-trends @263c40a.
    for (what, value, published) in [
        ("server / chip, A100", plain("capex.server_per_chip.a100"), 1.66),
        ("server / chip, V100", plain("capex.server_per_chip.v100"), 1.69),
        ("server / chip, P100", plain("capex.server_per_chip.p100"), 1.54),
        ("server / chip, others", plain("capex.server_per_chip.other"), 1.64),
        ("interconnect / cluster", plain("capex.interconnect_share"), 0.19),
        ("amortisation per year", -decline.value.ln_1p(), 0.14 * 10f64.ln()),
        ("PUE of hyperscalers", plain("pue.hyperscaler"), 1.1),
        ("PUE of others", plain("pue.other"), 1.25),
        ("server power / TDP, A100", server("a100-sxm-80gb"), 6.5 / 8.0 / 0.4),
        ("server power / TDP, H100", server("h100-sxm"), 10.2 / 8.0 / 0.7),
        ("server power / TDP, V100", plain("host.server_per_chip.v100"), 1.667),
        ("draw in training / nameplate", plain("host.load"), 0.75),
    ] {
        close(what, value, published, 3e-3);
    }
}

#[test]
fn all_defaults_have_a_basis() {
    let set = ["placement={provider: owned, region: US-OH}", "training.hardware.accelerator=h100"];
    let forecast = estimate(&set);
    let rows = forecast["ledger"].as_array().unwrap();
    for resource in ["hardware", "colocation", "electricity", "maintenance"] {
        let row = rows.iter().find(|row| row["resource"] == resource).expect(resource);
        assert!(!row["basis"].as_array().unwrap().is_empty(), "{row}");
        assert!(row["amount_usd"].as_f64().unwrap() > 0.0, "{row}");
    }
    let purchases = forecast["purchases"].as_array().unwrap();
    assert!(purchases.iter().all(|row| row["kind"] == "capex" && row["month"] == 0));
    let paid: f64 = purchases.iter().map(|row| row["amount_usd"].as_f64().unwrap()).sum();
    close("purchases", paid, number(&forecast, "training.capex_usd.total"), 1e-12);
    let answer = forecast["rent_or_buy"]["training"]["answer"].as_str().unwrap();
    assert!(answer.starts_with("never: it takes"), "{answer}");
}

#[test]
fn contradictions_are_refused() {
    for (set, expected) in [
        ("placement={provider: aws, region: us-east-1, owned: {residual: 0 %}}", "rented from aws"),
        ("placement.purchase=spot", "either owned or bought by the hour"),
        ("placement.owned.residual=10 %", "follows from price_change"),
        ("placement.owned.bought=2023-01-01", "after the start on 2022-01-15"),
        ("placement.owned.price_change=-100 %/year", "less than 100 %"),
        ("placement.owned.utilisation=0 %", "never used"),
        ("placement.owned.server=0.5", "at least as much as its chips"),
        ("placement.owned.amortisation=0 years", "a month at least"),
        ("placement.owned.instead_of={region: us-east-1}", "names its provider or its price"),
        ("placement.owned.instead_of={provider: aws}", "no on-demand price"),
        ("placement.owned.chips=3", "unknown key `chips`"),
    ] {
        refuses(Way::Estimate, FILE, &[set], 2, expected);
    }
}

fn input<Q: Measure>(name: &str, text: &str) -> Input<Q> {
    given(name, parse(text).expect("a quantity"))
}

fn given<Q: Measure>(name: &str, value: Q) -> Input<Q> {
    Input::new(name, value, Basis::Assumed { why: "a test".to_owned(), source: None })
}

fn share(value: f64) -> Share {
    Share::new(value).expect("a share")
}

fn owned(amortisation: Amortisation, years: f64, price: f64) -> Owned {
    Owned {
        chip: Ok(given("chip", Measure::from_stored(price))),
        server: given("server", 1.64),
        interconnect: given("interconnect", share(0.19)),
        amortisation,
        life: input("life", &format!("{years} years")),
        utilisation: given("utilisation", share(0.8)),
        power: Ok(input("power", "1.3 kW/device")),
        colocation: input("colocation", "184 USD/kW-month"),
        electricity: Ok(input("electricity", "0.08 USD/kWh")),
        maintenance: input("maintenance", "5 %/year"),
        instead_of: Ok(Alternative { price: input("rent", "2.5 USD/device-h"), committed: false }),
    }
}

fn traced<Q: Measure>(text: &str) -> Traced<Q> {
    input("x", text).trace()
}

fn written_off(owned: &Owned, years: u32) -> f64 {
    let time = traced::<DeviceTime>("8766 device-h");
    let mut money = Ledger::<Money>::default();
    for year in 1..=years {
        let when = (Stage::Serving(year), Period::of_months(12 * (year - 1), 12));
        owned.enter(&mut money, when, (&time, None), &traced::<Energy>("9 MWh").into());
    }
    let hardware = money.sum(|entry| entry.resource.key() == "hardware");
    hardware.known().expect("known rows").value().stored()
}

proptest! {
    #[test]
    fn amortisation_adds_up_to_price_less_residual(
        years in 1u32..9, price in 1e3..1e5f64, residual in 0.0..0.9f64, change in -0.6..0.2f64,
    ) {
        let straight = Amortisation::StraightLine {
            residual: given("residual", share(residual)),
        };
        let by_value = Amortisation::Value {
            change: input("change", &format!("{} %/year", 100.0 * change)),
            age: input("age", "1 year"),
        };
        for amortisation in [straight, by_value] {
            let owned = owned(amortisation, f64::from(years), price);
            let capex = owned.capex().unwrap().total.value().stored();
            let left = owned.residual().value();
            let expected = capex * (1.0 - left);
            prop_assert!((written_off(&owned, years) - expected).abs() < 1e-9 * capex);
        }
    }

    #[test]
    fn break_even_is_where_the_cumulated_costs_cross(
        price in 1e3..4e4f64, rent in 0.5..6.0f64, discount in 0.0..0.2f64,
    ) {
        let never_left = Amortisation::StraightLine { residual: given("r", share(0.0)) };
        let at = |price: f64, rent: f64| {
            let mut owned = owned(never_left.clone(), 1000.0, price);
            let rent = input("rent", &format!("{rent} USD/device-h"));
            owned.instead_of = Ok(Alternative { price: rent, committed: true });
            let (time, energy) = (traced("1 device-h"), Figure::Known(traced("1 kWh")));
            let discount = given("discount", discount).trace();
            let used = owned.utilisation.trace();
            owned.rent_or_buy((&time, &used), &energy, &discount).unwrap()
        };
        let compared = at(price, rent);
        let running = compared.running.value().stored();
        let saving = compared.rent.value().stored() - running;
        let capex = compared.capex.value().stored();
        if let Some(time) = compared.break_even.known() {
            // The integral of the saving, by midpoints.
            let (end, steps) = (time.value().stored(), 2000);
            let step = end / f64::from(steps);
            let saved: f64 = (0..steps)
                .map(|i| {
                    let years = (f64::from(i) + 0.5) * step / 31_557_600.0;
                    saving * step * (1.0 + discount).powf(-years)
                })
                .sum();
            prop_assert!((saved / capex - 1.0).abs() < 1e-3, "{saved} {capex}");
            // A dearer device takes longer, a dearer rent shortens it.
            if let Some(dearer) = at(price * 1.1, rent).break_even.known() {
                prop_assert!(dearer.value() > time.value());
            }
            prop_assert!(at(price, rent * 1.1).break_even.known().expect("sooner").value() < time.value());
        } else {
            let interest = capex * discount.ln_1p() / 31_557_600.0;
            prop_assert!(saving <= interest * 1.000_001 || saving <= 0.0);
        }
    }
}

#[test]
fn dimensions_of_the_rates() {
    // 1.3 kW at 184 USD/kW-month; a month is a twelfth of a year.
    let owned =
        owned(Amortisation::StraightLine { residual: given("r", share(0.1)) }, 4.0, 30_000.0);
    let rate: DevicePrice = owned.colocation_rate().told().unwrap().value();
    close("colocation", rate.stored() * 3600.0 * 730.5, 1.3 * 184.0, 1e-12);
    // 30,000 x 1.64 / 0.81 x 0.9 / 4 years.
    close("amortisation", written_off(&owned, 1), 30_000.0 * 1.64 / 0.81 * 0.9 / 4.0, 1e-12);
}

/// The amounts of the rows that `meant` accepts, added up.
fn sum(rows: &Value, meant: impl Fn(&Value) -> bool) -> f64 {
    let rows = rows.as_array().expect("rows").iter().filter(|row| meant(row));
    rows.map(|row| row["amount_usd"].as_f64().expect("an amount")).sum()
}

fn capex(rows: &Value) -> f64 {
    sum(rows, |row| row["kind"] == "capex")
}

/// A service holds its devices all year: what the ledger charges over the life of the hardware is
/// what was paid for it, at any utilisation, also where the fleet follows its load.
#[test]
fn a_service_pays_its_hardware_once() {
    const OWNED: &str = "tests/data/ledger/owned-utilisation.yaml";
    for set in [
        "inference.placement.owned.utilisation=50 %",
        "inference.placement.owned.utilisation=100 %",
        "inference.redundancy=3",
    ] {
        let value = asked(Way::Estimate, OWNED, &[set]);
        let devices = value["inference"]["fleet"]["devices"].as_f64().expect("devices");
        close(set, capex(&value["ledger"]), 50_000.0 * devices, 1e-9);
        close(set, capex(&value["ledger"]), capex(&value["purchases"]), 1e-9);
    }
}

/// A service on devices of 30,000 USD each.
const SERVICE: &str = "tests/data/ledger/owned-service.yaml";

/// A way of owning: what changes of the file, the service life, the month from which the last fleet
/// buys, the book value of a device by the moment of its purchase and its age in years, and what
/// is received for devices that go.
struct Kept {
    sets: &'static [&'static str],
    life: f64,
    from: f64,
    left: fn(f64, f64) -> f64,
    sold: f64,
}

/// What was paid is what the ledger wrote off and what is left, whether hardware outlives the
/// horizon, is bought again, falls in price, is sold, or has no more use.
#[test]
fn purchases_are_what_is_written_off_and_what_is_left() {
    let cases = [
        Kept {
            sets: &["finance.horizon=6 years"],
            life: 3.0,
            from: 0.0,
            left: |_, _| 0.0,
            sold: 0.0,
        },
        Kept {
            sets: &[
                "placement.owned.price_change=-30 %/year",
                "inference.traffic.growth=40 %/year",
            ],
            life: 3.0,
            from: 0.0,
            left: |since, age| 0.7_f64.powf(since + age),
            sold: 0.0,
        },
        Kept {
            sets: &[
                "finance.horizon=4 years",
                "placement.owned.amortisation=4 years",
                "inference.traffic.growth=40 %/year",
                "inference.refresh={year: 3, hardware: {accelerator: b200-sxm}}",
            ],
            life: 4.0,
            from: 24.0,
            left: |_, age| 1.0 - age / 4.0,
            // 11 devices half written off and 4 more by a quarter.
            sold: 30_000.0 * (11.0 * 0.5 + 4.0 * 0.75),
        },
        Kept {
            sets: &["placement.owned.amortisation=2 years", "placement.owned.residual=10 %"],
            life: 2.0,
            from: 0.0,
            left: |_, age| 1.0 - 0.9 * age / 2.0,
            sold: 30_000.0 * 11.0 * 0.1,
        },
        Kept {
            sets: &["inference.traffic.growth=-40 %/year"],
            life: 3.0,
            from: 0.0,
            left: |_, _| 0.0,
            sold: 0.0,
        },
        Kept {
            sets: &[
                "placement.owned.amortisation=18 months",
                "inference.traffic.growth=-40 %/year",
            ],
            life: 1.5,
            from: 0.0,
            left: |_, _| 0.0,
            sold: 0.0,
        },
    ];
    for Kept { sets, life, from, left, sold } in cases {
        let value = asked(Way::Estimate, SERVICE, sets);
        let horizon = number(&value, "tco.horizon_years");
        let bought = value["purchases"].as_array().expect("purchases").iter();
        let of_chips = bought.filter(|row| row["detail"] == "chips");
        let remains = of_chips.map(|row| {
            let month = row["month"].as_f64().expect("a month");
            let age = horizon - month / 12.0;
            let devices = row["quantity"].as_f64().expect("devices");
            let kept = month >= from && age < life + 1e-9;
            if kept { 30_000.0 * devices * left(month / 12.0, age) } else { 0.0 }
        });
        let name = sets.join(", ");
        let expected = capex(&value["ledger"]) + remains.sum::<f64>();
        close(&name, capex(&value["purchases"]), expected, 1e-9);
        let received = sum(&value["purchases"], |row| row["detail"] == "sold at book value");
        assert!((received + sold).abs() < 1e-6 * 30_000.0, "{name}: {received}");
    }
}

/// A fleet that is scaled down was made all the same.
#[test]
fn devices_that_are_scaled_down_were_made() {
    let path = "inference.per_query.co2e_g.embodied";
    let fixed = number(&asked(Way::Estimate, SERVICE, &[]), path);
    let scaled = asked(Way::Estimate, SERVICE, &["inference.autoscaling.start_up=5 min"]);
    close("embodied", number(&scaled, path), fixed, 1e-9);
}

/// A run that outlasts its hardware buys it again.
#[test]
fn a_long_run_buys_again() {
    let set = [
        "placement={provider: owned, region: US-OH, owned: {amortisation: 1 month}}",
        "training.hardware.accelerator=h100",
    ];
    let value = asked(Way::Estimate, FILE, &set);
    let months = number(&value, "training.wall_clock_days") / (365.25 / 12.0);
    let rows = value["purchases"].as_array().expect("purchases").iter();
    let bought = rows.filter(|row| row["detail"] == "chips").count();
    close("purchases", bought as f64, months.ceil(), 1e-12);
}

/// A fixed fleet is rented for every hour of the year, whatever the utilisation of what is owned.
#[test]
fn a_service_rents_all_the_year() {
    let rent = |sets: &[&str]| {
        let value = asked(Way::Estimate, SERVICE, sets);
        number(&value, "rent_or_buy.inference.rent_usd_per_device_h")
    };
    let all = rent(&[]);
    close("utilisation", rent(&["placement.owned.utilisation=40 %"]), all, 1e-12);
    assert!(rent(&["inference.autoscaling.start_up=5 min"]) < 0.9 * all);
}
