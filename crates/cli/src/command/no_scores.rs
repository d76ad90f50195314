//! Why runs will have no scores.

use sngan_data::Places;
use sngan_eval::{Backbone, BackboneOptions};
use sngan_experiment::{Dataset, ScorePlan};
use std::path::Path;

/// Why no network that `score` names is there for runs on `dataset`, and what helps; `None` where one is, or where none was asked for.
pub(super) fn reason(score: &ScorePlan, dataset: Dataset, places: &Places) -> Option<String> {
    if score.scores_nothing() {
        return None;
    }
    let options =
        BackboneOptions { data_dir: places.data_dir.clone(), ..BackboneOptions::default() };
    if Backbone::choice(&score.backbone, dataset, &options).is_some() {
        return None;
    }
    Some(format!(
        "Inception is not in {}, and there is no scorer of `{}`. `sngan data fetch inception` gets it; `sngan score RUN --backbone scorer-cifar10` \
         compares such runs with each other alone",
        places.data_dir().unwrap_or(Path::new("data")).display(),
        dataset.name()
    ))
}

/// The option that names a scorer, where `sngan score` would find no network for images of `dataset` by itself.
pub(super) fn option(dataset: Dataset) -> Option<&'static str> {
    let places = Places::new(Path::new("data"));
    reason(&ScorePlan::default(), dataset, &places).map(|_| " --backbone scorer-cifar10")
}
