//! One published serving run: what was served on what and how, and the figures that came out.

use flopcast_core::catalog::Device;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::quantity::{DevicePower, Measure as _, Time};
use flopcast_core::serving::calibration::{Calibration, Constants, Power, Regime};
use flopcast_core::serving::memory::KvCapacity;
use flopcast_core::serving::served::ServedModel;
use flopcast_core::serving::simulator::{
    Arrival, Bounds, ClassReport, Fleet, Histogram, KvTransfer, Limits, Report, Router, Simulation,
};
use flopcast_core::serving::step::{Deployment, Roofline};
use flopcast_core::serving::traffic::Lengths;

use crate::backtest::score::Scored;

/// Sequences in the batch of an attention rank at most where nothing else limits it (trtllm-bench's
/// default).
const MOST_SEQUENCES: u32 = 2048;
/// Requests of an offline run by the tokens of one, prompt and answer, at least: `TensorRT-LLM`'s
/// performance overview (its section "Preparing a Dataset"). Runs of long answers end before their batch
/// is ever full.
const REQUESTS: [(u32, u32); 4] = [(20_000, 1000), (3000, 1500), (1000, 3000), (0, 30_000)];
/// Requests per client of a closed run (`InferenceX`: ten times the concurrency).
const ROUNDS: u32 = 10;
/// The same of a batch that is held full, of which only the steady state is published.
const HELD_ROUNDS: u32 = 4;
/// Steps of the search for the rate that keeps the clients of a disaggregated run in flight, and
/// requests that it simulates at most.
const BISECTIONS: u32 = 10;
const MOST_REQUESTS: u32 = 2000;
/// Share of the datasheet's memory that an engine gets in a published run: whoever publishes tunes
/// it to 0.95, of what a datasheet calls GB and `nvidia-smi` shows to be 1.07 GB (81,559 MiB on an
/// H100 of 80 GB).
const TUNED_MEMORY: f64 = 0.95 * 1.07;

/// A run of the table, resolved, with its published figures.
#[derive(Clone, Debug)]
pub struct Run {
    pub(super) served: ServedModel,
    pub(super) device: Device,
    /// The replicas that serve, or that decode where prompts go elsewhere.
    pub(super) deployment: Deployment,
    pub(super) replicas: u32,
    /// The replicas that process prompts, if others do, and their number.
    pub(super) prefill: Option<(Deployment, u32)>,
    pub(super) engine: String,
    pub(super) regime: Regime,
    /// How many instances there were is not known.
    pub(super) lost: bool,
    pub(super) input: u32,
    pub(super) output: u32,
    pub(super) load: Load,
    pub(super) tdp: Option<DevicePower>,
    /// Lengths vary between 80 % and 100 % of what the row says.
    pub(super) varied: bool,
    pub(super) groups: Vec<(&'static str, String)>,
    pub(super) published: Vec<Published>,
}

/// A published figure of a run.
#[derive(Clone, Debug)]
pub(super) struct Published {
    pub(super) id: String,
    pub(super) figure: &'static Figure,
    pub(super) measured: f64,
}

/// How requests come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// So many clients, each waiting for its answer.
    Closed(u32),
    /// All at once, as many as the replica takes.
    Offline,
    /// One batch.
    Static(u32),
    /// So many clients, of whom the engine takes so many at once; the steady state is published.
    Held(u32),
}

/// A figure that runs are scored on.
#[derive(Debug)]
pub(super) struct Figure {
    pub(super) name: &'static str,
    /// The interval that applies to it.
    pub(super) interval: &'static str,
    read: fn(&Outcome<'_>) -> Option<f64>,
}

/// The result of a run.
struct Outcome<'a> {
    run: &'a Run,
    all: ClassReport,
    /// Seconds that a request waits for a place among those that the instances decode.
    wait: f64,
    tokens_per_s: f64,
    power: Power,
}

impl Outcome<'_> {
    /// A latency in milliseconds that begins with the wait: its mean, or a quantile.
    fn since_sent(&self, latency: &Histogram, quantile: Option<f64>) -> Option<f64> {
        let own = quantile.map_or_else(|| latency.mean(), |at| latency.quantile(at));
        ms(own.map(|seconds| seconds + self.wait))
    }

    /// Power of all devices in watts: TDP x share at the FLOP/s of prompts and answers.
    fn watts(&self) -> Option<f64> {
        let Run { served, deployment, device, input, output, tdp, .. } = self.run;
        let devices = f64::from(deployment.devices());
        let tokens = 1.0 + f64::from(*input) / f64::from(*output);
        let flops = self.tokens_per_s * tokens * served.flops();
        let share = self.power.share(device, flops / devices / device.peak16.value);
        tdp.map(|tdp| tdp.value * devices * share)
    }

    /// Joules per output token: power / tokens per second.
    fn joules_per_token(&self) -> Option<f64> {
        self.watts().map(|watts| watts / self.tokens_per_s)
    }
}

