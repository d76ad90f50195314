//! Whole trainings by programs: what they compute is the networks', and what they write is a run like any other.

use candle_core::Tensor;
use sngan_core::checkpoint;
use sngan_core::generate::Sampler;
use sngan_core::model::Place;
use sngan_core::trainer::{
    Backend, Details, DiscriminatorInputs, Engine, Event, GeneratorInputs, Look, Outcome, Receipt,
    Start, TrainOptions, Trainer, Update, train,
};
use sngan_cuda::Interpreter;
use sngan_data::Images;
use sngan_experiment::arch::{Architecture, Conditioning};
use sngan_experiment::method::Method;
use sngan_experiment::records::Source;
use sngan_experiment::{Dataset, RunDir, RunSpec};
use sngan_tensor::Device;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Six updates in f64 in two programs: Adam divides by √v, which can magnify rounding of small gradients by 1e6.
const REPLAY: f64 = 1e-8;

/// A small run.
pub(crate) fn tiny(method: Method) -> RunSpec {
    RunSpec {
        side: 8,
        width_divisor: 64,
        batch: 4,
        gen_batch: 4,
        gen_updates: 6,
        n_dis: 2,
        lr: 1e-3,
        dataset: Dataset::FashionMnist,
        ..RunSpec::paper(method)
    }
}

/// `n` made-up images of a side, in three classes.
pub(crate) fn images(n: usize, side: usize) -> Images {
    let pixels = (0..n * 3 * side * side).map(|i| (i * 7919 % 251) as u8).collect();
    let labels = (0..n as u32).map(|i| i % 3).collect();
    let classes = ["a", "b", "c"].map(String::from).into();
    Images::new("made-up".into(), side, pixels, labels, classes).unwrap()
}

pub(crate) const OPTIONS: TrainOptions = TrainOptions {
    threads: 1,
    log_every: 2,
    checkpoint_every: 2,
    sample_every: 0,
    eval_every: 0,
    source: Source { commit: None, dirty: None },
    held_out: None,
};

/// Trains in `dir`; with `stop_after`, until that update.
pub(crate) fn run(
    dir: &Path,
    spec: &RunSpec,
    backend: &dyn Backend,
    stop_after: Option<u64>,
) -> Outcome {
    let stop = AtomicBool::new(false);
    let options = TrainOptions { held_out: Some(Arc::new(images(5, spec.side))), ..OPTIONS };
    until(dir, spec, backend, &options, &stop, &mut |update| {
        if Some(update) == stop_after {
            stop.store(true, Ordering::Relaxed);
        }
    })
}

/// Trains in `dir` to the end; `after` is told of each update.
pub(crate) fn run_with(
    dir: &Path,
    spec: &RunSpec,
    backend: &dyn Backend,
    options: &TrainOptions,
    after: &mut dyn FnMut(u64),
) -> Outcome {
    until(dir, spec, backend, options, &AtomicBool::new(false), after)
}

fn until(
    dir: &Path,
    spec: &RunSpec,
    backend: &dyn Backend,
    options: &TrainOptions,
    stop: &AtomicBool,
    after: &mut dyn FnMut(u64),
) -> Outcome {
    train(dir, spec, &images(10, spec.side), backend, options, stop, &mut |event| {
        if let Event::Update(progress, _) = event {
            after(progress.gen_update);
        }
        Ok(())
    })
    .unwrap()
}

/// What a run leaves: its log, and the bytes of its last checkpoint.
pub(crate) fn left(dir: &Path, spec: &RunSpec) -> (String, Vec<u8>) {
    let log = std::fs::read_to_string(dir.join("log.jsonl")).unwrap();
    let run = RunDir::new(dir);
    let last = checkpoint::latest(&run, spec, &Device::Cpu, &mut |_| ()).unwrap().unwrap();
    assert_eq!(last.gen_updates, spec.gen_updates);
    (log, checkpoint::encode(&last.tensors).unwrap())
}

