//! What scores decide.

use super::{
    all_answers, answered, around, finding, folder, grid, labelled, papers, replace_scores, row,
    scores, sound, words,
};
use crate::support::{Folder, diverge, folder_of, spec};
use sngan_experiment::RunSpec;
use sngan_experiment::method::Method;
use sngan_plot::ScoredSweep;
use sngan_plot::claims::Verdict;

#[test]
fn robustness_is_the_level_over_all_settings() {
    let yes = answered(1, &[&grid(papers)]);
    assert_eq!((yes.verdict.clone(), words(&yes)), (Verdict::Yes, vec!["yes", "yes"]), "{yes:?}");
    let level = finding(&yes, 0);
    assert_eq!(level.comparisons.len(), 7);
    let wgan = level.comparisons.iter().find(|c| c.name == "SN − WGAN-GP, ln FID").unwrap();
    // ln FID = ln 100 − ln IS: halfway between the settings that are good and the others.
    let expected = -(7.4_f64 / 6.0).ln() / 2.0 - (7.4_f64 / 2.0).ln() / 2.0;
    assert!((wgan.value.unwrap() - expected).abs() < 1e-3, "{wgan:?}");
    let beside = level.beside.iter().find(|line| line.starts_with("WGAN-GP")).unwrap();
    assert!(
        beside.contains("spread 0.60, worst setting D, FID 50.01")
            && beside.ends_with("SN better in 100 % of pairs"),
        "{beside}"
    );

    let no = answered(1, &[&grid(sound)]);
    assert_eq!((no.verdict.clone(), words(&no)), (Verdict::Open, vec!["yes", "no"]), "{no:?}");
    assert_eq!(no.verdict_text(), "open: its parts disagree");
    let behind = grid(|m, s| if m == Method::LayerNorm { 8.0 } else { sound(m, s) });
    let behind = answered(1, &[&behind]);
    assert_eq!((behind.verdict.clone(), words(&behind)), (Verdict::No, vec!["no", "no"]));
    let decides = &finding(&behind, 0).comparisons[0];
    assert!(decides.name.starts_with("SN − LN") && decides.interval.unwrap().low > 0.0);
}

#[test]
fn a_row_that_is_not_there_leaves_the_part_untested_and_the_rest_is_shown() {
    let mut folder = folder("table1", "quick");
    for method in [Method::Sn, Method::WeightNorm, Method::WganGp] {
        for setting in ["A", "B", "C", "D", "E", "F"] {
            row(&mut folder, &spec(method, setting, 0), &around(papers(method, setting)));
        }
    }
    let answer = answered(1, &[&folder]);
    let Verdict::NotTested(why) = &answer.verdict else { panic!("{answer:?}") };
    assert!(why.contains("no run of BN") && !why.contains("WN"), "{why}");
    assert_eq!(finding(&answer, 0).comparisons.len(), 2);
}

/// At a reduced width a row whose correction was left out is not the method's.
#[test]
fn an_uncorrected_row_does_not_stand_for_its_method() {
    let mut folder = folder("table1", "quick");
    for method in [Method::Sn, Method::WganGp] {
        for setting in ["D", "E", "F"] {
            let base = RunSpec { width_divisor: 8, ..spec(method, setting, 0) };
            row(&mut folder, &base, &around(papers(method, setting)));
        }
    }
    let part = &answered(1, &[&folder]).parts[1];
    assert_eq!(part.verdict.to_string(), "not tested: no run of WGAN-GP");
}

#[test]
fn rows_whose_runs_all_failed_are_compared_by_their_number() {
    let with = |seeds: u64| {
        let mut folder = folder("table1", "quick");
        for setting in ["D", "E", "F"] {
            for seed in 0..seeds {
                folder.run(&spec(Method::Sn, setting, seed), &scores(10, 7.0));
                diverge(&folder.run(&spec(Method::WganGp, setting, seed), &scores(10, 7.0)));
            }
        }
        answered(1, &[&folder])
    };
    // Three of three against none of three have p = 0.05, which decides nothing.
    for (seeds, word) in [(3, "open"), (4, "yes")] {
        let answer = with(seeds);
        assert_eq!(words(&answer)[1], word, "{answer:?}");
        let name = &finding(&answer, 1).comparisons[0].name;
        assert!(name.ends_with(&format!("failed {seeds} of {seeds} and 0 of {seeds}")), "{name}");
    }
}

