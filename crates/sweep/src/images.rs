//! The image sets that a plan's runs train on and watch, each loaded once.

use crate::Result;
use sngan_data::{ImageSource, Images, Places, Split};
use sngan_experiment::{Dataset, RunSpec};
use std::sync::Arc;

/// Training sets, and held-out ones where they are watched, by data set and side.
#[derive(Debug)]
pub struct ImageSets {
    sets: Vec<((Dataset, usize), Box<dyn ImageSource>)>,
    held_out: Vec<((Dataset, usize), Arc<Images>)>,
}

impl ImageSets {
    /// Loads the training set of every spec.
    ///
    /// # Errors
    /// Missing or malformed files.
    pub fn load<'a>(
        specs: impl IntoIterator<Item = &'a RunSpec>,
        places: &Places,
    ) -> Result<ImageSets> {
        let mut sets: Vec<((Dataset, usize), Box<dyn ImageSource>)> = Vec::new();
        for spec in specs {
            let key = (spec.dataset, spec.side);
            if sets.iter().all(|(k, _)| *k != key) {
                sets.push((key, places.open(spec.dataset, Split::Train, spec.side)?));
            }
        }
        Ok(ImageSets { sets, held_out: Vec::new() })
    }

    /// The same with the held-out images of each set, for D's loss on images that it is not trained on.
    ///
    /// # Errors
    /// Missing or malformed files.
    pub fn with_held_out(mut self, places: &Places) -> Result<ImageSets> {
        for ((dataset, side), _) in &self.sets {
            let images = places.load(*dataset, Split::HeldOut, *side)?;
            self.held_out.push(((*dataset, *side), Arc::new(images)));
        }
        Ok(self)
    }

    /// The held-out images of `spec`, if they were loaded.
    pub fn held_out_of(&self, spec: &RunSpec) -> Option<Arc<Images>> {
        self.held_out
            .iter()
            .find(|(key, _)| *key == (spec.dataset, spec.side))
            .map(|(_, images)| images.clone())
    }

    /// The training set of `spec`, if it was loaded.
    pub fn of(&self, spec: &RunSpec) -> Option<&dyn ImageSource> {
        self.sets
            .iter()
            .find(|(key, _)| *key == (spec.dataset, spec.side))
            .map(|(_, images)| images.as_ref())
    }

    /// What was left out when pictures were read: the set's name and a sentence.
    pub fn remarks(&self) -> Vec<(String, String)> {
        let of = |set: &dyn ImageSource| -> Vec<(String, String)> {
            set.reading().remarks.iter().map(|r| (set.name().into(), r.clone())).collect()
        };
        let trained = self.sets.iter().flat_map(|(_, set)| of(set.as_ref()));
        trained.chain(self.held_out.iter().flat_map(|(_, set)| of(set.as_ref()))).collect()
    }

    /// Number of distinct sets.
    pub fn len(&self) -> usize {
        self.sets.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }
}
