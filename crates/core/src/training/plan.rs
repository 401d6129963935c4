//! The computation of a training run and its hardware: inputs only. They are evaluated by
//! [`super::run`] and [`super::predict`].

use std::fmt::Write as _;
use std::sync::Arc;

use chrono::NaiveDate;

use super::parallelism::Parallelism;
use super::state::State;
use super::whole_run::Losses;
use crate::diagnostic::{Place, Placed};
use crate::model::Model;
use crate::provenance::{Input, inputs};
use crate::quantity::{
    DeviceBandwidth, DeviceFlopRate, DeviceTime, DeviceTokenRate, Devices, DevicesPerInstance,
    FlopPerSample, FlopPerToken, Mfu, Precision, Samples, Share, Time, Tokens,
};

/// The computation of a run, and its hardware.
#[derive(Clone, Debug)]
pub struct Run {
    /// The data that it passes.
    pub work: Work,
    /// Dense peak of one device in the run's precision.
    pub peak: Input<DeviceFlopRate>,
    /// Devices that train; unknown for a run of given device-hours.
    pub devices: Option<Input<Devices>>,
    /// Productive time / elapsed time.
    pub goodput: Goodput,
    /// Interruptions of spot instances, where some are.
    pub interruptions: Option<Interruptions>,
    /// Paid but idle devices / training devices.
    pub spares: Input<Share>,
    /// Compute of ablations and failed runs / compute of the run.
    pub experiments: Input<f64>,
    /// Tokens of one optimizer step.
    pub global_batch: Option<Input<Tokens>>,
}

/// The data and what one unit of it costs.
#[derive(Clone, Debug)]
pub enum Work {
    /// Sequences of tokens.
    Tokens {
        /// Tokens in one epoch.
        tokens: Input<Tokens>,
        /// Epochs.
        epochs: Input<f64>,
        /// 6 x active parameters, where the convention applies.
        six_nd: Option<Input<FlopPerToken>>,
        /// Operator-exact forward + backward, causal attention counted by half.
        model: Input<FlopPerToken>,
        /// The same with attention counted in full.
        model_full: Input<FlopPerToken>,
    },
    /// Images and other samples.
    Samples {
        /// Samples in one epoch.
        samples: Input<Samples>,
        /// Epochs.
        epochs: Input<f64>,
        /// Operator-exact forward + backward.
        model: Input<FlopPerSample>,
    },
}

/// Productive time / elapsed time of a run.
#[derive(Clone, Debug)]
pub enum Goodput {
    /// As given.
    Given(Input<Share>),
    /// The goodput that failures, checkpoints and restarts leave.
    Failures {
        /// Failures that interrupt the run, per 1,000 devices and day.
        rate: Input<f64>,
        /// How long the run stands still for one checkpoint.
        stall: Input<Time>,
        /// Time between two checkpoints; the one that loses least where it is not given.
        interval: Option<Input<Time>>,
        /// Time from a failure until the run goes on.
        restart: Input<Time>,
        /// Devices that may fail.
        devices: Input<Devices>,
        /// Time that the run loses beside failures.
        losses: Losses,
    },
}

/// How often spot instances are taken away, and what that costs a training run.
#[derive(Clone, Debug)]
pub struct Interruptions {
    /// Part of the spot instances that is interrupted within 30 days.
    pub rate: Input<Share>,
    /// Devices that train.
    pub devices: Input<Devices>,
    /// Part of them that is spot.
    pub share: Option<Input<Share>>,
    /// Devices of one instance.
    pub instance: Input<DevicesPerInstance>,
    /// Time between two checkpoints.
    pub interval: Input<Time>,
    /// Time from an interruption until the run goes on.
    pub restart: Input<Time>,
}

/// Inputs of the step-time model for a run.
#[derive(Clone, Debug)]
pub struct Prediction {
    /// The model, counted at the run's sequence length.
    pub model: Arc<Model>,
    /// Tokens in one epoch.
    pub tokens: Input<Tokens>,
    /// Epochs.
    pub epochs: Input<f64>,
    /// Id of the accelerator.
    pub accelerator: String,
    /// Devices that train.
    pub devices: u64,
    /// Number format of the matrix products.
    pub precision: Precision,
    /// Sequences of one step.
    pub sequences: u64,
    /// Tokens of a sequence.
    pub sequence: u64,
    /// The layout; chosen where it is not given.
    pub layout: Option<Placed<Parallelism>>,
    /// The place where the number of devices is given.
    pub devices_place: Place,
    /// Bytes per parameter.
    pub state: State,
    /// True if the given layout leaves open what is computed anew.
    pub recompute_open: bool,
    /// Bytes of a frozen weight that is widened before the products read it; 2 where none is.
    pub weight_bytes: f64,
    /// Part of the parameters that is trained.
    pub trained: f64,
    /// FLOPs of a token in the recipe, but for writing it, / in plain training of all weights.
    pub work: f64,
    /// Those that are learned from / the same; the rest are passes of models that are only asked.
    pub learned: f64,
    /// Those of writing the token / the same.
    pub written: f64,
    /// The framework, as the user calls it.
    pub framework: Option<String>,
    /// Date of the software.
    pub software_epoch: NaiveDate,
    /// Bandwidth of a device to other nodes.
    pub network: Input<DeviceBandwidth>,
    /// Stages of other sequence lengths, each with its part of the tokens and its prediction; empty if
    /// all sequences are alike. This prediction is that of the longest.
    pub stages: Vec<(f64, Prediction)>,
}

