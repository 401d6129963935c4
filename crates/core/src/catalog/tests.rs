//! The embedded tables hold what they should, and the look-ups answer or explain.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use super::table::Row;
use super::*;
use crate::quantity::{DevicePower, EnergyPrice, Measure, Precision, Pue, show};

fn catalog() -> Catalog {
    Catalog::embedded()
}

fn date(text: &str) -> NaiveDate {
    AsOf::parse(text).unwrap().start
}

fn wanted<'a>(
    provider: &'a str,
    region: &'a str,
    accelerator: &'a str,
    purchase: Purchase,
) -> Wanted<'a> {
    Wanted { provider, region: Some(region), accelerator, purchase }
}

/// True for a figure that went through a change of units and is otherwise the same.
fn near(actual: f64, expected: f64) -> bool {
    (actual - expected).abs() <= 1e-9 * expected.abs()
}

const USD_PER_HOUR: f64 = 1.0 / 3600.0;
const G_PER_KWH: f64 = 1e-3 / 3.6e6;

#[test]
fn tables_hold_every_row_once() {
    fn check<T: Row>(rows: &Rows<'_, T>, count: usize) {
        assert_eq!(rows.iter().count(), count, "{}", T::FILE);
        let keys: BTreeSet<_> = rows.iter().map(Row::key).collect();
        assert_eq!(keys.len(), count, "{}: keys are unique", T::FILE);
        let grouped: usize = rows.keys().map(|key| rows.of(key).count()).sum();
        assert_eq!(grouped, count, "{}: rows of one group stand together", T::FILE);
    }
    let catalog = catalog();
    check(&catalog.devices(), 99);
    check(&catalog.aliases(), 135);
    check(&catalog.price_rows(), 655);
    check(&catalog.api_rows(), 111);
    check(&catalog.places(), 469);
    check(&catalog.zone_rows(), 329);
    check(&catalog.grid_rows(), 2323);
    check(&catalog.hours(), 28 * 12);
    check(&catalog.tariffs(), 63);
    check(&catalog.purchase_rows(), 31);
    check(&catalog.index_rows(), 24);
    check(&catalog.default_rows(), catalog.defaults().count());
}

#[test]
fn peaks_are_the_dense_ones() {
    #[rustfmt::skip]
    let golden = [
        // NVIDIA datasheets, without sparsity
        ("h100-sxm", Precision::Bf16, 989.4), ("h100-sxm", Precision::Fp8, 1979.0),
        ("h100-sxm", Precision::Fp32, 66.91), ("h100-pcie", Precision::Bf16, 756.5),
        ("a100-sxm-80gb", Precision::Bf16, 312.0), ("a100-sxm-80gb", Precision::Tf32, 156.0),
        ("v100-sxm2-32gb", Precision::Fp16, 125.0), ("b200-sxm", Precision::Bf16, 2250.0),
        // AMD and Google
        ("mi300x", Precision::Bf16, 1307.4), ("tpu-v4", Precision::Bf16, 275.0),
        ("tpu-v5p", Precision::Bf16, 459.0),
        // Half of the sparse figures of the GPU: 170 and 67 TOPS
        ("jetson-agx-orin-64gb", Precision::Int8, 85.0),
        ("jetson-orin-nano-8gb", Precision::Int8, 33.5),
    ];
    let catalog = catalog();
    for (id, precision, tflops) in golden {
        let peak = catalog.accelerator(id).unwrap().peak(precision).unwrap();
        assert!(near(peak.value.stored(), tflops * 1e12), "{id} {precision}: {}", show(peak.value));
        assert!(!peak.citation.sources.is_empty());
    }
}

