//! Chooses the algorithm of a convolution by its shape alone, so that bits depend on nothing else.

use super::stacked;
use super::winograd::Blocks;
use super::winograd_weight::Cut;
use crate::{ConvShape, Isa};

/// One of the three maps of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// x to y.
    Forward,
    /// dy to dx.
    GradInput,
    /// x and dy to dw.
    GradWeight,
}

/// How a convolution is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Pixel by pixel; any shape.
    Direct,
    /// All taps in one product per pixel: for few target channels, or, in the weight gradient, few channels on either side.
    Stacked,
    /// Winograd's F(2, 3) for kernel 3 and stride 1, or two phases of F(2, 2) for kernel 4 and stride 2.
    Winograd,
}

/// Algorithm and instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The instruction set; f64 always runs on the portable one.
    pub isa: Isa,
}

/// The kernel that a choice means for a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Direct,
    Stacked,
    /// Kernel 3, stride 1, padding 1.
    Unit,
    /// Kernel 4, stride 2, padding 1.
    Resampling,
}

/// The Winograd tiling that fits: only whole tiles of target pixels.
fn tiling(s: &ConvShape) -> Option<Kind> {
    let even = |n: usize| n.is_multiple_of(2);
    match (s.kernel, s.stride, s.padding) {
        (3, 1, 1) if even(s.in_h) && even(s.in_w) => Some(Kind::Unit),
        (4, 2, 1) if s.in_h.is_multiple_of(4) && s.in_w.is_multiple_of(4) => Some(Kind::Resampling),
        _ => None,
    }
}

impl Choice {
    /// The choice for a pass over a shape.
    pub fn of(s: &ConvShape, pass: Pass) -> Choice {
        // The widest vectors that divide both sides' channels; 3-channel sides are padded to
        // vectors of the other side's width.
        let winograd = Choice {
            algorithm: Algorithm::Winograd,
            isa: Isa::dividing(gcd(s.in_channels, s.out_channels)),
        };
        let stacked = Choice { algorithm: Algorithm::Stacked, isa: Isa::best() };
        let direct = Choice {
            algorithm: Algorithm::Direct,
            isa: Isa::dividing(s.in_channels.max(s.out_channels)),
        };
        // Winograd wins wherever it fits, on every layer of the paper's networks and in every pass (`cargo bench --bench layers`).
        [winograd, stacked].into_iter().find(|c| c.fits(s, pass)).unwrap_or(direct)
    }

    /// Whether the choice can compute a pass over the shape on this machine.
    pub fn fits(&self, s: &ConvShape, pass: Pass) -> bool {
        let lanes = self.isa.lanes();
        Isa::available().contains(&self.isa)
            && match (self.algorithm, pass) {
                (Algorithm::Direct, _) => true,
                (Algorithm::Stacked, Pass::Forward) => stacked::fits(s.out_channels, lanes),
                (Algorithm::Stacked, Pass::GradInput) => stacked::fits(s.in_channels, lanes),
                (Algorithm::Stacked, Pass::GradWeight) => {
                    stacked::fits(s.in_channels.min(s.out_channels), lanes)
                }
                (Algorithm::Winograd, _) => {
                    tiling(s).is_some()
                        && Blocks::of(s.in_channels, s.out_channels, lanes).is_some()
                }
            }
    }

    pub(super) fn kind(&self, s: &ConvShape, pass: Pass) -> Kind {
        assert!(self.fits(s, pass), "{self:?} cannot compute the {pass:?} pass of {s:?}");
        match self.algorithm {
            Algorithm::Direct => Kind::Direct,
            Algorithm::Stacked => Kind::Stacked,
            Algorithm::Winograd => tiling(s).unwrap_or(Kind::Direct),
        }
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// How the weight gradient's sum is divided.
pub(super) fn cut(s: &ConvShape) -> Cut {
    // With few channels there are several private sums. With many, these would not fit the caches,
    // so panels are distributed instead.
    let panels = s.out_channels.div_ceil(64);
    if s.in_channels <= 128 {
        Cut { parts: 4, panels, tiles: 1 }
    } else {
        Cut { parts: 1, panels: panels.div_ceil(4), tiles: 2 }
    }
}
