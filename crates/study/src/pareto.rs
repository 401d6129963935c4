//! Pareto fronts: options that no other beats in both respects.

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
#[derive(Clone, Debug)]
pub struct Front<T>(Vec<(Vec<f64>, T)>);

impl<T> Default for Front<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Front<T> {
    /// Takes an option in, unless one is there that is nowhere worse.
    pub fn offer(&mut self, ranks: Vec<f64>, option: T) {
        let covers = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| a <= b);
        // Where options come in some order, what beats a new one is most often a late one.
        if self.0.iter().rev().any(|(known, _)| covers(known, &ranks)) {
            return;
        }
        self.0.retain(|(known, _)| !covers(&ranks, known));
        self.0.push((ranks, option));
    }

    /// The options in order of the first respect, then the next.
    pub fn into_best(mut self) -> Vec<T> {
        let before = |a: &[f64], b: &[f64]| {
            let order = a.iter().zip(b).map(|(a, b)| a.total_cmp(b));
            order.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
        };
        self.0.sort_by(|a, b| before(&a.0, &b.0));
        self.0.into_iter().map(|(_, option)| option).collect()
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
        fn a_front_is_what_nothing_beats(points in prop::collection::vec((0..9_i8, 0..9_i8, 0..9_i8), 0..60)) {
            let points: Vec<[f64; 3]> =
                points.iter().map(|&(a, b, c)| [a, b, c].map(f64::from)).collect();
            let covers = |a: &[f64; 3], b: &[f64; 3]| (0..3).all(|i| a[i] <= b[i]);
            let mut front = Front::default();
            for point in &points {
                front.offer(point.to_vec(), *point);
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
