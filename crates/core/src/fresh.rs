//! Initial tensors from named random streams, as a backend of candle-nn's `VarBuilder`: for the paper's networks, and for anybody's layers.

use candle_core::{DType, Device, Error, Result, Shape, Tensor, Var};
use candle_nn::init::NormalOrUniform;
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarMap};
use sngan_tensor::rng::Streams;
use std::sync::PoisonError;

/// Draws each tensor that a network asks for from a stream of the tensor's name, so that no tensor depends on which others there are or in
/// which order they are asked for. (Candle's own CPU generator cannot be seeded.)
///
/// | tensor | stream |
/// |---|---|
/// | `<layer>.weight` | `init.<layer>` |
/// | `<layer>.u`, SN's start | `u.<layer>`, without the network's name where that is `discriminator` |
/// | any other that is not constant | `init.<name>` |
///
/// How it is drawn says the hint, [`candle_nn::Init`]: N(mean, stdev²), U[lo, up), Kaiming's of either, or a constant. Draws are f32.
pub struct Fresh {
    streams: Streams,
    kept: Option<VarMap>,
}

impl Fresh {
    /// Draws that nobody else keeps.
    pub fn new(streams: Streams) -> Fresh {
        Fresh { streams, kept: None }
    }

    /// Puts each drawn tensor into `vars` as a variable, for an optimizer and for a file; what is there is given as it is.
    pub fn kept_in(vars: &VarMap, streams: Streams) -> Fresh {
        Fresh { streams, kept: Some(vars.clone()) }
    }

    fn known(&self, name: &str) -> Option<Tensor> {
        let vars = self.kept.as_ref()?.data().lock().unwrap_or_else(PoisonError::into_inner);
        Some(vars.get(name)?.as_tensor().clone())
    }

    fn draw(&self, shape: &Shape, name: &str, init: Init) -> Vec<f32> {
        let (stream, n) = (stream(name), shape.elem_count());
        let normal = |mean: f64, stdev: f64| {
            let (mean, stdev) = (mean as f32, stdev as f32);
            self.streams.normal(&stream, 0, n).into_iter().map(|x| x * stdev + mean).collect()
        };
        let uniform = |lo: f64, up: f64| {
            let (middle, half) = ((lo + up) / 2.0, (up - lo) / 2.0);
            let draws = self.streams.uniform(&stream, 0, n).into_iter();
            draws.map(|x| ((2.0 * f64::from(x) - 1.0) * half + middle) as f32).collect()
        };
        match init {
            Init::Const(value) => vec![value as f32; n],
            Init::Randn { mean, stdev } => normal(mean, stdev),
            Init::Uniform { lo, up } => uniform(lo, up),
            Init::Kaiming { dist, fan, non_linearity } => {
                let stdev = non_linearity.gain() / (fan.for_shape(shape) as f64).sqrt();
                let bound = 3f64.sqrt() * stdev;
                match dist {
                    NormalOrUniform::Normal => normal(0.0, stdev),
                    NormalOrUniform::Uniform => uniform(-bound, bound),
                }
            }
        }
    }
}

/// The stream of a tensor's name.
fn stream(name: &str) -> String {
    if let Some(layer) = name.strip_suffix(".u") {
        return format!("u.{}", layer.strip_prefix("discriminator.").unwrap_or(layer));
    }
    format!("init.{}", name.strip_suffix(".weight").unwrap_or(name))
}

impl SimpleBackend for Fresh {
    fn get(&self, s: Shape, name: &str, h: Init, dtype: DType, dev: &Device) -> Result<Tensor> {
        if let Some(known) = self.known(name) {
            if known.shape() != &s {
                let (found, dims) = (known.dims(), s.dims());
                candle_core::bail!("`{name}` is {found:?}; the network needs {dims:?}");
            }
            return Ok(known);
        }
        let values = self.draw(&s, name, h);
        let drawn = Tensor::from_vec(values, s, dev)?.to_dtype(dtype)?;
        let Some(kept) = &self.kept else { return Ok(drawn) };
        let var = Var::from_tensor(&drawn)?;
        let tensor = var.as_tensor().clone();
        kept.data().lock().unwrap_or_else(PoisonError::into_inner).insert(name.into(), var);
        Ok(tensor)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> Result<Tensor> {
        self.known(name)
            .ok_or_else(|| Error::msg(format!("`{name}` cannot be drawn without its shape")))
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.known(name).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_nn::VarBuilder;

    #[test]
    fn every_tensor_has_a_stream_of_its_own() {
        for (name, expected) in [
            ("generator.deconv1.weight", "init.generator.deconv1"),
            ("discriminator.block1.conv1.u", "u.block1.conv1"),
            ("conv1.u", "u.conv1"),
            ("conv1.bias", "init.conv1.bias"),
        ] {
            assert_eq!(stream(name), expected);
        }
    }

    #[test]
    fn a_tensor_depends_on_its_name_alone_and_is_kept_once() {
        let of = |vars: &VarMap, names: &[&str]| {
            let fresh = Fresh::kept_in(vars, Streams::new(3));
            let vb = VarBuilder::from_backend(Box::new(fresh), DType::F32, Device::Cpu);
            let init = Init::Uniform { lo: 1.0, up: 3.0 };
            let get = |name: &&str| vb.get_with_hints(50, name, init).unwrap().to_vec1().unwrap();
            names.iter().map(get).collect::<Vec<Vec<f32>>>()
        };
        let vars = VarMap::new();
        let first = of(&vars, &["a", "b"]);
        assert_ne!(first[0], first[1]);
        assert!(first[0].iter().all(|x| (1.0..3.0).contains(x)));
        assert_eq!(of(&VarMap::new(), &["b", "a"]), [first[1].clone(), first[0].clone()]);
        assert_eq!(vars.all_vars().len(), 2);
        let a = vars.data().lock().unwrap()["a"].clone();
        a.set(&a.zeros_like().unwrap()).unwrap();
        assert_eq!(of(&vars, &["a"]), [vec![0.0; 50]]);
    }
}
