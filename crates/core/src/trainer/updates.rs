//! One update of G and one of D, each in one piece or in micro-batches whose gradients are added up.

use super::engine::{DiscriminatorInputs, GeneratorInputs};
use super::scores::{self, OfGenerator, Outputs, Scores, host, weighted_sum};
use super::{Details, Networks, Update};
use crate::batch::Real;
use crate::model::{Labels, Mode, Parameters, Weights};
use crate::norm::Iterate;
use crate::{Result, loss, regularizer};
use candle_core::backprop::GradStore;
use candle_core::{DType, Tensor, Var};
use sngan_experiment::PowerIteration;

/// The pieces of a batch.
struct Pieces {
    size: usize,
    count: usize,
}

impl Pieces {
    /// `micro` images each; 0 for all of them in one piece.
    fn of(batch: usize, micro: usize) -> Pieces {
        let size = if micro == 0 { batch } else { micro };
        Pieces { size, count: batch / size }
    }

    /// A piece's weight in the mean over the batch.
    fn share(&self) -> f64 {
        1.0 / self.count as f64
    }

    fn tensor(&self, whole: &Tensor, i: usize) -> Result<Tensor> {
        if self.count == 1 {
            Ok(whole.clone())
        } else {
            Ok(whole.narrow(0, i * self.size, self.size)?)
        }
    }

    fn labels(&self, whole: Option<&Labels>, i: usize) -> Result<Option<Labels>> {
        whole.map(|labels| labels.narrow(i * self.size, self.size)).transpose()
    }
}

/// The images of one forward pass of D, with their classes.
#[derive(Clone, Copy)]
pub(super) struct Side<'a> {
    pub(super) images: &'a Tensor,
    pub(super) labels: Option<&'a Labels>,
}

impl Networks {
    /// One generator update; returns the norm of its gradient, where `detailed`.
    pub(super) fn update_generator(
        &mut self,
        inputs: &GeneratorInputs,
        update: &mut Update,
        detailed: bool,
    ) -> Result<f64> {
        let iterate = if self.iterates_per_forward() { Iterate::Once } else { Iterate::Frozen };
        let pieces = Pieces::of(self.spec.gen_batch, self.spec.gen_micro_batch);
        let (z, labels) = (&inputs.z, inputs.labels.as_ref());
        let (vars, mut sum) = (self.generator.vars(), None);
        (update.loss_g, update.loss_class_g) = (0.0, None);
        let mut weights = self.discriminator.weights(Parameters::Frozen, iterate)?;
        for i in 0..pieces.count {
            if i > 0 && self.iterates_per_forward() {
                weights = self.discriminator.weights(Parameters::Frozen, iterate)?;
            }
            let labels = pieces.labels(labels, i)?;
            let fake = self.generator.forward(
                &pieces.tensor(z, i)?,
                labels.as_ref(),
                Parameters::Tracked,
                Mode::Train,
            )?;
            let real = inputs.real.as_ref().map(|real| self.paired(&weights, real, &pieces, i));
            let fake = Side { images: &fake, labels: labels.as_ref() };
            let share = pieces.share();
            let total = self.generator_loss(&weights, fake, real.transpose()?, share, update)?;
            sum = Some(added(sum, total.backward()?, &vars)?);
        }
        let Some(grads) = sum else { return Ok(0.0) };
        self.adam_g.step(&grads)?;
        if detailed { norm(&grads, &vars) } else { Ok(0.0) }
    }

    /// D's outputs on the real images of piece `i` of an update of G, which a loss of pairs compares with: constants of the graph.
    fn paired(
        &self,
        weights: &Weights,
        real: &Real,
        pieces: &Pieces,
        i: usize,
    ) -> Result<Vec<f64>> {
        let labels = pieces.labels(real.labels.as_ref(), i)?;
        let images = pieces.tensor(&real.images, i)?;
        scores::values(&self.spec, &self.discriminator, weights, &images, labels.as_ref())
    }

