//! The one error of this crate.

use std::path::PathBuf;

/// What can go wrong in operations, optimizers, decompositions and files of tensors.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Candle refused an operation.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
    /// A kernel refused its shapes.
    #[error(transparent)]
    Kernel(#[from] sngan_kernels::Error),
    /// A weight's shape does not go with its input's.
    #[error("{operation}: weight {weight:?} does not fit input {input:?}")]
    Weight {
        /// The operation, such as `conv2d`.
        operation: &'static str,
        /// Shape of the weight.
        weight: Vec<usize>,
        /// `[N, C, H, W]`.
        input: [usize; 4],
    },
    /// Two feature maps that an operation takes together differ in shape, type or arm.
    #[error("{operation}: feature maps {first:?} and {second:?} do not fit")]
    Maps {
        /// The operation, such as `add`.
        operation: &'static str,
        /// `[N, C, H, W]`.
        first: [usize; 4],
        /// `[N, C, H, W]`.
        second: [usize; 4],
    },
    /// An operation was given feature maps of both arms.
    #[error("feature maps of both arms were mixed")]
    MixedArms,
    /// Features of other images than the map's.
    #[error("append: features of {features} images were appended to a map of {images}")]
    Append {
        /// Rows of the features.
        features: usize,
        /// Images of the map.
        images: usize,
    },
    /// A side that cannot be halved.
    #[error("average_pool: a map of {height}x{width} pixels has no whole number of 2x2 squares")]
    OddSide {
        /// Pixels.
        height: usize,
        /// Pixels.
        width: usize,
    },
    /// γ and β that are neither `[C]` nor both `[N, C]`.
    #[error("batch norm of [{images}, {channels}, …]: γ is {gamma:?}, β {beta:?}")]
    BatchNorm {
        /// N.
        images: usize,
        /// C.
        channels: usize,
        /// Shape of γ, where there is one.
        gamma: Option<Vec<usize>>,
        /// Shape of β.
        beta: Vec<usize>,
    },
    /// A pattern was to be imposed on our kernels.
    #[error("a pattern can be imposed on Candle's arm alone")]
    PatternArm,
    /// A pattern has other activations than the passes that it was imposed on.
    #[error("the pattern is of another network")]
    OtherPattern,
    /// Adam's state lacks a moment of this shape.
    #[error("Adam's state lacks `{key}` with shape {shape:?}")]
    AdamState {
        /// The moment's name.
        key: String,
        /// The parameter's shape.
        shape: Vec<usize>,
    },
    /// A decomposition of a weight with infinite or undefined values was asked for.
    #[error("a weight is not finite")]
    NotFinite,
    /// A decomposition did not end.
    #[error("{what} did not converge: {reason}")]
    NotConverged {
        /// What was computed, such as `singular values`.
        what: &'static str,
        /// The library's reason.
        reason: String,
    },
    /// Another number of random draws than a matrix has values.
    #[error("{draws} draws for a {rows}x{columns} matrix")]
    Draws {
        /// Draws given.
        draws: usize,
        /// Rows of the matrix.
        rows: usize,
        /// Columns of the matrix.
        columns: usize,
    },
    /// A file could not be read.
    #[error("failed to {action} {path}: {source}")]
    Io {
        /// The verb, such as `read`.
        action: &'static str,
        /// The file concerned.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Tensors could not be written as safetensors.
    #[error("safetensors: {0}")]
    Encode(#[from] safetensors::SafeTensorError),
    /// Bytes are no safetensors file.
    #[error("is no safetensors file: {0}")]
    Decode(#[source] safetensors::SafeTensorError),
    /// A tensor of a safetensors file has numbers of a type that is not read.
    #[error("tensor `{name}` is {found}; {read}")]
    NumberType {
        /// The tensor.
        name: String,
        /// Its type.
        found: String,
        /// Which are read.
        read: &'static str,
    },
    /// An archive of NumPy arrays is cut, altered or not one, or lacks an array.
    #[error("{path} {reason}", path = path.display())]
    NpzFile {
        /// The file concerned.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// An array's numbers could not be put where they were to go.
    #[error("failed to unpack array `{name}`: {source}")]
    Unpacked {
        /// The array.
        name: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file of `torch.save` is cut, corrupt or not one.
    #[error("failed to read {path}, offset {offset}: {reason}")]
    TorchFile {
        /// The file concerned.
        path: PathBuf,
        /// Byte offset in the file, as near as it is known.
        offset: u64,
        /// What is there, and what should be.
        reason: String,
    },
}

/// `std::result::Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
