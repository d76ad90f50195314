//! Scores within classes: their mean over the classes, and the standard deviation (ddof 0) over them.

use crate::collect::{BlockProgress, Pass, Wanted, tell};
use crate::metric::fid::frechet_distance;
use crate::metric::ms_ssim as similarity;
use crate::moments::Few;
use crate::samples::{PIECE_BYTES, Samples};
use crate::{Error, Result};
use rayon::prelude::*;
use sngan_experiment::ProtocolName;
use sngan_tensor::rng::Streams;
use std::collections::{BTreeMap, BTreeSet};

/// The choice of pairs is part of the protocol, so its seed is fixed.
const PAIR_SEED: u64 = 0;

/// Images of each class: the protocol's number is the total over all classes.
pub(crate) fn per_class(name: ProtocolName, samples: &dyn Samples) -> Result<usize> {
    let classes = samples.classes();
    if classes == 0 {
        let reason = format!(
            "`{name}` looks at each class on its own: it needs a conditional run, or a folder with class subfolders"
        );
        return Err(Error::input("protocol", reason));
    }
    match name.samples() / classes {
        0 | 1 => Err(Error::input(
            "protocol",
            format!("`{name}` leaves fewer than 2 images to each of {classes} classes"),
        )),
        n => Ok(n),
    }
}

/// Mean similarity of `pairs` random pairs of different images of each class, chosen among `n`
/// images per class.
pub(crate) fn ms_ssim(
    samples: &mut dyn Samples,
    n: usize,
    pairs: usize,
    progress: &BlockProgress<'_>,
) -> Result<(f64, Option<f64>)> {
    let (classes, side) = (samples.classes(), samples.side());
    // Two images of each pair are held at a time.
    let at_once = (PIECE_BYTES / (6 * side * side).max(1)).max(1);
    let mut means = Vec::with_capacity(classes);
    for class in 0..classes as u32 {
        tell(progress, class as usize, classes)?;
        check_available(samples, class, n)?;
        let mut values = Vec::with_capacity(pairs);
        for some in random_pairs(class, n, pairs).chunks(at_once) {
            let images = images_of(samples, some, n, class)?;
            let one = |(a, b): &(usize, usize)| similarity::ms_ssim(&images[a], &images[b], side);
            values.extend(some.par_iter().map(one).collect::<Result<Vec<f64>>>()?);
        }
        means.push(values.iter().sum::<f64>() / pairs as f64);
    }
    Ok(mean_and_std(&means))
}

/// The images of pairs by their numbers, of a class with `n` images.
fn images_of(
    samples: &mut dyn Samples,
    pairs: &[(usize, usize)],
    n: usize,
    class: u32,
) -> Result<BTreeMap<usize, Vec<u8>>> {
    let (image, step) = (3 * samples.side() * samples.side(), samples.step());
    let wanted: BTreeSet<usize> = pairs.iter().flat_map(|(a, b)| [*a, *b]).collect();
    let mut images = BTreeMap::new();
    let mut read = (0, Vec::new());
    for i in wanted {
        let first = i / step * step;
        if read.1.is_empty() || read.0 != first {
            read = (first, samples.read(first, step.min(n - first), Some(class))?);
        }
        images.insert(i, read.1[(i - first) * image..][..image].to_vec());
    }
    Ok(images)
}

/// Pairs of different numbers below `n`.
fn random_pairs(class: u32, n: usize, pairs: usize) -> Vec<(usize, usize)> {
    let streams = Streams::new(PAIR_SEED);
    let first = streams.below("ms-ssim.first", u64::from(class), pairs, n);
    let second = streams.below("ms-ssim.second", u64::from(class), pairs, n - 1);
    // The second skips the first.
    first
        .into_iter()
        .zip(second)
        .map(|(a, b)| (a as usize, if b >= a { b as usize + 1 } else { b as usize }))
        .collect()
}

fn check_available(samples: &dyn Samples, class: u32, n: usize) -> Result<()> {
    match samples.available(Some(class)) {
        Some(available) if available < n => Err(Error::input(
            "images",
            format!(
                "{}: class {class} has {available} images; the protocol needs {n} of each class",
                samples.name()
            ),
        )),
        _ => Ok(()),
    }
}

/// Mean of the FIDs within classes. On the real side a class may have no more images than there are
/// features, but needs at least two.
pub(crate) fn intra_fid(
    pass: &Pass<'_>,
    samples: &mut dyn Samples,
    n: usize,
    real: &mut dyn Samples,
    progress: &BlockProgress<'_>,
) -> Result<(f64, Option<f64>)> {
    let counterparts = counterparts(samples, real)?;
    let mut distances = Vec::with_capacity(counterparts.len());
    for (class, counterpart) in counterparts.iter().enumerate() {
        tell(progress, class, counterparts.len())?;
        // Watched for the wish to stop alone: its images are not those of the whole.
        let quiet = |_: usize, _: usize| progress(class, counterparts.len());
        let there = real.available(Some(*counterpart)).unwrap_or(0);
        let wanted = |n: usize| Wanted { moments: [n].into(), ..Wanted::default() };
        let generated = pass.collect(samples, Some(class as u32), &wanted(n), &quiet)?;
        let real = Pass { few: Few::Allowed, ..*pass }.collect(
            real,
            Some(*counterpart),
            &wanted(there),
            &quiet,
        )?;
        distances.push(frechet_distance(generated.moments(n)?, real.moments(there)?)?);
    }
    Ok(mean_and_std(&distances))
}

/// The real class of each class of `samples`: the one of the same name or, if those only have
/// numbers, of the same number.
fn counterparts(samples: &dyn Samples, real: &dyn Samples) -> Result<Vec<u32>> {
    let (Some(ours), Some(theirs)) = (samples.class_names(), real.class_names()) else {
        return match (samples.classes(), real.classes()) {
            (ours, theirs) if ours == theirs => Ok((0..ours as u32).collect()),
            (ours, theirs) => {
                Err(Error::input("images", format!("have {ours} classes, the real ones {theirs}")))
            }
        };
    };
    let lacking = |names: &[String], of: &[String]| {
        names.iter().filter(|name| !of.contains(name)).cloned().collect::<Vec<_>>()
    };
    let (unmatched, missing) = (lacking(ours, theirs), lacking(theirs, ours));
    if !unmatched.is_empty() || !missing.is_empty() {
        let list = |names: Vec<String>| {
            if names.is_empty() { "none".to_string() } else { names.join(", ") }
        };
        let reason = format!(
            "classes are compared by name: those of {} alone are {}, those of {} alone {}; give both the same class subfolders",
            samples.name(),
            list(unmatched),
            real.name(),
            list(missing)
        );
        return Err(Error::input("images", reason));
    }
    Ok(ours
        .iter()
        .filter_map(|name| theirs.iter().position(|other| other == name))
        .map(|i| i as u32)
        .collect())
}

fn mean_and_std(values: &[f64]) -> (f64, Option<f64>) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    (mean, Some(variance.sqrt()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_of_different_images_and_every_pair_can_come() {
        let pairs = random_pairs(3, 4, 2000);
        assert!(pairs.iter().all(|(a, b)| a != b && *a < 4 && *b < 4));
        let distinct: std::collections::BTreeSet<_> = pairs.into_iter().collect();
        assert_eq!(distinct.len(), 12);
        assert_ne!(random_pairs(0, 100, 10), random_pairs(1, 100, 10));
    }
}
