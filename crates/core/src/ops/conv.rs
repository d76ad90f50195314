//! Convolution and transposed convolution.
//!
//! Three linear maps (forward, input gradient, weight gradient) are each other's derivatives, so three custom operations are
//! closed under differentiation, and the transposed convolution is the input gradient of a convolution.

use super::Arm;
use super::cpu::{by_type, slice, zeros};
use crate::Result;
use candle_core::{CpuStorage, CustomOp2, Layout, Shape, Tensor, WithDType};
use sngan_kernels::{ConvShape, conv};

/// Which of the three bilinear maps of a convolution an operation computes.
#[derive(Clone, Copy, Debug)]
enum Map {
    /// (x, w) → y
    Forward,
    /// (dy, w) → dx
    GradInput,
    /// (x, dy) → dw
    GradWeight,
}

#[derive(Clone, Copy, Debug)]
struct ConvOp {
    map: Map,
    shape: ConvShape,
}

impl ConvOp {
    fn apply(self, map: Map, a: &Tensor, b: &Tensor) -> candle_core::Result<Tensor> {
        a.contiguous()?.apply_op2(&b.contiguous()?, ConvOp { map, ..self })
    }

    fn output(&self) -> Shape {
        let s = &self.shape;
        match self.map {
            Map::Forward => (s.batch, s.out_channels, s.out_h(), s.out_w()).into(),
            Map::GradInput => (s.batch, s.in_channels, s.in_h, s.in_w).into(),
            Map::GradWeight => (s.out_channels, s.in_channels, s.kernel, s.kernel).into(),
        }
    }
}

impl CustomOp2 for ConvOp {
    fn name(&self) -> &'static str {
        match self.map {
            Map::Forward => "conv2d",
            Map::GradInput => "conv2d-grad-input",
            Map::GradWeight => "conv2d-grad-weight",
        }
    }

    fn cpu_fwd(&self, a: &CpuStorage, la: &Layout, b: &CpuStorage, lb: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let output = self.output();
        by_type!(a, T, {
            let (a, b) = (slice::<T>(a, la)?, slice::<T>(b, lb)?);
            let mut y = zeros::<T>(output.elem_count());
            match self.map {
                Map::Forward => conv::forward(&self.shape, a, b, &mut y),
                Map::GradInput => conv::grad_input(&self.shape, a, b, &mut y),
                Map::GradWeight => conv::grad_weight(&self.shape, a, b, &mut y),
            }
            Ok((T::to_cpu_storage_owned(y), output))
        })
    }

    fn bwd(&self, a: &Tensor, b: &Tensor, _: &Tensor, g: &Tensor) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        // Gradients that nobody asked for (frozen D in G's update, images in D's update) are not computed.
        let ask = |t: &Tensor, map, x: &Tensor, y: &Tensor| if t.track_op() { self.apply(map, x, y).map(Some) } else { Ok(None) };
        match self.map {
            Map::Forward => Ok((ask(a, Map::GradInput, g, b)?, ask(b, Map::GradWeight, a, g)?)),
            Map::GradInput => Ok((ask(a, Map::Forward, g, b)?, ask(b, Map::GradWeight, g, a)?)),
            Map::GradWeight => Ok((ask(a, Map::GradInput, b, g)?, ask(b, Map::Forward, a, g)?)),
        }
    }
}

/// Cross-correlation of `x` `[N, C, H, W]` with `w` `[O, C, k, k]`, zero padding on each side → `[N, O, H', W']`.
///
/// # Errors
/// When the shapes do not fit, or the kernel is larger than the padded image.
pub fn conv2d(arm: Arm, x: &Tensor, w: &Tensor, stride: usize, padding: usize) -> Result<Tensor> {
    if arm == Arm::Candle {
        return Ok(x.conv2d(w, padding, stride, 1, 1)?);
    }
    let (batch, in_channels, in_h, in_w) = x.dims4()?;
    let (out_channels, w_in, kernel, _) = w.dims4()?;
    if w_in != in_channels {
        return Err(crate::Error::Invalid(format!("conv2d: weight {:?} does not fit input {:?}", w.dims(), x.dims())));
    }
    let shape = ConvShape::new(batch, in_channels, out_channels, in_h, in_w, kernel, stride, padding)?;
    Ok(ConvOp { map: Map::Forward, shape }.apply(Map::Forward, x, w)?)
}

/// Transposed convolution of `x` `[N, C, H, W]` with `w` `[C, O, k, k]` → `[N, O, (H−1)·stride − 2·padding + k, …]`.
///
/// # Errors
/// When the shapes do not fit.
pub fn conv_transpose2d(arm: Arm, x: &Tensor, w: &Tensor, stride: usize, padding: usize) -> Result<Tensor> {
    if arm == Arm::Candle {
        return Ok(x.conv_transpose2d(w, padding, 0, stride, 1)?);
    }
    let (batch, channels, h, width) = x.dims4()?;
    let (w_in, out, kernel, _) = w.dims4()?;
    let side = |n: usize| ((n - 1) * stride + kernel).checked_sub(2 * padding).filter(|s| *s > 0);
    let (Some(out_h), Some(out_w), true) = (side(h), side(width), w_in == channels) else {
        return Err(crate::Error::Invalid(format!("conv_transpose2d: weight {:?} does not fit input {:?}", w.dims(), x.dims())));
    };
    // The underlying convolution maps the output back to the input.
    let shape = ConvShape::new(batch, out, channels, out_h, out_w, kernel, stride, padding)?;
    Ok(ConvOp { map: Map::GradInput, shape }.apply(Map::GradInput, x, w)?)
}
