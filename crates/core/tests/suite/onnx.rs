//! Exported generators: the file is taken apart again and its operators are computed here in f64, as ONNX' documents define them.

use crate::support::{F32_OUTPUT, distance, smallest, tiny, values};
use candle_core::{DType, Device, Tensor};
use sngan_core::checkpoint::{Checkpoint, Metadata};
use sngan_core::model::{Generator, Labels, Mode, Parameters, Place, TensorSource};
use sngan_core::onnx;
use sngan_experiment::RunSpec;
use sngan_experiment::arch::{Architecture, Conditioning};
use sngan_experiment::method::Method;
use sngan_experiment::protobuf::{Value, fields};
use sngan_experiment::records::Record;
use sngan_tensor::rng::Streams;
use std::collections::BTreeMap;

/// Numbers with a shape.
#[derive(Clone, Debug)]
struct Array {
    shape: Vec<usize>,
    data: Vec<f64>,
}

#[derive(Debug, Default)]
struct Node {
    operator: String,
    inputs: Vec<String>,
    outputs: Vec<String>,
    ints: BTreeMap<String, Vec<i64>>,
    floats: BTreeMap<String, f32>,
    texts: BTreeMap<String, String>,
}

#[derive(Debug, Default)]
struct Model {
    nodes: Vec<Node>,
    constants: BTreeMap<String, Array>,
    inputs: Vec<String>,
    outputs: Vec<String>,
    notes: BTreeMap<String, String>,
    opset: u64,
}

fn text(value: Value<'_>) -> String {
    let Value::Bytes(bytes) = value else { panic!("{value:?}") };
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn inner(value: Value<'_>) -> Vec<(u32, Value<'_>)> {
    let Value::Bytes(bytes) = value else { panic!("{value:?}") };
    fields(bytes).unwrap()
}

fn number(value: Value<'_>) -> u64 {
    let Value::Varint(n) = value else { panic!("{value:?}") };
    n
}

fn node(value: Value<'_>) -> Node {
    let mut node = Node::default();
    for (field, value) in inner(value) {
        match field {
            1 => node.inputs.push(text(value)),
            2 => node.outputs.push(text(value)),
            3 => {}
            4 => node.operator = text(value),
            5 => {
                let (mut name, mut ints, mut kind) = (String::new(), Vec::new(), 0);
                let (mut float, mut words) = (None, None);
                for (field, value) in inner(value) {
                    match (field, value) {
                        (1, _) => name = text(value),
                        (2, Value::Fixed32(bytes)) => float = Some(f32::from_le_bytes(bytes)),
                        (3 | 8, _) => ints.push(number(value) as i64),
                        (4, _) => words = Some(text(value)),
                        (20, _) => kind = number(value),
                        other => panic!("{other:?}"),
                    }
                }
                // The type that the attribute says is the one that it holds.
                assert_eq!(
                    kind,
                    if float.is_some() {
                        1
                    } else if words.is_some() {
                        3
                    } else if ints.len() == 1 {
                        2
                    } else {
                        7
                    }
                );
                node.ints.insert(name.clone(), ints);
                node.floats.extend(float.map(|x| (name.clone(), x)));
                node.texts.extend(words.map(|x| (name, x)));
            }
            other => panic!("{other}"),
        }
    }
    node
}

fn constant(value: Value<'_>) -> (String, Array) {
    let (mut shape, mut of, mut name, mut raw) = (Vec::new(), 0, String::new(), &[][..]);
    for (field, value) in inner(value) {
        match (field, value) {
            (1, _) => shape.push(number(value) as usize),
            (2, _) => of = number(value),
            (8, _) => name = text(value),
            (9, Value::Bytes(bytes)) => raw = bytes,
            other => panic!("{other:?}"),
        }
    }
    let data: Vec<f64> = match of {
        1 => raw.as_chunks().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect(),
        7 => raw.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b) as f64).collect(),
        other => panic!("{other}"),
    };
    assert_eq!(data.len(), shape.iter().product::<usize>(), "{name}");
    (name, Array { shape, data })
}

