use crate::support::{distance, images, smallest, tiny};
use candle_core::{Device, Tensor};
use sngan_core::checkpoint::{self, Checkpoint, encode};
use sngan_core::generate;
use sngan_core::model::{Discriminator, Parameters, Place, TensorSource};
use sngan_core::norm::Iterate;
use sngan_core::trainer::{Event, Outcome, TrainOptions, train};
use sngan_data::Images;
use sngan_experiment::arch::{Architecture, Conditioning};
use sngan_experiment::method::{Loss, Method};
use sngan_experiment::records::{Source, Status};
use sngan_experiment::{
    ClipCorrection, FolderLock, Latent, LrDecay, PowerIteration, RunDir, RunSpec, WidthCorrection,
};
use sngan_tensor::rng::Streams;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const OPTIONS: TrainOptions = TrainOptions {
    threads: 1,
    log_every: 2,
    checkpoint_every: 2,
    sample_every: 0,
    eval_every: 0,
    source: Source { commit: None, dirty: None },
    held_out: None,
};

fn cpu() -> Place {
    Place::new(&Device::Cpu)
}

fn run(dir: &Path, spec: &RunSpec, threads: usize, stop_after: Option<u64>) -> Outcome {
    let stop = AtomicBool::new(false);
    let images = images(10, spec.side);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        train(dir, spec, &images, &cpu(), &OPTIONS, &stop, &mut |event| {
            let Event::Update(p, trainer) = event else { return Ok(()) };
            if stop_after.is_some() {
                // Whoever looks at samples must not change what is trained.
                trainer.samples(3)?;
            }
            if Some(p.gen_update) == stop_after {
                stop.store(true, Ordering::Relaxed);
            }
            Ok(())
        })
        .unwrap()
    })
}

/// The final checkpoint's bytes and the log's.
fn bits(dir: &Path) -> (Vec<u8>, Vec<u8>) {
    let dir = RunDir::new(dir);
    let last =
        checkpoint::latest(&dir, &dir.spec().unwrap(), &Device::Cpu, &mut |_| ()).unwrap().unwrap();
    (encode(&last.tensors).unwrap(), std::fs::read(dir.log_path()).unwrap())
}

#[test]
fn every_method_gives_the_same_bits_on_one_and_two_threads_and_after_interruption() {
    let corrected = [Method::WganGp, Method::WeightClipping].map(|m| corrected(tiny(m)));
    for spec in Method::ALL.map(tiny).into_iter().chain(corrected) {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        assert_eq!(run(&at("one"), &spec, 1, None), Outcome::Completed);
        assert_eq!(run(&at("two"), &spec, 2, None), Outcome::Completed);
        assert_eq!(run(&at("cut"), &spec, 2, Some(3)), Outcome::Interrupted { gen_updates: 3 });
        assert_eq!(run(&at("cut"), &spec, 1, None), Outcome::Completed);
        assert!(bits(&at("one")) == bits(&at("two")), "{:?}: threads", spec.method);
        assert!(bits(&at("one")) == bits(&at("cut")), "{:?}: interruption", spec.method);
    }
}

/// An observer whose work on an update was cut off must see that update again.
#[test]
fn an_observer_that_was_told_to_stop_sees_its_update_again() {
    let spec = tiny(Method::Sn);
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let seen = |dir: &Path, stop_at: Option<u64>| {
        let mut seen = Vec::new();
        let (images, stop) = (images(10, spec.side), AtomicBool::new(false));
        let outcome = train(dir, &spec, &images, &cpu(), &OPTIONS, &stop, &mut |event| {
            let Event::Update(p, _) = event else { return Ok(()) };
            if stop_at == Some(p.gen_update) {
                return Err(sngan_core::Error::Stopped);
            }
            seen.push(p.gen_update);
            Ok(())
        });
        (outcome.unwrap(), seen)
    };
    seen(&at("whole"), None);
    let stopped = Outcome::Interrupted { gen_updates: 2 };
    assert_eq!(seen(&at("cut"), Some(3)), (stopped, vec![1, 2]));
    let status = RunDir::new(at("cut")).status().unwrap().unwrap();
    assert_eq!((status.status, status.reason), (Status::Interrupted, None));
    assert_eq!(seen(&at("cut"), None).1[0], 3);
    assert!(bits(&at("whole")) == bits(&at("cut")));
}

