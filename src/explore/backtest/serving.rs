//! Serving latency and throughput against what was published.

use std::collections::BTreeMap;

use super::score::Scored;
use super::table::Row;
use crate::catalog::Catalog;
use crate::diagnostic::{Error, Result};
use crate::model::Model;
use crate::quantity::{Measure as _, Time};
use crate::serving::calibration::{Calibration, Constants, Engine};
use crate::serving::memory::KvCapacity;
use crate::serving::served::ServedModel;
use crate::serving::simulator::{Arrival, Bounds, Fleet, Histogram, Report, Router, Simulation};
use crate::serving::step::{Deployment, Device, Roofline, Weights};
use crate::serving::traffic::Lengths;

/// Sequences in the batch at most where nothing else limits it (trtllm-bench's default).
const MOST_SEQUENCES: u32 = 2048;
/// Requests per client of a closed run (`InferenceX`: ten times the concurrency).
const ROUNDS: u32 = 10;

/// Scores rows of a serving table.
pub struct Serving<'a> {
    catalog: &'a Catalog,
    calibration: &'a Calibration,
    model: &'a dyn Fn(&str) -> Result<Model>,
    served: BTreeMap<String, Result<ServedModel>>,
}

/// A run of the table, resolved.
struct Case {
    served: ServedModel,
    device: Device,
    deployment: Deployment,
    engine: Engine,
    constants: Constants,
    input: u32,
    output: u32,
    load: Load,
    /// Lengths vary between 80 % and 100 % of what the row says.
    varied: bool,
}

/// How requests come.
enum Load {
    /// So many clients, each waiting for its answer.
    Closed(u32),
    /// All at once, as many as the replica takes.
    Offline,
    /// One batch.
    Static(u32),
}

impl<'a> Serving<'a> {
    /// `model` finds a model by the name in column `config`.
    pub fn new(
        catalog: &'a Catalog,
        calibration: &'a Calibration,
        model: &'a dyn Fn(&str) -> Result<Model>,
    ) -> Self {
        Self { catalog, calibration, model, served: BTreeMap::new() }
    }

    /// The row's figure beside its prediction.
    ///
    /// # Errors
    /// Why the row cannot be scored.
    pub fn score(&mut self, row: &Row<'_>) -> Result<Scored> {
        let figure = needed(row, "figure")?;
        let known = FIGURES.iter().find(|(name, ..)| *name == figure);
        let (name, kind, read) =
            known.ok_or_else(|| Error::input(format!("figure {figure} is not forecast")))?;
        let measured = row.number("value")?.ok_or_else(|| Error::input("no value"))?;
        let case = self.case(row)?;
        let predicted =
            read(&case.run()?).ok_or_else(|| Error::input(format!("the run has no {figure}")))?;
        let width = self.calibration.intervals.get(*kind).copied().unwrap_or(f64::INFINITY).exp();
        let text = |column: &str| row.text(column).unwrap_or("?").to_owned();
        Ok(Scored {
            id: row.id(),
            figure: name,
            measured,
            predicted,
            interval: (predicted / width, predicted * width),
            groups: vec![
                ("model", text("model")),
                ("accelerator", text("accelerator")),
                ("load", text("load")),
                ("engine", engine_of(&text("engine")).unwrap_or("?").to_owned()),
            ],
        })
    }

    fn case(&mut self, row: &Row<'_>) -> Result<Case> {
        if row.text("serving") == Some("disaggregated") {
            return Err(Error::input("disaggregated: the row does not say how devices are split"));
        }
        let count = |column: &str| -> Result<Option<u32>> {
            Ok(row.number(column)?.filter(|n| *n >= 1.0).map(|n| n as u32))
        };
        let need = |column: &str| -> Result<u32> {
            count(column)?.ok_or_else(|| Error::input(format!("the row has no {column}")))
        };
        let config = needed(row, "config")?;
        let model = self.model;
        let served = self
            .served
            .entry(config.to_owned())
            .or_insert_with(|| model(config).and_then(|model| ServedModel::of(&model)));
        let served = served.clone()?;
        let device = Device::of(self.catalog.accelerator(needed(row, "accelerator")?)?)?;
        let name = row.text("engine").unwrap_or_default();
        let engine_name = engine_of(name)
            .ok_or_else(|| Error::input(format!("engine `{name}` is not calibrated")))?;
        let engine = self.calibration.engine(engine_name)?.clone();
        let weights = weights(row, config)?;
        let quantised = weights != Weights::Sixteen;
        let deployment = Deployment {
            tensor: need("tp")?,
            pipeline: count("pp")?.unwrap_or(1),
            data: count("attention_dp")?.unwrap_or(1),
            expert_parallel: count("expert_parallel")?.unwrap_or(1) > 1,
            weights,
            kv_bytes: if engine.kv_8_bit && quantised { 1.0 } else { 2.0 },
        };
        let load = match row.text("load") {
            Some("closed") => Load::Closed(need("concurrency")?),
            Some("offline") => Load::Offline,
            Some("static") => Load::Static(need("concurrency").or_else(|_| need("average_batch"))?),
            Some(other) => return Err(Error::input(format!("load {other} is not replayed"))),
            None => return Err(Error::input("the row does not say how requests came")),
        };
        // Dated runs are InferenceX's, whose lengths vary (random-range-ratio 0.8); the undated
        // SGLang runs answer in lockstep, as fixed lengths do.
        let varied = matches!(load, Load::Closed(_))
            && (row.text("date").is_some() || engine_name != "sglang");
        let constants = self.calibration.constants(engine_name)?;
        let constants = match load {
            Load::Closed(_) => constants,
            Load::Offline => constants.offline(),
            // Measured inside the engine's compiled runtime: no host between the kernels.
            Load::Static(_) => Constants { prompt_layer: 0.0, ..constants.offline() },
        };
        Ok(Case {
            served,
            device,
            deployment,
            constants,
            engine,
            input: need("isl")?,
            output: need("osl")?,
            load,
            varied,
        })
    }
}

