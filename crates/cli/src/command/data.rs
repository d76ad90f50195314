//! `sngan data`.

use crate::Ended;
use crate::args::{Data, DataSet, Pack, PackName};
use crate::progress::{Meter, Position};
use anyhow::Result;
use sngan_data::{ImageSource, fetch, imagenet, pack, sources};
use std::path::PathBuf;

pub(crate) fn run(arguments: &Data) -> Result<Ended> {
    match arguments {
        Data::List => {
            println!(
                "fashion-mnist's test files are built in (8,000 images to train on, 2,000 as reference); to be fetched:"
            );
            for source in sources::sources() {
                println!("{:<14} {}  {}", source.name, source.about, source.base);
            }
            println!("imagenet comes from a folder: sngan data pack imagenet --from DIR");
        }
        Data::Fetch(a) => {
            let progress = Meter::new("bytes");
            let result = fetch::fetch(&a.name, &a.data_dir, &mut |done, total| {
                progress.set(Position::even(done, total), || a.name.clone());
            });
            progress.finish();
            result?;
            println!("{} is complete in {}", a.name, a.data_dir.display());
        }
        Data::Verify(a) => verify(a)?.iter().for_each(|line| println!("{line}")),
        Data::Pack(a) => match a.name {
            PackName::Imagenet => pack_imagenet(a)?,
        },
    }
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
pub(crate) fn pack_folder(arguments: &Pack) -> PathBuf {
    arguments.out.clone().unwrap_or_else(|| imagenet::folder(&arguments.data_dir, arguments.side))
}

fn pack_imagenet(arguments: &Pack) -> Result<()> {
    let out = pack_folder(arguments);
    let options = pack::Options {
        side: arguments.side,
        min_side: arguments.min_side,
        strict: arguments.strict,
    };
    // A bar for each part: their files differ in number.
    let mut bar: Option<(String, Meter)> = None;
    let packs = imagenet::pack(&arguments.from, &out, options, &mut |part, at| {
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
        println!(
            "{}: {} images in {} classes, {} files rejected",
            packed.name(),
            header.images,
            header.plan.classes.len(),
            header.rejected
        );
        let empty = packed.classes_without_images();
        if !empty.is_empty() {
            println!(
                "{}: no file gave an image of {} classes, of which nothing can be learned: {}",
                packed.name(),
                empty.len(),
                empty.join(", ")
            );
        }
    }
    println!("packed in {}", out.display());
    Ok(())
}