fn specs() -> Vec<RunSpec> {
    let conditional = RunSpec {
        architecture: Architecture::ResnetCifar10,
        conditioning: Conditioning::AcGan,
        n_classes: 3,
        gen_ema: 0.9,
        ..tiny(Method::Sn)
    };
    vec![tiny(Method::Sn), tiny(Method::WganGp), tiny(Method::BatchNorm), conditional]
}

#[test]
fn trainings_by_programs_compute_what_the_networks_compute() {
    for spec in specs() {
        let images = images(10, spec.side);
        let oracle = Place::oracle();
        let mut networks = Trainer::new(&spec, &images, &oracle).unwrap();
        let mut programs = Trainer::new(&spec, &images, &Interpreter { double: true }).unwrap();
        for update in 0..spec.gen_updates {
            let [a, b] = [&mut networks, &mut programs].map(|t| t.update(true).unwrap());
            let numbers = |u: &sngan_core::trainer::Update| {
                let d = u.details.clone().unwrap();
                let layers = [d.sigma_forward, d.sigma_fig9, d.effective_rank, d.stable_rank];
                let layers = layers.into_iter().flat_map(|l| l.into_values().map(Option::unwrap));
                let own = [u.loss_d, u.loss_reg, u.loss_g, u.d_real, u.d_fake];
                let optional = [u.loss_class_d, u.loss_class_g, u.grad_norm_x_hat];
                own.into_iter()
                    .chain(optional.into_iter().flatten())
                    .chain([d.grad_norm_d, d.grad_norm_g])
                    .chain(layers)
                    .collect::<Vec<f64>>()
            };
            let (a, b) = (numbers(&a), numbers(&b));
            assert_eq!(a.len(), b.len());
            for (i, (a, b)) in a.iter().zip(&b).enumerate() {
                let far = (a - b).abs() / b.abs().max(1.0);
                assert!(far < REPLAY, "{} update {update}, number {i}: {a} {b}", spec.label);
            }
        }
        assert_eq!(networks.samples(7).unwrap(), programs.samples(7).unwrap(), "{}", spec.label);
        let names = |t: &Trainer<'_>| t.state().unwrap().into_keys().collect::<Vec<_>>();
        assert_eq!(names(&networks), names(&programs));
        assert_eq!(networks.metadata(), programs.metadata());
    }
}

#[test]
fn a_training_by_programs_that_is_stopped_and_resumed_leaves_the_same_bytes() {
    for spec in specs() {
        let folder = tempfile::tempdir().unwrap();
        let (whole, parts) = (folder.path().join("whole"), folder.path().join("parts"));
        let backend = Interpreter { double: false };
        assert_eq!(run(&whole, &spec, &backend, None), Outcome::Completed);
        assert_eq!(run(&parts, &spec, &backend, Some(3)), Outcome::Interrupted { gen_updates: 3 });
        assert_eq!(run(&parts, &spec, &backend, None), Outcome::Completed);
        assert!(left(&whole, &spec) == left(&parts, &spec), "{}", spec.label);
        let provenance = RunDir::new(&whole).provenance().unwrap();
        assert_eq!(provenance.segments[0].device, "program");
    }
}

/// When an update's measurements can be made.
#[derive(Clone, Copy)]
enum Readiness {
    /// Before the next update begins.
    AtOnce,
    /// Long after it, and the later ones of a few before the earlier.
    Late,
}

/// A backend whose measurements are ready at other times.
struct Timed<'a>(&'a dyn Backend, Readiness);

struct TimedEngine(Box<dyn Engine>, Readiness, u64);

impl Backend for Timed<'_> {
    fn name(&self) -> String {
        self.0.name()
    }

    fn place(&self) -> Place {
        self.0.place()
    }

    fn engine(&self, spec: &RunSpec, start: Start<'_>) -> sngan_core::Result<Box<dyn Engine>> {
        Ok(Box::new(TimedEngine(self.0.engine(spec, start)?, self.1, 0)))
    }
}

