//! `sngan fid`: the distance of two sets of images, which need be no run's.

use super::score::{Reference, of_dataset, open_path, parse_reference, with_progress};
use super::{Job, warn_of_pictures};
use crate::Ended;
use crate::args::fid::{Fid, Pictures};
use crate::args::score;
use crate::say::say;
use crate::signals;
use crate::table::wrap;
use anyhow::{Context, Result, bail};
use serde_json::json;
use sngan_data::{ImageSource, Places, folder};
use sngan_eval::fid::frechet_distance;
use sngan_eval::{
    Backbone, BackboneOptions, Logits, Moments, PictureFolder, Preparation, SCORERS, Statistics,
    StatisticsProvenance, moments_of, read_statistics, verify_statistics,
};
use sngan_experiment::{Dataset, run_dir};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// Side of what has no size of its own, pixels.
const SIDE: usize = 32;

/// One of the two sets.
enum Side {
    /// Squares of one side, and how they became bytes.
    Square(Box<dyn ImageSource>, &'static str),
    /// Pictures that are no squares, or have several sizes.
    Pictures(PictureFolder),
    /// A mean and a covariance.
    Statistics(PathBuf),
}

/// What a set gave.
struct Measured {
    name: String,
    /// Number of images, where it is known.
    n: Option<usize>,
    moments: Moments,
}

/// What the features came through.
struct Network {
    name: String,
    sha256: String,
    resize: String,
}

pub(crate) fn job(arguments: Fid) -> Job {
    let threads = arguments.threads;
    Job::that_reads(move || unless_stopped(run(&arguments))).on(threads)
}

/// How a distance ended that was told to stop.
fn unless_stopped(result: Result<Ended>) -> Result<Ended> {
    match result {
        Err(e) if crate::is_interruption(&e) => {
            eprintln!(
                "{e}; `sngan reference` keeps the statistics of a set, which `sngan fid` takes in its place"
            );
            Ok(Ended::Interrupted)
        }
        other => other,
    }
}

fn run(arguments: &Fid) -> Result<Ended> {
    let stop = signals::stop_flag()?;
    // Names and options are checked before any image is read.
    let references = [parse_reference(&arguments.a)?, parse_reference(&arguments.b)?];
    check_side(&references, arguments)?;
    let backbone = backbone(&references, arguments)?;
    check_pictures(&references, arguments, backbone.as_ref())?;
    let [a, b] = references;
    let sides = [
        Side::open(a, arguments, backbone.as_ref())?,
        Side::open(b, arguments, backbone.as_ref())?,
    ];
    check_sizes(&sides, arguments, backbone.as_ref())?;
    check_numbers(&sides, backbone.as_ref())?;
    // Statistics are read at once, so that what is wrong with them is said before images take their time.
    let side = sides.iter().find_map(Side::side);
    let mut read: Vec<Option<Measured>> = Vec::new();
    for one in &sides {
        read.push(match one {
            Side::Statistics(path) => Some(of_statistics(path, backbone.as_ref(), side)?),
            Side::Square(..) | Side::Pictures(_) => None,
        });
    }
    let through = match &backbone {
        // A scorer's resize depends on the side of the images.
        Some(backbone) => Some(Network {
            name: backbone.name().into(),
            sha256: backbone.sha256().into(),
            resize: backbone.resize(side.unwrap_or(SIDE)),
        }),
        None => network_of_statistics(&sides)?,
    };
    let mut measured = Vec::new();
    for (one, read) in sides.iter().zip(read) {
        measured.push(match (read, &backbone) {
            (Some(read), _) => read,
            (None, Some(backbone)) => one.measure(backbone, &stop)?,
            (None, None) => bail!("no network was loaded"),
        });
    }
    let [a, b] = &measured[..] else { bail!("two sets are compared") };
    let distance = frechet_distance(&a.moments, &b.moments)?;
    for one in &measured {
        warn_of_few(one);
    }
    let ruled = backbone.is_some() && arguments.pictures != Pictures::Same;
    report(arguments, distance, [a, b], through.as_ref(), ruled);
    Ok(Ended::Well)
}

impl Side {
    fn open(reference: Reference, arguments: &Fid, backbone: Option<&Backbone>) -> Result<Side> {
        let array = score::array(arguments.layout, arguments.range);
        let side = match reference {
            Reference::Statistics(path) => return Ok(Side::Statistics(path)),
            Reference::Dataset(dataset, part) => {
                let places = Places::new(&arguments.data.data_dir);
                let side = arguments.side.unwrap_or(SIDE);
                Side::Square(of_dataset(dataset, part, side, &places)?, "given")
            }
            Reference::Images(path) if path.is_dir() => {
                Side::of_folder(&path, arguments, backbone)?
            }
            Reference::Images(path) => {
                let (source, bytes) = open_path(&path, array)?;
                Side::Square(source, bytes)
            }
        };
        match &side {
            Side::Square(source, _) => warn_of_pictures(source.as_ref()),
            Side::Pictures(pictures) => {
                let remarks = pictures.reading().remarks.iter();
                remarks.for_each(|remark| eprintln!("warning: {}: {remark}", pictures.name()));
            }
            Side::Statistics(_) => {}
        }
        Ok(side)
    }

