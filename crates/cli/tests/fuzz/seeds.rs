//! Valid inputs of every reader, as the workspace itself writes them.

use crate::targets::folder;
use crate::wrap::{self, Tensors};
use image::{ImageFormat, RgbImage};
use sngan_core::checkpoint::{self, Checkpoint, Metadata};
use sngan_core::interchange;
use sngan_core::model::Place;
use sngan_core::trainer::{Trainer, made_up_images};
use sngan_data::pack::{self, Options};
use sngan_experiment::method::Method;
use sngan_experiment::records::{ImagesRecord, Provenance, Record, Segment};
use sngan_experiment::{RunDir, RunSpec, atomic};
use sngan_tensor::Device;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

pub(crate) fn experiments() -> Vec<Vec<u8>> {
    let tiny = include_str!("tiny.toml");
    let built_in = [
        include_str!("../../../../experiments/table1.toml"),
        include_str!("../../../../experiments/demo.toml"),
        tiny,
    ];
    built_in.map(|text| text.as_bytes().to_vec()).into()
}

/// A network of one to eight channels on 8x8 images.
fn tiny(method: Method) -> RunSpec {
    RunSpec {
        side: 8,
        width_divisor: 64,
        batch: 2,
        gen_batch: 2,
        gen_updates: 1,
        ..RunSpec::paper(method)
    }
}

fn provenance_record() -> Provenance {
    Provenance {
        version: Provenance::VERSION,
        dataset: "fashion-mnist:train".into(),
        dataset_sha256: "0".into(),
        log_every: 1,
        segments: vec![Segment {
            from: 0,
            sngan: "0.1.0".into(),
            commit: Some("0".into()),
            dirty: Some(true),
            device: "cpu".into(),
            threads: 1,
            cpu: "x".into(),
            accelerator: None,
            instruction_set: "avx2".into(),
        }],
        imported: Vec::new(),
    }
}

/// A file of a run that was just created.
fn of_run(method: Method, path: fn(&RunDir) -> PathBuf) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let dir = RunDir::create(folder.path(), &tiny(method), &provenance_record()).unwrap();
    std::fs::read(path(&dir)).unwrap()
}

pub(crate) fn specs() -> Vec<Vec<u8>> {
    [Method::Sn, Method::WganGp, Method::BatchNorm]
        .map(|method| of_run(method, RunDir::spec_path))
        .into()
}

pub(crate) fn provenance() -> Vec<Vec<u8>> {
    vec![of_run(Method::Sn, RunDir::provenance_path)]
}

pub(crate) fn images() -> Vec<Vec<u8>> {
    let record = ImagesRecord {
        version: ImagesRecord::VERSION,
        folder: "/pictures/pets".into(),
        name: "folder:pets".into(),
        n: 3,
        classes: vec!["cat".into(), "dog".into()],
        sha256: "0".into(),
    };
    vec![serde_json::to_vec(&record).unwrap()]
}

/// Lines, and a last one that a kill has cut.
fn lines(line: &str) -> Vec<Vec<u8>> {
    vec![
        format!("{line}\n{line}\n").into_bytes(),
        format!("{line}\n{}", &line[..line.len() / 2]).into_bytes(),
    ]
}

pub(crate) fn log() -> Vec<Vec<u8>> {
    lines(
        r#"{"version":1,"gen_update":10,"loss_d":1.38,"loss_reg":0.0,"loss_g":0.69,"d_real":0.1,"d_fake":null,"grad_norm_d":0.5,"grad_norm_g":0.25,"sigma_forward":{"conv0":1.01,"head":null},"sigma_fig9":{"conv0":1.0}}"#,
    )
}

