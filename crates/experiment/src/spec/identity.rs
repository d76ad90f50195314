//! What makes two runs the same run: reading specs of any age, identity, differences.

use super::{ADDED, LrDecay, Names, RunSpec, imported};
use crate::{Error, Result};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// [`ADDED`] as values.
fn added() -> impl Iterator<Item = (&'static str, Value)> {
    ADDED.into_iter().filter_map(|(key, text)| Some((key, serde_json::from_str(text).ok()?)))
}

impl Serialize for RunSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let Some(imported) = &self.imported else { return RunSpec::serialize(self, serializer) };
        let all =
            RunSpec::serialize(self, serde_json::value::Serializer).map_err(S::Error::custom)?;
        let Value::Object(all) = all else { return Err(S::Error::custom("a spec is a table")) };
        let known: Map<String, Value> =
            all.into_iter().filter(|(key, _)| !imported.unknown.contains(key)).collect();
        known.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RunSpec {
    fn deserialize<D: Deserializer<'de>>(
        deserializer: D,
    ) -> std::result::Result<RunSpec, D::Error> {
        let mut map = Map::deserialize(deserializer)?;
        imported::fill(&mut map).map_err(D::Error::custom)?;
        for (key, value) in added() {
            map.entry(key).or_insert(value);
        }
        let mut spec = RunSpec::deserialize(Value::Object(map)).map_err(D::Error::custom)?;
        spec.name_truly();
        Ok(spec)
    }
}

impl RunSpec {
    /// Whether `gen_updates` affects more than the end of the run: a decaying α depends on it.
    fn horizon_matters(&self) -> bool {
        self.lr_decay != LrDecay::Constant
    }

    fn fields(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(map)) => map,
            _ => Map::new(),
        }
    }

    /// The run's identity: 16 hex digits of the SHA-256 of every field but `gen_updates`, which
    /// counts only if α decays.
    pub fn id(&self) -> String {
        let Names { label, method, setting } = self.names_in_id();
        let mut fields =
            RunSpec { label, method, setting, id_names: None, ..self.clone() }.fields();
        if !self.horizon_matters() {
            fields.remove("gen_updates");
        }
        for (key, value) in added() {
            if fields.get(key) == Some(&value) {
                fields.remove(key);
            }
        }
        let digest = Sha256::digest(Value::Object(fields).to_string().as_bytes());
        hex::encode(&digest[..8])
    }

    /// Folder name of the run: label, setting, seed and identity.
    pub fn dir_name(&self) -> String {
        let (label, setting) = (slug(&self.label), slug(&self.setting));
        format!("{label}-{setting}-{}", self.name_end())
    }

    /// The end of the run folder's name, the same in every version.
    fn name_end(&self) -> String {
        format!("s{}-{}", self.seed, &self.id()[..8])
    }

    /// The run's folder in `runs`: an existing one, even if an earlier version named it
    /// differently, else [`RunSpec::dir_name`].
    ///
    /// # Errors
    /// When `runs` exists and cannot be listed.
    pub fn folder_in(&self, runs: &Path) -> Result<PathBuf> {
        let named = runs.join(self.dir_name());
        if named.exists() || !runs.exists() {
            return Ok(named);
        }
        let end = format!("-{}", self.name_end());
        let mut found: Vec<PathBuf> = std::fs::read_dir(runs)
            .map_err(Error::io("list", runs))?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|p| p.file_name().is_some_and(|n| n.to_string_lossy().ends_with(&end)))
            .collect();
        found.sort();
        Ok(found.into_iter().next().unwrap_or(named))
    }

    /// `key: self → other` for every value that two repetitions of one run would share: all but the
    /// seed and the identity's names.
    pub fn values_that_differ(&self, other: &RunSpec) -> Vec<String> {
        self.changed(other, |key| !["seed", "id_names"].contains(&key))
    }

    /// `key: self → other` for every value that affects the training: all but the seed, the names
    /// and the keys `apart`.
    pub fn values_that_differ_but(&self, other: &RunSpec, apart: &[&str]) -> Vec<String> {
        const NAMES: [&str; 5] = ["label", "method", "setting", "id_names", "seed"];
        self.changed(other, |key| !NAMES.contains(&key) && !apart.contains(&key))
    }

    /// `key: self → other` for every size in which runs whose scores are compared must agree: data, networks, batches and updates.
    pub fn sizes_that_differ(&self, other: &RunSpec) -> Vec<String> {
        const SIZES: [&str; 10] = [
            "dataset",
            "side",
            "pixels",
            "architecture",
            "width_divisor",
            "conditioning",
            "n_classes",
            "batch",
            "gen_batch",
            "gen_updates",
        ];
        self.changed(other, |key| SIZES.contains(&key))
    }

    /// `key: self → other` for every differing field (`gen_updates` counts only when it shrinks, or α decays).
    pub fn differences(&self, other: &RunSpec) -> Vec<String> {
        let named = |spec: &RunSpec| {
            let mut spec = spec.clone();
            spec.name_truly();
            spec
        };
        let extends = other.gen_updates >= self.gen_updates && !self.horizon_matters();
        named(self).changed(&named(other), |key| !(key == "gen_updates" && extends))
    }

    /// `key: self → other` for every differing key that `counts`.
    fn changed(&self, other: &RunSpec, counts: impl Fn(&str) -> bool) -> Vec<String> {
        let (a, b) = (self.fields(), other.fields());
        changes(&a, &b).into_iter().filter(|(key, _)| counts(key)).map(|(_, text)| text).collect()
    }
}

