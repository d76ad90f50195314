//! What a convolution does to each value before it stores it.

use crate::Real;
use crate::simd::Simd;

/// Work fused into the end of a convolution, so that its result is not read again for it.
#[derive(Clone, Copy, Debug)]
pub enum Epilogue<'a, T> {
    /// The result as it is.
    None,
    /// `a > 0 ? a : slope·a` with `a = result + bias[channel]`; no bias is a bias of 0. `slope` 1 is the identity, 0 ReLU.
    BiasActivation {
        /// One per output channel.
        bias: Option<&'a [T]>,
        /// Slope on the negative side.
        slope: T,
    },
    /// The result where `of > 0`, else `slope` times the result: the derivative of an activation whose output was `of`, times the result.
    Mask {
        /// As many as the result.
        of: &'a [T],
        /// Slope on the negative side.
        slope: T,
    },
}

impl<T: Real> Epilogue<'_, T> {
    /// Panics where a slice does not fit a result of `len` elements in `channels` channels.
    pub(super) fn check(&self, channels: usize, len: usize) {
        match self {
            Epilogue::None | Epilogue::BiasActivation { bias: None, .. } => {}
            Epilogue::BiasActivation { bias: Some(bias), .. } => assert_eq!(bias.len(), channels, "bias of {channels} channels"),
            Epilogue::Mask { of, .. } => assert_eq!(of.len(), len, "mask of {len} elements"),
        }
    }

    /// Applies it to the first `n` lanes of `v`, whose first element is at `offset` of the result and in `channel`.
    ///
    /// Safety: `channel + n` and `offset + n` lie within the slices that [`Epilogue::check`] has seen.
    #[inline(always)]
    pub(super) unsafe fn apply<S: Simd<T = T>>(&self, v: S::V, channel: usize, offset: usize, n: usize) -> S::V {
        // SAFETY: the caller's promise.
        unsafe {
            let load = |p: *const T| if n == S::LANES { S::load(p) } else { S::load_first(p, n) };
            match *self {
                Epilogue::None => v,
                Epilogue::BiasActivation { bias, slope } => {
                    let a = match bias {
                        Some(bias) => S::add(v, load(bias.as_ptr().add(channel))),
                        None => v,
                    };
                    S::where_positive(a, a, S::mul(a, S::splat(slope)))
                }
                Epilogue::Mask { of, slope } => S::where_positive(load(of.as_ptr().add(offset)), v, S::mul(v, S::splat(slope))),
            }
        }
    }
}
