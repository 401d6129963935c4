//! Quantised weights among the tensors of a file.
//!
//! Formats store a weight as packed integers with tensors for scales and zeros beside it:
//!
//! ```text
//! GPTQ, AWQ            X.qweight (I32), X.scales, X.qzeros, X.g_idx
//! Marlin               X.B (I32), X.s; X.weight_packed, X.meta of 2:4
//! compressed-tensors   X.weight_packed (I32, U8), X.weight_scale, X.weight_zero_point, X.weight_shape
//! MLX                  X.weight (U32), X.scales, X.biases
//! bitsandbytes         X.weight (U8), X.weight.absmax ...; X.weight (I8), X.SCB
//! ModelOpt, Quark      X.weight (U8), X.weight_scale, X.weight_scale_2, X.pre_quant_scale
//! BitNet               X.weight (U8, four to a byte), X.weight_scale (one)
//! HQQ                  X.W_q, X.scale, X.zero, X.nbits ...
//! quanto               X.weight._data or X.weight._data._data, X.weight._scale, X.weight._shift
//! torchao              X._weight_qdata, X._weight_scale ...; X.weight:qdata ...
//! AQLM                 X.codes, X.codebooks, X.scales
//! SVDQuant             X.qweight (I8), X.wscales; X.proj_down and X.proj_up are weights
//! MXFP4                X_blocks (U8), X_scales; X.weight (I8), X.scale (F8_E8M0)
//! FP8                  X.weight (F8_E4M3), X.weight_scale_inv; X, X_scale_inv
//! ```
//!
//! Where the bits do not stand in the file (`compressed-tensors` and MLX keep them in the
//! configuration), they follow from what the words and groups can be, and from the widths that the
//! model has elsewhere: a matrix reads what a norm scales or another matrix makes.

use std::collections::BTreeMap;

use super::Tensor;
use crate::tensors::Weight;

/// Last parts of names that hold a weight, packed or whole.
const HELD: [&str; 8] =
    ["weight", "qweight", "weight_packed", "W_q", "B", "codes", "compressed", "_weight_qdata"];

/// What a module has beside a quantised weight that is a weight of its own.
const OWN: [&str; 7] = ["bias", "proj_down", "proj_up", "lora_A", "lora_B", "lora_down", "lora_up"];

/// Endings of what describes the weight of a module, quantised or not.
const OF_MODULE: [&str; 6] = [
    ".weight_scale",
    ".weight_scale_inv",
    ".weight_scale_2",
    ".weight_zero_point",
    ".input_scale",
    ".output_scale",
];

/// Endings of what describes the quantised tensor of the name before them.
const OF_TENSOR: [&str; 9] = [
    "_weight_scale",
    "_weight_scale_2",
    "_weight_global_scale",
    "_scale_inv",
    "_scale_2",
    "_input_scale",
    "_output_scale",
    "_scale",
    "_scales",
];

/// Scales of caches and of products, which stand in modules without weights of their own.
const OF_PRODUCTS: [&str; 5] =
    [".k_scale", ".v_scale", ".q_scale", ".prob_scale", ".prob_output_scale"];

/// Parts of a weight that stand one deeper: `X.weight.absmax`.
const DEEPER: [&str; 8] = [
    "absmax",
    "quant_map",
    "nested_absmax",
    "nested_quant_map",
    "quant_state.",
    "_scale",
    "_shift",
    "_zeropoint",
];

/// Buffers: running statistics, tables of angles, masks. Training moves them without gradients, or
/// nothing does.
const BUFFERS: [&str; 11] = [
    "running_mean",
    "running_var",
    "num_batches_tracked",
    "inv_freq",
    "cos_cached",
    "sin_cached",
    "masked_bias",
    "position_ids",
    "relative_position_index",
    "attn_mask",
    "e_score_correction_bias",
];

