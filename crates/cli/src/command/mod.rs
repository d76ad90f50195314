//! One file per command. Each checks its arguments and makes a [`Job`] of them, whose work calls a library and prints.

mod bench;
mod compare;
mod data;
mod develop;
mod device;
mod exchange;
mod fid;
mod figure;
mod figure10;
mod generate;
mod inspect;
mod job;
mod no_scores;
mod own;
mod plan;
mod records;
mod report;
mod score;
mod scorer;
mod source;
mod spectrum;
mod status;
mod sweep;
mod tensorboard;
mod train;
mod verify;

use crate::Ended;
use crate::args::{Arguments, Command, Model};
use crate::say::say;
use anyhow::Result;
use clap::CommandFactory;
use job::{Change, Job};
use sngan_core::Warning;

/// Runs a command, or says what it would change.
pub(crate) fn run(arguments: Arguments) -> Result<Ended> {
    let dry_run = arguments.dry_run;
    let job = job(arguments)?;
    match job.changes().filter(|_| dry_run) {
        None => job.run(),
        Some(changes) => {
            changes.iter().for_each(|change| say!("{change}"));
            say!("nothing was written");
            Ok(Ended::Well)
        }
    }
}

/// A command as a job.
fn job(arguments: Arguments) -> Result<Job> {
    let experiments = arguments.experiments;
    let folder = experiments.as_deref();
    Ok(match arguments.command {
        Command::Train(a) => train::job(a, folder)?,
        Command::Plan(a) => Job::that_reads(move || plan::run(&a, experiments.as_deref())),
        Command::Sweep(a) => sweep::job(a, folder)?,
        Command::Status { paths, watch } => Job::that_reads(move || status::run(&paths, watch)),
        Command::Compare(a) => compare::job(a),
        Command::Score(a) => score::job(a)?,
        Command::Stats(a) => score::reference(a)?,
        Command::Fid(a) => fid::job(a),
        Command::Generate(a) => generate::job(a)?,
        Command::Collect { outs, out, csv, without } => {
            inspect::collect(outs, out.as_deref(), csv, without)?
        }
        Command::TensorBoard(a) => tensorboard::job(a)?,
        Command::Unpack { collection, out } => inspect::unpack(collection, out),
        Command::Spectrum(a) => Job::that_reads(move || spectrum::run(&a)).on(0),
        Command::Figures { paths, into, compare } => figure::all(paths, into, compare),
        Command::Figure(a) => figure::draw(a, "figure", experiments)?,
        Command::Table(a) => figure::draw(a, "table", experiments)?,
        Command::Verify(a) => Job::that_reads(move || verify::run(&a)),
        Command::Claims { out, only, markdown, claims } => {
            Job::that_reads(move || report::claims(&out, &only, markdown, claims.as_deref()))
        }
        Command::Report { paths, into, also } => report::report(paths, into, also),
        Command::Spectra { runs } => inspect::spectra(runs),
        Command::Sigma { runs, from } => Job::that_reads(move || inspect::sigma(&runs, from)),
        Command::Replay { case, out, precision, device } => {
            develop::replay(case, out, precision, device)
        }
        Command::Devices { json } => Job::that_reads(move || device::list(json)),
        Command::Bench(a) => bench::job(a),
        Command::Export(a) => exchange::export(a)?,
        Command::Import(a) => exchange::import(a),
        Command::Model(Model::Summary(networks)) => {
            Job::that_reads(move || develop::summary(&networks))
        }
        Command::Data(a) => data::job(a)?,
        Command::Scorer(a) => scorer::job(a)?,
        Command::Licenses => Job::that_reads(|| {
            crate::say::write(format_args!("{}", include_str!("../../THIRD-PARTY-LICENSES.txt")));
            Ok(Ended::Well)
        }),
        Command::Completions { shell } => Job::that_reads(move || {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "sngan", &mut script);
            crate::say::write(format_args!("{}", String::from_utf8_lossy(&script)));
            Ok(Ended::Well)
        }),
    })
}

/// The requested number of threads, or one per core.
fn threads(asked: usize) -> usize {
    if asked > 0 { asked } else { std::thread::available_parallelism().map_or(1, |n| n.get()) }
}

/// Prints a warning beside the output.
fn warn(warning: Warning) {
    eprintln!("warning: {warning}");
}

/// Says what was left out of pictures that were read.
fn warn_of_pictures(images: &dyn sngan_data::ImageSource) {
    for remark in &images.reading().remarks {
        eprintln!("warning: {}: {remark}", images.name());
    }
}
