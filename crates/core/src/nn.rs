//! Spectrally normalized layers for networks of one's own, to be used with candle-nn's layers, `VarBuilder` and optimizers.
//!
//! A layer computes with W̄ = W/σ(W) (Eq. 8), σ from Algorithm 1's power iteration, whose vector u is the layer's only state besides its
//! parameters. A forward pass never moves u, so real and generated images of one update see the same W̄, and an evaluation changes nothing;
//! [`SnConv2d::advance`] moves it, once an update. `examples/sn_discriminator.rs` trains a discriminator of such layers.
//!
//! W, the bias and u are asked from the builder as `weight`, `bias` and `u`. With a `VarMap` all three are variables: it saves and loads u
//! with the parameters, and an optimizer leaves u alone, for it has no gradient.

use crate::norm::{Iterate, SpectralNorm, unit};
use candle_core::{DType, ModuleT, Result, Tensor, Var};
use candle_nn::{Conv2d, Conv2dConfig, Init, Linear, Module, VarBuilder};
use sngan_tensor::ops::Arm;

/// How far u's length may be from 1 in a file: f32's rounding. A fresh draw's is further away.
const UNIT: f64 = 1e-5;

/// A weight `[d_out, …]`, read as the matrix `[d_out, rest]`, and its u.
#[derive(Debug, Clone)]
struct Normalized {
    weight: Tensor,
    u: Var,
}

impl Normalized {
    fn new(weight: &Tensor, vb: &VarBuilder<'_>) -> Result<Normalized> {
        let init = Init::Randn { mean: 0.0, stdev: 1.0 };
        let u = Var::from_tensor(&vb.get_with_hints(weight.dim(0)?, "u", init)?)?;
        let square = u.sqr()?.sum_all()?.to_dtype(DType::F64)?.to_scalar::<f64>()?;
        if square == 0.0 {
            candle_core::bail!("`{}.u` is 0; a power iteration cannot start from it", vb.prefix());
        }
        // What a file holds stays as it is, bit for bit.
        if (square.sqrt() - 1.0).abs() > UNIT {
            u.set(&unit(&u)?)?;
        }
        Ok(Normalized { weight: weight.clone(), u })
    }

    /// The normalization from a copy of u: the variable changes in place, and a graph may outlive the change.
    fn norm(&self) -> Result<SpectralNorm> {
        Ok(SpectralNorm::new(&self.u.copy()?))
    }

    fn weight(&self, train: bool) -> Result<Tensor> {
        let iterate = if train { Iterate::Once } else { Iterate::Frozen };
        Ok(self.norm()?.normalize(Arm::of(&self.weight), &self.weight, iterate)?)
    }

    fn advance(&mut self) -> Result<()> {
        let mut norm = self.norm()?;
        norm.advance(Arm::of(&self.weight), &self.weight)?;
        self.u.set(norm.u())
    }
}

/// The methods that both layers have.
macro_rules! normalized {
    ($layer:ident) => {
        impl $layer {
            /// W̄ in W's shape, as a forward pass uses it; differentiable in W with u and v held constant, so that the gradient is Eq. (12).
            ///
            /// In training, σ = uᵀWv after one iteration from u (Eq. 18–20), which is not kept; else σ = ‖Wᵀu‖ with u as it is.
            ///
            /// # Errors
            /// Those of Candle.
            pub fn normalized(&self, train: bool) -> Result<Tensor> {
                self.norm.weight(train)
            }

            /// One power iteration with the current W (Algorithm 1, step 1): moves u, and nothing else. Once an update of the network,
            /// between its forward pass and the optimizer's step, is the paper's training.
            ///
            /// # Errors
            /// Those of Candle.
            pub fn advance(&mut self) -> Result<()> {
                self.norm.advance()
            }

            /// The raw weight W.
            pub fn weight(&self) -> &Tensor {
                &self.norm.weight
            }

            /// The estimate u of W's first left singular vector, `[d_out]`, of length 1, detached.
            pub fn u(&self) -> Tensor {
                self.norm.u.as_detached_tensor()
            }
        }
    };
}

/// A convolution with W̄ in W's place: `[N, in, H, W]` to `[N, out, H', W']`.
#[derive(Debug, Clone)]
pub struct SnConv2d {
    norm: Normalized,
    bias: Option<Tensor>,
    config: Conv2dConfig,
}

normalized!(SnConv2d);

impl SnConv2d {
    /// A layer with a square kernel and a bias; a fresh W, `[out, in/groups, kernel, kernel]`, and b, `[out]`, start as candle-nn's do, and
    /// u, `[out]`, as an isotropic draw.
    ///
    /// # Errors
    /// When the builder lacks a tensor or holds it in another shape.
    pub fn new(
        in_channels: usize,
        out_channels: usize,
        kernel: usize,
        config: Conv2dConfig,
        vb: VarBuilder<'_>,
    ) -> Result<SnConv2d> {
        let plain = candle_nn::conv2d(in_channels, out_channels, kernel, config, vb.clone())?;
        SnConv2d::of(&plain, &vb)
    }

    /// Normalizes the weight of any convolution of candle-nn, with `u` from `vb`.
    ///
    /// # Errors
    /// When the builder has no `u` `[out]`, or it is 0.
    pub fn of(plain: &Conv2d, vb: &VarBuilder<'_>) -> Result<SnConv2d> {
        Ok(SnConv2d {
            norm: Normalized::new(plain.weight(), vb)?,
            bias: plain.bias().cloned(),
            config: *plain.config(),
        })
    }
}

impl ModuleT for SnConv2d {
    /// Changes nothing; `train` as in [`SnConv2d::normalized`].
    fn forward_t(&self, xs: &Tensor, train: bool) -> Result<Tensor> {
        Conv2d::new(self.normalized(train)?, self.bias.clone(), self.config).forward(xs)
    }
}

/// A dense layer with W̄ in W's place: `[…, in]` to `[…, out]`.
#[derive(Debug, Clone)]
pub struct SnLinear {
    norm: Normalized,
    bias: Option<Tensor>,
}

normalized!(SnLinear);

impl SnLinear {
    /// A layer with a bias; a fresh W, `[out, in]`, and b, `[out]`, start as candle-nn's do, and u, `[out]`, as an isotropic draw.
    ///
    /// # Errors
    /// When the builder lacks a tensor or holds it in another shape.
    pub fn new(in_dim: usize, out_dim: usize, vb: VarBuilder<'_>) -> Result<SnLinear> {
        SnLinear::of(&candle_nn::linear(in_dim, out_dim, vb.clone())?, &vb)
    }

    /// Normalizes the weight of any dense layer of candle-nn, with `u` from `vb`.
    ///
    /// # Errors
    /// When the builder has no `u` `[out]`, or it is 0.
    pub fn of(plain: &Linear, vb: &VarBuilder<'_>) -> Result<SnLinear> {
        let norm = Normalized::new(plain.weight(), vb)?;
        Ok(SnLinear { norm, bias: plain.bias().cloned() })
    }
}

impl ModuleT for SnLinear {
    /// Changes nothing; `train` as in [`SnLinear::normalized`].
    fn forward_t(&self, xs: &Tensor, train: bool) -> Result<Tensor> {
        Linear::new(self.normalized(train)?, self.bias.clone()).forward(xs)
    }
}
