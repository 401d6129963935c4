//! Bytes per parameter that training keeps: rows by optimizer and by framework.
//!
//! | | weights | gradients | master copy | state |
//! |---|--:|--:|--:|--:|
//! | mixed precision, `AdamW` (arXiv:1910.02054, sec. 3.1) | 2 | 4 | 4 | 8 |
//! | pure bf16, SGD without momentum | 2 | 2 | 0 | 0 |
//! | fp32 JAX, `AdamW` | 0 beside the master | in the activations' place | 4 | 8 |

use crate::diagnostic::{Error, Result};

/// Bytes that training keeps per parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct State {
    /// Bytes of a trained weight, as the products read it.
    pub weights: f64,
    /// Bytes of a gradient.
    pub gradients: f64,
    /// Bytes of the master copy of a weight; 0 if the optimizer works on the weights themselves.
    pub master: f64,
    /// Bytes of the optimizer's own state of a trained weight.
    pub moments: f64,
    /// Trained parameters / those of the model without adapters.
    pub trained: f64,
    /// Bytes of a weight that stays frozen beside adapters, scales included; 0 if all are trained.
    pub frozen: f64,
    /// Bytes of frozen models beside it (a reference, a teacher) / its parameters; shards where weights do.
    pub beside: f64,
    /// The gradients are a buffer of their own that stands during the whole step. Those of plain
    /// `PyTorch` and JAX come into being as activations go.
    pub buffered: bool,
    /// Each gradient is applied as soon as it is there, and then gone.
    pub in_backward: bool,
    /// The state that is kept on the host.
    pub offload: Offload,
}

/// The state that a run keeps on the host instead of the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Offload {
    /// Nothing.
    #[default]
    Nothing,
    /// Master copy and optimizer state (ZeRO-Offload, arXiv:2101.06840).
    Optimizer,
    /// Those, and the shards of weights and gradients (ZeRO-Infinity, arXiv:2104.07857).
    Weights,
}

/// All weights trained by `AdamW`: bf16 weights, fp32 gradients, master copy and two moments.
pub const ADAMW: State = State {
    weights: 2.0,
    gradients: 4.0,
    master: 4.0,
    moments: 8.0,
    trained: 1.0,
    frozen: 0.0,
    beside: 0.0,
    buffered: true,
    in_backward: false,
    offload: Offload::Nothing,
};

impl State {
    /// Bytes of master copy and state per trained weight.
    pub fn optimizer(&self) -> f64 {
        self.master + self.moments
    }
}

/// The state that an optimizer keeps of a weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kept {
    /// Its name in a scenario.
    pub name: &'static str,
    /// Numbers of state.
    pub numbers: f64,
    /// Bytes of each; those of the framework's own format, where none.
    pub bytes: Option<f64>,
    /// It works on a master copy in fp32, unless the framework has none.
    pub master: bool,
}

/// A number in 8 bits with its scale: one in fp32 for each 256 (Dettmers et al. 2022,
/// arXiv:2110.02861, in the block size of bitsandbytes 0.45).
const EIGHT: f64 = 1.0 + 4.0 / 256.0;

/// The optimizers.
pub const OPTIMIZERS: &[Kept] = &[
    // Loshchilov & Hutter 2019 (arXiv:1711.05101): two moments.
    Kept { name: "adamw", numbers: 2.0, bytes: None, master: true },
    Kept { name: "adamw-bf16", numbers: 2.0, bytes: Some(2.0), master: true },
    Kept { name: "adamw-8bit", numbers: 2.0, bytes: Some(EIGHT), master: true },
    // Pages may leave the device where it is full (arXiv:2305.14314, sec. 3); they are counted.
    Kept { name: "paged-adamw", numbers: 2.0, bytes: None, master: false },
    Kept { name: "paged-adamw-8bit", numbers: 2.0, bytes: Some(EIGHT), master: false },
    // Jordan et al. 2024, Liu et al. 2025 (arXiv:2502.16982): one momentum. Tables, heads and norms
    // have AdamW's two; they are few.
    Kept { name: "muon", numbers: 1.0, bytes: None, master: true },
    // Chen et al. 2023 (arXiv:2302.06675): one momentum.
    Kept { name: "lion", numbers: 1.0, bytes: None, master: true },
    Kept { name: "lion-8bit", numbers: 1.0, bytes: Some(EIGHT), master: true },
    // Applied to the weights as they are.
    Kept { name: "sgd", numbers: 0.0, bytes: None, master: false },
    Kept { name: "sgd-momentum", numbers: 1.0, bytes: None, master: true },
    // Shazeer & Stern 2018 (arXiv:1804.04235): a row and a column for each matrix.
    Kept { name: "adafactor", numbers: 0.0, bytes: None, master: true },
];

/// Formats that a framework trains in, in bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Formats {
    /// Beginnings of its names.
    pub names: &'static [&'static str],
    /// Bytes of a weight that the products read.
    pub weights: f64,
    /// Bytes of a gradient.
    pub gradients: f64,
    /// Bytes of a number of the master copy.
    pub master: f64,
    /// Bytes of a number of the optimizer's state.
    pub moment: f64,
    /// Gradients are a buffer of their own.
    pub buffered: bool,
    /// Weights are sharded unless the user says otherwise.
    pub sharded: bool,
}

