//! `sngan data`.

use super::{Change, Job};
use crate::Ended;
use crate::args::{Data, DataSet, Pack, PackName};
use crate::progress::{Meter, Position};
use crate::say::{counted, say};
use crate::table::wrap;
use anyhow::Result;
use sngan_data::{ImageSource, fetch, imagenet, pack, sources};
use std::path::{Path, PathBuf};

pub(crate) fn job(arguments: Data) -> Result<Job> {
    Ok(match arguments {
        Data::List => Job::that_reads(list),
        Data::Fetch(a) => {
            let change = format!("download {} into {}", a.name, a.data_dir.display());
            Job::that_changes([Change::said(change)], move || download(&a))
        }
        Data::Verify(a) => Job::that_reads(move || {
            verify(&a)?.iter().for_each(|line| say!("{line}"));
            Ok(Ended::Well)
        }),
        Data::Pack(a) => match a.name {
            PackName::Imagenet => {
                let out = pack_folder(&a);
                let parts = imagenet::parts(&a.from)?;
                let changes: Vec<Change> =
                    parts.iter().map(|part| Change::file(&out.join(part), "a pack")).collect();
                let threads = a.threads;
                Job::that_changes(changes, move || pack_imagenet(&a, &out)).on(threads)
            }
        },
    })
}

fn list() -> Result<Ended> {
    say!(
        "fashion-mnist's test files are built in (8,000 images to train on, 2,000 as reference); to be fetched:"
    );
    for source in sources::sources() {
        say!("{:<14} {}  {}", source.name, source.about, source.base);
    }
    say!("imagenet comes from a folder: sngan data pack imagenet --from DIR");
    Ok(Ended::Well)
}

fn download(arguments: &DataSet) -> Result<Ended> {
    let DataSet { name, data_dir } = arguments;
    let progress = Meter::new("bytes");
    let result = fetch::fetch(name, data_dir, &mut |done, total| {
        progress.set(Position::even(done, total), || name.clone());
    });
    progress.finish();
    result?;
    say!("{name} is complete in {}", data_dir.display());
    let place = match data_dir.to_str() {
        Some("data") => String::new(),
        _ => format!(" --data-dir {}", data_dir.display()),
    };
    let next = match name.as_str() {
        "cifar10" => format!("sngan sweep table1 --scale narrow{place}"),
        "stl10" => format!("sngan sweep table1-stl10 --scale narrow{place}"),
        "fashion-mnist" => format!("sngan scorer train{place}"),
        _ => format!("sngan score RUN{place}"),
    };
    say!("{}", wrap(&format!("Next: `{next}`")));
    Ok(Ended::Well)
}

fn verify(arguments: &DataSet) -> Result<Vec<String>> {
    if arguments.name != "imagenet" {
        return Ok(fetch::verify(&arguments.name, &arguments.data_dir)?);
    }
    let progress = Meter::new("images");
    let report = imagenet::verify(&arguments.data_dir, &mut |done, total| {
        progress.set(Position::even(done, Some(total)), String::new)
    });
    progress.finish();
    Ok(report?)
}

/// Where the packs go.
fn pack_folder(arguments: &Pack) -> PathBuf {
    arguments.out.clone().unwrap_or_else(|| imagenet::folder(&arguments.data_dir, arguments.side))
}

fn pack_imagenet(arguments: &Pack, out: &Path) -> Result<Ended> {
    let options = pack::Options {
        side: arguments.side,
        min_side: arguments.min_side,
        strict: arguments.strict,
    };
    // A bar for each part: their files differ in number.
    let mut bar: Option<(String, Meter)> = None;
    let packs = imagenet::pack(&arguments.from, out, options, &mut |part, at| {
        if bar.as_ref().is_none_or(|(of, _)| of != part) {
            if let Some((_, previous)) = bar.take() {
                previous.finish();
            }
            bar = Some((part.to_string(), Meter::new("files")));
        }
        if let Some((_, bar)) = &bar {
            bar.set(Position::even(at.done, Some(at.total)), || {
                format!("{part}, {} rejected", at.rejected)
            });
        }
    });
    if let Some((_, bar)) = &bar {
        bar.finish();
    }
    for packed in packs? {
        super::warn_of_pictures(&packed);
        let header = packed.header();
        say!(
            "{}: {} in {}, {} rejected",
            packed.name(),
            counted(header.images, "image"),
            counted(header.plan.classes.len(), "class"),
            counted(header.rejected, "file")
        );
        let empty = packed.classes_without_images();
        if !empty.is_empty() {
            say!(
                "{}: no file gave an image of {}, of which nothing can be learned: {}",
                packed.name(),
                counted(empty.len(), "class"),
                empty.join(", ")
            );
        }
    }
    say!("packed in {}", out.display());
    Ok(Ended::Well)
}
