//! What a reduced width does to weights without normalization, and what corrects it.
//!
//! N(0, 0.02²) and weight clipping's bound are absolute numbers, chosen for the full width. A layer
//! with fan-in n and weights of standard deviation s multiplies its input's mean square by
//! n·s²·0.505 (leaky ReLU of slope 0.1), and the gradient's by the same factor in the backward
//! pass. With n/k in place of n the gain falls by √k in each layer. A normalization removes this
//! factor, so a reduced width would be a disadvantage only for the methods without one. W·√k, with
//! W as at full width, has the full width's gain, and Adam's absolute step has the full width's
//! relative size.

use super::RunSpec;
use crate::arch::{LabelHead, LayerKind, LayerSpec, Norm, Step};
use crate::method::ActsOn;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Corrects for a fan-in that `width_divisor` divided by k, in D's layers that start from a normal
/// distribution of fixed standard deviation and have no normalization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WidthCorrection {
    /// Nothing.
    None,
    /// Only the initial weights times √k: relative to the weights, Adam's steps are then √k times
    /// smaller than at full width.
    InitialStd,
    /// The layer applies √k·W; the initial W is unchanged. With γ (Eq. 32), its initial value is
    /// multiplied instead.
    Multiplier,
}

/// How a width correction changes weight clipping's bound on the weights that a corrected layer
/// applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClipCorrection {
    /// It is `clip`.
    None,
    /// `clip`·√k: the bound's ratio to the initial standard deviation is the full width's.
    Root,
    /// `clip`·k: the bound on the layer's gain for an aligned signal is the full width's.
    Full,
}

/// The factors of one layer of D; all are 1 where nothing is corrected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerCorrection {
    /// Of W, or of the normalized weight, in every forward pass.
    pub forward: f64,
    /// Of the initial W.
    pub initial: f64,
    /// Of the initial γ.
    pub gamma: f64,
    /// Of weight clipping's bound on W itself.
    pub clip: f64,
}

impl LayerCorrection {
    /// The factors of a layer that needs no correction.
    pub const NONE: LayerCorrection =
        LayerCorrection { forward: 1.0, initial: 1.0, gamma: 1.0, clip: 1.0 };
}

/// Inputs that one output of the layer sums over.
fn fan_in(layer: &LayerSpec) -> usize {
    match layer.kind {
        LayerKind::Dense { input, .. } => input,
        LayerKind::Conv { input, kernel, .. } | LayerKind::Deconv { input, kernel, .. } => {
            input * kernel * kernel
        }
        LayerKind::Embedding { dim, .. } => dim,
    }
}

/// D's layers that sum over inputs; an appended embedding is a lookup, not a sum.
fn summing(steps: &[Step]) -> Vec<&LayerSpec> {
    steps
        .iter()
        .flat_map(|step| match step {
            Step::Layer(layer) => vec![layer],
            Step::Block(block) => [summing(&block.residual), summing(&block.shortcut)].concat(),
            Step::Concat(_) | Step::Point(_) | Step::Upsample | Step::AveragePool => Vec::new(),
        })
        .collect()
}

impl RunSpec {
    /// By layer name, √k for D's layers whose fan-in the divisor reduced and whose weights start
    /// from N(0, s²) with a fixed s.
    fn cut_layers(&self) -> Result<BTreeMap<String, (LayerSpec, f64)>> {
        let (here, full) = (self.layers()?, RunSpec { width_divisor: 1, ..self.clone() }.layers()?);
        let of = |arch: &crate::arch::ArchSpec| -> Vec<LayerSpec> {
            let labels = arch.head.labels.as_ref().map(LabelHead::layer);
            let head = std::iter::once(&arch.head.dense).chain(labels);
            summing(&arch.discriminator).into_iter().chain(head).cloned().collect()
        };
        Ok(of(&here)
            .into_iter()
            .zip(of(&full))
            .filter(|(layer, full)| layer.init.has_fixed_std() && fan_in(full) > fan_in(layer))
            .map(|(layer, full)| {
                let root = (fan_in(&full) as f64 / fan_in(&layer) as f64).sqrt();
                (layer.name.clone(), (layer, root))
            })
            .collect())
    }

