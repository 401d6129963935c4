//! The facts about a value that are known before the model runs: type, shape, small contents,
//! origin.

use std::rc::Rc;

use flopcast_core::diagnostic::{Error, Result};
use prost::bytes::Bytes;

use super::proto::{TensorDataProto, TensorProto, decode};

/// A shape: sizes, outermost first.
pub(super) type Shape = Vec<u64>;

/// The most dimensions of a shape, above the need of any operator.
pub(super) const MAX_RANK: usize = 64;

/// Contents are kept up to this many elements: shapes, axes, scales, window indices.
pub(super) const MAX_CONTENTS: u64 = 2048;
/// The longest message of a tensor whose contents are kept: a number of 64 bits takes at most ten
/// bytes.
pub(super) const MOST_STORED: usize = 16 * MAX_CONTENTS as usize + 65_536;

/// An element type by its number in `TensorProto.DataType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DataType(pub(super) i32);

impl DataType {
    /// 32-bit floating point.
    pub(super) const FLOAT: Self = Self(1);
    /// 64-bit integers, the type of shapes and indices.
    pub(super) const INT64: Self = Self(7);

    /// True for what a user may bind by the name of an input: truths and whole numbers.
    pub(super) fn is_bound(self) -> bool {
        matches!(self.0, 6 | 7 | 9)
    }

    /// Truth values.
    pub(super) const BOOL: Self = Self(9);

    /// Floating point, from double down to four bits.
    pub(super) fn is_float(self) -> bool {
        matches!(self.0, 1 | 10 | 11 | 16..=20 | 23 | 24)
    }

    /// Bytes of an element.
    pub(super) fn bytes(self) -> f64 {
        match self.0 {
            7 | 11 | 13 | 14 => 8.0,
            15 => 16.0,
            4 | 5 | 10 | 16 => 2.0,
            2 | 3 | 9 | 17..=20 | 24 => 1.0,
            21..=23 => 0.5,
            25 | 26 => 0.25,
            _ => 4.0,
        }
    }

    /// An integer of eight bits or fewer, as quantized weights are stored.
    pub(super) fn is_quantized(self) -> bool {
        matches!(self.0, 2 | 3 | 21 | 22 | 25 | 26)
    }
}

/// The origin of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Origin {
    /// It changes with the model's input; otherwise it could be computed once.
    pub(super) data: bool,
    /// A trained parameter lies upstream, so training needs this value's gradient.
    pub(super) gradient: bool,
    /// It is this parameter of the file, perhaps in another layout or type.
    pub(super) parameter: Option<usize>,
}

impl Origin {
    /// The origin of a value computed from `self` and `other`: it changes or needs a gradient as
    /// soon as one of them does, and is no parameter.
    pub(super) fn join(self, other: Self) -> Self {
        Self {
            data: self.data || other.data,
            gradient: self.gradient || other.gradient,
            parameter: None,
        }
    }
}

/// A value that a name in the graph stands for.
#[derive(Clone, Debug)]
pub(super) struct Value {
    /// The type of an element.
    pub(super) data_type: DataType,
    /// The shape; `None` if it depends on the data, as after `NonZero`.
    pub(super) shape: Option<Shape>,
    /// The elements in row-major order, if they are known and few. Integers up to 2^53 are exact;
    /// the sentinels near 2^63 saturate on the way back.
    pub(super) contents: Option<Rc<[f64]>>,
    /// The origin, from which weights and activations are told apart.
    pub(super) origin: Origin,
    /// The tensors of a sequence, if it is one.
    pub(super) sequence: Option<Rc<[Rc<Value>]>>,
}

impl Value {
    /// A value whose type and shape alone are known.
    pub(super) fn new(data_type: DataType, shape: Shape) -> Self {
        Self { shape: Some(shape), ..Self::unknown(data_type) }
    }

    /// A value whose type alone is known.
    pub(super) fn unknown(data_type: DataType) -> Self {
        let origin = Origin::default();
        Self { data_type, shape: None, contents: None, origin, sequence: None }
    }

    /// A stored tensor, with its contents if they are small and present.
    ///
    /// # Errors
    /// If its sizes are negative or too many, or its data do not fit them.
    pub(super) fn stored(tensor: &TensorProto, bytes: &Bytes) -> Result<Self> {
        let name = &tensor.name;
        let shape = shape_of(&tensor.dims, || format!("tensor `{name}`"))?;
        let count = elements(&shape, || format!("tensor `{name}`"))?;
        let data_type = DataType(tensor.data_type);
        let contents = if count <= MAX_CONTENTS {
            contents(data_type, count as usize, bytes, name)?
        } else {
            None
        };
        Ok(Self { contents, ..Self::new(data_type, shape) })
    }
}

