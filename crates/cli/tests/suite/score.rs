use crate::support::Folder;
use std::path::Path;

/// Bytes in which neighbouring pixels are alike, different for each image.
fn pixel(image: usize, i: usize) -> u8 {
    ((image * 37 + i / 7 * 11 + image * i / 50) % 256) as u8
}

/// An array of `shape` as NumPy writes it.
fn npy(path: &Path, descr: &str, shape: &[usize], data: &[u8]) {
    let shape = shape.iter().map(|n| format!("{n}, ")).collect::<String>();
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
    let header = format!("{header:<117}\n");
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(data);
    std::fs::write(path, file).unwrap();
}

fn bytes(n: usize, side: usize) -> Vec<u8> {
    (0..n).flat_map(|image| (0..3 * side * side).map(move |i| pixel(image, i))).collect()
}

fn pngs(folder: &Path, n: usize, side: u32) {
    std::fs::create_dir_all(folder).unwrap();
    for image in 0..n {
        let picture = image::RgbImage::from_fn(side, side, |x, y| {
            let at = |c: u32| pixel(image, (c * side * side + y * side + x) as usize);
            image::Rgb([at(0), at(1), at(2)])
        });
        picture.save(folder.join(format!("{image:04}.png"))).unwrap();
    }
}

const SCORER: &str = "--backbone scorer-fashion";

#[test]
fn a_folder_and_arrays_in_either_layout_score_alike() {
    let folder = Folder::new();
    let planes = bytes(80, 16);
    let pixels: Vec<u8> = planes
        .chunks(768)
        .flat_map(|image| (0..256).flat_map(|p| [image[p], image[256 + p], image[512 + p]]))
        .collect();
    npy(&folder.path("planes.npy"), "|u1", &[80, 3, 16, 16], &planes);
    npy(&folder.path("pixels.npy"), "|u1", &[80, 16, 16, 3], &pixels);
    pngs(&folder.path("folder"), 80, 16);
    let score = |images: &str| {
        folder
            .expect(0, &format!("score --images {images} --reference fashion-mnist --metrics is,fid,kid,precision,recall {SCORER} --json"))
    };
    let records = score("planes.npy");
    assert_eq!(records.lines().filter(|l| l.starts_with('{')).count(), 5, "{records}");
    assert!(
        records.contains("\"name\":\"fid_80_ref2k\"")
            && records.contains("\"name\":\"kid_80_ref2k_100x80\""),
        "{records}"
    );
    let plain = |text: String| {
        text.lines().filter(|l| l.starts_with('{')).map(String::from).collect::<Vec<_>>()
    };
    assert_eq!(plain(score("pixels.npy")), plain(records.clone()));
    assert_eq!(plain(score("folder")), plain(records.clone()));
    // Kept features change nothing, the second time neither.
    for _ in 0..2 {
        assert_eq!(plain(score("folder --cache kept --threads 1")), plain(records.clone()));
    }
    assert!(std::fs::read_dir(folder.path("kept")).unwrap().count() > 0);
}

