//! `sngan score` and `sngan stats`.

use super::device;
use super::sweep::describe;
use crate::Ended;
use crate::args::score::{MetricName, Score, Stats};
use crate::progress::{Position, Progress};
use anyhow::{Result, bail};
use sngan_data::ImageSource;
use sngan_eval::input::{self, ArrayImages, Layout};
use sngan_eval::{Evaluator, EvaluatorOptions, Real, ScorerSpec, SourceSamples, Statistics, make_statistics};
use sngan_experiment::protocol::{Against, Part, Sets};
use sngan_experiment::records::ScoreRecord;
use sngan_experiment::{Dataset, ProtocolName, RunDir};
use std::path::{Path, PathBuf};

/// Images drawn from a run.
const SAMPLES: usize = 2000;
/// KID's subsets, and the largest of them.
const KID: (usize, usize) = (100, 1000);
/// Neighbour of precision and recall.
const NEAREST: usize = 3;
/// Pairs of a class.
const PAIRS: usize = 100;

/// Where real images come from.
enum Reference {
    Dataset(Dataset, Part),
    Images(PathBuf),
    Statistics(PathBuf),
}

pub(crate) fn score(arguments: &Score) -> Result<Ended> {
    let run = arguments.run.clone().or_else(|| arguments.images.as_ref().map(PathBuf::from).filter(|p| p.join("spec.toml").is_file()));
    let records = match (run, &arguments.images) {
        (Some(run), _) => score_of_run(arguments, &RunDir::new(run))?,
        (None, Some(images)) => score_of_images(arguments, images)?,
        (None, None) => bail!("give a run folder, or --images"),
    };
    for record in &records {
        if arguments.json {
            println!("{}", serde_json::to_string(record)?);
        }
    }
    if !arguments.json {
        println!("{} updates: {}", records.first().map_or(0, |s| s.gen_updates), describe(&records));
        for record in &records {
            let p = &record.protocol;
            let stamps = if p.stamps.is_empty() { String::new() } else { format!(", {}", p.stamps.join(", ")) };
            println!("  {}: {} ({} samples, resize {}, bytes {}{stamps})", record.metric.name(), p.name, p.n_samples, p.resize, p.bytes);
        }
    }
    Ok(Ended::Well)
}

fn score_of_run(arguments: &Score, dir: &RunDir) -> Result<Vec<ScoreRecord>> {
    let spec = dir.spec()?;
    let reference = match &arguments.reference {
        Some(text) => Some(parse_reference(text)?),
        None => Some(Reference::Dataset(spec.dataset, Part::Reference)),
    };
    let scorer = ScorerSpec::of_dataset(spec.dataset.name()).ok().map(|s| s.name);
    let evaluator = evaluator(arguments, scorer, spec.dataset, reference, spec.side, arguments.samples.unwrap_or(SAMPLES))?;
    let device = device(&arguments.machine)?;
    with_progress(|progress| Ok(sngan_sweep::score_run(dir, &spec, &evaluator, &device, progress)?))
}

fn score_of_images(arguments: &Score, images: &str) -> Result<Vec<ScoreRecord>> {
    let (source, bytes) = open(images, arguments)?;
    let n = arguments.samples.unwrap_or(source.len());
    let reference = arguments.reference.as_deref().map(parse_reference).transpose()?;
    let dataset = match reference {
        Some(Reference::Dataset(dataset, _)) => dataset,
        _ => Dataset::Folder,
    };
    let evaluator = evaluator(arguments, None, dataset, reference, source.side(), n)?;
    let mut samples = SourceSamples::all(source.as_ref(), bytes);
    with_progress(|progress| Ok(evaluator.score(evaluator.names(), &mut samples, 0, progress)?))
}

/// Images, and how they became bytes.
fn open(images: &str, arguments: &Score) -> Result<(Box<dyn ImageSource>, &'static str)> {
    let (path, layout) = (Path::new(images), arguments.network.layout());
    if path.is_file() {
        let array = ArrayImages::open(path, layout)?;
        let bytes = if array.floats() { "truncate" } else { "given" };
        return Ok((Box::new(array), bytes));
    }
    // Whatever is neither there nor a data set's name was meant as a path.
    if let (false, Ok(Reference::Dataset(dataset, part))) = (path.exists(), parse_reference(images)) {
        return Ok((of_dataset(dataset, part, arguments.side, &arguments.data.data_dir)?, "given"));
    }
    Ok((input::open(path, layout)?, "given"))
}

fn of_dataset(dataset: Dataset, part: Part, side: usize, data_dir: &Path) -> Result<Box<dyn ImageSource>> {
    match Real::of_dataset(dataset, part, side, Some(data_dir))? {
        Real::Images(source) => Ok(source),
        Real::Statistics(path) => bail!("{} holds no images", path.display()),
    }
}

