//! One file per kind of table; adding one is its file and a line in [`LIST`].

mod architecture;
mod cell;
mod levels;
mod sizes;
mod table1;
mod table2;
mod variants;

pub(crate) use cell::{Cell, Grid, marked, quoted};

use crate::artefact::{Artefact, Source, Whose};
use crate::{Result, ScoredSweep};

const ANYBODYS: Source = Source::Sweeps(Whose::Anybodys);
const PAPERS: Source = Source::Sweeps(Whose::Papers);

/// Every table, in the paper's order.
pub(crate) const LIST: &[Artefact] = &[
    Artefact {
        id: "table1",
        title: "The settings with each method's scores",
        source: ANYBODYS,
        render: table1::render,
    },
    Artefact {
        id: "table2",
        title: "Each method's best scores",
        source: PAPERS,
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
        source: PAPERS,
        render: variants::table7,
    },
    Artefact {
        id: "table8",
        title: "The same with labels",
        source: PAPERS,
        render: variants::table8,
    },
    Artefact {
        id: "levels",
        title: "Each row over all settings: level, spread and best setting (not in the paper)",
        source: Source::Sweeps(Whose::Everybodys),
        render: levels::render,
    },
];

/// The tables of one sweep's scores, ours beside the paper's if it has numbers.
pub(crate) fn grids(c: &ScoredSweep) -> Result<Vec<Grid>> {
    let one = std::slice::from_ref(c);
    let mut grids = table1::grids(c)?;
    // The first of the experiment's artefacts.
    match c.paper().and_then(|p| p.artefacts.first()).map(String::as_str) {
        Some("table1") => grids.extend(table1::beside(c)?),
        Some("table2") => grids.extend(table2::grids(one)?),
        Some("table7") => grids.extend(variants::grids7(one)?),
        Some("table8") => grids.extend(variants::grids8(one)?),
        _ => {}
    }
    Ok(grids)
}
