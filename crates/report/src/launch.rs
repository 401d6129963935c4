//! Job files out: the plan of a forecast as a batch script of Slurm, a task of `SkyPilot`, or the
//! command line of vLLM.
//!
//! What the plan says (devices, layout, batch, formats) is written out; what it does not (the path
//! of the model, the data) is a variable at the head of the script. [`flopcast_import::job`] reads
//! the result again.

use std::fmt::Write as _;

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::Id;
use flopcast_core::estimate::plan::{Scenario, Service, TrainingPlan};
use flopcast_core::quantity::Precision;
use flopcast_core::training::parallelism::{Parallelism, Recompute, Zero};
use flopcast_core::training::predict::Predicted;

use super::Report;
use crate::answer;
use crate::text::visible;

/// The plan of a scenario, as far as a job needs it.
#[derive(Clone, Debug)]
pub struct Launch {
    training: Option<Training>,
    service: Option<Serving>,
}

/// A training run whose layout is known.
#[derive(Clone, Debug)]
struct Training {
    model: String,
    accelerator: String,
    devices: u64,
    layout: Parallelism,
    /// Tokens of a sequence, sequences of a step, steps of the run.
    sequence: u64,
    sequences: u64,
    steps: u64,
    precision: Precision,
    megatron: bool,
}

/// A service of an engine.
#[derive(Clone, Debug)]
struct Serving {
    model: String,
    accelerator: String,
    /// Tensor, pipeline and data degrees.
    degrees: [u32; 3],
    expert_parallel: bool,
    max_batch: u64,
    precision: Precision,
    kv_precision: Precision,
}

impl Launch {
    /// The plan of a scenario; `predicted` is the prediction of its run.
    pub(crate) fn new(scenario: &Scenario, predicted: Option<&Predicted>) -> Self {
        let training = scenario.training.as_ref();
        Self {
            training: training.zip(predicted).and_then(|(plan, run)| Training::new(plan, run)),
            service: scenario.inference.as_deref().and_then(Serving::new),
        }
    }
}

impl Training {
    /// The plan of a predicted run; `None` for one without a number of tokens.
    fn new(plan: &TrainingPlan, predicted: &Predicted) -> Option<Self> {
        let wanted = plan.prediction.as_ref()?;
        let tokens = wanted.tokens.value.value * wanted.epochs.value;
        let step = (predicted.batch.sequences * wanted.sequence) as f64;
        let framework = wanted.framework.as_deref().unwrap_or_default().to_ascii_lowercase();
        Some(Self {
            model: wanted.model.name.clone(),
            accelerator: wanted.accelerator.clone(),
            devices: wanted.devices,
            layout: predicted.candidate.layout,
            sequence: wanted.sequence,
            sequences: predicted.batch.sequences,
            steps: (tokens / step).ceil() as u64,
            precision: wanted.precision,
            megatron: ["megatron", "nemo"].iter().any(|it| framework.starts_with(it)),
        })
    }

    /// The arguments of the framework.
    fn arguments(&self) -> Vec<(&'static str, String)> {
        let Parallelism { tensor, pipeline, context, data, expert, micro_batch, .. } = self.layout;
        let sharded = self.layout.zero == Zero::Weights;
        let full = matches!(self.layout.recompute, Recompute::Full);
        if self.megatron {
            let mut all = vec![
                ("--tensor-model-parallel-size", tensor.to_string()),
                ("--pipeline-model-parallel-size", pipeline.to_string()),
                ("--context-parallel-size", context.to_string()),
                ("--expert-model-parallel-size", expert.to_string()),
                ("--micro-batch-size", micro_batch.to_string()),
                ("--global-batch-size", self.sequences.to_string()),
                ("--seq-length", self.sequence.to_string()),
                ("--train-iters", self.steps.to_string()),
            ];
            let flags = [
                ("--sequence-parallel", self.layout.sequence),
                ("--use-distributed-optimizer", self.layout.zero != Zero::Off),
                ("--bf16", self.precision == Precision::Bf16),
                ("--fp16", self.precision == Precision::Fp16),
            ];
            all.extend(flags.iter().filter(|(_, on)| *on).map(|(name, _)| (*name, String::new())));
            if full {
                all.push(("--recompute-granularity", "full".to_owned()));
            }
            return all;
        }
        let (shard, replicate) = if sharded { (data, 1) } else { (1, data) };
        vec![
            ("--training.local_batch_size", micro_batch.to_string()),
            ("--training.global_batch_size", self.sequences.to_string()),
            ("--training.seq_len", self.sequence.to_string()),
            ("--training.steps", self.steps.to_string()),
            ("--parallelism.tensor_parallel_degree", tensor.to_string()),
            ("--parallelism.pipeline_parallel_degree", pipeline.to_string()),
            ("--parallelism.context_parallel_degree", context.to_string()),
            ("--parallelism.expert_parallel_degree", expert.to_string()),
            ("--parallelism.data_parallel_shard_degree", shard.to_string()),
            ("--parallelism.data_parallel_replicate_degree", replicate.to_string()),
            ("--activation_checkpoint.mode", if full { "full" } else { "none" }.to_owned()),
        ]
    }

