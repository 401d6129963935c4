//! How a run is spread over its devices: degrees, schedule, sharding, recomputation.

use super::calibration::General;
use crate::diagnostic::{Error, Result};

/// Degrees of parallelism and what goes with them. Their product is the number of devices:
/// tensor x pipeline x context x data; expert parallelism re-uses the ranks of a pipeline stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parallelism {
    /// Devices that share each matrix (Megatron-LM, arXiv:1909.08053).
    pub tensor: u64,
    /// True if norms and residuals are split over the tensor-parallel ranks too
    /// (arXiv:2205.05198).
    pub sequence: bool,
    /// Pipeline stages (1F1B, arXiv:2104.04473).
    pub pipeline: u64,
    /// Chunks of layers per stage in the interleaved schedule; 1 is plain 1F1B.
    pub chunks: u64,
    /// Devices that share each sequence.
    pub context: u64,
    /// Copies that see different sequences.
    pub data: u64,
    /// Devices that share the experts of a layer; may span tensor x context x data ranks.
    pub expert: u64,
    /// The states that the data-parallel copies shard.
    pub zero: Zero,
    /// Sequences of one forward pass of a copy.
    pub micro_batch: u64,
    /// Activations computed anew in the backward pass.
    pub recompute: Recompute,
}

/// Stages of the Zero Redundancy Optimizer (arXiv:1910.02054).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Zero {
    /// Every copy keeps everything.
    Off,
    /// Optimizer state is sharded.
    #[default]
    Optimizer,
    /// Gradients too.
    Gradients,
    /// Weights too, gathered layer by layer (FSDP).
    Weights,
}

impl Zero {
    /// The stage of a number.
    ///
    /// # Errors
    /// No such stage.
    pub fn stage(number: u64) -> Result<Self> {
        match number {
            0 => Ok(Self::Off),
            1 => Ok(Self::Optimizer),
            2 => Ok(Self::Gradients),
            3 => Ok(Self::Weights),
            _ => Err(Error::input(format!("there is no ZeRO stage {number}")).hint("0, 1, 2 or 3")),
        }
    }
}

/// Which activations are thrown away in the forward pass and computed again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recompute {
    /// None: all are kept.
    #[default]
    None,
    /// The attention core only (arXiv:2205.05198); with a flash kernel there is nothing to gain.
    Selective,
    /// Every other block.
    Half,
    /// Every other matrix product of each block.
    Products,
    /// A policy of the user's own, as `MaxText`'s `custom` remat.
    Custom,
    /// All of each block, from its input.
    Full,
    /// Not published.
    Unknown,
}

impl Recompute {
    /// The parts of the forward pass that are computed twice: of the matrix products of the blocks,
    /// and of the attention between them.
    pub fn repeated(self, general: &General) -> [f64; 2] {
        match self {
            Self::None => [0.0, 0.0],
            Self::Selective => [0.0, 1.0],
            Self::Half | Self::Products => [0.5, 0.5],
            Self::Custom => [general.recompute_custom, 0.0],
            Self::Unknown => [general.recompute_unknown, 0.0],
            Self::Full => [1.0, 1.0],
        }
    }
}

/// The sequences of one optimizer step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Sequences of all copies together.
    pub sequences: u64,
    /// Tokens of a sequence.
    pub length: u64,
}

impl Parallelism {
    /// One device, one sequence at a time.
    pub const SINGLE: Self = Self {
        tensor: 1,
        sequence: true,
        pipeline: 1,
        chunks: 1,
        context: 1,
        data: 1,
        expert: 1,
        zero: Zero::Optimizer,
        micro_batch: 1,
        recompute: Recompute::None,
    };

    /// Devices of the run.
    pub fn devices(&self) -> u64 {
        self.tensor * self.pipeline * self.context * self.data
    }

    /// Devices that share the experts of a layer: those of expert parallelism, else those of a
    /// tensor-parallel group, which split each expert as any other matrix (Megatron's usual
    /// `expert-tensor-parallel-size`).
    pub fn expert_shards(&self) -> u64 {
        if self.expert > 1 { self.expert } else { self.tensor }
    }

    /// Micro-batches that each copy runs in one step; the last may lack sequences.
    pub fn micro_batches(&self, batch: Batch) -> f64 {
        batch.sequences.div_ceil(self.data * self.micro_batch) as f64
    }

