//! What grows: the cost of an item at 1x and at 10x. Where both are alike, the whole is linear.

use divan::Bencher;
use divan::counter::ItemsCount;
use flopcast::catalog::Catalog;
use flopcast::diagnostic::{Error, Result};
use flopcast::quantity::{Measure as _, Time};
use flopcast::scenario::{Files, document};
use flopcast::serving::simulator::{
    Admission, Arrival, Bounds, Fleet, Limits, Router, Scheduler, Simulation, StepTime, Stepping,
};
use flopcast::study::pareto::Front;
use flopcast::study::search::evolve::{Settings, search};
use flopcast::study::search::plan::Plan;
use flopcast::study::search::point::Points;
use flopcast::study::space::Space;
use flopcast::study::sweep::{Question, run};
use flopcast::study::{aim::Aim, axis::Axis};
use std::fmt::Write as _;

fn main() {
    divan::main();
}

/// Prices of one provider in a user's table.
#[divan::bench(args = [1_000, 10_000])]
fn price_rows(bencher: Bencher<'_, '_>, rows: u32) {
    let mut text =
        "provider,region,sku,accelerator,devices,basis,on_demand_usd_per_h,as_of\n".to_owned();
    for row in 0..rows {
        let _ = writeln!(text, "aws,us-east-2,c{row},h100-sxm,8,instance,55.{row},2026-10-01");
    }
    bencher.counter(ItemsCount::new(rows)).bench(|| {
        Catalog::embedded().with_overlay(&[("pricing/prices.csv", &text)]).expect("a table")
    });
}

/// Options none of which beats another.
#[divan::bench(args = [10_000, 100_000])]
fn front(bencher: Bencher<'_, '_>, options: u32) {
    bencher.counter(ItemsCount::new(options)).bench(|| {
        let mut front = Front::default();
        for option in 0..options {
            // In no order: 7,919 is prime.
            let place = f64::from(option.wrapping_mul(7919) % options);
            front.offer(vec![place, -place], || option);
        }
        front.into_best().len()
    });
}

struct NoFiles;

impl Files for NoFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>> {
        Err(Error::input(format!("{path} is not read here")))
    }
}

/// Forecasts combinations of the values of some axes.
fn combine(bencher: Bencher<'_, '_>, axes: &[String]) {
    let catalog = Catalog::embedded();
    let text = include_str!("../scenarios/llama-3.1-8b-stages.yaml");
    let document = document::parse("bench.yaml", text.as_bytes()).expect("a document");
    let columns = ["cost", "days", "co2e"].map(Aim::read).to_vec();
    let question = Question { front: columns.clone(), columns };
    let space = || {
        let axes = axes.iter().map(|axis| Axis::read(axis, &document).expect("an axis")).collect();
        Space::new(document.clone(), axes, &catalog, &NoFiles).expect("a space")
    };
    let all = space().len();
    bencher
        .counter(ItemsCount::new(all))
        .bench(|| run(&space(), &question, &mut |_| Ok(()), &|_| Ok(())).expect("rows").feasible);
}

/// Combinations of plain numbers.
#[divan::bench(args = [1, 10])]
fn combinations_of_numbers(bencher: Bencher<'_, '_>, times: u32) {
    let pue = format!("placement.pue=1.01..{}+0.01", 1.0 + 0.1 * f64::from(times));
    combine(bencher, &[pue, "placement.grid=1..1000+1".to_owned()]);
}

/// Combinations of devices, counts and plain numbers.
#[divan::bench(args = [1, 10])]
fn combinations_of_all_kinds(bencher: Bencher<'_, '_>, times: u32) {
    let pue = format!("placement.pue=1.01..{}+0.01", 1.0 + 0.1 * f64::from(times));
    let devices = "training.hardware.accelerator=a100-sxm-80gb,h100-sxm,h200-sxm";
    let counts = "training.hardware.count=64..4096*2";
    combine(bencher, &[devices.to_owned(), counts.to_owned(), pue]);
}

/// Values of one axis.
#[divan::bench(args = [1_000, 10_000])]
fn values_of_an_axis(bencher: Bencher<'_, '_>, values: u32) {
    combine(bencher, &[format!("placement.grid=1..{values}+1")]);
}

/// Points of a space of architectures, all of them judged.
#[divan::bench(args = [1, 10])]
fn points_of_a_search(bencher: Bencher<'_, '_>, times: u32) {
    let space = format!(
        "model: vit-small-patch16-224\nknobs: {{hidden_size: 64..{}+64, num_hidden_layers: \
         1..10+1, compress.quantization: [none, int8]}}\nderived: {{num_attention_heads: \
         hidden_size / 64, intermediate_size: 4 * hidden_size}}\ndevices: [l4]\n",
        640 * times
    );
    let node = document::parse("space.yaml", space.as_bytes()).expect("a document");
    let plan = Plan::read(&node, None, false, &NoFiles).expect("a space");
    let points = Points::new(&plan, None, &Catalog::embedded(), &NoFiles).expect("points");
    let settings = Settings { evaluations: 1_000_000, seed: 1 };
    bencher
        .counter(ItemsCount::new(200 * times))
        .bench(|| search(&points, settings, &|_| {}).within);
}

/// A dense 8B model on one H100, roughly.
struct Engine;

impl StepTime for Engine {
    fn tokens(&self, decode: f64, prefill: f64, _: f64) -> Time {
        Time::from_stored(6e-3 + 3e-5 * (decode + prefill))
    }
    fn context(&self) -> Time {
        Time::from_stored(5e-8)
    }
}

const REQUESTS: u32 = 50_000;

/// Requests of a fleet, each replica of which gets as many a second.
#[divan::bench(args = [10, 100])]
fn replicas_behind_a_router(bencher: Bencher<'_, '_>, replicas: u32) {
    let limits = Limits {
        sequences: 256,
        tokens: 2048,
        blocks: 40_000,
        block: 16,
        shared: 0,
        sets_aside: false,
        scheduler: Scheduler::DecodeFirst,
        admission: Admission::ALL,
        stepping: Stepping::Leap,
    };
    let simulation = Simulation {
        fleet: Fleet { time: &Engine, limits, replicas, router: Router::LeastOutstanding },
        transfer: None,
        api_server: Time::from_stored(1e-3),
        slo: vec![Bounds::default()],
        warm_up: 0,
        queue_limit: usize::MAX,
        records: false,
    };
    let arrival = |i: u32| Arrival {
        at: Time::from_stored(f64::from(i) / (10.0 * f64::from(replicas))),
        input: 1000,
        output: 200 + i * 7919 % 101,
        cached: 0,
        class: 0,
    };
    let arrivals: Vec<_> = (0..REQUESTS).map(arrival).collect();
    bencher.counter(ItemsCount::new(REQUESTS)).bench(|| simulation.open(arrivals.iter().copied()));
}
