//! The contents of experiments/claims.toml, for all claims and for each.

use super::test::Test;
use crate::{DeadCritic, Error, Result};
use serde::Deserialize;
use sngan_experiment::records::Metric;
use std::path::Path;

/// The embedded experiments/claims.toml.
pub(super) const CLAIMS: &str = include_str!("../../claims.toml");

/// The paper's claims and how they are decided.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimsFile {
    /// Definitions shared by all claims.
    pub definitions: Definitions,
    /// The claims.
    pub claims: Vec<Claim>,
    /// Whose claims they are.
    #[serde(skip)]
    pub whose: Whose,
}

/// Whose claims a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Whose {
    /// The paper's, which experiments that reproduce it decide.
    #[default]
    Papers,
    /// Others', which any experiment of the part's name decides.
    Others,
}

/// A file of others' claims, which takes its definitions from the paper's.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OthersFile {
    primary_scale: String,
    claims: Vec<Claim>,
}

/// A claim of the paper.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Its number in the list.
    pub number: u32,
    /// What the paper says.
    pub text: String,
    /// The parts, which must all hold.
    pub parts: Vec<Part>,
}

/// A part of a claim.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The part in words.
    pub says: String,
    /// The experiment whose runs decide it; `figure10` for timings.
    pub experiment: String,
    /// How it is decided.
    pub(super) test: Test,
}

/// Definitions for all claims, fixed before the runs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definitions {
    /// The scale whose answers are adjusted for the number of claims.
    pub primary_scale: String,
    /// Generator updates after which scores count at the primary scale.
    pub horizon: u64,
    /// The default metric of a part.
    pub metric: Score,
    /// Factors by which scores may differ and still count as equal.
    pub margin: EachScore,
    /// Variances of y over redrawn samples of one run: the minimum for every variance over seeds.
    pub redraw_variance: EachScore,
    /// Minimum number of seeds, or of rounds of timings, for an answer.
    pub least_seeds: usize,
    /// Number of claims that p-values are adjusted for.
    pub claims: usize,
    /// When a run's critic is dead.
    pub dead_critic: DeadCritic,
}

/// A metric that can decide claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Score {
    /// Fréchet inception distance.
    Fid,
    /// Inception score.
    Is,
}

/// A number for each metric.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EachScore {
    /// The number for the FID.
    pub fid: f64,
    /// The number for the inception score.
    pub is: f64,
}

impl Score {
    /// Its name in records.
    pub fn metric(self) -> Metric {
        match self {
            Score::Fid => Metric::Fid,
            Score::Is => Metric::Is,
        }
    }

    /// Its name in words.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Score::Fid => "FID",
            Score::Is => "IS",
        }
    }

    /// y in words.
    pub(super) fn y(self) -> &'static str {
        match self {
            Score::Fid => "ln FID",
            Score::Is => "−ln IS",
        }
    }
}

impl EachScore {
    /// The number for a metric.
    pub fn of(self, score: Score) -> f64 {
        match score {
            Score::Fid => self.fid,
            Score::Is => self.is,
        }
    }
}

/// The paper's claims and their definitions.
///
/// # Errors
/// Never in a released build: the file is embedded.
pub fn claims() -> Result<ClaimsFile> {
    parse(Path::new("experiments/claims.toml"), CLAIMS)
}

/// The definitions for all claims.
///
/// # Errors
/// As [`claims`].
pub fn definitions() -> Result<Definitions> {
    Ok(claims()?.definitions)
}

/// Reads a file of claims; `path` is for messages.
///
/// # Errors
/// [`Error::Claims`] naming line and key.
pub fn parse(path: &Path, text: &str) -> Result<ClaimsFile> {
    toml::from_str(text).map_err(|e| Error::Claims { path: path.into(), reason: e.to_string() })
}

/// Claims other than the paper's, from a file with `primary_scale` and `[[claims]]`; how they are decided is as for the paper's, but adjusted for
/// the number of its own. `path` is for messages.
///
/// # Errors
/// As [`parse`].
pub fn others(path: &Path, text: &str) -> Result<ClaimsFile> {
    let refuse = |e: toml::de::Error| Error::Claims { path: path.into(), reason: e.to_string() };
    let OthersFile { primary_scale, claims } = toml::from_str(text).map_err(refuse)?;
    let definitions = Definitions { primary_scale, claims: claims.len(), ..definitions()? };
    Ok(ClaimsFile { definitions, claims, whose: Whose::Others })
}

