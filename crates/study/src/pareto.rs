//! Pareto fronts: options that no other beats in both respects.

use std::cmp::Ordering;
use std::collections::BTreeMap;

/// Which points no other point dominates. A point is a cost and a score; another dominates it that
/// costs no more and scores no less, and is better in one of the two. O(n log n).
pub fn front(points: &[(f64, f64)]) -> Vec<bool> {
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|&a, &b| {
        points[a].0.total_cmp(&points[b].0).then(points[b].1.total_cmp(&points[a].1))
    });
    let mut best: Option<(f64, f64)> = None;
    let mut on_front = vec![false; points.len()];
    for index in order {
        let (cost, score) = points[index];
        // Of equal points each is as good as the other.
        if best.is_none_or(|(at, most)| score > most || score >= most && cost <= at) {
            on_front[index] = true;
            best = Some((cost, score));
        }
    }
    on_front
}

/// The options that no other beats, of those offered so far; each is ranked in several respects,
/// the less the better. Of equal ones the first stays.
///
/// They are kept in order of their ranks, so an option is only beaten by one before it and beats
/// those after it. In two respects, where the second falls as the first rises, only its neighbours
/// need be looked at: O(log n) an option.
#[derive(Clone, Debug)]
pub struct Front<T>(BTreeMap<Ranks, T>);

/// Ranks, compared respect by respect.
#[derive(Clone, Debug)]
struct Ranks(Vec<f64>);

impl Ranks {
    /// True if these are nowhere worse than others.
    fn cover(&self, others: &Self) -> bool {
        self.0.iter().zip(&others.0).all(|(a, b)| a <= b)
    }
}

impl Ord for Ranks {
    fn cmp(&self, other: &Self) -> Ordering {
        let order = self.0.iter().zip(&other.0).map(|(a, b)| a.total_cmp(b));
        order.fold(Ordering::Equal, Ordering::then)
    }
}

impl PartialOrd for Ranks {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranks {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Ranks {}

impl<T> Default for Front<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> Front<T> {
    /// Takes an option in, unless one is there that is nowhere worse.
    pub fn offer(&mut self, ranks: Vec<f64>, option: impl FnOnce() -> T) {
        // Zero has one sign here, as it has where ranks are compared.
        let ranks = Ranks(ranks.into_iter().map(|rank| rank + 0.0).collect());
        let neighbours = if ranks.0.len() <= 2 { 1 } else { usize::MAX };
        let before = self.0.range(..=&ranks).rev().take(neighbours);
        if before.into_iter().any(|(known, _)| known.cover(&ranks)) {
            return;
        }
        let after = self.0.range(&ranks..).map(|(known, _)| known);
        let beaten: Vec<Ranks> = if ranks.0.len() <= 2 {
            after.take_while(|known| ranks.cover(known)).cloned().collect()
        } else {
            after.filter(|known| ranks.cover(known)).cloned().collect()
        };
        for known in &beaten {
            self.0.remove(known);
        }
        self.0.insert(ranks, option());
    }

    /// The options in order of the first respect, then the next.
    pub fn into_best(self) -> Vec<T> {
        self.0.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn dominated(points: &[(f64, f64)], (cost, score): (f64, f64)) -> bool {
        points.iter().any(|&(c, s)| c <= cost && s >= score && (c < cost || s > score))
    }

    proptest! {
        #[test]
        fn nobody_dominates_the_front(points in prop::collection::vec((0..20_i8, 0..20_i8), 0..40)) {
            let points: Vec<_> = points.into_iter().map(|(c, s)| (f64::from(c), f64::from(s))).collect();
            for (point, on_front) in points.iter().zip(front(&points)) {
                prop_assert_eq!(on_front, !dominated(&points, *point));
            }
        }

        #[test]
        fn a_front_is_what_nothing_beats(
            points in prop::collection::vec((0..9_i8, 0..9_i8, 0..9_i8), 0..60),
            respects in 1..=3_usize,
        ) {
            let points: Vec<[f64; 3]> =
                points.iter().map(|&(a, b, c)| [a, b, c].map(f64::from)).collect();
            let covers = |a: &[f64; 3], b: &[f64; 3]| (0..respects).all(|i| a[i] <= b[i]);
            let mut front = Front::default();
            for point in &points {
                front.offer(point[..respects].to_vec(), || *point);
            }
            let front = front.into_best();
            let sums: Vec<f64> = front.iter().map(|point| point[0]).collect();
            prop_assert!(sums.is_sorted());
            for (at, kept) in front.iter().enumerate() {
                let others = front.iter().enumerate().filter(|(other, _)| *other != at);
                prop_assert!(others.into_iter().all(|(_, other)| !covers(other, kept)));
            }
            for point in &points {
                prop_assert!(front.iter().any(|kept| covers(kept, point)));
            }
        }
    }
}
