//! Least-squares slopes.

use super::{Estimate, mean};

/// The least-squares slope of points (x, y), in units of y per unit of x, with its standard error
/// √(Σ residual²/(n − 2)/Σ(x − x̄)²) and n − 2 degrees of freedom; the error is 0 if a line goes
/// through all points. `None` for fewer than three points, or if all have the same x.
pub fn slope(points: &[(f64, f64)]) -> Option<Estimate> {
    let df = points.len().checked_sub(2).filter(|df| *df > 0)? as f64;
    let (x, y): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
    let (x_mean, y_mean) = (mean(&x), mean(&y));
    let sxx: f64 = x.iter().map(|x| (x - x_mean).powi(2)).sum();
    if sxx <= 0.0 {
        return None;
    }
    let value = points.iter().map(|p| (p.0 - x_mean) * (p.1 - y_mean)).sum::<f64>() / sxx;
    let residual: f64 =
        points.iter().map(|p| (p.1 - y_mean - value * (p.0 - x_mean)).powi(2)).sum();
    Some(Estimate { value, standard_error: (residual / df / sxx).sqrt(), df })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_through_all_points_has_no_error() {
        let s = slope(&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]).unwrap();
        assert_eq!(s, Estimate { value: 2.0, standard_error: 0.0, df: 1.0 });
    }

    #[test]
    fn two_points_or_one_x_have_no_slope() {
        assert_eq!(slope(&[]), None);
        assert_eq!(slope(&[(0.0, 1.0), (1.0, 2.0)]), None);
        assert_eq!(slope(&[(1.0, 2.0), (1.0, 3.0), (1.0, 4.0)]), None);
    }
}