impl Prediction {
    /// Everything that it is predicted from, in words. Questions of the same words have the same
    /// answer while their models live, which are told apart by where they stand.
    pub fn words(&self) -> String {
        let Self {
            model,
            tokens,
            epochs,
            accelerator,
            devices,
            precision,
            sequences,
            sequence,
            layout,
            devices_place,
            state,
            recompute_open,
            weight_bytes,
            trained,
            work,
            learned,
            written,
            framework,
            software_epoch,
            network,
            stages,
        } = self;
        let run = (accelerator, devices, devices_place, tokens, epochs, sequences, sequence);
        let device = (precision, layout, state, recompute_open, framework, software_epoch, network);
        let recipe = (weight_bytes, trained, work, learned, written);
        let mut words = format!("{:p} {run:?} {device:?} {recipe:?}", Arc::as_ptr(model));
        for (part, stage) in stages {
            let _ = write!(words, " {part} of {}", stage.words());
        }
        words
    }
}

/// The answers of one step that the model writes before it learns from them.
#[derive(Clone, Debug)]
pub struct Writing {
    /// Time from the first to the last answer.
    pub time: Time,
    /// Time for handing the new weights to those who write.
    pub sync: Time,
    /// Devices that do nothing else; none where the same devices learn.
    pub apart: Option<u64>,
    /// True if the next answers are written while the model learns from the last.
    pub asynchronous: bool,
    /// Half-width of the 80 % interval of ln(measured / predicted).
    pub half_width: f64,
    /// How it was found.
    pub how: String,
}

/// The given measure of utilisation.
#[derive(Clone, Debug)]
pub enum Efficiency {
    /// Useful FLOPs / (time x peak), in a convention.
    Mfu(Input<Mfu>, FlopConvention),
    /// FLOPs with recomputation / (time x peak).
    Hfu(Input<Mfu>),
    /// A measured pace over the run's tokens.
    Measured {
        /// Tokens in one epoch.
        tokens: Input<Tokens>,
        /// Epochs.
        epochs: Input<f64>,
        /// How fast they pass.
        pace: Pace,
    },
    /// The whole run's device-hours, goodput included.
    DeviceHours(Input<DeviceTime>),
}

/// A measured pace.
#[derive(Clone, Debug)]
pub enum Pace {
    /// Tokens per second of one device.
    Throughput(Input<DeviceTokenRate>),
    /// The time of one optimizer step on all devices.
    Step {
        /// Time of one step.
        time: Input<Time>,
        /// Tokens of one step.
        batch: Input<Tokens>,
        /// Devices that share it.
        devices: Input<Devices>,
    },
}

/// Which FLOPs a utilisation counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlopConvention {
    /// 6 x active parameters x tokens.
    SixNd,
    /// Operator-exact, causal attention counted by half.
    #[default]
    Model,
    /// Operator-exact, attention counted in full.
    ModelFull,
}

inputs!(Run { work, peak, devices, goodput, interruptions, spares, experiments, global_batch });
inputs!(enum Work {
    Self::Tokens { tokens, epochs, six_nd, model, model_full } =>
        [tokens, epochs, six_nd, model, model_full],
    Self::Samples { samples, epochs, model } => [samples, epochs, model],
});
inputs!(enum Goodput {
    Self::Given(share) => [share],
    Self::Failures { rate, stall, interval, restart, devices, losses } =>
        [rate, stall, interval, restart, devices, losses],
});
inputs!(Interruptions { rate, devices, share, instance, interval, restart });
inputs!(enum Efficiency {
    Self::Mfu(share, _) | Self::Hfu(share) => [share],
    Self::DeviceHours(hours) => [hours],
    Self::Measured { tokens, epochs, pace } => [tokens, epochs, pace],
});
inputs!(enum Pace {
    Self::Throughput(rate) => [rate],
    Self::Step { time, batch, devices } => [time, batch, devices],
});
