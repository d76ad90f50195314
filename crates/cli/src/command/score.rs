//! `sngan score` and `sngan reference`.

mod real;

use self::real::{RealSide, Rule};
pub(super) use self::real::{Reference, of_dataset, parse_reference};
use super::device::{Chosen, for_images};
use super::own;
use super::sweep::describe;
use super::{Change, Job, warn, warn_of_pictures};
use crate::Ended;
use crate::args::DataFolder;
use crate::args::score::{Network, Score, Stats};
use crate::progress::{Meter, Position};
use crate::say::{counted, quoted, say};
use crate::signals;
use crate::table::wrap;
use anyhow::{Result, bail};
use sngan_data::{ImageSource, Places, Split};
use sngan_eval::input::{self, ArrayImages, ArrayOptions};
use sngan_eval::{Backbone, Evaluator, EvaluatorOptions, SourceSamples, make_statistics};
use sngan_experiment::protocol::{Against, ReferenceKind};
use sngan_experiment::records::{Metric, ScoreRecord};
use sngan_experiment::{Dataset, ProtocolName, RunDir};
use sngan_plot::records::is_run;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// Images drawn from a run.
const SAMPLES: usize = 2000;

/// What is scored.
enum Scored {
    Runs(Vec<RunDir>),
    Images(String),
}

impl Scored {
    fn of(arguments: &Score) -> Result<Scored> {
        match &arguments.images {
            Some(images) if Path::new(images).join("spec.toml").is_file() => {
                Ok(Scored::Runs(vec![RunDir::new(images)]))
            }
            Some(images) => Ok(Scored::Images(images.clone())),
            None if arguments.runs.is_empty() => bail!("give a run folder, or --images"),
            None => Ok(Scored::Runs(runs(&arguments.runs)?)),
        }
    }
}

/// The runs of these folders; a sweep's stands for all that have begun.
fn runs(folders: &[PathBuf]) -> Result<Vec<RunDir>> {
    let mut all = Vec::new();
    for folder in folders {
        if is_run(folder) || !folder.join("plan.json").is_file() {
            all.push(RunDir::new(folder));
            continue;
        }
        let (_, states) = sngan_sweep::status(folder)?;
        let begun = states.iter().map(|run| folder.join("runs").join(&run.name));
        let begun: Vec<RunDir> = begun.filter(|run| is_run(run)).map(RunDir::new).collect();
        if begun.is_empty() {
            bail!("no run of the sweep in {} has begun", folder.display());
        }
        all.extend(begun);
    }
    Ok(all)
}

pub(crate) fn job(arguments: Score) -> Result<Job> {
    let scored = Scored::of(&arguments)?;
    let compares = arguments.reference.is_some();
    let (runs, keeps) = match &scored {
        Scored::Runs(runs) => {
            let append = |dir: &RunDir| Change::append(&dir.scores_path(), "scores");
            (runs.iter().map(append).collect(), true)
        }
        Scored::Images(_) => (Vec::new(), compares),
    };
    let statistics = statistics_folder(&arguments.data).filter(|_| keeps).map(|folder| {
        let what = "the real images' statistics, if they go through Inception and are not there";
        Change::into(&folder, what)
    });
    let changes = runs.into_iter().chain(kept(&arguments.network)).chain(statistics);
    let threads = arguments.machine.threads;
    let work = move || unless_stopped(score(&arguments, &scored), &arguments.network);
    Ok(Job::that_changes(changes, work).on(threads))
}

fn score(arguments: &Score, scored: &Scored) -> Result<Ended> {
    let stop = signals::stop_flag()?;
    match scored {
        Scored::Runs(runs) => {
            for dir in runs {
                let records = score_of_run(arguments, dir, &stop)?;
                let updates = match dir.spec()?.knows("gen_updates") {
                    true => counted(records.first().map_or(0, |s| s.gen_updates), "update"),
                    false => "an unknown number of updates".into(),
                };
                let name = if runs.len() > 1 { format!("{}, ", dir.name()) } else { String::new() };
                show(arguments, &format!("{name}{updates}"), &records)?;
            }
            if !arguments.json && runs.len() > 1 {
                // A sweep's runs are compared by its name.
                let paths = match &arguments.runs[..] {
                    [sweep] => quoted(sweep),
                    _ => runs.iter().map(|dir| quoted(dir.path())).collect::<Vec<_>>().join(" "),
                };
                say!("Next: `sngan compare {paths}`");
            }
        }
        Scored::Images(images) => {
            show(arguments, images, &score_of_images(arguments, images, &stop)?)?;
        }
    }
    Ok(Ended::Well)
}

