//! Claims from records whose answer is known.

use crate::support::{Folder, diverge, log, score, spec, spectrum, trained_on, write_lines};
use sngan_experiment::benchmark::{UpdateTiming, UpdateTimings};
use sngan_experiment::method::Method;
use sngan_experiment::records::{LogRecord, Metric};
use sngan_experiment::{Dataset, RunDir, RunSpec};
use sngan_plot::claims::{Answer, Claim, PartAnswer, Verdict, answer, claims, markdown, numbered};
use sngan_plot::collect;

/// Values of three seeds around `mean`.
fn around(mean: f64) -> [f64; 3] {
    [mean - 0.05, mean, mean + 0.05]
}

/// Runs of a row in a setting, one a seed, with FIDs that fall as the inception scores rise.
fn row(folder: &mut Folder, base: &RunSpec, scores: &[f64]) -> Vec<RunDir> {
    let run = |(seed, is): (usize, &f64)| {
        folder.run(&RunSpec { seed: seed as u64, ..base.clone() }, &score(10, *is, 100.0 / is))
    };
    scores.iter().enumerate().map(run).collect()
}

fn claim(number: u32) -> Vec<Claim> {
    claims().unwrap().into_iter().filter(|c| c.number == number).collect()
}

fn answered(number: u32, folders: &[&Folder]) -> Answer {
    let sweeps: Vec<_> = folders.iter().map(|f| collect(f.path()).unwrap()).collect();
    answer(&claim(number), &sweeps, None).unwrap().remove(0)
}

fn part_verdicts(answer: &Answer) -> Vec<&Verdict> {
    answer.parts.iter().map(|p| &p.verdict).collect()
}

/// The whole grid of Table 1: every method scores `of(method, setting)`.
fn grid(scale: &str, of: impl Fn(Method, &str) -> f64) -> Folder {
    let mut folder = Folder::new("table1", scale);
    for method in Method::ALL.into_iter().take(8) {
        for setting in ["A", "B", "C", "D", "E", "F"] {
            row(&mut folder, &spec(method, setting, 0), &around(of(method, setting)));
        }
    }
    folder
}

fn papers(method: Method, setting: &str) -> f64 {
    let aggressive = matches!(setting, "D" | "E" | "F");
    match method {
        Method::Sn => 7.4,
        Method::WganGp if aggressive => 2.0,
        _ if aggressive => 5.0,
        _ => 6.0,
    }
}

#[test]
fn robustness_is_confirmed_where_it_is_and_denied_where_it_is_not() {
    let yes = answered(1, &[&grid("quick", papers)]);
    assert_eq!(yes.verdict, Verdict::Yes, "{yes:?}");
    assert_eq!(
        yes.verdict_text(),
        "yes at scale quick, on Fashion-MNIST in place of CIFAR-10, by made-up"
    );
    assert!(
        yes.parts
            .iter()
            .all(|p| p.repeats == 3 && p.statistic.as_ref().is_some_and(|s| s.interval.is_some()))
    );
    let spread = yes.parts[1].statistic.as_ref().unwrap();
    assert!((spread.value + 1.0).abs() < 1e-9 && spread.interval.unwrap().high < 0.0, "{spread:?}");

    let sound = grid("quick", |m, s| if m == Method::WganGp { 6.0 } else { papers(m, s) });
    let no = answered(1, &[&sound]);
    assert_eq!(
        (no.verdict.clone(), part_verdicts(&no)),
        (Verdict::No, vec![&Verdict::Yes, &Verdict::No, &Verdict::No]),
        "{no:?}"
    );
    assert_eq!(
        no.verdict_text(),
        "no at scale quick, on Fashion-MNIST in place of CIFAR-10, by made-up"
    );
    let once = yes.parts[0].statistic_text();
    assert!(
        once.contains("(last score, the only one) 1.000") && once.ends_with("needs at least 0.5"),
        "{once}"
    );
}

