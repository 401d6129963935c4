//! The time of a request that makes several calls: a graph whose edges say which call waits for
//! which.
//!
//! ```text
//! start(call)  = max over the calls that it waits for: end
//! end(call)    = start + sum over `times` of max over `parallel` of one answer
//! whole        = max over the calls: end
//! first token  = start of the call that ends last + its answers but the last + that one's first token
//! ```
//! Answers are drawn from the simulated latencies of each service at its peak, each call on its own:
//! a request that finds one service busy is as likely as any to find the next one so.

use super::simulator::{ClassReport, Histogram};
use crate::random::Stream;

/// A call of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The calls that it waits for, by their places in the list.
    pub after: Vec<usize>,
    /// Share of the requests that make it, 0 to 1.
    pub share: f64,
    /// Times that it is made one after the other.
    pub times: u32,
    /// Times that it is made at once.
    pub parallel: u32,
}

impl Call {
    /// How often a request makes it, on average: share x times x parallel.
    pub fn per_request(&self) -> f64 {
        self.share * f64::from(self.times) * f64::from(self.parallel)
    }
}

/// The calls of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    calls: Vec<Call>,
    /// The calls in an order in which each comes after those that it waits for.
    order: Vec<usize>,
}

/// Requests that are drawn.
const DRAWN: usize = 20_000;

/// Steps of a distribution that answers are drawn from.
const STEPS: usize = 4096;

/// The stream of random numbers that answers are drawn from.
const STREAM: u64 = 0xca11;

impl Graph {
    /// The graph of some calls.
    ///
    /// # Errors
    /// If calls wait for each other in a circle: those on it, in the order of waiting.
    pub fn new(calls: Vec<Call>) -> Result<Self, Vec<usize>> {
        let mut order = Vec::with_capacity(calls.len());
        let ready =
            |at: usize, order: &[usize]| calls[at].after.iter().all(|it| order.contains(it));
        while order.len() < calls.len() {
            let next = (0..calls.len()).find(|at| !order.contains(at) && ready(*at, &order));
            let Some(next) = next else { return Err(circle(&calls, &order)) };
            order.push(next);
        }
        Ok(Self { calls, order })
    }

    /// The calls, as they were listed.
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }

    /// Latencies of whole requests: time to the first token of what ends last, and the time of the
    /// whole. `answers` has a row per part of the requests, with its share of them and the latencies
    /// of each call there.
    pub fn latency(&self, answers: &[(f64, Vec<&ClassReport>)]) -> ClassReport {
        let mut whole = ClassReport::default();
        let mut stream = Stream::new(1, STREAM);
        let all: f64 = answers.iter().map(|(share, _)| share).sum();
        for (share, calls) in answers {
            let drawn = calls.iter().map(|it| (steps(&it.e2e), steps(&it.ttft)));
            let drawn: Vec<_> = drawn.collect();
            for _ in 0..(DRAWN as f64 * share / all).round() as usize {
                let (first, end) = self.draw(&drawn, &mut stream);
                whole.e2e.record(end);
                if let Some(first) = first {
                    whole.ttft.record(first);
                }
            }
        }
        whole
    }

    /// One request: the time to the first token of the call that ends last, where it has one, and
    /// the time of the whole.
    fn draw(&self, answers: &[(Vec<f64>, Vec<f64>)], stream: &mut Stream) -> (Option<f64>, f64) {
        let mut ends = vec![0.0_f64; self.calls.len()];
        let mut last = (None, 0.0);
        for &at in &self.order {
            let Call { after, share, times, parallel } = &self.calls[at];
            let (e2e, ttft) = &answers[at];
            let start = after.iter().map(|it| ends[*it]).fold(0.0, f64::max);
            let (mut end, mut first) = (start, None);
            if stream.uniform() < *share {
                for _ in 0..*times {
                    let begun = end;
                    for _ in 0..*parallel {
                        let place = (stream.uniform() * STEPS as f64) as usize;
                        end = end.max(begun + e2e.get(place).copied().unwrap_or_default());
                        first = ttft.get(place).map(|it| begun + it);
                    }
                }
            }
            ends[at] = end;
            if end > last.1 {
                last = (first, end);
            }
        }
        last
    }
}

