//! The committed scorer on the embedded images: is it good enough to score with, and are the real data's own scores sane?

#![allow(clippy::unwrap_used, reason = "a test's helpers may")]

use sngan_data::{Images, Split, load};
use sngan_eval::{Error, Evaluator, Scorer};
use sngan_experiment::records::{Metric, ScoreRecord};
use sngan_experiment::{Dataset, ScorePlan};

const NAME: &str = "scorer-fashion";
const SIDE: usize = 16;
const CLASSES: usize = 10;

/// The real data's scores as results/*/ceiling.json has had them since the first sweep; what was recorded then must still compare.
const RECORDED: [(Metric, f64); 2] = [(Metric::Is, 8.234610366042254), (Metric::Fid, 0.16071520525723315)];
/// Relative; the scorer's rounding differs between instruction sets, and FID is a difference of far larger numbers.
const REPEATED: f64 = 1e-4;

fn images(split: Split, side: usize) -> Images {
    load(Dataset::FashionMnist, split, side, None).unwrap()
}

fn plan(samples: usize) -> ScorePlan {
    ScorePlan { backbone: NAME.into(), samples, splits: 5, log_every: 1, checkpoint_every: 1 }
}

fn value(scores: &[ScoreRecord], metric: Metric) -> f64 {
    scores.iter().find(|s| s.metric == metric).unwrap().value.unwrap()
}

#[test]
fn the_scorer_names_at_least_91_percent_of_the_held_out_garments() {
    let accuracy = Scorer::embedded(NAME).unwrap().accuracy(&images(Split::Reference, SIDE)).unwrap();
    assert!(accuracy >= 0.91, "{accuracy}");
}

#[test]
fn real_images_score_near_the_ceiling_and_noise_far_from_it() {
    let reference = images(Split::Reference, SIDE);
    let evaluator = Evaluator::new(&plan(2_000), &reference).unwrap().unwrap();
    let real = evaluator.ceiling(&images(Split::Train, SIDE), 2_000).unwrap();
    // Ten balanced classes, most of them certain: well above half of the largest possible score.
    assert!((7.0..CLASSES as f64).contains(&value(&real, Metric::Is)), "{real:?}");
    for (metric, recorded) in RECORDED {
        assert!((value(&real, metric) / recorded - 1.0).abs() < REPEATED, "{real:?} against the committed {recorded}");
    }

    let noise: Vec<u8> = (0..2_000 * 3 * SIDE * SIDE).map(|i| ((i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect();
    let noise = evaluator.score(&noise, SIDE, 7).unwrap();
    assert!(value(&noise, Metric::Is) < 0.5 * value(&real, Metric::Is), "{noise:?}");
    assert!(value(&noise, Metric::Fid) > 20.0 * value(&real, Metric::Fid), "{noise:?} against {real:?}");
    assert_eq!((real[0].gen_updates, noise[0].gen_updates), (0, 7));

    let itself = evaluator.score(&reference.pixels, SIDE, 0).unwrap();
    assert!(value(&itself, Metric::Fid) < 1e-3 * value(&real, Metric::Fid), "{itself:?}");
}

#[test]
fn a_score_carries_its_whole_protocol() {
    let reference = images(Split::Reference, 32);
    let evaluator = Evaluator::new(&plan(100), &reference).unwrap().unwrap();
    let scores = evaluator.ceiling(&images(Split::Train, 32), 100).unwrap();
    assert_eq!(scores.iter().map(|s| s.protocol.name.as_str()).collect::<Vec<_>>(), ["is_100_split5", "fid_100_ref2k"]);
    assert!(scores[0].protocol.reference.is_none());
    let protocol = scores[1].protocol.clone();
    assert_eq!(protocol.backbone, "scorer-fashion");
    assert_eq!(protocol.backbone_sha256, Scorer::embedded(NAME).unwrap().sha256());
    assert_eq!((protocol.n_samples, scores[0].protocol.n_splits), (100, 5));
    let compared = protocol.reference.unwrap();
    assert_eq!((compared.name, compared.sha256, compared.n), (reference.name.clone(), reference.sha256(), reference.len()));
    assert_eq!((protocol.resize.as_str(), protocol.bytes.as_str()), ("triangle 32→16", "truncate"));
    assert!(evaluator.score(&[0; 3 * 16 * 16], 16, 0).unwrap_err().to_string().contains("load the reference at side 16"));
}

#[test]
fn plans_that_cannot_be_scored_are_refused_before_training() {
    let reference = images(Split::Reference, SIDE);
    assert!(Evaluator::new(&ScorePlan { backbone: "none".into(), ..plan(2_000) }, &reference).unwrap().is_none());
    let unknown = ScorePlan { backbone: "inception".into(), ..plan(2_000) };
    assert!(matches!(Evaluator::new(&unknown, &reference), Err(Error::UnknownBackbone { .. })));
    assert!(matches!(Evaluator::new(&plan(64), &reference), Err(Error::TooFewSamples { n: 64, dim: 64 })));
    assert!(Evaluator::new(&ScorePlan { splits: 0, ..plan(100) }, &reference).is_err());
    assert!(matches!(Evaluator::new(&plan(100), &reference.range(0..64)), Err(Error::TooFewSamples { .. })));
}
