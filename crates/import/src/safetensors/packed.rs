//! Quantised weights among the tensors of a file.
//!
//! Formats store a weight as packed integers with tensors for scales and zeros beside it:
//!
//! ```text
//! GPTQ, AWQ            X.qweight (I32), X.scales, X.qzeros, X.g_idx
//! compressed-tensors   X.weight_packed (I32, U8), X.weight_scale, X.weight_zero_point, X.weight_shape
//! MLX                  X.weight (U32), X.scales, X.biases
//! bitsandbytes         X.weight (U8), X.weight.absmax ...; X.weight (I8), X.SCB
//! ModelOpt NVFP4       X.weight (U8), X.weight_scale, X.weight_scale_2
//! MXFP4                X_blocks (U8), X_scales
//! FP8                  X.weight (F8_E4M3), X.weight_scale_inv
//! ```

use std::collections::BTreeMap;

use super::Tensor;
use crate::tensors::Weight;

/// Endings of the names of tensors that go with a weight.
const BESIDE: [&str; 22] = [
    ".qzeros",
    ".scales",
    ".g_idx",
    ".weight_scale",
    ".weight_scale_inv",
    ".weight_scale_2",
    ".weight_global_scale",
    ".weight_zero_point",
    ".weight_shape",
    ".weight_g_idx",
    ".input_scale",
    ".input_global_scale",
    ".output_scale",
    ".absmax",
    ".quant_map",
    ".nested_absmax",
    ".nested_quant_map",
    ".SCB",
    ".weight_format",
    "_scales",
    ".k_scale",
    ".v_scale",
];

/// The weights of the tensors.
pub(super) fn weights(tensors: &BTreeMap<String, Tensor>) -> Vec<Weight> {
    let file = File { tensors };
    let mut weights = Vec::new();
    let mut owners: BTreeMap<String, usize> = BTreeMap::new();
    for (name, tensor) in tensors {
        if let Some(unpacked) = file.unpacked(name, tensor) {
            owners.insert(stem(name).to_owned(), weights.len());
            weights.push(Weight {
                name: name.clone(),
                kind: unpacked.kind,
                parameters: tensor.elements.saturating_mul(unpacked.times) / unpacked.per,
                data: tensor.data,
            });
        }
    }
    // What goes with a weight counts as its bytes; it stands under the same module.
    for (name, tensor) in tensors {
        let beside = file.unpacked(name, tensor).is_none();
        let owner = owners.get(stem(name)).or_else(|| owners.get(parent(stem(name))));
        if let (true, Some(&owner)) = (beside, owner) {
            weights[owner].data += tensor.data;
        }
    }
    weights
}

/// A weight's element type, and its parameters per element of the tensor as a fraction.
struct Unpacked {
    kind: String,
    times: u64,
    per: u64,
}

impl Unpacked {
    /// An element that is a weight.
    fn plain(tensor: &Tensor) -> Self {
        Self { kind: tensor.dtype.clone(), times: 1, per: 1 }
    }

    /// Words of `wide` bits that pack weights of `bits`.
    fn packed(words: &str, wide: u64, bits: u64) -> Self {
        Self { kind: format!("{bits} bits in {words}"), times: wide, per: bits.max(1) }
    }
}

struct File<'t> {
    tensors: &'t BTreeMap<String, Tensor>,
}

impl File<'_> {
    /// The weight that a tensor holds; none if it goes with another or is no weight.
    fn unpacked(&self, name: &str, tensor: &Tensor) -> Option<Unpacked> {
        let module = stem(name);
        let beside = |ending: &str| self.tensors.get(&format!("{module}{ending}"));
        let words = tensor.dtype.as_str();
        let plain = Some(Unpacked::plain(tensor));
        if name.ends_with(".qweight") {
            return Some(Unpacked::packed(words, 32, gptq_bits(beside)));
        }
        if name.ends_with(".weight_packed") {
            return Some(Unpacked::packed(words, width(words), 4));
        }
        if name.ends_with("_blocks") && self.tensors.contains_key(&scales_of(name)) {
            return Some(Unpacked::packed(words, 8, 4));
        }
        if self.goes_with_another(name) {
            return None;
        }
        let mlx = words == "U32" && beside(".scales").is_some();
        match words {
            "U32" if mlx => Some(Unpacked::packed(words, 32, mlx_bits(tensor, beside(".scales")?))),
            "U8" if beside(".weight.absmax").is_some() || beside(".weight_scale").is_some() => {
                Some(Unpacked::packed(words, 8, 4))
            }
            // Positions, masks and counters are no weights.
            "I64" | "BOOL" => None,
            _ => plain,
        }
    }

    /// True for scales, zeros and what else describes a weight of the same module.
    fn goes_with_another(&self, name: &str) -> bool {
        let module = stem(name);
        let has = |ending: &str| self.tensors.contains_key(&format!("{module}{ending}"));
        let mlx =
            || self.tensors.get(&format!("{module}.weight")).is_some_and(|it| it.dtype == "U32");
        if name.ends_with(".biases") {
            return mlx();
        }
        if let Some(blocks) = name.strip_suffix("_scales") {
            return self.tensors.contains_key(&format!("{blocks}_blocks"));
        }
        if name.contains(".quant_state.") {
            return true;
        }
        let ending = BESIDE.iter().any(|ending| name.ends_with(ending));
        let owner = has(".qweight") || has(".weight_packed") || has(".weight");
        // Scales of caches stand in a module without weights of its own.
        let cache = [".k_scale", ".v_scale"].iter().any(|ending| name.ends_with(ending));
        ending && (owner || cache || self.tensors.contains_key(parent(name)))
    }
}

