//! A policy: limits on any figure, absolute or against a baseline, and inputs that nobody may leave
//! to a default.

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::Place;
use flopcast_core::quantity::text::{number, parse_in};
use flopcast_scenario::reader::Located;
use flopcast_scenario::{document, reader};
use serde::Deserialize;

use super::aim::Aim;
use super::snapshot::{Snapshot, Told, stage};

/// The limits that must hold.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Limits on figures.
    #[serde(default)]
    pub limits: Vec<Limit>,
    /// Inputs that the scenario must give or the catalog must know, by name; `*` stands for
    /// anything.
    #[serde(default)]
    pub not_assumed: Vec<String>,
}

/// Bounds of one figure.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// A short name (cost, days, co2e, energy, devices) or a path.
    pub figure: Located<String>,
    /// A percentile instead of the central value: p5 p10 p50 p80 p90 p95.
    pub at: Option<Located<Percentile>>,
    /// No more than this.
    pub max: Option<Located<String>>,
    /// No less than this.
    pub min: Option<Located<String>>,
    /// No more above the baseline than this: `10 %` of it, or an amount.
    pub max_increase: Option<Located<String>>,
    /// No more below the baseline than this.
    pub max_decrease: Option<Located<String>>,
    /// The consequence of breaking it.
    #[serde(default)]
    pub level: Level,
    /// Why there is this limit.
    pub why: Option<String>,
}

/// A percentile that forecasts tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Percentile {
    P5,
    P10,
    P50,
    P80,
    P90,
    P95,
}

impl Percentile {
    /// Its key in the JSON.
    pub fn key(self) -> &'static str {
        match self {
            Self::P5 => "p5",
            Self::P10 => "p10",
            Self::P50 => "p50",
            Self::P80 => "p80",
            Self::P90 => "p90",
            Self::P95 => "p95",
        }
    }
}

/// The consequence of breaking a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The check says so and passes.
    Warn,
    /// The check fails.
    #[default]
    Fail,
}

/// The verdict on a bound.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The figure's path, with its percentile.
    pub figure: String,
    /// Its unit.
    pub unit: &'static str,
    /// The bound in words.
    pub bound: String,
    /// The forecast's value; none is unknown or not computed.
    pub value: Option<f64>,
    /// The baseline's value.
    pub baseline: Option<f64>,
    /// The outcome.
    pub outcome: Outcome,
    /// The consequence of breaking it.
    pub level: Level,
    /// Why there is this limit.
    pub why: Option<String>,
}

/// The outcome of a bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    /// It does.
    Kept,
    /// It is passed by this much, in the figure's unit.
    Broken(f64),
    /// The figure is unknown, so that nobody can tell.
    Unknown,
    /// There is nothing to measure the change by.
    NoBaseline,
    /// The scenario has no such stage.
    NotComputed,
}

/// The findings of a policy.
#[derive(Clone, Debug)]
pub struct Findings {
    /// Every bound, in the order of the policy.
    pub verdicts: Vec<Verdict>,
    /// Inputs that were assumed although the policy names them.
    pub assumed: Vec<String>,
}

impl Verdict {
    /// True if it is one to speak about: broken, or nobody can tell.
    pub fn speaks(&self) -> bool {
        matches!(self.outcome, Outcome::Broken(_) | Outcome::Unknown)
    }

    /// True if the check fails by it.
    pub fn fails(&self) -> bool {
        self.level == Level::Fail && self.speaks()
    }
}

impl Findings {
    /// True if the check fails.
    pub fn fails(&self) -> bool {
        !self.assumed.is_empty() || self.verdicts.iter().any(Verdict::fails)
    }
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// No YAML, an unknown key, a limit without a bound; each with its place.
    pub fn read(file: &str, bytes: &[u8]) -> Result<Self> {
        let policy: Self = reader::read(&document::parse(file, bytes)?)?;
        for limit in &policy.limits {
            if limit.bounds().next().is_none() {
                return Err(Error::input("this limit has no bound")
                    .at(Some(&limit.figure.place))
                    .hint("give max, min, max_increase or max_decrease"));
            }
        }
        Ok(policy)
    }

    /// The policy that nothing may be assumed.
    pub fn strict() -> Self {
        Self { limits: Vec::new(), not_assumed: vec!["*".to_owned()] }
    }

    /// Judges a forecast.
    ///
    /// # Errors
    /// A figure that there is not, a bound in another unit, a percentile of a figure without one.
    pub fn judge(&self, forecast: &Snapshot, baseline: Option<&Snapshot>) -> Result<Findings> {
        let figures = forecast.figures();
        let before = baseline.map(Snapshot::figures);
        let mut verdicts = Vec::new();
        for limit in &self.limits {
            let aim = Aim::read(&limit.figure.value);
            let Some(figure) = aim.among(figures) else {
                verdicts.extend(limit.not_computed(&aim, figures)?);
                continue;
            };
            let value = limit.value(forecast, figure)?;
            let earlier = match (baseline, before.and_then(|before| aim.among(before))) {
                (Some(baseline), Some(earlier)) => limit.value(baseline, earlier).ok().flatten(),
                _ => None,
            };
            let at = limit.at.as_ref().map(|at| format!(" at {}", at.value.key()));
            for bound in limit.bounds() {
                verdicts.push(Verdict {
                    figure: format!("{}{}", figure.path, at.as_deref().unwrap_or_default()),
                    unit: figure.units()[0],
                    bound: bound.words(),
                    value,
                    baseline: earlier,
                    outcome: bound.judge(value, earlier, figure.units())?,
                    level: limit.level,
                    why: limit.why.clone(),
                });
            }
        }
        Ok(Findings { verdicts, assumed: self.assumed(forecast) })
    }