#[test]
fn h100_says_what_67_tflops_is() {
    let catalog = catalog();
    let h100 = catalog.accelerator("h100-sxm").unwrap();
    let bf16 = h100.peak(Precision::Bf16).unwrap();
    assert_eq!(show(bf16.value), "989.4 TFLOP/s/device");
    assert!(bf16.citation.to_string().contains("Epoch AI"), "{}", bf16.citation);
    assert_eq!(bf16.citation.row, "hardware/accelerators.csv:h100-sxm");
    assert!(h100.note.contains("66.9 TFLOP/s is FP32"), "{}", h100.note);
    assert_eq!(show(h100.memory.as_ref().unwrap().value), "80 GB/device");
    assert_eq!(show(h100.tdp.as_ref().unwrap().value), "700 W/device");
    assert_eq!(show(h100.host_power().unwrap().value), "150 W/device");
    assert_eq!(show(h100.server_power().unwrap().value), "1.275 kW/device");
    let [low, mid, high] = [&h100.embodied.low, &h100.embodied.mid, &h100.embodied.high]
        .map(|e| e.as_ref().unwrap().value.stored());
    assert!(low < mid && mid < high);
}

#[test]
fn gaps_stay_gaps() {
    let catalog = catalog();
    for id in ["tpu-v5e", "trainium1", "inferentia2"] {
        assert!(catalog.accelerator(id).unwrap().tdp.is_none(), "{id}");
    }
    let v100 = catalog.accelerator("v100-sxm2-32gb").unwrap();
    let error = v100.peak(Precision::Bf16).unwrap_err().to_string();
    assert!(error.contains("no bf16 peak of v100") && error.contains("fp16"), "{error}");
    assert!(catalog.region("oci", "us-ashburn-1").unwrap().pue.is_none());
    assert!(catalog.default_value::<f64>("currency.rate").is_err());
}

#[test]
fn names_and_aliases_resolve() {
    let catalog = catalog();
    for alias in catalog.aliases().iter() {
        assert_eq!(catalog.accelerator(&alias.alias).unwrap().id, alias.accelerator);
    }
    for price in catalog.price_rows().iter().filter(|p| !p.accelerator.is_empty()) {
        assert_eq!(catalog.accelerator(&price.accelerator).unwrap().id, price.accelerator);
    }
    for row in catalog.purchase_rows().iter().filter(|p| !p.accelerator.is_empty()) {
        catalog.accelerator(&row.accelerator).unwrap();
    }
    // As clusters label their nodes, and as people type.
    for (name, id) in [
        ("H100", "h100-sxm"),
        ("nvidia_h100_80gb_hbm3", "h100-sxm"),
        ("NVIDIA-L40S", "l40s"),
        ("A100.80gb", "a100-sxm-80gb"),
        ("nvidia-tesla-a100", "a100-sxm-40gb"),
        ("gtx_1080ti", "gtx-1080-ti"),
        ("tpu-v5p-slice", "tpu-v5p"),
    ] {
        assert_eq!(catalog.accelerator(name).unwrap().id, id, "{name}");
    }
    assert!(catalog.accelerator("nvidia").is_err());
    let error = catalog.accelerator("h100-smx").unwrap_err().to_string();
    assert!(error.contains("did you mean `h100-sxm`"), "{error}");
}

#[test]
fn prices_are_sane() {
    for price in catalog().price_rows().iter() {
        let at = |purchase| price.per_instance(purchase).map(|p| p.value.stored());
        let [on_demand, spot, one, three, ..] = Purchase::ALL.map(at);
        let name = &price.citation.row;
        for amount in [on_demand, spot, one, three].into_iter().flatten() {
            assert!(amount > 0.0 && amount < 1000.0 * USD_PER_HOUR, "{name}");
        }
        for (cheap, dear) in [(spot, on_demand), (one, on_demand), (three, one)] {
            assert!(cheap.zip(dear).is_none_or(|(cheap, dear)| cheap < dear), "{name}");
        }
        assert!(!price.citation.sources.is_empty() && price.citation.as_of.is_some(), "{name}");
        assert_eq!(price.devices.is_none(), price.basis == PriceBasis::HostOnly, "{name}");
    }
}

