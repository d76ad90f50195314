//! From bytes to the network's input: bilinear resizing to 299x299, then a map of 0..=255 to about [−1, 1].

use rayon::prelude::*;
use sngan_kernels::Buffer;

/// Side of the network's input.
pub(super) const SIDE: usize = 299;

/// How images become the network's input. Scores with different preparations are not comparable, so protocols record [`Preparation::name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Preparation {
    /// As TensorFlow 1's graph and torch-fidelity: target pixel d reads at `d·side/299`, without half pixels, and the value x becomes
    /// `(x − 128)/128`.
    #[default]
    LegacyBilinear,
    /// As pytorch-fid: target pixel d reads at `(d + ½)·side/299 − ½`, and the value x becomes `2x/255 − 1`.
    HalfPixelBilinear,
}

impl Preparation {
    /// The name under which protocols record it.
    pub fn name(self) -> &'static str {
        match self {
            Preparation::LegacyBilinear => "tf1-bilinear-299",
            Preparation::HalfPixelBilinear => "half-pixel-bilinear-299",
        }
    }

    /// Where target pixel `d` reads: the pixel before, the one after, and how far it is between them.
    fn source(self, d: usize, side: usize) -> (usize, usize, f32) {
        // In f32, as TensorFlow and PyTorch compute it.
        let scale = (side as f64 / SIDE as f64) as f32;
        let at = match self {
            Preparation::LegacyBilinear => d as f32 * scale,
            Preparation::HalfPixelBilinear => ((d as f32 + 0.5) * scale - 0.5).max(0.0),
        };
        let before = (at as usize).min(side - 1);
        (before, (before + 1).min(side - 1), at - before as f32)
    }

    /// Factor and summand of the map from 0..=255.
    fn range(self) -> (f32, f32) {
        match self {
            Preparation::LegacyBilinear => (1.0 / 128.0, -1.0),
            Preparation::HalfPixelBilinear => (2.0 / 255.0, -1.0),
        }
    }
}

/// `bytes`, `[N, 3, height, width]`, as the network's input, `[299, 299, N, 3]`.
pub(super) fn prepare(
    preparation: Preparation,
    bytes: &[u8],
    height: usize,
    width: usize,
) -> Buffer<f32> {
    let image = 3 * height * width;
    let images = bytes.len() / image;
    let pixel = 3 * images;
    let columns: Vec<_> = (0..SIDE).map(|d| preparation.source(d, width)).collect();
    let (factor, summand) = preparation.range();
    let mut input = Buffer::arbitrary(SIDE * SIDE * pixel);
    input.par_chunks_mut(SIDE * pixel).enumerate().for_each(|(d, target)| {
        let (above, below, between) = preparation.source(d, height);
        // Between the two source lines first, over all images: [width, N, 3].
        let mut line = vec![0.0f32; width * pixel];
        for (i, plane) in bytes.chunks_exact(height * width).enumerate() {
            let (above, below) =
                (&plane[above * width..][..width], &plane[below * width..][..width]);
            for ((value, a), b) in line[i..].iter_mut().step_by(pixel).zip(above).zip(below) {
                let (a, b) = (f32::from(*a), f32::from(*b));
                *value = a + (b - a) * between;
            }
        }
        for (target, (left, right, between)) in target.chunks_exact_mut(pixel).zip(&columns) {
            let (left, right) = (&line[left * pixel..][..pixel], &line[right * pixel..][..pixel]);
            for ((value, a), b) in target.iter_mut().zip(left).zip(right) {
                *value = (a + (b - a) * between) * factor + summand;
            }
        }
    });
    input
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_of_the_networks_side_is_only_scaled() {
        let bytes: Vec<u8> = (0..3 * SIDE * SIDE).map(|i| (i * 7 % 256) as u8).collect();
        for preparation in [Preparation::LegacyBilinear, Preparation::HalfPixelBilinear] {
            let (factor, summand) = preparation.range();
            let input = prepare(preparation, &bytes, SIDE, SIDE);
            for (i, value) in input.iter().enumerate() {
                let byte = bytes[i % 3 * SIDE * SIDE + i / 3];
                assert_eq!(*value, f32::from(byte) * factor + summand);
            }
        }
    }

    #[test]
    fn height_and_width_are_resized_apart() {
        // Lines that are all alike: what the width is has no say in them, and the other way round.
        let (height, width) = (5, 3);
        let lines: Vec<u8> =
            (0..3 * height * width).map(|i| (i / width % height * 40) as u8).collect();
        let columns: Vec<u8> = (0..3 * height * width).map(|i| (i % width * 40) as u8).collect();
        let at = |input: &[f32], y: usize, x: usize| input[(y * SIDE + x) * 3];
        for preparation in [Preparation::LegacyBilinear, Preparation::HalfPixelBilinear] {
            let (lines, columns) = (
                prepare(preparation, &lines, height, width),
                prepare(preparation, &columns, height, width),
            );
            let square = prepare(
                preparation,
                &(0..3 * height * height)
                    .map(|i| (i / height % height * 40) as u8)
                    .collect::<Vec<_>>(),
                height,
                height,
            );
            for d in 0..SIDE {
                assert_eq!(at(&lines, d, 7), at(&square, d, 0));
                let (left, right, between) = preparation.source(d, width);
                let expected = 40.0 * (left as f32 + (right - left) as f32 * between);
                let (factor, summand) = preparation.range();
                assert!((at(&columns, 9, d) - (expected * factor + summand)).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn the_last_line_is_repeated_where_the_image_ends() {
        // Side 2: legacy target pixels from 150 on read beyond the last source pixel.
        let bytes = [0, 0, 100, 200].repeat(3);
        let input = prepare(Preparation::LegacyBilinear, &bytes, 2, 2);
        assert_eq!(input[(SIDE * SIDE - 1) * 3], 200.0 / 128.0 - 1.0);
        assert_eq!(input[(150 * SIDE + 298) * 3], 200.0 / 128.0 - 1.0);
        assert_eq!(input[0], -1.0);
    }

    /// Positions differ from the libraries' in the last digits of f32; errors on the range [−1, 1].
    const RESIZE: f32 = 1e-5;

    #[test]
    fn resizing_equals_torch_fidelitys_and_pytorch_fids() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/inception.safetensors");
        let bytes = std::fs::read(path).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        // The lines and columns in the fixture.
        let kept: Vec<usize> =
            (0..24).map(|i| (f64::from(i) * 298.0 / 23.0).round_ties_even() as usize).collect();
        for side in [16, 32, 33, 128, 320] {
            let image = file.tensor(&format!("resized.{side}.image")).unwrap();
            for (name, preparation) in [
                ("legacy", Preparation::LegacyBilinear),
                ("half-pixel", Preparation::HalfPixelBilinear),
            ] {
                let expected = file.tensor(&format!("resized.{side}.{name}")).unwrap();
                assert_eq!(expected.shape(), [1, 3, kept.len(), kept.len()]);
                let input = prepare(preparation, image.data(), side, side);
                let mut largest = 0f32;
                for (i, value) in expected.data().as_chunks::<4>().0.iter().enumerate() {
                    let (c, y, x) = (
                        i / kept.len() / kept.len(),
                        kept[i / kept.len() % kept.len()],
                        kept[i % kept.len()],
                    );
                    let error = (input[(y * SIDE + x) * 3 + c] - f32::from_le_bytes(*value)).abs();
                    assert!(
                        error < RESIZE,
                        "side {side}, {name}, channel {c}, pixel ({y}, {x}): {error}"
                    );
                    largest = largest.max(error);
                }
                println!("side {side}, {name}: {largest:.1e}");
            }
        }
    }
}
