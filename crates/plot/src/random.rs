//! A small seeded generator for simulated spectra and coverages: everything drawn is a function of a name.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// A named stream of random numbers.
pub(crate) struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream of `name`, at its start.
    pub(crate) fn new(name: &str) -> Stream {
        let mut key = [0u8; 32];
        key.copy_from_slice(&Sha256::digest(name.as_bytes()));
        Stream(ChaCha8Rng::from_seed(key))
    }

    /// A draw of U(0, 1].
    pub(crate) fn uniform(&mut self) -> f64 {
        ((self.0.next_u64() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_have_their_moments_and_names_their_streams() {
        let mut stream = Stream::new("test");
        let uniform: Vec<f64> = (0..20_000).map(|_| stream.uniform()).collect();
        let mean = uniform.iter().sum::<f64>() / 20_000.0;
        let variance = uniform.iter().map(|x| (x - 0.5).powi(2)).sum::<f64>() / 20_000.0;
        assert!(
            (mean - 0.5).abs() < 0.01 && (variance - 1.0 / 12.0).abs() < 0.003,
            "{mean} {variance}"
        );
        assert_ne!(Stream::new("a").uniform(), Stream::new("b").uniform());
    }
}
