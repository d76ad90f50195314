//! Which instruction set a kernel runs on.

use crate::Real;
use crate::simd::Simd;
use std::sync::OnceLock;

/// An instruction set. Bits are the same within one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Isa {
    /// AVX-512 foundation: 16 lanes of f32.
    Avx512,
    /// AVX2 and FMA: 8 lanes of f32.
    Avx2,
    /// The compiler's target: 8 lanes.
    Portable,
}

impl Isa {
    /// The sets that this machine has, widest first.
    pub fn available() -> &'static [Isa] {
        static FOUND: OnceLock<Vec<Isa>> = OnceLock::new();
        FOUND.get_or_init(|| {
            let mut found = Vec::new();
            #[cfg(target_arch = "x86_64")]
            {
                if is_x86_feature_detected!("avx512f") {
                    found.push(Isa::Avx512);
                }
                if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                    found.push(Isa::Avx2);
                }
            }
            found.push(Isa::Portable);
            found
        })
    }

    /// The widest set of this machine.
    pub fn best() -> Isa {
        Isa::available()[0]
    }

    /// The widest set of this machine whose vectors divide `channels` evenly, or else the widest.
    pub(crate) fn dividing(channels: usize) -> Isa {
        Isa::available()
            .iter()
            .copied()
            .find(|isa| channels.is_multiple_of(isa.lanes()))
            .unwrap_or(Isa::best())
    }

    /// Elements per vector.
    pub(crate) fn lanes(self) -> usize {
        match self {
            Isa::Avx512 => 16,
            Isa::Avx2 | Isa::Portable => 8,
        }
    }

    /// The name recorded in provenance.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Avx512 => "avx512f",
            Isa::Avx2 => "avx2+fma",
            Isa::Portable => std::env::consts::ARCH,
        }
    }
}

/// Work that is compiled once for every instruction set.
pub(crate) trait Kernel<T> {
    /// Does the work. Implementations are `#[inline(always)]`, so that they inherit the target
    /// features of the calling function.
    fn run<S: Simd<T = T>>(self);
}

/// Runs an f32 kernel on `isa`.
pub(crate) fn run_f32<K: Kernel<f32>>(isa: Isa, kernel: K) {
    #[cfg(target_arch = "x86_64")]
    {
        use crate::simd::{Avx2, Avx512};
        #[target_feature(enable = "avx512f")]
        fn avx512<K: Kernel<f32>>(kernel: K) {
            kernel.run::<Avx512>();
        }
        #[target_feature(enable = "avx2,fma")]
        fn avx2<K: Kernel<f32>>(kernel: K) {
            kernel.run::<Avx2>();
        }
        assert!(Isa::available().contains(&isa), "{isa:?} is not on this machine");
        match isa {
            // SAFETY: the assertion above has found the instruction set on this machine.
            Isa::Avx512 => return unsafe { avx512(kernel) },
            // SAFETY: as above.
            Isa::Avx2 => return unsafe { avx2(kernel) },
            Isa::Portable => {}
        }
    }
    let _ = isa;
    portable(kernel);
}

/// Runs a kernel without intrinsics, for f64 on every machine.
pub(crate) fn portable<T: Real, K: Kernel<T>>(kernel: K) {
    kernel.run::<crate::simd::Portable<T>>();
}
