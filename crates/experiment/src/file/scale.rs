//! The scales of an experiment: its own, and those of experiments/scales.toml that files share.

use super::given::{self, Keys, SpannedKeys};
use super::{built_in, once, written};
use crate::protocol::ProtocolName;
use crate::{Error, Result};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Sizes of one scale.
#[derive(Debug, Clone)]
pub struct Scale {
    /// Keys of [`RunSpec`](crate::RunSpec).
    pub run: Keys,
    /// Only these rows (labels).
    pub methods: Option<Vec<String>>,
    /// Instead of the file's settings.
    pub settings: Option<Vec<String>>,
    /// Instead of the file's seeds.
    pub seeds: Option<Vec<u64>>,
    /// Whether D's loss on held-out images is also logged (Figure 15 a); it changes no trained
    /// bits.
    pub watch_held_out: bool,
    /// How runs are logged and scored.
    pub score: ScorePlan,
    /// Whether the file itself names the network that scores.
    pub names_backbone: bool,
}

/// How a run is logged, checkpointed and scored; none of it changes the trained bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScorePlan {
    /// Feature extractor: a scorer's name, `inception`, `inception-or-scorer` for the one that is
    /// available, or `none`.
    pub backbone: String,
    /// What is measured, and on how many images. With backbone `none` nothing is measured.
    pub protocols: Vec<ProtocolName>,
    /// Generator updates between scores during training; 0 for scores at the end only.
    pub eval_every: u64,
    /// Log cadence in generator updates.
    pub log_every: u64,
    /// Checkpoint cadence in generator updates; the last update is always kept.
    pub checkpoint_every: u64,
}

/// A scale as written in a file: the shared scale that it is `like` gives what it leaves out.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    like: Option<String>,
    #[serde(default)]
    run: SpannedKeys,
    methods: Option<Vec<String>>,
    settings: Option<Vec<String>>,
    #[serde(default, deserialize_with = "written::seeds")]
    seeds: Option<Vec<u64>>,
    watch_held_out: Option<bool>,
    #[serde(default)]
    score: WrittenScore,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenScore {
    backbone: Option<String>,
    protocols: Option<Vec<ProtocolName>>,
    eval_every: Option<u64>,
    log_every: Option<u64>,
    checkpoint_every: Option<u64>,
}

impl Written {
    /// The scale called `name` of a file with this text, complete: what neither it nor the shared
    /// scale says of scores is [`ScorePlan::default`]'s.
    pub(super) fn complete(self, name: &str, text: &str) -> std::result::Result<Scale, String> {
        let list = |key: &str| format!("scales.{name}.{key}");
        let shared = match &self.like {
            None => Written::default(),
            Some(like) => shared(like).map_err(|reason| format!("{}: {reason}", list("like")))?,
        };
        let (ours, theirs, usual) = (self.score, shared.score, ScorePlan::default());
        let names_backbone = ours.backbone.is_some();
        let cadence =
            |ours: Option<u64>, theirs: Option<u64>, usual| ours.or(theirs).unwrap_or(usual);
        let score = ScorePlan {
            backbone: ours.backbone.or(theirs.backbone).unwrap_or(usual.backbone),
            protocols: ours.protocols.or(theirs.protocols).unwrap_or(usual.protocols),
            eval_every: cadence(ours.eval_every, theirs.eval_every, usual.eval_every),
            log_every: cadence(ours.log_every, theirs.log_every, usual.log_every),
            checkpoint_every: cadence(
                ours.checkpoint_every,
                theirs.checkpoint_every,
                usual.checkpoint_every,
            ),
        };
        let shared_run = given::keys(shared.run, built_in::SCALES, " of experiments/scales.toml");
        let scale = Scale {
            run: shared_run.into_iter().chain(given::keys(self.run, text, "")).collect(),
            methods: self.methods.or(shared.methods),
            settings: self.settings.or(shared.settings),
            seeds: self.seeds.or(shared.seeds),
            watch_held_out: self.watch_held_out.or(shared.watch_held_out).unwrap_or(false),
            score,
            names_backbone,
        };
        once(&list("methods"), scale.methods.iter().flatten())?;
        once(&list("settings"), scale.settings.iter().flatten())?;
        once(&list("seeds"), scale.seeds.iter().flatten())?;
        Ok(scale)
    }
}

/// The scales of experiments/scales.toml, complete.
pub(super) fn all_shared() -> std::result::Result<BTreeMap<String, Scale>, String> {
    let like = |name: String| Written { like: Some(name), ..Written::default() };
    let complete = |name: String| Ok((name.clone(), like(name.clone()).complete(&name, "")?));
    read_shared()?.into_keys().map(complete).collect()
}

