//! What a sweep's folder is for: its plan, to which later sweeps may add.

use crate::run::dir_of_run;
use crate::{Error, Result};
use sngan_experiment::records::{PlanRecord, Record};
use sngan_experiment::{Plan, RunDir, RunSpec, atomic, one_at_a_time, run_dir};
use std::path::Path;

/// Writes what the folder is for, or adds to it; sweeps that begin together take turns, so that none writes over another's runs.
/// Returns the runs that were planned before and have begun, but are planned no longer.
pub(crate) fn write_plan(plan: &Plan, out: &Path, extend: bool) -> Result<Vec<String>> {
    let path = out.join("plan.json");
    one_at_a_time(&path, || merge_plan(plan, out, &path, extend))
}

fn merge_plan(plan: &Plan, out: &Path, path: &Path, extend: bool) -> Result<Vec<String>> {
    if out.join(run_dir::COLLECTION).exists() {
        return Err(Error::Collection { path: out.into() });
    }
    let mut dropped = Vec::new();
    let mut record = PlanRecord {
        version: PlanRecord::VERSION,
        name: plan.name.clone(),
        title: plan.title.clone(),
        scale: plan.scale.clone(),
        paper: plan.paper.clone(),
        runs: plan
            .specs
            .iter()
            .map(|spec| Ok(dir_of_run(out, spec)?.name()))
            .collect::<Result<_>>()?,
    };
    if path.exists() {
        let found: PlanRecord = run_dir::read_json(path)?;
        if (&found.name, &found.scale) != (&record.name, &record.scale) {
            let say = |p: &PlanRecord| format!("`{}` at scale `{}`", p.name, p.scale);
            return Err(Error::OtherPlan {
                path: out.into(),
                found: say(&found),
                asked: say(&record),
            });
        }
        let others = found.runs.iter().filter(|run| !record.runs.contains(run));
        let begun = |name: &&String| RunDir::new(out.join("runs").join(name)).spec_path().exists();
        if extend {
            for name in others.filter(begun) {
                refuse_other_values(plan, &RunDir::new(out.join("runs").join(name)))?;
            }
            let added = record.runs.iter().filter(|run| !found.runs.contains(run));
            record.runs = found.runs.iter().chain(added).cloned().collect();
        } else {
            dropped = others.filter(begun).cloned().collect();
            refuse_without_pictures(plan, out, &dropped)?;
        }
        if found == record {
            return Ok(dropped);
        }
    }
    atomic::write_json(path, &record)?;
    Ok(dropped)
}

/// Refuses a plan of other data sets that would drop runs on the pictures of a folder, which only a command line names.
fn refuse_without_pictures(plan: &Plan, out: &Path, dropped: &[String]) -> Result<()> {
    let Some(first) = plan.specs.first() else { return Ok(()) };
    if plan.specs.iter().any(|spec| spec.dataset.is_own()) {
        return Ok(());
    }
    for name in dropped {
        if RunDir::new(out.join("runs").join(name)).spec()?.dataset.is_own() {
            let dataset = first.dataset.name();
            return Err(Error::WithoutPictures { path: out.into(), dataset });
        }
    }
    Ok(())
}

/// Refuses a plan with runs that would share a cell of every table with one that is there, though they differ in more than the seed.
fn refuse_other_values(plan: &Plan, there: &RunDir) -> Result<()> {
    let old = there.spec()?;
    // Settings of one name with several values are told apart by these.
    let cell = |s: &RunSpec| {
        (s.label.clone(), s.setting.clone(), [s.lr, s.beta1, s.beta2, f64::from(s.n_dis)])
    };
    for new in plan.specs.iter().filter(|new| cell(new) == cell(&old)) {
        let differing = old.values_that_differ(new);
        if !differing.is_empty() {
            return Err(Error::OtherValues {
                run: there.path().into(),
                label: old.label.clone(),
                setting: old.setting.clone(),
                differences: differing.join("; "),
            });
        }
    }
    Ok(())
}
