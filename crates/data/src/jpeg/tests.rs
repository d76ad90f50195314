use super::*;
use crate::decode::{Defect, square};

/// An entry of `jpeg.bin`: what Pillow makes of a file (tests/fixtures/jpeg.py).
struct Case<'a> {
    name: &'a str,
    file: &'a [u8],
    width: u32,
    pixels: &'a [u8],
}

fn cases() -> Vec<Case<'static>> {
    let mut rest = &include_bytes!("../../tests/fixtures/jpeg.bin")[..];
    let mut cases = Vec::new();
    while let Some((length, more)) = rest.split_first() {
        let (name, more) = more.split_at(usize::from(*length));
        let (length, more) = more.split_first_chunk().unwrap();
        let (file, more) = more.split_at(u32::from_le_bytes(*length) as usize);
        let (size, more) = more.split_first_chunk::<4>().unwrap();
        let [width, height] = [[size[0], size[1]], [size[2], size[3]]].map(u16::from_le_bytes);
        let (pixels, more) = more.split_at(3 * usize::from(width) * usize::from(height));
        let name = std::str::from_utf8(name).unwrap();
        cases.push(Case { name, file, width: width.into(), pixels });
        rest = more;
    }
    cases
}

fn case(name: &str) -> Case<'static> {
    cases().into_iter().find(|c| c.name == name).unwrap()
}

fn decoded(file: &[u8]) -> Result<RgbImage, Defect> {
    crate::decode::decode(file, Demands::default())
}

/// A file of a kind, for tests of what reads files.
pub(crate) fn file(name: &str) -> Vec<u8> {
    case(name).file.to_vec()
}

/// How far and why a file is not read.
fn refused(file: &[u8]) -> (u64, String) {
    match decoded(file) {
        Err(Defect::Unreadable { offset, reason }) => (offset, reason),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_kind_of_file_is_decoded_as_by_pillow() {
    let cases = cases();
    assert!(cases.len() > 100);
    for case in cases {
        let found = decoded(case.file).unwrap_or_else(|e| panic!("{}: {e:?}", case.name));
        assert_eq!(found.width(), case.width, "{}", case.name);
        assert!(found.as_raw() == case.pixels, "{}", case.name);
        let size = (found.width(), found.height());
        assert_eq!(dimensions(case.file).unwrap(), size, "{}", case.name);
    }
}

#[test]
fn a_file_that_ends_early_is_refused_wherever_it_ends() {
    for name in ["420 baseline", "420 progressive", "444 scans", "422 restart", "420 arithmetic"] {
        let file = case(name).file;
        for end in (4..file.len()).step_by(7).chain([file.len() - 2, file.len() - 1]) {
            let (offset, reason) = refused(&file[..end]);
            assert_eq!(offset, end as u64, "{name}: {reason}");
        }
        assert!(refused(&file[..file.len() - 1]).1.contains("before its end marker"), "{name}");
    }
}

#[test]
fn pixels_that_a_file_does_not_hold_are_not_made_up() {
    // An end marker where the data end changes nothing: the rest would be grey.
    for (name, missing) in [("420 baseline", 60), ("420 progressive", 12), ("444 scans", 60)] {
        let file = case(name).file;
        let cut = [&file[..file.len() - missing], &[0xff, 0xd9]].concat();
        assert!(refused(&cut).1.contains("before the image is complete"), "{name}");
    }
    let file = case("422 restart").file;
    let marker = file.windows(2).position(|w| w == [0xff, 0xd1]).unwrap();
    let dropped = [&file[..marker], &file[marker + 2..]].concat();
    assert!(decoded(&dropped).is_err());
}

#[test]
fn files_that_no_decoder_here_reads_say_what_they_are() {
    let file = case("420 baseline").file;
    let frame = file.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    let with = |at: usize, bytes: &[u8]| {
        let mut file = file.to_vec();
        file[frame + at..][..bytes.len()].copy_from_slice(bytes);
        refused(&file).1
    };
    assert!(with(1, &[0xc3]).contains("lossless"));
    assert!(with(4, &[12]).contains("8 bits"));
    assert!(with(5, &[0, 0]).contains("no pixel"));
    assert!(with(5, &[0xff, 0xff, 0xff, 0xff]).contains("65,500"));
    assert!(with(5, &[0xf0, 0, 0xf0, 0]).contains("61440x61440 pixels are"));
}

#[test]
fn a_file_of_endless_scans_is_refused_before_it_is_decoded() {
    let file = case("420 progressive").file;
    let scan = file.windows(2).rposition(|w| w == [0xff, 0xda]).unwrap();
    let last = &file[scan..file.len() - 2];
    let bomb = [&file[..scan], &last.repeat(600), &[0xff, 0xd9]].concat();
    assert!(refused(&bomb).1.contains("scans; 500 are read at most"));
    decoded(&[&file[..scan], &last.repeat(2), &[0xff, 0xd9]].concat()).unwrap();
}

#[test]
fn a_decoded_file_is_cropped_and_an_orientation_is_not_applied() {
    let case = case("turned by exif");
    let planes = square(case.file, 17, Demands::default()).unwrap();
    let first: Vec<u8> = (0..17).map(|x| case.pixels[3 * (x + 1)]).collect();
    assert_eq!(planes[..17], first);
}

#[test]
fn the_decoders_name_is_that_of_what_is_built_in() {
    let lock = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.lock");
    let Ok(lock) = std::fs::read_to_string(lock) else { return };
    let version = DECODER.rsplit('-').next().unwrap();
    assert!(lock.contains(&format!("name = \"mozjpeg-sys\"\nversion = \"{version}\"")));
    // A stamp is a word: tables separate them by spaces.
    assert!(!DECODER.contains(char::is_whitespace));
}
