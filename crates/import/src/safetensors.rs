//! Parameters and bytes of `.safetensors` files, from their headers alone.
//!
//! A file starts with the length of its header (8 bytes, little-endian) and the header itself, a
//! JSON object from tensor names to element type, shape and place in the rest of the file
//! (huggingface/safetensors, README.md, "Format"). A model in several files has an index,
//! `model.safetensors.index.json`, with the file of each tensor.
//!
//! Such a file does not tell how its tensors are used, so the FLOPs of its model are unknown.
//!
//! ```text
//! bytes 0..8      n, the length of the header, little-endian
//! bytes 8..8+n    {"name": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]}, ...}
//! bytes 8+n..     the tensors, without gaps and without overlaps
//! ```

use std::collections::BTreeMap;
use std::fmt;

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::Model;
use flopcast_core::quantity::Data;
use flopcast_core::quantity::system::data::byte;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::tensors::{self, Weight};

mod packed;

/// The longest header that is read, the limit of the reference implementation.
pub const MAX_HEADER: u64 = 100_000_000;

/// A tensor of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Element type as the format spells it: `BF16`, `F8_E4M3`, `I32` ...
    pub dtype: String,
    /// Sizes, outermost first.
    pub shape: Vec<u64>,
    /// Number of elements.
    pub elements: u64,
    /// Bytes of the tensor.
    pub data: Data,
}

/// The tensors of a file, or of several that belong together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights {
    /// All tensors by name.
    pub tensors: BTreeMap<String, Tensor>,
}

impl Weights {
    /// Elements by element type, summed over tensors.
    pub fn parameters(&self) -> BTreeMap<&str, u64> {
        let mut sums = BTreeMap::new();
        for tensor in self.tensors.values() {
            let sum: &mut u64 = sums.entry(tensor.dtype.as_str()).or_default();
            *sum = sum.saturating_add(tensor.elements);
        }
        sums
    }

    /// Bytes of all tensors.
    pub fn data(&self) -> Data {
        self.tensors.values().map(|tensor| tensor.data).fold(Data::new::<byte>(0.0), |a, b| a + b)
    }

    /// The weights that the tensors hold: packed integers unpacked, their scales and zeros as bytes
    /// of the weight that they belong to.
    pub fn weights(&self) -> Vec<Weight> {
        packed::weights(&self.tensors)
    }

    /// A model of these parameters, whose FLOPs are unknown.
    ///
    /// # Errors
    /// If there are more parameters than a model can have.
    pub fn model(&self, name: &str) -> Result<Model> {
        tensors::model(name, &self.weights())
    }
}

/// The length of a header in bytes, from a file's first 8 bytes: the number of bytes to read next.
///
/// # Errors
/// If fewer bytes are given, or the length exceeds [`MAX_HEADER`].
pub fn header_length(file: &[u8]) -> Result<usize> {
    let Some(length) = file.first_chunk::<8>() else {
        return Err(broken(format!("{} bytes are too few for a header", file.len())));
    };
    match u64::from_le_bytes(*length) {
        length @ 2..=MAX_HEADER => Ok(length as usize),
        length => Err(broken(format!("a header of {length} bytes"))),
    }
}

/// Reads the header at the start of a file; `file_size` is the size of the whole, if it is known.
///
/// # Errors
/// If the bytes end within the header, the header is not in the format, or the tensors do not fill
/// the file.
pub fn read(file: &[u8], file_size: Option<u64>) -> Result<Weights> {
    let length = header_length(file)?;
    let header = file[8..].get(..length).ok_or_else(|| {
        broken(format!("the header has {length} bytes, of which {} are here", file.len() - 8))
    })?;
    let Header(entries) =
        serde_json::from_slice(header).map_err(|error| broken(format!("header: {error}")))?;
    let mut weights = Weights::default();
    let mut places = Vec::new();
    for (name, entry) in entries {
        let (tensor, place) = entry.check(&name)?;
        places.push(place);
        if weights.tensors.insert(name.clone(), tensor).is_some() {
            return Err(broken(format!("tensor `{name}` occurs twice")));
        }
    }
    places.sort_unstable();
    let mut end = 0;
    for [start, stop] in places {
        if start != end {
            return Err(broken(format!("tensors leave or share the bytes at {start}")));
        }
        end = stop;
    }
    let whole = end.checked_add(8 + length as u64);
    match file_size {
        Some(size) if whole != Some(size) => Err(broken(format!(
            "the tensors end at byte {end} after the header, the file does not"
        ))
        .hint("the download may be incomplete")),
        _ => Ok(weights),
    }
}

