//! The source of our kernels, a file for each kind of operation. `block.cuh` comes before all of them.

/// Names and texts, in the order in which they are compiled as one module.
pub const SOURCES: [(&str, &str); 12] = [
    ("block.cuh", include_str!("../kernels/block.cuh")),
    ("elementwise.cu", include_str!("../kernels/elementwise.cu")),
    ("finish.cu", include_str!("../kernels/finish.cu")),
    ("batch_norm.cu", include_str!("../kernels/batch_norm.cu")),
    ("layer_norm.cu", include_str!("../kernels/layer_norm.cu")),
    ("resample.cu", include_str!("../kernels/resample.cu")),
    ("windows.cu", include_str!("../kernels/windows.cu")),
    ("labels.cu", include_str!("../kernels/labels.cu")),
    ("spectral.cu", include_str!("../kernels/spectral.cu")),
    ("rows.cu", include_str!("../kernels/rows.cu")),
    ("loss.cu", include_str!("../kernels/loss.cu")),
    ("step.cu", include_str!("../kernels/step.cu")),
];

/// The kernels as the driver takes them, made of [`SOURCES`] by kernels/make_ptx.py for compute capability 7.5 and later.
pub const PTX: &str = include_str!("../kernels/kernels.ptx");
