//! Downloads: an interrupted one resumes, and nothing unverified gets its final name.

use crate::sources::{Checksum, Remote, Source, source, sources};
use crate::{Error, Result, archive};
use md5::Md5;
use sha2::{Digest, Sha256};
use sngan_experiment::{atomic, one_at_a_time};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Downloads the missing files of `name` into `data_dir`, checks them, and unpacks archives. A file
/// put there by hand is checked and used.
///
/// `progress` gets the bytes so far and the total, if known.
///
/// # Errors
/// No connection (the message says which file to put where), a wrong checksum, an archive that lacks a file.
pub fn fetch(
    name: &str,
    data_dir: &Path,
    progress: &mut dyn FnMut(u64, Option<u64>),
) -> Result<()> {
    let source = source(name)?;
    fetch_source(source, source.base, data_dir, progress)
}

fn fetch_source(
    source: &Source,
    base: &str,
    data_dir: &Path,
    progress: &mut dyn FnMut(u64, Option<u64>),
) -> Result<()> {
    let folder = data_dir.join(source.folder);
    fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
    for remote in source.files {
        let path = folder.join(remote.name);
        // Of two who fetch one file the second waits, and finds it there.
        one_at_a_time(&path, || {
            if path.exists() {
                check(source, remote, &path)
            } else {
                download(source, base, remote, &path, progress)
            }
        })?;
        if let Some(unpack) = &source.unpack {
            archive::unpack(&path, unpack, data_dir)?;
        }
    }
    Ok(())
}

/// Downloads `remote` from the first of its addresses that has it; if none has, returns the first
/// one's error.
fn download(
    source: &Source,
    base: &str,
    remote: &Remote,
    path: &Path,
    progress: &mut dyn FnMut(u64, Option<u64>),
) -> Result<()> {
    let from = |url: String| Download { source, remote, url, path };
    let result = from(format!("{base}{}", remote.name)).run(progress);
    for mirror in remote.mirrors {
        if result.is_ok() || from((*mirror).into()).run(progress).is_ok() {
            return Ok(());
        }
    }
    result
}

/// Where [`fetch`] puts Inception's weights.
pub fn inception_weights(data_dir: &Path) -> PathBuf {
    data_dir.join("inception/pt_inception-2015-12-05-6726825d.pth")
}

/// The name of the source whose download this file is, by its name.
pub fn is_download(path: &Path) -> Option<&'static str> {
    let name = path.file_name()?.to_str()?;
    let has = |source: &&Source| source.files.iter().any(|remote| remote.name == name);
    sources().iter().find(has).map(|source| source.name)
}

/// Checks a download by its publisher's checksum.
///
/// # Errors
/// A file that cannot be read, or has another checksum.
pub fn verify_download(path: &Path) -> Result<()> {
    let Some(source) = is_download(path).and_then(|name| source(name).ok()) else {
        return Err(Error::Invalid(format!("{} is none of the downloads", path.display())));
    };
    let named = |remote: &&Remote| path.ends_with(remote.name);
    source.files.iter().filter(named).try_for_each(|remote| check(source, remote, path))
}

/// Checks the files of `name` in `data_dir`: checksums of the downloads, and unpacked files against
/// them. Returns a line for each.
///
/// # Errors
/// A missing file, a wrong checksum, an unpacked file that differs from the one in the archive.
pub fn verify(name: &str, data_dir: &Path) -> Result<Vec<String>> {
    let source = source(name)?;
    let mut report = Vec::new();
    for remote in source.files {
        let path = data_dir.join(source.folder).join(remote.name);
        if path.exists() {
            check(source, remote, &path)?;
            report.push(format!("{}: checksum matches", path.display()));
            if let Some(unpack) = &source.unpack {
                archive::compare(&path, unpack, data_dir, source)?;
                report.push(format!(
                    "{}: every file equals the archive's",
                    data_dir.join(unpack.folder).display()
                ));
            }
        } else if let Some(unpack) = &source.unpack {
            // Files prepared by hand can still be read; only their origin is unknown.
            report.extend(without_archive(source, data_dir)?);
            let folder = data_dir.join(unpack.folder);
            report.push(format!(
                "{} is absent: the origin of {} is not checked",
                path.display(),
                folder.display()
            ));
        } else {
            return Err(Error::Missing {
                what: format!("{} of {}", remote.name, source.name),
                path: data_dir.join(source.folder),
                remedy: format!(
                    "run `sngan data fetch {}`, or put the file there by hand",
                    source.name
                ),
            });
        }
    }
    // An archive's files were compared with it; those that come one by one are read.
    if let (None, Some(well_formed)) = (&source.unpack, source.well_formed) {
        report.extend(well_formed(data_dir)?);
    }
    Ok(report)
}

/// What can be checked of unpacked files without their archive.
fn without_archive(source: &Source, data_dir: &Path) -> Result<Vec<String>> {
    match source.well_formed {
        Some(well_formed) => well_formed(data_dir),
        None => Ok(vec![format!("{}: its archive is needed to check it", source.name)]),
    }
}

