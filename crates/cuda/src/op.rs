//! The operations of a program. Each reads and writes [`View`]s of one flat memory; shapes are part of the operation.
//!
//! Maps are `[N, C, H, W]`, weights of convolutions `[O, I, k, k]`, of dense layers `[O, I]`. `add` says whether a result is added to what
//! the view holds or replaces it. Classes are stored as numbers, one each.

use sngan_experiment::arch::Activation;
use sngan_experiment::method::Loss;

/// Into how many parts a long sum over a weight or a network is split.
pub const PARTS: usize = 32;

/// A part of a buffer, in elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct View {
    /// Which buffer.
    pub buffer: usize,
    /// Where in it the view begins.
    pub offset: usize,
    /// Its length.
    pub len: usize,
}

impl View {
    /// Elements `start..start + len` of the view.
    pub fn narrow(self, start: usize, len: usize) -> View {
        debug_assert!(start + len <= self.len);
        View { offset: self.offset + start, len, ..self }
    }
}

/// A convolution's sizes, seen as the correlation of `x` `[n, input.0, input.1, input.1]` with `[output.0, input.0, kernel.0, kernel.1]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Geometry {
    /// Images.
    pub n: usize,
    /// Channels and side of the larger map.
    pub input: (usize, usize),
    /// Channels and side of the other.
    pub output: (usize, usize),
    /// Kernel's height and width.
    pub kernel: (usize, usize),
    /// Stride.
    pub stride: usize,
    /// Zero padding above and below, and at the left and right.
    pub padding: (usize, usize),
}

/// A map's sizes: `[n, channels, plane]`, the plane as one dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sizes {
    /// Images.
    pub n: usize,
    /// Channels.
    pub channels: usize,
    /// Pixels.
    pub plane: usize,
}

impl Sizes {
    /// Elements of the map.
    pub fn len(self) -> usize {
        self.n * self.channels * self.plane
    }

    /// Whether it has none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// A matrix product `c = alpha·op(a)·op(b)`, `[m, k]·[k, n]`, all row by row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Product {
    /// Rows of the result.
    pub m: usize,
    /// Its columns.
    pub n: usize,
    /// What is summed over.
    pub k: usize,
    /// `a` is stored as `[k, m]`.
    pub transpose_a: bool,
    /// `b` is stored as `[n, k]`.
    pub transpose_b: bool,
    /// A factor.
    pub alpha: f64,
}

/// One weight matrix `[rows, columns]` in a batch of them, with a vector of state: SN's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Spectral {
    /// W.
    pub w: View,
    /// d_out.
    pub rows: usize,
    /// Everything else.
    pub columns: usize,
    /// u between updates, `[rows]`.
    pub state: View,
    /// u as this pass uses it, `[rows]`.
    pub u: View,
    /// v as this pass uses it, `[columns]`.
    pub v: View,
    /// σ = uᵀWv, `[1]`.
    pub sigma: View,
    /// Room for [`PARTS`] partial sums.
    pub parts: View,
}

/// One weight matrix whose rows are divided by their norms; one row stands for the Frobenius norm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rows {
    /// W.
    pub w: View,
    /// Rows.
    pub rows: usize,
    /// Elements of a row.
    pub columns: usize,
    /// ℓ2 norms, `[rows]`.
    pub norms: View,
}

/// What the gradient of a normalization reads and writes: that of W̄, and that of W.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Target {
    /// ∂L/∂W̄.
    pub dy: View,
    /// ∂L/∂W.
    pub dw: View,
    /// Whether it is added to.
    pub add: bool,
}

/// What a batch normalization works on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BatchNorm {
    /// The input.
    pub x: View,
    /// Sizes of input and output.
    pub sizes: Sizes,
    /// γ, `[C]` or `[classes, C]`; 1 without it.
    pub gamma: Option<View>,
    /// β, of γ's shape.
    pub beta: View,
    /// The class of each image, where γ and β have a row for each.
    pub labels: Option<View>,
    /// The output.
    pub y: View,
    /// The batch's means, `[C]`.
    pub mean: View,
    /// 1/√(variance + ε), `[C]`.
    pub inv_std: View,
    /// What follows.
    pub activation: Activation,
}

/// What a layer normalization works on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerNorm {
    /// The input.
    pub x: View,
    /// Sizes of input and output.
    pub sizes: Sizes,
    /// β, `[C]`.
    pub beta: View,
    /// The output.
    pub y: View,
    /// The images' means, `[N]`.
    pub mean: View,
    /// 1/√(variance + ε), `[N]`.
    pub inv_std: View,
    /// What follows.
    pub activation: Activation,
}

/// What is taken of a window's pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// The largest.
    Maximum,
    /// Their mean.
    Mean,
}

