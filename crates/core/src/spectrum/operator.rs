//! The norm of a convolution as an operator on images, which σ of its weight matrix only bounds up to a factor (footnote 3 of the paper).

use crate::{Error, Result};
use candle_core::{DType, Device, Tensor};
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

/// Relative change of the estimate at which the iteration ends, and how many steps it may take.
const TOLERANCE: f64 = 1e-10;
const STEPS: usize = 2_000;

/// ‖A‖₂ of the convolution with `weight` `[O, I, k, k]`, by power iteration on AᵀA in f64 from a fixed start. The estimate grows towards the
/// norm; where the two largest singular values nearly agree it ends a little below.
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
    let mut x = unit(
        &Tensor::from_vec(start, (1, channels, height, width), &Device::Cpu)?
            .to_dtype(DType::F64)?,
    )?
    .1;
    let mut sigma = 0.0;
    for _ in 0..STEPS {
        // ‖AᵀAx‖ of a unit x tends to σ².
        let (square, next) = unit(&geometry.adjoint(&weight, &geometry.apply(&weight, &x)?)?)?;
        if !square.is_finite() {
            return Err(Error::Invalid("a weight is not finite".into()));
        }
        let before = std::mem::replace(&mut sigma, square.sqrt());
        x = next;
        if (sigma - before).abs() <= TOLERANCE * sigma {
            break;
        }
    }
    Ok(sigma)
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
