//! Claims from records whose answer is known.

mod conditions; // under what the records were made
mod logs; // spectra, σ(W̄), slopes, gaps, costs
mod scipy; // all of it against SciPy
mod scores;

use crate::support::{Folder, folder_of, score, spec, write_lines};
use sngan_experiment::method::{Loss, Method};
use sngan_experiment::records::ScoreRecord;
use sngan_experiment::{RunDir, RunSpec};
use sngan_plot::ScoredSweep;
use sngan_plot::claims::{Answer, Answers, Finding, answer, claims};

/// Values of three seeds around `mean`.
fn around(mean: f64) -> [f64; 3] {
    [mean - 0.05, mean, mean + 0.05]
}

/// A folder whose untrained generator has an inception score of 1 and a FID of 400.
fn folder(name: &str, scale: &str) -> Folder {
    let folder = Folder::new(name, scale);
    folder.untrained(1.0, 400.0);
    folder
}

/// An inception score, with a FID that falls as it rises.
fn scores(gen_updates: u64, is: f64) -> [ScoreRecord; 2] {
    score(gen_updates, is, 100.0 / is)
}

/// Runs of a row in a setting, one a seed.
fn row(folder: &mut Folder, base: &RunSpec, is: &[f64]) -> Vec<RunDir> {
    let run = |(seed, is): (usize, &f64)| {
        folder.run(&RunSpec { seed: seed as u64, ..base.clone() }, &scores(base.gen_updates, *is))
    };
    is.iter().enumerate().map(run).collect()
}

fn labelled(label: &str, base: RunSpec) -> RunSpec {
    // A label that begins with a method's must be true.
    let loss = if label.contains(", hinge") { Loss::Hinge } else { base.loss };
    RunSpec { label: label.into(), loss, ..base }
}

fn all_answers(folders: &[&Folder]) -> Answers {
    let sweeps: Vec<_> = folders.iter().map(|f| ScoredSweep::read(f.path()).unwrap()).collect();
    answer(&claims().unwrap(), &sweeps, None).unwrap()
}

fn answered(number: u32, folders: &[&Folder]) -> Answer {
    all_answers(folders).only(&[number]).unwrap().answers.remove(0)
}

fn words(answer: &Answer) -> Vec<&str> {
    answer.parts.iter().map(|p| p.verdict.word()).collect()
}

fn finding(answer: &Answer, part: usize) -> &Finding {
    answer.parts[part].finding.as_ref().unwrap()
}

fn replace_scores(folder: &Folder, of: impl Fn(&RunSpec) -> Option<f64>) {
    for run in ScoredSweep::read(folder.path()).unwrap().runs {
        if let Some(is) = of(&run.spec) {
            write_lines(&folder_of(&run).scores_path(), &scores(run.spec.gen_updates, is));
        }
    }
}

/// The whole grid of Table 1: every method scores `of(method, setting)`.
fn grid(of: impl Fn(Method, &str) -> f64) -> Folder {
    let mut folder = folder("table1", "quick");
    for method in Method::ALL.into_iter().take(8) {
        for setting in ["A", "B", "C", "D", "E", "F"] {
            row(&mut folder, &spec(method, setting, 0), &around(of(method, setting)));
        }
    }
    folder
}

fn papers(method: Method, setting: &str) -> f64 {
    let aggressive = matches!(setting, "D" | "E" | "F");
    if method == Method::Sn {
        7.4
    } else if aggressive {
        if method == Method::WganGp { 2.0 } else { 5.0 }
    } else {
        6.0
    }
}

/// WGAN-GP as good as the others in every setting.
fn sound(method: Method, setting: &str) -> f64 {
    if method == Method::WganGp { 6.0 } else { papers(method, setting) }
}
