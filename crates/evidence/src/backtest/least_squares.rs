//! Nonlinear least squares: Levenberg and Marquardt's method (Moré 1978).

use flopcast_core::diagnostic::Result;

/// The most steps of the method.
const ITERATIONS: usize = 25;

/// Residuals as a function of a point, and their derivatives.
pub(super) trait Problem {
    /// The residuals at a point.
    ///
    /// # Errors
    /// If there are none.
    fn residuals(&self, point: &[f64]) -> Result<Vec<f64>>;

    /// Derivatives of the residuals, a column for each coordinate.
    ///
    /// # Errors
    /// As `residuals`.
    fn jacobian(&self, point: &[f64], residuals: &[f64]) -> Result<Vec<Vec<f64>>>;
}

/// The point from which no step makes the sum of squares smaller by more than `gain`, relative to
/// it.
///
/// # Errors
/// As the problem's residuals.
pub(super) fn minimise(problem: &impl Problem, mut at: Vec<f64>, gain: f64) -> Result<Vec<f64>> {
    let mut residuals = problem.residuals(&at)?;
    let mut damping = 1e-2;
    for _ in 0..ITERATIONS {
        let jacobian = problem.jacobian(&at, &residuals)?;
        let before = square(&residuals);
        let mut improved = false;
        while damping < 1e6 {
            let Some(change) = solve(&jacobian, &residuals, damping) else {
                damping *= 10.0;
                continue;
            };
            let next: Vec<f64> = at.iter().zip(&change).map(|(a, c)| a - c).collect();
            let tried = problem.residuals(&next)?;
            if square(&tried) < before {
                (at, residuals, damping, improved) = (next, tried, damping / 5.0, true);
                break;
            }
            damping *= 5.0;
        }
        if !improved || before - square(&residuals) < gain * before {
            break;
        }
    }
    Ok(at)
}

/// The residual whose square is ρ(x) = 2 (√(1 + x²) - 1): a square near zero, linear far from it,
/// so that a few odd rows cannot pull far.
pub(super) fn robust(x: f64) -> f64 {
    (2.0 * ((1.0 + x * x).sqrt() - 1.0)).sqrt().copysign(x)
}

/// The sum of the squares.
fn square(residuals: &[f64]) -> f64 {
    residuals.iter().map(|r| r * r).sum()
}

/// The step that solves `(JᵀJ + damping diag(JᵀJ)) step = -Jᵀ residuals`, by Cholesky's
/// decomposition; `None` if that breaks down.
fn solve(jacobian: &[Vec<f64>], residuals: &[f64], damping: f64) -> Option<Vec<f64>> {
    let n = jacobian.len();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut lower = vec![vec![0.0; n]; n];
    for i in 0..n {
        for j in 0..=i {
            let mut sum = dot(&jacobian[i], &jacobian[j]);
            if i == j {
                sum *= 1.0 + damping;
            }
            sum -= dot(&lower[i][..j], &lower[j][..j]);
            lower[i][j] = if i == j {
                if sum <= 0.0 {
                    return None;
                }
                sum.sqrt()
            } else {
                sum / lower[j][j]
            };
        }
    }
    let mut x: Vec<f64> = jacobian.iter().map(|column| dot(column, residuals)).collect();
    for i in 0..n {
        x[i] = (x[i] - dot(&lower[i][..i], &x[..i])) / lower[i][i];
    }
    for i in (0..n).rev() {
        let below: f64 = (i + 1..n).map(|k| lower[k][i] * x[k]).sum();
        x[i] = (x[i] - below) / lower[i][i];
    }
    Some(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solves_a_linear_least_squares_problem_at_once() {
        // y = 2a + b at a = 1, 2, 3 with residuals of the point (0, 0)
        let jacobian = vec![vec![1.0, 2.0, 3.0], vec![1.0, 1.0, 1.0]];
        let x = solve(&jacobian, &[3.0, 5.0, 7.0], 0.0).expect("regular");
        assert!((x[0] - 2.0).abs() < 1e-9 && (x[1] - 1.0).abs() < 1e-9, "{x:?}");
        assert_eq!(solve(&[vec![0.0]], &[1.0], 0.0), None);
    }
}
