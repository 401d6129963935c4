//! The constants of operators' times.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::calibration::{self, Facts, Shipped, declared};
use crate::diagnostic::Result;

/// The constants of `hardware/kernel-calibration.yaml`; `family.share` and `family.kernel_us`
/// belong to a family of accelerators.
pub type Calibration = calibration::Calibration<Documented>;

/// The documented facts of runtimes and accelerators.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Documented {
    /// Families of accelerators whose compilers run whole programs.
    pub families: IndexMap<String, Family>,
    /// Words by which a source or a scenario says that networks are compiled.
    pub compiled: Vec<String>,
    /// Words by which it says that images keep their channels innermost.
    pub channels_last: Vec<String>,
    /// Devices on which the constants were measured.
    pub measured: Vec<String>,
}

/// A family of accelerators whose compiler runs whole programs.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Family {
    /// Architectures of the accelerator table that belong to it.
    pub architectures: Vec<String>,
    /// The family whose constants stand in, where none were measured for this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inherits: Option<String>,
}

impl Facts for Documented {
    const KIND: &'static str = "kernel calibration";

    fn shipped() -> &'static Shipped<Self> {
        static SHIPPED: Shipped<Documented> =
            Shipped::new(|| Calibration::read(flopcast_data::hardware::KERNEL_CALIBRATION));
        &SHIPPED
    }

    fn check(calibration: &Calibration) -> Result<()> {
        calibration.general().map(drop)
    }
}

/// How a network's operators are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Runtime {
    /// True if a compiler fuses functions and norms with each other; else each is a kernel of its
    /// own.
    pub compiled: bool,
    /// True if images keep their channels innermost, as matrix units want them.
    pub channels_last: bool,
}

impl Runtime {
    /// Its words in a sentence.
    pub fn name(self) -> &'static str {
        match (self.compiled, self.channels_last) {
            (true, _) => "compiled",
            (false, true) => "operator by operator, channels last",
            (false, false) => "operator by operator, channels first",
        }
    }
}

declared! {
    /// The constants that hold for every accelerator.
    struct General;
    /// Part of the peak that dense products reach where matrix units are as fast as vector units.
    product_share = "product-share";
    /// How that falls with the width of the matrix units: (peak / vector peak / 2)^-this.
    width_exponent = "matrix-width-exponent";
    /// Rate of dense convolutions / rate of dense products.
    convolution = "convolution";
    /// Passes of a product's activations over memory that its arithmetic does not hide.
    product_passes = "product-passes";
    /// Passes of a convolution's activations for putting channels innermost and back.
    layout_passes = "layout-passes";
    /// Passes of the activations of functions and norms, each a kernel of its own.
    passes = "passes";
    /// The same where a compiler fuses them.
    fused_passes = "fused-passes";
    /// Passes of layer norms / those of other functions: mixed precision widens what they read.
    layer_norm = "layer-norm";
    /// Work of attention, its softmax included / that of a product with the same FLOPs.
    attention = "attention";
    /// Passes of attention in windows: partition, shift, biases, and back.
    window_passes = "window-passes";
    /// Part of the vector peak that depthwise convolutions reach.
    depthwise = "depthwise";
    /// Channels of a group from which on grouped convolutions are as fast as dense ones.
    full_group = "full-group";
    /// How their rate falls with the channels of a group: (channels / full group)^this.
    group_exponent = "group-exponent";
    /// Least time of a kernel, launch included, in seconds.
    kernel = "kernel-us" * 1e-6;
    /// Rate of products backward / forward.
    backward_products = "backward-products";
    /// The same of depthwise convolutions.
    backward_depthwise = "backward-depthwise";
    /// The same of grouped convolutions, beside that of products.
    backward_groups = "backward-groups";
    /// Passes of functions and norms backward / forward.
    backward_passes = "backward-passes";
    /// Loss of speed of several devices: gradients that are waited for.
    several_devices = "several-devices";
}

declared! {
    /// The constants of a family.
    struct Own;
    /// Rate of its products / that of a GPU of the same peaks.
    share = "*.share";
    /// Least time of an operator in its programs, in seconds.
    kernel = "*.kernel-us" * 1e-6;
}

impl Calibration {
    /// The constants that hold for every accelerator.
    ///
    /// # Errors
    /// One of them is missing.
    pub fn general(&self) -> Result<General> {
        General::read(&self.constants, &|name| self.constants.value(name))
    }

    /// The constants of the family of an architecture, with whether they are its own; none of a
    /// GPU.
    ///
    /// # Errors
    /// One of them is missing.
    pub fn family(&self, architecture: &str) -> Result<Option<(Own, bool)>> {
        let all = &self.facts.families;
        let found = all.iter().find(|(_, it)| it.architectures.iter().any(|a| a == architecture));
        let Some((name, family)) = found else { return Ok(None) };
        let owner = family.inherits.as_deref().unwrap_or(name);
        let own = |name: &str| self.constants.value(&format!("{owner}.{name}"));
        Ok(Some((Own::read(&self.constants, &own)?, family.inherits.is_none())))
    }

    /// The runtime that a text names; `None` where it says neither.
    pub fn runtime(&self, text: &str) -> Runtime {
        let lower = text.to_lowercase();
        let says = |words: &[String]| words.iter().any(|word| lower.contains(word.as_str()));
        Runtime {
            compiled: says(&self.facts.compiled),
            channels_last: says(&self.facts.channels_last),
        }
    }
}
