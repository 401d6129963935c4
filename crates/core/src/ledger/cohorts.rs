//! Cohorts: the devices that a fleet takes on at a time and holds for a term or a service life.
//!
//! At each moment a fleet takes on what it lacks: on its first day, as it grows, and when what it
//! held runs out. What it holds beyond its need, because it shrinks, stands by until its time is
//! over. Time is in years from the fleet's first day.

use super::years;
use crate::provenance::Traced;
use crate::quantity::{DeviceTime, Devices};

/// The part of a year below which a difference is an error of rounding.
pub const ROUNDING: f64 = 1e-9;

/// Devices that are held from one moment to another.
#[derive(Clone, Debug)]
pub struct Cohort {
    /// How many.
    pub devices: Traced<Devices>,
    /// The moment from which they are held.
    pub from: f64,
    /// The moment until which they are.
    pub until: f64,
}

impl Cohort {
    /// True if it is held at that moment.
    pub fn holds(&self, now: f64) -> bool {
        self.from < now + ROUNDING && now + ROUNDING < self.until
    }

    /// The time that its devices are held: devices x time.
    pub fn device_time(&self) -> Traced<DeviceTime> {
        &self.devices * &Traced::constant(years::long(self.until - self.from))
    }
}

/// What a fleet takes on over its life, and what of it has no use.
#[derive(Clone, Debug, Default)]
pub struct Cohorts {
    /// What is taken on, in the order of time; the last cohorts may outlast the fleet.
    pub taken: Vec<Cohort>,
    /// What stands by, in the order of time; no stretch crosses the begin of a need.
    pub spare: Vec<Cohort>,
}

impl Cohorts {
    /// The cohorts of a fleet that has each of `needs` from its moment on, the last `until` its
    /// end; each is held for `life`.
    pub fn of(needs: &[(f64, Traced<Devices>)], until: f64, life: f64) -> Self {
        let mut all = Self::default();
        for (index, (from, need)) in needs.iter().enumerate() {
            let end = needs.get(index + 1).map_or(until, |(next, _)| *next);
            let mut now = *from;
            while now + ROUNDING < end {
                let held = all.held(now);
                let lacks = held.as_ref().map_or_else(
                    || need.clone(),
                    |held| (need - held).or_nothing().named("devices newly needed"),
                );
                if lacks.value().value > 0.0 {
                    all.taken.push(Cohort { devices: lacks, from: now, until: now + life });
                }
                let ends = all.taken.iter().map(|it| it.until).filter(|it| *it > now + ROUNDING);
                let next = ends.fold(end, f64::min);
                if let Some(held) = held.filter(|held| held.value() > need.value()) {
                    let devices = (held - need).named("devices without need");
                    all.spare.push(Cohort { devices, from: now, until: next });
                }
                now = next;
            }
        }
        all
    }

    /// The cohorts that are held at that moment.
    pub fn at(&self, now: f64) -> impl Iterator<Item = &Cohort> {
        self.taken.iter().filter(move |it| it.holds(now))
    }

    /// The devices that are held at that moment.
    fn held(&self, now: f64) -> Option<Traced<Devices>> {
        self.at(now).map(|it| it.devices.clone()).reduce(|sum, devices| &sum + &devices)
    }

    /// The device-time that stands by from one moment to another; none where nothing does.
    pub fn idle(&self, from: f64, until: f64) -> Option<Traced<DeviceTime>> {
        let within = |it: &&Cohort| from < it.from + ROUNDING && it.from + ROUNDING < until;
        let idle = self.spare.iter().filter(within).map(Cohort::device_time);
        idle.reduce(|sum, time| &sum + &time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantity::Measure;

    /// Needs by year, life, then what is taken on and what stands by: (from, until, devices).
    type Case = (&'static [f64], f64, &'static [(f64, f64, f64)], &'static [(f64, f64, f64)]);

    #[test]
    fn a_fleet_takes_on_what_it_lacks() {
        let cases: &[Case] = &[
            (&[2.0, 2.0], 3.0, &[(0.0, 3.0, 2.0)], &[]),
            (&[2.0, 5.0], 3.0, &[(0.0, 3.0, 2.0), (1.0, 4.0, 3.0)], &[]),
            (&[2.0, 2.0, 2.0], 1.5, &[(0.0, 1.5, 2.0), (1.5, 3.0, 2.0)], &[]),
            (&[1.0], 0.5, &[(0.0, 0.5, 1.0), (0.5, 1.0, 1.0)], &[]),
            // A fleet that shrinks keeps what it has, and buys less again.
            (&[5.0, 3.0, 3.0], 1.5, &[(0.0, 1.5, 5.0), (1.5, 3.0, 3.0)], &[(1.0, 1.5, 2.0)]),
            (&[5.0, 3.0], 2.0, &[(0.0, 2.0, 5.0)], &[(1.0, 2.0, 2.0)]),
        ];
        let told = |all: &[Cohort]| -> Vec<_> {
            all.iter().map(|it| (it.from, it.until, it.devices.value().stored())).collect()
        };
        for (needs, life, taken, spare) in cases {
            let devices = |need: &f64| Traced::constant(Devices::from_stored(*need));
            let steps: Vec<_> =
                needs.iter().enumerate().map(|(year, need)| (year as f64, devices(need))).collect();
            let found = Cohorts::of(&steps, needs.len() as f64, *life);
            assert_eq!(told(&found.taken), *taken, "{needs:?} {life}");
            assert_eq!(told(&found.spare), *spare, "{needs:?} {life}");
        }
    }
}
