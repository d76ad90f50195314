//! How the scorers that stand in for Inception are trained: Adam under a cosine schedule, flips and shifts, batch normalization that the
//! written weights have absorbed.
//!
//! ```no_run
//! use sngan_data::{Split, load};
//! use sngan_eval::ScorerSpec;
//! use sngan_experiment::Dataset;
//! use sngan_scorer::{Training, train_scorer};
//!
//! let images = load(Dataset::FashionMnist, Split::Train, 28, None)?;
//! let spec = ScorerSpec::named("scorer-fashion")?;
//! let training = Training { train: &images, validation: None, recipe: spec.recipe, seed: 0 };
//! train_scorer(spec, &training, "scorer.safetensors".as_ref(), &mut |line| println!("{line}"))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod batches;
mod error;
mod network;
mod state;

pub use error::{Error, Result};

use batches::Batches;
use candle_core::{D, Tensor};
use network::TrainedNetwork;
use sngan_data::Images;
use sngan_eval::scorer::weights;
use sngan_eval::{Recipe, Scorer, ScorerSpec};
use sngan_experiment::atomic;
use sngan_tensor::adam::{Adam, AdamConfig, Epsilon};
use state::{Identity, State};
use std::path::Path;

/// Images per update; a last part of an epoch that is smaller is left out.
const BATCH: usize = 128;

/// A training: the images, the recipe and the seed. Together they decide every bit, on one kind of processor.
#[derive(Debug)]
pub struct Training<'a> {
    /// What the network learns.
    pub train: &'a Images,
    /// Images for the accuracy that each epoch reports; nothing is selected by it. `None`: only the loss is reported.
    pub validation: Option<&'a Images>,
    /// What is chosen.
    pub recipe: Recipe,
    /// Seed of initial weights, order and augmentation.
    pub seed: u64,
}

/// Trains `spec`'s network, writes its weights to `out` (safetensors, f32) and returns it. `progress` gets a line per epoch.
///
/// After each epoch the training's state goes to `out` with `.training` appended; a training that was cut off goes on from there, to the
/// same bits, and the file is removed in the end.
///
/// # Errors
/// No epochs, labels without a class, fewer images than a batch, a loss that is not finite, a file that cannot be written, or a state that
/// belongs to another training.
pub fn train_scorer(
    spec: &'static ScorerSpec,
    training: &Training<'_>,
    out: &Path,
    progress: &mut dyn FnMut(String),
) -> Result<Scorer> {
    let recipe = &training.recipe;
    check(recipe)?;
    let batches = Batches::new(spec, training)?;
    let mut network = TrainedNetwork::new(spec, training.seed)?;
    let config = AdamConfig {
        lr: recipe.lr,
        beta1: 0.9,
        beta2: 0.999,
        eps: 1e-8,
        epsilon: Epsilon::Corrected,
    };
    let mut adam = Adam::new(config, network.variables())?;
    let state = State::beside(out, Identity::of(spec, training));
    let done = state.restore(&mut network, &mut adam)?;
    if done > 0 {
        progress(format!("going on after epoch {done}"));
    }
    for epoch in done..recipe.epochs {
        let loss = one_epoch(&mut network, &mut adam, &batches, recipe, epoch)?;
        state.save(epoch + 1, &network, &adam)?;
        let accuracy = match training.validation {
            Some(images) => format!(
                ", accuracy {:.4} on {} held-out images",
                folded(spec, &network)?.0.accuracy(images)?,
                images.len()
            ),
            None => String::new(),
        };
        progress(format!("epoch {}/{}: loss {loss:.4}{accuracy}", epoch + 1, recipe.epochs));
    }
    let (scorer, file) = folded(spec, &network)?;
    atomic::write(out, &file)?;
    state.remove()?;
    Ok(scorer)
}

fn check(recipe: &Recipe) -> Result<()> {
    if recipe.epochs == 0 {
        return Err(Error::input("epochs", "is 0; it must be at least 1"));
    }
    if !(recipe.lr.is_finite() && recipe.lr > 0.0) {
        return Err(Error::input("lr", format!("is {}; it must be positive", recipe.lr)));
    }
    if !(0.0..1.0).contains(&(recipe.lr * recipe.weight_decay)) {
        return Err(Error::input(
            "weight decay",
            format!("is {}; times lr it must be in [0, 1)", recipe.weight_decay),
        ));
    }
    if !(0.0..1.0).contains(&recipe.label_smoothing) {
        return Err(Error::input(
            "label smoothing",
            format!("is {}; it must be in [0, 1)", recipe.label_smoothing),
        ));
    }
    Ok(())
}

