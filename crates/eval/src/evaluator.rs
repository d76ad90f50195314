//! Scores under named protocols: one backbone, its references, and images to be scored.

use crate::cache::FeatureCache;
use crate::collect::{BlockProgress, Collected, Pass, Wanted, tell};
use crate::moments::Few;
use crate::real::{
    Real, chosen, collect_real, read_statistics, reference_of, reference_of_statistics,
};
use crate::samples::{Samples, SourceSamples};
use crate::{Backbone, Error, Result};
use sngan_data::{ImageSource, Reading};
use sngan_experiment::protocol::Against;
use sngan_experiment::records::{Protocol, Record, Reference, ScoreRecord, finite};
use sngan_experiment::{ProtocolName, ScorePlan};
use std::path::PathBuf;

/// Stream of the order in which real images are scored as if generated; part of the protocol.
const CEILING: &str = "ceiling";
/// What protocols on pixels record as their network.
static NO_NETWORK: Backbone = Backbone::Absent;

/// Options of an evaluator.
#[derive(Debug, Clone)]
pub struct EvaluatorOptions {
    /// Whether FID is allowed for no more images than features; such scores are stamped
    /// `few-samples`.
    pub few: Few,
    /// The folder for features.
    pub cache: Option<FeatureCache>,
    /// The folder for references' statistics.
    pub statistics: Option<PathBuf>,
}

impl Default for EvaluatorOptions {
    /// Refuses too few images and stores nothing.
    fn default() -> EvaluatorOptions {
        EvaluatorOptions { few: Few::Refused, cache: None, statistics: None }
    }
}

/// Scores images of one side with one backbone. One evaluator serves all runs of a sweep, from any
/// thread.
#[derive(Debug)]
pub struct Evaluator {
    pub(crate) backbone: Backbone,
    names: Vec<ProtocolName>,
    pub(crate) side: usize,
    references: Vec<Gathered>,
    options: EvaluatorOptions,
    remarks: Vec<String>,
}

/// A real side, ready to be compared with.
#[derive(Debug)]
pub(crate) struct Gathered {
    pub(crate) against: Against,
    pub(crate) record: Reference,
    pub(crate) collected: Collected,
    /// Present if scores use each class separately.
    pub(crate) source: Option<Box<dyn ImageSource>>,
    /// Whether a class has no more images than there are features.
    pub(crate) rank_deficient: bool,
    /// The decoder of those images that are JPEGs.
    decoder: Option<String>,
    /// What was done to images of another size.
    brought: Option<String>,
}

impl Evaluator {
    /// An evaluator for the protocols `names` on images of `side` pixels; `real` is called once for
    /// each real side that they need.
    ///
    /// # Errors
    /// Counts from which no score can be computed, reported before hours of training; references
    /// that are missing or have another side.
    pub fn new(
        backbone: Backbone,
        names: &[ProtocolName],
        side: usize,
        options: EvaluatorOptions,
        real: &mut dyn FnMut(Against) -> Result<Real>,
        progress: &BlockProgress<'_>,
    ) -> Result<Evaluator> {
        let mut evaluator = Evaluator {
            backbone,
            names: names.to_vec(),
            side,
            references: Vec::new(),
            options,
            remarks: Vec::new(),
        };
        names.iter().try_for_each(|name| evaluator.check(*name))?;
        let mut sides: Vec<Against> = names.iter().filter_map(|name| name.against()).collect();
        sides.sort_unstable();
        sides.dedup();
        for against in sides {
            let gathered = evaluator.gather(against, real(against)?, progress)?;
            evaluator.references.push(gathered);
        }
        Ok(evaluator)
    }

    /// The requested protocols.
    pub fn names(&self) -> &[ProtocolName] {
        &self.names
    }

    /// What did not go as it should and costs no score, such as statistics that could not be kept.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// The network.
    pub fn backbone(&self) -> &Backbone {
        &self.backbone
    }

    /// Refuses protocols that this backbone or side cannot carry out.
    fn check(&self, name: ProtocolName) -> Result<()> {
        if matches!(self.network(name), Some(Backbone::Absent)) {
            return Err(Error::input(
                "backbone",
                format!(
                    "`{name}` is taken through a network; choose another than `{}`",
                    ScorePlan::NO_BACKBONE
                ),
            ));
        }
        self.check_metric(name)
    }

