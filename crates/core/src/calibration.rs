//! Calibrations: declared constants with their priors, what is documented beside them, and how far
//! predictions by them were off.
//!
//! Training and serving each have one, of the same form; the `F` of a [`Calibration`] is what only
//! one of them knows: generations of accelerators, engines.

use std::sync::LazyLock;

use indexmap::IndexMap;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::diagnostic::{Error, Result};

/// A file of constants: `hardware/calibration.yaml`, `hardware/serving-calibration.yaml`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration<F> {
    /// The rows that the values were fitted to, and the date.
    pub fitted: String,
    /// Half-widths of the 80 % intervals.
    pub intervals: Intervals,
    /// Constants that are documented and that no fit moves.
    pub facts: F,
    /// The constants by name. One that belongs to a generation or an engine begins with its name
    /// and a dot: `hopper.attention`, `vllm.step_ms`.
    pub constants: Constants,
}

/// The documented part of one kind of calibration, beside constants.
pub trait Facts: Clone + DeserializeOwned + Serialize + Send + Sync + 'static {
    /// The name of the file in errors.
    const KIND: &'static str;
    /// The calibration that ships with this version, once it is read.
    fn shipped() -> &'static Shipped<Self>;

    /// True if the constants that the model reads are there.
    ///
    /// # Errors
    /// The first that is not.
    fn check(calibration: &Calibration<Self>) -> Result<()>;
}

/// A calibration that ships with this version: its text is read when it is first asked for.
pub type Shipped<F> = LazyLock<Result<Calibration<F>>>;

/// One constant, in the unit that its text names. All are positive; a fit moves them on a
/// logarithmic scale.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Constant {
    /// The value in use.
    pub value: f64,
    /// The figure of vendors and microbenchmarks, before any fit.
    pub prior: f64,
    /// Standard deviation of the prior's logarithm; 0 where no fit moves it.
    pub spread: f64,
    /// The upper bound: a share of a datasheet's figure is 1 at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<f64>,
    /// The least and the most that it took over refits on parts of the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<[f64; 2]>,
    /// True if whole runs have tested it; a microbenchmark alone is no such test.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub tested: bool,
    /// A description, with the source of the prior.
    pub why: String,
}

/// The default of a flag that a calibration's file leaves out.
fn yes() -> bool {
    true
}

/// The constants of a calibration, by name.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Constants(IndexMap<String, Constant>);

/// Half-widths of the 80 % interval of ln(measured / predicted), by the kind of figure.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Intervals(IndexMap<String, f64>);

impl<F: Facts> Calibration<F> {
    /// The calibration that ships with this version.
    ///
    /// # Errors
    /// The file is broken; a test makes sure that it is not.
    pub fn shipped() -> Result<&'static Self> {
        F::shipped().as_ref().map_err(Clone::clone)
    }

    /// Reads a calibration from JSON.
    ///
    /// # Errors
    /// No JSON, a file of another form, a constant that is missing or not positive.
    pub fn read(json: &str) -> Result<Self> {
        let calibration: Self = serde_json::from_str(json)
            .map_err(|error| Error::input(format!("this is no {} file: {error}", F::KIND)))?;
        let positive = |c: &Constant| c.value > 0.0 && c.prior > 0.0 && c.spread >= 0.0;
        if let Some((name, _)) = calibration.constants.iter().find(|(_, c)| !positive(c)) {
            return Err(Error::input(format!("the constant `{name}` is not positive")));
        }
        F::check(&calibration)?;
        Ok(calibration)
    }
}

impl Constants {
    /// A constant by its name.
    pub fn get(&self, name: &str) -> Option<&Constant> {
        self.0.get(name)
    }

    /// The value of a constant.
    ///
    /// # Errors
    /// There is none of that name; the error says which name is near.
    pub fn value(&self, name: &str) -> Result<f64> {
        self.get(name).map(|constant| constant.value).ok_or_else(|| {
            Error::input(format!("the calibration has no constant `{name}`"))
                .suggest(name, self.0.keys().map(String::as_str))
        })
    }

    /// All of them, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Constant)> {
        self.0.iter().map(|(name, constant)| (name.as_str(), constant))
    }

    /// All of them, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Constant> {
        self.0.values_mut()
    }
}

impl Intervals {
    /// Half-width of a kind of figure, where the calibration has one.
    pub fn get(&self, kind: &str) -> Option<f64> {
        self.0.get(kind).copied()
    }

    /// Half-width of a kind of figure: infinite where nothing is known.
    pub fn half_width(&self, kind: &str) -> f64 {
        self.get(kind).unwrap_or(f64::INFINITY)
    }

    /// Replaces the half-width of a kind of figure.
    pub fn set(&mut self, kind: &str, half_width: f64) {
        self.0.insert(kind.to_owned(), half_width);
    }
}

/// Declares a struct of constants, each read from a calibration by its name. A name that begins
/// with `*.` belongs to the owner that is read for, who is asked for the rest of the name: an engine.
/// The number behind a name turns its unit into the field's.
macro_rules! declared {
    (
        $(#[$meta:meta])* struct $type:ident;
        $($(#[$doc:meta])* $field:ident = $name:literal $(* $unit:literal)?;)+
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub struct $type { $($(#[$doc])* pub $field: f64,)+ }

        impl $type {
            /// The constants as a calibration has them, and those of an owner.
            ///
            /// # Errors
            /// One of them is missing.
            fn read(
                constants: &crate::calibration::Constants,
                owned: &dyn Fn(&str) -> crate::diagnostic::Result<f64>,
            ) -> crate::diagnostic::Result<Self> {
                let value = |name: &str| match name.strip_prefix("*.") {
                    Some(rest) => owned(rest),
                    None => constants.value(name),
                };
                Ok(Self { $($field: value($name)? $(* $unit)?,)+ })
            }
        }
    };
}
pub(crate) use declared;
