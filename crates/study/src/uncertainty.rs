//! Ranges: what the uncertainty of the inputs makes of the figures.
//!
//! Each uncertain input is one factor, drawn once per sample and shared by everything that uses
//! it; factors are independent of each other. Draws are stratified (Latin hypercube, `McKay` et al.
//! 1979), so every percentile of every factor is met evenly. The error of a predicted step time is
//! a factor of its own.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use flopcast_core::diagnostic::Result;
use flopcast_core::estimate::figure::DECLARED;
use flopcast_core::estimate::{Engine, Estimate, Id, Key, Mark};
use flopcast_core::provenance::Inputs as _;
use flopcast_core::quantity::Distribution;
use flopcast_core::quantity::text::convert;
use flopcast_core::random::Stream;
use flopcast_core::training::predict::RUN_ERROR;
use rayon::prelude::*;

/// Samples that one thread draws at a time.
const TOGETHER: usize = 128;

/// Percentiles that are reported.
pub const PERCENTILES: [u32; 6] = [5, 10, 50, 80, 90, 95];

/// How to sample.
#[derive(Clone, Copy, Debug)]
pub struct Sampling {
    /// Samples; more give steadier percentiles.
    pub samples: usize,
    /// The same seed gives the same figures.
    pub seed: u64,
    /// True if the error of predictions counts.
    pub model_error: bool,
}

impl Default for Sampling {
    /// 10,000 samples, errors of predictions among them.
    fn default() -> Self {
        Self { samples: OF_RANGES, seed: 1, model_error: true }
    }
}

/// Samples where the user gave ranges.
const OF_RANGES: usize = 10_000;
/// Samples where only usual spreads and the errors of models make a forecast uncertain. Strata keep
/// its percentiles within a percent, in a few milliseconds.
const OF_USUAL: usize = 256;

impl Sampling {
    /// The usual sampling of a forecast: 10,000 samples where the user gave ranges, else 256.
    pub fn usual(engine: &mut Engine) -> Self {
        let mut ranges = false;
        engine.for_each_input(&mut |input| ranges |= input.is_range());
        Self { samples: if ranges { OF_RANGES } else { OF_USUAL }, ..Self::default() }
    }
}

/// A figure's percentiles and what moves it.
#[derive(Clone, Debug)]
pub struct Interval {
    /// The figure.
    pub figure: Id,
    /// Its values at [`PERCENTILES`], in its declared unit.
    pub values: [f64; PERCENTILES.len()],
    /// Factors by how far they move the figure, most first.
    pub swings: Vec<Swing>,
}

impl Interval {
    /// The path of the figure.
    pub fn path(&self) -> String {
        Key::from(self.figure).path()
    }

    /// Its unit, without what its name says that it is of.
    pub fn short_unit(&self) -> &'static str {
        self.figure.declared().short_unit
    }
}

/// The effect of one factor alone on a figure.
#[derive(Clone, Debug)]
pub struct Swing {
    /// The factor.
    pub factor: String,
    /// The figure with the factor at its 10th percentile, all others as they are.
    pub low: f64,
    /// The same at its 90th.
    pub high: f64,
}

/// An uncertain input.
#[derive(Clone, Debug)]
struct Factor {
    name: String,
    distribution: Distribution,
}

/// The stored value of a figure, where it is known.
pub(crate) fn stored(estimate: &Estimate, key: &Key) -> Option<f64> {
    estimate.read(key).known().map(|figure| figure.value().stored)
}

/// The names of the inputs whose distribution is the error of a model: of a step and of a run of
/// training, of a step of serving.
pub(crate) const PREDICTIONS: [&str; 3] = ["predicted throughput", RUN_ERROR, STEP_ERROR];
/// See [`PREDICTIONS`].
const STEP_ERROR: &str = "error of the predicted step";

/// The figures of a service at the ends of the 80 % interval of its step time.
#[derive(Clone, Debug)]
pub struct Predicted {
    /// Measured / predicted is within this factor, either way.
    pub factor: f64,
    /// The figures that follow it, where steps are as much shorter and as much longer: in their
    /// declared units.
    pub figures: Vec<(Id, f64, f64)>,
}

