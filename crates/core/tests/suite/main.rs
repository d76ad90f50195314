//! Integration tests of the core.

#![allow(clippy::unwrap_used, reason = "a test's helpers may")]

mod arms; // each operation's two arms against each other
mod discriminator; // ∂loss/∂θ of every method against finite differences
mod f32_gradient; // our f32 gradients at full width beside PyTorch's
mod finite_differences; // operations with a backward of their own; the traps in Candle's autograd
mod interchange; // to PyTorch's names and back
mod layers; // single layers, normalizations, losses and Adam against PyTorch's
mod networks; // every architecture with every kind of label
mod normalization; // W̄, ∂/∂W and σ of every weight normalization
mod replay; // whole updates against PyTorch's
mod support; // specs, draws, finite differences, named tolerances
mod training; // same bits for any number of threads and any interruption