#[test]
fn a_price_per_basis() {
    use Purchase::{OnDemand, Reserved3y, Spot};
    #[rustfmt::skip]
    let golden = [
        // AWS sells H100 by 1 or 8, at the same rent per device
        ("aws", "us-east-2", "h100-sxm", OnDemand, 8, PriceBasis::Instance, 55.04 / 8.0),
        ("aws", "us-east-2", "h100-sxm", OnDemand, 1, PriceBasis::Instance, 6.88),
        ("aws", "us-east-2", "h100-sxm", Spot, 8, PriceBasis::Instance, 11.2543 / 8.0),
        // GCP bills accelerators and host apart: 82.75421 + 8 x 1.18251; 2.93391 + 0.73948
        ("gcp", "us-central1", "h100-sxm", OnDemand, 8, PriceBasis::AcceleratorOnly, 92.21429 / 8.0),
        ("gcp", "us-central1", "a100-sxm-40gb", OnDemand, 4, PriceBasis::AcceleratorOnly, 3.67339),
        ("gcp", "us-central1", "a100-sxm-40gb", Spot, 4, PriceBasis::AcceleratorOnly, 1.4341 + 0.38812),
        ("gcp", "us-central1", "tpu-v5p", OnDemand, 4, PriceBasis::PerDevice, 4.2),
        ("gcp", "us-central1", "h100-sxm", Reserved3y, 8, PriceBasis::PerDevice, 4.86),
        ("crusoe", "us-southcentral1", "h100-sxm", OnDemand, 8, PriceBasis::Index, 3.588),
        ("azure", "eastus", "v100-sxm2-32gb", OnDemand, 8, PriceBasis::Instance, 22.032 / 8.0),
    ];
    let catalog = catalog();
    for (provider, region, device, purchase, together, basis, usd) in golden {
        let rental = catalog.rental(wanted(provider, region, device, purchase), together).unwrap();
        let price = rental.per_device();
        assert!(near(price.stored(), usd * USD_PER_HOUR), "{provider} {device}: {}", show(price));
        assert_eq!(rental.basis, basis, "{provider} {device}");
        assert!(rental.holds(together));
    }
    let gcp = wanted("gcp", "us-central1", "h100-sxm", OnDemand);
    let citation = catalog.rental(gcp, 8).unwrap().citation().to_string();
    assert!(citation.contains("v8, GCP list") && citation.contains("GCP host"), "{citation}");
}

#[test]
fn the_newest_price_wins_and_older_ones_stay() {
    let rows: Vec<_> = catalog()
        .price_rows()
        .iter()
        .filter(|p| p.sku == "p5.48xlarge" && p.region == "us-east-1")
        .map(|p| p.citation.as_of.unwrap().to_string())
        .collect();
    assert_eq!(rows, ["2023-11-16", "2025-H2", "2024-H2"]);
    let aws = wanted("aws", "us-east-1", "h100-sxm", Purchase::OnDemand);
    let price = |catalog: Catalog| catalog.rental(aws, 8).unwrap().per_device().stored();
    assert!(near(price(catalog()), 55.04 / 8.0 * USD_PER_HOUR));
    assert!(near(price(catalog().as_of(date("2024-06-01"))), 98.32 / 8.0 * USD_PER_HOUR));
}

#[test]
fn a_price_without_region_serves_any_and_says_so() {
    let oci = wanted("oci", "eu-paris-1", "h100-sxm", Purchase::OnDemand);
    let rental = catalog().rental(oci, 8).unwrap();
    assert!(rental.is_for_any_region());
    assert!(near(rental.per_device().stored(), 10.0 * USD_PER_HOUR));
}

#[test]
fn a_replica_on_two_devices_rents_an_instance_that_holds_them() {
    let aws = wanted("aws", "us-east-2", "h100-sxm", Purchase::OnDemand);
    let rental = catalog().rental(aws, 2).unwrap();
    assert!(matches!(rental.charge, Charge::Instance { devices: 8, .. }), "{rental:?}");
    let largest = catalog().rental(aws, 16).unwrap();
    assert!(!largest.holds(16));
    assert!(matches!(largest.charge, Charge::Instance { devices: 8, .. }));
}

