//! Every architecture with every way that labels enter: gradients, both arms, and one update of each method.

use crate::support::{
    CLASSES, F32_ROUNDING, check_gradient, distance, draw, images, scalar, smallest,
};
use candle_core::{DType, Device, Tensor, Var};
use sngan_core::loss;
use sngan_core::model::{Discriminator, Generator, Labels, Mode, Parameters, Place, TensorSource};
use sngan_core::norm::Iterate;
use sngan_core::regularizer::gradient_penalty::{self, Target};
use sngan_core::trainer::Trainer;
use sngan_experiment::arch::{Architecture, Conditioning};
use sngan_experiment::method::{Method, Normalization, Regularizer};
use sngan_experiment::{Dataset, RunSpec};
use sngan_tensor::rng::Streams;

const WAYS: [Conditioning; 4] =
    [Conditioning::None, Conditioning::Concat, Conditioning::Projection, Conditioning::AcGan];
/// A bias before batch normalization has gradient 0; what is left of it is rounding.
const ZERO: f64 = 1e-11;
const IMAGES: usize = 3;

fn labels(spec: &RunSpec, place: &Place) -> Option<Labels> {
    (spec.n_classes > 0).then(|| Labels::new(vec![2, 0, 2], CLASSES, place).unwrap())
}

/// Weights of a size at which every path carries signal.
fn set(vars: Vec<(String, Var)>, dtype: DType) {
    for (name, var) in vars {
        let draws = draw(&name, var.dims(), dtype);
        let values =
            if name.ends_with("gamma") { (draws * 0.2).unwrap() + 1.2 } else { draws * 0.4 };
        var.set(&values.unwrap()).unwrap();
    }
}

fn weigh(t: &Tensor, c: &[f64]) -> Tensor {
    let c = Tensor::from_slice(c, t.dims(), t.device()).unwrap().to_dtype(t.dtype()).unwrap();
    (t * c).unwrap().sum_all().unwrap()
}

