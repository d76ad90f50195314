//! Making a pack. A kill at any moment loses at most the current chunk: the same call continues and
//! ends in the same bytes.

use super::header::{Header, LARGEST_SIDE, PackPlan, identity};
use super::read::Packed;
use super::{HEADER, INDEX, PIXELS, PLAN, RECORD, REJECTED, VERSION};
use crate::decode::{Defect, Demands, square};
use crate::listing::{Listing, Reading};
use crate::{Error, Result, picture};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sngan_experiment::{FolderLock, atomic};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// Maximum number of files decoded between two writes to disk.
const CHUNK: usize = 256;
/// Maximum bytes of images decoded between two writes to disk, if these are fewer files.
const CHUNK_BYTES: usize = 256 << 20;

/// How to pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Height and width of the packed images, pixels.
    pub side: usize,
    /// Images with a shorter side than this, pixels, are left out; 0 leaves out none. The authors'
    /// preprocessing uses 256.
    pub min_side: u32,
    /// Whether a file that cannot be decoded is an error instead of a line in `rejected.json`.
    pub strict: bool,
}

/// The progress of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackProgress {
    /// Files processed.
    pub done: u64,
    /// Files in total.
    pub total: u64,
    /// Files that gave no image.
    pub rejected: u64,
}

/// A file that gave no image: an entry of `rejected.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rejected {
    /// Its index among the folder's image files, from 0.
    pub file: u64,
    /// `<class>/<name>`.
    pub path: String,
    /// The reason.
    pub reason: String,
}

/// Packs the class subfolders of `from` into the folder `out`, as the set `name`, on the current
/// rayon pool: center crop, then antialiased bilinear resize, of bytes. Classes and files are in
/// sorted order. An existing pack is opened.
///
/// # Errors
/// A side outside of 1..=4096; a file that cannot be read because of the disk or its permissions;
/// with [`Options::strict`] one that is not a file or cannot be decoded; a full disk; an existing
/// pack of other files or options; another process packing into the same place.
pub fn pack(
    from: &Path,
    name: &str,
    out: &Path,
    options: Options,
    progress: &mut dyn FnMut(PackProgress),
) -> Result<Packed> {
    if options.side == 0 || options.side > LARGEST_SIDE {
        return Err(Error::Invalid(format!(
            "a packed image's side must be in 1..={LARGEST_SIDE} pixels, not {}",
            options.side
        )));
    }
    let listing = Listing::of(from)?;
    listing.require_classes_with_pictures()?;
    if let Some(link) = listing.dangling.first().filter(|_| options.strict) {
        let reason = "it is a link that leads nowhere; put a file there, or do not pack strictly";
        return Err(Error::Image { path: from.join(link), offset: 0, reason: reason.into() });
    }
    let Reading { jpeg, remarks, .. } = listing.reading();
    let plan = plan(&listing, name, jpeg, options);
    if out.join(HEADER).exists() {
        let packed = Packed::open(out)?;
        check_fits(out, &packed.header().plan, &plan)?;
        return Ok(packed.with_remarks(remarks));
    }
    if fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some()) {
        let reason = format!(
            "holds files, but no {HEADER}, which a pack is complete with; choose another output folder"
        );
        return Err(Error::Invalid(format!("{} {reason}", out.display())));
    }
    let parent = out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let _lock = FolderLock::take(parent)?;
    let partial = out.with_added_extension("partial");
    let mut session = Session::take_up(from, &listing, &partial, plan, options)?;
    session.run(progress)?;
    session.finish()?;
    fs::rename(&partial, out).map_err(Error::io("rename", &partial))?;
    Ok(Packed::open(out)?.with_remarks(remarks))
}

/// Refuses to go on with, or to give out, what was `found` in place of what is `wanted`.
fn check_fits(folder: &Path, found: &PackPlan, wanted: &PackPlan) -> Result<()> {
    if found == wanted {
        return Ok(());
    }
    let of = |plan: &PackPlan| plan.decoder.clone().unwrap_or_else(|| "an older decoder".into());
    let why = if (PackPlan { decoder: None, ..found.clone() })
        == (PackPlan { decoder: None, ..wanted.clone() })
    {
        format!("by {}; here JPEGs are decoded by {}", of(found), of(wanted))
    } else {
        "from other files or with other options".into()
    };
    Err(Error::Invalid(format!(
        "{} was packed {why}; choose another output folder",
        folder.display()
    )))
}

