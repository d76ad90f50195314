//! FID of two folders of images, through a small classifier or through Inception where its weights are given:
//! `cargo run --release -p sngan-eval --example fid_of_folders -- A B [inception.pth]`

use sngan_eval::{BLOCK, Backbone, BackboneOptions, Moments, fid::frechet_distance, input};
use sngan_experiment::Dataset;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [a, b, weights @ ..] = arguments.as_slice() else {
        return Err("usage: A B [WEIGHTS]".into());
    };
    let name = if weights.is_empty() { "scorer-cifar10" } else { Backbone::INCEPTION };
    let options =
        BackboneOptions { weights: weights.first().map(Into::into), ..Default::default() };
    let backbone = Backbone::named(name, Dataset::Folder, &options)?.ok_or("no network")?;
    let moments = |folder: &str| -> Result<Moments, Box<dyn Error>> {
        let images = input::open(folder.as_ref(), input::ArrayOptions::default())?;
        let (all, mut features) = ((0..images.len()).collect::<Vec<_>>(), Vec::new());
        for block in all.chunks(BLOCK) {
            let mut bytes = Vec::new();
            block.iter().try_for_each(|i| images.read(*i, &mut bytes))?;
            features.extend(backbone.features(&bytes, images.side())?.pool);
        }
        Ok(Moments::of(&features, backbone.pool_dim())?)
    };
    println!("fid[{name}] {:.4}", frechet_distance(&moments(a)?, &moments(b)?)?);
    Ok(())
}
