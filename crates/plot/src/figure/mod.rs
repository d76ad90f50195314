//! One file per kind of figure; adding one is its file and a line in [`LIST`].

mod block;
mod critic;
mod layer_rank;
mod learning_curve;
mod logs;
mod possible_spectra;
mod samples;
mod score_against;
mod scores;
mod sigma;
mod spectrum;
mod timing;
mod training;

pub(crate) use samples::drawn as drawn_samples;

use crate::artefact::{Artefact, Materials, Source, Whose};
use crate::{Rendered, Result};

const PAPERS: Source = Source::Sweeps(Whose::Papers);
const ANYBODYS: Source = Source::Sweeps(Whose::Anybodys);

/// A line of [`LIST`].
const fn figure(
    id: &'static str,
    title: &'static str,
    source: Source,
    render: fn(&Materials<'_>) -> Result<Rendered>,
) -> Artefact {
    Artefact { id, title, source, render }
}

/// Every figure, in the paper's order; then those that the paper does not have.
pub(crate) const LIST: &[Artefact] = &[
    figure(
        "fig1",
        "Inception score of each method in each setting",
        ANYBODYS,
        scores::inception_score,
    ),
    figure(
        "fig2",
        "Fréchet inception distance of each method in each setting",
        ANYBODYS,
        scores::fid,
    ),
    figure("fig3", "Squared singular values of D's convolutions", ANYBODYS, spectrum::render),
    figure(
        "fig4",
        "Inception score against the size of D's last convolution",
        PAPERS,
        score_against::fig4,
    ),
    figure("fig5", "Learning curves, conditional ImageNet", PAPERS, learning_curve::fig5),
    figure("fig6", "Samples of the methods of Figure 6 in each setting", ANYBODYS, samples::fig6),
    figure("fig7", "Samples of SN, conditional ImageNet", PAPERS, samples::fig7),
    figure("fig8", "The residual blocks", Source::Code, block::render),
    figure("fig9", "σ(W̄) of SN's convolutions over the updates", ANYBODYS, sigma::render),
    figure("fig10", "Seconds of 100 generator updates", Source::Timings, timing::render),
    figure("fig11", "Inception score against n_dis", PAPERS, score_against::fig11),
    figure(
        "fig12",
        "Samples of the methods of Figure 12 in each setting",
        ANYBODYS,
        samples::fig12,
    ),
    figure(
        "fig13",
        "Learning curves, ImageNet without labels and with the projection discriminator",
        PAPERS,
        learning_curve::fig13,
    ),
    figure(
        "fig14",
        "Possible sets of squared singular values under SN and WN",
        Source::Code,
        possible_spectra::render,
    ),
    figure(
        "fig15",
        "D's loss on training and held-out images, and learning curves, under WGAN-GP",
        PAPERS,
        critic::render,
    ),
    figure(
        "ranks",
        "Effective rank of D's convolutions over the updates (not in the paper)",
        ANYBODYS,
        layer_rank::effective,
    ),
    figure(
        "stable-rank",
        "Stable rank of D's convolutions over the updates (not in the paper)",
        ANYBODYS,
        layer_rank::stable,
    ),
    figure(
        "scores",
        "Other metrics of each method in each setting (not in the paper)",
        Source::Sweeps(Whose::Everybodys),
        scores::others,
    ),
    figure(
        "training",
        "Losses, D(x) − D(G(z)), penalty and gradient norms over the updates (not in the paper)",
        ANYBODYS,
        training::render,
    ),
];