/// Trains through all batches once and returns the mean loss.
fn one_epoch(
    network: &mut TrainedNetwork,
    adam: &mut Adam,
    batches: &Batches<'_>,
    recipe: &Recipe,
    epoch: usize,
) -> Result<f64> {
    let (count, mut sum) = (batches.per_epoch(), 0.0);
    let order = batches.order(epoch);
    for (i, indices) in order.chunks_exact(BATCH).enumerate() {
        let step = epoch * count + i;
        let lr = recipe.lr
            * 0.5
            * (1.0 + (std::f64::consts::PI * step as f64 / (recipe.epochs * count) as f64).cos());
        let (images, targets) = batches.get(indices, step)?;
        let loss = cross_entropy(&network.logits(&images)?, &targets)?;
        let value = f64::from(loss.to_scalar::<f32>()?);
        if !value.is_finite() {
            return Err(Error::Diverged { epoch: epoch + 1, update: i });
        }
        sum += value;
        let gradients = loss.backward()?;
        network.decay(1.0 - lr * recipe.weight_decay)?;
        adam.set_lr(lr);
        adam.step(&gradients)?;
    }
    Ok(sum / count as f64)
}

/// The network as a scorer, and its weights file.
fn folded(spec: &'static ScorerSpec, network: &TrainedNetwork) -> Result<(Scorer, Vec<u8>)> {
    let file = weights::encode(&network.folded()?, None)?;
    Ok((Scorer::from_bytes(spec, "memory", &file)?, file))
}

/// Mean over the batch of `−Σ target · ln p`.
fn cross_entropy(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let shifted = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?.detach())?;
    let log_p = shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(D::Minus1)?.log()?)?;
    Ok(((log_p * targets)?.sum_all()? * (-1.0 / logits.dim(0)? as f64))?)
}

#[cfg(test)]
mod tests {
    use super::batches::tests::toy;
    use super::*;
    use sngan_eval::SCORERS;

    fn recipe() -> Recipe {
        Recipe { epochs: 4, label_smoothing: 0.05, weight_decay: 0.01, ..SCORERS[0].recipe }
    }

    fn training(train: &Images) -> Training<'_> {
        Training { train, validation: None, recipe: recipe(), seed: 1 }
    }

    #[test]
    fn learns_a_toy_and_repeats_its_bytes_also_when_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let (train, test) = (toy(640), toy(100));
        let path = |name: &str| folder.path().join(name);
        let scorer =
            train_scorer(SCORERS[0], &training(&train), &path("whole"), &mut |_| {}).unwrap();
        let accuracy = scorer.accuracy(&test).unwrap();
        assert!(accuracy > 0.95, "{accuracy}");

        // The first two epochs by hand, and the state that a training cut off after them leaves.
        let cut = path("cut");
        let state = State::beside(&cut, Identity::of(SCORERS[0], &training(&train)));
        let batches = Batches::new(SCORERS[0], &training(&train)).unwrap();
        let mut network = TrainedNetwork::new(SCORERS[0], 1).unwrap();
        let config = AdamConfig {
            lr: 1.0,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            epsilon: Epsilon::Corrected,
        };
        let mut adam = Adam::new(config, network.variables()).unwrap();
        for epoch in 0..2 {
            one_epoch(&mut network, &mut adam, &batches, &recipe(), epoch).unwrap();
        }
        state.save(2, &network, &adam).unwrap();

        let mut other = training(&train);
        other.seed = 2;
        let message = train_scorer(SCORERS[0], &other, &cut, &mut |_| {}).unwrap_err().to_string();
        assert!(
            message.contains("another training") && message.contains("cut.training"),
            "{message}"
        );

        let mut lines = Vec::new();
        train_scorer(SCORERS[0], &training(&train), &cut, &mut |line| lines.push(line)).unwrap();
        assert_eq!((lines.len(), lines[0].as_str()), (3, "going on after epoch 2"));
        assert!(
            std::fs::read(&cut).unwrap() == std::fs::read(path("whole")).unwrap(),
            "a resumed training ends in other bytes"
        );
        assert!(!path("cut.training").exists());
    }

    #[test]
    fn refuses_wrong_labels_too_few_images_and_senseless_recipes() {
        let out = Path::new("never-written");
        let message = |training: Training<'_>| {
            train_scorer(SCORERS[0], &training, out, &mut |_| {}).unwrap_err().to_string()
        };
        let (mut wrong, few, good) = (toy(BATCH), toy(10), toy(BATCH));
        wrong.labels[3] = 10;
        assert!(message(training(&wrong)).contains("image 3 has label 10"));
        assert!(message(training(&few)).contains("at least 128"));
        let with = |recipe| Training { recipe, ..training(&good) };
        assert!(message(with(Recipe { epochs: 0, ..recipe() })).starts_with("epochs"));
        assert!(message(with(Recipe { lr: f64::NAN, ..recipe() })).starts_with("lr"));
        assert!(
            message(with(Recipe { weight_decay: -1.0, ..recipe() })).starts_with("weight decay")
        );
        assert!(
            message(with(Recipe { label_smoothing: 1.0, ..recipe() }))
                .starts_with("label smoothing")
        );
        assert!(!out.exists());
    }
}
