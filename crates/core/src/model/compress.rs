//! Savings of compression: pruning, quantization, distillation.
//!
//! A [`Compression`] holds the settings by group of operators. [`Compressed`] is the model with
//! them: fewer units where they were pruned, each layer with the number format of its weights.
//!
//! The effect of each setting on a layer:
//!
//! - pruning of a share s of units: fewer heads, features or filters, so parameters and FLOPs fall
//!   in proportion, or with the square where both sides of a product are pruned;
//! - pruning 2:4: half of the weights and of the matmul FLOPs, on devices that skip the zeros;
//! - layer drop: fewer blocks of each repetition;
//! - low rank: two thin products in place of one;
//! - quantization: bytes per weight, and the peak of the format in products (int4 leaves products
//!   as they are);
//! - distillation: no change of the model; training pays the teacher's forward pass.

mod depth;
mod factor;
mod prune;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::cost::Flops;
use super::input::AttentionCount;
use super::layer::{Layer, Role};
use super::operator::Operator;
use super::roofline::{self, Bound, Device};
use super::spec::Spec;
use super::total::Model;
pub use factor::FIRST;

use crate::catalog::Accelerator;
use crate::diagnostic::{Error, Result};
use crate::quantity::system::data::byte;
use crate::quantity::{Data, DeviceBandwidth, DeviceFlopRate, Flop, Measure, Precision};

/// The compression of a model, as a scenario or a command line asks for it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Compression {
    /// The weights that are removed.
    pub pruning: ByGroup<Pruning>,
    /// The share of the blocks of each repetition that goes, 0 to 1.
    pub layer_drop: Option<f64>,
    /// The rank to which products are factored.
    pub low_rank: ByGroup<Rank>,
    /// The format in which weights are kept and products computed.
    pub quantization: ByGroup<Format>,
    /// The larger model that this one learns from.
    pub teacher: Option<Spec>,
}

/// A setting for every group of operators that it usually concerns (`None`), and settings for
/// single groups, which take precedence.
pub type ByGroup<T> = BTreeMap<Option<Role>, T>;

/// The part of the weights that pruning removes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pruning {
    /// A share of whole units, 0 to 1: heads of attention, inner features of feed-forward layers
    /// and experts, filters of convolutions.
    Units(f64),
    /// Two of every four weights, in the pattern that sparse matrix units skip (Mishra et al. 2021,
    /// arXiv:2104.08378).
    TwoToFour,
}

/// The rank of a product's two factors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rank {
    /// A share of the largest rank that the product can have, 0 to 1.
    Share(f64),
    /// As many features.
    Of(u64),
}

impl Rank {
    /// The rank of a product whose largest is `full`, at least one.
    fn of(self, full: u64) -> u64 {
        match self {
            Self::Share(share) => ((full as f64 * share).round() as u64).max(1),
            Self::Of(rank) => rank.min(full),
        }
    }
}

/// A format of quantized weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// 8-bit integers, weights and activations.
    Int8,
    /// 8-bit floating point, weights and activations.
    Fp8,
    /// 4-bit floating point with an 8-bit scale for 16 elements, weights and activations (NVFP4).
    Fp4,
    /// 4-bit integers with a 16-bit scale for 128 weights. Activations and products keep their
    /// format (GPTQ, arXiv:2210.17323; AWQ, arXiv:2306.00978).
    Int4,
}

/// Groups that a setting without a group concerns. Embeddings, norms, routers and the head keep
/// their format, as recipes for quantized checkpoints leave them (DeepSeek-V3, arXiv:2412.19437,
/// section 3.3).
const USUAL: [Role; 6] =
    [Role::Attention, Role::Mixer, Role::Mlp, Role::Experts, Role::Conv, Role::Other];

/// Groups that a setting may name.
const NAMED: [Role; 6] =
    [Role::Attention, Role::Mixer, Role::Mlp, Role::Experts, Role::Conv, Role::Head];

impl Format {
    /// All formats.
    pub const ALL: [Self; 4] = [Self::Int8, Self::Fp8, Self::Fp4, Self::Int4];

