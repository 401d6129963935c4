//! Speculative decoding: the number of tokens that are drafted, and the model that drafts them.
//!
//! `serving::speculative` computes what it saves (Leviathan et al. 2023, arXiv:2211.17192).

use std::sync::Arc;

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::{Input as ModelInput, Model, Spec};
use flopcast_core::provenance::{Basis, Input};
use flopcast_core::quantity::show;
use flopcast_core::serving::plan::{Draft, Speculation};

use super::super::file::{Inference, Speculative};
use super::super::reader::Located;
use super::Files;
use super::traffic::Asked;
use super::training::built;

/// The name of a draft that the model has in itself: its layers for tokens further ahead.
const OWN: &str = "mtp";

/// The most draft tokens of an engine.
const MOST: u32 = 64;

/// The speculation of a service.
///
/// # Errors
/// If the network generates nothing, or there are no drafts or too many.
pub(super) fn plan(
    given: &Speculative,
    service: &Inference,
    (files, model): (&dyn Files, &Model),
    asked: &Asked,
) -> Result<Speculation> {
    let name = |key: &str| format!("inference.speculative.{key}");
    let refuse = |what: &str| Error::input(what).at(Some(&given.tokens.place));
    if asked.classes.iter().all(|class| class.output.is_none()) {
        return Err(refuse("there are no tokens to draft: the model answers in one pass")
            .hint("give inference.traffic.output_tokens, or leave speculative out"));
    }
    if !(1..=MOST).contains(&given.tokens.value) {
        return Err(refuse(&format!("from 1 to {MOST} tokens are drafted for a verification"))
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
        draft: match &given.draft {
            Some(spec) => Some(draft(spec, service, (files, model), asked)?),
            None => None,
        },
    })
}

/// The draft model at the mean length of a request, with its weights in the format of the service.
///
/// # Errors
/// If the model cannot be built.
fn draft(
    spec: &Located<Spec>,
    service: &Inference,
    (files, model): (&dyn Files, &Model),
    asked: &Asked,
) -> Result<Draft> {
    let length = asked.classes.iter().map(|class| {
        let (input, output) = class.tokens();
        class.share.value.get() * (input + output)
    });
    let sequence = Some((length.sum::<f64>().round() as u64).max(1));
    let model = match &spec.value {
        Spec::Preset(name) if name.eq_ignore_ascii_case(OWN) => {
            Arc::new(model.drafting().map_err(|error| error.at(Some(&spec.place)))?)
        }
        _ => built(spec, files, &ModelInput { sequence, ..ModelInput::default() })?,
    };
    let weight = service.precision.value.size();
    let parameters = model.parameters().total;
    let formula = format!("{parameters} parameters x {}", show(weight));
    Ok(Draft {
        weights: Input::new(
            "weights of the draft",
            weight * parameters as f64,
            Basis::Derived { formula },
        ),
        model,
        place: spec.place.clone(),
    })
}