/// The weights of the tensors.
pub(super) fn weights(tensors: &BTreeMap<String, Tensor>) -> Vec<Weight> {
    let mut file = File { tensors, widths: BTreeMap::new() };
    let mut widths: BTreeMap<u64, u64> = BTreeMap::new();
    for width in tensors.iter().filter_map(|(name, it)| file.width(name, it)) {
        *widths.entry(width).or_default() += 1;
    }
    file.widths = widths;
    let mut weights: Vec<Weight> = Vec::new();
    let mut owners: BTreeMap<&str, usize> = BTreeMap::new();
    let mut beside = Vec::new();
    for (name, tensor) in tensors {
        let Some(unpacked) = file.unpacked(name, tensor) else {
            beside.push((name, tensor));
            continue;
        };
        // What stands beside a weight goes to the weight itself, not to its bias.
        if owners.get(stem(name)).is_none_or(|it| weights[*it].parameters < tensor.elements) {
            owners.insert(stem(name), weights.len());
        }
        weights.push(Weight {
            name: name.clone(),
            kind: unpacked.kind,
            parameters: tensor.elements.saturating_mul(unpacked.times) / unpacked.per.max(1),
            data: tensor.data,
        });
    }
    // What goes with a weight, and what is none, counts as bytes of the nearest module with one.
    for (name, tensor) in beside {
        let mut module = stem(name);
        let owner = loop {
            let inside =
                |it: &str| module.is_empty() || it == module || it[module.len()..].starts_with('.');
            let from = owners
                .range(module..)
                .next()
                .filter(|(it, _)| it.starts_with(module) && inside(it));
            match from {
                Some((_, owner)) => break Some(*owner),
                None if module.is_empty() => break None,
                None => module = parent(module),
            }
        };
        if let Some(owner) = owner {
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

    /// Weights of `bits` packed in the words of a tensor.
    fn packed(tensor: &Tensor, bits: u64) -> Self {
        let words = &tensor.dtype;
        Self { kind: format!("{bits} bits in {words}"), times: wide(words), per: bits.max(1) }
    }

    /// A tensor that holds so many weights.
    fn holds(tensor: &Tensor, weights: u64, what: &str) -> Self {
        let kind = format!("{what} in {}", tensor.dtype);
        Self { kind, times: weights, per: tensor.elements.max(1) }
    }
}

struct File<'t> {
    tensors: &'t BTreeMap<String, Tensor>,
    /// Widths of the model, of its norms and of what its packed matrices make, and how often.
    widths: BTreeMap<u64, u64>,
}

impl File<'_> {
    fn beside(&self, module: &str, ending: &str) -> Option<&Tensor> {
        self.tensors.get(&format!("{module}{ending}"))
    }

    /// The weight that a tensor holds; none if it goes with another or is no weight.
    fn unpacked(&self, name: &str, tensor: &Tensor) -> Option<Unpacked> {
        let module = stem(name);
        let beside = |ending: &str| self.beside(module, ending);
        let words = tensor.dtype.as_str();
        let bytes = wide(words) == 8;
        if is_buffer(name, tensor) {
            return None;
        }
        match last(name) {
            // Formats of images and of four-bit floats pack two weights to a byte.
            "qweight" if bytes => return Some(Unpacked::packed(tensor, 4)),
            "qweight" => return Some(Unpacked::packed(tensor, gptq_bits(tensor, beside))),
            // Marlin of 2:4 leaves out every second weight.
            "weight_packed" if beside(".meta").is_some() => {
                let held = tensor.elements.saturating_mul(wide(words) / 4).saturating_mul(2);
                return Some(Unpacked::holds(tensor, held, "2:4 of 4 bits"));
            }
            "weight_packed" if bytes => return Some(Unpacked::packed(tensor, 4)),
            "weight_packed" => {
                return Some(Unpacked::packed(tensor, self.listed_bits(tensor, module)));
            }
            "B" if words == "I32" && beside(".s").is_some() => {
                return Some(Unpacked::packed(tensor, 4));
            }
            "W_q" => return Some(grouped(tensor, beside(".scale"))),
            "_data" if words == "U8" => {
                return Some(grouped(tensor, beside(".weight._scale")));
            }
            "_data" => return Some(Unpacked::plain(tensor)),
            "codes" => {
                if let Some(&[_, _, out, read]) = beside(".codebooks").map(|it| it.shape.as_slice())
                {
                    let books = tensor.shape.last().copied().unwrap_or(1).max(1);
                    let held = (tensor.elements / books).saturating_mul(out).saturating_mul(read);
                    return Some(Unpacked::holds(tensor, held, "codes"));
                }
            }
            "compressed" => {
                if let Some(mask) = beside(".bitmask") {
                    let held = mask.elements.saturating_mul(8);
                    return Some(Unpacked::holds(tensor, held, "the weights that are not zero"));
                }
            }
            part if part.ends_with("qdata") => {
                return Some(torchao(tensor, |ending| {
                    let of = name.strip_suffix("qdata").unwrap_or(name);
                    self.tensors.get(&format!("{of}{ending}"))
                }));
            }
            part if part.ends_with("_blocks") && self.tensors.contains_key(&scales_of(name)) => {
                return Some(Unpacked::packed(tensor, 4));
            }
            _ => {}
        }
        if self.goes_with_another(name) {
            return None;
        }
        match words {
            "U32" => Some(match beside(".scales") {
                Some(scales) => Unpacked::packed(tensor, self.mlx_bits(tensor, scales)),
                None => Unpacked::plain(tensor),
            }),
            "U8" if beside(".weight.absmax").is_some() => Some(Unpacked::packed(tensor, 4)),
            "U8" if beside(".weight_scale").is_some() => {
                // Weights of three values have one scale.
                let one = beside(".weight_scale").is_some_and(|it| it.elements == 1)
                    && beside(".weight_scale_2").is_none();
                Some(Unpacked::packed(tensor, if one { 2 } else { 4 }))
            }
            "I32" if beside(".weight_scale").is_some() => Some(Unpacked::packed(tensor, 4)),
            "I8" if beside(".scale").is_some_and(|it| it.dtype == "F8_E8M0") => {
                Some(Unpacked::packed(tensor, 4))
            }
            // Positions, masks and counters are no weights.
            "I64" | "BOOL" => None,
            _ => Some(Unpacked::plain(tensor)),
        }
    }

    /// True for scales, zeros and what else describes a weight of the same module.
    fn goes_with_another(&self, name: &str) -> bool {
        let module = stem(name);
        let deeper = |part: &str| DEEPER.iter().any(|it| part.starts_with(it));
        if name.split_once(".weight.").is_some_and(|(_, part)| deeper(part)) {
            return true;
        }
        let part = last(name);
        let held = HELD.iter().any(|it| {
            *it != part && self.beside(parent(name), &format!(".{it}")).is_some_and(is_quantised)
        });
        if held && part != "weight" && !OWN.contains(&part) {
            return true;
        }
        if OF_PRODUCTS.iter().any(|it| name.ends_with(it)) {
            return true;
        }
        let whole = OF_MODULE.iter().any(|it| name.ends_with(it));
        let packed = |it: &str| {
            ["", "_blocks"].iter().any(|end| self.beside(it, end).is_some_and(is_quantised))
        };
        let weight = format!("{module}.weight");
        let has = || {
            let next = self.tensors.range(weight.clone()..).find(|(it, _)| *it != name);
            next.is_some_and(|(it, _)| it.starts_with(&weight))
        };
        whole && has()
            || OF_TENSOR.iter().filter_map(|it| name.strip_suffix(it)).any(packed)
            || name.rsplit_once(':').is_some_and(|(it, _)| self.beside(it, ":qdata").is_some())
            || name == "scaled_fp8"
    }

    /// A width that the model surely has.
    fn width(&self, name: &str, tensor: &Tensor) -> Option<u64> {
        let made = ["weight_packed", "weight"].contains(&last(name))
            && tensor.shape.len() > 1
            && wide(&tensor.dtype) == 32
            && is_quantised(tensor);
        match *tensor.shape.as_slice() {
            [.., rows, _] if made => Some(rows),
            [width] if !is_quantised(tensor) && !self.goes_with_another(name) => Some(width),
            _ => None,
        }
    }

    /// The first of these bits and groups that fits the words and groups of a row, and reads a width
    /// of the model if one does.
    fn fitting(&self, tensor: &Tensor, groups: u64, formats: &[(u64, u64)]) -> Option<u64> {
        let words = tensor.shape.last().copied()?;
        let read = |bits: u64| words.saturating_mul(32) / bits;
        let fits = |(bits, group): &&(u64, u64)| groups.saturating_mul(*group) == read(*bits);
        let fitting: Vec<u64> = formats.iter().filter(fits).map(|(bits, _)| *bits).collect();
        // What the matrix itself makes says nothing of what it reads.
        let rows = tensor.shape.iter().rev().nth(1).copied();
        let elsewhere = |width: u64| {
            let found = self.widths.get(&width).copied().unwrap_or(0);
            found > u64::from(rows == Some(width))
        };
        let known = fitting.iter().find(|bits| elsewhere(read(**bits)));
        known.or(fitting.first()).copied()
    }

    /// Bits of a weight of compressed-tensors: its packed zeros say them, or its groups; a scale for
    /// a whole row is usual of 8 bits.
    fn listed_bits(&self, tensor: &Tensor, module: &str) -> u64 {
        const FORMATS: [(u64, u64); 8] =
            [(4, 128), (8, 128), (4, 64), (4, 32), (8, 64), (8, 32), (2, 128), (2, 64)];
        let shape = |ending: &str| self.beside(module, ending).map(|it| it.shape.as_slice());
        let rows = tensor.shape.iter().rev().nth(1).copied().unwrap_or(0);
        if let Some(&[zeros, _]) = shape(".weight_zero_point")
            && (1..rows).contains(&zeros)
        {
            return (zeros.saturating_mul(32) / rows).max(1);
        }
        let columns = tensor.shape.last().copied().unwrap_or(0).saturating_mul(32);
        match shape(".weight_scale").and_then(|it| it.last().copied()) {
            Some(1) => self.fitting(tensor, 1, &[(8, columns / 8), (4, columns / 4)]).unwrap_or(4),
            Some(groups) => self.fitting(tensor, groups, &FORMATS).unwrap_or(4),
            None => 4,
        }
    }

    /// Bits of an MLX weight: of its integer formats by use, of its floats exactly.
    fn mlx_bits(&self, tensor: &Tensor, scales: &Tensor) -> u64 {
        const INTEGERS: [(u64, u64); 18] = [
            (4, 64),
            (8, 64),
            (4, 32),
            (6, 64),
            (3, 64),
            (5, 64),
            (2, 64),
            (4, 128),
            (8, 32),
            (8, 128),
            (6, 32),
            (6, 128),
            (3, 32),
            (3, 128),
            (5, 32),
            (5, 128),
            (2, 32),
            (2, 128),
        ];
        const FLOATS: [(u64, u64); 3] = [(4, 32), (8, 32), (4, 16)];
        let formats = if scales.dtype == "U8" { &FLOATS[..] } else { &INTEGERS[..] };
        let groups = scales.shape.last().copied().unwrap_or(0);
        self.fitting(tensor, groups, formats).unwrap_or(4)
    }
}