fn model(bytes: &[u8]) -> Model {
    let mut model = Model::default();
    for (field, value) in fields(bytes).unwrap() {
        match field {
            7 => {
                for (field, value) in inner(value) {
                    match field {
                        1 => model.nodes.push(node(value)),
                        2 => assert_eq!(text(value), "generator"),
                        5 => {
                            let (name, array) = constant(value);
                            assert!(model.constants.insert(name, array).is_none());
                        }
                        11 => model.inputs.push(text(inner(value)[0].1)),
                        12 => model.outputs.push(text(inner(value)[0].1)),
                        other => panic!("{other}"),
                    }
                }
            }
            8 => model.opset = number(inner(value)[1].1),
            14 => {
                let pair = inner(value);
                model.notes.insert(text(pair[0].1), text(pair[1].1));
            }
            1..=6 => {}
            other => panic!("{other}"),
        }
    }
    model
}

/// Sizes of images `[N, C, H, W]`; of features, a plane of one pixel.
fn sizes(x: &Array) -> [usize; 4] {
    match x.shape[..] {
        [n, c, h, w] => [n, c, h, w],
        [n, c] => [n, c, 1, 1],
        _ => panic!("{:?}", x.shape),
    }
}

fn map(x: &Array, f: impl Fn(usize, f64) -> f64) -> Array {
    let data = x.data.iter().enumerate().map(|(i, v)| f(i, *v)).collect();
    Array { shape: x.shape.clone(), data }
}

impl Node {
    fn run(&self, inputs: &[Option<&Array>]) -> Array {
        let of = |i: usize| inputs[i].unwrap();
        let x = of(0);
        let stride = self.ints.get("strides").map_or(1, |s| s[0] as usize);
        let pad = self.ints.get("pads").map_or(0, |p| p[0] as usize);
        match self.operator.as_str() {
            "Identity" => x.clone(),
            "Relu" => map(x, |_, v| v.max(0.0)),
            "Tanh" => map(x, |_, v| v.tanh()),
            "LeakyRelu" => map(x, |_, v| v.max(v * f64::from(self.floats["alpha"]))),
            "Add" | "Mul" => {
                let (y, [_, c, h, w]) = (of(1), sizes(x));
                let wide = y.shape == x.shape;
                // `[N, C, 1, 1]` is repeated over the plane.
                assert!(wide || x.shape.len() == 4 && y.shape == [x.shape[0], c, 1, 1]);
                map(x, |i, v| {
                    let other = y.data[if wide { i } else { i / (h * w) }];
                    if self.operator == "Add" { v + other } else { v * other }
                })
            }
            "Gemm" => {
                assert_eq!(self.ints["transB"], [1]);
                let (w, b, n) = (of(1), of(2), x.shape[0]);
                let (rows, columns) = (w.shape[0], w.shape[1]);
                let dot = |i: usize, o: usize| -> f64 {
                    (0..columns).map(|k| x.data[i * columns + k] * w.data[o * columns + k]).sum()
                };
                let data = (0..n * rows).map(|j| dot(j / rows, j % rows) + b.data[j % rows]);
                Array { shape: vec![n, rows], data: data.collect() }
            }
            "Reshape" => {
                let mut shape: Vec<usize> =
                    of(1).data.iter().map(|n| n.max(0.0) as usize).collect();
                assert_eq!(of(1).data[0], -1.0);
                shape[0] = x.data.len() / shape[1..].iter().product::<usize>();
                Array { shape, data: x.data.clone() }
            }
            "BatchNormalization" => {
                let [_, c, h, w] = sizes(x);
                let epsilon = f64::from(self.floats["epsilon"]);
                map(x, |i, v| {
                    let k = i / (h * w) % c;
                    let [scale, bias, mean, var] = [1, 2, 3, 4].map(|j| of(j).data[k]);
                    (v - mean) / (var + epsilon).sqrt() * scale + bias
                })
            }
            "Gather" => {
                let (y, dim) = (of(1), x.shape[1]);
                let row = |i: &f64| x.data[*i as usize * dim..][..dim].to_vec();
                Array {
                    shape: vec![y.data.len(), dim],
                    data: y.data.iter().flat_map(row).collect(),
                }
            }
            "Unsqueeze" => {
                assert_eq!(of(1).data, [2.0, 3.0]);
                Array { shape: [&x.shape[..], &[1, 1]].concat(), data: x.data.clone() }
            }
            "Resize" => {
                let [n, c, h, w] = sizes(x);
                assert!(inputs[1].is_none() && of(2).data == [1.0, 1.0, 2.0, 2.0]);
                assert_eq!(self.texts["mode"], "nearest");
                assert_eq!(self.texts["coordinate_transformation_mode"], "asymmetric");
                assert_eq!(self.texts["nearest_mode"], "floor");
                let at = |i: usize| {
                    let (p, q, r) = (i / (4 * h * w), i / (2 * w) % (2 * h), i % (2 * w));
                    x.data[p * h * w + q / 2 * w + r / 2]
                };
                Array {
                    shape: vec![n, c, 2 * h, 2 * w],
                    data: (0..4 * n * c * h * w).map(at).collect(),
                }
            }
            "Conv" => convolution(x, of(1), of(2), stride, pad),
            "ConvTranspose" => transposed(x, of(1), of(2), stride, pad),
            other => panic!("{other}"),
        }
    }
}