    /// G's loss on one piece, `share` of the update's; `real` are D's outputs on as many real images, for a loss of pairs.
    fn generator_loss(
        &self,
        weights: &Weights,
        fake: Side<'_>,
        real: Option<Vec<f64>>,
        share: f64,
        update: &mut Update,
    ) -> Result<Tensor> {
        let Side { images, labels } = fake;
        let outputs = OfGenerator::new(&self.spec, &self.discriminator, weights, images, labels)?;
        let loss = loss::generator_beside(self.spec.loss, &outputs.values()?, real.as_deref());
        update.loss_g += share * loss.value;
        let mut total = outputs.weighted(&loss.grad, share)?;
        if let (Some(logits), Some(labels)) = (&outputs.logits, labels) {
            let (value, term) = classification(logits, labels, share * self.spec.ac_gen_weight)?;
            *update.loss_class_g.get_or_insert(0.0) += share * value;
            total = (total + term)?;
        }
        Ok(total)
    }

    /// One discriminator update; where `details` are wanted, with its measurements.
    pub(super) fn update_discriminator(
        &mut self,
        inputs: &DiscriminatorInputs,
        update: &mut Update,
        details: Option<&mut Details>,
    ) -> Result<()> {
        let DiscriminatorInputs {
            real: Real { images, labels },
            z,
            fake_labels,
            epsilon,
            noise,
            ..
        } = inputs;
        let pieces = Pieces::of(self.spec.batch, self.spec.dis_micro_batch);
        let (vars, mut sum, mut weights) = (self.discriminator.vars(), None, None);
        (update.loss_d, update.loss_reg, update.d_real, update.d_fake, update.loss_class_d) =
            (0.0, 0.0, 0.0, 0.0, None);
        update.grad_norm_x_hat = None;
        for i in 0..pieces.count {
            let (z, labels, fake_labels) = (
                pieces.tensor(z, i)?,
                pieces.labels(labels.as_ref(), i)?,
                pieces.labels(fake_labels.as_ref(), i)?,
            );
            let fake = self
                .generator
                .forward(&z, fake_labels.as_ref(), Parameters::Frozen, Mode::Train)?
                .detach();
            let mut w = match weights.take() {
                Some(w) if !self.iterates_per_forward() => w,
                _ => self.discriminator.weights(Parameters::Tracked, Iterate::Once)?,
            };
            let real = Side { images: &pieces.tensor(images, i)?, labels: labels.as_ref() };
            let fake = Side { images: &fake, labels: fake_labels.as_ref() };
            let mut total = self.discriminator_loss(&mut w, real, fake, pieces.share(), update)?;
            let of_piece = |t: &Option<Tensor>| t.as_ref().map(|t| pieces.tensor(t, i)).transpose();
            let drawn = (of_piece(epsilon)?, of_piece(noise)?);
            if let Some(term) = self.regularizer(&mut w, real, fake, drawn, &pieces, update)? {
                total = (total + term)?;
            }
            sum = Some(added(sum, total.backward()?, &vars)?);
            weights = Some(w);
        }
        let (Some(grads), Some(weights)) = (sum, weights) else {
            return Err(crate::Error::Invalid("an update of D had no images".into()));
        };
        if let Some(details) = details {
            // Before the step: a weight without normalization is the variable itself, which the step changes.
            details.set_spectra(self.discriminator.spectra(&weights));
            details.grad_norm_d = norm(&grads, &vars)?;
        }
        self.adam_d.step(&grads)?;
        regularizer::after_step(&self.spec, &self.discriminator, self.adam_d.steps())
    }

    /// D's adversarial loss, and the classifier's on real images, on one piece: `share` of the update's.
    fn discriminator_loss(
        &mut self,
        weights: &mut Weights,
        real: Side<'_>,
        fake: Side<'_>,
        share: f64,
        update: &mut Update,
    ) -> Result<Tensor> {
        let outputs = self.real_and_fake(weights, real, fake)?;
        let (host_real, host_fake) = outputs.values()?;
        let loss = loss::discriminator(self.spec.loss, &host_real, &host_fake);
        update.loss_d += share * loss.value;
        update.d_real += share * mean(&host_real);
        update.d_fake += share * mean(&host_fake);
        let mut total = outputs.weighted(&self.discriminator, weights, &loss, share)?;
        if let (Some(logits), Some(labels)) = (&outputs.logits, real.labels) {
            let (value, term) = classification(logits, labels, share * self.spec.ac_dis_weight)?;
            *update.loss_class_d.get_or_insert(0.0) += share * value;
            total = (total + term)?;
        }
        Ok(total)
    }

    /// Whether the power iteration runs at each training forward of D.
    fn iterates_per_forward(&self) -> bool {
        match self.spec.power_iteration {
            PowerIteration::PerForward => self.spec.normalization.iterates(),
            PowerIteration::PerUpdate => false,
        }
    }

