//! Serving latency and throughput against what was published.

mod proof;
mod run;

use std::collections::BTreeMap;

use flopcast_core::catalog::{Catalog, Device};
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::Model;
use flopcast_core::serving::calibration::{Engine as EngineFacts, Engines, Maturity, Regime};
use flopcast_core::serving::served::ServedModel;
use flopcast_core::serving::step::{Deployment, Weights};

use self::run::{Figure, Load, Published};
use super::table::{Row, Table};

pub use run::Run;

/// Columns that tell one run from another.
const RUN: [&str; 21] = [
    "date",
    "model",
    "config",
    "accelerator",
    "n_devices",
    "tp",
    "pp",
    "attention_dp",
    "expert_parallel",
    "serving",
    "precision",
    "precision_moe",
    "engine",
    "engine_published",
    "isl",
    "osl",
    "load",
    "concurrency",
    "average_batch",
    "notes",
    "source",
];

/// Prompt tokens where a held batch names none (mean of chat and exam questions: a few hundred), and
/// those of code to be completed, which brings the file around it.
const USUAL_PROMPT: u32 = 300;
const CODE_PROMPT: u32 = 1500;

/// Reads the runs of a serving table.
pub struct Reader<'a> {
    catalog: &'a Catalog,
    facts: &'a Engines,
    model: &'a dyn Fn(&str) -> Result<Model>,
    served: BTreeMap<String, Result<ServedModel>>,
}

impl<'a> Reader<'a> {
    /// `model` finds a model by the name in column `config`; the calibration knows engines and the
    /// accelerators of its fit.
    ///
    /// # Errors
    /// If a configuration beside the table cannot be read.
    pub fn new(
        catalog: &'a Catalog,
        facts: &'a Engines,
        model: &'a dyn Fn(&str) -> Result<Model>,
    ) -> Self {
        Self { catalog, facts, model, served: BTreeMap::new() }
    }

    /// The engine of a row, which its free text begins with: where a table says apart who published
    /// and who stands in, the former. Whoever is not known is taken for the first engine.
    fn engine(&self, row: &Row<'_>) -> Result<(&'a str, &'a EngineFacts, Maturity)> {
        let texts = ["engine_published", "engine"].map(|column| row.text(column));
        let found = texts.into_iter().flatten().find_map(|text| self.facts.begins(text));
        let first = || {
            let (id, engine) = self.facts.engines.first()?;
            Some((id.as_str(), engine, Maturity::Inherited))
        };
        let found = found.map(|(id, engine)| (id, engine, engine.maturity)).or_else(first);
        found.ok_or_else(|| Error::input("the calibration has no engine"))
    }

    /// The runs that can be simulated, each with its figures, and the reasons of the other rows.
    pub fn runs(mut self, table: &Table) -> (Vec<Run>, Vec<(String, String)>) {
        let (mut runs, mut skipped) = (Vec::new(), Vec::new());
        let mut known: BTreeMap<_, usize> = BTreeMap::new();
        for row in table.rows() {
            let key = RUN.map(|column| row.text(column));
            let found = known.get(&key).copied();
            let read = published(&row).and_then(|published| {
                let at = if let Some(at) = found {
                    at
                } else {
                    runs.push(self.run(&row)?);
                    known.insert(key, runs.len() - 1);
                    runs.len() - 1
                };
                runs[at].published.push(published);
                Ok(())
            });
            if let Err(error) = read {
                skipped.push((row.id(), error.message().to_owned()));
            }
        }
        (runs, skipped)
    }

