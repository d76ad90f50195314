//! The result of a test: its comparisons, and their joint answer.

use crate::statistics::{Claimed, Decision, Estimate, Fisher, Interval, PValues, Procedure};
use std::collections::BTreeSet;

/// One number that decides a part: a difference of two rows, a slope, a share.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// What it is: `SN − WN, ln FID`.
    pub name: String,
    /// The number; `None` if there are too few seeds.
    pub value: Option<f64>,
    /// Its unadjusted 95 % interval.
    pub interval: Option<Interval>,
    /// What the part needs of it.
    pub needs: Option<Claimed>,
    /// Its p-values.
    pub p: Option<PValues>,
    /// Seeds of the row that has fewest, or rounds of timings.
    pub n: usize,
    /// Whether it is a logarithm that is easier to read as the ratio.
    pub ratio: bool,
}

/// What a test found.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The comparisons, which must all hold; the first decides.
    pub comparisons: Vec<Comparison>,
    /// The p-values of all together.
    pub p: PValues,
    /// Further information that decides nothing.
    pub beside: Vec<String>,
    /// What is missing for an answer, even though there are results.
    pub missing: BTreeSet<String>,
    /// The kinds of its intervals whose coverage is known from simulation.
    pub procedures: Vec<Procedure>,
}

impl Comparison {
    /// An estimate against what is needed of it; `value` is shown if there is no estimate.
    pub(super) fn new(
        name: impl Into<String>,
        estimate: Option<Estimate>,
        needs: Claimed,
        n: usize,
    ) -> Comparison {
        Comparison {
            name: name.into(),
            value: estimate.map(|e| e.value),
            interval: estimate.map(|e| e.interval()),
            needs: Some(needs),
            p: estimate.map(|e| needs.p(&e)),
            n,
            ratio: false,
        }
    }

    /// The same, shown as the ratio instead of its logarithm.
    pub(super) fn shown_as_ratio(self) -> Comparison {
        Comparison { ratio: true, ..self }
    }

    /// Counts in place of an estimate; `p` is Fisher's test for the part.
    pub(super) fn of_counts(name: String, n: usize, p: Option<PValues>) -> Comparison {
        Comparison { name, value: None, interval: None, needs: None, p, n, ratio: false }
    }

    /// `below 0`: what the part needs, in the unit that is shown.
    pub(super) fn needs_text(&self) -> String {
        let shown = |x: f64| super::text::bound(if self.ratio { x.exp() } else { x });
        match self.needs {
            None => String::new(),
            Some(Claimed::Below(x)) => format!("below {}", shown(x)),
            Some(Claimed::Above(x)) => format!("above {}", shown(x)),
            Some(Claimed::Within(from, to)) => format!("{} to {}", shown(from), shown(to)),
        }
    }

    /// The number and the ends of its interval in the unit that is shown.
    pub(super) fn shown(&self) -> (Option<f64>, Option<Interval>) {
        let of = |x: f64| if self.ratio { x.exp() } else { x };
        let interval = self.interval.map(|i| Interval { low: of(i.low), high: of(i.high) });
        (self.value.map(of), interval)
    }
}

/// For the claim that A fails more often than B.
pub(super) fn fails_more(test: Fisher) -> PValues {
    PValues { yes: test.more, no: test.fewer }
}

impl Finding {
    /// All of these must hold, so p for yes is the largest of theirs. One that does not hold is
    /// enough for no, but it is selected among several, so p for no is the smallest times their
    /// number. The deciding one comes first. One without p-values decides nothing; its p counts as
    /// 1.
    pub(super) fn all(mut comparisons: Vec<Comparison>, procedures: &[Procedure]) -> Finding {
        let p_of = |c: &Comparison| c.p.unwrap_or(PValues { yes: 1.0, no: 1.0 });
        // The sort is stable, so among equal ones the first named stays first.
        comparisons.sort_by(|a, b| p_of(b).yes.total_cmp(&p_of(a).yes));
        let worst = |of: fn(PValues) -> f64, pick: fn(f64, f64) -> f64, start: f64| {
            comparisons.iter().map(|c| of(p_of(c))).fold(start, pick)
        };
        let yes = worst(|p| p.yes, f64::max, 0.0);
        let no = worst(|p| p.no, f64::min, 1.0) * comparisons.len() as f64;
        let p = if comparisons.is_empty() {
            PValues { yes: 1.0, no: 1.0 }
        } else {
            PValues { yes, no: no.min(1.0) }
        };
        Finding {
            comparisons,
            p,
            beside: Vec::new(),
            missing: BTreeSet::new(),
            procedures: procedures.to_vec(),
        }
    }

    /// Seeds of the row that has fewest.
    pub fn n(&self) -> usize {
        self.comparisons.iter().map(|c| c.n).min().unwrap_or(0)
    }

    /// Combines this with the finding for 2·F₀ in place of F₀: if their answers differ, the answer
    /// is open.
    pub(super) fn repeated(mut self, doubled: &Finding) -> Finding {
        let (once, twice) = (self.p.decision(), doubled.p.decision());
        if once != twice {
            self.beside.push(format!("{once} with F₀, but {twice} with 2·F₀ for failed runs"));
        }
        self.p = PValues::largest([self.p, doubled.p]).unwrap_or(self.p);
        self
    }

    /// Its own answer, not adjusted for the number of claims.
    pub fn decision(&self) -> Decision {
        self.p.decision()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comparison(name: &str, yes: f64) -> Comparison {
        let p = Some(PValues { yes, no: 1.0 - yes });
        Comparison { p, ..Comparison::of_counts(name.into(), 3, None) }
    }

    #[test]
    fn all_must_hold_and_one_that_does_not_is_enough_for_no() {
        let of = |ps: &[f64]| {
            let all = ps.iter().map(|p| comparison(&p.to_string(), *p)).collect();
            let found = Finding::all(all, &[]);
            (found.decision(), found.comparisons[0].name.clone())
        };
        assert_eq!(of(&[0.001, 0.02]), (Decision::Yes, "0.02".into()));
        assert_eq!(of(&[0.001, 0.3]), (Decision::Open, "0.3".into()));
        assert_eq!(of(&[0.001, 0.99]), (Decision::No, "0.99".into()));
        // One of three at 0.99 is not rare.
        assert_eq!(of(&[0.5, 0.99, 0.5]), (Decision::Open, "0.99".into()));
        assert_eq!(Finding::all(Vec::new(), &[]).decision(), Decision::Open);
        let without = Finding::all(
            vec![comparison("a", 0.001), Comparison::of_counts("b".into(), 1, None)],
            &[],
        );
        assert_eq!(
            (without.decision(), without.comparisons[0].name.as_str(), without.n()),
            (Decision::Open, "b", 1)
        );
    }

    #[test]
    fn an_answer_that_changes_with_twice_f0_is_open() {
        let of = |p| Finding::all(vec![comparison("a", p)], &[]);
        assert_eq!(of(0.01).repeated(&of(0.02)).decision(), Decision::Yes);
        let changed = of(0.01).repeated(&of(0.03));
        assert_eq!(changed.decision(), Decision::Open);
        assert_eq!(changed.beside, ["yes with F₀, but open with 2·F₀ for failed runs"]);
        assert_eq!(of(0.01).repeated(&of(0.99)).decision(), Decision::Open);
    }
}
