use crate::support::layer::mapped;
use crate::support::{ACTIVATIONS, F32_ROUNDING, F64_ROUNDING, KINKED, LEAKY, distance, draw};
use candle_core::{DType, Tensor, Var};
use sngan_tensor::ops::{self, Activation, Arm, FeatureMap, Finish};

/// Runs `f` in both arms and types on the same inputs, comparing the result and every input's gradient.
fn compare(name: &str, shapes: &[&[usize]], f: impl Fn(Arm, &[Tensor]) -> Tensor) {
    for (dtype, tolerance) in [(DType::F64, F64_ROUNDING), (DType::F32, F32_ROUNDING)] {
        let run = |arm: Arm, dtype: DType| {
            let vars: Vec<Var> = shapes
                .iter()
                .enumerate()
                .map(|(i, s)| Var::from_tensor(&draw(&format!("{name}{i}"), s, dtype)).unwrap())
                .collect();
            let inputs: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
            let y = f(arm, &inputs);
            let c = draw(&format!("{name}c"), y.dims(), dtype);
            let grads = (&y * c).unwrap().sum_all().unwrap().backward().unwrap();
            let mut out = vec![y.detach()];
            out.extend(vars.iter().map(|v| grads.get(v).unwrap().clone()));
            out
        };
        for (i, (ours, candle)) in
            run(Arm::Ours, dtype).iter().zip(run(Arm::Candle, DType::F64)).enumerate()
        {
            let d = distance(ours, &candle);
            assert!(d < tolerance, "{name} {dtype:?} result {i}: {d}");
        }
    }
}

#[test]
fn convolutions() {
    for (side, k, stride, padding) in [(6, 3, 1, 1), (8, 4, 2, 1), (5, 1, 1, 0), (7, 3, 2, 1)] {
        for (c, o) in [(2, 5), (16, 8)] {
            let x = [3, c, side, side];
            compare(&format!("conv{k}s{stride}"), &[&x, &[o, c, k, k]], |arm, t| {
                mapped(arm, &t[0], |x| ops::conv2d(x, &t[1], stride, padding, Finish::Linear))
            });
        }
    }
    for (side, k, stride, padding) in [(3, 4, 2, 1), (4, 4, 2, 1), (5, 3, 1, 1)] {
        for (c, o) in [(4, 3), (8, 16)] {
            let x = [2, c, side, side];
            compare(&format!("deconv{k}s{stride}"), &[&x, &[c, o, k, k]], |arm, t| {
                mapped(arm, &t[0], |x| {
                    ops::conv_transpose2d(x, &t[1], stride, padding, Finish::Linear)
                })
            });
        }
    }
}

#[test]
fn weights_divided_by_functions_of_themselves() {
    for shape in [[6, 4, 3, 3], [3, 5, 4, 4]] {
        let dtype_of = |t: &Tensor, x: Tensor| x.to_dtype(t.dtype()).unwrap();
        let unit = |t: &Tensor, name: &str, n: usize| {
            let x = draw(name, &[n], DType::F64);
            let length = x.sqr().unwrap().sum_all().unwrap().sqrt().unwrap();
            dtype_of(t, x.broadcast_div(&length).unwrap())
        };
        compare("bidirectional", &[&shape], |arm, t| {
            let (u, p) = (unit(&t[0], "u", shape[0]), unit(&t[0], "p", shape[1]));
            let first = ops::power_iteration(arm, &t[0], &u, true, 0.0).unwrap();
            let second = ops::power_iteration_of_inputs(arm, &t[0], &p, true, 0.0).unwrap();
            let m = ops::mean_direction(arm, &t[0], &first, &second).unwrap();
            ops::divide_by_product(arm, &t[0], &m).unwrap()
        });
        for bound in [0.5, 100.0] {
            compare("stable-rank", &[&shape], |arm, t| {
                let u = unit(&t[0], "u", shape[0]);
                let singular = ops::power_iteration(arm, &t[0], &u, true, 0.0).unwrap();
                ops::bound_stable_rank(arm, &t[0], &singular, bound).unwrap()
            });
        }
    }
}