#[test]
fn statistics_stand_for_their_images_and_say_what_they_are_of() {
    let folder = Folder::new();
    npy(&folder.path("real.npy"), "|u1", &[90, 3, 16, 16], &bytes(90, 16));
    npy(&folder.path("made.npy"), "|u1", &[70, 3, 16, 16], &bytes(70, 16));
    let said = folder.expect(0, &format!("stats real.npy --out real.npz {SCORER}"));
    assert!(said.contains("90 images of real.npy"), "{said}");
    let provenance = std::fs::read_to_string(folder.path("real.json")).unwrap();
    assert!(
        provenance.contains("\"n\": 90") && provenance.contains("\"resize\": \"none\""),
        "{provenance}"
    );
    let fid = |reference: &str| {
        let said = folder.expect(
            0,
            &format!(
                "score --images made.npy --reference {reference} --metrics fid {SCORER} --json"
            ),
        );
        let record = said.lines().find(|l| l.starts_with('{')).unwrap().to_string();
        let value =
            record.split("\"value\":").nth(1).unwrap().split(',').next().unwrap().to_string();
        (value, record)
    };
    let (through_file, record) = fid("real.npz");
    assert_eq!(through_file, fid("real.npy").0);
    assert!(record.contains("fid_70_stats") && record.contains("\"n\":90"), "{record}");
    // Of another side, or of too few images, they are refused as images would be.
    npy(&folder.path("large.npy"), "|u1", &[70, 3, 32, 32], &bytes(70, 32));
    let said = folder.expect(
        1,
        &format!("score --images large.npy --reference real.npz --metrics fid {SCORER}"),
    );
    assert!(said.contains("real.npz: is of images of side 16, the images have 32"), "{said}");
    npy(&folder.path("few.npy"), "|u1", &[40, 3, 16, 16], &bytes(40, 16));
    folder.expect(0, &format!("stats few.npy --out few.npz --allow-few {SCORER}"));
    let against_few = format!("score --images made.npy --reference few.npz --metrics fid {SCORER}");
    let said = folder.expect(1, &against_few);
    assert!(said.contains("few.npz: 40 samples are too few"), "{said}");
    assert!(folder.expect(0, &format!("{against_few} --allow-few")).contains("few-samples"));
    // A file beside that is another's is neither read as theirs nor lost.
    std::fs::write(folder.path("keep.json"), r#"{"mine": true}"#).unwrap();
    let said = folder.expect(1, &format!("stats real.npy --out keep.npz {SCORER}"));
    assert!(
        said.contains("keep.json: is not what `sngan reference` writes")
            && !folder.path("keep.npz").exists(),
        "{said}"
    );
    // Statistics made otherwise are not taken for these.
    std::fs::write(folder.path("real.json"), provenance.replace("\"none\"", "\"triangle 32→16\""))
        .unwrap();
    let again = format!("score --images made.npy --reference real.npz --metrics fid {SCORER}");
    let said = folder.expect(1, &again);
    assert!(said.contains("real.json: is of other statistics than real.npz"), "{said}");
    // An older version put no hashes down, and another program has no such file.
    let mut npz = std::fs::read(folder.path("real.npz")).unwrap();
    let comment = b"sngan provenance ";
    let at = npz.windows(comment.len()).rposition(|w| w == comment).unwrap();
    npz.truncate(at);
    npz[at - 2..].fill(0);
    std::fs::write(folder.path("real.npz"), npz).unwrap();
    let older = provenance.replace("\"none\"", "\"triangle 32→16\"");
    let older: Vec<&str> =
        older.lines().filter(|line| !line.contains("statistics_sha256")).collect();
    let older = older.join("\n").replace(",\n}", "\n}");
    std::fs::write(folder.path("real.json"), older).unwrap();
    let said = folder.expect(1, &again);
    assert!(said.contains("real.npz: was made through") && said.contains("sngan reference"));
    std::fs::write(folder.path("real.json"), r#"{"mine": true}"#).unwrap();
    folder.expect(0, &again);
}

#[test]
fn every_bad_input_names_the_file_and_what_to_do() {
    let folder = Folder::new();
    let said = |arguments: &str| folder.expect(1, &format!("score --images {arguments} {SCORER}"));
    let says = |arguments: &str, parts: &[&str]| {
        let text = said(arguments);
        assert!(
            text.starts_with("error: ") && parts.iter().all(|part| text.contains(part)),
            "{arguments}: {text}"
        );
    };
    std::fs::create_dir(folder.path("empty")).unwrap();
    says("empty", &["no JPEG or PNG picture is in empty", "give a folder"]);
    pngs(&folder.path("mixed"), 2, 16);
    pngs(&folder.path("mixed/large"), 1, 32);
    says("mixed", &["0000.png: has side 32", "resize all"]);
    says("absent.npy", &["absent.npy: does not exist"]);
    let floats = |values: &[f32]| values.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    npy(&folder.path("nan.npy"), "<f4", &[1, 1, 2, 2], &floats(&[0.0, -0.5, f32::NAN, 0.0]));
    says("nan.npy", &["nan.npy: image 0", "not finite"]);
    npy(&folder.path("range.npy"), "<f4", &[1, 1, 2, 2], &floats(&[0.0, 128.0, 0.0, 0.0]));
    says("range.npy", &["range.npy: holds floats from 0 to 128", "say their range", "uint8"]);
    says("range.npy --range 0..1", &["range.npy: image 0 has the value 128", "the range 0..1"]);
    npy(&folder.path("unit.npy"), "<f4", &[1, 1, 2, 2], &floats(&[0.0, 0.5, 1.0, 0.0]));
    says("unit.npy", &["unit.npy: holds floats from 0 to 1", "0..1, -1..1, 0..255"]);
    npy(&folder.path("whole.npy"), "<i8", &[1, 1, 1, 3], &[0; 24]);
    says("whole.npy", &["whole.npy: holds int64; images are uint8"]);
    npy(&folder.path("cut.npy"), "|u1", &[9, 3, 16, 16], &bytes(8, 16));
    says("cut.npy", &["cut.npy: is cut"]);
    std::fs::write(folder.path("cut.npz"), b"PK\x03\x04 and nothing else").unwrap();
    says("cut.npz", &["cut.npz: is no whole npz"]);
    npy(&folder.path("few.npy"), "|u1", &[64, 3, 16, 16], &bytes(64, 16));
    says(
        "few.npy --reference fashion-mnist",
        &["`fid_64_ref2k`: 64 samples are too few", "or allow few"],
    );
    says("few.npy --reference cut.npz --allow-few", &["cut.npz: is no whole npz"]);
    says("few.npy --reference mnist", &["`mnist` is neither a file", "fashion-mnist"]);
    says("few.npy --reference fashion-mnist:valid", &["parts are ref, test and train"]);
    says("few.npy --metrics kid", &["--metrics kid compares", "add --reference"]);
    says("few.npy --device bogus", &["bogus"]);
    says("few.npy --splits 65", &["--splits 65: 64 images"]);
    says("few.npy --protocols is_100_split2", &["few.npy: 64 are there; the protocol needs 100"]);
    says("few.npy --allow-few --protocols fid_64_ref2k", &["`ref2k`", "--reference DATASET"]);
    says("few.npy --metrics ms-ssim", &["class subfolders"]);
    let pipe = folder.path("pipe.npy");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    says("pipe.npy", &["pipe.npy: it is no regular file"]);
    for (arguments, part) in [
        ("score", "--images"),
        ("score --images few.npy --splits 0", "--splits"),
        ("score --images few.npy --samples 0", "--samples"),
        ("score --images few.npy --threads 9999", "1024"),
    ] {
        let text = folder.expect(2, arguments);
        assert!(text.contains(part) && !text.contains("protocols"), "{arguments}: {text}");
    }
    let text = folder.expect(1, "score --images few.npy --backbone inception-or-scorer");
    assert!(
        text.contains("no Inception weights in data") && text.contains("scorer-fashion"),
        "{text}"
    );
    let text = folder.expect(1, "score --images few.npy");
    assert!(text.contains("sngan data fetch inception"), "{text}");
    let text = folder.expect(2, &format!("score --images few.npy --protocols is_5k {SCORER}"));
    assert!(text.contains("such as is_5k_x10"), "{text}");
    let stamped = folder.expect(
        0,
        &format!("score --images few.npy --reference fashion-mnist --allow-few {SCORER}"),
    );
    assert!(
        stamped.contains("fid_64_ref2k (64 samples, resize none, bytes given, few-samples)"),
        "{stamped}"
    );
    assert!(stamped.starts_with("few.npy: is["), "{stamped}");
    pngs(&folder.path("more"), 20, 16);
    std::fs::write(folder.path("more/1.bmp"), "BM").unwrap();
    let warned = folder.expect(0, &format!("score --images more --metrics is,is {SCORER} --json"));
    assert!(
        warned.contains("warning: more: 1 file is neither")
            && warned.matches("\"metric\"").count() == 1,
        "{warned}"
    );
}

#[test]
fn similarity_needs_no_network_and_kid_of_everything_has_one_subset() {
    let folder = Folder::new();
    for class in ["a", "b"] {
        pngs(&folder.path("made").join(class), 6, 16);
    }
    let said = folder.expect(0, "score --images made --metrics ms-ssim --json");
    assert!(said.contains(r#""backbone":"none""#) && said.contains(r#""resize":"none""#), "{said}");
    let said = folder.expect(1, "score --images made --backbone none");
    assert!(said.contains("ms-ssim alone"), "{said}");
    let said = folder
        .expect(0, &format!("score --images made --reference made --metrics kid {SCORER} --json"));
    assert!(said.contains("kid_12_images12_1x12") && said.contains(r#""std":null"#), "{said}");
}

#[test]
fn a_run_is_scored_by_named_protocols_and_while_it_trains() {
    let folder = Folder::new();
    let train = "train tiny --method SN --setting C --eval-every 2";
    folder.expect(0, &format!("{train} --out whole"));
    folder.expect(0, "train tiny --method SN --setting C --out plain");
    assert_eq!(folder.bits("whole"), folder.bits("plain"), "scores changed the training");
    let scores =
        |run: &str| std::fs::read_to_string(folder.path(&format!("{run}/scores.jsonl"))).unwrap();
    let whole = scores("whole");
    let updates: Vec<String> = whole
        .lines()
        .map(|l| l.split("\"gen_updates\":").nth(1).unwrap().split(',').next().unwrap().into())
        .collect();
    assert_eq!(updates, ["2", "2", "4", "4", "6", "6"]);

    let lines = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(String::from).collect();
        lines.sort();
        lines
    };

    // Cut off amid its scores at 4, before the checkpoint there, and resumed from that at 2: neither doubled nor lost.
    folder.expect(0, &format!("{train} --set gen_updates=4 --out cut"));
    let half: String = whole.lines().take(3).map(|l| format!("{l}\n")).collect();
    std::fs::write(folder.path("cut/scores.jsonl"), half).unwrap();
    for ending in ["json", "safetensors"] {
        std::fs::remove_file(folder.path(&format!("cut/checkpoints/00000004.{ending}"))).unwrap();
    }
    folder.expect(0, &format!("{train} --out cut --resume"));
    assert_eq!(lines(&scores("cut")), lines(&whole));

    // The last checkpoint's scores are the ones taken at the end of the training.
    folder.expect(0, "score whole --protocols is_70_split2,fid_70_ref2k");
    assert_eq!(lines(&scores("whole")), lines(&whole));
    let said = folder.expect(0, "score whole --protocols is_35_x2,kid_100_ref2k_3x50 --json");
    assert!(said.contains("\"is_35_x2\"") && said.contains("\"kid_100_ref2k_3x50\""), "{said}");
    assert_eq!(scores("whole").lines().count(), whole.lines().count() + 2);
}

/// A picture as a JPEG file with chroma at half the resolution.
fn jpegs(folder: &Path, n: usize, side: u32) {
    pngs(folder, n, side);
    for image in 0..n {
        let path = folder.join(format!("{image:04}.png"));
        let picture = image::open(&path).unwrap().into_rgb8();
        std::fs::write(path.with_extension("jpg"), crate::support::jpeg(&picture)).unwrap();
        std::fs::remove_file(path).unwrap();
    }
}

/// The stamps of the only score.
fn stamps(record: &str) -> String {
    let line = record.lines().find(|l| l.starts_with('{')).unwrap();
    line.split("\"stamps\":").nth(1).unwrap().split(']').next().unwrap().into()
}

#[test]
fn scores_of_jpegs_name_their_decoder_and_others_do_not() {
    let folder = Folder::new();
    jpegs(&folder.path("jpegs"), 70, 16);
    pngs(&folder.path("pngs"), 70, 16);
    let score = |rest: &str| folder.expect(0, &format!("score --images {rest} {SCORER} --json"));
    let decoder = format!("[\"{}\"", sngan_data::JPEG_DECODER);
    assert_eq!(stamps(&score("pngs")), "[");
    assert_eq!(stamps(&score("jpegs")), decoder);
    assert_eq!(stamps(&score("pngs --reference jpegs --metrics fid")), decoder);
    assert_eq!(stamps(&score("jpegs --reference jpegs --metrics fid")), decoder);
    // Through a file of statistics, too.
    folder.expect(0, &format!("reference jpegs --out jpegs.npz {SCORER}"));
    assert_eq!(stamps(&score("pngs --reference jpegs.npz --metrics fid")), decoder);
    folder.expect(0, &format!("reference pngs --out pngs.npz {SCORER}"));
    let provenance = std::fs::read_to_string(folder.path("pngs.json")).unwrap();
    assert!(!provenance.contains("decoder"), "{provenance}");
}

#[test]
fn floats_of_a_told_range_score_like_their_bytes() {
    let folder = Folder::new();
    let planes = bytes(70, 16);
    npy(&folder.path("bytes.npy"), "|u1", &[70, 3, 16, 16], &planes);
    let value = |name: &str, range: &str, to: fn(u8) -> f32| {
        let data: Vec<u8> = planes.iter().flat_map(|b| to(*b).to_le_bytes()).collect();
        npy(&folder.path(name), "<f4", &[70, 3, 16, 16], &data);
        let said = folder
            .expect(0, &format!("score --images {name} {range} --reference bytes.npy --metrics fid,kid {SCORER} --json"));
        assert!(said.contains("\"bytes\":\"truncate\""), "{said}");
        let value = said.split("\"value\":").nth(1).unwrap().split(',').next().unwrap();
        value.parse::<f64>().unwrap()
    };
    assert!(value("unit.npy", "--range 0..1", |b| f32::from(b) / 255.0) < 1e-6);
    assert!(value("large.npy", "--range 0..255", f32::from) < 1e-6);
    assert!(value("tanh.npy", "--range -1..1", |b| f32::from(b) / 127.5 - 1.0) < 1e-6);
    assert!(value("plain.npy", "", |b| f32::from(b) / 127.5 - 1.0) < 1e-6);
}

#[test]
fn folders_are_read_alike_for_scoring_and_training() {
    let folder = Folder::new();
    for part in ["train", "test"] {
        pngs(&folder.path(part).join("cats"), 10, 16);
        pngs(&folder.path(part).join("cats/persian"), 14, 16);
        pngs(&folder.path(part).join("dogs"), 6, 16);
        pngs(&folder.path(part).join(".ipynb_checkpoints"), 5, 16);
        std::fs::write(folder.path(part).join("cats/._0000.png"), [0, 5, 22, 7]).unwrap();
        std::fs::write(folder.path(part).join("dogs/0000.webp"), "RIFF").unwrap();
    }
    let said = folder.expect(0, &format!("score --images train --splits 1 {SCORER} --json"));
    assert!(said.contains("\"n_samples\":30"), "{said}");
    let left_out = "1 file is neither JPEG nor PNG and is left out: dogs/0000.webp";
    assert!(said.contains(&format!("warning: train: {left_out}")), "{said}");
    let said = folder.expect(
        0,
        "train table1 --scale smoke --method SN --setting C --set dataset=folder --set gen_updates=1 --data-dir . --out run",
    );
    assert!(said.contains("30 images of folder:train"), "{said}");
    assert!(said.contains(&format!("warning: folder:train: {left_out}")), "{said}");
    // What compares with nothing needs no data.
    let score = format!("score run --metrics is --samples 50 {SCORER} --data-dir nowhere");
    folder.expect(0, &score);
}

#[test]
fn too_few_images_of_each_class_are_stamped() {
    let folder = Folder::new();
    for class in ["a", "b"] {
        pngs(&folder.path("made").join(class), 10, 16);
        pngs(&folder.path("real").join(class), 80, 16);
    }
    let said = folder.expect(
        0,
        &format!(
            "score --images made --reference real --metrics intra-fid --allow-few {SCORER} --json"
        ),
    );
    assert_eq!(stamps(&said), "[\"few-samples\"", "{said}");
}

/// What a scoring that was told to stop has done is not done again, and nothing half-written is left.
#[test]
fn a_scoring_that_is_told_to_stop_ends_and_goes_on_from_its_cache() {
    let folder = Folder::new();
    let n = 24_000;
    npy(&folder.path("many.npy"), "|u1", &[n, 3, 16, 16], &bytes(n, 16));
    let score = |cache: &str| {
        format!("score --images many.npy --metrics is {SCORER} --threads 1 --json --cache {cache}")
    };
    let kept = || crate::support::files(&folder.path("cut"), "safetensors").len();
    let mut command = folder.command(&score("cut"));
    let piped = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = piped.spawn().unwrap();
    while kept() < 3 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be stopped");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let sent = std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(
        said.contains("interrupted after") && said.contains("goes on from the features in cut"),
        "{said}"
    );
    let (before, blocks) = (kept(), n / 500);
    assert!(before < blocks, "{before} of {blocks}");
    let unfinished = std::fs::read_dir(folder.path("cut")).unwrap();
    assert_eq!(unfinished.count(), before);
    let whole = folder.expect(0, &score("whole"));
    let record = |said: String| said.lines().find(|l| l.starts_with('{')).unwrap().to_string();
    assert_eq!(record(folder.expect(0, &score("cut"))), record(whole));
    assert_eq!(kept(), blocks);
}

#[test]
fn scores_that_memory_holds_need_no_folder_for_temporary_files() {
    let folder = Folder::new();
    npy(&folder.path("a.npy"), "|u1", &[80, 3, 16, 16], &bytes(80, 16));
    let without = |arguments: &str| {
        let output = folder.command(arguments).env("TMPDIR", "/nowhere").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said)
    };
    let metrics = "--metrics is,fid,kid,precision,recall --reference fashion-mnist";
    let (code, said) = without(&format!("score --images a.npy {metrics} {SCORER}"));
    assert_eq!(code, Some(0), "{said}");
    // More than memory should hold: the message names the folder, the cause and what to do.
    let mut archive = zip::ZipWriter::new(std::fs::File::create(folder.path("b.npz")).unwrap());
    let options = zip::write::SimpleFileOptions::default();
    archive.start_file("images.npy", options).unwrap();
    npy(&folder.path("b.npy"), "|u1", &[90_000, 3, 16, 16], &vec![7; 90_000 * 768]);
    std::io::copy(&mut std::fs::File::open(folder.path("b.npy")).unwrap(), &mut archive).unwrap();
    archive.finish().unwrap();
    let (code, said) = without(&format!("score --images b.npz --metrics is {SCORER}"));
    assert_eq!(code, Some(1));
    let expected = ["b.npz", "/nowhere", "No such file", "set TMPDIR to a folder with room"];
    assert!(expected.iter().all(|part| said.contains(part)), "{said}");
    let (code, said) = without("plan tiny --scale quick");
    assert_eq!(code, Some(1));
    assert!(said.contains("/nowhere") && said.contains("--no-measure"), "{said}");
}
