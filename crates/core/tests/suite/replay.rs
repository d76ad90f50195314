//! Whole updates against PyTorch's, from the committed cases of tests/fixtures.

use crate::support::{
    F32_GRADIENT, F32_GRADIENT_BATCH_NORM, F32_GRADIENT_BATCH_NORM_RESIDUAL, F32_GRADIENT_RESIDUAL,
    F32_OUTPUT, NO_GRADIENT, REPLAY, committed, fixtures, values,
};
use candle_core::{Device, Tensor};
use sngan_core::model::Place;
use sngan_core::replay::{self, Case};
use sngan_experiment::arch::{Architecture, Conditioning};
use sngan_experiment::method::{Method, Normalization};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// The files that are no cases: what all cases share, and single layers (suite/layers.rs).
const OTHERS: [&str; 2] = ["shared.safetensors", "layers.safetensors"];

/// A committed case, and what PyTorch made of it.
struct Fixture {
    name: String,
    case: Case,
    own: BTreeMap<String, Tensor>,
}

fn cases() -> Vec<Fixture> {
    let shared = committed("shared.safetensors");
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(fixtures()).unwrap().map(|e| e.unwrap().path()).collect();
    paths.retain(|p| {
        p.extension().is_some_and(|e| e == "safetensors") && !OTHERS.iter().any(|o| p.ends_with(o))
    });
    paths.sort();
    let fixture = |path: PathBuf| {
        let Case { spec, tensors: own } = replay::read(&path).unwrap();
        let initial = own
            .iter()
            .filter_map(|(k, t)| Some((k.strip_prefix("initial.")?.to_string(), t.clone())));
        let tensors = shared.clone().into_iter().chain(initial).collect();
        Fixture {
            name: path.file_stem().unwrap().to_string_lossy().into_owned(),
            case: Case { spec, tensors },
            own,
        }
    };
    paths.into_iter().map(fixture).collect()
}

/// The fixtures' digest of a tensor.
fn digest(t: &Tensor) -> [f64; 3] {
    let x = values(t);
    let waves = x.iter().enumerate().map(|(i, v)| v * (i as f64).cos()).sum();
    [x.iter().sum(), x.iter().map(|v| v.abs()).sum(), waves]
}

/// max|a − b| / max(max|b|, 1e-3).
fn error(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let largest = b.iter().fold(1e-3f64, |m, x| m.max(x.abs()));
    a.iter().zip(b).fold(0.0f64, |m, (x, y)| m.max((x - y).abs())) / largest
}

#[test]
fn updates_of_every_method_and_network_equal_pytorchs_in_f64() {
    let (mut methods, mut networks, mut ways) =
        (BTreeSet::new(), BTreeSet::new(), Vec::<Conditioning>::new());
    for Fixture { name, case, own } in cases() {
        methods.insert(case.spec.method.name());
        networks.insert(case.spec.architecture.name());
        ways.push(case.spec.conditioning);
        let ours = replay::run(&case, &Place::oracle()).unwrap();
        let mut compared = 0;
        for (key, expected) in &own {
            let (found, expected) = if let Some(key) = key.strip_prefix("expected.") {
                (values(&ours[key]), values(expected))
            } else if let Some(key) = key.strip_prefix("digest.") {
                (digest(&ours[key]).to_vec(), values(expected))
            } else {
                continue;
            };
            compared += 1;
            if let Some(moment) =
                key.strip_prefix("expected.").and_then(|key| ours.get(&format!("adam.m.{key}")))
                && values(moment).iter().all(|m| m.abs() < NO_GRADIENT)
            {
                let far =
                    found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                assert!(far < case.spec.lr, "{name}, {key}: {far}");
                continue;
            }
            assert!(
                error(&found, &expected) < REPLAY,
                "{name}, {key}: {}",
                error(&found, &expected)
            );
        }
        // Every tensor of the result was compared.
        assert_eq!(compared, ours.len(), "{name}");
    }
    assert_eq!((methods.len(), networks.len()), (Method::ALL.len(), Architecture::ALL.len()));
    for way in
        [Conditioning::None, Conditioning::Concat, Conditioning::Projection, Conditioning::AcGan]
    {
        assert!(ways.contains(&way), "no case of {way:?}");
    }
}

#[test]
fn our_arms_first_gradients_and_outputs_equal_the_oracles_in_f32() {
    for Fixture { name, mut case, .. } in cases() {
        // After one step, Adam's first moment is (1 − β1) times the gradient.
        case.spec.gen_updates = 1;
        case.spec.n_dis = 1;
        let (ours, oracle) = (
            replay::run(&case, &Place::new(&Device::Cpu)).unwrap(),
            replay::run(&case, &Place::oracle()).unwrap(),
        );
        let residual = !matches!(
            case.spec.architecture,
            Architecture::StandardCnn | Architecture::StandardCnnCgl
        );
        let tolerance = match (case.spec.normalization, residual) {
            (Normalization::Batch, false) => F32_GRADIENT_BATCH_NORM,
            (Normalization::Batch, true) => F32_GRADIENT_BATCH_NORM_RESIDUAL,
            (_, false) => F32_GRADIENT,
            (_, true) => F32_GRADIENT_RESIDUAL,
        };
        for (key, expected) in oracle.iter().filter(|(k, _)| k.starts_with("adam.m.")) {
            // A bias before batch normalization has gradient 0; what is left of it is rounding.
            let expected = values(expected);
            if expected.iter().any(|x| x.abs() > 1e-12) {
                let error = error(&values(&ours[key]), &expected);
                assert!(error < tolerance, "{name}, {key}: {error}");
            }
        }
        // D's update comes after G's step, so these have seen G's new weights.
        for key in
            ["loss_g", "loss_d", "loss_reg", "d_real", "d_fake"].map(|k| format!("update.{k}"))
        {
            let error = error(&values(&ours[&key]), &values(&oracle[&key]));
            assert!(error < tolerance.max(F32_OUTPUT), "{name}, {key}: {error}");
        }
    }
}

#[test]
fn a_case_that_lacks_something_is_refused_by_name() {
    let fixture = cases().remove(0);
    for (key, message) in [
        ("real.0", "no input `real.0`"),
        ("discriminator.conv3.weight", "no tensor `discriminator.conv3.weight`"),
    ] {
        let mut case = fixture.case.clone();
        case.tensors.remove(key);
        assert!(replay::run(&case, &Place::oracle()).unwrap_err().to_string().contains(message));
        case.tensors
            .insert(key.into(), Tensor::zeros(3, candle_core::DType::F32, &Device::Cpu).unwrap());
        assert!(replay::run(&case, &Place::oracle()).unwrap_err().to_string().contains("[3]"));
    }
    let path = fixtures().join("shared.safetensors");
    assert!(replay::read(&path).unwrap_err().to_string().contains("no `spec`"));
}
