//! Operations of ours as nodes of Candle's graph, with the number of their inputs in the type.
//!
//! Candle's backward pass makes a zero tensor and adds for every gradient, on one thread. For large values that costs more than the
//! operations themselves, so a feature map is in the graph by a tensor of one element, its handle: Candle orders the backward pass by the
//! handles, and the gradients go through the maps' own slots. Weights and their gradients are ordinary tensors.
//!
//! An operation on `M` maps and `N` tensors says what its gradients are, and nothing else: its backward pass returns exactly `M` and `N` of
//! them, and the node puts them where they belong. A gradient that was asked for and is missing is an error, one that nobody asked for is
//! dropped, and the maps' handles are always served, so no operation can leave a part of the graph waiting.

use super::feature_map::{Data, Element, FeatureMap, Map, Slot, with_slice};
use super::pattern;
use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, Device, Layout, Result, Shape, Tensor, bail,
};
use sngan_kernels::Buffer;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

/// What an operation on `M` feature maps and `N` tensors is asked in the backward pass.
pub(super) struct Call<'a, T, const M: usize, const N: usize> {
    /// The maps that it read.
    pub(super) maps: &'a [Map; M],
    /// The tensors that it read.
    pub(super) tensors: [&'a Tensor; N],
    /// Whether a map's gradient is asked for: not of images in D's update, nor of what depends on constants alone.
    pub(super) asks_map: [bool; M],
    /// Whether a tensor's gradient is asked for: not of a frozen D's in G's update.
    pub(super) asks_tensor: [bool; N],
    /// The gradient of the result's values.
    pub(super) dy: &'a [T],
}

/// A gradient of a feature map.
pub(super) enum MapGradient<T: Element> {
    /// That of its values; the derivative of its activation is still to be applied.
    Values(Buffer<T>),
    /// That of its values before its activation, whose derivative the operation has applied on the way.
    BeforeActivation(Buffer<T>),
}

/// One gradient for each of `M` maps and `N` tensors; `None` where none is asked for.
pub(super) struct Gradients<T: Element, const M: usize, const N: usize> {
    pub(super) maps: [Option<MapGradient<T>>; M],
    /// As many values as the tensor has, in its order.
    pub(super) tensors: [Option<Vec<T>>; N],
}

/// What Candle adds up: for each map's handle and for each tensor.
type Served<const M: usize, const N: usize> = ([Option<Tensor>; M], [Option<Tensor>; N]);

/// A new feature map's values.
pub(super) struct Values {
    /// `[N, C, H, W]`.
    pub(super) dims: [usize; 4],
    pub(super) data: Arc<Data>,
    /// As [`Map::mask`].
    pub(super) mask: Option<(Arc<Data>, f64)>,
}

/// A node whose value has been computed already.
pub(super) struct Node<T, F, const M: usize, const N: usize> {
    name: &'static str,
    value: Mutex<Option<(CpuStorage, Shape)>>,
    maps: [Map; M],
    /// Where the result's gradient is collected, of a result that is a map.
    slot: Option<Slot>,
    backward: F,
    element: PhantomData<fn(T)>,
}