fn convolution(x: &Array, weight: &Array, bias: &Array, stride: usize, pad: usize) -> Array {
    let ([n, c, h, w], [outputs, inputs, k, _]) = (sizes(x), sizes(weight));
    assert_eq!((c, stride), (inputs, 1));
    let (height, width) = (h + 2 * pad + 1 - k, w + 2 * pad + 1 - k);
    let mut data = Vec::new();
    for index in 0..n * outputs * height * width {
        let (image, o) = (index / (outputs * height * width), index / (height * width) % outputs);
        let (p, q) = (index / width % height, index % width);
        let mut sum = bias.data[o];
        for (i, a, b) in taps(inputs, k) {
            let (Some(p), Some(q)) = ((p + a).checked_sub(pad), (q + b).checked_sub(pad)) else {
                continue;
            };
            if p < h && q < w {
                sum += x.data[((image * c + i) * h + p) * w + q]
                    * weight.data[((o * inputs + i) * k + a) * k + b];
            }
        }
        data.push(sum);
    }
    Array { shape: vec![n, outputs, height, width], data }
}

fn taps(inputs: usize, k: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..inputs * k * k).map(move |t| (t / (k * k), t / k % k, t % k))
}

fn transposed(x: &Array, weight: &Array, bias: &Array, stride: usize, pad: usize) -> Array {
    let ([n, c, h, w], [inputs, outputs, k, _]) = (sizes(x), sizes(weight));
    assert_eq!(c, inputs);
    let (height, width) = ((h - 1) * stride + k - 2 * pad, (w - 1) * stride + k - 2 * pad);
    let mut data = vec![0.0; n * outputs * height * width];
    for (j, v) in data.iter_mut().enumerate() {
        *v = bias.data[j / (height * width) % outputs];
    }
    // Each pixel is spread over k x k others.
    for index in 0..n * c * h * w {
        let (image, i, p, q) = (index / (c * h * w), index / (h * w) % c, index / w % h, index % w);
        for (o, a, b) in taps(outputs, k) {
            let (Some(p), Some(q)) =
                ((p * stride + a).checked_sub(pad), (q * stride + b).checked_sub(pad))
            else {
                continue;
            };
            if p < height && q < width {
                data[((image * outputs + o) * height + p) * width + q] +=
                    x.data[index] * weight.data[((i * outputs + o) * k + a) * k + b];
            }
        }
    }
    Array { shape: vec![n, outputs, height, width], data }
}

/// A generator whose γ, β and averages are none that a fresh one has.
fn checkpoint(spec: &RunSpec) -> Checkpoint {
    let fresh = TensorSource::fresh(Streams::new(1), &Place::new(&Device::Cpu));
    let mut tensors = Generator::new(spec, &fresh).unwrap().state();
    for (name, t) in &mut tensors {
        if name.contains(".bn.") {
            let draws = Streams::new(2).uniform(name, 0, t.elem_count());
            *t = Tensor::from_vec(draws, t.dims(), &Device::Cpu).unwrap();
        }
    }
    let metadata = Metadata {
        version: Metadata::VERSION,
        gen_updates: 3,
        adam_steps: [3, 3],
        run_id: spec.id(),
        sha256: String::new(),
        instruction_set: String::new(),
        streams: BTreeMap::new(),
        horizon: true,
        log: None,
        checksum: None,
    };
    Checkpoint { gen_updates: 3, metadata, tensors }
}

