//! Named, seeded random streams.
//!
//! A draw is a pure function of (seed, stream name, index): ChaCha12 keyed by the SHA-256 of seed and name, its 64-bit stream
//! number set to the index. A stream's position is therefore just the index of its next draw, which follows from the number of
//! generator updates; a resumed run needs nothing else, and no two consumers can disturb each other.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use rand_distr::{Distribution, StandardNormal};
use sha2::{Digest, Sha256};

/// All random streams of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Streams {
    seed: u64,
}

impl Streams {
    /// The streams of `seed`.
    pub fn new(seed: u64) -> Streams {
        Streams { seed }
    }

    fn at(&self, name: &str, index: u64) -> ChaCha12Rng {
        let mut hash = Sha256::new();
        hash.update(self.seed.to_le_bytes());
        hash.update(name.as_bytes());
        let mut key = [0u8; 32];
        key.copy_from_slice(&hash.finalize());
        let mut rng = ChaCha12Rng::from_seed(key);
        rng.set_stream(index);
        rng
    }

    /// `n` draws of N(0, 1).
    pub fn normal(&self, name: &str, index: u64, n: usize) -> Vec<f32> {
        let mut rng = self.at(name, index);
        (0..n)
            .map(|_| {
                <StandardNormal as Distribution<f64>>::sample(&StandardNormal, &mut rng) as f32
            })
            .collect()
    }

    /// `n` draws of U[0, 1).
    pub fn uniform(&self, name: &str, index: u64, n: usize) -> Vec<f32> {
        let mut rng = self.at(name, index);
        (0..n).map(|_| rng.random::<f32>()).collect()
    }

    /// `n` draws of the whole numbers below `bound`, each as likely.
    pub fn below(&self, name: &str, index: u64, n: usize, bound: usize) -> Vec<u32> {
        let mut rng = self.at(name, index);
        (0..n).map(|_| below(&mut rng, bound as u64) as u32).collect()
    }

    /// A permutation of `0..n` (Fisher–Yates).
    pub fn permutation(&self, name: &str, index: u64, n: usize) -> Vec<u32> {
        let mut rng = self.at(name, index);
        let mut order: Vec<u32> = (0..n as u32).collect();
        for i in (1..n).rev() {
            order.swap(i, below(&mut rng, i as u64 + 1) as usize);
        }
        order
    }
}

/// A whole number below `bound`: the high half of a 64-bit product, unbiased to 2⁻³² for the sizes here, from one draw.
fn below(rng: &mut ChaCha12Rng, bound: u64) -> u64 {
    ((u128::from(rng.next_u64()) * u128::from(bound)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_depend_on_seed_name_and_index_alone() {
        let s = Streams::new(7);
        assert_eq!(s.normal("z", 3, 8), s.normal("z", 3, 8));
        assert_eq!(s.normal("z", 3, 8)[..4], s.normal("z", 3, 4)[..]);
        assert_ne!(s.normal("z", 3, 8), s.normal("z", 4, 8));
        assert_ne!(s.normal("z", 3, 8), s.normal("y", 3, 8));
        assert_ne!(s.normal("z", 3, 8), Streams::new(8).normal("z", 3, 8));
    }

    #[test]
    fn whole_numbers_below_a_bound_are_equally_likely() {
        let mut counts = [0.0; 7];
        Streams::new(0)
            .below("y", 0, 70_000, 7)
            .into_iter()
            .for_each(|y| counts[y as usize] += 1.0);
        // Binomial: a standard deviation of 93 around 10,000.
        assert!(counts.iter().all(|c: &f64| (c - 10_000.0).abs() < 500.0), "{counts:?}");
    }

    #[test]
    fn moments_and_permutation() {
        let s = Streams::new(0);
        let x = s.normal("z", 0, 100_000);
        let mean = x.iter().map(|v| f64::from(*v)).sum::<f64>() / 1e5;
        let var = x.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.02 && (var - 1.0).abs() < 0.02, "{mean} {var}");
        let mut p = s.permutation("data", 0, 1000);
        assert_ne!(p, s.permutation("data", 1, 1000));
        p.sort_unstable();
        assert!(p.iter().enumerate().all(|(i, v)| i as u32 == *v));
    }
}
