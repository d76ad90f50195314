//! One pass over images: through the network once, collecting everything that scores need.

use crate::backbone::Backbone;
use crate::block;
use crate::cache::FeatureCache;
use crate::metric::inception_score::ScoreSum;
use crate::moments::{Few, Moments, MomentsSum};
use crate::samples::{BLOCK, Samples};
use crate::{Error, Result, Rows};
use sngan_experiment::ProtocolName;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

/// Called with the number of images done and their total; says whether to go on.
pub type BlockProgress<'a> = dyn Fn(usize, usize) -> ControlFlow<()> + Sync + 'a;

/// The progress of a pass that nobody watches and nothing stops.
pub fn unwatched(_done: usize, _total: usize) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Tells `progress`.
///
/// # Errors
/// [`Error::Interrupted`] when it says to stop.
pub(crate) fn tell(progress: &BlockProgress<'_>, done: usize, total: usize) -> Result<()> {
    match progress(done, total) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Error::Interrupted { done, total }),
    }
}

/// What a pass should collect, each from this many of the first images.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    pub(crate) moments: BTreeSet<usize>,
    pub(crate) rows: BTreeSet<usize>,
    pub(crate) scores: BTreeSet<ProtocolName>,
}

impl Wanted {
    /// Images of the whole pass.
    pub(crate) fn total(&self) -> usize {
        let scores = self.scores.iter().map(|name| name.samples());
        scores.chain(self.moments.iter().chain(&self.rows).copied()).max().unwrap_or(0)
    }
}

/// What a pass collected.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    moments: BTreeMap<usize, Moments>,
    rows: BTreeMap<usize, Rows>,
    scores: BTreeMap<ProtocolName, ScoreSum>,
}

impl Collected {
    pub(crate) fn moments(&self, n: usize) -> Result<&Moments> {
        self.moments.get(&n).ok_or_else(|| missing("moments", n))
    }

    pub(crate) fn rows(&self, n: usize) -> Result<&Rows> {
        self.rows.get(&n).ok_or_else(|| missing("features", n))
    }

    pub(crate) fn score(&self, name: ProtocolName) -> Result<&ScoreSum> {
        self.scores.get(&name).ok_or_else(|| missing("logits", name.samples()))
    }

    /// Moments that were read, not collected in a pass.
    pub(crate) fn of_moments(n: usize, moments: Moments) -> Collected {
        Collected { moments: BTreeMap::from([(n, moments)]), ..Collected::default() }
    }
}

fn missing(what: &'static str, n: usize) -> Error {
    Error::input(what, format!("of {n} images were not collected for this protocol"))
}

/// How a pass is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pass<'a> {
    pub(crate) backbone: &'a Backbone,
    pub(crate) cache: Option<&'a FeatureCache>,
    pub(crate) few: Few,
}

impl Pass<'_> {
    /// Collects `wanted` from `samples`, of only one class if `class` is given.
    pub(crate) fn collect(
        &self,
        samples: &mut dyn Samples,
        class: Option<u32>,
        wanted: &Wanted,
        progress: &BlockProgress<'_>,
    ) -> Result<Collected> {
        let total = wanted.total();
        let of = || {
            class.map_or_else(
                || samples.name().to_string(),
                |class| format!("{} of class {class}", samples.name()),
            )
        };
        if let Some(available) = samples.available(class).filter(|available| *available < total) {
            return Err(Error::input(
                "images",
                format!("{}: {available} are there; the protocol needs {total}", of()),
            ));
        }
        // Checked before the images go through the network, which takes most of the time.
        wanted.moments.iter().try_for_each(|n| self.check_enough(*n, of))?;
        let dim = self.backbone.pool_dim();
        let mut moments = wanted
            .moments
            .iter()
            .map(|n| Ok((*n, MomentsSum::new(dim)?)))
            .collect::<Result<BTreeMap<_, _>>>()?;
        let mut rows = wanted
            .rows
            .iter()
            .map(|n| Ok((*n, Rows::new(dim)?)))
            .collect::<Result<BTreeMap<_, _>>>()?;
        let mut scores = wanted
            .scores
            .iter()
            .map(|name| Ok((*name, self.sum(*name)?)))
            .collect::<Result<BTreeMap<_, _>>>()?;
        for first in (0..total).step_by(BLOCK) {
            tell(progress, first, total)?;
            let count = BLOCK.min(total - first);
            let at = |done: usize| tell(progress, first + done, total);
            let block = first..first + count;
            let features = block::features(self.backbone, self.cache, samples, block, class, &at)?;
            let part = |n: usize| &features.pool[..count.min(n.saturating_sub(first)) * dim];
            moments.iter_mut().try_for_each(|(n, sum)| sum.add(part(*n)))?;
            rows.iter_mut().try_for_each(|(n, rows)| rows.add(part(*n)))?;
            scores.values_mut().try_for_each(|sum| sum.add(&features.logits))?;
        }
        tell(progress, total, total)?;
        let moments = moments
            .into_iter()
            .map(|(n, sum)| Ok((n, sum.finish(self.few)?)))
            .collect::<Result<_>>()?;
        Ok(Collected { moments, rows, scores })
    }

    /// Refuses moments of too few images; `of` names these in the error.
    pub(crate) fn check_enough(&self, n: usize, of: impl Fn() -> String) -> Result<()> {
        let dim = self.backbone.pool_dim();
        match self.few {
            Few::Refused if n <= dim => Err(Error::TooFewSamples { of: of(), n, dim }),
            Few::Refused | Few::Allowed => Ok(()),
        }
    }

    fn sum(&self, name: ProtocolName) -> Result<ScoreSum> {
        let ProtocolName::Is { samples, sets } = name else {
            return Err(missing("logits", name.samples()));
        };
        ScoreSum::new(samples, sets, self.backbone.classes())
    }
}