impl Case {
    fn run(&self) -> Result<Report> {
        let length = self.input.saturating_add(self.output);
        let capacity =
            KvCapacity::of(&self.served, &self.device, &self.deployment, &self.engine, length)?;
        let time = Roofline::new(&self.served, &self.device, &self.deployment, &self.constants);
        let (sequences, requests) = match self.load {
            Load::Closed(clients) => (clients, clients.saturating_mul(ROUNDS)),
            Load::Static(batch) => (batch, batch),
            Load::Offline => {
                let fitting = capacity.sequences.min(f64::from(MOST_SEQUENCES)) as u32;
                (MOST_SEQUENCES, (3 * fitting).max(1000))
            }
        };
        let front_end =
            self.constants.front_end + self.constants.front_token * f64::from(self.input);
        let simulation = Simulation {
            fleet: Fleet {
                time: &time,
                limits: capacity.limits(&self.engine, &self.deployment, sequences),
                replicas: 1,
                router: Router::RoundRobin,
            },
            handover: None,
            front_end: Time::from_stored(front_end),
            slo: vec![Bounds::default()],
            warm_up: 0,
            queue_limit: usize::MAX,
            records: false,
        };
        let lengths = |most: u32| {
            let least = if self.varied { (0.8 * f64::from(most)) as u32 } else { most };
            Lengths::Uniform(least.max(1), most)
        };
        let clients = if matches!(self.load, Load::Offline) { requests } else { sequences };
        let draws = Lengths::pairs(lengths(self.input), lengths(self.output), 1);
        let arrivals = draws.take(requests as usize).map(|(input, output)| Arrival {
            at: Time::from_stored(0.0),
            input,
            output,
            cached: 0,
            class: 0,
        });
        Ok(simulation.closed(clients, arrivals))
    }
}

type Reading = fn(&Report) -> Option<f64>;

/// Figures by name, the interval that applies to them, and where the report has them.
const FIGURES: &[(&str, &str, Reading)] = &[
    ("ttft_mean_ms", "ttft", |r| ms(r.all().ttft.mean())),
    ("ttft_p50_ms", "ttft", |r| at(&r.all().ttft, 0.5)),
    ("ttft_p90_ms", "ttft", |r| at(&r.all().ttft, 0.9)),
    ("ttft_p95_ms", "ttft", |r| at(&r.all().ttft, 0.95)),
    ("ttft_p99_ms", "ttft", |r| at(&r.all().ttft, 0.99)),
    ("tpot_mean_ms", "tpot", |r| ms(r.all().tpot.mean())),
    ("tpot_p50_ms", "tpot", |r| at(&r.all().tpot, 0.5)),
    ("tpot_p90_ms", "tpot", |r| at(&r.all().tpot, 0.9)),
    ("tpot_p95_ms", "tpot", |r| at(&r.all().tpot, 0.95)),
    ("tpot_p99_ms", "tpot", |r| at(&r.all().tpot, 0.99)),
    ("e2e_mean_ms", "tpot", |r| ms(r.all().e2e.mean())),
    ("e2e_p50_ms", "tpot", |r| at(&r.all().e2e, 0.5)),
    ("e2e_p90_ms", "tpot", |r| at(&r.all().e2e, 0.9)),
    ("e2e_p95_ms", "tpot", |r| at(&r.all().e2e, 0.95)),
    ("e2e_p99_ms", "tpot", |r| at(&r.all().e2e, 0.99)),
    ("first_token_latency_ms", "ttft", |r| ms(r.all().ttft.mean())),
    ("output_tokens_per_s", "output_tokens_per_s", |r| Some(r.output_rate().value)),
];

fn needed<'a>(row: &Row<'a>, column: &str) -> Result<&'a str> {
    row.text(column).ok_or_else(|| Error::input(format!("the row has no {column}")))
}

fn ms(seconds: Option<f64>) -> Option<f64> {
    seconds.map(|seconds| seconds * 1e3)
}

fn at(histogram: &Histogram, quantile: f64) -> Option<f64> {
    ms(histogram.quantile(quantile))
}

/// The calibrated engine that a row's free text names.
fn engine_of(text: &str) -> Option<&'static str> {
    let text = text.to_lowercase();
    [("vllm", "vllm"), ("sglang", "sglang"), ("trtllm", "trtllm"), ("tensorrt", "trtllm")]
        .into_iter()
        .find(|(word, _)| text.starts_with(word))
        .map(|(_, engine)| engine)
}

fn weights(row: &Row<'_>, config: &str) -> Result<Weights> {
    let precision = row.text("precision").or_else(|| row.text("precision_gemm"));
    let weights = match precision.unwrap_or("bf16") {
        "bf16" | "fp16" => Weights::Sixteen,
        "fp8" | "fp8_block" => Weights::Eight,
        "fp4" | "nvfp4" => Weights::Nv4,
        "mxfp4" => Weights::Mx4,
        "int4" | "int4_wo" => Weights::Int4,
        other => return Err(Error::input(format!("precision {other} is not calibrated"))),
    };
    // Whatever a table calls its precision, gpt-oss is published in MXFP4 only.
    Ok(if config.starts_with("gpt-oss") { Weights::Mx4 } else { weights })
}
