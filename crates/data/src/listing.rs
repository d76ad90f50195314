//! The pictures of a folder: one reader for training, packing and scoring.

use crate::{Error, JPEG_DECODER, Result, picture};
use std::ffi::OsStr;
use std::fs::{DirEntry, FileType};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The class of pictures that lie in the folder itself.
const FLAT: &str = "all";
/// Folders nested deeper than this are a link that leads back.
const DEEPEST: usize = 24;
/// Names that a remark lists; it counts the others.
const NAMED: usize = 5;
/// Files and folders that desktops and other programs leave behind, besides those whose names begin
/// with a dot; in lower case.
const LITTER: &[&str] = &[
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "icon\r",
    "__macosx",
    "@eadir",
    "$recycle.bin",
    "system volume information",
    "lost+found",
];

/// How pictures were read; empty for data that are bytes already.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// The decoder of the set's JPEGs ([`JPEG_DECODER`]); `None` if it holds none.
    pub jpeg: Option<String>,
    /// What was left out or read in a way that may surprise, one sentence each.
    pub remarks: Vec<String>,
    /// The image folder, absolute, from which every split of the set can be read again; `None` for a
    /// data set with a place of its own.
    pub folder: Option<PathBuf>,
    /// What was done to pictures of another size than was asked for, where scores must say it.
    pub brought: Option<String>,
}

impl Reading {
    /// Of data that are bytes already.
    pub const NONE: Reading =
        Reading { jpeg: None, remarks: Vec::new(), folder: None, brought: None };
}

/// The pictures of a folder and its subfolders.
///
/// A subfolder is a class, with everything below it, however deep. Pictures in the folder itself
/// are the class `all`; in a flat folder it is the only one. Pictures are named `.jpg`, `.jpeg` or
/// `.png`. Names that begin with a dot, and what desktops leave behind (`Thumbs.db`, `desktop.ini`,
/// `__MACOSX`), are not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    folder: PathBuf,
    /// Names of the classes that hold a picture: `all` first, then sorted. A label is an index here.
    pub classes: Vec<String>,
    /// Label and path below the folder of each picture, by class, then by path.
    pub files: Vec<(u32, PathBuf)>,
    /// Subfolders without a picture.
    pub empty: Vec<String>,
    /// Links below the folder that lead nowhere, though their names are pictures'.
    pub dangling: Vec<PathBuf>,
    /// Files below the folder that are no pictures by their name.
    pub others: Vec<PathBuf>,
}

impl Listing {
    /// Lists a folder. No picture is opened.
    ///
    /// # Errors
    /// A folder that cannot be listed; one nested too deep; a class whose name is not UTF-8; no
    /// picture at all.
    pub fn of(folder: &Path) -> Result<Listing> {
        let mut listing = Listing {
            folder: folder.into(),
            classes: Vec::new(),
            files: Vec::new(),
            empty: Vec::new(),
            dangling: Vec::new(),
            others: Vec::new(),
        };
        let (folders, own): (Vec<Entry>, Vec<Entry>) =
            entries(folder)?.into_iter().partition(|e| e.what == What::Folder);
        let mut pictures = Vec::new();
        own.into_iter().for_each(|entry| listing.sort(entry, Path::new(""), &mut pictures));
        listing.add_class(FLAT.into(), pictures);
        for entry in folders {
            let name = entry.name.to_str().map(String::from).ok_or_else(|| {
                Error::Invalid(format!("{}: a class's name must be UTF-8", entry.path.display()))
            })?;
            let mut pictures = Vec::new();
            listing.walk(&entry.path, Path::new(&name), 1, &mut pictures)?;
            match pictures.is_empty() {
                true => listing.empty.push(name),
                false => listing.add_class(name, pictures),
            }
        }
        listing.check()?;
        Ok(listing)
    }

    fn add_class(&mut self, name: String, pictures: Vec<PathBuf>) {
        if !pictures.is_empty() {
            let label = self.classes.len() as u32;
            self.files.extend(pictures.into_iter().map(|path| (label, path)));
            self.classes.push(name);
        }
    }

    /// Puts a file where it belongs; `below` is its folder.
    fn sort(&mut self, entry: Entry, below: &Path, pictures: &mut Vec<PathBuf>) {
        let path = below.join(&entry.name);
        match entry.what {
            _ if !is_named_picture(&path) => self.others.push(path),
            What::Nowhere => self.dangling.push(path),
            What::Folder | What::File => pictures.push(path),
        }
    }

