//! What is said of the records that answers rest on, and which claims are shown.

use super::{all_answers, around, folder, grid, labelled, papers, row};
use crate::support::{Folder, score, spec, trained_on, write_lines};
use sngan_experiment::method::Method;
use sngan_experiment::records::{Metric, ScoreRecord};
use sngan_experiment::{Dataset, RunSpec};
use sngan_plot::ScoredSweep;

#[test]
fn the_conditions_are_said_once() {
    type Change = fn(&mut RunSpec);
    let cases: [(&str, &str, Change, &str); 4] = [
        (
            "paper",
            "inception",
            |_| {},
            "At scale paper, CIFAR-10, side 32, full width, batch 64, 100000 updates, scored by inception.",
        ),
        (
            "wide",
            "scorer-fashion",
            |s| s.gen_updates = 10,
            "At scale wide, CIFAR-10, side 32, full width, batch 64, 10 updates, scored by scorer-fashion.",
        ),
        (
            "paper",
            "inception",
            |s| s.width_divisor = 8,
            "At scale paper, CIFAR-10, side 32, width/8, batch 64, 100000 updates, scored by inception.",
        ),
        (
            "quick",
            "inception",
            |s| s.dataset = Dataset::FashionMnist,
            "At scale quick, Fashion-MNIST in place of CIFAR-10, side 32, full width, batch 64, 100000 updates, scored by inception.",
        ),
    ];
    for (scale, backbone, change, text) in cases {
        let mut folder = Folder::new("table2", scale);
        let through = |mut scores: [ScoreRecord; 2]| {
            scores.iter_mut().for_each(|s| s.protocol.backbone = backbone.into());
            scores
        };
        write_lines(&folder.path().join("untrained.jsonl"), &through(score(0, 1.0, 400.0)));
        for (label, mean) in [("SN", 5.0), ("SN, hinge", 6.0)] {
            for (seed, is) in around(mean).into_iter().enumerate() {
                let mut spec = labelled(label, spec(Method::Sn, "C", seed as u64));
                (spec.gen_updates, spec.dataset, spec.side) = (100_000, Dataset::Cifar10, 32);
                change(&mut spec);
                folder.run(&spec, &through(score(spec.gen_updates, is, 20.0)));
            }
        }
        let answers = all_answers(&[&folder]).only(&[9]).unwrap();
        let printed = answers.markdown();
        assert_eq!(answers.conditions, [text]);
        assert_eq!(printed.matches(scale).count(), 1, "{printed}");
        assert!(printed.contains("| **yes** |"), "{printed}");
        // One setting, nothing to choose: of the simulated shares only Welch's are needed.
        assert!(
            printed.contains("- difference of two means, all alike: 96 % at n = 3"),
            "{printed}"
        );
        assert!(!printed.contains("difference at the best of six settings"), "{printed}");
    }
}

#[test]
fn experiments_of_different_conditions_have_a_line_each() {
    let table1 = grid(papers);
    let mut table2 = folder("table2", "wide");
    row(&mut table2, &spec(Method::Sn, "C", 0), &around(5.0));
    let conditions = all_answers(&[&table1, &table2]).conditions;
    assert_eq!(conditions.len(), 2, "{conditions:?}");
    assert!(conditions[0].starts_with("table1: scale quick, Fashion-MNIST in place of"));
    assert!(conditions[1].starts_with("table2: scale wide, "));
}

/// A copy of CIFAR-10 is not CIFAR-10, in answers and captions; a run that kept no name has that of
/// the same bytes.
#[test]
fn a_copy_of_the_papers_data_is_named_and_not_comparable() {
    let on = |names: [&str; 2]| {
        let mut folder = Folder::new("table2", "paper");
        for ((label, is), name) in [("SN", 5.0), ("SN, hinge", 6.0)].into_iter().zip(names) {
            for (seed, is) in around(is).into_iter().enumerate() {
                let spec = RunSpec {
                    gen_updates: 100_000,
                    dataset: Dataset::Cifar10,
                    side: 32,
                    ..labelled(label, spec(Method::Sn, "C", seed as u64))
                };
                let mut scores = score(100_000, is, 20.0);
                scores.iter_mut().for_each(|s| s.protocol.backbone = "inception".into());
                trained_on(&folder.run(&spec, &scores), name, "0b82");
            }
        }
        let collected = ScoredSweep::read(folder.path()).unwrap();
        let comparable = collected.comparable(Metric::Is);
        (all_answers(&[&folder]).conditions.remove(0), comparable, collected.describe_runs())
    };
    let (conditions, comparable, caption) = on(["cifar10:train", "cifar10:train"]);
    assert!(
        conditions.starts_with("At scale paper, CIFAR-10, side")
            && comparable
            && caption.starts_with("The paper's sizes: cifar10 at"),
        "{conditions}, {caption}"
    );
    for names in [["cifar10-jpeg-copy:train"; 2], ["", "cifar10-jpeg-copy:train"]] {
        let (conditions, comparable, caption) = on(names);
        assert!(conditions.contains("CIFAR-10 (JPEG copy) in place of CIFAR-10"), "{conditions}");
        assert!(
            !comparable && caption.contains("width, 100,000 updates: cifar10-jpeg-copy at side 32"),
            "{caption}"
        );
    }
}

#[test]
fn a_claim_is_chosen_by_its_number_and_an_unknown_one_is_answered_with_all() {
    let chosen = all_answers(&[]).only(&[4]).unwrap().answers;
    assert_eq!(chosen.iter().map(|a| a.number).collect::<Vec<_>>(), [4]);
    for number in [0, 13] {
        let message = all_answers(&[]).only(&[4, number]).unwrap_err().to_string();
        assert!(
            message.contains(&format!("number {number};"))
                && message.contains("\n  12: SN beats orthonormal"),
            "{message}"
        );
    }
}
