//! Aims: a figure under a short name, or any figure by its path, to be as low or as high as
//! possible.
//!
//! `cost` and the other short names are marks in the table of figures; `max:training.mfu` names any
//! path.

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::figure::DECLARED;
use flopcast_core::estimate::{Estimate, Figure, Id, Key};

use super::snapshot::Told;

/// The figures that go by a short name: the name, the key that tables give it, the figure. A
/// forecast has the first of a name that it has.
fn named() -> impl Iterator<Item = (&'static str, &'static str, Id)> {
    DECLARED.iter().filter_map(|row| row.aim().map(|(name, key)| (name, key, row.id)))
}

/// A figure to steer by, and which way is better.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aim {
    /// As tables head it, with its unit.
    pub key: String,
    paths: Vec<String>,
    figures: Vec<Key>,
    /// True if more is better; less is, unless asked for with `max:`.
    pub most: bool,
}

impl Aim {
    /// Reads `cost`, `training.device_hours` or `max:training.mfu`.
    pub fn read(text: &str) -> Self {
        let (most, name) = match text.split_once(':') {
            Some(("max", name)) => (true, name),
            Some(("min", name)) => (false, name),
            _ => (false, text),
        };
        let short: Vec<_> = named().filter(|(short, ..)| *short == name).collect();
        let key = short.first().map_or(name, |(_, key, _)| key).to_owned();
        let paths = match short.as_slice() {
            [] => vec![name.to_owned()],
            short => short.iter().map(|(.., id)| Key::from(*id).path()).collect(),
        };
        let figures = paths.iter().filter_map(|path| Key::parse(path)).collect();
        Self { key, paths, figures, most }
    }

    /// The figure of a forecast; `None` if the forecast has none.
    pub fn of<'a>(&self, figures: &'a [Figure]) -> Option<&'a Figure> {
        self.paths.iter().find_map(|path| figures.iter().find(|figure| figure.path == *path))
    }

    /// Its value in a forecast; `None` if the forecast has no such figure or does not know it.
    pub fn value_in(&self, estimate: &Estimate) -> Option<f64> {
        let there = |key: &&Key| !estimate.read(key).is_absent();
        estimate.value(self.figures.iter().find(there)?)
    }

    /// True if a forecast has the figure, known or not.
    pub fn is_in(&self, estimate: &Estimate) -> bool {
        self.figures.iter().any(|key| !estimate.read(key).is_absent())
    }

    /// The unit of its value; none where no forecast has such a figure.
    pub fn unit(&self) -> Option<&'static str> {
        self.figures.first().map(|key| key.id.declared().unit)
    }

    /// True if it goes by a short name.
    pub fn is_short(&self) -> bool {
        named().any(|(_, key, _)| key == self.key)
    }

    /// The figure that it stands for, among those of a saved forecast.
    pub fn among<'a>(&self, figures: &'a [Told]) -> Option<&'a Told> {
        self.paths.iter().find_map(|path| figures.iter().find(|figure| figure.path == *path))
    }

    /// Its value in a saved forecast; none where there is none or it is unknown.
    pub fn value(&self, figures: &[Told]) -> Option<f64> {
        self.among(figures)?.value
    }

    /// The value as a rank, the less the better; `None` if the forecast lacks it or does not know
    /// it.
    pub fn rank(&self, value: Option<f64>) -> Option<f64> {
        value.map(|value| if self.most { -value } else { value })
    }

    /// Refuses a path that is no short name and no figure of the forecast.
    ///
    /// # Errors
    /// Such a path, with the nearest figures.
    pub fn check(&self, figures: &[Figure]) -> Result<()> {
        if self.is_short() || self.of(figures).is_some() {
            return Ok(());
        }
        let paths = figures.iter().map(|figure| figure.path.as_str());
        let known: Vec<&str> = paths.chain(named().map(|(name, ..)| name)).collect();
        Err(Error::input(format!("there is no figure `{}`", self.key))
            .suggest(&self.key, known)
            .hint("`flopcast explain FILE` lists the figures of a scenario"))
    }
}