impl Figure {
    /// A figure by its name in the table.
    ///
    /// # Errors
    /// A figure that is not forecast.
    pub(super) fn named(name: &str) -> Result<&'static Self> {
        FIGURES
            .iter()
            .find(|figure| figure.name == name)
            .ok_or_else(|| Error::input(format!("figure {name} is not forecast")))
    }
}

macro_rules! figures {
    ($($name:literal: $interval:literal, $read:expr;)+) => {
        static FIGURES: &[Figure] =
            &[$(Figure { name: $name, interval: $interval, read: $read }),+];
    };
}

figures! {
    "ttft_mean_ms": "ttft", |it| it.since_sent(&it.all.ttft, None);
    "ttft_p50_ms": "ttft", |it| it.since_sent(&it.all.ttft, Some(0.5));
    "ttft_p90_ms": "ttft", |it| it.since_sent(&it.all.ttft, Some(0.9));
    "ttft_p95_ms": "ttft", |it| it.since_sent(&it.all.ttft, Some(0.95));
    "ttft_p99_ms": "ttft", |it| it.since_sent(&it.all.ttft, Some(0.99));
    "tpot_mean_ms": "tpot", |it| ms(it.all.tpot.mean());
    "tpot_p50_ms": "tpot", |it| at(&it.all.tpot, 0.5);
    "tpot_p90_ms": "tpot", |it| at(&it.all.tpot, 0.9);
    "tpot_p95_ms": "tpot", |it| at(&it.all.tpot, 0.95);
    "tpot_p99_ms": "tpot", |it| at(&it.all.tpot, 0.99);
    "e2e_mean_ms": "tpot", |it| it.since_sent(&it.all.e2e, None);
    "e2e_p50_ms": "tpot", |it| it.since_sent(&it.all.e2e, Some(0.5));
    "e2e_p90_ms": "tpot", |it| it.since_sent(&it.all.e2e, Some(0.9));
    "e2e_p95_ms": "tpot", |it| it.since_sent(&it.all.e2e, Some(0.95));
    "e2e_p99_ms": "tpot", |it| it.since_sent(&it.all.e2e, Some(0.99));
    "first_token_latency_ms": "ttft", |it| ms(it.all.ttft.mean());
    "output_tokens_per_s": "output_tokens_per_s", |it| Some(it.tokens_per_s);
    "itl_p50_ms": "tpot", |it| at(&it.all.tpot, 0.5);
    "gpu_joules_per_output_token": "joules", |it| it.joules_per_token();
    "gpu_joules_per_request": "joules", |it| Some(it.joules_per_token()? * f64::from(it.run.output));
    "gpu_power_w_total": "power", |it| it.watts();
}

/// Seconds in milliseconds.
fn ms(seconds: Option<f64>) -> Option<f64> {
    seconds.map(|seconds| seconds * 1e3)
}

/// A quantile of a latency in milliseconds.
fn at(histogram: &Histogram, quantile: f64) -> Option<f64> {
    ms(histogram.quantile(quantile))
}

/// All that a run's answer depends on of a calibration: where it stays, the answer does.
#[derive(Clone, Debug, PartialEq)]
pub struct Setup {
    time: Roofline,
    api_server: f64,
    limits: Limits,
    prefill: Option<Prefill>,
    requests: u32,
    power: Power,
}

/// The replicas that process prompts.
#[derive(Clone, Debug, PartialEq)]
struct Prefill {
    time: Roofline,
    limits: Limits,
    replicas: u32,
    /// Seconds to hand a prompt's token over.
    per_token: Time,
}

impl Run {
    /// True if the constants are fitted to it: on up to 16 devices, by a benchmark whose lengths
    /// are
    /// published. The others are scored only.
    pub(super) fn fitted(&self) -> bool {
        !matches!(self.load, Load::Held(_))
            && self.prefill.is_none()
            && self.group("devices") == Some("up to 16")
    }

