use super::*;
use crate::ImageSource;
use std::fs;
use std::path::Path;

const OPTIONS: Options = Options { side: 4, min_side: 0, strict: false };

/// A PNG of one color.
fn png(path: &Path, width: u32, height: u32, color: [u8; 3]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    image::RgbImage::from_pixel(width, height, image::Rgb(color)).save(path).unwrap();
}

/// Three classes with 400 images, every hundredth of them corrupt: more than one chunk.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for i in 0..400u32 {
        let path = folder.path().join(format!("from/n{:02}/{i:03}.png", i % 3));
        png(&path, 6, 5, [i as u8, (i / 2) as u8, 7]);
        if i % 100 == 50 {
            fs::write(path, b"no image").unwrap();
        }
    }
    folder
}

fn make(folder: &Path, options: Options) -> crate::Result<Packed> {
    pack(&folder.join("from"), "t:train", &folder.join("out/train"), options, &mut |_| {})
}

/// The files of a pack, by name.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .map(|p| (p.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&p).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn a_pack_holds_what_the_folder_reader_reads() {
    let folder = folder();
    let packed = make(folder.path(), OPTIONS).unwrap();
    assert_eq!((packed.len(), packed.header().rejected, packed.side()), (396, 4, 4));
    assert_eq!(packed.classes(), ["n00", "n01", "n02"]);
    let rejected: Vec<Rejected> =
        serde_json::from_slice(&fs::read(folder.path().join("out/train/rejected.json")).unwrap())
            .unwrap();
    assert_eq!(rejected[0].path, "n00/150.png");
    assert!(rejected[0].reason.contains("offset"), "{}", rejected[0].reason);
    for r in &rejected {
        fs::remove_file(folder.path().join("from").join(&r.path)).unwrap();
    }
    let read = crate::folder::load_classes(&folder.path().join("from"), 4).unwrap();
    let loaded = packed.load().unwrap();
    assert_eq!(
        (&loaded.pixels, &loaded.labels, &loaded.classes),
        (&read.pixels, &read.labels, &read.classes)
    );
    packed.verify(&mut |_, _| {}).unwrap();
}

#[test]
fn a_pack_taken_up_after_any_cut_ends_in_the_same_bytes() {
    let folder = folder();
    let (out, partial) = (folder.path().join("out/train"), folder.path().join("out/train.partial"));
    make(folder.path(), OPTIONS).unwrap();
    let whole = files(&out);
    // What a kill leaves behind: fewer records than pixels, a record cut in two, and rejected files of a chunk that does not count yet.
    for (records, cut, pixels) in
        [(0, 0, 0), (0, 0, 300), (253, 0, 396), (254, 17, 380), (396, 0, 396)]
    {
        fs::create_dir(&partial).unwrap();
        for (name, bytes) in &whole {
            let keep = match name.as_str() {
                HEADER => continue,
                INDEX => records * RECORD + cut,
                PIXELS => pixels * 48,
                _ => bytes.len(),
            };
            fs::write(partial.join(name), &bytes[..keep]).unwrap();
        }
        fs::remove_dir_all(&out).unwrap();
        let mut first = None;
        pack(&folder.path().join("from"), "t:train", &out, OPTIONS, &mut |p| {
            first = first.or(Some(p.done))
        })
        .unwrap();
        assert_eq!(files(&out), whole, "{records}");
        assert!(!partial.exists() && first.is_none_or(|done| done > records as u64));
    }
}

#[test]
fn other_files_or_options_do_not_mix_with_a_pack() {
    let folder = folder();
    make(folder.path(), OPTIONS).unwrap();
    make(folder.path(), OPTIONS).unwrap();
    let refused = |options| make(folder.path(), options).unwrap_err().to_string();
    assert!(refused(Options { side: 8, ..OPTIONS }).contains("other options"));
    assert!(refused(Options { min_side: 2, ..OPTIONS }).contains("choose another output folder"));
    fs::rename(folder.path().join("out/train"), folder.path().join("out/train.partial")).unwrap();
    fs::remove_file(folder.path().join("out/train.partial/pack.json")).unwrap();
    png(&folder.path().join("from/n00/one-more.png"), 6, 5, [0; 3]);
    assert!(refused(OPTIONS).contains("other files"));
}

