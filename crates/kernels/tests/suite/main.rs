//! Every kernel against a plain reference, as an adjoint, and for the same bits on any number of threads.

mod convolution; // forward and both gradients
mod elementwise; // bias and activation, batch normalization
mod matmul; // the three products
mod optimizer; // Adam
mod support; // draws, comparisons, named tolerances
