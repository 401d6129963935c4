//! What grows: the cost of an item at 1x and at 10x. Where both are alike, the whole is linear.

use divan::Bencher;
use divan::counter::ItemsCount;
use flopcast::catalog::Catalog;
use flopcast::quantity::{Measure as _, Time};
use flopcast::serving::simulator::{
    Arrival, Bounds, Fleet, Limits, Router, Scheduler, Simulation, StepTime, Stepping,
};
use flopcast::study::pareto::Front;
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