    pub(crate) fn pass(&self) -> Pass<'_> {
        Pass { backbone: &self.backbone, cache: self.options.cache.as_ref(), few: self.options.few }
    }

    /// Prepares what the protocols need of one real side.
    fn gather(
        &mut self,
        against: Against,
        real: Real,
        progress: &BlockProgress<'_>,
    ) -> Result<Gathered> {
        let source = match real {
            Real::Images(source) => source,
            Real::Statistics(path) => {
                let (statistics, provenance) = read_statistics(&path, &self.backbone, self.side)?;
                let record = reference_of_statistics(&path, &statistics, provenance.as_ref());
                // Files from other programs do not record their number of images.
                if provenance.is_some() {
                    self.pass().check_enough(record.n, || path.display().to_string())?;
                }
                let collected = Collected::of_moments(against.n, statistics.moments);
                let decoder = provenance.and_then(|p| p.decoder);
                return Ok(Gathered {
                    against,
                    record,
                    collected,
                    source: None,
                    rank_deficient: false,
                    decoder,
                    brought: None,
                });
            }
        };
        if source.side() != self.side {
            let reason = format!(
                "has side {}, the images {}; both must take the same way to the backbone",
                source.side(),
                self.side
            );
            return Err(Error::input("reference", reason));
        }
        let record = reference_of(source.as_ref(), against.n)?;
        let of_this: Vec<ProtocolName> =
            self.names.iter().copied().filter(|name| name.against() == Some(against)).collect();
        let (mut wanted, of_samples) = (Wanted::default(), Wanted::of(&of_this));
        wanted.moments.extend((!of_samples.moments.is_empty()).then_some(against.n));
        wanted.rows.extend((!of_samples.rows.is_empty()).then_some(against.n));
        let folder = self
            .options
            .statistics
            .as_deref()
            .filter(|_| matches!(self.backbone, Backbone::Inception(..)));
        let collected = match wanted.total() {
            0 => Collected::default(),
            _ => {
                let pass = self.pass();
                let (collected, remark) =
                    collect_real(&pass, source.as_ref(), &record, &wanted, folder, progress)?;
                self.remarks.extend(remark);
                collected
            }
        };
        let keep = of_this.iter().any(|name| name.within_classes());
        let rank_deficient =
            keep && chosen(source.as_ref(), against.n).smallest_class() <= self.backbone.pool_dim();
        let Reading { jpeg: decoder, brought, .. } = source.reading().clone();
        let source = keep.then_some(source);
        Ok(Gathered { against, record, collected, source, rank_deficient, decoder, brought })
    }

    pub(crate) fn reference(&self, name: ProtocolName) -> Result<&Gathered> {
        let found = self.references.iter().find(|r| Some(r.against) == name.against());
        found.ok_or_else(|| {
            Error::input("protocol", format!("`{name}` is none that this evaluator was made for"))
        })
    }

    /// The whole protocol of a score of generated images by `name`; `bytes` as [`Samples::bytes`].
    pub fn protocol(&self, name: ProtocolName, bytes: &str) -> Protocol {
        self.protocol_of(name, bytes, None)
    }

    /// The same of images that `decoder` decoded, as [`Samples::decoder`].
    fn protocol_of(&self, name: ProtocolName, bytes: &str, decoder: Option<&str>) -> Protocol {
        let network = self.network(name).unwrap_or(&NO_NETWORK);
        Protocol {
            name: name.to_string(),
            backbone: network.name().into(),
            backbone_sha256: network.sha256().into(),
            n_samples: name.samples(),
            n_splits: name.repeats(),
            reference: self.reference(name).ok().map(|r| r.record.clone()),
            resize: network.resize(self.side),
            bytes: bytes.into(),
            stamps: self.stamps(name, decoder),
        }
    }

    /// The network of a protocol; MS-SSIM uses pixels.
    fn network(&self, name: ProtocolName) -> Option<&Backbone> {
        (!name.of_pixels()).then_some(&self.backbone)
    }

    /// What distinguishes a score from others of its protocol: how it was taken, what was done to the
    /// real images, then the decoders of JPEGs on either side.
    fn stamps(&self, name: ProtocolName, decoder: Option<&str>) -> Vec<String> {
        let mut stamps = self.metric_stamps(name);
        stamps.extend(self.reference(name).ok().and_then(|r| r.brought.as_deref()));
        let mut decoders: Vec<&str> = decoder.into_iter().collect();
        decoders.extend(self.reference(name).ok().and_then(|r| r.decoder.as_deref()));
        decoders.sort_unstable();
        decoders.dedup();
        stamps.extend(decoders);
        stamps.into_iter().map(String::from).collect()
    }

    /// Scores `samples` by the protocols `names`, which are among those the evaluator was made for, after `gen_updates` generator updates.
    ///
    /// # Errors
    /// Images of another side; too few images, or none with classes if a protocol needs them;
    /// numbers that are not finite.
    pub fn score(
        &self,
        names: &[ProtocolName],
        samples: &mut dyn Samples,
        gen_updates: u64,
        progress: &BlockProgress<'_>,
    ) -> Result<Vec<ScoreRecord>> {
        if samples.side() != self.side {
            let reason = format!(
                "have side {}, the reference {}; load the reference at side {}",
                samples.side(),
                self.side,
                samples.side()
            );
            return Err(Error::input("images", reason));
        }
        let collected = self.pass().collect(samples, None, &Wanted::of(names), progress)?;
        let mut records = Vec::new();
        let total = names.iter().map(|name| name.samples()).max().unwrap_or(0);
        for name in names {
            // Distances take their time too.
            tell(progress, total, total)?;
            let (value, std) = self.value(*name, samples, &collected, progress)?;
            let protocol = self.protocol_of(*name, samples.bytes(), samples.decoder());
            records.push(ScoreRecord {
                version: ScoreRecord::VERSION,
                gen_updates,
                metric: name.metric(),
                value: finite(value),
                std: std.and_then(finite),
                protocol,
            });
        }
        Ok(records)
    }

    /// The real data's own scores: images of `train`, after a seeded shuffle, scored as if
    /// generated, and recorded under the generated images' protocol (`truncate`), because they are
    /// shown beside those scores. Protocols that need more images than there are, or classes that
    /// are missing, are left out.
    ///
    /// # Errors
    /// As [`Evaluator::score`].
    pub fn ceiling(
        &self,
        train: &dyn ImageSource,
        progress: &BlockProgress<'_>,
    ) -> Result<Vec<ScoreRecord>> {
        self.score(
            &self.ceiling_names(train),
            &mut SourceSamples::shuffled(train, "truncate", CEILING).into_generated(),
            0,
            progress,
        )
    }

    /// The protocols that [`Evaluator::ceiling`] uses to score `train`.
    pub fn ceiling_names(&self, train: &dyn ImageSource) -> Vec<ProtocolName> {
        let possible = |name: &ProtocolName| {
            name.samples() <= train.len() && !(name.within_classes() && train.classes().len() < 2)
        };
        self.names.iter().copied().filter(possible).collect()
    }
}
