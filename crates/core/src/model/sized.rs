//! A model known by its size: its parameters, those that a token passes, and what else is said of
//! its shape. The rest is the usual shape of a decoder of that size, listed as assumed.
//!
//! The width follows the size, h = 1,495 N^0.420 with N in billions of parameters that a token
//! passes: the least-squares fit over the presets that are dense decoders of 1B parameters and more,
//! which a test repeats (Kaplan et al. 2020, arXiv:2001.08361, section 3.1, found that loss hardly
//! depends on the shape; Levine et al. 2020, arXiv:2006.12467, that the best depth grows slower than
//! the width). The depth is what makes up the parameters with gated MLPs of 3.2 h, the median of
//! these presets. What rounding leaves over stands in a layer of its own, so that the parameters are
//! exactly those given.

use serde_json::{Map, Value as Json, json};

use super::config;
use super::input::Input;
use super::layer::{Layer, Role};
use super::operator::{Bulk, Operator};
use super::total::{Assumption, Model};
use crate::diagnostic::{Error, Result};
use crate::quantity::text::count as shown;

/// Width of a decoder of 1B parameters.
const WIDTH: f64 = 1495.0;
/// Growth of the width with the parameters: (N / 1B)^this.
const WIDTH_EXPONENT: f64 = 0.420;
/// Inner width of the MLPs that a token passes / width.
const FFN: f64 = 3.2;
/// Experts that a token visits: the mode of the presets with routed experts.
const TOP_K: u64 = 8;
/// Experts of a layer at most; the presets have up to 512.
const MOST_EXPERTS: u64 = 1024;
/// Key and value heads: the median of the presets.
const KV_HEADS: u64 = 8;
/// Fewer parameters make no decoder; only their number counts.
const FEWEST: u64 = 100_000;

/// The statement of a model that is known by its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelSize {
    /// All parameters.
    pub total: u64,
    /// Parameters that one token passes through.
    pub active: u64,
    /// The extents that are known.
    pub shape: Shape,
}

