//! Which runs are repetitions of each other.

use super::Run;
use crate::{Error, Result};
use std::collections::BTreeMap;

/// Runs to be pooled as repetitions; the same run under several names counts once. `apart` lists
/// keys that may differ.
///
/// # Errors
/// [`Error::MixedRuns`] for two that differ in anything but the seed.
pub(crate) fn repetitions<'a>(
    runs: impl IntoIterator<Item = &'a Run>,
    apart: &[&str],
) -> Result<Vec<&'a Run>> {
    let mut kept: Vec<&Run> = Vec::new();
    for run in runs {
        let Some(other) = kept.first() else {
            kept.push(run);
            continue;
        };
        let differing = other.spec.values_that_differ_but(&run.spec, apart);
        if !differing.is_empty() {
            return Err(Error::MixedRow {
                run: other.records.place.clone(),
                other: run.records.place.clone(),
                differences: differing.join("; "),
            });
        }
        let same = |k: &&Run| {
            k.spec.seed == run.spec.seed && k.spec.values_that_differ_but(&run.spec, &[]).is_empty()
        };
        if !kept.iter().any(same) {
            kept.push(run);
        }
    }
    Ok(kept)
}

/// Refuses runs of one label and setting that differ in more than their seed, or not at all,
/// because they would be pooled as repetitions.
pub(super) fn refuse_mixed_cells(runs: &[Run]) -> Result<()> {
    let mut cells: BTreeMap<(&str, &str), Vec<&Run>> = BTreeMap::new();
    for run in runs {
        let cell = cells.entry((&run.spec.label, &run.spec.setting)).or_default();
        for other in cell.iter() {
            let why = if run.spec.seed == other.spec.seed {
                "with the same seed".to_string()
            } else {
                let differing = other.spec.values_that_differ(&run.spec);
                if differing.is_empty() {
                    continue;
                }
                format!("but differ in {}", differing.join("; "))
            };
            return Err(Error::MixedRuns {
                run: run.records.place.clone(),
                other: other.records.place.clone(),
                label: run.spec.label.clone(),
                setting: run.spec.setting.clone(),
                why,
            });
        }
        cell.push(run);
    }
    Ok(())
}
