//! JSON as Python writes it and people edit it: bare `Infinity` and `NaN`, a comma before a bracket.

use serde_json::Value as Json;

use crate::diagnostic::{Error, Result};

/// The JSON of a text, with a warning for each kind of repair. A bare `NaN`, `Infinity` or
/// `-Infinity`, which Python's `json` writes, is read as null; it never is a size.
///
/// # Errors
/// If the text is no JSON even so.
pub fn json(text: &str) -> Result<(Json, Vec<String>)> {
    let text = text.trim_start_matches('\u{feff}');
    let strict = match serde_json::from_str(text) {
        Ok(json) => return Ok((json, Vec::new())),
        Err(error) => error,
    };
    let (plain, commas) = plain(text);
    let json = serde_json::from_str(&plain)
        .map_err(|_| Error::input(format!("not a JSON configuration: {strict}")))?;
    let warning = "a comma before a closing bracket is no JSON: it is passed over";
    Ok((json, if commas { vec![warning.to_owned()] } else { Vec::new() }))
}

/// The text without bare numbers that JSON lacks and without commas before closing brackets;
/// whether there were such commas.
fn plain(text: &str) -> (String, bool) {
    const BARE: [&str; 3] = ["-Infinity", "Infinity", "NaN"];
    let mut out = String::with_capacity(text.len());
    let mut commas = false;
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let taken = if next == '"' {
            let end = string_end(rest);
            out.push_str(&rest[..end]);
            end
        } else if let Some(word) = BARE.iter().find(|word| rest.starts_with(**word)) {
            out.push_str("null");
            word.len()
        } else {
            let closes = next == ',' && rest[1..].trim_start().starts_with(['}', ']']);
            commas |= closes;
            if !closes {
                out.push(next);
            }
            next.len_utf8()
        };
        rest = &rest[taken..];
    }
    (out, commas)
}

/// The length of the string that a text begins with, quotes included.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_python_writes_is_read() {
        let cases = [
            (r#"{"a": [0.0, Infinity], "b": -Infinity, "c": NaN}"#, 0),
            (
                r#"{"a": [0.0, null,], "b": null, "c": null,
                }"#,
                1,
            ),
            ("\u{feff}{\"a\": [0.0, null], \"b\": null, \"c\": null}", 0),
        ];
        for (text, warnings) in cases {
            let (json, told) = json(text).unwrap();
            assert_eq!(json, serde_json::json!({"a": [0.0, null], "b": null, "c": null}), "{text}");
            assert_eq!(told.len(), warnings, "{text}");
        }
    }

    #[test]
    fn strings_keep_their_letters() {
        let (json, told) = json(r#"{"a": "NaN, \",}", "b": [Infinity]}"#).unwrap();
        assert_eq!((json["a"].as_str(), told.len()), (Some("NaN, \",}"), 0));
        for text in ["", "{", "{\"a", "{\"a\": nan}", "[1,,]"] {
            assert!(super::json(text).is_err(), "{text}");
        }
    }
}