/// A failed run counts as F₀, which is a choice: what depends on it is open.
#[test]
fn an_answer_that_changes_with_twice_f0_is_open() {
    // Six runs of each in setting C; one of hinge's fails.
    let mut folder = folder("table2", "quick");
    row(&mut folder, &spec(Method::Sn, "C", 0), &[5.0, 5.05, 5.1, 4.95, 4.9, 5.0]);
    let hinge = labelled("SN, hinge", spec(Method::Sn, "C", 0));
    let dirs = row(&mut folder, &hinge, &[9.0, 9.05, 9.1, 8.95, 8.9, 9.0]);
    assert_eq!(answered(9, &[&folder]).verdict, Verdict::Yes);
    diverge(&dirs[0]);
    folder.untrained(5.8, 400.0);
    let answer = answered(9, &[&folder]);
    let beside = &finding(&answer, 0).beside;
    assert_eq!(answer.verdict, Verdict::Open, "{answer:?}");
    assert!(
        beside.contains(&"yes with F₀, but open with 2·F₀ for failed runs".into()),
        "{beside:?}"
    );
    assert!(beside.contains(&"SN, hinge: 1 of 6 runs diverged".into()), "{beside:?}");
}

#[test]
fn what_lacks_seeds_scores_or_records_is_not_tested() {
    let hinge = labelled("SN, hinge", spec(Method::Sn, "C", 0));
    let pair = |n: usize| {
        let mut folder = folder("table2", "quick");
        row(&mut folder, &spec(Method::Sn, "C", 0), &around(5.0)[..n]);
        row(&mut folder, &hinge, &around(6.0)[..n]);
        folder
    };
    let said = |folder: &Folder| answered(9, &[folder]).verdict.to_string();
    let one = answered(9, &[&pair(1)]);
    assert_eq!(one.verdict.to_string(), "not tested: 1 seed, 3 are needed");
    let value = finding(&one, 0).comparisons[0].value.unwrap();
    // −ln of the scores 5.95 and 4.95; shown all the same.
    assert!((value + (5.95_f64 / 4.95).ln()).abs() < 1e-12);
    assert_eq!(said(&pair(2)), "not tested: 2 seeds, 3 are needed");
    let none = "not tested: no records of the experiment were given";
    assert_eq!(answered(9, &[]).verdict.to_string(), none);

    let without = pair(3);
    std::fs::remove_file(without.path().join("untrained.jsonl")).unwrap();
    let command = "`sngan sweep table2 --scale quick` in the same folder writes them";
    assert!(said(&without).contains(&format!("no scores of the untrained generator; {command}")));

    let waiting = pair(3);
    let run = ScoredSweep::read(waiting.path()).unwrap().runs.remove(4);
    std::fs::remove_file(folder_of(&run).scores_path()).unwrap();
    assert!(said(&waiting).contains("SN, hinge in setting C, seed 1, has no is yet"));
}

#[test]
fn a_difference_within_the_noise_is_open() {
    for (hinge, verdict) in [(7.6, Verdict::Yes), (7.42, Verdict::Open), (7.0, Verdict::No)] {
        let mut folder = folder("table2", "quick");
        row(&mut folder, &spec(Method::Sn, "C", 0), &around(7.42));
        let base = labelled("SN, hinge", spec(Method::Sn, "C", 0));
        row(&mut folder, &base, &around(hinge));
        let answer = answered(9, &[&folder]);
        assert_eq!((&answer.verdict, answer.adjusted), (&verdict, false), "{hinge}");
    }
}

/// The same records with another scale's name: adjusted for twelve claims, they no longer decide.
#[test]
fn at_the_primary_scale_p_is_adjusted_for_the_number_of_claims() {
    let at = |scale: &str| {
        let mut folder = folder("table2", scale);
        let base = RunSpec { gen_updates: 10_000, ..spec(Method::Sn, "C", 0) };
        row(&mut folder, &base, &around(7.42));
        row(&mut folder, &labelled("SN, hinge", base), &around(7.6));
        let answers = all_answers(&[&folder]);
        (answers.clone().only(&[9]).unwrap().answers.remove(0), answers.markdown())
    };
    let ((narrow, said), (wide, plain)) = (at("narrow"), at("wide"));
    assert_eq!((narrow.verdict, wide.verdict), (Verdict::Open, Verdict::Yes));
    assert_eq!(narrow.parts[0].verdict, Verdict::Yes, "a part is not adjusted");
    let (adjusted, p) = (narrow.p.unwrap(), wide.p.unwrap());
    assert!(narrow.adjusted && (adjusted.yes - 12.0 * p.yes).abs() < 1e-12 && adjusted.no == 1.0);
    assert!(said.contains("(Holm)") && plain.contains("No p-value is adjusted"));
}