fn plan(listing: &Listing, name: &str, decoder: Option<String>, options: Options) -> PackPlan {
    let mut hash = Sha256::new();
    for (label, file) in &listing.files {
        // The label stands for the class folder.
        let file = file.strip_prefix(&listing.classes[*label as usize]).unwrap_or(file).as_os_str();
        hash.update(label.to_le_bytes());
        hash.update((file.len() as u64).to_le_bytes());
        hash.update(file.as_encoded_bytes());
    }
    PackPlan {
        version: VERSION,
        name: name.into(),
        side: options.side,
        min_side: options.min_side,
        classes: listing.classes.clone(),
        files: listing.files.len() as u64,
        listing_sha256: hex::encode(hash.finalize()),
        decoder,
    }
}

/// A pack in progress. On disk, pixels and the list of rejected files are ahead of the index, so
/// everything that the index counts is complete.
struct Session<'a> {
    from: &'a Path,
    listing: &'a Listing,
    folder: PathBuf,
    plan: PackPlan,
    options: Options,
    pixels: File,
    index: File,
    rejected: Vec<Rejected>,
    images: u64,
    done: u64,
}

impl<'a> Session<'a> {
    fn take_up(
        from: &'a Path,
        listing: &'a Listing,
        folder: &Path,
        plan: PackPlan,
        options: Options,
    ) -> Result<Session<'a>> {
        let path = folder.join(PLAN);
        if path.exists() {
            let text = fs::read(&path).map_err(Error::io("read", &path))?;
            let found = serde_json::from_slice::<PackPlan>(&text).ok();
            if found.as_ref() != Some(&plan) {
                // A pack without an image has nothing that depends on the other files or options.
                if fs::metadata(folder.join(INDEX)).is_ok_and(|m| m.len() > 0) {
                    let unknown = || PackPlan { version: 0, ..plan.clone() };
                    check_fits(folder, &found.unwrap_or_else(unknown), &plan)?;
                }
                fs::remove_dir_all(folder).map_err(Error::io("remove", folder))?;
            }
        }
        if !path.exists() {
            atomic::write_json(&path, &plan)?;
        }
        let (pixels, index) = (append_to(&folder.join(PIXELS))?, append_to(&folder.join(INDEX))?);
        let size = |file: &File| {
            Ok::<u64, Error>(file.metadata().map_err(Error::io("read", folder))?.len())
        };
        let image = plan.image_bytes() as u64;
        let images = (size(&index)? / RECORD as u64).min(size(&pixels)? / image);
        index.set_len(images * RECORD as u64).map_err(Error::io("cut", &folder.join(INDEX)))?;
        pixels.set_len(images * image).map_err(Error::io("cut", &folder.join(PIXELS)))?;
        let mut rejected = read_rejected(&folder.join(REJECTED))?;
        let done = looked_at(images, &rejected);
        rejected.retain(|r| r.file < done);
        Ok(Session {
            from,
            listing,
            folder: folder.into(),
            plan,
            options,
            pixels,
            index,
            rejected,
            images,
            done,
        })
    }

    fn run(&mut self, progress: &mut dyn FnMut(PackProgress)) -> Result<()> {
        let listing = self.listing;
        for chunk in listing.files[(self.done as usize).min(listing.files.len())..]
            .chunks((CHUNK_BYTES / self.plan.image_bytes()).clamp(1, CHUNK))
        {
            let decoded: Vec<Decoded> = chunk
                .par_iter()
                .map(|(label, file)| self.decode(*label, file))
                .collect::<Result<_>>()?;
            self.append(decoded)?;
            progress(PackProgress {
                done: self.done,
                total: self.plan.files,
                rejected: self.rejected.len() as u64,
            });
        }
        Ok(())
    }

    fn decode(&self, label: u32, file: &Path) -> Result<Decoded> {
        let path = self.from.join(file);
        let demands = Demands { min_side: self.options.min_side, ..Demands::default() };
        let defect = match picture::read(&path) {
            Ok(bytes) => match square(&bytes, self.options.side, demands) {
                Ok(image) => {
                    let digest = Sha256::digest(&image).into();
                    return Ok(Decoded::Image { digest, label, image });
                }
                Err(defect) => defect,
            },
            Err(Error::Image { offset, reason, .. }) => Defect::Unreadable { offset, reason },
            Err(Error::Io { source, .. }) if is_gone(&source) => {
                Defect::Unreadable { offset: 0, reason: source.to_string() }
            }
            Err(e) => return Err(e),
        };
        let reason = match defect {
            Defect::Unreadable { offset, reason } if self.options.strict => {
                let remedy = "; put a whole file there or do not pack strictly, and the pack goes on from here";
                return Err(Error::Image { path, offset, reason: reason + remedy });
            }
            Defect::Unreadable { offset, reason } => format!("offset {offset}: {reason}"),
            Defect::Small { width, height } => {
                format!(
                    "{width}x{height} pixels, shorter than the least side {}",
                    self.options.min_side
                )
            }
        };
        Ok(Decoded::Rejected { path: file.to_string_lossy().into_owned(), reason })
    }

    /// Writes a chunk: rejected files, pixels, then the index that makes them count, each synced before the next.
    fn append(&mut self, decoded: Vec<Decoded>) -> Result<()> {
        let mut pixels = Vec::new();
        let mut index = Vec::new();
        let known = self.rejected.len();
        for (file, result) in (self.done..).zip(&decoded) {
            match result {
                Decoded::Image { image, label, digest } => {
                    pixels.extend_from_slice(image);
                    index.extend_from_slice(&label.to_le_bytes());
                    index.extend_from_slice(digest);
                    self.images += 1;
                }
                Decoded::Rejected { path, reason } => {
                    self.rejected.push(Rejected {
                        file,
                        path: path.clone(),
                        reason: reason.clone(),
                    });
                }
            }
        }
        if self.rejected.len() > known {
            atomic::write_json(&self.folder.join(REJECTED), &self.rejected)?;
        }
        write_synced(&mut self.pixels, &pixels)
            .map_err(Error::io("write", &self.folder.join(PIXELS)))?;
        write_synced(&mut self.index, &index)
            .map_err(Error::io("write", &self.folder.join(INDEX)))?;
        self.done += decoded.len() as u64;
        Ok(())
    }

    fn finish(self) -> Result<()> {
        if self.images == 0 {
            let first = self
                .rejected
                .first()
                .map_or_else(String::new, |r| format!("; the first, {}: {}", r.path, r.reason));
            return Err(Error::Invalid(format!(
                "{}: none of {} files gave an image{first}",
                self.from.display(),
                self.plan.files
            )));
        }
        let path = self.folder.join(INDEX);
        let index = fs::read(&path).map_err(Error::io("read", &path))?;
        atomic::write_json(&self.folder.join(REJECTED), &self.rejected)?;
        let header = Header {
            images: self.images,
            rejected: self.rejected.len() as u64,
            sha256: identity(&self.plan, &index),
            plan: self.plan,
        };
        atomic::write_json(&self.folder.join(HEADER), &header)?;
        Ok(())
    }
}

