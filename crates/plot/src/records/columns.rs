//! Tables of records: filled row by row, and read back column by column.

use super::bounds;
use crate::table::quoted;
use crate::{Error, Result};
use polars::prelude::{
    Column, DataFrame, ParquetCompression, ParquetReader, ParquetWriter, SerReader,
};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Columns by name, in the order in which they were first filled.
#[derive(Default)]
pub(super) struct Table {
    names: Vec<&'static str>,
    columns: Vec<Values>,
    /// Position in a row, while it is filled.
    at: usize,
}

/// A column's values; `None` where a record holds none.
enum Values {
    Text(Vec<Option<String>>),
    Whole(Vec<Option<u64>>),
    Real(Vec<Option<f64>>),
    Bytes(Vec<Option<Vec<u8>>>),
}

impl Values {
    fn len(&self) -> usize {
        match self {
            Values::Text(v) => v.len(),
            Values::Whole(v) => v.len(),
            Values::Real(v) => v.len(),
            Values::Bytes(v) => v.len(),
        }
    }

    /// The cell of a row in CSV, empty where the record holds no value; bytes in hexadecimal digits.
    fn csv(&self, row: usize) -> String {
        let cell = match self {
            Values::Text(v) => v[row].as_deref().map(quoted),
            Values::Whole(v) => v[row].map(|v| v.to_string()),
            Values::Real(v) => v[row].map(|v| v.to_string()),
            Values::Bytes(v) => v[row].as_deref().map(hex::encode),
        };
        cell.unwrap_or_default()
    }
}

impl Table {
    /// Begins a row of `sweep`.
    pub(super) fn row(&mut self, sweep: &str) -> &mut Table {
        self.at = 0;
        self.text("sweep", sweep.to_string())
    }

    /// Whether it has no row.
    pub(super) fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// The next cell of the current row.
    fn column(&mut self, name: &'static str, fresh: fn() -> Values) -> &mut Values {
        if self.at == self.names.len() {
            self.names.push(name);
            self.columns.push(fresh());
        }
        debug_assert_eq!(self.names[self.at], name, "rows of one table have the same columns");
        self.at += 1;
        &mut self.columns[self.at - 1]
    }

    pub(super) fn text(
        &mut self,
        name: &'static str,
        value: impl Into<Option<String>>,
    ) -> &mut Table {
        if let Values::Text(column) = self.column(name, || Values::Text(Vec::new())) {
            column.push(value.into());
        }
        self
    }

    pub(super) fn whole(
        &mut self,
        name: &'static str,
        value: impl Into<Option<u64>>,
    ) -> &mut Table {
        if let Values::Whole(column) = self.column(name, || Values::Whole(Vec::new())) {
            column.push(value.into());
        }
        self
    }

    pub(super) fn real(&mut self, name: &'static str, value: impl Into<Option<f64>>) -> &mut Table {
        if let Values::Real(column) = self.column(name, || Values::Real(Vec::new())) {
            column.push(value.into());
        }
        self
    }

    pub(super) fn bytes(&mut self, name: &'static str, value: Vec<u8>) -> &mut Table {
        if let Values::Bytes(column) = self.column(name, || Values::Bytes(Vec::new())) {
            column.push(Some(value));
        }
        self
    }

    /// As CSV under a line of the columns' names, every number at full precision.
    pub(super) fn csv(&self) -> String {
        let mut text = self.names.join(",") + "\n";
        for row in 0..self.columns.first().map_or(0, Values::len) {
            let cells: Vec<_> = self.columns.iter().map(|column| column.csv(row)).collect();
            text += &(cells.join(",") + "\n");
        }
        text
    }

    fn frame(self, path: &Path) -> Result<DataFrame> {
        let columns = self.names.iter().zip(self.columns).map(|(name, values)| match values {
            Values::Text(v) => Column::new((*name).into(), v),
            Values::Whole(v) => Column::new((*name).into(), v),
            Values::Real(v) => Column::new((*name).into(), v),
            Values::Bytes(v) => Column::new((*name).into(), v),
        });
        DataFrame::new_infer_height(columns.collect()).map_err(|e| Error::table(path, e))
    }

    /// As a Parquet file, the same bytes for the same rows.
    pub(super) fn parquet(self, path: &Path) -> Result<Vec<u8>> {
        let mut frame = self.frame(path)?;
        let mut bytes = Vec::new();
        ParquetWriter::new(&mut bytes)
            .with_compression(ParquetCompression::Zstd(None))
            .set_parallel(false)
            .finish(&mut frame)
            .map_err(|e| Error::table(path, e))?;
        Ok(bytes)
    }
}

/// The most that all texts and pictures of a table may have, bytes: one long text may stand in every row at the cost of a byte.
const LONGEST_TEXTS: usize = 256 << 20;

/// A table that was read.
pub(super) struct Frame {
    path: PathBuf,
    frame: DataFrame,
    /// Bytes of texts and pictures that were taken from it.
    taken: Cell<usize>,
}

