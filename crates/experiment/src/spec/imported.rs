//! What the spec of networks that another program trained knows, and what it does not.

use super::RunSpec;
use crate::arch::Conditioning;
use crate::method::Method;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// The mark of networks that another program trained. `spec.toml` leaves out the keys that their files do not tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Imported {
    /// SHA-256 of the file that G is from.
    pub generator: String,
    /// The same of D's; absent where there is no D.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discriminator: Option<String>,
    /// Keys of which nothing is known. Their values in memory are placeholders.
    pub unknown: BTreeSet<String>,
}

/// Keys that a file of weights need not tell: without them the networks are still these networks.
const MAY_BE_UNKNOWN: [&str; 37] = [
    "method",
    "normalization",
    "gamma",
    "regularizer",
    "loss",
    "lr",
    "beta1",
    "beta2",
    "adam_eps",
    "adam_epsilon",
    "n_dis",
    "gen_updates",
    "batch",
    "gen_batch",
    "penalty_lambda",
    "clip",
    "clip_scope",
    "orthonormal_coefficient",
    "power_iteration",
    "dataset",
    "pixels",
    "seed",
    "ac_dis_weight",
    "ac_gen_weight",
    "lr_decay",
    "lr_decay_start",
    "gen_ema",
    "dis_micro_batch",
    "gen_micro_batch",
    "conditioning",
    "dis_width_factor",
    "last_conv_factor",
    "width_correction",
    "clip_correction",
    "weight_scale",
    "stable_rank_share",
    "spectrum_every",
];
/// The keys among them that D is built from.
const OF_D: [&str; 7] = [
    "normalization",
    "gamma",
    "conditioning",
    "dis_width_factor",
    "last_conv_factor",
    "width_correction",
    "weight_scale",
];

impl Imported {
    /// Networks of files with these hashes, of whose training nothing is known.
    pub fn new(generator: String, discriminator: Option<String>) -> Imported {
        let unknown = MAY_BE_UNKNOWN.map(String::from).into_iter().collect();
        Imported { generator, discriminator, unknown }
    }

    /// The same where the values that D is built from are known.
    #[must_use]
    pub fn knowing_discriminator(self) -> Imported {
        self.knowing(&OF_D).knowing(&["clip_correction"])
    }

    /// The same where the values of `keys` are known.
    #[must_use]
    pub fn knowing(mut self, keys: &[&str]) -> Imported {
        self.unknown.retain(|key| !keys.contains(&key.as_str()));
        self
    }
}

/// A spec's values where nothing is known: they say nothing, and are written nowhere.
fn placeholders(map: &Map<String, Value>) -> RunSpec {
    let labels = map.get("n_classes").and_then(Value::as_u64).is_some_and(|n| n > 0);
    let conditioning = if labels { Conditioning::Projection } else { Conditioning::None };
    RunSpec {
        method: Method::Custom,
        gen_updates: 0,
        conditioning,
        ..RunSpec::paper(Method::Vanilla)
    }
}

/// Puts placeholders where a spec that is read leaves keys out because they are unknown.
pub(super) fn fill(map: &mut Map<String, Value>) -> std::result::Result<(), String> {
    let Some(imported) = map.get("imported") else { return Ok(()) };
    let imported: Imported =
        serde_json::from_value(imported.clone()).map_err(|e| format!("`imported`: {e}"))?;
    let Ok(Value::Object(values)) = serde_json::to_value(placeholders(map)) else { return Ok(()) };
    for key in imported.unknown {
        if map.contains_key(&key) {
            return Err(format!("`{key}` has a value, but `imported` says that it is unknown"));
        }
        match values.get(&key) {
            Some(value) => drop(map.insert(key, value.clone())),
            None => {
                return Err(format!(
                    "`imported` says that `{key}` is unknown; no key is called so"
                ));
            }
        }
    }
    Ok(())
}

impl RunSpec {
    /// A spec of networks that `imported` tells of; everything that it does not know has a placeholder.
    pub fn of_imported(imported: Imported, n_classes: usize) -> RunSpec {
        let labels = Map::from_iter([("n_classes".to_string(), Value::from(n_classes))]);
        RunSpec {
            n_classes,
            setting: "imported".into(),
            imported: Some(imported),
            ..placeholders(&labels)
        }
    }

    /// Whether the value of `key` is known: always, but of imported networks.
    pub fn knows(&self, key: &str) -> bool {
        self.imported.as_ref().is_none_or(|imported| !imported.unknown.contains(key))
    }

    /// Whether there is a D: always, but of an imported generator alone.
    pub fn has_discriminator(&self) -> bool {
        self.imported.as_ref().is_none_or(|imported| imported.discriminator.is_some())
    }

    /// Refuses what needs D where there is none.
    ///
    /// # Errors
    /// [`Error::Invalid`], with what to do.
    pub fn check_discriminator(&self) -> Result<()> {
        if self.has_discriminator() {
            return Ok(());
        }
        let reason = "tells of a generator alone: there is no discriminator; import both with `sngan import … --discriminator FILE`";
        Err(Error::invalid("imported", reason))
    }

