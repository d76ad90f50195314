//! The network as a table: Inception-v3 as in TensorFlow's graph of 2015-12-05, which differs from
//! later ones (see the comments). The table's layers are names and shapes at first, and filters
//! once weights are loaded.

use sngan_kernels::filter::FilterShape;

/// A convolution without bias, followed by batch normalization and ReLU.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    /// Its name in weights files, such as `Mixed_5b.branch1x1`.
    pub(super) name: String,
    pub(super) shape: FilterShape,
}

/// A branch of a block. Its outputs are the block's next channels.
#[derive(Clone, Debug)]
pub(super) enum Branch<L> {
    /// Layers one after another; the last ones side by side, each on the trunk's output.
    Chain { trunk: Vec<L>, heads: Vec<L> },
    /// The mean over 3x3, not counting pixels outside the plane, then a 1x1 layer.
    Mean(L),
    /// The maximum over 3x3, then a 1x1 layer.
    Maximum(L),
    /// The maximum over 3x3 at stride 2.
    Subsample,
}

/// Branches that read the same map.
#[derive(Clone, Debug)]
pub(super) struct Block<L> {
    pub(super) branches: Vec<Branch<L>>,
    pub(super) out_channels: usize,
}

/// The whole network up to the mean over the plane.
#[derive(Clone, Debug)]
pub(super) struct Network<L> {
    /// Up to the first maximum pool (tap 64).
    pub(super) first: Vec<L>,
    /// Up to the second (tap 192).
    pub(super) second: Vec<L>,
    /// Mixed_5b to Mixed_6e (tap 768).
    pub(super) middle: Vec<Block<L>>,
    /// Mixed_7a to Mixed_7c (tap 2048).
    pub(super) last: Vec<Block<L>>,
}

/// Channels of the last map, which FID calls pool3.
pub const POOL: usize = 2048;
/// Classes of the graph's softmax; eight of them were never trained.
pub const LOGITS: usize = 1008;

/// A layer's name and shape; padding as given, 0 elsewhere.
fn layer(
    block: &str,
    name: &str,
    channels: (usize, usize),
    kernel: (usize, usize),
    stride: usize,
    padding: (usize, usize),
) -> Layer {
    let name = if block.is_empty() { name.to_string() } else { format!("{block}.{name}") };
    let (in_channels, out_channels) = channels;
    Layer { name, shape: FilterShape { in_channels, out_channels, kernel, stride, padding } }
}

/// Layers of a block, named within it. All keep the plane's size except those with stride 2, which
/// do not pad.
struct Names<'a>(&'a str);

impl Names<'_> {
    fn same(&self, name: &str, channels: (usize, usize), kernel: (usize, usize)) -> Layer {
        layer(self.0, name, channels, kernel, 1, (kernel.0 / 2, kernel.1 / 2))
    }

    fn point(&self, name: &str, channels: (usize, usize)) -> Layer {
        self.same(name, channels, (1, 1))
    }

    fn halving(&self, name: &str, channels: (usize, usize)) -> Layer {
        layer(self.0, name, channels, (3, 3), 2, (0, 0))
    }
}

/// A chain whose last layer is the branch's output.
fn chain(mut layers: Vec<Layer>) -> Branch<Layer> {
    let heads = layers.split_off(layers.len() - 1);
    Branch::Chain { trunk: layers, heads }
}

/// Mixed_5b, 5c, 5d, 35x35.
fn mixed_5(name: &str, c: usize, pool: usize) -> Block<Layer> {
    let n = Names(name);
    let branches = vec![
        chain(vec![n.point("branch1x1", (c, 64))]),
        chain(vec![n.point("branch5x5_1", (c, 48)), n.same("branch5x5_2", (48, 64), (5, 5))]),
        chain(vec![
            n.point("branch3x3dbl_1", (c, 64)),
            n.same("branch3x3dbl_2", (64, 96), (3, 3)),
            n.same("branch3x3dbl_3", (96, 96), (3, 3)),
        ]),
        Branch::Mean(n.point("branch_pool", (c, pool))),
    ];
    Block { branches, out_channels: 64 + 64 + 96 + pool }
}

