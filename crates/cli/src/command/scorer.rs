//! `sngan scorer`.

use super::{Change, Job};
use crate::Ended;
use crate::args::{CheckScorer, Scorer, TrainScorer};
use crate::say::say;
use anyhow::{Result, ensure};
use sngan_data::{Images, Split, fetch, load, load_idx};
use sngan_eval::{Recipe, SCORERS, ScorerSpec};
use sngan_experiment::Dataset;
use sngan_scorer::{Training, train_scorer};
use std::path::Path;

pub(crate) fn job(arguments: Scorer) -> Result<Job> {
    Ok(match arguments {
        Scorer::Train(a) => {
            let spec = ScorerSpec::of_dataset(&a.dataset)?;
            let out = a.out.clone().unwrap_or_else(|| format!("{}.safetensors", spec.name).into());
            let threads = a.threads;
            Job::that_changes([Change::file(&out, "weights")], move || train(&a, spec, &out))
                .on(threads)
        }
        Scorer::Check(a) => Job::that_reads(move || check(&a)).on(0),
    })
}

fn train(arguments: &TrainScorer, spec: &'static ScorerSpec, out: &Path) -> Result<Ended> {
    let images = training_images(spec, &arguments.data.data_dir)?;
    let hold_out = arguments.hold_out;
    ensure!(
        hold_out < images.len(),
        "--hold-out {hold_out} leaves none of {} images to train on",
        images.len()
    );
    let kept = images.len() - hold_out;
    let train = images.range(0..kept);
    let validation = images.range(kept..images.len());
    let training = Training {
        train: &train,
        validation: (hold_out > 0).then_some(&validation),
        recipe: Recipe {
            epochs: arguments.epochs.unwrap_or(spec.recipe.epochs),
            lr: arguments.lr.unwrap_or(spec.recipe.lr),
            weight_decay: arguments.weight_decay.unwrap_or(spec.recipe.weight_decay),
            label_smoothing: arguments.label_smoothing.unwrap_or(spec.recipe.label_smoothing),
            ..spec.recipe
        },
        seed: arguments.seed,
    };
    let cost = spec.multiply_adds() as f64 / 1e6;
    say!(
        "{}: {} parameters, {cost:.1} million multiply-adds an image, {:?}",
        spec.name,
        spec.parameters(),
        training.recipe
    );
    let scorer = train_scorer(spec, &training, out, &mut |line| say!("{line}"))?;
    say!("{}: sha256 {}", out.display(), scorer.sha256());
    if hold_out == 0 {
        print_accuracy(&scorer, &arguments.data.data_dir)?;
    }
    Ok(Ended::Well)
}

/// What a scorer learns; for Fashion-MNIST not the embedded images, which GANs here train on and
/// are scored against.
fn training_images(spec: &ScorerSpec, data_dir: &Path) -> Result<Images> {
    if spec.dataset == Dataset::FashionMnist {
        let (images, labels) = fetch::fashion_mnist_train(data_dir);
        return Ok(load_idx(&images, &labels)?.resize(spec.side));
    }
    Ok(load(spec.dataset, Split::Train, spec.side, Some(data_dir))?)
}

fn check(arguments: &CheckScorer) -> Result<Ended> {
    for spec in SCORERS {
        let scorer = sngan_eval::Scorer::embedded(spec.name)?;
        say!("{}, sha256 {}", spec.name, scorer.sha256());
        // The hash alone is also an answer, so missing images are not a failure.
        if let Err(e) = print_accuracy(&scorer, &arguments.data.data_dir) {
            say!("accuracy not measured: {e:#}");
        }
    }
    Ok(Ended::Well)
}

fn print_accuracy(scorer: &sngan_eval::Scorer, data_dir: &Path) -> Result<()> {
    let images = load(scorer.spec().dataset, Split::Reference, scorer.spec().side, Some(data_dir))?;
    say!(
        "accuracy {:.4} on the {} images of {}",
        scorer.accuracy(&images)?,
        images.len(),
        images.name
    );
    Ok(())
}
