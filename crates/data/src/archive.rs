//! Extracting files from a checked archive.

use crate::sources::{Source, Unpack};
use crate::{Error, Result};
use flate2::read::GzDecoder;
use sngan_experiment::atomic;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

/// Bytes copied or compared at a time.
const BLOCK: usize = 1 << 16;

/// Unpacks missing files, each whole or not at all.
pub(crate) fn unpack(archive: &Path, unpack: &Unpack, data_dir: &Path) -> Result<()> {
    let folder = data_dir.join(unpack.folder);
    if unpack.files.iter().all(|f| folder.join(f).exists()) {
        return Ok(());
    }
    each_member(archive, unpack, |name, content| {
        let path = folder.join(name);
        atomic::write_with(&path, |file| {
            let mut block = vec![0; BLOCK];
            loop {
                match content.read(&mut block).map_err(cut(archive))? {
                    0 => return Ok(()),
                    n => file.write_all(&block[..n]).map_err(Error::io("write", &path))?,
                }
            }
        })
    })
}

/// Compares every unpacked file with the one in the archive.
pub(crate) fn compare(
    archive: &Path,
    unpack: &Unpack,
    data_dir: &Path,
    source: &Source,
) -> Result<()> {
    each_member(archive, unpack, |name, content| {
        let path = data_dir.join(unpack.folder).join(name);
        let mut found = File::open(&path).map_err(Error::io("read", &path))?;
        if is_same(content, &mut found, archive, &path)? {
            return Ok(());
        }
        Err(Error::Checksum {
            path,
            reason: "differs from the file in the archive".into(),
            name: source.name.into(),
        })
    })
}

fn is_same(content: &mut dyn Read, found: &mut File, archive: &Path, path: &Path) -> Result<bool> {
    let (mut expected, mut block) = (vec![0; BLOCK], vec![0; BLOCK]);
    loop {
        let n = content.read(&mut expected).map_err(cut(archive))?;
        if n == 0 {
            return Ok(found.read(&mut block[..1]).map_err(Error::io("read", path))? == 0);
        }
        match found.read_exact(&mut block[..n]) {
            Ok(()) if block[..n] == expected[..n] => {}
            Ok(()) => return Ok(false),
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(e) => return Err(Error::io("read", path)(e)),
        }
    }
}

fn cut(archive: &Path) -> impl Fn(std::io::Error) -> Error {
    move |e| Error::malformed(archive, 0, format!("the archive is cut or corrupt: {e}"))
}

/// Calls `f(name, content)` for each expected regular file of the archive. Names are compared with the list, never joined to a path, so
/// no entry can escape; links and devices are left out; sizes are bounded.
fn each_member(
    archive: &Path,
    unpack: &Unpack,
    mut f: impl FnMut(&str, &mut dyn Read) -> Result<()>,
) -> Result<()> {
    let file = File::open(archive).map_err(Error::io("read", archive))?;
    let mut tar = tar::Archive::new(GzDecoder::new(file));
    let mut missing: Vec<&str> = unpack.files.to_vec();
    for entry in tar.entries().map_err(cut(archive))? {
        let entry = entry.map_err(cut(archive))?;
        let path = entry.path().map_err(cut(archive))?.into_owned();
        let wanted = missing.iter().position(|name| path == Path::new(unpack.folder).join(name));
        let (Some(i), true) = (wanted, entry.header().entry_type().is_file()) else { continue };
        if entry.size() > unpack.limit {
            return Err(Error::malformed(
                archive,
                0,
                format!(
                    "{} has {} bytes, more than {}",
                    path.display(),
                    entry.size(),
                    unpack.limit
                ),
            ));
        }
        f(missing.remove(i), &mut entry.take(unpack.limit))?;
    }
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Error::malformed(archive, 0, format!("the archive lacks {}", missing.join(", "))))
    }
}