/// Mixed_6a, 35x35 to 17x17.
fn mixed_6a() -> Block<Layer> {
    let n = Names("Mixed_6a");
    let double = vec![
        n.point("branch3x3dbl_1", (288, 64)),
        n.same("branch3x3dbl_2", (64, 96), (3, 3)),
        n.halving("branch3x3dbl_3", (96, 96)),
    ];
    let branches =
        vec![chain(vec![n.halving("branch3x3", (288, 384))]), chain(double), Branch::Subsample];
    Block { branches, out_channels: 384 + 96 + 288 }
}

/// Mixed_6b to 6e, 17x17, with `c` channels inside.
fn mixed_6(name: &str, c: usize) -> Block<Layer> {
    let n = Names(name);
    let (wide, tall) = ((1, 7), (7, 1));
    let branches = vec![
        chain(vec![n.point("branch1x1", (768, 192))]),
        chain(vec![
            n.point("branch7x7_1", (768, c)),
            n.same("branch7x7_2", (c, c), wide),
            n.same("branch7x7_3", (c, 192), tall),
        ]),
        chain(vec![
            n.point("branch7x7dbl_1", (768, c)),
            n.same("branch7x7dbl_2", (c, c), tall),
            n.same("branch7x7dbl_3", (c, c), wide),
            n.same("branch7x7dbl_4", (c, c), tall),
            n.same("branch7x7dbl_5", (c, 192), wide),
        ]),
        Branch::Mean(n.point("branch_pool", (768, 192))),
    ];
    Block { branches, out_channels: 4 * 192 }
}

/// Mixed_7a, 17x17 to 8x8.
fn mixed_7a() -> Block<Layer> {
    let n = Names("Mixed_7a");
    let seven = vec![
        n.point("branch7x7x3_1", (768, 192)),
        n.same("branch7x7x3_2", (192, 192), (1, 7)),
        n.same("branch7x7x3_3", (192, 192), (7, 1)),
        n.halving("branch7x7x3_4", (192, 192)),
    ];
    let three = vec![n.point("branch3x3_1", (768, 192)), n.halving("branch3x3_2", (192, 320))];
    Block {
        branches: vec![chain(three), chain(seven), Branch::Subsample],
        out_channels: 320 + 192 + 768,
    }
}

/// Mixed_7b and 7c, 8x8; `pool` makes the last branch, in which they differ.
fn mixed_7(name: &str, c: usize, pool: impl Fn(Layer) -> Branch<Layer>) -> Block<Layer> {
    let n = Names(name);
    let (wide, tall) = ((1, 3), (3, 1));
    let branches = vec![
        chain(vec![n.point("branch1x1", (c, 320))]),
        Branch::Chain {
            trunk: vec![n.point("branch3x3_1", (c, 384))],
            heads: vec![
                n.same("branch3x3_2a", (384, 384), wide),
                n.same("branch3x3_2b", (384, 384), tall),
            ],
        },
        Branch::Chain {
            trunk: vec![
                n.point("branch3x3dbl_1", (c, 448)),
                n.same("branch3x3dbl_2", (448, 384), (3, 3)),
            ],
            heads: vec![
                n.same("branch3x3dbl_3a", (384, 384), wide),
                n.same("branch3x3dbl_3b", (384, 384), tall),
            ],
        },
        pool(n.point("branch_pool", (c, 192))),
    ];
    Block { branches, out_channels: POOL }
}

/// The table. Unlike torchvision's network, means do not count pixels outside the plane, and
/// Mixed_7c has a maximum where 7b has a mean.
pub(super) fn table() -> Network<Layer> {
    let stem = |name, channels, kernel, stride, padding| {
        layer("", name, channels, kernel, stride, padding)
    };
    Network {
        first: vec![
            stem("Conv2d_1a_3x3", (3, 32), (3, 3), 2, (0, 0)),
            stem("Conv2d_2a_3x3", (32, 32), (3, 3), 1, (0, 0)),
            stem("Conv2d_2b_3x3", (32, 64), (3, 3), 1, (1, 1)),
        ],
        second: vec![
            stem("Conv2d_3b_1x1", (64, 80), (1, 1), 1, (0, 0)),
            stem("Conv2d_4a_3x3", (80, 192), (3, 3), 1, (0, 0)),
        ],
        middle: vec![
            mixed_5("Mixed_5b", 192, 32),
            mixed_5("Mixed_5c", 256, 64),
            mixed_5("Mixed_5d", 288, 64),
            mixed_6a(),
            mixed_6("Mixed_6b", 128),
            mixed_6("Mixed_6c", 160),
            mixed_6("Mixed_6d", 160),
            mixed_6("Mixed_6e", 192),
        ],
        last: vec![
            mixed_7a(),
            mixed_7("Mixed_7b", 1280, Branch::Mean),
            mixed_7("Mixed_7c", POOL, Branch::Maximum),
        ],
    }
}