/// Prints the scores of one run or set of images.
fn show(arguments: &Score, of: &str, records: &[ScoreRecord]) -> Result<()> {
    if arguments.json {
        for record in records {
            say!("{}", serde_json::to_string(record)?);
        }
        return Ok(());
    }
    say!("{}", wrap(&format!("{of}: {}", describe(records))));
    for record in records {
        let p = &record.protocol;
        let stamps =
            if p.stamps.is_empty() { String::new() } else { format!(", {}", p.stamps.join(", ")) };
        let line = format!(
            "  {}: {} ({}, resize {}, bytes {}{stamps})",
            record.metric.name(),
            p.name,
            counted(p.n_samples, "sample"),
            p.resize,
            p.bytes
        );
        say!("{}", wrap(&line));
    }
    Ok(())
}

/// What a pass through a network would store.
fn kept(network: &Network) -> Option<Change> {
    network.cache.as_ref().map(|folder| Change::into(folder, "features, unless they are there"))
}

/// Where references' statistics are kept.
fn statistics_folder(data: &DataFolder) -> Option<PathBuf> {
    data.data_dir.is_dir().then(|| data.data_dir.join("statistics"))
}

fn score_of_run(arguments: &Score, dir: &RunDir, stop: &AtomicBool) -> Result<Vec<ScoreRecord>> {
    let spec = dir.spec()?;
    let reference = match &arguments.reference {
        Some(text) => Some(parse_reference(text)?),
        None if !spec.knows("dataset") => bail!(
            "{}: another program trained these networks, and its images are not known; say what to compare with by --reference",
            dir.path().display()
        ),
        None => Some(Reference::Dataset(spec.dataset, ReferenceKind::Reference)),
    };
    // What goes with the images: those compared with, where the run's own are not known.
    let dataset = match &reference {
        Some(Reference::Dataset(dataset, _)) if !spec.knows("dataset") => *dataset,
        Some(Reference::Images(_) | Reference::Statistics(_)) if !spec.knows("dataset") => {
            Dataset::Folder
        }
        Some(Reference::Dataset(..) | Reference::Images(_) | Reference::Statistics(_)) | None => {
            spec.dataset
        }
    };
    let device = for_images(&arguments.machine)?;
    // Only the run's own images are looked for where they were.
    let places = match &reference {
        Some(Reference::Dataset(..)) | None => {
            own::places_of_run(dir, &arguments.data, arguments.folder.as_deref())?
        }
        Some(Reference::Images(_) | Reference::Statistics(_)) => {
            Places::new(&arguments.data.data_dir)
        }
    };
    let real = RealSide {
        reference,
        rule: Rule::Training,
        side: spec.side,
        places,
        array: arguments.network.array(),
    };
    let names = names(arguments, &real, arguments.samples.unwrap_or(SAMPLES))?;
    let compares = names.iter().any(|name| name.against().is_some());
    if compares && spec.dataset.is_own() && matches!(real.reference, Some(Reference::Dataset(..))) {
        let images = real.places.open(spec.dataset, Split::Train, spec.side)?;
        own::refuse_others(dir, images.as_ref())?;
    }
    let network = Backbone::INCEPTION_OR_SCORER;
    let evaluator = evaluator(arguments, &names, (network, &device), dataset, &real, stop)?;
    if arguments.network.backbone.is_none() {
        eprintln!("scored through {}; --backbone chooses another", evaluator.backbone().name());
    }
    with_progress(stop, |progress| {
        let backend = device.backend();
        Ok(sngan_sweep::score_run(dir, &spec, backend, &evaluator, progress, &mut warn)?)
    })
}

