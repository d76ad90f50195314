//! Parts of a plan, for job arrays.

use sngan_experiment::RunSpec;
use std::str::FromStr;

/// ReferenceKind `index` of `count`, counted from 1, as in `2/4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    count: usize,
}

impl Shard {
    /// Everything.
    pub const WHOLE: Shard = Shard { index: 1, count: 1 };

    /// This part of runs that are sorted by cost. They are dealt out like cards, in turns of alternating direction, so that the parts cost
    /// about the same; every run is in exactly one part.
    pub fn of<'a>(self, by_cost: &[&'a RunSpec]) -> Vec<&'a RunSpec> {
        let mine = |position: usize| {
            let (turn, place) = (position / self.count, position % self.count);
            let place = if turn.is_multiple_of(2) { place } else { self.count - 1 - place };
            place + 1 == self.index
        };
        by_cost.iter().enumerate().filter(|(i, _)| mine(*i)).map(|(_, spec)| *spec).collect()
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let wrong = || format!("`{text}` is no part; write K/N with 1 ≤ K ≤ N, such as 2/4");
        let (index, count) = text.split_once('/').ok_or_else(wrong)?;
        let shard = Shard {
            index: index.parse().map_err(|_| wrong())?,
            count: count.parse().map_err(|_| wrong())?,
        };
        if (1..=shard.count).contains(&shard.index) { Ok(shard) } else { Err(wrong()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sngan_experiment::method::Method;

    #[test]
    fn parts_hold_every_run_once_and_differ_by_one_at_most() {
        let specs: Vec<RunSpec> =
            (0..11).map(|seed| RunSpec { seed, ..RunSpec::paper(Method::Sn) }).collect();
        let runs: Vec<&RunSpec> = specs.iter().collect();
        for count in 1..=12 {
            let parts: Vec<Vec<u64>> = (1..=count)
                .map(|index| Shard { index, count }.of(&runs).iter().map(|s| s.seed).collect())
                .collect();
            let mut all: Vec<u64> = parts.concat();
            all.sort_unstable();
            assert_eq!(all, (0..11).collect::<Vec<_>>(), "{count}");
            let sizes = parts.iter().map(Vec::len);
            assert!(sizes.clone().max().unwrap() - sizes.min().unwrap() <= 1, "{count}");
        }
        assert_eq!(Shard::WHOLE.of(&runs).len(), 11);
    }

    #[test]
    fn only_parts_that_exist_are_read() {
        assert_eq!("2/4".parse(), Ok(Shard { index: 2, count: 4 }));
        for wrong in ["", "2", "0/4", "5/4", "1/0", "a/4", "-1/4"] {
            assert!(wrong.parse::<Shard>().unwrap_err().contains("1 ≤ K ≤ N"), "{wrong}");
        }
    }
}