pub(crate) fn timing() -> Vec<Vec<u8>> {
    lines(r#"{"version":1,"gen_update":10,"seconds":0.53125}"#)
}

pub(crate) fn scores() -> Vec<Vec<u8>> {
    lines(
        r#"{"version":1,"gen_updates":1000,"is_mean":1.92,"is_std":0.029,"fid":21.4,"protocol":{"backbone":"scorer-fashion","backbone_sha256":"ba69","n_samples":2000,"n_splits":5,"n_reference":2000,"reference":"fashion-mnist:held-out","reference_sha256":"4ce1","resize":"none","bytes":"truncate"}}"#,
    )
}

pub(crate) fn spectrum() -> Vec<Vec<u8>> {
    lines(
        r#"{"version":1,"gen_updates":1000,"layer":"conv0","weights":"normalized","squared":[1.0,0.5,0.25e-3]}"#,
    )
}

pub(crate) fn status() -> Vec<Vec<u8>> {
    vec![
        br#"{"version":1,"status":"diverged","gen_updates":7,"reason":"loss_d is not finite"}"#
            .to_vec(),
    ]
}

pub(crate) fn plan() -> Vec<Vec<u8>> {
    vec![br#"{"version":1,"name":"table1","title":"Table 1","scale":"quick","runs":["sn-c-s0-01234567","wn-c-s0-89abcdef"]}"#.to_vec()]
}

pub(crate) fn update_timings() -> Vec<Vec<u8>> {
    let entry = r#"{"method":"sn","side":32,"discriminator":[0.125,0.5],"generator":[0.25,1e-3]}"#;
    let text = format!(
        r#"{{"version":1,"sngan":"0.1.0","cpu":"c","instruction_set":"avx2","threads":2,"batch":64,"width_divisor":1,"n_dis":5,"entries":[{entry}]}}"#
    );
    vec![text.into_bytes()]
}

pub(crate) fn claims() -> Vec<Vec<u8>> {
    vec![include_bytes!("../../../../experiments/claims.toml").to_vec()]
}

/// The state and metadata of a run at its start.
pub(crate) fn start() -> (RunSpec, Checkpoint) {
    let spec = tiny(Method::Sn);
    let images = made_up_images(spec.side, spec.n_classes).unwrap();
    let trainer = Trainer::new(&spec, &images, &Place::new(&Device::Cpu)).unwrap();
    let (metadata, tensors) = (trainer.metadata(), trainer.state().unwrap());
    (spec, Checkpoint { gen_updates: 0, metadata, tensors })
}

pub(crate) fn statistics() -> Vec<Vec<u8>> {
    let moments = sngan_eval::Moments::new(vec![1.0, -0.5], &[2.0, 0.25, 0.25, 1.0]).unwrap();
    let path = folder().join("seed.npz");
    sngan_eval::write_statistics(&path, &moments, None).unwrap();
    vec![std::fs::read(&path).unwrap()]
}

/// An array of two images as numpy.save writes it.
fn array(descr: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (2, 3, 4, 4), }}");
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend(118u16.to_le_bytes());
    file.extend(format!("{header:<117}\n").as_bytes());
    file.extend(data);
    file
}

fn floats(value: impl Fn(f32) -> f32) -> Vec<u8> {
    let bytes: Vec<u8> = (0..96u8).flat_map(|i| value(f32::from(i)).to_le_bytes()).collect();
    array("<f4", &bytes)
}

pub(crate) fn image_array() -> Vec<Vec<u8>> {
    let bytes: Vec<u8> = (0..96).collect();
    vec![array("|u1", &bytes), floats(|i| i / 48.0 - 1.0)]
}

/// The number of a range, then an array of floats in it.
pub(crate) fn image_floats() -> Vec<Vec<u8>> {
    let files = [floats(|i| i / 96.0), floats(|i| i / 48.0 - 1.0), floats(|i| i)];
    (0..).zip(files).map(|(range, file)| [vec![range], file].concat()).collect()
}

/// An array of images in an archive, as numpy.savez writes it.
pub(crate) fn image_archive() -> Vec<Vec<u8>> {
    let archive = |array: Vec<u8>| {
        let mut file = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let stored = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored);
        file.start_file("arr_0.npy", stored).unwrap();
        file.write_all(&array).unwrap();
        file.finish().unwrap().into_inner()
    };
    image_array().into_iter().map(archive).collect()
}

/// A safetensors file of images alone.
pub(crate) fn image_tensor() -> Vec<Vec<u8>> {
    let header = br#"{"images":{"dtype":"U8","shape":[2,3,4,4],"data_offsets":[0,96]}}"#;
    vec![[&(header.len() as u64).to_le_bytes()[..], header, &(0..96).collect::<Vec<u8>>()].concat()]
}

pub(crate) fn tensors() -> Vec<Vec<u8>> {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    let few = |checkpoint: Checkpoint| {
        checkpoint.tensors.into_iter().filter(|(name, _)| name.contains("conv1")).collect()
    };
    vec![BYTES.get_or_init(|| checkpoint::encode(&few(start().1)).unwrap()).clone()]
}

