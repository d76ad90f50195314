//! The trap in Candle's autograd that would change a penalty's gradient without an error.

use crate::support::{check_gradient, draw, scalar, tiny};
use candle_core::{DType, Var};
use sngan_core::model::{Discriminator, Parameters, Place, TensorSource};
use sngan_core::norm::Iterate;
use sngan_core::regularizer::gradient_penalty::{self, Target};
use sngan_experiment::method::Method;
use sngan_tensor::rng::Streams;

/// Candle's `backward` detaches the gradients that it returns, so a penalty on them, written naively, trains the first layer alone.
#[test]
fn the_penaltys_gradient_in_the_parameters_is_not_lost() {
    let place = Place::oracle();
    let spec = tiny(Method::WganGp);
    let mut d = Discriminator::new(&spec, &TensorSource::fresh(Streams::new(3), &place)).unwrap();
    for (name, var) in d.vars() {
        var.set(&(draw(&name, var.dims(), DType::F64) * 0.4).unwrap()).unwrap();
    }
    let weights = d.weights(Parameters::Tracked, Iterate::Frozen).unwrap();
    let x_hat = draw("x̂", &[3, 3, 8, 8], DType::F64);
    let value = |d: &Discriminator| {
        let weights = d.clone().weights(Parameters::Tracked, Iterate::Frozen).unwrap();
        gradient_penalty::penalty(d, &weights, &x_hat, None, spec.penalty_lambda, Target::One)
            .unwrap()
            .value
    };
    let grads =
        gradient_penalty::penalty(&d, &weights, &x_hat, None, spec.penalty_lambda, Target::One)
            .unwrap()
            .surrogate
            .backward()
            .unwrap();

    let x = Var::from_tensor(&x_hat).unwrap();
    let g = d
        .forward(&weights, x.as_tensor(), None)
        .unwrap()
        .outputs
        .sum_all()
        .unwrap()
        .backward()
        .unwrap();
    let norms =
        g.get(&x).unwrap().sqr().unwrap().flatten_from(1).unwrap().sum(1).unwrap().sqrt().unwrap();
    let naive = (norms - 1.0).unwrap().sqr().unwrap().mean_all().unwrap();
    assert!(
        (scalar(&naive) * spec.penalty_lambda - value(&d)).abs() < 1e-9 * value(&d),
        "the same value"
    );
    let naive = naive.backward().unwrap();

    for (name, var) in d.vars().into_iter().filter(|(name, _)| name.ends_with("weight")) {
        let grad = grads.get(&var).unwrap();
        assert!(scalar(&grad.abs().unwrap().max_all().unwrap()) > 1e-3, "{name}");
        check_gradient(&name, &var, grad, || value(&d));
        // The last step to the image is still in the graph, so the first layer alone would be trained.
        let lost = naive.get(&var).is_none();
        assert_eq!(
            lost,
            !name.contains("conv0"),
            "{name}: Candle now differentiates twice; gradient_penalty.rs may become simpler"
        );
    }
}
