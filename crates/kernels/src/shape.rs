//! The sizes of a convolution.

use crate::Error;

/// A convolution of `[in_h, in_w, batch, in_channels]` with `[out_channels, in_channels, kernel, kernel]`.
///
/// A transposed convolution is described by the convolution whose adjoint it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    /// Images.
    pub batch: usize,
    /// Channels of x.
    pub in_channels: usize,
    /// Channels of y.
    pub out_channels: usize,
    /// Height of x.
    pub in_h: usize,
    /// Width of x.
    pub in_w: usize,
    /// Kernel side.
    pub kernel: usize,
    /// Stride in both directions.
    pub stride: usize,
    /// Zeros added at each border.
    pub padding: usize,
}

impl ConvShape {
    /// The shape itself, if every size is positive and the kernel fits.
    ///
    /// # Errors
    /// [`Error::Zero`] or [`Error::KernelTooLarge`].
    pub fn checked(self) -> Result<ConvShape, Error> {
        let ConvShape { in_h, in_w, kernel, padding, .. } = self;
        let sizes = [
            ("batch", self.batch),
            ("in_channels", self.in_channels),
            ("out_channels", self.out_channels),
            ("height", in_h),
            ("width", in_w),
            ("kernel", kernel),
            ("stride", self.stride),
        ];
        if let Some((name, _)) = sizes.into_iter().find(|(_, n)| *n == 0) {
            return Err(Error::Zero(name));
        }
        if kernel > in_h.min(in_w) + 2 * padding {
            return Err(Error::KernelTooLarge { kernel, height: in_h, width: in_w, padding });
        }
        Ok(self)
    }

    /// Height of y.
    pub fn out_h(&self) -> usize {
        (self.in_h + 2 * self.padding - self.kernel) / self.stride + 1
    }

    /// Width of y.
    pub fn out_w(&self) -> usize {
        (self.in_w + 2 * self.padding - self.kernel) / self.stride + 1
    }

    /// Elements of one image of x.
    pub(crate) fn in_size(&self) -> usize {
        self.in_channels * self.in_h * self.in_w
    }

    /// Pixels of one channel of y.
    pub(crate) fn out_pixels(&self) -> usize {
        self.out_h() * self.out_w()
    }

    /// Elements of one image of y.
    pub(crate) fn out_size(&self) -> usize {
        self.out_channels * self.out_pixels()
    }

    /// Products summed per output value: in_channels · kernel².
    pub(crate) fn taps(&self) -> usize {
        self.in_channels * self.kernel * self.kernel
    }

    /// Elements of w.
    pub(crate) fn weights(&self) -> usize {
        self.out_channels * self.taps()
    }
}