    /// The pictures of a class, sorted by path.
    fn walk(
        &mut self,
        folder: &Path,
        below: &Path,
        depth: usize,
        pictures: &mut Vec<PathBuf>,
    ) -> Result<()> {
        if depth > DEEPEST {
            let reason = format!(
                "{}: folders nest deeper than {DEEPEST}; does a link lead back?",
                folder.display()
            );
            return Err(Error::Invalid(reason));
        }
        for entry in entries(folder)? {
            if entry.what == What::Folder {
                self.walk(&entry.path, &below.join(&entry.name), depth + 1, pictures)?;
            } else {
                self.sort(entry, below, pictures);
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<()> {
        if self.files.is_empty() {
            let mut remedy =
                "give a folder with pictures, or with <class>/*.jpg or *.png".to_string();
            self.left_out().into_iter().for_each(|remark| remedy += &format!("; {remark}"));
            return Err(no_picture(&self.folder, &remedy));
        }
        if self.classes.iter().filter(|class| *class == FLAT).count() > 1 {
            let reason = format!(
                "{}: pictures of its own are class `{FLAT}`, and a subfolder is called so too; rename that, or move them into a subfolder",
                self.folder.display()
            );
            return Err(Error::Invalid(reason));
        }
        Ok(())
    }

    /// Refuses classes without a picture, because labels are numbers: a class that is missing on one
    /// side would change the meaning of all after it.
    ///
    /// # Errors
    /// The names of all of them.
    pub fn require_classes_with_pictures(&self) -> Result<()> {
        if self.empty.is_empty() {
            return Ok(());
        }
        let first = self.folder.join(&self.empty[0]);
        let remedy = format!(
            "{}; fill them, or move them out of the folder",
            said(&self.empty, "class folder holds none", "class folders hold none")
        );
        Err(no_picture(&first, &remedy))
    }

    /// Picture `i`'s path.
    ///
    /// # Panics
    /// When there is no such picture.
    pub fn path(&self, i: usize) -> PathBuf {
        self.folder.join(&self.files[i].1)
    }

    /// How the pictures are read. It opens files until one is a JPEG.
    pub fn reading(&self) -> Reading {
        let jpeg = (0..self.files.len()).any(|i| picture::is_jpeg(&self.path(i)));
        let mut remarks = self.left_out();
        if self.classes.len() > 1 && self.classes[0] == FLAT {
            let n = self.files.iter().filter(|(label, _)| *label == 0).count();
            let pictures = if n == 1 { "picture" } else { "pictures" };
            let are = if n == 1 { "is" } else { "are" };
            remarks
                .push(format!("{n} {pictures} beside class folders {are} read as class `{FLAT}`"));
        }
        Reading { jpeg: jpeg.then(|| JPEG_DECODER.into()), remarks, ..Reading::NONE }
    }

    /// What is not read, one sentence each.
    fn left_out(&self) -> Vec<String> {
        let names = |paths: &[PathBuf]| -> Vec<String> {
            paths.iter().map(|p| p.display().to_string()).collect()
        };
        let remark = |names: &[String], one: &str, several: &str| {
            (!names.is_empty()).then(|| said(names, one, several))
        };
        [
            remark(
                &names(&self.others),
                "file is neither JPEG nor PNG and is left out",
                "files are neither JPEG nor PNG and are left out",
            ),
            remark(
                &names(&self.dangling),
                "link leads nowhere and is left out",
                "links lead nowhere and are left out",
            ),
            remark(
                &self.empty,
                "class folder holds no picture and is left out",
                "class folders hold no picture and are left out",
            ),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// A folder without a picture, and what to do.
fn no_picture(folder: &Path, remedy: &str) -> Error {
    Error::Invalid(format!("no JPEG or PNG picture is in {}: {remedy}", folder.display()))
}

/// The number of `names`, what they are, and the first of them.
fn said(names: &[String], one: &str, several: &str) -> String {
    let what = if names.len() == 1 { one } else { several };
    let more = if names.len() > NAMED { ", …" } else { "" };
    format!("{} {what}: {}{more}", names.len(), names[..names.len().min(NAMED)].join(", "))
}

/// What a name stands for, links followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Folder,
    /// A file, or what is refused when it is read as one: a pipe or a device.
    File,
    /// A link that leads nowhere.
    Nowhere,
}

struct Entry {
    name: std::ffi::OsString,
    path: PathBuf,
    what: What,
}

/// What a folder holds, without litter, sorted.
fn entries(folder: &Path) -> Result<Vec<Entry>> {
    let list = || Error::io("list", folder);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(list())? {
        let entry = entry.map_err(list())?;
        let name = entry.file_name();
        if !is_litter(&name) {
            found.push(Entry { name, path: entry.path(), what: what(&entry)? });
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn what(entry: &DirEntry) -> Result<What> {
    let path = entry.path();
    let of = |kind: FileType| if kind.is_dir() { What::Folder } else { What::File };
    let kind = entry.file_type().map_err(Error::io("list", &path))?;
    if !kind.is_symlink() {
        return Ok(of(kind));
    }
    match std::fs::metadata(&path) {
        Ok(target) => Ok(of(target.file_type())),
        Err(e) if e.kind() == ErrorKind::PermissionDenied => Err(Error::io("read", &path)(e)),
        // Its target is missing, or it leads to itself.
        Err(_) => Ok(What::Nowhere),
    }
}

fn is_litter(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
        || LITTER.contains(&name.to_string_lossy().to_lowercase().as_str())
}

fn is_named_picture(path: &Path) -> bool {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    extension.is_some_and(|e| matches!(e.as_str(), "jpg" | "jpeg" | "png"))
}

#[cfg(test)]
mod tests;
