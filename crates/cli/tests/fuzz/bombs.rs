//! Small files that claim, or inflate to, far more than they are: each must be read, or refused, in little memory.

use crate::allocator::peak_of;
use crate::targets::{folder, scratch};
use sngan_core::import::{self, Request};
use sngan_core::spectrum;
use sngan_data::parse::{self, Demands};
use sngan_eval::Statistics;
use sngan_eval::input::{ArrayImages, ArrayOptions};
use sngan_experiment::RunDir;
use std::io::{Cursor, Write};

/// A file, and what may read it with how much memory.
struct Bomb {
    name: &'static str,
    bytes: Vec<u8>,
    read: fn(&[u8]),
    /// MiB beside twice the file.
    mebibytes: usize,
}

/// The header of an array.
fn header(descr: &str, shape: &str) -> Vec<u8> {
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    [b"\x93NUMPY\x01\x00\x76\x00", format!("{text:<117}\n").as_bytes()].concat()
}

/// An archive of arrays: name, header, and so many zeros.
fn archive(arrays: &[(&str, Vec<u8>, usize)]) -> Vec<u8> {
    let mut file = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, header, zeros) in arrays {
        let options = zip::write::SimpleFileOptions::default().compression_level(Some(1));
        file.start_file(format!("{name}.npy"), options).unwrap();
        file.write_all(header).unwrap();
        let block = vec![0; 1 << 20];
        for start in (0..*zeros).step_by(block.len()) {
            file.write_all(&block[..block.len().min(zeros - start)]).unwrap();
        }
    }
    file.finish().unwrap().into_inner()
}

/// A PNG of 8x8 pixels with a chunk of `kind` whose deflated part, after `before`, are so many zeros, `times` over.
fn png(kind: &[u8; 4], before: &[u8], zeros: usize, times: usize) -> Vec<u8> {
    let image = image::RgbImage::new(8, 8);
    let mut plain = Vec::new();
    image.write_to(&mut Cursor::new(&mut plain), image::ImageFormat::Png).unwrap();
    let mut encoder = flate2::write::ZlibEncoder::new(before.to_vec(), flate2::Compression::fast());
    std::io::copy(&mut std::io::Read::take(std::io::repeat(0), zeros as u64), &mut encoder)
        .unwrap();
    let body = [&kind[..], &encoder.finish().unwrap()].concat();
    let mut crc = flate2::Crc::new();
    crc.update(&body);
    let length = (body.len() - 4) as u32;
    let chunk = [&length.to_be_bytes()[..], &body, &crc.sum().to_be_bytes()].concat();
    // After the header of 8 + 25 bytes.
    [&plain[..33], &chunk.repeat(times), &plain[33..]].concat()
}

fn statistics(bytes: &[u8]) {
    assert!(Statistics::read(&scratch(bytes, "bomb.npz")).is_err());
}

fn images(bytes: &[u8]) {
    let _ = ArrayImages::open(&scratch(bytes, "bomb.npz"), ArrayOptions::default());
}

fn weights(bytes: &[u8]) {
    let found = spectrum::of_file(&scratch(bytes, "bomb.npz"), None);
    // What is left out is said.
    assert!(found.is_err() || !found.unwrap().left_out.is_empty());
}

fn networks(bytes: &[u8]) {
    let file = scratch(bytes, "bomb.npz");
    assert!(import::read(&Request { file, ..Request::default() }).is_err());
}

fn picture(bytes: &[u8]) {
    let _ = parse::square(bytes, 8, Demands::default());
}

fn status(bytes: &[u8]) {
    scratch(bytes, "status.json");
    assert!(RunDir::new(folder()).status().is_err());
}

fn log(bytes: &[u8]) {
    scratch(bytes, "log.jsonl");
    assert!(RunDir::new(folder()).log().is_err());
}

