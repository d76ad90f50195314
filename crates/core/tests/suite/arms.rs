use crate::support::{F32_ROUNDING, F64_ROUNDING, distance, draw};
use candle_core::{DType, Tensor, Var};
use sngan_core::ops::{self, Arm};

/// Runs `f` in both arms and types on the same inputs, comparing the result and every input's gradient.
fn compare(name: &str, shapes: &[&[usize]], f: impl Fn(Arm, &[Tensor]) -> Tensor) {
    for (dtype, tolerance) in [(DType::F64, F64_ROUNDING), (DType::F32, F32_ROUNDING)] {
        let run = |arm: Arm, dtype: DType| {
            let vars: Vec<Var> =
                shapes.iter().enumerate().map(|(i, s)| Var::from_tensor(&draw(&format!("{name}{i}"), s, dtype)).unwrap()).collect();
            let inputs: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
            let y = f(arm, &inputs);
            let c = draw(&format!("{name}c"), y.dims(), dtype);
            let grads = (&y * c).unwrap().sum_all().unwrap().backward().unwrap();
            let mut out = vec![y.detach()];
            out.extend(vars.iter().map(|v| grads.get(v).unwrap().clone()));
            out
        };
        for (i, (ours, candle)) in run(Arm::Ours, dtype).iter().zip(run(Arm::Candle, DType::F64)).enumerate() {
            let d = distance(ours, &candle);
            assert!(d < tolerance, "{name} {dtype:?} result {i}: {d}");
        }
    }
}

#[test]
fn convolutions() {
    for (side, k, stride, padding) in [(6, 3, 1, 1), (6, 4, 2, 1), (5, 1, 1, 0), (7, 3, 2, 1)] {
        let x = [3, 2, side, side];
        compare(&format!("conv{k}s{stride}"), &[&x, &[5, 2, k, k]], |arm, t| ops::conv2d(arm, &t[0], &t[1], stride, padding).unwrap());
    }
    for (side, k, stride, padding) in [(3, 4, 2, 1), (5, 3, 1, 1)] {
        let x = [2, 4, side, side];
        compare(&format!("deconv{k}s{stride}"), &[&x, &[4, 3, k, k]], |arm, t| {
            ops::conv_transpose2d(arm, &t[0], &t[1], stride, padding).unwrap()
        });
    }
}

#[test]
fn dense_with_bias() {
    compare("dense", &[&[4, 7], &[3, 7], &[3]], |arm, t| ops::dense(arm, &t[0], &t[1], Some(&t[2])).unwrap());
}

#[test]
fn bias_and_activation() {
    for slope in [0.0, 0.1, 1.0] {
        compare("bias", &[&[2, 3, 4, 4], &[3]], |arm, t| ops::bias_activation(arm, &t[0], &t[1], slope).unwrap());
        compare("activation", &[&[2, 3, 4, 4]], |arm, t| ops::activation(arm, &t[0], slope).unwrap());
        let y = |dtype| draw("primal", &[2, 3, 4, 4], dtype);
        compare("tangent", &[&[2, 3, 4, 4]], |arm, t| ops::activation_tangent(arm, &t[0], &y(t[0].dtype()), slope).unwrap());
    }
}

#[test]
fn batch_normalization() {
    compare("bn", &[&[3, 2, 4, 4], &[2], &[2]], |arm, t| ops::batch_norm(arm, &t[0], Some(&t[1]), &t[2], 2e-5).unwrap().0);
    compare("bn-no-gamma", &[&[3, 2, 4, 4], &[2]], |arm, t| ops::batch_norm(arm, &t[0], None, &t[1], 2e-5).unwrap().0);
    let x = draw("x", &[3, 2, 4, 4], DType::F64);
    let beta = draw("beta", &[2], DType::F64);
    let ours = ops::batch_norm(Arm::Ours, &x, None, &beta, 2e-5).unwrap();
    let candle = ops::batch_norm(Arm::Candle, &x, None, &beta, 2e-5).unwrap();
    assert!(distance(&ours.1, &candle.1) < F64_ROUNDING && distance(&ours.2, &candle.2) < F64_ROUNDING);
}

#[test]
fn the_derivative_at_zero_is_the_slope() {
    for arm in [Arm::Ours, Arm::Candle] {
        let x = Var::from_tensor(&Tensor::zeros((1, 1, 1, 2), DType::F64, &candle_core::Device::Cpu).unwrap()).unwrap();
        let grads = ops::activation(arm, x.as_tensor(), 0.1).unwrap().sum_all().unwrap().backward().unwrap();
        assert_eq!(grads.get(&x).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap(), [0.1, 0.1], "{arm:?}");
    }
}
