//! One token of an answer: what its forward pass computes and reads.
//!
//! A decode step of a batch reads the weights once and each sequence's cache, so these four numbers
//! and the batch make its roofline: FLOPs x batch against weights + cache x batch. `flopcast model
//! --decode` shows them; the serving engine has a model of its own (`serving::step`), which counts
//! the same cache.

use std::collections::HashMap;

use super::extents::Reach;
use super::input::{AttentionCount, Input};
use super::layer::{Part, Role};
use super::operator::{Attention, Mask};
use super::{Flops, Layer, Model, Operator, roofline};
use crate::diagnostic::{Error, Result};
use crate::quantity::{Data, Measure as _, Precision, Time};

/// The forward pass of one token that follows a context, for one sequence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decode {
    /// Tokens before it: those of the prompt for an encoder-decoder.
    pub context: u64,
    /// FLOPs of the token.
    pub flops: Flops,
    /// Part of the FLOPs that attention and scans take; it grows with the context, or works on a
    /// state.
    pub mixing: Flops,
    /// Bytes of the weights that it passes through, read once for all sequences of a batch.
    pub weights: Data,
    /// Bytes of keys, values and recurrent states that it reads, per sequence.
    pub cache: Data,
    /// Parameters that it passes through, tables of tokens left out.
    pub active: u64,
}

impl Decode {
    /// One token of the model that `build` makes at an input, after `context` others, with weights
    /// of `weight` bytes and a cache of `cached` bytes a number.
    ///
    /// FLOPs are those of a sequence of one position, except that attention looks at `context` keys:
    /// 2 x heads x keys x (key + value width), keys within the window. Latent attention looks at the
    /// latent itself, as engines do (DeepSeek-V2, arXiv:2405.04434, section 2.1.2): 2 x heads x keys
    /// x (kept + rank). What a longer text leaves as it is has run before: an encoder of images or
    /// sound. An encoder-decoder has read its prompt: a token is what a second position of the
    /// decoder adds to a first.
    ///
    /// # Errors
    /// If the model cannot be built, or does not generate tokens.
    pub fn of(
        build: impl Fn(&Input) -> Result<Model>,
        input: &Input,
        context: u64,
        (weight, cached): (Data, Data),
    ) -> Result<Self> {
        let alone = Input { batch: 1, decoder_sequence: None, ..*input };
        let model = build(&Input { sequence: Some(context.max(1)), ..alone })?;
        let looks_back = |layer: &Layer| match &layer.operator {
            Operator::Attention(it) => !matches!(it.mask, Mask::Full | Mask::Band(_)),
            Operator::Scan(_) => true,
            _ => false,
        };
        let extents = &model.extents;
        let none = || {
            Err(Error::input(format!("{} does not generate tokens", model.name))
                .hint("leave --decode out: its input passes it once"))
        };
        if extents.vocabulary == 0 || !model.layers.iter().any(looks_back) {
            return none();
        }
        let (flops, mixing, active) = if model.input.decoder_sequence.is_some() {
            let of = |positions| {
                build(&Input {
                    sequence: Some(context.max(1)),
                    decoder_sequence: Some(positions),
                    ..alone
                })
            };
            added(&of(1)?, &of(2)?)
        } else {
            // The text behind an encoder of images is the decoder's.
            let of = |length| {
                let length = Some(length);
                build(&Input { sequence: length, decoder_sequence: length, ..alone })
            };
            let (one, longer) = (of(1)?, of(context.max(2))?);
            let [at_one, at_more] = [&one, &longer].map(by_name);
            let runs = |layer: &&Layer| layer.count > 0;
            let total = |layer: &Layer| at_one.get(&*layer.name).copied().unwrap_or(0.0);
            let moves =
                |layer: &&Layer| at_more.get(&*layer.name).is_none_or(|more| *more > total(layer));
            let layers = || one.layers.iter().filter(runs).filter(moves);
            if !layers().any(|layer| layer.role == Role::Head) {
                return none();
            }
            let each = |layer: &Layer| after(layer, context.saturating_add(1), &model);
            let mixes = |layer: &&Layer| {
                matches!(layer.operator, Operator::Attention(_) | Operator::Scan(_))
            };
            let weights = model.extents.weights;
            let experts = model.extents.experts.map_or(0, |experts| experts.top_k);
            let all = weights.mixing + weights.dense + weights.head + weights.expert * experts;
            let main = |layer: &&Layer| layer.part == Part::Main && total(layer) > 0.0;
            let run_before = one.layers.iter().filter(runs).filter(main);
            let run_before = run_before.filter(|layer| !moves(layer));
            let run_before: u64 = run_before.map(Layer::parameters).sum();
            let mixing = layers().filter(mixes).map(each).sum();
            (layers().map(each).sum(), mixing, all.saturating_sub(run_before))
        };
        let read = |mixer: &super::extents::Mixer| {
            let seen = match mixer.reach {
                Reach::All => context,
                Reach::Window(most) | Reach::Selected(most) => context.min(most),
                Reach::Chunk(length) => context % length.max(1),
            };
            let state = mixer.stored.map_or(Data::default(), Precision::size);
            cached * (mixer.kept * mixer.layers) as f64 * seen as f64
                + state * (mixer.state * mixer.layers) as f64
        };
        Ok(Self {
            context,
            flops,
            mixing,
            weights: weight * active as f64,
            cache: model.extents.mixers.iter().map(read).fold(Data::from_stored(0.0), |a, b| a + b),
            active,
        })
    }
}