#[test]
fn a_missing_price_lists_those_there_are() {
    fn check(provider: &str, region: &str, device: &str, purchase: Purchase, says: &[&str]) {
        let wanted = wanted(provider, region, device, purchase);
        let error = catalog().rentals(wanted).unwrap_err().to_string();
        for text in says {
            assert!(error.contains(text), "{text} in: {error}");
        }
    }
    use Purchase::{OnDemand, Reserved1y, Spot};
    check("azure", "westus3", "h100-sxm", OnDemand, &["no on-demand price", "eastus, eastus2"]);
    check(
        "aws",
        "us-east-2",
        "h100-sxm",
        Reserved1y,
        &["has it in us-east-2: capacity-block, on-demand, spot"],
    );
    check("aws", "ca-central-1", "h100-sxm", Spot, &["us-east-2", "in ca-central-1: on-demand"]);
    check("gcp", "us-central1", "l4", OnDemand, &["0.56 USD/device-h", "accelerators alone"]);
    check("awz", "us-east-2", "h100-sxm", OnDemand, &["no provider `awz`", "`aws`"]);
    check("crusoe", "us-southcentral1", "tpu-v4", OnDemand, &["gcp", "USD/device-h"]);
}

#[test]
fn every_region_has_a_life_cycle_intensity() {
    let catalog = catalog();
    let mut count = 0;
    for region in catalog.regions() {
        let name = format!("{}/{}", region.provider, region.code);
        let grid = region.grid(GridBasis::LifeCycle).expect(&name);
        assert!(grid.intensity.value.stored() > 0.0, "{name}");
        for grid in &region.grids {
            assert!(!grid.intensity.citation.sources.is_empty(), "{name}");
        }
        count += 1;
    }
    assert_eq!(count, 469);
}

#[test]
fn grid_bases_stay_apart() {
    #[rustfmt::skip]
    let golden = [
        // Ember life-cycle; eGRID2023 direct; Electricity Maps via GSF; Google operational
        ("owned", "FRA", GridBasis::LifeCycle, 41.79, Extent::Country, "2025"),
        ("owned", "france", GridBasis::LifeCycle, 41.79, Extent::Country, "2025"),
        ("owned", "Ohio", GridBasis::Direct, 484.56, Extent::State, "2023"),
        ("owned", "US-OH", GridBasis::LifeCycle, 383.78, Extent::Country, "2024"),
        ("aws", "us-east-2", GridBasis::LifeCycle, 396.25, Extent::Grid, "2023"),
        ("aws", "us-east-2", GridBasis::Direct, 484.56, Extent::State, "2023"),
        ("aws", "us-east-2", GridBasis::Marginal, 557.0, Extent::Grid, "2024"),
        ("gcp", "europe-west9", GridBasis::Direct, 16.3, Extent::Grid, "2024"),
        ("gcp", "europe-west9", GridBasis::LifeCycle, 41.79, Extent::Country, "2025"),
        ("azure", "eastus", GridBasis::LifeCycle, 396.25, Extent::Grid, "2023"),
        ("vast", "DEU", GridBasis::LifeCycle, 331.6, Extent::Country, "2025"),
    ];
    let catalog = catalog();
    for (provider, code, basis, grams, extent, year) in golden {
        let region = catalog.region(provider, code).unwrap();
        let grid = region.grid(basis).unwrap();
        let intensity = grid.intensity.value;
        assert!(
            near(intensity.stored(), grams * G_PER_KWH),
            "{provider}/{code}: {}",
            show(intensity)
        );
        assert_eq!(grid.extent, extent, "{provider}/{code}");
        assert_eq!(grid.intensity.citation.as_of.unwrap().to_string(), year);
    }
    assert!(catalog.region("owned", "FRA").unwrap().grid(GridBasis::Direct).is_none());
}