#[test]
fn at_the_primary_scale_scores_count_at_the_horizon() {
    let mut long = folder("table2", "narrow");
    for (label, at_horizon, later) in [("SN", 5.0, 9.0), ("SN, hinge", 6.0, 6.0)] {
        for (seed, by) in [-0.05, 0.0, 0.05].into_iter().enumerate() {
            let base = RunSpec { gen_updates: 20_000, ..spec(Method::Sn, "C", seed as u64) };
            let both = [scores(10_000, at_horizon + by), scores(20_000, later + by)].concat();
            long.run(&labelled(label, base), &both);
        }
    }
    let part = &answered(9, &[&long]).parts[0];
    assert_eq!(part.verdict, Verdict::Yes, "{part:?}");

    let mut short = folder("table2", "narrow");
    row(&mut short, &spec(Method::Sn, "C", 0), &around(5.0));
    row(&mut short, &labelled("SN, hinge", spec(Method::Sn, "C", 0)), &around(6.0));
    let said = answered(9, &[&short]).verdict.to_string();
    assert!(said.contains("end after 10 updates, 10000 are needed"), "{said}");
}

#[test]
fn best_scores_and_fids_are_compared_at_each_methods_best_setting() {
    let answer = answered(2, &[&grid(papers)]);
    assert_eq!(words(&answer), ["yes", "untested", "yes", "untested", "untested"], "{answer:?}");
    assert!(answer.verdict.to_string().contains("no records"), "{answer:?}");
    // Settings A to C tie but for nothing, so the first is taken of each seed.
    assert!(finding(&answer, 0).beside.contains(&"LN at A".into()));

    let beaten = grid(|m, s| if m == Method::LayerNorm { 9.0 } else { papers(m, s) });
    let answer = answered(2, &[&beaten]);
    assert_eq!((words(&answer)[0], words(&answer)[2]), ("no", "no"));
    let decides = &finding(&answer, 0).comparisons[0];
    assert!(decides.name.starts_with("SN − LN, −ln IS") && decides.value.unwrap() > 0.19);
}

/// A seed's setting is chosen by the others: one lucky run does not make its setting the best.
#[test]
fn a_lucky_seed_does_not_choose_its_own_setting() {
    let folder = grid(papers);
    replace_scores(&folder, |s| {
        let lucky = s.method == Method::LayerNorm && s.setting == "D";
        lucky.then_some(if s.seed == 0 { 12.0 } else { 5.0 })
    });
    let answer = answered(2, &[&folder]);
    let layer_norm = finding(&answer, 0).beside.iter().find(|l| l.starts_with("LN at")).unwrap();
    // The others' means with it favour D; without it, A.
    assert_eq!(layer_norm, "LN at A or D");
}

/// A row as good as another is unbeaten where the seeds tell it from one that is ahead by the margin.
#[test]
fn unbeaten_needs_a_margin_and_enough_seeds_to_see_it() {
    let with = |layer_norm: [f64; 3]| {
        let folder = grid(papers);
        replace_scores(&folder, |s| {
            let is_c = s.method == Method::LayerNorm && s.setting == "C";
            is_c.then(|| layer_norm[s.seed as usize])
        });
        answered(2, &[&folder])
    };
    // SN has 7.4 ± 0.05; its margin is ten per cent of the FID.
    for (scores, word) in
        [([7.4, 7.41, 7.39], "yes"), ([6.3, 7.4, 8.5], "open"), ([8.9, 9.0, 9.1], "no")]
    {
        let answer = with(scores);
        assert_eq!(words(&answer)[2], word, "{scores:?}: {:?}", answer.parts[2]);
    }
}

#[test]
fn rows_of_other_sizes_are_not_compared() {
    let mut folder = folder("table2", "quick");
    row(&mut folder, &spec(Method::Sn, "C", 0), &around(7.42));
    let base = RunSpec { batch: 4, ..spec(Method::Sn, "C", 0) };
    row(&mut folder, &labelled("SN, hinge", base), &around(8.6));
    let verdict = answered(9, &[&folder]).verdict.to_string();
    assert!(
        verdict.starts_with("not tested: runs of") && verdict.contains("batch: 4 → 64"),
        "{verdict}"
    );
}