/// One operation.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    missing_docs,
    reason = "the line above each variant says what its fields are, by their names"
)]
pub enum Op {
    /// `out = value`.
    Fill { out: View, value: f64 },
    /// `out (+)= x`.
    Copy { x: View, out: View, add: bool },
    /// `out (+)= factor·x`.
    Scale { x: View, factor: f64, out: View, add: bool },
    /// `y = x ⋆ w`.
    Conv { x: View, w: View, y: View, geometry: Geometry },
    /// The adjoint in the input: `dx (+)= w ⋆ᵀ dy`; a transposed convolution's forward pass too.
    ConvData { dy: View, w: View, dx: View, geometry: Geometry, add: bool },
    /// The gradient in the weight: `dw (+)= Σ x·dy`.
    ConvFilter { x: View, dy: View, dw: View, geometry: Geometry, add: bool },
    /// `c (+)= alpha·a·b`.
    Product { a: View, b: View, c: View, product: Product, add: bool },
    /// `y = activation(y + bias)` in place.
    Finish { y: View, bias: Option<View>, sizes: Sizes, activation: Activation },
    /// `dy = dy·activation'(y)` in place, and `dbias (+)= Σ dy`.
    FinishBackward {
        y: View,
        dy: View,
        sizes: Sizes,
        activation: Activation,
        dbias: Option<(View, bool)>,
    },
    /// `y = activation(x)`.
    Activate { x: View, y: View, activation: Activation },
    /// `y (+)= x·activation'`, where the activation's output was `of`; `x` and `y` may be the same.
    Mask { x: View, of: View, activation: Activation, y: View, add: bool },
    /// Batch normalization by the batch's statistics; `running` moves.
    BatchNorm { norm: BatchNorm, running: Option<(View, View)> },
    /// Its gradients: `dy` is multiplied by the activation's derivative in place. γ's and β's are written where they are trained.
    BatchNormBackward {
        norm: BatchNorm,
        dy: View,
        dx: Option<(View, bool)>,
        dgamma: Option<(View, bool)>,
        dbeta: Option<(View, bool)>,
    },
    /// Batch normalization by running averages: `y = activation(γ·(x − mean)/√(var + ε) + β)`; γ and β `[C]`, or `[classes, C]` with labels.
    BatchNormEval {
        x: View,
        sizes: Sizes,
        gamma: View,
        beta: View,
        labels: Option<View>,
        mean: View,
        var: View,
        y: View,
        activation: Activation,
    },
    /// Layer normalization over (C, H, W).
    LayerNorm { norm: LayerNorm },
    /// Its gradients; `dy` as above.
    LayerNormBackward {
        norm: LayerNorm,
        dy: View,
        dx: Option<(View, bool)>,
        dbeta: Option<(View, bool)>,
    },
    /// Channels from `first` on of `y`, which has `channels` of them: `activation(x + bias)`; `sizes` are those of `x`.
    Place {
        x: View,
        bias: Option<View>,
        sizes: Sizes,
        activation: Activation,
        y: View,
        channels: usize,
        first: usize,
    },
    /// `y` `[…, out, out]`: the largest value or the mean of each 3x3 pixels of `x` `[…, side, side]`. Those outside the plane do not count.
    Windows { x: View, y: View, side: usize, out: usize, stride: usize, padding: usize, of: Window },
    /// `y[r] = factor·Σ x[r, ·]` over the plane, for every image and channel.
    Pool { x: View, y: View, plane: usize, factor: f64 },
    /// The adjoint: `dx[r, ·] (+)= factor·dy[r]`.
    Spread { dy: View, dx: View, plane: usize, factor: f64, add: bool },
    /// `y (+)= factor·` each pixel of `x` four times; `side` is the input's.
    Upsample { x: View, y: View, side: usize, factor: f64, add: bool },
    /// `y (+)= factor·` the sum of each 2x2 pixels of `x`; `side` is the output's.
    Downsample { x: View, y: View, side: usize, factor: f64, add: bool },
    /// `y = a + b`.
    Add { a: View, b: View, y: View },
    /// The map with a row of `table` `[classes, dim]`, the image's class's, appended to its channels over the whole plane; zeros without it.
    Append { x: View, sizes: Sizes, table: Option<(View, View)>, dim: usize, y: View },
    /// Its gradients: the first channels', and the table's as `(table's gradient, labels, add)`.
    AppendBackward {
        dy: View,
        sizes: Sizes,
        dim: usize,
        dx: Option<(View, bool)>,
        dtable: Option<(View, View, bool)>,
    },
    /// `y[i] += ⟨features[i], table[labels[i]]⟩`, features `[n, dim]`.
    Project { features: View, table: View, labels: View, dim: usize, y: View },
    /// Its gradients.
    ProjectBackward {
        features: View,
        table: View,
        labels: View,
        dim: usize,
        dy: View,
        dfeatures: Option<(View, bool)>,
        dtable: Option<(View, bool)>,
    },
    /// One power iteration each, from `state`: v = Wᵀu/‖Wᵀu‖; with `iterate` u = Wv/‖Wv‖ goes to `state` too, else u is `state`; σ = uᵀWv.
    PowerIteration { layers: Vec<Spectral>, iterate: bool },
    /// `W̄ = W/σ` each.
    DivideBySigma { layers: Vec<(Spectral, View)> },
    /// Eq. (12) each: `dW (+)= (G − ⟨G, W̄⟩ u vᵀ)/σ`.
    DivideBySigmaBackward { layers: Vec<(Spectral, Target)> },
    /// Rows divided by their norms, each.
    NormalizeRows { layers: Vec<(Rows, View)> },
    /// The gradients, each.
    NormalizeRowsBackward { layers: Vec<(Rows, Target)> },
    /// `y = γ·x` for a matrix of `gamma.len` groups of rows: one γ for all, or one each.
    ScaleRows { x: View, gamma: View, y: View },
    /// Its gradients.
    ScaleRowsBackward { x: View, gamma: View, dy: View, dx: (View, bool), dgamma: (View, bool) },
    /// `out = fake + ε·(real − fake)`, an ε for each image.
    Interpolate { real: View, fake: View, epsilon: View, out: View },
    /// From `g`, D's gradient at `n` images: the penalty's value `λ·E(‖g‖ − 1)²` and E‖g‖, times `share`, to the record, and
    /// `c = λ/n·2(‖g‖ − 1)·g/‖g‖`; the norms `[n]` are left too.
    Penalty {
        g: View,
        n: usize,
        lambda: f64,
        c: View,
        norms: View,
        share: f64,
        value: View,
        mean_norm: View,
        add: bool,
    },
    /// `p −= I` for `p` `[m, m]`, and `value (+)= weight·(‖p‖²_F + difference)`.
    GramLoss { p: View, m: usize, weight: f64, difference: f64, value: View, add: bool },
    /// D's loss over its outputs for real and generated images; gradients and records are `share` of the batch's.
    DiscriminatorLoss {
        loss: Loss,
        real: View,
        fake: View,
        dreal: View,
        dfake: View,
        share: f64,
        value: View,
        d_real: View,
        d_fake: View,
        add: bool,
    },
    /// G's loss.
    GeneratorLoss { loss: Loss, fake: View, dfake: View, share: f64, value: View, add: bool },
    /// A classifier's mean cross-entropy: the record gets `share` of it, the gradient is multiplied by `weight`.
    CrossEntropy {
        logits: View,
        labels: View,
        dlogits: View,
        weight: f64,
        share: f64,
        value: View,
        add: bool,
    },
    /// Adam over a network's parameters. `scalars` holds the step's rate and the correction of v: `w −= rate·m/(√(v·correction) + ε)`.
    Adam { w: View, g: View, m: View, v: View, scalars: View, beta1: f64, beta2: f64, eps: f64 },
    /// Each view clipped to ± its bound.
    Clip { views: Vec<(View, f64)> },
    /// `e = decay·e + (1 − decay)·w`.
    Average { e: View, w: View, decay: f64 },
    /// `out = Σ x²`, with room for [`PARTS`] partial sums.
    SquareSum { x: View, parts: View, out: View },
}