    /// The name in scenarios and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Int8 => "int8",
            Self::Fp8 => "fp8",
            Self::Fp4 => "fp4",
            Self::Int4 => "int4",
        }
    }

    /// Storage of one weight in bytes, scales included: 1 for INT8 and FP8, 0.5625 for FP4 (1/16
    /// for the scale), 0.515625 for INT4 (2/128 for the scale).
    pub fn weight(self) -> Data {
        Data::new::<byte>(match self {
            Self::Int8 | Self::Fp8 => 1.0,
            Self::Fp4 => 0.5 + 1.0 / 16.0,
            Self::Int4 => 0.5 + 2.0 / 128.0,
        })
    }

    /// The format of products and activations; none if they keep the model's own.
    pub fn products(self) -> Option<Precision> {
        match self {
            Self::Int8 => Some(Precision::Int8),
            Self::Fp8 => Some(Precision::Fp8),
            Self::Fp4 => Some(Precision::Fp4),
            Self::Int4 => None,
        }
    }
}

impl Compression {
    /// Reads `{pruning: 2:4, quantization: {mlp: fp8}, layer_drop: 25 %, low_rank: {mlp: 128},
    /// distillation: {teacher: llama-3-70b}}`.
    ///
    /// # Errors
    /// If a key, group or format is unknown, a share is outside 0 to 1, or the teacher is no model.
    pub fn from_json(json: &Json) -> Result<Self> {
        const KEYS: [&str; 5] =
            ["pruning", "layer_drop", "low_rank", "quantization", "distillation"];
        let Json::Object(map) = json else {
            return Err(Error::input("compression is a section")
                .hint("e.g. `{quantization: fp8, pruning: 2:4}`"));
        };
        let mut compression = Self::default();
        for (key, value) in map {
            match key.as_str() {
                "pruning" => compression.pruning = by_group(key, value, pruning)?,
                "layer_drop" => compression.layer_drop = layer_drop(value)?,
                "low_rank" => compression.low_rank = by_group(key, value, rank)?,
                "quantization" => compression.quantization = by_group(key, value, format)?,
                "distillation" => compression.teacher = Some(teacher(value)?),
                _ => {
                    return Err(Error::input(format!("compression has no key `{key}`"))
                        .suggest(key, KEYS)
                        .hint(KEYS.join(", ")));
                }
            }
        }
        Ok(compression)
    }

    /// Reads settings as a command line gives them: `quantization=fp8`, `pruning.mlp=30%`,
    /// `distillation=llama-3-70b`.
    ///
    /// # Errors
    /// As [`Compression::from_json`], and if a setting has no `=`.
    pub fn from_settings<'a>(settings: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut map = Map::new();
        for setting in settings {
            let (path, value) = setting.split_once('=').ok_or_else(|| {
                Error::input(format!("`{setting}` is no compression"))
                    .hint("e.g. quantization=fp8, pruning=2:4, pruning.mlp=30%")
            })?;
            let (key, group) = path.split_once('.').unwrap_or((path, ""));
            let entry = map.entry(key.trim()).or_insert_with(|| Json::Object(Map::new()));
            if let Json::Object(groups) = entry {
                groups.insert(group.trim().to_owned(), Json::String(value.trim().to_owned()));
            }
        }
        Self::from_json(&Json::Object(map))
    }

    /// True if there is nothing to do.
    pub fn is_empty(&self) -> bool {
        let Self { pruning, layer_drop, low_rank, quantization, teacher } = self;
        let no_groups = pruning.is_empty() && low_rank.is_empty() && quantization.is_empty();
        no_groups && layer_drop.is_none() && teacher.is_none()
    }

    /// The settings in words: `pruning 2:4, quantization fp8 of mlp`.
    pub fn words(&self) -> String {
        fn each<T>(word: &str, groups: &ByGroup<T>, name: impl Fn(&T) -> String) -> Vec<String> {
            let group =
                |role: &Option<Role>| role.map_or(String::new(), |r| format!(" of {}", r.name()));
            groups.iter().map(|(role, it)| format!("{word} {}{}", name(it), group(role))).collect()
        }
        let percent = |share: f64| format!("{} %", (share * 1e3).round() / 10.0);
        let mut words = each("pruning", &self.pruning, |it| match it {
            Pruning::TwoToFour => "2:4".to_owned(),
            Pruning::Units(share) => percent(*share),
        });
        words.extend(self.layer_drop.map(|share| format!("layer drop {}", percent(share))));
        words.extend(each("low rank", &self.low_rank, |it| match it {
            Rank::Share(share) => percent(*share),
            Rank::Of(rank) => rank.to_string(),
        }));
        words.extend(each("quantization", &self.quantization, |it| it.name().to_owned()));
        words.join(", ")
    }
}

