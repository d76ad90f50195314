//! From operations to a GPU's: launches of our kernels, and what cuDNN and cuBLAS do.

use crate::Result;
use crate::machine::{Lists, Part};
use crate::op::{
    BatchNorm, Geometry, LayerNorm, Op, PARTS, Product, Rows, Spectral, Target, View, Window,
};
use crate::program::{Layout, NORM_EPS, Program, RUNNING_DECAY, WEIGHT_EPS};
use sngan_experiment::RunSpec;
use sngan_experiment::arch::Activation;
use sngan_experiment::method::Loss;

/// Threads of a block, in every kernel.
pub const BLOCK: u32 = 256;

/// An argument of a kernel.
#[derive(Debug, Clone, PartialEq)]
pub enum Arg {
    /// Where a view begins.
    At(View),
    /// Where the memory begins.
    Memory,
    /// A table of numbers on the device.
    Table(Vec<i64>),
    /// A number.
    Int(i32),
    /// A number.
    Float(f32),
}

/// A kernel with its grid and arguments.
#[derive(Debug, Clone, PartialEq)]
pub struct Launch {
    /// The kernel's name.
    pub kernel: &'static str,
    /// Blocks, in two dimensions.
    pub grid: (u32, u32),
    /// Its arguments, in order.
    pub args: Vec<Arg>,
}

/// One step of a program on a GPU.
#[derive(Debug, Clone, PartialEq)]
pub enum Call {
    /// One of our kernels.
    Kernel(Launch),
    /// `y = x ⋆ w`, by cuDNN.
    Conv {
        /// The larger map.
        x: View,
        /// The weight.
        w: View,
        /// The other.
        y: View,
        /// Sizes.
        geometry: Geometry,
    },
    /// The adjoint in x.
    ConvData {
        /// The smaller map.
        dy: View,
        /// The weight.
        w: View,
        /// The larger map.
        dx: View,
        /// Sizes.
        geometry: Geometry,
        /// Whether it is added to.
        add: bool,
    },
    /// The gradient in w.
    ConvFilter {
        /// The larger map.
        x: View,
        /// The smaller one's gradient.
        dy: View,
        /// The weight's.
        dw: View,
        /// Sizes.
        geometry: Geometry,
        /// Whether it is added to.
        add: bool,
    },
    /// A matrix product, by cuBLAS.
    Product {
        /// The left factor.
        a: View,
        /// The right one.
        b: View,
        /// The result.
        c: View,
        /// Sizes.
        product: Product,
        /// Whether it is added to.
        add: bool,
    },
}

/// Arguments in the making.
struct Args(Vec<Arg>);

impl Args {
    fn at(mut self, view: View) -> Args {
        self.0.push(Arg::At(view));
        self
    }

    /// A view and whether there is one.
    fn optional(mut self, view: Option<View>) -> Args {
        self.0.push(view.map_or(Arg::Memory, Arg::At));
        self.int(usize::from(view.is_some()))
    }

    /// Where a gradient goes: view, whether it is wanted, whether it is added to.
    fn gradient(self, target: Option<(View, bool)>) -> Args {
        let add = target.is_some_and(|(_, add)| add);
        self.optional(target.map(|(view, _)| view)).int(usize::from(add))
    }

    fn int(mut self, value: usize) -> Args {
        self.0.push(Arg::Int(value as i32));
        self
    }

    fn flag(self, value: bool) -> Args {
        self.int(usize::from(value))
    }

    fn float(mut self, value: f64) -> Args {
        self.0.push(Arg::Float(value as f32));
        self
    }

    fn activation(self, activation: Activation) -> Args {
        let (kind, slope) = match activation {
            Activation::Identity => (0, 0.0),
            Activation::Relu => (1, 0.0),
            Activation::LeakyRelu { slope } => (2, slope),
            Activation::Tanh => (3, 0.0),
        };
        self.int(kind).float(slope)
    }

    fn loss(self, loss: Loss) -> Args {
        self.int(match loss {
            // No program has the loss of pairs.
            Loss::Standard | Loss::RelativisticPairing => 0,
            Loss::Hinge => 1,
            Loss::Wasserstein => 2,
        })
    }

    fn table(mut self, table: Vec<i64>) -> Args {
        self.0.push(Arg::Table(table));
        self
    }

