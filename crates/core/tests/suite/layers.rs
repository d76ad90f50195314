//! A generator, and one layer of D, weight normalization or loss at a time, against PyTorch's: tests/fixtures/layers.safetensors, by
//! layers.py.

use crate::support::{F32_ROUNDING, F64_ROUNDING, committed, distance, tiny, values, weight_norm};
use candle_core::{DType, Device, Tensor, Var};
use sngan_core::loss::{self, LossGrad};
use sngan_core::model::{Discriminator, Generator, Mode, Parameters, Place, TensorSource};
use sngan_core::norm::{Iterate, SpectralNorm, WeightNorm, unit};
use sngan_experiment::RunSpec;
use sngan_experiment::method::{Loss, Method, Normalization};
use sngan_tensor::decomposition::sigma_max;
use sngan_tensor::ops::Arm;
use sngan_tensor::rng::Streams;
use std::collections::BTreeMap;

/// What can compute a layer: each arm in both types, with what its rounding may do.
fn places() -> [(Place, f64); 4] {
    let place = |arm, dtype| Place { device: Device::Cpu, dtype, arm };
    [
        (place(Arm::Candle, DType::F64), F64_ROUNDING),
        (place(Arm::Ours, DType::F64), F64_ROUNDING),
        (place(Arm::Candle, DType::F32), F32_ROUNDING),
        (place(Arm::Ours, DType::F32), F32_ROUNDING),
    ]
}

/// Below this, an f64 gradient of the fixtures (of size 0.01 to 10) is a zero that was rounded.
const ZERO: f64 = 1e-12;

type LossFunction = fn(Loss, &[f64]) -> LossGrad;

type Fixture = BTreeMap<String, Tensor>;

fn fixture() -> Fixture {
    committed("layers.safetensors")
}

fn var(all: &Fixture, key: &str, dtype: DType) -> Var {
    Var::from_tensor(&all[key].to_dtype(dtype).unwrap()).unwrap()
}

fn close(what: &str, place: &Place, found: &Tensor, expected: &Tensor, tolerance: f64) {
    let d = distance(found, expected);
    assert!(d < tolerance, "{what} {:?} {:?}: {d}", place.arm, place.dtype);
}

/// `y = f(inputs)` and the gradient of Σ c·y in each input, at every place.
fn check(name: &str, inputs: &[&str], f: impl Fn(&Place, &[Tensor]) -> Tensor) {
    let all = fixture();
    for (place, tolerance) in places() {
        let vars: Vec<Var> =
            inputs.iter().map(|i| var(&all, &format!("{name}.{i}"), place.dtype)).collect();
        let tensors: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
        let y = f(&place, &tensors);
        close(&format!("{name}.y"), &place, &y, &all[&format!("{name}.y")], tolerance);
        let c = all[&format!("{name}.c")].to_dtype(place.dtype).unwrap();
        let grads = (y * c).unwrap().sum_all().unwrap().backward().unwrap();
        for (input, var) in inputs.iter().zip(&vars) {
            let key = format!("{name}.d{input}");
            close(&key, &place, grads.get(var).unwrap(), &all[&key], tolerance);
        }
    }
}

#[test]
fn generator_in_training_and_evaluation_with_its_running_averages() {
    let all = fixture();
    let spec = RunSpec { width_divisor: 64, ..tiny(Method::Sn) };
    for (place, tolerance) in places() {
        let g = Generator::new(&spec, &TensorSource::fresh(Streams::new(0), &place)).unwrap();
        let mut state = g.state();
        state.extend(
            all.iter()
                .filter(|(k, _)| state.contains_key(*k))
                .map(|(k, t)| (k.clone(), t.clone()))
                .collect::<Vec<_>>(),
        );
        let mut g = Generator::new(&spec, &TensorSource::given(&state, &place)).unwrap();
        for (step, mode) in [Mode::Train, Mode::Train, Mode::Eval].into_iter().enumerate() {
            let input = |kind: &str| {
                all[&format!("generator.{kind}.{step}")].to_dtype(place.dtype).unwrap()
            };
            let y = g.forward(&input("z"), None, Parameters::Tracked, mode).unwrap();
            close(
                &format!("generator.y.{step}"),
                &place,
                &y,
                &all[&format!("generator.y.{step}")],
                tolerance,
            );
            let grads = (y * input("c")).unwrap().sum_all().unwrap().backward().unwrap();
            for (name, var) in g.vars() {
                let (found, expected) =
                    (grads.get(&var).unwrap(), &all[&format!("generator.d.{step}.{name}")]);
                if values(expected).iter().all(|x| x.abs() < ZERO) {
                    // Batch normalization takes the bias before it away again: the gradient is 0, and what is left of it rounding.
                    assert!(
                        values(found).iter().all(|x| x.abs() < tolerance),
                        "step {step}, gradient of {name}"
                    );
                } else {
                    close(
                        &format!("step {step}, gradient of {name}"),
                        &place,
                        found,
                        expected,
                        tolerance,
                    );
                }
            }
            let after = g.state();
            for (key, expected) in
                all.iter().filter(|(k, _)| k.starts_with(&format!("generator.after.{step}.")))
            {
                let name = &key[format!("generator.after.{step}.").len()..];
                close(key, &place, &after[name], expected, tolerance);
            }
        }
    }
}

