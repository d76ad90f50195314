//! Runs programs on the CPU: every operation as its definition says, computed in f64 and stored as f32 or f64.
//!
//! It is slow, and meant to be read: what a GPU's kernels are compared with, and, in f64, what is compared with PyTorch and the authors'
//! own code.

mod conv;
mod loss;
mod norm;
mod pointwise;
mod weight;

use crate::op::{Op, View};
use crate::program::Layout;
use sngan_core::loss::{cross_entropy, discriminator_fake, discriminator_real, generator};

/// A type that a memory can be made of.
pub trait Element: Copy + Send + Sync + 'static {
    /// Zero.
    const ZERO: Self;
    /// The value in f64.
    fn to_f64(self) -> f64;
    /// The nearest value of the type.
    fn of(x: f64) -> Self;
}

impl Element for f32 {
    const ZERO: f32 = 0.0;

    fn to_f64(self) -> f64 {
        f64::from(self)
    }

    fn of(x: f64) -> f32 {
        x as f32
    }
}

impl Element for f64 {
    const ZERO: f64 = 0.0;

    fn to_f64(self) -> f64 {
        self
    }

    fn of(x: f64) -> f64 {
        x
    }
}

/// Values times a factor.
fn scaled(values: &[f64], factor: f64) -> Vec<f64> {
    values.iter().map(|x| x * factor).collect()
}

/// A program's memory on the host.
#[derive(Debug, Clone)]
pub struct Host<T> {
    layout: Layout,
    memory: Vec<T>,
}

impl<T: Element> Host<T> {
    /// A memory of zeros.
    pub fn new(layout: &Layout) -> Host<T> {
        Host { layout: layout.clone(), memory: vec![T::ZERO; layout.len()] }
    }

    /// The memory, for comparisons.
    pub fn memory(&self) -> &[T] {
        &self.memory
    }

    /// The same, to be changed.
    pub fn memory_mut(&mut self) -> &mut [T] {
        &mut self.memory
    }

    fn range(&self, view: View) -> std::ops::Range<usize> {
        let at = self.layout.at(view);
        at..at + view.len
    }

    /// The values of a view.
    pub fn read(&self, view: View) -> Vec<f64> {
        self.memory[self.range(view)].iter().map(|x| x.to_f64()).collect()
    }

    /// Replaces the first values of a view, or all.
    pub fn write(&mut self, view: View, values: &[f64]) {
        let range = self.range(view);
        for (x, value) in self.memory[range].iter_mut().zip(values) {
            *x = T::of(*value);
        }
    }

    /// Replaces a view's values, or adds to them.
    fn put(&mut self, view: View, values: &[f64], add: bool) {
        debug_assert_eq!(view.len, values.len());
        let range = self.range(view);
        for (x, value) in self.memory[range].iter_mut().zip(values) {
            *x = T::of(if add { x.to_f64() + value } else { *value });
        }
    }

    /// One number.
    fn number(&self, view: View) -> f64 {
        self.memory[self.range(view)].first().map_or(0.0, |x| x.to_f64())
    }