fn read_shared() -> std::result::Result<BTreeMap<String, Written>, String> {
    toml::from_str(built_in::SCALES).map_err(|e| format!("experiments/scales.toml: {e}"))
}

/// A scale of experiments/scales.toml.
fn shared(name: &str) -> std::result::Result<Written, String> {
    let mut all = read_shared()?;
    let known = all.keys().cloned().collect::<Vec<_>>().join(", ");
    all.remove(name).ok_or_else(|| format!("no shared scale `{name}`; known: {known}"))
}

impl Default for ScorePlan {
    /// Of a run that no experiment says it of: the end alone is scored, through the network that is there.
    fn default() -> ScorePlan {
        ScorePlan {
            backbone: ScorePlan::AVAILABLE_BACKBONE.into(),
            protocols: ["is_2k_split5", "fid_2k_ref2k"]
                .into_iter()
                .filter_map(|name| name.parse().ok())
                .collect(),
            eval_every: 0,
            log_every: 10,
            checkpoint_every: 500,
        }
    }
}

impl ScorePlan {
    /// Backbone of a plan that is scored through what is there: Inception, or the data set's scorer.
    pub const AVAILABLE_BACKBONE: &str = "inception-or-scorer";
    /// Backbone of a plan that scores nothing.
    pub const NO_BACKBONE: &str = "none";

    /// Whether nothing is scored.
    pub fn scores_nothing(&self) -> bool {
        self.backbone == ScorePlan::NO_BACKBONE || self.protocols.is_empty()
    }

    /// Refuses what an experiment file cannot ask for.
    pub(super) fn validate(&self) -> Result<()> {
        let given = |p: &&ProtocolName| p.against().is_some_and(|a| !a.part.is_of_dataset());
        if let Some(name) = self.protocols.iter().find(given) {
            let reason = format!(
                "`{name}` compares with what only a command line can name; use ref, test or train"
            );
            return Err(Error::invalid("protocols", reason));
        }
        for (i, name) in self.protocols.iter().enumerate() {
            if self.protocols[..i].contains(name) {
                return Err(Error::invalid("protocols", format!("`{name}` stands there twice")));
            }
        }
        Ok(())
    }
}

/// The name of `narrow` before `wide` was added.
const NARROW_ONCE: &str = "cpu";

/// What a scale is called today.
pub fn todays_scale(name: &str) -> &str {
    if name == NARROW_ONCE { "narrow" } else { name }
}

/// The former name of a scale, if it had one.
pub fn former_scale(name: &str) -> Option<&'static str> {
    (name == todays_scale(NARROW_ONCE)).then_some(NARROW_ONCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(text: &str) -> std::result::Result<Scale, String> {
        toml::from_str::<Written>(text).map_err(|e| e.to_string())?.complete("s", text)
    }

    #[test]
    fn a_scale_is_the_shared_one_but_for_what_stands_beside() {
        let quick = complete("like = \"quick\"").unwrap();
        let text =
            "like = \"quick\"\nrun = { side = 24, n_classes = 10 }\nscore = { eval_every = 7 }";
        let own = complete(text).unwrap();
        assert_eq!(own.run["side"].value.as_integer(), Some(24));
        assert_eq!(own.run["n_classes"].value.as_integer(), Some(10));
        assert_eq!(own.run.len(), quick.run.len() + 1);
        assert_eq!(own.score, ScorePlan { eval_every: 7, ..quick.score });
    }

    #[test]
    fn a_scale_without_scores_has_the_usual_ones() {
        let own = complete("run = { side = 8 }\nscore = { log_every = 3 }").unwrap();
        assert_eq!(own.score, ScorePlan { log_every: 3, ..ScorePlan::default() });
        assert_eq!(own.score.protocols.len(), 2);
        assert_eq!(own.run["side"].place, "line 1");
        let shared = complete("like = \"quick\"").unwrap();
        assert!(shared.run["side"].place.ends_with(" of experiments/scales.toml"));
    }

    #[test]
    fn a_scale_that_is_like_nothing_says_what_there_is() {
        assert!(complete("like = \"huge\"").unwrap_err().contains("known: narrow, paper"));
        assert!(
            complete("like = \"quick\"\nscore = { log_evry = 1 }").unwrap_err().contains("line 2")
        );
    }

    #[test]
    fn a_renamed_scale_is_known_by_both_names() {
        assert_eq!(todays_scale("cpu"), "narrow");
        assert_eq!(former_scale("narrow"), Some("cpu"));
        assert_eq!((todays_scale("wide"), former_scale("wide")), ("wide", None));
    }
}
