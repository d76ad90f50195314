//! Tables of records: filled row by row, and read back column by column.

use crate::{Error, Result};
use polars::prelude::{
    Column, DataFrame, ParquetCompression, ParquetReader, ParquetWriter, SerReader,
};
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

    pub(super) fn frame(self, path: &Path) -> Result<DataFrame> {
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

/// What a table may inflate to: so many bytes, and so many for each byte of its file.
const INFLATED: usize = 64 << 20;
const PER_BYTE: usize = 64;
/// The most that all texts or pictures of a column may have, bytes.
const LONGEST_TEXTS: usize = 256 << 20;

/// A table that was read.
pub(super) struct Frame {
    path: PathBuf,
    frame: DataFrame,
}

impl Frame {
    /// Reads a Parquet file's bytes. Its own numbers are looked at before anything is inflated, and a reader's panic is an error that names
    /// the file.
    pub(super) fn parse(path: PathBuf, bytes: Vec<u8>) -> Result<Frame> {
        let length = bytes.len();
        let read = AssertUnwindSafe(|| {
            let mut reader = ParquetReader::new(std::io::Cursor::new(bytes));
            let metadata = reader.get_metadata().map_err(|e| e.to_string())?;
            let inflated = metadata.row_groups.iter().map(|group| group.total_byte_size());
            let inflated = inflated.fold(0, usize::saturating_add);
            // Every row has a number of its own, which takes a byte at least.
            if metadata.num_rows > length || inflated > INFLATED + PER_BYTE * length {
                return Err(format!(
                    "claims {} rows of {inflated} bytes in {length}; take the collection from its source again",
                    metadata.num_rows
                ));
            }
            reader.finish().map_err(|e| e.to_string())
        });
        let frame = catch_unwind(read).unwrap_or_else(|_| Err("is no whole Parquet file".into()));
        Ok(Frame { frame: frame.map_err(|e| Error::collection(&path, e))?, path })
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

    /// An error about this file.
    pub(super) fn error(&self, reason: impl std::fmt::Display) -> Error {
        Error::collection(&self.path, reason)
    }

    pub(super) fn text(&self, name: &str) -> Result<Vec<Option<String>>> {
        let values = self.column(name)?.str().map_err(|e| self.error(e))?;
        // One long text may stand in every row at the cost of a byte.
        let length = values.iter().flatten().fold(0usize, |sum, v| sum.saturating_add(v.len()));
        if length > LONGEST_TEXTS {
            return Err(self.error(format!("`{name}` holds texts of {length} bytes in all")));
        }
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
        let length = values.iter().flatten().fold(0usize, |sum, v| sum.saturating_add(v.len()));
        if length > LONGEST_TEXTS {
            return Err(self.error(format!("`{name}` holds {length} bytes in all")));
        }
        Ok(values.iter().map(|v| v.unwrap_or_default().to_vec()).collect())
    }
}
