//! Number formats of the matrix products of training, with their scaling recipes.

use crate::diagnostic::{Error, Result};
use crate::quantity::Precision;

/// The format of the inputs of the matrix products.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// bf16 or fp16: no scaling.
    Half,
    /// fp8, one scale per tensor from its history (delayed scaling).
    Fp8,
    /// fp8, one scale per tensor from its present maximum (current scaling): one more pass.
    Fp8Current,
    /// fp8 with a scale per block of 32 numbers, written along rows and columns.
    Mxfp8,
    /// 8-bit integers, one scale per tensor from its present maximum.
    Int8,
    /// fp4 with a scale per block of 16, a Hadamard transform and stochastic rounding.
    Nvfp4,
}

impl Format {
    const NAMES: &[(&str, Self)] = &[
        ("bf16", Self::Half),
        ("fp16", Self::Half),
        ("mxfp8", Self::Mxfp8),
        ("fp8-cs", Self::Fp8Current),
        ("fp8", Self::Fp8),
        ("int8", Self::Int8),
        ("nvfp4", Self::Nvfp4),
        ("fp4", Self::Nvfp4),
    ];

    /// The format of a name such as `bf16`, `fp8-cs`, `mxfp8`.
    ///
    /// # Errors
    /// Not a format that training runs in.
    pub fn parse(name: &str) -> Result<Self> {
        let lower = name.to_lowercase();
        let known = Self::NAMES.iter().find(|(known, _)| lower.starts_with(known));
        known.map(|(_, format)| *format).ok_or_else(|| {
            Error::input(format!("`{name}` is not a training precision"))
                .suggest(&lower, Self::NAMES.iter().map(|(known, _)| *known))
        })
    }

    /// The format that a scenario's precision stands for.
    ///
    /// # Errors
    /// Not a format that training runs in.
    pub fn of(precision: Precision) -> Result<Self> {
        Self::parse(precision.name())
    }

    /// The precision whose dense peak bounds it.
    pub fn precision(self) -> Precision {
        match self {
            Self::Half => Precision::Bf16,
            Self::Fp8 | Self::Fp8Current | Self::Mxfp8 => Precision::Fp8,
            Self::Int8 => Precision::Int8,
            Self::Nvfp4 => Precision::Fp4,
        }
    }

    /// Bytes of one number.
    pub(super) fn bytes(self) -> f64 {
        match self {
            Self::Half => 2.0,
            Self::Fp8 | Self::Fp8Current | Self::Mxfp8 | Self::Int8 => 1.0,
            Self::Nvfp4 => 0.5,
        }
    }

    /// Bytes that converting one bf16 number moves: it is read (again for its maximum), and
    /// written along rows and columns.
    pub(super) fn conversion_bytes(self) -> f64 {
        match self {
            Self::Half => 0.0,
            Self::Fp8 => 4.0,
            Self::Fp8Current | Self::Mxfp8 | Self::Int8 => 6.0,
            Self::Nvfp4 => 8.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_names_that_publications_use() {
        for (name, format) in [
            ("FP16", Format::Half),
            ("fp8-cs (release default)", Format::Fp8Current),
            ("mxfp8", Format::Mxfp8),
            ("nvfp4", Format::Nvfp4),
            ("fp8", Format::Fp8),
        ] {
            assert_eq!(Format::parse(name), Ok(format), "{name}");
        }
        assert!(Format::parse("fp64").is_err());
    }
}
