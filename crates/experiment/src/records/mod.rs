//! The records a run leaves behind. Each is one line of JSON; numbers are finite or `null`.

mod log;
mod plan;
mod provenance;
mod score;
mod spectrum;
mod status;

pub use crate::protocol::Metric;
pub use log::{LogRecord, TimingRecord};
pub use plan::PlanRecord;
pub use provenance::{Accelerator, ImportedFile, Provenance, Segment, Source};
pub use score::{Protocol, Reference, ScoreRecord};
pub use spectrum::{SpectrumRecord, spectral_entropy, stable_rank};
pub use status::{ImagesRecord, Status, StatusRecord};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Version of the run directory's layout, and of every record that has not changed since the first.
pub const FORMAT_VERSION: u32 = 1;

/// A kind of record, with the version in which it is written. Each record holds `version`; a reader
/// upgrades older ones and refuses newer ones.
pub trait Record: Serialize + DeserializeOwned {
    /// The version written today.
    const VERSION: u32 = FORMAT_VERSION;

    /// Upgrades a record of an older version to one or several of today's; `None` for a version
    /// that never existed.
    fn upgrade(version: u64, old: &Value) -> Option<Vec<Value>> {
        let _ = (version, old);
        None
    }

    /// Reads one record of any version up to today's.
    ///
    /// # Errors
    /// A newer or unknown version, a missing key or a wrong type, as text for a message that names the file.
    fn read(value: Value) -> Result<Vec<Self>, String> {
        let version = value["version"].as_u64().unwrap_or(0);
        if version > u64::from(Self::VERSION) {
            return Err(format!(
                "format version {version} is newer than this build's {}; use the sngan that wrote it",
                Self::VERSION
            ));
        }
        let parse = |v: Value| serde_json::from_value(v).map_err(|e| e.to_string());
        if version == u64::from(Self::VERSION) {
            return Ok(vec![parse(value)?]);
        }
        match Self::upgrade(version, &value) {
            Some(values) => values.into_iter().map(parse).collect(),
            None => Err(format!("format version {version}, this build reads {}", Self::VERSION)),
        }
    }
}

/// A number of images as protocols write it: `5k` for 5,000, `200` for 200.
pub fn count(n: u64) -> String {
    if n > 0 && n.is_multiple_of(1000) { format!("{}k", n / 1000) } else { n.to_string() }
}

/// `null` instead of a number that JSON cannot hold.
pub fn finite(x: f64) -> Option<f64> {
    x.is_finite().then_some(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn newer_and_unknown_versions_are_refused() {
        let message = |v: u32| ScoreRecord::read(json!({ "version": v })).unwrap_err();
        assert!(message(3).contains("newer"));
        assert!(message(0).contains("version 0"));
        assert!(message(2).contains("missing field"));
    }
}
