//! Slices of a GPU, each of which is a device of its own (NVIDIA Multi-Instance GPU, MIG).
//!
//! A profile such as `3g.40gb` names slices of processors and memory. A GPU with HBM from Ampere on has
//! memory in eighths, each with its part of the bandwidth. A slice of processors is an eighth, too: 14 of
//! the 108 multiprocessors of an A100, 16 of the 132 of an H100 (NVIDIA, Multi-Instance GPU user guide);
//! the profile of all seven has the GPU whole. What the card has beside them is shared alike by as many
//! slices as fit on it: price, power, host, embodied carbon.

use super::{Accelerator, Embodied};
use crate::catalog::Sourced;
use crate::diagnostic::{Error, Result};
use crate::quantity::Measure;

/// Slices of processors and eighths of the memory of a profile.
const PROFILES: [(u64, u64); 6] = [(1, 1), (1, 2), (2, 2), (3, 4), (4, 4), (7, 8)];
/// Slices of processors, and of memory, that a GPU is divided into.
const SLICES: (u64, u64) = (7, 8);
/// The least memory of such a GPU in bytes.
const LEAST: f64 = 40e9;
/// Generations that are divided so.
const GENERATIONS: [&str; 3] = ["Ampere", "Hopper", "Blackwell"];

impl Accelerator {
    /// A slice of this GPU: `1g.10gb`, `3g.40gb`. It has no link to others.
    ///
    /// # Errors
    /// If the GPU is not divided, or not so: the error lists the profiles that it has.
    pub fn slice(&self, profile: &str) -> Result<Self> {
        let bytes = self.memory.as_ref().map_or(0.0, |memory| memory.value.stored());
        let divided = self.vendor == "NVIDIA"
            && GENERATIONS.iter().any(|it| self.architecture.starts_with(it))
            && self.memory_type.starts_with("HBM")
            && bytes >= LEAST;
        if !divided || self.slices.is_some() {
            return Err(Error::input(format!("{} is not divided into slices", self.id))
                .hint("NVIDIA GPUs with 40 GB of HBM and more are, from A100 on"));
        }
        let name = |(processors, eighths): (u64, u64)| {
            format!("{processors}g.{}gb", (bytes / 1e9 * eighths as f64 / 8.0).round())
        };
        let found = PROFILES.into_iter().find(|it| name(*it).eq_ignore_ascii_case(profile));
        let Some((processors, eighths)) = found else {
            let known: Vec<_> = PROFILES.into_iter().map(name).collect();
            return Err(Error::input(format!("{} has no slice `{profile}`", self.id))
                .suggest(profile, known.iter().map(String::as_str))
                .hint(format!("it has {}", known.join(", "))));
        };
        let computes = if processors == SLICES.0 { 1.0 } else { processors as f64 / 8.0 };
        let memory = eighths as f64 / SLICES.1 as f64;
        let count = (SLICES.0 / processors).min(SLICES.1 / eighths);
        let alike = 1.0 / count as f64;
        Ok(Self {
            name: format!("{} {profile}", self.name),
            peaks: self.peaks.map(|peak| peak.map(|it| it * computes)),
            fp64_tensor: part(self.fp64_tensor.as_ref(), computes),
            memory: part(self.memory.as_ref(), memory),
            bandwidth: part(self.bandwidth.as_ref(), memory),
            scale_up: None,
            scale_up_domain: None,
            scale_out: part(self.scale_out.as_ref(), alike),
            tdp: part(self.tdp.as_ref(), alike),
            idle: part(self.idle.as_ref(), alike),
            devices_per_node: self.devices_per_node * count,
            server_max: self.server_max.clone().map(|(power, cards)| (power, cards * count)),
            embodied: Embodied {
                low: part(self.embodied.low.as_ref(), alike),
                mid: part(self.embodied.mid.as_ref(), alike),
                high: part(self.embodied.high.as_ref(), alike),
            },
            slices: Some(count),
            ..self.clone()
        })
    }
}

/// A share of a figure, under its citation.
fn part<Q: Measure>(figure: Option<&Sourced<Q>>, share: f64) -> Option<Sourced<Q>> {
    figure.map(|it| it.map(|value| Q::from_stored(share * value.stored())))
}

#[cfg(test)]
mod tests {
    use crate::catalog::Catalog;
    use crate::quantity::{Measure as _, Precision};

    /// Memory and bandwidth of the profiles as the vendor's guide has them: gigabytes as the name of the
    /// profile says, seven or fewer of them on a card.
    #[test]
    fn slices_are_those_of_the_guide() {
        let catalog = Catalog::embedded();
        for (card, profile, memory, count) in [
            ("a100-sxm-40gb", "1g.5gb", 5.0, 7),
            ("a100-sxm-80gb", "3g.40gb", 40.0, 2),
            ("h100-sxm", "1g.10gb", 10.0, 7),
            ("h100-sxm", "1g.20gb", 20.0, 4),
            ("h100-sxm", "2g.20gb", 20.0, 3),
            ("h200-sxm", "1g.18gb", 17.6, 7),
            ("h200-sxm", "4g.71gb", 70.5, 1),
            ("h100-sxm", "7g.80gb", 80.0, 1),
        ] {
            let whole = catalog.accelerator(card).unwrap();
            let slice = whole.slice(profile).unwrap();
            let of = |it: &super::Accelerator| it.memory.as_ref().unwrap().value.stored() / 1e9;
            assert!((of(&slice) - memory).abs() < 0.1, "{card} {profile}: {}", of(&slice));
            assert_eq!(slice.slices, Some(count), "{card} {profile}");
            assert_eq!(slice.devices_per_node, whole.devices_per_node * count);
            let peak = |it: &super::Accelerator| it.peak(Precision::Bf16).unwrap().value;
            assert!(peak(&slice) <= peak(whole));
        }
    }

    #[test]
    fn what_is_not_divided_is_refused_with_what_is_there() {
        let catalog = Catalog::embedded();
        for (card, profile, told) in [
            ("h100-sxm", "3g.80gb", "3g.40gb"),
            ("h100-sxm", "", "7g.80gb"),
            ("l4", "1g.5gb", "is not divided"),
            ("mi300x", "1g.24gb", "is not divided"),
        ] {
            let refused = catalog.accelerator(card).unwrap().slice(profile).unwrap_err();
            assert!(refused.to_string().contains(told), "{refused}");
        }
        let slice = catalog.accelerator("h100-sxm").unwrap().slice("1g.10gb").unwrap();
        assert!(slice.slice("1g.10gb").is_err());
    }
}
