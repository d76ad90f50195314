//! From an experiment file to complete specs: methods × settings × listed values × seeds.

use super::given::{self, Changes, Given, SetKey};
use super::{ExperimentFile, MethodRow, Plan, Scale, once, settings, todays_scale};
use crate::method::Setting;
use crate::spec::{CUSTOM, DEFAULT_SETTING, RunSpec, Varied};
use crate::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use toml::Value;

/// Runs of a plan at most; a mistyped list must not plan forever.
const MOST_RUNS: usize = 100_000;

/// A row's values of one run, without lists.
#[derive(Clone, Default)]
struct Combination {
    values: BTreeMap<String, Value>,
    varied: Vec<Varied>,
}

/// A spec that may be changed further.
#[derive(Clone)]
struct Draft {
    spec: RunSpec,
    /// The setting that it is in by the file.
    setting: String,
    /// Values that tell it from others of its row, setting and seed.
    varied: Vec<Varied>,
    /// Places of the file's values in it.
    places: BTreeMap<String, String>,
}

impl ExperimentFile {
    /// Expands one scale to complete, validated specs: methods × settings × listed values × seeds,
    /// seeds innermost.
    ///
    /// # Errors
    /// Unknown scale, setting, label or key; a value out of range.
    pub fn plan(&self, scale_name: &str) -> Result<Plan> {
        self.plan_with(scale_name, &Changes::default())
    }

    /// [`ExperimentFile::plan`] with what a command line changes.
    ///
    /// # Errors
    /// As [`ExperimentFile::plan`].
    pub fn plan_with(&self, scale_name: &str, changes: &Changes) -> Result<Plan> {
        let (mut plan, drafts) = self.expand(scale_name, changes)?;
        for Draft { mut spec, places, .. } in drafts {
            let complete = spec.settle().and_then(|()| spec.validate());
            complete.map_err(|e| self.located(e, &places))?;
            plan.specs.push(spec);
        }
        // Several settings may be `custom`; figures tell them apart by their values.
        let name = |s: &RunSpec| {
            let setting = match s.setting.as_str() {
                CUSTOM => format!("{CUSTOM} {} {} {} {}", s.lr, s.beta1, s.beta2, s.n_dis),
                named => named.into(),
            };
            format!("{}, setting {setting}, seed {}", s.label, s.seed)
        };
        once("the plan", plan.specs.iter().map(name))
            .map_err(|reason| Error::parse(&self.path, reason))?;
        Ok(plan)
    }

    /// [`ExperimentFile::plan_with`] for specs that are changed further: corrections without effect
    /// are not yet set to `none`. Call [`RunSpec::settle`] and [`RunSpec::validate`] after the
    /// changes.
    ///
    /// # Errors
    /// Unknown scale, setting, label or key; a wrong type.
    pub fn drafts(&self, scale_name: &str, changes: &Changes) -> Result<Plan> {
        let (plan, drafts) = self.expand(scale_name, changes)?;
        Ok(Plan { specs: drafts.into_iter().map(|draft| draft.spec).collect(), ..plan })
    }

    /// The plan without specs, and the drafts of these.
    fn expand(&self, scale_name: &str, changes: &Changes) -> Result<(Plan, Vec<Draft>)> {
        let (scale_name, scale) = self.scale(scale_name)?;
        scale.score.validate()?;
        let changes = changes.with_seeds_apart()?;
        let table = settings()?;
        let rows: Vec<&MethodRow> = match &scale.methods {
            None => self.methods.iter().collect(),
            Some(labels) => labels.iter().map(|label| self.row(label)).collect::<Result<_>>()?,
        };
        let seeds = changes.seeds.as_ref().or(scale.seeds.as_ref()).unwrap_or(&self.seeds);
        let names = scale.settings.as_ref().unwrap_or(&self.settings);
        let mut drafts = Vec::new();
        for row in rows {
            let given = self.merged(row, scale);
            let places: BTreeMap<String, String> =
                given.iter().map(|(key, given)| (key.to_string(), given.place.clone())).collect();
            let combinations = self.combinations(&given, &changes)?;
            for name in names {
                let values = setting(&table, name)?;
                for Combination { values: keys, varied } in &combinations {
                    for &seed in seeds {
                        let spec = self.spec(row, (name, values), seed, keys, &places)?;
                        let (varied, places) = (varied.clone(), places.clone());
                        drafts.push(Draft { spec, setting: name.clone(), varied, places });
                    }
                }
            }
            self.refuse_too_many(drafts.len())?;
        }
        keep(&mut drafts, "method", &changes.methods, |s| &s.label, RunSpec::is_of_row)?;
        keep(&mut drafts, "setting", &changes.settings, |s| &s.setting, RunSpec::is_in_setting)?;
        let mut drafts = self.set(drafts, &changes.set)?;
        name(&mut drafts);
        let plan = Plan {
            name: self.name.clone(),
            title: self.title.clone(),
            scale: scale_name.into(),
            paper: self.paper.clone(),
            specs: Vec::new(),
            watch_held_out: scale.watch_held_out,
            score: scale.score.clone(),
        };
        Ok((plan, drafts))
    }

