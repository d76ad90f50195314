//! The gradient penalty. Losses are those of `sngan_core::loss`.

/// The gradient penalty at `n` images whose gradients are `g`.
pub(super) struct Penalty {
    pub(super) value: f64,
    pub(super) mean_norm: f64,
    /// ‖g‖ of each image.
    pub(super) norms: Vec<f64>,
    /// ∂P/∂g.
    pub(super) c: Vec<f64>,
}

pub(super) fn penalty(g: &[f64], n: usize, lambda: f64) -> Penalty {
    let mut penalty =
        Penalty { value: 0.0, mean_norm: 0.0, norms: Vec::new(), c: Vec::with_capacity(g.len()) };
    for g in g.chunks(g.len() / n) {
        let norm = g.iter().map(|g| g * g).sum::<f64>().sqrt();
        penalty.value += lambda * (norm - 1.0).powi(2) / n as f64;
        penalty.mean_norm += norm / n as f64;
        penalty.norms.push(norm);
        let scale = if norm > 0.0 { 2.0 * lambda / n as f64 * (norm - 1.0) / norm } else { 0.0 };
        penalty.c.extend(g.iter().map(|g| scale * g));
    }
    penalty
}