#[cfg(test)]
mod tests {
    use super::super::evidence::TIMINGS;
    use super::*;
    use crate::statistics::{MARGIN_FID, MARGIN_IS};
    use sngan_experiment::method::Method;
    use sngan_experiment::{RunSpec, built_in};

    #[test]
    fn all_twelve_claims_parse_and_name_rows_that_are_there() {
        let ClaimsFile { definitions, claims, .. } = claims().unwrap();
        let numbers: Vec<u32> = claims.iter().map(|c| c.number).collect();
        assert_eq!(numbers, (1..=12).collect::<Vec<_>>());
        assert_eq!(definitions.claims, numbers.len());
        let parts = claims.iter().flat_map(|c| &c.parts);
        for part in parts.filter(|p| p.experiment != TIMINGS) {
            has_rows_of(part, &definitions.primary_scale);
        }
    }

    /// Whether an experiment has a scale, and at it the rows that a part is about, by the labels that
    /// their runs get: a row that differs from its method has another than it.
    fn has_rows_of(part: &Part, scale: &str) {
        let file = built_in(&part.experiment).unwrap().unwrap();
        let specs = file.plan(scale).unwrap().specs;
        for row in part.test.rows() {
            let method = Method::ALL.into_iter().find(|m| m.name() == row);
            let label = method.map_or(row, |m| m.label());
            // Trends are over all labels of a method.
            let fits = |s: &RunSpec| s.label == label || Some(s.method) == method;
            assert!(specs.iter().any(fits), "{}: {} has no row {row}", part.says, part.experiment);
        }
    }

    /// The claims of the methods after the paper: of rows that their experiment has.
    #[test]
    fn the_claims_of_later_methods_parse_and_name_rows_that_are_there() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments");
        let path = folder.join("claims-since-2018.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        let file = others(&path, &text).unwrap();
        let numbers: Vec<u32> = file.claims.iter().map(|c| c.number).collect();
        assert_eq!(numbers, (1..=numbers.len() as u32).collect::<Vec<_>>());
        assert_eq!((file.definitions.claims, file.whose), (numbers.len(), Whose::Others));
        for part in file.claims.iter().flat_map(|c| &c.parts) {
            assert_eq!(part.experiment, "since-2018");
            has_rows_of(part, "quick");
        }
        let wrong = text.replacen("text =", "txt =", 1);
        assert!(others(&path, &wrong).unwrap_err().to_string().contains("txt"));
    }

    /// A kind of test is defined in the file's heading and read a second time by fixtures/claims.py.
    #[test]
    fn every_kind_of_test_is_defined_and_has_a_second_reading() {
        let (heading, _) = CLAIMS.split_once("[definitions]").unwrap();
        let reading = include_str!("../../tests/fixtures/claims.py");
        let Err(error) = serde_json::from_value::<Test>("".into()) else { panic!("no kind") };
        let error = error.to_string();
        let kinds: Vec<&str> = error.split('`').skip(3).step_by(2).collect();
        assert!(kinds.contains(&"overfits_less"), "{error}");
        for kind in kinds {
            assert!(
                heading.contains(&format!("\n#   {kind} ")),
                "claims.toml does not define {kind}"
            );
            assert!(reading.contains(&format!("\"{kind}\"")), "claims.py does not read {kind}");
        }
    }

    #[test]
    fn margins_are_those_of_the_statistics() {
        let margin = definitions().unwrap().margin;
        assert!((margin.fid.ln() - MARGIN_FID).abs() < 1e-15);
        assert!((margin.is.ln() - MARGIN_IS).abs() < 1e-15);
    }

    #[test]
    fn a_wrong_key_is_named() {
        for (key, wrong) in [
            ("number =", "numbr ="),
            ("factor = 2.0", "factr = 2.0"),
            ("share = 0.5\n", "shar = 1\n"),
        ] {
            let message = parse(Path::new("c.toml"), &CLAIMS.replacen(key, wrong, 1)).unwrap_err();
            let name = wrong.split(' ').next().unwrap();
            assert!(message.to_string().contains(name), "{message}");
        }
    }
}
