//! How a network's floats become bytes: the authors' rule.

use crate::Result;
use candle_core::{DType, Device, Tensor};

/// Images in [−1, 1] to bytes by the authors' rule: clip(127.5·x + 127.5, 0, 255), truncated.
///
/// # Errors
/// Those of the tensor library.
pub fn to_bytes(images: &Tensor) -> Result<Vec<u8>> {
    let values =
        images.to_dtype(DType::F32)?.to_device(&Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?;
    // NaN becomes 0 and is caught as divergence before images are drawn.
    Ok(values.into_iter().map(byte).collect())
}

/// The byte of one value in [−1, 1], by the rule of [`to_bytes`].
pub fn byte(value: f32) -> u8 {
    // `as` saturates and truncates.
    (127.5 * value + 127.5) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_clipped_and_truncated() {
        let x = Tensor::new(&[-2.0f32, -1.0, 0.0, 0.999, 1.0, 3.0], &Device::Cpu).unwrap();
        assert_eq!(to_bytes(&x).unwrap(), [0, 0, 127, 254, 255, 255]);
    }
}
