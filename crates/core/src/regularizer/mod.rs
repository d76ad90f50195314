//! What changes D's loss, or D's weights after a step; one file each.

pub mod gradient_penalty;
pub mod orthonormal;
pub mod weight_clipping;
