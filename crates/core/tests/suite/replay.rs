//! Whole updates against PyTorch's and the authors' own, from the committed cases of tests/fixtures.

use crate::support::{
    AUTHORS, AUTHORS_NO_GRADIENT, F32_GRADIENT, F32_GRADIENT_BATCH_NORM,
    F32_GRADIENT_BATCH_NORM_RESIDUAL, F32_GRADIENT_RESIDUAL, F32_OUTPUT, NO_GRADIENT, REPLAY,
    REPLAY_RUNNING_MEAN, committed, fixtures, values,
};
use candle_core::{Device, Tensor};
use sngan_core::model::Place;
use sngan_core::replay::{self, Case};
use sngan_experiment::arch::{Architecture, Conditioning};
use sngan_experiment::method::{Method, Normalization, Regularizer};
use sngan_experiment::{AdamEpsilon, PowerIteration};
use sngan_tensor::ops::Pattern;
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
    let (mut normalizations, mut regularizers) = (BTreeSet::new(), BTreeSet::new());
    for Fixture { name, case, own } in cases() {
        methods.insert(case.spec.method.name());
        normalizations.insert(case.spec.normalization.name());
        regularizers.insert(case.spec.regularizer.name());
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
            let is_mean = key.ends_with(".running_mean");
            let tolerance = if is_mean { REPLAY_RUNNING_MEAN } else { REPLAY };
            let error = error(&found, &expected);
            assert!(error < tolerance, "{name}, {key}: {error}");
        }
        // Every tensor of the result was compared.
        assert_eq!(compared, ours.len(), "{name}");
    }
    // γ, and one method's normalization with another's regularizer, are no method of the paper: `Custom`.
    for normalization in Normalization::ALL {
        assert!(normalizations.contains(normalization.name()), "no case of {normalization:?}");
    }
    for regularizer in Regularizer::ALL {
        assert!(regularizers.contains(regularizer.name()), "no case of {regularizer:?}");
    }
    for method in Method::ALL {
        assert!(methods.contains(method.name()), "no case of {method:?}");
    }
    assert_eq!(networks.len(), Architecture::ALL.len());
    for way in
        [Conditioning::None, Conditioning::Concat, Conditioning::Projection, Conditioning::AcGan]
    {
        assert!(ways.contains(&way), "no case of {way:?}");
    }
}

/// Whether `key` is what a bias without a gradient moves: that bias, or a running mean.
fn moved_by_rounding(key: &str, ours: &BTreeMap<String, Tensor>) -> bool {
    let moment = ours.get(&format!("adam.m.{key}")).map(values);
    let still = moment.is_some_and(|m| m.iter().all(|m| m.abs() < NO_GRADIENT));
    key.ends_with(".running_mean") || (key.ends_with(".bias") && still)
}

/// A case with the results of the authors' own code.
fn authors_case(name: &str) -> Case {
    replay::read(&fixtures().join(format!("authors/{name}.safetensors"))).unwrap()
}

/// The largest error over what the authors' code left of a case, and that over what rounding alone moves.
fn authors_errors(name: &str, case: &Case) -> (f64, f64) {
    let ours = replay::run(case, &Place::oracle()).unwrap();
    let (mut largest, mut of_rounding) = (0.0f64, 0.0f64);
    let mut compared = BTreeSet::new();
    for (key, expected) in &case.tensors {
        let Some(key) = key.strip_prefix("expected.") else { continue };
        compared.insert(key);
        let expected = values(expected);
        let found = error(&values(&ours[key]), &expected);
        if moved_by_rounding(key, &ours) {
            of_rounding = of_rounding.max(found);
        } else {
            largest = largest.max(found);
        }
        // A case whose weights end where they began would show nothing.
        let moved = case.tensors.get(key).map(|initial| error(&values(initial), &expected));
        let still = key.ends_with(".weight") && moved.is_none_or(|m| m < 1e-4);
        assert!(!still, "{name}, {key} moved by {moved:?}");
    }
    // The files hold the whole state of both networks and two losses, no moments and nothing else that is logged.
    let losses = ["update.loss_g", "update.loss_d"];
    let state = |key: &&str| !key.starts_with("adam.") && !key.starts_with("update.");
    let whole = ours.keys().map(String::as_str).filter(state).chain(losses).collect();
    assert_eq!(compared, whole, "{name}");
    (largest, of_rounding)
}

#[test]
fn updates_equal_the_authors_own_code_in_f64() {
    for name in ["snp-32", "snp-32-projection", "cgl-sndcgan", "cgl-dcgan-bn"] {
        let (largest, of_rounding) = authors_errors(name, &authors_case(name));
        println!("{name}: {largest:.1e}, where rounding alone moves {of_rounding:.1e}");
        assert!(largest < AUTHORS, "{name}: {largest}");
        assert!(of_rounding < AUTHORS_NO_GRADIENT, "{name}: {of_rounding}");
    }
}

#[test]
fn the_authors_cases_tell_our_own_defaults_from_their_codes() {
    for name in ["snp-32", "snp-32-projection", "cgl-sndcgan"] {
        let theirs = authors_case(name);
        let mut per_update = theirs.clone();
        per_update.spec.power_iteration = PowerIteration::PerUpdate;
        let mut corrected = theirs;
        corrected.spec.adam_epsilon = AdamEpsilon::Corrected;
        for (switch, case) in [("power_iteration", per_update), ("adam_epsilon", corrected)] {
            let (largest, _) = authors_errors(name, &case);
            println!("{name} with our {switch}: {largest:.1e}");
            assert!(largest > 1e5 * AUTHORS, "{name} with our {switch}: {largest}");
        }
    }
}

#[test]
fn our_arms_first_gradients_and_outputs_equal_the_oracles_in_f32() {
    for Fixture { name, mut case, .. } in cases() {
        // After one step, Adam's first moment is (1 − β1) times the gradient.
        case.spec.gen_updates = 1;
        case.spec.n_dis = 1;
        // A pre-activation within rounding of 0 may fall on either side of its kink; both must take the same.
        let (ours, sides) = Pattern::of(|| replay::run(&case, &Place::new(&Device::Cpu)).unwrap());
        let oracle = sides.impose(|| replay::run(&case, &Place::oracle()).unwrap());
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