    /// The interval that applies to a figure of this run, before the regime widens it.
    pub(super) fn interval(&self, figure: &Figure) -> &'static str {
        match (self.load, figure.interval) {
            (Load::Held(_), "tpot" | "output_tokens_per_s") => "held_batch",
            (_, "ttft") if self.lost => "lost_ttft",
            (_, "tpot" | "output_tokens_per_s") if self.lost => "lost_tpot",
            (_, interval) => self.regime.interval(interval),
        }
    }

    /// The group of the run by a key.
    pub(super) fn group(&self, by: &str) -> Option<&str> {
        self.groups.iter().find(|(name, _)| *name == by).map(|(_, group)| group.as_str())
    }

    /// The figures beside their predictions.
    ///
    /// # Errors
    /// The model does not fit.
    pub fn score(&self, calibration: &Calibration) -> Result<Vec<Scored>> {
        let predicted = self.predict(&self.setup(calibration)?);
        let rows = self.published.iter().zip(predicted);
        Ok(rows
            .filter_map(|(published, predicted)| {
                let predicted = predicted?;
                let Published { id, figure, measured } = published;
                let width = calibration.half_width(self.interval(figure), self.regime).exp();
                Some(Scored {
                    id: id.clone(),
                    figure: figure.name,
                    measured: *measured,
                    predicted,
                    interval: (predicted / width, predicted * width),
                    groups: [
                        &self.groups[..],
                        &[
                            ("interval", self.interval(figure).to_owned()),
                            ("regime", self.regime.to_string()),
                        ],
                    ]
                    .concat(),
                })
            })
            .collect())
    }

    /// Its rows, each with why it is not scored.
    pub(crate) fn skipped(&self, error: &Error) -> impl Iterator<Item = (String, String)> {
        self.published.iter().map(|published| (published.id.clone(), error.message().to_owned()))
    }

    /// Capacity and step times under a calibration.
    ///
    /// # Errors
    /// The model does not fit.
    pub(super) fn setup(&self, calibration: &Calibration) -> Result<Setup> {
        let (_, settings) = calibration.engine(&self.engine)?;
        let mut engine = settings.clone();
        engine.memory_share = engine.memory_share.max(TUNED_MEMORY);
        let constants = calibration.constants(&self.engine)?;
        let constants = match self.load {
            Load::Closed(_) | Load::Held(_) => constants,
            Load::Offline => constants.offline(),
            // Measured inside the engine's compiled runtime.
            Load::Static(_) => constants.offline().compiled(),
        };
        let length = self.input.saturating_add(self.output);
        let capacity_of = |deployment: &Deployment| {
            KvCapacity::of(&self.served, &self.device, deployment, &engine, length)
        };
        let time_of = |deployment: &Deployment| {
            settings.time(&self.served, &self.device, deployment, &constants)
        };
        let capacity = capacity_of(&self.deployment)?;
        let (sequences, requests) = match self.load {
            Load::Closed(clients) if self.prefill.is_some() => {
                let requests = clients.saturating_mul(ROUNDS).min(MOST_REQUESTS.max(2 * clients));
                (clients, requests)
            }
            Load::Closed(clients) => (clients, clients.saturating_mul(ROUNDS)),
            Load::Static(batch) => (batch, batch),
            Load::Held(batch) => (batch, batch.saturating_mul(HELD_ROUNDS)),
            Load::Offline => {
                let most = MOST_SEQUENCES.saturating_mul(self.deployment.data);
                let fitting = capacity.sequences.min(f64::from(most)) as u32;
                let sent = REQUESTS.iter().find(|(least, _)| length >= *least);
                // More of them than steady state needs say nothing new.
                (most, sent.map_or(0, |(_, requests)| *requests).min((3 * fitting).max(1000)))
            }
        };
        let prefill = match &self.prefill {
            None => None,
            Some((deployment, replicas)) => Some(Prefill {
                time: time_of(deployment),
                limits: capacity_of(deployment)?.limits(&engine, deployment, sequences),
                replicas: *replicas,
                per_token: Roofline::kv_transfer(
                    &self.served,
                    &self.device,
                    deployment,
                    &constants,
                ),
            }),
        };
        Ok(Setup {
            time: time_of(&self.deployment),
            prefill,
            api_server: api_server(&constants, self.input),
            limits: capacity.limits(&engine, &self.deployment, sequences),
            requests,
            power: calibration.power()?,
        })
    }

    /// The published figures, simulated; `None` where the run has none of the kind.
    pub(super) fn predict(&self, setup: &Setup) -> Vec<Option<f64>> {
        let fleet = Fleet {
            time: &setup.time,
            limits: setup.limits,
            replicas: self.replicas,
            router: Router::RoundRobin,
        };
        let prefill = setup.prefill.as_ref().map(|it| Fleet {
            time: &it.time,
            limits: it.limits,
            replicas: it.replicas,
            router: Router::RoundRobin,
        });
        let simulation = Simulation {
            fleet: prefill.unwrap_or(fleet),
            transfer: setup.prefill.as_ref().map(|it| KvTransfer {
                decode: fleet,
                latency: Time::from_stored(0.0),
                per_token: it.per_token,
            }),
            api_server: Time::from_stored(setup.api_server),
            slo: vec![Bounds::default()],
            warm_up: 0,
            queue_limit: usize::MAX,
            records: false,
        };
        let lengths = |most: u32| {
            let least = if self.varied { (0.8 * f64::from(most)) as u32 } else { most };
            Lengths::Uniform(least.max(1), most)
        };
        let clients = match self.load {
            Load::Closed(clients) | Load::Static(clients) | Load::Held(clients) => clients,
            Load::Offline => setup.requests,
        };
        let draws = Lengths::pairs(lengths(self.input), lengths(self.output), 1);
        let arrivals = draws.take(setup.requests as usize).map(|(input, output)| Arrival {
            at: Time::from_stored(0.0),
            input,
            output,
            cached: 0,
            class: 0,
        });
        let (report, wait) = if simulation.transfer.is_some() {
            let placed = places(clients, self.replicas, self.lost);
            let report = in_flight(&simulation, placed, &arrivals.collect::<Vec<_>>());
            // By Little's law those without a place wait for as many times the stay of the others.
            let beyond = f64::from(clients) / f64::from(placed) - 1.0;
            let wait = beyond * report.all().e2e.mean().unwrap_or(0.0);
            (report, wait)
        } else {
            (simulation.closed(clients, arrivals), 0.0)
        };
        let outcome = Outcome {
            run: self,
            tokens_per_s: report.output_rate().value,
            all: report.all(),
            wait,
            power: setup.power,
        };
        self.published.iter().map(|published| (published.figure.read)(&outcome)).collect()
    }
}