#[test]
fn layers_in_a_row_with_bias_and_activation() {
    // The second layer's gradient goes through the first one's activation.
    for activation in ACTIVATIONS {
        let shapes: [&[usize]; 5] = [&[3, 2, 8, 8], &[8, 2, 3, 3], &[8], &[5, 8, 4, 4], &[5]];
        compare(&format!("row{activation:?}"), &shapes, |arm, t| {
            mapped(arm, &t[0], |x| {
                let x =
                    ops::conv2d(x, &t[1], 1, 1, Finish::BiasActivation(&t[2], activation)).unwrap();
                ops::conv2d(&x, &t[3], 2, 1, Finish::BiasActivation(&t[4], activation))
            })
        });
    }
}

#[test]
fn one_map_for_two_consumers() {
    compare("twice", &[&[2, 3, 6, 6], &[4, 3, 3, 3], &[4], &[2, 4, 3, 3], &[2]], |arm, t| {
        let x = FeatureMap::of(arm, &t[0]).unwrap();
        let y = ops::conv2d(&x, &t[1], 1, 1, Finish::BiasActivation(&t[2], LEAKY)).unwrap();
        let z = ops::conv2d(&y, &t[3], 1, 1, Finish::BiasActivation(&t[4], LEAKY)).unwrap();
        Tensor::cat(&[y.to_tensor().unwrap(), z.to_tensor().unwrap()], 1).unwrap()
    });
}

#[test]
fn tangents() {
    for activation in KINKED {
        compare("tangent", &[&[2, 3, 6, 6], &[4, 3, 3, 3], &[2, 4, 3, 3]], |arm, t| {
            let primal = |n: usize| {
                FeatureMap::of(arm, &draw(&format!("primal{n}"), &[2, n, 6, 6], t[0].dtype()))
                    .unwrap()
            };
            mapped(arm, &t[0], |x| {
                let x =
                    ops::conv2d(x, &t[1], 1, 1, Finish::Tangent(&primal(4), activation)).unwrap();
                ops::conv2d(&x, &t[2], 1, 1, Finish::Tangent(&primal(2), activation))
            })
        });
    }
}

#[test]
fn dense_head_and_mean() {
    compare("dense", &[&[4, 7], &[3, 7], &[3]], |arm, t| {
        ops::dense(arm, &t[0], &t[1], &t[2]).unwrap()
    });
    compare("head", &[&[4, 3, 2, 2], &[1, 12], &[1]], |arm, t| {
        ops::head(&FeatureMap::of(arm, &t[0]).unwrap(), &t[1], Some(&t[2])).unwrap()
    });
    compare("mean", &[&[4, 3, 2, 2]], |arm, t| {
        ops::mean_pool(&FeatureMap::of(arm, &t[0]).unwrap()).unwrap()
    });
}

#[test]
fn pooling_appending_and_adding() {
    compare("average", &[&[3, 5, 4, 6]], |arm, t| mapped(arm, &t[0], ops::average_pool));
    compare("sum", &[&[4, 3, 2, 2]], |arm, t| {
        ops::sum_pool(&FeatureMap::of(arm, &t[0]).unwrap()).unwrap()
    });
    compare("append", &[&[3, 5, 4, 6], &[3, 2]], |arm, t| {
        mapped(arm, &t[0], |x| ops::append(x, &t[1]))
    });
    compare("add", &[&[3, 5, 4, 6], &[3, 5, 4, 6]], |arm, t| {
        mapped(arm, &t[0], |x| {
            ops::add(&ops::activation(x, LEAKY).unwrap(), &FeatureMap::of(arm, &t[1]).unwrap())
        })
    });
    compare("mask", &[&[3, 5, 4, 6]], |arm, t| {
        let of = FeatureMap::of(arm, &draw("of", &[3, 5, 4, 6], t[0].dtype())).unwrap();
        mapped(arm, &t[0], |x| ops::mask(x, &of, LEAKY))
    });
}

