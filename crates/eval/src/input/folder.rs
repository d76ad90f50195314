//! A folder of pictures of one size.

use super::name_of;
use crate::{Error, Result};
use sha2::{Digest, Sha256};
use sngan_data::ImageSource;
use sngan_data::parse::{Defect, Demands, square};
use std::path::{Path, PathBuf};

/// JPEG and PNG files of a folder, or of its class subfolders; classes and files in sorted order. All are squares of one side.
#[derive(Debug)]
pub struct FolderImages {
    name: String,
    side: usize,
    files: Vec<PathBuf>,
    labels: Vec<u32>,
    classes: Vec<String>,
}

impl FolderImages {
    /// Lists the files and reads the size of each.
    ///
    /// # Errors
    /// [`Error::File`]: no image in the folder, or one that cannot be read, is not square or has
    /// another size than the first.
    pub fn open(folder: &Path) -> Result<FolderImages> {
        let (mut files, mut labels, mut classes) = (Vec::new(), Vec::new(), Vec::new());
        let (folders, pictures): (Vec<PathBuf>, Vec<PathBuf>) =
            entries(folder)?.into_iter().partition(|p| p.is_dir());
        let pictures: Vec<PathBuf> = pictures.into_iter().filter(|p| is_picture(p)).collect();
        for (class, content) in std::iter::once(("all".to_string(), Ok(pictures)))
            .chain(folders.into_iter().map(subfolder))
        {
            let content = content?;
            if !content.is_empty() {
                labels.extend(std::iter::repeat_n(classes.len() as u32, content.len()));
                files.extend(content);
                classes.push(class);
            }
        }
        let Some(first) = files.first() else {
            return Err(Error::file(
                folder,
                "holds no JPEG or PNG file, nor do its subfolders; give a folder with images",
            ));
        };
        let side = side_of(first)?;
        for file in &files {
            let other = side_of(file)?;
            if other != side {
                let reason = format!(
                    "has side {other}, but {} has side {side}; resize all images to one side",
                    first.display()
                );
                return Err(Error::file(file, reason));
            }
        }
        Ok(FolderImages { name: name_of(folder), side, files, labels, classes })
    }
}

/// Files of a folder and its subfolders that are neither JPEG nor PNG by their name, without hidden
/// ones: they are ignored.
///
/// # Errors
/// A folder that cannot be listed.
pub fn left_out(folder: &Path) -> Result<usize> {
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) =
        entries(folder)?.into_iter().partition(|p| p.is_dir());
    let inner = folders.iter().map(|folder| entries(folder)).collect::<Result<Vec<_>>>()?.concat();
    let hidden =
        |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    Ok(files
        .into_iter()
        .chain(inner)
        .filter(|p| p.is_file() && !hidden(p) && !is_picture(p))
        .count())
}

/// A class subfolder's name and pictures.
fn subfolder(path: PathBuf) -> (String, Result<Vec<PathBuf>>) {
    let pictures = entries(&path).map(|all| all.into_iter().filter(|p| is_picture(p)).collect());
    (name_of(&path), pictures)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let list = |e| Error::from(sngan_experiment::Error::io("list", folder)(e));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(list)? {
        found.push(entry.map_err(list)?.path());
    }
    found.sort();
    Ok(found)
}

fn is_picture(path: &Path) -> bool {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    path.is_file() && extension.is_some_and(|e| matches!(e.as_str(), "jpg" | "jpeg" | "png"))
}

/// Side of a picture, from its first bytes.
fn side_of(path: &Path) -> Result<usize> {
    let reader = image::ImageReader::open(path).and_then(image::ImageReader::with_guessed_format);
    let reader = reader.map_err(sngan_experiment::Error::io("read", path))?;
    let (width, height) = reader
        .into_dimensions()
        .map_err(|e| Error::file(path, format!("is no readable image ({e}); remove it")))?;
    if width != height {
        return Err(Error::file(
            path,
            format!("has {width}x{height} pixels; crop or resize all images to squares"),
        ));
    }
    Ok(width as usize)
}

impl ImageSource for FolderImages {
    fn name(&self) -> &str {
        &self.name
    }

    fn side(&self) -> usize {
        self.side
    }

    fn labels(&self) -> &[u32] {
        &self.labels
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn read(&self, i: usize, out: &mut Vec<u8>) -> sngan_data::Result<()> {
        let path = &self.files[i];
        let bytes = std::fs::read(path).map_err(|source| sngan_data::Error::Io {
            action: "read",
            path: path.clone(),
            source,
        })?;
        let pixels = square(&bytes, self.side, Demands::default()).map_err(|defect| {
            let (offset, reason) = match defect {
                Defect::Unreadable { offset, reason } => (offset, reason),
                Defect::Small { width, height } => (0, format!("it has {width}x{height} pixels")),
            };
            sngan_data::Error::Image { path: path.clone(), offset, reason }
        })?;
        out.extend(pixels);
        Ok(())
    }

    fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        for file in &self.files {
            // A file that cannot be read is an error when it is scored; here it only changes the
            // hash.
            hash.update(std::fs::read(file).unwrap_or_default());
        }
        hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(path: &Path, width: u32, height: u32, value: u8) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        image::RgbImage::from_pixel(width, height, image::Rgb([value, 0, 255])).save(path).unwrap();
    }

    fn message(path: &Path) -> String {
        FolderImages::open(path).unwrap_err().to_string()
    }

    #[test]
    fn a_flat_folder_and_one_with_classes_are_read_in_order() {
        let folder = tempfile::tempdir().unwrap();
        png(&folder.path().join("flat/2.png"), 4, 4, 2);
        png(&folder.path().join("flat/1.png"), 4, 4, 1);
        std::fs::write(folder.path().join("flat/notes.txt"), "none").unwrap();
        let flat = FolderImages::open(&folder.path().join("flat")).unwrap();
        let mut first = Vec::new();
        flat.read(0, &mut first).unwrap();
        assert_eq!((flat.len(), flat.side(), first[0], flat.name()), (2, 4, 1, "flat"));
        assert_eq!(left_out(&folder.path().join("flat")).unwrap(), 1);
        png(&folder.path().join("classes/b/1.png"), 4, 4, 1);
        png(&folder.path().join("classes/a/1.png"), 4, 4, 1);
        let classes = FolderImages::open(&folder.path().join("classes")).unwrap();
        assert_eq!(
            (classes.labels(), classes.classes()),
            (&[0, 1][..], &["a".to_string(), "b".into()][..])
        );
    }

    #[test]
    fn folders_that_cannot_be_scored_say_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        assert!(message(folder.path()).contains("no JPEG or PNG"));
        png(&folder.path().join("1.png"), 4, 4, 1);
        png(&folder.path().join("2.png"), 8, 8, 1);
        let said = message(folder.path());
        assert!(said.contains("2.png: has side 8, but") && said.contains("resize all"), "{said}");
        png(&folder.path().join("2.png"), 8, 4, 1);
        assert!(message(folder.path()).contains("8x4 pixels"));
        std::fs::write(folder.path().join("2.png"), "no picture").unwrap();
        assert!(message(folder.path()).contains("no readable image"));
    }
}