impl Frame {
    /// Reads a Parquet file's bytes. Its own numbers are looked at before anything is inflated, and a reader's panic is an error that names
    /// the file.
    pub(super) fn parse(path: PathBuf, bytes: Vec<u8>) -> Result<Frame> {
        let read = AssertUnwindSafe(|| {
            let bytes = bounds::with_own_footer(bytes)?;
            let mut reader = ParquetReader::new(std::io::Cursor::new(&bytes));
            bounds::check(&bytes, reader.get_metadata().map_err(|e| e.to_string())?)?;
            reader.finish().map_err(|e| e.to_string())
        });
        let frame = catch_unwind(read).unwrap_or_else(|_| Err("is no whole Parquet file".into()));
        let frame = frame.map_err(|e| Error::collection(&path, e))?;
        Ok(Frame { frame, path, taken: Cell::new(0) })
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Number of rows.
    pub(super) fn height(&self) -> usize {
        self.frame.height()
    }

    fn column(&self, name: &str) -> Result<&Column> {
        let column = self.frame.column(name).map_err(|e| self.error(e))?;
        // A damaged file may give columns of several lengths, which the readers go through side by side.
        if column.len() != self.height() {
            let (found, rows) = (column.len(), self.height());
            return Err(self.error(format!("`{name}` has {found} of {rows} rows")));
        }
        Ok(column)
    }

    /// Counts what a column's texts or pictures take.
    fn take(&self, name: &str, lengths: impl Iterator<Item = usize>) -> Result<()> {
        let taken = lengths.fold(self.taken.get(), usize::saturating_add);
        self.taken.set(taken);
        if taken > LONGEST_TEXTS {
            return Err(self.error(format!(
                "its texts and pictures up to `{name}` have {taken} bytes, more than {LONGEST_TEXTS}; take the collection from its source again"
            )));
        }
        Ok(())
    }

    /// An error about this file.
    pub(super) fn error(&self, reason: impl std::fmt::Display) -> Error {
        Error::collection(&self.path, reason)
    }

    pub(super) fn text(&self, name: &str) -> Result<Vec<Option<String>>> {
        let values = self.column(name)?.str().map_err(|e| self.error(e))?;
        self.take(name, values.iter().flatten().map(str::len))?;
        Ok(values.iter().map(|v| v.map(str::to_string)).collect())
    }

    /// Text without null.
    pub(super) fn names(&self, name: &str) -> Result<Vec<String>> {
        let lacks = || self.error(format!("a row has no `{name}`"));
        self.text(name)?.into_iter().map(|v| v.ok_or_else(lacks)).collect()
    }

    pub(super) fn whole(&self, name: &str) -> Result<Vec<Option<u64>>> {
        Ok(self.column(name)?.u64().map_err(|e| self.error(e))?.iter().collect())
    }

    /// Whole numbers without null.
    pub(super) fn counts(&self, name: &str) -> Result<Vec<u64>> {
        let lacks = || self.error(format!("a row has no `{name}`"));
        self.whole(name)?.into_iter().map(|v| v.ok_or_else(lacks)).collect()
    }

    pub(super) fn real(&self, name: &str) -> Result<Vec<Option<f64>>> {
        Ok(self.column(name)?.f64().map_err(|e| self.error(e))?.iter().collect())
    }

    pub(super) fn bytes(&self, name: &str) -> Result<Vec<Vec<u8>>> {
        let values = self.column(name)?.binary().map_err(|e| self.error(e))?;
        self.take(name, values.iter().flatten().map(<[u8]>::len))?;
        Ok(values.iter().map(|v| v.unwrap_or_default().to_vec()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text from a received spec or plan must not become a formula, nor break its line.
    #[test]
    fn csv_holds_texts_as_texts_and_nulls_as_nothing() {
        let mut table = Table::default();
        table.row("=1+1").whole("n", 1).real("value", 1e-3).text("label", "a, \"b\"".to_string());
        table.row("plain").whole("n", None).real("value", f64::NAN).text("label", None);
        assert_eq!(
            table.csv(),
            "sweep,n,value,label\n'=1+1,1,0.001,\"a, \"\"b\"\"\"\nplain,,NaN,\n"
        );
    }

    /// A page's numbers follow the first column's beginning; what they claim is compared before memory is reserved by it.
    #[test]
    fn any_byte_of_a_table_may_be_wrong() {
        let mut table = Table::default();
        for row in 0..3u64 {
            table.row("sweep").whole("n", row).text("name", (row > 0).then(|| row.to_string()));
        }
        let place = Path::new("n.parquet");
        let good = table.parquet(place).unwrap();
        assert_eq!(
            Frame::parse(place.into(), good.clone()).unwrap().counts("n").unwrap(),
            [0, 1, 2]
        );
        let mut refused = 0;
        for at in 0..good.len() {
            for wrong in [good[at] ^ 1, 0x7f, 0xff] {
                let mut bytes = good.clone();
                bytes[at] = wrong;
                refused += usize::from(Frame::parse(place.into(), bytes).is_err());
            }
        }
        assert!(refused > good.len(), "{refused} of {}", 3 * good.len());
    }

    /// A footer begins with its version and the list of columns; Polars would reserve two billion places for this one.
    #[test]
    fn a_footer_that_claims_a_longer_list_than_it_has_is_refused() {
        let mut table = Table::default();
        table.row("sweep").whole("n", 1);
        let place = Path::new("n.parquet");
        let good = table.parquet(place).unwrap();
        let at = good.len() - 8;
        let length = u32::from_le_bytes(good[at..at + 4].try_into().unwrap()) as usize;
        let (pages, footer) = good[..at].split_at(at - length);
        assert_eq!((footer[0], footer[2], footer[3]), (0x15, 0x19, 0x3c), "{footer:?}");
        let longer = [&footer[..3], &[0xfc, 0xff, 0xff, 0xff, 0xff, 0x07], &footer[4..]].concat();
        let length = u32::try_from(longer.len()).unwrap().to_le_bytes();
        let wrong = [pages, &longer, &length, b"PAR1"].concat();
        let refused = Frame::parse(place.into(), wrong).err().unwrap().to_string();
        assert!(refused.contains("n.parquet") && refused.contains("too long"), "{refused}");
    }
}