/// Whether a file went away after it was listed: no other try would find it.
fn is_gone(e: &std::io::Error) -> bool {
    e.kind() == ErrorKind::NotFound
}

/// The outcome for a file.
enum Decoded {
    Image { image: Vec<u8>, label: u32, digest: [u8; 32] },
    Rejected { path: String, reason: String },
}

/// How many files had been processed when there were `images` images. A rejected file after the
/// last of them may belong to a chunk that was never finished, and is processed again.
fn looked_at(images: u64, rejected: &[Rejected]) -> u64 {
    let mut done = images;
    for r in rejected {
        if r.file >= done {
            break;
        }
        done += 1;
    }
    done
}

fn read_rejected(path: &Path) -> Result<Vec<Rejected>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let mut text = Vec::new();
    File::open(path).and_then(|mut f| f.read_to_end(&mut text)).map_err(Error::io("read", path))?;
    let remedy = "choose another output folder, and the pack is made anew";
    serde_json::from_slice(&text).map_err(|e| Error::malformed(path, 0, format!("{e}; {remedy}")))
}

fn append_to(path: &Path) -> Result<File> {
    OpenOptions::new().create(true).append(true).open(path).map_err(Error::io("open", path))
}

fn write_synced(file: &mut File, bytes: &[u8]) -> std::io::Result<()> {
    file.write_all(bytes)?;
    file.sync_data()
}