    /// The program and its arguments, one a line.
    fn command(&self, launcher: &str) -> String {
        let program = if self.megatron { "pretrain_gpt.py" } else { "-m torchtitan.train" };
        let mut text = format!("torchrun {launcher} \\\n  {program}");
        if !self.megatron {
            text += " --job.config_file \"$CONFIG\"";
        }
        for (name, value) in self.arguments() {
            let _ = write!(text, " \\\n  {name}");
            if !value.is_empty() {
                let _ = write!(text, " {value}");
            }
        }
        if self.megatron {
            text += " \\\n  \"${MODEL_AND_DATA[@]}\"";
        }
        text
    }

    /// The variables that the plan does not say.
    fn variables(&self) -> String {
        if self.megatron {
            format!(
                "# The arguments of {} and of its data.\nMODEL_AND_DATA=()\n",
                visible(&self.model)
            )
        } else {
            format!(
                "# The configuration of {} and of its data.\nCONFIG=train.toml\n",
                visible(&self.model)
            )
        }
    }
}

impl Serving {
    /// The plan of a service that generates tokens.
    fn new(service: &Service) -> Option<Self> {
        let demand = &service.demand;
        let deployment = &demand.instances.as_ref()?.decode.deployment;
        Some(Self {
            model: demand.model.name.clone(),
            accelerator: demand.accelerator.clone(),
            degrees: [deployment.tensor, deployment.pipeline, deployment.data],
            expert_parallel: deployment.expert_parallel,
            max_batch: service.replica.max_batch.value as u64,
            precision: demand.precision.value,
            kv_precision: demand.kv_precision,
        })
    }

    fn devices(&self) -> u32 {
        self.degrees.iter().product()
    }

    /// The command line of one replica.
    fn command(&self) -> String {
        let [tensor, pipeline, data] = self.degrees;
        let mut text = format!(
            "vllm serve \"$MODEL\" --tensor-parallel-size {tensor} --pipeline-parallel-size {pipeline} \
             --data-parallel-size {data} --max-num-seqs {}",
            self.max_batch.div_ceil(u64::from(data.max(1)))
        );
        if self.expert_parallel {
            text += " --enable-expert-parallel";
        }
        match self.precision {
            Precision::Bf16 => text += " --dtype bfloat16",
            Precision::Fp16 => text += " --dtype float16",
            Precision::Fp8 => text += " --quantization fp8",
            _ => {}
        }
        if self.kv_precision == Precision::Fp8 {
            text += " --kv-cache-dtype fp8";
        }
        text
    }

    fn variables(&self) -> String {
        format!("# The Hub name or the folder of {}.\nMODEL=${{MODEL:?}}\n", visible(&self.model))
    }
}

/// The devices of a machine: as they are sold, else eight, or fewer where there are fewer.
fn machine(report: &Report, devices: u64, all: Id, machines: Id) -> u64 {
    let value = |id| report.figure(id)?.value();
    let sold = value(all).zip(value(machines)).filter(|(_, machines)| *machines > 0.0);
    let each = sold.map_or(8, |(all, machines)| (all / machines).round() as u64);
    each.clamp(1, devices.max(1))
}

/// The hours that a run is given: the P90 of its time where there is a range, rounded up.
fn hours(report: &Report) -> Option<u64> {
    let range = answer::interval(report, Id::WallClock).and_then(|range| answer::at(range, 90));
    let days = range.or_else(|| report.figure(Id::WallClock)?.value())?;
    Some((24.0 * days).ceil() as u64)
}

/// The one scenario's plan.
///
/// # Errors
/// If there are several.
fn single(reports: &[Report]) -> Result<(&Report, &Launch)> {
    match reports {
        [report] => Ok((report, &report.launch)),
        _ => Err(Error::input("a job file is of one scenario")),
    }
}

