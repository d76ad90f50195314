//! The norm of a convolution as an operator on images, which σ of its weight matrix only bounds up to a factor (footnote 3 of the paper).

use crate::{Error, Result};
use candle_core::{DType, Device, Tensor};
use sngan_tensor::decomposition;
use sngan_tensor::rng::Streams;

/// What lies beyond an image's border.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boundary {
    /// Zeros, as the networks have it.
    Zero,
    /// The opposite border; then the operator is diagonal in Fourier space ([`super::circular_norm`]).
    Circular,
}

/// How a convolution is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// `[H, W]` of its input.
    pub input: [usize; 2],
    /// Stride.
    pub stride: usize,
    /// Pixels added at each border.
    pub padding: usize,
    /// What they hold.
    pub boundary: Boundary,
}

/// Residual ‖AᵀAx − θx‖ over θ at which the iteration ends, and how often AᵀA may be applied.
const TOLERANCE: f64 = 1e-10;
const APPLICATIONS: usize = 2_000;
/// Vectors of a Krylov space, after which a new one is begun from the best vector in it.
const SPACE: usize = 24;

/// ‖A‖₂ of the convolution with `weight` `[O, I, k, k]`, in f64: Lanczos' iteration on AᵀA from a fixed start, with full
/// reorthogonalization, begun anew every 24 vectors (C. Lanczos, J. Res. NBS 45, 1950; restarts as in Y. Saad, Numerical Methods for Large
/// Eigenvalue Problems, 6.4). To the square θ of what is found its residual is added, so that what is returned is not below the singular
/// value that was found, however near the next one is.
///
/// # Errors
/// A weight that is not finite, or a geometry that leaves no output.
pub fn operator_norm(weight: &Tensor, geometry: &Geometry) -> Result<f64> {
    let weight = weight.detach().to_device(&Device::Cpu)?.to_dtype(DType::F64)?.contiguous()?;
    let (_, channels, kernel, _) = weight.dims4()?;
    let [height, width] = geometry.input;
    if height.min(width) + 2 * geometry.padding < kernel || geometry.padding > height.min(width) {
        return Err(Error::Invalid(format!(
            "a kernel of {kernel} with padding {} does not fit {height}x{width}",
            geometry.padding
        )));
    }
    let start = Streams::new(0).normal("operator_norm", 0, channels * height * width);
    let shape = (1, channels, height, width);
    let start = Tensor::from_vec(start, shape, &Device::Cpu)?.to_dtype(DType::F64)?;
    let mut best = Ritz { square: 0.0, residual: f64::INFINITY, vector: unit(&start)?.1 };
    for _ in 0..APPLICATIONS / SPACE {
        best = krylov(&weight, geometry, best.vector)?;
        if best.residual <= TOLERANCE * best.square {
            break;
        }
    }
    Ok((best.square + best.residual).sqrt())
}

/// The best approximation in a Krylov space to the largest eigenpair of AᵀA.
struct Ritz {
    square: f64,
    residual: f64,
    vector: Tensor,
}

/// The Krylov space of AᵀA from the unit vector `start`.
fn krylov(weight: &Tensor, geometry: &Geometry, start: Tensor) -> Result<Ritz> {
    let mut basis = vec![start];
    let mut diagonal = Vec::new();
    let mut beside = Vec::new();
    let last = loop {
        let x = &basis[basis.len() - 1];
        let mut next = geometry.adjoint(weight, &geometry.apply(weight, x)?)?;
        let own = dot(&next, x)?;
        if !own.is_finite() {
            return Err(Error::Invalid("a weight is not finite".into()));
        }
        diagonal.push(own);
        // Twice, since the first time leaves what rounding makes of large parts.
        for v in basis.iter().chain(&basis) {
            next = (&next - (v * dot(&next, v)?)?)?;
        }
        let (left, next) = unit(&next)?;
        let largest = diagonal.iter().copied().fold(0.0, f64::max);
        if basis.len() == SPACE || left <= f64::EPSILON * largest {
            break left;
        }
        beside.push(left);
        basis.push(next);
    };
    let (square, parts) = decomposition::largest_of_tridiagonal(&diagonal, &beside)?;
    let mut vector = basis[0].zeros_like()?;
    for (v, part) in basis.iter().zip(&parts) {
        vector = (vector + (v * *part)?)?;
    }
    let residual = last * parts.last().copied().unwrap_or(0.0).abs();
    Ok(Ritz { square: square.max(0.0), residual, vector: unit(&vector)?.1 })
}

