//! Every operation with a backward pass of its own against finite differences in f64, and the trap in Candle's autograd that would change
//! a result without an error.

use crate::support::{KINKED, LEAKY, check_gradient, draw, layer, scalar};
use candle_core::{DType, Tensor, Var};
use sngan_tensor::ops::{self, Activation, Arm, FeatureMap, Finish};

/// Both arms' gradients of Σ c·f(inputs) in every input.
fn check(name: &str, shapes: &[&[usize]], f: impl Fn(Arm, &[Tensor]) -> Tensor) {
    for arm in [Arm::Ours, Arm::Candle] {
        let draw = |(i, shape): (usize, &&[usize])| {
            Var::from_tensor(&draw(&format!("{name}{i}"), shape, DType::F64)).unwrap()
        };
        let vars: Vec<Var> = shapes.iter().enumerate().map(draw).collect();
        let value = || {
            let y = f(arm, &vars.iter().map(|v| v.as_tensor().clone()).collect::<Vec<_>>());
            (&y * crate::support::draw(&format!("{name}c"), y.dims(), DType::F64))
                .unwrap()
                .sum_all()
                .unwrap()
        };
        let grads = value().backward().unwrap();
        for (i, var) in vars.iter().enumerate() {
            check_gradient(
                &format!("{name} {arm:?} input {i}"),
                var,
                grads.get(var).unwrap(),
                || scalar(&value()),
            );
        }
    }
}

#[test]
fn convolutions_and_dense() {
    check("conv3", &[&[2, 2, 5, 5], &[3, 2, 3, 3]], |arm, t| layer::conv(arm, &t[0], &t[1], 1));
    check("conv4", &[&[2, 2, 6, 6], &[3, 2, 4, 4]], |arm, t| layer::conv(arm, &t[0], &t[1], 2));
    check("conv1", &[&[2, 2, 3, 3], &[3, 2, 1, 1]], |arm, t| layer::conv(arm, &t[0], &t[1], 1));
    check("deconv4", &[&[2, 3, 3, 3], &[3, 2, 4, 4]], |arm, t| layer::deconv(arm, &t[0], &t[1]));
    check("dense", &[&[3, 5], &[2, 5], &[2]], |arm, t| layer::dense(arm, &t[0], &t[1], &t[2]));
}

#[test]
fn activations_and_normalizations() {
    for activation in KINKED {
        check("bias-activation", &[&[2, 3, 4, 4], &[3]], |arm, t| {
            layer::bias_activation(arm, &t[0], &t[1], activation)
        });
        check("activation", &[&[2, 3, 4, 4]], |arm, t| layer::activation(arm, &t[0], activation));
    }
    check("tanh", &[&[2, 3, 2, 2]], |arm, t| layer::tanh(arm, &t[0]));
    check("batch-norm", &[&[3, 2, 3, 3], &[2], &[2]], |arm, t| {
        layer::batch_norm(arm, &t[0], &t[1], &t[2])
    });
    check("conditional-batch-norm", &[&[3, 2, 3, 3], &[3, 2], &[3, 2]], |arm, t| {
        layer::batch_norm(arm, &t[0], &t[1], &t[2])
    });
    check("layer-norm", &[&[3, 2, 3, 3], &[2]], |arm, t| layer::layer_norm(arm, &t[0], &t[1]));
}

#[test]
fn pooling_and_appended_features() {
    check("average-pool", &[&[2, 3, 4, 6]], |arm, t| layer::mapped(arm, &t[0], ops::average_pool));
    check("sum-pool", &[&[2, 3, 4, 2]], |arm, t| {
        ops::sum_pool(&FeatureMap::of(arm, &t[0]).unwrap()).unwrap()
    });
    check("append", &[&[2, 3, 2, 2], &[2, 4]], |arm, t| {
        layer::mapped(arm, &t[0], |x| ops::append(x, &t[1]))
    });
    check("product", &[&[3, 5], &[2, 5]], |arm, t| ops::product(arm, &t[0], &t[1]).unwrap());
    check("mask", &[&[2, 3, 2, 2]], |arm, t| {
        let of = FeatureMap::of(arm, &draw("of", &[2, 3, 2, 2], DType::F64)).unwrap();
        layer::mapped(arm, &t[0], |x| ops::mask(x, &of, LEAKY))
    });
}

#[test]
fn a_weight_divided_by_its_product_with_a_constant() {
    let m = draw("m", &[3, 2, 3, 3], DType::F64);
    check("quotient", &[&[3, 2, 3, 3]], |arm, t| ops::divide_by_product(arm, &t[0], &m).unwrap());
}

/// A block of D: the map before its ReLU goes to both branches.
#[test]
fn a_residual_block_that_pools_on_both_branches() {
    check(
        "down-block",
        &[&[2, 2, 4, 4], &[3, 2, 3, 3], &[3, 2, 1, 1], &[2], &[2, 2, 1, 1]],
        |arm, t| {
            layer::mapped(arm, &t[0], |x| {
                let x = ops::conv2d(x, &t[4], 1, 0, Finish::BiasActivation(&t[3], LEAKY))?;
                let residual = ops::average_pool(&ops::conv2d(
                    &ops::activation(&x, Activation::Relu)?,
                    &t[1],
                    1,
                    1,
                    Finish::Linear,
                )?)?;
                ops::add(
                    &residual,
                    &ops::average_pool(&ops::conv2d(&x, &t[2], 1, 0, Finish::Linear)?)?,
                )
            })
        },
    );
}

/// Candle's `upsample_nearest2d` overwrites the gradient that its input already has, which is wrong in exactly this block.
#[test]
fn a_residual_block_that_upsamples_on_both_branches() {
    check("upsample", &[&[2, 2, 3, 2]], |arm, t| layer::upsample(arm, &t[0]));
    check("up-block", &[&[2, 2, 3, 3], &[2, 2, 3, 3]], |arm, t| {
        // Either order of the branches, for the mistake depends on which gradient arrives last.
        let (shortcut, residual) =
            (layer::upsample(arm, &t[0]), layer::conv(arm, &layer::upsample(arm, &t[0]), &t[1], 1));
        let scaled = (&t[0] * 0.5).unwrap();
        let one = (&shortcut + &residual).unwrap();
        let other = (layer::upsample(arm, &(&t[0] + &scaled).unwrap()) + one).unwrap();
        (other * layer::upsample(arm, &t[0])).unwrap()
    });
}