    /// Runs operations in order.
    pub fn run<'a>(&mut self, ops: impl IntoIterator<Item = &'a Op>) {
        for op in ops {
            self.op(op);
        }
    }

    /// Runs one operation.
    pub fn op(&mut self, op: &Op) {
        match op {
            Op::Fill { out, value } => self.put(*out, &vec![*value; out.len], false),
            Op::Copy { x, out, add } => {
                let x = self.read(*x);
                self.put(*out, &x, *add);
            }
            Op::Scale { x, factor, out, add } => {
                let y = scaled(&self.read(*x), *factor);
                self.put(*out, &y, *add);
            }
            Op::Conv { x, w, y, geometry } => {
                let value = conv::forward(geometry, &self.read(*x), &self.read(*w));
                self.put(*y, &value, false);
            }
            Op::ConvData { dy, w, dx, geometry, add } => {
                let value = conv::data(geometry, &self.read(*dy), &self.read(*w));
                self.put(*dx, &value, *add);
            }
            Op::ConvFilter { x, dy, dw, geometry, add } => {
                let value = conv::filter(geometry, &self.read(*x), &self.read(*dy));
                self.put(*dw, &value, *add);
            }
            Op::Product { a, b, c, product, add } => {
                let value = weight::product(product, &self.read(*a), &self.read(*b));
                self.put(*c, &value, *add);
            }
            Op::Finish { y, bias, sizes, activation } => {
                let bias = bias.map(|bias| self.read(bias));
                let value = pointwise::finish(&self.read(*y), bias.as_deref(), *sizes, *activation);
                self.put(*y, &value, false);
            }
            Op::FinishBackward { y, dy, sizes, activation, dbias } => {
                let dz = pointwise::mask(&self.read(*dy), &self.read(*y), *activation);
                self.put(*dy, &dz, false);
                if let Some((out, add)) = dbias {
                    self.put(*out, &pointwise::channel_sums(&dz, *sizes), *add);
                }
            }
            Op::Activate { x, y, activation } => {
                let value: Vec<f64> =
                    self.read(*x).iter().map(|x| pointwise::activation(*activation, *x)).collect();
                self.put(*y, &value, false);
            }
            Op::Mask { x, of, activation, y, add } => {
                let value = pointwise::mask(&self.read(*x), &self.read(*of), *activation);
                self.put(*y, &value, *add);
            }
            Op::BatchNorm { norm, running } => self.batch_norm(norm, *running),
            Op::BatchNormBackward { norm, dy, dx, dgamma, dbeta } => {
                self.batch_norm_backward(norm, *dy, *dx, *dgamma, *dbeta);
            }
            Op::BatchNormEval { x, sizes, gamma, beta, labels, mean, var, y, activation } => {
                let [x, gamma, beta] = [x, gamma, beta].map(|view| self.read(*view));
                let labels = labels.map(|labels| self.read(labels));
                let running = [mean, var].map(|view| self.read(*view));
                let parameters = (&gamma[..], &beta[..]);
                let value = norm::by_running(&x, *sizes, parameters, labels.as_deref(), &running);
                let value = value.into_iter().map(|y| pointwise::activation(*activation, y));
                self.put(*y, &value.collect::<Vec<_>>(), false);
            }
            Op::Place { x, bias, sizes, activation, y, channels, first } => {
                let bias = bias.map(|bias| self.read(bias));
                let value = pointwise::finish(&self.read(*x), bias.as_deref(), *sizes, *activation);
                let (own, all) = (sizes.channels * sizes.plane, channels * sizes.plane);
                for (image, part) in value.chunks(own).enumerate() {
                    self.put(y.narrow(image * all + first * sizes.plane, own), part, false);
                }
            }
            Op::Windows { x, y, side, out, stride, padding, of } => {
                let x = self.read(*x);
                let value = pointwise::windows(&x, (*side, *out), *stride, *padding, *of);
                self.put(*y, &value, false);
            }
            Op::LayerNorm { norm } => self.layer_norm(norm),
            Op::LayerNormBackward { norm, dy, dx, dbeta } => {
                self.layer_norm_backward(norm, *dy, *dx, *dbeta);
            }
            Op::Pool { x, y, plane, factor } => {
                let sums: Vec<f64> =
                    self.read(*x).chunks(*plane).map(|p| factor * p.iter().sum::<f64>()).collect();
                self.put(*y, &sums, false);
            }
            Op::Spread { dy, dx, plane, factor, add } => {
                let dy = self.read(*dy);
                let value: Vec<f64> = (0..dx.len).map(|i| factor * dy[i / plane]).collect();
                self.put(*dx, &value, *add);
            }
            Op::Upsample { x, y, side, factor, add } => {
                let value = pointwise::upsample(&self.read(*x), *side, *factor);
                self.put(*y, &value, *add);
            }
            Op::Downsample { x, y, side, factor, add } => {
                let value = pointwise::downsample(&self.read(*x), *side, *factor);
                self.put(*y, &value, *add);
            }
            Op::Add { a, b, y } => {
                let sum: Vec<f64> =
                    self.read(*a).iter().zip(self.read(*b)).map(|(a, b)| a + b).collect();
                self.put(*y, &sum, false);
            }
            Op::Append { x, sizes, table, dim, y } => {
                let table = table.map(|(table, labels)| (self.read(table), self.read(labels)));
                let value = pointwise::append(&self.read(*x), *sizes, table.as_ref(), *dim);
                self.put(*y, &value, false);
            }
            Op::AppendBackward { dy, sizes, dim, dx, dtable } => {
                let dy = self.read(*dy);
                if let Some((out, add)) = dx {
                    let plane = sizes.plane;
                    let width = (sizes.channels + dim) * plane;
                    let first: Vec<f64> = dy
                        .chunks(width)
                        .flat_map(|image| image[..sizes.channels * plane].to_vec())
                        .collect();
                    self.put(*out, &first, *add);
                }
                if let Some((out, labels, add)) = dtable {
                    let labels = self.read(*labels);
                    let value = pointwise::append_table(&dy, *sizes, *dim, &labels, out.len);
                    self.put(*out, &value, *add);
                }
            }
            Op::Project { features, table, labels, dim, y } => {
                let (f, t, l) = (self.read(*features), self.read(*table), self.read(*labels));
                let dots: Vec<f64> = (0..y.len)
                    .map(|i| {
                        let row = l[i] as usize;
                        let row = &t[row * dim..(row + 1) * dim];
                        f[i * dim..(i + 1) * dim].iter().zip(row).map(|(a, b)| a * b).sum()
                    })
                    .collect();
                self.put(*y, &dots, true);
            }
            Op::ProjectBackward { features, table, labels, dim, dy, dfeatures, dtable } => {
                let (f, t) = (self.read(*features), self.read(*table));
                let (l, dy) = (self.read(*labels), self.read(*dy));
                if let Some((out, add)) = dfeatures {
                    let value: Vec<f64> = (0..f.len())
                        .map(|i| dy[i / dim] * t[l[i / dim] as usize * dim + i % dim])
                        .collect();
                    self.put(*out, &value, *add);
                }
                if let Some((out, add)) = dtable {
                    let mut value = vec![0.0; out.len];
                    for (i, f) in f.iter().enumerate() {
                        value[l[i / dim] as usize * dim + i % dim] += dy[i / dim] * f;
                    }
                    self.put(*out, &value, *add);
                }
            }
            Op::PowerIteration { layers, iterate } => {
                layers.iter().for_each(|layer| self.power_iteration(layer, *iterate));
            }
            Op::DivideBySigma { layers } => {
                for (layer, y) in layers {
                    let inverse = 1.0 / self.number(layer.sigma);
                    let value: Vec<f64> = self.read(layer.w).iter().map(|w| w * inverse).collect();
                    self.put(*y, &value, false);
                }
            }
            Op::DivideBySigmaBackward { layers } => {
                for (layer, target) in layers {
                    self.divide_by_sigma_backward(layer, target);
                }
            }
            Op::NormalizeRows { layers } => {
                layers.iter().for_each(|(rows, y)| self.normalize_rows(rows, *y));
            }
            Op::NormalizeRowsBackward { layers } => {
                for (rows, target) in layers {
                    self.normalize_rows_backward(rows, target);
                }
            }
            Op::ScaleRows { x, gamma, y } => {
                let (x, gamma) = (self.read(*x), self.read(*gamma));
                let group = x.len() / gamma.len();
                let value: Vec<f64> =
                    x.iter().enumerate().map(|(i, x)| gamma[i / group] * x).collect();
                self.put(*y, &value, false);
            }
            Op::ScaleRowsBackward { x, gamma, dy, dx, dgamma } => {
                let (x, gamma, dy) = (self.read(*x), self.read(*gamma), self.read(*dy));
                let group = x.len() / gamma.len();
                let value: Vec<f64> =
                    dy.iter().enumerate().map(|(i, dy)| gamma[i / group] * dy).collect();
                let sums: Vec<f64> = dy
                    .chunks(group)
                    .zip(x.chunks(group))
                    .map(|(dy, x)| dy.iter().zip(x).map(|(a, b)| a * b).sum())
                    .collect();
                self.put(dx.0, &value, dx.1);
                self.put(dgamma.0, &sums, dgamma.1);
            }
            Op::Interpolate { real, fake, epsilon, out } => {
                let (real, fake) = (self.read(*real), self.read(*fake));
                let epsilon = self.read(*epsilon);
                let image = real.len() / epsilon.len();
                let value: Vec<f64> = real
                    .iter()
                    .zip(&fake)
                    .enumerate()
                    .map(|(i, (real, fake))| fake + epsilon[i / image] * (real - fake))
                    .collect();
                self.put(*out, &value, false);
            }
            Op::Penalty { g, n, lambda, c, norms, share, value, mean_norm, add } => {
                let penalty = loss::penalty(&self.read(*g), *n, *lambda);
                self.put(*c, &penalty.c, false);
                self.put(*norms, &penalty.norms, false);
                self.put(*value, &[share * penalty.value], *add);
                self.put(*mean_norm, &[share * penalty.mean_norm], *add);
            }
            Op::GramLoss { p, m, weight, difference, value, add } => {
                let mut gram = self.read(*p);
                (0..*m).for_each(|i| gram[i * m + i] -= 1.0);
                let square: f64 = gram.iter().map(|x| x * x).sum();
                self.put(*p, &gram, false);
                self.put(*value, &[weight * (square + difference)], *add);
            }
            Op::DiscriminatorLoss {
                loss,
                real,
                fake,
                dreal,
                dfake,
                share,
                value,
                d_real,
                d_fake,
                add,
            } => {
                let (real, fake) = (self.read(*real), self.read(*fake));
                let of_real = discriminator_real(*loss, &real);
                let of_fake = discriminator_fake(*loss, &fake);
                self.put(*dreal, &scaled(&of_real.grad, *share), false);
                self.put(*dfake, &scaled(&of_fake.grad, *share), false);
                self.put(*value, &[share * (of_real.value + of_fake.value)], *add);
                let mean = |d: &[f64]| d.iter().sum::<f64>() / d.len() as f64;
                self.put(*d_real, &[share * mean(&real)], *add);
                self.put(*d_fake, &[share * mean(&fake)], *add);
            }
            Op::GeneratorLoss { loss, fake, dfake, share, value, add } => {
                let of_fake = generator(*loss, &self.read(*fake));
                self.put(*dfake, &scaled(&of_fake.grad, *share), false);
                self.put(*value, &[share * of_fake.value], *add);
            }
            Op::CrossEntropy { logits, labels, dlogits, weight, share, value, add } => {
                let classes: Vec<u32> = self.read(*labels).iter().map(|y| *y as u32).collect();
                let found = cross_entropy(&self.read(*logits), &classes);
                self.put(*dlogits, &scaled(&found.grad, *weight), false);
                self.put(*value, &[share * found.value], *add);
            }
            Op::Adam { w, g, m, v, scalars, beta1, beta2, eps } => {
                let scalars = self.read(*scalars);
                self.adam([*w, *g, *m, *v], [scalars[0], scalars[1]], [*beta1, *beta2, *eps]);
            }
            Op::Clip { views } => {
                for (view, bound) in views {
                    let value: Vec<f64> =
                        self.read(*view).iter().map(|w| w.clamp(-bound, *bound)).collect();
                    self.put(*view, &value, false);
                }
            }
            Op::Average { e, w, decay } => {
                let value: Vec<f64> = self
                    .read(*e)
                    .iter()
                    .zip(self.read(*w))
                    .map(|(e, w)| decay * e + (1.0 - decay) * w)
                    .collect();
                self.put(*e, &value, false);
            }
            Op::SquareSum { x, out, .. } => {
                let sum = self.read(*x).iter().map(|x| x * x).sum();
                self.put(*out, &[sum], false);
            }
        }
    }
}
