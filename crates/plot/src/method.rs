//! What plots and tables know of some methods; one that is not here needs nothing.

use sngan_experiment::method::Method;

/// Colors of the palette. Methods that are often drawn together are far apart, and SN has the first.
const HUES: [(Method, usize); 8] = [
    (Method::Sn, 0),
    (Method::WeightClipping, 1),
    (Method::WeightNorm, 2),
    (Method::WganGp, 3),
    (Method::LayerNorm, 5),
    (Method::Orthonormal, 6),
    (Method::GanGp, 7),
    (Method::FrobeniusNorm, 7),
];
/// The color that all others share. A chart in which two rows share one colors all by their places.
const SHARED: usize = 4;

/// Table 2's names in the standard CNN's rows.
const IN_TABLE_2: [(Method, &str); 8] = [
    (Method::WeightClipping, "weight clipping"),
    (Method::GanGp, "GAN-GP"),
    (Method::WganGp, "WGAN-GP"),
    (Method::BatchNorm, "batch norm"),
    (Method::LayerNorm, "layer norm"),
    (Method::WeightNorm, "weight norm"),
    (Method::Orthonormal, "orthonormal"),
    (Method::Sn, "SN"),
];

/// The index of a method's color in the palette.
pub(crate) fn hue(method: Method) -> usize {
    HUES.iter().find(|(m, _)| *m == method).map_or(SHARED, |(_, hue)| *hue)
}

/// Table 2's name of a method; `None` for one that it lacks.
pub(crate) fn table2_name(method: Method) -> Option<&'static str> {
    IN_TABLE_2.iter().find(|(m, _)| *m == method).map(|(_, name)| *name)
}
