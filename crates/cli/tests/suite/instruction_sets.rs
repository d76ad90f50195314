//! What docs/run-directory.md promises of bits on one instruction set, and between them. The environment's `SNGAN_ISA` narrows the sets.

use crate::support::Folder;
use sngan_experiment::RunDir;
use sngan_experiment::records::LogRecord;

/// The sets of this machine that can be asked for.
fn sets(folder: &Folder) -> Vec<&'static str> {
    let is_there = |set: &&str| {
        let output = folder.command("data list").env("SNGAN_ISA", set).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() || said.contains("this machine has"), "{said}");
        output.status.success()
    };
    ["avx512", "avx2", "portable"].into_iter().filter(is_there).collect()
}

/// Trains on `set`; returns what was said.
fn train(folder: &Folder, set: &str, arguments: &str) -> String {
    let arguments = format!(
        "train table1 --scale smoke --setting C --set side=16 --set width_divisor=8 --set batch=8 --set gen_batch=8 {arguments}"
    );
    let output = folder.command(&arguments).env("SNGAN_ISA", set).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{set} {arguments}: {said}");
    said
}

/// The largest relative difference of what two runs log of an update.
fn apart(a: &LogRecord, b: &LogRecord) -> f64 {
    let numbers = |r: &LogRecord| {
        let mut numbers =
            vec![r.loss_d, r.loss_g, r.d_real, r.d_fake, r.grad_norm_d, r.grad_norm_g];
        numbers.extend(r.sigma_forward.values().copied());
        numbers.extend(r.sigma_fig9.values().copied());
        numbers.into_iter().map(|n| n.unwrap()).collect::<Vec<f64>>()
    };
    let relative = |(x, y): (f64, f64)| (x - y).abs() / x.abs().max(y.abs()).max(1e-300);
    numbers(a).into_iter().zip(numbers(b)).map(relative).fold(0.0, f64::max)
}

/// What the first update may differ by between two sets: rounding of f32 in sums of some thousand terms.
const FIRST_UPDATE: f64 = 1e-4;
/// What a score of the same images may differ by.
const SCORE: f64 = 1e-5;

#[test]
fn bits_are_one_sets_own_whatever_the_threads_and_another_set_only_rounds_otherwise() {
    let folder = Folder::new();
    let sets = sets(&folder);
    for method in ["SN", "WGAN-GP"] {
        for set in &sets {
            let of = |threads: u32, out: &str| {
                let rest = format!("--set gen_updates=3 --threads {threads} --out {out}");
                train(&folder, set, &format!("--method {method} {rest}"));
            };
            let (one, two) = (format!("{method}-{set}"), format!("{method}-{set}-two"));
            of(1, &one);
            of(2, &two);
            assert!(folder.bits(&one) == folder.bits(&two), "{one}: threads");
        }
        let first = |set: &str| {
            let log = RunDir::new(folder.path(&format!("{method}-{set}"))).log().unwrap();
            log.into_iter().next().unwrap()
        };
        for set in &sets {
            let error = apart(&first("portable"), &first(set));
            println!("{method} on {set}: first update {error:.1e} from portable's");
            assert!(error < FIRST_UPDATE, "{method} on {set}: {error}");
        }
    }
}

#[test]
fn scores_of_the_same_images_are_the_same_but_for_rounding() {
    let folder = Folder::new();
    folder.expect(
        0,
        "train table1 --scale smoke --method SN --setting C --set gen_updates=2 --out run",
    );
    folder.expect(0, "generate run -n 300 --out made.npy");
    let scores = |set: &str| {
        let score = "score --images made.npy --reference fashion-mnist --metrics is,fid --backbone scorer-fashion --json";
        let output = folder.command(score).env("SNGAN_ISA", set).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let value = |line: &str| -> f64 {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["value"].as_f64().unwrap()
        };
        let lines = said.lines().filter(|line| line.starts_with('{'));
        lines.map(value).collect::<Vec<f64>>()
    };
    let portable = scores("portable");
    assert_eq!(portable.len(), 2);
    for set in sets(&folder) {
        for (here, there) in scores(set).into_iter().zip(&portable) {
            let error = (here - there).abs() / there.abs();
            println!("{set}: a score {error:.1e} from portable's");
            assert!(error < SCORE, "{set}: {here} and {there}");
        }
    }
}

#[test]
fn a_resumption_on_another_set_is_announced_and_recorded() {
    let folder = Folder::new();
    let sets = sets(&folder);
    let run = |set: &str, n: u32| {
        let rest = format!("--set gen_updates={n} --resume --out run");
        train(&folder, set, &format!("--method SN {rest}"))
    };
    let said = run("portable", 2);
    assert!(!said.contains("resuming on"), "{said}");
    let said = run(sets[0], 4);
    assert_eq!(said.contains("not bit-identically"), sets.len() > 1, "{said}");
    let segments = RunDir::new(folder.path("run")).provenance().unwrap().segments;
    assert_eq!(segments.len(), if sets.len() > 1 { 2 } else { 1 });
    // What the machine has beyond the set is part of what is recorded: some products still use it.
    let narrowed = segments[0].instruction_set.contains(" of ");
    assert_eq!(narrowed, sets.len() > 1, "{segments:?}");
}

#[test]
fn a_set_that_is_not_there_is_refused() {
    let folder = Folder::new();
    let output = folder.command("data list").env("SNGAN_ISA", "avx1024").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains("SNGAN_ISA=avx1024: this machine has") && said.contains("portable"),
        "{said}"
    );
}
