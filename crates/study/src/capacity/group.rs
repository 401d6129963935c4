//! The replicas that are simulated for a fleet: one that stands for all, or as many as the peak needs
//! behind their router.

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::ReplicaLimits;
use flopcast_core::quantity::RequestRate;
use flopcast_core::serving::capacity::{HighestRate, Near, Search, highest_rate};
use flopcast_core::serving::simulator::{Replicas, Server};

use super::{Task, fleet_for, peak};
use crate::layouts::rough;

/// Replicas that are simulated together, and the highest rate of each.
pub(super) struct Group<S> {
    pub server: Replicas<S>,
    /// Runs that are long enough for so many.
    pub search: Search,
    pub highest: HighestRate,
}

/// Replicas of a simulation of the whole fleet at most: a part of a larger one takes its part of the
/// requests.
pub(super) const MOST_TOGETHER: u64 = 256;
/// Requests of such a simulation at most / those of a run of one replica.
const MOST_OF_FLEET: u64 = 20;
/// Requests of each replica in it, for each that it works on at once.
const TURNS: u64 = 4;
/// Fleets that are tried.
const TRIES: u32 = 5;

impl Task<'_> {
    /// So many replicas together at their highest rate, which is near that.
    fn together<S: Server>(
        &self,
        server: S,
        count: u64,
        near: Near,
        usual: &Search,
        progress: &dyn Fn(f64) -> Result<()>,
    ) -> Result<Group<S>> {
        let each = (server.concurrency() / count * TURNS).clamp(1000, usual.requests.max(1000));
        let most = usual.requests.saturating_mul(MOST_OF_FLEET);
        let requests = (each * count).clamp(usual.requests, most.max(usual.requests));
        let search = Search { requests, seeds: usual.seeds.min(2), ..*usual };
        let server = Replicas { server, count };
        let near = Some(near.over(count));
        let traffic = self.traffic.over(count as f64);
        let found = highest_rate(&server, &traffic, self.objective, &search, near, progress)?;
        let highest = HighestRate {
            rate: found.rate / count as f64,
            breaks_at: found.breaks_at / count as f64,
            near: Near { rate: found.near.rate / count as f64, ..found.near },
            ..found
        };
        Ok(Group { server, search, highest })
    }

    /// The replicas that stand for the fleet: one where it sees in the fleet what it would see alone;
    /// else as many behind the router as the peak needs at the rate that they keep together. More of
    /// them smooth bursts better, so the least number that suffices is looked for between one that
    /// does and one that does not.
    pub(super) fn group<S: Server>(
        &self,
        servers: &impl Fn(u64, bool) -> Option<S>,
        progress: &dyn Fn(f64) -> Result<()>,
    ) -> Result<Group<S>> {
        let search = *self.question.search;
        let is_one = servers(2, false).is_none();
        let share = |share: f64| progress(if is_one { share } else { 0.2 * share });
        let alone = |search: Search, near: Option<Near>| {
            let server = servers(1, false).ok_or_else(|| Error::limit("there is no replica"))?;
            let server = Replicas { server, count: 1 };
            let highest =
                highest_rate(&server, self.traffic, self.objective, &search, near, &share)?;
            Ok::<_, Error>(Group { server, search, highest })
        };
        // Where nobody bounds how long a request waits, a router moves what waits, not what is answered.
        if self.objective.is_empty() {
            return alone(search, None);
        }
        let by_means = ReplicaLimits::of(self.service)?.max_rate.value() * 0.5;
        let start = Near { rate: by_means, slope: None };
        if is_one {
            return alone(search, Some(start));
        }
        let quick = rough(&search);
        let near = match alone(quick, Some(start)) {
            Ok(group) if self.needed(group.highest.rate).is_ok_and(|it| it == 1) => {
                let group = alone(search, Some(group.highest.near))?;
                if self.needed(group.highest.rate)? == 1 {
                    return Ok(group);
                }
                Some(group.highest.near)
            }
            group => group.ok().map(|it| it.highest.near),
        };
        // What one replica cannot keep alone, since requests come together, many may.
        let rate = near.map_or(by_means, |it| it.rate.max(by_means));
        let start = Near { rate, slope: None };
        // Short runs find about how many there are.
        let part = |share: f64| progress(0.2 + 0.3 * share);
        let about =
            if quick == search { None } else { self.fewest(servers, start, &quick, &part)? };
        let start = about.map_or(start, |it| it.highest.near);
        let part = |share: f64| progress(0.5 + 0.5 * share);
        let Some(mut group) = self.fewest(servers, start, &search, &part)? else {
            return alone(search, near);
        };
        // Fewer replicas than were simulated smooth less: they are not known to suffice.
        let (count, target) = (group.server.count, self.service.target_utilisation.value.get());
        if count < MOST_TOGETHER && self.needed(group.highest.rate)? < count {
            group.highest.rate = peak(self.service) / (target * (count as f64 - 0.5));
        }
        Ok(group)
    }

    /// Replicas that the peak needs where each takes so much.
    fn needed(&self, rate: RequestRate) -> Result<u64> {
        Ok(fleet_for(self.service, peak(self.service), rate)?.needed)
    }

    /// The fewest replicas behind the router that suffice for the peak, as far as `TRIES` find them, from
    /// the highest rate of each near which they are.
    fn fewest<S: Server>(
        &self,
        servers: &impl Fn(u64, bool) -> Option<S>,
        mut near: Near,
        search: &Search,
        progress: &dyn Fn(f64) -> Result<()>,
    ) -> Result<Option<Group<S>>> {
        let (mut least, mut found) = (0, None);
        let mut count = self.needed(near.rate)?.min(MOST_TOGETHER);
        for tried in 0..TRIES {
            let Some(server) = servers(count, false) else { break };
            let part = |share: f64| progress((f64::from(tried) + share) / f64::from(TRIES));
            let enough = match self.together(server, count, near, search, &part) {
                Ok(group) => {
                    near = group.highest.near;
                    let enough = self.needed(group.highest.rate)?.min(MOST_TOGETHER);
                    if enough <= count {
                        found = Some(group);
                    }
                    enough
                }
                // So few do not keep it at any rate.
                Err(_) => 2 * count,
            };
            let high = found.as_ref().map_or(MOST_TOGETHER + 1, |it: &Group<S>| it.server.count);
            if enough > count {
                least = count;
            }
            // Within a twentieth it is the fleet.
            if enough <= count && enough + count / 20 >= count || high <= least + 1 {
                break;
            }
            count = if (least + 1..high).contains(&enough) {
                enough
            } else {
                u64::midpoint(least, high)
            };
            count = count.clamp(1, MOST_TOGETHER);
        }
        Ok(found)
    }
}
