//! A row's scores by setting and seed.

use super::definitions::Score;
use super::evidence::{BySeed, Evidence, Found, Row, values};
use crate::statistics::{Cell, LogScale};

/// A row's y in each of some settings.
pub(super) struct Grid<'a> {
    pub(super) row: Row<'a>,
    pub(super) settings: Vec<BySeed>,
}

impl<'a> Grid<'a> {
    pub(super) fn of(
        e: &Evidence<'a>,
        row: Row<'a>,
        settings: &[impl AsRef<str>],
        score: Score,
        scale: LogScale,
    ) -> Found<Grid<'a>> {
        let scores = settings.iter().map(|s| e.scores(&row, s.as_ref(), score, scale));
        let settings = scores.collect::<Found<_>>()?;
        Ok(Grid { row, settings })
    }

    pub(super) fn y(&self) -> Vec<Vec<f64>> {
        self.settings.iter().map(values).collect()
    }

    pub(super) fn cells(&self, floor: f64) -> Option<Vec<Cell>> {
        self.settings.iter().map(|s| Cell::of(&values(s), floor)).collect()
    }

    pub(super) fn seeds(&self) -> usize {
        self.settings.iter().map(BySeed::len).min().unwrap_or(0)
    }
}
