//! What a command would write.

use super::{data, figure, generate, inspect, report, score, scorer, sweep, train};
use crate::args::{Arguments, Bench, Command, Data, Scorer};
use anyhow::Result;
use sngan_data::imagenet;
use std::path::Path;

/// A line for each thing that the command would write; `None` for one that writes nothing.
pub(crate) fn writes(arguments: &Arguments) -> Result<Option<Vec<String>>> {
    let experiments = arguments.experiments.as_deref();
    let file = |path: &Path, what: &str| {
        let verb = if path.exists() { "replace" } else { "write" };
        Ok(Some(vec![format!("{verb} {}: {what}", path.display())]))
    };
    match &arguments.command {
        Command::Train(a) => Ok(Some(vec![train::intention(a, experiments)?])),
        Command::Sweep(a) => Ok(Some(sweep::intentions(a, experiments)?)),
        Command::Score(a) => Ok(Some(score::intentions(a)?)),
        Command::Stats(a) => {
            let statistics = file(&a.out, "statistics, and their provenance beside it")?;
            Ok(statistics.map(|lines| lines.into_iter().chain(score::kept(&a.network)).collect()))
        }
        Command::Generate(a) => Ok(Some(vec![generate::intention(a)?])),
        Command::Figures { out, .. } => {
            Ok(Some(vec![format!("write into {0}/tables and {0}/figures", out.display())]))
        }
        Command::Figure(a) => Ok(Some(vec![figure::intention(a, "figure", experiments)?])),
        Command::Table(a) => Ok(Some(vec![figure::intention(a, "table", experiments)?])),
        Command::Report { out, .. } => Ok(Some(report::intentions(out))),
        Command::Collect { outs, out, csv } => {
            let formats = if *csv { "Parquet and CSV" } else { "Parquet" };
            let line = |sweep: &std::path::PathBuf| {
                let folder = inspect::tables_of(sweep, out.as_deref())?;
                Ok(format!("write into {}: {formats}", folder.display()))
            };
            Ok(Some(outs.iter().map(line).collect::<Result<_>>()?))
        }
        Command::Unpack { out, .. } => file(out, "a sweep's folder"),
        Command::Spectra { runs } => Ok(Some(
            runs.iter()
                .map(|run| format!("replace {}", run.join("spectrum.jsonl").display()))
                .collect(),
        )),
        Command::Replay { out, .. } => file(out, "the final state"),
        Command::Export { out, .. } => file(out, "networks and state"),
        Command::Import { out, .. } => file(out, "a run"),
        Command::Bench(Bench::Figure10(a)) => {
            Ok(Some(vec![format!("write timings into {}", a.out.display())]))
        }
        Command::Data(Data::Fetch(a)) => {
            Ok(Some(vec![format!("download {} into {}", a.name, a.data_dir.display())]))
        }
        Command::Data(Data::Pack(a)) => {
            let folder = data::pack_folder(a);
            Ok(Some(
                imagenet::parts(&a.from)?
                    .iter()
                    .map(|part| format!("write {}: a pack", folder.join(part).display()))
                    .collect(),
            ))
        }
        Command::Scorer(Scorer::Train(a)) => file(&scorer::out(a)?, "weights"),
        Command::Plan(_)
        | Command::Status { .. }
        | Command::Claims { .. }
        | Command::Spectrum(_)
        | Command::Sigma { .. }
        | Command::Bench(_)
        | Command::Model(_)
        | Command::Data(_)
        | Command::Scorer(_)
        | Command::Completions { .. } => Ok(None),
    }
}
