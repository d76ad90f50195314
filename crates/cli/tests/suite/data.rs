use crate::support::Folder;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The files of a folder, by name.
fn content(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let mut files: Vec<_> = entries
        .map(|p| {
            (p.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&p).unwrap())
        })
        .collect();
    files.sort();
    files
}

/// JPEG files of 160x200 pixels in four classes, one of them cut.
fn photographs(folder: &Path, n: u32) {
    for i in 0..n {
        let path = folder.join(format!("train/n{}/{i:04}.JPEG", i % 4));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let noise = image::RgbImage::from_fn(160, 200, |x, y| {
            image::Rgb([(x * (i % 7 + 3) + y) as u8, (x ^ y) as u8, i as u8])
        });
        std::fs::write(&path, crate::support::jpeg(&noise)).unwrap();
    }
    let path = folder.join("train/n1/0301.JPEG");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 300]).unwrap();
}

#[test]
fn a_pack_that_is_killed_again_and_again_ends_in_the_bytes_of_one_that_was_not() {
    let folder = Folder::new();
    photographs(&folder.path("photos"), 900);
    let said =
        folder.expect(0, "data pack imagenet --from photos --side 32 --out whole --threads 2");
    assert!(said.contains("imagenet:train: 899 images in 4 classes, 1 file rejected"), "{said}");
    let killed = "data pack imagenet --from photos --side 32 --data-dir data --threads 1";
    let done = folder.path("data/imagenet-32/train");
    let mut kills = 0;
    // Each time a little later, so that kills fall before, in and between chunks.
    while !done.exists() && kills < 40 {
        let mut child = folder.spawn(killed);
        std::thread::sleep(Duration::from_millis(60 + 35 * kills));
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
    }
    assert!(kills > 1, "it was packed before the first kill");
    folder.expect(0, killed);
    assert_eq!(content(&done), content(&folder.path("whole/train")));
    assert!(
        folder.expect(0, "data verify imagenet").contains("899 images as packed, 1 file rejected")
    );
    assert!(
        folder
            .expect(1, "data pack imagenet --from photos --side 32 --strict --out strict")
            .contains("0301.JPEG, offset")
    );
    assert!(
        folder
            .expect(1, "data pack imagenet --from photos --side 32 --min-side 256")
            .contains("other options")
    );
    for dry in ["", " --dry-run"] {
        assert!(
            folder
                .expect(1, &format!("data pack imagenet --from data{dry}"))
                .contains("expected train/<synset>/*.JPEG")
        );
    }
    std::fs::remove_file(done.join("pack.json")).unwrap();
    assert!(
        folder.expect(1, killed).contains("choose another output folder"),
        "what is left of a pack is named"
    );
}

const CONDITIONAL: &str = r#"
name = "conditional"
title = "a narrow conditional network on a thousand classes"
settings = ["C"]
seeds = [0]
methods = [{ label = "SN", method = "sn", run = { loss = "hinge" } }]
[run]
dataset = "imagenet"
side = 128
architecture = "resnet-imagenet"
conditioning = "projection"
n_classes = 1000
width_divisor = 64
batch = 2
gen_batch = 2
gen_updates = 1
[scales.quick]
run = {}
score = { backbone = "none", protocols = ["is_70_split2"], log_every = 1, checkpoint_every = 1 }
"#;

/// The sample of ImageNet that stands beside the project, unpacked; `None`, with the reason on standard error, where it is not to be had.
fn imagenet_sample(folder: &Folder) -> Option<PathBuf> {
    let archive = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data/imagenet-sample-160.tar.xz");
    if !archive.exists() {
        eprintln!("skipped: {} is absent", archive.display());
        return None;
    }
    let to = folder.path("sample");
    std::fs::create_dir(&to).unwrap();
    match Command::new("tar").arg("-xJf").arg(&archive).arg("-C").arg(&to).status() {
        Ok(status) if status.success() => Some(to),
        other => {
            eprintln!("skipped: tar could not unpack {}: {other:?}", archive.display());
            None
        }
    }
}

#[test]
fn the_sample_of_imagenet_trains_a_conditional_network() {
    let folder = Folder::new();
    std::fs::write(folder.path("experiments/conditional.toml"), CONDITIONAL).unwrap();
    let train = "train conditional --method SN --setting C --out run";
    let said = folder.expect(1, train);
    assert!(said.contains("`sngan data pack imagenet` at side 128"), "{said}");
    if imagenet_sample(&folder).is_none() {
        return;
    }
    let said = folder.expect(0, "data pack imagenet --from sample --threads 2");
    assert!(
        said.contains("imagenet:train: 1000 images in 1000 classes, 0 files rejected"),
        "{said}"
    );
    let said = folder.expect(0, train);
    assert!(said.contains("1000 images of imagenet:train"), "{said}");
    let log = std::fs::read_to_string(folder.path("run/log.jsonl")).unwrap();
    assert!(log.contains("\"loss_d\":") && !log.contains("\"loss_d\":null"), "{log}");
    // The run's provenance names the images that it was trained on.
    let sum = folder.expect(0, "data verify imagenet");
    let provenance = std::fs::read_to_string(folder.path("run/provenance.json")).unwrap();
    let sum = sum.split("sha256 ").nth(1).unwrap().trim();
    assert!(
        provenance.contains(sum) && provenance.contains("imagenet:train"),
        "{provenance} {sum}"
    );
}

/// A pipe would never begin, a device never end, and a sparse file of a terabyte costs its maker nothing.
#[test]
fn pipes_devices_and_sparse_giants_are_left_out_of_a_pack_in_little_memory() {
    let folder = Folder::new();
    let class = folder.path("from/train/a");
    std::fs::create_dir_all(&class).unwrap();
    let picture = image::RgbImage::from_pixel(8, 8, image::Rgb([9, 8, 7]));
    picture.save(class.join("good.png")).unwrap();
    picture.save(class.join("giant.png")).unwrap();
    let giant = std::fs::OpenOptions::new().write(true).open(class.join("giant.png")).unwrap();
    giant.set_len(1 << 40).unwrap();
    let made = std::process::Command::new("mkfifo").arg(class.join("pipe.png")).status().unwrap();
    assert!(made.success());
    std::os::unix::fs::symlink("/dev/zero", class.join("zero.png")).unwrap();
    let program = env!("CARGO_BIN_EXE_sngan");
    // Two GB of addresses, the program's own included.
    let pack = format!(
        "ulimit -v 2000000; exec timeout 60 {program} data pack imagenet --from from --side 8 --threads 1 --out packed"
    );
    let output = std::process::Command::new("bash")
        .args(["-c", &pack])
        .current_dir(folder.path("."))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let wrong = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}{wrong}");
    let rejected = std::fs::read_to_string(folder.path("packed/train/rejected.json")).unwrap();
    for part in ["a/giant.png", "1099511627776 bytes", "a/pipe.png", "a/zero.png", "a device"] {
        assert!(rejected.contains(part), "{part}: {rejected}");
    }
    assert!(said.contains("1 image in 1 class, 3 files rejected"), "{said}");
}