#[test]
fn a_run_that_diverged_has_failed() {
    let folder = grid("quick", |m, s| if m == Method::WganGp { 6.0 } else { papers(m, s) });
    for run in collect(folder.path()).unwrap().runs {
        if run.spec.method == Method::WganGp && matches!(run.spec.setting.as_str(), "D" | "E" | "F")
        {
            diverge(&run.dir);
        }
    }
    let answer = answered(1, &[&folder]);
    assert_eq!(
        (&answer.parts[2].verdict, answer.parts[2].statistic.as_ref().unwrap().value),
        (&Verdict::Yes, 0.0),
        "{answer:?}"
    );
}

#[test]
fn fewer_than_three_seeds_or_no_records_are_not_tested() {
    let mut one = Folder::new("table2", "quick");
    let hinge = RunSpec { label: "SN, hinge".into(), ..spec(Method::Sn, "C", 0) };
    row(&mut one, &spec(Method::Sn, "C", 0), &[5.0]);
    row(&mut one, &hinge, &[6.0]);
    let answer = answered(9, &[&one]);
    assert_eq!(answer.verdict_text(), "not tested: 1 seed, 3 are needed");
    assert!(
        (answer.parts[0].statistic.as_ref().unwrap().value - 1.0).abs() < 1e-12,
        "the statistic is shown all the same"
    );
    assert_eq!(
        answered(9, &[]).verdict_text(),
        "not tested: no records of the experiment were given"
    );

    let mut waiting = Folder::new("table2", "quick");
    row(&mut waiting, &spec(Method::Sn, "C", 0), &around(5.0));
    let dirs = row(&mut waiting, &hinge, &around(6.0));
    std::fs::remove_file(dirs[1].scores_path()).unwrap();
    assert!(
        answered(9, &[&waiting])
            .verdict_text()
            .contains("SN, hinge in setting C, seed 1, has no is yet")
    );
}

#[test]
fn a_difference_within_the_noise_is_no() {
    for (hinge, verdict, open) in
        [(7.6, Verdict::Yes, false), (7.42, Verdict::No, true), (7.0, Verdict::No, false)]
    {
        let mut folder = Folder::new("table2", "quick");
        row(&mut folder, &spec(Method::Sn, "C", 0), &around(7.42));
        row(
            &mut folder,
            &RunSpec { label: "SN, hinge".into(), ..spec(Method::Sn, "C", 0) },
            &around(hinge),
        );
        let answer = answered(9, &[&folder]);
        assert_eq!((&answer.verdict, answer.open()), (&verdict, open), "{hinge}");
        assert_eq!(
            answer.verdict_text().contains("no (open) at scale quick"),
            open,
            "{}",
            answer.verdict_text()
        );
    }
}

#[test]
fn only_the_papers_scale_with_enough_updates_answers_for_the_paper() {
    type Change = fn(&mut RunSpec);
    let cases: [(&str, &str, Change, &str); 6] = [
        ("paper", "inception", |_| {}, "yes"),
        ("narrow", "inception", |_| {}, "yes at scale narrow"),
        ("paper", "inception", |s| s.gen_updates = 10, "yes at scale paper, 10 updates"),
        ("paper", "scorer-fashion", |_| {}, "yes at scale paper, by scorer-fashion"),
        (
            "paper",
            "inception",
            |s| s.width_divisor = 8,
            "yes at scale paper, side 32, width/8, batch 64",
        ),
        (
            "paper",
            "inception",
            |s| s.dataset = Dataset::FashionMnist,
            "yes at scale paper, on Fashion-MNIST in place of CIFAR-10",
        ),
    ];
    for (scale, backbone, change, text) in cases {
        let mut folder = Folder::new("table2", scale);
        for (label, mean) in [("SN", 5.0), ("SN, hinge", 6.0)] {
            for (seed, is) in around(mean).into_iter().enumerate() {
                let mut spec = RunSpec {
                    label: label.into(),
                    gen_updates: 100_000,
                    ..spec(Method::Sn, "C", seed as u64)
                };
                (spec.dataset, spec.side) = (Dataset::Cifar10, 32);
                change(&mut spec);
                let mut scores = score(spec.gen_updates, is, 20.0);
                scores.iter_mut().for_each(|s| s.protocol.backbone = backbone.into());
                folder.run(&spec, &scores);
            }
        }
        let answers = [answered(9, &[&folder])];
        assert_eq!(answers[0].verdict_text(), text);
        let printed = markdown(&answers);
        assert!(
            printed.contains(&format!("| **{text}** |"))
                && printed.contains("75 % and 81 % at 3 seeds"),
            "{printed}"
        );
    }
}

