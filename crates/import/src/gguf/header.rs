//! The header of a GGUF file: keys with values, then the tensors by name, shape and type.
//!
//! ```text
//! "GGUF", version (u32: 2 or 3), tensors (u64), keys (u64)
//! key:    name (u64 length, bytes), type (u32), value; an array has the type of its items, their number
//! tensor: name, dimensions (u32), sizes (u64 each, innermost first), type (u32), offset (u64)
//! ```
//!
//! Source: ggml-org/ggml, docs/gguf.md; the blocks of tensor types are those of ggml-common.h.

use std::collections::BTreeMap;

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::quantity::Data;
use flopcast_core::quantity::system::data::byte;

/// More keys or tensors are no model.
const MOST_ENTRIES: u64 = 1 << 20;
/// The longest name of a key or tensor.
const MOST_NAME: u64 = 1 << 16;
/// The longest list of numbers that is kept; longer ones are vocabularies.
const MOST_KEPT: u64 = 4096;

/// A value of a key.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number or a truth.
    Whole(u64),
    /// Any other number.
    Real(f64),
    /// A text.
    Text(String),
    /// A list of numbers.
    List(Vec<Value>),
    /// A list of which only the length is kept.
    Long(u64),
}

/// A tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Its type: `Q4_K`, `F16`.
    pub kind: &'static str,
    /// Sizes, innermost first.
    pub shape: Vec<u64>,
    /// Number of elements.
    pub elements: u64,
    /// Bytes of the tensor, scales included.
    pub data: Data,
}

/// The header of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Header {
    /// Keys with their values.
    pub keys: BTreeMap<String, Value>,
    /// Tensors by name.
    pub tensors: BTreeMap<String, Tensor>,
}

/// Why a header was not read.
#[derive(Debug)]
pub enum Unread {
    /// The bytes end within it.
    Short,
    /// It is not in the format.
    Broken(Error),
}

impl From<Error> for Unread {
    fn from(error: Error) -> Self {
        Self::Broken(error)
    }
}

impl Header {
    /// Reads a header from the first bytes of a file.
    ///
    /// # Errors
    /// [`Unread::Short`] if more bytes are needed, [`Unread::Broken`] if it is no GGUF header.
    pub fn read(bytes: &[u8]) -> Result<Self, Unread> {
        let mut cursor = Cursor { rest: bytes };
        if cursor.take(4)? != b"GGUF" {
            return Err(broken("it does not begin with GGUF").into());
        }
        let version = cursor.u32()?;
        if !(2..=3).contains(&version) {
            return Err(broken(format!("version {version}, where 2 and 3 are read")).into());
        }
        let (tensors, keys) = (cursor.u64()?, cursor.u64()?);
        if tensors.max(keys) > MOST_ENTRIES {
            return Err(broken(format!("{tensors} tensors and {keys} keys")).into());
        }
        let mut header = Self::default();
        for _ in 0..keys {
            let name = cursor.name()?;
            let kind = cursor.u32()?;
            let value = cursor.value(kind)?;
            header.keys.insert(name, value);
        }
        for _ in 0..tensors {
            let name = cursor.name()?;
            let tensor = cursor.tensor(&name)?;
            if header.tensors.insert(name.clone(), tensor).is_some() {
                return Err(broken(format!("tensor `{name}` occurs twice")).into());
            }
        }
        Ok(header)
    }
}

/// The bytes that are left.
struct Cursor<'b> {
    rest: &'b [u8],
}

impl<'b> Cursor<'b> {
    /// The next bytes.
    ///
    /// # Errors
    /// If fewer are here.
    fn take(&mut self, count: u64) -> Result<&'b [u8], Unread> {
        let count = usize::try_from(count).map_err(|_| Unread::Short)?;
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Unread::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next bytes of a number.
    fn number<const N: usize>(&mut self) -> Result<[u8; N], Unread> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(Unread::Short)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// The next 32-bit number, little-endian.
    fn u32(&mut self) -> Result<u32, Unread> {
        self.number().map(u32::from_le_bytes)
    }

    /// The next 64-bit number, little-endian.
    fn u64(&mut self) -> Result<u64, Unread> {
        self.number().map(u64::from_le_bytes)
    }

    /// The next text: its length, then its bytes.
    ///
    /// # Errors
    /// If it is longer than any name, or not all here.
    fn name(&mut self) -> Result<String, Unread> {
        let length = self.u64()?;
        if length > MOST_NAME {
            return Err(broken(format!("a name of {length} bytes")).into());
        }
        Ok(String::from_utf8_lossy(self.take(length)?).into_owned())
    }

