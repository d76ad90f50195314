//! Initial parameters: what the layer table says, from the stream of the layer's name.

use super::Place;
use crate::Result;
use candle_core::{Tensor, Var};
use sngan_experiment::arch::{Init, LayerKind, LayerSpec};
use sngan_tensor::rng::Streams;

/// A weight from the stream `init.<name>`: as the layer's table says, with a normal distribution's spread times `spread`, or a random
/// orthonormal operator.
pub(super) fn weight(
    layer: &LayerSpec,
    name: &str,
    orthonormal: bool,
    spread: f64,
    streams: &Streams,
    place: &Place,
) -> Result<Var> {
    let shape = layer.kind.weight_shape();
    let rows = shape[0];
    let columns = shape[1..].iter().product::<usize>();
    let stream = format!("init.{name}");
    let values = if orthonormal {
        sngan_tensor::decomposition::orthonormal(
            rows,
            columns,
            &streams.normal(&stream, 0, rows * columns),
        )?
    } else {
        match layer.init {
            Init::Normal { std } => streams
                .normal(&stream, 0, rows * columns)
                .into_iter()
                .map(|w| w * (std * spread) as f32)
                .collect(),
            Init::GlorotUniform { gain } => {
                let bound = glorot_bound(layer.kind, gain);
                streams
                    .uniform(&stream, 0, rows * columns)
                    .into_iter()
                    .map(|u| ((2.0 * f64::from(u) - 1.0) * bound) as f32)
                    .collect()
            }
        }
    };
    Ok(Var::from_tensor(&place.tensor(values, shape)?)?)
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

/// `n` values, all `value`.
pub(super) fn constant(value: f32, n: usize, place: &Place) -> Result<Tensor> {
    place.tensor(vec![value; n], n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sngan_experiment::RunSpec;
    use sngan_experiment::arch::Architecture;
    use sngan_experiment::method::Method;

    /// Standard deviation of n draws: within 5 of its own standard errors, which are at most σ/√n.
    fn spread_is(w: &[f32], std: f64) {
        let n = w.len() as f64;
        let found = (w.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / n).sqrt();
        assert!((found - std).abs() < 5.0 * std / n.sqrt(), "{found} {std}");
    }

    #[test]
    fn every_layer_starts_with_its_tables_spread() {
        let place = Place::new(&candle_core::Device::Cpu);
        for architecture in [Architecture::StandardCnn, Architecture::ResnetCifar10] {
            let spec = RunSpec { architecture, width_divisor: 4, ..RunSpec::paper(Method::Sn) };
            for layer in spec.layers().unwrap().discriminator_layers() {
                let w = weight(layer, &layer.name, false, 1.0, &Streams::new(1), &place).unwrap();
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