/// The interval of a service by the error of the step-time model; none where its step was measured,
/// or where nothing is generated. Figures to which longer steps leave no answer are left out.
pub fn predicted(engine: &Engine) -> Option<Predicted> {
    let mut engine = engine.clone();
    let mut distribution = None;
    engine.for_each_input(&mut |input| {
        distribution = distribution
            .take()
            .or_else(|| input.distribution().filter(|_| input.name() == STEP_ERROR));
    });
    let distribution = distribution?;
    let factor = distribution.quantile(0.9);
    let mut at = |value: f64| {
        engine.for_each_input(&mut |input| {
            if input.name() == STEP_ERROR {
                input.set(value);
            }
        });
        engine.run().ok()
    };
    let (short, long) = (at(1.0 / factor)?, at(factor));
    let moved = [Id::MaxRate, Id::FleetReplicas, Id::FleetDevices];
    let figures = moved.into_iter().filter_map(|id| {
        let key = Key::from(id);
        let in_unit = |estimate: &Estimate| {
            stored(estimate, &key).map(|value| convert(value, id.declared().unit))
        };
        Some((id, in_unit(&short)?, in_unit(long.as_ref()?)?))
    });
    Some(Predicted { factor, figures: figures.collect() })
}

/// The ranges of the figures of a forecast. `progress` hears the share that is done; its error ends the
/// sampling.
///
/// # Errors
/// If the forecast at the central values fails. Samples that fail (a model that does not fit
/// at an extreme) are left out.
pub fn intervals(
    engine: &Engine,
    sampling: Sampling,
    progress: &(dyn Fn(f64) -> Result<()> + Sync),
) -> Result<Vec<Interval>> {
    let mut engine = engine.clone();
    let central = engine.run()?;
    let (factors, places) = factors(&mut engine, sampling.model_error);
    if factors.is_empty() {
        return Ok(Vec::new());
    }
    let ranged = DECLARED.iter().filter(|row| row.is(Mark::Range)).map(|row| Key::from(row.id));
    let shown: Vec<Key> = ranged.filter(|key| stored(&central, key).is_some()).collect();
    let draws: Vec<Vec<f64>> = factors
        .iter()
        .enumerate()
        .map(|(index, factor)| {
            progress(0.0)?;
            Ok(stratified(&factor.distribution, sampling, index as u64))
        })
        .collect::<Result<_>>()?;
    let done = AtomicUsize::new(0);
    let sampled = |samples: Range<usize>| {
        let before = done.fetch_add(samples.len(), Ordering::Relaxed);
        progress(before as f64 / sampling.samples as f64)?;
        let mut engine = engine.clone();
        let mut columns = vec![Vec::with_capacity(samples.len()); shown.len()];
        for index in samples {
            set(&mut engine, &places, |factor| draws[factor][index]);
            let Ok(estimate) = engine.run() else { continue };
            for (key, column) in shown.iter().zip(&mut columns) {
                column.extend(stored(&estimate, key));
            }
        }
        Ok(columns)
    };
    let parts = (0..sampling.samples).step_by(TOGETHER).collect::<Vec<_>>().into_par_iter();
    let parts = parts.map(|start| sampled(start..sampling.samples.min(start + TOGETHER)));
    let mut columns = vec![Vec::with_capacity(sampling.samples); shown.len()];
    for part in parts.collect::<Result<Vec<_>>>()? {
        columns.iter_mut().zip(part).for_each(|(column, part)| column.extend(part));
    }
    let medians: Vec<f64> = factors.iter().map(|f| f.distribution.quantile(0.5)).collect();
    let mut at = |moved: usize, share: f64| {
        let value = factors[moved].distribution.quantile(share);
        set(&mut engine, &places, |factor| if factor == moved { value } else { medians[factor] });
        engine.run().ok()
    };
    let extremes: Vec<_> =
        (0..factors.len()).map(|moved| (at(moved, 0.1), at(moved, 0.9))).collect();
    let mut out = Vec::with_capacity(shown.len());
    for (key, mut column) in shown.iter().zip(columns) {
        column.sort_by(f64::total_cmp);
        let figure = key.id;
        let in_unit = |value: f64| convert(value, figure.declared().unit);
        let mut swings: Vec<Swing> = factors
            .iter()
            .zip(&extremes)
            .filter_map(|(factor, (low, high))| {
                let (low, high) = (stored(low.as_ref()?, key)?, stored(high.as_ref()?, key)?);
                let moves = (high - low).abs() > 1e-9 * high.abs();
                let factor = factor.name.clone();
                moves.then(|| Swing { factor, low: in_unit(low), high: in_unit(high) })
            })
            .collect();
        swings.sort_by(|a, b| (b.high - b.low).abs().total_cmp(&(a.high - a.low).abs()));
        if column.is_empty() || swings.is_empty() {
            continue;
        }
        let values = PERCENTILES.map(|p| in_unit(percentile(&column, f64::from(p) / 100.0)));
        out.push(Interval { figure, values, swings });
    }
    Ok(out)
}

