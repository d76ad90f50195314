//! Fully connected layers and matrix products.

use super::Arm;
use super::conv::bias_gradient;
use super::feature_map::{Element, FeatureMap, Map, by_dtype, number, slice, with_slice};
use super::node::{self, Gradients, MapGradient};
use crate::Result;
use candle_core::{CpuStorage, CustomOp2, Layout, Shape, Tensor, WithDType};
use sngan_kernels::plane::{self, MapSize};
use sngan_kernels::{Buffer, activation, matmul};

/// A matrix product; the second letter says which operand is transposed.
#[derive(Clone, Copy, Debug)]
enum Product {
    /// A·B
    Nn,
    /// A·Bᵀ
    Nt,
    /// Aᵀ·B
    Tn,
}

impl Product {
    fn apply(self, a: &Tensor, b: &Tensor) -> candle_core::Result<Tensor> {
        a.contiguous()?.apply_op2(&b.contiguous()?, self)
    }
}

impl CustomOp2 for Product {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        la: &Layout,
        b: &CpuStorage,
        lb: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let ((a0, a1), (b0, b1)) = (la.shape().dims2()?, lb.shape().dims2()?);
        let (m, k, k2, n) = match self {
            Product::Nn => (a0, a1, b0, b1),
            Product::Nt => (a0, a1, b1, b0),
            Product::Tn => (a1, a0, b0, b1),
        };
        if k != k2 {
            candle_core::bail!("matmul {self:?}: {:?} does not fit {:?}", la.shape(), lb.shape());
        }
        by_dtype!(candle_core::backend::BackendStorage::dtype(a), T, {
            let (a, b) = (slice::<T>(a, la)?, slice::<T>(b, lb)?);
            let mut c = vec![number::<T>(0.0); m * n];
            match self {
                Product::Nn => matmul::nn(m, n, k, a, b, &mut c),
                Product::Nt => matmul::nt(m, n, k, a, b, &mut c),
                Product::Tn => matmul::tn(m, n, k, a, b, &mut c),
            }
            Ok((T::to_cpu_storage_owned(c), (m, n).into()))
        })
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        _: &Tensor,
        g: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        let ask = |t: &Tensor, p: Product, x: &Tensor, y: &Tensor| {
            if t.track_op() { p.apply(x, y).map(Some) } else { Ok(None) }
        };
        match self {
            Product::Nn => Ok((ask(a, Product::Nt, g, b)?, ask(b, Product::Tn, a, g)?)),
            Product::Nt => Ok((ask(a, Product::Nn, g, b)?, ask(b, Product::Tn, g, a)?)),
            Product::Tn => Ok((ask(a, Product::Nt, b, g)?, ask(b, Product::Nn, a, g)?)),
        }
    }
}

/// `y = x·Wᵀ + b` for `x` `[N, I]`, `w` `[O, I]`, `bias` `[O]` → `[N, O]`.
///
/// # Errors
/// When the shapes do not fit.
pub fn dense(arm: Arm, x: &Tensor, w: &Tensor, bias: &Tensor) -> Result<Tensor> {
    let y = product(arm, x, w)?;
    match arm {
        Arm::Candle => Ok(y.broadcast_add(bias)?),
        Arm::Ours => by_dtype!(y.dtype(), T, add_bias::<T>(&y, bias)),
    }
}

/// `y = x·Wᵀ` for `x` `[N, I]`, `w` `[O, I]` → `[N, O]`: [`dense`] without a bias.
///
/// # Errors
/// When the shapes do not fit.
pub fn product(arm: Arm, x: &Tensor, w: &Tensor) -> Result<Tensor> {
    match arm {
        Arm::Candle => Ok(x.matmul(&w.t()?)?),
        Arm::Ours => Ok(Product::Nt.apply(x, w)?),
    }
}

fn add_bias<T: Element>(y: &Tensor, bias: &Tensor) -> Result<Tensor> {
    let mut sum = vec![number::<T>(0.0); y.elem_count()];
    with_slice(y, |y| {
        with_slice(bias, |b| {
            activation::bias_forward(y, b, number(1.0), &mut sum);
            Ok(())
        })
    })?;
    node::tensor::<T, _, 0, 2>("bias", [], [y, bias], (sum, y.shape()), |call| {
        let [asks_y, asks_bias] = call.asks_tensor;
        let dy = asks_y.then(|| call.dy.to_vec());
        let db = asks_bias.then(|| bias_gradient(call.tensors[1], call.dy));
        Ok(Gradients { maps: [], tensors: [dy, db] })
    })
}

/// The dense layer with one output on a feature map, read as `[N, C·H·W]`: `w` `[1, C·H·W]`, `bias` `[1]` (0 when absent) → `[N]`.
///
/// # Errors
/// When the shapes do not fit.
pub fn head(x: &FeatureMap, w: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let y = match x {
        FeatureMap::Candle(x) => x.flatten_from(1)?.matmul(&w.t()?)?.flatten_all()?,
        FeatureMap::Ours(map) => {
            let size = map.size();
            if w.dims() != [1, size.pixels * size.channels] {
                return Err(crate::Error::Weight {
                    operation: "head",
                    weight: w.dims().to_vec(),
                    input: map.dims,
                });
            }
            by_dtype!(map.dtype, T, head_ours::<T>(map, size, w))?
        }
    };
    match bias {
        None => Ok(y),
        Some(bias) => Ok(y.broadcast_add(bias)?),
    }
}

fn head_ours<T: Element>(x: &Map, size: MapSize, w: &Tensor) -> Result<Tensor> {
    let mut y = vec![number::<T>(0.0); size.images];
    with_slice(w, |w| {
        plane::head(size, T::values(&x.data)?, w, &mut y);
        Ok(())
    })?;
    node::tensor::<T, _, 1, 1>("head", [x], [w], (y, size.images), move |call| {
        let (w, dy) = (call.tensors[0], call.dy);
        let mut dx = None;
        if call.asks_map[0] {
            let mut values = Buffer::<T>::arbitrary(size.len());
            with_slice(w, |w| {
                plane::head_grad_input(size, dy, w, &mut values);
                Ok(())
            })?;
            dx = Some(MapGradient::Values(values));
        }
        let mut dw = None;
        if call.asks_tensor[0] {
            let mut values = vec![number::<T>(0.0); w.elem_count()];
            plane::head_grad_weight(size, T::values(&call.maps[0].data)?, dy, &mut values);
            dw = Some(values);
        }
        Ok(Gradients { maps: [dx], tensors: [dw] })
    })
}

/// `A·Aᵀ` of a matrix `[m, n]` → `[m, m]`.
///
/// # Errors
/// When `a` is no matrix.
pub fn gram(arm: Arm, a: &Tensor) -> Result<Tensor> {
    match arm {
        Arm::Candle => Ok(a.matmul(&a.t()?)?),
        Arm::Ours => Ok(Product::Nt.apply(a, a)?),
    }
}