/// A distribution as equally likely values; none where it is empty.
fn steps(of: &Histogram) -> Vec<f64> {
    let at = |step: usize| of.quantile((step as f64 + 0.5) / STEPS as f64);
    (0..STEPS).filter_map(at).collect()
}

/// A circle among the calls that no order has room for.
fn circle(calls: &[Call], order: &[usize]) -> Vec<usize> {
    let waits = |at: usize| calls[at].after.iter().copied().find(|it| !order.contains(it));
    let mut path: Vec<usize> =
        (0..calls.len()).find(|at| !order.contains(at)).into_iter().collect();
    while let Some(next) = path.last().and_then(|at| waits(*at)) {
        if let Some(from) = path.iter().position(|it| *it == next) {
            return path.split_off(from);
        }
        path.push(next);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(after: &[usize], share: f64, times: u32, parallel: u32) -> Call {
        Call { after: after.to_vec(), share, times, parallel }
    }

    /// Latencies that are all alike: a first token after a fifth of the time.
    fn alike(seconds: f64) -> ClassReport {
        let mut report = ClassReport::default();
        for _ in 0..100 {
            report.e2e.record(seconds);
            report.ttft.record(seconds / 5.0);
        }
        report
    }

    /// Mean time of a request and of its first token where answers of the calls take these seconds.
    fn check(calls: Vec<Call>, seconds: &[f64], expected: (f64, f64)) {
        let graph = Graph::new(calls).expect("no circle");
        let reports: Vec<_> = seconds.iter().map(|it| alike(*it)).collect();
        let whole = graph.latency(&[(1.0, reports.iter().collect())]);
        let found = (whole.e2e.mean().expect("some"), whole.ttft.mean().expect("some"));
        let near = |a: f64, b: f64| (a - b).abs() < 0.01 * b;
        assert!(near(found.0, expected.0) && near(found.1, expected.1), "{found:?} {expected:?}");
    }

    #[test]
    fn calls_in_a_row_add_up_and_calls_beside_each_other_take_the_longest() {
        check(vec![call(&[], 1.0, 1, 1), call(&[0], 1.0, 3, 1)], &[1.0, 2.0], (7.0, 5.4));
        check(vec![call(&[], 1.0, 1, 1), call(&[], 1.0, 1, 4)], &[1.0, 2.0], (2.0, 0.4));
        // A call that a later one in the list precedes.
        check(vec![call(&[1], 1.0, 1, 1), call(&[], 1.0, 1, 1)], &[5.0, 1.0], (6.0, 2.0));
        // One that half of the requests make, and one that waits for it.
        check(vec![call(&[], 0.5, 1, 1), call(&[0], 1.0, 1, 1)], &[4.0, 1.0], (3.0, 2.2));
    }

    #[test]
    fn the_slowest_of_many_at_once_is_slower_than_one() {
        let mut spread = ClassReport::default();
        (1..=1000).for_each(|i| spread.e2e.record(f64::from(i) / 1000.0));
        let p95 = |parallel| {
            let graph = Graph::new(vec![call(&[], 1.0, 1, parallel)]).expect("no circle");
            graph.latency(&[(1.0, vec![&spread])]).e2e.quantile(0.95).expect("some")
        };
        // The greatest of n uniform numbers is below x with probability x^n.
        for n in [1, 2, 8] {
            let exact = 0.95_f64.powf(1.0 / f64::from(n));
            assert!((p95(n) - exact).abs() < 0.01, "{n}: {} {exact}", p95(n));
        }
    }

    #[test]
    fn a_circle_is_told() {
        let calls = vec![call(&[], 1.0, 1, 1), call(&[0, 2], 1.0, 1, 1), call(&[1], 1.0, 1, 1)];
        assert_eq!(Graph::new(calls), Err(vec![1, 2]));
    }
}
