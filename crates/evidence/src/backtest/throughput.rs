//! Training throughput and memory against what was published.

use std::collections::BTreeMap;

use flopcast_core::diagnostic::Result;
use flopcast_core::quantity::{DeviceMemory, Measure};
use flopcast_core::training::calibration::{
    Calibration, Documented, Familiarity, HANDFUL, Known, NOT_SAID, Rates, RunKind,
};
use flopcast_core::training::parallelism::Zero;
use flopcast_core::training::platform::Platform;

use super::case::{Case, MemoryKind};
use super::fit::{Evidence, Method, Start};
use super::score::Scored;

/// The figure of training speed.
pub const THROUGHPUT: &str = "tokens_per_second_per_device";
/// Half-width of the 80 % interval of ln(measured / predicted) of allocated memory, whose tensors
/// are counted.
const ALLOCATED: f64 = 0.08;
/// The same of reserved memory: what an allocator adds depends on its history.
const RESERVED: f64 = 0.2;

/// The throughput of a case beside its prediction; `None` where none was published.
///
/// # Errors
/// Nothing was measured on the hardware's architecture or its relatives.
pub fn score_throughput(case: &Case, calibration: &Calibration) -> Result<Option<Scored>> {
    let Some(measured) = case.throughput else { return Ok(None) };
    let known = case.familiarity(calibration)?;
    let predicted = case.step(calibration)?.throughput.stored();
    let width = known.half_width(&calibration.intervals).exp();
    Ok(Some(Scored {
        id: case.id.clone(),
        figure: THROUGHPUT,
        measured: measured.stored(),
        predicted,
        interval: (predicted / width, predicted * width),
        groups: groups(case, known),
    }))
}

/// The memory of a case beside its prediction, in GB; `None` where none was published.
///
/// # Errors
/// As [`score_throughput`].
pub fn score_memory(case: &Case, calibration: &Calibration) -> Result<Option<Scored>> {
    let Some((measured, kind)) = case.memory else { return Ok(None) };
    let memory = case.memory(calibration)?;
    let gigabytes = |memory: DeviceMemory| memory.stored() / 1e9;
    let (figure, predicted, width) = match kind {
        MemoryKind::Allocated => ("memory_allocated_gb", memory.allocated, ALLOCATED),
        MemoryKind::Allocator => ("memory_reserved_gb", memory.of_allocator(), RESERVED),
        MemoryKind::Reserved => ("memory_reserved_gb", memory.reserved, RESERVED),
    };
    let predicted = gigabytes(predicted);
    Ok(Some(Scored {
        id: case.id.clone(),
        figure,
        measured: gigabytes(measured),
        predicted,
        interval: (predicted / width.exp(), predicted * width.exp()),
        groups: groups(case, case.familiarity(calibration)?),
    }))
}

/// The throughput that a rule of thumb gives: 40 % of the dense peak, over 6 x active parameters
/// plus causal attention per token.
pub fn constant_mfu(case: &Case) -> Option<Scored> {
    const MFU: f64 = 0.4;
    let measured = case.throughput?.stored();
    let model = &case.extents;
    let idle = model.experts.map_or(0.0, |experts| {
        let routed = model.expert_layers() as f64 * model.expert_weights();
        routed * (1.0 - experts.top_k as f64 / experts.count as f64)
    });
    let attention = 6.0 * (model.layers * model.heads * model.key_dim * case.batch.length) as f64;
    let per_token = 6.0 * (model.parameters as f64 - idle) + attention;
    let per_token = per_token * (2.0 + case.trained) / 3.0;
    let predicted = MFU * case.hardware.peak.stored() / per_token;
    Some(Scored {
        id: case.id.clone(),
        figure: THROUGHPUT,
        measured,
        predicted,
        interval: (predicted, predicted),
        groups: vec![("kind", kind(case).name().to_owned())],
    })
}

/// Standard deviation of ln(predicted / measured) that a good row is expected to have.
const NOISE: f64 = 0.1;

impl Evidence for Case {
    type Facts = Documented;
    type Setup = Platform;
    const METHOD: Method = Method { step: 1e-4, gain: 1e-5, start: Start::Priors, families: 4 };

    fn usable(&self, _: &Calibration) -> bool {
        self.throughput.is_some()
    }

    fn family(&self) -> String {
        self.family()
    }

    fn publisher(&self) -> Option<&str> {
        Some(self.publisher())
    }

    /// The same publisher, model, generation and format.
    fn alike(&self) -> String {
        format!("{} {} {}", self.family(), self.generation, self.format.precision().name())
    }

    fn figures(&self) -> usize {
        usize::from(self.throughput.is_some())
    }

    fn setups(rows: &[&Self], calibration: &Calibration) -> Result<Vec<Platform>> {
        let general = calibration.general()?;
        let mut known: BTreeMap<(&str, &str), Rates> = BTreeMap::new();
        let mut setups = Vec::with_capacity(rows.len());
        for case in rows {
            let class = (case.generation.as_str(), case.format.precision().name());
            let rates = match known.get(&class) {
                Some(rates) => *rates,
                None => *known.entry(class).or_insert(calibration.rates(class.0, class.1)?),
            };
            let generation = calibration.facts.generations.get(&case.generation);
            setups.push(Platform::with_constants(
                &case.hardware,
                case.format,
                case.software,
                generation,
                (general, rates, calibration.maturity(&case.software, &case.generation)),
            ));
        }
        Ok(setups)
    }

