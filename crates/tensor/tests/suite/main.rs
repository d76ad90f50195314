//! Integration tests of the tensor floor.

#![allow(clippy::unwrap_used, reason = "a test's helpers may")]

mod adam; // five steps in both arms against PyTorch's and Chainer's
mod arms; // each operation's two arms against each other
mod finite_differences; // each operation with a backward pass of its own
mod numeric; // draws, distances, finite differences
mod operations; // single operations against PyTorch's
mod support; // what the operations are tested on
