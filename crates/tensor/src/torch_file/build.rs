//! From a pickle's values to tensors: what the few names of PyTorch that matter stand for.

use super::pickle::{Id, Machine, Node};
use super::{Parsed, TorchData, fault};
use candle_core::{DType, Device, Tensor};
use std::collections::BTreeMap;

/// A storage as a persistent id names it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Storage<'a> {
    /// Its class, such as `FloatStorage`.
    pub(super) class: &'a str,
    pub(super) key: &'a str,
    /// Elements.
    pub(super) len: usize,
    /// Where the file says so.
    offset: usize,
}

impl Storage<'_> {
    /// Bytes of an element, where the class is known.
    pub(super) fn element(&self) -> Option<usize> {
        Some(match self.class {
            "DoubleStorage" | "LongStorage" | "ComplexFloatStorage" => 8,
            "FloatStorage" | "IntStorage" => 4,
            "HalfStorage" | "BFloat16Storage" | "ShortStorage" => 2,
            "ByteStorage" | "CharStorage" | "BoolStorage" => 1,
            _ => return None,
        })
    }
}

/// A tensor as the pickle describes it: a view of a storage.
#[derive(Clone, Debug)]
pub(super) struct View<'a> {
    storage: Storage<'a>,
    /// Elements before the first.
    first: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

/// What calling `function` with the tuple `arguments` stands for.
pub(super) fn call<'a>(machine: &Machine<'a>, function: Id, arguments: Id) -> Parsed<Node<'a>> {
    let (Node::Global(module, name), Node::Tuple(arguments)) =
        (machine.node(function), machine.node(arguments))
    else {
        return Ok(Node::Inert);
    };
    Ok(match (*module, *name) {
        ("collections", "OrderedDict") => Node::Dict(Vec::new()),
        ("torch._utils", "_rebuild_tensor_v2" | "_rebuild_tensor") => {
            Node::Tensor(Box::new(view(machine, arguments)?))
        }
        // A parameter is its tensor.
        ("torch._utils", "_rebuild_parameter") => {
            match arguments.first().map(|id| machine.node(*id)) {
                Some(Node::Tensor(view)) => Node::Tensor(view.clone()),
                _ => return machine.fault("has a parameter without a tensor"),
            }
        }
        _ => Node::Inert,
    })
}

/// A tensor's arguments: storage, offset, sizes, strides and what does not matter here.
fn view<'a>(machine: &Machine<'a>, arguments: &[Id]) -> Parsed<View<'a>> {
    let [storage, first, shape, strides, ..] = arguments else {
        return machine.fault("has a tensor of too few arguments");
    };
    let Node::Storage(storage) = machine.node(*storage) else {
        return machine.fault("has a tensor without a storage");
    };
    let view = View {
        storage: *storage,
        first: size(machine, *first)?,
        shape: sizes(machine, *shape)?,
        strides: sizes(machine, *strides)?,
    };
    if view.shape.len() != view.strides.len() {
        return machine.fault(format!(
            "has a tensor of {} sizes and {} strides",
            view.shape.len(),
            view.strides.len()
        ));
    }
    Ok(view)
}

fn size(machine: &Machine<'_>, id: Id) -> Parsed<usize> {
    if let Node::Int(n) = machine.node(id)
        && *n >= 0
    {
        return Ok(*n as usize);
    }
    machine.fault("has a size that is no number from 0 on")
}

/// Dimensions that a tensor may have.
const MOST_DIMENSIONS: usize = 16;

fn sizes(machine: &Machine<'_>, id: Id) -> Parsed<Vec<usize>> {
    if let Node::Tuple(ids) = machine.node(id)
        && ids.len() <= MOST_DIMENSIONS
    {
        return ids.iter().map(|id| size(machine, *id)).collect();
    }
    machine.fault(format!("has a tensor whose sizes are no tuple of at most {MOST_DIMENSIONS}"))
}

/// What the persistent id `id` stands for: `('storage', class, key, device, elements)`, in the old format with a sixth, `None`.
pub(super) fn persistent<'a>(machine: &Machine<'a>, id: Id) -> Parsed<Node<'a>> {
    let Node::Tuple(parts) = machine.node(id) else {
        return machine.fault("has a persistent id that is no tuple");
    };
    let parts: Vec<_> = parts.iter().map(|id| machine.node(*id)).collect();
    match parts.as_slice() {
        [
            Node::Text("storage"),
            Node::Global(_, class),
            Node::Text(key),
            Node::Text(_),
            Node::Int(len),
            rest @ ..,
        ] if *len >= 0 && matches!(rest, [] | [Node::Inert]) => {
            Ok(Node::Storage(Storage { class, key, len: *len as usize, offset: machine.offset() }))
        }
        _ => machine
            .fault("has a persistent id that is not ('storage', class, key, device, elements)"),
    }
}

/// Where the storages' bytes lie, by key.
#[derive(Debug, Default)]
pub(super) struct Storages(pub(super) BTreeMap<String, std::ops::Range<usize>>);

