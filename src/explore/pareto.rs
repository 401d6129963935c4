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
    }
}
