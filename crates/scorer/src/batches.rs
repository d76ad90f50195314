//! What an update learns from: augmented images and their target probabilities.

use crate::{BATCH, Error, Result, Training};
use candle_core::{Device, Tensor};
use sngan_data::Images;
use sngan_eval::ScorerSpec;
use sngan_tensor::rng::Streams;
use std::borrow::Cow;

/// Training images at the scorer's side, with their random streams.
pub(crate) struct Batches<'a> {
    spec: &'static ScorerSpec,
    images: Cow<'a, Images>,
    streams: Streams,
    shift: usize,
    label_smoothing: f64,
}

impl<'a> Batches<'a> {
    /// # Errors
    /// Fewer images than a batch, or a label without a class.
    pub(crate) fn new(spec: &'static ScorerSpec, training: &Training<'a>) -> Result<Batches<'a>> {
        let images = training.train;
        if images.len() < BATCH {
            return Err(Error::input(
                "training images",
                format!("are {}; at least {BATCH} are needed", images.len()),
            ));
        }
        if let Some(i) = images.labels.iter().position(|&l| l as usize >= spec.classes) {
            let reason =
                format!("image {i} has label {}; labels are 0..{}", images.labels[i], spec.classes);
            return Err(Error::input("training images", reason));
        }
        let images = if images.side == spec.side {
            Cow::Borrowed(images)
        } else {
            Cow::Owned(images.resize(spec.side))
        };
        let (shift, label_smoothing) = (training.recipe.shift, training.recipe.label_smoothing);
        Ok(Batches { spec, images, streams: Streams::new(training.seed), shift, label_smoothing })
    }

    /// Whole batches of an epoch.
    pub(crate) fn per_epoch(&self) -> usize {
        self.images.len() / BATCH
    }

    /// The order in which an epoch shows the images; stream `order`.
    pub(crate) fn order(&self, epoch: usize) -> Vec<u32> {
        self.streams.permutation("order", epoch as u64, self.images.len())
    }

    /// Augmented images `[B, channels, side, side]` and target probabilities `[B, classes]` of update `step`; stream `augment`.
    pub(crate) fn get(&self, indices: &[u32], step: usize) -> Result<(Tensor, Tensor)> {
        let (n, side, classes, input) =
            (indices.len(), self.spec.side, self.spec.classes, self.spec.input);
        let one = input.channels() * side * side;
        let noise = self.streams.uniform("augment", step as u64, 3 * n);
        let smooth = self.label_smoothing as f32;
        let mut images = vec![input.blank(); n * one];
        let mut targets = vec![smooth / classes as f32; n * classes];
        for (row, &index) in indices.iter().enumerate() {
            let move_ = Move::of(&noise[3 * row..][..3], self.shift);
            let source = input.floats(self.images.image(index as usize), side * side);
            let target = &mut images[row * one..][..one];
            for (from, to) in
                source.chunks_exact(side * side).zip(target.chunks_exact_mut(side * side))
            {
                move_.apply(from, to, side);
            }
            targets[row * classes + self.images.labels[index as usize] as usize] += 1.0 - smooth;
        }
        let images = Tensor::from_vec(images, (n, input.channels(), side, side), &Device::Cpu)?;
        Ok((images, Tensor::from_vec(targets, (n, classes), &Device::Cpu)?))
    }
}

/// An augmentation: a horizontal flip, and a shift in pixels.
struct Move {
    flip: bool,
    dx: isize,
    dy: isize,
}

impl Move {
    /// A flip with probability 1/2 and a shift of −`reach`..=`reach` pixels each way, from three numbers in [0, 1).
    fn of(noise: &[f32], reach: usize) -> Move {
        let shift = |u: f32| ((2 * reach + 1) as f32 * u) as isize - reach as isize;
        Move { flip: noise[0] < 0.5, dx: shift(noise[1]), dy: shift(noise[2]) }
    }

    /// One plane; `target` comes blank and stays so where the source has nothing.
    fn apply(&self, source: &[f32], target: &mut [f32], side: usize) {
        let inside = |v: isize| usize::try_from(v).ok().filter(|v| *v < side);
        for y in 0..side {
            let Some(sy) = inside(y as isize + self.dy) else { continue };
            for x in 0..side {
                let mirrored = if self.flip { side - 1 - x } else { x };
                if let Some(sx) = inside(mirrored as isize + self.dx) {
                    target[y * side + x] = source[sy * side + sx];
                }
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use sngan_eval::{Recipe, SCORERS};

    /// Two easily told classes of 16x16 images: bright left or bright top half, with noise.
    pub(crate) fn toy(n: usize) -> Images {
        const SIDE: usize = 16;
        let noise = Streams::new(9).uniform("toy", 0, n * SIDE * SIDE);
        let mut pixels = Vec::new();
        for i in 0..n {
            for _ in 0..3 {
                let bright =
                    |p: usize| if i % 2 == 0 { p % SIDE < SIDE / 2 } else { p / SIDE < SIDE / 2 };
                let value = |p: usize| {
                    (if bright(p) { 150.0 } else { 0.0 } + 100.0 * noise[i * SIDE * SIDE + p]) as u8
                };
                pixels.extend((0..SIDE * SIDE).map(value));
            }
        }
        Images {
            name: "toy".into(),
            side: SIDE,
            pixels,
            labels: (0..n as u32).map(|i| i % 2).collect(),
            classes: Vec::new(),
            reading: Default::default(),
        }
    }

    #[test]
    fn augmentation_flips_and_shifts() {
        const SIDE: usize = 8;
        let source: Vec<f32> = (0..SIDE * SIDE).map(|i| i as f32).collect();
        let apply = |noise: [f32; 3], reach: usize| {
            let mut target = vec![-1.0; SIDE * SIDE];
            Move::of(&noise, reach).apply(&source, &mut target, SIDE);
            target
        };
        assert_eq!(apply([0.9, 0.5, 0.5], 1), source);
        assert_eq!(apply([0.1, 0.5, 0.5], 4)[0], (SIDE - 1) as f32);
        let shifted = apply([0.9, 0.0, 0.9], 1);
        assert_eq!((shifted[0], shifted[1], shifted[SIDE * SIDE - 1]), (-1.0, SIDE as f32, -1.0));
        assert_eq!(apply([0.9, 0.0, 0.99], 4)[4], (4 * SIDE) as f32);
    }

    #[test]
    fn targets_are_probabilities_and_a_batch_depends_on_its_update_alone() {
        let images = toy(256);
        for (label_smoothing, largest) in [(0.0, 1.0), (0.1, 0.91)] {
            let recipe = Recipe { label_smoothing, ..SCORERS[0].recipe };
            let batches = Batches::new(
                SCORERS[0],
                &Training { train: &images, validation: None, recipe, seed: 3 },
            )
            .unwrap();
            let order = batches.order(1);
            let (x, targets) = batches.get(&order[..BATCH], 5).unwrap();
            let targets: Vec<Vec<f32>> = targets.to_vec2().unwrap();
            for (row, index) in targets.iter().zip(&order) {
                assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6);
                assert!((row[*index as usize % 2] - largest).abs() < 1e-6);
            }
            let all = |x: Tensor| x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let again = batches.get(&order[..BATCH], 5).unwrap().0;
            let other = batches.get(&order[..BATCH], 6).unwrap().0;
            let x = all(x);
            assert!(x == all(again) && x != all(other));
        }
    }
}