    /// Inputs that a forecast assumed although the policy names them.
    pub fn assumed(&self, forecast: &Snapshot) -> Vec<String> {
        let named = |name: &&str| self.not_assumed.iter().any(|pattern| matches(pattern, name));
        let mut names: Vec<String> = forecast.assumed().filter(named).map(str::to_owned).collect();
        names.dedup();
        names
    }
}

/// A bound of a limit: its kind, and its text with the place in the file.
struct Bound<'a> {
    kind: Kind,
    text: &'a Located<String>,
}

/// The kind of a bound: absolute, or a change against the baseline.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Max,
    Min,
    Increase,
    Decrease,
}

impl Limit {
    /// The bounds that the limit states.
    fn bounds(&self) -> impl Iterator<Item = Bound<'_>> {
        [
            (Kind::Max, &self.max),
            (Kind::Min, &self.min),
            (Kind::Increase, &self.max_increase),
            (Kind::Decrease, &self.max_decrease),
        ]
        .into_iter()
        .filter_map(|(kind, text)| Some(Bound { kind, text: text.as_ref()? }))
    }

    /// The value that is judged: the central one, or a percentile. A forecast without ranges is
    /// its own percentile.
    fn value(&self, of: &Snapshot, figure: &Told) -> Result<Option<f64>> {
        let (path, central) = (figure.path.as_str(), figure.value);
        let Some(at) = &self.at else { return Ok(central) };
        if of.intervals().next().is_none() {
            return Ok(central);
        }
        match of.percentile(path, at.value.key()) {
            Some(value) => Ok(Some(value)),
            None if of.intervals().any(|known| known == path) => Ok(None),
            None => Err(Error::input(format!("{path} has no percentiles"))
                .at(Some(&at.place))
                .hint(format!("these have: {}", of.intervals().collect::<Vec<_>>().join(", ")))),
        }
    }

    /// The bounds of a figure that the forecast does not have, because it lacks the stage.
    fn not_computed(&self, aim: &Aim, figures: &[Told]) -> Result<Vec<Verdict>> {
        let stage = stage(&self.figure.value);
        let lacks = Place::stages().any(|known| known == stage)
            && figures.iter().all(|it| it.stage() != stage);
        if !lacks && !aim.is_short() {
            let known = figures.iter().map(|it| it.path.as_str());
            return Err(Error::input(format!("there is no figure `{}`", self.figure.value))
                .at(Some(&self.figure.place))
                .suggest(&self.figure.value, known));
        }
        let verdict = |bound: Bound<'_>| Verdict {
            figure: aim.key.clone(),
            unit: "",
            bound: bound.words(),
            value: None,
            baseline: None,
            outcome: Outcome::NotComputed,
            level: self.level,
            why: self.why.clone(),
        };
        Ok(self.bounds().map(verdict).collect())
    }
}

impl Bound<'_> {
    /// The bound in words.
    fn words(&self) -> String {
        let text = &self.text.value;
        let text = text.parse().map_or_else(|_| text.clone(), number);
        match self.kind {
            Kind::Max => format!("at most {text}"),
            Kind::Min => format!("at least {text}"),
            Kind::Increase => format!("at most {text} more"),
            Kind::Decrease => format!("at most {text} less"),
        }
    }

    /// The outcome of a bound for a value now and before.
    ///
    /// # Errors
    /// If the bound is in another unit than the figure.
    fn judge(&self, value: Option<f64>, before: Option<f64>, units: [&str; 2]) -> Result<Outcome> {
        let text = self.text.value.trim();
        let changes = matches!(self.kind, Kind::Increase | Kind::Decrease);
        let read = |text: &str, unit: &str| {
            parse_in(text, unit)
                .map_err(|error| Error::input(error.to_string()).at(Some(&self.text.place)))
        };
        let share = if changes && text.ends_with('%') { Some(read(text, "")?) } else { None };
        // What a label says need not be said again: a cost of a request is bound in USD.
        let [short, full] = units;
        let bound = match share {
            None => read(text, short).or_else(|error| read(text, full).map_err(|_| error))?,
            Some(_) => 0.0,
        };
        let Some(value) = value else { return Ok(Outcome::Unknown) };
        let over = match (self.kind, before) {
            (Kind::Max, _) => value - bound,
            (Kind::Min, _) => bound - value,
            (_, None) => return Ok(Outcome::NoBaseline),
            (kind, Some(before)) => {
                let allowed = share.map_or(bound, |share| share * before.abs());
                let change = value - before;
                if kind == Kind::Increase { change - allowed } else { -change - allowed }
            }
        };
        // A figure at its bound is within it, whatever the last digit says.
        let kept = over <= 1e-9 * value.abs();
        Ok(if kept { Outcome::Kept } else { Outcome::Broken(over) })
    }
}

/// True if a name fits a pattern in which `*` stands for anything.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        last = Some(part);
        rest = &rest[at + part.len()..];
    }
    // Without a star everything is said; after the last one comes what the name ends with.
    last.map_or(rest.is_empty(), |last| name.ends_with(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let cases = [
            ("placement.pue", "placement.pue", true),
            ("placement.pue", "inference.placement.pue", false),
            ("*placement.*", "inference.placement.pue", true),
            ("training *", "training power / TDP", true),
            ("training *", "training.spares", false),
            ("*", "", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c", false),
            ("a*b", "a-b-x", false),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(matches(pattern, name), expected, "{pattern} on {name}");
        }
    }
}