/// Mixed precision as Megatron-LM, `DeepSpeed` and most others do it.
pub const MIXED: Formats = Formats {
    names: &[
        "megatron",
        "nemo",
        "deepspeed",
        "composer",
        "llm-foundry",
        "pytorch",
        "huggingface",
        "transformers",
        "accelerate",
        "peft",
        "lightning",
        "litgpt",
        "nanogpt",
        "gpt-neox",
        "nanotron",
        "fairseq",
        "metaseq",
        "colossalai",
        "colossal-ai",
        "internevo",
        "primus",
        "openrlhf",
        "neuronx-distributed",
        "optimum",
        "tensorflow",
        "keras",
        "horovod",
    ],
    weights: 2.0,
    gradients: 4.0,
    master: 4.0,
    moment: 4.0,
    buffered: true,
    sharded: false,
};

/// Frameworks whose formats differ.
pub const FRAMEWORKS: &[Formats] = &[
    // FSDP: the sharded weight in fp32 is the master copy.
    Formats {
        names: &[
            "torchtitan",
            "fsdp",
            "fms-fsdp",
            "pytorch-fsdp",
            "automodel",
            "nemo-automodel",
            "olmo",
            "verl",
        ],
        buffered: false,
        sharded: true,
        ..MIXED
    },
    MIXED,
    // Weights, gradients and states of one type.
    Formats {
        names: &["torchtune", "unsloth", "llama-factory", "axolotl", "trl", "mlx"],
        weights: 2.0,
        gradients: 2.0,
        master: 0.0,
        moment: 2.0,
        buffered: false,
        sharded: true,
    },
    // fp32 throughout; products read what the compiler casts.
    Formats {
        names: &["maxtext", "paxml", "jax", "t5x", "easylm", "levanter", "neuronx-jax", "alpa"],
        weights: 0.0,
        gradients: 4.0,
        master: 4.0,
        moment: 4.0,
        buffered: false,
        sharded: true,
    },
];

/// The formats of a framework.
pub fn formats(framework: &str) -> Option<&'static Formats> {
    let name = framework.to_lowercase().replace([' ', '_'], "-");
    // A version may follow: `fsdp2`, `nemo-2.0`.
    let ends = |rest: &str| !rest.starts_with(|it: char| it.is_ascii_alphabetic());
    let begins = |formats: &&Formats| {
        formats.names.iter().any(|known| name.strip_prefix(known).is_some_and(ends))
    };
    FRAMEWORKS.iter().find(begins)
}

/// An optimizer by its name, in any case, with `_` for `-`.
///
/// # Errors
/// An unknown name, with the known ones.
pub fn optimizer(name: &str) -> Result<&'static Kept> {
    let plain = name.to_lowercase().replace('_', "-");
    OPTIMIZERS.iter().find(|kept| kept.name == plain).ok_or_else(|| {
        let known = || OPTIMIZERS.iter().map(|kept| kept.name);
        Error::input(format!("the optimizer `{name}` is not known"))
            .suggest(&plain, known())
            .hint(format!("one of {}", known().collect::<Vec<_>>().join(", ")))
    })
}

/// Bytes per parameter of an optimizer under a framework. An optimizer without a master copy trains
/// the weights as they are, with gradients of their format.
pub fn recipe(kept: &Kept, formats: &Formats) -> State {
    let own = kept.master || formats.weights == 0.0;
    State {
        gradients: if own { formats.gradients } else { formats.weights.min(formats.gradients) },
        weights: formats.weights,
        master: if own { formats.master } else { 0.0 },
        moments: kept.numbers * kept.bytes.unwrap_or(formats.moment),
        buffered: formats.buffered && own,
        ..ADAMW
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_the_published_bytes_per_parameter() {
        let check =
            |name: &str, framework: Option<&str>, weights: f64, gradients: f64, kept: f64| {
                let formats = framework.map_or(&MIXED, |name| formats(name).expect("a framework"));
                let state = recipe(optimizer(name).expect("an optimizer"), formats);
                let found = [state.weights, state.gradients, state.optimizer()];
                assert!((found[0] - weights).abs() < 1e-9, "{name}: {found:?}");
                assert!((found[1] - gradients).abs() < 1e-9, "{name}: {found:?}");
                assert!((found[2] - kept).abs() < 0.05, "{name}: {found:?}");
            };
        check("adamw", None, 2.0, 4.0, 12.0);
        check("adamw", Some("Megatron-LM"), 2.0, 4.0, 12.0);
        check("adamw_8bit", None, 2.0, 4.0, 6.0);
        check("lion", None, 2.0, 4.0, 8.0);
        check("muon", None, 2.0, 4.0, 8.0);
        check("sgd", None, 2.0, 2.0, 0.0);
        check("sgd-momentum", None, 2.0, 4.0, 8.0);
        check("adafactor", None, 2.0, 4.0, 4.0);
        check("adamw", Some("torchtune"), 2.0, 2.0, 4.0);
        check("paged-adamw-8bit", Some("torchtune"), 2.0, 2.0, 2.0);
        // MaxText on TPU v4: 12 bytes of weights and moments.
        check("adamw", Some("maxtext"), 0.0, 4.0, 12.0);
        check("sgd", Some("maxtext"), 0.0, 4.0, 4.0);
    }

    #[test]
    fn unknown_optimizers_name_the_nearest() {
        let error = optimizer("adamw8bit").unwrap_err().to_string();
        assert!(error.contains("adamw-8bit"), "{error}");
    }
}