/// Each key in which `b` differs from `a`, with `key: a's → b's`.
fn changes<'a>(a: &'a Map<String, Value>, b: &Map<String, Value>) -> Vec<(&'a str, String)> {
    a.iter()
        .filter(|(k, v)| b.get(*k) != Some(v))
        .map(|(k, v)| (k.as_str(), format!("{k}: {v} → {}", b.get(k).unwrap_or(&Value::Null))))
        .collect()
}

/// Letters and digits in lower case; anything between them becomes a single dash.
fn slug(name: &str) -> String {
    let name: String = name
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    name.split('-').filter(|s| !s.is_empty()).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::Method;

    /// Another valid value of every key whose value is a word.
    const OTHER_WORDS: [(&str, &str); 17] = [
        ("label", "x"),
        ("method", "vanilla"),
        ("normalization", "weight"),
        ("regularizer", "orthonormal"),
        ("loss", "hinge"),
        ("setting", "D"),
        ("adam_epsilon", "chainer"),
        ("clip_scope", "all"),
        ("power_iteration", "per-forward"),
        ("architecture", "resnet-cifar10"),
        ("dataset", "cifar10"),
        ("pixels", "plain"),
        ("conditioning", "projection"),
        ("latent", "uniform"),
        ("lr_decay", "linear"),
        ("width_correction", "multiplier"),
        ("clip_correction", "full"),
    ];

    fn with(base: &Value, key: &str) -> RunSpec {
        let mut changed = base.clone();
        changed[key] = match &base[key] {
            Value::Bool(b) => (!b).into(),
            Value::Number(n) if n.is_f64() => (n.as_f64().unwrap() * 0.5 + 0.125).into(),
            Value::Number(n) => (n.as_u64().unwrap() + 1).into(),
            Value::Null | Value::String(_) | Value::Array(_) | Value::Object(_) => OTHER_WORDS
                .iter()
                .find(|(k, _)| *k == key)
                .unwrap_or_else(|| panic!("no change for {key}"))
                .1
                .into(),
        };
        serde_json::from_value(changed).unwrap()
    }

    #[test]
    fn every_field_but_gen_updates_changes_the_id() {
        let spec = RunSpec::paper(Method::Sn);
        let base = serde_json::to_value(&spec).unwrap();
        for key in base.as_object().unwrap().keys() {
            assert_eq!(with(&base, key).id() == spec.id(), key == "gen_updates", "{key}");
        }
    }

    #[test]
    fn the_horizon_is_part_of_a_decaying_run() {
        let constant = RunSpec::paper(Method::Sn);
        let decaying = RunSpec { lr_decay: LrDecay::Linear, ..constant.clone() };
        let longer = |spec: &RunSpec| RunSpec { gen_updates: spec.gen_updates + 1, ..spec.clone() };
        assert!(constant.differences(&longer(&constant)).is_empty());
        assert_eq!(longer(&constant).differences(&constant).len(), 1);
        assert_eq!(decaying.differences(&longer(&decaying)).len(), 1);
        assert_ne!(decaying.id(), longer(&decaying).id());
    }

    #[test]
    fn a_spec_without_an_added_key_has_its_older_value() {
        let spec = RunSpec::paper(Method::Sn);
        let base = serde_json::to_value(&spec).unwrap();
        let mut old = base.clone();
        for (key, value) in added() {
            assert_eq!(base[key], value, "RunSpec::paper and ADDED agree on {key}");
            old.as_object_mut().unwrap().remove(key).unwrap();
        }
        assert_eq!(added().count(), ADDED.len());
        assert_eq!(serde_json::from_value::<RunSpec>(old.clone()).unwrap(), spec);
        assert_eq!(toml::from_str::<RunSpec>(&toml::to_string(&old).unwrap()).unwrap(), spec);
        old.as_object_mut().unwrap().remove("seed").unwrap();
        assert!(serde_json::from_value::<RunSpec>(old).unwrap_err().to_string().contains("seed"));
    }

    /// Runs made before any key was added, with the values that their specs had then. Their folder
    /// names hold their identities. The names before the identity are kept if they were true.
    #[test]
    fn committed_runs_keep_their_names() {
        #[derive(serde::Deserialize)]
        struct Committed {
            name: String,
            spec: RunSpec,
        }
        let sweep = tempfile::tempdir().unwrap();
        let mut seen = 0;
        for line in include_str!("../../fixtures/committed-runs.jsonl").lines() {
            let Committed { name, spec } = serde_json::from_str(line).unwrap();
            spec.validate().unwrap();
            assert!(name.ends_with(&format!("-{}", spec.name_end())), "{name}");
            let run = sweep.path().join(&name);
            std::fs::create_dir(&run).unwrap();
            std::fs::write(run.join("spec.toml"), toml::to_string(&spec).unwrap()).unwrap();
            assert_eq!(spec.folder_in(sweep.path()).unwrap(), run);
            if spec.id_names.is_none() {
                assert_eq!(spec.dir_name(), name);
            }
            std::fs::remove_dir_all(run).unwrap();
            seen += 1;
        }
        assert_eq!(seen, 425);
    }
}
