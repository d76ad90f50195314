//! Losses and the gradient penalty, with their gradients.

use sngan_experiment::method::Loss;

/// A mean loss, and its gradient in each output times what the caller asked for.
pub(super) struct Found {
    pub(super) value: f64,
    pub(super) gradient: Vec<f64>,
}

/// `ln(1 + eˣ)`.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 { 1.0 / (1.0 + (-x).exp()) } else { x.exp() / (1.0 + x.exp()) }
}

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn of(outputs: &[f64], share: f64, f: impl Fn(f64) -> (f64, f64)) -> Found {
    let n = outputs.len() as f64;
    let pairs: Vec<_> = outputs.iter().map(|d| f(*d)).collect();
    Found {
        value: pairs.iter().map(|p| p.0).sum::<f64>() / n,
        gradient: pairs.iter().map(|p| p.1 / n * share).collect(),
    }
}

/// What D minimizes over D(x).
pub(super) fn on_real(loss: Loss, d: &[f64], share: f64) -> Found {
    of(d, share, |d| match loss {
        Loss::Standard => (softplus(-d), -sigmoid(-d)),
        Loss::Hinge => ((1.0 - d).max(0.0), if d < 1.0 { -1.0 } else { 0.0 }),
        Loss::Wasserstein => (-d, -1.0),
    })
}

/// What D minimizes over D(G(z)).
pub(super) fn on_fake(loss: Loss, d: &[f64], share: f64) -> Found {
    of(d, share, |d| match loss {
        Loss::Standard => (softplus(d), sigmoid(d)),
        Loss::Hinge => ((1.0 + d).max(0.0), if d > -1.0 { 1.0 } else { 0.0 }),
        Loss::Wasserstein => (d, 1.0),
    })
}

/// What G minimizes.
pub(super) fn of_generator(loss: Loss, d: &[f64], share: f64) -> Found {
    of(d, share, |d| match loss {
        Loss::Standard => (softplus(-d), -sigmoid(-d)),
        Loss::Hinge | Loss::Wasserstein => (-d, -1.0),
    })
}

/// A classifier's mean cross-entropy; the gradient times `weight`.
pub(super) fn cross_entropy(logits: &[f64], labels: &[f64], weight: f64) -> Found {
    let (n, classes) = (labels.len() as f64, logits.len() / labels.len());
    let mut found = Found { value: 0.0, gradient: Vec::with_capacity(logits.len()) };
    for (row, label) in logits.chunks(classes).zip(labels) {
        let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = row.iter().map(|x| (x - largest).exp()).sum();
        for (class, x) in row.iter().enumerate() {
            let own = f64::from(class == *label as usize);
            let p = (x - largest).exp() / sum;
            found.value -= own * (x - largest - sum.ln()) / n;
            found.gradient.push((p - own) / n * weight);
        }
    }
    found
}

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
