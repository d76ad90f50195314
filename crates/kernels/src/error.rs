//! The one error of this crate.

/// A convolution with invalid sizes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A size is 0.
    #[error("convolution: {0} must be at least 1")]
    Zero(&'static str),
    /// The kernel does not fit into the padded image.
    #[error(
        "convolution: a kernel of {kernel} does not fit an image of {height}x{width} with padding {padding}"
    )]
    KernelTooLarge {
        /// Kernel side.
        kernel: usize,
        /// Image height.
        height: usize,
        /// Image width.
        width: usize,
        /// Padding at each border.
        padding: usize,
    },
    /// A filter with invalid sizes, or whose weights or bias do not fit them.
    #[error(
        "filter: {shape} needs positive sizes, out_channels in sixteens, weights [out, in, height, width] and bias [out]; got {weights} and {bias} numbers"
    )]
    Filter {
        /// The sizes.
        shape: String,
        /// Numbers given as weights.
        weights: usize,
        /// Numbers given as bias.
        bias: usize,
    },
}
