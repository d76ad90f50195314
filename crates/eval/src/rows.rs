//! Features that a metric needs again; many are kept in a temporary file, so that memory does not
//! grow with their number.

use crate::{Error, Result, spill};
use faer::Mat;
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::{Mutex, PoisonError};
use tempfile::SpooledTempFile;

/// Rows of features, `[N, dim]`.
#[derive(Debug)]
pub struct Rows {
    file: Mutex<SpooledTempFile>,
    dim: usize,
    n: usize,
}

impl Rows {
    /// No rows yet, of `dim` features each.
    ///
    /// # Errors
    /// When `dim` is 0.
    pub fn new(dim: usize) -> Result<Rows> {
        if dim == 0 {
            return Err(Error::input("features", "have no dimension"));
        }
        Ok(Rows { file: Mutex::new(spill::place()), dim, n: 0 })
    }

    /// Rows of `features`, `[N, dim]`.
    ///
    /// # Errors
    /// As [`Rows::new`] and [`Rows::add`].
    pub fn of(features: &[f32], dim: usize) -> Result<Rows> {
        let mut rows = Rows::new(dim)?;
        rows.add(features)?;
        Ok(rows)
    }

    /// Appends `rows`, `[n, dim]`.
    ///
    /// # Errors
    /// When the length is not a multiple of the dimension, a feature is not finite, or the file
    /// cannot be written.
    pub fn add(&mut self, rows: &[f32]) -> Result<()> {
        if !rows.len().is_multiple_of(self.dim) {
            return Err(Error::input(
                "features",
                format!("{} values are not rows of {} features", rows.len(), self.dim),
            ));
        }
        if let Some(i) = rows.iter().position(|x| !x.is_finite()) {
            return Err(Error::input(
                "features",
                format!("sample {} has a feature that is not finite", self.n + i / self.dim),
            ));
        }
        let bytes: Vec<u8> = rows.iter().flat_map(|x| x.to_le_bytes()).collect();
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::End(0)).and_then(|_| file.write_all(&bytes)).map_err(failed)?;
        self.n += rows.len() / self.dim;
        Ok(())
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.n
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// Features of a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Rows `which` as the columns of a matrix, `[dim, which]`.
    ///
    /// # Errors
    /// When there is no such row, or the file cannot be read.
    pub fn columns(&self, which: impl IntoIterator<Item = usize>) -> Result<Mat<f64>> {
        let size = 4 * self.dim;
        let mut bytes = Vec::new();
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut place = None;
        for row in which {
            // Adjacent rows are read without seeking.
            if place != Some(row) {
                file.seek(SeekFrom::Start((row * size) as u64)).map_err(failed)?;
            }
            let start = bytes.len();
            bytes.resize(start + size, 0);
            file.read_exact(&mut bytes[start..]).map_err(failed)?;
            place = Some(row + 1);
        }
        drop(file);
        let value = |i: usize, j: usize| {
            let at = j * size + 4 * i;
            f64::from(f32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]))
        };
        Ok(Mat::from_fn(self.dim, bytes.len() / size, value))
    }
}

fn failed(e: std::io::Error) -> Error {
    Error::input("features", format!("could not be kept; {}", spill::remedy(&e)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_in_any_order() {
        let mut rows = Rows::new(2).unwrap();
        rows.add(&[1.0, 2.0]).unwrap();
        rows.add(&[3.0, 4.0, 5.0, 6.0]).unwrap();
        assert_eq!((rows.len(), rows.dim()), (3, 2));
        let columns = rows.columns([2, 0, 1]).unwrap();
        assert_eq!(
            [columns[(0, 0)], columns[(1, 0)], columns[(0, 1)], columns[(1, 2)]],
            [5.0, 6.0, 1.0, 4.0]
        );
        assert!(rows.columns([3]).is_err());
        assert!(rows.add(&[0.0]).unwrap_err().to_string().contains("not rows of 2"));
        assert!(rows.add(&[0.0, f32::NAN]).unwrap_err().to_string().contains("sample 3"));
    }
}