fn score_of_images(arguments: &Score, images: &str, stop: &AtomicBool) -> Result<Vec<ScoreRecord>> {
    let device = for_images(&arguments.machine)?;
    let (source, bytes) = open(images, arguments)?;
    warn_of_pictures(source.as_ref());
    let reference = arguments.reference.as_deref().map(parse_reference).transpose()?;
    let dataset = match reference {
        Some(Reference::Dataset(dataset, _)) => dataset,
        Some(Reference::Images(_) | Reference::Statistics(_)) | None => Dataset::Folder,
    };
    let real = RealSide {
        reference,
        rule: Rule::AsTheyAre,
        side: source.side(),
        places: Places::new(&arguments.data.data_dir),
        array: arguments.network.array(),
    };
    let names = names(arguments, &real, arguments.samples.unwrap_or(source.len()))?;
    // Checked before the real images go through the network.
    if let Some(name) = names.iter().find(|name| name.samples() > source.len()) {
        bail!(
            "{images}: {} are there; the protocol needs {} (`{name}`)",
            source.len(),
            name.samples()
        );
    }
    let network = (Backbone::INCEPTION, &device);
    let evaluator = evaluator(arguments, &names, network, dataset, &real, stop)?;
    let mut samples = SourceSamples::given(source.as_ref(), bytes, &names);
    with_progress(stop, |progress| Ok(evaluator.score(&names, &mut samples, 0, progress)?))
}

/// Images, and how they became bytes.
fn open(images: &str, arguments: &Score) -> Result<(Box<dyn ImageSource>, &'static str)> {
    let path = Path::new(images);
    // A text that neither exists nor is a data set's name was meant as a path.
    if let (false, Ok(Reference::Dataset(dataset, part))) = (path.exists(), parse_reference(images))
    {
        let places = Places::new(&arguments.data.data_dir);
        return Ok((of_dataset(dataset, part, arguments.side, &places)?, "given"));
    }
    open_path(path, arguments.network.array())
}

/// Images of a folder or file, and how they became bytes.
pub(super) fn open_path(
    path: &Path,
    array: ArrayOptions,
) -> Result<(Box<dyn ImageSource>, &'static str)> {
    if path.is_file() {
        let images = ArrayImages::open(path, array)?;
        let bytes = if images.floats() { "truncate" } else { "given" };
        return Ok((Box::new(images), bytes));
    }
    Ok((input::open(path, array)?, "given"))
}

/// Runs a scoring with its own progress bar, until `stop` is set.
pub(super) fn with_progress<T>(
    stop: &AtomicBool,
    work: impl FnOnce(&sngan_eval::BlockProgress<'_>) -> Result<T>,
) -> Result<T> {
    let bar = Meter::beside_the_output("images");
    let result = work(&|done, total| {
        bar.set(Position::even(done as u64, Some(total as u64)), String::new);
        signals::go_on(stop)
    });
    bar.finish();
    result
}

/// How a scoring ended that was told to stop; other errors stay what they are.
fn unless_stopped(result: Result<Ended>, network: &Network) -> Result<Ended> {
    let stopped = match result {
        Err(e) if crate::is_interruption(&e) => e,
        other => return other,
    };
    let next = match &network.cache {
        Some(folder) => {
            format!("the same command goes on from the features in {}", folder.display())
        }
        None => "with --cache FOLDER the same command would go on from there".into(),
    };
    eprintln!("{stopped}; nothing is recorded yet; {next}");
    Ok(Ended::Interrupted)
}

fn evaluator(
    arguments: &Score,
    names: &[ProtocolName],
    (network, device): (&str, &Chosen),
    dataset: Dataset,
    side: &RealSide,
    stop: &AtomicBool,
) -> Result<Evaluator> {
    let of_pixels = names.iter().all(|name| name.of_pixels());
    let backbone = if of_pixels {
        Backbone::Absent
    } else {
        device.backbone(arguments.network.load(network, dataset, &arguments.data)?)?
    };
    let options = EvaluatorOptions {
        few: arguments.network.few(),
        cache: arguments.network.cache(),
        statistics: statistics_folder(&arguments.data),
    };
    let mut real = |against: Against| side.real(against);
    let evaluator = with_progress(stop, |progress| {
        Ok(Evaluator::new(backbone, names, side.side, options, &mut real, progress)?)
    })?;
    evaluator.remarks().iter().for_each(|remark| eprintln!("warning: {remark}"));
    Ok(evaluator)
}

/// The requested protocols, or those of the requested metrics, on `samples` images and all real
/// ones.
fn names(arguments: &Score, real: &RealSide, samples: usize) -> Result<Vec<ProtocolName>> {
    let mut names = match &arguments.protocols {
        Some(names) => names.clone(),
        None => {
            let metrics = metrics(arguments, real.reference.is_some());
            // Real images that nothing is compared with need not be there.
            let compares = metrics.iter().any(|m| m.compares());
            let against = if compares { real.against()? } else { None };
            protocols(arguments, &metrics, against, samples)?
        }
    };
    // A duplicate request is answered once.
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(*name));
    Ok(names)
}

