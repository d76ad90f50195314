//! What a plan's runs are scored with.

use crate::samples::DrawnSamples;
use crate::{Error, ImageSets, Result};
use sngan_core::generate::Sampler;
use sngan_data::Places;
use sngan_eval::{
    Backbone, BackboneOptions, BlockProgress, Evaluator, EvaluatorOptions, Real, Samples,
};
use sngan_experiment::{Dataset, Plan, ProtocolName, RunSpec, ScorePlan, run_dir};
use sngan_tensor::Device;
use std::path::Path;

/// The evaluator of `score` for runs on `dataset` at `side` pixels; `None` where nothing is scored, or the plan leaves the choice of the
/// network to what is there and nothing is. `device` brings the network to what runs it; `progress` watches the real images.
///
/// # Errors
/// Missing weights or images; a scorer of other data; protocols that cannot be carried out; [`sngan_eval::Error::Interrupted`].
pub fn evaluator_for(
    score: &ScorePlan,
    dataset: Dataset,
    side: usize,
    places: &Places,
    device: &dyn Fn(Backbone) -> sngan_eval::Result<Backbone>,
    progress: &BlockProgress<'_>,
) -> Result<Option<Evaluator>> {
    if score.scores_nothing() {
        return Ok(None);
    }
    if let Some(other) = Backbone::learned(&score.backbone).filter(|other| *other != dataset) {
        return Err(Error::OtherScorer {
            backbone: score.backbone.clone(),
            learned: other.name(),
            dataset: dataset.name(),
        });
    }
    let options =
        BackboneOptions { data_dir: places.data_dir.clone(), ..BackboneOptions::default() };
    let Some(backbone) = Backbone::named(&score.backbone, dataset, &options)? else {
        return Ok(None);
    };
    let options = EvaluatorOptions {
        statistics: places.data_dir().map(|dir| dir.join("statistics")),
        ..EvaluatorOptions::default()
    };
    let mut real = |against: sngan_experiment::protocol::Against| {
        Real::of_dataset(dataset, against.part, side, places)
    };
    let backbone = device(backbone)?;
    Ok(Some(Evaluator::new(backbone, &score.protocols, side, options, &mut real, progress)?))
}

/// The evaluator of a plan, with the scores of the real data and of an untrained generator written beside the plan.
pub(crate) fn evaluator(
    plan: &Plan,
    images: &ImageSets,
    out: &Path,
    places: &Places,
    device: &dyn Fn(Backbone) -> sngan_eval::Result<Backbone>,
    progress: &BlockProgress<'_>,
) -> Result<Option<Evaluator>> {
    let Some(spec) = plan.specs.first() else {
        return Err(Error::Invalid("the plan has no runs".into()));
    };
    if plan.score.scores_nothing() {
        return Ok(None);
    }
    if images.len() != 1 {
        let reason = "the plan trains on several data sets or sides; scores against one reference need one of each";
        return Err(Error::Invalid(reason.into()));
    }
    let (dataset, side) = (spec.dataset, spec.side);
    let evaluator = evaluator_for(&plan.score, dataset, side, places, device, progress)?;
    if let Some(evaluator) = &evaluator {
        write_ceiling(evaluator, images, spec, out, progress)?;
        write_untrained(evaluator, spec, out, progress)?;
    }
    Ok(evaluator)
}

/// Writes the scores of the generator of seed 0 before its first update, unless they are there: what a run is worth that learned nothing.
fn write_untrained(
    evaluator: &Evaluator,
    spec: &RunSpec,
    out: &Path,
    progress: &BlockProgress<'_>,
) -> Result<()> {
    let spec = RunSpec { seed: 0, ..spec.clone() };
    let mut samples = DrawnSamples::new(&spec, || Sampler::untrained(&spec, &Device::Cpu));
    let known = run_dir::untrained(out)?;
    let is_known = |name: &ProtocolName| {
        let protocol = evaluator.protocol(*name, samples.bytes());
        known.iter().any(|k| k.protocol == protocol)
    };
    if evaluator.names().iter().all(is_known) {
        return Ok(());
    }
    let scores = evaluator.score(evaluator.names(), &mut samples, 0, progress)?;
    Ok(run_dir::write_lines(&out.join(run_dir::UNTRAINED), &scores)?)
}

/// Writes the real data's own scores, unless they are there.
fn write_ceiling(
    evaluator: &Evaluator,
    images: &ImageSets,
    spec: &RunSpec,
    out: &Path,
    progress: &BlockProgress<'_>,
) -> Result<()> {
    let Some(train) = images.of(spec) else { return Ok(()) };
    let known = run_dir::ceiling(out)?;
    let is_known = |protocol| known.iter().any(|k| k.protocol == protocol);
    if !evaluator
        .ceiling_names(train)
        .into_iter()
        .all(|name| is_known(evaluator.protocol(name, "truncate")))
    {
        run_dir::write_lines(&out.join("ceiling.jsonl"), &evaluator.ceiling(train, progress)?)?;
    }
    Ok(())
}
