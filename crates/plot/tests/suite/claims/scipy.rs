//! Every claim's statistics, p-values and adjustment against an independent reading of the
//! definitions: tests/fixtures/claims.py made up the records and computed what is expected.

use crate::support::{Folder, diverge, log, score, spec, write_lines};
use serde::Deserialize;
use sngan_experiment::RunSpec;
use sngan_experiment::benchmark::{UpdateTiming, UpdateTimings};
use sngan_experiment::method::{Loss, Method, Normalization};
use sngan_experiment::records::{FORMAT_VERSION, LogRecord, SpectrumRecord};
use sngan_plot::ScoredSweep;
use sngan_plot::claims::{Answer, Comparison, Finding, answer, claims};
use sngan_plot::statistics::PValues;
use std::collections::BTreeMap;

const CASES: &str = include_str!("../../fixtures/claims.json");

#[derive(Deserialize)]
struct Case {
    scale: String,
    gen_updates: u64,
    untrained: BTreeMap<String, f64>,
    sweeps: BTreeMap<String, Vec<Run>>,
    timings: Vec<Timing>,
    expected: Vec<ExpectedClaim>,
}

#[derive(Deserialize)]
struct Run {
    label: String,
    method: Method,
    setting: String,
    seed: u64,
    fid: Option<f64>,
    is: Option<f64>,
    diverged: bool,
    /// Stable ranks of conv0 to conv4, by weights.
    #[serde(default)]
    ranks: BTreeMap<String, Vec<f64>>,
    /// Updates and σ(W̄) of conv0 to conv6.
    #[serde(default)]
    sigma: Vec<(u64, Vec<f64>)>,
    /// Updates and D's held-out minus training loss.
    #[serde(default)]
    gaps: Vec<(u64, f64)>,
    #[serde(default)]
    gamma: bool,
    #[serde(default)]
    hinge: bool,
    n_dis: Option<u32>,
    last_conv_factor: Option<f64>,
}

#[derive(Deserialize)]
struct Timing {
    method: Method,
    side: usize,
    rounds: Vec<f64>,
}

#[derive(Deserialize)]
struct ExpectedClaim {
    number: u32,
    p: Option<P>,
    parts: Vec<ExpectedPart>,
}

#[derive(Deserialize)]
struct ExpectedPart {
    p: Option<P>,
    comparisons: BTreeMap<String, ExpectedComparison>,
}

#[derive(Deserialize, Clone, Copy)]
struct P {
    yes: f64,
    no: f64,
}

#[derive(Deserialize)]
struct ExpectedComparison {
    value: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    yes: f64,
    no: f64,
    n: usize,
}

impl Run {
    fn spec(&self, gen_updates: u64) -> RunSpec {
        let base = spec(self.method, &self.setting, self.seed);
        RunSpec {
            label: self.label.clone(),
            gen_updates,
            gamma: self.gamma,
            normalization: if self.gamma { Normalization::Spectral } else { base.normalization },
            loss: if self.hinge { Loss::Hinge } else { base.loss },
            n_dis: self.n_dis.unwrap_or(base.n_dis),
            last_conv_factor: self.last_conv_factor.unwrap_or(1.0),
            ..base
        }
    }

    /// A spectrum of eight values with this stable rank.
    fn spectrum(gen_updates: u64, layer: usize, weights: &str, rank: f64) -> SpectrumRecord {
        let mut squared = vec![3.0 * (rank - 1.0) / 7.0; 8];
        squared[0] = 3.0;
        SpectrumRecord {
            version: FORMAT_VERSION,
            gen_updates,
            layer: format!("conv{layer}"),
            weights: weights.into(),
            squared,
        }
    }

    fn log(&self) -> Vec<LogRecord> {
        let of_sigma = self.sigma.iter().map(|(update, sigmas)| {
            let layers = sigmas.iter().enumerate();
            let sigma_fig9 = layers.map(|(i, s)| (format!("conv{i}"), Some(*s))).collect();
            LogRecord { sigma_fig9, ..log(*update, 1.0) }
        });
        let of_gaps = self.gaps.iter().map(|(update, gap)| LogRecord {
            critic_train: Some(0.0),
            critic_held_out: Some(*gap),
            ..log(*update, 1.0)
        });
        of_sigma.chain(of_gaps).collect()
    }

    fn write(&self, folder: &mut Folder, gen_updates: u64) {
        let scores = score(gen_updates, self.is.unwrap_or(0.0), self.fid.unwrap_or(0.0));
        let dir = folder.run(&self.spec(gen_updates), &scores);
        let spectra: Vec<SpectrumRecord> = self
            .ranks
            .iter()
            .flat_map(|(weights, ranks)| {
                let layers = ranks.iter().enumerate();
                layers.map(move |(i, rank)| Run::spectrum(gen_updates, i, weights, *rank))
            })
            .collect();
        write_lines(&dir.spectrum_path(), &spectra);
        write_lines(&dir.log_path(), &self.log());
        if self.diverged {
            diverge(&dir);
        }
    }
}

