//! D's weights as an update's passes use them: normalized, corrected for a reduced width, multiplied by γ; and what takes their gradients
//! back to the raw weights.

use super::method::OfWeights;
use super::parameters::{Layer, Parameters};
use super::tape::{Gradients, Recorder};
use crate::op::{Op, PARTS, Rows, Spectral, Target, View};

/// One layer's weight on its way to what the layer applies. A step that changes nothing leaves the view before it.
#[derive(Debug, Clone, Copy)]
struct Weight {
    raw: View,
    kind: Kind,
    /// W divided by its norm.
    divided: View,
    factor: f64,
    /// The same times the width correction: W̄.
    normalized: View,
    gamma: Option<View>,
    /// γ·W̄, which the layer applies.
    effective: View,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    None,
    Rows(Rows),
    Spectral(Spectral),
}

/// Whether a pass of D iterates SN's u first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Iterate {
    Once,
    Frozen,
}

/// All of D's weights as one or several passes use them.
#[derive(Debug, Clone)]
pub(super) struct Weights {
    layers: Vec<Weight>,
}

impl Weights {
    /// Records the normalization of every weight. `keep`: the normalized weights stay until the next update.
    pub(super) fn record(
        r: &mut Recorder,
        d: &Parameters,
        divided_by: OfWeights,
        iterate: Iterate,
    ) -> Weights {
        let layers: Vec<Weight> =
            d.layers.iter().map(|layer| Weight::new(r, layer, divided_by)).collect();
        let of = |kind: fn(Kind) -> Option<Spectral>| {
            layers.iter().filter_map(move |w| Some((kind(w.kind)?, w.divided)))
        };
        let spectral: Vec<_> = of(|kind| match kind {
            Kind::Spectral(s) => Some(s),
            Kind::None | Kind::Rows(_) => None,
        })
        .collect();
        if !spectral.is_empty() {
            let iterated = spectral.iter().map(|(s, _)| *s).collect();
            let iterate = iterate == Iterate::Once;
            r.push(Op::PowerIteration { layers: iterated, iterate });
            r.push(Op::DivideBySigma { layers: spectral });
        }
        let rows: Vec<_> = layers
            .iter()
            .filter_map(|w| match w.kind {
                Kind::Rows(rows) => Some((rows, w.divided)),
                Kind::None | Kind::Spectral(_) => None,
            })
            .collect();
        if !rows.is_empty() {
            r.push(Op::NormalizeRows { layers: rows });
        }
        for w in &layers {
            if w.factor != 1.0 {
                let (x, factor, out) = (w.divided, w.factor, w.normalized);
                r.push(Op::Scale { x, factor, out, add: false });
            }
            if let Some(gamma) = w.gamma {
                r.push(Op::ScaleRows { x: w.normalized, gamma, y: w.effective });
            }
        }
        Weights { layers }
    }

    /// What layer `i` applies.
    pub(super) fn effective(&self, i: usize) -> View {
        self.layers[i].effective
    }

    /// W̄ of every layer, without γ.
    pub(super) fn normalized(&self) -> impl Iterator<Item = View> {
        self.layers.iter().map(|w| w.normalized)
    }

    /// What all layers apply.
    pub(super) fn all_effective(&self) -> impl Iterator<Item = View> {
        self.layers.iter().map(|w| w.effective)
    }

    /// Appends what takes the gradients of the effective weights to the raw ones.
    pub(super) fn backward(&self, r: &mut Recorder, g: &mut Gradients) {
        let (mut spectral, mut rows) = (Vec::new(), Vec::new());
        for w in &self.layers {
            let Some(mut d) = g.of(w.effective) else { continue };
            if let Some(gamma) = w.gamma {
                let (dx, dgamma) = (g.target(r, w.normalized), g.target(r, gamma));
                r.push(Op::ScaleRowsBackward { x: w.normalized, gamma, dy: d, dx, dgamma });
                d = dx.0;
            }
            if w.factor != 1.0 {
                let (out, add) = g.target(r, w.divided);
                r.push(Op::Scale { x: d, factor: w.factor, out, add });
                d = out;
            }
            let mut target = || {
                let (dw, add) = g.target(r, w.raw);
                Target { dy: d, dw, add }
            };
            match w.kind {
                // The gradient has been written to the raw weight's place.
                Kind::None => {}
                Kind::Rows(of) => rows.push((of, target())),
                Kind::Spectral(of) => spectral.push((of, target())),
            }
        }
        if !spectral.is_empty() {
            r.push(Op::DivideBySigmaBackward { layers: spectral });
        }
        if !rows.is_empty() {
            r.push(Op::NormalizeRowsBackward { layers: rows });
        }
    }
}

impl Weight {
    fn new(r: &mut Recorder, layer: &Layer, divided_by: OfWeights) -> Weight {
        let (raw, len) = (layer.weight, layer.weight.len);
        let (rows, columns) = (layer.rows, len / layer.rows);
        let kind = match (divided_by, layer.u) {
            (OfWeights::Spectral, Some(state)) => Kind::Spectral(Spectral {
                w: raw,
                rows,
                columns,
                state,
                u: r.passing(rows),
                v: r.passing(columns),
                sigma: r.passing(1),
                parts: r.passing(PARTS),
            }),
            (OfWeights::Rows, _) => {
                Kind::Rows(Rows { w: raw, rows, columns, norms: r.passing(rows) })
            }
            (OfWeights::Frobenius, _) => {
                Kind::Rows(Rows { w: raw, rows: 1, columns: len, norms: r.passing(1) })
            }
            (OfWeights::None, _) | (OfWeights::Spectral, None) => Kind::None,
        };
        let divided = match kind {
            Kind::None => raw,
            Kind::Rows(_) | Kind::Spectral(_) => r.passing(len),
        };
        let factor = layer.correction.forward;
        let normalized = if factor == 1.0 { divided } else { r.passing(len) };
        let effective = if layer.gamma.is_some() { r.passing(len) } else { normalized };
        Weight { raw, kind, divided, factor, normalized, gamma: layer.gamma, effective }
    }
}
