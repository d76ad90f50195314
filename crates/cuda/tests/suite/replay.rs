//! Whole updates of the host interpreter against PyTorch's and the authors' own, from the committed cases of core's fixtures.

use candle_core::{DType, Tensor};
use sngan_core::replay::{self, Case};
use sngan_cuda::Error;
use sngan_cuda::host::Host;
use sngan_cuda::machine::{DiscriminatorBatch, GeneratorBatch, Machine, Slice, Training};
use sngan_cuda::program::{Layout, Program};
use sngan_experiment::RunSpec;
use sngan_experiment::method::{Method, Regularizer};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Two or three updates in f64 in two programs: Adam divides by √v, which can magnify rounding of small gradients by 1e6.
const REPLAY: f64 = 1e-8;
/// A bias before batch normalization has gradient 0, and a first moment of rounding; Adam makes a step of up to α of it.
const NO_GRADIENT: f64 = 1e-13;
/// Two or three updates in f64, ours against the authors' own code.
const AUTHORS: f64 = 1e-13;
/// The same of biases without a gradient and the running means that they shift: Adam divides rounding of 1e-17 by an ε of 1e-8.
const AUTHORS_NO_GRADIENT: f64 = 1e-9;

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../core/tests/fixtures")
}

pub(crate) fn values(t: &Tensor) -> Vec<f64> {
    t.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn input(case: &Case, name: &str, index: u64) -> Option<Vec<f64>> {
    case.tensors.get(&format!("{name}.{index}")).map(values)
}

/// A case's generator update with this number.
pub(crate) fn generator_update<M: Machine>(training: &mut Training<M>, case: &Case, update: u64) {
    let z = input(case, "z.generator", update).unwrap();
    let labels = input(case, "y.generator", update);
    let batch = GeneratorBatch { z: Slice::F64(&z), labels: labels.as_deref().map(Slice::F64) };
    training.generator_update(batch, case.spec.lr_at(update), true).unwrap();
}

/// A round of D after it.
pub(crate) fn discriminator_update<M: Machine>(
    training: &mut Training<M>,
    case: &Case,
    update: u64,
    round: u64,
) {
    let index = update * u64::from(case.spec.n_dis) + round;
    let [real, z] = ["real", "z.discriminator"].map(|name| input(case, name, index).unwrap());
    let [real_labels, fake_labels, epsilon] =
        ["y.real", "y.discriminator", "epsilon"].map(|name| input(case, name, index));
    let batch = DiscriminatorBatch {
        real: Slice::F64(&real),
        real_labels: real_labels.as_deref().map(Slice::F64),
        z: Slice::F64(&z),
        fake_labels: fake_labels.as_deref().map(Slice::F64),
        epsilon: epsilon.as_deref().map(Slice::F64),
    };
    training.discriminator_update(batch, case.spec.lr_at(update), true).unwrap();
}

/// Runs every update of a case on a machine; the final state and a column of each number.
pub(crate) fn run<M: Machine>(
    case: &Case,
    machine: impl FnOnce(&Layout) -> M,
) -> BTreeMap<String, Vec<f64>> {
    let program = Program::of(&case.spec).unwrap();
    let machine = machine(&program.layout);
    let mut training = Training::new(program, machine);
    training.load([0, 0], |name| case.tensors.get(name).map(values)).unwrap();
    let mut columns: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for update in 0..case.spec.gen_updates {
        generator_update(&mut training, case, update);
        for round in 0..u64::from(case.spec.n_dis) {
            discriminator_update(&mut training, case, update, round);
        }
        training.average().unwrap();
        let n = training.numbers().unwrap();
        let numbers = [
            ("loss_d", n.loss_d),
            ("loss_reg", n.loss_reg),
            ("loss_g", n.loss_g),
            ("d_real", n.d_real),
            ("d_fake", n.d_fake),
            ("grad_norm_d", n.grad_norm_d),
            ("grad_norm_g", n.grad_norm_g),
            ("loss_class_d", n.loss_class_d),
            ("loss_class_g", n.loss_class_g),
        ];
        for (name, value) in numbers {
            columns.entry(name).or_default().push(value);
        }
    }
    let state = training.state().unwrap().into_iter().map(|(name, (_, values))| (name, values));
    let columns = columns.into_iter().map(|(name, column)| (format!("update.{name}"), column));
    state.chain(columns).collect()
}

/// The fixtures' digest of a tensor.
fn digest(x: &[f64]) -> Vec<f64> {
    let waves = x.iter().enumerate().map(|(i, v)| v * (i as f64).cos()).sum();
    vec![x.iter().sum(), x.iter().map(|v| v.abs()).sum(), waves]
}

/// max|a − b| / max(max|b|, 1e-3).
pub(crate) fn error(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let largest = b.iter().fold(1e-3f64, |m, x| m.max(x.abs()));
    a.iter().zip(b).fold(0.0f64, |m, (x, y)| m.max((x - y).abs())) / largest
}

/// The committed cases by name, each with the tensors that all share.
pub(crate) fn cases() -> Vec<(String, Case)> {
    let shared = fixtures().join("shared.safetensors");
    let shared = replay::tensors(&shared, &std::fs::read(&shared).unwrap()).unwrap();
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(fixtures()).unwrap().map(|e| e.unwrap().path()).collect();
    paths.retain(|p| {
        let others = ["shared.safetensors", "layers.safetensors"];
        p.extension().is_some_and(|e| e == "safetensors") && !others.iter().any(|o| p.ends_with(o))
    });
    paths.sort();
    let case = |path: PathBuf| {
        let Case { spec, tensors: own } = replay::read(&path).unwrap();
        let initial = own.iter().filter_map(|(k, t)| Some((k.strip_prefix("initial.")?, t)));
        let mut tensors = shared.clone();
        tensors.extend(initial.map(|(k, t)| (k.to_string(), t.clone())));
        tensors.extend(own.into_iter().filter(|(k, _)| !k.starts_with("initial.")));
        (path.file_stem().unwrap().to_string_lossy().into_owned(), Case { spec, tensors })
    };
    let all: Vec<(String, Case)> = paths.into_iter().map(case).collect();
    let of_programs = |(_, case): &(String, Case)| match Program::of(&case.spec) {
        Ok(_) => true,
        Err(Error::NotInPrograms { .. }) => false,
        Err(e) => panic!("{e}"),
    };
    all.into_iter().filter(of_programs).collect()
}

#[test]
fn what_programs_do_not_have_is_refused_by_name_and_all_of_the_papers_methods_they_have() {
    for method in Method::ALL {
        let spec = RunSpec::paper(method);
        match Program::of(&spec) {
            Ok(_) => assert!(Method::PAPERS.contains(&method), "{method:?}"),
            Err(e) => {
                assert!(!Method::PAPERS.contains(&method), "{method:?}: {e}");
                let parts = [spec.normalization.name(), spec.regularizer.name(), spec.loss.name()];
                let said = e.to_string();
                assert!(parts.iter().any(|part| said.contains(part)), "{said}");
            }
        }
    }
    let scaled = RunSpec { weight_scale: 1.4, ..RunSpec::paper(Method::Sn) };
    assert!(Program::of(&scaled).is_ok());
    let edited = Regularizer::StaticSpectrum;
    let edited = RunSpec { regularizer: edited, ..RunSpec::paper(Method::Sn) };
    assert!(Program::of(&edited).unwrap_err().to_string().contains("static-spectrum"));
}

#[test]
fn the_host_interpreter_equals_pytorch_in_f64() {
    let mut checked = 0;
    for (name, case) in cases() {
        let ours = run(&case, Host::<f64>::new);
        for (key, expected) in &case.tensors {
            let (key, found) = if let Some(key) = key.strip_prefix("expected.") {
                (key, ours[key].clone())
            } else if let Some(key) = key.strip_prefix("digest.") {
                (key, digest(&ours[key]))
            } else {
                continue;
            };
            let expected = values(expected);
            checked += 1;
            if let Some(moment) = ours.get(&format!("adam.m.{key}"))
                && moment.iter().all(|m| m.abs() < NO_GRADIENT)
            {
                let far =
                    found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                assert!(far < case.spec.lr, "{name}, {key}: {far}");
                continue;
            }
            let error = error(&found, &expected);
            assert!(error < REPLAY, "{name}, {key}: {error}");
        }
    }
    assert!(checked > 1000, "{checked}");
}

#[test]
fn the_host_interpreter_equals_the_authors_own_code_in_f64() {
    let mut names: Vec<PathBuf> =
        std::fs::read_dir(fixtures().join("authors")).unwrap().map(|e| e.unwrap().path()).collect();
    names.retain(|p| p.extension().is_some_and(|e| e == "safetensors"));
    assert!(names.len() >= 4);
    for path in names {
        let case = replay::read(&path).unwrap();
        let ours = run(&case, Host::<f64>::new);
        let mut compared = 0;
        for (key, expected) in &case.tensors {
            let Some(key) = key.strip_prefix("expected.") else { continue };
            let still = ours
                .get(&format!("adam.m.{key}"))
                .is_some_and(|m| m.iter().all(|m| m.abs() < NO_GRADIENT));
            let moved = key.ends_with(".running_mean") || (key.ends_with(".bias") && still);
            let error = error(&ours[key], &values(expected));
            let bound = if moved { AUTHORS_NO_GRADIENT } else { AUTHORS };
            assert!(error < bound, "{}, {key}: {error}", path.display());
            compared += 1;
        }
        assert!(compared > 10, "{}", path.display());
    }
}
