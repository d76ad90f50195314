//! Inception against torch-fidelity and pytorch-fid. tools/parity_eval/inception.py made the fixture: statistics, images and float64
//! results; the weights are drawn here by the same generator.

#![allow(clippy::unwrap_used, reason = "a test's helpers may")]

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use sngan_eval::inception::{LOGITS, POOL};
use sngan_eval::{Inception, Preparation};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Per image and tap, of the largest value; f32 through 94 layers.
const TAP: f64 = 1e-4;
/// How far a network with one patch missing must be, so that the comparison would notice.
const WRONG: f64 = 1e-2;

type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

/// As `uniform` of the script.
fn uniform(seed: u64, name: &str, n: usize) -> impl Iterator<Item = f64> {
    const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;
    let key = name.bytes().fold(0xCBF2_9CE4_8422_2325, |key: u64, byte| {
        (key ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    });
    let key = key.wrapping_add(seed.wrapping_mul(GAMMA));
    (1..=n as u64).map(move |i| {
        let z = key.wrapping_add(i.wrapping_mul(GAMMA));
        let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f64 / f64::from(1 << 24)
    })
}

fn fixture() -> Vec<u8> {
    std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/inception.safetensors"))
        .unwrap()
}

/// Name, kernel and input channels of each layer: enough to draw its weights; output channels are the statistics'.
fn layers() -> Vec<(String, usize, [usize; 2])> {
    let mut layers: Vec<(String, usize, [usize; 2])> = Vec::new();
    let mut add = |block: &str, list: &[(&str, usize, [usize; 2])]| {
        for (name, channels, kernel) in list {
            layers.push((
                if block.is_empty() { name.to_string() } else { format!("{block}.{name}") },
                *channels,
                *kernel,
            ));
        }
    };
    let (one, three, five, wide, tall) = ([1, 1], [3, 3], [5, 5], [1, 7], [7, 1]);
    add(
        "",
        &[("Conv2d_1a_3x3", 3, three), ("Conv2d_2a_3x3", 32, three), ("Conv2d_2b_3x3", 32, three)],
    );
    add("", &[("Conv2d_3b_1x1", 64, one), ("Conv2d_4a_3x3", 80, three)]);
    for (name, c) in [("Mixed_5b", 192), ("Mixed_5c", 256), ("Mixed_5d", 288)] {
        add(
            name,
            &[
                ("branch1x1", c, one),
                ("branch5x5_1", c, one),
                ("branch5x5_2", 48, five),
                ("branch_pool", c, one),
            ],
        );
        add(
            name,
            &[
                ("branch3x3dbl_1", c, one),
                ("branch3x3dbl_2", 64, three),
                ("branch3x3dbl_3", 96, three),
            ],
        );
    }
    add("Mixed_6a", &[("branch3x3", 288, three)]);
    add(
        "Mixed_6a",
        &[
            ("branch3x3dbl_1", 288, one),
            ("branch3x3dbl_2", 64, three),
            ("branch3x3dbl_3", 96, three),
        ],
    );
    for (name, c) in [("Mixed_6b", 128), ("Mixed_6c", 160), ("Mixed_6d", 160), ("Mixed_6e", 192)] {
        add(name, &[("branch1x1", 768, one), ("branch_pool", 768, one)]);
        add(name, &[("branch7x7_1", 768, one), ("branch7x7_2", c, wide), ("branch7x7_3", c, tall)]);
        add(
            name,
            &[
                ("branch7x7dbl_1", 768, one),
                ("branch7x7dbl_2", c, tall),
                ("branch7x7dbl_3", c, wide),
            ],
        );
        add(name, &[("branch7x7dbl_4", c, tall), ("branch7x7dbl_5", c, wide)]);
    }
    add(
        "Mixed_7a",
        &[("branch3x3_1", 768, one), ("branch3x3_2", 192, three), ("branch7x7x3_1", 768, one)],
    );
    add(
        "Mixed_7a",
        &[
            ("branch7x7x3_2", 192, wide),
            ("branch7x7x3_3", 192, tall),
            ("branch7x7x3_4", 192, three),
        ],
    );
    for (name, c) in [("Mixed_7b", 1280), ("Mixed_7c", 2048)] {
        add(
            name,
            &[
                ("branch1x1", c, one),
                ("branch_pool", c, one),
                ("branch3x3_1", c, one),
                ("branch3x3dbl_1", c, one),
            ],
        );
        add(
            name,
            &[
                ("branch3x3_2a", 384, [1, 3]),
                ("branch3x3_2b", 384, [3, 1]),
                ("branch3x3dbl_2", 448, three),
            ],
        );
        add(name, &[("branch3x3dbl_3a", 384, [1, 3]), ("branch3x3dbl_3b", 384, [3, 1])]);
    }
    layers
}

/// Tensors as they are drawn.
#[derive(Default)]
struct Drawn(Tensors);

impl Drawn {
    fn add(&mut self, name: &str, shape: Vec<usize>, values: impl Iterator<Item = f64>) {
        let bytes = values.flat_map(|v| (v as f32).to_le_bytes()).collect();
        self.0.insert(name.into(), (Dtype::F32, shape, bytes));
    }

    /// Weights of a layer, U(±√(6/fan-in)).
    fn weights(&mut self, name: &str, shape: Vec<usize>) {
        let bound = (6.0 / shape[1..].iter().product::<usize>() as f64).sqrt();
        let values = uniform(1, name, shape.iter().product()).map(|u| (2.0 * u - 1.0) * bound);
        self.add(name, shape, values);
    }

    /// Biases, U(−0.3, 0.3).
    fn biases(&mut self, name: &str, n: usize) {
        self.add(name, vec![n], uniform(1, name, n).map(|u| 0.6 * u - 0.3));
    }
}

/// All 472 tensors: drawn weights and the fixture's statistics.
fn weights() -> Tensors {
    let bytes = fixture();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut drawn = Drawn::default();
    for (layer, channels, kernel) in layers() {
        let statistics = ["running_mean", "running_var"].map(|part| format!("{layer}.bn.{part}"));
        let out = file.tensor(&statistics[0]).unwrap().shape()[0];
        drawn.weights(&format!("{layer}.conv.weight"), vec![out, channels, kernel[0], kernel[1]]);
        let gamma = format!("{layer}.bn.weight");
        drawn.add(&gamma, vec![out], uniform(1, &gamma, out).map(|u| 0.5 + u));
        drawn.biases(&format!("{layer}.bn.bias"), out);
        for name in statistics {
            drawn.add(&name, vec![out], floats(&file, &name).into_iter().map(f64::from));
        }
    }
    drawn.weights("fc.weight", vec![LOGITS, POOL]);
    drawn.biases("fc.bias", LOGITS);
    assert_eq!(drawn.0.len(), 472);
    drawn.0
}

fn write(tensors: &Tensors, folder: &Path) -> PathBuf {
    let views = tensors.iter().map(|(name, (dtype, shape, bytes))| {
        (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap())
    });
    let path = folder.join("weights.safetensors");
    std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    path
}

fn floats(file: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    file.tensor(name)
        .unwrap()
        .data()
        .as_chunks::<4>()
        .0
        .iter()
        .map(|b| f32::from_le_bytes(*b))
        .collect()
}

/// Largest difference of a row, over its largest expected value; the largest of all rows.
fn distance(found: &[f32], expected: &[f32], columns: usize) -> f64 {
    assert_eq!(found.len(), expected.len());
    let row = |(a, b): (&[f32], &[f32])| {
        let largest = b.iter().fold(0f32, |m, v| m.max(v.abs()));
        let difference = a.iter().zip(b).fold(0f32, |m, (a, b)| m.max((a - b).abs()));
        f64::from(difference) / f64::from(largest)
    };
    found.chunks(columns).zip(expected.chunks(columns)).map(row).fold(0.0, f64::max)
}

/// Compares every tap of every image of `expected` with what the network of `weights` says, under both preparations.
fn compare(weights: &Path, expected: &SafeTensors<'_>) {
    for (name, preparation) in
        [("legacy", Preparation::LegacyBilinear), ("half-pixel", Preparation::HalfPixelBilinear)]
    {
        let inception = Inception::load(weights, preparation).unwrap();
        for side in [32, 75] {
            let images = expected.tensor(&format!("images.{side}")).unwrap();
            let taps = inception.taps(images.data(), side).unwrap();
            let features = inception.features(images.data(), side).unwrap();
            assert_eq!(features.pool, taps.tap2048);
            let biased: Vec<f32> = features
                .logits
                .iter()
                .enumerate()
                .map(|(i, v)| v + inception.logit_bias()[i % LOGITS])
                .collect();
            let all = [
                ("64", taps.tap64),
                ("192", taps.tap192),
                ("768", taps.tap768),
                ("2048", taps.tap2048),
                ("logits_unbiased", features.logits),
                ("logits", biased),
            ];
            for (tap, found) in all {
                let key = format!("{name}.{side}.{tap}");
                // pytorch-fid has no logits.
                if expected.tensor(&key).is_err() {
                    assert!(name == "half-pixel" && tap.starts_with("logits"));
                    continue;
                }
                let error =
                    distance(&found, &floats(expected, &key), tap.parse().unwrap_or(LOGITS));
                println!("{key}: {error:.1e}");
                assert!(error < TAP, "{key}: {error}");
            }
        }
    }
}

#[test]
fn every_tap_equals_torch_fidelitys_and_pytorch_fids() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(&weights(), folder.path());
    let bytes = fixture();
    let expected = SafeTensors::deserialize(&bytes).unwrap();
    compare(&path, &expected);

    // The same comparison would find each patch missing.
    let right = floats(&expected, "legacy.32.2048");
    for wrong in ["mean-counts-padding", "mean-in-7c", "epsilon-1e-5"] {
        let error = distance(&floats(&expected, &format!("wrong.{wrong}")), &right, POOL);
        println!("{wrong}: {error:.1e}");
        assert!(error > WRONG, "{wrong}: {error}");
    }
}

