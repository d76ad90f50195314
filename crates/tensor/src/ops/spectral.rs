//! The power iteration and the division by σ, in one pass each over the weights.

use super::Arm;
use super::feature_map::{Element, by_dtype, number, with_slice};
use super::node::{self, Gradients};
use crate::Result;
use candle_core::{Device, Tensor, WithDType};
use sngan_kernels::matvec;

/// What a power iteration found: unit vectors `[d_out]` and `[d_in·h·w]`, and σ = uᵀWv.
#[derive(Clone, Debug)]
pub struct Singular {
    /// The left vector: as it was, or new.
    pub u: Tensor,
    /// The right vector.
    pub v: Tensor,
    /// σ, a scalar.
    pub sigma: Tensor,
}

fn unit(x: &Tensor, eps: f64) -> Result<Tensor> {
    Ok(x.broadcast_div(&(x.sqr()?.sum_all()?.sqrt()? + eps)?)?)
}

/// M·x for `m` `[a, b]`, `x` `[b]`, as a product and a sum: the same bits on any number of threads.
fn times(m: &Tensor, x: &Tensor) -> Result<Tensor> {
    Ok(m.broadcast_mul(&x.unsqueeze(0)?)?.sum(1)?)
}

/// Mᵀ·x for `m` `[a, b]`, `x` `[a]`.
fn transposed_times(m: &Tensor, x: &Tensor) -> Result<Tensor> {
    Ok(m.broadcast_mul(&x.unsqueeze(1)?)?.sum(0)?)
}

/// v = Wᵀu/‖Wᵀu‖ and, when `iterate`, u = Wv/‖Wv‖ (Eq. 18–19), then σ = uᵀWv (Eq. 20), for `weight` read as `[d_out, rest]`; all constants
/// of the graph. `eps` keeps the norms off 0.
///
/// # Errors
/// When the shapes do not fit.
pub fn power_iteration(
    arm: Arm,
    weight: &Tensor,
    u: &Tensor,
    iterate: bool,
    eps: f64,
) -> Result<Singular> {
    let (w, u) = (weight.detach().flatten_from(1)?, u.detach());
    if arm == Arm::Ours {
        return by_dtype!(w.dtype(), T, iterate_ours::<T>(&w, &u, iterate, eps));
    }
    let v = unit(&transposed_times(&w, &u)?, eps)?;
    let s = times(&w, &v)?;
    let u = if iterate { unit(&s, eps)? } else { u };
    let sigma = (s * &u)?.sum_all()?;
    Ok(Singular { u, v, sigma })
}

fn iterate_ours<T: Element>(w: &Tensor, u: &Tensor, iterate: bool, eps: f64) -> Result<Singular> {
    let (rows, columns) = w.dims2()?;
    let unit = |x: &[T]| -> Vec<T> {
        let inverse = 1.0 / (matvec::dot(x, x).sqrt() + eps);
        x.iter().map(|x| number(WithDType::to_f64(*x) * inverse)).collect()
    };
    let (mut t, mut s) = (vec![number::<T>(0.0); columns], vec![number::<T>(0.0); rows]);
    let (v, u, sigma) = with_slice::<T, _>(w, |w| {
        with_slice::<T, _>(u, |u| {
            matvec::multiply_transposed(w, u, &mut t);
            let v = unit(&t);
            if !iterate {
                // uᵀWv = (Wᵀu)·v.
                let sigma = matvec::dot(&t, &v);
                return Ok((v, u.to_vec(), sigma));
            }
            matvec::multiply(w, &v, &mut s);
            let u = unit(&s);
            let sigma = matvec::dot(&u, &s);
            Ok((v, u, sigma))
        })
    })?;
    let sigma = Tensor::new(sigma, &Device::Cpu)?.to_dtype(T::DTYPE)?;
    Ok(Singular {
        u: Tensor::from_vec(u, rows, &Device::Cpu)?,
        v: Tensor::from_vec(v, columns, &Device::Cpu)?,
        sigma,
    })
}

/// W/σ in `weight`'s shape, with σ = uᵀWv differentiable in W and u, v constant: the gradient is Eq. (12).
///
/// # Errors
/// When the shapes do not fit.
pub fn divide_by_sigma(arm: Arm, weight: &Tensor, singular: &Singular) -> Result<Tensor> {
    if arm == Arm::Ours {
        return by_dtype!(weight.dtype(), T, divide_ours::<T>(weight, singular));
    }
    let sigma = (times(&weight.flatten_from(1)?, &singular.v)? * &singular.u)?.sum_all()?;
    Ok(weight.broadcast_div(&sigma)?)
}

fn divide_ours<T: Element>(weight: &Tensor, singular: &Singular) -> Result<Tensor> {
    let inverse = 1.0 / singular.sigma.to_dtype(candle_core::DType::F64)?.to_scalar::<f64>()?;
    let mut normalized = vec![number::<T>(0.0); weight.elem_count()];
    with_slice(weight, |w| {
        matvec::combine(number(inverse), w, number::<T>(0.0), w, &mut normalized);
        Ok(())
    })?;
    let (value, singular) = ((normalized, weight.shape()), singular.clone());
    node::tensor::<T, _, 0, 1>("spectral-norm", [], [weight], value, move |call| {
        if !call.asks_tensor[0] {
            return Ok(Gradients { maps: [], tensors: [None] });
        }
        let (w, g) = (call.tensors[0], call.dy);
        let mut dw = vec![number::<T>(0.0); w.elem_count()];
        with_slice::<T, _>(w, |w| {
            with_slice::<T, _>(&singular.u, |u| {
                with_slice::<T, _>(&singular.v, |v| {
                    // (G − ⟨G, W̄⟩ u vᵀ)/σ.
                    let lambda = matvec::dot(g, w) * inverse;
                    let factor = number(-lambda * inverse);
                    matvec::add_rank_one(number(inverse), g, factor, u, v, &mut dw);
                    Ok(())
                })
            })
        })?;
        Ok(Gradients { maps: [], tensors: [Some(dw)] })
    })
}
