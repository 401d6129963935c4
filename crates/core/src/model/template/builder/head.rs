//! The head that the name of a class means.

use super::super::family::Template;
use super::super::value::Value;
use crate::diagnostic::{Error, Result};

/// The part of a class name that tells its head: from its last `For` on, or its ending `Model`.
/// `Qwen2ForRewardModel` has the head `ForRewardModel`, not none.
pub fn head_part(class: &str) -> &str {
    const MODELS: [&str; 3] = ["LMHeadModel", "DoubleHeadsModel", "Model"];
    let starts_word = |at: &usize| class[at + 3..].starts_with(|c: char| c.is_ascii_uppercase());
    let for_what = class.rmatch_indices("For").map(|(at, _)| at).find(starts_word);
    let model = || MODELS.iter().find(|ending| class.ends_with(**ending)).map_or(0, |it| it.len());
    &class[for_what.unwrap_or_else(|| class.len() - model())..]
}

/// The head that a class name means, by the longest known ending.
pub(super) fn head_of(chain: &[&Template], class: Option<&str>) -> Result<Value> {
    let usual = chain.iter().find_map(|template| template.class.as_deref());
    let Some(class) = class.or(usual) else {
        return Ok(Value::Null);
    };
    let endings = || chain.iter().flat_map(|template| &template.classes);
    let part = head_part(class);
    let fitting = endings()
        .filter(|(ending, _)| ending.len() >= part.len() && class.ends_with(ending.as_str()));
    // If two endings have the same length, that of the more derived template comes first.
    let mut best: Option<(&String, &String)> = None;
    for (ending, head) in fitting {
        if best.is_none_or(|(known, _)| ending.len() > known.len()) {
            best = Some((ending, head));
        }
    }
    best.map(|(_, head)| Value::text(head)).ok_or_else(|| {
        let known: Vec<_> = endings().map(|(ending, _)| format!("...{ending}")).collect();
        Error::input(format!("class `{class}` has a head that this family does not know"))
            .hint(format!("it knows {}", known.join(", ")))
    })
}
