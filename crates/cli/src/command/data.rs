//! `sngan data`.

use crate::Ended;
use crate::args::Data;
use crate::progress::{Position, Progress};
use anyhow::Result;
use sngan_data::fetch;

pub(crate) fn run(arguments: &Data) -> Result<Ended> {
    match arguments {
        Data::List => {
            println!("fashion-mnist's test files are built in (8,000 images to train on, 2,000 as reference); to be fetched:");
            for source in fetch::sources() {
                println!("{:<14} {}  {}", source.name, source.about, source.base);
            }
        }
        Data::Fetch(a) => {
            let progress = Progress::new("bytes");
            let result = fetch::fetch(&a.name, &a.data_dir, &mut |done, total| {
                progress.set(Position::even(done, total), || a.name.clone());
            });
            progress.finish();
            result?;
            println!("{} is complete in {}", a.name, a.data_dir.display());
        }
        Data::Verify(a) => fetch::verify(&a.name, &a.data_dir)?.iter().for_each(|line| println!("{line}")),
    }
    Ok(Ended::Well)
}
