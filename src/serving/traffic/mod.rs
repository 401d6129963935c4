//! Who asks what, and when: random traffic from a few figures, or a recorded trace.

mod length;
mod profile;
mod trace;

pub use length::Lengths;
pub use profile::Profile;
pub use trace::Trace;

use super::random::Stream;
use super::simulator::Arrival;
use crate::quantity::{Measure as _, RequestRate, Time};

/// A kind of request; its place in [`Traffic::classes`] is its class in the simulator.
#[derive(Clone, Debug, PartialEq)]
pub struct Class {
    /// Weight among the classes; any positive number.
    pub weight: f64,
    /// Prompt tokens.
    pub input: Lengths,
    /// Tokens to generate.
    pub output: Lengths,
    /// Share of the prompt found in the prefix cache, 0 to 1.
    pub cached: f64,
}

/// Random traffic.
#[derive(Clone, Debug, PartialEq)]
pub struct Traffic {
    /// Requests per time, averaged over the profile.
    pub rate: RequestRate,
    /// Coefficient of variation of the gaps between requests: 1 is Poisson, more is bursty (gamma
    /// distributed gaps of shape 1 / cv^2).
    pub burstiness: f64,
    /// How the rate varies over the hours of a week; constant without.
    pub profile: Option<Profile>,
    /// What is asked; at least one class.
    pub classes: Vec<Class>,
}

impl Traffic {
    /// The requests, without end. The same seed gives the same gaps (in units of the mean) and the
    /// same requests at every rate: common random numbers.
    pub fn requests(&self, seed: u64) -> impl Iterator<Item = Arrival> + '_ {
        let mut gaps = Stream::new(seed, 1);
        let mut dice = Stream::new(seed, 2);
        let mut lengths = Stream::new(seed, 3);
        let total: f64 = self.classes.iter().map(|class| class.weight).sum();
        let shape = 1.0 / (self.burstiness * self.burstiness);
        let poisson = (self.burstiness - 1.0).abs() < 1e-9;
        let mut now = 0.0;
        std::iter::repeat_with(move || {
            let gap = if poisson { gaps.exponential() } else { gaps.gamma(shape) };
            let wait = gap / self.rate.value;
            now = self.profile.as_ref().map_or(now + wait, |profile| profile.after(now, wait));
            let mut left = dice.uniform() * total;
            let mut chosen = self.classes.len() - 1;
            for (i, class) in self.classes.iter().enumerate() {
                left -= class.weight;
                if left < 0.0 {
                    chosen = i;
                    break;
                }
            }
            let class = &self.classes[chosen];
            let input = class.input.draw(&mut lengths);
            Arrival {
                at: Time::from_stored(now),
                input,
                output: class.output.draw(&mut lengths),
                cached: (f64::from(input) * class.cached) as u32,
                class: chosen as u16,
            }
        })
    }

    /// Mean prompt and output tokens of a request.
    pub fn mean_lengths(&self) -> (f64, f64) {
        let total: f64 = self.classes.iter().map(|class| class.weight).sum();
        let mean = |of: fn(&Class) -> f64| {
            self.classes.iter().map(|class| class.weight * of(class)).sum::<f64>() / total
        };
        (mean(|class| class.input.mean()), mean(|class| class.output.mean()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traffic(burstiness: f64) -> Traffic {
        let class = |weight, tokens| Class {
            weight,
            input: Lengths::Fixed(tokens),
            output: Lengths::Fixed(10),
            cached: 0.5,
        };
        Traffic {
            rate: RequestRate::from_stored(20.0),
            burstiness,
            profile: None,
            classes: vec![class(3.0, 100), class(1.0, 1000)],
        }
    }

    #[test]
    fn rate_burstiness_and_mix_are_as_asked() {
        for burstiness in [0.5, 1.0, 2.0] {
            let traffic = traffic(burstiness);
            let n = 100_000;
            let requests: Vec<_> = traffic.requests(3).take(n).collect();
            let times: Vec<f64> = requests.iter().map(|r| r.at.value).collect();
            let mean = times[n - 1] / n as f64;
            let square: f64 = times.windows(2).map(|t| (t[1] - t[0]).powi(2)).sum();
            let cv = (square / n as f64 / (mean * mean) - 1.0).sqrt();
            let large = requests.iter().filter(|r| r.class == 1).count() as f64 / n as f64;
            assert!((mean * 20.0 - 1.0).abs() < 0.03, "mean {mean}");
            assert!((cv / burstiness - 1.0).abs() < 0.03, "cv {cv}");
            assert!((large - 0.25).abs() < 0.01, "mix {large}");
            assert!(requests.iter().all(|r| r.cached * 2 == r.input));
        }
    }

    #[test]
    fn another_rate_is_the_same_traffic_faster() {
        let slow = traffic(1.0);
        let fast = Traffic { rate: RequestRate::from_stored(40.0), ..slow.clone() };
        for (a, b) in slow.requests(9).zip(fast.requests(9)).take(1000) {
            assert!((a.at.value - 2.0 * b.at.value).abs() < 1e-9 * a.at.value);
            assert_eq!((a.input, a.class), (b.input, b.class));
        }
    }
}
