use crate::support::{
    F64_ROUNDING, check_gradient, distance, draw, scalar, tiny, values, weight_norm,
};
use candle_core::{DType, Tensor, Var};
use sngan_core::model::{Discriminator, Parameters, Place, TensorSource};
use sngan_core::norm::{Iterate, StableRankNorm, WeightNorm, unit};
use sngan_experiment::RunSpec;
use sngan_experiment::method::{ActsOn, Method, Normalization};
use sngan_tensor::decomposition::{sigma_max, singular_values};
use sngan_tensor::ops::{self, Arm};
use sngan_tensor::rng::Streams;

/// After so many iterations a 4x18 Gaussian matrix's u is a singular vector to rounding.
const CONVERGED: usize = 2000;

fn weight() -> Var {
    Var::from_tensor(&draw("w", &[4, 2, 3, 3], DType::F64)).unwrap()
}

fn norm(kind: Normalization) -> WeightNorm {
    weight_norm(kind, &[4, 2, 3, 3], DType::F64)
}

/// What `experiment` says of a normalization is what it does here.
#[test]
fn every_normalization_has_the_properties_that_its_name_promises() {
    for kind in Normalization::ALL {
        let n = norm(kind);
        assert_eq!(n.gammas(4).is_some(), kind.has_gamma(), "{kind:?}: γ");
        let mut moved = n.clone();
        moved.normalize(Arm::Candle, weight().as_tensor(), Iterate::Once).unwrap();
        let state = |n: &WeightNorm| -> Vec<f64> {
            n.state().into_iter().flat_map(|(_, tensor)| values(tensor)).collect()
        };
        assert_eq!(state(&n) != state(&moved), kind.iterates(), "{kind:?}: state");

        let spec = RunSpec { normalization: kind, ..tiny(Method::Vanilla) };
        let mut d =
            Discriminator::new(&spec, &TensorSource::fresh(Streams::new(3), &Place::oracle()))
                .unwrap();
        let weights = d.weights(Parameters::Frozen, Iterate::Frozen).unwrap();
        let x = |name: &str| draw(name, &[2, 3, spec.side, spec.side], DType::F64);
        let (one, other) = (x("x"), x("other"));
        let traces = [&one, &other].map(|second| {
            let first = one.narrow(0, 0, 1).unwrap();
            let second = second.narrow(0, 1, 1).unwrap();
            let batch = candle_core::Tensor::cat(&[&first, &second], 0).unwrap();
            d.forward(&weights, &batch, None).unwrap()
        });
        let firsts = traces.each_ref().map(|trace| values(&trace.outputs)[0]);
        assert_eq!(firsts[0] != firsts[1], kind.mixes_images(), "{kind:?}: the batch's others");
        // What divides D's output leaves the network itself piecewise linear.
        let linear = kind.is_piecewise_linear() || kind.acts_on() == ActsOn::Output;
        let tangent = d.tangent(&weights, &traces[0], &other, None);
        assert_eq!(tangent.is_ok(), linear, "{kind:?}: ∇D");
    }
}

#[test]
fn gradients_match_finite_differences() {
    let c = draw("c", &[4, 2, 3, 3], DType::F64);
    let both = |kind| [(kind, Arm::Candle), (kind, Arm::Ours)];
    // The stable rank's has a test of its own.
    let kinds = Normalization::ALL.into_iter().filter(|kind| *kind != Normalization::StableRank);
    for (kind, arm) in kinds.flat_map(both) {
        let w = weight();
        let n = norm(kind);
        // From a fixed u, σ = ‖Wᵀu‖, whose derivative is u vᵀ with v constant: the frozen pass is differentiated exactly.
        let f = || {
            (n.clone().normalize(arm, w.as_tensor(), Iterate::Frozen).unwrap() * &c)
                .unwrap()
                .sum_all()
                .unwrap()
        };
        let grads = f().backward().unwrap();
        check_gradient(&format!("{kind:?} {arm:?}"), &w, grads.get(&w).unwrap(), || scalar(&f()));
    }
}

#[test]
fn spectral_gradient_of_an_iterating_pass_is_exact_at_convergence() {
    let c = draw("c", &[4, 2, 3, 3], DType::F64);
    let w = weight();
    let mut n = norm(Normalization::Spectral);
    for _ in 0..CONVERGED {
        n.normalize(Arm::Candle, w.as_tensor(), Iterate::Once).unwrap();
    }
    let f = |n: &WeightNorm| {
        (n.clone().normalize(Arm::Candle, w.as_tensor(), Iterate::Once).unwrap() * &c)
            .unwrap()
            .sum_all()
            .unwrap()
    };
    let grads = f(&n).backward().unwrap();
    check_gradient("Once", &w, grads.get(&w).unwrap(), || scalar(&f(&n)));
}