/// Labels, micro-batches, a decaying α and G's moving average: all that a checkpoint must hold for them.
#[test]
fn conditional_runs_with_schedules_resume_to_the_bit() {
    let cases = [
        (Method::Sn, Architecture::ResnetCifar10, Conditioning::Projection),
        (Method::WganGp, Architecture::ResnetGulrajani, Conditioning::AcGan),
        (Method::BatchNorm, Architecture::ResnetStl10, Conditioning::Concat),
        (Method::Sn, Architecture::StandardCnnCgl, Conditioning::None),
    ];
    for (method, architecture, conditioning) in cases {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let spec = RunSpec {
            gen_updates: 5,
            batch: 4,
            gen_batch: 4,
            dis_micro_batch: 2,
            gen_micro_batch: 2,
            gen_ema: 0.9,
            lr_decay: LrDecay::Linear,
            lr_decay_start: 2,
            latent: Latent::Uniform,
            loss: Loss::Hinge,
            ..smallest(method, architecture, conditioning)
        };
        assert_eq!(run(&at("one"), &spec, 1, None), Outcome::Completed);
        assert_eq!(run(&at("cut"), &spec, 2, Some(3)), Outcome::Interrupted { gen_updates: 3 });
        assert_eq!(run(&at("cut"), &spec, 2, None), Outcome::Completed);
        assert!(bits(&at("one")) == bits(&at("cut")), "{architecture:?}");
        let last = checkpoint::latest(&RunDir::new(at("one")), &spec, &Device::Cpu, &mut |_| ())
            .unwrap()
            .unwrap();
        let (average, now) =
            (&last.tensors["ema.generator.dense.weight"], &last.tensors["generator.dense.weight"]);
        assert!(distance(average, now) > 1e-4, "the average lags behind");
        if architecture == Architecture::StandardCnnCgl {
            // It starts from weights so small that all its images are grey for a while.
            continue;
        }
        let drawn = generate::images(&spec, &last, &Device::Cpu, 5, 1).unwrap();
        let own = last
            .tensors
            .iter()
            .filter(|(k, _)| !k.starts_with("ema."))
            .map(|(k, t)| (k.clone(), t.clone()))
            .collect();
        let now = Checkpoint { tensors: own, ..last.clone() };
        assert_ne!(
            drawn,
            generate::images(&spec, &now, &Device::Cpu, 5, 1).unwrap(),
            "samples are the average's"
        );
    }
}

#[test]
fn images_that_do_not_fit_leave_no_run_behind() {
    let folder = tempfile::tempdir().unwrap();
    let spec = smallest(Method::Sn, Architecture::ResnetCifar10, Conditioning::Projection);
    let refused = |spec: &RunSpec, held_out: Images| {
        let options = TrainOptions { held_out: Some(Arc::new(held_out)), ..OPTIONS };
        let (images, stop) = (images(10, spec.side), AtomicBool::new(false));
        let message = train(folder.path(), spec, &images, &cpu(), &options, &stop, &mut |_| Ok(()))
            .unwrap_err()
            .to_string();
        let dir = RunDir::new(folder.path());
        assert!(dir.status().unwrap().is_none() && !dir.spec_path().exists(), "{message}");
        message
    };
    let n = spec.n_classes;
    let message = refused(&RunSpec { n_classes: n + 1, ..spec.clone() }, images(7, spec.side));
    assert!(message.contains(&format!("train with n_classes={n}")), "{message}");
    let alone = RunSpec { conditioning: Conditioning::Projection, ..spec.clone() };
    let one = Images { classes: vec!["all".into()], ..images(10, spec.side) };
    let message = sngan_core::trainer::Trainer::new(&alone, &one, &Place::new(&Device::Cpu));
    let message = message.err().unwrap().to_string();
    // `n_classes=1` would be refused.
    assert!(
        message.contains("train without labels (conditioning=\"none\", n_classes=0)"),
        "{message}"
    );
    let mut other = images(7, spec.side);
    other.classes[0] = "other".into();
    let message = refused(&spec, other);
    assert!(message.contains("`other` stands where the training images have"), "{message}");
    let mut fewer = images(7, spec.side);
    fewer.classes.pop();
    assert!(refused(&spec, fewer).contains("other classes"));
}

