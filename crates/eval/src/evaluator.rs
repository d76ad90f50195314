//! Scores under a stated protocol: one backbone, one reference, one number of splits.

use crate::fid::{Moments, frechet_distance};
use crate::inception_score::inception_score;
use crate::{Error, Result, Scorer, ScorerSpec};
use sngan_core::rng::Streams;
use sngan_data::{ImageSource, Images};
use sngan_experiment::ScorePlan;
use sngan_experiment::records::{Metric, Protocol, Record, Reference, ScoreRecord, count, finite};

/// Seed of the choice of real images for the ceiling; part of the protocol.
const CEILING_SEED: u64 = 0;

/// Scores byte images against one reference. One serves all runs of a sweep, from any thread.
#[derive(Debug)]
pub struct Evaluator {
    scorer: Scorer,
    reference: Moments,
    side: usize,
    /// Name, count and hash of the reference.
    reference_set: Reference,
    /// Splits of the inception score.
    splits: usize,
    resize: String,
}

impl Evaluator {
    /// An evaluator for `plan` against the images of `reference`; `None` for backbone `none`.
    ///
    /// # Errors
    /// An unknown backbone, fewer reference images than features, or counts no score can be taken with.
    pub fn new(plan: &ScorePlan, reference: &Images) -> Result<Option<Evaluator>> {
        if plan.backbone == "none" {
            return Ok(None);
        }
        let dim = ScorerSpec::named(&plan.backbone)?.features();
        // Said before hours of training, not after.
        if plan.samples <= dim {
            return Err(Error::TooFewSamples { n: plan.samples, dim });
        }
        if plan.splits == 0 || plan.splits > plan.samples {
            return Err(Error::input("score plan", format!("`splits` is {}; it must be in 1..={}", plan.splits, plan.samples)));
        }
        let scorer = Scorer::embedded(&plan.backbone)?;
        let moments = Moments::of(&scorer.features(&reference.pixels, reference.side)?.pool, dim)?;
        let reference_set = Reference { name: reference.name.clone(), n: reference.len(), sha256: reference.sha256() };
        let resize = scorer.resize(reference.side);
        Ok(Some(Evaluator { scorer, reference: moments, side: reference.side, reference_set, splits: plan.splits, resize }))
    }

    /// The protocols of the scores of `n_samples` images: inception score, FID.
    pub fn protocols(&self, n_samples: usize) -> [Protocol; 2] {
        let samples = count(n_samples as u64);
        let protocol = |name: String, n_splits: usize, reference: Option<Reference>| Protocol {
            name,
            backbone: self.scorer.spec().name.into(),
            backbone_sha256: self.scorer.sha256().into(),
            n_samples,
            n_splits,
            reference,
            resize: self.resize.clone(),
            bytes: "truncate".into(),
            stamps: Vec::new(),
        };
        [
            protocol(format!("is_{samples}_split{}", self.splits), self.splits, None),
            protocol(format!("fid_{samples}_ref{}", count(self.reference_set.n as u64)), 1, Some(self.reference_set.clone())),
        ]
    }

    /// Scores generated images, `[N, 3, side, side]`, of the checkpoint after `gen_updates` generator updates.
    ///
    /// # Errors
    /// When `side` is not the reference's (both sides of FID are to take the same way to the backbone), or N is too small.
    pub fn score(&self, bytes: &[u8], side: usize, gen_updates: u64) -> Result<Vec<ScoreRecord>> {
        if side != self.side {
            return Err(Error::input(
                "images",
                format!("have side {side}, the reference {}; load the reference at side {side}", self.side),
            ));
        }
        let features = self.scorer.features(bytes, side)?;
        let is = inception_score(&features.logits, self.scorer.spec().classes, self.splits)?;
        let fid = frechet_distance(&Moments::of(&features.pool, self.scorer.spec().features())?, &self.reference)?;
        let record = |metric, value, std, protocol| ScoreRecord {
            version: ScoreRecord::VERSION,
            gen_updates,
            metric,
            value: finite(value),
            std,
            protocol,
        };
        let [is_protocol, fid_protocol] = self.protocols(features.n);
        Ok(vec![record(Metric::Is, is.mean, finite(is.std), is_protocol), record(Metric::Fid, fid, None, fid_protocol)])
    }

    /// The real data's own scores: `n_samples` images of `train`, after a seeded shuffle, scored as if generated. With fewer images than
    /// that, all of them; the records' protocols say how many.
    ///
    /// # Errors
    /// As [`Evaluator::score`].
    pub fn ceiling(&self, train: &dyn ImageSource, samples: usize) -> Result<Vec<ScoreRecord>> {
        let order = Streams::new(CEILING_SEED).permutation("ceiling", 0, train.len());
        let mut bytes = Vec::new();
        let mut read = order.iter().take(samples).map(|&i| train.read(i as usize, &mut bytes));
        read.try_for_each(|read| read).map_err(sngan_core::Error::from)?;
        self.score(&bytes, train.side(), 0)
    }
}
