//! The mean request of a load: the moments of its lengths that a closed form needs.
//!
//! Long answers stay longer, so the context that decoding attends to is that of a token, not of a
//! request: E[output (input + output / 2)] / E[output]. Attention over a prompt grows with the square
//! of its length. Lengths are lognormal with the mean and the 95th percentile of the plan, cut at the
//! model's longest sequence, as the simulator draws them; a trace's are its own.

use statrs::function::erf::erfc;

use super::plan::{Demand, Length, RequestKind};
use super::traffic::{Lengths, Recorded};

/// Means over the requests of a load; everything in tokens or pairs of tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MeanRequest {
    /// Prompt tokens.
    pub input: f64,
    /// Of them, those that are computed: not found in the prefix cache.
    pub computed: f64,
    /// Tokens of the answer.
    pub output: f64,
    /// Context of a decoding token.
    pub context: f64,
    /// The part of it that layers with a window see.
    pub windowed: f64,
    /// Pairs of a prompt's token and a token that it attends to, in full layers.
    pub pairs: f64,
    /// The same in layers with a window.
    pub windowed_pairs: f64,
    /// Squared coefficient of variation of the prompts' lengths.
    pub prompts: f64,
    /// The same of the answers'.
    pub answers: f64,
}

/// First and second moment of a number of tokens.
#[derive(Clone, Copy)]
struct Moments(f64, f64);

/// Sums over requests, or over classes with their shares.
#[derive(Default)]
struct Sums {
    all: MeanRequest,
    weight: f64,
    /// Of prompts and of answers.
    squares: (f64, f64),
}

impl MeanRequest {
    /// That of a service, for layers that see a window of so many tokens.
    pub fn of(demand: &Demand, window: Option<u32>) -> Self {
        let mut sums = Sums::default();
        if let Some(trace) = &demand.trace {
            for Recorded { input, output, cached, .. } in &trace.requests {
                let exact = |tokens: u32| Moments(tokens.into(), f64::from(tokens).powi(2));
                let found = f64::from(*cached) / f64::from((*input).max(1));
                sums.add(1.0, exact(*input), exact(*output), found.min(1.0), window);
            }
        } else {
            let most = demand.model.shape.max_sequence.map(|most| most as f64);
            for RequestKind { share, input, output, cached, .. } in &demand.kinds {
                // A class without answers among others is over with its prompt.
                let moments = |length: &Option<Length>, without: f64| {
                    length.as_ref().map_or(Moments(without, without * without), |it| {
                        Moments::of(it.mean.value.value, it.p95.value.value, most)
                    })
                };
                let (input, output) = (moments(input, 0.0), moments(output, 1.0));
                sums.add(share.value.get(), input, output, cached.value.get(), window);
            }
        }
        sums.mean()
    }
}

impl Sums {
    fn add(
        &mut self,
        weight: f64,
        input: Moments,
        output: Moments,
        found: f64,
        window: Option<u32>,
    ) {
        let (all, new) = (&mut self.all, 1.0 - found);
        // Every token computed attends to those found and to those before it.
        let pairs = new * (found + new / 2.0) * input.1;
        let context = input.0 * output.0 + output.1 / 2.0;
        let window = f64::from(window.unwrap_or(u32::MAX));
        all.input += weight * input.0;
        all.computed += weight * new * input.0;
        all.output += weight * output.0;
        all.context += weight * context;
        all.windowed += weight * context.min(output.0 * window);
        all.pairs += weight * pairs;
        all.windowed_pairs += weight * pairs.min(new * input.0 * window);
        self.weight += weight;
        self.squares.0 += weight * input.1;
        self.squares.1 += weight * output.1;
    }

    fn mean(self) -> MeanRequest {
        let Self { all, weight, squares } = self;
        let weight = weight.max(f64::MIN_POSITIVE);
        let (input, output) = (all.input / weight, all.output / weight);
        let variation = |square: f64, mean: f64| {
            (square / weight / (mean * mean).max(f64::MIN_POSITIVE) - 1.0).max(0.0)
        };
        let token = all.output.max(f64::MIN_POSITIVE);
        MeanRequest {
            input,
            computed: all.computed / weight,
            output,
            context: all.context / token,
            windowed: all.windowed / token,
            pairs: all.pairs / weight,
            windowed_pairs: all.windowed_pairs / weight,
            prompts: variation(squares.0, input),
            answers: variation(squares.1, output),
        }
    }
}

impl Moments {
    /// Those of a lognormal, cut at `most`: E[min(X, m)^k] = e^(k mu + k^2 s^2 / 2) F((ln m - mu) / s
    /// - k s) + m^k (1 - F((ln m - mu) / s)) with F the normal distribution.
    fn of(mean: f64, p95: f64, most: Option<f64>) -> Self {
        let (mu, sigma) = Lengths::parameters(mean, 0.95, p95);
        let Some(most) = most.filter(|_| sigma > 1e-6) else {
            return Self(mean, mean * mean * (sigma * sigma).exp());
        };
        let below = |z: f64| 0.5 * erfc(-z / std::f64::consts::SQRT_2);
        let cut = (most.ln() - mu) / sigma;
        let moment = |k: f64| {
            (k * mu + k * k * sigma * sigma / 2.0).exp() * below(cut - k * sigma)
                + most.powf(k) * below(-cut)
        };
        Self(moment(1.0), moment(2.0))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Requests of one class with these means and 95th percentiles.
    pub(crate) fn request(input: (f64, f64), output: (f64, f64)) -> MeanRequest {
        let mut sums = Sums::default();
        let moments = |(mean, p95)| Moments::of(mean, p95, None);
        sums.add(1.0, moments(input), moments(output), 0.0, None);
        sums.mean()
    }
}
