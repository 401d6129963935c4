//! The share of a fleet that is worth a commitment.
//!
//! A device that the load needs in a part u of the hours costs u x the on-demand price by the hour,
//! or the reserved price all the time. So it pays to commit to the devices that are needed in more
//! of the hours than the reserved price is of the on-demand price: the newsvendor's quantile of
//! the load's duration curve.

use flopcast_core::catalog::{Catalog, Price, Purchase, Wanted};
use flopcast_core::estimate::plan::Service;
use flopcast_core::quantity::{Measure, Share};
use flopcast_core::serving::traffic::Profile;

/// The worth of a commitment to a service whose other devices are rented by the hour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Commitment {
    /// The terms.
    pub plan: Purchase,
    /// Reserved price / on-demand price.
    pub price_ratio: f64,
    /// The best share of the peak's devices to commit.
    pub share: Share,
    /// The saving against the whole fleet on demand by the hour.
    pub saving: Share,
}

/// The best commitments of a service, where its provider lists reserved prices. The load over the
/// week is the scenario's profile, or a smooth day with the scenario's peak.
pub fn of(service: &Service, catalog: &Catalog) -> Vec<Commitment> {
    let demand = &service.demand;
    let Some(listed) = service.rent.as_ref().and_then(|rent| rent.listed.as_ref()) else {
        return Vec::new();
    };
    let daily = || Profile::daily(service.peak_to_mean.value).ok();
    let Some(profile) = demand.profile.clone().or_else(daily) else { return Vec::new() };
    let together = service.replica.devices.value.stored() as u64;
    // Both prices are of one row, so of one day: a cut since then is no discount for a term.
    let ratio = |plan| {
        let wanted = Wanted {
            provider: &listed.provider,
            region: listed.region.as_deref(),
            accelerator: &demand.accelerator,
            purchase: plan,
        };
        let reserved = catalog.sold(wanted, together).ok()??;
        let of_it = |price: &&Price| {
            (&price.region, &price.sku) == (&reserved.region, &reserved.sku)
                && price.citation.as_of == reserved.citation().as_of
        };
        let row = catalog.prices_of(&reserved.provider).find(of_it)?;
        let price = |purchase| row.per_device(purchase).map(|price| price.value.stored());
        Some(price(plan)? / price(Purchase::OnDemand)?)
    };
    Purchase::ALL
        .into_iter()
        .filter(|plan| plan.years().is_some())
        .filter_map(|plan| {
            let price_ratio = ratio(plan)?;
            let (share, saving) = best(profile.weights(), price_ratio);
            Some(Commitment { plan, price_ratio, share, saving })
        })
        .collect()
}

/// The best share of the peak to commit, and what it saves of the cost on demand by the hour.
/// `load` by the hour is in any unit.
fn best(load: &[f64], price_ratio: f64) -> (Share, Share) {
    let mut falling = load.to_vec();
    falling.sort_by(|a, b| b.total_cmp(a));
    let hours = falling.len() as f64;
    let peak = falling.first().copied().unwrap_or_default();
    // The load that is exceeded in just that part of the hours.
    let level = falling.get((price_ratio * hours) as usize).copied().unwrap_or_default();
    let by_the_hour = falling.iter().sum::<f64>() / hours;
    let above = falling.iter().map(|load| (load - level).max(0.0)).sum::<f64>() / hours;
    let saving = 1.0 - (price_ratio * level + above) / by_the_hour;
    let share = |value: f64| Share::from_stored(value.clamp(0.0, 1.0));
    (share(level / peak), share(saving))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_level_is_the_best() {
        let profile = Profile::daily(2.5).unwrap();
        let load = profile.weights();
        let mean = |of: &dyn Fn(f64) -> f64| load.iter().map(|l| of(*l)).sum::<f64>() / 168.0;
        for ratio in [0.2, 0.37, 0.6, 0.85] {
            let (share, saving) = best(load, ratio);
            let cost = |level: f64| ratio * level + mean(&|load| (load - level).max(0.0));
            let chosen = cost(share.get() * profile.peak());
            for step in 0..=100 {
                let other = cost(0.01 * f64::from(step) * profile.peak());
                assert!(chosen <= other + 1e-9, "{ratio}: {chosen} at {share:?}, {other}");
            }
            assert!((saving.get() - (1.0 - chosen / mean(&|load| load))).abs() < 1e-12);
        }
    }

    #[test]
    fn the_ends_are_told() {
        // A constant load is committed whole; nothing is where a reservation costs as much.
        let (share, saving) = best(&[1.0; 24], 0.6);
        assert!((share.get() - 1.0).abs() < 1e-12 && (saving.get() - 0.4).abs() < 1e-12);
        let (share, saving) = best(&[1.0; 24], 1.0);
        assert!(share.get() <= 0.0 && saving.get() <= 0.0);
    }
}
