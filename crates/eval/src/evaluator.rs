//! Scores under a stated protocol: one backbone, one reference, one number of splits.

use crate::fid::{Moments, frechet_distance};
use crate::inception_score::inception_score;
use crate::network::{CLASSES, FEATURES, SIDE};
use crate::{Error, Result, Scorer};
use sngan_core::rng::Streams;
use sngan_data::Images;
use sngan_experiment::ScorePlan;
use sngan_experiment::records::{FORMAT_VERSION, Protocol, ScoreRecord, finite};

/// Seed of the choice of real images for the ceiling; part of the protocol.
const CEILING_SEED: u64 = 0;

/// Scores byte images against one reference. One serves all runs of a sweep, from any thread.
#[derive(Debug)]
pub struct Evaluator {
    scorer: Scorer,
    reference: Moments,
    side: usize,
    /// The protocol but for `n_samples`, which each score stamps with its own.
    protocol: Protocol,
}

impl Evaluator {
    /// An evaluator for `plan` against the images of `reference`; `None` for backbone `none`.
    ///
    /// # Errors
    /// An unknown backbone, fewer reference images than features, or counts no score can be taken with.
    pub fn new(plan: &ScorePlan, reference: &Images) -> Result<Option<Evaluator>> {
        match plan.backbone.as_str() {
            "none" => return Ok(None),
            Scorer::NAME => {}
            other => return Err(Error::UnknownBackbone { name: other.into() }),
        }
        // Said before hours of training, not after.
        if plan.samples <= FEATURES {
            return Err(Error::TooFewSamples { n: plan.samples, dim: FEATURES });
        }
        if plan.splits == 0 || plan.splits > plan.samples {
            return Err(Error::input("score plan", format!("`splits` is {}; it must be in 1..={}", plan.splits, plan.samples)));
        }
        let scorer = Scorer::embedded()?;
        let moments = Moments::of(&scorer.features(&reference.pixels, reference.side)?.pool, FEATURES)?;
        let protocol = protocol(plan, &scorer, reference);
        Ok(Some(Evaluator { scorer, reference: moments, side: reference.side, protocol }))
    }

    /// The protocol of a score of `n_samples` images.
    pub fn protocol(&self, n_samples: usize) -> Protocol {
        Protocol { n_samples, ..self.protocol.clone() }
    }

    /// Scores generated images, `[N, 3, side, side]`, of the checkpoint after `gen_updates` generator updates.
    ///
    /// # Errors
    /// When `side` is not the reference's (both sides of FID are to take the same way to the backbone), or N is too small.
    pub fn score(&self, bytes: &[u8], side: usize, gen_updates: u64) -> Result<ScoreRecord> {
        if side != self.side {
            return Err(Error::input(
                "images",
                format!("have side {side}, the reference {}; load the reference at side {side}", self.side),
            ));
        }
        let features = self.scorer.features(bytes, side)?;
        let is = inception_score(&features.logits, CLASSES, self.protocol.n_splits)?;
        let fid = frechet_distance(&Moments::of(&features.pool, FEATURES)?, &self.reference)?;
        Ok(ScoreRecord {
            version: FORMAT_VERSION,
            gen_updates,
            is_mean: finite(is.mean),
            is_std: finite(is.std),
            fid: finite(fid),
            protocol: self.protocol(features.n),
        })
    }

    /// The real data's own scores: `n_samples` images of `train`, after a seeded shuffle, scored as if generated. With fewer images than
    /// that, all of them; the record's protocol says how many.
    ///
    /// # Errors
    /// As [`Evaluator::score`].
    pub fn ceiling(&self, train: &Images) -> Result<ScoreRecord> {
        let order = Streams::new(CEILING_SEED).permutation("ceiling", 0, train.len());
        let chosen = order.iter().take(self.protocol.n_samples);
        let bytes: Vec<u8> = chosen.flat_map(|&i| train.image(i as usize)).copied().collect();
        self.score(&bytes, train.side, 0)
    }
}

/// The protocol of `plan` with `scorer` against `reference`.
fn protocol(plan: &ScorePlan, scorer: &Scorer, reference: &Images) -> Protocol {
    Protocol {
        backbone: Scorer::NAME.into(),
        backbone_sha256: scorer.sha256().into(),
        n_samples: plan.samples,
        n_splits: plan.splits,
        n_reference: reference.len(),
        reference: reference.name.clone(),
        reference_sha256: reference.sha256(),
        resize: if reference.side == SIDE { "none".into() } else { format!("triangle {}→{SIDE}", reference.side) },
        bytes: "truncate".into(),
    }
}
