//! What plots and tables know of each method.

use sngan_experiment::method::Method;

/// The index of its color in the palette. Methods that are often drawn together are far apart, and SN
/// has the first.
pub(crate) fn hue(method: Method) -> usize {
    match method {
        Method::Sn => 0,
        Method::WeightClipping => 1,
        Method::WeightNorm => 2,
        Method::WganGp => 3,
        Method::BatchNorm | Method::Vanilla | Method::Custom => 4,
        Method::LayerNorm => 5,
        Method::Orthonormal => 6,
        Method::GanGp | Method::FrobeniusNorm => 7,
    }
}

/// Table 2's name of it in the standard CNN's rows.
pub(crate) fn table2_name(method: Method) -> Option<&'static str> {
    Some(match method {
        Method::WeightClipping => "weight clipping",
        Method::GanGp => "GAN-GP",
        Method::WganGp => "WGAN-GP",
        Method::BatchNorm => "batch norm",
        Method::LayerNorm => "layer norm",
        Method::WeightNorm => "weight norm",
        Method::Orthonormal => "orthonormal",
        Method::Sn => "SN",
        Method::FrobeniusNorm | Method::Vanilla | Method::Custom => return None,
    })
}
