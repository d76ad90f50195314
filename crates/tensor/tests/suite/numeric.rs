//! Draws, distances and finite differences, with their tolerances: for the tests of this crate and of those that stand on it.

use candle_core::{DType, Device, Tensor, Var};
use sngan_tensor::rng::Streams;

/// Central differences in f64 with step 1e-6 on functions of size ~1: truncation ~1e-12, rounding ~1e-10, with room for sums.
pub(crate) const FINITE_DIFFERENCE: f64 = 1e-6;
/// Two f64 evaluations of the same formula in different order.
pub(crate) const F64_ROUNDING: f64 = 1e-11;
/// The same in f32, relative to the largest value.
pub(crate) const F32_ROUNDING: f64 = 2e-5;
/// Relative error of a sum of some hundred f64 terms.
const ROUNDED_SUM: f64 = 3e-15;
pub(crate) const STEP: f64 = 1e-6;

/// Seeded normal draws.
pub(crate) fn draw(name: &str, shape: &[usize], dtype: DType) -> Tensor {
    let n = shape.iter().product();
    Tensor::from_vec(Streams::new(42).normal(name, 0, n), shape, &Device::Cpu)
        .unwrap()
        .to_dtype(dtype)
        .unwrap()
}

pub(crate) fn values(t: &Tensor) -> Vec<f64> {
    t.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

pub(crate) fn scalar(t: &Tensor) -> f64 {
    t.to_dtype(DType::F64).unwrap().to_scalar().unwrap()
}

/// max|a − b| relative to the largest |b| (at least 1e-3).
pub(crate) fn distance(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.dims(), b.dims());
    let (a, b) = (values(a), values(b));
    let largest = b.iter().fold(1e-3f64, |m, x| m.max(x.abs()));
    a.iter().zip(&b).fold(0.0f64, |m, (x, y)| m.max((x - y).abs())) / largest
}

/// Compares `grad` with central differences of `f` at some elements of `var` (all of them when few).
pub(crate) fn check_gradient(name: &str, var: &Var, grad: &Tensor, f: impl Fn() -> f64) {
    let base = values(var);
    let grad = values(grad);
    let largest = grad.iter().fold(1e-2f64, |m, x| m.max(x.abs()));
    let stride = base.len().div_ceil(12);
    for i in (0..base.len()).step_by(stride) {
        let at = |h: f64| {
            let mut moved = base.clone();
            moved[i] += h;
            var.set(&Tensor::from_vec(moved, var.shape(), &Device::Cpu).unwrap()).unwrap();
            f()
        };
        let numeric = (at(STEP) - at(-STEP)) / (2.0 * STEP);
        // A large value of f is itself rounded, which the division by the step magnifies.
        let rounding = ROUNDED_SUM * at(0.0).abs() / STEP;
        let error = (numeric - grad[i]).abs();
        assert!(
            error < FINITE_DIFFERENCE * largest + rounding,
            "{name}[{i}]: finite difference {numeric}, autograd {}",
            grad[i]
        );
    }
}
