//! A generator as an ONNX model, for the runtimes of other languages: z, and classes where it is conditional, to images.
//!
//! The graph is the walk over the layer table that `model::Generator` makes, in evaluation mode: batch normalization uses the running
//! averages.

mod proto;

use crate::checkpoint::Checkpoint;
use crate::ema::sampled;
use crate::model::NORM_EPS;
use crate::{Error, Result};
use candle_core::{DType, Tensor};
use proto::{Attribute, Dim, Graph, Type};
use sngan_experiment::RunSpec;
use sngan_experiment::arch::{Activation, LayerKind, LayerSpec, Norm, Step, Z_DIM};
use std::collections::BTreeMap;

/// The generator that a checkpoint's samples are drawn from (its moving average, where the run keeps one), as an ONNX model's bytes:
/// input `z` `[N, 128]` of f32 and, where it is conditional, `y` `[N]` of int64; output `images` `[N, 3, side, side]` in [−1, 1]. The same
/// checkpoint gives the same bytes.
///
/// # Errors
/// When the checkpoint does not fit the spec.
pub fn encode(spec: &RunSpec, checkpoint: &Checkpoint) -> Result<Vec<u8>> {
    let tensors = sampled(&checkpoint.tensors);
    let mut writer = Writer { graph: Graph::default(), tensors: &tensors };
    writer.graph.input("z", Type::Float, &[Dim::Images, Dim::Fixed(Z_DIM)]);
    if spec.n_classes > 0 {
        writer.graph.input("y", Type::Int64, &[Dim::Images]);
    }
    let layers = spec.layers()?;
    let last = writer.steps(&layers.generator, "z")?;
    writer.graph.node("Identity", "images", &[&last], &[]);
    let side = Dim::Fixed(spec.side);
    let shape = [Dim::Images, Dim::Fixed(3), side, Dim::Fixed(spec.side)];
    writer.graph.output("images", Type::Float, &shape);
    let description = "Generator: z of the latent distribution in the metadata to images in [-1, 1]; bytes are clip(127.5 x + 127.5, 0, 255), truncated.";
    let latent = serde_json::to_value(spec.latent).ok();
    let latent = latent.as_ref().and_then(|name| name.as_str()).unwrap_or_default();
    let mut notes = vec![
        ("architecture", spec.architecture.name().to_string()),
        ("latent", latent.to_string()),
        ("n_classes", spec.n_classes.to_string()),
        ("run_id", spec.id()),
    ];
    if spec.knows("gen_updates") {
        notes.push(("gen_updates", checkpoint.gen_updates.to_string()));
    }
    Ok(writer.graph.model("generator", description, &notes))
}

/// What a normalization is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// `[N, C]`.
    Features,
    /// `[N, C, H, W]`.
    Map,
}

struct Writer<'a> {
    graph: Graph,
    tensors: &'a BTreeMap<String, Tensor>,
}