/// The module of a tensor: its name without the last part; parts of bitsandbytes stand one deeper.
fn stem(name: &str) -> &str {
    if let Some((module, _)) = name.split_once(".weight.") {
        return module;
    }
    let packed = name.strip_suffix("_blocks").or_else(|| name.strip_suffix("_scales"));
    packed.unwrap_or_else(|| parent(name))
}

/// The module of a tensor.
fn parent(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(module, _)| module)
}

/// The name of the scales that go with blocks.
fn scales_of(blocks: &str) -> String {
    format!("{}_scales", blocks.trim_end_matches("_blocks"))
}

/// Bits of an element type of packed words.
fn width(words: &str) -> u64 {
    if words.ends_with("32") { 32 } else { 8 }
}

/// Bits of a GPTQ or AWQ weight: zeros of `columns x bits / 32` words go with `columns` scales; 4
/// where there are no zeros.
fn gptq_bits<'t>(beside: impl Fn(&str) -> Option<&'t Tensor>) -> u64 {
    let columns = |ending: &str| beside(ending).and_then(|it| it.shape.last().copied());
    match (columns(".qzeros"), columns(".scales")) {
        (Some(words), Some(columns)) if columns > 0 && words > 0 => {
            (words.saturating_mul(32) / columns).clamp(1, 32)
        }
        _ => 4,
    }
}

/// Bits of an MLX weight, whose groups have 32, 64 or 128 weights: the group that gives whole bits
/// of a format in use.
fn mlx_bits(weight: &Tensor, scales: &Tensor) -> u64 {
    let (words, groups) = (weight.shape.last(), scales.shape.last());
    let (Some(words), Some(groups)) = (words, groups.filter(|groups| **groups > 0)) else {
        return 4;
    };
    let of = |group: u64| words.saturating_mul(32).checked_div(groups.saturating_mul(group));
    [64, 128, 32]
        .into_iter()
        .filter_map(of)
        .find(|bits| [4, 8, 6, 3, 2, 5].contains(bits))
        .unwrap_or(4)
}

#[cfg(test)]
mod tests {
    use flopcast_core::quantity::Measure as _;

    use super::super::{DTYPES, Weights};
    use super::*;

    /// Tensors by name, type and shape.
    fn file(tensors: &[(&str, &str, &[u64])]) -> Weights {
        let tensor = |(name, dtype, shape): &(&str, &str, &[u64])| {
            let elements: u64 = shape.iter().product();
            let bits = DTYPES.iter().find(|(known, _)| known == dtype).expect("a type").1;
            let data = flopcast_core::model::stored::bits((elements * bits) as f64);
            let tensor = Tensor { dtype: (*dtype).into(), shape: shape.to_vec(), elements, data };
            ((*name).to_owned(), tensor)
        };
        Weights { tensors: tensors.iter().map(tensor).collect() }
    }

    /// Each layout is of one weight of 512 x 256: 131,072 parameters. Its bytes are those of all its
    /// tensors.
    #[test]
    fn packed_weights_count_as_the_weights_that_they_hold() {
        let layouts: [&[(&str, &str, &[u64])]; 9] = [
            &[
                ("l.qweight", "I32", &[64, 256]),
                ("l.qzeros", "I32", &[4, 32]),
                ("l.scales", "F16", &[4, 256]),
                ("l.g_idx", "I32", &[512]),
            ],
            &[
                ("l.qweight", "I32", &[128, 256]),
                ("l.qzeros", "I32", &[4, 64]),
                ("l.scales", "F16", &[4, 256]),
            ],
            &[
                ("l.weight_packed", "I32", &[256, 64]),
                ("l.weight_scale", "BF16", &[256, 4]),
                ("l.weight_shape", "I64", &[2]),
            ],
            &[
                ("l.weight_packed", "U8", &[256, 256]),
                ("l.weight_scale", "F8_E4M3", &[256, 32]),
                ("l.weight_global_scale", "F32", &[1]),
            ],
            &[
                ("l.weight", "U32", &[256, 64]),
                ("l.scales", "F16", &[256, 8]),
                ("l.biases", "F16", &[256, 8]),
            ],
            &[
                ("l.weight", "U8", &[65536, 1]),
                ("l.weight.absmax", "F32", &[2048]),
                ("l.weight.quant_map", "F32", &[16]),
                ("l.weight.quant_state.bitsandbytes__nf4", "U8", &[80]),
            ],
            &[
                ("l.weight", "I8", &[512, 256]),
                ("l.SCB", "F32", &[512]),
                ("l.weight_format", "U8", &[]),
            ],
            &[("l.weight", "F8_E4M3", &[512, 256]), ("l.weight_scale_inv", "F32", &[4, 2])],
            &[("e_blocks", "U8", &[1, 512, 8, 16]), ("e_scales", "U8", &[1, 512, 8])],
        ];
        for tensors in layouts {
            let file = file(tensors);
            let weights = file.weights();
            let total: u64 = weights.iter().map(|weight| weight.parameters).sum();
            assert_eq!(total, 131_072, "{tensors:?}: {weights:?}");
            let bytes: f64 = weights.iter().map(|weight| weight.data.stored()).sum();
            assert!((bytes - file.data().stored()).abs() < 1e-9, "{tensors:?}: {bytes}");
        }
    }

    /// Names alone make no scale: norms, layer scales and tables of plain models are weights.
    #[test]
    fn plain_weights_stay_what_they_are() {
        let file = file(&[
            ("norm.weight", "F32", &[16]),
            ("layer_scale.scales", "F32", &[16]),
            ("q.weight", "BF16", &[16, 16]),
            ("q.bias", "BF16", &[16]),
            ("embeddings.position_ids", "I64", &[1, 512]),
        ]);
        let total: u64 = file.weights().iter().map(|weight| weight.parameters).sum();
        assert_eq!(total, 16 + 16 + 256 + 16);
    }
}