    /// The memory and tables of places in it.
    fn tables(mut self, tables: impl IntoIterator<Item = Vec<i64>>) -> Args {
        self.0.push(Arg::Memory);
        tables.into_iter().fold(self, Args::table)
    }

    /// One block for each of `blocks`.
    fn blocks(self, kernel: &'static str, blocks: usize) -> Call {
        self.grid(kernel, blocks, 1)
    }

    fn grid(self, kernel: &'static str, x: usize, y: usize) -> Call {
        Call::Kernel(Launch { kernel, grid: (x as u32, y as u32), args: self.0 })
    }

    /// One thread for each of `len` elements, whose number is the last argument.
    fn elements(self, kernel: &'static str, len: usize) -> Call {
        self.int(len).blocks(kernel, len.div_ceil(BLOCK as usize))
    }
}

fn args() -> Args {
    Args(Vec::new())
}

/// Where things lie.
struct Places<'a>(&'a Layout);

impl Places<'_> {
    fn at(&self, view: View) -> i64 {
        self.0.at(view) as i64
    }

    fn spectral<'b>(&self, layers: impl IntoIterator<Item = &'b Spectral>) -> Vec<i64> {
        let table = |s: &Spectral| {
            let places = [s.w, s.state, s.u, s.v, s.sigma, s.parts].map(|view| self.at(view));
            places.into_iter().chain([s.rows as i64, s.columns as i64]).collect::<Vec<_>>()
        };
        layers.into_iter().flat_map(table).collect()
    }

    fn rows<'b>(&self, layers: impl IntoIterator<Item = &'b Rows>) -> Vec<i64> {
        let table = |r: &Rows| [self.at(r.w), self.at(r.norms), r.rows as i64, r.columns as i64];
        layers.into_iter().flat_map(table).collect()
    }

    fn targets<'b>(&self, targets: impl IntoIterator<Item = &'b Target>) -> Vec<i64> {
        let table = |t: &Target| [self.at(t.dy), self.at(t.dw), i64::from(t.add)];
        targets.into_iter().flat_map(table).collect()
    }
}

fn largest(sizes: impl Iterator<Item = usize>) -> usize {
    sizes.max().unwrap_or(0)
}

/// Blocks of elements.
fn tiles(len: usize) -> usize {
    len.div_ceil(BLOCK as usize)
}

/// Kernels, convolutions and products of a generator update of `spec` and of a round of D, without measurements: the nodes of their graphs.
///
/// # Errors
/// As [`Program::of`].
pub fn launches(spec: &RunSpec) -> Result<[usize; 2]> {
    let program = Program::of(spec)?;
    let of = |part| {
        program.ops(part).into_iter().map(|op| calls(op, &program.layout).len()).sum::<usize>()
    };
    let detailed = false;
    Ok([Part::Generator { detailed }, Part::Discriminator { detailed }].map(of))
}

