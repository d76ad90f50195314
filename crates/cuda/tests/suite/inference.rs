//! Images and scores by programs against the CPU's: by the interpreter, by the kernels, and end to end on the stand-in.

use crate::shim::{Shimmed, shim};
use crate::training::{self, images, tiny};
use candle_core::Device;
use sngan_core::checkpoint;
use sngan_core::generate::{SampleRequest, Sampler};
use sngan_core::model::Place;
use sngan_core::trainer::{Backend, Outcome};
use sngan_cuda::host::Host;
use sngan_cuda::machine::Machine;
use sngan_cuda::program::Layout;
use sngan_cuda::{Cuda, Inferring, Interpreter, on_gpu};
use sngan_eval::{
    Backbone, BackboneOptions, Evaluator, EvaluatorOptions, Few, Inception, Preparation, Real,
    SCORERS, Samples, unwatched,
};
use sngan_experiment::arch::{Architecture, Conditioning};
use sngan_experiment::method::Method;
use sngan_experiment::{Dataset, ProtocolName, RunDir, RunSpec};
use sngan_tensor::rng::Streams;

/// Features in f32 by two orders of summation, through up to 94 layers, relative to an image's largest: as eval's tests against
/// torch-fidelity.
const FEATURES: f64 = 1e-4;
/// Scores end to end.
const SCORE: f64 = 1e-3;

/// Runs that draw their samples in every way: a plain G, one with a moving average, one of classes.
fn specs() -> Vec<RunSpec> {
    let plain = RunSpec { gen_updates: 2, ..tiny(Method::Sn) };
    let average = RunSpec { gen_ema: 0.5, ..plain.clone() };
    let classes = RunSpec {
        architecture: Architecture::ResnetCifar10,
        conditioning: Conditioning::Projection,
        n_classes: 3,
        ..plain.clone()
    };
    vec![plain, average, classes]
}

/// Samples of a run's last checkpoint as `backend` draws them.
fn drawn(dir: &RunDir, spec: &RunSpec, backend: &dyn Backend, n: usize) -> Vec<u8> {
    let last = checkpoint::latest(dir, spec, &Device::Cpu, &mut |_| ()).unwrap().unwrap();
    let request = SampleRequest { first: 100, n, seed: 3, class: None };
    Sampler::by(backend, spec, &last).unwrap().draw(request).unwrap()
}

#[test]
fn samples_by_programs_are_those_of_the_networks() {
    let cpu = Place::new(&Device::Cpu);
    for spec in specs() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(training::run(folder.path(), &spec, &cpu, None), Outcome::Completed);
        let dir = RunDir::new(folder.path());
        // More than are drawn at a time.
        let [networks, programs] =
            [&Place::oracle() as &dyn Backend, &Interpreter { double: true }]
                .map(|backend| drawn(&dir, &spec, backend, 130));
        assert!(networks == programs, "{}", spec.label);
        // In f32 a value may fall on the other side of a byte's border.
        let [networks, programs] = [&cpu as &dyn Backend, &Interpreter { double: false }]
            .map(|backend| drawn(&dir, &spec, backend, 130));
        nearly(&networks, &programs);
    }
}

/// Whether bytes are the same but for a few that differ by 1.
fn nearly(a: &[u8], b: &[u8]) {
    assert_eq!(a.len(), b.len());
    let far = a.iter().zip(b).filter(|(a, b)| a != b);
    assert!(far.clone().all(|(a, b)| a.abs_diff(*b) == 1));
    assert!(far.count() * 1000 < a.len(), "more than one in a thousand");
}

/// The largest difference of a row, relative to the largest value of the row it should be.
fn distance(found: &[f32], expected: &[f32], columns: usize) -> f64 {
    assert_eq!(found.len(), expected.len());
    let row = |(a, b): (&[f32], &[f32])| {
        let largest = b.iter().fold(1e-6f32, |m, x| m.max(x.abs()));
        f64::from(a.iter().zip(b).fold(0f32, |m, (a, b)| m.max((a - b).abs())) / largest)
    };
    found.chunks(columns).zip(expected.chunks(columns)).map(row).fold(0.0, f64::max)
}

/// A backbone's features on a machine, `batch` images at a time, against the CPU's.
fn compare<M: Machine + Send + std::fmt::Debug + 'static>(
    backbone: Backbone,
    batch: usize,
    n: usize,
    side: usize,
    machine: impl FnOnce(&Layout) -> M,
) {
    let bytes = images(n, side).pixels;
    let expected = backbone.features(&bytes, side).unwrap();
    let mut graph = backbone.graph().unwrap().unwrap();
    graph.batch = batch;
    let (name, pool, classes) = (backbone.name(), backbone.pool_dim(), backbone.classes());
    assert_eq!((graph.features(), graph.classes()), (pool, classes));
    let inference = Inferring::of_graph(&graph, |lists| Ok(machine(lists.layout()))).unwrap();
    let elsewhere = backbone.elsewhere(batch, Box::new(inference));
    assert_eq!((elsewhere.name(), elsewhere.pool_dim()), (name, pool));
    let found = elsewhere.features(&bytes, side).unwrap();
    let far = distance(&found.pool, &expected.pool, pool).max(distance(
        &found.logits,
        &expected.logits,
        classes,
    ));
    println!("{name}: {far:.1e}");
    assert!(far < FEATURES, "{name}: {far}");
}