    fn errors(&self, platform: &Platform) -> Vec<f64> {
        let Some(measured) = self.throughput else { return Vec::new() };
        let predicted = self.step_on(platform).throughput;
        vec![(predicted.stored().ln() - measured.stored().ln()) / NOISE]
    }

    fn score(&self, calibration: &Calibration) -> Result<Vec<Scored>> {
        Ok(score_throughput(self, calibration)?.into_iter().collect())
    }

    fn rule_of_thumb(&self) -> Option<Scored> {
        constant_mfu(self)
    }

    fn tested(row: &Scored, seen: bool) -> Option<&str> {
        // Rows that need more than the usual width say nothing about it. The interval of a new
        // publisher is that of a framework that the fit has not seen.
        let usual = row.group("constants") == Some(TESTED);
        usual.then(|| familiarity(row, seen).interval())
    }

    fn half_width(calibration: &Calibration, row: &Scored, seen: bool) -> f64 {
        familiarity(row, seen).half_width(&calibration.intervals)
    }

    const APART: &'static [&'static str] = &["device_new", "own_prior", "size_new"];

    fn apart(&self, kind: &str) -> Option<String> {
        let devices = self.layout.devices();
        match kind {
            "device_new" => Some(self.accelerator.clone()),
            "own_prior" => Some(self.generation.clone()),
            _ if self.batch.length > 32_768 => Some("sequences over 32,768".to_owned()),
            _ if devices > 1024 => Some("over 1,024 devices".to_owned()),
            _ if self.extents.parameters > 300_000_000_000 => Some("over 300B".to_owned()),
            _ if self.extents.parameters < 2_000_000_000 => Some("under 2B".to_owned()),
            _ => None,
        }
    }

    /// A device whose generation few other runs stand for is as strange as its generation.
    fn stranger(&self, kind: &'static str, kept: &[&Self]) -> &'static str {
        let kin = kept.iter().filter(|row| row.generation == self.generation).count();
        if kind == "device_new" && kin < HANDFUL as usize { "generation_new" } else { kind }
    }
}

/// The group of rows in whose conditions the fit has seen others.
const TESTED: &str = "tested";

/// The coverage of a fit for a scored row, where it had seen the publisher or not.
fn familiarity(row: &Scored, seen: bool) -> Familiarity {
    Familiarity {
        framework: (!seen).then_some(NOT_SAID),
        device: Known::Tested,
        kind: match row.group("kind") {
            Some("lora") => RunKind::Adapters,
            Some("moe") => RunKind::Experts,
            _ => RunKind::Dense,
        },
        beyond: false,
        scans: false,
    }
}

/// The kind of a run.
fn kind(case: &Case) -> RunKind {
    RunKind::of(&case.extents, case.trained)
}

/// The groups that a run is scored in.
fn groups(case: &Case, known: Familiarity) -> Vec<(&'static str, String)> {
    let table = case.table.iter().map(|table| ("table", table.clone()));
    let mut groups = vec![
        ("kind", kind(case).name().to_owned()),
        ("accelerator", case.accelerator.clone()),
        ("source", case.publisher().to_owned()),
        ("sharding", if case.layout.zero == Zero::Weights { "ZeRO-3" } else { "other" }.to_owned()),
        ("constants", known.reasons().first().copied().unwrap_or(TESTED).to_owned()),
    ];
    groups.extend(table);
    groups
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use flopcast_core::catalog::Catalog;

    use super::super::{Kind, cases};
    use super::*;

    /// What the calibration calls tested is what the shipped rows tested.
    #[test]
    fn tested_conditions_are_those_of_the_shipped_rows() {
        let calibration = Calibration::shipped().expect("sound");
        let table = Kind::TrainingThroughput.shipped().expect("shipped");
        let (cases, _) = cases(&table, &Catalog::embedded(), calibration);
        let mut tested: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let mut ends = [[f64::INFINITY, 0.0]; 3];
        for case in cases.iter().filter(|case| case.throughput.is_some()) {
            tested.entry(&case.accelerator).or_default().insert(case.format.precision().name());
            let sizes = [case.extents.parameters, case.batch.length, case.layout.devices()];
            for (end, size) in ends.iter_mut().zip(sizes.map(|size| size as f64)) {
                *end = [end[0].min(size), end[1].max(size)];
            }
        }
        let facts = &calibration.facts;
        let said = facts.tested.iter().map(|(device, precisions)| {
            (device.as_str(), precisions.iter().map(String::as_str).collect())
        });
        assert_eq!(said.collect::<BTreeMap<&str, BTreeSet<&str>>>(), tested);
        for (name, generation) in &facts.generations {
            let runs = cases.iter().filter(|it| it.throughput.is_some() && it.generation == *name);
            assert_eq!(generation.runs as usize, runs.count(), "{name}");
        }
        let said = [facts.sizes.parameters, facts.sizes.sequence, facts.sizes.devices];
        for (said, ends) in said.iter().flatten().zip(ends.iter().flatten()) {
            assert!((said / ends - 1.0).abs() < 0.05, "{said} of {ends}");
        }
    }
}