pub(crate) fn checkpoint_json() -> Vec<Vec<u8>> {
    let sum: String = sha256(&tensors()[0]);
    // The reader's file is named after one update.
    let metadata = Metadata { sha256: sum, gen_updates: 1, ..start().1.metadata };
    let path = folder().join("metadata.json");
    atomic::write_json(&path, &metadata).unwrap();
    vec![std::fs::read(path).unwrap()]
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

pub(crate) fn tensor_header() -> Vec<Vec<u8>> {
    vec![Tensors::of(&tensors()[0]).header]
}

pub(crate) fn interchange() -> Vec<Vec<u8>> {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    let make = || {
        let (spec, checkpoint) = start();
        interchange::encode(&interchange::Exchange {
            spec,
            provenance: provenance_record(),
            checkpoint,
        })
        .unwrap()
    };
    vec![BYTES.get_or_init(make).clone()]
}

/// A generator alone.
pub(crate) fn weights() -> Vec<Vec<u8>> {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    let make = || {
        let (spec, checkpoint) = start();
        let exchange = interchange::Exchange { spec, provenance: provenance_record(), checkpoint };
        let classes = vec!["cat".to_string()];
        interchange::weights::encode(&interchange::weights::Weights { exchange, classes }).unwrap()
    };
    vec![BYTES.get_or_init(make).clone()]
}

pub(crate) fn interchange_spec() -> Vec<Vec<u8>> {
    vec![Tensors::of(&interchange()[0]).metadata("sngan")]
}

pub(crate) fn replay_spec() -> Vec<Vec<u8>> {
    vec![Tensors::of(&replay_cases()[0]).metadata("spec")]
}

/// A run's initial state, with the spec as metadata.
pub(crate) fn replay_cases() -> Vec<Vec<u8>> {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    let make = || {
        let (spec, checkpoint) = start();
        let file = Tensors::of(&checkpoint::encode(&checkpoint.tensors).unwrap());
        let mut header: serde_json::Value = serde_json::from_slice(&file.header).unwrap();
        header["__metadata__"] =
            serde_json::json!({ "spec": serde_json::to_string(&spec).unwrap() });
        wrap::file(header.to_string().as_bytes(), &file.data)
    };
    vec![BYTES.get_or_init(make).clone()]
}

/// Two files in one input, as `targets::two` takes them apart.
fn joined(first: &[u8], second: &[u8]) -> Vec<u8> {
    [&(first.len() as u32).to_le_bytes(), first, second].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn idx() -> Vec<Vec<u8>> {
    let words = |words: &[u32], body: &[u8]| {
        [words.iter().flat_map(|w| w.to_be_bytes()).collect(), body.to_vec()].concat()
    };
    let body: Vec<u8> = (0..32).collect();
    let (images, labels) = (words(&[0x803, 2, 4, 4], &body), words(&[0x801, 2], &[3, 9]));
    // A thousand zeros for each byte: it may be read, for its header says what it holds.
    let bomb = gzip(&words(&[0x803, 1, 1024, 1024], &vec![0; 1 << 20]));
    let one = words(&[0x801, 1], &[0]);
    vec![joined(&images, &labels), joined(&gzip(&images), &gzip(&labels)), joined(&bomb, &one)]
}

pub(crate) fn cifar10() -> Vec<Vec<u8>> {
    vec![(0..3u8).flat_map(|i| [vec![i], vec![i; 3072]].concat()).collect()]
}

pub(crate) fn stl10() -> Vec<Vec<u8>> {
    vec![joined(&vec![7; 3 * 96 * 96], &[10])]
}

fn encoded(side: u32, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    let noise = RgbImage::from_fn(side, side + 3, |x, y| {
        image::Rgb([(x * 37 + y * 91) as u8, (x * y) as u8, 3])
    });
    noise.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
    bytes
}

pub(crate) fn png() -> Vec<Vec<u8>> {
    let grey = image::GrayAlphaImage::from_pixel(9, 5, image::LumaA([7, 200]));
    let mut bytes = Vec::new();
    grey.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
    vec![encoded(13, ImageFormat::Png), bytes]
}

/// JPEG files of every kind, from the entries that `crates/data/tests/fixtures/jpeg.py` describes.
pub(crate) fn jpeg() -> Vec<Vec<u8>> {
    let mut rest = &include_bytes!("../../../data/tests/fixtures/jpeg.bin")[..];
    let mut files = Vec::new();
    while let Some((name, more)) = rest.split_first() {
        let (length, more) = more[usize::from(*name)..].split_first_chunk().unwrap();
        let (file, more) = more.split_at(u32::from_le_bytes(*length) as usize);
        let size = |at: usize| usize::from(u16::from_le_bytes([more[at], more[at + 1]]));
        rest = &more[4 + 3 * size(0) * size(2)..];
        files.push(file.to_vec());
    }
    files
}

/// The same, each with the sampling factors that [`wrap::with_samplings`] puts into it: its own.
pub(crate) fn jpeg_samplings() -> Vec<Vec<u8>> {
    jpeg().iter().map(|file| [&wrap::samplings_of(file)[..], file].concat()).collect()
}

/// A pack of two images.
pub(crate) fn pack_folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let (from, out) = (folder().join("from"), folder().join("pack"));
        for class in ["a", "b"] {
            std::fs::create_dir_all(from.join(class)).unwrap();
            std::fs::write(from.join(class).join("1.png"), encoded(6, ImageFormat::Png)).unwrap();
        }
        pack::pack(
            &from,
            "fuzz",
            &out,
            Options { side: 4, min_side: 0, strict: true },
            &mut |_| {},
        )
        .unwrap();
        out
    })
}

