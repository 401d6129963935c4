//! Speculative decoding: the draft and what its guesses cost.

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::{AttentionCount, Input as ModelInput, Spec};
use flopcast_core::provenance::{Basis, Input};
use flopcast_core::quantity::{FlopPerToken, Measure, show};
use flopcast_core::serving::plan::{Draft, FlopPerRequest, KvPerToken, Speculation};

use super::super::file::{Inference, Speculative};
use super::super::reader::Located;
use super::Files;
use super::traffic::Asked;
use super::training::built;

/// More guesses than any engine makes.
const MOST: u32 = 64;

/// The guesses of a service whose verification takes `decode` FLOPs for each token.
///
/// # Errors
/// Guesses for a network that generates nothing, none, or too many.
pub(super) fn plan(
    given: &Speculative,
    service: &Inference,
    files: &dyn Files,
    asked: &Asked,
    decode: f64,
) -> Result<Speculation> {
    let name = |key: &str| format!("inference.speculative.{key}");
    let refuse = |what: &str| Error::input(what).at(Some(&given.tokens.place));
    if asked.classes.iter().all(|class| class.output.is_none()) {
        return Err(refuse("there are no tokens to guess: the model answers in one pass")
            .hint("give inference.traffic.output_tokens, or leave speculative out"));
    }
    if !(1..=MOST).contains(&given.tokens.value) {
        return Err(refuse(&format!("from 1 to {MOST} tokens are guessed for a verification"))
            .hint("3 to 8 are usual; leave inference.speculative out for none"));
    }
    let place = given.tokens.place.cited();
    Ok(Speculation {
        tokens: Input::new(
            name("tokens"),
            f64::from(given.tokens.value),
            Basis::Given { place, source: None },
        ),
        acceptance: given.acceptance.input(&name("acceptance")),
        verification: Input::new(
            "FLOPs of a token",
            FlopPerToken::from_stored(decode),
            Basis::Derived { formula: "forward over the answer / its tokens".to_owned() },
        ),
        draft: match &given.draft {
            Some(spec) => Some(draft(spec, service, files, asked)?),
            None => None,
        },
    })
}

fn draft(
    spec: &Located<Spec>,
    service: &Inference,
    files: &dyn Files,
    asked: &Asked,
) -> Result<Draft> {
    let at = |tokens: f64| {
        let sequence = Some((tokens.round() as u64).max(1));
        built(spec, files, &ModelInput { sequence, ..ModelInput::default() })
    };
    let (mut prefill, mut length) = (0.0, 0.0);
    for class in &asked.classes {
        let (input, output) = class.tokens();
        let share = class.share.value.get();
        let prompt = at(input)?;
        let flops = prompt.forward(AttentionCount::Causal).matmul.value;
        let computed = 1.0 - class.cached.value.get();
        prefill += share * computed * flops / prompt.input.batch.max(1) as f64;
        length += share * (input + output);
    }
    let model = at(length)?;
    let length = length.max(1.0) as u64;
    let weight = service.precision.value.size();
    let kv = service.kv_precision.unwrap_or(service.precision.value).size();
    let cached = model.extents.cached_elements(length) as f64 / length as f64;
    let parameters = model.parameters().total;
    let derived = |formula: String| Basis::Derived { formula };
    Ok(Draft {
        weights: Input::new(
            "weights of the draft",
            weight * parameters as f64,
            derived(format!("{parameters} parameters x {}", show(weight))),
        ),
        kv_per_token: Input::new(
            "KV cache of the draft per token",
            KvPerToken::from_stored(kv.value * cached),
            derived(format!("cached elements of {} per position x {}", model.name, show(kv))),
        ),
        prefill: Input::new(
            "FLOPs of the prompt in the draft",
            FlopPerRequest::from_stored(prefill),
            derived(format!("operators of {}, forward over the prompt", model.name)),
        ),
        model,
        place: spec.place.clone(),
    })
}