/// The index of a model in several files: the file of each tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Index {
    /// Tensors by the name of their file, which lies beside the index.
    pub files: BTreeMap<String, Vec<String>>,
    /// Bytes of all tensors, if the index has them.
    pub data: Option<Data>,
    /// All parameters, if the index has them.
    pub parameters: Option<u64>,
}

impl Index {
    /// Reads `model.safetensors.index.json`.
    ///
    /// # Errors
    /// If it is not an index, or names a file outside its own folder.
    pub fn read(text: &str) -> Result<Self> {
        let raw: RawIndex = serde_json::from_str(text)
            .map_err(|error| Error::input(format!("this is no index of weight files: {error}")))?;
        let mut files: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (tensor, file) in raw.weight_map {
            let beside = !file.is_empty()
                && !file.starts_with('.')
                && !file.contains(['/', '\\', ':', '\0']);
            if !beside {
                return Err(Error::input(format!("`{file}` is not a file beside the index")));
            }
            files.entry(file).or_default().push(tensor);
        }
        let metadata = raw.metadata.unwrap_or_default();
        let data = metadata.total_size.filter(|size| *size >= 0.0).map(Data::new::<byte>);
        let whole = |count: &f64| (0.0..1.8e19).contains(count) && count.fract().abs() <= 0.0;
        let parameters = metadata.total_parameters.filter(whole).map(|count| count as u64);
        Ok(Self { files, data, parameters })
    }

    /// The tensors of all files together.
    ///
    /// # Errors
    /// If a file is missing, or a tensor is not in the file that the index names.
    pub fn collect(&self, mut files: BTreeMap<String, Weights>) -> Result<Weights> {
        let mut weights = Weights::default();
        for (file, names) in &self.files {
            let mut tensors = files
                .remove(file)
                .ok_or_else(|| Error::input(format!("`{file}` is missing")))?
                .tensors;
            for name in names {
                let tensor = tensors
                    .remove(name)
                    .ok_or_else(|| Error::input(format!("`{file}` does not hold `{name}`")))?;
                weights.tensors.insert(name.clone(), tensor);
            }
        }
        Ok(weights)
    }
}

/// The index as its file has it.
#[derive(Deserialize)]
struct RawIndex {
    metadata: Option<RawMetadata>,
    weight_map: BTreeMap<String, String>,
}

/// The totals of an index.
#[derive(Default, Deserialize)]
struct RawMetadata {
    // Some writers put floats here.
    total_size: Option<f64>,
    total_parameters: Option<f64>,
}

/// The header's entries in their order, duplicates included.
struct Header(Vec<(String, Entry)>);

/// A tensor as the header has it: element type, sizes, and first and last byte after the header.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

impl Entry {
    /// The tensor and its place, if they agree.
    fn check(self, name: &str) -> Result<(Tensor, [u64; 2])> {
        let Self { dtype, shape, data_offsets } = self;
        let Some(&(_, bits)) = DTYPES.iter().find(|(known, _)| *known == dtype) else {
            return Err(broken(format!("tensor `{name}` is of an unknown type `{dtype}`"))
                .suggest(&dtype, DTYPES.iter().map(|(known, _)| *known)));
        };
        let [start, stop] = data_offsets;
        let elements = if shape.contains(&0) {
            Some(0)
        } else {
            shape.iter().try_fold(1_u64, |product, &size| product.checked_mul(size))
        };
        let bytes = elements.and_then(|elements| elements.checked_mul(bits)).map(|b| b.div_ceil(8));
        match (elements, bytes) {
            (Some(elements), Some(bytes)) if stop.checked_sub(start) == Some(bytes) => {
                let data = Data::new::<byte>(bytes as f64);
                Ok((Tensor { dtype, shape, elements, data }, data_offsets))
            }
            _ => Err(broken(format!(
                "tensor `{name}` of {dtype} and shape {shape:?} is said to lie from {start} to {stop}"
            ))),
        }
    }
}

/// Element types and their bits.
const DTYPES: [(&str, u64); 22] = [
    ("F64", 64),
    ("F32", 32),
    ("F16", 16),
    ("BF16", 16),
    ("F8_E4M3", 8),
    ("F8_E5M2", 8),
    ("F8_E4M3FNUZ", 8),
    ("F8_E5M2FNUZ", 8),
    ("F8_E8M0", 8),
    ("F6_E2M3", 6),
    ("F6_E3M2", 6),
    ("F4", 4),
    ("C64", 64),
    ("I64", 64),
    ("U64", 64),
    ("I32", 32),
    ("U32", 32),
    ("I16", 16),
    ("U16", 16),
    ("I8", 8),
    ("U8", 8),
    ("BOOL", 8),
];

