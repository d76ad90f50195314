//! The real side of a score: images of a data set, folder or file, or statistics computed from them
//! earlier.

use crate::collect::{Collected, Pass, Wanted};
use crate::input::name_of;
use crate::moments::Few;
use crate::samples::SourceSamples;
use crate::statistics::{Statistics, write_statistics};
use crate::{Backbone, BlockProgress, Error, Moments, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sngan_data::{ImageSource, Places, Split};
use sngan_experiment::protocol::ReferenceKind;
use sngan_experiment::records::{FORMAT_VERSION, Reference};
use sngan_experiment::{Dataset, atomic, records, run_dir};
use std::path::{Path, PathBuf};

/// Stream of the choice of reference images if a part has more than the protocol takes.
const CHOICE: &str = "reference";

/// The real side that generated images are compared with.
#[derive(Debug)]
pub enum Real {
    /// Images; a seeded choice takes the protocol's number of them.
    Images(Box<dyn ImageSource>),
    /// A file of statistics, only for FID.
    Statistics(PathBuf),
}

impl Real {
    /// A part of a data set at `side` pixels.
    ///
    /// # Errors
    /// Missing or malformed files.
    pub fn of_dataset(
        dataset: Dataset,
        part: ReferenceKind,
        side: usize,
        places: &Places,
    ) -> Result<Real> {
        let split = match part {
            ReferenceKind::Train => Split::Train,
            ReferenceKind::Test => Split::HeldOut,
            ReferenceKind::Reference | ReferenceKind::Images | ReferenceKind::Statistics => {
                Split::Reference
            }
        };
        Ok(Real::Images(places.open(dataset, split, side)?))
    }
}

/// The provenance of statistics, as JSON beside them: `F.json` for `F.npz`. It holds no paths.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatisticsProvenance {
    /// [`FORMAT_VERSION`].
    pub version: u32,
    /// `sngan`'s version.
    pub sngan: String,
    /// The images.
    pub images: Reference,
    /// Their side, pixels.
    pub side: usize,
    /// Feature extractor.
    pub backbone: String,
    /// SHA-256 of its weights.
    pub backbone_sha256: String,
    /// How images were preprocessed for it.
    pub resize: String,
    /// How floats became bytes, as [`Samples::bytes`](crate::Samples::bytes).
    #[serde(default = "given")]
    pub bytes: String,
    /// The decoder of those images that are JPEGs; none if there is none, or in a file older than
    /// this key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoder: Option<String>,
    /// SHA-256 of the file of statistics; none in a file older than this key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statistics_sha256: Option<String>,
}

/// The value for files older than this key: their images were bytes.
fn given() -> String {
    "given".into()
}

impl records::Record for StatisticsProvenance {}

impl StatisticsProvenance {
    fn new(
        images: Reference,
        source: &dyn ImageSource,
        bytes: &str,
        backbone: &Backbone,
    ) -> StatisticsProvenance {
        let side = source.side();
        StatisticsProvenance {
            version: FORMAT_VERSION,
            sngan: env!("CARGO_PKG_VERSION").into(),
            images,
            side,
            backbone: backbone.name().into(),
            backbone_sha256: backbone.sha256().into(),
            resize: backbone.resize(side),
            bytes: bytes.into(),
            decoder: source.reading().jpeg.clone(),
            statistics_sha256: None,
        }
    }

    /// SHA-256 of everything in it but the hash of the statistics, which have this one in them.
    fn sha256(&self) -> Result<String> {
        let bare = StatisticsProvenance { statistics_sha256: None, ..self.clone() };
        let text =
            serde_json::to_vec(&bare).map_err(|e| Error::input("provenance", e.to_string()))?;
        Ok(hex::encode(Sha256::digest(text)))
    }

    /// What is beside the statistics at `path`, if it is theirs. Another program's file of that name is none of ours to judge; where the
    /// statistics say that they were written with a provenance, or a provenance names other statistics, one of the two was replaced.
    fn of(path: &Path, statistics: &Statistics) -> Result<Option<StatisticsProvenance>> {
        let beside = StatisticsProvenance::path(path);
        let found: Option<StatisticsProvenance> = run_dir::read_json(&beside).ok();
        let names_these = |p: &StatisticsProvenance| {
            p.statistics_sha256.as_ref().is_none_or(|hash| *hash == statistics.sha256)
        };
        let is_theirs = |p: &StatisticsProvenance| match &statistics.provenance {
            Some(hash) => p.sha256().is_ok_and(|found| found == *hash),
            None => true,
        };
        match found {
            Some(p) if names_these(&p) && is_theirs(&p) => Ok(Some(p)),
            Some(_) => Err(Error::file(
                &beside,
                format!(
                    "is of other statistics than {}; put back the one that was written with them",
                    name_of(path)
                ),
            )),
            None if statistics.provenance.is_some() => Err(Error::file(
                path,
                format!("was written with {}, which is not there; put it back", name_of(&beside)),
            )),
            None => Ok(None),
        }
    }

