//! ONNX's messages, as far as a generator needs them, by the field numbers of `onnx.proto` (IR version 8, opset 17).

use sngan_experiment::protobuf::Message;

/// `ModelProto.ir_version`: ONNX 1.10 and later read it.
const IR_VERSION: u64 = 8;
/// The version of the operators' definitions.
pub(super) const OPSET: u64 = 17;

/// `TensorProto.DataType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Float = 1,
    Int64 = 7,
}

/// A dimension of an input or output.
pub(super) enum Dim {
    /// So many.
    Fixed(usize),
    /// As many as there are images.
    Images,
}

/// A graph: nodes in an order in which each finds its inputs made.
#[derive(Default)]
pub(super) struct Graph {
    nodes: Vec<Message>,
    initializers: Vec<Message>,
    inputs: Vec<Message>,
    outputs: Vec<Message>,
}

/// An attribute of a node.
pub(super) enum Attribute<'a> {
    Float(f32),
    Int(i64),
    Ints(&'a [usize]),
    Text(&'a str),
}

impl Attribute<'_> {
    fn message(&self, name: &str) -> Message {
        let named = Message::new().text(1, name);
        // `AttributeProto.AttributeType` in field 20.
        match self {
            Attribute::Float(x) => named.float(2, *x).number(20, 1),
            Attribute::Int(i) => named.number(3, *i as u64).number(20, 2),
            Attribute::Text(text) => named.text(4, text).number(20, 3),
            Attribute::Ints(all) => {
                all.iter().fold(named, |m, i| m.number(8, *i as u64)).number(20, 7)
            }
        }
    }
}

impl Graph {
    /// Adds a node with one output, and returns that output's name, which is the node's.
    pub(super) fn node(
        &mut self,
        operator: &str,
        name: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute<'_>)],
    ) -> String {
        let node = inputs.iter().fold(Message::new(), |m, input| m.text(1, input));
        let node = node.text(2, name).text(3, name).text(4, operator);
        let attributes = attributes.iter().map(|(name, value)| value.message(name));
        self.nodes.push(attributes.fold(node, |m, attribute| m.message(5, &attribute)));
        name.to_string()
    }

    /// Adds a constant tensor of f32, and returns its name.
    pub(super) fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) -> String {
        let raw: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.tensor(name, Type::Float, shape, &raw)
    }

    /// The same of whole numbers.
    pub(super) fn integers(&mut self, name: &str, values: &[i64]) -> String {
        let raw: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.tensor(name, Type::Int64, &[values.len()], &raw)
    }

    fn tensor(&mut self, name: &str, of: Type, shape: &[usize], raw: &[u8]) -> String {
        let sized = shape.iter().fold(Message::new(), |m, n| m.number(1, *n as u64));
        self.initializers.push(sized.number(2, of as u64).text(8, name).bytes(9, raw));
        name.to_string()
    }

    pub(super) fn input(&mut self, name: &str, of: Type, shape: &[Dim]) {
        self.inputs.push(value(name, of, shape));
    }

    pub(super) fn output(&mut self, name: &str, of: Type, shape: &[Dim]) {
        self.outputs.push(value(name, of, shape));
    }

    /// The model's bytes; `notes` are its metadata.
    pub(super) fn model(self, name: &str, description: &str, notes: &[(&str, String)]) -> Vec<u8> {
        let mut graph = Message::new();
        for node in &self.nodes {
            graph = graph.message(1, node);
        }
        graph = graph.text(2, name);
        for (field, all) in [(5, &self.initializers), (11, &self.inputs), (12, &self.outputs)] {
            graph = all.iter().fold(graph, |m, one| m.message(field, one));
        }
        let model = Message::new()
            .number(1, IR_VERSION)
            .text(2, "sngan")
            .text(3, env!("CARGO_PKG_VERSION"))
            .text(6, description)
            .message(7, &graph)
            .message(8, &Message::new().text(1, "").number(2, OPSET));
        let note = |(key, value): &(&str, String)| Message::new().text(1, key).text(2, value);
        notes.iter().map(note).fold(model, |m, note| m.message(14, &note)).finish()
    }
}

/// `ValueInfoProto`.
fn value(name: &str, of: Type, shape: &[Dim]) -> Message {
    let dims = shape.iter().fold(Message::new(), |m, dim| {
        let dim = match dim {
            Dim::Fixed(n) => Message::new().number(1, *n as u64),
            Dim::Images => Message::new().text(2, "N"),
        };
        m.message(1, &dim)
    });
    let tensor = Message::new().number(1, of as u64).message(2, &dims);
    Message::new().text(1, name).message(2, &Message::new().message(1, &tensor))
}