/// The calls that make up an operation.
pub fn calls(op: &Op, layout: &Layout) -> Vec<Call> {
    let places = Places(layout);
    match op {
        Op::Fill { out, value } => vec![args().at(*out).float(*value).elements("fill", out.len)],
        Op::Copy { x, out, add } => vec![scale(*x, 1.0, *out, *add)],
        Op::Scale { x, factor, out, add } => vec![scale(*x, *factor, *out, *add)],
        Op::Conv { x, w, y, geometry } => {
            vec![Call::Conv { x: *x, w: *w, y: *y, geometry: *geometry }]
        }
        Op::ConvData { dy, w, dx, geometry, add } => {
            vec![Call::ConvData { dy: *dy, w: *w, dx: *dx, geometry: *geometry, add: *add }]
        }
        Op::ConvFilter { x, dy, dw, geometry, add } => {
            vec![Call::ConvFilter { x: *x, dy: *dy, dw: *dw, geometry: *geometry, add: *add }]
        }
        Op::Product { a, b, c, product, add } => {
            vec![Call::Product { a: *a, b: *b, c: *c, product: *product, add: *add }]
        }
        Op::Finish { y, bias, sizes, activation } => {
            let a = args().at(*y).optional(*bias).int(sizes.channels).int(sizes.plane);
            vec![a.activation(*activation).elements("finish", y.len)]
        }
        Op::FinishBackward { y, dy, sizes, activation, dbias } => {
            let a = args().at(*y).at(*dy).int(sizes.n).int(sizes.channels).int(sizes.plane);
            let a = a.activation(*activation).gradient(*dbias);
            vec![a.blocks("finish_backward", sizes.channels)]
        }
        Op::Activate { x, y, activation } => {
            vec![args().at(*x).at(*y).activation(*activation).elements("activate", y.len)]
        }
        Op::Mask { x, of, activation, y, add } => {
            let a = args().at(*x).at(*of).activation(*activation).at(*y).flag(*add);
            vec![a.elements("mask", y.len)]
        }
        Op::BatchNorm { norm, running } => vec![batch_norm(norm, *running)],
        Op::BatchNormBackward { norm, dy, dx, dgamma, dbeta } => {
            let classes = norm.beta.len / norm.sizes.channels;
            let a = args().at(norm.x).optional(norm.gamma).optional(norm.labels).int(classes);
            let a = a.at(norm.y).at(norm.mean).at(norm.inv_std).at(*dy);
            let a = a.gradient(*dx).gradient(*dgamma).gradient(*dbeta);
            let a = a.int(norm.sizes.n).int(norm.sizes.channels).int(norm.sizes.plane);
            let a = a.activation(norm.activation);
            vec![a.blocks("batch_norm_backward", norm.sizes.channels)]
        }
        Op::BatchNormEval { x, sizes, gamma, beta, labels, mean, var, y, activation } => {
            let a = args().at(*x).at(*gamma).at(*beta).optional(*labels).at(*mean).at(*var);
            let a = a.at(*y).int(sizes.channels).int(sizes.plane).activation(*activation);
            vec![a.float(NORM_EPS).elements("batch_norm_eval", y.len)]
        }
        Op::Place { x, bias, sizes, activation, y, channels, first } => {
            let a = args().at(*x).optional(*bias).at(*y).int(sizes.channels).int(*channels);
            let a = a.int(*first).int(sizes.plane).activation(*activation);
            vec![a.elements("place", x.len)]
        }
        Op::Windows { x, y, side, out, stride, padding, of } => {
            let kind = match of {
                Window::Maximum => 0,
                Window::Mean => 1,
            };
            let a = args().at(*x).at(*y).int(*side).int(*out).int(*stride).int(*padding);
            vec![a.int(kind).elements("windows", y.len)]
        }
        Op::LayerNorm { norm } => vec![layer_norm(norm)],
        Op::LayerNormBackward { norm, dy, dx, dbeta } => {
            let LayerNorm { x, sizes, y, mean, inv_std, activation, .. } = *norm;
            let a = args().at(x).at(y).at(mean).at(inv_std).at(*dy).gradient(*dx);
            let a = a.int(sizes.channels).int(sizes.plane).activation(activation);
            let mut calls = vec![a.blocks("layer_norm_backward", sizes.n)];
            if let Some((out, add)) = dbeta {
                let a = args().at(*dy).at(*out).flag(*add);
                let a = a.int(sizes.n).int(sizes.channels).int(sizes.plane);
                calls.push(a.blocks("channel_sum", sizes.channels));
            }
            calls
        }
        Op::Pool { x, y, plane, factor } => {
            vec![args().at(*x).at(*y).int(*plane).float(*factor).blocks("pool", y.len)]
        }
        Op::Spread { dy, dx, plane, factor, add } => {
            let a = args().at(*dy).at(*dx).int(*plane).float(*factor).flag(*add);
            vec![a.elements("spread", dx.len)]
        }
        Op::Upsample { x, y, side, factor, add } => {
            vec![resample("upsample", (*x, *y), *side, *factor, *add)]
        }
        Op::Downsample { x, y, side, factor, add } => {
            vec![resample("downsample", (*x, *y), *side, *factor, *add)]
        }
        Op::Add { a, b, y } => vec![args().at(*a).at(*b).at(*y).elements("add", y.len)],
        Op::Append { x, sizes, table, dim, y } => {
            let (table, labels) = table.unwrap_or((*x, *x));
            let has = matches!(op, Op::Append { table: Some(_), .. });
            let a = args().at(*x).at(table).at(labels).flag(has).at(*y);
            let a = a.int(sizes.channels).int(*dim).int(sizes.plane);
            vec![a.elements("append", y.len)]
        }
        Op::AppendBackward { dy, sizes, dim, dx, dtable } => {
            let mut calls = Vec::new();
            if let Some((out, add)) = dx {
                let a = args().at(*dy).at(*out).flag(*add);
                let a = a.int(sizes.channels).int(*dim).int(sizes.plane);
                calls.push(a.elements("append_backward", out.len));
            }
            if let Some((out, labels, add)) = dtable {
                let a = args().at(*dy).at(*labels).at(*out).flag(*add);
                let a = a.int(sizes.n).int(sizes.channels).int(*dim).int(sizes.plane);
                calls.push(a.blocks("append_table", out.len));
            }
            calls
        }
        Op::Project { features, table, labels, dim, y } => {
            let a = args().at(*features).at(*table).at(*labels).at(*y).int(*dim);
            vec![a.blocks("project", y.len)]
        }
        Op::ProjectBackward { features, table, labels, dim, dy, dfeatures, dtable } => {
            let mut calls = Vec::new();
            if let Some((out, add)) = dfeatures {
                let a = args().at(*table).at(*labels).at(*dy).at(*out).flag(*add).int(*dim);
                calls.push(a.elements("project_features", out.len));
            }
            if let Some((out, add)) = dtable {
                let a = args().at(*features).at(*labels).at(*dy).at(*out).flag(*add);
                calls.push(a.int(dy.len).int(*dim).elements("project_table", out.len));
            }
            calls
        }
        Op::PowerIteration { layers, iterate } => {
            let table = places.spectral(layers);
            let of = || args().tables([table.clone()]);
            let n = layers.len();
            let rows = largest(layers.iter().map(|l| l.rows));
            let columns = largest(layers.iter().map(|l| l.columns));
            vec![
                of().grid("sn_transposed_times", tiles(columns), n),
                of().float(WEIGHT_EPS).grid("sn_unit", 1, n),
                of().grid("sn_times", rows, n),
                of().flag(*iterate).float(WEIGHT_EPS).grid("sn_sigma", 1, n),
            ]
        }
        Op::DivideBySigma { layers } => {
            let outs = layers.iter().map(|(_, y)| places.at(*y)).collect();
            let table = places.spectral(layers.iter().map(|(s, _)| s));
            let len = largest(layers.iter().map(|(s, _)| s.rows * s.columns));
            vec![args().tables([table, outs]).grid("sn_divide", tiles(len), layers.len())]
        }
        Op::DivideBySigmaBackward { layers } => {
            let table = places.spectral(layers.iter().map(|(s, _)| s));
            let targets = places.targets(layers.iter().map(|(_, t)| t));
            let of = || args().tables([table.clone(), targets.clone()]);
            let len = largest(layers.iter().map(|(s, _)| s.rows * s.columns));
            vec![
                of().grid("sn_dots", PARTS, layers.len()),
                of().grid("sn_divide_backward", tiles(len), layers.len()),
            ]
        }
        Op::NormalizeRows { layers } => {
            let outs = layers.iter().map(|(_, y)| places.at(*y)).collect();
            let table = places.rows(layers.iter().map(|(r, _)| r));
            let rows = largest(layers.iter().map(|(r, _)| r.rows));
            let a = args().tables([table, outs]).float(WEIGHT_EPS);
            vec![a.grid("normalize_rows", rows, layers.len())]
        }
        Op::NormalizeRowsBackward { layers } => {
            let table = places.rows(layers.iter().map(|(r, _)| r));
            let targets = places.targets(layers.iter().map(|(_, t)| t));
            let rows = largest(layers.iter().map(|(r, _)| r.rows));
            let a = args().tables([table, targets]).float(WEIGHT_EPS);
            vec![a.grid("normalize_rows_backward", rows, layers.len())]
        }
        Op::ScaleRows { x, gamma, y } => {
            let group = x.len / gamma.len;
            vec![args().at(*x).at(*gamma).at(*y).int(group).elements("scale_rows", y.len)]
        }
        Op::ScaleRowsBackward { x, gamma, dy, dx, dgamma } => {
            let a = args().at(*x).at(*gamma).at(*dy).at(dx.0).flag(dx.1);
            let a = a.at(dgamma.0).flag(dgamma.1).int(x.len / gamma.len);
            vec![a.blocks("scale_rows_backward", gamma.len)]
        }
        Op::Interpolate { real, fake, epsilon, out } => {
            let a = args().at(*real).at(*fake).at(*epsilon).at(*out).int(out.len / epsilon.len);
            vec![a.elements("interpolate", out.len)]
        }
        Op::Penalty { g, n, lambda, c, norms, share, value, mean_norm, add } => {
            let a = args().at(*g).at(*c).at(*norms).int(*n).int(g.len / n).float(*lambda);
            let b = args().at(*norms).int(*n).float(*lambda).float(*share);
            let b = b.at(*value).at(*mean_norm).flag(*add);
            vec![a.blocks("penalty", *n), b.blocks("penalty_value", 1)]
        }
        Op::GramLoss { p, m, weight, difference, value, add } => {
            let a = args().at(*p).int(*m).float(*weight).float(*difference);
            vec![a.at(*value).flag(*add).blocks("gram_loss", 1)]
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
            let a = args().loss(*loss).at(*real).at(*fake).at(*dreal).at(*dfake).int(real.len);
            let a = a.float(*share).at(*value).at(*d_real).at(*d_fake).flag(*add);
            vec![a.blocks("discriminator_loss", 1)]
        }
        Op::GeneratorLoss { loss, fake, dfake, share, value, add } => {
            let a = args().loss(*loss).at(*fake).at(*dfake).int(fake.len).float(*share);
            vec![a.at(*value).flag(*add).blocks("generator_loss", 1)]
        }
        Op::CrossEntropy { logits, labels, dlogits, weight, share, value, add } => {
            let a = args().at(*logits).at(*labels).at(*dlogits);
            let a = a.int(labels.len).int(logits.len / labels.len);
            let a = a.float(*weight).float(*share).at(*value).flag(*add);
            vec![a.blocks("cross_entropy", 1)]
        }
        Op::Adam { w, g, m, v, scalars, beta1, beta2, eps } => {
            let a = args().at(*w).at(*g).at(*m).at(*v).at(*scalars);
            vec![a.float(*beta1).float(*beta2).float(*eps).elements("adam", w.len)]
        }
        Op::Clip { views } => {
            let table = |(view, bound): &(View, f64)| {
                [places.at(*view), view.len as i64, i64::from((*bound as f32).to_bits())]
            };
            let table = views.iter().flat_map(table).collect();
            let len = largest(views.iter().map(|(view, _)| view.len));
            vec![args().tables([table]).grid("clip", tiles(len), views.len())]
        }
        Op::Average { e, w, decay } => {
            vec![args().at(*e).at(*w).float(*decay).elements("average", e.len)]
        }
        Op::SquareSum { x, parts, out } => {
            let a = args().at(*x).at(*parts).int(PARTS).int(x.len);
            let b = args().at(*parts).int(PARTS).at(*out);
            vec![a.blocks("square_parts", PARTS), b.blocks("square_sum", 1)]
        }
    }
}