    fn refuse_too_many(&self, runs: usize) -> Result<()> {
        if runs <= MOST_RUNS {
            return Ok(());
        }
        Err(Error::parse(&self.path, format!("the lists make more than {MOST_RUNS} runs")))
    }

    /// A scale by its name or its former name.
    fn scale<'a>(&'a self, name: &'a str) -> Result<(&'a str, &'a Scale)> {
        let name = if self.scales.contains_key(name) { name } else { todays_scale(name) };
        let scale = self.scales.get(name).ok_or_else(|| Error::Unknown {
            what: "scale",
            name: name.into(),
            known: self.scales.keys().cloned().collect::<Vec<_>>().join(", "),
        })?;
        Ok((name, scale))
    }

    fn row(&self, label: &str) -> Result<&MethodRow> {
        self.methods.iter().find(|r| r.label == label).ok_or_else(|| Error::Unknown {
            what: "method label",
            name: label.into(),
            known: self.methods.iter().map(|r| r.label.clone()).collect::<Vec<_>>().join(", "),
        })
    }

    /// A row's keys. The most specific wins: file, then scale, then row.
    fn merged<'a>(&'a self, row: &'a MethodRow, scale: &'a Scale) -> BTreeMap<&'a str, &'a Given> {
        let all = self.run.iter().chain(&scale.run).chain(&row.run);
        all.map(|(key, given)| (key.as_str(), given)).collect()
    }

    /// Every combination of the listed values; a key that the command line sets is not listed.
    fn combinations(
        &self,
        given: &BTreeMap<&str, &Given>,
        changes: &Changes,
    ) -> Result<Vec<Combination>> {
        let mut all = vec![Combination::default()];
        for (key, given) in given {
            let mut values =
                given.values().map_err(|reason| self.wrong(&given.place, key, &reason))?;
            if changes.sets(key) {
                values.truncate(1);
            }
            self.refuse_too_many(all.len().saturating_mul(values.len()))?;
            let varies = values.len() > 1;
            let with = |before: &Combination, value: &Value| {
                let mut next = before.clone();
                next.values.insert(key.to_string(), value.clone());
                if varies {
                    next.varied.push(Varied::new(key, &given::text(value)));
                }
                next
            };
            all = all.iter().flat_map(|c| values.iter().map(move |v| with(c, v))).collect();
        }
        Ok(all)
    }

    fn spec(
        &self,
        row: &MethodRow,
        (name, setting): (&str, Setting),
        seed: u64,
        keys: &BTreeMap<String, Value>,
        places: &BTreeMap<String, String>,
    ) -> Result<RunSpec> {
        let base = RunSpec {
            label: row.label.clone(),
            setting: name.into(),
            lr: setting.lr,
            beta1: setting.beta1,
            beta2: setting.beta2,
            n_dis: setting.n_dis,
            seed,
            ..RunSpec::paper(row.method)
        };
        let base = Value::try_from(&base).map_err(|e| Error::parse(&self.path, e))?;
        let mut value = base.clone();
        let table = value.as_table_mut().ok_or_else(|| Error::invalid("run", "is not a table"))?;
        for (key, v) in keys {
            if table.insert(key.clone(), v.clone()).is_none() {
                table.remove(key);
                let known = table.keys().cloned().collect::<Vec<_>>().join(", ");
                let reason = format!("is unknown; known: {known}");
                return Err(self.wrong(&places[key], key, &reason));
            }
        }
        let spec: RunSpec = value.try_into().map_err(|e| self.mistyped(&base, keys, places, &e))?;
        // Reading a spec names its setting after the values; a setting that was asked for must not
        // be silently replaced.
        match keys.get("setting").and_then(Value::as_str) {
            Some(asked) if asked != spec.setting && asked != CUSTOM => Err(Error::invalid(
                "run.setting",
                format!(
                    "is `{asked}` in `{}`, but lr, beta1, beta2 and n_dis are those of `{}`; give these too, or list the setting in `settings`",
                    row.label, spec.setting
                ),
            )),
            _ => Ok(spec),
        }
    }

    /// Which value has a wrong type: the first that cannot be read alone.
    fn mistyped(
        &self,
        base: &Value,
        keys: &BTreeMap<String, Value>,
        places: &BTreeMap<String, String>,
        error: &toml::de::Error,
    ) -> Error {
        let alone = |key: &String, value: &Value| {
            let mut changed = base.clone();
            changed.as_table_mut()?.insert(key.clone(), value.clone());
            changed.try_into::<RunSpec>().err()
        };
        let found = keys.iter().find_map(|(key, value)| Some((key, alone(key, value)?)));
        match found {
            Some((key, e)) => self.wrong(&places[key], key, e.message()),
            None => Error::parse(&self.path, error.message()),
        }
    }

    fn wrong(&self, place: &str, key: &str, reason: &str) -> Error {
        Error::parse(&self.path, format!("{place}, key `run.{key}`: {}", reason.trim_end()))
    }

    /// An error about a value, with the place that gave the value.
    fn located(&self, error: Error, places: &BTreeMap<String, String>) -> Error {
        let Error::Invalid { key, reason } = &error else { return error };
        match places.get(*key) {
            Some(place) => self.wrong(place, key, reason),
            None => error,
        }
    }

    /// The drafts with a command line's values; several of one key make a draft of each.
    fn set(&self, mut drafts: Vec<Draft>, set: &[SetKey]) -> Result<Vec<Draft>> {
        for SetKey { key, values } in set {
            self.refuse_too_many(drafts.len().saturating_mul(values.len()))?;
            let with = |draft: &Draft, value: &String| {
                let mut next = draft.clone();
                next.spec.set(key, value)?;
                next.places.remove(key);
                if values.len() > 1 {
                    next.varied.push(Varied::new(key, &as_held(&next.spec, key, value)));
                }
                Ok(next)
            };
            let pairs = drafts.iter().flat_map(|d| values.iter().map(move |v| (d, v)));
            drafts = pairs.map(|(d, v)| with(d, v)).collect::<Result<_>>()?;
        }
        Ok(drafts)
    }
}

