use crate::support::{F32_ROUNDING, F64_ROUNDING, check_gradient, distance, draw, tiny};
use candle_core::{DType, Tensor, Var};
use sngan_core::loss;
use sngan_core::model::{Discriminator, Parameters, Place, TensorSource, Weights};
use sngan_core::norm::{GradientNorm, Iterate};
use sngan_core::regularizer::dragan;
use sngan_core::regularizer::gradient_penalty::{self, Target};
use sngan_core::regularizer::orthonormal;
use sngan_experiment::arch::Conditioning;
use sngan_experiment::method::{Method, Normalization, Regularizer};
use sngan_experiment::{RunSpec, WidthCorrection};
use sngan_tensor::rng::Streams;

/// Larger weights and γ than the initial ones, so that every path carries signal.
fn network(spec: &RunSpec, place: &Place) -> Discriminator {
    let d = Discriminator::new(spec, &TensorSource::fresh(Streams::new(3), place)).unwrap();
    for (name, var) in d.vars() {
        let draws = draw(&name, var.dims(), place.dtype);
        let corrected =
            d.layers.iter().find(|l| name == format!("discriminator.{}.weight", l.spec.name));
        let factor = corrected.map_or(1.0, |l| l.correction.forward);
        let values = if name.ends_with("gamma") {
            (draws * 0.2).unwrap() + 1.2
        } else {
            draws * (0.4 / factor)
        };
        var.set(&values.unwrap()).unwrap();
    }
    d
}

fn host(t: &Tensor) -> Vec<f64> {
    t.to_dtype(DType::F64).unwrap().to_vec1().unwrap()
}

/// The penalty of the spec's regularizer; `None` where it has none.
fn penalty(
    spec: &RunSpec,
    d: &Discriminator,
    weights: &Weights,
    [real, fake]: [&Tensor; 2],
) -> Option<gradient_penalty::Penalty> {
    let of = |values: &[f64]| {
        Tensor::new(values, real.device()).unwrap().to_dtype(real.dtype()).unwrap()
    };
    let epsilon = of(&[0.2, 0.5, 0.9]);
    let between = || gradient_penalty::interpolate(real, fake, &epsilon).unwrap();
    let around = || {
        let noise = draw("noise", real.dims(), real.dtype()).abs().unwrap();
        dragan::around(real, &epsilon, &noise).unwrap()
    };
    let both = || Tensor::cat(&[real, fake], 0).unwrap();
    let lambda = spec.penalty_lambda;
    let (at, lambda, target) = match spec.regularizer {
        Regularizer::GradientPenalty => (between(), lambda, Target::One),
        Regularizer::R1 => (real.clone(), lambda / 2.0, Target::Zero),
        Regularizer::R1R2 => (both(), lambda, Target::Zero),
        Regularizer::ZeroPenalty => (between(), lambda, Target::Zero),
        Regularizer::Dragan => (around(), lambda, Target::One),
        Regularizer::None
        | Regularizer::WeightClipping
        | Regularizer::Orthonormal
        | Regularizer::StaticSpectrum => return None,
    };
    Some(gradient_penalty::penalty(d, weights, &at, None, lambda, target).unwrap())
}

/// D's whole loss: its value, and the scalar whose gradient is the loss's.
fn loss(spec: &RunSpec, d: &Discriminator, place: &Place) -> (f64, Tensor) {
    let mut d = d.clone();
    let [real, fake] = ["real", "fake"].map(|n| draw(n, &[3, 3, 8, 8], place.dtype));
    let weights = d.weights(Parameters::Tracked, Iterate::Frozen).unwrap();
    let weigh = |t: &Tensor, c: &[f64]| {
        let c = Tensor::from_slice(c, c.len(), t.device()).unwrap().to_dtype(t.dtype()).unwrap();
        (t * c).unwrap().sum_all().unwrap()
    };
    let (mut value, mut total) = if spec.normalization == Normalization::Gradient {
        let both = Tensor::cat(&[&real, &fake], 0).unwrap();
        let norm = GradientNorm::at(&d, &weights, &both, None).unwrap();
        let outputs = norm.outputs();
        let loss = loss::discriminator(spec.loss, &outputs[..3], &outputs[3..]);
        let c = [loss.real, loss.fake].concat();
        (loss.value, norm.in_weights(&d, &weights, &c).unwrap())
    } else {
        let (r, f) = (
            d.forward(&weights, &real, None).unwrap().outputs,
            d.forward(&weights, &fake, None).unwrap().outputs,
        );
        let loss = loss::discriminator(spec.loss, &host(&r), &host(&f));
        (loss.value, (weigh(&r, &loss.real) + weigh(&f, &loss.fake)).unwrap())
    };
    if let Some(p) = penalty(spec, &d, &weights, [&real, &fake]) {
        value += p.value;
        total = (total + p.surrogate).unwrap();
    }
    if spec.regularizer == Regularizer::Orthonormal {
        let p = orthonormal::penalty(&d, place.arm, spec.orthonormal_coefficient).unwrap();
        value += p.value;
        total = (total + p.surrogate).unwrap();
    }
    (value, total)
}