    fn of_folder(path: &Path, arguments: &Fid, backbone: Option<&Backbone>) -> Result<Side> {
        match arguments.pictures {
            Pictures::Crop => {
                let side = arguments.side.unwrap_or(SIDE);
                let mut images = folder::load_classes(path, side)?;
                images.name = folder::name_of(path);
                Ok(Side::Square(Box::new(images), "given"))
            }
            Pictures::Each => Ok(Side::Pictures(PictureFolder::open(path)?)),
            Pictures::Same => {
                let pictures = PictureFolder::open(path)?;
                match pictures.size() {
                    Ok([height, width]) if height != width => Ok(Side::Pictures(pictures)),
                    // Squares go the way of `sngan score`.
                    Ok(_) => {
                        let (source, bytes) = open_path(path, Default::default())?;
                        Ok(Side::Square(source, bytes))
                    }
                    Err(e) => bail!("{e}; {}", advice(backbone)),
                }
            }
        }
    }

    /// Number of its images, where it holds any.
    fn number(&self) -> Option<usize> {
        match self {
            Side::Square(source, _) => Some(source.len()),
            Side::Pictures(pictures) => Some(pictures.len()),
            Side::Statistics(_) => None,
        }
    }

    /// Height and width of its images, where all have one size.
    fn size(&self) -> Option<[usize; 2]> {
        match self {
            Side::Square(source, _) => Some([source.side(); 2]),
            Side::Pictures(pictures) => pictures.size().ok(),
            Side::Statistics(_) => None,
        }
    }

    /// The side of its images, where all are squares of one.
    fn side(&self) -> Option<usize> {
        self.size().filter(|[height, width]| height == width).map(|[side, _]| side)
    }

    fn name(&self) -> String {
        match self {
            Side::Square(source, _) => source.name().into(),
            Side::Pictures(pictures) => pictures.name().into(),
            Side::Statistics(path) => {
                path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into())
            }
        }
    }

    fn measure(&self, backbone: &Backbone, stop: &AtomicBool) -> Result<Measured> {
        let (n, moments) = match (self, backbone) {
            (Side::Square(source, bytes), _) => {
                let moments = with_progress(stop, |progress| {
                    Ok(moments_of(backbone, source.as_ref(), bytes, progress)?)
                })?;
                (source.len(), moments)
            }
            (Side::Pictures(pictures), Backbone::Inception(inception, _)) => {
                let moments =
                    with_progress(stop, |progress| Ok(pictures.moments(inception, progress)?))?;
                (pictures.len(), moments)
            }
            (
                Side::Pictures(pictures),
                Backbone::Scorer(_) | Backbone::Elsewhere(..) | Backbone::Absent,
            ) => bail!("{}: {}", pictures.name(), advice(Some(backbone))),
            (Side::Statistics(path), _) => bail!("{} holds no images", path.display()),
        };
        Ok(Measured { name: self.name(), n: Some(n), moments })
    }
}

/// Whether images of any size go through the network.
fn takes_any_size(backbone: Option<&Backbone>) -> bool {
    backbone.is_none_or(|backbone| matches!(backbone, Backbone::Inception(..)))
}

/// What to do with pictures of several sizes, or that are no squares.
fn advice(backbone: Option<&Backbone>) -> String {
    const CROP: &str = "--pictures crop brings the center square of each picture to --side N";
    match backbone.filter(|_| !takes_any_size(backbone)) {
        Some(scorer) => format!("{} takes squares of one size; {CROP}", scorer.name()),
        None => {
            format!("--pictures each takes each picture from its own size to the network's, {CROP}")
        }
    }
}

