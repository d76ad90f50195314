//! Adam against PyTorch's and, written out, Chainer's, from tests/fixtures/operations.safetensors (made by operations.py).

use crate::support::{F32_ROUNDING, F64_ROUNDING, committed, distance};
use candle_core::{DType, Tensor, Var};
use sngan_tensor::adam::{Adam, AdamConfig, Epsilon};
use std::collections::BTreeSet;

#[test]
fn five_steps_of_adam() {
    let all = committed();
    let names: BTreeSet<&str> =
        all.keys().filter(|k| k.ends_with(".m")).map(|k| k.trim_end_matches(".m")).collect();
    assert_eq!(names.len(), 16);
    for name in names {
        // adam.<beta1>.<beta2>.<eps>.<place>, the decimals with points of their own.
        let parts: Vec<&str> = name.split('.').collect();
        let number =
            |whole: usize| format!("{}.{}", parts[whole], parts[whole + 1]).parse::<f64>().unwrap();
        let epsilon = if name.ends_with("chainer") { Epsilon::Chainer } else { Epsilon::Corrected };
        let config = AdamConfig {
            lr: 0.01,
            beta1: number(1),
            beta2: number(3),
            eps: parts[5].parse().unwrap(),
            epsilon,
        };
        // The arm follows the type.
        for (dtype, tolerance) in [(DType::F64, F64_ROUNDING), (DType::F32, F32_ROUNDING)] {
            let close = |what: &str, found: &Tensor, key: &str| {
                let d = distance(found, &all[key]);
                assert!(d < tolerance, "{name} {what} {dtype:?}: {d}");
            };
            let w = Var::from_tensor(&all["adam.w"].to_dtype(dtype).unwrap()).unwrap();
            let mut adam = Adam::new(config, vec![("w".into(), w.clone())]).unwrap();
            for k in 0..5 {
                let g = all[&format!("adam.g.{k}")].to_dtype(dtype).unwrap();
                adam.step(&(w.as_tensor() * g).unwrap().sum_all().unwrap().backward().unwrap())
                    .unwrap();
                close(&format!("step {k}"), w.as_tensor(), &format!("{name}.w.{k}"));
            }
            let state = adam.state().unwrap();
            for moment in ["m", "v"] {
                close(moment, &state[&format!("{moment}.w")], &format!("{name}.{moment}"));
            }
        }
    }
}