/// A copy of CIFAR-10 is not CIFAR-10, in answers and captions; a run that kept no name has that of the same bytes.
#[test]
fn a_copy_of_the_papers_data_is_named_and_not_comparable() {
    let on = |names: [&str; 2]| {
        let mut folder = Folder::new("table2", "paper");
        for ((label, is), name) in [("SN", 5.0), ("SN, hinge", 6.0)].into_iter().zip(names) {
            let cifar = |s: RunSpec| RunSpec {
                label: label.into(),
                gen_updates: 100_000,
                dataset: Dataset::Cifar10,
                side: 32,
                ..s
            };
            for (seed, is) in around(is).into_iter().enumerate() {
                let mut scores = score(100_000, is, 20.0);
                scores.iter_mut().for_each(|s| s.protocol.backbone = "inception".into());
                trained_on(
                    &folder.run(&cifar(spec(Method::Sn, "C", seed as u64)), &scores),
                    name,
                    "0b82",
                );
            }
        }
        let collected = collect(folder.path()).unwrap();
        (
            answered(9, &[&folder]).verdict_text(),
            collected.comparable(Metric::Is),
            collected.describe_runs(),
        )
    };
    let (verdict, comparable, caption) = on(["cifar10:train", "cifar10:train"]);
    assert!(
        verdict == "yes" && comparable && caption.starts_with("The paper's sizes: cifar10 at"),
        "{verdict}, {caption}"
    );
    for names in [["cifar10-jpeg-copy:train"; 2], ["", "cifar10-jpeg-copy:train"]] {
        let (verdict, comparable, caption) = on(names);
        assert_eq!(verdict, "yes at scale paper, on CIFAR-10 (JPEG copy) in place of CIFAR-10");
        assert!(
            !comparable && caption.contains("width, 100,000 updates: cifar10-jpeg-copy at side 32"),
            "{caption}"
        );
    }
}

#[test]
fn a_claim_is_chosen_by_its_number_and_an_unknown_one_is_answered_with_all() {
    assert_eq!(numbered(&[4]).unwrap().iter().map(|c| c.number).collect::<Vec<_>>(), [4]);
    for number in [0, 13] {
        let message = numbered(&[4, number]).unwrap_err().to_string();
        assert!(
            message.contains(&format!("number {number};"))
                && message.contains("\n  12: SN beats orthonormal"),
            "{message}"
        );
    }
}

/// One margin is smaller but sure, the other larger but not: the latter decides, so it is the one that is shown.
#[test]
fn of_several_margins_the_one_that_decides_is_shown() {
    let mut folder = grid("quick", |m, s| if m == Method::Sn { 9.0 } else { papers(m, s) });
    for seed in 3..6 {
        let is = [7.5, 7.9, 9.6][seed - 3];
        folder.run(&spec(Method::LayerNorm, "C", seed as u64), &score(10, is, 100.0 / is));
    }
    for run in collect(folder.path()).unwrap().runs {
        if run.spec.method == Method::LayerNorm && run.spec.seed < 3 && run.spec.setting == "C" {
            write_lines(
                &run.dir.scores_path(),
                &score(10, [7.0, 7.5, 10.2][run.spec.seed as usize], 12.0),
            );
        }
        if run.spec.method == Method::Orthonormal && run.spec.setting == "C" {
            write_lines(
                &run.dir.scores_path(),
                &score(10, 8.6 + 0.01 * run.spec.seed as f64, 11.0),
            );
        }
    }
    let part = answered(2, &[&folder]).parts.remove(0);
    let statistic = part.statistic.unwrap();
    assert!(
        part.verdict == Verdict::No && statistic.name.ends_with("over layer-norm"),
        "{statistic:?}"
    );
    assert!(statistic.value > 0.4 && statistic.interval.unwrap().low < 0.0, "{statistic:?}");
}

