//! A weight divided by a linear function of itself, and the matrices that such functions are given by.

use super::Arm;
use super::feature_map::{Element, by_dtype, number, with_slice};
use super::node::{self, Gradients};
use super::spectral::Singular;
use crate::Result;
use candle_core::{DType, Device, Tensor};
use sngan_kernels::matvec;
use sngan_kernels::turned::Turned;

/// W/⟨W, M⟩ in `weight`'s shape, M `[as W]` a constant: its gradient is (G − ⟨G, W̄⟩·M)/⟨W, M⟩.
///
/// # Errors
/// When the shapes differ.
pub fn divide_by_product(arm: Arm, weight: &Tensor, m: &Tensor) -> Result<Tensor> {
    if arm == Arm::Ours {
        return by_dtype!(weight.dtype(), T, ours::<T>(weight, m));
    }
    Ok(weight.broadcast_div(&(weight * m)?.sum_all()?)?)
}

fn ours<T: Element>(weight: &Tensor, m: &Tensor) -> Result<Tensor> {
    let mut divided = vec![number::<T>(0.0); weight.elem_count()];
    let inverse = with_slice::<T, _>(weight, |w| {
        let inverse = 1.0 / with_slice::<T, _>(m, |m| Ok(matvec::dot(w, m)))?;
        matvec::combine(number(inverse), w, number::<T>(0.0), w, &mut divided);
        Ok(inverse)
    })?;
    let m = m.clone();
    node::tensor::<T, _, 0, 1>("quotient", [], [weight], (divided, weight.shape()), move |call| {
        if !call.asks_tensor[0] {
            return Ok(Gradients { maps: [], tensors: [None] });
        }
        let (w, g) = (call.tensors[0], call.dy);
        let mut dw = vec![number::<T>(0.0); w.elem_count()];
        with_slice::<T, _>(w, |w| {
            with_slice::<T, _>(&m, |m| {
                let lambda = matvec::dot(g, w) * inverse;
                matvec::combine(number(inverse), g, number(-lambda * inverse), m, &mut dw);
                Ok(())
            })
        })?;
        Ok(Gradients { maps: [], tensors: [Some(dw)] })
    })
}

/// The power iteration of [`super::power_iteration`] for a convolution's `weight` `[out, in, k, k]` read as `[in, out·k·k]`: `u` is `[in]`, v `[out·k·k]`.
///
/// # Errors
/// When the shapes do not fit.
pub fn power_iteration_of_inputs(
    arm: Arm,
    weight: &Tensor,
    u: &Tensor,
    iterate: bool,
    eps: f64,
) -> Result<Singular> {
    let (w, u) = (weight.detach(), u.detach());
    if arm == Arm::Ours {
        return by_dtype!(w.dtype(), T, iterate_ours::<T>(&w, &u, iterate, eps));
    }
    super::power_iteration(arm, &w.transpose(0, 1)?.contiguous()?, &u, iterate, eps)
}

fn turned(weight: &Tensor) -> Result<Turned> {
    let (outputs, inputs, height, width) = weight.dims4()?;
    Ok(Turned { outputs, inputs, taps: height * width })
}

fn iterate_ours<T: Element>(w: &Tensor, u: &Tensor, iterate: bool, eps: f64) -> Result<Singular> {
    let shape = turned(w)?;
    let columns = shape.outputs * shape.taps;
    let unit = |x: &[T]| -> Vec<T> {
        let inverse = 1.0 / (matvec::dot(x, x).sqrt() + eps);
        x.iter().map(|x| number(candle_core::WithDType::to_f64(*x) * inverse)).collect()
    };
    let (mut t, mut s) = (vec![number::<T>(0.0); columns], vec![number::<T>(0.0); shape.inputs]);
    let (v, u, sigma) = with_slice::<T, _>(w, |w| {
        with_slice::<T, _>(u, |u| {
            shape.multiply_transposed(w, u, &mut t);
            let v = unit(&t);
            if !iterate {
                let sigma = matvec::dot(&t, &v);
                return Ok((v, u.to_vec(), sigma));
            }
            shape.multiply(w, &v, &mut s);
            let u = unit(&s);
            let sigma = matvec::dot(&u, &s);
            Ok((v, u, sigma))
        })
    })?;
    Ok(Singular {
        u: Tensor::from_vec(u, shape.inputs, &Device::Cpu)?,
        v: Tensor::from_vec(v, columns, &Device::Cpu)?,
        sigma: Tensor::new(sigma, &Device::Cpu)?.to_dtype(T::DTYPE)?,
    })
}

