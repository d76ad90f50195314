//! Initial weights: what the layer table says, as hints to the source of tensors.

use super::TensorSource;
use crate::Result;
use candle_core::{DType, Var};
use sngan_experiment::arch::{Init, LayerKind, LayerSpec};
use sngan_tensor::decomposition;

/// N(0, 1), which what follows from draws is made of.
pub(super) const STANDARD_NORMAL: candle_nn::Init =
    candle_nn::Init::Randn { mean: 0.0, stdev: 1.0 };

/// The weight of a layer; a fresh one as the layer's table says, with a normal distribution's spread times `spread`.
pub(super) fn weight(layer: &LayerSpec, spread: f64, source: &TensorSource) -> Result<Var> {
    let hint = match layer.init {
        Init::Normal { std } => candle_nn::Init::Randn { mean: 0.0, stdev: std * spread },
        Init::GlorotUniform { gain } => {
            let bound = glorot_bound(layer.kind, gain);
            candle_nn::Init::Uniform { lo: -bound, up: bound }
        }
    };
    source.var(layer.kind.weight_shape(), "weight", hint)
}

/// The weight of a layer; a fresh one is a random orthonormal operator.
pub(super) fn orthonormal(layer: &LayerSpec, source: &TensorSource) -> Result<Var> {
    let shape = layer.kind.weight_shape();
    source.var_or(shape.clone(), "weight", || {
        let draws = source.get(shape.clone(), "weight", STANDARD_NORMAL)?.flatten_from(1)?;
        let (rows, columns) = draws.dims2()?;
        let draws = draws.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
        source.place().tensor(decomposition::orthonormal(rows, columns, &draws)?, shape)
    })
}

/// gain·√(6/(fan_in + fan_out)), where a convolution's fans count the taps of its kernel.
fn glorot_bound(kind: LayerKind, gain: f64) -> f64 {
    let fans = match kind {
        LayerKind::Dense { input, output } => input + output,
        LayerKind::Conv { input, output, kernel, .. }
        | LayerKind::Deconv { input, output, kernel, .. } => (input + output) * kernel * kernel,
        LayerKind::Embedding { classes, dim } => classes + dim,
    };
    gain * (6.0 / fans as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Place;
    use sngan_experiment::RunSpec;
    use sngan_experiment::arch::Architecture;
    use sngan_experiment::method::Method;
    use sngan_tensor::rng::Streams;

    /// Standard deviation of n draws: within 5 of its own standard errors, which are at most σ/√n.
    fn spread_is(w: &[f32], std: f64) {
        let n = w.len() as f64;
        let found = (w.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / n).sqrt();
        assert!((found - std).abs() < 5.0 * std / n.sqrt(), "{found} {std}");
    }

    #[test]
    fn every_layer_starts_with_its_tables_spread() {
        let source = TensorSource::fresh(Streams::new(1), &Place::new(&candle_core::Device::Cpu));
        for architecture in [Architecture::StandardCnn, Architecture::ResnetCifar10] {
            let spec = RunSpec { architecture, width_divisor: 4, ..RunSpec::paper(Method::Sn) };
            for layer in spec.layers().unwrap().discriminator_layers() {
                let w = weight(layer, 1.0, &source.at(&layer.name)).unwrap();
                let w: Vec<f32> = w.flatten_all().unwrap().to_vec1().unwrap();
                match layer.init {
                    Init::Normal { std } => spread_is(&w, std),
                    Init::GlorotUniform { gain } => {
                        // A uniform in ±b has the standard deviation b/√3.
                        let bound = glorot_bound(layer.kind, gain);
                        spread_is(&w, bound / 3f64.sqrt());
                        assert!(w.iter().all(|x| f64::from(x.abs()) <= bound * (1.0 + 1e-6)));
                    }
                }
            }
        }
        let first = LayerKind::Conv { input: 3, output: 128, kernel: 3, stride: 1, padding: 1 };
        assert!(
            (glorot_bound(first, 2f64.sqrt()) - (2.0 * 6.0 / (131.0f64 * 9.0)).sqrt()).abs()
                < 1e-12
        );
    }
}
