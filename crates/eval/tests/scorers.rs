//! The committed scorers: are the files those that assets/README.md describes, and do they compute what PyTorch computes with them?

#![allow(clippy::unwrap_used, reason = "a test's helpers may")]

use serde::Deserialize;
use sha2::{Digest, Sha256};
use sngan_eval::{Features, SCORERS, Scorer};
use std::collections::BTreeMap;

/// Of the largest value: f32 against f64 through up to eight layers.
const PARITY: f64 = 1e-5;

/// Name, SHA-256 of the weights, and SHA-256 of the outputs' bits on a processor with AVX-512. Another file of weights, or kernels that round
/// otherwise, make scores that differ from recorded ones: that should be a decision, not an accident.
const COMMITTED: [(&str, &str, &str); 2] = [
    (
        "scorer-fashion",
        "ba692df314ca0a63ef30f24d3df5c5f547263816cb4337a9f2dd2a80843c7ebf",
        "e59749abe01a75ff9658a727a19d60dd9b147db89d8c6ab7e18abf7ec34c8d03",
    ),
    (
        "scorer-cifar10",
        "19bad9e86c1e0a9ef9e702094f3277867812253a563ff27632e0e4d455e17ae5",
        "902a65cc3310947fc292661fa8b1dfbe432fb07dc43af026a456f48b59ea5086",
    ),
];

/// What `fixtures/scorer.py` wrote.
#[derive(Deserialize)]
struct Reference {
    pool: Vec<f64>,
    logits: Vec<f64>,
}

/// Three images `[3, 3, side, side]`, by the formula of `fixtures/scorer.py`.
fn images(side: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for k in 0..3 {
        for c in 0..3 {
            for y in 0..side {
                bytes.extend((0..side).map(|x| {
                    ((x * (7 + 4 * k) + y * (3 + 5 * c) + x * y * k + 60 * c) % 256) as u8
                }));
            }
        }
    }
    bytes
}

fn outputs(name: &str) -> Features {
    let scorer = Scorer::embedded(name).unwrap();
    scorer.features(&images(scorer.spec().side), scorer.spec().side).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn weights_and_outputs_are_those_that_scores_were_taken_with() {
    assert_eq!(COMMITTED.map(|(name, ..)| name), SCORERS.map(|s| s.name));
    for (name, weights, bits) in COMMITTED {
        assert_eq!(Scorer::embedded(name).unwrap().sha256(), weights, "{name}");
        let readme = include_str!("../assets/README.md");
        assert!(readme.contains(weights), "assets/README.md has another hash of {name}");
        if sngan_tensor::instruction_set() != "avx512f" {
            println!(
                "{name}: the outputs' bits are recorded for AVX-512 alone, which this machine lacks"
            );
            continue;
        }
        let features = outputs(name);
        let mut hash = Sha256::new();
        features.pool.iter().chain(&features.logits).for_each(|v| hash.update(v.to_le_bytes()));
        assert_eq!(hex(&hash.finalize()), bits, "{name}");
    }
}

#[test]
fn outputs_agree_with_pytorch() {
    let reference: BTreeMap<String, Reference> =
        serde_json::from_str(include_str!("fixtures/scorer.json")).unwrap();
    for spec in SCORERS {
        let (ours, theirs) = (outputs(spec.name), &reference[spec.name]);
        for (what, a, b) in
            [("pool", &ours.pool, &theirs.pool), ("logits", &ours.logits, &theirs.logits)]
        {
            assert_eq!(a.len(), b.len(), "{}: {what}", spec.name);
            let largest = b.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
            let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(
                worst < PARITY * largest,
                "{}: {what} differs by {worst}, its largest value is {largest}",
                spec.name
            );
        }
    }
}