/// Refuses a side that nothing is brought to.
fn check_side(references: &[Reference; 2], arguments: &Fid) -> Result<()> {
    let Some(side) = arguments.side else { return Ok(()) };
    let goes_by_it = |reference: &Reference| match reference {
        Reference::Dataset(..) => true,
        Reference::Images(path) => path.is_dir() && arguments.pictures == Pictures::Crop,
        Reference::Statistics(_) => false,
    };
    if references.iter().any(goes_by_it) {
        return Ok(());
    }
    bail!(
        "--side {side} changes nothing here: it is for a data set's images, and with --pictures crop for a folder's; leave it out, or add \
         --pictures crop to bring the pictures of a folder to it"
    )
}

/// Refuses pictures of any size where the network takes none.
fn check_pictures(
    references: &[Reference; 2],
    arguments: &Fid,
    backbone: Option<&Backbone>,
) -> Result<()> {
    let is_folder =
        |reference: &Reference| matches!(reference, Reference::Images(path) if path.is_dir());
    let each = arguments.pictures == Pictures::Each && references.iter().any(is_folder);
    if each && !takes_any_size(backbone) {
        bail!("--pictures each is for Inception; {}", advice(backbone));
    }
    Ok(())
}

/// Refuses sets of two sizes, unless pictures may have any.
fn check_sizes(sides: &[Side; 2], arguments: &Fid, backbone: Option<&Backbone>) -> Result<()> {
    let ([Some(a), Some(b)], Pictures::Same) =
        ([sides[0].size(), sides[1].size()], arguments.pictures)
    else {
        return Ok(());
    };
    if a == b {
        return Ok(());
    }
    let each = match takes_any_size(backbone) {
        true => "; --pictures each compares them as they are",
        false => "",
    };
    bail!(
        "{} has {}x{} pixels, {} {}x{}: both must take the same way to the network. For a folder --pictures crop --side N makes them alike, \
         for a data set --side N{each}",
        sides[0].name(),
        a[1],
        a[0],
        sides[1].name(),
        b[1],
        b[0]
    )
}

/// Refuses a set of one image, which has no covariance.
fn check_numbers(sides: &[Side; 2], backbone: Option<&Backbone>) -> Result<()> {
    let few = sides.iter().find(|side| side.number().is_some_and(|n| n < 2));
    if let (Some(side), Some(backbone)) = (few, backbone) {
        bail!(
            "{}: 1 image has no covariance; FID needs at least 2 images on each side, and of no more than {} has features ({}) it is far above that of more",
            side.name(),
            backbone.name(),
            backbone.pool_dim()
        );
    }
    Ok(())
}

/// The network, where a set has to go through it.
fn backbone(references: &[Reference; 2], arguments: &Fid) -> Result<Option<Backbone>> {
    let of_statistics = |reference: &Reference| matches!(reference, Reference::Statistics(_));
    if references.iter().all(of_statistics) {
        return Ok(None);
    }
    let options = BackboneOptions {
        weights: arguments.weights.clone(),
        data_dir: Some(arguments.data.data_dir.clone()),
        preparation: match arguments.half_pixel {
            false => Preparation::LegacyBilinear,
            true => Preparation::HalfPixelBilinear,
        },
        logits: Logits::Unbiased,
    };
    let name = &arguments.backbone;
    let found = match Backbone::named(name, Dataset::Folder, &options) {
        // Weights that were named are not there, or are no network's.
        Err(e) if arguments.weights.is_some() => return Err(e.into()),
        Err(e @ sngan_eval::Error::Inception { .. }) => bail!("{e}; {}", instead()),
        Err(e) => return Err(e.into()),
        Ok(found) => found,
    };
    let found = found.with_context(|| match name.as_str() {
        Backbone::INCEPTION_OR_SCORER => format!(
            "--backbone {name}: there are no Inception weights in {}, and no scorer is known to go with these images; `sngan data fetch inception` \
             gets the former, {}",
            arguments.data.data_dir.display(),
            instead()
        ),
        _ => format!("--backbone {name}: FID is taken through a network"),
    })?;
    if arguments.half_pixel && !matches!(found, Backbone::Inception(..)) {
        bail!("--half-pixel is Inception's; {} has a resize of its own", found.name());
    }
    Ok(Some(found))
}

