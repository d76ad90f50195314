//! Convolutions as sums over taps.

use crate::op::Geometry;

/// Calls `f(larger, smaller, weight)` with the elements' places for every product of the correlation.
fn products(g: &Geometry, mut f: impl FnMut(usize, usize, usize)) {
    let ((c, side), (o, out)) = (g.input, g.output);
    let ((rows, columns), (above, before)) = (g.kernel, g.padding);
    for n in 0..g.n {
        for oc in 0..o {
            for ic in 0..c {
                for ky in 0..rows {
                    for kx in 0..columns {
                        let w = ((oc * c + ic) * rows + ky) * columns + kx;
                        for oy in 0..out {
                            let iy = oy * g.stride + ky;
                            if iy < above || iy - above >= side {
                                continue;
                            }
                            let larger = ((n * c + ic) * side + iy - above) * side;
                            let smaller = ((n * o + oc) * out + oy) * out;
                            for ox in 0..out {
                                let ix = ox * g.stride + kx;
                                if ix >= before && ix - before < side {
                                    f(larger + ix - before, smaller + ox, w);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// `x ⋆ w`.
pub(super) fn forward(g: &Geometry, x: &[f64], w: &[f64]) -> Vec<f64> {
    let mut y = vec![0.0; g.n * g.output.0 * g.output.1 * g.output.1];
    products(g, |larger, smaller, weight| y[smaller] += x[larger] * w[weight]);
    y
}

/// The adjoint in x.
pub(super) fn data(g: &Geometry, dy: &[f64], w: &[f64]) -> Vec<f64> {
    let mut dx = vec![0.0; g.n * g.input.0 * g.input.1 * g.input.1];
    products(g, |larger, smaller, weight| dx[larger] += dy[smaller] * w[weight]);
    dx
}

/// The gradient in w.
pub(super) fn filter(g: &Geometry, x: &[f64], dy: &[f64]) -> Vec<f64> {
    let mut dw = vec![0.0; g.output.0 * g.input.0 * g.kernel.0 * g.kernel.1];
    products(g, |larger, smaller, weight| dw[weight] += x[larger] * dy[smaller]);
    dw
}
