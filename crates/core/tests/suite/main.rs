//! Integration tests of the core.

#![allow(clippy::unwrap_used, reason = "a test's helpers may")]

mod discriminator; // ∂loss/∂θ of every method against finite differences
mod f32_gradient; // our f32 gradients at full width beside PyTorch's
mod import; // snapshots of the authors and state dicts of PyTorch
mod interchange; // to PyTorch's names and back
mod layers; // single layers of D, G, weight normalizations and losses against PyTorch's
mod networks; // every architecture with every kind of label
mod nn; // layers for networks of one's own
mod normalization; // W̄, ∂/∂W and σ of every weight normalization
#[path = "../../../tensor/tests/suite/numeric.rs"]
mod numeric; // draws, distances, finite differences
mod onnx; // the generator as an ONNX model, by an evaluator of its own
mod replay; // whole updates against PyTorch's
mod second_derivative; // the trap in Candle's autograd that a penalty could fall into
mod support; // specs, draws, finite differences, named tolerances
mod training; // same bits for any number of threads and any interruption
