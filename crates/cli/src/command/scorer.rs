//! `sngan scorer`.

use crate::Ended;
use crate::args::Scorer;
use anyhow::Result;
use sngan_data::{Split, fetch, load, load_idx};
use sngan_experiment::Dataset;

pub(crate) fn run(arguments: &Scorer) -> Result<Ended> {
    let held_out = load(Dataset::FashionMnist, Split::Reference, sngan_eval::SIDE, None)?;
    match arguments {
        Scorer::Train(a) => {
            let (images, labels) = fetch::fashion_mnist_train(&a.data_dir);
            let train = load_idx(&images, &labels)?.resize(sngan_eval::SIDE);
            let accuracy = sngan_eval::train_scorer(&train, &held_out, &a.out, a.epochs, a.seed, &mut |line| println!("{line}"))?;
            println!("{}: accuracy {accuracy:.4} on the {} held-out images", a.out.display(), held_out.len());
        }
        Scorer::Check => {
            let scorer = sngan_eval::Scorer::embedded()?;
            println!("scorer-fashion, sha256 {}", scorer.sha256());
            println!("accuracy {:.4} on the {} held-out images", scorer.accuracy(&held_out)?, held_out.len());
        }
    }
    Ok(Ended::Well)
}
