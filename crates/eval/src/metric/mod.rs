//! The metrics, one file each, and what each one asks of an [`Evaluator`]: its own conditions, what a
//! pass collects for it, how its value follows from that, and what its scores are stamped with.

pub mod fid;
pub mod inception_score;
pub mod kid;
pub mod ms_ssim;
pub mod precision_recall;

use crate::collect::{BlockProgress, Collected, Wanted};
use crate::real::chosen;
use crate::samples::Samples;
use crate::{Error, Evaluator, Result, classes};
use fid::frechet_distance;
use kid::kernel_distance;
use precision_recall::coverage;
use sngan_experiment::ProtocolName;

impl Wanted {
    /// What the protocols `names`, except those that read images themselves, need of generated
    /// images.
    pub(crate) fn of(names: &[ProtocolName]) -> Wanted {
        let mut wanted = Wanted::default();
        for name in names {
            match *name {
                ProtocolName::Is { .. } => drop(wanted.scores.insert(*name)),
                ProtocolName::Fid { samples, .. } => drop(wanted.moments.insert(samples)),
                ProtocolName::Kid { samples, .. }
                | ProtocolName::Precision { samples, .. }
                | ProtocolName::Recall { samples, .. } => {
                    wanted.rows.insert(samples);
                }
                ProtocolName::MsSsim { .. } | ProtocolName::IntraFid { .. } => {}
            }
        }
        wanted
    }
}

impl Evaluator {
    /// Refuses a protocol whose metric cannot be taken at this side or of so few images.
    pub(crate) fn check_metric(&self, name: ProtocolName) -> Result<()> {
        match name {
            ProtocolName::Fid { samples, .. } => {
                self.pass().check_enough(samples, || format!("`{name}`"))
            }
            ProtocolName::MsSsim { .. } if self.side < ms_ssim::LEAST_SIDE => {
                let reason = format!(
                    "needs images of side {} at least; these have {}",
                    ms_ssim::LEAST_SIDE,
                    self.side
                );
                Err(Error::input("ms-ssim", reason))
            }
            ProtocolName::Is { .. }
            | ProtocolName::Kid { .. }
            | ProtocolName::Precision { .. }
            | ProtocolName::Recall { .. }
            | ProtocolName::MsSsim { .. }
            | ProtocolName::IntraFid { .. } => Ok(()),
        }
    }

    /// What distinguishes a score from others of its protocol, by how its metric was taken.
    pub(crate) fn metric_stamps(&self, name: ProtocolName) -> Vec<&'static str> {
        let dim = self.backbone.pool_dim();
        let few = |n: usize| n > 0 && n <= dim;
        let reference = self.reference(name).ok();
        let stamps = match name {
            ProtocolName::Is { .. } => [self.backbone.logit_stamp(), None],
            // Statistics' number of images is only in their own record.
            ProtocolName::Fid { samples, .. } => {
                let too_few = few(samples) || reference.is_some_and(|r| few(r.record.n));
                [too_few.then_some("few-samples"), None]
            }
            ProtocolName::MsSsim { .. } => {
                [ms_ssim::shrinks(self.side).then_some("window-shrunk"), None]
            }
            ProtocolName::IntraFid { samples, .. } => {
                // Both sides have the same classes.
                let classes =
                    reference.and_then(|r| r.source.as_ref()).map_or(1, |s| s.classes().len());
                let deficient = reference.is_some_and(|r| r.rank_deficient);
                [
                    few(samples / classes.max(1)).then_some("few-samples"),
                    deficient.then_some("rank-deficient"),
                ]
            }
            ProtocolName::Kid { .. }
            | ProtocolName::Precision { .. }
            | ProtocolName::Recall { .. } => [None, None],
        };
        stamps.into_iter().flatten().collect()
    }

    /// The value by `name` and its standard deviation over splits, subsets or classes; `generated` is
    /// what a pass collected of `samples`.
    pub(crate) fn value(
        &self,
        name: ProtocolName,
        samples: &mut dyn Samples,
        generated: &Collected,
        progress: &BlockProgress<'_>,
    ) -> Result<(f64, Option<f64>)> {
        let real = || self.reference(name).map(|r| &r.collected);
        match name {
            ProtocolName::Is { .. } => {
                let score = generated.score(name)?.finish()?;
                Ok((score.mean, Some(score.std)))
            }
            ProtocolName::Fid { samples, against } => Ok((
                frechet_distance(generated.moments(samples)?, real()?.moments(against.n)?)?,
                None,
            )),
            ProtocolName::Kid { samples, against, subsets, size } => {
                let distance = kernel_distance(
                    generated.rows(samples)?,
                    real()?.rows(against.n)?,
                    subsets,
                    size,
                )?;
                Ok((distance.mean, distance.std))
            }
            ProtocolName::Precision { samples, against, k } => {
                Ok((coverage(real()?.rows(against.n)?, generated.rows(samples)?, k)?, None))
            }
            ProtocolName::Recall { samples, against, k } => {
                Ok((coverage(generated.rows(samples)?, real()?.rows(against.n)?, k)?, None))
            }
            ProtocolName::MsSsim { pairs, .. } => {
                let per_class = classes::per_class(name, samples)?;
                classes::ms_ssim(samples, per_class, pairs, progress)
            }
            ProtocolName::IntraFid { .. } => {
                let per_class = classes::per_class(name, samples)?;
                let reference = self.reference(name)?;
                let source = reference.source.as_deref().ok_or_else(|| {
                    Error::input("protocol", format!("`{name}` needs real images"))
                })?;
                let mut real = chosen(source, reference.record.n);
                classes::intra_fid(&self.pass(), samples, per_class, &mut real, progress)
            }
        }
    }
}