    /// Whether the method normalizes the output of `layer`, or its weight.
    fn normalizes(&self, layer: &LayerSpec) -> bool {
        match self.normalization.acts_on() {
            ActsOn::Nothing | ActsOn::Output => false,
            ActsOn::Maps => layer.norm == Norm::ByMethod,
            ActsOn::Weights => true,
        }
    }

    /// The correction of D's layers by name; layers not in the map are not corrected.
    ///
    /// # Errors
    /// As [`RunSpec::layers`].
    pub fn width_corrections(&self) -> Result<BTreeMap<String, LayerCorrection>> {
        // Orthonormal operators already scale with the fan-in, like Glorot's standard deviation.
        if self.width_correction == WidthCorrection::None
            || self.width_divisor == 1
            || self.regularizer.starts_orthonormal()
        {
            return Ok(BTreeMap::new());
        }
        let correction = |layer: &LayerSpec, root: f64| {
            let mut factors = LayerCorrection::NONE;
            match (self.normalizes(layer), self.width_correction) {
                (true, WidthCorrection::Multiplier) if self.gamma => factors.gamma = root,
                (true, _) | (false, WidthCorrection::None) => return None,
                (false, WidthCorrection::InitialStd) => factors.initial = root,
                (false, WidthCorrection::Multiplier) => factors.forward = root,
            }
            let bound = match self.clip_correction {
                ClipCorrection::None => 1.0,
                ClipCorrection::Root => root,
                ClipCorrection::Full => root * root,
            };
            factors.clip = bound / factors.forward;
            Some(factors)
        };
        Ok(self
            .cut_layers()?
            .into_iter()
            .filter_map(|(name, (layer, root))| Some((name, correction(&layer, root)?)))
            .collect())
    }

    /// What D's layer `name` is multiplied by: its width correction, as `corrections` has it, and the
    /// scale of normalized weights.
    pub fn layer_factors(
        &self,
        corrections: &BTreeMap<String, LayerCorrection>,
        name: &str,
    ) -> LayerCorrection {
        let factors = corrections.get(name).copied().unwrap_or(LayerCorrection::NONE);
        LayerCorrection { forward: factors.forward * self.weight_scale, ..factors }
    }

    /// Whether the width is reduced and not corrected, though [`WidthCorrection::Multiplier`] would change the run.
    pub fn lacks_correction(&self) -> bool {
        let corrected = RunSpec { width_correction: WidthCorrection::Multiplier, ..self.clone() };
        // Invalid sizes are refused elsewhere.
        self.width_correction == WidthCorrection::None
            && corrected.width_corrections().is_ok_and(|layers| !layers.is_empty())
    }

    /// Sets a correction that changes nothing in this run to `none`, so that it enters no identity.
    ///
    /// # Errors
    /// As [`RunSpec::layers`].
    pub fn settle(&mut self) -> Result<()> {
        if self.width_corrections()?.is_empty() {
            self.width_correction = WidthCorrection::None;
        }
        if self.width_correction == WidthCorrection::None || !self.regularizer.clips() {
            self.clip_correction = ClipCorrection::None;
        }
        Ok(())
    }