fn timings(case: &Case) -> Option<UpdateTimings> {
    // A hundred updates of G with one of D each, of which D's takes all the time.
    let entry = |t: &Timing| UpdateTiming {
        method: t.method,
        side: t.side,
        discriminator: t.rounds.clone(),
        generator: vec![0.0; t.rounds.len()],
    };
    (!case.timings.is_empty()).then(|| UpdateTimings {
        version: 1,
        sngan: String::new(),
        cpu: "made-up".into(),
        instruction_set: String::new(),
        threads: 1,
        batch: 64,
        width_divisor: 1,
        n_dis: 1,
        entries: case.timings.iter().map(entry).collect(),
    })
}

fn answers(case: &Case) -> Vec<Answer> {
    let folder = |(name, runs): (&String, &Vec<Run>)| {
        let mut folder = Folder::new(name, &case.scale);
        folder.untrained(case.untrained["is"], case.untrained["fid"]);
        runs.iter().for_each(|r| r.write(&mut folder, case.gen_updates));
        folder
    };
    let folders: Vec<Folder> = case.sweeps.iter().map(folder).collect();
    let sweeps: Vec<_> = folders.iter().map(|f| ScoredSweep::read(f.path()).unwrap()).collect();
    answer(&claims().unwrap(), &sweeps, timings(case).as_ref()).unwrap().answers
}

fn close(ours: Option<f64>, theirs: Option<f64>, what: &str) {
    let near = match (ours, theirs) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * b.abs().max(1.0),
        (a, b) => a.is_none() && b.is_none(),
    };
    assert!(near, "{what}: {ours:?}, not {theirs:?}");
}

/// p-values keep nine digits of themselves, however small they are.
fn close_p(ours: Option<PValues>, theirs: Option<P>, what: &str) {
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-9 * b;
    let near = match (ours, theirs) {
        (Some(a), Some(b)) => near(a.yes, b.yes) && near(a.no, b.no),
        (a, b) => a.is_none() && b.is_none(),
    };
    let theirs = theirs.map(|p| (p.yes, p.no));
    assert!(near, "{what}: {ours:?}, not {theirs:?}");
}

fn check_comparison(ours: &Comparison, theirs: &ExpectedComparison, what: &str) {
    close(ours.value, theirs.value, &format!("{what}, value"));
    close(ours.interval.map(|i| i.low), theirs.low, &format!("{what}, lower end"));
    close(ours.interval.map(|i| i.high), theirs.high, &format!("{what}, upper end"));
    close_p(ours.p, Some(P { yes: theirs.yes, no: theirs.no }), &format!("{what}, p"));
    assert_eq!(ours.n, theirs.n, "{what}, n");
}

fn check_finding(ours: &Finding, theirs: &ExpectedPart, what: &str) {
    assert_eq!(ours.comparisons.len(), theirs.comparisons.len(), "{what}");
    for (name, expected) in &theirs.comparisons {
        let named = |c: &&Comparison| {
            c.name
                .strip_prefix(name.as_str())
                .is_some_and(|rest| name.is_empty() || rest.starts_with([',', ':', ' ']))
        };
        let found = ours.comparisons.iter().find(named);
        let found = found.unwrap_or_else(|| panic!("{what} compares no {name}: {ours:?}"));
        check_comparison(found, expected, &format!("{what}, {name}"));
    }
    let least = ours.comparisons.iter().filter_map(|c| c.p).map(|p| p.yes).fold(0.0, f64::max);
    assert_eq!(ours.comparisons[0].p.map(|p| p.yes), Some(least), "{what}: what decides is first");
}

#[test]
fn every_claim_is_decided_as_by_scipy() {
    let cases: Vec<Case> = serde_json::from_str(CASES).unwrap();
    let mut tested = 0;
    for case in &cases {
        for (ours, theirs) in answers(case).iter().zip(&case.expected) {
            let what = format!("claim {} at {}", theirs.number, case.scale);
            assert_eq!((ours.number, ours.parts.len()), (theirs.number, theirs.parts.len()));
            for (i, (part, expected)) in ours.parts.iter().zip(&theirs.parts).enumerate() {
                let what = format!("{what}, part {i}");
                let found = part.finding.as_ref();
                close_p(found.filter(|f| f.missing.is_empty()).map(|f| f.p), expected.p, &what);
                if let Some(found) = found.filter(|_| expected.p.is_some()) {
                    check_finding(found, expected, &what);
                }
            }
            close_p(ours.p, theirs.p, &what);
            tested += usize::from(ours.p.is_some());
        }
    }
    assert_eq!(tested, 12, "each claim once");
}