    /// A value of a type by its number.
    fn value(&mut self, kind: u32) -> Result<Value, Unread> {
        /// A text that is longer is a template of chats and says nothing of sizes.
        const MOST_TEXT: usize = 256;
        let signed =
            |value: i64| u64::try_from(value).map_or(Value::Real(value as f64), Value::Whole);
        Ok(match kind {
            0 | 7 => Value::Whole(self.number::<1>()?[0].into()),
            1 => signed(i8::from_le_bytes(self.number()?).into()),
            2 => Value::Whole(u16::from_le_bytes(self.number()?).into()),
            3 => signed(i16::from_le_bytes(self.number()?).into()),
            4 => Value::Whole(self.u32()?.into()),
            5 => signed(i32::from_le_bytes(self.number()?).into()),
            6 => Value::Real(f32::from_le_bytes(self.number()?).into()),
            8 => {
                let length = self.u64()?;
                let text = self.take(length)?;
                let kept = &text[..text.len().min(MOST_TEXT)];
                Value::Text(String::from_utf8_lossy(kept).into_owned())
            }
            9 => self.list()?,
            10 => Value::Whole(self.u64()?),
            11 => signed(i64::from_le_bytes(self.number()?)),
            12 => Value::Real(f64::from_le_bytes(self.number()?)),
            other => return Err(broken(format!("a value of type {other}")).into()),
        })
    }

    /// A list: of numbers it is kept, of anything else its length.
    fn list(&mut self) -> Result<Value, Unread> {
        let (kind, length) = (self.u32()?, self.u64()?);
        let size = match kind {
            0 | 1 | 7 => 1,
            2 | 3 => 2,
            4..=6 => 4,
            10..=12 => 8,
            8 => {
                // Each text takes at least its length, so that the bytes bound the loop.
                for _ in 0..length {
                    let text = self.u64()?;
                    self.take(text)?;
                }
                return Ok(Value::Long(length));
            }
            other => return Err(broken(format!("a list of type {other}")).into()),
        };
        if length > MOST_KEPT {
            self.take(length.checked_mul(size).ok_or(Unread::Short)?)?;
            return Ok(Value::Long(length));
        }
        (0..length).map(|_| self.value(kind)).collect::<Result<_, _>>().map(Value::List)
    }

    /// The next tensor: rank, sizes, element type, place.
    ///
    /// # Errors
    /// If it has more dimensions than any tensor, or its type is unknown.
    fn tensor(&mut self, name: &str) -> Result<Tensor, Unread> {
        let rank = self.u32()?;
        if rank > 8 {
            return Err(broken(format!("tensor `{name}` has {rank} dimensions")).into());
        }
        let shape = (0..rank).map(|_| self.u64()).collect::<Result<Vec<_>, _>>()?;
        let kind = self.u32()?;
        self.u64()?;
        let Some(&(_, kind, block, bytes)) = TYPES.iter().find(|(id, ..)| *id == kind) else {
            return Err(broken(format!("tensor `{name}` is of the unknown type {kind}")).into());
        };
        let elements = shape.iter().try_fold(1_u64, |product, size| product.checked_mul(*size));
        let data = elements.and_then(|elements| (elements / block).checked_mul(bytes));
        match (elements, data) {
            (Some(elements), Some(data)) if elements % block == 0 => {
                Ok(Tensor { kind, shape, elements, data: Data::new::<byte>(data as f64) })
            }
            _ => Err(broken(format!("tensor `{name}` of {kind} has the shape {shape:?}")).into()),
        }
    }
}

/// Tensor types: number, name, elements of a block, bytes of a block.
const TYPES: [(u32, &str, u64, u64); 36] = [
    (0, "F32", 1, 4),
    (1, "F16", 1, 2),
    (2, "Q4_0", 32, 18),
    (3, "Q4_1", 32, 20),
    (6, "Q5_0", 32, 22),
    (7, "Q5_1", 32, 24),
    (8, "Q8_0", 32, 34),
    (9, "Q8_1", 32, 36),
    (10, "Q2_K", 256, 84),
    (11, "Q3_K", 256, 110),
    (12, "Q4_K", 256, 144),
    (13, "Q5_K", 256, 176),
    (14, "Q6_K", 256, 210),
    (15, "Q8_K", 256, 292),
    (16, "IQ2_XXS", 256, 66),
    (17, "IQ2_XS", 256, 74),
    (18, "IQ3_XXS", 256, 98),
    (19, "IQ1_S", 256, 50),
    (20, "IQ4_NL", 32, 18),
    (21, "IQ3_S", 256, 110),
    (22, "IQ2_S", 256, 82),
    (23, "IQ4_XS", 256, 136),
    (24, "I8", 1, 1),
    (25, "I16", 1, 2),
    (26, "I32", 1, 4),
    (27, "I64", 1, 8),
    (28, "F64", 1, 8),
    (29, "IQ1_M", 256, 56),
    (30, "BF16", 1, 2),
    (31, "Q4_0_4_4", 32, 18),
    (32, "Q4_0_4_8", 32, 18),
    (33, "Q4_0_8_8", 32, 18),
    (34, "TQ1_0", 256, 54),
    (35, "TQ2_0", 256, 66),
    (39, "MXFP4", 32, 17),
    (40, "NVFP4", 64, 36),
];

/// The error of a file that is not in the format.
fn broken(message: impl std::fmt::Display) -> Error {
    Error::input(format!("not a GGUF file: {message}"))
}