impl Writer<'_> {
    /// What the steps make of the map `x`, by its name.
    fn steps(&mut self, steps: &[Step], x: &str) -> Result<String> {
        let mut x = x.to_string();
        for (i, step) in steps.iter().enumerate() {
            x = match step {
                Step::Layer(layer) => self.layer(layer, &x)?,
                Step::Point(point) => {
                    let y = self.norm(&point.name, point.norm, &x, Shape::Map)?;
                    self.activation(&point.name, point.activation, y)
                }
                Step::Upsample => {
                    let name = format!("{x}.upsampled{i}");
                    let scales = format!("{name}.scales");
                    let scales = self.graph.floats(&scales, &[4], &[1.0, 1.0, 2.0, 2.0]);
                    // Each pixel four times: the pixel at ⌊d/2⌋.
                    let text = Attribute::Text;
                    self.graph.node(
                        "Resize",
                        &name,
                        &[&x, "", &scales],
                        &[
                            ("mode", text("nearest")),
                            ("coordinate_transformation_mode", text("asymmetric")),
                            ("nearest_mode", text("floor")),
                        ],
                    )
                }
                Step::Block(block) => {
                    let residual = self.steps(&block.residual, &x)?;
                    let shortcut = self.steps(&block.shortcut, &x)?;
                    self.graph.node("Add", &block.name, &[&residual, &shortcut], &[])
                }
                Step::AveragePool | Step::Concat(_) => {
                    return Err(Error::Invalid("a generator neither pools nor appends".into()));
                }
            };
        }
        Ok(x)
    }

    /// The numbers of G's tensor `name`, with its shape.
    fn values(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>)> {
        let key = format!("generator.{name}");
        let t = self.tensors.get(&key);
        let t = t.ok_or_else(|| Error::Invalid(format!("the checkpoint has no tensor `{key}`")))?;
        Ok((t.dims().to_vec(), t.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?))
    }

    /// Puts G's tensor `name` into the graph.
    fn constant(&mut self, name: &str) -> Result<String> {
        let (shape, values) = self.values(name)?;
        Ok(self.graph.floats(name, &shape, &values))
    }

    fn layer(&mut self, layer: &LayerSpec, x: &str) -> Result<String> {
        let LayerSpec { name, kind, norm, activation, output: [c, h, w], .. } = layer;
        let weight = self.constant(&format!("{name}.weight"))?;
        let bias = self.constant(&format!("{name}.bias"))?;
        let of_map = |kernel: &usize, stride: &usize, padding: &usize| {
            let (kernel, stride, padding) = ([*kernel; 2], [*stride; 2], [*padding; 4]);
            (kernel, stride, padding)
        };
        let inputs = [x, &weight, &bias];
        let y = match kind {
            LayerKind::Dense { .. } => {
                let dense = format!("{name}.features");
                let transposed = [("transB", Attribute::Int(1))];
                let mut y = self.graph.node("Gemm", &dense, &inputs, &transposed);
                // Batch normalization of the dense layer is over its features, before they are a map.
                y = self.norm(name, *norm, &y, Shape::Features)?;
                y = self.activation(name, *activation, y);
                let whole = [*c, *h, *w].map(|n| n as i64);
                let shape =
                    self.graph.integers(&format!("{name}.shape"), &[&[-1], &whole[..]].concat());
                return Ok(self.graph.node("Reshape", name, &[&y, &shape], &[]));
            }
            LayerKind::Conv { kernel, stride, padding, .. }
            | LayerKind::Deconv { kernel, stride, padding, .. } => {
                let (kernel, stride, padding) = of_map(kernel, stride, padding);
                let operator = match kind {
                    LayerKind::Deconv { .. } => "ConvTranspose",
                    LayerKind::Conv { .. }
                    | LayerKind::Dense { .. }
                    | LayerKind::Embedding { .. } => "Conv",
                };
                let attributes = [
                    ("kernel_shape", Attribute::Ints(&kernel)),
                    ("strides", Attribute::Ints(&stride)),
                    ("pads", Attribute::Ints(&padding)),
                ];
                self.graph.node(operator, name, &inputs, &attributes)
            }
            LayerKind::Embedding { .. } => {
                return Err(Error::Invalid(format!("layer {name}: a generator has no embedding")));
            }
        };
        let y = self.norm(name, *norm, &y, Shape::Map)?;
        Ok(self.activation(name, *activation, y))
    }

    /// Batch normalization by the running averages.
    fn norm(&mut self, name: &str, norm: Norm, x: &str, of: Shape) -> Result<String> {
        let conditional = match norm {
            Norm::None | Norm::ByMethod => return Ok(x.to_string()),
            Norm::Batch => false,
            Norm::ConditionalBatch { .. } => true,
        };
        let [mean, var] = ["running_mean", "running_var"].map(|part| format!("{name}.bn.{part}"));
        let (mean, var) = (self.constant(&mean)?, self.constant(&var)?);
        let [gamma, beta] = ["gamma", "beta"].map(|part| format!("{name}.bn.{part}"));
        let (gamma, beta) = (self.constant(&gamma)?, self.constant(&beta)?);
        let epsilon = [("epsilon", Attribute::Float(NORM_EPS as f32))];
        let normalized = format!("{name}.bn");
        if !conditional {
            let inputs = [x, &gamma, &beta, &mean, &var];
            return Ok(self.graph.node("BatchNormalization", &normalized, &inputs, &epsilon));
        }
        let (shape, _) = self.values(&format!("{name}.bn.running_mean"))?;
        let channels = shape.iter().product::<usize>();
        let one =
            self.graph.floats(&format!("{normalized}.one"), &[channels], &vec![1.0; channels]);
        let zero =
            self.graph.floats(&format!("{normalized}.zero"), &[channels], &vec![0.0; channels]);
        let inputs = [x, &one, &zero, &mean, &var];
        let plain = format!("{normalized}.plain");
        let plain = self.graph.node("BatchNormalization", &plain, &inputs, &epsilon);
        // γ and β of each image's class: [N, C], for a map [N, C, 1, 1].
        let axes = match of {
            Shape::Features => None,
            Shape::Map => Some(self.graph.integers(&format!("{normalized}.axes"), &[2, 3])),
        };
        let mut of_class = |table: &str| {
            let rows = self.graph.node("Gather", &format!("{table}.rows"), &[table, "y"], &[]);
            match &axes {
                None => rows,
                Some(axes) => {
                    self.graph.node("Unsqueeze", &format!("{table}.map"), &[&rows, axes], &[])
                }
            }
        };
        let (gamma, beta) = (of_class(&gamma), of_class(&beta));
        let scaled =
            self.graph.node("Mul", &format!("{normalized}.scaled"), &[&plain, &gamma], &[]);
        Ok(self.graph.node("Add", &normalized, &[&scaled, &beta], &[]))
    }

    fn activation(&mut self, name: &str, activation: Activation, x: String) -> String {
        match activation {
            Activation::Identity => x,
            Activation::Relu => self.graph.node("Relu", &format!("{name}.relu"), &[&x], &[]),
            Activation::LeakyRelu { slope } => {
                let alpha = [("alpha", Attribute::Float(slope as f32))];
                self.graph.node("LeakyRelu", &format!("{name}.relu"), &[&x], &alpha)
            }
            Activation::Tanh => self.graph.node("Tanh", &format!("{name}.tanh"), &[&x], &[]),
        }
    }
}