    /// The run of a row, without its figures.
    ///
    /// # Errors
    /// If the row lacks a column that a simulation needs, or names what is not known.
    fn run(&mut self, row: &Row<'_>) -> Result<Run> {
        let (count, need) = (|column| count(row, column), |column| required(row, column));
        let config = needed(row, "config")?;
        let model = self.model;
        let served = self
            .served
            .entry(config.to_owned())
            .or_insert_with(|| model(config).and_then(|model| ServedModel::of(&model)));
        let served = served.clone()?;
        let accelerator = self.catalog.accelerator(needed(row, "accelerator")?)?;
        let device = Device::of(accelerator)?;
        let (engine, settings, maturity) = self.engine(row)?;
        let weights = weights(row, config)?;
        let kv_bytes = cache_bytes(weights, &device);
        let source = row.text("source").unwrap_or_default();
        let mut degrees = Degrees {
            tensor: count("tp")?,
            data: count("attention_dp")?.unwrap_or(1),
            experts: count("expert_parallel")?.unwrap_or(1),
        };
        let inferencex = source.contains("aiconfigurator");
        if inferencex {
            degrees = degrees.counted_once();
        }
        let load = load(row)?;
        let overview = load == Load::Offline && source.contains("TensorRT-LLM");
        if overview && served.experts > 0 && row.text("attention_dp").is_none() {
            degrees = degrees.of_overview();
        }
        let apart = row.text("serving") == Some("disaggregated");
        let aggregated = || -> Result<Deployment> {
            Ok(Deployment {
                // Experts are spread over all devices, whatever degree of the rest is named.
                tensor: degrees
                    .tensor
                    .ok_or_else(|| Error::input("the row has no tp"))?
                    .max(degrees.experts / degrees.data),
                pipeline: count("pp")?.unwrap_or(1),
                data: degrees.data,
                expert_parallel: degrees.experts > 1,
                weights,
                kv_bytes,
            })
        };
        // aiconfigurator's copy counts one worker of each kind where it has lost how many there were.
        let nameless = |part: &str| part.ends_with("_num_workers=0");
        let lost = inferencex
            && row
                .text("notes")
                .is_some_and(|it| it.split(';').filter(|it| nameless(it)).count() == 2);
        let (prefill, (deployment, replicas)) = if apart {
            let notes = row.text("notes").unwrap_or_default();
            let devices = count("n_devices")?.unwrap_or(0);
            let of_load = || -> Result<f64> {
                let [clients, input, output] = [need("concurrency")?, need("isl")?, need("osl")?];
                Ok(f64::from(clients) * f64::from(input) / f64::from(output))
            };
            let lost = lost.then(of_load).transpose()?;
            let [prefill, decode] = pools(notes, weights, kv_bytes, devices, lost)?;
            (Some(prefill), decode)
        } else {
            (None, (aggregated()?, 1))
        };
        // InferenceX's lengths vary (random-range-ratio 0.8). Elsewhere they are fixed, and clients of
        // an engine that reads prompts first then stay in lockstep; those of others drift apart.
        let lockstep = settings.prefill_first && !(inferencex && row.text("date").is_some());
        let varied = matches!(load, Load::Closed(_)) && !lockstep;
        let text = |column: &str| row.text(column).unwrap_or("?").to_owned();
        let many = if apart { count("n_devices")?.unwrap_or(0) } else { deployment.devices() } > 16;
        let seen = self.facts.accelerators.contains(&accelerator.id);
        let regime = Regime {
            apart,
            wide: many,
            unseen: !seen || maturity == Maturity::Inherited || !weights.fitted(&device),
        };
        let devices = match (apart, many) {
            (true, _) => "disaggregated",
            (_, true) => "over 16",
            _ => "up to 16",
        };
        Ok(Run {
            served,
            device,
            deployment,
            replicas,
            prefill,
            engine: engine.to_owned(),
            regime,
            lost,
            // A held batch spends its time on answers: a prompt of usual length stands in.
            input: match load {
                Load::Held(_) => count("isl")?.unwrap_or_else(|| prompt(row)),
                _ => need("isl")?,
            },
            output: need("osl")?,
            load,
            tdp: accelerator.tdp.as_ref().map(|tdp| tdp.value),
            varied,
            groups: vec![
                ("model", text("model")),
                ("accelerator", text("accelerator")),
                ("load", text("load")),
                ("devices", devices.to_owned()),
                ("engine", engine.to_owned()),
            ],
            published: Vec::new(),
        })
    }
}