fn dot(a: &Tensor, b: &Tensor) -> Result<f64> {
    Ok((a * b)?.sum_all()?.to_scalar::<f64>()?)
}

/// ‖x‖₂, and x over it (or 0).
fn unit(x: &Tensor) -> Result<(f64, Tensor)> {
    let norm = x.sqr()?.sum_all()?.to_scalar::<f64>()?.sqrt();
    Ok((norm, if norm > 0.0 { (x / norm)? } else { x.clone() }))
}

impl Geometry {
    fn apply(&self, weight: &Tensor, x: &Tensor) -> Result<Tensor> {
        let padded = match self.boundary {
            Boundary::Zero => x.pad_with_zeros(2, self.padding, self.padding)?.pad_with_zeros(
                3,
                self.padding,
                self.padding,
            )?,
            Boundary::Circular => wrapped(&wrapped(x, 2, self.padding)?, 3, self.padding)?,
        };
        Ok(padded.conv2d(weight, 0, self.stride, 1, 1)?)
    }

    /// Aᵀ: onto the padded canvas, and back from its borders.
    fn adjoint(&self, weight: &Tensor, y: &Tensor) -> Result<Tensor> {
        let kernel = weight.dim(3)?;
        let mut canvas = y.conv_transpose2d(weight, 0, 0, self.stride, 1)?;
        for (axis, side) in [(2, self.input[0]), (3, self.input[1])] {
            // Pixels that no window reached, where the stride does not divide the side.
            let reached = (y.dim(axis)? - 1) * self.stride + kernel;
            canvas = canvas.pad_with_zeros(axis, 0, side + 2 * self.padding - reached)?;
            let inner = canvas.narrow(axis, self.padding, side)?;
            canvas = match self.boundary {
                Boundary::Zero => inner,
                Boundary::Circular => self.folded(&canvas, &inner, axis, side)?,
            };
        }
        Ok(canvas)
    }

    /// `inner` plus what lies on the borders of `canvas`, each at the opposite side.
    fn folded(&self, canvas: &Tensor, inner: &Tensor, axis: usize, side: usize) -> Result<Tensor> {
        let p = self.padding;
        if p == 0 {
            return Ok(inner.clone());
        }
        let (before, after) = (canvas.narrow(axis, 0, p)?, canvas.narrow(axis, p + side, p)?);
        let inner = (inner + after.pad_with_zeros(axis, 0, side - p)?)?;
        Ok((inner + before.pad_with_zeros(axis, side - p, 0)?)?)
    }
}

