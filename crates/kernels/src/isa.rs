//! Which instruction set a kernel runs on.

use crate::Real;
use crate::simd::Simd;
use std::sync::OnceLock;

/// The environment's name for the widest set that kernels may use: for machines of several kinds that
/// shall give the same bits, and for tests.
const LIMIT: &str = "SNGAN_ISA";

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
    /// What [`LIMIT`] may say, widest first.
    const NAMES: [(&'static str, Isa); 3] =
        [("avx512", Isa::Avx512), ("avx2", Isa::Avx2), ("portable", Isa::Portable)];

    /// The sets that this machine has and the environment (`SNGAN_ISA`) allows, widest first.
    pub fn available() -> &'static [Isa] {
        static ALLOWED: OnceLock<Vec<Isa>> = OnceLock::new();
        ALLOWED.get_or_init(|| {
            let found = Isa::of_machine();
            // What cannot be followed is refused by `check_limit`.
            match Isa::limit() {
                Some(Ok(limit)) => found.into_iter().skip_while(|isa| *isa != limit).collect(),
                Some(Err(_)) | None => found,
            }
        })
    }

    /// The sets that this machine has, widest first.
    fn of_machine() -> Vec<Isa> {
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
    }

    /// What [`LIMIT`] says, if it is set: a set of this machine, or why it is none.
    fn limit() -> Option<Result<Isa, String>> {
        let asked = std::env::var_os(LIMIT)?;
        let found = Isa::of_machine();
        let known = Isa::NAMES.into_iter().filter(|(_, isa)| found.contains(isa));
        let limit = known.clone().find(|(name, _)| asked == *name).map(|(_, isa)| isa);
        Some(limit.ok_or_else(|| {
            let names: Vec<&str> = known.map(|(name, _)| name).collect();
            format!("{LIMIT}={}: this machine has {}", asked.display(), names.join(", "))
        }))
    }

    /// Checks that what the environment allows (`SNGAN_ISA`) is there.
    ///
    /// # Errors
    /// A name of no set, or of one that this machine lacks.
    pub fn check_limit() -> Result<(), String> {
        Isa::limit().map_or(Ok(()), |limit| limit.map(drop))
    }

    /// The set whose bits come out, in words, for records: the widest, and whether the machine has a
    /// wider one. Products of whole matrices and decompositions, by other crates, then still use that.
    pub fn description() -> &'static str {
        static TEXT: OnceLock<String> = OnceLock::new();
        TEXT.get_or_init(|| {
            let (here, widest) = (Isa::best().name(), Isa::of_machine()[0].name());
            if here == widest { here.into() } else { format!("{here} of {widest}") }
        })
    }

    /// The widest set of this machine that is allowed.
    pub fn best() -> Isa {
        Isa::available()[0]
    }

    /// The widest such set whose vectors divide `channels` evenly, or else the widest.
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