/// Bytes of a number in the cache. Whoever quantises a model for a benchmark quantises its cache, but
/// for MXFP4 on devices that do not multiply 4 bits: such a checkpoint has no scales for a cache, and
/// `TensorRT-LLM`'s overview and `InferenceX` ask for one in 8 bits on Blackwell only.
fn cache_bytes(weights: Weights, device: &Device) -> f64 {
    match weights {
        Weights::Sixteen => 2.0,
        Weights::Mx4 if device.peak4.is_none() => 2.0,
        _ => 1.0,
    }
}

/// The degrees of a run on one kind of replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Degrees {
    tensor: Option<u32>,
    data: u32,
    experts: u32,
}

impl Degrees {
    /// The degrees of an offline run of a mixture in `TensorRT-LLM`'s performance overview of 1.0, whose
    /// tables say TP: its section "Running the Benchmark" has such models run with `--ep` and
    /// `enable_attention_dp`, and its next edition calls the same runs DEP.
    fn of_overview(self) -> Self {
        match self.tensor {
            Some(devices) => Self { tensor: Some(1), data: devices, experts: devices },
            None => self,
        }
    }

    /// The degrees of an `InferenceX` run as it ran. Its files say TP, EP and attention DP of the same
    /// devices (`tp: 8, ep: 8`); aiconfigurator's copy multiplies two of them where both are above 1, so
    /// that runs of one node stand there a second time as runs on 64 devices, their times alike.
    fn counted_once(self) -> Self {
        let Self { tensor: Some(tensor), data, experts } = self else { return self };
        let product = |a: u32, b: u32| u64::from(a) * u64::from(b);
        let all = product(tensor, data);
        let square = |root: u32| root > 1 && product(root, root) == all;
        if square(experts) && (tensor == 1 || data == 1) {
            let [tensor, data] = [tensor, data].map(|it| if it > 1 { experts } else { 1 });
            return Self { tensor: Some(tensor), data, experts };
        }
        if square(data) && tensor == data && u64::from(experts) == all {
            return Self { tensor: Some(1), data, experts: data };
        }
        self
    }
}

/// Prompts / answers in tokens, times clients, that a prefill device of a disaggregated run keeps up
/// with (`DeepSeek`-R1 on B200 in `.github/configs/nvidia-master.yaml` of `SemiAnalysisAI/InferenceX`: one
/// worker of four for 2,500).
const KEPT_UP: f64 = 625.0;

/// The prefill workers that keep up with a load, three at least, where a row does not say how many there
/// were.
fn keeping_up(prefill: &Deployment, load: f64) -> u32 {
    let workers = load / (KEPT_UP * f64::from(prefill.devices().max(1)));
    workers.ceil().clamp(3.0, 64.0) as u32
}

/// The decode workers of a disaggregated run that does not say how many there were: four, on no more
/// than 32 devices, as most of `InferenceX`'s files have it. One on more devices than a node has its
/// attention data-parallel.
fn usual(decode: Deployment) -> (Deployment, u32) {
    let devices = decode.devices();
    let workers = (32 / devices.max(1)).clamp(1, 4);
    let wide = decode.tensor > 8 && decode.data == 1;
    let apart = Deployment { tensor: 1, data: decode.tensor, expert_parallel: true, ..decode };
    (if wide { apart } else { decode }, workers)
}

