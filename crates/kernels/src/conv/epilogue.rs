//! What a convolution does to each value before it stores it.

use crate::Real;
use crate::simd::Simd;

/// Work fused into the end of a convolution, so that the result does not have to be read again.
#[derive(Clone, Copy, Debug)]
pub enum Epilogue<'a, T> {
    /// The unchanged result.
    None,
    /// `a > 0 ? a : slope·a` with `a = result + bias[channel]`; no bias means 0. `slope` 1 is the
    /// identity, 0 ReLU.
    BiasActivation {
        /// One value per output channel.
        bias: Option<&'a [T]>,
        /// Slope on the negative side.
        slope: T,
    },
    /// The result where `of > 0`, else `slope` times the result: the derivative of an activation whose output was `of`, times the result.
    Mask {
        /// As many values as the result.
        of: &'a [T],
        /// Slope on the negative side.
        slope: T,
    },
}

/// An [`Epilogue`] for the inner loops: every field has a value, so that nothing undefined is read
/// before the choice.
#[derive(Clone, Copy)]
pub(super) struct Step<'a, T> {
    /// One per channel, or empty.
    bias: &'a [T],
    /// The mask, or empty.
    of: &'a [T],
    slope: T,
}

impl<'a, T: Real> Epilogue<'a, T> {
    /// Panics if a slice does not fit a result of `len` elements in `channels` channels.
    pub(super) fn step(&self, channels: usize, len: usize) -> Step<'a, T> {
        match *self {
            Epilogue::None => Step { bias: &[], of: &[], slope: T::from_f64(1.0) },
            Epilogue::BiasActivation { bias, slope } => {
                assert!(bias.is_none_or(|b| b.len() == channels), "bias of {channels} channels");
                Step { bias: bias.unwrap_or(&[]), of: &[], slope }
            }
            Epilogue::Mask { of, slope } => {
                assert_eq!(of.len(), len, "mask of {len} elements");
                Step { bias: &[], of, slope }
            }
        }
    }
}

impl<T: Real> Step<'_, T> {
    /// Applies it to the first `n` lanes of `v`, whose first element is at `offset` of the result and in `channel`.
    ///
    /// Safety: `channel + n` and `offset + n` lie within the result that [`Epilogue::step`] has
    /// checked.
    #[inline(always)]
    pub(super) unsafe fn apply<S: Simd<T = T>>(
        &self,
        v: S::V,
        channel: usize,
        offset: usize,
        n: usize,
    ) -> S::V {
        // SAFETY: guaranteed by the caller.
        unsafe {
            let load = |p: *const T| S::load_first(p, n);
            if !self.of.is_empty() {
                return S::where_positive(
                    load(self.of.as_ptr().add(offset)),
                    v,
                    S::mul(v, S::splat(self.slope)),
                );
            }
            let a = if self.bias.is_empty() {
                v
            } else {
                S::add(v, load(self.bias.as_ptr().add(channel)))
            };
            S::where_positive(a, a, S::mul(a, S::splat(self.slope)))
        }
    }
}