impl<'de> Deserialize<'de> for Compression {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Json::deserialize(deserializer)?;
        Self::from_json(&json).map_err(serde::de::Error::custom)
    }
}

/// Reads one value for all usual groups, or a section of groups; the group `""` means all.
///
/// # Errors
/// If a group is unknown or a value cannot be read.
fn by_group<T>(key: &str, json: &Json, read: impl Fn(&str) -> Result<T>) -> Result<ByGroup<T>> {
    let one = |json: &Json| match json {
        Json::String(text) => read(text),
        other => read(&other.to_string()),
    };
    let Json::Object(groups) = json else { return Ok(BTreeMap::from([(None, one(json)?)])) };
    let group = |name: &String| {
        if name.is_empty() {
            return Ok(None);
        }
        let known = NAMED.iter().copied().find(|role| role.name() == name);
        known.map(Some).ok_or_else(|| {
            let known = NAMED.map(Role::name);
            Error::input(format!("`{key}` has no group `{name}`"))
                .suggest(name, known)
                .hint(known.join(", "))
        })
    };
    groups.iter().map(|(name, value)| Ok((group(name)?, one(value)?))).collect()
}

/// Reads a share between nothing and all, as `30%` or `0.3`.
fn share(text: &str) -> Option<f64> {
    let percent = text.strip_suffix('%');
    let number = percent.unwrap_or(text).trim().parse::<f64>().ok()?;
    let share = if percent.is_some() { number / 100.0 } else { number };
    (share > 0.0 && share < 1.0).then_some(share)
}

/// Reads `2:4` or a share of units, as `30%` or `0.3`.
fn pruning(text: &str) -> Result<Pruning> {
    if text == "2:4" {
        return Ok(Pruning::TwoToFour);
    }
    share(text).map(Pruning::Units).ok_or_else(|| {
        Error::input(format!("`{text}` is no pruning"))
            .hint("2:4, or the share of units that goes: 30 %, 0.3")
    })
}

/// Reads the share of blocks that goes; of no group alone.
fn layer_drop(json: &Json) -> Result<Option<f64>> {
    let read = |text: &str| {
        share(text).ok_or_else(|| {
            Error::input(format!("`{text}` is no layer drop"))
                .hint("the share of the blocks that goes: 25 %, 0.25")
        })
    };
    let mut groups = by_group("layer_drop", json, read)?;
    let whole = groups.remove(&None);
    match groups.keys().flatten().next() {
        Some(role) => Err(Error::input(format!("no {} layer goes alone", role.name()))
            .hint("layer_drop: 25 % takes whole blocks; pruning.mlp takes units of a group")),
        None => Ok(whole),
    }
}

/// Reads a rank: a number of features, or a share of the largest rank.
fn rank(text: &str) -> Result<Rank> {
    let whole = text.trim().parse::<u64>().ok().filter(|rank| *rank > 0);
    whole.map(Rank::Of).or_else(|| share(text).map(Rank::Share)).ok_or_else(|| {
        Error::input(format!("`{text}` is no rank"))
            .hint("a number of features, 128, or a share of the largest rank, 25 %")
    })
}

/// Reads the name of a format.
fn format(text: &str) -> Result<Format> {
    Format::ALL.into_iter().find(|format| format.name() == text).ok_or_else(|| {
        let known = Format::ALL.map(Format::name);
        Error::input(format!("`{text}` is no quantization"))
            .suggest(text, known)
            .hint(format!("one of {}; int4 keeps activations as they are", known.join(", ")))
    })
}

/// Reads `{teacher: SPEC}` or, from a command line, the name alone.
///
/// # Errors
/// If it is no model.
fn teacher(json: &Json) -> Result<Spec> {
    match json {
        Json::Object(map) if map.len() == 1 => match map.get("teacher").or(map.get("")) {
            Some(spec) => Spec::from_json(spec).map_err(|error| error.within("teacher")),
            None => Err(Error::input("distillation needs `teacher`")
                .hint("e.g. `distillation: {teacher: llama-3-70b}`")),
        },
        Json::String(_) => Spec::from_json(json),
        _ => Err(Error::input("distillation is `{teacher: MODEL}`")),
    }
}

/// The form in which the weights of one layer are kept and used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// The format of its weights; `None` keeps the model's.
    pub format: Option<Format>,
    /// True if two of every four weights are zero and not kept.
    pub sparse: bool,
}

