//! Convolutions with a circular border, whose singular values Fourier space shows (Sedghi, Gupta and Long 2019).

use crate::{Error, Result};
use candle_core::{DType, Device, Tensor};
use faer::{Mat, Side, c64};
use std::f64::consts::TAU;

/// The norm of the convolution with `weight` `[O, I, k, k]` on images of `side` × `side` whose borders are joined.
///
/// At each frequency it is a matrix `[O, I]`: the kernel's transform. A stride s folds s² frequencies into one, so that it is
/// `[O, I·s²]` there, over s.
///
/// # Errors
/// A weight that is not finite, or a side that the stride does not divide.
pub fn circular_norm(weight: &Tensor, side: usize, stride: usize) -> Result<f64> {
    if stride == 0 || side == 0 || !side.is_multiple_of(stride) {
        return Err(Error::Invalid(format!(
            "a stride of {stride} does not divide a side of {side}"
        )));
    }
    let kernel = Kernel::of(weight)?;
    let coarse = side / stride;
    let mut largest: f64 = 0.0;
    for (u, v) in (0..coarse).flat_map(|u| (0..coarse).map(move |v| (u, v))) {
        // The weights are real, so opposite frequencies have conjugate matrices.
        if (u, v) <= ((coarse - u) % coarse, (coarse - v) % coarse) {
            largest = largest.max(kernel.largest_at((u, v), side, stride)?);
        }
    }
    Ok(largest)
}

/// A kernel's numbers.
struct Kernel {
    outputs: usize,
    inputs: usize,
    size: usize,
    values: Vec<f64>,
}

impl Kernel {
    fn of(weight: &Tensor) -> Result<Kernel> {
        let (outputs, inputs, size, _) = weight.dims4()?;
        let values = weight
            .detach()
            .to_device(&Device::Cpu)?
            .to_dtype(DType::F64)?
            .flatten_all()?
            .to_vec1::<f64>()?;
        if values.iter().any(|v| !v.is_finite()) {
            return Err(Error::Invalid("a weight is not finite".into()));
        }
        Ok(Kernel { outputs, inputs, size, values })
    }

    /// The largest singular value at a coarse frequency.
    fn largest_at(&self, (u, v): (usize, usize), side: usize, stride: usize) -> Result<f64> {
        let coarse = side / stride;
        let folded: Vec<Vec<c64>> = (0..stride)
            .flat_map(|a| (0..stride).map(move |b| (u + a * coarse, v + b * coarse)))
            .map(|frequency| self.phases(frequency, side))
            .collect();
        let area = self.size * self.size;
        let scale = 1.0 / stride as f64;
        let m = Mat::from_fn(self.outputs, self.inputs * folded.len(), |o, column| {
            let (phases, i) = (&folded[column / self.inputs], column % self.inputs);
            let taps = &self.values[(o * self.inputs + i) * area..][..area];
            let sum = taps
                .iter()
                .zip(phases)
                .fold(c64::new(0.0, 0.0), |sum, (w, phase)| sum + *phase * *w);
            sum * scale
        });
        let gram = if m.nrows() <= m.ncols() { &m * m.adjoint() } else { m.adjoint() * &m };
        let eigen = gram
            .self_adjoint_eigenvalues(Side::Lower)
            .map_err(|e| Error::Invalid(format!("eigenvalues did not converge: {e:?}")))?;
        Ok(eigen.last().copied().unwrap_or(0.0).max(0.0).sqrt())
    }

    /// `exp(−2πi(ua + vb)/side)` of each tap (a, b).
    fn phases(&self, (u, v): (usize, usize), side: usize) -> Vec<c64> {
        let taps = (0..self.size).flat_map(|a| (0..self.size).map(move |b| (a, b)));
        taps.map(|(a, b)| {
            let angle = -TAU * ((u * a + v * b) % side) as f64 / side as f64;
            c64::new(angle.cos(), angle.sin())
        })
        .collect()
    }
}
