//! One file per figure; adding one is its file and a line in [`LIST`].

mod samples;
mod score_bars;
mod sigma;
mod spectrum;

use crate::Artefact;

/// Every figure, in the paper's order.
pub(crate) const LIST: &[Artefact] = &[
    Artefact { id: "fig1", title: "Inception score of each method in settings A–F", render: score_bars::inception_score },
    Artefact { id: "fig2", title: "Fréchet inception distance of each method in settings A–F", render: score_bars::fid },
    Artefact { id: "fig3", title: "Squared singular values of D's convolutions", render: spectrum::render },
    Artefact { id: "fig6", title: "Samples of WGAN-GP, WN and SN in settings A–F", render: samples::render },
    Artefact { id: "fig9", title: "σ(W̄) of SN's convolutions over the updates", render: sigma::render },
];