/// Every method, and the penalty with every weight normalization, with and without γ.
fn cases() -> Vec<RunSpec> {
    let mut cases: Vec<RunSpec> = Method::ALL.into_iter().map(tiny).collect();
    cases.push(RunSpec { weight_scale: 1.5, ..tiny(Method::Bsn) });
    for normalization in [Normalization::Spectral, Normalization::Weight, Normalization::Frobenius]
    {
        for gamma in [false, true] {
            for method in [Method::WganGp, Method::GanGp] {
                cases.push(RunSpec { normalization, gamma, ..tiny(method) });
            }
        }
    }
    let corrected =
        |method| RunSpec { width_correction: WidthCorrection::Multiplier, ..tiny(method) };
    cases
        .extend([Method::WganGp, Method::GanGp, Method::Vanilla, Method::BatchNorm].map(corrected));
    cases
}

#[test]
fn every_methods_gradient_matches_finite_differences() {
    let place = Place::oracle();
    // Where the stable rank's bound acts, its gradient holds v constant, which differences cannot: normalization.rs holds it for both.
    for spec in cases().into_iter().filter(|s| s.normalization != Normalization::StableRank) {
        let d = network(&spec, &place);
        let grads = loss(&spec, &d, &place).1.backward().unwrap();
        let mut nonzero = 0;
        for (name, var) in d.vars() {
            let zeros = var.zeros_like().unwrap();
            let grad = grads.get(&var).unwrap_or(&zeros);
            nonzero += usize::from(distance(grad, &zeros) > 1e-6);
            let case =
                format!("{:?} {:?} γ={} {name}", spec.method, spec.normalization, spec.gamma);
            check_gradient(&case, &var, grad, || loss(&spec, &d, &place).0);
        }
        assert!(
            nonzero >= 8,
            "{:?} {:?} γ={}: only {nonzero} parameters have a gradient",
            spec.method,
            spec.normalization,
            spec.gamma
        );
    }
}

/// G's gradient through D's normalized output, and through nothing else.
#[test]
fn a_normalized_outputs_gradient_in_the_image_matches_finite_differences() {
    let spec = tiny(Method::Gn);
    for place in [Place::oracle(), Place::new(&candle_core::Device::Cpu)] {
        let mut d = network(&spec, &place);
        let weights = d.weights(Parameters::Frozen, Iterate::Frozen).unwrap();
        let x = Var::from_tensor(&draw("fake", &[2, 3, 8, 8], place.dtype)).unwrap();
        let c = [0.7, -1.3];
        let norm = || GradientNorm::at(&d, &weights, x.as_tensor(), None).unwrap();
        let value = || norm().outputs().iter().zip(c).map(|(f, c)| f * c).sum::<f64>();
        let scalar = norm().in_images(x.as_tensor(), &c).unwrap();
        let grads = scalar.backward().unwrap();
        if place.dtype == DType::F64 {
            check_gradient("GN in the image", &x, grads.get(&x).unwrap(), value);
        }
        assert!(norm().outputs().iter().all(|f| f.abs() < 1.0));
    }
}

#[test]
fn our_arm_gives_candles_gradients() {
    for spec in cases() {
        let (oracle, ours) = (Place::oracle(), Place::new(&candle_core::Device::Cpu));
        let (a, b) = (network(&spec, &ours), network(&spec, &oracle));
        let (ga, gb) = (
            loss(&spec, &a, &ours).1.backward().unwrap(),
            loss(&spec, &b, &oracle).1.backward().unwrap(),
        );
        for ((name, va), (_, vb)) in a.vars().into_iter().zip(b.vars()) {
            if let (Some(x), Some(y)) = (ga.get(&va), gb.get(&vb)) {
                let error = distance(x, y);
                // Chained layers add their rounding, and the penalty divides by a gradient's norm.
                assert!(error < 50.0 * F32_ROUNDING, "{:?} {name}: {error}", spec.method);
            }
        }
    }
}