/// A value of a key as the spec holds it, so that `1e-4` of a command line has the name that a file's has.
fn as_held(spec: &RunSpec, key: &str, written: &str) -> String {
    let table = Value::try_from(spec).ok();
    table.and_then(|t| t.get(key).map(given::text)).unwrap_or_else(|| written.into())
}

/// Names the drafts after the values that vary; the file's settings only where there are several.
fn name(drafts: &mut [Draft]) {
    let several = drafts.windows(2).any(|pair| pair[0].setting != pair[1].setting);
    for Draft { spec, setting, varied, .. } in drafts {
        spec.name_varied(varied, several.then_some(setting.as_str()));
    }
}

/// Keeps the drafts that match one of `names`, or all if none are given. Each name must match one.
fn keep(
    drafts: &mut Vec<Draft>,
    what: &'static str,
    names: &[String],
    own: impl Fn(&RunSpec) -> &String,
    fits: impl Fn(&RunSpec, &str) -> bool,
) -> Result<()> {
    if let Some(name) = names.iter().find(|name| !drafts.iter().any(|d| fits(&d.spec, name))) {
        let known: BTreeSet<&str> = drafts.iter().map(|d| own(&d.spec).as_str()).collect();
        let known = known.into_iter().collect::<Vec<_>>().join(", ");
        return Err(Error::Unknown { what, name: name.clone(), known });
    }
    if !names.is_empty() {
        drafts.retain(|d| names.iter().any(|name| fits(&d.spec, name)));
    }
    Ok(())
}

/// The values of a setting by name; `custom` stands for those of the default one, which keys of a run change.
fn setting(table: &BTreeMap<String, Setting>, name: &str) -> Result<Setting> {
    let values = if name == CUSTOM { DEFAULT_SETTING } else { name };
    table.get(values).copied().ok_or_else(|| Error::Unknown {
        what: "setting",
        name: name.into(),
        known: table.keys().map(String::as_str).chain([CUSTOM]).collect::<Vec<_>>().join(", "),
    })
}