#[test]
fn held_out_images_are_watched_without_a_trace() {
    let spec = smallest(Method::Sn, Architecture::ResnetCifar10, Conditioning::Projection);
    let held_out = Arc::new(images(7, spec.side));
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    run(&at("alone"), &spec, 1, None);
    let watched = TrainOptions { held_out: Some(held_out), ..OPTIONS };
    train(
        &at("watched"),
        &spec,
        &images(10, spec.side),
        &cpu(),
        &watched,
        &AtomicBool::new(false),
        &mut |_| Ok(()),
    )
    .unwrap();
    assert!(bits(&at("alone")).0 == bits(&at("watched")).0);
    let log = RunDir::new(at("watched")).log().unwrap();
    let last = log.last().unwrap();
    let (train, held_out) = (last.critic_train.unwrap(), last.critic_held_out.unwrap());
    assert!(train > 0.0 && held_out > 0.0 && train != held_out);
    assert_eq!(last.images_of_critic(), Some(7), "as many of each as the smaller set has");
    assert!(RunDir::new(at("alone")).log().unwrap().iter().all(|r| r.critic_train.is_none()));
}

#[test]
fn a_folder_in_use_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let spec = tiny(Method::Sn);
    let lock = FolderLock::take(folder.path()).unwrap();
    let images = images(10, spec.side);
    let train = || {
        train(folder.path(), &spec, &images, &cpu(), &OPTIONS, &AtomicBool::new(false), &mut |_| {
            Ok(())
        })
    };
    assert!(train().unwrap_err().to_string().contains("in use"));
    assert!(RunDir::new(folder.path()).status().unwrap().is_none());
    drop(lock);
    assert_eq!(train().unwrap(), Outcome::Completed);
}

#[test]
fn seeds_and_switches_change_the_bits() {
    let folder = tempfile::tempdir().unwrap();
    let base = tiny(Method::Sn);
    let specs = [
        base.clone(),
        RunSpec { seed: 1, ..base.clone() },
        RunSpec { power_iteration: PowerIteration::PerForward, ..base.clone() },
        RunSpec { gamma: true, ..base },
    ];
    let mut all: Vec<_> = specs
        .iter()
        .map(|spec| {
            let dir = folder.path().join(spec.id());
            run(&dir, spec, 1, None);
            bits(&dir).0
        })
        .collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), specs.len());
}

#[test]
fn raising_the_horizon_extends_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let long = tiny(Method::Sn);
    let short = RunSpec { gen_updates: 4, ..long.clone() };
    run(&folder.path().join("a"), &short, 1, None);
    run(&folder.path().join("a"), &long, 1, None);
    run(&folder.path().join("b"), &long, 1, None);
    assert!(bits(&folder.path().join("a")).0 == bits(&folder.path().join("b")).0);
    let horizons = folder.path().join("a/checkpoints/00000004.json");
    assert!(horizons.exists(), "the checkpoint of each horizon is kept");
}

#[test]
fn divergence_is_an_outcome_with_a_dump_and_no_nan_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let spec = RunSpec { lr: 1e30, ..tiny(Method::Vanilla) };
    let outcome = run(folder.path(), &spec, 1, None);
    assert!(matches!(outcome, Outcome::Diverged { .. }), "{outcome:?}");
    let dir = RunDir::new(folder.path());
    assert_eq!(dir.status().unwrap().unwrap().status, Status::Diverged);
    assert!(folder.path().join("diverged.safetensors").exists());
    let log = std::fs::read_to_string(dir.log_path()).unwrap();
    assert!(!log.contains("NaN") && !log.contains("inf"));
    dir.log().unwrap();
    assert_eq!(run(folder.path(), &spec, 1, None), outcome, "a diverged run is not repeated");
}

#[test]
fn a_corrupt_newest_checkpoint_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let spec = tiny(Method::Sn);
    let at = |name: &str| folder.path().join(name);
    run(&at("a"), &spec, 1, None);
    run(&at("b"), &spec, 1, Some(5));
    let newest = at("b").join("checkpoints/00000005.safetensors");
    std::fs::write(&newest, b"garbage").unwrap();
    run(&at("b"), &spec, 1, None);
    assert!(bits(&at("a")) == bits(&at("b")));

    // A completed run whose last checkpoint goes bad is completed again.
    let last = at("b").join(format!("checkpoints/{:08}.safetensors", spec.gen_updates));
    std::fs::write(&last, b"garbage").unwrap();
    assert_eq!(run(&at("b"), &spec, 1, None), Outcome::Completed);
    assert!(bits(&at("a")) == bits(&at("b")));

    // One whose checkpoints were removed stays completed.
    std::fs::remove_dir_all(at("b").join("checkpoints")).unwrap();
    assert_eq!(run(&at("b"), &spec, 1, None), Outcome::Completed);
    assert!(!at("b").join("checkpoints").exists());
}

