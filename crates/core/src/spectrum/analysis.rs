//! Everything that can be said of a discriminator's spectra at one moment: singular values, operator norms, bounds on its Lipschitz constant.

use super::{Boundary, Geometry, circular_norm, entropy, operator_norm};
use crate::batch::Batches;
use crate::checkpoint::Checkpoint;
use crate::model::{Discriminator, Parameters, Place, TensorSource, Weights};
use crate::norm::Iterate;
use crate::{Error, Result};
use candle_core::{DType, Device, Tensor, Var};
use serde::Serialize;
use sngan_data::ImageSource;
use sngan_experiment::RunSpec;
use sngan_experiment::arch::{HeadSpec, LabelHead, LayerKind, LayerSpec, Norm, Pooling, Step};
use sngan_experiment::method::ActsOn;
use sngan_tensor::decomposition::singular_values;
use sngan_tensor::rng::Streams;
use std::collections::BTreeMap;

/// Images per backward pass.
const CHUNK: usize = 32;

/// Singular values of one weight as the matrix `[d_out, rest]`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Spectrum {
    /// In decreasing order.
    pub singular_values: Vec<f64>,
    /// Entropy of `pᵢ = σᵢ²/Σσ²`, nats.
    pub entropy: f64,
    /// exp(entropy): how many directions carry the weight, from 1 to the number of singular values.
    pub effective_rank: f64,
}

impl Spectrum {
    /// Of a weight of two or more dimensions.
    ///
    /// # Errors
    /// As [`singular_values`].
    pub fn of(weight: &Tensor) -> Result<Spectrum> {
        let singular_values = singular_values(weight)?;
        let entropy = entropy(&singular_values.iter().map(|s| s * s).collect::<Vec<_>>());
        Ok(Spectrum { singular_values, entropy, effective_rank: entropy.exp() })
    }

    /// The largest.
    pub fn sigma(&self) -> f64 {
        self.singular_values.first().copied().unwrap_or(0.0)
    }
}

/// One layer of D.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerAnalysis {
    /// Its name, such as `conv0`.
    pub name: String,
    /// Shape of its weight.
    pub shape: Vec<usize>,
    /// W.
    pub raw: Spectrum,
    /// What the layer applies: W̄, or γ·W̄.
    pub effective: Spectrum,
    /// Norm of the layer as an operator on its input, with its stride and zeros beyond the border.
    pub operator_norm: f64,
    /// The same with joined borders, by Fourier transform; for convolutions whose stride divides the side.
    pub circular_norm: Option<f64>,
}

/// Norms of ∇ₓD over images; each is a lower bound of D's Lipschitz constant.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct GradientNorms {
    /// Number of images.
    pub images: usize,
    /// Largest.
    pub largest: f64,
    /// Mean.
    pub mean: f64,
}

/// A discriminator at one checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Analysis {
    /// Generator updates done.
    pub gen_updates: u64,
    /// In the order of a forward pass.
    pub layers: Vec<LayerAnalysis>,
    /// Product of the operator norms, blocks as sums of their branches: an upper bound of D's Lipschitz constant in x. `None` where D has
    /// batch or layer normalization, which no product bounds.
    pub lipschitz_bound: Option<f64>,
    /// From data, where some was given. `None` where D has batch normalization: its output for an image depends on the batch's others.
    pub gradients: Option<GradientNorms>,
}

/// Analyses D of a checkpoint. So many of `images`, chosen by the stream `spectrum` of the run's seed, give the lower bound.
///
/// # Errors
/// A checkpoint or images that do not fit the spec, or weights that are not finite.
pub fn analyse(
    spec: &RunSpec,
    checkpoint: &Checkpoint,
    images: Option<(&dyn ImageSource, usize)>,
) -> Result<Analysis> {
    spec.check_discriminator()?;
    let source = TensorSource::given(&checkpoint.tensors, &Place::new(&Device::Cpu));
    let mut d = Discriminator::new(spec, &source)?;
    let weights = d.weights(Parameters::Frozen, Iterate::Frozen)?;
    let layers = d
        .layers
        .iter()
        .zip(&weights.layers)
        .map(|(layer, w)| layer_analysis(&layer.spec, layer.weight.as_tensor(), &w.effective))
        .collect::<Result<Vec<_>>>()?;
    let norms: BTreeMap<&str, f64> =
        layers.iter().map(|l| (l.name.as_str(), l.operator_norm)).collect();
    let table = spec.layers()?;
    let bound = Bound {
        norms: &norms,
        normalized: match spec.normalization.acts_on() {
            // They divide by what they find in their input, which no bound on the weights holds.
            ActsOn::Maps => true,
            // What divides D's output leaves the network, whose bound this is, as it is.
            ActsOn::Nothing | ActsOn::Weights | ActsOn::Output => false,
        },
    };
    let area = side_after(&table.discriminator, table.side).pow(2);
    let lipschitz_bound = bound
        .steps(&table.discriminator)
        .zip(head_bound(&table.head, area, &d, &weights, &norms)?)
        .map(|(a, b)| a * b);
    let images = images.filter(|_| !spec.normalization.mixes_images());
    let gradients =
        images.map(|(images, n)| gradient_norms(spec, &d, &weights, images, n)).transpose()?;
    Ok(Analysis { gen_updates: checkpoint.gen_updates, layers, lipschitz_bound, gradients })
}

