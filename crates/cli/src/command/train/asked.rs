//! What `sngan train` was asked for: a run of an experiment, of own images, or one that is there.

use crate::args::Train;
use crate::command::own::{self, Own};
use anyhow::{Context, Result, bail};
use sngan_data::Places;
use sngan_experiment::{Changes, RunDir, RunSpec, ScorePlan};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The row and setting of own images, if none are named.
const METHOD: &str = "SN";
const SETTING: &str = "C";

/// What is trained.
pub(super) struct Asked {
    pub(super) spec: RunSpec,
    /// Cadences and scores.
    pub(super) score: ScorePlan,
    /// Whether D's loss on held-out images is watched.
    pub(super) watch_held_out: bool,
    /// The run's folder.
    pub(super) out: PathBuf,
    /// Where its images are.
    pub(super) places: Places,
    /// Its own images, if they were named.
    pub(super) own: Option<Own>,
}

impl Asked {
    /// The spec that the arguments name, and what its experiment says of it.
    pub(super) fn of(arguments: &Train, folder: Option<&Path>) -> Result<Asked> {
        let mut asked = match arguments.experiment.as_deref().and_then(run) {
            Some(run) => of_run(arguments, &run)?,
            None => of_experiment(arguments, folder)?,
        };
        asked.spec.settle()?;
        asked.spec.validate()?;
        let score = &mut asked.score;
        for (asked, value) in [
            (arguments.eval_every, &mut score.eval_every),
            (arguments.log_every, &mut score.log_every),
            (arguments.checkpoint_every, &mut score.checkpoint_every),
        ] {
            *value = asked.unwrap_or(*value);
        }
        Ok(asked)
    }
}

/// The run that a path is the folder or the spec of.
fn run(path: &str) -> Option<RunDir> {
    let path = Path::new(path);
    let is_spec = path.file_name().is_some_and(|name| name == "spec.toml");
    let folder = if is_spec { path.parent()? } else { path };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let dir = RunDir::new(folder);
    (is_spec || dir.spec_path().is_file()).then_some(dir)
}

/// A run again, or on from where it is.
fn of_run(arguments: &Train, dir: &RunDir) -> Result<Asked> {
    let mut spec = dir.spec()?;
    for set in &arguments.set {
        match set.values.as_slice() {
            [value] => spec.set(&set.key, value)?,
            several => bail!("--set {}: {} values, but this is one run", set.key, several.len()),
        }
    }
    if let Some(seed) = arguments.seed {
        spec.set("seed", &seed.to_string())?;
    }
    if arguments.own.side.is_some() || arguments.own.conditioning.is_some() {
        bail!("--side and --conditioning are those of the run; change them with --set");
    }
    // Its own cadence, so that its log goes on as it began.
    let log_every = dir.provenance_path().exists().then(|| dir.provenance()).transpose()?;
    let usual = ScorePlan::default();
    let score =
        ScorePlan { log_every: log_every.map_or(usual.log_every, |p| p.log_every), ..usual };
    let named_by_folder = arguments.experiment.as_deref().is_some_and(|e| Path::new(e).is_dir());
    let out = match &arguments.out {
        Some(out) => out.clone(),
        None if named_by_folder => dir.path().into(),
        None => Path::new("runs").join(spec.dir_name()),
    };
    let places = own::places_of_run(dir, &arguments.data, arguments.own.folder.as_deref())?;
    Ok(Asked { spec, score, watch_held_out: false, out, places, own: None })
}

/// The one run of an experiment that fits.
fn of_experiment(arguments: &Train, folder: Option<&Path>) -> Result<Asked> {
    let name = arguments.experiment.as_deref();
    let (file, own) = own::experiment(name, &arguments.own, folder)?;
    let choice = |given: &Option<String>, usual: &str| -> Vec<String> {
        let usual = name.is_none().then(|| usual.to_string());
        given.clone().or(usual).into_iter().collect()
    };
    let changes = Changes {
        methods: choice(&arguments.method, METHOD),
        settings: choice(&arguments.setting, SETTING),
        seeds: arguments.seed.map(|seed| vec![seed]),
        set: arguments.set.clone(),
    };
    let mut plan = file.drafts(&arguments.scale, &changes)?;
    let experiment = name.unwrap_or("--data");
    let scope = format!("of `{experiment}` at scale `{}`", plan.scale);
    match plan.specs.len() {
        1 => {}
        0 => bail!("no run {scope} has this method in this setting; `sngan plan` lists every run"),
        n => {
            let all = |of: fn(&RunSpec) -> String| {
                let names: BTreeSet<String> = plan.specs.iter().map(of).collect();
                names.into_iter().collect::<Vec<_>>().join(", ")
            };
            bail!(
                "{n} runs {scope} fit; methods: {}; settings: {}; seeds: {}. Narrow it with --method, --setting and --seed, or train all of them \
                 with `sngan sweep`",
                all(|s| s.label.clone()),
                all(|s| s.setting.clone()),
                all(|s| s.seed.to_string())
            )
        }
    }
    let spec = plan.specs.pop().context("no run fits")?;
    // Own images do not enter a run's identity.
    let prefix = own.as_ref().map_or_else(String::new, |_| format!("{}-", plan.name));
    let mut settled = spec.clone();
    settled.settle()?;
    let usual = Path::new("runs").join(format!("{prefix}{}", settled.dir_name()));
    let out = arguments.out.clone().unwrap_or(usual);
    let places = own::places(&arguments.data, &arguments.own);
    Ok(Asked { spec, score: plan.score, watch_held_out: plan.watch_held_out, out, places, own })
}
