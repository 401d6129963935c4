//! Sizes of symbolic dimensions, which ONNX files leave open: `N=1,S=128`.
//!
//! ```
//! use flopcast_core::model::Bindings;
//! let bindings: Bindings = "N=1, S=128".parse().unwrap();
//! assert_eq!(bindings.get("S"), Some(128));
//! assert!("N=many".parse::<Bindings>().is_err());
//! ```

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::diagnostic::{Error, Result};

/// Sizes of the symbolic dimensions of a model's inputs, as in `N=1,S=128`. A dimension without a
/// name is called by its place: `input.0`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bindings {
    sizes: BTreeMap<String, i64>,
}

impl Bindings {
    /// Binds `symbol` to `size`.
    #[must_use]
    pub fn bind(mut self, symbol: impl Into<String>, size: u32) -> Self {
        self.sizes.insert(symbol.into(), i64::from(size));
        self
    }

    /// The size of `symbol`, if it is bound.
    pub fn get(&self, symbol: &str) -> Option<i64> {
        self.sizes.get(symbol).copied()
    }
}

impl FromStr for Bindings {
    type Err = Error;

    /// Reads `N=1,S=128`; sizes are below 2^32, and 0 is one: a cache without tokens.
    ///
    /// # Errors
    /// If a part is not `SYMBOL=SIZE`.
    fn from_str(text: &str) -> Result<Self> {
        let mut bindings = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let pair = part.rsplit_once('=').map(|(symbol, size)| (symbol.trim(), size.trim()));
            let pair = pair.and_then(|(symbol, size)| Some((symbol, size.parse::<u32>().ok()?)));
            match pair {
                Some((symbol, size)) if !symbol.is_empty() => {
                    bindings = bindings.bind(symbol, size);
                }
                _ => {
                    return Err(Error::input(format!("`{part}` is not a size of a dimension"))
                        .hint("write SYMBOL=SIZE, several with commas: N=1,S=128"));
                }
            }
        }
        Ok(bindings)
    }
}

impl Bindings {
    /// The bound symbols with their sizes.
    pub fn iter(&self) -> impl Iterator<Item = (&str, i64)> {
        self.sizes.iter().map(|(symbol, size)| (symbol.as_str(), *size))
    }
}
