//! The layers for networks of one's own: σ(W̄), what an evaluation changes, files, and the paper's networks' normalization beside them.

use crate::support::{F64_ROUNDING, distance, draw, values, weight_norm};
use candle_core::{DType, Device, ModuleT, Tensor, Var};
use candle_nn::{
    AdamW, Conv2dConfig, Module, Optimizer, ParamsAdamW, VarBuilder, VarMap, conv2d_no_bias,
};
use sngan_core::Fresh;
use sngan_core::model::{Discriminator, Place, TensorSource};
use sngan_core::nn::{SnConv2d, SnLinear};
use sngan_core::norm::Iterate;
use sngan_experiment::RunSpec;
use sngan_experiment::method::{Method, Normalization};
use sngan_tensor::decomposition::sigma_max;
use sngan_tensor::ops::Arm;
use sngan_tensor::rng::Streams;

/// |σ(W̄) − 1| while W still moves, by up to Adam's α an update, and u follows by one iteration each; and when W has come to rest.
const MOVING: f64 = 0.1;
const AT_REST: f64 = 1e-4;

/// A discriminator of one convolution and one dense layer, on `[N, 3, 4, 4]`.
struct Net {
    conv: SnConv2d,
    dense: SnLinear,
}

impl Net {
    fn new(vb: &VarBuilder<'_>) -> Net {
        let config = Conv2dConfig { stride: 2, padding: 1, ..Conv2dConfig::default() };
        Net {
            conv: SnConv2d::new(3, 8, 4, config, vb.pp("conv")).unwrap(),
            dense: SnLinear::new(8 * 2 * 2, 1, vb.pp("dense")).unwrap(),
        }
    }

    fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        let x = self.conv.forward_t(x, train).unwrap().relu().unwrap();
        self.dense.forward_t(&x.flatten_from(1).unwrap(), train).unwrap()
    }

    fn advance(&mut self) {
        self.conv.advance().unwrap();
        self.dense.advance().unwrap();
    }

    /// |σ(W̄) − 1| of the layer where it is largest.
    fn far(&self) -> f64 {
        let weights = [self.conv.normalized(false).unwrap(), self.dense.normalized(false).unwrap()];
        weights.iter().map(|w| (sigma_max(w).unwrap() - 1.0).abs()).fold(0.0, f64::max)
    }
}

fn builder<'a>(vars: &VarMap, seed: u64) -> VarBuilder<'a> {
    let fresh = Fresh::kept_in(vars, Streams::new(seed));
    VarBuilder::from_backend(Box::new(fresh), DType::F32, Device::Cpu)
}

/// What a `VarMap` holds, by name.
fn state(vars: &VarMap) -> Vec<(String, Vec<f64>)> {
    let data = vars.data().lock().unwrap();
    let mut state: Vec<_> = data.iter().map(|(k, v)| (k.clone(), values(v))).collect();
    state.sort_by(|a, b| a.0.cmp(&b.0));
    state
}

/// A network with its variables after `updates` of the hinge loss on made-up images.
fn trained(updates: u64) -> (VarMap, Net) {
    let vars = VarMap::new();
    let mut net = Net::new(&builder(&vars, 0));
    let adam = ParamsAdamW { lr: 1e-3, weight_decay: 0.0, ..ParamsAdamW::default() };
    let mut adam = AdamW::new(vars.all_vars(), adam).unwrap();
    for update in 0..updates {
        let images = |name: &str| {
            let draws = Streams::new(1).normal(name, update, 16 * 3 * 4 * 4);
            Tensor::from_vec(draws, (16, 3, 4, 4), &Device::Cpu).unwrap()
        };
        let real = net.forward(&(images("real") + 1.0).unwrap(), true);
        let fake = net.forward(&images("fake"), true);
        let hinge = |x: Tensor| (x + 1.0).unwrap().relu().unwrap().mean_all().unwrap();
        let loss = (hinge(real.neg().unwrap()) + hinge(fake)).unwrap();
        let gradient = loss.backward().unwrap();
        net.advance();
        adam.step(&gradient).unwrap();
    }
    (vars, net)
}

#[test]
fn sigma_tends_to_one_and_an_optimizer_leaves_u_alone() {
    let (vars, net) = trained(0);
    assert!(net.far() > MOVING, "a fresh u is not yet a singular vector: {}", net.far());
    let names: Vec<_> = state(&vars).into_iter().map(|(name, _)| name).collect();
    let part = |layer: &str| ["bias", "u", "weight"].map(|part| format!("{layer}.{part}"));
    assert_eq!(names, [part("conv"), part("dense")].concat());
    let (_, mut net) = trained(200);
    assert!(net.far() < MOVING, "{}", net.far());
    for _ in 0..200 {
        net.advance();
    }
    assert!(net.far() < AT_REST, "{}", net.far());
    let length = values(&net.conv.u()).iter().map(|x| x * x).sum::<f64>().sqrt();
    assert!((length - 1.0).abs() < 1e-6, "{length}");
}

#[test]
fn a_forward_pass_changes_nothing_and_an_iteration_moves_u_alone() {
    let (vars, mut net) = trained(3);
    let x = draw("x", &[5, 3, 4, 4], DType::F32);
    let before = state(&vars);
    for train in [false, true] {
        let first = values(&net.forward(&x, train));
        assert_eq!(values(&net.forward(&x, train)), first);
        assert_eq!(state(&vars), before);
    }
    let training = values(&net.conv.normalized(true).unwrap());
    net.advance();
    for ((name, old), (_, new)) in before.iter().zip(&state(&vars)) {
        // The dense layer has one row, whose u is ±1 for ever.
        assert_eq!(old != new, name == "conv.u", "{name}");
    }
    // The iteration that is kept is the one that training saw: then σ = ‖Wᵀu‖ has one more half step, and differs from it.
    let kept = values(&net.conv.normalized(false).unwrap());
    assert!(training.iter().zip(&kept).all(|(a, b)| (a - b).abs() < 0.1 * a.abs() + 1e-6));
}

