//! Speed of the serving simulator: requests per second of one core.

use divan::Bencher;
use divan::counter::ItemsCount;
use flopcast::quantity::{Measure as _, Time};
use flopcast::serving::simulator::{
    Admission, Arrival, Bounds, Fleet, Limits, Router, Scheduler, Simulation, StepTime, Stepping,
};

fn main() {
    divan::main();
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

const REQUESTS: u32 = 100_000;

#[divan::bench(args = [5.0, 10.0, 20.0])]
fn one_replica(bencher: Bencher<'_, '_>, rate: f64) {
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
        fleet: Fleet { time: &Engine, limits, replicas: 1, router: Router::RoundRobin },
        transfer: None,
        api_server: Time::from_stored(1e-3),
        slo: vec![Bounds::default()],
        warm_up: 0,
        queue_limit: usize::MAX,
        records: false,
    };
    let arrival = |i: u32| Arrival {
        at: Time::from_stored(f64::from(i) / rate + 0.03 * f64::from(i * 7919 % 31)),
        input: 1000,
        output: 250,
        cached: 0,
        class: 0,
    };
    let mut arrivals: Vec<_> = (0..REQUESTS).map(arrival).collect();
    arrivals.sort_by(|a, b| a.at.value.total_cmp(&b.at.value));
    bencher.counter(ItemsCount::new(REQUESTS)).bench(|| simulation.open(arrivals.iter().copied()));
}
