//! The hypervolume of a front: the volume that its points beat, up to a reference.

/// The volume of the part below `reference` that some point covers, where less is better in every
/// respect (Zitzler and Thiele 1998). Slices by the last respect: O(n^(d-1) log n) for the few
/// respects that a search has.
pub fn hypervolume(points: &[Vec<f64>], reference: &[f64]) -> f64 {
    let inside = |point: &&Vec<f64>| point.iter().zip(reference).all(|(at, end)| at < end);
    let mut inside: Vec<&[f64]> = points.iter().filter(inside).map(Vec::as_slice).collect();
    slices(&mut inside, reference)
}

fn slices(points: &mut [&[f64]], reference: &[f64]) -> f64 {
    let Some((&end, rest)) = reference.split_last() else { return 0.0 };
    let last = rest.len();
    if last == 0 {
        let least = points.iter().map(|point| point[0]).fold(end, f64::min);
        return end - least;
    }
    points.sort_by(|a, b| a[last].total_cmp(&b[last]));
    let mut volume = 0.0;
    for upto in 1..=points.len() {
        let from = points[upto - 1][last];
        let to = points.get(upto).map_or(end, |next| next[last]);
        if to > from {
            let mut slice = points[..upto].to_vec();
            volume += (to - from) * slices(&mut slice, rest);
        }
    }
    volume
}

/// A reference just beyond the worst point in every respect: by a tenth of the range, so that the
/// ends of the front count.
pub fn reference<'a>(points: impl Iterator<Item = &'a [f64]>) -> Vec<f64> {
    let points: Vec<&[f64]> = points.collect();
    let respects = points.iter().map(|point| point.len()).max().unwrap_or_default();
    (0..respects)
        .map(|at| {
            let values = points.iter().map(|point| point[at]);
            let low = values.clone().fold(f64::INFINITY, f64::min);
            let high = values.fold(f64::NEG_INFINITY, f64::max);
            let range = if high > low { high - low } else { high.abs().max(1.0) };
            high + 0.1 * range
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn boxes_are_added_once() {
        let check = |points: &[&[f64]], reference: &[f64], expected: f64| {
            let points: Vec<Vec<f64>> = points.iter().map(|point| point.to_vec()).collect();
            let volume = hypervolume(&points, reference);
            assert!((volume - expected).abs() < 1e-12, "{points:?}: {volume}, not {expected}");
        };
        check(&[&[1.0]], &[3.0], 2.0);
        check(&[&[0.0, 1.0], &[1.0, 0.0]], &[2.0, 2.0], 3.0);
        check(&[&[0.0, 0.0], &[1.0, 1.0]], &[2.0, 2.0], 4.0);
        check(&[&[0.0, 0.0, 1.0], &[1.0, 1.0, 0.0]], &[2.0, 2.0, 2.0], 5.0);
        check(&[&[3.0, 0.0]], &[2.0, 2.0], 0.0);
        check(&[], &[2.0, 2.0], 0.0);
    }

    proptest! {
        /// The number of cells of a grid that some point covers.
        #[test]
        fn as_cells_are_counted(points in prop::collection::vec((0..5_u8, 0..5_u8, 0..5_u8), 0..8)) {
            let covers = |cell: [u8; 3]| {
                points.iter().any(|it| it.0 <= cell[0] && it.1 <= cell[1] && it.2 <= cell[2])
            };
            let cells = (0..125_u8).filter(|at| covers([at / 25, at / 5 % 5, at % 5])).count();
            let points: Vec<Vec<f64>> =
                points.iter().map(|it| vec![it.0.into(), it.1.into(), it.2.into()]).collect();
            let volume = hypervolume(&points, &[5.0, 5.0, 5.0]);
            prop_assert!((volume - cells as f64).abs() < 1e-9);
        }
    }
}
