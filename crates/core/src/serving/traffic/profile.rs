//! How the load varies over a week.

use crate::diagnostic::{Error, Result};

const HOUR: f64 = 3600.0;
/// Hours of a week.
const WEEK: usize = 168;
/// Hours of a day.
const DAY: usize = 24;

/// Weight of every hour of a week, Monday 0 h first, with mean 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile(Vec<f64>);

impl Profile {
    /// A profile from weights of the 24 hours of a day and the 7 days of a week, Monday first.
    ///
    /// # Errors
    /// On another number of weights, a negative one, or nothing but zeros.
    pub fn new(hours: &[f64], weekdays: &[f64]) -> Result<Self> {
        for (weights, count, what) in [(hours, DAY, "hours"), (weekdays, WEEK / DAY, "weekdays")] {
            if weights.len() != count {
                let found = weights.len();
                return Err(Error::input(format!("{what} has {found} numbers, not {count}")));
            }
            let sound = |w: &f64| (0.0..1e12).contains(w);
            if !weights.iter().all(sound) || weights.iter().all(|w| *w <= 0.0) {
                return Err(Error::input(format!(
                    "{what} has a weight below zero, or none above it"
                )));
            }
        }
        let weight = |hour: usize| hours[hour % DAY] * weekdays[hour / DAY];
        let mean = (0..WEEK).map(weight).sum::<f64>() / WEEK as f64;
        Ok(Self((0..WEEK).map(|hour| weight(hour) / mean).collect()))
    }

    /// Days with this peak of the mean, smooth over 24 hours: 1 + (peak - 1) cos(hour - 15 h), cut
    /// at zero and brought back to mean 1. The peak is at 3 p.m.
    ///
    /// # Errors
    /// If the peak is below the mean.
    pub fn daily(peak_to_mean: f64) -> Result<Self> {
        if !(1.0..=24.0).contains(&peak_to_mean) {
            return Err(Error::input(format!(
                "a peak of {peak_to_mean} times the mean over a day"
            ))
            .hint("between 1 (constant) and 24 (all in one hour)"));
        }
        // Cutting at zero lowers the peak; find the swing that restores it.
        let (mut low, mut high) = (0.0, 1e3);
        let weights = |swing: f64, power: f64| {
            (0..24)
                .map(|hour| {
                    let angle = f64::from(hour - 15) * std::f64::consts::TAU / 24.0;
                    ((1.0 + swing * angle.cos()) / (1.0 + swing)).max(0.0).powf(power)
                })
                .collect::<Vec<f64>>()
        };
        let ratio = |w: &[f64]| 24.0 * w[15] / w.iter().sum::<f64>();
        let (swing, power) = if peak_to_mean <= 2.0 {
            (peak_to_mean - 1.0, 1.0)
        } else {
            for _ in 0..80 {
                let middle = 0.5 * (low + high);
                if ratio(&weights(1.0, middle)) < peak_to_mean {
                    low = middle;
                } else {
                    high = middle;
                }
            }
            (1.0, high)
        };
        Self::new(&weights(swing, power), &[1.0; 7])
    }

    /// Weights by hour of the week.
    pub fn weights(&self) -> &[f64] {
        &self.0
    }

    /// The busiest hour's weight: peak to mean.
    pub fn peak(&self) -> f64 {
        self.0.iter().copied().fold(0.0, f64::max)
    }

    /// The time, in seconds from Monday 0 h, by which load worth `wait` seconds at the mean rate
    /// has come since `now`.
    pub(crate) fn after(&self, now: f64, wait: f64) -> f64 {
        let (mut now, mut left) = (now, wait);
        let mut hour = (now / HOUR) as usize;
        loop {
            let weight = self.0[hour % WEEK];
            let end = (hour as f64 + 1.0) * HOUR;
            let capacity = (end - now) * weight;
            if capacity >= left && weight > 0.0 {
                return now + left / weight;
            }
            left -= capacity;
            now = end;
            hour += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daily_profile_has_its_peak() {
        for peak in [1.0, 1.5, 2.0, 2.5, 6.0, 20.0] {
            let profile = Profile::daily(peak).unwrap();
            assert!((profile.peak() - peak).abs() < 1e-6, "{peak}: {}", profile.peak());
            let mean = profile.weights().iter().sum::<f64>() / 168.0;
            assert!((mean - 1.0).abs() < 1e-9);
        }
        assert!(Profile::daily(0.5).is_err() && Profile::daily(f64::NAN).is_err());
    }

    #[test]
    fn load_comes_when_the_profile_says() {
        let mut weights = [0.0; 24];
        weights[10] = 1.0;
        let profile = Profile::new(&weights, &[1.0; 7]).unwrap();
        // All of a day's load comes between 10 and 11.
        assert!((profile.after(0.0, 12.0 * 3600.0) - 10.5 * 3600.0).abs() < 1e-6);
        assert!((profile.after(10.5 * 3600.0, 24.0 * 3600.0) - 34.5 * 3600.0).abs() < 1e-6);
    }

    #[test]
    fn nonsense_is_refused() {
        let week = [1.0; 7];
        for hours in [&[1.0; 23][..], &[0.0; 24], &[-1.0; 24], &[f64::NAN; 24]] {
            assert!(Profile::new(hours, &week).is_err(), "{hours:?}");
        }
        assert!(Profile::new(&[1.0; 24], &[1.0; 6]).is_err());
    }

    #[test]
    fn days_off_are_quiet() {
        let profile = Profile::new(&[1.0; 24], &[1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0]).unwrap();
        assert!((profile.peak() - 1.4).abs() < 1e-12);
        assert!(profile.weights()[5 * 24..].iter().all(|w| *w <= 0.0));
    }
}
