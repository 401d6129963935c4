//! How the times of what occupies a device at once add up.
//!
//! ```text
//! norm_c(a, b) = (a^c + b^c)^(1/c)
//! ```
//! At a corner of 1 nothing overlaps and the times are added; the sharper the corner, the more of
//! the shorter time the longer one hides.

/// The norm of two times at any corner.
pub(super) fn bent(a: f64, b: f64, corner: f64) -> f64 {
    if (corner - 1.0).abs() < 1e-9 {
        a + b
    } else {
        (a.powf(corner) + b.powf(corner)).powf(1.0 / corner)
    }
}

/// The norm at a corner of 3: that of an engine's step.
pub(crate) fn norm3(a: f64, b: f64) -> f64 {
    cube_root(a * a * a + b * b * b)
}

/// A cube root to within an ulp, some times as fast as the standard one: every step of a simulation
/// takes several.
///
/// The exponent gives `y = x^(-1/3)` to 4 %. With `h = 1 - x y^3` the series of `(1 - h)^(-1/3)` up to
/// its third power brings that to `h^4` twice; `x y^2` is the root, and a step of Newton's its last
/// bits.
fn cube_root(x: f64) -> f64 {
    if !(f64::MIN_POSITIVE..f64::MAX).contains(&x) {
        return x.cbrt();
    }
    let finer = |y: f64| {
        let h = 1.0 - x * y * y * y;
        y + y * (h * (1.0 / 3.0 + h * (2.0 / 9.0 + h * (14.0 / 81.0))))
    };
    let y = finer(finer(f64::from_bits(0x553e_f0ff_289d_d796 - x.to_bits() / 3)));
    let root = x * (y * y);
    root - (root * root * root - x) * (y * y) / 3.0
}

/// The norm at a corner of 4: two that work side by side, of which the slower one mostly sets the pace.
pub(crate) fn norm4(a: f64, b: f64) -> f64 {
    let (a, b) = (a * a, b * b);
    (a * a + b * b).sqrt().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cube_root_is_that_of_the_standard_library() {
        for number in 0..10_000 {
            let x = (f64::from(number) * 0.017 - 100.0).exp();
            assert!((cube_root(x) / x.cbrt() - 1.0).abs() < 3e-16, "{x}");
        }
        for own in [0.0, f64::INFINITY] {
            assert_eq!(cube_root(own).to_bits(), own.to_bits());
        }
    }

    #[test]
    fn a_sum_at_one_and_nearly_the_longer_at_a_sharp_corner() {
        assert!((bent(3.0, 4.0, 1.0) - 7.0).abs() < 1e-12);
        assert!((bent(3.0, 4.0, 2.0) - 5.0).abs() < 1e-12);
        assert!((bent(3.0, 4.0, 60.0) - 4.0).abs() < 1e-3);
    }

    #[test]
    fn the_named_corners_are_those_of_the_formula() {
        for (a, b) in [(0.0, 2.0), (1.0, 1.0), (3e-6, 5e-5), (7.0, 0.1)] {
            assert!((norm3(a, b) / bent(a, b, 3.0) - 1.0).abs() < 1e-12);
            assert!((norm4(a, b) / bent(a, b, 4.0) - 1.0).abs() < 1e-12);
        }
    }
}
