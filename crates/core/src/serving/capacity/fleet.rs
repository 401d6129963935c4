//! From a replica's highest rate to replicas, devices and instances.

use crate::diagnostic::{Error, Result};
use crate::provenance::SLACK;
use crate::quantity::{RequestRate, Share, Time};
use crate::serving::traffic::Profile;

/// A fleet and why it has that size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fleet {
    /// Replicas that the peak needs at the target utilisation.
    pub needed: u64,
    /// Replicas to pay for: redundancy included.
    pub replicas: u64,
    /// Devices of the replicas.
    pub devices: u64,
    /// Share of the fleet's highest rate that is unused at the peak.
    pub headroom: f64,
}

/// The smallest fleet for a peak rate: replicas = ceil(peak / (highest rate x target utilisation))
/// +
/// redundancy, of so many devices each.
///
/// # Errors
/// If the highest rate is zero or a count leaves the range of whole numbers.
pub fn fleet(
    peak: RequestRate,
    highest: RequestRate,
    target_utilisation: Share,
    redundancy: u64,
    replica: u64,
) -> Result<Fleet> {
    let planned = highest.value * target_utilisation.get();
    let needed = (peak.value / planned - SLACK).ceil().max(1.0);
    if !(planned > 0.0 && needed < 1e9) {
        return Err(Error::limit("no fleet of a size that could be bought takes this rate")
            .hint("check the rate's unit: requests per second or per day"));
    }
    let needed = needed as u64;
    let replicas = needed + redundancy;
    Ok(Fleet {
        needed,
        replicas,
        devices: replicas * replica.max(1),
        headroom: 1.0 - peak.value / (needed as f64 * highest.value),
    })
}

/// Replicas hour by hour over a week, for a fleet that follows its load.
#[derive(Clone, Debug, PartialEq)]
pub struct Autoscaling {
    /// Replicas of each hour, Monday 0 h first.
    pub replicas: Vec<u64>,
    /// Replica-hours of a week.
    pub replica_hours: f64,
    /// The same of a fleet that is always as large as the peak needs.
    pub fixed_replica_hours: f64,
    /// Share of the paid capacity that is unused on average.
    pub idle: f64,
}

/// A fleet that follows an hourly profile. A replica takes `start_up` to be ready, so it is started
/// that much ahead and paid for meanwhile: an hour's fleet is what the hours that it overlaps need.
pub fn autoscale(
    profile: &Profile,
    mean: RequestRate,
    highest: RequestRate,
    target_utilisation: Share,
    redundancy: u64,
    start_up: Time,
) -> Autoscaling {
    let planned = (highest.value * target_utilisation.get()).max(f64::MIN_POSITIVE);
    let need = |weight: f64| (mean.value * weight / planned - SLACK).ceil().max(1.0) as u64;
    let weights = profile.weights();
    let base: Vec<u64> = weights.iter().map(|w| need(*w) + redundancy).collect();
    let ahead = start_up.value / 3600.0;
    let whole = (ahead as usize).min(base.len());
    let mut hours = 0.0;
    let replicas: Vec<u64> = (0..base.len())
        .map(|hour| {
            let later = |more: usize| base[(hour + more) % base.len()];
            let now = (0..=whole).map(later).max().unwrap_or(1);
            let next = now.max(later(whole + 1));
            // For the last part of the hour the next hour's replicas are starting.
            hours += now as f64 + (next - now) as f64 * (ahead - whole as f64).min(1.0);
            now
        })
        .collect();
    let fixed = base.iter().copied().max().unwrap_or(1) as f64 * base.len() as f64;
    let load: f64 = weights.iter().map(|w| w * mean.value).sum();
    Autoscaling {
        replicas,
        replica_hours: hours,
        fixed_replica_hours: fixed,
        idle: 1.0 - load / (hours * highest.value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantity::Measure as _;

    #[test]
    fn the_peak_is_planned_at_the_target_utilisation() {
        let rate = RequestRate::from_stored;
        let target = Share::from_stored(0.9);
        let fleet = fleet(rate(100.0), rate(9.0), target, 1, 4).unwrap();
        assert_eq!((fleet.needed, fleet.replicas, fleet.devices), (13, 14, 56));
        assert!((fleet.headroom - (1.0 - 100.0 / 117.0)).abs() < 1e-12);
    }

    #[test]
    fn a_fleet_that_follows_its_load_is_paid_for_less() {
        let profile = Profile::daily(2.0).unwrap();
        let rate = RequestRate::from_stored;
        let scale = |minutes: f64| {
            autoscale(
                &profile,
                rate(50.0),
                rate(10.0),
                Share::from_stored(1.0),
                0,
                Time::from_stored(60.0 * minutes),
            )
        };
        let (fast, slow) = (scale(0.0), scale(30.0));
        assert_eq!(fast.replicas.iter().max(), Some(&10));
        assert!((fast.fixed_replica_hours - 1680.0).abs() < 1e-9);
        assert!(fast.replica_hours < slow.replica_hours);
        assert!(slow.replica_hours < fast.fixed_replica_hours);
        assert!(fast.idle > 0.0 && fast.idle < slow.idle);
    }
}