/// Runs a scoring with a bar of its own.
fn with_progress<T>(work: impl FnOnce(&sngan_eval::Progress<'_>) -> Result<T>) -> Result<T> {
    let bar = Progress::beside_the_output("images");
    let result = work(&|done, total| bar.set(Position::even(done as u64, Some(total as u64)), String::new));
    bar.finish();
    result
}

fn evaluator(
    arguments: &Score,
    scorer: Option<&str>,
    dataset: Dataset,
    reference: Option<Reference>,
    side: usize,
    samples: usize,
) -> Result<Evaluator> {
    let backbone = arguments.network.load(scorer, dataset, &arguments.data)?;
    let layout = arguments.network.layout();
    let data_dir = arguments.data.data_dir.as_path();
    let names = match &arguments.protocols {
        Some(names) => names.clone(),
        None => protocols(arguments, reference.as_ref().map(|r| against(r, side, data_dir, layout)).transpose()?, samples)?,
    };
    let options = EvaluatorOptions {
        few: arguments.network.few(),
        cache: arguments.network.cache(),
        statistics: data_dir.is_dir().then(|| data_dir.join("statistics")),
    };
    let mut real = |against: Against| match (&reference, against.part) {
        (Some(Reference::Dataset(dataset, _)), Part::Reference | Part::Test | Part::Train) => {
            Real::of_dataset(*dataset, against.part, side, Some(data_dir))
        }
        (Some(Reference::Images(path)), Part::Images) => Ok(Real::Images(input::open(path, layout)?)),
        (Some(Reference::Statistics(path)), Part::Statistics) => Ok(Real::Statistics(path.clone())),
        _ => Err(sngan_eval::Error::Input {
            what: "reference",
            reason: format!(
                "a protocol compares with `{against}`; give --reference DATASET for ref, test and train, a folder or file for images, an .npz of statistics for stats"
            ),
        }),
    };
    with_progress(|progress| Ok(Evaluator::new(backbone, &names, side, options, &mut real, progress)?))
}

/// What `reference` is called in a protocol's name, with all of its images.
fn against(reference: &Reference, side: usize, data_dir: &Path, layout: Option<Layout>) -> Result<Against> {
    Ok(match reference {
        Reference::Dataset(dataset, part) => Against { part: *part, n: of_dataset(*dataset, *part, side, data_dir)?.len() },
        Reference::Images(path) => Against { part: Part::Images, n: input::open(path, layout)?.len() },
        Reference::Statistics(_) => Against { part: Part::Statistics, n: 0 },
    })
}

/// The protocols of the metrics asked for, on all images.
fn protocols(arguments: &Score, against: Option<Against>, samples: usize) -> Result<Vec<ProtocolName>> {
    let default = if against.is_some() { vec![MetricName::Is, MetricName::Fid] } else { vec![MetricName::Is] };
    let splits = Sets::Splits(arguments.splits);
    let mut names = Vec::new();
    for metric in arguments.metrics.as_ref().unwrap_or(&default) {
        let name = match (metric, against) {
            (MetricName::Is, _) => ProtocolName::Is { samples, sets: splits },
            (MetricName::MsSsim, _) => ProtocolName::MsSsim { samples, pairs: PAIRS },
            (_, None) => bail!("--metrics {metric:?} compares with real images; add --reference"),
            (MetricName::Fid, Some(against)) => ProtocolName::Fid { samples, against },
            (MetricName::Kid, Some(against)) => {
                let size = KID.1.min(samples).min(against.n);
                ProtocolName::Kid { samples, against, subsets: KID.0, size }
            }
            (MetricName::Precision, Some(against)) => ProtocolName::Precision { samples, against, k: NEAREST },
            (MetricName::Recall, Some(against)) => ProtocolName::Recall { samples, against, k: NEAREST },
            (MetricName::IntraFid, Some(against)) => ProtocolName::IntraFid { samples, against },
        };
        // Written and read again, it is checked as one that was typed.
        names.push(name.to_string().parse()?);
    }
    Ok(names)
}

/// A file or folder, or `DATASET[:part]`.
fn parse_reference(text: &str) -> Result<Reference> {
    let path = Path::new(text);
    if path.is_file() && Statistics::recognizes(path) {
        return Ok(Reference::Statistics(path.into()));
    }
    if path.exists() {
        return Ok(Reference::Images(path.into()));
    }
    let (name, part) = text.split_once(':').unwrap_or((text, Part::Reference.name()));
    let Ok(dataset) = serde_json::from_value::<Dataset>(name.into()) else {
        bail!("`{text}` is neither a file or folder nor a data set: fashion-mnist, cifar10, stl10, imagenet, folder");
    };
    let known = [Part::Reference, Part::Test, Part::Train].into_iter().find(|p| p.name() == part);
    match known {
        Some(part) => Ok(Reference::Dataset(dataset, part)),
        None => bail!("`{text}`: a data set's parts are ref, test and train"),
    }
}

pub(crate) fn stats(arguments: &Stats) -> Result<Ended> {
    let Stats { images, out, side, network, data, .. } = arguments;
    let (source, dataset): (Box<dyn ImageSource>, _) = match parse_reference(images)? {
        Reference::Statistics(path) => bail!("{} holds statistics already; give images", path.display()),
        Reference::Images(path) => (input::open(&path, network.layout())?, Dataset::Folder),
        Reference::Dataset(dataset, part) => (of_dataset(dataset, part, *side, &data.data_dir)?, dataset),
    };
    if out.extension().is_none_or(|e| e != "npz") {
        bail!("--out {}: name it .npz, which NumPy and pytorch-fid go by", out.display());
    }
    let backbone = network.load(None, dataset, data)?;
    let made =
        with_progress(|progress| Ok(make_statistics(&backbone, source.as_ref(), network.few(), network.cache().as_ref(), out, progress)?))?;
    println!("{}: {} images of {} at side {} through {}", out.display(), made.images.n, made.images.name, made.side, made.backbone);
    Ok(Ended::Well)
}
