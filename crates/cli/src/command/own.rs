//! One's own images: a folder of pictures in place of a data set.

use crate::args::{DataFolder, OwnImages};
use crate::say::counted;
use crate::{experiments, for_terminal};
use anyhow::{Context, Result, bail};
use sngan_data::{ImageSource, Listing, Places, folder};
use sngan_experiment::arch::{Architecture, Conditioning};
use sngan_experiment::protocol::{Against, Metric, ReferenceKind};
use sngan_experiment::{Dataset, ExperimentFile, RunDir, RunSpec, ScorePlan};
use std::path::Path;
use toml::Value;

/// The side of a run on own images that names none: the paper's of CIFAR-10.
const SIDE: usize = 32;
/// Generated images that are scored, and splits of the inception score.
const SCORED: (usize, usize) = (5000, 10);
/// Inception's features; FID needs more real images.
const FEATURES: usize = 2048;
/// Classes that a line names.
const NAMED: usize = 6;

/// A folder of pictures, as its names say.
pub(crate) struct Own {
    name: String,
    pictures: usize,
    classes: Vec<String>,
}

impl Own {
    fn of(root: &Path) -> Result<Own> {
        let listing = Listing::of(&folder::training_part(root))?;
        listing.require_classes_with_pictures()?;
        let (pictures, classes) = (listing.files.len(), listing.classes);
        Ok(Own { name: folder::name_of(root), pictures, classes })
    }

    /// What the pictures decide of every run; `alone` without an experiment that says the sizes.
    fn keys(&self, asked: &OwnImages, alone: bool) -> Result<Vec<(&'static str, Value)>> {
        let mut keys = vec![("dataset", Value::from(Dataset::Folder.name()))];
        let side = asked.side.or(alone.then_some(SIDE));
        keys.extend(side.map(|side| ("side", Value::from(side as i64))));
        if let Some(side) = side.filter(|_| alone) {
            keys.push(("architecture", Value::from(Architecture::for_side(side)?.name())));
        }
        let Some(text) = &asked.conditioning else { return Ok(keys) };
        let Ok(conditioning) = serde_json::from_value::<Conditioning>(text.as_str().into()) else {
            bail!("--conditioning {text}: it is one of none, concat, projection and ac-gan");
        };
        keys.push(("conditioning", Value::from(text.as_str())));
        if conditioning != Conditioning::None {
            keys.push(("n_classes", Value::from(self.classes.len() as i64)));
        }
        Ok(keys)
    }

    /// How runs are scored, with all pictures as the real ones: by FID where they are enough, else by
    /// KID, which a few do.
    fn score(&self) -> Result<ScorePlan> {
        let against = Against { part: ReferenceKind::Reference, n: self.pictures };
        let compared = if self.pictures > FEATURES { Metric::Fid } else { Metric::Kid };
        let (samples, splits) = SCORED;
        let names = [Metric::Is, compared].map(|m| m.usual(samples, splits, Some(against)));
        // Written and parsed again, they are checked like typed ones.
        let protocols =
            names.into_iter().flatten().filter_map(|name| name.to_string().parse().ok());
        Ok(ScorePlan { protocols: protocols.collect(), ..ScorePlan::default() })
    }

    /// What is trained on: pictures, classes, and the networks that the side chose.
    pub(crate) fn describe(&self, spec: &RunSpec) -> String {
        let named: Vec<String> = self.classes.iter().take(NAMED).map(|c| for_terminal(c)).collect();
        let more = if self.classes.len() > NAMED { ", …" } else { "" };
        let classes = match (self.classes.len(), spec.conditioning) {
            (1, _) => String::new(),
            (n, Conditioning::None) => format!(
                " in {n} class folders, whose labels are not used (--conditioning projection uses them)"
            ),
            (n, Conditioning::Concat | Conditioning::Projection | Conditioning::AcGan) => {
                format!(" of {n} classes: {}{more}", named.join(", "))
            }
        };
        format!(
            "{}: {}{classes}; brought to {side}x{side}, for which the networks are {}",
            for_terminal(&self.name),
            counted(self.pictures, "picture"),
            spec.architecture.name(),
            side = spec.side
        )
    }
}

