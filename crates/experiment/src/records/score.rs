//! Scores, each with its whole protocol.

use super::{Metric, Record, count};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The real images a score compares with.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reference {
    /// Data set and part, such as `fashion-mnist:held-out`.
    pub name: String,
    /// Number of images.
    pub n: usize,
    /// SHA-256 of their bytes, or of the statistics file they were read from.
    pub sha256: String,
}

/// The protocol under which a score was taken. Scores of different protocols never share an axis or a column.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Protocol {
    /// Its name, such as `is_5k_x10` or `fid_2k_ref2k`.
    pub name: String,
    /// Feature extractor, such as `scorer-fashion` or `inception`.
    pub backbone: String,
    /// SHA-256 of its weights.
    pub backbone_sha256: String,
    /// Generated (or, for the ceiling, real) images scored.
    pub n_samples: usize,
    /// Splits of the inception score, subsets of KID; 1 for others.
    pub n_splits: usize,
    /// The real side; none for the inception score.
    pub reference: Option<Reference>,
    /// How images were brought to the backbone's side, such as `none` or `triangle 32→16`.
    pub resize: String,
    /// How floats became bytes: `truncate`, or `given` if images were bytes.
    pub bytes: String,
    /// Other things that make the score different, such as `few-samples` or `logit-bias`; mostly
    /// empty.
    #[serde(default)]
    pub stamps: Vec<String>,
}

/// A line of `scores.jsonl`, or of the real data's own `ceiling.jsonl`: one metric of one checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoreRecord {
    /// [`ScoreRecord::VERSION`](Record::VERSION).
    pub version: u32,
    /// Generator updates of the checkpoint (0 for real data).
    pub gen_updates: u64,
    /// What was measured.
    pub metric: Metric,
    /// Its value; for the inception score the mean over splits. `null` when it is not finite.
    pub value: Option<f64>,
    /// Standard deviation over splits or subsets (ddof 0), if there are any.
    pub std: Option<f64>,
    /// The protocol.
    pub protocol: Protocol,
}

impl Record for ScoreRecord {
    const VERSION: u32 = 2;

    /// Version 1 held the inception score and FID in one record, under one protocol.
    fn upgrade(version: u64, old: &Value) -> Option<Vec<Value>> {
        if version != 1 {
            return None;
        }
        let protocol = |name: String, n_splits: &Value, reference: Value| {
            let p = &old["protocol"];
            json!({
                "name": name, "backbone": p["backbone"], "backbone_sha256": p["backbone_sha256"], "n_samples": p["n_samples"],
                "n_splits": n_splits, "reference": reference, "resize": p["resize"], "bytes": p["bytes"], "stamps": [],
            })
        };
        let p = &old["protocol"];
        let (samples, references) =
            (count(p["n_samples"].as_u64()?), count(p["n_reference"].as_u64()?));
        let reference = json!({ "name": p["reference"], "n": p["n_reference"], "sha256": p["reference_sha256"] });
        let record = |metric: Metric, value: &Value, std: &Value, protocol: Value| {
            let version = Self::VERSION;
            json!({
                "version": version, "gen_updates": old["gen_updates"], "metric": metric, "value": value, "std": std, "protocol": protocol,
            })
        };
        let is =
            protocol(format!("is_{samples}_split{}", p["n_splits"]), &p["n_splits"], Value::Null);
        let fid = protocol(format!("fid_{samples}_ref{references}"), &json!(1), reference);
        Some(vec![
            record(Metric::Is, &old["is_mean"], &old["is_std"], is),
            record(Metric::Fid, &old["fid"], &Value::Null, fid),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_of_version_1_becomes_two() {
        let old = r#"{"version":1,"gen_updates":1000,"is_mean":1.9,"is_std":0.03,"fid":21.4,"protocol":{"backbone":"scorer-fashion",
            "backbone_sha256":"b","n_samples":2000,"n_splits":5,"n_reference":1234,"reference":"fashion-mnist:held-out",
            "reference_sha256":"r","resize":"none","bytes":"truncate"}}"#;
        let records = ScoreRecord::read(serde_json::from_str(old).unwrap()).unwrap();
        let names: Vec<&str> = records.iter().map(|r| r.protocol.name.as_str()).collect();
        assert_eq!(names, ["is_2k_split5", "fid_2k_ref1234"]);
        assert_eq!(
            (records[0].value, records[0].std, records[1].value),
            (Some(1.9), Some(0.03), Some(21.4))
        );
        assert_eq!(records[1].protocol.reference.as_ref().unwrap().n, 1234);
        assert_eq!(
            (records[0].metric, records[0].protocol.n_splits, records[1].protocol.n_splits),
            (Metric::Is, 5, 1)
        );
    }
}