fn of_pack(name: &str) -> Vec<Vec<u8>> {
    vec![std::fs::read(pack_folder().join(name)).unwrap()]
}

pub(crate) fn pack_header() -> Vec<Vec<u8>> {
    of_pack("pack.json")
}

pub(crate) fn pack_index() -> Vec<Vec<u8>> {
    of_pack("index.bin")
}

pub(crate) fn pack_pixels() -> Vec<Vec<u8>> {
    of_pack("pixels.bin")
}

/// What PyTorch wrote, in both formats.
pub(crate) fn torch_files() -> Vec<Vec<u8>> {
    let old = include_bytes!("../../../tensor/tests/fixtures/torch-file-old.pth");
    vec![old.to_vec(), include_bytes!("../../../tensor/tests/fixtures/torch-file-zip.pth").to_vec()]
}

/// An array as [`wrap::archive`] takes it.
pub(crate) fn named_array(name: &str, descr: &str, shape: &str, numbers: &[u8]) -> Vec<u8> {
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    let array =
        [b"\x93NUMPY\x01\x00\x76\x00", format!("{text:<117}\n").as_bytes(), numbers].concat();
    let lengths = ([name.len() as u8], (array.len() as u16).to_le_bytes());
    [&lengths.0, name.as_bytes(), &lengths.1, &array].concat()
}

/// The arrays of a snapshot of Chainer, as [`wrap::archive`] takes them: a layer that keeps u, a bias, a count.
pub(crate) fn snapshot_arrays() -> Vec<Vec<u8>> {
    let floats: Vec<u8> = (0..12u8).flat_map(|i| f32::from(i).to_le_bytes()).collect();
    let arrays = [
        named_array("block1/c1/W", "<f4", "(2, 3, 1, 2)", &floats),
        named_array("block1/c1/b", "<f4", "(2,)", &floats[..8]),
        named_array("block1/c1/u", "<f4", "(1, 2)", &floats[8..16]),
        named_array("l1/W", "<f2", "(3, 2)", &floats[..12]),
        named_array("b1/N", "<i8", "()", &floats[..8]),
    ];
    vec![arrays.concat()]
}

/// A snapshot of Chainer.
pub(crate) fn snapshots() -> Vec<Vec<u8>> {
    snapshot_arrays().iter().map(|arrays| wrap::archive(arrays)).collect()
}

/// A collection of one run.
pub(crate) fn collection_folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let sweep = folder().join("sweep");
        let dir = RunDir::create(
            sweep.join("runs").join("sn-c-s0-01234567"),
            &tiny(Method::Sn),
            &provenance_record(),
        )
        .unwrap();
        let put = |path: PathBuf, seed: Vec<u8>| std::fs::write(path, seed).unwrap();
        put(dir.log_path(), log().remove(0));
        put(dir.timing_path(), timing().remove(0));
        put(dir.scores_path(), scores().remove(0));
        put(dir.spectrum_path(), spectrum().remove(0));
        put(dir.status_path(), status().remove(0));
        put(sweep.join("plan.json"), plan().remove(0));
        let records = sngan_plot::records::SweepRecords::read(&sweep).unwrap();
        let out = folder().join("results");
        sngan_plot::records::collect_into(&records, &out).unwrap();
        out
    })
}

/// The names of the collection's tables.
pub(crate) fn tables() -> Vec<String> {
    let entries = std::fs::read_dir(collection_folder()).unwrap();
    let names = entries.map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".parquet")).collect();
    names.sort();
    names
}

/// Each table, after its number.
pub(crate) fn collection() -> Vec<Vec<u8>> {
    let read = |name: &String| std::fs::read(collection_folder().join(name)).unwrap();
    (0..).zip(&tables()).map(|(i, name)| [vec![i], read(name)].concat()).collect()
}

pub(crate) fn manifest() -> Vec<Vec<u8>> {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    let read = || std::fs::read(collection_folder().join("collection.json")).unwrap();
    vec![BYTES.get_or_init(read).clone()]
}

/// The manifest of the collection with another table under `name`.
pub(crate) fn manifest_with(name: &str, table: &[u8]) -> Vec<u8> {
    let mut json: serde_json::Value = serde_json::from_slice(&manifest()[0]).unwrap();
    json["files"][name] = sha256(table).into();
    json.to_string().into_bytes()
}