/// The uncertain inputs, each once, and for every input of the forecast which factor it is.
fn factors(engine: &mut Engine, model_error: bool) -> (Vec<Factor>, Vec<Option<usize>>) {
    let mut factors: Vec<Factor> = Vec::new();
    let mut places = Vec::new();
    engine.for_each_input(&mut |input| {
        let distribution =
            input.distribution().filter(|_| model_error || !PREDICTIONS.contains(&input.name()));
        places.push(distribution.map(|distribution| {
            let known = factors.iter().position(|factor| factor.name == input.name());
            known.unwrap_or_else(|| {
                factors.push(Factor { name: input.name().to_owned(), distribution });
                factors.len() - 1
            })
        }));
    });
    (factors, places)
}

/// Sets the inputs of each factor to its value.
fn set(engine: &mut Engine, places: &[Option<usize>], value: impl Fn(usize) -> f64) {
    let mut index = 0;
    engine.for_each_input(&mut |input| {
        if let Some(factor) = places[index] {
            input.set(value(factor));
        }
        index += 1;
    });
}

/// One draw from each of `samples` strata of equal probability, in random order.
fn stratified(distribution: &Distribution, sampling: Sampling, factor: u64) -> Vec<f64> {
    let mut random = Stream::new(sampling.seed, factor);
    let width = 1.0 / sampling.samples as f64;
    let table = Table::of(distribution);
    let mut draws: Vec<f64> = (0..sampling.samples)
        .map(|stratum| table.quantile((stratum as f64 + random.uniform()) * width))
        .collect();
    for i in (1..draws.len()).rev() {
        draws.swap(i, (random.uniform() * (i + 1) as f64) as usize);
    }
    draws
}

/// Quantiles of a distribution; those of a PERT take long and are interpolated.
enum Table<'a> {
    Exact(&'a Distribution),
    Interpolated(Vec<f64>),
}

impl<'a> Table<'a> {
    const STEPS: usize = 2048;

    /// The quantiles of a distribution: exact, or interpolated where the exact ones take long.
    fn of(distribution: &'a Distribution) -> Self {
        match distribution {
            Distribution::Range { .. } => Self::Exact(distribution),
            Distribution::Pert { low, high, .. } => {
                let inner = |i: usize| distribution.quantile(i as f64 / Self::STEPS as f64);
                let mut values = vec![*low];
                values.extend((1..Self::STEPS).map(inner));
                values.push(*high);
                Self::Interpolated(values)
            }
        }
    }

    /// The value below which a share of the distribution lies.
    fn quantile(&self, share: f64) -> f64 {
        match self {
            Self::Exact(distribution) => distribution.quantile(share.clamp(1e-12, 1.0 - 1e-12)),
            Self::Interpolated(values) => {
                let at = share * Self::STEPS as f64;
                let index = (at as usize).min(Self::STEPS - 1);
                let part = at - index as f64;
                values[index] * (1.0 - part) + values[index + 1] * part
            }
        }
    }
}

/// The percentile of a sorted column with values, interpolated between ranks.
pub(crate) fn percentile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let index = (at as usize).min(sorted.len().saturating_sub(2));
    let next = sorted.get(index + 1).unwrap_or(&sorted[index]);
    sorted[index] + (next - sorted[index]) * (at - index as f64)
}
