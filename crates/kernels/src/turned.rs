//! A convolution's weight `[out, in, taps]` read as the matrix `[in, out·taps]`, in its own order: no element moves.

use crate::Real;
use rayon::prelude::*;

/// The shape of the weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turned {
    /// Output channels.
    pub outputs: usize,
    /// Input channels, the rows of the matrix.
    pub inputs: usize,
    /// Elements of a filter's plane.
    pub taps: usize,
}

impl Turned {
    fn check(self, w: usize, rows: usize, columns: usize) {
        let Turned { outputs, inputs, taps } = self;
        assert!(
            w == outputs * inputs * taps && rows == inputs && columns == outputs * taps,
            "a weight of {w} elements, {rows} rows and {columns} columns is not {self:?}"
        );
    }

    /// `y[o, k] = Σᵢ w[o, i, k]·x[i]`.
    ///
    /// # Panics
    /// When a slice's length does not fit.
    pub fn multiply_transposed<T: Real>(self, w: &[T], x: &[T], y: &mut [T]) {
        self.check(w.len(), x.len(), y.len());
        let filter = self.inputs * self.taps;
        y.par_chunks_mut(self.taps).zip(w.par_chunks(filter)).for_each(|(y, w)| {
            y.fill(T::ZERO);
            for (w, x) in w.chunks_exact(self.taps).zip(x) {
                y.iter_mut().zip(w).for_each(|(y, w)| *y += *w * *x);
            }
        });
    }

    /// `y[i] = Σ w[o, i, k]·x[o, k]` over o and k, the filters' parts added in f64.
    ///
    /// # Panics
    /// When a slice's length does not fit.
    pub fn multiply<T: Real>(self, w: &[T], x: &[T], y: &mut [T]) {
        self.check(w.len(), y.len(), x.len());
        let filter = self.inputs * self.taps;
        let mut parts = vec![T::ZERO; self.outputs * self.inputs];
        parts
            .par_chunks_mut(self.inputs)
            .zip(w.par_chunks(filter).zip(x.par_chunks(self.taps)))
            .for_each(|(parts, (w, x))| {
                for (part, w) in parts.iter_mut().zip(w.chunks_exact(self.taps)) {
                    w.iter().zip(x).for_each(|(w, x)| *part += *w * *x);
                }
            });
        for (i, y) in y.iter_mut().enumerate() {
            let sum: f64 = parts[i..].iter().step_by(self.inputs).map(|p| p.to_f64()).sum();
            *y = T::from_f64(sum);
        }
    }

    /// `m[o, i, k] = a·(u[o]·v[i, k] + p[i]·q[o, k])`: a multiple of the sum of a matrix of rank one in either reading.
    ///
    /// # Panics
    /// When a slice's length does not fit.
    pub fn sum_of_outer<T: Real>(self, a: T, [u, v]: [&[T]; 2], [p, q]: [&[T]; 2], m: &mut [T]) {
        self.check(m.len(), p.len(), q.len());
        let filter = self.inputs * self.taps;
        assert!(u.len() == self.outputs && v.len() == filter);
        m.par_chunks_mut(filter).zip(u.par_iter().zip(q.par_chunks(self.taps))).for_each(
            |(m, (u, q))| {
                let u = a * *u;
                let planes = m.chunks_exact_mut(self.taps).zip(v.chunks_exact(self.taps));
                for ((m, v), p) in planes.zip(p) {
                    let p = a * *p;
                    m.iter_mut().zip(v.iter().zip(q)).for_each(|(m, (v, q))| *m = u * *v + p * *q);
                }
            },
        );
    }
}