    /// Refuses a correction that changes nothing, because the same run would have two identities.
    pub(super) fn validate_width(&self) -> Result<()> {
        let mut settled = self.clone();
        settled.settle()?;
        for (key, differs) in [
            ("width_correction", settled.width_correction != self.width_correction),
            ("clip_correction", settled.clip_correction != self.clip_correction),
        ] {
            if differs {
                return Err(Error::invalid(key, "changes nothing of this run; it must be `none`"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::{Architecture, Conditioning};
    use crate::method::{Method, Normalization};

    fn corrected(method: Method) -> RunSpec {
        RunSpec {
            width_divisor: 4,
            width_correction: WidthCorrection::Multiplier,
            clip_correction: ClipCorrection::Full,
            ..RunSpec::paper(method)
        }
    }

    fn layers(spec: &RunSpec) -> Vec<String> {
        spec.width_corrections().unwrap().into_keys().collect()
    }

    const ALL: [&str; 7] = ["conv1", "conv2", "conv3", "conv4", "conv5", "conv6", "dense"];

    #[test]
    fn layers_without_normalization_are_corrected_but_for_the_first() {
        for method in [Method::WeightClipping, Method::WganGp, Method::GanGp, Method::Vanilla] {
            assert_eq!(layers(&corrected(method)), ALL);
        }
        for method in [Method::BatchNorm, Method::LayerNorm] {
            assert_eq!(layers(&corrected(method)), ["dense"]);
        }
        for factors in corrected(Method::Vanilla).width_corrections().unwrap().values() {
            assert_eq!(
                *factors,
                LayerCorrection { forward: 2.0, clip: 2.0, ..LayerCorrection::NONE }
            );
        }
        let clip = |clip_correction| {
            let spec = RunSpec { clip_correction, ..corrected(Method::WeightClipping) };
            spec.width_corrections().unwrap()["conv3"].clip
        };
        use ClipCorrection as C;
        assert_eq!([C::None, C::Root, C::Full].map(clip), [0.5, 1.0, 2.0]);
    }

    #[test]
    fn gamma_is_corrected_where_weights_are_normalized() {
        let spec = RunSpec {
            normalization: Normalization::Spectral,
            gamma: true,
            ..corrected(Method::WganGp)
        };
        let found = spec.width_corrections().unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), ALL.iter().collect::<Vec<_>>());
        assert!(found.values().all(|f| f.gamma == 2.0 && f.forward == 1.0 && f.initial == 1.0));
    }

    #[test]
    fn embeddings_that_are_multiplied_are_corrected_and_appended_ones_are_not() {
        let with =
            |conditioning| RunSpec { conditioning, n_classes: 10, ..corrected(Method::Vanilla) };
        assert!(layers(&with(Conditioning::Projection)).contains(&"embedding".to_string()));
        assert!(!layers(&with(Conditioning::Concat)).contains(&"embedding".to_string()));
    }

    #[test]
    fn widths_that_a_row_multiplies_are_no_cut() {
        let spec =
            RunSpec { dis_width_factor: 1.5, last_conv_factor: 2.0, ..corrected(Method::Vanilla) };
        assert!(spec.width_corrections().unwrap().values().all(|f| f.forward == 2.0));
    }

    /// The correction alone does not change the identity of SN, WN, Frobenius and orthonormal rows,
    /// of ResNets, or of any run at full width.
    #[test]
    fn where_nothing_changes_the_spec_says_none() {
        let unchanged =
            [Method::Sn, Method::WeightNorm, Method::FrobeniusNorm, Method::Orthonormal];
        let resnet =
            RunSpec { architecture: Architecture::ResnetCifar10, ..corrected(Method::WganGp) };
        let full = Method::ALL.map(|m| RunSpec { width_divisor: 1, ..corrected(m) });
        for mut spec in unchanged.map(corrected).into_iter().chain(full).chain([resnet]) {
            let plain = RunSpec {
                width_correction: WidthCorrection::None,
                clip_correction: ClipCorrection::None,
                ..spec.clone()
            };
            assert!(spec.validate().unwrap_err().to_string().contains("width_correction"));
            spec.settle().unwrap();
            assert_eq!((spec.id(), &spec), (plain.id(), &plain));
            spec.validate().unwrap();
        }
        let mut clipped = corrected(Method::WeightClipping);
        clipped.settle().unwrap();
        assert_eq!(clipped, corrected(Method::WeightClipping));
        let mut penalized = corrected(Method::WganGp);
        penalized.settle().unwrap();
        assert_eq!(penalized.clip_correction, ClipCorrection::None);
        assert_eq!(penalized.width_correction, WidthCorrection::Multiplier);
    }
}
