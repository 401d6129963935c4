//! Models of several parts, each with a configuration of its own.

use flopcast_core::diagnostic::Result;
use flopcast_core::model::{Assumption, Layer, Model};

/// The sum of models by the names of their parts, on the input of the first.
///
/// # Errors
/// If the sum is too large to count.
pub(crate) fn joined(name: &str, parts: Vec<(String, Model)>) -> Result<Model> {
    let input = parts.first().map(|(_, part)| part.input).unwrap_or_default();
    let longest = parts.iter().find_map(|(_, part)| part.extents.max_sequence);
    let layers = parts.iter().flat_map(|(prefix, part)| {
        part.layers
            .iter()
            .map(move |layer| Layer { name: format!("{prefix}.{}", layer.name), ..layer.clone() })
    });
    let mut model = Model::new(name, layers.collect(), input, longest)?;
    for (prefix, part) in parts {
        model.storage = model.storage.or(part.storage);
        model.warnings.extend(part.warnings.into_iter().map(|it| format!("{prefix}: {it}")));
        model.unresolved.extend(part.unresolved);
        model.assumptions.extend(
            part.assumptions
                .into_iter()
                .map(|it| Assumption { what: format!("{prefix}.{}", it.what), ..it }),
        );
    }
    Ok(model)
}
