//! One operation or block at a time against PyTorch's, from tests/fixtures/operations.safetensors (made by operations.py).

use crate::support::{F32_ROUNDING, F64_ROUNDING, LEAKY, committed, distance, layer};
use candle_core::{DType, Tensor, Var};
use sngan_tensor::ops::{Activation, Arm};

/// Each arm in both types, with what its rounding may do.
const PLACES: [(Arm, DType, f64); 4] = [
    (Arm::Candle, DType::F64, F64_ROUNDING),
    (Arm::Ours, DType::F64, F64_ROUNDING),
    (Arm::Candle, DType::F32, F32_ROUNDING),
    (Arm::Ours, DType::F32, F32_ROUNDING),
];

/// `y = f(inputs)` and the gradient of Σ c·y in each input, at every place.
fn check(name: &str, inputs: &[&str], f: impl Fn(Arm, &[Tensor]) -> Tensor) {
    let all = committed();
    for (arm, dtype, tolerance) in PLACES {
        let at = |key: &str| all[&format!("{name}.{key}")].to_dtype(dtype).unwrap();
        let close = |key: &str, found: &Tensor| {
            let d = distance(found, &all[&format!("{name}.{key}")]);
            assert!(d < tolerance, "{name}.{key} {arm:?} {dtype:?}: {d}");
        };
        let vars: Vec<Var> = inputs.iter().map(|i| Var::from_tensor(&at(i)).unwrap()).collect();
        let tensors: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
        let y = f(arm, &tensors);
        close("y", &y);
        let grads = (y * at("c")).unwrap().sum_all().unwrap().backward().unwrap();
        for (input, var) in inputs.iter().zip(&vars) {
            close(&format!("d{input}"), grads.get(var).unwrap());
        }
    }
}

#[test]
fn linear_maps() {
    check("conv3x3s1", &["x", "w"], |arm, t| layer::conv(arm, &t[0], &t[1], 1));
    check("conv4x4s2", &["x", "w"], |arm, t| layer::conv(arm, &t[0], &t[1], 2));
    check("deconv4x4s2", &["x", "w"], |arm, t| layer::deconv(arm, &t[0], &t[1]));
    check("dense", &["input", "weight", "bias"], |arm, t| layer::dense(arm, &t[0], &t[1], &t[2]));
}

#[test]
fn activations_also_at_zero() {
    for (name, activation) in [("relu", Activation::Relu), ("leaky-relu", LEAKY)] {
        check(name, &["x", "b"], |arm, t| layer::bias_activation(arm, &t[0], &t[1], activation));
        check(name, &["x", "b"], |arm, t| {
            let b = t[1].reshape((1, 3, 1, 1)).unwrap();
            layer::activation(arm, &t[0].broadcast_add(&b).unwrap(), activation)
        });
    }
    check("tanh", &["x"], |arm, t| layer::tanh(arm, &t[0]));
}

#[test]
fn normalizations_of_outputs() {
    check("batch-norm", &["x", "gamma", "beta"], |arm, t| {
        layer::batch_norm(arm, &t[0], &t[1], &t[2])
    });
    check("layer-norm", &["x", "beta"], |arm, t| layer::layer_norm(arm, &t[0], &t[1]));
}

#[test]
fn upsampling_whose_input_is_shared() {
    check("upsample", &["x"], |arm, t| layer::upsample(arm, &t[0]));
    check("up-block", &["x", "w", "s"], |arm, t| {
        let residual = layer::conv(arm, &layer::upsample(arm, &t[0]), &t[1], 1);
        (residual + layer::upsample(arm, &layer::conv(arm, &t[0], &t[2], 1))).unwrap()
    });
}

/// The order of pooling and convolution on each branch, and where the first ReLU stands.
#[test]
fn discriminators_residual_blocks() {
    let conv = |arm: Arm, x: &Tensor, w: &Tensor| layer::conv(arm, x, w, 1);
    let residual = |arm: Arm, x: &Tensor, t: &[Tensor]| {
        conv(arm, &layer::activation(arm, &conv(arm, x, &t[1]), Activation::Relu), &t[2])
    };
    check("first-block", &["x", "w1", "w2", "s"], |arm, t| {
        (layer::average_pool(arm, &residual(arm, &t[0], t))
            + conv(arm, &layer::average_pool(arm, &t[0]), &t[3]))
        .unwrap()
    });
    check("down-block", &["x", "w1", "w2", "s"], |arm, t| {
        let residual = residual(arm, &layer::activation(arm, &t[0], Activation::Relu), t);
        (layer::average_pool(arm, &residual) + layer::average_pool(arm, &conv(arm, &t[0], &t[3])))
            .unwrap()
    });
    check("same-block", &["x", "w1", "w2"], |arm, t| {
        (residual(arm, &layer::activation(arm, &t[0], Activation::Relu), t) + &t[0]).unwrap()
    });
}
