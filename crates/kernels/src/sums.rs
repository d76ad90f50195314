//! Sums over the rows of `[rows, channels]`: in f32 within blocks short enough to stay accurate, in
//! f64 across blocks, in a fixed order.

use crate::isa::Kernel;
use crate::simd::Simd;
use crate::{Isa, Real};
use rayon::prelude::*;

/// Rows per task.
pub(crate) const CHUNK: usize = 1024;
/// Rows per block, summed in the element's own type.
const BLOCK: usize = 32;

/// The first and second sum of each channel.
#[derive(Clone, Copy)]
pub(crate) enum Terms<'a, T> {
    /// Σp and nothing.
    Plain(&'a [T]),
    /// Σ(x − shift) and Σ(x − shift)²: values near `shift` `[channels]` lose nothing to
    /// cancellation.
    Shifted(&'a [T], &'a [T]),
    /// Σp and Σp·(x − shift).
    Product(&'a [T], &'a [T], &'a [T]),
}

impl<T: Real> Terms<'_, T> {
    fn len(&self) -> usize {
        match self {
            Terms::Plain(p) | Terms::Shifted(p, _) | Terms::Product(p, _, _) => p.len(),
        }
    }

    /// Both terms of the vector at `offset`, in `channel`.
    ///
    /// Safety: a whole vector lies within the slices from there.
    #[inline(always)]
    unsafe fn at<S: Simd<T = T>>(&self, channel: usize, offset: usize, n: usize) -> (S::V, S::V) {
        // SAFETY: guaranteed by the caller.
        unsafe {
            let load = |s: &[T], at: usize| S::load_first(s.as_ptr().add(at), n);
            match *self {
                Terms::Plain(p) => (load(p, offset), S::zero()),
                Terms::Shifted(x, shift) => {
                    let d = S::sub(load(x, offset), load(shift, channel));
                    (d, S::mul(d, d))
                }
                Terms::Product(p, x, shift) => {
                    let p = load(p, offset);
                    (p, S::mul(p, S::sub(load(x, offset), load(shift, channel))))
                }
            }
        }
    }
}

struct Chunk<'a, T> {
    terms: Terms<'a, T>,
    channels: usize,
    rows: std::ops::Range<usize>,
    /// `[2][channels]`, zero.
    sums: &'a mut [f64],
}

impl<T: Real> Kernel<T> for Chunk<'_, T> {
    #[inline(always)]
    fn run<S: Simd<T = T>>(self) {
        let mut lanes = [T::ZERO; 16];
        for start in self.rows.clone().step_by(BLOCK) {
            let end = (start + BLOCK).min(self.rows.end);
            for c in (0..self.channels).step_by(S::LANES) {
                let n = S::LANES.min(self.channels - c);
                // SAFETY: rows and channels lie within the slices; `lanes` holds a vector.
                unsafe {
                    let (mut first, mut second) = (S::zero(), S::zero());
                    for row in start..end {
                        let (a, b) = self.terms.at::<S>(c, row * self.channels + c, n);
                        first = S::add(first, a);
                        second = S::add(second, b);
                    }
                    for (which, v) in [first, second].into_iter().enumerate() {
                        S::store(lanes.as_mut_ptr(), v);
                        for (sum, x) in
                            self.sums[which * self.channels + c..][..n].iter_mut().zip(lanes)
                        {
                            *sum += x.to_f64();
                        }
                    }
                }
            }
        }
    }
}

/// First and second sums, each `[channels]`.
pub(crate) fn per_channel<T: Real>(terms: Terms<'_, T>, channels: usize) -> (Vec<f64>, Vec<f64>) {
    per_channel_by(CHUNK, terms, channels)
}

/// [`per_channel`] with `chunk` rows per task.
pub(crate) fn per_channel_by<T: Real>(
    chunk: usize,
    terms: Terms<'_, T>,
    channels: usize,
) -> (Vec<f64>, Vec<f64>) {
    let rows = terms.len() / channels;
    let mut partial = vec![0.0; rows.div_ceil(chunk) * 2 * channels];
    partial.par_chunks_mut(2 * channels).enumerate().for_each(|(i, sums)| {
        T::run(
            Isa::best(),
            Chunk { terms, channels, rows: i * chunk..((i + 1) * chunk).min(rows), sums },
        );
    });
    let mut total = vec![0.0; 2 * channels];
    for part in partial.chunks_exact(2 * channels) {
        total.iter_mut().zip(part).for_each(|(t, p)| *t += p);
    }
    let second = total.split_off(channels);
    (total, second)
}

/// `sums[c] = Σ x[row, c]`: a bias's gradient.
///
/// # Panics
/// When a slice's length does not fit.
pub fn columns<T: Real>(x: &[T], sums: &mut [T]) {
    assert!(
        !sums.is_empty() && x.len().is_multiple_of(sums.len()),
        "{} elements in {} columns",
        x.len(),
        sums.len()
    );
    let (totals, _) = per_channel(Terms::Plain(x), sums.len());
    sums.iter_mut().zip(totals).for_each(|(s, t)| *s = T::from_f64(t));
}