/// A corrected layer applies √k·W with W as it was drawn; γ starts √k times as large; nothing else moves.
#[test]
fn a_width_correction_multiplies_what_the_divisor_cut() {
    let place = Place::oracle();
    let of = |spec: &RunSpec| {
        Discriminator::new(spec, &TensorSource::fresh(Streams::new(3), &place)).unwrap()
    };
    for method in Method::ALL {
        let plain = tiny(method);
        let root = (plain.width_divisor as f64).sqrt();
        let with = |width_correction| RunSpec { width_correction, ..plain.clone() };
        let (mut a, mut b) = (of(&plain), of(&with(WidthCorrection::Multiplier)));
        let wider = of(&with(WidthCorrection::InitialStd));
        let mut corrected = Vec::new();
        for ((name, va), (_, vb)) in a.vars().into_iter().zip(b.vars()) {
            assert_eq!(distance(&va, &vb), 0.0, "{method:?} {name} starts as it was drawn");
        }
        let (wa, wb) = (
            a.weights(Parameters::Frozen, Iterate::Frozen).unwrap(),
            b.weights(Parameters::Frozen, Iterate::Frozen).unwrap(),
        );
        for (i, layer) in a.layers.iter().enumerate() {
            let factor = if distance(&wa.layers[i].effective, &wb.layers[i].effective) == 0.0 {
                1.0
            } else {
                corrected.push(layer.spec.name.as_str());
                root
            };
            let times = |t: &Tensor| (t.detach() * factor).unwrap();
            assert!(distance(&times(&wa.layers[i].effective), &wb.layers[i].effective) < 1e-12);
            assert!(distance(&times(&layer.weight), &wider.layers[i].weight) < 1e-6);
        }
        let expected: &[&str] = match method {
            Method::WeightClipping
            | Method::GanGp
            | Method::WganGp
            | Method::Vanilla
            | Method::Gn
            | Method::R1
            | Method::ZeroGp
            | Method::Dragan
            | Method::R3gan => &["conv1", "conv2", "conv3", "conv4", "conv5", "conv6", "dense"],
            Method::BatchNorm | Method::LayerNorm => &["dense"],
            Method::WeightNorm
            | Method::FrobeniusNorm
            | Method::Orthonormal
            | Method::Sn
            | Method::Bsn
            | Method::Srn
            | Method::OperatorSn
            | Method::Custom => &[],
        };
        assert_eq!(corrected, expected, "{method:?}");
    }
    let plain =
        RunSpec { normalization: Normalization::Weight, gamma: true, ..tiny(Method::WganGp) };
    let (a, b) = (
        of(&plain),
        of(&RunSpec { width_correction: WidthCorrection::Multiplier, ..plain.clone() }),
    );
    for (x, y) in a.layers.iter().zip(&b.layers) {
        let root = if x.spec.name == "conv0" { 1.0 } else { (plain.width_divisor as f64).sqrt() };
        let (x, y) = (x.gamma.as_ref().unwrap(), y.gamma.as_ref().unwrap());
        assert!(distance(&(x.as_detached_tensor() * root).unwrap(), y) < 1e-12);
    }
}

/// Eq. (14) of one weight `[m, n]` as it stands: ‖WᵀW − Iₙ‖²_F, term by term.
fn orthonormal_of(weight: &Tensor) -> f64 {
    let w = weight.flatten_from(1).unwrap().to_dtype(DType::F64).unwrap().to_vec2::<f64>().unwrap();
    let n = w[0].len();
    let gram = |i: usize, j: usize| w.iter().map(|row| row[i] * row[j]).sum::<f64>();
    let entry = |i: usize, j: usize| gram(i, j) - f64::from(u8::from(i == j));
    (0..n).flat_map(|i| (0..n).map(move |j| (i, j))).map(|(i, j)| entry(i, j).powi(2)).sum()
}

#[test]
fn the_orthonormal_penaltys_value_is_the_equations_for_wide_and_tall_weights() {
    // An embedding of ten classes in eight dimensions is tall; the convolutions are wide.
    let spec = RunSpec {
        conditioning: Conditioning::Projection,
        n_classes: 10,
        ..tiny(Method::Orthonormal)
    };
    for (place, tolerance) in
        [(Place::oracle(), F64_ROUNDING), (Place::new(&candle_core::Device::Cpu), F32_ROUNDING)]
    {
        let mut d = network(&spec, &place);
        let all = std::mem::take(&mut d.layers);
        let (mut tall, mut wide) = (0, 0);
        for one in all {
            let weight = one.weight.as_tensor().clone();
            let (rows, columns) = weight.flatten_from(1).unwrap().dims2().unwrap();
            tall += usize::from(rows > columns);
            wide += usize::from(rows < columns);
            d.layers = vec![one];
            let expected = 0.5 * orthonormal_of(&weight);
            let found = orthonormal::penalty(&d, place.arm, 0.5).unwrap().value;
            let error = (found - expected).abs() / expected.max(1.0);
            assert!(error < tolerance, "[{rows}, {columns}]: {found}, directly {expected}");
        }
        assert!(tall >= 1 && wide >= 7, "{tall} tall, {wide} wide");
    }
}
