//! How a replica's time is shared by prompts and answers.

use super::simulator::{Arrival, StepTime};

/// The mean request of a load.
#[derive(Clone, Copy, Debug)]
pub struct MeanRequest {
    /// Prompt tokens that are computed, those of a prefix cache left out.
    pub input: f64,
    /// Tokens found in the prefix cache.
    pub cached: f64,
    /// Tokens generated.
    pub output: f64,
}

impl MeanRequest {
    /// The mean of some requests.
    pub fn of(requests: impl Iterator<Item = Arrival>) -> Self {
        let (mut input, mut cached, mut output, mut count) = (0.0, 0.0, 0.0, 0.0_f64);
        for request in requests {
            input += f64::from(request.input - request.cached.min(request.input));
            cached += f64::from(request.cached);
            output += f64::from(request.output);
            count += 1.0;
        }
        let count = count.max(1.0);
        Self { input: input / count, cached: cached / count, output: output / count }
    }
}

/// The share of a busy replica's time that prompts take, p / (p + d): a prompt is computed in steps
/// of `budget` tokens, p = input T(budget) / budget + pairs; an answer is decoded in a batch,
/// d = output (T(batch) / batch + context). Without dimension, from 0 to 1.
pub fn of_prompts<S: StepTime>(time: &S, request: MeanRequest, batch: f64, budget: u32) -> f64 {
    let MeanRequest { input, cached, output } = request;
    let budget = budget.max(1);
    let batch = batch.round().max(1.0);
    let prompt = input * time.tokens(0, budget, 1).value / f64::from(budget);
    let pairs = input * (cached + input / 2.0) * time.pairs().0.value;
    let context = cached + input + output / 2.0;
    let windowed = time
        .windowed()
        .map_or(0.0, |(per_token, window)| per_token.value * context.min(f64::from(window)));
    let step = time.tokens(batch as u32, 0, 0).value / batch;
    let answer = output * (step + context * time.context().value + windowed);
    let prompt = prompt + pairs;
    prompt / (prompt + answer)
}