    /// Checks the degrees against devices, layers, experts and batch.
    ///
    /// # Errors
    /// The two figures that contradict each other, with the nearest valid values.
    pub fn check(&self, devices: u64, layers: u64, experts: u64, batch: Batch) -> Result<()> {
        let degrees = [
            ("tensor", self.tensor),
            ("pipeline", self.pipeline),
            ("context", self.context),
            ("data", self.data),
            ("expert", self.expert),
            ("micro_batch", self.micro_batch),
        ];
        if let Some((name, _)) = degrees.iter().find(|(_, degree)| *degree == 0) {
            return Err(Error::input(format!("`parallelism.{name}` is 0")).hint("at least 1"));
        }
        if devices == 0 {
            return Err(Error::input("the run has 0 devices").hint("`hardware.count: 8`"));
        }
        if self.devices() != devices {
            let rest = self.tensor * self.pipeline * self.context;
            let error = Error::input(format!(
                "tensor {} x pipeline {} x context {} x data {} are {} devices, but \
                 `hardware.count` is {devices}",
                self.tensor,
                self.pipeline,
                self.context,
                self.data,
                self.devices()
            ));
            return Err(if devices.is_multiple_of(rest) {
                error.hint(format!("`data: {}` would fill {devices} devices", devices / rest))
            } else {
                let below = devices / rest * rest;
                let near: Vec<_> =
                    [below, below + rest].iter().filter(|n| **n > 0).map(u64::to_string).collect();
                error.hint(format!("a count divisible by {rest}: {}", near.join(" or ")))
            });
        }
        if self.pipeline > layers {
            return Err(Error::input(format!(
                "`parallelism.pipeline` is {}, but the model has {layers} layers",
                self.pipeline
            ))
            .hint(format!("at most {layers}")));
        }
        let staged = layers.div_ceil(self.pipeline);
        if self.pipeline > 1 && self.chunks > staged {
            return Err(Error::input(format!(
                "`parallelism.chunks` is {}, but a stage has {staged} layers",
                self.chunks
            ))
            .hint(format!("at most {staged}")));
        }
        if batch.sequences < self.data {
            return Err(Error::input(format!(
                "the global batch is {} sequences, but `parallelism.data` is {}",
                batch.sequences, self.data
            ))
            .hint(format!(
                "a batch of at least {} sequences ({} tokens), or fewer copies",
                self.data,
                self.data * batch.length
            )));
        }
        if self.data * self.micro_batch > batch.sequences {
            return Err(Error::input(format!(
                "data {} x micro_batch {} are more than the {} sequences of the global batch",
                self.data, self.micro_batch, batch.sequences
            ))
            .hint(format!("`micro_batch: {}`", batch.sequences / self.data)));
        }
        let stage = self.tensor * self.context * self.data;
        if self.expert > 1 && !stage.is_multiple_of(self.expert) {
            return Err(Error::input(format!(
                "`parallelism.expert` is {}, but a pipeline stage has {stage} devices",
                self.expert
            ))
            .hint(format!("a divisor of {stage}: {}", near_divisors(stage, self.expert))));
        }
        if self.expert > 1 && (experts == 0 || self.expert > experts) {
            return Err(Error::input(format!(
                "`parallelism.expert` is {}, but the model has {experts} experts per layer",
                self.expert
            ))
            .hint(format!("at most {}", experts.max(1))));
        }
        Ok(())
    }
}

impl Parallelism {
    /// Checks that tensor parallelism gives each device whole heads, as every framework asks; groups of keys
    /// and values are copied where they are fewer.
    ///
    /// # Errors
    /// The degree does not divide the heads, with those next to it that do.
    pub fn check_heads(&self, heads: u64) -> Result<()> {
        if heads == 0 || heads.is_multiple_of(self.tensor) {
            return Ok(());
        }
        let near = near_divisors(heads, self.tensor);
        let message = format!(
            "`parallelism.tensor` is {}, but the model has {heads} heads to share out",
            self.tensor
        );
        Err(Error::input(message).hint(format!("a divisor of {heads}: {near}")))
    }
}

/// The divisors of `whole` next to `wanted`, as text.
fn near_divisors(whole: u64, wanted: u64) -> String {
    let below = (1..=wanted).rev().find(|n| whole.is_multiple_of(*n));
    let above = (wanted..=whole).find(|n| whole.is_multiple_of(*n));
    let near: Vec<_> = below.into_iter().chain(above).map(|n| n.to_string()).collect();
    near.join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BATCH: Batch = Batch { sequences: 64, length: 4096 };

    #[track_caller]
    fn refuses(parallelism: Parallelism, devices: u64, message: &str, hint: &str) {
        let error = parallelism.check(devices, 32, 0, BATCH).expect_err("contradiction");
        let text = error.to_string();
        assert!(text.contains(message) && text.contains(hint), "{text}");
    }

    #[test]
    fn contradictions_name_both_sides_and_a_way_out() {
        let one = Parallelism::SINGLE;
        refuses(Parallelism { tensor: 8, ..one }, 16, "are 8 devices", "`data: 2`");
        refuses(Parallelism { tensor: 8, ..one }, 20, "`hardware.count` is 20", "16 or 24");
        refuses(Parallelism { pipeline: 64, ..one }, 64, "has 32 layers", "at most 32");
        refuses(
            Parallelism { pipeline: 4, chunks: 9, ..one },
            4,
            "a stage has 8 layers",
            "at most 8",
        );
        refuses(Parallelism { data: 128, ..one }, 128, "64 sequences", "524288 tokens");
        refuses(
            Parallelism { data: 8, micro_batch: 16, ..one },
            8,
            "more than the 64",
            "`micro_batch: 8`",
        );
        refuses(Parallelism { tensor: 0, ..one }, 8, "`parallelism.tensor` is 0", "at least 1");
        refuses(one, 0, "0 devices", "count");
        refuses(Parallelism { data: 8, expert: 3, ..one }, 8, "has 8 devices", "2 or 4");
        refuses(Parallelism { data: 8, expert: 8, ..one }, 8, "0 experts", "at most 1");
    }

    #[test]
    fn tensor_parallelism_shares_out_whole_heads() {
        let of = |tensor| Parallelism { tensor, ..Parallelism::SINGLE };
        assert!(
            [(8, 32), (32, 32), (7, 28), (8, 0)].iter().all(|&(t, h)| of(t).check_heads(h).is_ok())
        );
        let text = of(64).check_heads(32).unwrap_err().to_string();
        assert!(text.contains("32 heads") && text.contains(": 32"), "{text}");
        let text = of(8).check_heads(28).unwrap_err().to_string();
        assert!(text.contains("7 or 14"), "{text}");
    }

    #[test]
    fn expert_parallelism_may_span_tensor_and_data_ranks() {
        let moe =
            Parallelism { tensor: 2, pipeline: 4, data: 16, expert: 32, ..Parallelism::SINGLE };
        moe.check(128, 61, 256, BATCH).expect("DeepSeek-V3 ran so");
        assert!((moe.micro_batches(BATCH) - 4.0).abs() < 1e-12);
    }
}
