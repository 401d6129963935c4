//! The family that a configuration names: by `model_type`, by the module of its own code, by the
//! class in `architectures`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::diagnostic::{Error, Result};
use crate::model::template::{Config, Template, Value, chain, head_part, known_types};
use crate::model::total::Assumption;

/// A family with the class that decides its head.
pub(super) struct Named {
    pub(super) model_type: String,
    pub(super) class: Option<String>,
    pub(super) chain: Vec<&'static Template>,
    pub(super) assumptions: Vec<Assumption>,
    pub(super) warnings: Vec<String>,
}

/// The family of a configuration.
///
/// The type counts first; where it has code of its own (`auto_map`), the family called
/// `TYPE/MODULE` counts before it. A class that another family owns counts before the type, with a
/// warning, and instead of a type that is unknown or missing.
///
/// # Errors
/// If neither type nor class names a family.
pub(super) fn named(config: &Config, model_type: Option<&str>) -> Result<Named> {
    let class = match config.get("architectures") {
        Some(Value::List(classes)) => classes.first().and_then(text),
        _ => None,
    };
    let named = config.get("model_type").and_then(text).or(model_type);
    let remote = remote(config, class);
    let mut it = Named {
        model_type: named.unwrap_or_default().to_owned(),
        class: class.map(str::to_owned),
        chain: Vec::new(),
        assumptions: Vec::new(),
        warnings: Vec::new(),
    };
    if let (Some(named), Some((module, _))) = (named, remote) {
        let own = format!("{named}/{module}");
        if is_known(&own) {
            it.chain = chain(&own)?;
            it.model_type = own;
            return Ok(it);
        }
    }
    let foreign = class.filter(|class| named.is_some_and(|named| is_foreign(class, named)));
    match (named, class, class.and_then(owner)) {
        (Some(named), Some(class), owner) if is_known(named) => match (foreign, owner) {
            (None, _) => {}
            (Some(_), Some(owner)) => {
                it.warnings.push(format!(
                    "`{class}` belongs to `{owner}`, not to `{named}`: it is counted as \
                     `{owner}`; correct `architectures` if `model_type` is right"
                ));
                owner.clone_into(&mut it.model_type);
            }
            (Some(_), None) => it.warnings.push(format!(
                "`{class}` is no class of `{named}`: it is counted as the `{named}` of the \
                 transformers library; compare its parameters with the checkpoint's"
            )),
        },
        (named, Some(class), Some(owner)) => {
            owner.clone_into(&mut it.model_type);
            it.assumptions.push(Assumption {
                what: "model_type".to_owned(),
                value: owner.to_owned(),
                why: match named {
                    Some(named) => format!("`{named}` is not known, its class {class} is"),
                    None => format!("the file names none, but the class {class}"),
                },
            });
        }
        (None, ..) => {
            let error = Error::input("`model_type` is missing");
            return Err(error.hint("it names the family: llama, bert, vit ..."));
        }
        _ => {}
    }
    it.chain = chain(&it.model_type)?;
    if let Some((module, remote)) = remote
        && !owns(&it.chain, remote)
    {
        it.warnings.push(format!(
            "the model brings code of its own (auto_map: {module}.{remote}), which is not read: it \
             is counted as the family `{}`; compare its parameters with the checkpoint's",
            it.model_type
        ));
    }
    Ok(it)
}

/// The text of a value; `None` for other kinds.
fn text(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// True if a family covers the model type.
fn is_known(model_type: &str) -> bool {
    known_types().any(|known| known == model_type)
}

/// Module and class of the code that a model brings with it: those of its own class, else of the
/// first entry for a model.
fn remote<'c>(config: &'c Config, class: Option<&str>) -> Option<(&'c str, &'c str)> {
    let Some(Value::Map(map)) = config.get("auto_map") else { return None };
    let models = map.iter().filter(|(key, _)| key.starts_with("AutoModel"));
    let mut places = models.filter_map(|(_, value)| {
        let path = text(value)?;
        path.rsplit("--").next().unwrap_or(path).rsplit_once('.')
    });
    let first = places.clone().next();
    places.find(|(_, it)| Some(*it) == class).or(first)
}

/// True if the family lists the head of the class itself, as one of other code.
fn owns(chain: &[&Template], class: &str) -> bool {
    chain[0].classes.keys().any(|ending| ending == head_part(class) || ending == class)
}

/// True if neither the name of the class nor the family says that the class is of the type.
fn is_foreign(class: &str, model_type: &str) -> bool {
    let stem = &class[..class.len() - head_part(class).len()];
    let listed = || chain(model_type).is_ok_and(|it| it[0].classes.contains_key(class));
    !stem.is_empty() && !related(stem, model_type) && !listed()
}

/// The model type whose library has the class: their names are the same without the head.
fn owner(class: &str) -> Option<&'static str> {
    /// The first type of each folded name.
    static TYPES: LazyLock<BTreeMap<String, &str>> = LazyLock::new(|| {
        let mut types = BTreeMap::new();
        for known in known_types() {
            types.entry(folded(known)).or_insert(known);
        }
        types
    });
    let head = head_part(class);
    let stem = folded(&class[..class.len() - head.len()]);
    // The text part of a multimodal model has a class that is named like the whole.
    let text_part = head == "ForCausalLM";
    let of = |wanted: &str| TYPES.get(wanted).copied();
    (text_part.then(|| of(&format!("{stem}text"))).flatten()).or_else(|| of(&stem))
}

/// True if one name begins with the other: `gemma3` has the classes of `gemma3_text`.
fn related(one: &str, other: &str) -> bool {
    let (one, other) = (folded(one), folded(other));
    one.starts_with(&other) || other.starts_with(&one)
}

/// Letters and digits in lower case.
fn folded(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}
