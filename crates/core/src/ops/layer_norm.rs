//! Layer normalization over (C, H, W), composed of Candle's operations in both arms.

use crate::Result;
use candle_core::Tensor;

/// `(x − mean) / √(var + eps) + β` for `x` `[N, C, H, W]`, statistics over (C, H, W) per image, `beta` `[C]` per channel, no γ.
///
/// # Errors
/// When the shapes do not fit.
pub fn layer_norm(x: &Tensor, beta: &Tensor, eps: f64) -> Result<Tensor> {
    let (n, c, h, w) = x.dims4()?;
    let flat = x.reshape((n, c * h * w))?;
    let count = (c * h * w) as f64;
    let centred = flat.broadcast_sub(&(flat.sum_keepdim(1)? / count)?)?;
    let var = (centred.sqr()?.sum_keepdim(1)? / count)?;
    let y = centred.broadcast_div(&(var + eps)?.sqrt()?)?;
    Ok(y.reshape((n, c, h, w))?.broadcast_add(&beta.reshape((1, c, 1, 1))?)?)
}