/// Checks dimensions as a file states them: at most [`MAX_RANK`], none negative.
///
/// # Errors
/// If there are more dimensions, or one is negative.
pub(super) fn shape_of(dims: &[i64], what: impl Fn() -> String) -> Result<Shape> {
    if dims.len() > MAX_RANK {
        return Err(Error::input(format!(
            "{} has {} dimensions; at most {MAX_RANK} are read",
            what(),
            dims.len()
        )));
    }
    dims.iter()
        .map(|&dim| {
            u64::try_from(dim)
                .map_err(|_| Error::input(format!("{} has a dimension of {dim}", what())))
        })
        .collect()
}

/// Number of elements; a product that overflows is an error.
///
/// # Errors
/// If the number does not fit 64 bits.
pub(super) fn elements(shape: &[u64], what: impl Fn() -> String) -> Result<u64> {
    product(shape).ok_or_else(|| {
        Error::input(format!("{} has shape {shape:?}: too many elements to count", what()))
    })
}

/// Product of sizes, if 64 bits hold it.
pub(super) fn product(sizes: &[u64]) -> Option<u64> {
    if sizes.contains(&0) {
        return Some(0);
    }
    sizes.iter().try_fold(1_u64, |total, &size| total.checked_mul(size))
}

/// Reads the elements of a small tensor; `None` if they are stored elsewhere, or as text.
fn contents(
    data_type: DataType,
    count: usize,
    bytes: &Bytes,
    name: &str,
) -> Result<Option<Rc<[f64]>>> {
    if bytes.len() > MOST_STORED {
        return Ok(None);
    }
    let data: TensorDataProto = decode(bytes, &format!("tensor `{name}`"))?;
    let stored: Vec<f64> = if data.raw.is_empty() {
        let half = matches!(data_type.0, 10 | 16);
        let lists = [
            data.float.iter().map(|&x| f64::from(x)).collect::<Vec<_>>(),
            data.double,
            data.int64.iter().map(|&x| x as f64).collect(),
            data.uint64.iter().map(|&x| x as f64).collect(),
            data.int32
                .iter()
                .map(|&x| if half { from_bits(data_type, x as u64) } else { f64::from(x) })
                .collect(),
        ];
        lists.into_iter().find(|list| !list.is_empty()).unwrap_or_default()
    } else {
        let Some(width) = width(data_type) else { return Ok(None) };
        data.raw
            .chunks_exact(width)
            .map(|chunk| {
                let mut word = [0_u8; 8];
                word[..width].copy_from_slice(chunk);
                from_bits(data_type, u64::from_le_bytes(word))
            })
            .collect()
    };
    if stored.len() == count {
        return Ok(Some(stored.into()));
    }
    if stored.is_empty() {
        return Ok(None);
    }
    Err(Error::input(format!(
        "tensor `{name}` holds {} elements where its shape says {count}",
        stored.len()
    )))
}

/// Bytes per element in `raw_data`, for the types whose contents matter.
fn width(data_type: DataType) -> Option<usize> {
    match data_type.0 {
        2 | 3 | 9 => Some(1),
        4 | 5 | 10 | 16 => Some(2),
        1 | 6 | 12 => Some(4),
        7 | 11 | 13 => Some(8),
        _ => None,
    }
}

/// One element from its bits.
fn from_bits(data_type: DataType, bits: u64) -> f64 {
    match data_type.0 {
        1 => f64::from(f32::from_bits(bits as u32)),
        3 => f64::from(bits as u8 as i8),
        5 => f64::from(bits as u16 as i16),
        6 => f64::from(bits as u32 as i32),
        7 => bits as i64 as f64,
        10 => half(bits as u16),
        11 => f64::from_bits(bits),
        16 => f64::from(f32::from_bits((bits as u32) << 16)),
        _ => bits as f64,
    }
}

/// The value of an IEEE 754 binary16 number: sign x (1 + fraction / 1024) x 2^(exponent - 15).
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 0 { 1.0 } else { -1.0 };
    let fraction = f64::from(bits & 0x3ff);
    sign * match i32::from((bits >> 10) & 0x1f) {
        0 => fraction * 2_f64.powi(-24),
        31 if fraction > 0.0 => f64::NAN,
        31 => f64::INFINITY,
        exponent => (1.0 + fraction / 1024.0) * 2_f64.powi(exponent - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_bits() {
        let check = |bits, expected: f64| assert!((half(bits) - expected).abs() < 1e-12);
        check(0x3c00, 1.0);
        check(0xc000, -2.0);
        check(0x3555, 0.333_251_953_125);
        check(0x0001, 2_f64.powi(-24));
    }

    #[test]
    fn a_product_that_overflows_is_no_number() {
        assert_eq!(product(&[1 << 40, 1 << 40]), None);
        assert_eq!(product(&[1 << 40, 1 << 40, 0]), Some(0));
        assert_eq!(product(&[]), Some(1));
    }
}