    /// D(x) and D(G(z)): one batch where the result is the same, two passes (real first) where it is not.
    fn real_and_fake(
        &mut self,
        weights: &mut Weights,
        real: Side<'_>,
        fake: Side<'_>,
    ) -> Result<Outputs> {
        if !self.iterates_per_forward() && !self.spec.normalization.mixes_images() {
            let n = real.images.dim(0)?;
            let labels = match (real.labels, fake.labels) {
                (Some(real), Some(fake)) => Some(real.join(fake)?),
                _ => None,
            };
            let images = Tensor::cat(&[real.images, fake.images], 0)?;
            let both = Side { images: &images, labels: labels.as_ref() };
            if let Some(outputs) =
                Outputs::normalized(&self.spec, &self.discriminator, weights, both)?
            {
                return Ok(outputs);
            }
            let both = self.discriminator.forward(weights, &images, labels.as_ref())?;
            let logits = both.logits.map(|l| l.narrow(0, 0, n)).transpose()?;
            let (real, fake) = (both.outputs.narrow(0, 0, n)?, both.outputs.narrow(0, n, n)?);
            return Ok(Outputs { scores: Scores::Plain { real, fake }, logits });
        }
        let of_real = self.discriminator.forward(weights, real.images, real.labels)?;
        if self.iterates_per_forward() {
            *weights = self.discriminator.weights(Parameters::Tracked, Iterate::Once)?;
        }
        let of_fake = self.discriminator.forward(weights, fake.images, fake.labels)?;
        let scores = Scores::Plain { real: of_real.outputs, fake: of_fake.outputs };
        Ok(Outputs { scores, logits: of_real.logits })
    }

    /// The regularizer's scalar in the graph, on one piece: its share of the update's.
    fn regularizer(
        &mut self,
        weights: &mut Weights,
        real: Side<'_>,
        fake: Side<'_>,
        (epsilon, noise): (Option<Tensor>, Option<Tensor>),
        pieces: &Pieces,
        update: &mut Update,
    ) -> Result<Option<Tensor>> {
        // It passes through D once more.
        if self.spec.regularizer.penalizes_gradient() && self.iterates_per_forward() {
            *weights = self.discriminator.weights(Parameters::Tracked, Iterate::Once)?;
        }
        let piece = regularizer::Piece {
            discriminator: &self.discriminator,
            arm: self.place.arm,
            weights,
            real: real.images,
            labels: real.labels,
            fake: fake.images,
            fake_labels: fake.labels,
            epsilon: epsilon.as_ref(),
            noise: noise.as_ref(),
            share: pieces.share(),
        };
        let Some(term) = regularizer::term(&self.spec, &piece)? else { return Ok(None) };
        update.loss_reg += term.value;
        if let Some(norm) = term.grad_norm {
            *update.grad_norm_x_hat.get_or_insert(0.0) += norm;
        }
        Ok(Some(term.surrogate))
    }
}

/// The classifier's cross-entropy, and the scalar of the graph whose gradient is `weight` times its own.
fn classification(logits: &Tensor, labels: &Labels, weight: f64) -> Result<(f64, Tensor)> {
    let loss = loss::cross_entropy(&host(&logits.flatten_all()?)?, labels.classes());
    Ok((loss.value, weighted_sum(&logits.flatten_all()?, &loss.grad, weight)?))
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The sum of two gradients in `vars`; `next` as it is, where it is the first.
fn added(sum: Option<GradStore>, mut next: GradStore, vars: &[(String, Var)]) -> Result<GradStore> {
    let Some(sum) = sum else { return Ok(next) };
    for (_, var) in vars {
        let both = match (sum.get(var), next.get(var)) {
            (Some(a), Some(b)) => (a + b)?,
            (Some(a), None) => a.clone(),
            (None, _) => continue,
        };
        next.insert(var, both);
    }
    Ok(next)
}

/// ℓ2 norm of the gradient in `vars`.
fn norm(grads: &GradStore, vars: &[(String, Var)]) -> Result<f64> {
    let mut square = 0.0;
    for (_, var) in vars {
        if let Some(g) = grads.get(var) {
            square += g.to_dtype(DType::F64)?.sqr()?.sum_all()?.to_scalar::<f64>()?;
        }
    }
    Ok(square.sqrt())
}
