//! Adam in one pass (Kingma & Ba 2015, Algorithm 1).

use crate::Isa;
use crate::isa::Kernel;
use crate::real::sealed::Run;
use crate::simd::Simd;
use rayon::prelude::*;

/// Elements per task.
const CHUNK: usize = 1 << 14;

/// The constants of one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamStep {
    beta1: f32,
    beta2: f32,
    /// The step is `rate·m/(√(v·correction) + eps)`.
    rate: f32,
    correction: f32,
    eps: f32,
}

impl AdamStep {
    /// Step number `t` (from 1): `m̂/(√v̂ + eps)`, or with `chainer_eps` Chainer's form, whose ε is not bias-corrected.
    pub fn new(lr: f64, beta1: f64, beta2: f64, eps: f64, t: u64, chainer_eps: bool) -> AdamStep {
        let (c1, c2) = (1.0 - beta1.powf(t as f64), 1.0 - beta2.powf(t as f64));
        let (rate, correction) =
            if chainer_eps { (lr * c2.sqrt() / c1, 1.0) } else { (lr / c1, 1.0 / c2) };
        AdamStep {
            beta1: beta1 as f32,
            beta2: beta2 as f32,
            rate: rate as f32,
            correction: correction as f32,
            eps: eps as f32,
        }
    }
}

struct Chunk<'a> {
    w: &'a mut [f32],
    m: &'a mut [f32],
    v: &'a mut [f32],
    g: &'a [f32],
    step: &'a AdamStep,
}

impl Kernel<f32> for Chunk<'_> {
    #[inline(always)]
    fn run<S: Simd<T = f32>>(self) {
        let s = self.step;
        for i in (0..self.w.len()).step_by(S::LANES) {
            let n = S::LANES.min(self.w.len() - i);
            // SAFETY: the four slices have equal lengths.
            unsafe {
                let load = |p: *const f32| S::load_first(p.add(i), n);
                let g = load(self.g.as_ptr());
                let m = S::fma(
                    S::splat(s.beta1),
                    load(self.m.as_ptr()),
                    S::mul(S::splat(1.0 - s.beta1), g),
                );
                let v = S::fma(
                    S::splat(s.beta2),
                    load(self.v.as_ptr()),
                    S::mul(S::mul(S::splat(1.0 - s.beta2), g), g),
                );
                let root = S::add(S::sqrt(S::mul(v, S::splat(s.correction))), S::splat(s.eps));
                let w = S::sub(load(self.w.as_ptr()), S::div(S::mul(S::splat(s.rate), m), root));
                for (slice, value) in [(&mut *self.m, m), (&mut *self.v, v), (&mut *self.w, w)] {
                    let target = slice.as_mut_ptr().add(i);
                    S::store_first(target, value, n);
                }
            }
        }
    }
}

/// Updates weights `w` and moments `m`, `v` from the gradient `g`.
///
/// # Panics
/// When the lengths differ.
pub fn step(w: &mut [f32], m: &mut [f32], v: &mut [f32], g: &[f32], s: &AdamStep) {
    assert!(
        w.len() == g.len() && m.len() == g.len() && v.len() == g.len(),
        "adam: {} weights, {} gradients",
        w.len(),
        g.len()
    );
    let chunks = w
        .par_chunks_mut(CHUNK)
        .zip(m.par_chunks_mut(CHUNK))
        .zip(v.par_chunks_mut(CHUNK))
        .zip(g.par_chunks(CHUNK));
    chunks.for_each(|(((w, m), v), g)| f32::run(Isa::best(), Chunk { w, m, v, g, step: s }));
}