#[test]
fn sigma_converges_to_faers() {
    let w = weight();
    let mut n = norm(Normalization::Spectral);
    let mut normalized = n.normalize(Arm::Candle, w.as_tensor(), Iterate::Once).unwrap();
    let first = sigma_max(&normalized).unwrap();
    assert!(first >= 1.0 - F64_ROUNDING, "one iteration can only underestimate σ: {first}");
    for _ in 0..CONVERGED {
        normalized = n.normalize(Arm::Candle, w.as_tensor(), Iterate::Once).unwrap();
    }
    assert!((sigma_max(&normalized).unwrap() - 1.0).abs() < F64_ROUNDING);
    let sigma = singular_values(w.as_tensor()).unwrap()[0];
    assert!((values(w.as_tensor())[0] / values(&normalized)[0] - sigma).abs() < 1e-9 * sigma);
}

#[test]
fn a_frozen_pass_changes_no_state_and_an_iterating_one_replaces_u() {
    let w = weight();
    let mut n = norm(Normalization::Spectral);
    let before = n.u().unwrap().clone();
    n.normalize(Arm::Candle, w.as_tensor(), Iterate::Frozen).unwrap();
    assert_eq!(values(&before), values(n.u().unwrap()));
    n.normalize(Arm::Candle, w.as_tensor(), Iterate::Once).unwrap();
    assert_ne!(values(&before), values(n.u().unwrap()));
    let length: f64 = values(n.u().unwrap()).iter().map(|x| x * x).sum();
    assert!((length - 1.0).abs() < F64_ROUNDING);
}

#[test]
fn norms_are_what_their_names_say() {
    let w = weight();
    let rows = values(
        &norm(Normalization::Weight)
            .normalize(Arm::Candle, w.as_tensor(), Iterate::Frozen)
            .unwrap(),
    );
    for row in rows.chunks(18) {
        assert!((row.iter().map(|x| x * x).sum::<f64>() - 1.0).abs() < F64_ROUNDING);
    }
    let all = values(
        &norm(Normalization::Frobenius)
            .normalize(Arm::Candle, w.as_tensor(), Iterate::Frozen)
            .unwrap(),
    );
    assert!((all.iter().map(|x| x * x).sum::<f64>() - 1.0).abs() < F64_ROUNDING);
}

#[test]
fn gamma_starts_so_that_nothing_changes() {
    for kind in [Normalization::Weight, Normalization::Frobenius, Normalization::Spectral] {
        let w = weight();
        let mut n = norm(kind);
        for _ in 0..CONVERGED {
            n.normalize(Arm::Candle, w.as_tensor(), Iterate::Once).unwrap();
        }
        let gamma = n.initial_gamma(w.as_tensor()).unwrap();
        let rows = gamma.elem_count();
        let product = n
            .normalize(Arm::Candle, w.as_tensor(), Iterate::Frozen)
            .unwrap()
            .broadcast_mul(&gamma.reshape((rows, 1, 1, 1)).unwrap())
            .unwrap();
        assert!(crate::support::distance(&product, w.as_tensor()) < 1e-9, "{kind:?}");
    }
}

#[test]
fn our_power_iteration_is_candles() {
    let (mut ours, mut candle) = (norm(Normalization::Spectral), norm(Normalization::Spectral));
    let w = weight();
    for iterate in [Iterate::Once, Iterate::Frozen, Iterate::Once] {
        let a = ours.normalize(Arm::Ours, w.as_tensor(), iterate).unwrap();
        let b = candle.normalize(Arm::Candle, w.as_tensor(), iterate).unwrap();
        assert!(crate::support::distance(&a, &b) < F64_ROUNDING);
        assert!(crate::support::distance(ours.u().unwrap(), candle.u().unwrap()) < F64_ROUNDING);
    }
}

/// The iterations of every norm that has them, from draws.
fn converged(kind: Normalization) -> (WeightNorm, Var) {
    let (mut n, w) = (norm(kind), weight());
    for _ in 0..CONVERGED {
        n.normalize(Arm::Candle, w.as_tensor(), Iterate::Once).unwrap();
    }
    (n, w)
}