#[test]
fn strict_names_the_corrupt_file_and_small_images_are_left_out_where_asked() {
    let folder = tempfile::tempdir().unwrap();
    png(&folder.path().join("from/a/large.png"), 9, 9, [1; 3]);
    png(&folder.path().join("from/a/small.png"), 9, 8, [2; 3]);
    let packed = make(folder.path(), Options { min_side: 9, strict: true, ..OPTIONS }).unwrap();
    assert_eq!((packed.len(), packed.header().rejected), (1, 1));
    fs::remove_dir_all(folder.path().join("out")).unwrap();
    fs::write(folder.path().join("from/a/broken.jpg"), b"no image").unwrap();
    let message = make(folder.path(), Options { strict: true, ..OPTIONS }).unwrap_err().to_string();
    assert!(message.contains("broken.jpg, offset"), "{message}");
    fs::remove_dir_all(folder.path().join("from/a")).unwrap();
    fs::create_dir(folder.path().join("from/a")).unwrap();
    fs::write(folder.path().join("from/a/broken.jpg"), b"no image").unwrap();
    fs::remove_dir_all(folder.path().join("out")).unwrap();
    assert!(
        make(folder.path(), OPTIONS)
            .unwrap_err()
            .to_string()
            .contains("none of 1 files gave an image")
    );
}

