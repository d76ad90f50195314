//! The paper's own numbers, all taken with Inception-v3. They never share an axis or a column with
//! those of another backbone.

use crate::describe::thousands;
use crate::{Error, Result, method};
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

/// An embedded CSV file without quoted cells.
struct Csv {
    file: &'static str,
    header: Vec<&'static str>,
    rows: Vec<(usize, Vec<&'static str>)>,
}

impl Csv {
    fn new((file, text): (&'static str, &'static str)) -> Csv {
        let mut lines =
            text.lines().enumerate().map(|(i, l)| (i + 1, l.split(',').collect::<Vec<_>>()));
        let header = lines.next().map(|(_, cells)| cells).unwrap_or_default();
        Csv { file, header, rows: lines.collect() }
    }

    fn cell(&self, row: &(usize, Vec<&'static str>), key: &str) -> Result<&'static str> {
        let found = self.header.iter().position(|h| *h == key).and_then(|i| row.1.get(i)).copied();
        found.ok_or_else(|| Error::Reference {
            file: self.file,
            line: row.0,
            reason: format!("no column `{key}`"),
        })
    }

    fn number(&self, row: &(usize, Vec<&'static str>), key: &str) -> Result<Option<f64>> {
        match self.cell(row, key)? {
            "" => Ok(None),
            text => {
                let bad = |e| Error::Reference {
                    file: self.file,
                    line: row.0,
                    reason: format!("{key} `{text}`: {e}"),
                };
                text.parse().map(Some).map_err(bad)
            }
        }
    }

    /// A cell with one of several named values, as in specs.
    fn name<T: DeserializeOwned>(&self, row: &(usize, Vec<&'static str>), key: &str) -> Result<T> {
        let text = self.cell(row, key)?;
        serde_json::from_value(text.into()).map_err(|e| Error::Reference {
            file: self.file,
            line: row.0,
            reason: format!("{key} `{text}`: {e}"),
        })
    }

    fn published(
        &self,
        row: &(usize, Vec<&'static str>),
        key: &str,
        std: &str,
    ) -> Result<Published> {
        Ok(Published { value: self.number(row, key)?, std: self.number(row, std)? })
    }
}

/// Every row of Table 2.
pub(crate) fn table2() -> Result<Vec<Table2Row>> {
    let csv = Csv::new(TABLE_2);
    let row = |r| {
        let text = |key| csv.cell(r, key).map(str::to_string);
        Ok(Table2Row {
            group: text("group")?,
            method: text("method")?,
            loss: text("loss")?,
            updates: text("updates")?,
            is: [
                csv.published(r, "is_cifar10", "is_cifar10_std")?,
                csv.published(r, "is_stl10", "is_stl10_std")?,
            ],
            fid: [
                csv.published(r, "fid_cifar10", "fid_cifar10_std")?,
                csv.published(r, "fid_stl10", "fid_stl10_std")?,
            ],
        })
    };
    csv.rows.iter().map(row).collect()
}

fn variants(table: (&'static str, &'static str)) -> Result<Vec<VariantRow>> {
    let csv = Csv::new(table);
    let row = |r| {
        let text = |key| csv.cell(r, key).map(str::to_string);
        Ok(VariantRow {
            architecture: text("architecture")?,
            normalization: csv.name(r, "normalization")?,
            dis_width_factor: csv.number(r, "dis_width_factor")?.unwrap_or(1.0),
            method: text("method")?,
            is: csv.published(r, "is_mean", "is_std")?,
            fid: csv.number(r, "fid")?,
            note: text("note")?,
        })
    };
    csv.rows.iter().map(row).collect()
}

/// Every row of Table 7.
pub(crate) fn table7() -> Result<Vec<VariantRow>> {
    variants(TABLE_7)
}

/// Every row of Table 8.
pub(crate) fn table8() -> Result<Vec<VariantRow>> {
    variants(TABLE_8)
}

/// Inception scores on ImageNet, from the paper and from what its authors published with their code.
pub(crate) fn imagenet() -> Result<Vec<ImageNetRow>> {
    let csv = Csv::new(IMAGENET);
    let row = |r| {
        let text = |key| csv.cell(r, key).map(str::to_string);
        Ok(ImageNetRow {
            model: text("model")?,
            updates: csv
                .number(r, "updates")?
                .map_or_else(String::new, |updates| thousands(updates as u64)),
            is: csv.published(r, "is_mean", "is_std")?,
            intra_class_ms_ssim: csv.number(r, "intra_ms_ssim")?,
            source: text("source")?,
        })
    };
    csv.rows.iter().map(row).collect()
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
        for method in Method::ALL {
            let best = best(method).unwrap();
            assert_eq!(best.is_none(), matches!(method, Method::FrobeniusNorm | Method::Vanilla));
            assert!(
                best.is_none_or(|b| b.is[0].value.unwrap() > 6.0 && b.fid[0].value.unwrap() < 60.0)
            );
        }
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
