//! The paper's own numbers, all taken with Inception-v3. They never share an axis or a column with
//! those of another backbone.

use crate::describe::thousands;
use crate::{Error, Result, method};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sngan_experiment::Dataset;
use sngan_experiment::method::{Method, Normalization};
use sngan_experiment::records::Metric;

/// The paper's backbone.
pub(crate) const BACKBONE: &str = "inception";

const TABLE_2: (&str, &str) = ("reference/table2.csv", include_str!("../reference/table2.csv"));
const TABLE_7: (&str, &str) = ("reference/table7.csv", include_str!("../reference/table7.csv"));
const TABLE_8: (&str, &str) = ("reference/table8.csv", include_str!("../reference/table8.csv"));
const IMAGENET: (&str, &str) =
    ("reference/imagenet.csv", include_str!("../reference/imagenet.csv"));

/// The data sets of Table 2, in its order.
const TABLE_2_DATASETS: [Dataset; 2] = [Dataset::Cifar10, Dataset::Stl10];

/// A number and its spread, if the paper gives them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Published {
    pub(crate) value: Option<f64>,
    pub(crate) std: Option<f64>,
}

/// A row of Table 2: scores on CIFAR-10 and on STL-10.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Table2Row {
    /// `reference`, `cnn`, `resnet` or `literature`.
    pub(crate) group: String,
    /// The method as Table 2 writes it.
    pub(crate) method: String,
    /// `standard`, `hinge`, `wasserstein`, or nothing.
    pub(crate) loss: String,
    /// `1x`, `2x`, or nothing.
    pub(crate) updates: String,
    /// Inception score on CIFAR-10 and on STL-10.
    is: [Published; 2],
    /// FID on CIFAR-10 and on STL-10.
    fid: [Published; 2],
}

/// A row of Table 7 or 8.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct VariantRow {
    /// `cnn` or `resnet`.
    pub(crate) architecture: String,
    /// D's normalization, reparametrized.
    pub(crate) normalization: Normalization,
    /// Factor of D's widths.
    pub(crate) dis_width_factor: f64,
    pub(crate) method: String,
    pub(crate) is: Published,
    pub(crate) fid: Option<f64>,
    /// What the paper says about the row: `baseline`, `literature`, or why there are no numbers.
    pub(crate) note: String,
}

/// What is known about a model on ImageNet.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ImageNetRow {
    pub(crate) model: String,
    pub(crate) updates: String,
    pub(crate) is: Published,
    pub(crate) intra_class_ms_ssim: Option<f64>,
    pub(crate) source: String,
}

/// Every row of an embedded CSV file, by the names in its first line.
fn rows<T: DeserializeOwned>((file, text): (&'static str, &'static str)) -> Result<Vec<T>> {
    csv::Reader::from_reader(text.as_bytes())
        .into_deserialize()
        .collect::<csv::Result<Vec<T>>>()
        .map_err(|source| Error::Reference { file, source })
}

/// A line of table2.csv.
#[derive(Deserialize)]
struct Table2Line {
    group: String,
    method: String,
    loss: String,
    updates: String,
    is_cifar10: Option<f64>,
    is_cifar10_std: Option<f64>,
    is_stl10: Option<f64>,
    is_stl10_std: Option<f64>,
    fid_cifar10: Option<f64>,
    fid_cifar10_std: Option<f64>,
    fid_stl10: Option<f64>,
    fid_stl10_std: Option<f64>,
}

/// Every row of Table 2.
pub(crate) fn table2() -> Result<Vec<Table2Row>> {
    let row = |l: Table2Line| Table2Row {
        is: [
            Published { value: l.is_cifar10, std: l.is_cifar10_std },
            Published { value: l.is_stl10, std: l.is_stl10_std },
        ],
        fid: [
            Published { value: l.fid_cifar10, std: l.fid_cifar10_std },
            Published { value: l.fid_stl10, std: l.fid_stl10_std },
        ],
        group: l.group,
        method: l.method,
        loss: l.loss,
        updates: l.updates,
    };
    Ok(rows(TABLE_2)?.into_iter().map(row).collect())
}

/// A line of table7.csv or table8.csv.
#[derive(Deserialize)]
struct VariantLine {
    architecture: String,
    normalization: Normalization,
    dis_width_factor: Option<f64>,
    method: String,
    is_mean: Option<f64>,
    is_std: Option<f64>,
    fid: Option<f64>,
    note: String,
}