fn layer_analysis(spec: &LayerSpec, raw: &Tensor, effective: &Tensor) -> Result<LayerAnalysis> {
    let (raw_spectrum, effective_spectrum) = (Spectrum::of(raw)?, Spectrum::of(effective)?);
    let [_, height, width] = spec.output;
    let (operator, circular) = match spec.kind {
        LayerKind::Conv { stride, padding, .. } => {
            let input = [height * stride, width * stride];
            let geometry = Geometry { input, stride, padding, boundary: Boundary::Zero };
            let circular = (height == width)
                .then(|| circular_norm(effective, input[0], stride))
                .transpose()?;
            (operator_norm(effective, &geometry)?, circular)
        }
        LayerKind::Deconv { .. } => {
            return Err(Error::Invalid(format!(
                "layer {}: D has no transposed convolutions",
                spec.name
            )));
        }
        LayerKind::Dense { .. } | LayerKind::Embedding { .. } => (effective_spectrum.sigma(), None),
    };
    Ok(LayerAnalysis {
        name: spec.name.clone(),
        shape: raw.dims().to_vec(),
        raw: raw_spectrum,
        effective: effective_spectrum,
        operator_norm: operator,
        circular_norm: circular,
    })
}

/// Upper bounds on the Lipschitz constants of parts of D; activations have at most 1.
struct Bound<'a> {
    norms: &'a BTreeMap<&'a str, f64>,
    /// Whether the method normalizes feature maps where the table gives it a place.
    normalized: bool,
}

impl Bound<'_> {
    fn steps(&self, steps: &[Step]) -> Option<f64> {
        steps.iter().map(|step| self.step(step)).product()
    }

    fn step(&self, step: &Step) -> Option<f64> {
        let linear = |norm: Norm| (!self.normalized || norm != Norm::ByMethod).then_some(1.0);
        match step {
            Step::Layer(layer) => Some(linear(layer.norm)? * self.norms.get(layer.name.as_str())?),
            Step::Point(point) => linear(point.norm),
            // Each pixel stands four times in the output.
            Step::Upsample => Some(2.0),
            // Means of four pixels: of all images of norm 1, flat ones stay largest, with a quarter of the pixels.
            Step::AveragePool => Some(0.5),
            // What is appended does not depend on the image.
            Step::Concat(_) => Some(1.0),
            Step::Block(block) => Some(self.steps(&block.residual)? + self.steps(&block.shortcut)?),
        }
    }
}

/// Of the way from the last feature map, `area` pixels large, to D's output.
fn head_bound(
    head: &HeadSpec,
    area: usize,
    d: &Discriminator,
    weights: &Weights,
    norms: &BTreeMap<&str, f64>,
) -> Result<Option<f64>> {
    let root = (area as f64).sqrt();
    let (features, labels_features) = match head.pooling {
        Pooling::Flatten => (1.0, root),
        Pooling::Sum => (root, root),
        Pooling::Mean => (1.0 / root, 1.0 / root),
    };
    let label = match &head.labels {
        // ⟨e(y), h⟩ has the norm of the label's row at most.
        Some(LabelHead::Projection(layer)) => {
            let found =
                d.layers.iter().zip(&weights.layers).find(|(l, _)| l.spec.name == layer.name);
            found.map(|(_, w)| largest_row(&w.effective)).transpose()?.unwrap_or(0.0)
        }
        // A classifier has outputs of its own.
        Some(LabelHead::Classifier(_)) | None => 0.0,
    };
    Ok(norms.get(head.dense.name.as_str()).map(|dense| features * dense + labels_features * label))
}

/// Side of the feature map that `steps` make of one of `side` pixels.
fn side_after(steps: &[Step], side: usize) -> usize {
    steps.iter().fold(side, |side, step| match step {
        Step::Layer(layer) => layer.output[1],
        Step::Upsample => 2 * side,
        Step::AveragePool => side / 2,
        Step::Block(block) => side_after(&block.residual, side),
        Step::Point(_) | Step::Concat(_) => side,
    })
}

fn largest_row(matrix: &Tensor) -> Result<f64> {
    Ok(matrix.to_dtype(DType::F64)?.sqr()?.sum(1)?.max(0)?.to_scalar::<f64>()?.sqrt())
}

