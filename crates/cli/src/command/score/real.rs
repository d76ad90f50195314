//! The real side of `sngan score`: what is compared with.

use crate::command::warn_of_pictures;
use anyhow::{Result, bail};
use sngan_data::{ImageSource, Places, folder};
use sngan_eval::input::{self, ArrayOptions};
use sngan_eval::{Error, Real, Statistics};
use sngan_experiment::Dataset;
use sngan_experiment::protocol::{Against, ReferenceKind};
use std::path::{Path, PathBuf};

/// What scores say of pictures that had another size than the run.
const BROUGHT: &str = "reference-cropped-and-resized";

/// Where real images come from.
pub(in crate::command) enum Reference {
    Dataset(Dataset, ReferenceKind),
    Images(PathBuf),
    Statistics(PathBuf),
}

/// How pictures of another size are taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// As those that a run trains on: center crop, then resize.
    Training,
    /// They are refused.
    AsTheyAre,
}

/// The real images, where they are, and the side that they are compared at.
pub(super) struct RealSide {
    pub(super) reference: Option<Reference>,
    pub(super) rule: Rule,
    pub(super) side: usize,
    pub(super) places: Places,
    pub(super) array: ArrayOptions,
}

impl RealSide {
    /// The name of the reference in a protocol's name, with all of its images.
    pub(super) fn against(&self) -> Result<Option<Against>> {
        Ok(match &self.reference {
            None => None,
            Some(Reference::Dataset(dataset, part)) => {
                let n = of_dataset(*dataset, *part, self.side, &self.places)?.len();
                Some(Against { part: *part, n })
            }
            Some(Reference::Images(path)) => {
                Some(Against { part: ReferenceKind::Images, n: self.images(path)?.len() })
            }
            Some(Reference::Statistics(_)) => {
                Some(Against { part: ReferenceKind::Statistics, n: 0 })
            }
        })
    }

    /// The images that a protocol compares with.
    pub(super) fn real(&self, against: Against) -> sngan_eval::Result<Real> {
        match (&self.reference, against.part) {
            (
                Some(Reference::Dataset(dataset, _)),
                ReferenceKind::Reference | ReferenceKind::Test | ReferenceKind::Train,
            ) => Real::of_dataset(*dataset, against.part, self.side, &self.places).map(remarked),
            (Some(Reference::Images(path)), ReferenceKind::Images) => {
                Ok(remarked(Real::Images(self.images(path)?)))
            }
            (Some(Reference::Statistics(path)), ReferenceKind::Statistics) => {
                Ok(Real::Statistics(path.clone()))
            }
            _ => Err(Error::Input {
                what: "reference",
                reason: format!(
                    "a protocol compares with `{against}`; give --reference DATASET for ref, test and train, a folder or file for images, an .npz of statistics for stats"
                ),
            }),
        }
    }

    /// The images of a folder or file at the side.
    fn images(&self, path: &Path) -> sngan_eval::Result<Box<dyn ImageSource>> {
        let found = input::open(path, self.array);
        let fits = found.as_ref().is_ok_and(|images| images.side() == self.side);
        if fits || !path.is_dir() || self.rule == Rule::AsTheyAre {
            return found;
        }
        let mut images = folder::load_classes(path, self.side)?;
        images.name = folder::name_of(path);
        images.reading.brought = Some(BROUGHT.into());
        Ok(Box::new(images))
    }
}

/// Says what was left out of real images.
fn remarked(real: Real) -> Real {
    if let Real::Images(source) = &real {
        warn_of_pictures(source.as_ref());
    }
    real
}

/// Images of a data set.
pub(in crate::command) fn of_dataset(
    dataset: Dataset,
    part: ReferenceKind,
    side: usize,
    places: &Places,
) -> Result<Box<dyn ImageSource>> {
    match Real::of_dataset(dataset, part, side, places)? {
        Real::Images(source) => Ok(source),
        Real::Statistics(path) => bail!("{} holds no images", path.display()),
    }
}

/// A file or folder, or `DATASET[:part]`.
pub(in crate::command) fn parse_reference(text: &str) -> Result<Reference> {
    let path = Path::new(text);
    if path.is_file() && Statistics::recognizes(path) {
        return Ok(Reference::Statistics(path.into()));
    }
    if path.exists() {
        return Ok(Reference::Images(path.into()));
    }
    let (name, part) = text.split_once(':').unwrap_or((text, ReferenceKind::Reference.name()));
    let Ok(dataset) = serde_json::from_value::<Dataset>(name.into()) else {
        bail!(
            "`{text}` is neither a file or folder nor a data set: {}",
            Dataset::ALL.map(Dataset::name).join(", ")
        );
    };
    let known = ReferenceKind::ALL.into_iter().find(|p| p.is_of_dataset() && p.name() == part);
    match known {
        Some(part) => Ok(Reference::Dataset(dataset, part)),
        None => bail!("`{text}`: a data set's parts are ref, test and train"),
    }
}
