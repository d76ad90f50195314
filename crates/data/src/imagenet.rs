//! ImageNet: a folder `train/<synset>/*.JPEG` (and `val/<synset>/`), packed once, then trained from.

use crate::listing::Listing;
use crate::pack::{self, Options, PackProgress, Packed};
use crate::{Error, ImageSource, Result, Split};
use std::path::{Path, PathBuf};

/// Where the packs of a side are, below the data folder: `imagenet-128`.
pub fn folder(data_dir: &Path, side: usize) -> PathBuf {
    data_dir.join(format!("imagenet-{side}"))
}

/// The parts of ImageNet that the folder `from` has: `train`, and `val` if it exists.
///
/// # Errors
/// No `train` folder.
pub fn parts(from: &Path) -> Result<Vec<&'static str>> {
    let parts: Vec<&str> =
        ["train", "val"].into_iter().filter(|part| from.join(part).is_dir()).collect();
    if parts.first() != Some(&"train") {
        return Err(Error::Missing {
            what: "ImageNet's folder `train`".into(),
            path: from.into(),
            remedy: "expected train/<synset>/*.JPEG, and val/<synset>/*.JPEG where validation images are wanted".into(),
        });
    }
    Ok(parts)
}

/// Packs `from/train` and, if it exists, `from/val` into `out/train` and `out/val`; `progress` also
/// gets the part's name. Returns the packs.
///
/// # Errors
/// Those of [`parts`] and of [`pack::pack`].
pub fn pack(
    from: &Path,
    out: &Path,
    options: Options,
    progress: &mut dyn FnMut(&str, PackProgress),
) -> Result<Vec<Packed>> {
    let one = |part: &&str| {
        pack::pack(
            &from.join(part),
            &format!("imagenet:{part}"),
            &out.join(part),
            options,
            &mut |p| progress(part, p),
        )
    };
    let parts = parts(from)?;
    // List the second part before the first is packed, so that its defects show early. Packing
    // lists the first.
    parts.iter().skip(1).try_for_each(|part| Listing::of(&from.join(part)).map(drop))?;
    parts.iter().map(one).collect()
}

/// Opens a split's pack of `side` pixels.
pub(crate) fn open(data_dir: &Path, split: Split, side: usize) -> Result<Packed> {
    let (folder, part) = match split {
        Split::Train => (folder(data_dir, side), "train"),
        Split::Reference | Split::HeldOut => (folder(data_dir, side), "val"),
    };
    if !folder.join(part).is_dir() {
        let remedy = format!(
            "run `sngan data pack imagenet` at side {side}, on a folder with train/<synset>/*.JPEG and val/<synset>/*.JPEG"
        );
        return Err(Error::Missing {
            what: format!("ImageNet's `{part}` images, packed at side {side}"),
            path: folder.join(part),
            remedy,
        });
    }
    Packed::open(&folder.join(part))
}

/// Reads and checks every pack of ImageNet in `data_dir`; `progress` gets a pack's images so far
/// and in total. Returns a line for each pack.
///
/// # Errors
/// No pack, or the first file or image that differs from what was packed.
pub fn verify(data_dir: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Vec<String>> {
    let mut report = Vec::new();
    let entries = match std::fs::read_dir(data_dir) {
        Ok(entries) => Some(entries),
        // A missing folder holds no pack.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
        Err(e) => return Err(Error::io("list", data_dir)(e)),
    };
    for entry in entries.into_iter().flatten() {
        let folder = entry.map_err(Error::io("list", data_dir))?.path();
        if !folder.file_name().is_some_and(|n| n.to_string_lossy().starts_with("imagenet-")) {
            continue;
        }
        for part in
            ["train", "val"].map(|part| folder.join(part)).into_iter().filter(|part| part.is_dir())
        {
            let packed = Packed::open(&part)?;
            packed.verify(progress)?;
            let (n, rejected) = (packed.len(), packed.header().rejected);
            let plural = |one: bool| if one { "" } else { "s" };
            let (images, files) = (plural(n == 1), plural(rejected == 1));
            report.push(format!(
                "{}: {n} image{images} as packed, {rejected} file{files} rejected, sha256 {}",
                part.display(),
                packed.sha256()
            ));
        }
    }
    if report.is_empty() {
        let remedy = "run `sngan data pack imagenet`".into();
        return Err(Error::Missing {
            what: "a folder imagenet-<side> with packed images".into(),
            path: data_dir.into(),
            remedy,
        });
    }
    report.sort();
    Ok(report)
}
