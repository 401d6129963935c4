//! Number formats of weights, caches and matrix products.
//!
//! A format says two things: the bytes that a number takes in memory ([`Precision::size`]), and the
//! peak of a device that applies to products in it (`catalog::Accelerator::peak`).

use serde::Deserialize;

use super::system::Data;

/// A number format of weights, caches or matrix products.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 64-bit floating point.
    Fp64,
    /// 32-bit floating point.
    #[serde(alias = "float32")]
    Fp32,
    /// NVIDIA's 19-bit TensorFloat, stored in 32 bits.
    Tf32,
    /// 16-bit IEEE floating point.
    #[serde(alias = "half", alias = "float16")]
    Fp16,
    /// 16-bit brain floating point.
    #[serde(alias = "bfloat16")]
    Bf16,
    /// 8-bit floating point, E4M3 or E5M2 (Micikevicius et al. 2022, arXiv:2209.05433).
    #[serde(alias = "mxfp8")]
    Fp8,
    /// 8-bit integers.
    #[serde(alias = "w8a8")]
    Int8,
    /// 4-bit floating point, E2M1 with block scales (MXFP4, NVFP4).
    #[serde(alias = "nvfp4", alias = "mxfp4")]
    Fp4,
    /// 4-bit integers with group scales.
    #[serde(alias = "w4a16")]
    Int4,
}

impl Precision {
    /// Every format, from wide to narrow.
    pub const ALL: [Self; 9] = [
        Self::Fp64,
        Self::Fp32,
        Self::Tf32,
        Self::Fp16,
        Self::Bf16,
        Self::Fp8,
        Self::Int8,
        Self::Fp4,
        Self::Int4,
    ];

    /// Storage of one number: 8 to 0.5 bytes. Scales of block formats are not in it.
    pub fn size(self) -> Data {
        Data::new::<super::system::data::byte>(match self {
            Self::Fp64 => 8.0,
            Self::Fp32 | Self::Tf32 => 4.0,
            Self::Fp16 | Self::Bf16 => 2.0,
            Self::Fp8 | Self::Int8 => 1.0,
            Self::Fp4 | Self::Int4 => 0.5,
        })
    }

    /// The format of a name in scenarios (`bf16`), or of another name that it has (`bfloat16`);
    /// `None` if there is no such format.
    pub fn named(name: &str) -> Option<Self> {
        let text = serde::de::value::StrDeserializer::<serde::de::value::Error>::new(name);
        Self::deserialize(text).ok()
    }

    /// The format's name in scenarios and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fp64 => "fp64",
            Self::Fp32 => "fp32",
            Self::Tf32 => "tf32",
            Self::Fp16 => "fp16",
            Self::Bf16 => "bf16",
            Self::Fp8 => "fp8",
            Self::Int8 => "int8",
            Self::Fp4 => "fp4",
            Self::Int4 => "int4",
        }
    }
}

impl std::fmt::Display for Precision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