#[test]
fn regions_know_their_site() {
    let catalog = catalog();
    let ohio = catalog.region("aws", "us-east-2").unwrap();
    assert!(near(ohio.pue.as_ref().unwrap().value.get(), 1.13) && !ohio.pue_of_fleet);
    assert_eq!(show(ohio.wue.unwrap().value), "0.1 L/kWh");
    let tariff = ohio.electricity.unwrap();
    assert_eq!(show(tariff.value), "0.079 USD/kWh");
    assert_eq!(tariff.citation.as_of.unwrap().to_string(), "2025-04");
    let share = ohio.carbon_free.unwrap();
    assert!(!share.hourly && near(share.share.value.get(), 1.0));
    assert!(catalog.region("gcp", "europe-west9").unwrap().carbon_free.unwrap().hourly);
    let before = Catalog::embedded().as_of(date("2024-01-01")).region("aws", "us-east-2").unwrap();
    assert_eq!(show(before.electricity.unwrap().value), "0.0703 USD/kWh");
}

#[test]
fn unknown_places_suggest_the_nearest() {
    let error = |p, r| catalog().region(p, r).unwrap_err().to_string();
    assert!(error("aws", "us-eest-2").contains("`us-east-2`"));
    assert!(error("owned", "Frence").contains("`France`"));
    assert!(error("amazon", "us-east-2").contains("no provider"));
    assert!(catalog().zone("Ohoi").unwrap_err().to_string().contains("`Ohio`"));
}

#[test]
fn series_and_profiles() {
    let catalog = catalog();
    let france = catalog.grid_series("FRA");
    assert_eq!(france.keys().copied().collect::<Vec<_>>(), (2015..=2025).collect::<Vec<_>>());
    let profile = catalog.hourly_profile("GBR").unwrap();
    assert_eq!(profile.year, 2020);
    assert!(profile.intensity.iter().flatten().all(Option::is_some));
    let profiles: Vec<_> =
        catalog.zones().filter_map(|it| catalog.hourly_profile(&it.code)).collect();
    assert!(profiles.len() >= 15, "{} grids by the hour", profiles.len());
    for profile in profiles {
        let known = profile.intensity.iter().flatten().map(|it| it.unwrap().stored() / G_PER_KWH);
        assert!(
            known.into_iter().all(|it| (5.0..1000.0).contains(&it)),
            "{}",
            profile.citation.row
        );
    }
    let past = Catalog::embedded().as_of(date("2020-06-01"));
    assert_eq!(past.grid_series("FRA").keys().max(), Some(&2020));
    assert_eq!(past.hourly_profile("GBR").unwrap().year, 2020);
    assert!(Catalog::embedded().as_of(date("2019-12-31")).hourly_profile("GBR").is_none());
}

#[test]
fn prices_of_hosted_models_are_those_of_their_day() {
    let count = |day| Catalog::embedded().as_of(date(day)).api_prices().count();
    let newest = catalog().api_prices().filter_map(|row| row.input.citation.as_of).max().unwrap();
    assert_eq!(count("2020-01-01"), 0);
    assert_eq!(count(&newest.start.to_string()), catalog().api_prices().count());
}

#[test]
fn defaults_are_quantities() {
    let catalog = catalog();
    for default in catalog.defaults() {
        assert!(!default.citation.sources.is_empty() && default.citation.as_of.is_some());
    }
    let rent = catalog
        .default_value::<crate::quantity::Per<crate::quantity::Money, crate::quantity::Energy>>(
            "colocation.rent",
        )
        .unwrap();
    // CBRE: 184.06 USD per kW and month of 730.5 h
    assert!((rent.value.stored() * 3.6e6 - 184.06 / 730.5).abs() < 1e-6);
    assert_eq!(
        show(catalog.default_value::<EnergyPrice>("electricity.us").unwrap().value),
        "0.0826 USD/kWh"
    );
    assert!(near(catalog.default_value::<Pue>("pue.industry").unwrap().value.get(), 1.56));
    let [low, high] =
        catalog.default_range::<crate::quantity::Time>("amortisation.server").unwrap().unwrap();
    assert!(low.value < high.value);
    assert!(catalog.default_value::<DevicePower>("colocation.rent").is_err());
}

