//! Fully connected layers.

use super::Arm;
use super::cpu::{by_type, slice, zeros};
use crate::Result;
use candle_core::{CpuStorage, CustomOp2, Layout, Shape, Tensor, WithDType};
use sngan_kernels::matmul;

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

    fn cpu_fwd(&self, a: &CpuStorage, la: &Layout, b: &CpuStorage, lb: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let ((a0, a1), (b0, b1)) = (la.shape().dims2()?, lb.shape().dims2()?);
        let (m, k, k2, n) = match self {
            Product::Nn => (a0, a1, b0, b1),
            Product::Nt => (a0, a1, b1, b0),
            Product::Tn => (a1, a0, b0, b1),
        };
        if k != k2 {
            candle_core::bail!("matmul {self:?}: {:?} does not fit {:?}", la.shape(), lb.shape());
        }
        by_type!(a, T, {
            let (a, b) = (slice::<T>(a, la)?, slice::<T>(b, lb)?);
            let mut c = zeros::<T>(m * n);
            match self {
                Product::Nn => matmul::nn(m, n, k, a, b, &mut c),
                Product::Nt => matmul::nt(m, n, k, a, b, &mut c),
                Product::Tn => matmul::tn(m, n, k, a, b, &mut c),
            }
            Ok((T::to_cpu_storage_owned(c), (m, n).into()))
        })
    }

    fn bwd(&self, a: &Tensor, b: &Tensor, _: &Tensor, g: &Tensor) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        let ask = |t: &Tensor, p: Product, x: &Tensor, y: &Tensor| if t.track_op() { p.apply(x, y).map(Some) } else { Ok(None) };
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
pub fn dense(arm: Arm, x: &Tensor, w: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let y = match arm {
        Arm::Candle => x.matmul(&w.t()?)?,
        Arm::Ours => Product::Nt.apply(x, w)?,
    };
    match bias {
        None => Ok(y),
        Some(bias) => super::bias_activation(arm, &y, bias, 1.0),
    }
}

/// `A·Aᵀ` of a matrix `[m, n]` → `[m, m]`.
///
/// # Errors
/// When `a` is no matrix.
pub(crate) fn gram(arm: Arm, a: &Tensor) -> Result<Tensor> {
    match arm {
        Arm::Candle => Ok(a.matmul(&a.t()?)?),
        Arm::Ours => Ok(Product::Nt.apply(a, a)?),
    }
}
