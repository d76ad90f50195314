//! How output channels are distributed over products.

use crate::simd::Simd;

/// Channels come in vectors of this many, as in the widest instruction set.
pub(super) const VECTOR: usize = 16;
/// Maximum vectors per panel: the width of the product's tiles.
const WIDEST: usize = 4;

/// Adjacent output channels, computed together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Panel {
    pub(super) first: usize,
    pub(super) width: usize,
}

/// All output channels, in as few panels of at most 4 vectors as possible, with widths as equal as
/// possible.
#[derive(Debug)]
pub(super) struct Panels(Vec<Panel>);

impl Panels {
    pub(super) fn of(channels: usize) -> Panels {
        let vectors = channels / VECTOR;
        let count = vectors.div_ceil(WIDEST);
        let start = |i: usize| i * vectors / count * VECTOR;
        Panels(
            (0..count).map(|i| Panel { first: start(i), width: start(i + 1) - start(i) }).collect(),
        )
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Panel> + '_ {
        self.0.iter().copied()
    }

    /// Width of the widest.
    pub(super) fn widest(&self) -> usize {
        self.0.iter().map(|p| p.width).max().unwrap_or(0)
    }
}

/// `max(v + bias, 0)` for the channels from `channel` on, or `v` without a bias.
///
/// Safety: a vector of `bias` begins at `channel`, and the instruction set of S is present.
#[inline(always)]
pub(super) unsafe fn finish<S: Simd<T = f32>>(
    v: S::V,
    bias: Option<&[f32]>,
    channel: usize,
) -> S::V {
    // SAFETY: guaranteed by the caller.
    unsafe {
        let Some(bias) = bias else { return v };
        let a = S::add(v, S::load(bias.as_ptr().add(channel)));
        S::where_positive(a, a, S::zero())
    }
}
