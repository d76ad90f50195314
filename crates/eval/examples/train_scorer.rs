//! Trains the embedded scorer: `train_scorer DIR OUT EPOCHS SEED`, where DIR holds Fashion-MNIST's two `train-*` files.

use sngan_data::{Split, load, load_idx};
use sngan_experiment::Dataset;
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, out, epochs, seed] = arguments.as_slice() else {
        return Err("usage: train_scorer DIR OUT EPOCHS SEED".into());
    };
    let folder = Path::new(folder);
    let train = load_idx(&folder.join("train-images-idx3-ubyte.gz"), &folder.join("train-labels-idx1-ubyte.gz"))?.resize(sngan_eval::SIDE);
    let test = load(Dataset::FashionMnist, Split::Reference, sngan_eval::SIDE, None)?;
    let start = std::time::Instant::now();
    let mut report = |line: String| println!("{:6.1} s  {line}", start.elapsed().as_secs_f64());
    let accuracy = sngan_eval::train_scorer(&train, &test, Path::new(out), epochs.parse()?, seed.parse()?, &mut report)?;
    println!("accuracy on the {} held-out images: {accuracy:.4}", test.len());
    Ok(())
}