impl Op {
    /// Every view that it reads or writes.
    pub fn views(&self) -> Vec<View> {
        let optional = |part: &Option<(View, bool)>| part.map(|(view, _)| view);
        let norm = |n: &BatchNorm| {
            let mut views = vec![n.x, n.beta, n.y, n.mean, n.inv_std];
            views.extend(n.gamma.into_iter().chain(n.labels));
            views
        };
        let spectral = |s: &Spectral| [s.w, s.state, s.u, s.v, s.sigma, s.parts];
        let mut views = match self {
            Op::Fill { out, .. } => vec![*out],
            Op::Copy { x, out, .. } | Op::Scale { x, out, .. } => vec![*x, *out],
            Op::SquareSum { x, parts, out } => vec![*x, *parts, *out],
            Op::Conv { x, w, y, .. } => vec![*x, *w, *y],
            Op::ConvData { dy, w, dx, .. } => vec![*dy, *w, *dx],
            Op::ConvFilter { x, dy, dw, .. } => vec![*x, *dy, *dw],
            Op::Product { a, b, c, .. } => vec![*a, *b, *c],
            Op::Finish { y, bias, .. } => bias.iter().copied().chain([*y]).collect(),
            Op::FinishBackward { y, dy, dbias, .. } => {
                optional(dbias).into_iter().chain([*y, *dy]).collect()
            }
            Op::Activate { x, y, .. } => vec![*x, *y],
            Op::Mask { x, of, y, .. } => vec![*x, *of, *y],
            Op::BatchNorm { norm: n, running } => {
                let mut views = norm(n);
                views.extend(running.iter().flat_map(|(mean, var)| [*mean, *var]));
                views
            }
            Op::BatchNormBackward { norm: n, dy, dx, dgamma, dbeta } => {
                let mut views = norm(n);
                views.push(*dy);
                views.extend([dx, dgamma, dbeta].into_iter().filter_map(optional));
                views
            }
            Op::BatchNormEval { x, gamma, beta, labels, mean, var, y, .. } => {
                labels.iter().copied().chain([*x, *gamma, *beta, *mean, *var, *y]).collect()
            }
            Op::Place { x, bias, y, .. } => bias.iter().copied().chain([*x, *y]).collect(),
            Op::Windows { x, y, .. } => vec![*x, *y],
            Op::LayerNorm { norm: n } => vec![n.x, n.beta, n.y, n.mean, n.inv_std],
            Op::LayerNormBackward { norm: n, dy, dx, dbeta } => {
                let mut views = vec![n.x, n.beta, n.y, n.mean, n.inv_std, *dy];
                views.extend([dx, dbeta].into_iter().filter_map(optional));
                views
            }
            Op::Pool { x, y, .. } | Op::Upsample { x, y, .. } | Op::Downsample { x, y, .. } => {
                vec![*x, *y]
            }
            Op::Spread { dy, dx, .. } => vec![*dy, *dx],
            Op::Add { a, b, y } => vec![*a, *b, *y],
            Op::Append { x, table, y, .. } => {
                table.iter().flat_map(|(t, l)| [*t, *l]).chain([*x, *y]).collect()
            }
            Op::AppendBackward { dy, dx, dtable, .. } => {
                let table = dtable.iter().flat_map(|(t, l, _)| [*t, *l]);
                table.chain(optional(dx)).chain([*dy]).collect()
            }
            Op::Project { features, table, labels, y, .. } => vec![*features, *table, *labels, *y],
            Op::ProjectBackward { features, table, labels, dy, dfeatures, dtable, .. } => {
                let gradients = [dfeatures, dtable].into_iter().filter_map(optional);
                gradients.chain([*features, *table, *labels, *dy]).collect()
            }
            Op::PowerIteration { layers, .. } => layers.iter().flat_map(spectral).collect(),
            Op::DivideBySigma { layers } => {
                layers.iter().flat_map(|(s, y)| [s.w, s.sigma, *y]).collect()
            }
            Op::DivideBySigmaBackward { layers } => layers
                .iter()
                .flat_map(|(s, t)| [s.w, s.u, s.v, s.sigma, s.parts, t.dy, t.dw])
                .collect(),
            Op::NormalizeRows { layers } => {
                layers.iter().flat_map(|(r, y)| [r.w, r.norms, *y]).collect()
            }
            Op::NormalizeRowsBackward { layers } => {
                layers.iter().flat_map(|(r, t)| [r.w, r.norms, t.dy, t.dw]).collect()
            }
            Op::ScaleRows { x, gamma, y } => vec![*x, *gamma, *y],
            Op::ScaleRowsBackward { x, gamma, dy, dx, dgamma } => {
                vec![*x, *gamma, *dy, dx.0, dgamma.0]
            }
            Op::Interpolate { real, fake, epsilon, out } => vec![*real, *fake, *epsilon, *out],
            Op::Penalty { g, c, norms, value, mean_norm, .. } => {
                vec![*g, *c, *norms, *value, *mean_norm]
            }
            Op::GramLoss { p, value, .. } => vec![*p, *value],
            Op::DiscriminatorLoss { real, fake, dreal, dfake, value, d_real, d_fake, .. } => {
                vec![*real, *fake, *dreal, *dfake, *value, *d_real, *d_fake]
            }
            Op::GeneratorLoss { fake, dfake, value, .. } => vec![*fake, *dfake, *value],
            Op::CrossEntropy { logits, labels, dlogits, value, .. } => {
                vec![*logits, *labels, *dlogits, *value]
            }
            Op::Adam { w, g, m, v, scalars, .. } => vec![*w, *g, *m, *v, *scalars],
            Op::Clip { views } => views.iter().map(|(view, _)| *view).collect(),
            Op::Average { e, w, .. } => vec![*e, *w],
        };
        views.retain(|view| view.len > 0);
        views
    }
}
