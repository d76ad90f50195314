//! One file per table; adding one is its file and a line in [`LIST`].

mod table1;

use crate::Artefact;

/// Every table, in the paper's order.
pub(crate) const LIST: &[Artefact] =
    &[Artefact { id: "table1", title: "The settings A–F with each method's scores", render: table1::render }];
