//! One file per kind of table; adding one is its file and a line in [`LIST`].

mod architecture;
mod cell;
mod sizes;
mod table1;
mod table2;
mod variants;

pub(crate) use cell::{Cell, Grid};

use crate::artefact::{Artefact, Source};
use crate::{Collected, Result};

const GRID: Source = Source::Sweeps(&["table1", "table1-stl10"]);
const BEST: Source = Source::Sweeps(&[
    "table2",
    "table2-resnet",
    "table1",
    "table2-stl10",
    "table2-resnet-stl10",
    "table1-stl10",
]);

/// Every table, in the paper's order.
pub(crate) const LIST: &[Artefact] = &[
    Artefact {
        id: "table1",
        title: "The settings A–F with each method's scores",
        source: GRID,
        render: table1::render,
    },
    Artefact {
        id: "table2",
        title: "Each method's best scores",
        source: BEST,
        render: table2::render,
    },
    Artefact {
        id: "table3",
        title: "The standard CNN",
        source: Source::Code,
        render: architecture::table3,
    },
    Artefact {
        id: "table4",
        title: "The ResNet for CIFAR-10",
        source: Source::Code,
        render: architecture::table4,
    },
    Artefact {
        id: "table5",
        title: "The ResNet for STL-10",
        source: Source::Code,
        render: architecture::table5,
    },
    Artefact {
        id: "table6",
        title: "The ResNet for ImageNet",
        source: Source::Code,
        render: architecture::table6,
    },
    Artefact {
        id: "table7",
        title: "WGAN-GP with reparametrized weights",
        source: Source::Sweeps(&["table7", "table7-resnet"]),
        render: variants::table7,
    },
    Artefact {
        id: "table8",
        title: "The same with labels",
        source: Source::Sweeps(&["table8"]),
        render: variants::table8,
    },
];

/// The tables of one sweep's scores, ours beside the paper's where it has numbers.
pub(crate) fn grids(c: &Collected) -> Result<Vec<Grid>> {
    let one = std::slice::from_ref(c);
    let mut grids = table1::grids(c)?;
    match c.plan.name.as_str() {
        name if name.starts_with("table2") => grids.extend(table2::grids(one)?),
        name if name.starts_with("table7") => grids.extend(variants::grids7(one)?),
        name if name.starts_with("table8") => grids.extend(variants::grids8(one)?),
        name if name.starts_with("imagenet") || matches!(name, "n-dis" | "last-layer") => {}
        _ => grids.extend(table1::beside(c)?),
    }
    Ok(grids)
}