impl Storages {
    /// Where a tensor's numbers lie, once it is certain that all of them lie in its storage and that storage in the file.
    pub(super) fn layout(&self, view: &View<'_>) -> Parsed<Layout> {
        let Storage { class, key, len, offset } = view.storage;
        let Some(range) = self.0.get(key) else {
            return fault(offset, format!("views storage `{key}`, which the file does not have"));
        };
        let Some(element) = view.storage.element() else {
            return fault(offset, format!("has numbers of type {class}, which is unknown"));
        };
        if len.checked_mul(element) != Some(range.len()) {
            return fault(
                range.start,
                format!(
                    "views a storage of {} bytes; {len} elements of {class} take {element} each",
                    range.len()
                ),
            );
        }
        let count = view.shape.iter().try_fold(1usize, |n, size| n.checked_mul(*size));
        // Only a view that repeats elements has more than its storage; no network's weights do.
        let Some(count) = count.filter(|n| *n <= len) else {
            return fault(
                offset,
                format!("is {:?}, more than its storage of {len} elements", view.shape),
            );
        };
        let mut steps = view
            .shape
            .iter()
            .zip(&view.strides)
            .map(|(size, stride)| size.saturating_sub(1).checked_mul(*stride));
        let last = steps.try_fold(view.first, |sum, step| sum.checked_add(step?));
        if count > 0 && last.is_none_or(|last| last >= len) {
            return fault(offset, format!("reaches beyond its storage of {len} elements"));
        }
        let (shape, strides) = (view.shape.clone(), view.strides.clone());
        Ok(Layout {
            class: class.to_string(),
            start: range.start,
            first: view.first,
            shape,
            strides,
            count,
        })
    }
}

/// Where a tensor's numbers lie in the file.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) class: String,
    /// First byte of the storage.
    start: usize,
    first: usize,
    pub(super) shape: Vec<usize>,
    strides: Vec<usize>,
    count: usize,
}

impl Layout {
    /// The numbers, in row-major order.
    pub(super) fn copy(&self, bytes: &[u8]) -> Parsed<TorchData> {
        Ok(match self.class.as_str() {
            "FloatStorage" => TorchData::F32(self.gather(bytes, f32::from_le_bytes)),
            "DoubleStorage" => TorchData::F64(self.gather(bytes, f64::from_le_bytes)),
            "LongStorage" => TorchData::I64(self.gather(bytes, i64::from_le_bytes)),
            "HalfStorage" => self.half(bytes, DType::F16)?,
            "BFloat16Storage" => self.half(bytes, DType::BF16)?,
            other => {
                return fault(
                    self.start,
                    format!(
                        "has numbers of type {other}; Float, Double, Half, BFloat16 and Long are read"
                    ),
                );
            }
        })
    }

    /// Whether [`Layout::copy`] gives floating-point numbers.
    pub(super) fn is_float(&self) -> bool {
        ["FloatStorage", "DoubleStorage", "HalfStorage", "BFloat16Storage"]
            .contains(&self.class.as_str())
    }

    fn half(&self, bytes: &[u8], dtype: DType) -> Parsed<TorchData> {
        let raw = self.gather(bytes, |b: [u8; 2]| b);
        let wide = Tensor::from_raw_buffer(raw.as_flattened(), dtype, &[raw.len()], &Device::Cpu)
            .and_then(|t| t.to_dtype(DType::F32)?.to_vec1());
        wide.map(TorchData::Half).or_else(|e| fault(self.start, e.to_string()))
    }

    fn gather<T, const N: usize>(&self, bytes: &[u8], number: impl Fn([u8; N]) -> T) -> Vec<T> {
        // A view of no elements may begin anywhere, also beyond its storage.
        if self.count == 0 {
            return Vec::new();
        }
        let storage = bytes[self.start..].as_chunks::<N>().0;
        if self.is_dense() {
            return storage[self.first..].iter().take(self.count).map(|b| number(*b)).collect();
        }
        let place = |mut i: usize| {
            let mut at = self.first;
            for (size, stride) in self.shape.iter().zip(&self.strides).rev() {
                at += i % size * stride;
                i /= size;
            }
            at
        };
        (0..self.count).map(|i| number(storage[place(i)])).collect()
    }

    /// Whether the numbers lie next to each other in row-major order.
    fn is_dense(&self) -> bool {
        let mut expected = 1;
        self.shape.iter().zip(&self.strides).rev().all(|(size, stride)| {
            let fits = *size == 1 || *stride == expected;
            expected *= size;
            fits
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_of_no_elements_may_begin_beyond_its_storage() {
        let class = "FloatStorage".to_string();
        let layout = Layout {
            class,
            start: 0,
            first: 118,
            shape: vec![0, 3],
            strides: vec![3, 1],
            count: 0,
        };
        assert_eq!(layout.copy(&[0; 8]).unwrap(), TorchData::F32(Vec::new()));
    }
}