impl<T, F, const M: usize, const N: usize> Node<T, F, M, N>
where
    T: Element,
    F: Fn(Call<'_, T, M, N>) -> Result<Gradients<T, M, N>>,
{
    fn value(&self) -> Result<(CpuStorage, Shape)> {
        let value = self.value.lock().unwrap_or_else(PoisonError::into_inner).take();
        value.ok_or_else(|| candle_core::Error::Msg(format!("{} was applied twice", self.name)))
    }

    /// What Candle gets for each handle and tensor.
    fn serve(
        &self,
        handles: [&Tensor; M],
        tensors: [&Tensor; N],
        grad: &Tensor,
    ) -> Result<Served<M, N>> {
        let run = |dy: &[T]| {
            (self.backward)(Call {
                maps: &self.maps,
                tensors,
                asks_map: handles.map(Tensor::track_op),
                asks_tensor: tensors.map(Tensor::track_op),
                dy,
            })
        };
        let Gradients { maps, tensors: of_tensors } = match &self.slot {
            None => with_slice(grad, run)?,
            Some(slot) => match slot.take() {
                Some(dy) => run(T::values(&dy)?)?,
                // Nobody used this map; what it was made from still expects word.
                None => return Ok((served(handles)?, served(tensors)?)),
            },
        };
        for ((gradient, map), handle) in maps.into_iter().zip(&self.maps).zip(handles) {
            if handle.track_op() {
                match gradient {
                    Some(MapGradient::Values(dx)) => map.receive(dx)?,
                    Some(MapGradient::BeforeActivation(dx)) => map.gradient.add(dx)?,
                    None => bail!("{} gave a feature map no gradient", self.name),
                }
            }
        }
        let mut found = [const { None }; N];
        for ((found, gradient), tensor) in found.iter_mut().zip(of_tensors).zip(tensors) {
            if tensor.track_op() {
                let Some(gradient) = gradient else {
                    bail!("{} gave a tensor {:?} no gradient", self.name, tensor.dims());
                };
                *found = Some(Tensor::from_vec(gradient, tensor.shape(), &Device::Cpu)?);
            }
        }
        Ok((served(handles)?, found))
    }
}

/// Zeros for those that expect a gradient; of a handle it only says that its slot has been served.
fn served<const K: usize>(of: [&Tensor; K]) -> Result<[Option<Tensor>; K]> {
    let mut zeros = [const { None }; K];
    for (zero, t) in zeros.iter_mut().zip(of).filter(|(_, t)| t.track_op()) {
        *zero = Some(t.zeros_like()?);
    }
    Ok(zeros)
}

/// A node that can be put into Candle's graph, which has them for one, two and three inputs.
pub(super) trait Place<const M: usize, const N: usize> {
    fn place(self, handles: [&Tensor; M], tensors: [&Tensor; N]) -> Result<Tensor>;
}

/// Nodes of so many maps and tensors, as Candle's operation of so many inputs.
macro_rules! node {
    ($op:ident, $apply:ident, $maps:literal: $($map:ident)*, $tensors:literal: $($tensor:ident)*; $first:ident $($other:ident)*) => {
        impl<T, F> $op for Node<T, F, $maps, $tensors>
        where
            T: Element,
            F: Fn(Call<'_, T, $maps, $tensors>) -> Result<Gradients<T, $maps, $tensors>>,
        {
            fn name(&self) -> &'static str {
                self.name
            }

            node!(forward $first $($other)*);

            fn bwd(
                &self,
                $first: &Tensor,
                $($other: &Tensor,)*
                _: &Tensor,
                grad: &Tensor,
            ) -> Result<node!(options $first $($other)*)> {
                let ([$($map),*], [$($tensor),*]) =
                    self.serve([$($map),*], [$($tensor),*], grad)?;
                Ok(node!(found $first $($other)*))
            }
        }

        impl<T, F> Place<$maps, $tensors> for Node<T, F, $maps, $tensors>
        where
            T: Element,
            F: Fn(Call<'_, T, $maps, $tensors>) -> Result<Gradients<T, $maps, $tensors>>
                + Send
                + Sync
                + 'static,
        {
            fn place(
                self,
                [$($map),*]: [&Tensor; $maps],
                [$($tensor),*]: [&Tensor; $tensors],
            ) -> Result<Tensor> {
                $first.$apply($($other,)* self)
            }
        }
    };
    (forward $a:ident) => {
        fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
            self.value()
        }
    };
    (forward $a:ident $b:ident) => {
        fn cpu_fwd(
            &self,
            _: &CpuStorage,
            _: &Layout,
            _: &CpuStorage,
            _: &Layout,
        ) -> Result<(CpuStorage, Shape)> {
            self.value()
        }
    };
    (forward $a:ident $b:ident $c:ident) => {
        fn cpu_fwd(
            &self,
            _: &CpuStorage,
            _: &Layout,
            _: &CpuStorage,
            _: &Layout,
            _: &CpuStorage,
            _: &Layout,
        ) -> Result<(CpuStorage, Shape)> {
            self.value()
        }
    };
    (found $a:ident) => { $a };
    (found $a:ident $b:ident) => { ($a, $b) };
    (found $a:ident $b:ident $c:ident) => { ($a, $b, $c) };
    (options $a:ident) => { Option<Tensor> };
    (options $a:ident $b:ident) => { (Option<Tensor>, Option<Tensor>) };
    (options $a:ident $b:ident $c:ident) => { (Option<Tensor>, Option<Tensor>, Option<Tensor>) };
}

node!(CustomOp1, apply_op1, 1: a, 0:; a);
node!(CustomOp1, apply_op1, 0:, 1: a; a);
node!(CustomOp2, apply_op2, 2: a b, 0:; a b);
node!(CustomOp2, apply_op2, 1: a, 1: b; a b);
node!(CustomOp2, apply_op2, 0:, 2: a b; a b);
node!(CustomOp3, apply_op3, 1: a, 2: b c; a b c);

/// The operation `name` with the result `value` of `shape`, a tensor, as a function of `maps` and `tensors`.
pub(super) fn tensor<T, F, const M: usize, const N: usize>(
    name: &'static str,
    maps: [&Map; M],
    tensors: [&Tensor; N],
    (value, shape): (Vec<T>, impl Into<Shape>),
    backward: F,
) -> crate::Result<Tensor>
where
    T: Element,
    F: Fn(Call<'_, T, M, N>) -> Result<Gradients<T, M, N>>,
    Node<T, F, M, N>: Place<M, N>,
{
    let value = (T::to_cpu_storage_owned(value), shape.into());
    Ok(placed(name, maps, tensors, value, None, backward)?)
}

/// The operation `name` with the result `values`, a feature map, as a function of `maps` and `tensors`.
pub(super) fn map<T, F, const M: usize, const N: usize>(
    name: &'static str,
    maps: [&Map; M],
    tensors: [&Tensor; N],
    values: Values,
    backward: F,
) -> crate::Result<FeatureMap>
where
    T: Element,
    F: Fn(Call<'_, T, M, N>) -> Result<Gradients<T, M, N>>,
    Node<T, F, M, N>: Place<M, N>,
{
    let gradient = Slot::default();
    // The value of a handle is never read.
    let value = (CpuStorage::F32(vec![0.0]), 1.into());
    let handle = placed(name, maps, tensors, value, Some(gradient.clone()), backward)?;
    let Values { dims, data, mask } = values;
    let map = Map { dims, dtype: T::DTYPE, data, mask, handle, gradient };
    pattern::made::<T>(&map)?;
    Ok(FeatureMap::Ours(map))
}

fn placed<T, F, const M: usize, const N: usize>(
    name: &'static str,
    maps: [&Map; M],
    tensors: [&Tensor; N],
    value: (CpuStorage, Shape),
    slot: Option<Slot>,
    backward: F,
) -> Result<Tensor>
where
    T: Element,
    F: Fn(Call<'_, T, M, N>) -> Result<Gradients<T, M, N>>,
    Node<T, F, M, N>: Place<M, N>,
{
    let node = Node {
        name,
        value: Mutex::new(Some(value)),
        maps: maps.map(Map::clone),
        slot,
        backward,
        element: PhantomData,
    };
    node.place(maps.map(|map| &map.handle), tensors)
}

/// A feature map made of another alone; `backward(map, dy)` gives that one's gradient, and is called only where it is asked for.
pub(super) fn unary<T: Element>(
    name: &'static str,
    x: &Map,
    values: Values,
    backward: impl Fn(&Map, &[T]) -> Result<Buffer<T>> + Send + Sync + 'static,
) -> crate::Result<FeatureMap> {
    map(name, [x], [], values, of_one(backward))
}

/// A tensor made of a feature map alone, as [`unary`].
pub(super) fn unary_to_tensor<T: Element>(
    name: &'static str,
    x: &Map,
    value: (Vec<T>, impl Into<Shape>),
    backward: impl Fn(&Map, &[T]) -> Result<Buffer<T>> + Send + Sync + 'static,
) -> crate::Result<Tensor> {
    tensor(name, [x], [], value, of_one(backward))
}

fn of_one<T: Element>(
    backward: impl Fn(&Map, &[T]) -> Result<Buffer<T>> + Send + Sync + 'static,
) -> impl Fn(Call<'_, T, 1, 0>) -> Result<Gradients<T, 1, 0>> + Send + Sync + 'static {
    move |call| {
        let Call { maps: [x], asks_map: [asked], dy, .. } = call;
        let dx = if asked { Some(MapGradient::Values(backward(x, dy)?)) } else { None };
        Ok(Gradients { maps: [dx], tensors: [] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Var};

    fn ones(n: usize) -> Var {
        Var::ones(n, DType::F32, &Device::Cpu).unwrap()
    }

    #[test]
    fn a_gradient_that_is_asked_for_must_come_and_another_is_dropped() {
        let (asked, constant) = (ones(3), ones(3).as_detached_tensor());
        let twice = |first: Option<Vec<f32>>| {
            let inputs = [asked.as_tensor(), &constant];
            tensor::<f32, _, 0, 2>("twice", [], inputs, (vec![2.0; 3], 3), move |call| {
                assert_eq!((call.asks_tensor, call.dy), ([true, false], &[1.0; 3][..]));
                Ok(Gradients { maps: [], tensors: [first.clone(), Some(vec![7.0; 3])] })
            })
            .unwrap()
        };
        let grads = twice(Some(vec![5.0; 3])).backward().unwrap();
        assert_eq!(grads.get(&asked).unwrap().to_vec1::<f32>().unwrap(), [5.0; 3]);
        assert!(grads.get(&constant).is_none());
        let message = twice(None).backward().unwrap_err().to_string();
        assert!(message.contains("twice gave a tensor [3] no gradient"), "{message}");
    }

    #[test]
    fn a_map_that_nobody_uses_does_not_keep_the_one_it_was_made_from_waiting() {
        let images = Var::ones((1, 1, 1, 2), DType::F32, &Device::Cpu).unwrap();
        let x = FeatureMap::of(super::super::Arm::Ours, images.as_tensor()).unwrap();
        let FeatureMap::Ours(map) = &x else { panic!("our arm") };
        let values = Values { dims: map.dims, data: map.data.clone(), mask: None };
        let unused = unary::<f32>("unused", map, values, |_, _| bail!("nobody asked")).unwrap();
        let FeatureMap::Ours(unused) = &unused else { panic!("our arm") };
        let sum =
            (x.to_tensor().unwrap().sum_all().unwrap() + unused.handle.sum_all().unwrap()).unwrap();
        let grads = sum.backward().unwrap();
        let gradient = grads.get(&images).unwrap().flatten_all().unwrap();
        assert_eq!(gradient.to_vec1::<f32>().unwrap(), [1.0, 1.0]);
    }
}