#[test]
fn own_tables_lie_over_the_embedded_ones() {
    let book = "provider,region,sku,accelerator,devices,basis,on_demand_usd_per_h,as_of\n\
                aws,us-east-2,contract 4711,h100-sxm,8,instance,30.4,2024-02-01\n";
    let device = "id,name,kind,devices_per_node,bf16_tflops,memory_gb\nx1,X1,asic,8,500,64\n";
    let files = [("book/pricing/prices.csv", book), ("accelerators.csv", device)];
    let catalog = Catalog::embedded().with_overlay(&files).unwrap();
    assert_eq!(catalog.price_rows().iter().count(), 656);
    let aws = wanted("aws", "us-east-2", "h100-sxm", Purchase::OnDemand);
    let rental = catalog.rental(aws, 8).unwrap();
    assert!(near(rental.per_device().stored(), 3.8 * USD_PER_HOUR));
    assert_eq!(rental.citation().titles(), "your own book/pricing/prices.csv");
    let x1 = catalog.accelerator("x1").unwrap();
    assert_eq!(show(x1.peak(Precision::Bf16).unwrap().value), "500 TFLOP/s/device");
}

#[test]
fn faulty_tables_are_refused_with_the_place() {
    fn check(name: &str, text: &str, says: &[&str]) {
        let error = Catalog::embedded().with_overlay(&[(name, text)]).unwrap_err().to_string();
        for part in says {
            assert!(error.contains(part), "{part} in: {error}");
        }
    }
    check("price.csv", "", &["no table", "prices.csv"]);
    check("prices.csv", "provider,regoin\n", &["`regoin`", "`region`"]);
    check("prices.csv", "provider,region,sku\naws,us-east-1,\n", &["prices.csv:2: `sku` is empty"]);
    check("zones.csv", "zone,name,kind\nX,Y,Z\nX,Y,Z\n", &["zones.csv:3", "second row"]);
    check("zones.csv", "zone,name,kind\nX,Y\n", &["zones.csv:2: 2 cells under 3 columns"]);
    check("zones.csv", "zone,name,kind\nX,\"Y,Z\n", &["zones.csv:2", "quote"]);
    let row = "id,name,kind,devices_per_node,bf16_tflops\nx,X,asic,8,";
    check("accelerators.csv", &format!("{row}0\n"), &["accelerators.csv:2", "is zero", "empty"]);
    check("accelerators.csv", &format!("{row}-3\n"), &["`-3`"]);
    check("accelerators.csv", &format!("{row}NaN\n"), &["`NaN`"]);
    check(
        "grid.csv",
        "zone,year,gco2e_per_kwh,basis\nX,2024,5,lifecycle\n",
        &["life-cycle, direct"],
    );
    check("grid.csv", "zone,year,basis,source\nX,2024,direct,owid-embr\n", &["`owid-ember`"]);
}

#[test]
fn the_doctor_counts_rows_gaps_and_ages() {
    let health = catalog().doctor(date("2026-11-23"));
    assert_eq!(health.len(), Catalog::TABLES.len());
    let of = |table| health.iter().find(|h| h.table == table).unwrap();
    let prices = of("pricing/prices.csv");
    assert_eq!(prices.rows, 655);
    let aws = prices.sources.iter().find(|s| s.source == "skypilot-aws").unwrap();
    assert_eq!((aws.facts, aws.age_days), (98, Some(510)));
    let gap = |table, column| of(table).gaps.iter().find(|(c, _)| c == column).map(|(_, n)| *n);
    assert_eq!(gap("pricing/prices.csv", "on_demand_usd_per_h"), Some(11));
    assert_eq!(gap("regions/regions.csv", "pue"), Some(366));
    assert_eq!(gap("hardware/accelerators.csv", "tdp_w"), Some(8));
    assert_eq!(gap("hardware/accelerators.csv", "id"), None);
}