/// A reduced width's correction, with weight clipping's bound where that clips.
fn corrected(spec: RunSpec) -> RunSpec {
    let mut spec = RunSpec {
        width_correction: WidthCorrection::Multiplier,
        clip_correction: ClipCorrection::Full,
        ..spec
    };
    spec.settle().unwrap();
    spec
}

/// The largest weight of each of D's convolutions at the end of a run.
fn largest_weights(spec: &RunSpec) -> BTreeMap<String, f64> {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), spec, 1, None);
    let last = checkpoint::latest(&RunDir::new(folder.path()), spec, &Device::Cpu, &mut |_| ())
        .unwrap()
        .unwrap();
    let convolution = |name: &str| {
        Some(name.strip_prefix("discriminator.conv")?.strip_suffix(".weight")?.to_string())
    };
    let largest = |t: &Tensor| t.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
    let named = last.tensors.iter().filter_map(|(n, t)| Some((convolution(n)?, largest(t).into())));
    named.collect()
}

#[test]
fn weight_clipping_bounds_the_convolutions() {
    let spec = tiny(Method::WeightClipping);
    let largest = largest_weights(&spec);
    assert_eq!(largest.len(), 7);
    assert!(largest.values().all(|m| *m > 0.0 && *m <= spec.clip as f32 as f64), "{largest:?}");

    // √k·W is bounded by k times the bound, so W by √k times, but for the first convolution.
    let root = (spec.width_divisor as f64).sqrt();
    let largest = largest_weights(&corrected(spec.clone()));
    for (layer, m) in &largest {
        let bound = if layer == "0" { spec.clip } else { spec.clip * root };
        assert!(*m <= bound as f32 as f64, "conv{layer}: {m}");
    }
    assert!(largest.values().any(|m| *m > spec.clip * 1.5), "{largest:?}");
}

#[test]
fn what_is_logged_leaves_no_trace() {
    for method in [Method::Sn, Method::WganGp] {
        let folder = tempfile::tempdir().unwrap();
        let spec = tiny(method);
        let at = |log_every: u64| {
            let dir = folder.path().join(log_every.to_string());
            let options = TrainOptions { log_every, ..OPTIONS };
            let stop = AtomicBool::new(false);
            let images = images(10, spec.side);
            train(&dir, &spec, &images, &cpu(), &options, &stop, &mut |_| Ok(())).unwrap();
            (bits(&dir).0, RunDir::new(dir).log().unwrap())
        };
        let ((often, long), (never, short)) = (at(1), at(1000));
        assert!(often == never && long.len() > short.len());
        let last = long.last().unwrap();
        let layers = spec.layers().unwrap().discriminator_layers().len();
        assert_eq!((last.stable_rank.len(), last.effective_rank.len()), (layers, layers));
        for (layer, rank) in &last.stable_rank {
            let (stable, effective) = (rank.unwrap(), last.effective_rank[layer].unwrap());
            assert!(
                1.0 - 1e-9 <= stable && stable <= effective + 1e-9,
                "{layer}: {stable} {effective}"
            );
        }
        assert_eq!(last.grad_norm_x_hat.is_some(), method == Method::WganGp);
    }
}

/// A weight without normalization is what the step changes: it must be measured before.
#[test]
fn the_log_measures_the_weights_that_the_last_forward_used() {
    for method in [Method::Vanilla, Method::WeightClipping, Method::WeightNorm] {
        let folder = tempfile::tempdir().unwrap();
        let spec = RunSpec { n_dis: 1, gen_updates: 1, ..tiny(method) };
        run(folder.path(), &spec, 1, None);
        let place = Place::new(&Device::Cpu);
        let mut d =
            Discriminator::new(&spec, &TensorSource::fresh(Streams::new(spec.seed), &place))
                .unwrap();
        let weights = d.weights(Parameters::Frozen, Iterate::Frozen).unwrap();
        let initial = d.spectra(&weights).unwrap();
        let log = RunDir::new(folder.path()).log().unwrap();
        for (layer, concentration) in initial {
            let logged = log[0].sigma_forward[&layer].unwrap();
            assert!((logged - concentration.sigma).abs() < 1e-12, "{method:?} {layer}: {logged}");
        }
    }
}
