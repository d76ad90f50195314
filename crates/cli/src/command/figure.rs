//! `sngan figure`, `sngan table` and `sngan draw`.

use super::records::{self, Records};
use super::{Change, Job};
use crate::args::Draw;
use crate::say::{agreeing, counted, quoted, say};
use crate::table::wrap;
use crate::{Ended, experiments};
use anyhow::{Result, bail};
use sngan_experiment::{former_scale, todays_scale};
use sngan_plot::{
    Artefact, Materials, Rendered, ScoredSweep, Source, evenness_lines, repeated, sweep, verdict,
};
use std::path::{Path, PathBuf};

/// What to draw, and its records; `kind` is the command's name.
fn read(
    arguments: &Draw,
    kind: &str,
    folder: Option<&Path>,
) -> Result<(&'static Artefact, Records)> {
    let artefact = sngan_plot::find(&arguments.id)?;
    if artefact.is_table() != (kind == "table") {
        bail!(
            "{} is drawn by `sngan {}`",
            artefact.id,
            if kind == "table" { "figure" } else { "table" }
        );
    }
    let records = records::read(&folders(artefact, arguments))?;
    let enough = match artefact.source {
        Source::Sweeps(_) => !records.sweeps.is_empty(),
        Source::Timings => records.timings.is_some(),
        Source::Code => true,
    };
    if !enough {
        // An unknown scale would otherwise end up in commands that cannot run.
        if let (true, Some(name)) = (arguments.from.is_empty(), artefact.experiments().first()) {
            experiments::find(name, folder)?.plan(&arguments.scale)?;
        }
        let place = if arguments.from.is_empty() {
            format!("at scale {} in {}", arguments.scale, arguments.records.display())
        } else {
            "in the folders named".into()
        };
        bail!(
            "no records of {} {place}; to make them:\n  {}",
            artefact.id,
            artefact.commands(&arguments.scale).join("\n  ")
        );
    }
    if let Some(other) = records.sweeps.iter().find(|s| !artefact.accepts(&s.plan)) {
        bail!(
            "{} holds the experiment `{}`; {} is made from {}, or from one whose [paper] names it among its artefacts",
            other.path.display(),
            other.plan.name,
            artefact.id,
            artefact.experiments().join(", ")
        );
    }
    Ok((artefact, records))
}

/// Draws one figure or writes one table; `kind` is the command's name.
pub(crate) fn draw(arguments: Draw, kind: &str, folder: Option<PathBuf>) -> Result<Job> {
    let (artefact, records) = read(&arguments, kind, folder.as_deref())?;
    let change = Change::into(&arguments.out, artefact.id);
    Ok(Job::that_changes([change], move || {
        render(&arguments, artefact, &records, folder.as_deref())
    }))
}

fn render(
    arguments: &Draw,
    artefact: &Artefact,
    records: &Records,
    folder: Option<&Path>,
) -> Result<Ended> {
    let request = Materials {
        sweeps: &records.sweeps,
        timings: records.timings.as_ref(),
        folder: &arguments.out,
        compare: arguments.compare,
    };
    match (artefact.render)(&request)? {
        Rendered::Written(paths) => {
            paths.iter().for_each(|p| say!("{}", p.display()));
            // A partial artefact must not pass for the whole.
            for name in without_records(artefact, arguments) {
                eprintln!(
                    "{} lacks {name} at scale {}; to make its records: {}",
                    artefact.id,
                    arguments.scale,
                    sweep(name, &arguments.scale)
                );
            }
        }
        Rendered::Skipped(reason) => match lacking(artefact, arguments, folder)? {
            Some(lacking) => bail!("{} cannot be drawn: {reason}; {lacking}", artefact.id),
            None => bail!(
                "{} cannot be drawn: {reason}; to make its records:\n  {}",
                artefact.id,
                artefact.commands(&arguments.scale).join("\n  ")
            ),
        },
    }
    Ok(Ended::Well)
}

/// The artefact's experiments that have no records in their default folders.
fn without_records(artefact: &Artefact, arguments: &Draw) -> Vec<&'static str> {
    let has_none = |name: &&str| {
        arguments.from.is_empty() && !records::has_any(&sweep_folder(name, arguments))
    };
    artefact.experiments().into_iter().filter(has_none).collect()
}

/// What an experiment of the artefact lacks at the scale, if it has fewer methods there than at
/// others: no command at that scale can make it.
fn lacking(artefact: &Artefact, arguments: &Draw, folder: Option<&Path>) -> Result<Option<String>> {
    for name in artefact.experiments().into_iter().filter(|_| arguments.from.is_empty()) {
        let file = experiments::find(name, folder)?;
        let Some(methods) = file.scales.get(&arguments.scale).and_then(|s| s.methods.as_ref())
        else {
            continue;
        };
        let all: Vec<&str> = file
            .scales
            .iter()
            .filter(|(_, s)| s.methods.is_none())
            .map(|(scale, _)| scale.as_str())
            .collect();
        return Ok(Some(format!(
            "at scale {} {name} has {} alone; with all of its methods: --scale {}",
            arguments.scale,
            methods.join(", "),
            all.join(" or ")
        )));
    }
    Ok(None)
}