#[test]
fn a_row_that_is_not_surely_behind_leaves_a_yes_open_and_one_that_is_surely_ahead_settles_a_no() {
    let with = |layer_norm: [f64; 3]| {
        let folder = grid("quick", papers);
        for run in collect(folder.path()).unwrap().runs {
            if run.spec.method == Method::LayerNorm && run.spec.setting == "C" {
                write_lines(
                    &run.dir.scores_path(),
                    &score(10, 5.0, layer_norm[run.spec.seed as usize]),
                );
            }
        }
        answered(2, &[&folder]).parts.remove(2)
    };
    // SN's FID is 13.5; every other method's best 16.7, apart from layer normalization's.
    for (fids, verdict, open) in [
        ([16.7; 3], Verdict::Yes, false),
        ([12.0, 14.0, 16.0], Verdict::Yes, true),
        ([9.0; 3], Verdict::No, false),
    ] {
        let part = with(fids);
        assert_eq!(
            (&part.verdict, part.open),
            (&verdict, open),
            "{fids:?}: {}",
            part.statistic_text()
        );
    }
    assert!(
        with([12.0, 14.0, 16.0])
            .statistic_text()
            .starts_with("margin of the last score over layer-norm")
    );
}

#[test]
fn best_scores_and_fids_are_compared_at_each_methods_best_setting() {
    let cifar = grid("quick", papers);
    let answer = answered(2, &[&cifar]);
    assert_eq!(
        answer.parts.iter().map(|p| p.verdict == Verdict::Yes).collect::<Vec<_>>(),
        [true, false, true, false, false],
        "{answer:?}"
    );
    assert!(
        matches!(&answer.verdict, Verdict::NotTested(why) if why.contains("no records")),
        "{answer:?}"
    );
    let beaten = grid("quick", |m, s| if m == Method::LayerNorm { 9.0 } else { papers(m, s) });
    let answer = answered(2, &[&beaten]);
    assert_eq!((&answer.verdict, &answer.parts[2].verdict), (&Verdict::No, &Verdict::No));
    assert!(
        answer.parts[0]
            .statistic_text()
            .starts_with("margin of the last score over layer-norm -1.600"),
        "{}",
        answer.parts[0].statistic_text()
    );
}

#[test]
fn spectra_that_fall_fast_are_concentrated() {
    for (ratio, verdict) in [(0.05, Verdict::Yes), (0.85, Verdict::No)] {
        let folder = grid("quick", papers);
        for run in collect(folder.path()).unwrap().runs {
            let of = |weights: &str| {
                if run.spec.method == Method::Sn && weights == "normalized" { 0.95 } else { ratio }
            };
            let spectra: Vec<_> =
                (0..7).flat_map(|l| ["raw", "normalized"].map(|w| spectrum(l, w, of(w)))).collect();
            write_lines(&run.dir.spectrum_path(), &spectra);
        }
        let answer = answered(3, &[&folder]);
        assert_eq!((&answer.verdict, answer.parts[1].repeats), (&verdict, 3), "{answer:?}");
    }
}

