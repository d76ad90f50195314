//! Every kernel against a plain reference, as an adjoint, and for the same bits on any number of threads.

#![allow(clippy::unwrap_used, reason = "a test's helpers may")]

mod convolution; // forward and both gradients
mod filter; // filters and pools for inference
#[cfg(unix)]
mod guard; // no kernel touches what lies beside its buffers
mod maps; // pooling, appended features, conditional batch normalization
mod matmul; // the three products
mod optimizer; // Adam
mod rows; // activations, normalizations, sums and products with vectors
mod support; // draws, comparisons, named tolerances