/// The prefill and the decode replicas of a disaggregated run, and how many there are of each, from
/// notes such as `prefill_tp_size=4;decode_tp_size=8`. Where the numbers of workers are left out (0),
/// they are the [`usual`] ones, or those that use all devices.
///
/// # Errors
/// The notes do not say, or several numbers of workers use all devices.
fn pools(
    notes: &str,
    weights: Weights,
    kv_bytes: f64,
    devices: u32,
    lost: Option<f64>,
) -> Result<[(Deployment, u32); 2]> {
    let value = |key: &str| -> Option<u32> {
        notes.split(';').find_map(|part| part.strip_prefix(key)?.strip_prefix('=')?.parse().ok())
    };
    let unknown = || Error::input("disaggregated: the row does not say how devices are split");
    let pool = |stage: &str| -> Option<(Deployment, u32)> {
        let degree = |of: &str| Some(value(&format!("{stage}_{of}"))?.max(1));
        let data = degree("attention_dp_size")?;
        let deployment = Deployment {
            tensor: (degree("tp_size")? / data).max(1),
            pipeline: degree("pp_size")?,
            data,
            expert_parallel: degree("moe_ep_size")? > 1,
            weights,
            kv_bytes,
        };
        Some((deployment, value(&format!("{stage}_num_workers"))?))
    };
    let (prefill, decode) =
        (pool("prefill").ok_or_else(unknown)?, pool("decode").ok_or_else(unknown)?);
    if let Some(load) = lost {
        return Ok([(prefill.0, keeping_up(&prefill.0, load)), usual(decode.0)]);
    }
    let split = |n: u32| {
        let rest = devices.checked_sub(n * prefill.0.devices())?;
        let others = rest / decode.0.devices();
        (others > 0 && rest % decode.0.devices() == 0).then_some((n, others))
    };
    let named = |&(n, others): &(u32, u32)| {
        (prefill.1 == 0 || prefill.1 == n) && (decode.1 == 0 || decode.1 == others)
    };
    let mut splits = (1..=devices).filter_map(split).filter(named);
    match (splits.next(), splits.next()) {
        (Some((n, others)), None) => Ok([(prefill.0, n), (decode.0, others)]),
        _ => Err(unknown()),
    }
}

/// Prompt tokens of a row that names none: those of its task, `task=NAME` in its notes.
fn prompt(row: &Row<'_>) -> u32 {
    let task = row.text("notes").unwrap_or_default().split(';').find_map(|it| {
        let name = it.trim().strip_prefix("task=")?;
        name.split('-').any(|word| matches!(word, "fim" | "code")).then_some(CODE_PROMPT)
    });
    task.unwrap_or(USUAL_PROMPT)
}

/// The nearest whole number from 1 on, as a mean batch of 7.99 is one of 8; `None` where the cell is
/// empty or below.
///
/// # Errors
/// If the cell is no number.
fn count(row: &Row<'_>, column: &str) -> Result<Option<u32>> {
    Ok(row.number(column)?.map(f64::round).filter(|n| *n >= 1.0).map(|n| n as u32))
}

/// A whole number from 1 on.
///
/// # Errors
/// If the row has none.
fn required(row: &Row<'_>, column: &str) -> Result<u32> {
    count(row, column)?.ok_or_else(|| Error::input(format!("the row has no {column}")))
}

/// The way in which the requests of a row came.
///
/// # Errors
/// If the row does not say, or the way is not simulated.
fn load(row: &Row<'_>) -> Result<Load> {
    let need = |column| required(row, column);
    Ok(match row.text("load") {
        Some("closed") => Load::Closed(need("concurrency")?),
        Some("offline") => Load::Offline,
        Some("static") => Load::Static(need("concurrency").or_else(|_| need("average_batch"))?),
        Some("max-seqs") => Load::Held(need("average_batch")?),
        Some(other) => return Err(Error::input(format!("load {other} is not replayed"))),
        None => return Err(Error::input("the row does not say how requests came")),
    })
}

/// The published figure of a row.
///
/// # Errors
/// If the figure is unknown, or its value is not above zero.
fn published(row: &Row<'_>) -> Result<Published> {
    Ok(Published {
        id: row.id(),
        figure: Figure::named(needed(row, "figure")?)?,
        measured: row
            .number("value")?
            .filter(|value| *value > 0.0)
            .ok_or_else(|| Error::input("no value"))?,
    })
}

/// The text of a column.
///
/// # Errors
/// If the cell is empty.
fn needed<'a>(row: &Row<'a>, column: &str) -> Result<&'a str> {
    row.text(column).ok_or_else(|| Error::input(format!("the row has no {column}")))
}