/// A weight of bytes whose rows are groups with a scale each; of 4 bits where its groups are
/// columns.
fn grouped(tensor: &Tensor, scales: Option<&Tensor>) -> Unpacked {
    match (scales, tensor.shape.last()) {
        (Some(scales), Some(group)) if scales.shape.last() == Some(&1) => {
            let held = scales.elements.saturating_mul(*group);
            let bits = tensor.elements.saturating_mul(wide(&tensor.dtype)) / held.max(1);
            Unpacked::holds(tensor, held, &format!("{bits} bits"))
        }
        _ => Unpacked::packed(tensor, 4),
    }
}

/// The weight of a tensor of torchao: integers of a byte, or two to a byte where their groups have
/// zeros or scales by columns, or words of eight.
fn torchao<'t>(tensor: &Tensor, beside: impl Fn(&str) -> Option<&'t Tensor>) -> Unpacked {
    let halves = beside("zero_point").is_some()
        || tensor.dtype == "U8"
        || beside("scale").is_some_and(|it| {
            it.shape.len() == 2
                && it.shape[0] > 1
                && it.shape[1] > 1
                && it.shape.last() == tensor.shape.first()
        });
    if tensor.dtype == "I32" || (halves && !tensor.dtype.starts_with('F')) {
        Unpacked::packed(tensor, 4)
    } else {
        Unpacked::plain(tensor)
    }
}

