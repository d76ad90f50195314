//! One file per command; each reads its arguments, calls a library, and prints.

mod bench;
mod data;
mod develop;
mod dry_run;
mod figure;
mod figure10;
mod generate;
mod inspect;
mod plan;
mod records;
mod report;
mod score;
mod scorer;
mod source;
mod spectrum;
mod status;
mod sweep;
mod train;

use crate::Ended;
use crate::args::{Arguments, Bench, Command, Data, Format, Machine, Model, Scorer};
use anyhow::{Context, Result};
use clap::CommandFactory;
use sngan_core::Warning;

/// Runs a command. One that computes a single thing runs inside a pool with the requested number of
/// threads. Entering the pool once costs nothing; entering it for every kernel costs two context
/// switches each.
pub(crate) fn run(arguments: Arguments) -> Result<Ended> {
    if arguments.dry_run
        && let Some(writes) = dry_run::writes(&arguments)?
    {
        writes.iter().for_each(|line| println!("{line}"));
        println!("nothing was written");
        return Ok(Ended::Well);
    }
    let asked = match &arguments.command {
        Command::Train(a) => a.machine.threads,
        Command::Score(a) => a.machine.threads,
        Command::Stats(a) => a.machine.threads,
        Command::Generate(a) => a.machine.threads,
        Command::Bench(Bench::Update(a)) => a.machine.threads,
        Command::Bench(Bench::Run { machine, .. }) => machine.threads,
        Command::Bench(Bench::Figure10(a)) => a.machine.threads,
        Command::Bench(Bench::Inception(a)) => a.threads,
        Command::Bench(Bench::Fid(a)) => a.threads,
        Command::Scorer(Scorer::Train(a)) => a.threads,
        Command::Spectrum(_) => 0,
        Command::Data(Data::Pack(a)) => a.threads,
        Command::Scorer(Scorer::Check(_))
        | Command::Replay { .. }
        | Command::Export { .. }
        | Command::Import { .. } => 0,
        // A sweep has a pool for each run; the others compute nothing.
        _ => return dispatch(arguments),
    };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads(asked))
        .build()
        .context("failed to start threads")?;
    pool.install(|| dispatch(arguments))
}

fn dispatch(arguments: Arguments) -> Result<Ended> {
    let experiments = arguments.experiments.as_deref();
    match arguments.command {
        Command::Train(a) => train::run(&a, experiments),
        Command::Plan(a) => plan::run(&a, experiments),
        Command::Sweep(a) => sweep::run(&a, experiments),
        Command::Status { out, watch } => status::run(&out, watch),
        Command::Score(a) => score::score(&a),
        Command::Stats(a) => score::stats(&a),
        Command::Generate(a) => generate::run(&a),
        Command::Collect { outs, out, csv } => inspect::collect(&outs, out.as_deref(), csv),
        Command::Unpack { collection, out } => inspect::unpack(&collection, &out),
        Command::Spectrum(a) => spectrum::run(&a),
        Command::Figures { out, compare } => figure::all(&out, compare),
        Command::Figure(a) => figure::draw(&a, "figure", experiments),
        Command::Table(a) => figure::draw(&a, "table", experiments),
        Command::Claims { out, only } => report::claims(&out, &only),
        Command::Report { out, also } => report::report(&out, &also),
        Command::Spectra { runs } => inspect::spectra(&runs),
        Command::Sigma { runs, from } => inspect::sigma(&runs, from),
        Command::Replay { case, out, precision } => develop::replay(&case, &out, precision),
        Command::Bench(Bench::Update(a)) => bench::update(&a),
        Command::Bench(Bench::Run { run, machine }) => bench::run(&run, &machine),
        Command::Bench(Bench::Figure10(a)) => figure10::run(&a),
        Command::Bench(Bench::Inception(a)) => bench::inception(&a),
        Command::Bench(Bench::Fid(a)) => bench::fid(&a),
        Command::Export { source, format: Format::Pytorch, out } => develop::export(&source, &out),
        Command::Import { file, out } => develop::import(&file, &out),
        Command::Model(Model::Summary(networks)) => develop::summary(&networks),
        Command::Data(a) => data::run(&a),
        Command::Scorer(a) => scorer::run(&a),
        Command::Completions { shell } => {
            clap_complete::generate(
                shell,
                &mut Arguments::command(),
                "sngan",
                &mut std::io::stdout(),
            );
            Ok(Ended::Well)
        }
    }
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

fn device(machine: &Machine) -> Result<sngan_tensor::Device> {
    Ok(sngan_tensor::parse_device(&machine.device)?)
}
