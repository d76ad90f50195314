//! The forward pass over one batch, map by map; no map outlives its last reader.

use super::network::{Block, Branch, Network, POOL};
use super::resize::SIDE;
use super::weights::Weights;
use sngan_kernels::Buffer;
use sngan_kernels::filter::pool::{self, Windows};
use sngan_kernels::filter::{Filter, Finish, Map, MapMut, Plane};

/// A maximum pool that halves the plane.
const HALVING: Windows = Windows { stride: 2, padding: 0 };
/// A pool that keeps the plane's size.
const SAME: Windows = Windows { stride: 1, padding: 1 };

/// A feature map with its values, `[H, W, N, C]`.
pub(super) struct Grid {
    plane: Plane,
    channels: usize,
    data: Buffer<f32>,
}

impl Grid {
    fn empty(plane: Plane, channels: usize) -> Grid {
        Grid { plane, channels, data: Buffer::arbitrary(plane.rows() * channels) }
    }

    /// The network's input for `images` images.
    pub(super) fn input(images: usize, data: Buffer<f32>) -> Grid {
        Grid { plane: Plane { height: SIDE, width: SIDE, images }, channels: 3, data }
    }

    fn map(&self) -> Map<'_> {
        Map::new(self.plane, self.channels, &self.data)
    }

    /// Channels `first..first + channels`, to be written.
    fn part(&mut self, first: usize, channels: usize) -> MapMut<'_> {
        MapMut::some(self.plane, channels, self.channels, &mut self.data[first..])
    }

    /// The mean over the plane, `[N, C]`.
    fn means(&self) -> Vec<f32> {
        let mut means = vec![0.0; self.plane.images * self.channels];
        pool::mean_over_plane(self.map(), &mut means);
        means
    }
}

/// A layer's output as a new map.
fn apply(filter: &Filter, x: &Grid, finish: Finish) -> Grid {
    let channels = filter.shape().out_channels;
    let mut y = Grid::empty(filter.shape().output(x.plane), channels);
    filter.apply(x.map(), finish, y.part(0, channels));
    y
}

/// A maximum pool's output as a new map.
fn maximum(windows: Windows, x: &Grid) -> Grid {
    let mut y = Grid::empty(windows.output(x.plane), x.channels);
    pool::maximum(windows, x.map(), y.part(0, x.channels));
    y
}

/// Layers one after another, then a halving maximum pool.
fn stem(layers: &[Filter], x: Grid) -> Grid {
    let x = layers.iter().fold(x, |x, filter| apply(filter, &x, Finish::BiasRelu));
    maximum(HALVING, &x)
}

fn block(block: &Block<Filter>, x: Grid) -> Grid {
    let halves = block.branches.iter().any(|b| matches!(b, Branch::Subsample));
    let plane = if halves { HALVING.output(x.plane) } else { x.plane };
    let mut y = Grid::empty(plane, block.out_channels);
    let mut first = 0;
    for branch in &block.branches {
        first += self::branch(branch, &x, &mut y, first);
    }
    y
}

/// Writes a branch's channels of `y`, from `first` on, and returns their number.
fn branch(branch: &Branch<Filter>, x: &Grid, y: &mut Grid, first: usize) -> usize {
    match branch {
        Branch::Chain { trunk, heads } => {
            let end = trunk.split_first().map(|(one, more)| {
                let start = apply(one, x, Finish::BiasRelu);
                more.iter().fold(start, |x, filter| apply(filter, &x, Finish::BiasRelu))
            });
            let mut at = first;
            for head in heads {
                let channels = head.shape().out_channels;
                head.apply(end.as_ref().unwrap_or(x).map(), Finish::BiasRelu, y.part(at, channels));
                at += channels;
            }
            at - first
        }
        Branch::Mean(filter) => {
            // The mean of a 1x1 filter's outputs is the filter of the means, and has fewer channels.
            let outputs = apply(filter, x, Finish::Plain);
            pool::mean_bias_relu(
                SAME,
                outputs.map(),
                filter.bias(),
                y.part(first, outputs.channels),
            );
            outputs.channels
        }
        Branch::Maximum(filter) => {
            let channels = filter.shape().out_channels;
            filter.apply(maximum(SAME, x).map(), Finish::BiasRelu, y.part(first, channels));
            channels
        }
        Branch::Subsample => {
            pool::maximum(HALVING, x.map(), y.part(first, x.channels));
            x.channels
        }
    }
}

/// The images of all `parts` (at least one) in one map.
pub(super) fn beside(parts: Vec<Grid>) -> Grid {
    let (plane, channels) = (parts[0].plane, parts[0].channels);
    let images: usize = parts.iter().map(|part| part.plane.images).sum();
    let mut all = Grid::empty(Plane { images, ..plane }, channels);
    let mut first = 0;
    for part in parts {
        let width = part.plane.images * channels;
        let pixels =
            all.data.chunks_exact_mut(images * channels).zip(part.data.chunks_exact(width));
        pixels.for_each(|(all, part)| all[first..first + width].copy_from_slice(part));
        first += width;
    }
    all
}

/// The last map's mean over the plane, `[N, 2048]`, of the images of all `inputs`, whose sizes
/// differ only in their number of images. Each input goes through the first layers alone, because
/// the maps there are the largest. If `tap` is given, it gets the means of the earlier maps, of 64
/// (0), 192 (1) and 768 channels (2); the first two input by input.
pub(super) fn pool3(
    network: &Network<Filter>,
    inputs: impl Iterator<Item = Grid>,
    mut tap: impl FnMut(usize, &dyn Fn() -> Vec<f32>),
) -> Vec<f32> {
    let narrow = |input: Grid| {
        let x = stem(&network.first, input);
        tap(0, &|| x.means());
        let x = stem(&network.second, x);
        tap(1, &|| x.means());
        x
    };
    let x = beside(inputs.map(narrow).collect());
    let x = network.middle.iter().fold(x, |x, b| block(b, x));
    tap(2, &|| x.means());
    network.last.iter().fold(x, |x, b| block(b, x)).means()
}

/// Logits without bias, `[N, 1008]`, of pooled features, `[N, 2048]`.
pub(super) fn logits(weights: &Weights, pool: &[f32]) -> Vec<f32> {
    let plane = Plane { height: 1, width: 1, images: pool.len() / POOL };
    let channels = weights.dense.shape().out_channels;
    let mut logits = vec![0.0; plane.images * channels];
    weights.dense.apply(
        Map::new(plane, POOL, pool),
        Finish::Plain,
        MapMut::new(plane, channels, &mut logits),
    );
    logits
}