impl Engine for TimedEngine {
    fn generator_update(
        &mut self,
        inputs: &GeneratorInputs,
        update: &mut Update,
        detailed: bool,
    ) -> sngan_core::Result<f64> {
        self.0.generator_update(inputs, update, detailed)
    }

    fn discriminator_update(
        &mut self,
        inputs: &DiscriminatorInputs,
        update: &mut Update,
        details: Option<&mut Details>,
    ) -> sngan_core::Result<()> {
        self.0.discriminator_update(inputs, update, details)
    }

    fn copies(&mut self) -> sngan_core::Result<Option<Receipt>> {
        let Some(receipt) = self.0.copies()? else { return Ok(None) };
        self.2 += 1;
        Ok(Some(match self.1 {
            Readiness::AtOnce => {
                let copies = receipt()?;
                Box::new(move || Ok(copies))
            }
            Readiness::Late => {
                let millis = 20 * (3 - self.2 % 3);
                Box::new(move || {
                    std::thread::sleep(Duration::from_millis(millis));
                    receipt()
                })
            }
        }))
    }

    fn average(&mut self) -> sngan_core::Result<()> {
        self.0.average()
    }

    fn networks(&self) -> sngan_core::Result<BTreeMap<String, Tensor>> {
        self.0.networks()
    }

    fn state(&self) -> sngan_core::Result<BTreeMap<String, Tensor>> {
        self.0.state()
    }

    fn steps(&self) -> [u64; 2] {
        self.0.steps()
    }

    fn sampler(&mut self) -> sngan_core::Result<Sampler<'_>> {
        self.0.sampler()
    }

    fn look(&mut self, look: &mut Look<'_>) -> sngan_core::Result<()> {
        self.0.look(look)
    }
}

/// A run's log and last checkpoint are the same bytes whether its measurements are made at once, as they come, or late; and one that diverges
/// ends at the same update, for the same reason, with the same log.
pub(crate) fn the_log_is_the_same_however_late(spec: &RunSpec, backend: &dyn Backend) {
    let folder = tempfile::tempdir().unwrap();
    let options = |threads| TrainOptions {
        threads,
        log_every: 1,
        checkpoint_every: 5,
        held_out: Some(Arc::new(images(5, spec.side))),
        ..OPTIONS
    };
    let train = |name: &str, spec: &RunSpec, backend: &dyn Backend, threads| {
        let dir = folder.path().join(name);
        let outcome = run_with(&dir, spec, backend, &options(threads), &mut |_| ());
        (outcome, std::fs::read_to_string(dir.join("log.jsonl")).unwrap(), dir)
    };
    let (at_once, late) = (Timed(backend, Readiness::AtOnce), Timed(backend, Readiness::Late));
    let (outcome, log, dir) = train("at-once", spec, &at_once, 1);
    assert_eq!((outcome, log.lines().count() as u64), (Outcome::Completed, spec.gen_updates));
    let bytes = left(&dir, spec).1;
    for (name, other, threads) in [("as-they-come", backend, 2), ("late", &late, 3)] {
        let (outcome, found, dir) = train(name, spec, other, threads);
        assert_eq!((outcome, &found), (Outcome::Completed, &log), "{name}");
        assert!(left(&dir, spec).1 == bytes, "{name}");
    }
    // Steps that are too large for f32.
    let spec = RunSpec { lr: 1e25, ..spec.clone() };
    let (outcome, log, _) = train("diverging", &spec, &at_once, 1);
    let Outcome::Diverged { gen_update, .. } = &outcome else { panic!("{outcome:?}") };
    assert_eq!(log.lines().count() as u64, *gen_update);
    for (name, other) in [("diverging-as-they-come", backend), ("diverging-late", &late)] {
        let (found, lines, _) = train(name, &spec, other, 2);
        assert_eq!((&found, &lines), (&outcome, &log), "{name}");
    }
}

#[test]
fn the_log_of_programs_does_not_depend_on_when_measurements_are_made() {
    let spec = RunSpec { gen_updates: 8, ..tiny(Method::WganGp) };
    the_log_is_the_same_however_late(&spec, &Interpreter { double: false });
}