/// True for elements that are no plain floats.
fn is_quantised(tensor: &Tensor) -> bool {
    !["F64", "F32", "F16", "BF16", "C64", "I64", "U64", "BOOL"].contains(&tensor.dtype.as_str())
}

/// True for what a model keeps beside its parameters.
fn is_buffer(name: &str, tensor: &Tensor) -> bool {
    let mask = last(name) == "bias"
        && matches!(tensor.shape[..], [1, 1, rows, columns] if rows == columns);
    mask || BUFFERS.contains(&last(name))
}

/// The module of a tensor: its name without the last part; parts of bitsandbytes stand one deeper.
fn stem(name: &str) -> &str {
    if let Some((module, _)) = name.split_once(".weight.").or_else(|| name.split_once(".weight:")) {
        return module;
    }
    let packed = name.strip_suffix("_blocks").or_else(|| name.strip_suffix("_scales"));
    packed.unwrap_or_else(|| parent(name))
}

/// The last part of a name.
fn last(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, part)| part)
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
fn wide(words: &str) -> u64 {
    match words {
        it if it.ends_with("32") => 32,
        "I16" | "U16" => 16,
        _ => 8,
    }
}

/// Bits of a GPTQ or AWQ weight: zeros of `columns x bits / 32` words go with `columns` scales, and
/// the list of groups has an entry for each row; 4 where there is neither.
fn gptq_bits<'t>(tensor: &Tensor, beside: impl Fn(&str) -> Option<&'t Tensor>) -> u64 {
    let columns = |ending: &str| beside(ending).and_then(|it| it.shape.last().copied());
    let rows = tensor.shape.iter().rev().nth(1).copied();
    match (columns(".qzeros"), columns(".scales"), columns(".g_idx"), rows) {
        (Some(words), Some(columns), ..) if columns > 0 && words > 0 => {
            (words.saturating_mul(32) / columns).clamp(1, 32)
        }
        (_, _, Some(read), Some(rows)) if read > 0 => (rows.saturating_mul(32) / read).clamp(1, 32),
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use flopcast_core::quantity::Measure as _;

    use super::super::{DTYPES, Weights};
    use super::*;

    /// Tensors, each a name, a type and a shape.
    fn file(tensors: &str) -> Weights {
        let tensor = |words: &str| {
            let mut words = words.split_whitespace();
            let name = words.next().expect("a name").to_owned();
            let dtype = words.next().expect("a type").to_owned();
            let shape: Vec<u64> = words
                .next()
                .map(|it| it.split('x').map(|size| size.parse().expect("a size")).collect())
                .unwrap_or_default();
            let elements: u64 = shape.iter().product();
            let bits = DTYPES.iter().find(|(known, _)| *known == dtype).expect("a type").1;
            let data = flopcast_core::model::stored::bits((elements * bits) as f64);
            (name, Tensor { dtype, shape, elements, data })
        };
        Weights { tensors: tensors.split(',').map(tensor).collect() }
    }

    /// A weight of 512 x 256 as tools store it; `norm.weight` is a norm beside it.
    const LAYOUTS: &str = "
        gptq4: l.qweight I32 64x256, l.qzeros I32 4x32, l.scales F16 4x256, l.g_idx I32 512
        gptq8: l.qweight I32 128x256, l.qzeros I32 4x64, l.scales F16 4x256, l.g_idx I32 512
        gptq3: l.qweight I32 48x256, l.qzeros I32 4x24, l.scales F16 4x256, l.g_idx I32 512
        gptq2: l.qweight I32 32x256, l.qzeros I32 4x16, l.scales F16 4x256, l.g_idx I32 512
        gptq8-marlin-noz: l.qweight I32 128x256, l.scales F16 4x256, l.g_idx I32 512
        marlin: l.B I32 32x512, l.s F16 4x256, l.workspace I32 32
        ct-w4a16: l.weight_packed I32 256x64, l.weight_scale BF16 256x4, l.weight_shape I64 2
        ct-w4a16-zp: l.weight_packed I32 256x64, l.weight_scale BF16 256x4, l.weight_zero_point I32 32x4, l.weight_shape I64 2
        ct-w4a16-gidx: l.weight_packed I32 256x64, l.weight_scale BF16 256x4, l.weight_g_idx I32 512, l.weight_shape I64 2
        ct-w8a16-g128: l.weight_packed I32 256x128, l.weight_scale BF16 256x4, l.weight_shape I64 2
        ct-w8a8-int8: l.weight I8 256x512, l.weight_scale BF16 256x1
        ct-fp8: l.weight F8_E4M3 256x512, l.weight_scale BF16 256x1, l.input_scale BF16 1
        ct-fp8-kv: a.q.weight F8_E4M3 256x512, a.q.weight_scale BF16 256x1, a.k_scale BF16 1, a.v_scale BF16 1
        ct-24-sparse-bitmask: l.compressed F8_E4M3 256x256, l.bitmask U8 256x64, l.shape I64 2, l.row_offsets I64 256
        ct-marlin24: l.weight_packed I32 16x512, l.meta I16 32x512, l.scale_packed F16 4x256, l.weight_shape I64 2
        ct-nvfp4: l.weight_packed U8 256x256, l.weight_scale F8_E4M3 256x32, l.weight_global_scale F32 1, l.input_global_scale F32 1
        mo-nvfp4: l.weight U8 256x256, l.weight_scale F8_E4M3 256x32, l.weight_scale_2 F32, l.input_scale F32
        mo-awq-int4: l.weight U8 128x512, l.weight_scale F16 256x4, l.pre_quant_scale F16 512
        mo-fp8: l.weight F8_E4M3 256x512, l.weight_scale F32, l.input_scale F32
        bnb-nf4: l.weight U8 65536x1, l.weight.absmax U8 2048, l.weight.quant_map F32 16, l.weight.nested_absmax F32 8, l.weight.nested_quant_map F32 256, l.weight.quant_state.bitsandbytes__nf4 U8 95
        bnb-fp4: l.weight U8 65536x1, l.weight.absmax F32 2048, l.weight.quant_map F32 16, l.weight.quant_state.bitsandbytes__fp4 U8 95
        bnb-int8: l.weight I8 256x512, l.SCB F32 256, l.weight_format U8
        hqq4: l.W_q U8 1024x64, l.scale F16 2048x1, l.zero F16 2048x1, l.shape I32 2, l.nbits I32, l.group_size I32, l.axis I32, l.packing U8 7, l.channel_wise BOOL, l.optimize BOOL, l.round_zero BOOL, l.compute_dtype U8 14, l.unpack_view_dtype U8 11, l.view_as_float BOOL, l.encoded_state_dict BOOL, l.offload_meta BOOL, l.quant_scale BOOL, l.quant_zero BOOL, l.stores_quant_config BOOL
        hqq8: l.W_q U8 2048x64, l.scale F16 2048x1, l.zero F16 2048x1, l.shape I32 2, l.nbits I32, l.group_size I32
        hqq2: l.W_q U8 2048x16, l.scale F16 8192x1, l.zero F16 8192x1, l.shape I32 2, l.nbits I32, l.group_size I32
        hqq3: l.W_q I32 205x64, l.scale F16 2048x1, l.zero F16 2048x1, l.shape I32 2, l.nbits I32, l.group_size I32
        torchao-int4: l._weight_qdata I32 32x4x32x4, l._weight_scale_and_zero BF16 4x256x2
        torchao-int8: l._weight_qdata I8 256x512, l._weight_scale BF16 256x1
        torchao-fp8: l._weight_qdata F8_E4M3 256x512, l._weight_scale F32 256x1
        torchao-int4-plain: l._weight_qdata U8 256x256, l._weight_scale BF16 4x256, l._weight_zero_point BF16 4x256
        torchao-int8-old: l.weight:qdata I8 256x512, l.weight:scale BF16 256x1
        quanto-int8: l.weight._data I8 256x512, l.weight._scale BF16 256x1, l.input_scale F32, l.output_scale F32
        quanto-int4: l.weight._data._data U8 512x128, l.weight._scale BF16 1024x1, l.weight._shift BF16 1024x1, l.input_scale F32, l.output_scale F32
        eetq: l.weight I8 512x256, l.weight_scales F16 256
        mlx4: l.weight U32 256x64, l.scales BF16 256x8, l.biases BF16 256x8
        mlx8: l.weight U32 256x128, l.scales BF16 256x8, l.biases BF16 256x8
        mlx6: l.weight U32 256x96, l.scales BF16 256x8, l.biases BF16 256x8
        mlx5: l.weight U32 256x80, l.scales BF16 256x8, l.biases BF16 256x8
        mlx3: l.weight U32 256x48, l.scales BF16 256x8, l.biases BF16 256x8
        mlx4-g32: l.weight U32 256x64, l.scales BF16 256x16, l.biases BF16 256x16
        mlx-mxfp4: l.weight U32 256x64, l.scales U8 256x16
        mlx-nvfp4: l.weight U32 256x64, l.scales U8 256x32
        mlx-mxfp8: l.weight U32 256x128, l.scales U8 256x16
        ds-fp8: l.weight F8_E4M3 256x512, l.weight_scale_inv F32 2x4
        dsv4-mxfp4: l.weight I8 256x256, l.scale F8_E8M0 256x16
        dsv4-fp8: l.weight F8_E4M3 256x512, l.scale F8_E8M0 2x4
        aqlm: l.codes I16 256x64x1, l.codebooks F16 1x65536x1x8, l.scales F16 256x1x1x1
        fpquant-mxfp4: l.qweight U8 256x256, l.scales U8 256x16, l.forward_hadamard_matrix BF16 32x32
        bitnet: l.weight U8 64x512, l.weight_scale BF16 1
        quark-mxfp4: l.weight U8 256x256, l.weight_scale U8 256x16
        quark-fp8: l.weight F8_E4M3 256x512, l.weight_scale F32, l.input_scale F32, l.output_scale F32
        quark-int4: l.weight I32 512x32, l.weight_scale F16 4x256, l.weight_zero_point I32 4x32
        comfy-fp8: l.weight F8_E4M3 256x512, l.scale_weight F32, scaled_fp8 F8_E4M3 2
        mlx4-g128: l.weight U32 256x64, l.scales BF16 256x4, l.biases BF16 256x4, norm.weight BF16 512
        ct-w8a16-chan: l.weight_packed I32 256x128, l.weight_scale BF16 256x1, l.weight_shape I64 2, norm.weight BF16 512
        ct-w4a16-chan: l.weight_packed I32 256x64, l.weight_scale BF16 256x1, l.weight_shape I64 2, norm.weight BF16 512
    ";

    /// The bytes of a weight are those of all its tensors.
    #[test]
    fn packed_weights_count_as_the_weights_that_they_hold() {
        for line in LAYOUTS.lines().filter(|it| !it.trim().is_empty()) {
            let (_, tensors) = line.split_once(": ").expect("a layout");
            let file = file(tensors);
            let weights = file.weights();
            let weights: Vec<_> =
                weights.into_iter().filter(|it| it.name != "norm.weight").collect();
            let total: u64 = weights.iter().map(|weight| weight.parameters).sum();
            assert_eq!(total, 131_072, "{line}: {weights:?}");
        }
        for line in LAYOUTS.lines().filter(|it| !it.trim().is_empty()) {
            let file = file(line.split_once(": ").expect("a layout").1);
            let bytes: f64 = file.weights().iter().map(|weight| weight.data.stored()).sum();
            assert!((bytes - file.data().stored()).abs() < 1e-9, "{line}: {bytes}");
        }
    }

    /// Names alone make no scale: norms, layer scales and tables of plain models are weights.
    #[test]
    fn plain_weights_stay_what_they_are() {
        let file = file(
            "norm.weight F32 16, layer_scale.scales F32 16, q.weight BF16 16x16, q.bias BF16 16, \
             m.scale F32 16, v.parametrizations.weight.original0 F32 16, \
             embeddings.position_ids I64 1x512",
        );
        let total: u64 = file.weights().iter().map(|weight| weight.parameters).sum();
        assert_eq!(total, 16 + 16 + 256 + 16 + 16 + 16);
    }

    /// Running statistics, angles and masks are no parameters, whatever their type; their bytes are
    /// in the file.
    #[test]
    fn buffers_are_no_parameters() {
        let file = file(
            "bn.weight F32 64, bn.bias F32 64, bn.running_mean F32 64, bn.running_var F32 64, \
             bn.num_batches_tracked I64, h.attn.bias F32 1x1x8x8, h.attn.masked_bias F32, \
             h.attn.c_attn.weight F32 16x48, h.attn.c_attn.bias F32 48, rotary.inv_freq F32 32",
        );
        let weights = file.weights();
        let total: u64 = weights.iter().map(|weight| weight.parameters).sum();
        assert_eq!(total, 128 + 16 * 48 + 48, "{weights:?}");
        let bytes: f64 = weights.iter().map(|weight| weight.data.stored()).sum();
        assert!((bytes - file.data().stored()).abs() < 1e-9, "{bytes}");
    }
}