impl Decode {
    /// The least time of the token alone on a device: max(FLOPs / peak, (weights + cache) /
    /// bandwidth).
    pub fn least(&self, device: roofline::Device) -> Time {
        roofline::least(self.flops.matmul, self.weights + self.cache, device).time
    }
}

/// FLOPs of the layers of each name.
fn by_name(model: &Model) -> HashMap<&str, f64> {
    let mut sums = HashMap::new();
    for layer in &model.layers {
        let flops = layer.forward(AttentionCount::Causal).total().value;
        *sums.entry(&*layer.name).or_insert(0.0) += flops;
    }
    sums
}

/// FLOPs of a layer at one position that attends to `keys`. Latent attention works on the latent
/// itself: its queries are projected into it, and its values out of it.
fn after(layer: &Layer, keys: u64, model: &Model) -> Flops {
    let Operator::Attention(it) = &layer.operator else {
        return layer.forward(AttentionCount::Causal);
    };
    if matches!(it.mask, Mask::Full) && it.cross {
        return layer.forward(AttentionCount::Causal);
    }
    // An indexer keeps keys of its own.
    let keeps = layer.role != Role::Router && it.cached.is_some_and(|kept| kept > it.v_dim);
    let latent = model.extents.latent.filter(|_| keeps);
    let (qk_dim, v_dim) = match (latent, it.cached) {
        (Some(latent), Some(kept)) => (kept, latent.key_value_rank),
        _ => (it.qk_dim, it.v_dim),
    };
    let seen = Attention { queries: 1, keys, qk_dim, v_dim, ..*it };
    let layer = Layer { operator: Operator::Attention(seen), ..layer.clone() };
    layer.forward(AttentionCount::Causal)
}