fn host(t: &Tensor) -> Vec<f64> {
    t.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// D's loss on one batch with the classifier's and the penalty: its value, and the scalar whose gradient is the loss's.
fn d_loss(spec: &RunSpec, d: &Discriminator, place: &Place) -> (f64, Tensor) {
    let x = draw("x", &[IMAGES, 3, spec.side, spec.side], place.dtype);
    let labels = labels(spec, place);
    let weights = d.clone().weights(Parameters::Tracked, Iterate::Frozen).unwrap();
    let trace = d.forward(&weights, &x, labels.as_ref()).unwrap();
    let real = loss::discriminator_real(spec.loss, &host(&trace.outputs));
    let (mut value, mut total) = (real.value, weigh(&trace.outputs, &real.grad));
    if let (Some(logits), Some(labels)) = (&trace.logits, &labels) {
        let class = loss::cross_entropy(&host(logits), labels.classes());
        value += class.value;
        total = (total + weigh(logits, &class.grad)).unwrap();
    }
    if spec.regularizer == Regularizer::GradientPenalty {
        let p = gradient_penalty::penalty(
            d,
            &weights,
            &x,
            labels.as_ref(),
            spec.penalty_lambda,
            Target::One,
        )
        .unwrap();
        value += p.value;
        total = (total + p.surrogate).unwrap();
    }
    (value, total)
}

/// Method and normalization by network, so that each of them meets each kind of layer somewhere.
fn d_cases() -> Vec<RunSpec> {
    let gp = |normalization, architecture, way| RunSpec {
        normalization,
        ..smallest(Method::WganGp, architecture, way)
    };
    use {Architecture as A, Conditioning as C, Normalization as N};
    vec![
        gp(N::Spectral, A::ResnetCifar10, C::Projection),
        gp(N::Weight, A::ResnetCifar10, C::Concat),
        gp(N::None, A::ResnetGulrajani, C::AcGan),
        RunSpec { gamma: true, ..gp(N::Spectral, A::ResnetGulrajani, C::None) },
        gp(N::Frobenius, A::StandardCnn, C::Concat),
        gp(N::Spectral, A::StandardCnnCgl, C::Projection),
        smallest(Method::BatchNorm, A::ResnetCifar10, C::Projection),
        smallest(Method::LayerNorm, A::ResnetStl10, C::Concat),
        gp(N::Spectral, A::ResnetStl10, C::None),
    ]
}

fn case_name(spec: &RunSpec) -> String {
    format!(
        "{:?} {:?} {:?} {:?}",
        spec.method, spec.normalization, spec.architecture, spec.conditioning
    )
}

#[test]
fn discriminators_gradients_match_finite_differences() {
    let place = Place::oracle();
    for spec in d_cases() {
        let d = Discriminator::new(&spec, &TensorSource::fresh(Streams::new(3), &place)).unwrap();
        set(d.vars(), place.dtype);
        let grads = d_loss(&spec, &d, &place).1.backward().unwrap();
        let mut nonzero = 0;
        for (name, var) in d.vars() {
            let zeros = var.zeros_like().unwrap();
            let grad = grads.get(&var).unwrap_or(&zeros);
            nonzero += usize::from(distance(grad, &zeros) > 1e-6);
            check_gradient(&format!("{} {name}", case_name(&spec)), &var, grad, || {
                d_loss(&spec, &d, &place).0
            });
        }
        assert!(
            nonzero >= d.layers.len(),
            "{}: only {nonzero} parameters have a gradient",
            case_name(&spec)
        );
    }
}

/// G's images in training mode, weighed.
fn g_value(spec: &RunSpec, g: &mut Generator, place: &Place) -> Tensor {
    let z = draw("z", &[IMAGES, 128], place.dtype);
    let images =
        g.forward(&z, labels(spec, place).as_ref(), Parameters::Tracked, Mode::Train).unwrap();
    // A sum of size 1, as the finite differences' tolerance has it.
    let c = (draw("c", images.dims(), place.dtype) * 0.05).unwrap();
    (images * c).unwrap().sum_all().unwrap()
}

#[test]
fn generators_gradients_match_finite_differences() {
    let place = Place::oracle();
    let cases = [
        (Architecture::ResnetCifar10, Conditioning::Projection),
        (Architecture::ResnetStl10, Conditioning::None),
        (Architecture::StandardCnnCgl, Conditioning::Concat),
    ];
    for (architecture, way) in cases {
        let spec = smallest(Method::Sn, architecture, way);
        let mut g = Generator::new(&spec, &TensorSource::fresh(Streams::new(3), &place)).unwrap();
        set(g.vars(), place.dtype);
        let grads = g_value(&spec, &mut g, &place).backward().unwrap();
        for (name, var) in g.vars() {
            let grad = grads.get(&var).unwrap().clone();
            let cell = std::cell::RefCell::new(&mut g);
            check_gradient(&format!("{} {name}", case_name(&spec)), &var, &grad, || {
                scalar(&g_value(&spec, &mut cell.borrow_mut(), &place))
            });
        }
    }
}

#[test]
fn our_arm_gives_candles_outputs_and_gradients() {
    let (ours, oracle) = (Place::new(&Device::Cpu), Place::oracle());
    for architecture in Architecture::ALL {
        for way in WAYS {
            let spec = RunSpec {
                normalization: Normalization::Spectral,
                ..smallest(Method::WganGp, architecture, way)
            };
            let networks = [&ours, &oracle].map(|place| {
                let d = Discriminator::new(&spec, &TensorSource::fresh(Streams::new(3), place))
                    .unwrap();
                let mut g =
                    Generator::new(&spec, &TensorSource::fresh(Streams::new(3), place)).unwrap();
                set(d.vars().into_iter().chain(g.vars()).collect(), place.dtype);
                let grads = [
                    d_loss(&spec, &d, place).1.backward().unwrap(),
                    g_value(&spec, &mut g, place).backward().unwrap(),
                ];
                let d_grads: Vec<_> = d
                    .vars()
                    .into_iter()
                    .map(|(name, v)| (name, grads[0].get(&v).cloned()))
                    .collect();
                let g_grads =
                    g.vars().into_iter().map(|(name, v)| (name, grads[1].get(&v).cloned()));
                (d_loss(&spec, &d, place).0, d_grads.into_iter().chain(g_grads).collect::<Vec<_>>())
            });
            let [(a, ours), (b, oracle)] = networks;
            assert!(
                (a - b).abs() < 50.0 * F32_ROUNDING * b.abs().max(1.0),
                "{}: {a} {b}",
                case_name(&spec)
            );
            for ((name, x), (_, y)) in ours.into_iter().zip(oracle) {
                let (Some(x), Some(y)) = (x, y) else { continue };
                if host(&y).iter().all(|g| g.abs() < ZERO) {
                    continue;
                }
                // Chained layers add their rounding, and the penalty divides by a gradient's norm.
                assert!(
                    distance(&x, &y) < 100.0 * F32_ROUNDING,
                    "{} {name}: {}",
                    case_name(&spec),
                    distance(&x, &y)
                );
            }
        }
    }
}

/// Each method × architecture × way takes an update whose losses are finite, and trains every parameter that can have a gradient.
#[test]
fn every_method_trains_every_network_with_every_kind_of_label() {
    let place = Place::new(&Device::Cpu);
    for architecture in Architecture::ALL {
        let images = images(5, architecture.side_multiple());
        for way in WAYS {
            for method in Method::ALL {
                let spec = RunSpec {
                    n_dis: 1,
                    batch: 2,
                    gen_batch: 2,
                    ..smallest(method, architecture, way)
                };
                let mut trainer = Trainer::new(&spec, &images, &place).unwrap();
                let before = trainer.state().unwrap();
                let before: Vec<_> =
                    before.into_iter().map(|(k, t)| (k, t.copy().unwrap())).collect();
                let update = trainer.update(true).unwrap();
                assert_eq!(update.not_finite(), None, "{}", case_name(&spec));
                assert_eq!(trainer.not_finite().unwrap(), None, "{}", case_name(&spec));
                assert_eq!(update.loss_class_d.is_some(), way == Conditioning::AcGan);
                let after = trainer.state().unwrap();
                let weights = before
                    .iter()
                    .filter(|(k, _)| k.ends_with(".weight") && !k.starts_with("adam."));
                for (name, t) in weights {
                    assert!(distance(&after[name], t) > 0.0, "{}: {name} stays", case_name(&spec));
                }
            }
        }
    }
}

/// Each method × architecture × data set takes an update at the data set's own side; ImageNet, which is packed at any, at 32 and at the sides
/// that the networks made for it have.
#[test]
fn every_method_trains_every_network_on_every_data_set() {
    let place = Place::new(&Device::Cpu);
    let mut updates = 0;
    let sides = [
        (Dataset::FashionMnist, 16),
        (Dataset::Cifar10, 32),
        (Dataset::Stl10, 48),
        (Dataset::ImageNet, 32),
        (Dataset::ImageNet, 64),
        (Dataset::ImageNet, 128),
    ];
    for (dataset, side) in sides {
        let images = images(5, side);
        let fits = |a: &Architecture| match side {
            64 => *a == Architecture::Resnet64,
            128 => *a == Architecture::ResnetImagenet,
            _ => side.is_multiple_of(a.side_multiple()),
        };
        for architecture in Architecture::ALL.into_iter().filter(fits) {
            for method in Method::ALL {
                let spec = RunSpec {
                    dataset,
                    side,
                    n_dis: 1,
                    batch: 2,
                    gen_batch: 2,
                    ..smallest(method, architecture, Conditioning::None)
                };
                let mut trainer = Trainer::new(&spec, &images, &place).unwrap();
                assert_eq!(
                    trainer.update(false).unwrap().not_finite(),
                    None,
                    "{} on {}",
                    case_name(&spec),
                    dataset.name()
                );
                updates += 1;
            }
        }
    }
    // Of 28 pairs those whose architecture halves the side too often are left out.
    assert_eq!(updates, Method::ALL.len() * (5 + 7 + 5 + 7 + 1 + 1));
}

#[test]
fn labels_change_what_conditional_networks_make() {
    let place = Place::new(&Device::Cpu);
    for way in [Conditioning::Concat, Conditioning::Projection] {
        let spec = smallest(Method::Sn, Architecture::ResnetCifar10, way);
        let mut d =
            Discriminator::new(&spec, &TensorSource::fresh(Streams::new(3), &place)).unwrap();
        let mut g = Generator::new(&spec, &TensorSource::fresh(Streams::new(3), &place)).unwrap();
        set(d.vars().into_iter().chain(g.vars()).collect(), place.dtype);
        let weights = d.weights(Parameters::Frozen, Iterate::Frozen).unwrap();
        let (x, z) = (draw("x", &[1, 3, 8, 8], DType::F32), draw("z", &[1, 128], DType::F32));
        let of = |class| Labels::new(vec![class], CLASSES, &place).unwrap();
        let outputs = [0, 1].map(|c| host(&d.forward(&weights, &x, Some(&of(c))).unwrap().outputs));
        assert_ne!(outputs[0], outputs[1]);
        let images = [0, 1]
            .map(|c| host(&g.forward(&z, Some(&of(c)), Parameters::Frozen, Mode::Eval).unwrap()));
        assert_ne!(images[0], images[1]);
        assert!(d.forward(&weights, &x, None).unwrap_err().to_string().contains("labels"));
        assert!(
            g.forward(&z, None, Parameters::Frozen, Mode::Eval)
                .unwrap_err()
                .to_string()
                .contains("labels")
        );
        assert!(Labels::new(vec![3], CLASSES, &place).is_err());
    }
}

#[test]
fn images_of_other_classes_are_refused() {
    let spec = RunSpec {
        n_classes: 4,
        ..smallest(Method::Sn, Architecture::ResnetCifar10, Conditioning::Projection)
    };
    let refused =
        Trainer::new(&spec, &images(5, 8), &Place::new(&Device::Cpu)).err().unwrap().to_string();
    assert!(refused.contains("3 classes"), "{refused}");
}
