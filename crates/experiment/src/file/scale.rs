//! The scales of an experiment: its own, and those of experiments/scales.toml that files share.

use super::{built_in, once};
use crate::protocol::ProtocolName;
use crate::{Error, Result};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Sizes of one scale.
#[derive(Debug, Clone)]
pub struct Scale {
    /// Keys of [`RunSpec`](crate::RunSpec).
    pub run: BTreeMap<String, toml::Value>,
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
    run: BTreeMap<String, toml::Value>,
    methods: Option<Vec<String>>,
    settings: Option<Vec<String>>,
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
    /// The scale called `name`, complete.
    pub(super) fn complete(self, name: &str) -> std::result::Result<Scale, String> {
        let list = |key: &str| format!("scales.{name}.{key}");
        let shared = match &self.like {
            None => Written::default(),
            Some(like) => shared(like).map_err(|reason| format!("{}: {reason}", list("like")))?,
        };
        let lacks = |key: &str| {
            format!("{} is missing; give it, or a `like` that names a shared scale", list(key))
        };
        let (ours, theirs) = (self.score, shared.score);
        let score = ScorePlan {
            backbone: ours.backbone.or(theirs.backbone).ok_or_else(|| lacks("score.backbone"))?,
            protocols: ours
                .protocols
                .or(theirs.protocols)
                .ok_or_else(|| lacks("score.protocols"))?,
            eval_every: ours.eval_every.or(theirs.eval_every).unwrap_or(0),
            log_every: ours
                .log_every
                .or(theirs.log_every)
                .ok_or_else(|| lacks("score.log_every"))?,
            checkpoint_every: ours
                .checkpoint_every
                .or(theirs.checkpoint_every)
                .ok_or_else(|| lacks("score.checkpoint_every"))?,
        };
        let scale = Scale {
            run: shared.run.into_iter().chain(self.run).collect(),
            methods: self.methods.or(shared.methods),
            settings: self.settings.or(shared.settings),
            seeds: self.seeds.or(shared.seeds),
            watch_held_out: self.watch_held_out.or(shared.watch_held_out).unwrap_or(false),
            score,
        };
        once(&list("methods"), scale.methods.iter().flatten())?;
        once(&list("settings"), scale.settings.iter().flatten())?;
        once(&list("seeds"), scale.seeds.iter().flatten())?;
        Ok(scale)
    }
}

/// A scale of experiments/scales.toml.
fn shared(name: &str) -> std::result::Result<Written, String> {
    let mut all: BTreeMap<String, Written> =
        toml::from_str(built_in::SCALES).map_err(|e| format!("experiments/scales.toml: {e}"))?;
    let known = all.keys().cloned().collect::<Vec<_>>().join(", ");
    all.remove(name).ok_or_else(|| format!("no shared scale `{name}`; known: {known}"))
}

impl ScorePlan {
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
        toml::from_str::<Written>(text).map_err(|e| e.to_string())?.complete("s")
    }

    #[test]
    fn a_scale_is_the_shared_one_but_for_what_stands_beside() {
        let quick = complete("like = \"quick\"").unwrap();
        let text =
            "like = \"quick\"\nrun = { side = 24, n_classes = 10 }\nscore = { eval_every = 7 }";
        let own = complete(text).unwrap();
        assert_eq!(own.run["side"].as_integer(), Some(24));
        assert_eq!(own.run["n_classes"].as_integer(), Some(10));
        assert_eq!(own.run.len(), quick.run.len() + 1);
        assert_eq!(own.score, ScorePlan { eval_every: 7, ..quick.score });
    }

    #[test]
    fn a_scale_that_lacks_something_says_what() {
        assert!(complete("like = \"huge\"").unwrap_err().contains("known: narrow, paper"));
        let message = complete("run = { side = 8 }").unwrap_err();
        assert!(message.contains("scales.s.score.backbone is missing"), "{message}");
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