fn scorer(name: &str) -> Backbone {
    let backbone = Backbone::named(name, Dataset::Cifar10, &BackboneOptions::default());
    backbone.unwrap().unwrap()
}

#[test]
fn features_of_the_scorers() {
    for spec in SCORERS {
        // The last batch is not full, and images have another side.
        compare(scorer(spec.name), 2, 3, 24, Host::<f64>::new);
        compare(scorer(spec.name), 3, 3, spec.side, Host::<f32>::new);
        if let Some(shim) = shim() {
            compare(scorer(spec.name), 1, 1, spec.side, |layout| Shimmed::new(layout, shim, 0));
        }
    }
}

#[test]
fn features_of_inception() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let streams = Streams::new(1);
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Inception::tensor_shapes()
        .into_iter()
        .map(|(name, shape)| {
            let n = shape.iter().product();
            // Maps that neither grow nor fade from layer to layer.
            let bound = (6.0 / shape[1..].iter().product::<usize>() as f64).sqrt() as f32;
            let u = streams.uniform(&name, 0, n).into_iter();
            let of = |u: f32| match name.rsplit('.').next() {
                Some("weight") if shape.len() > 1 => (2.0 * u - 1.0) * bound,
                Some("weight" | "running_var") => 0.75 + 0.5 * u,
                _ => 0.4 * u - 0.2,
            };
            (name.clone(), shape.clone(), u.flat_map(|u| of(u).to_le_bytes()).collect())
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        let f32 = safetensors::Dtype::F32;
        (name, safetensors::tensor::TensorView::new(f32, shape.clone(), bytes).unwrap())
    });
    std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    let options = BackboneOptions { weights: Some(path), ..BackboneOptions::default() };
    let load = || Backbone::named(Backbone::INCEPTION, Dataset::Cifar10, &options);
    compare(load().unwrap().unwrap(), 1, 1, 32, Host::<f32>::new);
    assert_eq!(options.preparation, Preparation::default());
}

/// Samples of a run by one backend.
struct Drawn<'a>(Sampler<'a>, RunSpec);

impl Samples for Drawn<'_> {
    fn name(&self) -> &str {
        "samples"
    }

    fn side(&self) -> usize {
        self.1.side
    }

    fn classes(&self) -> usize {
        0
    }

    fn class_names(&self) -> Option<&[String]> {
        None
    }

    fn available(&self, _: Option<u32>) -> Option<usize> {
        None
    }

    fn bytes(&self) -> &'static str {
        "truncate"
    }

    fn step(&self) -> usize {
        100
    }

    fn read(&mut self, first: usize, n: usize, class: Option<u32>) -> sngan_eval::Result<Vec<u8>> {
        Ok(self.0.draw(SampleRequest { first, n, seed: self.1.seed, class }).unwrap())
    }
}

/// Scores of a run's last checkpoint, drawn by `backend` and taken through `backbone`.
fn scores(dir: &RunDir, spec: &RunSpec, backend: &dyn Backend, backbone: Backbone) -> Vec<f64> {
    let names: Vec<ProtocolName> =
        ["is_120_split2", "fid_120_ref90"].map(|name| name.parse().unwrap()).into();
    let options = EvaluatorOptions { few: Few::Allowed, ..EvaluatorOptions::default() };
    let mut real = |_| Ok(Real::Images(Box::new(images(90, spec.side)) as Box<_>));
    let evaluator =
        Evaluator::new(backbone, &names, spec.side, options, &mut real, &unwatched).unwrap();
    let last = checkpoint::latest(dir, spec, &Device::Cpu, &mut |_| ()).unwrap().unwrap();
    let sampler = Sampler::by(backend, spec, &last).unwrap();
    let mut samples = Drawn(sampler, spec.clone());
    let records = evaluator.score(&names, &mut samples, last.gen_updates, &unwatched).unwrap();
    records.iter().map(|record| record.value.unwrap()).collect()
}

/// On the stand-in: a training whose samples and scores are made on the same device, against the CPU's of the same checkpoint.
pub(crate) fn a_score_on_the_device_is_that_of_the_cpu() {
    let gpu = Cuda::new(0, sngan_cuda::device::Math::F32).unwrap();
    let spec = RunSpec { side: 16, gen_ema: 0.9, ..tiny(Method::Sn) };
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(training::run(folder.path(), &spec, &gpu, None), Outcome::Completed);
    let (dir, cpu) = (RunDir::new(folder.path()), Place::new(&Device::Cpu));
    nearly(&drawn(&dir, &spec, &cpu, 7), &drawn(&dir, &spec, &gpu, 7));
    let by_cpu = scores(&dir, &spec, &cpu, scorer("scorer-fashion"));
    let on_device = on_gpu(gpu.installed(), scorer("scorer-fashion")).unwrap();
    let by_gpu = scores(&dir, &spec, &gpu, on_device);
    for (a, b) in by_gpu.iter().zip(&by_cpu) {
        assert!((a - b).abs() < SCORE * b.abs(), "{by_gpu:?} {by_cpu:?}");
    }
    println!("{by_gpu:?} {by_cpu:?}");
}
