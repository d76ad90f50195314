//! Headers of NumPy's arrays, from untrusted files: no memory is allocated for data that a header
//! claims before the data is read.

use crate::Result;
use candle_core::{DType, Device, Tensor};
use npyz::{DType as Descr, Endianness, NpyHeader, Order, TypeChar};
use std::io::{Cursor, Read};

/// A header longer than this is a damaged file.
const LONGEST: usize = 1 << 16;
/// More numbers than this are a damaged file.
const MOST: u64 = 1 << 42;

/// The numbers of an array, little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// `uint8`.
    U8,
    /// `int32`.
    I32,
    /// `int64`.
    I64,
    /// `float16`.
    F16,
    /// `float32`.
    F32,
    /// `float64`.
    F64,
}

impl Numbers {
    /// Bytes of one.
    pub fn size(self) -> usize {
        match self {
            Numbers::U8 => 1,
            Numbers::F16 => 2,
            Numbers::I32 | Numbers::F32 => 4,
            Numbers::I64 | Numbers::F64 => 8,
        }
    }

    /// NumPy's name for them.
    pub fn name(self) -> &'static str {
        match self {
            Numbers::U8 => "uint8",
            Numbers::I32 => "int32",
            Numbers::I64 => "int64",
            Numbers::F16 => "float16",
            Numbers::F32 => "float32",
            Numbers::F64 => "float64",
        }
    }

    /// Whether they are floating-point numbers.
    pub fn is_float(self) -> bool {
        match self {
            Numbers::U8 | Numbers::I32 | Numbers::I64 => false,
            Numbers::F16 | Numbers::F32 | Numbers::F64 => true,
        }
    }

    /// The numbers of little-endian bytes, as far as these are whole ones; those of int64 beyond 2⁵³ are rounded.
    pub fn values(self, bytes: &[u8]) -> Vec<f64> {
        fn each<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f64) -> Vec<f64> {
            bytes.as_chunks().0.iter().map(|b| value(*b)).collect()
        }
        match self {
            Numbers::U8 => bytes.iter().map(|b| f64::from(*b)).collect(),
            Numbers::I32 => each(bytes, |b| f64::from(i32::from_le_bytes(b))),
            Numbers::I64 => each(bytes, |b| i64::from_le_bytes(b) as f64),
            Numbers::F16 => each(bytes, |b| f64::from(half(u16::from_le_bytes(b)))),
            Numbers::F32 => each(bytes, |b| f64::from(f32::from_le_bytes(b))),
            Numbers::F64 => each(bytes, f64::from_le_bytes),
        }
    }

    /// A tensor of `shape` from little-endian bytes; float16 becomes float32, int32 int64, which lose
    /// nothing.
    ///
    /// # Errors
    /// Bytes that are not as many as the shape needs.
    pub fn tensor(self, bytes: &[u8], shape: &[usize]) -> Result<Tensor> {
        let tensor = match self {
            Numbers::U8 => Tensor::from_raw_buffer(bytes, DType::U8, shape, &Device::Cpu),
            Numbers::I64 => Tensor::from_raw_buffer(bytes, DType::I64, shape, &Device::Cpu),
            Numbers::F32 => Tensor::from_raw_buffer(bytes, DType::F32, shape, &Device::Cpu),
            Numbers::F64 => Tensor::from_raw_buffer(bytes, DType::F64, shape, &Device::Cpu),
            Numbers::I32 => {
                let wide = |b: &[u8; 4]| i64::from(i32::from_le_bytes(*b));
                let wide: Vec<i64> = bytes.as_chunks().0.iter().map(wide).collect();
                Tensor::from_vec(wide, shape, &Device::Cpu)
            }
            Numbers::F16 => {
                let wide = |b: &[u8; 2]| half(u16::from_le_bytes(*b));
                let wide: Vec<f32> = bytes.as_chunks().0.iter().map(wide).collect();
                Tensor::from_vec(wide, shape, &Device::Cpu)
            }
        };
        Ok(tensor?)
    }
}

/// The value of a float16, which every float32 holds exactly.
fn half(bits: u16) -> f32 {
    let (sign, exponent, fraction) = (bits >> 15, i32::from(bits >> 10 & 31), bits & 1023);
    let size = match exponent {
        0 => f32::from(fraction) * 2f32.powi(-24),
        31 if fraction == 0 => f32::INFINITY,
        31 => f32::NAN,
        _ => f32::from(1024 + fraction) * 2f32.powi(exponent - 25),
    };
    if sign == 1 { -size } else { size }
}

/// The header before an array's numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Their type.
    pub numbers: Numbers,
    /// Sizes, outermost first; empty for a single number.
    pub shape: Vec<u64>,
    /// Whether the first axis changes fastest.
    pub fortran: bool,
    /// Bytes of the header itself.
    pub length: u64,
}

impl Header {
    /// Bytes of the numbers; `None` if they are more than can be counted.
    pub fn bytes(&self) -> Option<u64> {
        self.shape.iter().try_fold(self.numbers.size() as u64, |size, n| size.checked_mul(*n))
    }
}

/// Reads a header; the reader is then at the first number.
///
/// # Errors
/// What is wrong with it, as text to follow the file's name.
pub fn header(reader: &mut impl Read) -> std::result::Result<Header, String> {
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

/// The numbers of a type that is read here, or what it is instead.
fn numbers(dtype: &Descr) -> std::result::Result<Numbers, String> {
    let found = match dtype {
        Descr::Plain(t) if t.endianness() == Endianness::Big => Err(t.to_string()),
        Descr::Plain(t) => match (t.type_char(), t.size_field()) {
            (TypeChar::Uint, 1) => Ok(Numbers::U8),
            (TypeChar::Int, 4) => Ok(Numbers::I32),
            (TypeChar::Int, 8) => Ok(Numbers::I64),
            (TypeChar::Float, 2) => Ok(Numbers::F16),
            (TypeChar::Float, 4) => Ok(Numbers::F32),
            (TypeChar::Float, 8) => Ok(Numbers::F64),
            _ => Err(t.to_string()),
        },
        Descr::Array(..) | Descr::Record(_) => Err(dtype.descr()),
    };
    let known = "uint8, int32, int64, float16, float32 and float64, little-endian, are read";
    found.map_err(|found| format!("holds {found}; {known}"))
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

    #[test]
    fn numbers_of_every_type_are_those_that_numpy_wrote() {
        let halves = [(0x3c00, 1.0), (0xc000, -2.0), (0x0001, 2f32.powi(-24)), (0x7bff, 65504.0)];
        halves.iter().for_each(|(bits, value)| assert_eq!(half(*bits), *value));
        assert!(half(0xfc00) == f32::NEG_INFINITY && half(0x7e00).is_nan());
        let minus_two = -2i64;
        assert_eq!(Numbers::I64.values(&minus_two.to_le_bytes()), [-2.0]);
        assert_eq!(Numbers::I32.values(&(-2i32).to_le_bytes()), [-2.0]);
        let tensor = Numbers::F16.tensor(&[0, 0x3c, 0, 0xc0], &[1, 2]).unwrap();
        assert_eq!(tensor.to_vec2::<f32>().unwrap(), [[1.0, -2.0]]);
        let tensor = Numbers::I32.tensor(&(-2i32).to_le_bytes(), &[]).unwrap();
        assert_eq!(tensor.to_scalar::<i64>().unwrap(), -2);
        assert!(Numbers::F32.tensor(&[0; 7], &[2]).is_err());
    }
}