#[test]
fn the_bidirectional_norm_is_the_mean_of_two_singular_values() {
    let (mut n, w) = converged(Normalization::BidirectionalSpectral);
    let turned = w.transpose(0, 1).unwrap().contiguous().unwrap();
    let sigma = (sigma_max(&w).unwrap() + sigma_max(&turned).unwrap()) / 2.0;
    // The frozen pass of a variable, and that of a constant, which needs no ∂σ/∂W.
    for weight in [w.as_tensor().clone(), w.as_detached_tensor()] {
        let normalized = n.normalize(Arm::Candle, &weight, Iterate::Frozen).unwrap();
        let found = values(&weight)[0] / values(&normalized)[0];
        assert!((found - sigma).abs() < 1e-9 * sigma, "{found} {sigma}");
    }
}

/// The convolution as a matrix, from maps of ones at one place.
#[test]
fn the_operator_norm_is_that_of_the_convolutions_matrix() {
    let (mut n, w) = converged(Normalization::OperatorSpectral);
    let places = 2 * 5 * 5;
    let ones = Tensor::eye(places, DType::F64, w.device()).unwrap();
    let images = ones.reshape((places, 2, 5, 5)).unwrap();
    let matrix = images.conv2d(&w, 1, 1, 1, 1).unwrap().flatten_from(1).unwrap();
    let sigma = sigma_max(&matrix).unwrap();
    for weight in [w.as_tensor().clone(), w.as_detached_tensor()] {
        for arm in [Arm::Candle, Arm::Ours] {
            let normalized = n.normalize(arm, &weight, Iterate::Frozen).unwrap();
            let found = values(&weight)[0] / values(&normalized)[0];
            // The second singular value is near the first, and the iteration slow.
            assert!((found - sigma).abs() < 1e-5 * sigma, "{found} {sigma}");
        }
    }
}

#[test]
fn stable_rank_norm_bounds_the_stable_rank_and_leaves_a_lower_one() {
    let w = weight();
    let s = singular_values(w.as_tensor()).unwrap();
    let rank = s.iter().map(|x| x * x).sum::<f64>() / (s[0] * s[0]);
    for share in [0.3, 0.5, 1.0] {
        let mut n = StableRankNorm::new(&unit(&draw("u", &[4], DType::F64)).unwrap(), share);
        let mut sn = norm(Normalization::Spectral);
        for _ in 0..CONVERGED {
            n.normalize(Arm::Candle, w.as_tensor(), Iterate::Once).unwrap();
            sn.normalize(Arm::Candle, w.as_tensor(), Iterate::Once).unwrap();
        }
        let normalized = n.normalize(Arm::Candle, w.as_tensor(), Iterate::Frozen).unwrap();
        let s = singular_values(&normalized).unwrap();
        let found = s.iter().map(|x| x * x).sum::<f64>();
        assert!((s[0] - 1.0).abs() < 1e-9, "{s:?}");
        assert!((found - rank.min(4.0 * share)).abs() < 1e-9, "{share}: {found} of {rank}");
        if rank <= 4.0 * share {
            let sn = sn.normalize(Arm::Candle, w.as_tensor(), Iterate::Frozen).unwrap();
            assert_eq!(distance(&normalized, &sn), 0.0);
        }
    }
}

/// With u and v held constant, as the gradient holds them: W̄ by its definition.
#[test]
fn stable_rank_norm_matches_finite_differences_where_it_acts() {
    let (c, share) = (draw("c", &[4, 2, 3, 3], DType::F64), 0.4);
    let u = unit(&draw("u", &[4], DType::F64)).unwrap();
    for arm in [Arm::Candle, Arm::Ours] {
        let w = weight();
        let fixed = ops::power_iteration(arm, w.as_tensor(), &u, false, 0.0).unwrap();
        let (left, right) = (values(&fixed.u), values(&fixed.v));
        let value = || {
            let w = values(w.as_tensor());
            let first = |i: usize| left[i / 18] * right[i % 18];
            let sigma: f64 = w.iter().enumerate().map(|(i, w)| w * first(i)).sum();
            let rest: Vec<f64> = w.iter().enumerate().map(|(i, w)| w / sigma - first(i)).collect();
            let q = rest.iter().map(|x| x * x).sum::<f64>().sqrt();
            let bound = (share * 4.0 - 1.0f64).sqrt();
            assert!(q > bound, "the bound acts");
            let c = values(&c);
            rest.iter().enumerate().map(|(i, x)| c[i] * (x * bound / q + first(i))).sum::<f64>()
        };
        let mut n = StableRankNorm::new(&u, share);
        let y = n.normalize(arm, w.as_tensor(), Iterate::Frozen).unwrap();
        let scalar = (y * &c).unwrap().sum_all().unwrap();
        assert!((scalar.to_scalar::<f64>().unwrap() - value()).abs() < 1e-9);
        let grads = scalar.backward().unwrap();
        check_gradient(&format!("{arm:?}"), &w, grads.get(&w).unwrap(), value);
    }
}
