//! The state of a run, and the seal on its records: how far each file went when the status was written.

use super::{LOG, RECORDS, RunDir, SPECTRUM, read_json, write_lines};
use crate::records::{FORMAT_VERSION, SpectrumRecord, Status, StatusRecord};
use crate::{Error, Extent, Result, atomic, one_at_a_time};
use std::collections::BTreeMap;

impl RunDir {
    /// `status.json`, or `None` before the first checkpoint.
    ///
    /// # Errors
    /// When it is malformed.
    pub fn status(&self) -> Result<Option<StatusRecord>> {
        let path = self.status_path();
        if path.exists() { read_json(&path).map(Some) } else { Ok(None) }
    }

    /// Replaces `status.json`.
    ///
    /// # Errors
    /// Any I/O error.
    pub fn write_status(
        &self,
        status: Status,
        gen_updates: u64,
        reason: Option<String>,
    ) -> Result<()> {
        self.alone_with_status(|| self.put_status(status, gen_updates, reason, self.extents()?))
    }

    /// Does `work` on the status while nobody else does: a scoring beside a training must not put an
    /// older one back.
    fn alone_with_status(&self, work: impl FnOnce() -> Result<()>) -> Result<()> {
        one_at_a_time(&self.status_path(), work)
    }

    fn put_status(
        &self,
        status: Status,
        gen_updates: u64,
        reason: Option<String>,
        records: BTreeMap<String, Extent>,
    ) -> Result<()> {
        let run_id = self.spec().ok().map(|spec| spec.id());
        let version = FORMAT_VERSION;
        let record = StatusRecord { version, status, gen_updates, reason, run_id, records };
        atomic::write_json(&self.status_path(), &record)
    }

    /// How far each file of records goes now, by its name.
    ///
    /// # Errors
    /// Any I/O error.
    pub fn extents(&self) -> Result<BTreeMap<String, Extent>> {
        let mut extents = BTreeMap::new();
        for name in RECORDS {
            if let Some(extent) = Extent::of(&self.path.join(name))? {
                extents.insert(name.to_string(), extent);
            }
        }
        Ok(extents)
    }

    /// Puts down in the status, if there is one, how far the records go now: after lines were added.
    ///
    /// # Errors
    /// Any I/O error, or a malformed status.
    pub fn seal(&self) -> Result<()> {
        self.alone_with_status(|| {
            let Some(found) = self.status()? else { return Ok(()) };
            let records = self.extents()?;
            if found.records == records {
                return Ok(());
            }
            self.put_status(found.status, found.gen_updates, found.reason, records)
        })
    }

    /// Replaces the spectra.
    ///
    /// # Errors
    /// Any I/O error, or a malformed status.
    pub fn write_spectra(&self, spectra: &[SpectrumRecord]) -> Result<()> {
        // These lines are not added to: until the new ones are there, nothing is said of them.
        self.alone_with_status(|| {
            let Some(mut found) = self.status()? else { return Ok(()) };
            if found.records.remove(SPECTRUM).is_none() {
                return Ok(());
            }
            self.put_status(found.status, found.gen_updates, found.reason, found.records)
        })?;
        write_lines(&self.spectrum_path(), spectra)?;
        self.seal()
    }

    /// Checks that the spec is the one that the records were made by, and that no record which was
    /// put down has been cut, reordered or altered. What older versions did not put down is not
    /// checked.
    ///
    /// # Errors
    /// [`Error::OtherRun`] or [`Error::Altered`]; a malformed spec or status.
    pub fn check(&self) -> Result<()> {
        self.faults()?.into_iter().next().map_or(Ok(()), Err)
    }

    /// The same, but for files that are not there.
    ///
    /// # Errors
    /// As [`RunDir::check`].
    pub fn check_existing(&self) -> Result<()> {
        let is_there = |e: &Error| !matches!(e, Error::Altered { path, .. } if !path.exists());
        self.faults()?.into_iter().find(is_there).map_or(Ok(()), Err)
    }

    /// Everything that [`RunDir::check`] finds.
    ///
    /// # Errors
    /// A malformed spec or status; any I/O error.
    pub fn faults(&self) -> Result<Vec<Error>> {
        let Some(status) = self.status()? else { return Ok(Vec::new()) };
        let asked = self.spec()?.id();
        let other = status.run_id.filter(|found| *found != asked);
        let mut faults: Vec<Error> = other
            .map(|found| Error::OtherRun { path: self.status_path(), found, asked })
            .into_iter()
            .collect();
        for name in RECORDS {
            let Some(extent) = status.records.get(name) else { continue };
            faults.extend(extent.check(&self.path.join(name)).err());
        }
        Ok(faults)
    }