#[test]
fn sigma_near_one_with_an_early_excess_is_what_the_paper_saw() {
    let logged = |late: f64, early: f64| {
        let mut folder = Folder::new("table1", "quick");
        for dir in row(&mut folder, &spec(Method::Sn, "C", 0), &around(7.0)) {
            let lines: Vec<LogRecord> = (1..=100)
                .map(|u| {
                    log(
                        u,
                        if u == 1 {
                            1.5
                        } else if u <= 5 {
                            early
                        } else {
                            late
                        },
                    )
                })
                .collect();
            write_lines(&dir.log_path(), &lines);
        }
        folder
    };
    assert_eq!(answered(4, &[&logged(1.01, 1.2)]).verdict, Verdict::Yes);
    let never_above = answered(4, &[&logged(1.01, 1.02)]);
    assert_eq!(part_verdicts(&never_above), [&Verdict::Yes, &Verdict::No, &Verdict::Yes]);
    let never_near = answered(4, &[&logged(1.3, 1.4)]);
    assert_eq!(part_verdicts(&never_near), [&Verdict::No, &Verdict::Yes, &Verdict::No]);
    // Each part shows the number that decided it: conv5's early excess, conv6's late distance.
    let shown = |answer: &Answer| {
        answer.parts[1..].iter().map(|p| p.statistic.clone().unwrap().value).collect::<Vec<_>>()
    };
    for (answer, [excess, distance]) in
        [(never_above, [0.025, 0.016]), (never_near, [0.405, 0.306])]
    {
        let found = shown(&answer);
        assert!(
            (found[0] - excess).abs() < 1e-9 && (found[1] - distance).abs() < 1e-9,
            "{found:?}"
        );
    }
    let share = answered(4, &[&logged(1.01, 1.2)]).parts[0].statistic.clone().unwrap().value;
    // The first update's, of a random u, do not count.
    assert!((share - 95.0 / 99.0).abs() < 1e-9, "{share}");
}

#[test]
fn slopes_decide_what_degrades() {
    let sweep = |sn: f64, wn: f64| {
        let mut folder = Folder::new("n-dis", "quick");
        for (method, slope) in [(Method::Sn, sn), (Method::WeightNorm, wn)] {
            for n_dis in [1, 2, 5, 10, 20] {
                let base = RunSpec {
                    n_dis,
                    label: format!("{} n_dis {n_dis}", method.label()),
                    ..spec(method, "D", 0)
                };
                row(&mut folder, &base, &around(5.0 + slope * f64::from(n_dis).ln()));
            }
        }
        folder
    };
    let answer = answered(6, &[&sweep(0.1, -0.5)]);
    assert_eq!(answer.verdict, Verdict::Yes, "{answer:?}");
    assert!((answer.parts[1].statistic.as_ref().unwrap().value + 0.5).abs() < 1e-9);
    assert_eq!(part_verdicts(&answered(6, &[&sweep(-0.5, 0.1)])), [&Verdict::No, &Verdict::No]);
    // A slope of nothing neither degrades nor counts as degradation.
    assert_eq!(part_verdicts(&answered(6, &[&sweep(0.0, 0.0)])), [&Verdict::Yes, &Verdict::No]);
}

#[test]
fn a_smaller_gap_between_held_out_and_training_loss_overfits_less() {
    let sweep = |gap_with_sn: f64| {
        let mut folder = Folder::new("table7", "quick");
        for (label, is, gap) in [("WGAN-GP", 6.0, 1.0), ("WGAN-GP w/ SN", 7.0, gap_with_sn)] {
            let base = RunSpec { label: label.into(), ..spec(Method::WganGp, "A", 0) };
            for (seed, dir) in row(&mut folder, &base, &around(is)).into_iter().enumerate() {
                let held_out = 2.0 + gap + 0.01 * seed as f64;
                let line = |u| LogRecord {
                    critic_train: Some(2.0),
                    critic_held_out: Some(held_out),
                    ..log(u, 1.0)
                };
                write_lines(&dir.log_path(), &[line(1), line(10)]);
            }
        }
        folder
    };
    let answer = answered(8, &[&sweep(0.2)]);
    assert_eq!(part_verdicts(&answer)[..2], [&Verdict::Yes, &Verdict::Yes], "{answer:?}");
    assert!(matches!(answer.verdict, Verdict::NotTested(_)), "the ResNet's part has no records");
    assert_eq!(part_verdicts(&answered(8, &[&sweep(1.5)]))[1], &Verdict::No);
}