fn variants(table: (&'static str, &'static str)) -> Result<Vec<VariantRow>> {
    let row = |l: VariantLine| VariantRow {
        architecture: l.architecture,
        normalization: l.normalization,
        dis_width_factor: l.dis_width_factor.unwrap_or(1.0),
        method: l.method,
        is: Published { value: l.is_mean, std: l.is_std },
        fid: l.fid,
        note: l.note,
    };
    Ok(rows(table)?.into_iter().map(row).collect())
}

/// Every row of Table 7.
pub(crate) fn table7() -> Result<Vec<VariantRow>> {
    variants(TABLE_7)
}

/// Every row of Table 8.
pub(crate) fn table8() -> Result<Vec<VariantRow>> {
    variants(TABLE_8)
}

/// A line of imagenet.csv.
#[derive(Deserialize)]
struct ImageNetLine {
    model: String,
    updates: Option<u64>,
    is_mean: Option<f64>,
    is_std: Option<f64>,
    intra_ms_ssim: Option<f64>,
    source: String,
}

/// Inception scores on ImageNet, from the paper and from what its authors published with their code.
pub(crate) fn imagenet() -> Result<Vec<ImageNetRow>> {
    let row = |l: ImageNetLine| ImageNetRow {
        model: l.model,
        updates: l.updates.map_or_else(String::new, thousands),
        is: Published { value: l.is_mean, std: l.is_std },
        intra_class_ms_ssim: l.intra_ms_ssim,
        source: l.source,
    };
    Ok(rows(IMAGENET)?.into_iter().map(row).collect())
}

/// The paper's best of `method` over A–F: standard CNN, its first loss, 100,000 updates.
pub(crate) fn best(method: Method) -> Result<Option<Table2Row>> {
    let Some(name) = method::table2_name(method) else { return Ok(None) };
    let is_it = |r: &Table2Row| {
        (r.group.as_str(), r.method.as_str(), r.updates.as_str()) == ("cnn", name, "1x")
            && r.loss != "hinge"
    };
    Ok(table2()?.into_iter().find(is_it))
}

impl Table2Row {
    /// Its score in `metric` on `dataset`; empty where Table 2 has none.
    pub(crate) fn published(&self, metric: Metric, dataset: Dataset) -> Published {
        let columns = [(Metric::Is, self.is), (Metric::Fid, self.fid)];
        let scores = columns.into_iter().find(|(column, _)| *column == metric);
        let place = TABLE_2_DATASETS.iter().position(|d| *d == dataset);
        scores.zip(place).map(|((_, scores), place)| scores[place]).unwrap_or_default()
    }
}

impl Published {
    /// `7.42 ± 0.08`, `29.3`, or a dash; spreads with the two digits that the paper prints.
    pub(crate) fn text(&self, digits: usize) -> String {
        match (self.value, self.std) {
            (Some(value), Some(std)) => format!("{value:.digits$} ± {std:.2}"),
            (Some(value), None) => format!("{value:.digits$}"),
            (None, _) => "–".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_of_figure_1_has_a_row() {
        let with_row = Method::ALL.into_iter().filter(|method| {
            let best = best(*method).unwrap();
            let plausible =
                |b: &Table2Row| b.is[0].value.unwrap() > 6.0 && b.fid[0].value.unwrap() < 60.0;
            assert!(best.as_ref().is_none_or(plausible), "{method:?}");
            best.is_some()
        });
        let of_figure_1 = [
            Method::WeightClipping,
            Method::GanGp,
            Method::WganGp,
            Method::BatchNorm,
            Method::LayerNorm,
            Method::WeightNorm,
            Method::Orthonormal,
            Method::Sn,
        ];
        assert_eq!(with_row.collect::<Vec<_>>(), of_figure_1);
        let sn = best(Method::Sn).unwrap().unwrap();
        assert_eq!(
            (sn.is[0].text(2), sn.fid[0].text(1), sn.is[1].text(2)),
            ("7.42 ± 0.08".into(), "29.3".into(), "8.28 ± 0.09".into())
        );
    }

    #[test]
    fn every_embedded_file_parses() {
        assert_eq!(
            (table2().unwrap().len(), table7().unwrap().len(), table8().unwrap().len()),
            (19, 8, 4)
        );
        assert_eq!(imagenet().unwrap()[0].is.value, Some(21.1));
        assert_eq!(imagenet().unwrap()[0].updates, "450,000");
        assert!(table7().unwrap()[1].note.contains("collapsed"));
    }
}