#[test]
fn a_changed_byte_is_found_wherever_it_is() {
    let folder = folder();
    let out = folder.path().join("out/train");
    make(folder.path(), OPTIONS).unwrap();
    for (name, at, expected) in [
        (INDEX, 3, "index.bin, offset 0: label"),
        (INDEX, 40, "index.bin, offset 0: side, classes and index have sha256"),
        (PIXELS, 48 * 7 + 5, "pixels.bin, offset 336: image 7"),
    ] {
        let mut bytes = fs::read(out.join(name)).unwrap();
        bytes[at] ^= 1;
        fs::write(out.join(name), &bytes).unwrap();
        let message = Packed::open(&out).and_then(|p| p.load()).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
        bytes[at] ^= 1;
        fs::write(out.join(name), &bytes[..bytes.len() - 1]).unwrap();
        assert!(
            Packed::open(&out)
                .unwrap_err()
                .to_string()
                .contains(&format!("{name}, offset {}", bytes.len() - 1))
        );
        fs::write(out.join(name), &bytes).unwrap();
    }
    let header = fs::read_to_string(out.join(HEADER)).unwrap();
    for (from, to, expected) in [
        ("\"n01\"", "\"n10\"", "have sha256"),
        ("\"version\": 1", "\"version\": 2", "format version 2"),
        ("\"side\": 4", "\"side\": 5000", "side 5000"),
        ("\"images\": 396", "\"images\": 4294967295", "the file has 14256 bytes instead of"),
        ("\"images\": 396", "\"images\": 0", "0 images"),
    ] {
        assert!(header.contains(from));
        fs::write(out.join(HEADER), header.replace(from, to)).unwrap();
        let message = Packed::open(&out).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn links_that_lead_nowhere_are_named_and_hidden_names_are_not_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    png(&folder.path().join("from/a/1.png"), 4, 4, [1; 3]);
    png(&folder.path().join("from/a/._2.png"), 4, 4, [2; 3]);
    png(&folder.path().join("from/.cache/1.png"), 4, 4, [2; 3]);
    png(&folder.path().join("from/a/deeper/3.png"), 4, 4, [3; 3]);
    std::os::unix::fs::symlink("nowhere", folder.path().join("from/a/4.jpg")).unwrap();
    let message = make(folder.path(), Options { strict: true, ..OPTIONS }).unwrap_err().to_string();
    assert!(message.contains("a/4.jpg") && message.contains("leads nowhere"), "{message}");
    let packed = make(folder.path(), OPTIONS).unwrap();
    assert_eq!((packed.classes(), packed.len()), (&["a".to_string()][..], 2));
    let said = &packed.reading().remarks;
    assert_eq!(*said, ["1 link leads nowhere and is left out: a/4.jpg"]);
    fs::create_dir(folder.path().join("from/b")).unwrap();
    let message = make(folder.path(), OPTIONS).unwrap_err().to_string();
    assert!(message.contains("1 class folder holds none: b; fill them"), "{message}");
}

#[test]
fn a_class_whose_files_give_no_image_stays_a_class() {
    let folder = tempfile::tempdir().unwrap();
    png(&folder.path().join("from/a/1.png"), 4, 4, [1; 3]);
    fs::create_dir_all(folder.path().join("from/b")).unwrap();
    fs::write(folder.path().join("from/b/2.png"), b"no image").unwrap();
    let pipe = folder.path().join("from/b/3.png");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let packed = make(folder.path(), OPTIONS).unwrap();
    assert_eq!((packed.len(), packed.header().rejected), (1, 2));
    assert_eq!(packed.classes_without_images(), ["b"]);
}

#[test]
fn packs_of_two_decoders_do_not_mix() {
    let folder = tempfile::tempdir().unwrap();
    png(&folder.path().join("from/a/1.png"), 4, 4, [1; 3]);
    let packed = make(folder.path(), OPTIONS).unwrap();
    assert_eq!((packed.reading().jpeg.as_deref(), &packed.header().plan.decoder), (None, &None));
    fs::rename(folder.path().join("out"), folder.path().join("pngs")).unwrap();
    // Named like the others, it is a JPEG.
    let jpeg = crate::jpeg::tests::file("420 baseline");
    fs::write(folder.path().join("from/a/2.png"), jpeg).unwrap();
    let packed = make(folder.path(), OPTIONS).unwrap();
    assert_eq!(packed.reading().jpeg.as_deref(), Some(crate::JPEG_DECODER));
    assert_eq!(packed.load().unwrap().reading.jpeg.as_deref(), Some(crate::JPEG_DECODER));
    // As a pack was written before packs recorded it, and by another version.
    let (header, partial) =
        (folder.path().join("out/train"), folder.path().join("out/train.partial"));
    let text = fs::read_to_string(header.join(HEADER)).unwrap();
    let line = format!(",\n    \"decoder\": \"{}\"", crate::JPEG_DECODER);
    assert!(text.contains(&line), "{text}");
    for (with, expected) in [("", "by an older decoder"), (",\n\"decoder\": \"d-1\"", "by d-1")] {
        fs::write(header.join(HEADER), text.replace(&line, with)).unwrap();
        let said = make(folder.path(), OPTIONS).unwrap_err().to_string();
        assert!(said.contains(expected) && said.contains("choose another output folder"), "{said}");
        Packed::open(&header).unwrap();
        // Neither is one in progress continued.
        fs::rename(&header, &partial).unwrap();
        fs::rename(partial.join(HEADER), header.with_extension("json")).unwrap();
        let plan = fs::read_to_string(partial.join(PLAN)).unwrap();
        fs::write(partial.join(PLAN), plan.replace(&line.replace("    ", "  "), with)).unwrap();
        let said = make(folder.path(), OPTIONS).unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
        fs::write(partial.join(PLAN), plan).unwrap();
        fs::rename(&partial, &header).unwrap();
    }
}

#[test]
fn a_side_that_could_not_be_read_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    png(&folder.path().join("from/a/1.png"), 4, 4, [1; 3]);
    for side in [0, 4097, usize::MAX] {
        let message = make(folder.path(), Options { side, ..OPTIONS }).unwrap_err().to_string();
        assert!(message.contains("1..=4096") && !folder.path().join("out").exists(), "{message}");
    }
}

#[test]
fn a_pack_without_an_image_yet_gives_way_to_other_options() {
    let folder = tempfile::tempdir().unwrap();
    png(&folder.path().join("from/a/1.png"), 4, 4, [1; 3]);
    assert!(
        make(folder.path(), Options { min_side: 5, ..OPTIONS })
            .unwrap_err()
            .to_string()
            .contains("gave an image")
    );
    assert_eq!(make(folder.path(), OPTIONS).unwrap().len(), 1);
}
