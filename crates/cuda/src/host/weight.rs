//! Matrix products, weight normalizations, Adam.

use super::{Element, Host};
use crate::op::{Product, Rows, Spectral, Target, View};
use crate::program::WEIGHT_EPS;

/// `alpha·op(a)·op(b)`.
pub(super) fn product(p: &Product, a: &[f64], b: &[f64]) -> Vec<f64> {
    let Product { m, n, k, transpose_a, transpose_b, alpha } = *p;
    let mut c = vec![0.0; m * n];
    for i in 0..m {
        for l in 0..k {
            let left = alpha * a[if transpose_a { l * m + i } else { i * k + l }];
            for j in 0..n {
                c[i * n + j] += left * b[if transpose_b { j * k + l } else { l * n + j }];
            }
        }
    }
    c
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn unit(x: &[f64]) -> Vec<f64> {
    let length = dot(x, x).sqrt() + WEIGHT_EPS;
    x.iter().map(|x| x / length).collect()
}

impl<T: Element> Host<T> {
    pub(super) fn power_iteration(&mut self, layer: &Spectral, iterate: bool) {
        let (w, old) = (self.read(layer.w), self.read(layer.state));
        let mut v = vec![0.0; layer.columns];
        for (row, u) in w.chunks(layer.columns).zip(&old) {
            v.iter_mut().zip(row).for_each(|(v, w)| *v += u * w);
        }
        let v = unit(&v);
        let s: Vec<f64> = w.chunks(layer.columns).map(|row| dot(row, &v)).collect();
        let u = if iterate { unit(&s) } else { old };
        if iterate {
            self.put(layer.state, &u, false);
        }
        self.put(layer.u, &u, false);
        self.put(layer.v, &v, false);
        self.put(layer.sigma, &[dot(&u, &s)], false);
    }

    pub(super) fn divide_by_sigma_backward(&mut self, layer: &Spectral, target: &Target) {
        let (w, g) = (self.read(layer.w), self.read(target.dy));
        let (u, v) = (self.read(layer.u), self.read(layer.v));
        let inverse = 1.0 / self.number(layer.sigma);
        let lambda = dot(&g, &w) * inverse;
        let value: Vec<f64> = g
            .iter()
            .enumerate()
            .map(|(i, g)| inverse * (g - lambda * u[i / layer.columns] * v[i % layer.columns]))
            .collect();
        self.put(target.dw, &value, target.add);
    }

    pub(super) fn normalize_rows(&mut self, rows: &Rows, y: View) {
        let w = self.read(rows.w);
        let norms: Vec<f64> = w.chunks(rows.columns).map(|row| dot(row, row).sqrt()).collect();
        let value: Vec<f64> =
            w.iter().enumerate().map(|(i, w)| w / (norms[i / rows.columns] + WEIGHT_EPS)).collect();
        self.put(rows.norms, &norms, false);
        self.put(y, &value, false);
    }

    /// With r = 1/(‖w‖ + ε): `r·g − r²/‖w‖·⟨g, w⟩·w` for each row.
    pub(super) fn normalize_rows_backward(&mut self, rows: &Rows, target: &Target) {
        let (w, g, norms) = (self.read(rows.w), self.read(target.dy), self.read(rows.norms));
        let mut value = Vec::with_capacity(w.len());
        for ((w, g), norm) in w.chunks(rows.columns).zip(g.chunks(rows.columns)).zip(norms) {
            let r = 1.0 / (norm + WEIGHT_EPS);
            let along = r * r / norm * dot(g, w);
            value.extend(g.iter().zip(w).map(|(g, w)| r * g - along * w));
        }
        self.put(target.dw, &value, target.add);
    }

    /// `w −= rate·m/(√(v·correction) + ε)`.
    pub(super) fn adam(
        &mut self,
        [w, g, m, v]: [View; 4],
        [rate, correction]: [f64; 2],
        [beta1, beta2, eps]: [f64; 3],
    ) {
        let g = self.read(g);
        let moved = |old: Vec<f64>, beta: f64, power: i32| -> Vec<f64> {
            old.iter().zip(&g).map(|(old, g)| beta * old + (1.0 - beta) * g.powi(power)).collect()
        };
        let (new_m, new_v) = (moved(self.read(m), beta1, 1), moved(self.read(v), beta2, 2));
        let value: Vec<f64> = self
            .read(w)
            .iter()
            .zip(new_m.iter().zip(&new_v))
            .map(|(w, (m, v))| w - rate * m / ((v * correction).sqrt() + eps))
            .collect();
        self.put(w, &value, false);
        self.put(m, &new_m, false);
        self.put(v, &new_v, false);
    }
}