    /// Refuses to write over a file beside `statistics` that is not ours.
    fn check_place(statistics: &Path) -> Result<()> {
        let path = StatisticsProvenance::path(statistics);
        let foreign = |e| {
            let reason = format!(
                "is not what `sngan reference` writes beside {} ({e}); rename it",
                name_of(statistics)
            );
            Err(Error::file(&path, reason))
        };
        if !path.is_file() {
            return Ok(());
        }
        run_dir::read_json::<StatisticsProvenance>(&path).map(drop).or_else(foreign)
    }

    /// The file beside `statistics`.
    fn path(statistics: &Path) -> PathBuf {
        statistics.with_extension("json")
    }
}

/// The images that a protocol takes from `source`, by index.
pub(crate) fn reference_of(source: &dyn ImageSource, n: usize) -> Result<Reference> {
    if n > source.len() {
        let reason = format!(
            "`{}` holds {} images; the protocol compares with {n}",
            source.name(),
            source.len()
        );
        return Err(Error::input("reference", reason));
    }
    let mut sha256 = source.sha256();
    if n < source.len() {
        // The choice is a function of the whole set and the number.
        let hash = Sha256::digest(format!("{n} of {sha256}"));
        sha256 = hex::encode(hash);
    }
    Ok(Reference { name: source.name().into(), n, sha256 })
}

/// The chosen images themselves.
pub(crate) fn chosen(source: &dyn ImageSource, n: usize) -> SourceSamples<'_> {
    SourceSamples::choice(source, n, CHOICE)
}

/// Collects `wanted` from real images. If only moments are wanted, takes them from `folder` if they
/// were stored there and are whole. Also returns why they could not be stored, if so.
pub(crate) fn collect_real(
    pass: &Pass<'_>,
    source: &dyn ImageSource,
    reference: &Reference,
    wanted: &Wanted,
    folder: Option<&Path>,
    progress: &BlockProgress<'_>,
) -> Result<(Collected, Option<String>)> {
    // Stored statistics may be of too few images, which another call may have allowed.
    wanted
        .moments
        .iter()
        .try_for_each(|n| pass.check_enough(*n, || format!("reference {}", source.name())))?;
    let provenance = StatisticsProvenance::new(reference.clone(), source, "given", pass.backbone);
    let path =
        folder.filter(|_| wanted.rows.is_empty()).map(|folder| folder.join(file_name(&provenance)));
    // As with cached features, a damaged file is made again.
    let kept =
        path.as_deref().and_then(|path| read_statistics(path, pass.backbone, source.side()).ok());
    let is_this = |found: &Option<StatisticsProvenance>| {
        let bare = found.clone().map(|p| StatisticsProvenance { statistics_sha256: None, ..p });
        bare.as_ref() == Some(&provenance)
    };
    if let Some((statistics, _)) = kept.filter(|(_, found)| is_this(found)) {
        return Ok((Collected::of_moments(reference.n, statistics.moments), None));
    }
    let collected = pass.collect(&mut chosen(source, reference.n), None, wanted, progress)?;
    let mut remark = None;
    if let Some(path) = path {
        // Keeping them saves time later; that it fails costs no score.
        let kept = save_statistics(&path, collected.moments(reference.n)?, &provenance);
        remark = kept.err().map(|e| format!("the real images' statistics could not be kept: {e}"));
    }
    Ok((collected, remark))
}

/// A name for the statistics that depends on everything they depend on.
fn file_name(p: &StatisticsProvenance) -> String {
    let clean: String =
        p.images.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let short = |hash: &str| hash.chars().take(12).collect::<String>();
    let identity = Sha256::digest(format!(
        "{} {} {} {}",
        p.images.sha256, p.backbone_sha256, p.backbone, p.resize
    ));
    let identity = hex::encode(identity);
    format!("{clean}-{}-{}px-{}-{}.npz", p.images.n, p.side, p.backbone, short(&identity))
}

fn save_statistics(
    path: &Path,
    moments: &Moments,
    provenance: &StatisticsProvenance,
) -> Result<()> {
    // The statistics first: they say what must be beside them, so that without it they are not taken
    // for those of any images.
    write_statistics(path, moments, Some(&provenance.sha256()?))?;
    let statistics_sha256 = Some(Statistics::read(path)?.sha256);
    let provenance = StatisticsProvenance { statistics_sha256, ..provenance.clone() };
    Ok(atomic::write_json(&StatisticsProvenance::path(path), &provenance)?)
}

/// Checks that statistics are whole, and those that their provenance, if there is one, was written with.
///
/// # Errors
/// [`Error::File`], naming the file that is not.
pub fn verify_statistics(path: &Path) -> Result<()> {
    StatisticsProvenance::of(path, &Statistics::read(path)?).map(drop)
}

