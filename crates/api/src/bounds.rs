//! The bounds that a request's schema declares: what the description of the questions promises is what
//! is read.

use flopcast_core::diagnostic::{Error, Result};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

/// Refuses a number out of the range, and a list shorter than the length, that the schema of its key
/// declares.
///
/// # Errors
/// It names the key, the value and the bound.
pub(crate) fn kept<T: JsonSchema>(request: &Map<String, Value>) -> Result<()> {
    let schema = T::json_schema(&mut SchemaSettings::draft2020_12().into_generator());
    let declared = schema.get("properties").and_then(Value::as_object);
    for (key, value) in request {
        let Some(declared) = declared.and_then(|all| all.get(key)) else { continue };
        let bound = |name: &str| declared.get(name).and_then(Value::as_u64);
        match value {
            Value::Number(number) => {
                let (least, most) = (bound("minimum"), bound("maximum"));
                let below = least.is_some_and(|least| number.as_f64() < Some(least as f64));
                let above = most.is_some_and(|most| number.as_f64() > Some(most as f64));
                if let (true, Some(least), Some(most)) = (below || above, least, most) {
                    let may = format!("it may be from {least} to {most}");
                    return Err(Error::input(format!("`{key}` is {number}; {may}")));
                }
            }
            Value::Array(items) => {
                let least = bound("minItems").unwrap_or(0);
                if (items.len() as u64) < least {
                    let message = format!("`{key}` has {} entries, at least {least}", items.len());
                    return Err(Error::input(message));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::{Session, answer};

    #[test]
    fn what_the_schema_forbids_is_refused() {
        let catalog = flopcast_core::catalog::Catalog::embedded();
        let session = Session::new(&catalog);
        let run = "name: a run\nmodel: 7B\n";
        for (question, request, says) in [
            ("capacity", json!({"scenario": run, "seeds": 1001}), "from 1 to 1000"),
            ("capacity", json!({"scenario": run, "requests": 99}), "from 100 to"),
            ("estimate", json!({"scenario": run, "samples": 19}), "from 20 to"),
            ("optimize", json!({"scenario": run, "devices": 1_000_001}), "from 1 to 1000000"),
            ("sweep", json!({"scenario": run, "vary": []}), "at least 1"),
            ("model", json!({"models": []}), "at least 1"),
            ("model", json!({"models": ["7B"], "batch": 0}), "from 1 to"),
        ] {
            let refused = answer(&session, question, &request.to_string()).map(drop);
            let said = refused.map_err(|fault| fault.to_string()).unwrap_err();
            assert!(said.contains(says), "{question}: {said}");
        }
    }
}