impl<L> Branch<L> {
    fn layers(&self) -> Vec<&L> {
        match self {
            Branch::Chain { trunk, heads } => trunk.iter().chain(heads).collect(),
            Branch::Mean(layer) | Branch::Maximum(layer) => vec![layer],
            Branch::Subsample => Vec::new(),
        }
    }

    fn map<M, E>(self, f: &mut impl FnMut(L) -> Result<M, E>) -> Result<Branch<M>, E> {
        let all =
            |layers: Vec<L>, f: &mut _| layers.into_iter().map(f).collect::<Result<Vec<M>, E>>();
        Ok(match self {
            Branch::Chain { trunk, heads } => {
                Branch::Chain { trunk: all(trunk, &mut *f)?, heads: all(heads, &mut *f)? }
            }
            Branch::Mean(layer) => Branch::Mean(f(layer)?),
            Branch::Maximum(layer) => Branch::Maximum(f(layer)?),
            Branch::Subsample => Branch::Subsample,
        })
    }
}

impl<L> Network<L> {
    /// Every layer, in the table's order.
    pub(super) fn layers(&self) -> Vec<&L> {
        let blocks = self
            .middle
            .iter()
            .chain(&self.last)
            .flat_map(|b| b.branches.iter().flat_map(Branch::layers));
        self.first.iter().chain(&self.second).chain(blocks).collect()
    }

    /// The same network with `f` applied to each layer, in the order of [`Network::layers`].
    pub(super) fn map<M, E>(self, mut f: impl FnMut(L) -> Result<M, E>) -> Result<Network<M>, E> {
        let blocks = |blocks: Vec<Block<L>>, f: &mut _| {
            let each = |b: Block<L>| {
                let branches =
                    b.branches.into_iter().map(|branch| branch.map(f)).collect::<Result<_, E>>()?;
                Ok(Block { branches, out_channels: b.out_channels })
            };
            blocks.into_iter().map(each).collect::<Result<Vec<Block<M>>, E>>()
        };
        let first = self.first.into_iter().map(&mut f).collect::<Result<_, E>>()?;
        let second = self.second.into_iter().map(&mut f).collect::<Result<_, E>>()?;
        Ok(Network {
            first,
            second,
            middle: blocks(self.middle, &mut f)?,
            last: blocks(self.last, &mut f)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_94_layers_of_the_published_sizes() {
        let table = table();
        let layers = table.layers();
        assert_eq!(layers.len(), 94);
        let names: std::collections::BTreeSet<_> = layers.iter().map(|l| &l.name).collect();
        assert_eq!(names.len(), 94);
        // Weights, four numbers per channel, and the dense layer: 23,885,392 numbers in the
        // published file.
        let numbers: usize = layers
            .iter()
            .map(|l| l.shape.out_channels * (l.shape.in_channels * l.shape.taps() + 4))
            .sum();
        assert_eq!(numbers + LOGITS * (POOL + 1), 23_885_392);
    }

    #[test]
    fn branches_add_up_to_their_blocks() {
        let table = table();
        let mut channels = 192;
        for block in table.middle.iter().chain(&table.last) {
            let of = |branch: &Branch<Layer>| match branch {
                Branch::Chain { heads, .. } => heads.iter().map(|l| l.shape.out_channels).sum(),
                Branch::Mean(layer) | Branch::Maximum(layer) => layer.shape.out_channels,
                Branch::Subsample => channels,
            };
            assert_eq!(block.branches.iter().map(of).sum::<usize>(), block.out_channels);
            channels = block.out_channels;
        }
        assert_eq!(channels, POOL);
    }
}
