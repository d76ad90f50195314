//! Files around changed parts: with lengths and checksums made right, changes reach what lies behind them.

/// The parts of a safetensors file: the length of the header (u64, little-endian), the header, the tensors.
pub(crate) struct Tensors {
    pub(crate) header: Vec<u8>,
    pub(crate) data: Vec<u8>,
}

impl Tensors {
    /// Takes a well-formed file apart.
    pub(crate) fn of(file: &[u8]) -> Tensors {
        let (length, rest) = file.split_first_chunk().unwrap();
        let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
        Tensors { header: header.to_vec(), data: data.to_vec() }
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.header).unwrap()
    }

    /// The text under a key of the metadata.
    pub(crate) fn metadata(&self, key: &str) -> Vec<u8> {
        self.json()["__metadata__"][key].as_str().unwrap().as_bytes().to_vec()
    }

    /// A file with `text` under that key; none for what is no text.
    pub(crate) fn with_metadata(&self, key: &str, text: &[u8]) -> Option<Vec<u8>> {
        let mut header = self.json();
        header["__metadata__"][key] = std::str::from_utf8(text).ok()?.into();
        Some(file(header.to_string().as_bytes(), &self.data))
    }
}

/// A safetensors file of these parts.
pub(crate) fn file(header: &[u8], data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header, data].concat()
}

/// A PNG file in which the checksum of every whole chunk is right.
pub(crate) fn with_checksums(png: &[u8]) -> Vec<u8> {
    let mut file = png.to_vec();
    let mut at = 8;
    while let Some(length) =
        file.get(at..at + 4).and_then(|b| b.first_chunk()).map(|b| u32::from_be_bytes(*b) as usize)
    {
        let Some(body) = file.get(at + 4..(at + 8).saturating_add(length)) else { break };
        let mut crc = flate2::Crc::new();
        crc.update(body);
        let Some(sum) = file.get_mut(at + 8 + length..at + 12 + length) else { break };
        sum.copy_from_slice(&crc.sum().to_be_bytes());
        at += 12 + length;
    }
    file
}

/// Components of a JPEG whose sampling is set.
const COMPONENTS: usize = 4;

/// Where the sampling factors of a JPEG's components are: in its frame header, after the other segments.
fn sampling_places(jpeg: &[u8]) -> Vec<usize> {
    let mut at = 2;
    while let Some([0xff, marker, high, low]) = jpeg.get(at..at + 4) {
        if matches!(marker, 0xc0..=0xc2 | 0xc9..=0xca) {
            let n = usize::from(jpeg.get(at + 9).copied().unwrap_or(0)).min(COMPONENTS);
            return (0..n).map(|i| at + 11 + 3 * i).filter(|p| *p < jpeg.len()).collect();
        }
        at += 2 + usize::from(u16::from_be_bytes([*high, *low]));
    }
    Vec::new()
}

/// The sampling factors of a JPEG's components; 0x11 in place of those it lacks.
pub(crate) fn samplings_of(jpeg: &[u8]) -> [u8; COMPONENTS] {
    let mut samplings = [0x11; COMPONENTS];
    samplings.iter_mut().zip(sampling_places(jpeg)).for_each(|(s, place)| *s = jpeg[place]);
    samplings
}

/// The JPEG after the first bytes, which become its components' sampling factors, each from 1 to 4.
pub(crate) fn with_samplings(input: &[u8]) -> Option<Vec<u8>> {
    let (samplings, jpeg) = input.split_first_chunk::<COMPONENTS>()?;
    let mut file = jpeg.to_vec();
    for (sampling, place) in samplings.iter().zip(sampling_places(jpeg)) {
        let factor = |n: u8| n.wrapping_sub(1) % 4 + 1;
        file[place] = factor(sampling >> 4) << 4 | factor(sampling & 15);
    }
    Some(file)
}

/// An archive of arrays, each by its name, with checksums and sizes made right: the length of an array's name (a byte), the name, the length
/// of its bytes (u16, little-endian), the bytes; what is cut ends the archive.
pub(crate) fn archive(mut input: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut file = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    while let Some((name, array, rest)) = next_array(input) {
        // Two arrays of one name are for the archive to refuse.
        if file.start_file(format!("{}.npy", String::from_utf8_lossy(name)), options).is_ok() {
            file.write_all(array).unwrap();
        }
        input = rest;
    }
    file.finish().unwrap().into_inner()
}

fn next_array(input: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (length, rest) = input.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(*length))?;
    let (length, rest) = rest.split_first_chunk()?;
    let (array, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    Some((name, array, rest))
}
