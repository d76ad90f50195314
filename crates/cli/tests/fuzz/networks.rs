//! Valid inputs of the readers of other programs' networks.

use crate::seeds::{named_array, start};
use crate::wrap;
use sngan_core::checkpoint;
use std::fmt::Write;
use std::sync::OnceLock;

/// The arrays of the smallest standard CNN of the authors' code, as [`wrap::archive`] takes them: of G, and of D without spectral normalization's u.
pub(crate) fn arrays() -> Vec<Vec<u8>> {
    let floats = |name: &str, shape: &[usize]| {
        let n = shape.iter().product::<usize>();
        let numbers: Vec<u8> = (0..n).flat_map(|i| (i as f32 / 64.0).cos().to_le_bytes()).collect();
        let sizes: String = shape.iter().map(|n| format!("{n}, ")).collect();
        named_array(name, "<f4", &format!("({sizes})"), &numbers)
    };
    let mut all = vec![floats("l0/W", &[8, 128]), floats("l0/b", &[8])];
    for (i, channels) in [8, 4, 2, 1].into_iter().enumerate() {
        for part in ["gamma", "beta", "avg_mean", "avg_var"] {
            all.push(floats(&format!("bn{i}/{part}"), &[channels]));
        }
        let (outputs, kernel) = if i == 3 { (3, 3) } else { (channels / 2, 4) };
        all.push(floats(&format!("dc{}/W", i + 1), &[channels, outputs, kernel, kernel]));
        all.push(floats(&format!("dc{}/b", i + 1), &[outputs]));
    }
    all.push(named_array("bn0/N", "<i8", "()", &[0; 8]));
    vec![all.concat()]
}

/// The same as an archive.
pub(crate) fn snapshots() -> Vec<Vec<u8>> {
    arrays().iter().map(|arrays| wrap::archive(arrays)).collect()
}

/// G of the smallest standard CNN as a state dict.
pub(crate) fn state_dicts() -> Vec<Vec<u8>> {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    let of_g = || {
        let tensors = start().1.tensors.into_iter();
        checkpoint::encode(&tensors.filter(|(name, _)| name.starts_with("generator.")).collect())
    };
    vec![BYTES.get_or_init(|| of_g().unwrap()).clone()]
}

/// A map of [`state_dicts`]' names.
pub(crate) fn maps() -> Vec<Vec<u8>> {
    let mut text = String::from(
        "architecture = \"standard-cnn\"\nside = 8\nwidth_divisor = 64\nlatent = \"normal\"\nbatch_norm_eps = 2e-5\n[generator]\n",
    );
    for layer in ["dense", "conv", "deconv{i}"] {
        writeln!(text, "\"{layer}\" = \"generator.{layer}\"").unwrap();
    }
    for part in ["gamma", "beta", "running_mean"] {
        let name = format!("deconv{{i}}.bn.{part}");
        writeln!(text, "\"{name}\" = \"generator.{name}\"").unwrap();
    }
    text += "\"deconv{i}.bn.running_var\" = 1.0\n";
    vec![text.into_bytes()]
}