#[test]
fn every_source_is_used_and_described() {
    let catalog = catalog();
    let health = catalog.doctor(date("2026-11-23"));
    let cited: BTreeSet<_> =
        health.iter().flat_map(|h| h.sources.iter().map(|s| s.source.clone())).collect();
    // The scaling laws and the names of presets are no tables of the catalog, but cite as one. A name
    // may say more behind the source: its release, its row.
    let laws = flopcast_data::models::SCALING_LAWS;
    let laws: BTreeSet<_> = laws.split([',', '\n']).collect();
    let mut names = csv::Reader::from_reader(flopcast_data::models::NAMES.as_bytes());
    let names: BTreeSet<String> = names
        .records()
        .map(|row| {
            let row = row.unwrap();
            let source = row.get(5).unwrap_or_default();
            source.split([',', ' ']).next().unwrap_or_default().to_owned()
        })
        .collect();
    for source in catalog.sources() {
        let id = source.id.as_str();
        // Timed kernels are a table of the kernel room.
        let elsewhere =
            laws.contains(id) || names.contains(id) || id == flopcast_data::hardware::GEMM_SOURCE;
        assert!(cited.contains(id) || elsewhere, "{id} is cited");
        assert!(source.as_of.is_some() && !source.title.is_empty(), "{}", source.id);
        let open = ["recalled", "none"].contains(&source.id.as_str());
        assert!(open || !source.licence.is_empty(), "{}", source.id);
    }
}

#[test]
fn cards_say_everything_about_a_name() {
    let catalog = catalog();
    let card = |name: &str| catalog.card(name).unwrap();
    let fact = |card: &Card, name: &str| {
        let step = card.facts.iter().map(|f| &f.step).find(|s| s.name.as_deref() == Some(name));
        step.map(crate::provenance::Step::shown)
    };
    let h100 = card("H100");
    assert_eq!(fact(&h100, "dense fp16 peak").unwrap(), "989.4 TFLOP/s/device");
    assert_eq!(fact(&h100, "dense fp32 peak").unwrap(), "66.91 TFLOP/s/device");
    assert!(h100.note.contains("not FP16"));
    for (name, kind) in [
        ("aws/us-east-2", "region"),
        ("europe-west9", "region"),
        ("Ohio", "region"),
        ("colocation.rent", "default"),
        ("owid-ember", "source"),
    ] {
        assert_eq!(card(name).kind, kind);
    }
    let error = |name: &str| catalog.card(name).unwrap_err().to_string();
    assert!(error("us-east-1").contains("`aws/us-east-1`, `lambda/us-east-1`"));
    assert!(error("h100-smx").contains("`h100-sxm`"));
}

#[test]
fn quotes_blank_lines_and_other_orders_are_read() {
    let zones = "\u{feff}name,zone,kind\r\n\r\n\"Here, \"\"there\"\"\",XX,country\r\n";
    let grid = "zone,year,gco2e_per_kwh,basis\nFRA,2025,40,life-cycle\nFRA,2026,38,life-cycle\n";
    let files = [("zones.csv", zones), ("grid.csv", grid)];
    let catalog = Catalog::embedded().with_overlay(&files).unwrap();
    assert_eq!(catalog.zone("xx").unwrap().name, "Here, \"there\"");
    let series = catalog.grid_series("FRA");
    let grams = |year| series[&year].intensity.value.stored() / G_PER_KWH;
    assert!(series.len() == 12 && near(grams(2025), 40.0) && near(grams(2026), 38.0));
    let region = catalog.region("gcp", "europe-west9").unwrap();
    assert!(near(
        region.grid(GridBasis::LifeCycle).unwrap().intensity.value.stored(),
        38.0 * G_PER_KWH
    ));
}

