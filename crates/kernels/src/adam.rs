//! Adam in one pass (Kingma & Ba 2015, Algorithm 1).

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
        let (rate, correction) = if chainer_eps { (lr * c2.sqrt() / c1, 1.0) } else { (lr / c1, 1.0 / c2) };
        AdamStep { beta1: beta1 as f32, beta2: beta2 as f32, rate: rate as f32, correction: correction as f32, eps: eps as f32 }
    }
}

/// Updates weights `w` and moments `m`, `v` from the gradient `g`.
///
/// # Panics
/// When the lengths differ.
pub fn step(w: &mut [f32], m: &mut [f32], v: &mut [f32], g: &[f32], s: &AdamStep) {
    assert!(w.len() == g.len() && m.len() == g.len() && v.len() == g.len(), "adam: {} weights, {} gradients", w.len(), g.len());
    let chunks = w.par_chunks_mut(CHUNK).zip(m.par_chunks_mut(CHUNK)).zip(v.par_chunks_mut(CHUNK)).zip(g.par_chunks(CHUNK));
    chunks.for_each(|(((w, m), v), g)| {
        for (((w, m), v), g) in w.iter_mut().zip(m).zip(v).zip(g) {
            *m = s.beta1 * *m + (1.0 - s.beta1) * g;
            *v = s.beta2 * *v + (1.0 - s.beta2) * g * g;
            *w -= s.rate * *m / ((*v * s.correction).sqrt() + s.eps);
        }
    });
}