fn all() -> Vec<Bomb> {
    let f64s = |shape| header("<f8", shape);
    let bomb = |name, bytes, read| Bomb { name, bytes, read, mebibytes: 64 };
    // Of two bytes a value, just below the largest record, and of 40 MB.
    let many = |n: usize| format!("{{\"version\":1,\"x\":[{}0]}}\n", "0,".repeat(n)).into_bytes();
    let keys: String = (0..500_000).map(|i| format!("\"{i}\":0,")).collect();
    let keys = format!("{{{keys}\"version\":1}}\n").into_bytes();
    let profile = b"p\0\0";
    let text = b"k\0\0";
    let international = b"k\0\x01\0\0\0";
    vec![
        bomb(
            "statistics of 4,096 features in a file of kilobytes",
            archive(&[
                ("mu", f64s("(4096,)"), 8 * 4096),
                ("sigma", f64s("(4096, 4096)"), 8 * 4096 * 4096),
            ]),
            statistics,
        ),
        bomb(
            "statistics whose mean is a matrix",
            archive(&[
                ("mu", f64s("(4096, 4096)"), 8 * 4096 * 4096),
                ("sigma", f64s("(2, 2)"), 32),
            ]),
            statistics,
        ),
        bomb(
            "statistics that go on after their last number",
            archive(&[("mu", f64s("(2,)"), 16), ("sigma", f64s("(2, 2)"), 200 << 20)]),
            statistics,
        ),
        bomb(
            "a generator of 16 million parameters in a file of kilobytes",
            archive(&[
                ("l0/W", header("<f4", "(131072, 128)"), 4 * 131_072 * 128),
                ("dc1/W", header("<f4", "(512, 256, 4, 4)"), 4 * 512 * 256 * 16),
            ]),
            networks,
        ),
        bomb(
            "an array that promises more than it holds",
            archive(&[("images", header("|u1", "(99999999, 3, 64, 64)"), 1 << 20)]),
            images,
        ),
        bomb(
            "images that go on after their last",
            archive(&[("images", header("|u1", "(1, 3, 8, 8)"), 200 << 20)]),
            images,
        ),
        bomb(
            "100 MB of black images in a file of kilobytes, which go to a temporary file",
            archive(&[("images", header("|u1", "(100, 3, 584, 584)"), 100 * 3 * 584 * 584)]),
            images,
        ),
        bomb(
            "a snapshot of eight layers of 40 MB in a file of kilobytes",
            archive(
                &["a", "b", "c", "d", "e", "f", "g", "h"]
                    .map(|name| (name, header("<f4", "(1, 10485760)"), 40 << 20)),
            ),
            weights,
        ),
        bomb("a colour profile of 200 MB", png(b"iCCP", profile, 200 << 20, 1), picture),
        bomb("a deflated text of 200 MB", png(b"zTXt", text, 200 << 20, 1), picture),
        bomb("forty deflated texts of 20 MB", png(b"zTXt", text, 20 << 20, 40), picture),
        bomb("an international text of 200 MB", png(b"iTXt", international, 200 << 20, 1), picture),
        Bomb {
            name: "a status of a million values",
            bytes: many(1 << 19),
            read: status,
            mebibytes: 128,
        },
        Bomb {
            name: "a status of a million keys",
            bytes: keys.clone(),
            read: status,
            mebibytes: 128,
        },
        Bomb { name: "a log line of a million keys", bytes: keys, read: log, mebibytes: 128 },
        bomb("a status of eight million values", many((8 << 20) - 100), status),
        bomb("a status of 40 MB", many(20 << 20), status),
        bomb("a log line of 40 MB", many(20 << 20), log),
    ]
}

/// Reads every bomb; those that took too much, or that a reader did not survive.
pub(crate) fn run() -> Vec<String> {
    let mut faults = Vec::new();
    for bomb in all() {
        let ((), peak) = peak_of(|| (bomb.read)(&bomb.bytes));
        let allowed = 2 * bomb.bytes.len() + (bomb.mebibytes << 20);
        println!(
            "{:>9} bytes, peak {:>6.1} MiB: {}",
            bomb.bytes.len(),
            peak as f64 / (1 << 20) as f64,
            bomb.name
        );
        if peak > allowed {
            faults.push(format!("{}: {peak} bytes in use; {allowed} are allowed", bomb.name));
        }
    }
    faults
}
