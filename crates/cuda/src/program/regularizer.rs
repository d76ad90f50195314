//! The regularizers' operations: gradient penalty, orthonormal regularization, weight clipping.

use super::method::Regularized;
use super::network::Discriminator;
use super::tape::{Gradients, Map, Tape};
use super::update::{Session, Side};
use super::weights::Weights;
use super::{Network, Record};
use crate::Result;
use crate::op::{Op, Product, View};
use sngan_experiment::ClipScope;

impl Session<'_> {
    /// The gradient penalty without second-order derivatives: see `sngan_core::regularizer::gradient_penalty`.
    pub(super) fn penalty(
        &mut self,
        w: &Weights,
        [real, fake]: [Side; 2],
        epsilon: View,
        share: f64,
        add: bool,
        gradients: &mut Gradients,
    ) -> Result<()> {
        let n = real.images.n;
        let x_hat =
            Side { images: Map::new(&mut self.r, n, 3, self.spec.side), labels: real.labels };
        let (of_real, of_fake, out) = (real.images.view, fake.images.view, x_hat.images.view);
        self.r.push(Op::Interpolate { real: of_real, fake: of_fake, epsilon, out });
        let mut tape = Tape::default();
        tape.track([out]);
        let trace = self.judge(w, x_hat, &mut tape)?;
        let ones = self.r.passing(n);
        self.r.push(Op::Fill { out: ones, value: 1.0 });
        let mut of_images = Gradients::default();
        of_images.seed(trace.outputs, ones);
        tape.backward(&mut self.r, &mut of_images);
        let (g, _) = of_images.target(&mut self.r, out);
        let c = Map::new(&mut self.r, n, 3, self.spec.side);
        let Record { loss_reg: value, grad_norm_x_hat: mean_norm, .. } = self.record;
        let lambda = self.spec.penalty_lambda;
        let norms = self.r.passing(n);
        self.r.push(Op::Penalty { g, n, lambda, c: c.view, norms, share, value, mean_norm, add });
        let mut tape = self.tape(w);
        let d = Discriminator { table: &self.table, d: &self.d, weights: w, labels: real.labels };
        let along = d.tangent(&mut self.r, &mut tape, &trace, c)?;
        let seeds = self.r.passing(n);
        self.r.push(Op::Fill { out: seeds, value: share });
        gradients.seed(along, seeds);
        tape.backward(&mut self.r, gradients);
        Ok(())
    }

    /// Orthonormal regularization, once an update: `coefficient·Σ ‖WᵀW − I‖²_F`, by the smaller product W·Wᵀ and a constant.
    pub(super) fn orthonormal(&mut self, network: &Network, gradients: &mut Gradients) {
        match self.method.regularized {
            Regularized::Orthonormal => {}
            Regularized::No | Regularized::Penalty | Regularized::Clipping => return,
        }
        let weight = self.spec.orthonormal_coefficient;
        let layers: Vec<(View, usize)> =
            self.d.layers.iter().map(|layer| (layer.weight, layer.rows)).collect();
        debug_assert!(layers.iter().all(|(w, _)| w.buffer == network.weights.buffer));
        for (i, (w, rows)) in layers.into_iter().enumerate() {
            let columns = w.len / rows;
            let p = self.r.passing(rows * rows);
            let product = |n, k, transpose_b, alpha| Product {
                m: rows,
                n,
                k,
                transpose_a: false,
                transpose_b,
                alpha,
            };
            let gram = product(rows, columns, true, 1.0);
            self.r.push(Op::Product { a: w, b: w, c: p, product: gram, add: false });
            let (difference, value) = (columns as f64 - rows as f64, self.record.loss_reg);
            self.r.push(Op::GramLoss { p, m: rows, weight, difference, value, add: i > 0 });
            let (c, add) = gradients.target(&mut self.r, w);
            let product = product(columns, rows, false, 4.0 * weight);
            self.r.push(Op::Product { a: p, b: w, c, product, add });
        }
    }

    /// Weight clipping, after the step.
    pub(super) fn clip(&mut self, network: &Network) {
        match self.method.regularized {
            Regularized::Clipping => {}
            Regularized::No | Regularized::Penalty | Regularized::Orthonormal => return,
        }
        let (bound, all) = (self.spec.clip, self.spec.clip_scope == ClipScope::All);
        let mut views = Vec::new();
        for layer in &self.d.layers {
            if all || layer.spec.kind.weight_shape().len() == 4 {
                views.push((layer.weight, bound * layer.correction.clip));
            }
        }
        if all {
            let others = network.parameters.iter().filter(|p| !p.name.ends_with(".weight"));
            views.extend(others.map(|p| (p.view, bound)));
        }
        self.r.push(Op::Clip { views });
    }
}