/// The error of a file that is not in the format.
fn broken(message: impl fmt::Display) -> Error {
    Error::input(format!("not a .safetensors file: {message}"))
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut entries = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        map.next_value::<Option<BTreeMap<String, serde::de::IgnoredAny>>>()?;
                    } else {
                        entries.push((name, map.next_value()?));
                    }
                }
                Ok(Header(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(header: &str) -> Vec<u8> {
        [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat()
    }

    const SMALL: &str = r#"{"__metadata__": {"format": "pt"},
        "layers.0.w": {"dtype": "BF16", "shape": [4, 8], "data_offsets": [0, 64]},
        "layers.1.w": {"dtype": "BF16", "shape": [4, 8], "data_offsets": [64, 128]},
        "scale": {"dtype": "F32", "shape": [], "data_offsets": [128, 132]}}"#;

    #[test]
    fn parameters_by_type_and_bytes() {
        let weights = read(&file(SMALL), None).unwrap();
        assert_eq!(weights.parameters(), BTreeMap::from([("BF16", 64), ("F32", 1)]));
        assert_eq!(weights.data(), Data::new::<byte>(132.0));
        let model = weights.model("small").unwrap();
        assert_eq!(model.parameters().total, 65);
        assert_eq!(model.layers[0].name, "layers.*.w");
        assert_eq!(model.layers[0].weight_copies, 2);
        assert!(model.unresolved[0].why.contains("FLOPs are unknown"));
    }

    #[test]
    fn the_file_must_be_as_long_as_its_tensors() {
        let bytes = file(SMALL);
        let size = bytes.len() as u64 + 132;
        assert!(read(&bytes, Some(size)).is_ok());
        let error = read(&bytes, Some(size - 1)).unwrap_err();
        assert!(error.to_string().contains("incomplete"), "{error}");
    }

    #[test]
    fn hostile_headers_are_refused() {
        let check = |bytes: &[u8], expected: &str| {
            let error = read(bytes, None).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        let one = |entry: &str| file(&format!(r#"{{"a": {entry}}}"#));
        check(b"", "too few");
        check(&u64::MAX.to_le_bytes(), "a header of 18446744073709551615 bytes");
        check(&[9, 0, 0, 0, 0, 0, 0, 0, b'{'], "of which 1 are here");
        check(&file("[]"), "an object of tensors");
        check(&file(&"[".repeat(100_000)), "header");
        check(&one(r#"{"dtype": "F33", "shape": [1], "data_offsets": [0, 4]}"#), "`F32`");
        check(&one(r#"{"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}"#), "from 0 to 4");
        check(&one(r#"{"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}"#), "from 4 to 0");
        check(&one(r#"{"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}"#), "header");
        check(
            &one(r#"{"dtype": "F32", "shape": [4294967296, 4294967296], "data_offsets": [0, 0]}"#),
            "is said to lie",
        );
        check(&one(r#"{"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}"#), "at 4");
        check(
            &file(
                r#"{"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]},
                    "a": {"dtype": "U8", "shape": [1], "data_offsets": [1, 2]}}"#,
            ),
            "twice",
        );
    }

    #[test]
    fn an_index_joins_its_files() {
        let index = Index::read(
            r#"{"metadata": {"total_size": 132}, "weight_map":
                {"layers.0.w": "a.safetensors", "scale": "a.safetensors", "layers.1.w": "b.safetensors"}}"#,
        )
        .unwrap();
        assert_eq!(index.data, Some(Data::new::<byte>(132.0)));
        let all = read(&file(SMALL), None).unwrap();
        let files = |names: &[&str]| {
            names.iter().map(|name| ((*name).to_owned(), all.clone())).collect::<BTreeMap<_, _>>()
        };
        let whole = index.collect(files(&["a.safetensors", "b.safetensors"])).unwrap();
        assert_eq!(whole, all);
        let error = index.collect(files(&["a.safetensors"])).unwrap_err();
        assert_eq!(error.message(), "`b.safetensors` is missing");
        for outside in ["../x", "/etc/x", "a/../../x", "", ".", "c:x"] {
            let text = format!(r#"{{"weight_map": {{"w": "{outside}"}}}}"#);
            assert!(Index::read(&text).is_err(), "{outside}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes, None);
            let _ = Index::read(&String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn a_damaged_header_ends_in_an_answer(at in 0_usize..330, letter: u8, cut in 0_usize..340) {
            let mut bytes = file(SMALL);
            let at = at % bytes.len();
            bytes[at] = letter;
            bytes.truncate(cut);
            let _ = read(&bytes, None);
        }
    }
}