/// What to name where there is no Inception.
fn instead() -> String {
    let scorers: Vec<&str> = SCORERS.iter().map(|scorer| scorer.name).collect();
    format!(
        "--backbone {} takes a small built-in classifier in its place, whose numbers compare with its own alone",
        scorers.join(" or ")
    )
}

/// Statistics of a file, which must be of the network, where there is one, and of images of `side`, where these are known.
fn of_statistics(
    path: &Path,
    backbone: Option<&Backbone>,
    side: Option<usize>,
) -> Result<Measured> {
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into());
    let (statistics, n) = match (backbone, side) {
        (Some(backbone), Some(side)) => {
            let (statistics, provenance) = read_statistics(path, backbone, side)?;
            (statistics, provenance.map(|p| p.images.n))
        }
        (Some(_), None) | (None, _) => {
            let statistics = Statistics::read(path)?;
            (statistics, provenance_of(path)?.map(|p| p.images.n))
        }
    };
    Ok(Measured { name, n, moments: statistics.moments })
}

/// The network that the files' provenance names; `None` where one of them has none.
fn network_of_statistics(sides: &[Side; 2]) -> Result<Option<Network>> {
    let [Some(a), Some(b)] = [network_of(&sides[0])?, network_of(&sides[1])?] else {
        return Ok(None);
    };
    if (&a.sha256, &a.resize) == (&b.sha256, &b.resize) {
        return Ok(Some(a));
    }
    let said = |n: &Network| {
        let hash = n.sha256.get(..8).unwrap_or(&n.sha256);
        format!("{} ({hash}, resize {})", n.name, n.resize)
    };
    bail!(
        "{} was made through {}, {} through {}: both must take the same way through one network; make one of them again with `sngan reference`",
        sides[0].name(),
        said(&a),
        sides[1].name(),
        said(&b)
    )
}

/// What the provenance beside a file of statistics names, if there is one.
fn network_of(side: &Side) -> Result<Option<Network>> {
    let Side::Statistics(path) = side else { return Ok(None) };
    let found = provenance_of(path)?;
    Ok(found.map(|p| Network { name: p.backbone, sha256: p.backbone_sha256, resize: p.resize }))
}

/// The provenance beside a file of statistics, if there is one.
fn provenance_of(path: &Path) -> Result<Option<StatisticsProvenance>> {
    let beside = path.with_extension("json");
    if !beside.is_file() {
        return Ok(None);
    }
    verify_statistics(path)?;
    // Another program's file of that name is no provenance.
    Ok(run_dir::read_json::<StatisticsProvenance>(&beside).ok())
}

fn warn_of_few(side: &Measured) {
    if let Some(n) = side.n.filter(|n| *n <= side.moments.dim()) {
        eprintln!(
            "warning: {}: {n} images are no more than the {} features; FID of so few is far above that of more",
            side.name,
            side.moments.dim()
        );
    }
}

fn report(
    arguments: &Fid,
    distance: f64,
    sides: [&Measured; 2],
    through: Option<&Network>,
    ruled: bool,
) {
    let side = |of: &Measured| json!({ "name": of.name, "n": of.n });
    if arguments.json {
        let is_few = |s: &&&Measured| s.n.is_some_and(|n| n <= s.moments.dim());
        let known = sides.iter().all(|s| s.n.is_some());
        // Of statistics whose number of images is not known, neither is this.
        let few =
            if sides.iter().any(|s| is_few(&s)) { Some(true) } else { known.then_some(false) };
        say!(
            "{}",
            json!({
                "fid": distance,
                "a": side(sides[0]),
                "b": side(sides[1]),
                "backbone": through.map(|network| &network.name),
                "backbone_sha256": through.map(|network| &network.sha256),
                "resize": through.map(|network| &network.resize),
                "pictures": arguments.pictures.name(),
                "few_samples": few,
            })
        );
        return;
    }
    let count = |of: &Measured| match of.n {
        Some(n) => format!("{} ({n} images)", of.name),
        None => format!("{} (statistics)", of.name),
    };
    let through = match through {
        Some(network) => format!("{}, resize {}", network.name, network.resize),
        None => "an unknown network".into(),
    };
    let rule = match ruled {
        true => format!(", pictures {}", arguments.pictures.name()),
        false => String::new(),
    };
    let [a, b] = sides.map(count);
    say!("FID {distance:.6}");
    say!("{}", wrap(&format!("  {a} and {b} through {through}{rule}")));
}
