//! One file per kind of figure; adding one is its file and a line in [`LIST`].

mod block;
mod critic;
mod layer_rank;
mod learning_curve;
mod logs;
mod possible_spectra;
mod samples;
mod score_against;
mod score_bars;
mod sigma;
mod spectrum;
mod timing;
mod training;

pub(crate) use samples::drawn as drawn_samples;

use crate::artefact::{Artefact, Request, Source};
use crate::{Rendered, Result};

const GRID: Source = Source::Sweeps(&["table1", "table1-stl10"]);
const CIFAR10: Source = Source::Sweeps(&["table1"]);

/// A line of [`LIST`].
const fn figure(
    id: &'static str,
    title: &'static str,
    source: Source,
    render: fn(&Request<'_>) -> Result<Rendered>,
) -> Artefact {
    Artefact { id, title, source, render }
}

/// Every figure, in the paper's order; then those that the paper does not have.
pub(crate) const LIST: &[Artefact] = &[
    figure(
        "fig1",
        "Inception score of each method in settings A–F",
        GRID,
        score_bars::inception_score,
    ),
    figure(
        "fig2",
        "Fréchet inception distance of each method in settings A–F",
        GRID,
        score_bars::fid,
    ),
    figure("fig3", "Squared singular values of D's convolutions", GRID, spectrum::render),
    figure(
        "fig4",
        "Inception score against the size of D's last convolution",
        Source::Sweeps(&["last-layer"]),
        score_against::fig4,
    ),
    figure(
        "fig5",
        "Learning curves, conditional ImageNet",
        Source::Sweeps(&["imagenet-concat"]),
        learning_curve::fig5,
    ),
    figure("fig6", "Samples of WGAN-GP, WN and SN in settings A–F", GRID, samples::fig6),
    figure(
        "fig7",
        "Samples of SN, conditional ImageNet",
        Source::Sweeps(&["imagenet-concat"]),
        samples::fig7,
    ),
    figure("fig8", "The residual blocks", Source::Code, block::render),
    figure("fig9", "σ(W̄) of SN's convolutions over the updates", CIFAR10, sigma::render),
    figure("fig10", "Seconds of 100 generator updates", Source::Timings, timing::render),
    figure(
        "fig11",
        "Inception score against n_dis",
        Source::Sweeps(&["n-dis"]),
        score_against::fig11,
    ),
    figure("fig12", "Samples of GAN-GP, LN and BN in settings A–F", CIFAR10, samples::fig12),
    figure(
        "fig13",
        "Learning curves, ImageNet without labels and with the projection discriminator",
        Source::Sweeps(&["imagenet", "imagenet-projection"]),
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
        Source::Sweeps(&["table7"]),
        critic::render,
    ),
    figure(
        "ranks",
        "Effective rank of D's convolutions over the updates (not in the paper)",
        GRID,
        layer_rank::effective,
    ),
    figure(
        "stable-rank",
        "Stable rank of D's convolutions over the updates (not in the paper)",
        GRID,
        layer_rank::stable,
    ),
    figure(
        "training",
        "Losses, D(x) − D(G(z)), penalty and gradient norms over the updates (not in the paper)",
        GRID,
        training::render,
    ),
];