/// A model after compression.
#[derive(Clone, Debug)]
pub struct Compressed {
    /// The layers that remain.
    pub model: Model,
    /// The form of each of its layers.
    pub forms: Vec<Form>,
    /// The format of the layers that are not quantized.
    pub precision: Precision,
}

/// The device that a compressed model runs on: its dense peaks by format, and its memory bandwidth.
#[derive(Clone, Debug)]
pub struct Target {
    peaks: BTreeMap<Precision, DeviceFlopRate>,
    bandwidth: DeviceBandwidth,
    /// True if its matrix units skip the zeros of the 2:4 pattern.
    pub skips_zeros: bool,
}

/// The cost of one layer in one forward pass after compression.
#[derive(Clone, Copy, Debug)]
pub struct Take {
    /// FLOPs; products with weights that pruning set to zero are left out.
    pub flops: Flops,
    /// Weights that are kept, as a count.
    pub parameters: u64,
    /// Bytes of the weights that are kept.
    pub weights: Data,
    /// Bytes moved: weights read, activations read and written.
    pub moved: Data,
    /// The least time on the target.
    pub bound: Option<Bound>,
}

impl Compressed {
    /// The model with every setting of `compression` but its teacher, on top of weights in
    /// `precision`.
    ///
    /// # Errors
    /// If a named group is not in the model, or cannot be pruned.
    pub fn new(model: &Model, precision: Precision, compression: &Compression) -> Result<Self> {
        let has = |role: &Role| model.layers.iter().any(|it| it.role == *role && weighs(it));
        let groups = compression.pruning.keys().chain(compression.quantization.keys());
        for group in groups.chain(compression.low_rank.keys()) {
            let (found, what) = match group {
                Some(role) => (has(role), role.name()),
                None => (USUAL.iter().any(has), "such"),
            };
            if !found {
                let present: Vec<_> =
                    NAMED.iter().filter(|role| has(role)).map(|r| r.name()).collect();
                return Err(Error::input(format!("{} has no {what} weights", model.name))
                    .hint(format!("it has {}", present.join(", "))));
            }
        }
        let model = depth::blocks(model, compression.layer_drop)?;
        let model = prune::units(&model, &compression.pruning)?;
        let model = factor::factors(&model, &compression.low_rank)?;
        let form = |layer: &Layer| {
            let sparse = setting(&compression.pruning, layer) == Some(Pruning::TwoToFour);
            Form {
                format: setting(&compression.quantization, layer).filter(|_| weighs(layer)),
                sparse: sparse && weighs(layer) && !grouped(layer),
            }
        };
        let forms = model.layers.iter().map(form).collect();
        Ok(Self { model, forms, precision })
    }

    /// The layers of each form, in a model of their own.
    pub fn by_form(&self) -> Vec<(Form, Model)> {
        let mut forms: Vec<(Form, Model)> = Vec::new();
        let empty = Model { layers: Vec::new(), ..self.model.clone() };
        for (layer, form) in self.model.layers.iter().zip(&self.forms) {
            let at = forms.iter().position(|(known, _)| known == form).unwrap_or_else(|| {
                forms.push((*form, empty.clone()));
                forms.len() - 1
            });
            forms[at].1.layers.push(layer.clone());
        }
        forms
    }

    /// The cost of the layer at `index`.
    ///
    /// A 2:4 layer computes half of its matmul FLOPs and keeps half of its weights, at
    /// `(w + 1/4) / 2` bytes per weight of `w` bytes: each kept weight needs two bits for its
    /// position. A target without sparse matrix units runs and stores the layer dense. The bound is
    /// the roofline of the FLOPs that the target runs and the bytes that it moves.
    pub fn take(&self, index: usize, attention: AttentionCount, target: Option<&Target>) -> Take {
        let (layer, form) = (&self.model.layers[index], self.forms[index]);
        let base = self.precision;
        let kept = if form.sparse { 0.5 } else { 1.0 };
        let dense = form.format.map_or(base.size(), Format::weight);
        // Each kept weight of a group of four carries two bits for its position.
        let sparse = (dense + Data::new::<byte>(0.25)) * 0.5;
        let skipped = target.is_none_or(|target| target.skips_zeros);
        let stored = if form.sparse && skipped { sparse } else { dense };
        let products = self.products(form);
        let flops = layer.forward(attention);
        let done = Flops { matmul: flops.matmul * kept, ..flops };
        let moved = roofline::moved(layer, stored, products.size());
        let bound = target.map(|target| {
            let run = if target.skips_zeros { done } else { flops };
            let peak = target.peak(products, base);
            roofline::least(run.matmul, moved, Device { peak, bandwidth: target.bandwidth })
        });
        Take {
            flops: done,
            parameters: if form.sparse { layer.parameters() / 2 } else { layer.parameters() },
            weights: layer.weight_data(stored),
            moved,
            bound,
        }
    }