#[test]
fn operations_refuse_maps_that_do_not_fit() {
    for arm in [Arm::Ours, Arm::Candle] {
        let map = |shape: &[usize]| FeatureMap::of(arm, &draw("x", shape, DType::F32)).unwrap();
        assert!(ops::average_pool(&map(&[1, 2, 3, 4])).is_err());
        assert!(ops::add(&map(&[1, 2, 4, 4]), &map(&[1, 3, 4, 4])).is_err());
        assert!(ops::append(&map(&[2, 2, 4, 4]), &draw("e", &[3, 2], DType::F32)).is_err());
        let (gamma, beta) = (draw("gamma", &[3, 2], DType::F32), draw("beta", &[2], DType::F32));
        assert!(
            ops::batch_norm(&map(&[3, 2, 4, 4]), Some(&gamma), &beta, 2e-5, Activation::Identity)
                .is_err()
        );
    }
}

#[test]
fn pointwise_functions() {
    compare("tanh", &[&[2, 3, 4, 4]], |arm, t| mapped(arm, &t[0], ops::tanh));
    for activation in ACTIVATIONS {
        compare("activation", &[&[2, 3, 4, 4]], |arm, t| {
            mapped(arm, &t[0], |x| ops::activation(x, activation))
        });
    }
}

#[test]
fn normalizations() {
    for activation in ACTIVATIONS {
        compare("bn", &[&[3, 2, 4, 4], &[2], &[2]], |arm, t| {
            mapped(arm, &t[0], |x| Ok(ops::batch_norm(x, Some(&t[1]), &t[2], 2e-5, activation)?.0))
        });
        compare("conditional-bn", &[&[3, 2, 4, 4], &[3, 2], &[3, 2]], |arm, t| {
            mapped(arm, &t[0], |x| Ok(ops::batch_norm(x, Some(&t[1]), &t[2], 2e-5, activation)?.0))
        });
        compare("bn-no-gamma", &[&[3, 2, 4, 4], &[2]], |arm, t| {
            mapped(arm, &t[0], |x| Ok(ops::batch_norm(x, None, &t[1], 2e-5, activation)?.0))
        });
        compare("ln", &[&[3, 2, 4, 4], &[2]], |arm, t| {
            mapped(arm, &t[0], |x| ops::layer_norm(x, &t[1], 2e-5, activation))
        });
    }
    let x = draw("x", &[3, 2, 4, 4], DType::F64);
    let (gamma, beta) = (draw("gamma", &[2], DType::F64), draw("beta", &[2], DType::F64));
    let of = |arm, gamma: &Tensor, beta: &Tensor| {
        let (y, mean, var) =
            ops::batch_norm(&FeatureMap::of(arm, &x).unwrap(), Some(gamma), beta, 2e-5, LEAKY)
                .unwrap();
        // The batch's own statistics, given: the same.
        let again = ops::batch_norm_with(
            &FeatureMap::of(arm, &x).unwrap(),
            gamma,
            beta,
            [&mean, &var],
            2e-5,
            LEAKY,
        )
        .unwrap();
        assert!(distance(&again.to_tensor().unwrap(), &y.to_tensor().unwrap()) < F64_ROUNDING);
        (mean, var)
    };
    let (ours, candle) = (of(Arm::Ours, &gamma, &beta), of(Arm::Candle, &gamma, &beta));
    for arm in [Arm::Ours, Arm::Candle] {
        of(arm, &draw("gammas", &[3, 2], DType::F64), &draw("betas", &[3, 2], DType::F64));
    }
    assert!(
        distance(&ours.0, &candle.0) < F64_ROUNDING && distance(&ours.1, &candle.1) < F64_ROUNDING
    );
}

#[test]
fn the_derivative_at_zero_is_the_slope() {
    for arm in [Arm::Ours, Arm::Candle] {
        let x = Var::from_tensor(
            &Tensor::zeros((1, 1, 1, 2), DType::F64, &candle_core::Device::Cpu).unwrap(),
        )
        .unwrap();
        let y = mapped(arm, x.as_tensor(), |x| ops::activation(x, LEAKY));
        let grads = y.sum_all().unwrap().backward().unwrap();
        assert_eq!(
            grads.get(&x).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap(),
            [0.1, 0.1],
            "{arm:?}"
        );
    }
}