macro_rules! shape {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// Extents of a decoder, as far as they are known.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Shape { $($(#[$doc])* pub $name: Option<u64>,)+ }

        impl Shape {
            /// The keys of a scenario.
            pub const KEYS: &[&str] = &[$(stringify!($name)),+];

            /// Sets an extent by its key.
            pub(super) fn set(&mut self, key: &str, value: u64) {
                match key { $(stringify!($name) => self.$name = Some(value),)+ _ => {} }
            }

            /// The key of an extent that is said.
            fn first(&self, keys: &[&'static str]) -> Option<&'static str> {
                let said = [$((stringify!($name), self.$name.is_some())),+];
                keys.iter().copied().find(|key| said.contains(&(key, true)))
            }
        }
    };
}

shape! {
    /// Blocks.
    layers,
    /// Width of the residual stream.
    hidden,
    /// Query heads.
    heads,
    /// Key and value heads.
    kv_heads,
    /// Features of a head.
    head_dim,
    /// Inner width of a dense MLP; beside experts, of the shared ones together.
    ffn,
    /// Entries of the vocabulary.
    vocab,
    /// Routed experts of a layer.
    experts,
    /// Routed experts that a token visits.
    top_k,
    /// Inner width of one expert.
    expert_ffn,
}

/// The extents of a decoder, said or usual.
#[derive(Clone, Copy, Debug)]
struct Settled {
    layers: u64,
    hidden: u64,
    heads: u64,
    kv_heads: u64,
    head_dim: u64,
    vocab: u64,
    ffn: u64,
    experts: Option<Experts>,
}

/// Routed experts of a layer: their number, how many a token visits, the inner width of one.
#[derive(Clone, Copy, Debug)]
struct Experts {
    count: u64,
    top_k: u64,
    ffn: u64,
}

impl ModelSize {
    /// A size without further extents: `total` parameters, `active` of them per token.
    pub fn new(total: u64, active: u64) -> Self {
        Self { total, active, shape: Shape::default() }
    }

    /// Reads a size as people say it: `7B`, `1.5T`, `671B-A37B`; `None` if it is no size.
    ///
    /// ```
    /// use flopcast_core::model::sized::ModelSize;
    /// let size = ModelSize::named("671B-A37B").unwrap();
    /// assert_eq!((size.total, size.active), (671_000_000_000, 37_000_000_000));
    /// assert_eq!(ModelSize::named("7 billion parameters"), ModelSize::named("7B"));
    /// assert!(ModelSize::named("seven").is_none());
    /// ```
    pub fn named(text: &str) -> Option<Self> {
        let (total, active) = said(text)?;
        (active <= total).then(|| Self::new(total, active))
    }

    /// The name that says the size: `7B`, `671B-A37B`.
    pub fn name(&self) -> String {
        if self.active == self.total {
            shown(self.total as f64)
        } else {
            format!("{}-A{}", shown(self.total as f64), shown(self.active as f64))
        }
    }

    /// The model on an input: a decoder of the usual shape with exactly these parameters.
    ///
    /// # Errors
    /// If the extents that are said make more parameters than there are, or do not fit together.
    pub fn build(&self, input: &Input) -> Result<Model> {
        let dense = self.active == self.total;
        if dense && let Some(key) = self.shape.first(&["experts", "top_k", "expert_ffn"]) {
            let message = format!("`{key}` needs `active`: the parameters that a token passes");
            return Err(Error::input(message).hint("e.g. {parameters: 671B, active: 37B}"));
        }
        if self.active < FEWEST && self.shape == Shape::default() {
            return self.bulk(input);
        }
        let settled = self.settle()?;
        let mut model =
            config::from_json(&self.name(), &settled.config(), Some("transformer"), input)?;
        let counted = model.parameters();
        let left = |all: u64, counted: u64, what: &str| {
            all.checked_sub(counted).ok_or_else(|| {
                Error::input(format!(
                    "{}: this shape has {} {what}parameters, more than the {} given",
                    self.name(),
                    shown(counted as f64),
                    shown(all as f64),
                ))
                .hint("leave out the extent that is not known")
            })
        };
        let parameters = left(self.total, counted.total, "")?;
        let active = left(self.active, counted.active, "active ")?;
        if active > parameters {
            let message = format!(
                "{}: {} experts of {} leave more parameters to a token than to the whole",
                self.name(),
                settled.experts.map_or(0, |it| it.count),
                settled.experts.map_or(0, |it| it.ffn),
            );
            return Err(Error::input(message).hint("leave out `expert_ffn` or `experts`"));
        }
        let rows = input.batch.saturating_mul(model.input.sequence.unwrap_or(1));
        let rest = Operator::Bulk(Bulk { parameters, active, rows });
        let mut layers = std::mem::take(&mut model.layers);
        layers.push(Layer::new("rest", Role::Other, rest));
        let whole = Model::new(model.name, layers, model.input, model.extents.max_sequence)?;
        let mut model = Model { assumptions: model.assumptions, ..whole };
        model.extents.assumed = true;
        model.assumptions.extend(self.assumptions(&settled));
        Ok(model)
    }

    /// A model too small for a decoder: 2 FLOP per active parameter and token (Kaplan et al. 2020,
    /// arXiv:2001.08361, section 2.1), attention products left out.
    fn bulk(&self, input: &Input) -> Result<Model> {
        let sequence = input.sequence.unwrap_or(2048);
        let rows = input.batch.saturating_mul(sequence);
        let operator = Operator::Bulk(Bulk { parameters: self.total, active: self.active, rows });
        let all = Layer::new("parameters", Role::Other, operator);
        let input = Input { sequence: Some(sequence), ..*input };
        let mut model = Model::new(self.name(), vec![all], input, None)?;
        model.assumptions.push(Assumption {
            what: "forward FLOPs".to_owned(),
            value: "2 x active parameters x tokens".to_owned(),
            why: "so few parameters make no decoder; attention products are left out".to_owned(),
        });
        Ok(model)
    }

    /// The extents that are said, and the usual ones of this size for the others.
    fn settle(&self) -> Result<Settled> {
        let Shape { layers, hidden, heads, kv_heads, head_dim, ffn, vocab, .. } = self.shape;
        let size = self.active as f64;
        let hidden = hidden.unwrap_or_else(|| match heads.zip(head_dim) {
            Some((heads, features)) => heads.saturating_mul(features),
            None => width(size),
        });
        let usual = if hidden < 1024 { 64 } else { 128 };
        let heads = heads.unwrap_or_else(|| (hidden / head_dim.unwrap_or(usual)).max(1));
        let head_dim = head_dim.unwrap_or_else(|| (hidden / heads.max(1)).max(1));
        let kv_heads = kv_heads.unwrap_or_else(|| shared_heads(heads));
        let usual = if size < 1e9 { 50_304 } else { 128_256 };
        // A table is at most a quarter of a small model.
        let most = (self.active / 4 / hidden.max(1)).max(1);
        let vocab = vocab.unwrap_or_else(|| most.min(usual));
        let extents = [Some(hidden), Some(heads), Some(head_dim), Some(kv_heads), layers, ffn];
        let sizes = extents.into_iter().flatten().chain([vocab]);
        if let Some(wrong) = sizes.into_iter().find(|it| !(1..=1 << 32).contains(it)) {
            let message = format!("{}: an extent of {wrong} makes no model", self.name());
            return Err(Error::input(message));
        }
        let [h, v] = [hidden, vocab].map(|it| it as f64);
        let attention = h * head_dim as f64 * 2.0 * (heads + kv_heads) as f64;
        let fixed = attention + 2.0 * h + if self.active < self.total { h * 1024.0 } else { 0.0 };
        let blocks = size - v * h - h;
        let layers = layers.unwrap_or_else(|| {
            let wanted = blocks / (fixed + 3.0 * h * ffn.map_or(FFN * h, |ffn| ffn as f64));
            let layers = if wanted < 16.0 { wanted.round() } else { (wanted / 4.0).round() * 4.0 };
            layers.clamp(1.0, 1024.0) as u64
        });
        let plain =
            Settled { layers, hidden, heads, kv_heads, head_dim, vocab, ffn: 0, experts: None };
        // The widths of all MLPs that a token passes in a layer together.
        let room = ((blocks / layers as f64 - fixed) / (3.0 * h)).max(0.0);
        if self.active == self.total {
            return Ok(Settled { ffn: ffn.unwrap_or_else(|| grid(room)).max(1), ..plain });
        }
        let Some(experts) = self.experts(&plain, room)? else {
            return Ok(Settled { ffn: ffn.unwrap_or_else(|| grid(room)).max(1), ..plain });
        };
        let shared = room - (experts.top_k * experts.ffn) as f64;
        let shared = ffn.unwrap_or_else(|| grid(shared.max(0.0)));
        Ok(Settled { ffn: shared, experts: Some(experts), ..plain })
    }

    /// The experts of a layer: so many and so wide that all but those of a token make up the
    /// parameters that a token does not pass. `room` is the width that a token passes. Too few
    /// parameters for one expert more than a token visits make none.
    fn experts(&self, settled: &Settled, room: f64) -> Result<Option<Experts>> {
        let Shape { experts, top_k, expert_ffn, .. } = self.shape;
        // Weights of an expert by its width.
        let matrices = 3.0 * (settled.hidden * settled.layers) as f64;
        let idle = (self.total - self.active) as f64 / matrices;
        if idle < 1.0 || room < 1.0 {
            return Ok(None);
        }
        let top_k = top_k.unwrap_or_else(|| {
            let most = experts.map_or(MOST_EXPERTS, |all| all.min(MOST_EXPERTS));
            // Where few of the parameters are active, a token visits fewer but wider experts.
            let fits = |k: u64| idle * k as f64 <= room * most.saturating_sub(k) as f64;
            [TOP_K, 4, 2].into_iter().find(|k| *k < most && fits(*k)).unwrap_or(1)
        });
        let wide = expert_ffn.map_or(room / top_k.max(1) as f64, |ffn| ffn as f64).max(1.0);
        let count = experts.unwrap_or_else(|| {
            let others = idle / wide;
            // Whole groups of eight, so that devices can share them.
            let all = (others + top_k as f64) / 8.0;
            let all = if expert_ffn.is_some() { all.floor() } else { all.ceil() };
            ((all * 8.0) as u64).min(top_k + idle as u64).max(top_k + 1)
        });
        if experts.is_none() && count > MOST_EXPERTS {
            return Ok(None);
        }
        if top_k == 0 || count <= top_k {
            let message = format!("{top_k} of {count} experts a token leave no expert out");
            return Err(Error::input(message).hint("more experts, or a smaller `top_k`"));
        }
        let ffn = expert_ffn.unwrap_or_else(|| (idle / (count - top_k) as f64).max(1.0) as u64);
        Ok(Some(Experts { count, top_k, ffn }))
    }

    /// The extents that nobody said, each with its value and the reason for it.
    fn assumptions(&self, settled: &Settled) -> Vec<Assumption> {
        let shape = &self.shape;
        let experts = settled.experts;
        let size = shown(self.active as f64);
        let width =
            format!("the usual width of a decoder in which a token passes {size} parameters");
        let depth = "as many blocks as make up the parameters".to_owned();
        let inner = if experts.is_some() {
            "shared experts together: what routed experts leave to a token".to_owned()
        } else {
            "what the other parts leave of the parameters".to_owned()
        };
        let rows = [
            ("layers", shape.layers, Some(settled.layers), depth),
            ("hidden", shape.hidden, Some(settled.hidden), width),
            ("heads", shape.heads, Some(settled.heads), "heads of 128, or 64 below 1,024".to_owned()),
            (
                "kv_heads",
                shape.kv_heads,
                Some(settled.kv_heads),
                "grouped queries, as most presets: 8 key and value heads where they divide the others".to_owned(),
            ),
            ("ffn", shape.ffn, Some(settled.ffn), inner),
            ("vocab", shape.vocab, Some(settled.vocab), "usual at this size; the head is tied to it, so that every parameter is multiplied once".to_owned()),
            ("experts", shape.experts, experts.map(|it| it.count), "as many as make up the parameters that a token does not pass".to_owned()),
            ("top_k", shape.top_k, experts.map(|it| it.top_k), "as most presets with experts, fewer where little is active".to_owned()),
            ("expert_ffn", shape.expert_ffn, experts.map(|it| it.ffn), "what the number of experts leaves".to_owned()),
        ];
        let unsaid = rows.into_iter().filter(|(_, said, ..)| said.is_none());
        let listed = unsaid.filter_map(|(key, _, value, why)| {
            Some(Assumption { what: format!("model.{key}"), value: value?.to_string(), why })
        });
        listed.collect()
    }
}

impl Settled {
    /// The section `transformer` of a scenario that has these extents.
    fn config(&self) -> Json {
        let mut config = Map::new();
        let mut set = |key: &str, value: Json| config.insert(key.to_owned(), value);
        set("layers", json!(self.layers));
        set("hidden", json!(self.hidden));
        set("heads", json!(self.heads));
        set("kv_heads", json!(self.kv_heads));
        set("head_dim", json!(self.head_dim));
        set("vocab", json!(self.vocab));
        set("ffn", json!(self.ffn.max(1)));
        set("tied_embeddings", json!(true));
        if let Some(Experts { count, top_k, ffn }) = self.experts {
            set(
                "moe",
                json!({"experts": count, "top_k": top_k, "expert_ffn": ffn, "shared_ffn": self.ffn}),
            );
        }
        Json::Object(config)
    }
}

/// The usual width of a decoder in which a token passes so many parameters, in whole groups of 4 or
/// 8 heads that devices can share.
fn width(active: f64) -> u64 {
    let exact = WIDTH * (active / 1e9).powf(WIDTH_EXPONENT);
    let step = match exact {
        4096.0.. => 1024.0,
        1024.0.. => 512.0,
        256.0.. => 256.0,
        _ => 64.0,
    };
    // The nearest by ratio.
    let below = (exact / step).floor() * step;
    let above = below + step;
    (if below > 0.0 && exact / below < above / exact { below } else { above }) as u64
}

/// Key and value heads that so many query heads share evenly, 8 where they can, else 4, 2 or 1.
fn shared_heads(heads: u64) -> u64 {
    (1 << heads.trailing_zeros().min(10)).min(KV_HEADS)
}

/// A width rounded down to what devices share evenly.
fn grid(width: f64) -> u64 {
    let step = if width >= 1024.0 { 128.0 } else { 1.0 };
    ((width / step).floor() * step) as u64
}

/// Reads a count such as 175B, 1.5e12 or `300_000`: K, M, B (or G) and T are powers of 1,000.
pub(super) fn parse(text: &str) -> Option<u64> {
    let plain = text.trim().replace('_', "");
    let digits = plain.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let scale = match &plain[digits.len()..] {
        "" => 1.0,
        "K" | "k" => 1e3,
        "M" | "m" => 1e6,
        "B" | "G" | "b" | "g" => 1e9,
        "T" | "t" => 1e12,
        _ => return None,
    };
    bounded(digits.parse::<f64>().ok()? * scale)
}

/// Parameters and active ones of a size as people say it, whether or not they can be.
fn said(text: &str) -> Option<(u64, u64)> {
    let mut plain = String::new();
    for word in text.split_whitespace() {
        match word.to_lowercase().as_str() {
            "params" | "parameters" | "param" => {}
            "billion" | "bn" | "b" => plain.push('B'),
            "million" | "m" => plain.push('M'),
            "trillion" | "t" => plain.push('T'),
            _ if plain.is_empty() => plain.push_str(word),
            _ => plain.extend(["-", word]),
        }
    }
    let (total, active) = match plain.split_once(['-', '_']) {
        Some((total, active)) => (total, active.strip_prefix(['A', 'a'])?),
        None => (&*plain, &*plain),
    };
    let with_unit = |text: &str| {
        let number = text.strip_suffix(['K', 'k', 'M', 'm', 'B', 'b', 'G', 'g', 'T', 't'])?;
        let plain = number.bytes().all(|it| it.is_ascii_digit() || it == b'.' || it == b'_');
        plain.then(|| parse(text)).flatten()
    };
    Some((with_unit(total)?, with_unit(active)?))
}

/// Why a text that says a size says none that can be.
pub(super) fn contradiction(text: &str) -> Option<String> {
    let (total, active) = said(text).filter(|(total, active)| active > total)?;
    let [total, active] = [total, active].map(|count| shown(count as f64));
    Some(format!("{active} parameters that a token passes are more than the {total} of all"))
}

/// A count, where it is one that a model may have: at most 2^56 parameters.
pub(super) fn bounded(number: f64) -> Option<u64> {
    (1.0..7.2e16).contains(&number).then(|| number.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::spec::{from_preset, preset_names};

    /// The width's constants are the least-squares fit over the dense decoders of 1B parameters and
    /// more among the presets, each shape once.
    #[test]
    fn the_width_follows_the_presets() {
        let mut shapes: Vec<(u64, u64, u64, bool)> = Vec::new();
        let mut points: Vec<(f64, f64)> = Vec::new();
        for name in preset_names() {
            let Ok(model) = from_preset(name, &Input::default()) else { continue };
            let (it, total) = (&model.extents, model.parameters().total);
            let parts = it.weights;
            let told = parts.mixing + parts.dense + parts.head + parts.embedding;
            let plain = it.is_transformer() && it.experts.is_none() && parts.head > 0;
            let shape = (it.layers, it.hidden, it.ffn, it.gated);
            let whole = told as f64 > 0.98 * total as f64;
            if plain && whole && total >= 1_000_000_000 && !shapes.contains(&shape) {
                shapes.push(shape);
                points.push(((total as f64 / 1e9).ln(), (it.hidden as f64).ln()));
            }
        }
        let n = points.len() as f64;
        assert!(n > 80.0, "{n} shapes");
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
        let (x, y) = (mean(|p| p.0), mean(|p| p.1));
        let (xx, xy) = (mean(|p| p.0 * p.0) - x * x, mean(|p| p.0 * p.1) - x * y);
        let exponent = xy / xx;
        let width = (y - exponent * x).exp();
        let fit = format!("{width} N^{exponent} of {n} shapes");
        assert!((exponent - WIDTH_EXPONENT).abs() < 0.005, "{fit}");
        assert!((width / WIDTH - 1.0).abs() < 0.01, "{fit}");
        let mut ratios: Vec<f64> =
            // Those without a gate are four times as wide and have two matrices for three.
            shapes.iter().filter(|it| it.3).map(|it| it.2 as f64 / it.1 as f64).collect();
        ratios.sort_by(f64::total_cmp);
        let median = ratios[ratios.len() / 2];
        assert!((median - FFN).abs() < 0.3, "{median}");
    }

    #[test]
    fn a_size_is_read_as_people_say_it() {
        let cases = [
            ("7B", Some((7_000_000_000, 7_000_000_000))),
            ("1.5T", Some((1_500_000_000_000, 1_500_000_000_000))),
            ("671B-A37B", Some((671_000_000_000, 37_000_000_000))),
            ("30b-a3b", Some((30_000_000_000, 3_000_000_000))),
            ("125M", Some((125_000_000, 125_000_000))),
            ("37B-A671B", None),
            ("gpt2", None),
            ("7", None),
            ("B", None),
            ("1e3B", None),
            ("llama-7b", None),
            ("7B-chat", None),
        ];
        for (text, expected) in cases {
            let read = ModelSize::named(text).map(|it| (it.total, it.active));
            assert_eq!(read, expected, "{text}");
        }
        assert_eq!(ModelSize::new(671_000_000_000, 37_000_000_000).name(), "671B-A37B");
    }
}