/// Statistics that fit `backbone` and images of `side` pixels, and their provenance, if there is
/// one.
///
/// # Errors
/// [`Error::File`] when the file is damaged, has another number of features, or records another
/// image side, network or resize.
pub fn read_statistics(
    path: &Path,
    backbone: &Backbone,
    side: usize,
) -> Result<(Statistics, Option<StatisticsProvenance>)> {
    let statistics = Statistics::read(path)?;
    let (found, needed) = (statistics.moments.dim(), backbone.pool_dim());
    if found != needed {
        let reason = format!(
            "has {found} features; {} gives {needed}. Choose the backbone that it was made with",
            backbone.name()
        );
        return Err(Error::file(path, reason));
    }
    let provenance = StatisticsProvenance::of(path, &statistics)?;
    if let Some(p) = &provenance {
        if p.side != side {
            let reason = format!(
                "is of images of side {}, the images have {side}; both must take the same way to the backbone",
                p.side
            );
            return Err(Error::file(path, reason));
        }
        let (ours, theirs) = (
            (backbone.sha256(), backbone.resize(p.side)),
            (p.backbone_sha256.as_str(), p.resize.clone()),
        );
        if ours != theirs {
            let reason = format!(
                "was made through {} of weights {theirs:?}, this is {} of {ours:?}: make it again with `sngan reference`",
                p.backbone,
                backbone.name()
            );
            return Err(Error::file(path, reason));
        }
    }
    Ok((statistics, provenance))
}

/// Computes the statistics of all images of `source`, whose floats became bytes as `bytes` says,
/// and writes them to `out`, with their provenance beside it.
///
/// # Errors
/// Images that cannot be read, too few of them unless `few` allows it, a file that cannot be
/// written; a file beside `out` that would be overwritten.
pub fn make_statistics(
    backbone: &Backbone,
    source: &dyn ImageSource,
    bytes: &'static str,
    few: Few,
    cache: Option<&crate::FeatureCache>,
    out: &Path,
    progress: &BlockProgress<'_>,
) -> Result<StatisticsProvenance> {
    StatisticsProvenance::check_place(out)?;
    let n = source.len();
    let wanted = Wanted { moments: [n].into(), ..Wanted::default() };
    let pass = Pass { backbone, cache, few };
    let collected =
        pass.collect(&mut SourceSamples::all(source, bytes), None, &wanted, progress)?;
    let provenance = StatisticsProvenance::new(reference_of(source, n)?, source, bytes, backbone);
    save_statistics(out, collected.moments(n)?, &provenance)?;
    Ok(provenance)
}

/// The record of a file of statistics.
pub(crate) fn reference_of_statistics(
    path: &Path,
    statistics: &Statistics,
    provenance: Option<&StatisticsProvenance>,
) -> Reference {
    Reference {
        name: provenance.map_or_else(|| name_of(path), |p| p.images.name.clone()),
        n: provenance.map_or(0, |p| p.images.n),
        sha256: statistics.sha256.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SCORERS, Scorer};
    use sngan_data::Images;

    #[test]
    fn kept_statistics_are_made_again_where_damaged_and_let_no_fewer_images_pass() {
        let folder = tempfile::tempdir().unwrap();
        let backbone = Backbone::Scorer(Scorer::embedded(SCORERS[0].name).unwrap());
        let pixels = (0..20 * 3 * 16 * 16).map(|i| (i * 31 % 251) as u8).collect();
        let images = Images {
            name: "real".into(),
            side: 16,
            pixels,
            labels: vec![0; 20],
            classes: vec!["all".into()],
            reading: Default::default(),
        };
        let reference = reference_of(&images, 20).unwrap();
        let wanted = Wanted { moments: [20].into(), ..Wanted::default() };
        let collect = |few: Few| {
            let pass = Pass { backbone: &backbone, cache: None, few };
            let collected = collect_real(
                &pass,
                &images,
                &reference,
                &wanted,
                Some(folder.path()),
                &crate::unwatched,
            )?;
            let (collected, remark) = collected;
            assert_eq!(remark, None);
            Ok::<_, Error>(collected.moments(20)?.clone())
        };
        let first = collect(Few::Allowed).unwrap();
        let message = collect(Few::Refused).unwrap_err().to_string();
        assert!(message.starts_with("reference real: 20 samples are too few"), "{message}");

        let entries = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().path());
        let kept: Vec<PathBuf> =
            entries.filter(|p| p.extension().is_some_and(|e| e == "npz")).collect();
        let whole = std::fs::read(&kept[0]).unwrap();
        std::fs::write(&kept[0], &whole[..whole.len() / 2]).unwrap();
        assert_eq!(collect(Few::Allowed).unwrap(), first);
        assert_eq!(std::fs::read(&kept[0]).unwrap(), whole);
    }
}