    /// The costs of all layers, in the order of a forward pass.
    pub fn takes(&self, attention: AttentionCount, target: Option<&Target>) -> Vec<Take> {
        (0..self.forms.len()).map(|index| self.take(index, attention, target)).collect()
    }

    /// Bytes of all weights as stored; a target that skips no zeros stores the zeros too.
    pub fn weight_data(&self, target: Option<&Target>) -> Data {
        self.takes(AttentionCount::Causal, target).iter().map(|take| take.weights).sum()
    }

    /// The matmul FLOPs that the target runs in one forward pass, and the mean dense peak over
    /// them: sum of FLOPs / sum over layers of (FLOPs / peak of the layer's format).
    pub fn run(&self, attention: AttentionCount, target: &Target) -> (Flop, DeviceFlopRate) {
        let (mut flops, mut time) = (Flop::default(), 0.0);
        for (layer, form) in self.model.layers.iter().zip(&self.forms) {
            let kept = if form.sparse && target.skips_zeros { 0.5 } else { 1.0 };
            let run = layer.forward(attention).matmul * kept;
            flops += run;
            time += run.stored() / target.peak(self.products(*form), self.precision).stored();
        }
        let plain = target.peak(self.precision, self.precision);
        let rate =
            if time > 0.0 { DeviceFlopRate::from_stored(flops.stored() / time) } else { plain };
        (flops, rate)
    }

    /// The format of a layer's products: that of its quantization, or the model's own.
    fn products(&self, form: Form) -> Precision {
        form.format.and_then(Format::products).unwrap_or(self.precision)
    }

    /// FLOPs of one forward pass, without products with weights that are zero.
    pub fn forward(&self, attention: AttentionCount) -> Flops {
        self.takes(attention, None).iter().map(|take| take.flops).sum()
    }
}

impl Target {
    /// The accelerator for models whose plain format is `precision`, with the peaks that
    /// `compression` needs.
    ///
    /// # Errors
    /// If its bandwidth, or its peak in one of the formats, is unknown.
    pub fn new(
        accelerator: &Accelerator,
        precision: Precision,
        compression: &Compression,
    ) -> Result<Self> {
        let mut peaks = BTreeMap::from([(precision, accelerator.peak(precision)?.value)]);
        for products in compression.quantization.values().filter_map(|it| it.products()) {
            let peak = accelerator.peak(products).map_err(|error| {
                error.hint("int4 quantizes weights alone and computes in the model's own format")
            })?;
            peaks.insert(products, peak.value);
        }
        let bandwidth = accelerator.bandwidth.as_ref().ok_or_else(|| {
            Error::input(format!("the memory bandwidth of {} is unknown", accelerator.id))
        })?;
        let skips_zeros = accelerator.sparsity == "2:4";
        Ok(Self { peaks, bandwidth: bandwidth.value, skips_zeros })
    }
}

impl Target {
    /// The peak of a format, looked up when the target was made.
    fn peak(&self, products: Precision, base: Precision) -> DeviceFlopRate {
        let peak = self.peaks.get(&products).or(self.peaks.get(&base));
        *peak.expect("Target::new looks up the peak of every format in use")
    }
}

/// The setting of a layer's group: that of its own name, or the one for all usual groups.
fn setting<T: Copy>(groups: &ByGroup<T>, layer: &Layer) -> Option<T> {
    let named = groups.get(&Some(layer.role));
    named.or_else(|| groups.get(&None).filter(|_| USUAL.contains(&layer.role))).copied()
}

/// True if the layer has weights that meet activations in products.
fn weighs(layer: &Layer) -> bool {
    let products = matches!(
        layer.operator,
        Operator::Dense(_) | Operator::Convolution(_) | Operator::Recurrent(_) | Operator::Bulk(_)
    );
    products && layer.operator.parameters() > 0
}

/// True for grouped convolutions, which are too narrow for sparse matrix units.
fn grouped(layer: &Layer) -> bool {
    matches!(&layer.operator, Operator::Convolution(it) if it.groups > 1)
}

#[cfg(test)]
mod tests;
