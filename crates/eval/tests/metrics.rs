//! Every metric of given numbers against torch-fidelity, pytorch-fid, pytorch-msssim and a plain NumPy MS-SSIM; tools/parity_eval/metrics.py
//! made the fixture.

#![allow(clippy::unwrap_used, reason = "a test's helpers may")]

use safetensors::{Dtype, SafeTensors};
use sngan_eval::fid::frechet_distance;
use sngan_eval::inception_score::inception_score;
use sngan_eval::kid::kernel_distance;
use sngan_eval::ms_ssim::ms_ssim;
use sngan_eval::precision_recall::coverage;
use sngan_eval::{Moments, Rows};
use sngan_experiment::protocol::Sets;

/// FID's, relative to tr S₁ + tr S₂: both sides compute in f64.
const FID: f64 = 1e-8;
/// Inception score and KID: sums in f64 of f32 inputs.
const SUMS: f64 = 1e-6;
/// Shares are printed in f32.
const SHARE: f64 = 1e-6;
/// MS-SSIM by its definition, in f64 on both sides.
const DEFINITION: f64 = 1e-10;
/// pytorch-msssim makes its window in f32.
const SINGLE_WINDOW: f64 = 1e-5;

struct Fixture(Vec<u8>);

impl Fixture {
    fn load() -> Fixture {
        Fixture(
            std::fs::read(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/fixtures/metrics.safetensors"
            ))
            .unwrap(),
        )
    }

    /// f32 numbers and the last dimension.
    fn rows(&self, name: &str) -> (Vec<f32>, usize) {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        let tensor = file.tensor(name).unwrap();
        assert_eq!(tensor.dtype(), Dtype::F32);
        let values =
            tensor.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        (values, tensor.shape()[1])
    }

    fn expected(&self, name: &str) -> Vec<f64> {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        let tensor = file.tensor(name).unwrap();
        assert_eq!(tensor.dtype(), Dtype::F64);
        tensor.data().as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect()
    }
}

#[test]
fn fid_of_features_is_torch_fidelitys_and_pytorch_fids() {
    let fixture = Fixture::load();
    let moments = |name: &str| {
        let (rows, dim) = fixture.rows(name);
        Moments::of(&rows, dim).unwrap()
    };
    let (a, b) = (moments("a"), moments("b"));
    let trace = |m: &Moments| m.covariance().iter().step_by(m.dim() + 1).sum::<f64>();
    let tolerance = FID * (trace(&a) + trace(&b));
    for expected in fixture.expected("fid") {
        let difference = (frechet_distance(&a, &b).unwrap() - expected).abs();
        println!(
            "FID {expected}: {difference:.1e}, {:.1e} of the traces",
            FID * difference / tolerance
        );
        assert!(difference < tolerance, "{expected}");
    }
}

#[test]
fn the_inception_score_of_logits_is_torch_fidelitys() {
    let fixture = Fixture::load();
    let (logits, classes) = fixture.rows("logits");
    for sets in [1, 4] {
        let expected = fixture.expected(&format!("is.{sets}"));
        // Its splits without a shuffle are our independent sets.
        let score = inception_score(&logits, classes, Sets::Independent(sets)).unwrap();
        println!("inception score {}: {:.1e}", expected[0], (score.mean - expected[0]).abs());
        assert!(
            (score.mean - expected[0]).abs() < SUMS && (score.std - expected[1]).abs() < SUMS,
            "{score:?} against {expected:?}"
        );
    }
}

#[test]
fn kid_precision_and_recall_of_features_are_torch_fidelitys() {
    let fixture = Fixture::load();
    let rows = |name: &str| {
        let (rows, dim) = fixture.rows(name);
        Rows::of(&rows, dim).unwrap()
    };
    let (generated, real) = (rows("a"), rows("b"));
    let kid = kernel_distance(&generated, &real, 1, generated.len()).unwrap();
    let difference = (kid.mean - fixture.expected("kid")[0]).abs();
    println!("KID {}: {difference:.1e}", kid.mean);
    assert!(difference < SUMS, "{kid:?}");
    let shares = [coverage(&real, &generated, 3).unwrap(), coverage(&generated, &real, 3).unwrap()];
    for (share, expected) in shares.into_iter().zip(fixture.expected("precision-recall")) {
        println!("precision or recall {expected}: {:.1e}", (share - expected).abs());
        assert!((share - expected).abs() < SHARE, "{share} against {expected}");
    }
}

/// The script's image by the same rule of whole numbers.
fn image(number: usize, side: usize) -> Vec<u8> {
    let pixel = |c: usize, y: usize, x: usize| {
        let grain = (x * 7919 + y * 104_729 + c * 1_299_709 + number * 15_485_863) % 64;
        ((x * (5 + c) + y * (3 + number) + x * y / (7 + number) + grain) % 256) as u8
    };
    (0..3 * side * side).map(|i| pixel(i / (side * side), i / side % side, i % side)).collect()
}

#[test]
fn ms_ssim_follows_its_definition_at_every_side_and_pytorch_msssim_where_that_goes() {
    let fixture = Fixture::load();
    let mut libraries = 0;
    for side in [16, 33, 48, 128, 192] {
        let similarity = ms_ssim(&image(1, side), &image(2, side), side).unwrap();
        let expected = fixture.expected(&format!("ms-ssim.{side}"));
        println!(
            "MS-SSIM of side {side}, {}: {:.1e}",
            expected[0],
            (similarity - expected[0]).abs()
        );
        assert!(
            (similarity - expected[0]).abs() < DEFINITION,
            "side {side}: {similarity} against {expected:?}"
        );
        if let Some(library) = expected.get(1) {
            println!(
                "MS-SSIM of side {side}, pytorch-msssim's {library}: {:.1e}",
                (similarity - library).abs()
            );
            assert!(
                (similarity - library).abs() < SINGLE_WINDOW,
                "side {side}: {similarity} against {library}"
            );
            libraries += 1;
        }
    }
    assert_eq!(libraries, 1);
}