#[test]
fn thirty_countries_have_a_residual_mix() {
    let catalog = catalog();
    let countries = catalog.zones().filter(|it| !it.code.contains('-'));
    let mixes = countries.filter(|it| catalog.residual_mix(&it.code, Some(2026)).is_some());
    assert!(mixes.count() >= 30);
}

/// The spreads of listed prices are those of the prices that a later row replaced: the root mean
/// square of ln(new / old) / root(years).
#[test]
fn prices_move_as_those_that_were_replaced() {
    let catalog = catalog();
    let spread = |purchases: &[Purchase]| {
        let mut offers: BTreeMap<_, Vec<(NaiveDate, f64)>> = BTreeMap::new();
        for price in catalog.prices() {
            let Some(day) = price.citation.as_of.map(|as_of| as_of.start) else { continue };
            for purchase in purchases {
                let Some(rent) = price.per_instance(*purchase) else { continue };
                let of = (&price.provider, &price.region, &price.sku, &price.accelerator);
                let key = (of, price.devices, price.basis, *purchase);
                offers.entry(key).or_default().push((day, rent.value.stored()));
            }
        }
        let mut moves = Vec::new();
        for rows in offers.values_mut() {
            rows.sort_by_key(|row| row.0);
            for pair in rows.windows(2) {
                let years = (pair[1].0 - pair[0].0).num_days() as f64 / 365.25;
                if years > 0.0 {
                    moves.push((pair[1].1 / pair[0].1).ln().powi(2) / years);
                }
            }
        }
        (moves.iter().sum::<f64>() / moves.len() as f64).sqrt()
    };
    for (name, purchases) in [
        ("on-demand", &[Purchase::OnDemand][..]),
        ("spot", &[Purchase::Spot]),
        ("reserved", &[Purchase::Reserved1y, Purchase::Reserved3y]),
    ] {
        let stated: f64 = catalog.default_value(&format!("spread.price.{name}")).unwrap().value;
        let found = spread(purchases);
        assert!((found / stated - 1.0).abs() < 0.02, "{name}: {found}, not {stated}");
    }
}

#[test]
fn narrow_weights_are_multiplied_in_what_the_device_has() {
    let catalog = Catalog::embedded();
    let check = |device: &str, stored: Precision, wanted: Option<Precision>| {
        let found = catalog.accelerator(device).unwrap().products(stored).ok();
        assert_eq!(found, wanted, "{device}, {stored}");
    };
    check("h100-sxm", Precision::Fp8, Some(Precision::Fp8));
    check("a100-sxm-80gb", Precision::Fp8, Some(Precision::Bf16));
    check("v100-sxm2-16gb", Precision::Int4, Some(Precision::Fp16));
    check("epyc-9654", Precision::Int4, Some(Precision::Fp32));
    // A format that somebody names and the device lacks is refused, unless it is narrow.
    check("v100-sxm2-16gb", Precision::Bf16, None);
}

#[test]
fn machines_of_clouds_and_slices_of_processors() {
    let catalog = Catalog::embedded();
    let check = |name: &str, wanted: Option<(&str, u64)>| {
        let found = catalog.machine(name).map(|(device, count)| (device.id.as_str(), count));
        assert_eq!(found, wanted, "{name}");
    };
    check("p4d.24xlarge", Some(("a100-sxm-40gb", 8)));
    check("ml.p5.48xlarge", Some(("h100-sxm", 8)));
    check("a3-highgpu-8g", Some(("h100-sxm", 8)));
    check("a3-megagpu-8g", Some(("h100-sxm", 8)));
    check("Standard_ND96asr_A100_v4", Some(("a100-sxm-40gb", 8)));
    check("TPU v5e-256", Some(("tpu-v5e", 256)));
    check("v6e-8", Some(("tpu-v6e", 8)));
    check("tpu-v5p-128", Some(("tpu-v5p", 64)));
    check("v4-512", Some(("tpu-v4", 256)));
    for name in ["h100", "H100 SXM", "a100-80gb", "rtx-4090", ""] {
        check(name, None);
    }
}