/// Where a data set's IDX training files are, for commands that read them.
pub fn fashion_mnist_train(data_dir: &Path) -> (PathBuf, PathBuf) {
    let folder = data_dir.join("fashion-mnist");
    (folder.join("train-images-idx3-ubyte.gz"), folder.join("train-labels-idx1-ubyte.gz"))
}

fn check(source: &Source, remote: &Remote, path: &Path) -> Result<()> {
    let wrong =
        |reason| Err(Error::Checksum { path: path.into(), reason, name: source.name.into() });
    let size = fs::metadata(path).map_err(Error::io("read", path))?.len();
    if remote.bytes.is_some_and(|b| b != size) {
        return wrong(format!("has {size} bytes instead of {}", remote.bytes.unwrap_or(0)));
    }
    let found = digests(path)?;
    let matches = |c: &Checksum| match c {
        Checksum::Md5(hex) => *hex == found.0,
        Checksum::Sha256(hex) => *hex == found.1,
        Checksum::Sha256Prefix(hex) => found.1.starts_with(hex),
    };
    if remote.checksums.iter().any(matches) {
        return Ok(());
    }
    let expected: Vec<_> = remote.checksums.iter().map(Checksum::to_string).collect();
    wrong(format!("has md5 {} and sha256 {}; expected {}", found.0, found.1, expected.join(" or ")))
}

/// MD5 and SHA-256 in hex.
fn digests(path: &Path) -> Result<(String, String)> {
    let mut file = File::open(path).map_err(Error::io("read", path))?;
    let (mut md5, mut sha256) = (Md5::new(), Sha256::new());
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(Error::io("read", path))? {
            0 => break,
            n => {
                md5.update(&buffer[..n]);
                sha256.update(&buffer[..n]);
            }
        }
    }
    Ok((hex::encode(md5.finalize()), hex::encode(sha256.finalize())))
}

/// How long a server may send nothing before the download counts as interrupted.
const PATIENCE: Duration = Duration::from_secs(60);

/// The most that a file of unknown size may have, bytes.
const LARGEST: u64 = 64 << 30;

struct Download<'a> {
    source: &'a Source,
    remote: &'a Remote,
    url: String,
    path: &'a Path,
}

impl Download<'_> {
    fn error(&self, reason: impl ToString) -> Error {
        Error::Fetch {
            url: self.url.clone(),
            reason: reason.to_string(),
            path: self.path.into(),
            name: self.source.name.into(),
        }
    }

    /// Fetches into `<name>.partial`, continuing an existing one, checks it, and gives it its final
    /// name.
    fn run(&self, progress: &mut dyn FnMut(u64, Option<u64>)) -> Result<()> {
        let partial = self.path.with_file_name(format!("{}.partial", self.remote.name));
        let have = fs::metadata(&partial).map_or(0, |m| m.len());
        if self.remote.bytes.is_none_or(|total| have != total) {
            self.transfer(&partial, have, progress)?;
        }
        if let Err(e) = check(self.source, self.remote, &partial) {
            // A file that resuming cannot repair must not be kept for resuming.
            fs::remove_file(&partial).map_err(Error::io("remove", &partial))?;
            return Err(self.error(format!("{e} (the download was removed)")));
        }
        fs::rename(&partial, self.path).map_err(Error::io("rename", self.path))
    }

    fn transfer(
        &self,
        partial: &Path,
        have: u64,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<()> {
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        let agent: ureq::Agent =
            config.timeout_connect(Some(PATIENCE)).timeout_per_read(Some(PATIENCE)).build().into();
        let mut request = agent.get(&self.url);
        if have > 0 {
            request = request.header("Range", format!("bytes={have}-"));
        }
        let mut response = request.call().map_err(|e| self.error(e))?;
        // A server that ignores the range (200) or finds it wrong (416) makes us start over.
        let start = match response.status().as_u16() {
            206 => have,
            200 => 0,
            416 => {
                fs::remove_file(partial).map_err(Error::io("remove", partial))?;
                return self.transfer(partial, 0, progress);
            }
            status => return Err(self.error(format!("the server answered with status {status}"))),
        };
        let mut options = OpenOptions::new();
        let options = atomic::not_through_links(options.create(true).append(true));
        let mut file = options.open(partial).map_err(Error::io("open", partial))?;
        file.set_len(start).map_err(Error::io("write", partial))?;
        let mut reader = response.body_mut().as_reader();
        let (mut done, mut buffer) = (start, vec![0; 1 << 16]);
        loop {
            let n = reader.read(&mut buffer).map_err(|e| {
                self.error(format!("{e} after {done} bytes; run it again to resume"))
            })?;
            if n == 0 {
                break;
            }
            // A body that does not end must not fill the disk.
            let most = self.remote.bytes.unwrap_or(LARGEST);
            if done + n as u64 > most {
                return Err(
                    self.error(format!("the server sends more than the {most} bytes it should"))
                );
            }
            file.write_all(&buffer[..n]).map_err(Error::io("write", partial))?;
            done += n as u64;
            progress(done, self.remote.bytes);
        }
        file.sync_all().map_err(Error::io("sync", partial))?;
        match self.remote.bytes {
            Some(total) if done < total => Err(self.error(format!(
                "the connection ended after {done} of {total} bytes; run it again to resume"
            ))),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