#[test]
fn weights_normalized_by_rows_and_by_frobenius() {
    for (name, kind) in
        [("weight-norm", Normalization::Weight), ("frobenius-norm", Normalization::Frobenius)]
    {
        let of = || weight_norm(kind, &[4, 3, 3, 3], DType::F64);
        check(name, &["w"], |p, t| of().normalize(p.arm, &t[0], Iterate::Frozen).unwrap());
        let all = fixture();
        let w = all[&format!("{name}.w")].to_dtype(DType::F64).unwrap();
        let gamma = of().initial_gamma(&w).unwrap();
        assert!(distance(&gamma, &all[&format!("{name}.initial_gamma")]) < F64_ROUNDING, "{name}");
    }
}

#[test]
fn spectral_norm_over_three_forwards() {
    let all = fixture();
    for (place, tolerance) in places() {
        let u = all["spectral-norm.u"].to_dtype(place.dtype).unwrap();
        let mut norm = WeightNorm::Spectral(SpectralNorm::new(&unit(&u).unwrap()));
        for k in 0..3 {
            let at = |kind: &str| &all[&format!("spectral-norm.{kind}.{k}")];
            let w = var(&all, &format!("spectral-norm.w.{k}"), place.dtype);
            let y = norm.normalize(place.arm, w.as_tensor(), Iterate::Once).unwrap();
            close(&format!("W̄, forward {k}"), &place, &y, at("y"), tolerance);
            close(&format!("u, forward {k}"), &place, norm.u().unwrap(), at("after"), tolerance);
            let grads = (y * at("c").to_dtype(place.dtype).unwrap())
                .unwrap()
                .sum_all()
                .unwrap()
                .backward()
                .unwrap();
            close(
                &format!("∂/∂W, forward {k}"),
                &place,
                grads.get(&w).unwrap(),
                at("dw"),
                tolerance,
            );
            let sigma = sigma_max(w.as_tensor()).unwrap();
            assert!((sigma - values(at("sigma"))[0]).abs() < tolerance * sigma, "{sigma}");
            let gamma = values(&norm.initial_gamma(w.as_tensor()).unwrap());
            assert!((gamma[0] - sigma).abs() < tolerance * sigma, "γ starts at σ");
        }
    }
}

/// A discriminator whose first layer has four channels.
fn narrow(normalization: Normalization, gamma: bool, place: &Place) -> Discriminator {
    let spec = RunSpec { width_divisor: 16, normalization, gamma, ..tiny(Method::Vanilla) };
    Discriminator::new(&spec, &TensorSource::fresh(Streams::new(0), place)).unwrap()
}

#[test]
fn a_layer_of_the_discriminator_with_every_weight_normalization_and_multiplier() {
    let all = fixture();
    let kinds = [
        ("none", Normalization::None),
        ("weight", Normalization::Weight),
        ("frobenius", Normalization::Frobenius),
        ("spectral", Normalization::Spectral),
    ];
    for (kind, normalization) in kinds {
        for gamma in [false, true].into_iter().filter(|g| !g || kind != "none") {
            let name = format!("layer-{kind}{}", if gamma { "-gamma" } else { "" });
            for (place, tolerance) in places() {
                let at = |part: &str| &all[&format!("{name}.{part}")];
                let mut d = narrow(normalization, gamma, &place);
                // The first layer's, which are the first.
                let inputs = if gamma { &["w", "b", "gamma"][..] } else { &["w", "b"] };
                let vars = d.vars();
                for ((_, var), input) in vars.iter().zip(inputs) {
                    var.set(&at(input).to_dtype(place.dtype).unwrap()).unwrap();
                }
                if let Some(u) = all.get(&format!("{name}.u")) {
                    // The network's u has length 1; an iteration starts from its direction alone.
                    let u = u.to_dtype(place.dtype).unwrap();
                    d.layers[0].norm = WeightNorm::Spectral(SpectralNorm::new(&u));
                }
                let weights = d.weights(Parameters::Tracked, Iterate::Once).unwrap();
                let x = var(&all, &format!("{name}.x"), place.dtype);
                let y = d.features(&weights, x.as_tensor(), None).unwrap()[0].to_tensor().unwrap();
                close(&name, &place, &y, at("y"), tolerance);
                let grads = (y * at("c").to_dtype(place.dtype).unwrap())
                    .unwrap()
                    .sum_all()
                    .unwrap()
                    .backward()
                    .unwrap();
                close(&format!("{name} dx"), &place, grads.get(&x).unwrap(), at("dx"), tolerance);
                for ((_, var), input) in vars.iter().zip(inputs) {
                    close(
                        &format!("{name} d{input}"),
                        &place,
                        grads.get(var).unwrap(),
                        at(&format!("d{input}")),
                        tolerance,
                    );
                }
            }
        }
    }
}

#[test]
fn losses_and_their_derivatives() {
    let all = fixture();
    let d = values(&all["loss.d"]);
    for (name, kind) in
        [("standard", Loss::Standard), ("hinge", Loss::Hinge), ("wasserstein", Loss::Wasserstein)]
    {
        let parts: [(&str, LossFunction); 3] = [
            ("real", loss::discriminator_real),
            ("fake", loss::discriminator_fake),
            ("generator", loss::generator),
        ];
        for (part, f) in parts {
            let found = f(kind, &d);
            let expected = |what: &str| values(&all[&format!("loss.{name}.{part}.{what}")]);
            let value = expected("value")[0];
            assert!(
                (found.value - value).abs() < F64_ROUNDING * value.abs().max(1.0),
                "{name} {part}: {} {value}",
                found.value
            );
            for (a, b) in found.grad.iter().zip(expected("grad")) {
                assert!((a - b).abs() < F64_ROUNDING, "{name} {part}: {a} {b}");
            }
        }
    }
}
