//! Headers of NumPy's arrays, from untrusted files: no memory is allocated for data that a header
//! claims before the data is read.

use npyz::{DType, Endianness, NpyHeader, Order, TypeChar};
use std::io::{Cursor, Read};

/// A header longer than this is a damaged file.
const LONGEST: usize = 1 << 16;
/// More numbers than this are a damaged file.
const MOST: u64 = 1 << 42;

/// The numbers of an array, little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbers {
    U8,
    F32,
    F64,
}

impl Numbers {
    /// Bytes of one.
    pub(crate) fn size(self) -> usize {
        match self {
            Numbers::U8 => 1,
            Numbers::F32 => 4,
            Numbers::F64 => 8,
        }
    }

    /// The numbers of little-endian bytes.
    pub(crate) fn values(self, bytes: &[u8]) -> Vec<f64> {
        match self {
            Numbers::U8 => bytes.iter().map(|b| f64::from(*b)).collect(),
            Numbers::F32 => {
                bytes.as_chunks::<4>().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect()
            }
            Numbers::F64 => {
                bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect()
            }
        }
    }
}

/// The header before an array's numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) numbers: Numbers,
    pub(crate) shape: Vec<u64>,
    /// Whether the first axis changes fastest.
    pub(crate) fortran: bool,
    /// Bytes of the header itself.
    pub(crate) length: u64,
}

impl Header {
    /// Bytes of the numbers; `None` if they are more than can be counted.
    pub(crate) fn bytes(&self) -> Option<u64> {
        self.shape.iter().try_fold(self.numbers.size() as u64, |size, n| size.checked_mul(*n))
    }
}

/// Reads a header; the reader is then at the first number.
///
/// # Errors
/// What is wrong with it, as text to follow the file's name.
pub(crate) fn header(reader: &mut impl Read) -> Result<Header, String> {
    let bad =
        |e: &dyn std::fmt::Display| format!("is no NumPy array ({e}); write or copy it again");
    let mut start = [0; 8];
    reader.read_exact(&mut start).map_err(|e| bad(&e))?;
    if start[..6] != *b"\x93NUMPY" {
        return Err(bad(&"it does not begin like one"));
    }
    // The header's length takes 2 bytes in version 1, 4 in later ones.
    let mut length = [0; 4];
    let width = if start[6] == 1 { 2 } else { 4 };
    reader.read_exact(&mut length[..width]).map_err(|e| bad(&e))?;
    let text = u32::from_le_bytes(length) as usize;
    if text > LONGEST {
        return Err(bad(&format!("its header claims {text} bytes")));
    }
    let mut bytes = [&start[..], &length[..width]].concat();
    bytes.resize(bytes.len() + text, 0);
    reader.read_exact(&mut bytes[8 + width..]).map_err(|e| bad(&e))?;
    // The parser's time doubles with each nested bracket; a plain array only has those of its
    // dictionary and of its shape.
    if bytes[8 + width..].iter().filter(|b| b"([{".contains(b)).count() > 2 {
        return Err(bad(&"its header nests values; arrays of records are not read here"));
    }
    let header = NpyHeader::from_reader(Cursor::new(&bytes)).map_err(|e| bad(&e))?;
    let shape = header.shape().to_vec();
    let total = shape
        .iter()
        .try_fold(1u64, |total, n| total.checked_mul(*n))
        .filter(|total| *total <= MOST);
    if total.is_none() {
        return Err(bad(&format!("it claims to hold {shape:?}")));
    }
    Ok(Header {
        numbers: numbers(&header.dtype())?,
        shape,
        fortran: header.order() == Order::Fortran,
        length: bytes.len() as u64,
    })
}

fn numbers(dtype: &DType) -> Result<Numbers, String> {
    let found = match dtype {
        DType::Plain(t) if t.endianness() == Endianness::Big => Err(t.to_string()),
        DType::Plain(t) => match (t.type_char(), t.size_field()) {
            (TypeChar::Uint, 1) => Ok(Numbers::U8),
            (TypeChar::Float, 4) => Ok(Numbers::F32),
            (TypeChar::Float, 8) => Ok(Numbers::F64),
            _ => Err(t.to_string()),
        },
        DType::Array(..) | DType::Record(_) => Err(dtype.descr()),
    };
    found.map_err(|found| wrong_numbers(&found))
}

/// The message for unsupported number types.
pub(crate) fn wrong_numbers(found: &str) -> String {
    format!(
        "holds {found}; images are uint8 in 0..=255, or float32 or float64, statistics float32 or float64, little-endian"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(bytes: &[u8]) -> String {
        header(&mut Cursor::new(bytes)).unwrap_err()
    }

    #[test]
    fn headers_that_promise_too_much_are_refused_before_memory_is_taken() {
        assert!(message(b"\x93NUMPY\x02\x00\xff\xff\xff\x7f{").contains("claims 2147483647 bytes"));
        let huge =
            b"\x93NUMPY\x01\x00\x60\x00{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999, 99999999999)}                   ";
        assert!(message(huge).contains("claims to hold"), "{}", message(huge));
        let nested = [&b"\x93NUMPY\x01\x00\x40\x00"[..], &[b'('; 64]].concat();
        assert!(message(&nested).contains("nests values"));
        assert!(message(b"\x93NUMPX\x01\x00\x01\x00{").contains("does not begin"));
        assert!(message(b"\x93NUMPY\x01\x00\x10\x00{").contains("no NumPy array"));
    }
}
