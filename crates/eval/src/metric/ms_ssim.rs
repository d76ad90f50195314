//! Multi-scale structural similarity (Wang et al., 2003) of two images, 1 for equal ones. Averaged
//! over random pairs within a class, it is the paper's measure of mode collapse (Section 4.2):
//! lower for more varied images.
//!
//! Definition: there are five scales, each half the one before (means over 2x2 pixels). On each,
//! the luminance, contrast and structure of the two images are compared under a Gaussian window of
//! 11x11 pixels, σ 1.5, wherever it lies wholly in the image. The means over the plane are raised
//! to [`WEIGHTS`] and multiplied, with luminance only at the last scale. Each color channel is
//! compared alone, on 0–255 with K₁ 0.01 and K₂ 0.03; the score is the channels' mean, as in
//! TensorFlow's `ssim_multiscale` and in pytorch-msssim.
//!
//! Those libraries pad planes of odd side before they halve them, and refuse sides under 161, at
//! which the window does not fit the last scale. Here such a plane loses its last line, so the
//! window fits from side 176 on. Below that, the window shrinks to the plane's side, and σ in
//! proportion ([`shrinks`] tells, and protocols are stamped). So does the script that first applied
//! the measure to GANs' 128x128 images (Odena et al., 2017). All five scales stay, so the weights
//! mean the same at every side; below 16 pixels nothing is left of the last scale. A mean contrast
//! below 0, which has no fractional power, counts as 0.

use crate::{Error, Result};

/// Exponents of the scales, the finest first.
pub const WEIGHTS: [f64; 5] = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333];
/// Side of the window, pixels.
const WINDOW: usize = 11;
/// σ of the window.
const SIGMA: f64 = 1.5;
/// (K₁·255)² and (K₂·255)².
const C: [f64; 2] = [(0.01 * 255.0) * (0.01 * 255.0), (0.03 * 255.0) * (0.03 * 255.0)];
/// The smallest side at which the fifth scale still has a pixel.
pub const LEAST_SIDE: usize = 16;

/// Whether the window shrinks on the last scale of images of this side.
pub fn shrinks(side: usize) -> bool {
    side >> (WEIGHTS.len() - 1) < WINDOW
}

/// Similarity of byte images `a` and `b`, `[3, side, side]`; in [0, 1].
///
/// # Errors
/// When the lengths do not fit, or the side is below [`LEAST_SIDE`].
pub fn ms_ssim(a: &[u8], b: &[u8], side: usize) -> Result<f64> {
    let plane = side * side;
    if side < LEAST_SIDE {
        return Err(Error::input(
            "ms-ssim",
            format!("needs images of side {LEAST_SIDE} at least; these have {side}"),
        ));
    }
    if a.len() != 3 * plane || b.len() != 3 * plane {
        return Err(Error::input(
            "ms-ssim",
            format!("{} and {} bytes are not images of [3, {side}, {side}]", a.len(), b.len()),
        ));
    }
    let channels = a.chunks_exact(plane).zip(b.chunks_exact(plane));
    Ok(channels.map(|(a, b)| channel(Plane::of(a, side), Plane::of(b, side))).sum::<f64>() / 3.0)
}

/// Similarity of one channel.
fn channel(mut a: Plane, mut b: Plane) -> f64 {
    let mut product = 1.0;
    for (scale, weight) in WEIGHTS.into_iter().enumerate() {
        let (similarity, contrast) = compare(&a, &b);
        let last = scale + 1 == WEIGHTS.len();
        product *= (if last { similarity } else { contrast }).max(0.0).powf(weight);
        if !last {
            (a, b) = (a.halved(), b.halved());
        }
    }
    product
}

/// A square plane of numbers.
struct Plane {
    side: usize,
    values: Vec<f64>,
}

impl Plane {
    fn of(bytes: &[u8], side: usize) -> Plane {
        Plane { side, values: bytes.iter().map(|b| f64::from(*b)).collect() }
    }

    /// Combines two planes elementwise.
    fn zip(&self, other: &Plane, f: impl Fn(f64, f64) -> f64) -> Plane {
        Plane {
            side: self.side,
            values: self.values.iter().zip(&other.values).map(|(a, b)| f(*a, *b)).collect(),
        }
    }

    /// Means over 2x2 pixels.
    fn halved(&self) -> Plane {
        let side = self.side / 2;
        let at = |y: usize, x: usize| self.values[y * self.side + x];
        let mean = |i: usize| {
            let (y, x) = (2 * (i / side), 2 * (i % side));
            0.25 * (at(y, x) + at(y, x + 1) + at(y + 1, x) + at(y + 1, x + 1))
        };
        Plane { side, values: (0..side * side).map(mean).collect() }
    }

