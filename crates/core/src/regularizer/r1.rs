//! R1 and R2 (Mescheder, Geiger and Nowozin, ICML 2018, Eq. 8 and 9): the squared length of D's gradient at real and at generated images.

use super::gradient_penalty::{Target, term};
use super::{Piece, Term};
use crate::Result;
use crate::model::Labels;
use candle_core::Tensor;

/// R1: (γ/2)·E‖∇D(x)‖², of D's logit.
pub(super) fn of_real(piece: &Piece<'_>, gamma: f64) -> Result<Term> {
    term(piece, piece.real, piece.labels, gamma / 2.0, Target::Zero)
}

/// R1 + R2: (γ/2)·(E‖∇D(x)‖² + E‖∇D(G(z))‖²), which is γ times the mean over both batches: one pass serves both.
pub(super) fn of_both(piece: &Piece<'_>, gamma: f64) -> Result<Term> {
    let images = Tensor::cat(&[piece.real, piece.fake], 0)?;
    let labels: Option<Labels> = match (piece.labels, piece.fake_labels) {
        (Some(real), Some(fake)) => Some(real.join(fake)?),
        (Some(_) | None, _) => None,
    };
    term(piece, &images, labels.as_ref(), gamma, Target::Zero)
}