    /// Rewrites `log.jsonl` without the lines after `gen_updates`, as a resumed run must, with the
    /// status [`Status::Running`].
    ///
    /// # Errors
    /// Any I/O error, or a malformed line.
    pub fn resume_at(&self, gen_updates: u64) -> Result<()> {
        let kept = self.log_until(gen_updates)?;
        // The status first: where it says less than the log holds, nothing looks cut, whenever this
        // is interrupted.
        self.alone_with_status(|| {
            let mut records = self.extents()?;
            if let (Some(extent), Some(kept)) = (records.get_mut(LOG), &kept) {
                *extent = Extent::of_bytes(kept.as_bytes());
            }
            self.put_status(Status::Running, gen_updates, None, records)
        })?;
        match kept {
            Some(kept) => atomic::write(&self.log_path(), kept.as_bytes()),
            None => Ok(()),
        }
    }

    /// The log's lines up to `gen_updates`; `None` without a log.
    fn log_until(&self, gen_updates: u64) -> Result<Option<String>> {
        if !self.log_path().exists() {
            return Ok(None);
        }
        // Lines are kept as they are: numbers read and written again might differ in their last digit.
        let path = self.log_path();
        let keep: Vec<bool> = self.log()?.iter().map(|r| r.gen_update <= gen_updates).collect();
        let text = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        let kept: String = text
            .split_inclusive('\n')
            .zip(keep)
            .filter(|(_, keep)| *keep)
            .map(|(line, _)| line)
            .collect();
        Ok(Some(kept))
    }
}

#[cfg(test)]
mod tests {
    use super::super::append_line;
    use super::super::tests::provenance;
    use super::*;
    use crate::RunSpec;
    use crate::method::Method;
    use crate::records::TimingRecord;

    #[test]
    fn what_was_put_down_is_checked_and_what_was_added_since_is_not_damage() {
        let folder = tempfile::tempdir().unwrap();
        let spec = RunSpec::paper(Method::Sn);
        let dir = RunDir::create(folder.path().join("r"), &spec, &provenance()).unwrap();
        let line = |gen_update| {
            append_line(&dir.log_path(), &crate::records::LogRecord::empty(gen_update)).unwrap();
        };
        (1..=3).for_each(line);
        dir.write_status(Status::Running, 3, None).unwrap();
        (4..=5).for_each(line);
        dir.check().unwrap();
        dir.resume_at(2).unwrap();
        dir.check().unwrap();
        assert_eq!(dir.log().unwrap().len(), 2);
        let text = std::fs::read_to_string(dir.log_path()).unwrap();
        let mut lines: Vec<&str> = text.lines().collect();
        lines.reverse();
        std::fs::write(dir.log_path(), lines.join("\n") + "\n").unwrap();
        let message = dir.check().unwrap_err().to_string();
        assert!(message.contains("log.jsonl has been cut or altered"), "{message}");
        std::fs::write(dir.log_path(), text).unwrap();
        let other = RunSpec { seed: 9, ..spec };
        std::fs::write(dir.spec_path(), toml::to_string(&other).unwrap()).unwrap();
        let message = dir.check().unwrap_err().to_string();
        assert!(message.contains(&other.id()) && message.contains("status.json"), "{message}");
    }

    #[test]
    fn a_line_that_a_kill_cut_and_the_next_one_replaced_is_no_damage() {
        let folder = tempfile::tempdir().unwrap();
        let spec = RunSpec::paper(Method::Sn);
        let dir = RunDir::create(folder.path().join("r"), &spec, &provenance()).unwrap();
        let record = crate::records::LogRecord::empty(1);
        std::fs::write(dir.scores_path(), "{\"version\":2,").unwrap();
        dir.write_status(Status::Running, 1, None).unwrap();
        append_line(&dir.scores_path(), &record).unwrap();
        dir.check().unwrap();
    }

    #[test]
    fn a_seal_beside_a_training_puts_no_older_status_back() {
        let folder = tempfile::tempdir().unwrap();
        let spec = RunSpec::paper(Method::Sn);
        let dir = RunDir::create(folder.path().join("r"), &spec, &provenance()).unwrap();
        dir.write_status(Status::Running, 0, None).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for i in 0..40 {
                    let row = TimingRecord { version: 1, gen_update: i, seconds: 0.5 };
                    append_line(&dir.scores_path(), &row).unwrap();
                    dir.seal().unwrap();
                }
            });
            for i in 1..=40 {
                dir.write_status(Status::Running, i, None).unwrap();
                assert_eq!(dir.status().unwrap().unwrap().gen_updates, i);
            }
        });
    }
}