/// Clients / places of a disaggregated run at most: whoever publishes asks for a little more than its
/// instances hold, so that no place is ever empty; who asks for half more has set them up for that.
const BEYOND: f64 = 1.4;
/// The same where it is not known how many instances there were, nor so whether places are powers of two.
const BEYOND_LOST: f64 = 1.2;

/// Requests that instances decode at once, of those that `clients` ask for. An instance is set up for a
/// power of two, the batch of its captured graph: of 615 clients 512 have a place, and a first token
/// waits for a fifth of an answer, as measured (`InferenceX`, `TensorRT-LLM` on GB200).
fn places(clients: u32, instances: u32, lost: bool) -> u32 {
    let instances = instances.clamp(1, clients.max(1));
    let whole = (1 << (clients / instances).max(1).ilog2()) * instances;
    if lost {
        whole.max((f64::from(clients) / BEYOND_LOST).round() as u32)
    } else if f64::from(clients) <= BEYOND * f64::from(whole) {
        whole
    } else {
        clients
    }
}

/// How far clients who start together drift apart in a round, whose answers differ by a fifth in length.
const DRIFT: f64 = 0.2;

/// The open run at the rate that keeps `clients` in flight (Little's law): what a closed load comes to.
/// They all send at once in the first round, and drift apart from round to round.
fn in_flight(simulation: &Simulation<'_, Roofline>, clients: u32, requests: &[Arrival]) -> Report {
    let each = clients.max(1) as usize;
    let at_gap = |requests: &[Arrival], gap: f64| {
        let due = |i: usize| {
            let (round, place) = ((i / each) as f64, (i % each) as f64);
            let apart = (DRIFT * round.sqrt()).min(1.0);
            Time::from_stored(gap * (round * each as f64 + place * apart))
        };
        let arrivals = requests.iter().enumerate();
        simulation.open(arrivals.map(|(i, arrival)| Arrival { at: due(i), ..*arrival }))
    };
    let stay =
        |requests: &[Arrival], gap: f64| at_gap(requests, gap).all().e2e.mean().unwrap_or(0.0);
    let clients = each as f64;
    let alone = stay(&requests[..requests.len().min(1)], 1.0);
    // From each client answered as if alone to a hundred times slower than that.
    let (mut short, mut long) = ((alone / clients).ln(), (100.0 * alone / clients).ln());
    for _ in 0..BISECTIONS {
        let middle = 0.5 * (short + long);
        let busy = stay(requests, middle.exp()) > clients * middle.exp();
        if busy { short = middle } else { long = middle }
    }
    at_gap(requests, long.exp())
}

/// The time of the API server for a request, in seconds: a constant and a part per prompt token.
fn api_server(constants: &Constants, input: u32) -> f64 {
    constants.api_server + constants.api_server_token * f64::from(input)
}

#[cfg(test)]
mod tests {
    use super::places;

    #[test]
    fn clients_outnumber_places_of_a_power_of_two_by_less_than_half() {
        let named = [(14, 4, 14), (615, 1, 512), (3, 4, 3), (30, 5, 30), (55, 5, 40), (0, 1, 1)];
        let lost = [(14, 4, 12), (615, 1, 513), (1024, 4, 1024), (3, 4, 3), (30, 4, 25)];
        for (rows, is_lost) in [(&named[..], false), (&lost[..], true)] {
            for &(clients, instances, placed) in rows {
                let found = places(clients, instances, is_lost);
                assert_eq!(found, placed, "{clients} on {instances}");
            }
        }
    }
}
