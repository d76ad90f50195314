//! The paper's own numbers.

use crate::{Error, Result};
use sngan_experiment::method::Method;

const FILE: &str = "reference/table2.csv";
const TABLE2: &str = include_str!("../reference/table2.csv");

/// A row of Table 2 for CIFAR-10, taken through Inception-v3: never on one axis or in one column with another backbone's.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Best {
    /// The method as Table 2 writes it.
    pub(crate) name: String,
    /// Inception score, mean.
    pub(crate) is: Option<f64>,
    /// Its standard deviation.
    pub(crate) is_std: Option<f64>,
    /// Fréchet inception distance.
    pub(crate) fid: Option<f64>,
}

/// Table 2's name of a method in the standard CNN's rows.
fn name(method: Method) -> Option<&'static str> {
    Some(match method {
        Method::WeightClipping => "weight clipping",
        Method::GanGp => "GAN-GP",
        Method::WganGp => "WGAN-GP",
        Method::BatchNorm => "batch norm",
        Method::LayerNorm => "layer norm",
        Method::WeightNorm => "weight norm",
        Method::Orthonormal => "orthonormal",
        Method::Sn => "SN",
        Method::FrobeniusNorm | Method::Vanilla => return None,
    })
}

/// The paper's best value over A–F of `method` on CIFAR-10: standard CNN, its first loss, 100,000 updates.
pub(crate) fn best(method: Method) -> Result<Option<Best>> {
    let Some(name) = name(method) else { return Ok(None) };
    let mut lines = TABLE2.lines().enumerate();
    let header: Vec<&str> = lines.next().map(|(_, l)| l.split(',').collect()).unwrap_or_default();
    for (i, line) in lines {
        let bad = |reason: String| Error::Reference { file: FILE, line: i + 1, reason };
        let cells: Vec<&str> = line.split(',').collect();
        let cell = |key: &str| header.iter().position(|h| *h == key).and_then(|k| cells.get(k)).copied().unwrap_or("");
        let number = |key: &str| match cell(key) {
            "" => Ok(None),
            text => text.parse::<f64>().map(Some).map_err(|e| bad(format!("{key} `{text}`: {e}"))),
        };
        if (cell("group"), cell("method"), cell("updates")) == ("cnn", name, "1x") && cell("loss") != "hinge" {
            return Ok(Some(Best {
                name: name.into(),
                is: number("is_cifar10")?,
                is_std: number("is_cifar10_std")?,
                fid: number("fid_cifar10")?,
            }));
        }
    }
    Err(Error::Reference { file: FILE, line: 0, reason: format!("no row for {name}") })
}

/// The paper's backbone.
pub(crate) const BACKBONE: &str = "inception";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_of_figure_1_has_a_row() {
        for method in Method::ALL {
            let best = best(method).unwrap();
            assert_eq!(best.is_none(), matches!(method, Method::FrobeniusNorm | Method::Vanilla));
            assert!(best.is_none_or(|b| b.is.unwrap() > 6.0 && b.fid.unwrap() < 60.0));
        }
        assert_eq!(best(Method::Sn).unwrap().unwrap(), Best { name: "SN".into(), is: Some(7.42), is_std: Some(0.08), fid: Some(29.3) });
    }
}