#[test]
fn a_graph_outlives_an_iteration() {
    let weight = Var::from_tensor(&draw("w", &[4, 6], DType::F64)).unwrap();
    let u = draw("u", &[4], DType::F64);
    let tensors = [("weight".to_string(), weight.as_tensor().clone()), ("u".into(), u)];
    let vb = VarBuilder::from_tensors(tensors.into(), DType::F64, &Device::Cpu);
    let plain = candle_nn::linear_no_bias(6, 4, vb.clone()).unwrap();
    let c = draw("c", &[4, 6], DType::F64);
    let gradient = |advance: bool| {
        let mut layer = SnLinear::of(&plain, &vb).unwrap();
        let loss = (layer.normalized(true).unwrap() * &c).unwrap().sum_all().unwrap();
        if advance {
            layer.advance().unwrap();
        }
        values(loss.backward().unwrap().get(&weight).unwrap())
    };
    assert_eq!(gradient(false), gradient(true));
}

#[test]
fn a_file_gives_the_same_outputs() {
    let (vars, net) = trained(20);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    vars.save(&path).unwrap();
    let x = draw("x", &[5, 3, 4, 4], DType::F32);
    let expected = values(&net.forward(&x, false));

    // Into the variables of a network that is there.
    let mut others = VarMap::new();
    let other = Net::new(&builder(&others, 9));
    assert_ne!(values(&other.forward(&x, false)), expected);
    others.load(&path).unwrap();
    assert_eq!(values(&other.forward(&x, false)), expected);
    assert_eq!(state(&others), state(&vars));

    // From the file alone.
    let tensors = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    let given = Net::new(&VarBuilder::from_tensors(tensors.clone(), DType::F32, &Device::Cpu));
    assert_eq!(values(&given.forward(&x, false)), expected);
    assert_eq!(values(&given.forward(&x, true)), values(&net.forward(&x, true)));

    let mut without = tensors;
    without.remove("conv.u");
    let vb = VarBuilder::from_tensors(without, DType::F32, &Device::Cpu);
    let error = SnConv2d::new(3, 8, 4, Conv2dConfig::default(), vb.pp("conv")).unwrap_err();
    assert!(error.to_string().contains("conv.u"), "{error}");
}

#[test]
fn the_layers_compute_with_the_networks_normalization() {
    for dtype in [DType::F32, DType::F64] {
        let (weight, u) = (draw("w", &[6, 2, 3, 3], dtype), draw("u", &[6], dtype));
        let u = sngan_core::norm::unit(&u).unwrap();
        let tensors = [("weight".to_string(), weight.clone()), ("u".into(), u.clone())];
        let vb = VarBuilder::from_tensors(tensors.into(), dtype, &Device::Cpu);
        // Two groups: the matrix is still [d_out, rest].
        let config = Conv2dConfig { groups: 2, ..Conv2dConfig::default() };
        let plain = conv2d_no_bias(4, 6, 3, config, vb.clone()).unwrap();
        let mut layer = SnConv2d::of(&plain, &vb).unwrap();
        let mut norm = weight_norm(Normalization::Spectral, &[6, 2, 3, 3], dtype);
        let arm = Arm::of(&weight);
        for _ in 0..3 {
            let frozen = norm.normalize(arm, &weight, Iterate::Frozen).unwrap();
            assert_eq!(values(&layer.normalized(false).unwrap()), values(&frozen));
            let once = norm.normalize(arm, &weight, Iterate::Once).unwrap();
            assert_eq!(values(&layer.normalized(true).unwrap()), values(&once));
            layer.advance().unwrap();
            assert_eq!(values(&layer.u()), values(norm.u().unwrap()));
        }
        let x = draw("x", &[2, 4, 5, 5], dtype);
        let w = layer.normalized(false).unwrap();
        let expected = candle_nn::Conv2d::new(w, None, config).forward(&x).unwrap();
        let found = layer.forward_t(&x, false).unwrap();
        assert!(distance(&found, &expected) < F64_ROUNDING);
    }
}

#[test]
fn a_network_of_the_paper_from_any_builder() {
    let spec = RunSpec { gamma: true, ..crate::support::tiny(Method::Sn) };
    let place = Place::new(&Device::Cpu);
    let fresh = Discriminator::new(&spec, &TensorSource::fresh(Streams::new(3), &place)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d.safetensors");
    candle_core::safetensors::save(&fresh.state().into_iter().collect(), &path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let vb = VarBuilder::from_buffered_safetensors(bytes, DType::F32, &Device::Cpu).unwrap();
    let read = Discriminator::new(&spec, &TensorSource::of(vb)).unwrap();
    let all = |d: &Discriminator| -> Vec<_> {
        d.state().into_iter().map(|(name, t)| (name, values(&t))).collect()
    };
    assert_eq!(all(&read), all(&fresh));
    let named = "the checkpoint has no tensor `discriminator.";
    let (none, empty) =
        (Default::default(), VarBuilder::from_varmap(&VarMap::new(), DType::F32, &Device::Cpu));
    for source in [TensorSource::given(&none, &place), TensorSource::of(empty)] {
        let error = Discriminator::new(&spec, &source).unwrap_err().to_string();
        assert!(error.starts_with(named), "{error}");
    }
}
