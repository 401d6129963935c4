//! What people steer by: a figure under a short name, or any figure by its path.

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::Figure;

/// Short names, the keys that tables give them, and the figures that they stand for, of which a
/// forecast has the first that it has.
const NAMED: &[(&str, &str, &[&str])] = &[
    ("cost", "cost_usd", &["tco.total_usd"]),
    ("days", "days", &["training.wall_clock_days"]),
    ("co2e", "co2e_kg", &["tco.co2e_kg.location"]),
    ("energy", "energy_kwh", &["tco.energy_kwh"]),
    ("devices", "devices", &["training.devices", "inference.fleet.devices"]),
];

/// A figure to steer by, and which way is better.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aim {
    /// As tables head it, with its unit.
    pub key: String,
    paths: Vec<String>,
    /// Whether more is better; less is, unless asked for with `max:`.
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
        match NAMED.iter().find(|(short, ..)| *short == name) {
            Some((_, key, paths)) => {
                let paths = paths.iter().map(|path| (*path).to_owned()).collect();
                Self { key: (*key).to_owned(), paths, most }
            }
            None => Self { key: name.to_owned(), paths: vec![name.to_owned()], most },
        }
    }

    /// The figure of a forecast, if it has it.
    pub fn of<'a>(&self, figures: &'a [Figure]) -> Option<&'a Figure> {
        self.paths.iter().find_map(|path| figures.iter().find(|figure| figure.path == *path))
    }

    /// The paths of the figures that it may stand for.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().map(String::as_str)
    }

    /// Whether it goes by a short name.
    pub fn is_short(&self) -> bool {
        NAMED.iter().any(|(_, key, _)| *key == self.key)
    }

    /// The path of the figure that it stands for, among those that there are.
    pub fn path<'a>(&'a self, figures: &[(String, Option<f64>)]) -> Option<&'a str> {
        let there = |path: &&String| figures.iter().any(|(known, _)| known == *path);
        self.paths.iter().find(there).map(String::as_str)
    }

    /// Its value among figures by path; none where there is none or it is unknown.
    pub fn value(&self, figures: &[(String, Option<f64>)]) -> Option<f64> {
        let of = |path: &String| figures.iter().find(|(known, _)| known == path);
        self.paths.iter().find_map(of).and_then(|(_, value)| *value)
    }

    /// Its value, the less the better; none where the forecast lacks it or does not know it.
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
        let known: Vec<&str> = paths.chain(NAMED.iter().map(|(name, ..)| *name)).collect();
        Err(Error::input(format!("there is no figure `{}`", self.key))
            .suggest(&self.key, known)
            .hint("`flopcast explain FILE` lists the figures of a scenario"))
    }
}