/// The error of a scenario that has neither a layout nor an engine.
fn nothing() -> Error {
    Error::input("the scenario has no plan that a job file could say").hint(
        "a job needs devices, tokens and a predicted speed (`efficiency` left out), or a service \
         that generates tokens",
    )
}

/// A batch script of Slurm: of the training, or of a replica of the service where nothing trains.
///
/// # Errors
/// Several scenarios, or one without a plan.
pub(crate) fn slurm(reports: &[Report]) -> Result<String> {
    let (report, launch) = single(reports)?;
    let mut text = String::from("#!/bin/bash\n");
    let (nodes, each, body) = if let Some(run) = &launch.training {
        let each = machine(report, run.devices, Id::TrainingDevices, Id::TrainingInstances);
        let launcher = format!(
            "--nnodes=$SLURM_NNODES --nproc_per_node={each} --rdzv_backend=c10d \
             --rdzv_endpoint=$HEAD:29500"
        );
        let head = "HEAD=$(scontrol show hostnames \"$SLURM_JOB_NODELIST\" | head -n 1)\n";
        let body = format!("{}{head}srun {}\n", run.variables(), run.command(&launcher));
        (run.devices.div_ceil(each), each, body)
    } else {
        let service = launch.service.as_ref().ok_or_else(nothing)?;
        let devices = u64::from(service.devices());
        let each = machine(report, devices, Id::FleetDevices, Id::FleetInstances);
        let body = format!("{}srun {}\n", service.variables(), service.command());
        (devices.div_ceil(each), each, body)
    };
    let _ = writeln!(text, "# {}: the plan of a forecast by flopcast.", visible(&report.name));
    let _ = writeln!(text, "#SBATCH --nodes={nodes}\n#SBATCH --ntasks-per-node=1");
    let _ = writeln!(text, "#SBATCH --gpus-per-node={each}\n#SBATCH --exclusive");
    if let Some(hours) = hours(report).filter(|_| launch.training.is_some()) {
        let _ = writeln!(text, "#SBATCH --time={}-{:02}:00:00", hours / 24, hours % 24);
    }
    Ok(text + "set -euo pipefail\n" + &body)
}

/// A task of `SkyPilot`, as [`slurm`].
///
/// # Errors
/// As [`slurm`].
pub(crate) fn skypilot(reports: &[Report]) -> Result<String> {
    let (report, launch) = single(reports)?;
    let (accelerator, nodes, each, body) = if let Some(run) = &launch.training {
        let each = machine(report, run.devices, Id::TrainingDevices, Id::TrainingInstances);
        let launcher = format!(
            "--nnodes=$SKYPILOT_NUM_NODES --nproc_per_node={each} \
             --node_rank=$SKYPILOT_NODE_RANK --master_addr=$HEAD --master_port=29500"
        );
        let head = "HEAD=$(echo \"$SKYPILOT_NODE_IPS\" | head -n 1)\n";
        let body = format!("{}{head}{}\n", run.variables(), run.command(&launcher));
        (&run.accelerator, run.devices.div_ceil(each), each, body)
    } else {
        let service = launch.service.as_ref().ok_or_else(nothing)?;
        let devices = u64::from(service.devices());
        let each = machine(report, devices, Id::FleetDevices, Id::FleetInstances);
        let body = format!("{}{}\n", service.variables(), service.command());
        (&service.accelerator, devices.div_ceil(each), each, body)
    };
    let name = accelerator.split('-').next().unwrap_or_default().to_ascii_uppercase();
    let body = body.lines().fold(String::new(), |all, line| all + "  " + line + "\n");
    Ok(format!(
        "# {}: the plan of a forecast by flopcast, on {accelerator}.\n\
         resources:\n  accelerators: {name}:{each}\nnum_nodes: {nodes}\nrun: |\n{body}",
        visible(&report.name)
    ))
}

/// The command line of vLLM for a replica of the service.
///
/// # Errors
/// Several scenarios, or one without a service that generates tokens.
pub(crate) fn vllm(reports: &[Report]) -> Result<String> {
    let (report, launch) = single(reports)?;
    let service = launch.service.as_ref().ok_or_else(nothing)?;
    Ok(format!(
        "#!/bin/sh\n# {}: a replica on {} {}, as flopcast forecasts it.\n{}{}\n",
        visible(&report.name),
        service.devices(),
        service.accelerator,
        service.variables(),
        service.command()
    ))
}