fn gradient_norms(
    spec: &RunSpec,
    d: &Discriminator,
    weights: &Weights,
    images: &dyn ImageSource,
    n: usize,
) -> Result<GradientNorms> {
    if images.side() != spec.side || images.is_empty() {
        return Err(Error::Invalid(format!(
            "`{}` has side {}; the spec needs side {}",
            images.name(),
            images.side(),
            spec.side
        )));
    }
    let streams = Streams::new(spec.seed);
    let mut chosen = streams.permutation("spectrum", 0, images.len());
    chosen.truncate(n);
    let place = Place::new(&Device::Cpu);
    let mut norms = Vec::with_capacity(chosen.len());
    for (index, chosen) in chosen.chunks(CHUNK).enumerate() {
        let batches = Batches::new(images, streams, spec.pixels);
        let real =
            batches.of(chosen, "spectrum.dequantize", index as u64, spec.n_classes, &place)?;
        let x = Var::from_tensor(&real.images)?;
        let grads = d
            .forward(weights, x.as_tensor(), real.labels.as_ref())?
            .outputs
            .sum_all()?
            .backward()?;
        let g = grads
            .get(&x)
            .ok_or_else(|| Error::Invalid("D's output does not depend on its input".into()))?;
        norms.extend(
            g.flatten_from(1)?.to_dtype(DType::F64)?.sqr()?.sum(1)?.sqrt()?.to_vec1::<f64>()?,
        );
    }
    let mean = norms.iter().sum::<f64>() / norms.len().max(1) as f64;
    Ok(GradientNorms { images: norms.len(), largest: norms.into_iter().fold(0.0, f64::max), mean })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trainer::{Trainer, made_up_images};
    use sngan_experiment::arch::{Architecture, Conditioning};
    use sngan_experiment::method::Method;

    fn analysis(spec: &RunSpec) -> Analysis {
        let images = made_up_images(spec.side, spec.n_classes).unwrap();
        let mut trainer = Trainer::new(spec, &images, &Place::new(&Device::Cpu)).unwrap();
        trainer.update(false).unwrap();
        let checkpoint = Checkpoint {
            gen_updates: 1,
            metadata: trainer.metadata(),
            tensors: trainer.state().unwrap(),
        };
        analyse(spec, &checkpoint, Some((&images, 16))).unwrap()
    }

    fn tiny(method: Method) -> RunSpec {
        RunSpec { side: 16, width_divisor: 16, batch: 4, gen_batch: 4, ..RunSpec::paper(method) }
    }

    #[test]
    fn no_input_gradient_exceeds_the_product_of_the_operator_norms() {
        let resnet = |conditioning, n_classes| RunSpec {
            architecture: Architecture::ResnetCifar10,
            conditioning,
            n_classes,
            ..tiny(Method::Sn)
        };
        let specs = [
            tiny(Method::Sn),
            tiny(Method::WganGp),
            resnet(Conditioning::None, 0),
            resnet(Conditioning::Projection, 3),
            resnet(Conditioning::Concat, 3),
        ];
        for spec in specs {
            let a = analysis(&spec);
            let (bound, g) = (a.lipschitz_bound.unwrap(), a.gradients.unwrap());
            assert!(
                0.0 < g.mean && g.mean <= g.largest && g.largest <= bound * (1.0 + 1e-5),
                "{:?}: {g:?}, {bound}",
                spec.architecture
            );
            assert_eq!(g.images, 16);
        }
    }

    #[test]
    fn feature_normalization_has_no_bound() {
        let (batch, layer) =
            (analysis(&tiny(Method::BatchNorm)), analysis(&tiny(Method::LayerNorm)));
        assert!(batch.lipschitz_bound.is_none() && batch.gradients.is_none());
        assert!(layer.lipschitz_bound.is_none() && layer.gradients.is_some());
    }

    #[test]
    fn the_effective_rank_counts_equal_directions() {
        let spectrum = |diagonal: &[f64]| {
            let n = diagonal.len();
            let values = (0..n * n)
                .map(|i| if i % (n + 1) == 0 { diagonal[i / (n + 1)] } else { 0.0 })
                .collect::<Vec<_>>();
            Spectrum::of(&Tensor::from_vec(values, (n, n), &Device::Cpu).unwrap()).unwrap()
        };
        assert!((spectrum(&[2.0, 2.0, 2.0]).effective_rank - 3.0).abs() < 1e-12);
        assert!((spectrum(&[0.0, 5.0, 0.0]).effective_rank - 1.0).abs() < 1e-12);
        assert_eq!(spectrum(&[0.0, 0.0]).effective_rank, 1.0);
        assert_eq!(spectrum(&[1.0, 3.0]).sigma(), 3.0);
    }
}
