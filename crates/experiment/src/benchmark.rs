//! What `sngan bench figure10` writes: the wall-clock time of single updates.

use crate::method::Method;
use crate::records::Record;
use serde::{Deserialize, Serialize};

/// `figure10.json`: how long an update takes, by method and image side. Figure 10 is drawn from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UpdateTimings {
    /// [`FORMAT_VERSION`](crate::records::FORMAT_VERSION).
    pub version: u32,
    /// `sngan`'s version.
    pub sngan: String,
    /// CPU model.
    pub cpu: String,
    /// Instruction set the kernels chose.
    pub instruction_set: String,
    /// Threads.
    pub threads: usize,
    /// Images per update: of D (real, and as many generated) and of G.
    pub batch: usize,
    /// Every width of the networks is divided by this.
    pub width_divisor: usize,
    /// Updates of D per update of G.
    pub n_dis: u32,
    /// One entry per method and side.
    pub entries: Vec<UpdateTiming>,
}

/// The measurements of one method at one side. Methods take turns, so that other load on the
/// machine affects all of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UpdateTiming {
    /// The method.
    pub method: Method,
    /// Image side, pixels: 32 for CIFAR-10, 48 for STL-10.
    pub side: usize,
    /// Seconds of one update of D, the median of each round.
    pub discriminator: Vec<f64>,
    /// Seconds of one update of G, the median of each round.
    pub generator: Vec<f64>,
}

impl Record for UpdateTimings {}

impl UpdateTimings {
    /// Seconds of 100 updates of G, each with its `n_dis` updates of D: one value per round. Empty
    /// if not measured.
    pub fn seconds_per_100(&self, method: Method, side: usize) -> Vec<f64> {
        let Some(entry) = self.entries.iter().find(|e| e.method == method && e.side == side) else {
            return Vec::new();
        };
        let n_dis = f64::from(self.n_dis);
        entry
            .discriminator
            .iter()
            .zip(&entry.generator)
            .map(|(d, g)| 100.0 * (n_dis * d + g))
            .collect()
    }

    /// Image sides that were measured, in increasing order.
    pub fn sides(&self) -> Vec<usize> {
        let mut sides: Vec<usize> = self.entries.iter().map(|e| e.side).collect();
        sides.sort_unstable();
        sides.dedup();
        sides
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_updates_of_g_have_five_hundred_of_d() {
        let entry = UpdateTiming {
            method: Method::Sn,
            side: 32,
            discriminator: vec![0.1, 0.2],
            generator: vec![0.01, 0.02],
        };
        let timings = UpdateTimings {
            version: 1,
            sngan: String::new(),
            cpu: String::new(),
            instruction_set: String::new(),
            threads: 1,
            batch: 64,
            width_divisor: 1,
            n_dis: 5,
            entries: vec![entry],
        };
        let seconds = timings.seconds_per_100(Method::Sn, 32);
        assert!(
            (seconds[0] - 51.0).abs() < 1e-9 && (seconds[1] - 102.0).abs() < 1e-9,
            "{seconds:?}"
        );
        assert!(timings.seconds_per_100(Method::Vanilla, 32).is_empty());
        assert_eq!(timings.sides(), [32]);
    }
}