/// The difference between two models, layer by layer: FLOPs, those of attention, and the parameters
/// of the layers that have more.
fn added(first: &Model, second: &Model) -> (Flops, Flops, u64) {
    let (mut flops, mut mixing, mut active) = (Flops::default(), Flops::default(), 0);
    for (one, two) in first.layers.iter().zip(&second.layers) {
        let of = |layer: &Layer| layer.forward(AttentionCount::Causal);
        let more = of(two) + of(one) * -1.0;
        if more.total().value <= 0.0 {
            continue;
        }
        flops += more;
        if matches!(two.operator, Operator::Attention(_)) {
            mixing += more;
        }
        if !matches!(two.operator, Operator::Embedding(_)) {
            active += two.operator.parameters() * two.count;
        }
    }
    (flops, mixing, active)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::spec;
    use crate::quantity::Precision;

    fn decode(name: &str, context: u64) -> Decode {
        let sixteen = Precision::Bf16.size();
        Decode::of(
            |input| spec::from_preset(name, input),
            &Input::default(),
            context,
            (sixteen, sixteen),
        )
        .expect("a model that generates")
    }

    #[test]
    fn a_token_reads_the_weights_once_and_the_cache_of_its_context() {
        // Llama 3 8B (arXiv:2407.21783): 8.03e9 parameters, of them 525.3e6 in the table; 32 layers
        // of 8 heads of 128 for keys and for values.
        let token = decode("llama-3-8b", 8192);
        assert_eq!(token.active, 8_030_261_248 - 128_256 * 4096);
        assert!((token.cache.value - 32.0 * 2.0 * 8.0 * 128.0 * 2.0 * 8192.0).abs() < 1.0);
        let attention = 2.0 * 32.0 * 32.0 * 8193.0 * 256.0;
        let norms = 65.0 * 4096.0;
        let products = 2.0 * (token.active as f64 - norms);
        let flops = token.flops.matmul.value;
        assert!((flops / (products + attention) - 1.0).abs() < 1e-9, "{flops}");
        let short = decode("llama-3-8b", 1);
        assert!((short.weights.value - token.weights.value).abs() < 1.0);
        assert!(short.flops.matmul < token.flops.matmul && short.cache < token.cache);
    }

    #[test]
    fn a_latent_is_attended_to_as_it_is_kept() {
        // DeepSeek-V3 (arXiv:2412.19437): 61 layers, 128 heads, a latent of 512 and 64 rotary.
        let token = decode("deepseek-v3", 4096);
        assert!((token.cache.value - 61.0 * 576.0 * 2.0 * 4096.0).abs() < 1.0);
        let attention = 2.0 * 61.0 * 128.0 * 4097.0 * (576.0 + 512.0);
        assert!((token.mixing.matmul.value / attention - 1.0).abs() < 1e-9);
        assert!((token.active as f64 / 36.6e9 - 1.0).abs() < 0.02, "{}", token.active);
    }

    #[test]
    fn an_encoder_has_run_before() {
        // T5-base (arXiv:1910.10683): 12 + 12 layers of 12 heads of 64, 3072 wide MLPs.
        let token = decode("t5-base", 500);
        let decoder = 12.0 * (4.0 * 768.0 * 768.0 + 2.0 * 768.0 * 768.0 + 2.0 * 768.0 * 3072.0);
        let products = 2.0 * (decoder + 768.0 * 32128.0);
        // Across to the 500 of the prompt, and to one token of its own.
        let across = 12.0 * 4.0 * 768.0 * 502.0;
        let flops = token.flops.matmul.value;
        assert!((flops / (products + across) - 1.0).abs() < 1e-3, "{flops} {products}");
    }

    #[test]
    fn a_chunk_begins_anew() {
        // Llama 4 Scout: 12 of 48 layers see all, the others their chunk of 8,192, with keys and
        // values of 8 heads of 128.
        let token = decode("llama-4-scout", 10_000);
        let seen = 12.0 * 10_000.0 + 36.0 * 1_808.0;
        assert!((token.cache.value / (seen * 2.0 * 8.0 * 128.0 * 2.0) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn an_indexer_looks_at_keys_of_its_own() {
        // DeepSeek-V3.2 (arXiv:2512.02556): 64 heads of 128 over all keys, 128 heads over the
        // 2,048 that they pick; each value of the indexer is one score.
        let token = decode("deepseek-v3.2", 8192);
        let attends = 2.0 * 128.0 * 2048.0 * (576.0 + 512.0);
        let picks = 2.0 * 64.0 * 8193.0 * 128.0;
        let right = 61.0 * (attends + picks);
        assert!((token.mixing.matmul.value / right - 1.0).abs() < 0.01);
    }

    #[test]
    fn an_encoder_of_images_has_run_before() {
        for name in ["donut-base", "trocr-base-handwritten", "blip-image-captioning-base"] {
            let token = decode(name, 64);
            let most = 4.0 * token.active as f64;
            assert!(token.flops.matmul.value < most, "{name}: {token:?}");
        }
        // Donut (arXiv:2111.15664): four layers of a BART decoder, 1,024 wide, MLPs of 4,096, which
        // ask the image (keys and values of it are there), and a head over 57,525 words.
        let block = 6.0 * 1024.0 * 1024.0 + 2.0 * 1024.0 * 4096.0;
        let decoder = 4.0 * block + 1024.0 * 57_525.0;
        let active = decode("donut-base", 64).active as f64;
        assert!((active / decoder - 1.0).abs() < 0.01, "{active}");
    }

    #[test]
    fn networks_have_no_next_token() {
        let sixteen = Precision::Bf16.size();
        for name in ["resnet50", "vit-base-patch16-224", "bert-base", "sdxl", "sdxl-turbo"] {
            let build = |input: &Input| spec::from_preset(name, input);
            let error = Decode::of(build, &Input::default(), 8, (sixteen, sixteen)).unwrap_err();
            assert!(error.to_string().contains("does not generate"), "{error}");
        }
    }
}