fn specs() -> Vec<RunSpec> {
    let network = |architecture, conditioning| smallest(Method::Sn, architecture, conditioning);
    vec![
        tiny(Method::Sn),
        network(Architecture::StandardCnnCgl, Conditioning::None),
        network(Architecture::StandardCnnCgl, Conditioning::Projection),
        network(Architecture::ResnetCifar10, Conditioning::None),
        network(Architecture::ResnetGulrajani, Conditioning::Projection),
    ]
}

#[test]
fn the_models_operators_make_the_generators_images() {
    for spec in specs() {
        let checkpoint = checkpoint(&spec);
        let bytes = onnx::encode(&spec, &checkpoint).unwrap();
        assert!(bytes == onnx::encode(&spec, &checkpoint).unwrap());
        let model = model(&bytes);
        assert_eq!((model.opset, model.outputs.as_slice()), (17, &["images".to_string()][..]));
        assert_eq!(model.notes["architecture"], spec.architecture.name());
        assert_eq!(model.notes["gen_updates"], "3");
        let labels = spec.n_classes > 0;
        assert_eq!(model.inputs, if labels { vec!["z", "y"] } else { vec!["z"] });

        let z = Streams::new(3).normal("z", 0, 2 * 128);
        let place = Place::new(&Device::Cpu);
        let source = TensorSource::given(&checkpoint.tensors, &place);
        let classes = labels.then(|| Labels::new(vec![2, 1], spec.n_classes, &place).unwrap());
        let z_tensor = Tensor::from_vec(z.clone(), (2, 128), &Device::Cpu).unwrap();
        let mut g = Generator::new(&spec, &source).unwrap();
        let images =
            g.forward(&z_tensor, classes.as_ref(), Parameters::Frozen, Mode::Eval).unwrap();

        let z = Array { shape: vec![2, 128], data: z.into_iter().map(f64::from).collect() };
        let y = Array { shape: vec![2], data: vec![2.0, 1.0] };
        let mut made = model.constants.clone();
        made.insert("z".into(), z);
        made.insert("y".into(), y);
        for node in &model.nodes {
            let inputs: Vec<Option<&Array>> = node
                .inputs
                .iter()
                // An input that is left out has no name; each other was made before.
                .map(|name| if name.is_empty() { None } else { Some(&made[name]) })
                .collect();
            let output = node.run(&inputs);
            let [name] = &node.outputs[..] else { panic!("{node:?}") };
            assert!(made.insert(name.clone(), output).is_none(), "{name} is made twice");
        }
        let found = &made["images"];
        let found = Tensor::from_vec(found.data.clone(), found.shape.as_slice(), &Device::Cpu);
        let (found, images) = (found.unwrap(), images.to_dtype(DType::F64).unwrap());
        let far = distance(&found, &images);
        assert!(far < F32_OUTPUT, "{:?}: {far}", spec.architecture);
        assert!(values(&images).iter().any(|x| x.abs() > 0.01));
    }
}

#[test]
fn a_moving_average_is_what_samples_come_from() {
    let spec = RunSpec { gen_ema: 0.5, ..tiny(Method::Sn) };
    let mut checkpoint = checkpoint(&spec);
    let average: Vec<(String, Tensor)> = checkpoint
        .tensors
        .iter()
        .map(|(name, t)| (format!("ema.{name}"), (t * 0.5).unwrap()))
        .collect();
    checkpoint.tensors.extend(average);
    let model = model(&onnx::encode(&spec, &checkpoint).unwrap());
    let half = values(&checkpoint.tensors["ema.generator.conv.weight"]);
    assert_eq!(model.constants["conv.weight"].data, half);
}