    /// Weighted means at every place where the window lies wholly in the plane: along lines, then along columns.
    fn windowed(&self, window: &[f64]) -> Plane {
        let out = self.side + 1 - window.len();
        let lines: Vec<f64> = self
            .values
            .chunks_exact(self.side)
            .flat_map(|line| line.windows(window.len()).map(|w| dot(w, window)))
            .collect();
        let down = |i: usize| window.iter().enumerate().map(|(k, w)| w * lines[i + k * out]).sum();
        Plane { side: out, values: (0..out * out).map(down).collect() }
    }

    fn mean(&self) -> f64 {
        self.values.iter().sum::<f64>() / self.values.len() as f64
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// A Gaussian of sum 1, as wide as the plane allows.
fn window(side: usize) -> Vec<f64> {
    let width = WINDOW.min(side);
    let sigma = SIGMA * width as f64 / WINDOW as f64;
    let centre = (width - 1) as f64 / 2.0;
    let values: Vec<f64> =
        (0..width).map(|i| (-0.5 * ((i as f64 - centre) / sigma).powi(2)).exp()).collect();
    let sum: f64 = values.iter().sum();
    values.into_iter().map(|v| v / sum).collect()
}

/// Means over the plane of the similarity, and of only its contrast and structure.
fn compare(a: &Plane, b: &Plane) -> (f64, f64) {
    let window = window(a.side);
    let smooth = |plane: &Plane| plane.windowed(&window);
    let (mean_a, mean_b) = (smooth(a), smooth(b));
    let [aa, bb, ab] = [(a, a), (b, b), (a, b)].map(|(x, y)| smooth(&x.zip(y, |x, y| x * y)));
    let variances = aa.zip(&bb, |x, y| x + y);
    let squares = mean_a.zip(&mean_b, |x, y| x * x + y * y);
    let product = mean_a.zip(&mean_b, |x, y| x * y);
    let covariance = ab.zip(&product, |xy, m| 2.0 * (xy - m) + C[1]);
    let spread = variances.zip(&squares, |v, m| v - m + C[1]);
    let contrast = covariance.zip(&spread, |c, s| c / s);
    let luminance = product.zip(&squares, |p, s| (2.0 * p + C[0]) / (s + C[0]));
    (contrast.zip(&luminance, |c, l| c * l).mean(), contrast.mean())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sngan_tensor::rng::Streams;

    fn image(name: &str, side: usize) -> Vec<u8> {
        Streams::new(6)
            .uniform(name, 0, 3 * side * side)
            .into_iter()
            .map(|u| (255.0 * u) as u8)
            .collect()
    }

    #[test]
    fn an_image_is_like_itself_and_unlike_another() {
        for side in [16, 33, 48, 128] {
            let (a, b) = (image("a", side), image("b", side));
            assert!((ms_ssim(&a, &a, side).unwrap() - 1.0).abs() < 1e-12, "side {side}");
            let (there, back) = (ms_ssim(&a, &b, side).unwrap(), ms_ssim(&b, &a, side).unwrap());
            assert!(
                (0.0..0.5).contains(&there) && (there - back).abs() < 1e-12,
                "side {side}: {there}, {back}"
            );
        }
    }

    #[test]
    fn flat_images_differ_in_luminance_alone() {
        // Contrast is 1 everywhere, so only the last scale's luminance is left, to the power of its weight.
        let (x, y) = (100.0, 180.0);
        let expected = ((2.0 * x * y + C[0]) / (x * x + y * y + C[0])).powf(WEIGHTS[4]);
        let similarity = ms_ssim(&[100; 3 * 32 * 32], &[180; 3 * 32 * 32], 32).unwrap();
        assert!((similarity - expected).abs() < 1e-9, "{similarity}, {expected}");
    }

    #[test]
    fn sides_are_told_apart() {
        assert!(shrinks(128) && shrinks(175) && !shrinks(176));
        assert!(
            ms_ssim(&[0; 3 * 225], &[0; 3 * 225], 15)
                .unwrap_err()
                .to_string()
                .contains("16 at least")
        );
        assert!(
            ms_ssim(&[0; 3 * 256], &[0; 3 * 255], 16)
                .unwrap_err()
                .to_string()
                .contains("not images")
        );
    }
}
