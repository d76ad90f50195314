//! Programs against PyTorch's and the authors' own updates, kernels against the host interpreter, and the device side on a stand-in.

#![allow(clippy::unwrap_used, reason = "a test's helpers may")]

mod inference;
mod kernels;
mod replay;
mod shim;
mod size;
#[cfg(feature = "cuda")]
mod stand_in;
mod training;