fn scale(x: View, factor: f64, out: View, add: bool) -> Call {
    args().at(x).float(factor).at(out).flag(add).elements("scale", out.len)
}

fn resample(
    kernel: &'static str,
    (x, y): (View, View),
    side: usize,
    factor: f64,
    add: bool,
) -> Call {
    args().at(x).at(y).int(side).float(factor).flag(add).elements(kernel, y.len)
}

fn batch_norm(norm: &BatchNorm, running: Option<(View, View)>) -> Call {
    let a = args().at(norm.x).optional(norm.gamma).at(norm.beta).optional(norm.labels);
    let (mean, var) = running.unwrap_or((norm.mean, norm.mean));
    let a = a.at(norm.y).at(norm.mean).at(norm.inv_std).at(mean).at(var).flag(running.is_some());
    let a = a.int(norm.sizes.n).int(norm.sizes.channels).int(norm.sizes.plane);
    let a = a.activation(norm.activation).float(NORM_EPS).float(RUNNING_DECAY);
    a.blocks("batch_norm", norm.sizes.channels)
}

fn layer_norm(norm: &LayerNorm) -> Call {
    let LayerNorm { x, sizes, beta, y, mean, inv_std, activation } = *norm;
    let a = args().at(x).at(beta).at(y).at(mean).at(inv_std).int(sizes.channels).int(sizes.plane);
    a.activation(activation).float(NORM_EPS).blocks("layer_norm", sizes.n)
}
