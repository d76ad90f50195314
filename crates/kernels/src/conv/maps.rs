//! A convolution as a map from pixels to pixels, in either direction.

use crate::ConvShape;

/// Forward (x to y), or its adjoint (dy to dx).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Forward,
    Adjoint,
}

/// Height, width and channels of a feature map.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plane {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
}

/// What a map reads and writes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Maps {
    pub(super) shape: ConvShape,
    pub(super) direction: Direction,
    pub(super) from: Plane,
    pub(super) to: Plane,
}

impl Maps {
    pub(super) fn new(shape: &ConvShape, direction: Direction) -> Maps {
        let x = Plane { height: shape.in_h, width: shape.in_w, channels: shape.in_channels };
        let y = Plane { height: shape.out_h(), width: shape.out_w(), channels: shape.out_channels };
        let (from, to) = if direction == Direction::Forward { (x, y) } else { (y, x) };
        Maps { shape: *shape, direction, from, to }
    }

    /// Lists the source pixels of the target pixel (y, x), each with its tap `ky·k + kx`.
    pub(super) fn sources(&self, y: usize, x: usize, list: &mut Vec<(usize, usize)>) {
        list.clear();
        for ky in 0..self.shape.kernel {
            let Some(from_y) = self.source(y, ky, self.from.height) else { continue };
            for kx in 0..self.shape.kernel {
                if let Some(from_x) = self.source(x, kx, self.from.width) {
                    list.push((from_y * self.from.width + from_x, ky * self.shape.kernel + kx));
                }
            }
        }
    }

    /// The source line that tap `k` of target line `to` reads, if it lies within `size`.
    pub(super) fn source(&self, to: usize, k: usize, size: usize) -> Option<usize> {
        let ConvShape { stride, padding, .. } = self.shape;
        let from = match self.direction {
            Direction::Forward => (to * stride + k).checked_sub(padding)?,
            Direction::Adjoint => {
                let scaled = (to + padding).checked_sub(k)?;
                if !scaled.is_multiple_of(stride) {
                    return None;
                }
                scaled / stride
            }
        };
        (from < size).then_some(from)
    }

    /// Distances in `w` `[out, in, k, k]` between adjacent target channels, and between source
    /// channels.
    pub(super) fn weight_strides(&self) -> (usize, usize) {
        let taps = self.shape.kernel * self.shape.kernel;
        match self.direction {
            Direction::Forward => (self.shape.in_channels * taps, taps),
            Direction::Adjoint => (taps, self.shape.in_channels * taps),
        }
    }
}