/// 7.80 to 7.85 is the paper's gain on the ResNet, 6.68 to 7.20 the one on the standard CNN.
#[test]
fn a_gain_is_slight_up_to_a_bound() {
    for (without, with, slight) in
        [(7.80, 7.85, Verdict::Yes), (6.68, 7.20, Verdict::No), (7.0, 6.0, Verdict::Yes)]
    {
        let mut folder = Folder::new("table7-resnet", "quick");
        for (label, is) in [("ResNet WGAN-GP", without), ("ResNet WGAN-GP w/ SN", with)] {
            row(
                &mut folder,
                &RunSpec { label: label.into(), ..spec(Method::WganGp, "A", 0) },
                &around(is),
            );
        }
        let part = answered(8, &[&folder]).parts.remove(3);
        let found = part.statistic.as_ref().unwrap().value;
        assert!((found - with / without).abs() < 1e-9 && part.verdict == slight, "{part:?}");
    }
}

/// A no stands where one part's no does; a yes is open where one part's is.
#[test]
fn an_answer_is_open_where_those_of_its_deciding_parts_are() {
    let part = |verdict: &Verdict, open| PartAnswer {
        says: String::new(),
        verdict: verdict.clone(),
        open,
        statistic: None,
        repeats: 3,
        timed: false,
        conditions: None,
    };
    let answer = |verdict: Verdict, parts: &[(Verdict, bool)]| Answer {
        number: 1,
        text: String::new(),
        verdict,
        parts: parts.iter().map(|(v, open)| part(v, *open)).collect(),
    };
    let (yes, no) = (Verdict::Yes, Verdict::No);
    assert!(answer(no.clone(), &[(yes.clone(), false), (no.clone(), true)]).open());
    assert!(
        !answer(no.clone(), &[(no.clone(), true), (no.clone(), false), (yes.clone(), true)]).open()
    );
    assert!(answer(yes.clone(), &[(yes.clone(), true), (yes.clone(), false)]).open());
    assert!(!answer(yes.clone(), &[(yes.clone(), false)]).open());
    assert!(
        !answer(
            Verdict::NotTested("why".into()),
            &[(yes, true), (Verdict::NotTested("why".into()), false)]
        )
        .open()
    );
}

#[test]
fn costs_are_ratios_of_rounds() {
    let timings = |sn: f64| {
        let entry = |method, side, d: f64| {
            let rounds = [0.99, 1.0, 1.01].map(|noise| d * noise);
            UpdateTiming {
                method,
                side,
                discriminator: rounds.to_vec(),
                generator: rounds.to_vec(),
            }
        };
        let of_side = |side| {
            [
                (Method::WganGp, 0.3),
                (Method::WeightNorm, 0.1),
                (Method::Sn, sn),
                (Method::Vanilla, 0.1),
            ]
            .map(|(m, d)| entry(m, side, d))
        };
        UpdateTimings {
            version: 1,
            sngan: String::new(),
            cpu: "made-up".into(),
            instruction_set: String::new(),
            threads: 1,
            batch: 64,
            width_divisor: 1,
            n_dis: 5,
            entries: [32, 48].into_iter().flat_map(of_side).collect(),
        }
    };
    let verdicts = |sn: f64| {
        let answer = answer(&claim(5), &[], Some(&timings(sn))).unwrap().remove(0);
        (
            answer.verdict.clone(),
            answer.parts.iter().map(|p| p.verdict == Verdict::Yes).collect::<Vec<_>>(),
        )
    };
    assert_eq!(verdicts(0.115), (Verdict::No, vec![true, false, true]));
    assert_eq!(verdicts(0.102), (Verdict::No, vec![false, true, true]));
    assert_eq!(verdicts(0.25), (Verdict::No, vec![false, false, false]));
    let part = answer(&claim(5), &[], Some(&timings(0.115))).unwrap().remove(0).parts.remove(0);
    assert_eq!(
        (part.repeats_text().as_str(), part.verdict_text().as_str()),
        ("3 rounds", "yes on made-up with 1 thread")
    );
    assert!(matches!(answer(&claim(5), &[], None).unwrap()[0].verdict, Verdict::NotTested(_)));
}
