//! Singular values of D's layers, and their two summaries.

use super::Record;
use serde::{Deserialize, Serialize};

/// A line of `spectrum.jsonl`: squared singular values of one layer of D, largest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpectrumRecord {
    /// [`FORMAT_VERSION`](super::FORMAT_VERSION).
    pub version: u32,
    /// Generator updates of the checkpoint.
    pub gen_updates: u64,
    /// Layer, such as `conv0`.
    pub layer: String,
    /// `raw` or `normalized` weights.
    pub weights: String,
    /// σ², in decreasing order, unscaled.
    pub squared: Vec<f64>,
}

/// Entropy of squared singular values as shares of their sum, nats. `None` for an empty or vanishing spectrum.
pub fn spectral_entropy(squared: &[f64]) -> Option<f64> {
    let total: f64 = squared.iter().sum();
    if total <= 0.0 || !total.is_finite() {
        return None;
    }
    Some(squared.iter().map(|s| s / total).filter(|p| *p > 0.0).map(|p| -p * p.ln()).sum())
}

/// Stable rank ‖W‖_F²/σ₁² of squared singular values in any order: the area under the curve of them
/// in Figure 3. `None` for an empty or vanishing spectrum.
pub fn stable_rank(squared: &[f64]) -> Option<f64> {
    let largest = squared.iter().copied().fold(0.0, f64::max);
    let total: f64 = squared.iter().sum();
    (largest > 0.0 && total.is_finite()).then(|| total / largest)
}

impl Record for SpectrumRecord {}