/// `x` with `p` pixels of the opposite border at each end of an axis.
fn wrapped(x: &Tensor, axis: usize, p: usize) -> Result<Tensor> {
    if p == 0 {
        return Ok(x.clone());
    }
    let side = x.dim(axis)?;
    Ok(Tensor::cat(&[&x.narrow(axis, side - p, p)?, x, &x.narrow(axis, 0, p)?], axis)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spectrum::circular_norm;
    use sngan_tensor::decomposition::singular_values;

    fn weight(shape: (usize, usize, usize, usize)) -> Tensor {
        let n = shape.0 * shape.1 * shape.2 * shape.3;
        let draws = Streams::new(5).normal("w", n as u64, n).into_iter().map(f64::from).collect();
        Tensor::from_vec(draws, shape, &Device::Cpu).unwrap()
    }

    /// The operator as a matrix, column by column.
    fn matrix_norm(weight: &Tensor, g: &Geometry) -> f64 {
        let n = weight.dim(1).unwrap() * g.input[0] * g.input[1];
        let columns: Vec<Tensor> = (0..n)
            .map(|i| {
                let mut e = vec![0.0; n];
                e[i] = 1.0;
                let x = Tensor::from_vec(
                    e,
                    (1, weight.dim(1).unwrap(), g.input[0], g.input[1]),
                    &Device::Cpu,
                )
                .unwrap();
                g.apply(weight, &x).unwrap().flatten_all().unwrap()
            })
            .collect();
        singular_values(&Tensor::stack(&columns, 1).unwrap()).unwrap()[0]
    }

    #[test]
    fn the_norm_is_the_matrix_s_for_every_stride_padding_and_boundary() {
        for boundary in [Boundary::Zero, Boundary::Circular] {
            for (kernel, stride, padding, input) in [
                (3, 1, 1, [4, 5]),
                (4, 2, 1, [6, 6]),
                (4, 2, 1, [7, 6]),
                (1, 1, 0, [3, 3]),
                (3, 2, 0, [6, 5]),
            ] {
                let (w, g) =
                    (weight((3, 2, kernel, kernel)), Geometry { input, stride, padding, boundary });
                let (found, expected) = (operator_norm(&w, &g).unwrap(), matrix_norm(&w, &g));
                assert!(
                    (found - expected).abs() <= 1e-7 * expected,
                    "{g:?}: {found} and {expected}"
                );
            }
        }
    }

    /// Two singular values that agree to 1e-6: a power iteration that stops when its estimate hardly changes ends short of both.
    #[test]
    fn nearly_equal_values_are_no_trap() {
        let channels = |a: f64| {
            let mut w = vec![0.0; 64];
            (0..8).for_each(|i| w[9 * i] = a - 1e-6 * i as f64);
            Tensor::from_vec(w, (8, 8, 1, 1), &Device::Cpu).unwrap()
        };
        let g = Geometry { input: [4, 4], stride: 1, padding: 0, boundary: Boundary::Zero };
        let found = operator_norm(&channels(1.75), &g).unwrap();
        assert!((found - 1.75).abs() < 1e-9, "{found}");
    }

    #[test]
    fn with_a_circular_border_it_is_fourier_s() {
        for (kernel, stride, padding) in [(3, 1, 1), (4, 2, 1), (1, 1, 0)] {
            let w = weight((5, 4, kernel, kernel));
            let g = Geometry { input: [8, 8], stride, padding, boundary: Boundary::Circular };
            let (found, expected) =
                (operator_norm(&w, &g).unwrap(), circular_norm(&w, 8, stride).unwrap());
            assert!(
                (found - expected).abs() <= 1e-7 * expected,
                "{kernel} {stride}: {found} and {expected}"
            );
        }
    }

    #[test]
    fn zeros_beyond_the_border_never_make_it_larger() {
        let w = weight((6, 4, 3, 3));
        let norm = |boundary| {
            operator_norm(&w, &Geometry { input: [8, 8], stride: 1, padding: 1, boundary }).unwrap()
        };
        assert!(norm(Boundary::Zero) <= norm(Boundary::Circular) * (1.0 + 1e-9));
    }

    #[test]
    fn impossible_geometries_and_weights_are_errors() {
        let g = Geometry { input: [1, 1], stride: 1, padding: 0, boundary: Boundary::Zero };
        assert!(operator_norm(&weight((1, 1, 3, 3)), &g).is_err());
        let nan = Tensor::from_vec(vec![f64::NAN], (1, 1, 1, 1), &Device::Cpu).unwrap();
        assert!(operator_norm(&nan, &g).is_err());
        let zero = Tensor::zeros((1, 1, 1, 1), DType::F64, &Device::Cpu).unwrap();
        assert_eq!(operator_norm(&zero, &g).unwrap(), 0.0);
    }
}