/// The format of the weights that a row states.
///
/// # Errors
/// If the format is not one that an engine's constants are known for.
fn weights(row: &Row<'_>, config: &str) -> Result<Weights> {
    let precision = row.text("precision").or_else(|| row.text("precision_gemm"));
    let weights = match precision.unwrap_or("bf16") {
        "bf16" | "fp16" => Weights::Sixteen,
        // Quantised activations, too.
        "fp8" | "fp8_block" | "w8a8" | "int8_sq" => Weights::Eight,
        "fp4" | "nvfp4" => Weights::Nv4,
        "mxfp4" => Weights::Mx4,
        "int4" | "int4_wo" => Weights::Int4,
        // Integers are storage.
        "int8" | "int8_wo" => Weights::Int8,
        other => return Err(Error::input(format!("precision {other} is not calibrated"))),
    };
    // Whatever a table calls its precision, gpt-oss is published in MXFP4 only.
    Ok(if config.starts_with("gpt-oss") { Weights::Mx4 } else { weights })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn degrees_that_are_multiplied_twice_are_counted_once() {
        let check = |[tensor, data, experts]: [u32; 3], once: [u32; 3]| {
            let read = Degrees { tensor: Some(tensor), data, experts }.counted_once();
            assert_eq!([read.tensor.unwrap_or(0), read.data, read.experts], once);
        };
        // `row=2026_03_25_deepseek_r1_h200_sxm_trtllm_fp8`: the same 2,997.51 ms stand at 8 devices.
        check([1, 64, 8], [1, 8, 8]);
        check([64, 1, 8], [8, 1, 8]);
        check([16, 1, 4], [4, 1, 4]);
        check([4, 4, 16], [1, 4, 4]);
        // Degrees of their own.
        for own in [[8, 1, 8], [1, 8, 8], [4, 1, 1], [8, 1, 2], [1, 4, 1], [2, 4, 8], [1, 1, 1]] {
            check(own, own);
        }
    }

    #[test]
    fn a_held_batch_is_the_nearest_whole_one_and_its_prompt_that_of_its_task() {
        let table = "id,load,average_batch,notes\na,max-seqs,7.99,task=sourcegraph-fim;dp=1\n\
                     b,max-seqs,0.2,task=gpqa\n";
        let table = Table::read(table).expect("a table");
        let rows: Vec<_> = table.rows().collect();
        assert_eq!(load(&rows[0]), Ok(Load::Held(8)));
        assert!(load(&rows[1]).is_err());
        assert_eq!(rows.iter().map(prompt).collect::<Vec<_>>(), [CODE_PROMPT, USUAL_PROMPT]);
    }

    #[test]
    fn workers_that_a_copy_has_lost_are_the_usual_ones() {
        let check = |workers: u32, tensor: u32, lost: Option<f64>, expected: [u32; 4]| {
            let notes = format!(
                "prefill_num_workers={workers};prefill_tp_size=4;prefill_pp_size=1;\
                 prefill_attention_dp_size=1;prefill_moe_ep_size=1;decode_num_workers={workers};\
                 decode_tp_size={tensor};decode_pp_size=1;decode_attention_dp_size=1;\
                 decode_moe_ep_size=1"
            );
            let [prefill, decode] =
                pools(&notes, Weights::Eight, 1.0, 4 + tensor, lost).expect("two pools");
            assert_eq!([prefill.1, decode.1, decode.0.tensor, decode.0.data], expected);
        };
        check(1, 8, None, [1, 1, 8, 1]);
        check(0, 8, None, [1, 1, 8, 1]);
        check(0, 4, Some(180.0), [3, 4, 4, 1]);
        check(0, 8, Some(8.0 * 1606.0), [6, 4, 8, 1]);
        check(0, 16, Some(8.0 * 2222.0), [8, 2, 1, 16]);
        check(0, 48, Some(0.1), [3, 1, 1, 48]);
    }
}