    /// Refuses to train what another program trained.
    ///
    /// # Errors
    /// [`Error::Invalid`], with what is unknown.
    pub fn check_trainable(&self) -> Result<()> {
        let Some(imported) = &self.imported else { return Ok(()) };
        let unknown: Vec<&str> = imported.unknown.iter().map(String::as_str).collect();
        let reason = format!(
            "says that another program trained these networks: Adam's moments and {} are not known, so the training cannot be continued; they can be sampled, scored and analysed",
            unknown.join(", ")
        );
        Err(Error::invalid("imported", reason))
    }

    /// Checks that nothing is unknown without which the networks would be others.
    pub(super) fn validate_imported(&self) -> Result<()> {
        let Some(imported) = &self.imported else { return Ok(()) };
        let may_be = |key: &&String| MAY_BE_UNKNOWN.contains(&key.as_str());
        if let Some(key) = imported.unknown.iter().find(|key| !may_be(key)) {
            let reason =
                format!("says that `{key}` is unknown, without which there are no networks");
            return Err(Error::invalid("imported", reason));
        }
        let missing = OF_D.into_iter().find(|key| !self.knows(key));
        if let Some(key) = missing.filter(|_| self.has_discriminator()) {
            return Err(Error::invalid(
                "imported",
                format!("says that `{key}` is unknown, without which D cannot be built"),
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::Architecture;
    use crate::method::Normalization;

    fn generator() -> RunSpec {
        RunSpec {
            label: "ResNetGenerator_450000".into(),
            architecture: Architecture::ResnetImagenet,
            side: 128,
            ..RunSpec::of_imported(Imported::new("ab".into(), None), 1000)
        }
    }

    #[test]
    fn what_is_unknown_is_not_written_and_comes_back_as_unknown() {
        let spec = generator();
        spec.validate().unwrap();
        let text = toml::to_string(&spec).unwrap();
        for claim in ["lr =", "beta1", "n_dis", "dataset", "gen_updates", "seed", "method"] {
            assert!(!text.contains(&format!("\n{claim}")), "{text}");
        }
        assert!(text.contains("n_classes = 1000") && text.contains("[imported]"), "{text}");
        let read: RunSpec = toml::from_str(&text).unwrap();
        assert_eq!(read, spec);
        assert_eq!((read.label.as_str(), read.setting.as_str()), (&*spec.label, "imported"));
        assert_eq!(read.id(), spec.id());
        assert!(!read.knows("lr") && read.knows("side") && RunSpec::paper(Method::Sn).knows("lr"));
        let known = Imported::new("ab".into(), None).knowing(&["gen_updates"]);
        let read: RunSpec = toml::from_str(
            &toml::to_string(&RunSpec { imported: Some(known), gen_updates: 7, ..spec }).unwrap(),
        )
        .unwrap();
        assert_eq!(read.gen_updates, 7);
    }

    #[test]
    fn every_key_is_one_that_a_file_tells_or_may_leave_unknown() {
        // Without these, there are no networks to build, or no name for them; `imported` and the names in the identity are no values.
        let told =
            ["label", "setting", "architecture", "side", "width_divisor", "n_classes", "latent"];
        let spec = serde_json::to_value(RunSpec::paper(Method::Sn)).unwrap();
        let keys: BTreeSet<&str> = spec.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(told.into_iter().chain(MAY_BE_UNKNOWN).collect::<BTreeSet<_>>(), keys);
        assert!(OF_D.iter().all(|key| MAY_BE_UNKNOWN.contains(key)));
    }

    #[test]
    fn claims_that_contradict_each_other_are_refused() {
        let text = toml::to_string(&generator()).unwrap();
        let read = |text: &str| toml::from_str::<RunSpec>(text).map_err(|e| e.to_string());
        let said = read(&format!("lr = 0.1\n{text}")).unwrap_err();
        assert!(said.contains("`lr` has a value"), "{said}");
        let said = read(&text.replacen("\"lr\"", "\"rate\"", 1)).unwrap_err();
        assert!(said.contains("`rate`"), "{said}");
        let said = read(&text.replace("side = 128\n", "")).unwrap_err();
        assert!(said.contains("side"), "{said}");
        let unknown = text.replace("side = 128\n", "").replacen("\"lr\"", "\"lr\", \"side\"", 1);
        let said = read(&unknown).unwrap().validate().unwrap_err().to_string();
        assert!(said.contains("`side` is unknown"), "{said}");
    }

    #[test]
    fn a_generator_alone_has_no_discriminator_and_trains_no_further() {
        let spec = generator();
        let said = spec.check_discriminator().unwrap_err().to_string();
        assert!(said.contains("generator alone") && said.contains("--discriminator"), "{said}");
        assert!(spec.check_trainable().unwrap_err().to_string().contains("lr, "));
        RunSpec::paper(Method::Sn).check_trainable().unwrap();
        let mut imported = Imported::new("ab".into(), Some("cd".into()));
        let both = RunSpec { imported: Some(imported.clone()), ..spec.clone() };
        assert!(both.validate().unwrap_err().to_string().contains("D cannot be built"));
        imported = imported.knowing_discriminator();
        let both =
            RunSpec { imported: Some(imported), normalization: Normalization::Spectral, ..spec };
        both.validate().unwrap();
        both.check_discriminator().unwrap();
        assert_ne!(both.id(), generator().id());
    }
}