/// The given folders, or those where the artefact's own commands leave their records.
fn folders(artefact: &Artefact, arguments: &Draw) -> Vec<PathBuf> {
    if !arguments.from.is_empty() {
        return arguments.from.clone();
    }
    let defaults: Vec<PathBuf> = match artefact.source {
        Source::Sweeps(_) => {
            artefact.experiments().iter().map(|n| sweep_folder(n, arguments)).collect()
        }
        Source::Timings => vec![arguments.records.join(records::TIMINGS_FOLDER)],
        Source::Code => Vec::new(),
    };
    defaults.into_iter().filter(|folder| records::has_any(folder)).collect()
}

/// The default folder of an experiment's records, by the scale's name or its former name.
fn sweep_folder(name: &str, arguments: &Draw) -> PathBuf {
    let folder = |scale: &str| arguments.records.join(format!("{name}-{scale}"));
    let today = todays_scale(&arguments.scale);
    let names = [Some(arguments.scale.as_str()), Some(today), former_scale(today)];
    let mut folders = names.into_iter().flatten().map(folder);
    folders.find(|f| records::has_any(f)).unwrap_or_else(|| folder(&arguments.scale))
}

/// The folders that all of a sweep's tables and figures go to.
pub(super) fn drawn(out: &Path) -> [Change; 2] {
    ["tables", "figures"].map(|kind| Change::into(&out.join(kind), &format!("the sweep's {kind}")))
}

/// Writes all tables and figures of a sweep or of any runs.
pub(crate) fn all(paths: Vec<PathBuf>, into: Option<PathBuf>, compare: bool) -> Job {
    let out = records::place(&paths, into);
    Job::that_changes(drawn(&out), move || draw_all(&paths, &out, compare))
}

fn draw_all(paths: &[PathBuf], out: &Path, compare: bool) -> Result<Ended> {
    let sweep = records::read_any(paths, out)?;
    let (mut tables, mut figures) = (Vec::new(), Vec::new());
    for (id, rendered) in sngan_plot::render_all(&sweep, compare)? {
        match rendered {
            Rendered::Written(_) if sngan_plot::find(id)?.is_table() => tables.push(id),
            Rendered::Written(_) => figures.push(id),
            Rendered::Skipped(reason) => say!("{}", wrap(&format!("{id}: skipped, {reason}"))),
        }
    }
    for (kind, ids) in [("tables", tables), ("figures", figures)] {
        say!("{}", wrap(&format!("{}: {}", out.join(kind).display(), ids.join(" "))));
    }
    summarize(&sweep)?;
    let shown: Vec<String> = paths.iter().map(|path| quoted(path)).collect();
    say!("Next: `sngan report {}`, one page with claims, figures and specs", shown.join(" "));
    Ok(Ended::Well)
}

/// What the scores are, in a screen: how even each row is, whether the runs repeat the committed ones, where to look next.
fn summarize(sweep: &ScoredSweep) -> Result<()> {
    let lines = evenness_lines(sweep);
    if lines.is_empty() {
        return Ok(());
    }
    say!();
    lines.iter().for_each(|line| say!("{line}"));
    if let Some(committed) = records::committed_beside(sweep)? {
        beside_committed(sweep, &committed)?;
    }
    Ok(())
}

/// Whether the runs repeat the committed ones, and what those show.
fn beside_committed(sweep: &ScoredSweep, committed: &ScoredSweep) -> Result<()> {
    let r = repeated(sweep, committed);
    let all = r.equal + r.inside + r.outside + r.different + r.new;
    say!("Beside {}: of {}", committed.path.display(), counted(all, "run"));
    let have = agreeing(r.equal, "has", "have");
    say!("  {} {have} the same scores, bit by bit;", r.equal);
    let differ = |n: usize| agreeing(n, "differs", "differ");
    for (count, what, how) in [
        (r.inside, differ(r.inside), ", with an FID as of one more seed there (95 %)"),
        (r.outside, differ(r.outside), ", with an FID that one more seed there would rarely have"),
        (r.different, differ(r.different), ""),
        (r.new, agreeing(r.new, "is", "are"), " not there"),
    ] {
        if count > 0 {
            say!("  {count} {what}{how};");
        }
    }
    let said = verdict(committed)?;
    if !said.is_empty() {
        say!("What those show, over their seeds:");
    }
    for sentence in said {
        textwrap::wrap(
            &sentence,
            textwrap::Options::new(80).initial_indent("- ").subsequent_indent("  "),
        )
        .iter()
        .for_each(|line| say!("{line}"));
    }
    Ok(())
}
