//! What can go wrong.

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The spec is out of range, or asks for what no program can be recorded of.
    #[error(transparent)]
    Spec(#[from] sngan_experiment::Error),
    /// A network's table has a step where its kind has no place.
    #[error("layer {layer}: {reason}")]
    Layer {
        /// The layer's name in the table.
        layer: String,
        /// What does not fit.
        reason: &'static str,
    },
    /// The gradient penalty was asked of a discriminator that is not piecewise linear.
    #[error(
        "the gradient penalty needs a piecewise linear discriminator, without batch or layer normalization"
    )]
    NotPiecewiseLinear,
    /// A method that programs do not have.
    #[error("programs, which a GPU runs, have no {what}; train it on the CPU")]
    NotInPrograms {
        /// The key and its value.
        what: String,
    },
    /// A tensor of the state is missing.
    #[error("the state has no tensor `{0}`")]
    Missing(String),
    /// A tensor has another number of elements.
    #[error("tensor `{name}` has {found} elements; the program needs {expected}")]
    Length {
        /// The tensor's name in a checkpoint, or an input's.
        name: String,
        /// Elements found.
        found: usize,
        /// Elements needed.
        expected: usize,
    },
    /// A library that a GPU needs is not there.
    #[error("{name} ({file}) was not found by the system's loader; {advice}")]
    NoLibrary {
        /// Its name.
        name: &'static str,
        /// The file.
        file: &'static str,
        /// What to install.
        advice: &'static str,
    },
    /// There is no such GPU.
    #[error("there is no GPU {ordinal}: the driver gives {count}{}", because(.reason))]
    NoGpu {
        /// Which was asked for.
        ordinal: usize,
        /// How many there are.
        count: usize,
        /// What the driver answered.
        reason: String,
    },
    /// The GPU has too little free memory.
    #[error("the GPU has {} MiB free, and {} are needed{}", .free >> 20, .needed >> 20, smaller(.fits))]
    OutOfMemory {
        /// Bytes that the program needs.
        needed: u64,
        /// Bytes that are free.
        free: u64,
        /// Images a piece of D's and of G's batch that fit, where any do.
        fits: Option<[usize; 2]>,
    },
    /// The GPU, its driver or a library refused something.
    #[error("the GPU failed to {what}: {reason}")]
    Device {
        /// What it was to do.
        what: &'static str,
        /// Its answer.
        reason: String,
    },
}

fn smaller(fits: &Option<[usize; 2]>) -> String {
    match fits {
        Some([d, g]) => format!("; dis_micro_batch={d} and gen_micro_batch={g} fit"),
        None => String::new(),
    }
}

fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(" ({reason})") }
}

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;
