//! The zero-centered penalty between real and generated images, 0-GP (Thanh-Tung, Tran and Venkatesh, ICLR 2019).

use super::gradient_penalty::{Target, between, term};
use super::{Piece, Term};
use crate::Result;

/// λ·E‖∇D(x̂)‖² with x̂ = ε·x + (1 − ε)·x̃, of D's logit.
pub(super) fn of(piece: &Piece<'_>, lambda: f64) -> Result<Term> {
    term(piece, &between(piece)?, piece.labels, lambda, Target::Zero)
}
