//! The embedded default: Fashion-MNIST's 10,000 test images (MIT license, Zalando SE), so that
//! nothing has to be downloaded.

use crate::{Images, Result, Split, idx};
use std::path::Path;

const IMAGES: &[u8] = include_bytes!("../assets/t10k-images-idx3-ubyte.gz");
const LABELS: &[u8] = include_bytes!("../assets/t10k-labels-idx1-ubyte.gz");

/// Of the 10,000 images the first 8,000 train GANs; the last 2,000 are the reference.
const TRAIN: usize = 8_000;

/// A split at 28x28, gray replicated to three channels.
pub(crate) fn fashion_mnist(split: Split) -> Result<Images> {
    let all = idx::parse_pair(
        "",
        (Path::new("embedded images"), IMAGES),
        (Path::new("embedded labels"), LABELS),
    )?;
    let (name, range) = match split {
        Split::Train => ("fashion-mnist:train", 0..TRAIN),
        Split::Reference | Split::HeldOut => ("fashion-mnist:held-out", TRAIN..all.len()),
    };
    Ok(Images { name: name.into(), ..all.range(range) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_thousand_train_and_two_thousand_are_held_out() {
        for (split, count) in [(Split::Train, 8000), (Split::Reference, 2000)] {
            let images = fashion_mnist(split).unwrap();
            assert_eq!((images.len(), images.side), (count, 28));
            for class in 0..10 {
                let share =
                    images.labels.iter().filter(|l| **l == class).count() as f64 / count as f64;
                assert!((0.08..0.12).contains(&share), "class {class}: {share}");
            }
        }
    }
}