/// ∂/∂W of the mean of σ₁ of W as `[out, in·k·k]` and of W as `[in, out·k·k]`, (u₁v₁ᵀ + u₂v₂ᵀ)/2 in the shape of `weight` `[out, in, k, k]`; a constant.
///
/// # Errors
/// When the shapes do not fit.
pub fn mean_direction(
    arm: Arm,
    weight: &Tensor,
    of_outputs: &Singular,
    of_inputs: &Singular,
) -> Result<Tensor> {
    let shape = weight.shape();
    if arm == Arm::Ours {
        return by_dtype!(weight.dtype(), T, direction_ours::<T>(weight, of_outputs, of_inputs));
    }
    let outer =
        |s: &Singular| -> Result<_> { Ok(s.u.unsqueeze(1)?.broadcast_mul(&s.v.unsqueeze(0)?)?) };
    let (outputs, inputs, height, width) = weight.dims4()?;
    let second = outer(of_inputs)?.reshape((inputs, outputs, height, width))?.transpose(0, 1)?;
    Ok(((outer(of_outputs)?.reshape(shape)? + second)? * 0.5)?)
}

fn direction_ours<T: Element>(
    weight: &Tensor,
    of_outputs: &Singular,
    of_inputs: &Singular,
) -> Result<Tensor> {
    let shape = turned(weight)?;
    let mut m = vec![number::<T>(0.0); weight.elem_count()];
    let values = |t: &Tensor| t.to_vec1::<T>();
    let first = [values(&of_outputs.u)?, values(&of_outputs.v)?];
    let second = [values(&of_inputs.u)?, values(&of_inputs.v)?];
    let ([u, v], [p, q]) = (&first, &second);
    shape.sum_of_outer(number(0.5), [u, v], [p, q], &mut m);
    Ok(Tensor::from_vec(m, weight.shape(), &Device::Cpu)?)
}

/// W̄ = W/σ = u·vᵀ + S, of whose S √(bound)/‖S‖_F is kept where ‖S‖²_F is above `bound` (stable rank normalization); u and v are constants.
///
/// With q = ‖S‖_F and t = √bound/q the gradient in W̄ is t·(G − ⟨G, S⟩·S/q²), and that of W/σ follows. Of unit vectors u and v, q² is
/// ‖W‖²_F/σ² − 1, so our arm needs neither W̄ nor S.
///
/// # Errors
/// When the shapes do not fit.
pub fn bound_stable_rank(
    arm: Arm,
    weight: &Tensor,
    singular: &Singular,
    bound: f64,
) -> Result<Tensor> {
    if arm == Arm::Ours {
        return by_dtype!(weight.dtype(), T, bound_ours::<T>(weight, singular, bound));
    }
    let normalized = super::divide_by_sigma(arm, weight, singular)?;
    let first = singular.u.unsqueeze(1)?.broadcast_mul(&singular.v.unsqueeze(0)?)?;
    let rest = (normalized.flatten_from(1)? - &first)?;
    let q = rest.sqr()?.sum_all()?.sqrt()?;
    if q.to_dtype(DType::F64)?.to_scalar::<f64>()?.powi(2) <= bound {
        return Ok(normalized);
    }
    let rest = (rest.broadcast_div(&q)? * bound.sqrt())?;
    Ok((rest + first)?.reshape(weight.shape())?)
}

fn bound_ours<T: Element>(weight: &Tensor, singular: &Singular, bound: f64) -> Result<Tensor> {
    let sigma = singular.sigma.to_dtype(DType::F64)?.to_scalar::<f64>()?;
    let square = with_slice::<T, _>(weight, |w| Ok(matvec::dot(w, w)))? / (sigma * sigma) - 1.0;
    if square <= bound {
        return super::divide_by_sigma(Arm::Ours, weight, singular);
    }
    let t = (bound / square).sqrt();
    let (u, v) = (singular.u.to_vec1::<T>()?, singular.v.to_vec1::<T>()?);
    let mut y = vec![number::<T>(0.0); weight.elem_count()];
    with_slice::<T, _>(weight, |w| {
        matvec::add_rank_one(number(t / sigma), w, number(1.0 - t), &u, &v, &mut y);
        Ok(())
    })?;
    let value = (y, weight.shape());
    node::tensor::<T, _, 0, 1>("stable-rank", [], [weight], value, move |call| {
        if !call.asks_tensor[0] {
            return Ok(Gradients { maps: [], tensors: [None] });
        }
        let (w, g) = (call.tensors[0], call.dy);
        let zeros = || vec![number::<T>(0.0); w.elem_count()];
        let (mut part, mut dw, mut gv) = (zeros(), zeros(), vec![number::<T>(0.0); u.len()]);
        with_slice::<T, _>(w, |w| {
            matvec::multiply(g, &v, &mut gv);
            let of_w = matvec::dot(g, w) / sigma;
            // ⟨G, S⟩ and ⟨G', W̄⟩, where G' = t·G − k·S.
            let k = t * (of_w - matvec::dot(&u, &gv)) / square;
            let lambda = t * of_w - k * square;
            matvec::combine(number(t / sigma), g, number(-k / (sigma * sigma)), w, &mut part);
            let factor = number((k - lambda) / sigma);
            matvec::add_rank_one(number(1.0), &part, factor, &u, &v, &mut dw);
            Ok(())
        })?;
        Ok(Gradients { maps: [], tensors: [Some(dw)] })
    })
}
