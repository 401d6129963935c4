//! Percentiles of a stream in constant memory.

use std::ops::Range;

/// Buckets per factor of two: a percentile is off by at most half a bucket, 0.14 %.
const BITS: u32 = 8;
/// The smallest value that has a bucket of its own: 2^-30 s is about a nanosecond. What is below
/// stands in the first bucket and counts as zero.
const LOWEST: u32 = 1023 - 30;
/// Octaves covered: up to 2^34 s, 500 years.
const OCTAVES: u32 = 64;

/// Counts of durations in logarithmic buckets, with the exact count, sum and extremes. Only the
/// octaves between the extremes are kept.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    /// Values in the first bucket.
    zeros: u64,
    /// The number of the first other bucket that is kept, that of an octave.
    first: usize,
    buckets: Vec<u64>,
    count: u64,
    sum: f64,
    least: f64,
    most: f64,
}

impl Histogram {
    /// Adds a value in seconds; what is not above zero counts as zero.
    pub(crate) fn record(&mut self, value: f64) {
        let value = value.max(0.0);
        let bucket = bucket(value);
        match self.buckets.get_mut(bucket.wrapping_sub(self.first)) {
            Some(count) => *count += 1,
            None => self.record_first(bucket),
        }
        if self.count == 0 {
            (self.least, self.most) = (value, value);
        }
        self.count += 1;
        self.sum += value;
        self.least = self.least.min(value);
        self.most = self.most.max(value);
    }

    /// Counts a value of a bucket that is not kept yet.
    #[cold]
    fn record_first(&mut self, bucket: usize) {
        if bucket == 0 {
            self.zeros += 1;
        } else {
            self.cover(bucket..bucket + 1);
            self.buckets[bucket - self.first] += 1;
        }
    }

    /// Makes room for a range of buckets, by whole octaves.
    fn cover(&mut self, range: Range<usize>) {
        let octave = 1 << BITS;
        // The first bucket of all is kept apart.
        let start = (range.start / octave * octave).max(1);
        let end = range.end.next_multiple_of(octave);
        if self.buckets.is_empty() {
            self.first = start;
        }
        let before = self.first.saturating_sub(start);
        self.buckets.splice(..0, std::iter::repeat_n(0, before));
        self.first -= before;
        let length = end.saturating_sub(self.first).max(self.buckets.len());
        self.buckets.resize(length, 0);
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their mean in seconds; `None` of nothing.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }

    /// The value that a share `q` of the values does not exceed, in seconds (nearest rank).
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let rank = ((q * self.count as f64).ceil() as u64).clamp(1, self.count.max(1));
        let mut seen = self.zeros;
        if seen >= rank {
            return Some(0.0_f64.clamp(self.least, self.most));
        }
        for (i, n) in (self.first..).zip(&self.buckets) {
            seen += n;
            if seen >= rank {
                return Some(middle(i).clamp(self.least, self.most));
            }
        }
        None
    }

    /// The same distribution as a share of a million values, in steps of its quantiles.
    pub(crate) fn of(&self, share: f64) -> Self {
        const STEPS: usize = 1000;
        let mut part = Self::default();
        if self.count == 0 {
            return part;
        }
        let times = (share * STEPS as f64).round().max(1.0) as u64;
        for step in 0..STEPS {
            let at = (step as f64 + 0.5) / STEPS as f64;
            let Some(value) = self.quantile(at) else { continue };
            part.record(value);
            // The same value once more is one more count.
            let bucket = bucket(value);
            let more = times - 1;
            if bucket == 0 {
                part.zeros += more;
            } else {
                part.buckets[bucket - part.first] += more;
            }
            part.count += more;
            part.sum += value * more as f64;
        }
        part
    }

    /// Adds all values of another histogram.
    pub(crate) fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            self.clone_from(other);
            return;
        }
        self.zeros += other.zeros;
        if !other.buckets.is_empty() {
            self.cover(other.first..other.first + other.buckets.len());
            let mine = &mut self.buckets[other.first - self.first..];
            for (mine, theirs) in mine.iter_mut().zip(&other.buckets) {
                *mine += theirs;
            }
        }
        self.count += other.count;
        self.sum += other.sum;
        self.least = self.least.min(other.least);
        self.most = self.most.max(other.most);
    }
}

/// The exponent and the leading mantissa bits of the number are its bucket.
fn bucket(value: f64) -> usize {
    let top = (value.to_bits() >> (52 - BITS)) as u32;
    let last = (OCTAVES << BITS) - 1;
    top.saturating_sub(LOWEST << BITS).min(last) as usize
}

/// The geometric mean of the edges of a bucket, which stands for the values in it.
fn middle(bucket: usize) -> f64 {
    let edge = |b: u64| f64::from_bits((b + (u64::from(LOWEST) << BITS)) << (52 - BITS));
    let b = bucket as u64;
    (edge(b) * edge(b + 1)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_a_bucket() {
        let mut h = Histogram::default();
        assert_eq!((h.quantile(0.5), h.mean()), (None, None));
        for i in 1..=10_000 {
            h.record(f64::from(i) * 1e-3);
        }
        for (q, exact) in [(0.5, 5.0), (0.9, 9.0), (0.99, 9.9), (1.0, 10.0), (0.0, 0.001)] {
            let got = h.quantile(q).unwrap();
            assert!((got / exact - 1.0).abs() < 2e-3, "{q}: {got}");
        }
        assert!((h.mean().unwrap() - 5.0005).abs() < 1e-9);
    }

    #[test]
    fn merging_is_recording_both() {
        let (mut a, mut b, mut both) =
            (Histogram::default(), Histogram::default(), Histogram::default());
        for i in 0..100 {
            let value = f64::from(i * i);
            if i % 3 == 0 { &mut a } else { &mut b }.record(value);
            both.record(value);
        }
        a.merge(&b);
        assert_eq!(a.quantile(0.77), both.quantile(0.77));
        assert_eq!(a.count(), both.count());
    }

    #[test]
    fn no_value_is_out_of_range() {
        let mut h = Histogram::default();
        for value in [0.0, -1.0, 1e-300, f64::MAX, f64::INFINITY] {
            h.record(value);
        }
        assert_eq!(h.count(), 5);
        assert_eq!(h.quantile(0.2), Some(0.0));
    }
}