#[test]
fn features_depend_neither_on_other_images_nor_on_threads() {
    let folder = tempfile::tempdir().unwrap();
    let inception =
        Inception::load(&write(&weights(), folder.path()), Preparation::default()).unwrap();
    let bytes = fixture();
    let images =
        SafeTensors::deserialize(&bytes).unwrap().tensor("images.32").unwrap().data().to_vec();
    let on = |threads: usize, images: &[u8]| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| inception.features(images, 32)).unwrap()
    };
    let image = images.len() / 3;
    let together = on(2, &images);
    assert_eq!(together, on(1, &images));
    let second = on(1, &images[image..2 * image]);
    assert_eq!(second.pool, together.pool[POOL..2 * POOL]);
    assert_eq!(second.logits, together.logits[LOGITS..2 * LOGITS]);
    // More than a batch of them: each copy has the same bits.
    let many = on(2, &images[..image].repeat(25));
    assert!(many.pool.chunks(POOL).all(|row| row == &together.pool[..POOL]));
    assert!(inception.features(&images[1..], 32).unwrap_err().to_string().contains("[3, 32, 32]"));
}

#[test]
fn loading_is_strict_and_names_the_tensor() {
    let folder = tempfile::tempdir().unwrap();
    let weights = weights();
    let error = |change: &dyn Fn(&mut Tensors)| {
        let mut changed = weights.clone();
        change(&mut changed);
        Inception::load(&write(&changed, folder.path()), Preparation::default())
            .unwrap_err()
            .to_string()
    };
    let missing = error(&|t| drop(t.remove("Mixed_7c.branch_pool.bn.bias")));
    assert!(
        missing.contains("weights.safetensors: tensor `Mixed_7c.branch_pool.bn.bias` is missing"),
        "{missing}"
    );
    let extra =
        error(&|t| drop(t.insert("AuxLogits.fc.bias".into(), (Dtype::F32, vec![1], vec![0; 4]))));
    assert!(extra.contains("tensor `AuxLogits.fc.bias` does not belong"), "{extra}");
    let misshapen = error(&|t| t.get_mut("fc.weight").unwrap().1 = vec![POOL, LOGITS]);
    assert!(
        misshapen.contains("tensor `fc.weight` is [2048, 1008]; the network needs [1008, 2048]"),
        "{misshapen}"
    );
    let infinite =
        error(&|t| t.get_mut("fc.bias").unwrap().2[..4].copy_from_slice(&f32::NAN.to_le_bytes()));
    assert!(infinite.contains("`fc.bias` has a number that is not finite"), "{infinite}");
    let negative = error(&|t| {
        t.get_mut("Conv2d_1a_3x3.bn.running_var").unwrap().2[..4]
            .copy_from_slice(&(-1f32).to_le_bytes())
    });
    assert!(negative.contains("negative variance"), "{negative}");

    let path = folder.path().join("other");
    std::fs::write(&path, b"something else").unwrap();
    let other = Inception::load(&path, Preparation::default()).unwrap_err().to_string();
    assert!(other.contains("no whole file of torch.save or safetensors"), "{other}");

    let mut counted = weights.clone();
    counted.insert("Conv2d_1a_3x3.bn.num_batches_tracked".into(), (Dtype::I64, vec![], vec![0; 8]));
    let inception =
        Inception::load(&write(&counted, folder.path()), Preparation::HalfPixelBilinear).unwrap();
    assert_eq!(
        (inception.sha256().len(), inception.preparation().name()),
        (64, "half-pixel-bilinear-299")
    );
}

/// `just parity-eval` writes whole weights files in every format, with other weights than the fixture's, and names their folder here.
#[test]
fn whole_weights_files_of_every_format_agree() {
    let Some(folder) = std::env::var_os("SNGAN_PARITY_INCEPTION").map(PathBuf::from) else {
        println!(
            "SNGAN_PARITY_INCEPTION is not set: `just parity-eval` sets it to the folder of its weights files"
        );
        return;
    };
    let bytes = std::fs::read(folder.join("expected.safetensors")).unwrap();
    let expected = SafeTensors::deserialize(&bytes).unwrap();
    compare(&folder.join("old.pth"), &expected);
    let images = expected.tensor("images.32").unwrap();
    let features = |file: &str| {
        let inception = Inception::load(&folder.join(file), Preparation::default()).unwrap();
        inception.features(images.data(), 32).unwrap()
    };
    let old = features("old.pth");
    assert_eq!(old, features("zip.pth"));
    assert_eq!(old, features("weights.safetensors"));
}