/// The experiment of this name, on own images where some are given; without a name, that of the
/// images themselves.
pub(crate) fn experiment(
    name: Option<&str>,
    asked: &OwnImages,
    experiments: Option<&Path>,
) -> Result<(ExperimentFile, Option<Own>)> {
    let file = name.map(|name| experiments::find(name, experiments)).transpose()?;
    let Some(root) = asked.folder.as_deref() else {
        return Ok((file.context("give an experiment, or --data DIR")?, None));
    };
    let own = Own::of(root)?;
    let (keys, score) = (own.keys(asked, file.is_none())?, own.score()?);
    let file = match file {
        Some(file) => file.on_images(&keys, &score),
        None => ExperimentFile::of_images(&own.name, &keys, &score)?,
    };
    Ok((file, Some(own)))
}

/// Where images are for arguments that may name an own folder.
pub(crate) fn places(data: &DataFolder, own: &OwnImages) -> Places {
    Places { data_dir: Some(data.data_dir.clone()), images: own.folder.clone() }
}

/// Where the images of a run are: in the folder that was given, else where they were.
pub(crate) fn places_of_run(
    dir: &RunDir,
    data: &DataFolder,
    given: Option<&Path>,
) -> Result<Places> {
    let recorded = match given {
        Some(_) => None,
        None => dir.images()?.map(|images| images.folder),
    };
    if let Some(folder) = recorded.as_deref().filter(|folder| !folder.is_dir()) {
        bail!(
            "the images of {} were in {}, which is not there; say where they are with --data DIR",
            dir.path().display(),
            folder.display()
        );
    }
    let images = given.map(Path::to_path_buf).or(recorded);
    Ok(Places { data_dir: Some(data.data_dir.clone()), images })
}

/// Refuses pictures other than those that a run was trained on, which its spec does not tell apart.
pub(crate) fn refuse_others(dir: &RunDir, images: &dyn ImageSource) -> Result<()> {
    let trained = dir.provenance()?;
    let found = images.sha256();
    if trained.dataset_sha256.is_empty() || trained.dataset_sha256 == found {
        return Ok(());
    }
    let folder = images.reading().folder.as_deref();
    let place = folder.map_or_else(|| images.name().to_string(), |f| f.display().to_string());
    bail!(
        "{} was trained on other pictures than those of {} (SHA-256 {} then, {found} now): --data names the folder that has them, and --reference \
         compares with others under a name of their own",
        dir.path().display(),
        for_terminal(&place),
        trained.dataset_sha256
    )
}

/// Refuses a folder for runs that lies in the pictures' folder, where samples would be trained on, or that is a file.
pub(crate) fn refuse_out(out: &Path, images: Option<&Path>) -> Result<()> {
    if out.is_file() {
        bail!("--out {}: it is a file; give a folder", out.display());
    }
    let Some(root) = images.and_then(|images| images.canonicalize().ok()) else { return Ok(()) };
    // What does not exist yet will be where its parents are.
    let out = std::path::absolute(out)?;
    let existing = out.ancestors().find_map(|part| part.canonicalize().ok());
    if existing.is_some_and(|folder| folder.starts_with(&root)) {
        bail!(
            "--out {} lies in the folder of pictures {}, where samples would become pictures to train on; choose another",
            out.display(),
            root.display()
        );
    }
    Ok(())
}

/// The names of the classes of a run on own images.
pub(crate) fn classes(dir: Option<&RunDir>) -> Result<Vec<String>> {
    let images = dir.map(RunDir::images).transpose()?.flatten();
    Ok(images.map(|images| images.classes).unwrap_or_default())
}

/// A class by its number, or by its name among `classes`.
pub(crate) fn class(classes: &[String], text: &str) -> Result<u32> {
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    match classes.iter().position(|name| name == text) {
        Some(label) => Ok(u32::try_from(label)?),
        None if classes.is_empty() => {
            bail!("class `{text}`: this run knows its classes by number alone")
        }
        None => bail!("class `{text}` is none of the run's: {}", for_terminal(&classes.join(", "))),
    }
}