/// The requested metrics, or the usual ones.
fn metrics(arguments: &Score, with_reference: bool) -> Vec<Metric> {
    let usual: &[Metric] = if with_reference { &[Metric::Is, Metric::Fid] } else { &[Metric::Is] };
    arguments.metrics.clone().unwrap_or_else(|| usual.to_vec())
}

/// The protocols of `metrics`.
fn protocols(
    arguments: &Score,
    metrics: &[Metric],
    against: Option<Against>,
    samples: usize,
) -> Result<Vec<ProtocolName>> {
    let mut names = Vec::new();
    for metric in metrics {
        if *metric == Metric::Is && arguments.splits > samples {
            bail!(
                "--splits {}: {} cannot be cut into so many; give fewer splits",
                arguments.splits,
                counted(samples, "image")
            );
        }
        let Some(name) = metric.usual(samples, arguments.splits, against) else {
            bail!("--metrics {} compares with real images; add --reference", metric.name());
        };
        // Written and parsed again, it is checked like a typed one.
        names.push(name.to_string().parse()?);
    }
    Ok(names)
}

pub(crate) fn reference(arguments: Stats) -> Result<Job> {
    let statistics = Change::file(&arguments.out, "statistics, and their provenance beside it");
    let changes = [statistics].into_iter().chain(kept(&arguments.network));
    let threads = arguments.machine.threads;
    let work = move || unless_stopped(make_reference(&arguments), &arguments.network);
    Ok(Job::that_changes(changes, work).on(threads))
}

fn make_reference(arguments: &Stats) -> Result<Ended> {
    let Stats { images, out, side, network, data, machine } = arguments;
    let stop = &*signals::stop_flag()?;
    let device = for_images(machine)?;
    let ((source, bytes), dataset) = match parse_reference(images)? {
        Reference::Statistics(path) => {
            bail!("{} holds statistics already; give images", path.display())
        }
        Reference::Images(path) => (open_path(&path, network.array())?, Dataset::Folder),
        Reference::Dataset(dataset, part) => {
            ((of_dataset(dataset, part, *side, &Places::new(&data.data_dir))?, "given"), dataset)
        }
    };
    if out.extension().is_none_or(|e| e != "npz") {
        bail!("--out {}: name it .npz, which NumPy and pytorch-fid go by", out.display());
    }
    warn_of_pictures(source.as_ref());
    let backbone = device.backbone(network.load(Backbone::INCEPTION, dataset, data)?)?;
    let cache = network.cache();
    let made = with_progress(stop, |progress| {
        Ok(make_statistics(
            &backbone,
            source.as_ref(),
            bytes,
            network.few(),
            cache.as_ref(),
            out,
            progress,
        )?)
    })?;
    say!(
        "{}: {} of {} at side {} through {}",
        out.display(),
        counted(made.images.n, "image"),
        made.images.name,
        made.side,
        made.backbone
    );
    Ok(Ended::Well)
}
