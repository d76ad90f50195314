//! The readers. A new one is a line in [`all`].

use crate::engine::Target;
use crate::{networks, seeds, wrap};
use sngan_core::import::{self, Request};
use sngan_core::{checkpoint, interchange, replay, spectrum};
use sngan_data::pack::Packed;
use sngan_data::parse::{self, Demands};
use sngan_eval::Statistics;
use sngan_eval::input::{ArrayImages, ArrayOptions, Range};
use sngan_experiment::benchmark::UpdateTimings;
use sngan_experiment::records::PlanRecord;
use sngan_experiment::{ExperimentFile, RunDir, run_dir};
use sngan_plot::records::SweepRecords;
use sngan_tensor::Device;
use sngan_tensor::torch_file::TorchFile;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tempfile::TempDir;

const JSON: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "null",
    "true",
    "1e308",
    "-0.0",
    "\\u0000",
    "\"version\":1",
    "\n",
    "NaN",
];
const TOML: &[&str] = &[
    "[",
    "]",
    "[[",
    "=",
    "\"",
    "'''",
    "\n",
    "{",
    "}",
    ",",
    "#",
    "inf",
    "nan",
    "1979-05-27",
    "run",
    "true",
    ".",
    "_",
];
const TENSORS: &[&str] = &[
    "F32",
    "F64",
    "BOOL",
    "\"shape\":[",
    "\"data_offsets\":[0,",
    "__metadata__",
    "{",
    "}",
    "]",
    "\"",
    "0",
];
const PICKLE: &[&str] = &[
    "(",
    "t",
    "}",
    "u",
    "R",
    "Q",
    "ctorch._utils\n_rebuild_tensor_v2\n",
    "ctorch\nFloatStorage\n",
    "PK\u{1}\u{2}",
    "data/0",
];
const NPY: &[&str] = &[
    "'descr': '<f8'",
    "'|u1'",
    "'fortran_order': True",
    "'shape': (2, 3, 4, 4)",
    "(",
    ")",
    "((((((((",
    "PK\u{1}\u{2}",
    "PK\u{5}\u{6}",
];
const IDX: &[&str] = &["\0\0\u{8}\u{3}", "\0\0\u{8}\u{1}", "\u{1f}", "\0\0\0\0"];
const PNG: &[&str] =
    &["IHDR", "IDAT", "IEND", "PLTE", "tRNS", "iCCP", "zTXt", "acTL", "fcTL", "\0\0\0\r"];

const JPEG: &[&str] = &["JFIF", "Exif", "ICC_PROFILE", "Adobe"];

/// Memory, in MiB, of a reader that keeps what it reads.
const PLAIN: usize = 64;
/// The same of an image: [`DEMANDS`] for the decoded pixels, and the decoder's own buffers.
const IMAGE: usize = 16;
/// What an image may decode to here; a hundredth of the default, so that the limit is met often and cheaply.
const DEMANDS: Demands = Demands { min_side: 0, bytes: 1 << 20 };
/// Polars keeps buffers of its own beside what a table may inflate to (columns.rs).
const PARQUET: usize = 512;
/// Compressed IDX files may hold 64 MiB (idx.rs), in a buffer that doubles, and become three channels.
const INFLATED: usize = 64 * (2 + 3);

/// Every reader.
pub(crate) fn all() -> Vec<Target> {
    let target = |name, seeds, dictionary, mebibytes, read| Target {
        name,
        seeds,
        dictionary,
        mebibytes,
        read,
    };
    vec![
        target("experiment", seeds::experiments, TOML, PLAIN, experiment),
        target("spec", seeds::specs, TOML, PLAIN, |b| {
            in_run(b, "spec.toml", |dir| dir.spec().is_ok_and(|s| s.layers().is_ok()))
        }),
        target("log", seeds::log, JSON, PLAIN, |b| in_run(b, "log.jsonl", |dir| dir.log().is_ok())),
        target("timing", seeds::timing, JSON, PLAIN, |b| {
            in_run(b, "timing.jsonl", |dir| dir.timing().is_ok())
        }),
        target("scores", seeds::scores, JSON, PLAIN, |b| {
            in_run(b, "scores.jsonl", |dir| dir.scores().is_ok())
        }),
        target("spectrum", seeds::spectrum, JSON, PLAIN, |b| {
            in_run(b, "spectrum.jsonl", |dir| dir.spectra().is_ok())
        }),
        target("status", seeds::status, JSON, PLAIN, |b| {
            in_run(b, "status.json", |dir| dir.status().is_ok())
        }),
        target("provenance", seeds::provenance, JSON, PLAIN, |b| {
            in_run(b, "provenance.json", |dir| dir.provenance().is_ok())
        }),
        target("images", seeds::images, JSON, PLAIN, |b| {
            in_run(b, "images.json", |dir| dir.images().is_ok())
        }),
        target("plan", seeds::plan, JSON, PLAIN, |b| {
            run_dir::read_json::<PlanRecord>(&scratch(b, "plan.json")).is_ok()
        }),
        target("update-timings", seeds::update_timings, JSON, PLAIN, |b| {
            run_dir::read_json::<UpdateTimings>(&scratch(b, "figure10.json")).is_ok()
        }),
        target("claims", seeds::claims, TOML, PLAIN, |b| {
            std::str::from_utf8(b)
                .is_ok_and(|text| sngan_plot::claims::parse(Path::new("f"), text).is_ok())
        }),
        target("checkpoint-json", seeds::checkpoint_json, JSON, PLAIN, checkpoint_json),
        target("checkpoint", seeds::tensors, TENSORS, PLAIN, |b| {
            checkpoint::decode(Path::new("f"), b, &Device::Cpu).is_ok()
        }),
        target("replay-case", seeds::replay_cases, TENSORS, PLAIN, |b| {
            replay::read(&scratch(b, "case")).is_ok()
        }),
        target("tensor-header", seeds::tensor_header, TENSORS, PLAIN, tensor_header),
        target("replay-spec", seeds::replay_spec, JSON, PLAIN, replay_spec),
        target("interchange-spec", seeds::interchange_spec, JSON, PLAIN, interchange_spec),
        target("interchange", seeds::interchange, TENSORS, PLAIN, |b| {
            interchange::decode(Path::new("f"), b).is_ok()
        }),
        target("weights", seeds::weights, TENSORS, PLAIN, |b| {
            interchange::weights::decode(Path::new("f"), b).is_ok()
        }),
        target("torch-file", seeds::torch_files, PICKLE, PLAIN, torch_file),
        target("idx", seeds::idx, IDX, INFLATED, |b| {
            two(b).is_some_and(|(images, labels)| parse::idx(images, labels).is_ok())
        }),
        target("cifar10", seeds::cifar10, &[], PLAIN, |b| parse::cifar10(b, 3).is_ok()),
        target("stl10", seeds::stl10, &[], PLAIN, |b| {
            two(b).is_some_and(|(images, labels)| parse::stl10(images, labels, 1, 8).is_ok())
        }),
        target("png", seeds::png, PNG, IMAGE, |b| {
            parse::square(&wrap::with_checksums(b), 8, DEMANDS).is_ok()
        }),
        target("jpeg", seeds::jpeg, JPEG, IMAGE, |b| parse::square(b, 8, DEMANDS).is_ok()),
        target("jpeg-samplings", seeds::jpeg_samplings, JPEG, IMAGE, |b| {
            wrap::with_samplings(b).is_some_and(|file| parse::square(&file, 8, DEMANDS).is_ok())
        }),
        target("jpeg-size", seeds::jpeg, JPEG, IMAGE, |b| {
            sngan_data::picture::dimensions(&scratch(b, "a.jpg")).is_ok()
        }),
        target("statistics", seeds::statistics, NPY, PLAIN, |b| {
            Statistics::read(&scratch(b, "s.npz")).is_ok()
        }),
        target("chainer-snapshot", seeds::snapshots, NPY, PLAIN, |b| {
            spectrum::of_file(&scratch(b, "w.npz"), None).is_ok()
        }),
        target("chainer-arrays", seeds::snapshot_arrays, NPY, PLAIN, |b| {
            let file = wrap::archive(b);
            spectrum::of_file(&scratch(&file, "w.npz"), None).is_ok()
        }),
        target("import-snapshot", networks::snapshots, NPY, PLAIN, |b| {
            let file = scratch(b, "g_3.npz");
            import::read(&Request { file, ..Request::default() }).is_ok()
        }),
        target("import-arrays", networks::arrays, NPY, PLAIN, |b| {
            let file = scratch(&wrap::archive(b), "g_3.npz");
            import::read(&Request { file, ..Request::default() }).is_ok()
        }),
        target("import-map", networks::maps, TOML, PLAIN, |b| {
            let file = scratch(&networks::state_dicts()[0], "g.safetensors");
            let map = Some(scratch(b, "map.toml"));
            import::read(&Request { file, map, ..Request::default() }).is_ok()
        }),
        target("import-state-dict", networks::state_dicts, TENSORS, PLAIN, |b| {
            let (file, map) =
                (scratch(b, "g.safetensors"), scratch(&networks::maps()[0], "map.toml"));
            import::read(&Request { file, map: Some(map), ..Request::default() }).is_ok()
        }),
        target("collection", seeds::collection, &["PAR1"], PARQUET, collection),
        target("manifest", seeds::manifest, JSON, PLAIN, |b| in_collection(b, "collection.json")),
        target("image-array", seeds::image_array, NPY, PLAIN, |b| {
            ArrayImages::open(&scratch(b, "a.npy"), ArrayOptions::default()).is_ok()
        }),
        target("image-floats", seeds::image_floats, NPY, PLAIN, |b| {
            let Some((range, file)) = b.split_first() else { return false };
            let range = Some(Range::ALL[usize::from(*range) % Range::ALL.len()]);
            let options = ArrayOptions { range, ..ArrayOptions::default() };
            ArrayImages::open(&scratch(file, "f.npy"), options).is_ok()
        }),
        target("image-archive", seeds::image_archive, NPY, PLAIN, |b| {
            ArrayImages::open(&scratch(b, "a.npz"), ArrayOptions::default()).is_ok()
        }),
        target("image-tensor", seeds::image_tensor, TENSORS, PLAIN, |b| {
            ArrayImages::open(&scratch(b, "a.safetensors"), ArrayOptions::default()).is_ok()
        }),
        target("pack-header", seeds::pack_header, JSON, PLAIN, |b| in_pack(b, "pack.json")),
        target("pack-index", seeds::pack_index, &[], PLAIN, |b| in_pack(b, "index.bin")),
        target("pack-pixels", seeds::pack_pixels, &[], PLAIN, |b| in_pack(b, "pixels.bin")),
    ]
}

static FOLDER: OnceLock<TempDir> = OnceLock::new();

/// The folder that readers of files find theirs in.
pub(crate) fn folder() -> &'static Path {
    FOLDER.get_or_init(|| tempfile::tempdir().unwrap()).path()
}

/// Removes the folder: values that live as long as the program are not dropped.
pub(crate) fn clean_up() {
    if let Some(folder) = FOLDER.get() {
        let _ = std::fs::remove_dir_all(folder.path());
    }
}

/// A file that holds `bytes`.
pub(crate) fn scratch(bytes: &[u8], name: &str) -> PathBuf {
    let path = folder().join(name);
    overwrite(&path, bytes);
    path
}

/// Replaces a file's content. A file that is cut to nothing first is flushed to disk by some file systems, which takes milliseconds.
fn overwrite(path: &Path, bytes: &[u8]) {
    let mut file =
        std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
    file.set_len(bytes.len() as u64).unwrap();
}

/// Reads `bytes` as a file of a run.
fn in_run(bytes: &[u8], name: &str, read: fn(&RunDir) -> bool) -> bool {
    scratch(bytes, name);
    read(&RunDir::new(folder()))
}

fn experiment(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Ok(file) = ExperimentFile::parse(Path::new("f"), text) else { return false };
    file.scales.keys().all(|scale| file.plan(scale).is_ok())
}

fn checkpoint_json(bytes: &[u8]) -> bool {
    scratch(&seeds::tensors()[0], "00000001.safetensors");
    checkpoint::load(&scratch(bytes, "00000001.json"), &Device::Cpu).is_ok()
}

fn tensor_header(bytes: &[u8]) -> bool {
    let data = wrap::Tensors::of(&seeds::tensors()[0]).data;
    checkpoint::decode(Path::new("f"), &wrap::file(bytes, &data), &Device::Cpu).is_ok()
}

fn replay_spec(bytes: &[u8]) -> bool {
    let file = wrap::Tensors::of(&seeds::replay_cases()[0]).with_metadata("spec", bytes);
    file.is_some_and(|file| replay::read(&scratch(&file, "case")).is_ok())
}

fn interchange_spec(bytes: &[u8]) -> bool {
    let file = wrap::Tensors::of(&seeds::interchange()[0]).with_metadata("sngan", bytes);
    file.is_some_and(|file| interchange::decode(Path::new("f"), &file).is_ok())
}

/// Reads every tensor of a file of torch.save.
fn torch_file(bytes: &[u8]) -> bool {
    let Ok(file) = TorchFile::from_bytes(Path::new("f"), bytes.to_vec(), Some("state_dict")) else {
        return false;
    };
    file.names().filter(|name| file.tensor(name).is_ok()).count() > 0
}

/// Two files in one input: the length of the first (u32, little-endian), the first, the second.
fn two(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

/// Reads a collection in which one table is `bytes`, with its hash in the manifest: the number of the table, then its bytes.
fn collection(bytes: &[u8]) -> bool {
    let Some((number, table)) = bytes.split_first() else { return false };
    let tables = seeds::tables();
    let name = &tables[usize::from(*number) % tables.len()];
    let manifest = seeds::manifest_with(name, table);
    let folder = seeds::collection_folder();
    let path = folder.join(name);
    let (good, listed) = (std::fs::read(&path).unwrap(), folder.join("collection.json"));
    overwrite(&path, table);
    overwrite(&listed, &manifest);
    let read = SweepRecords::read(folder).is_ok();
    overwrite(&path, &good);
    overwrite(&listed, &seeds::manifest()[0]);
    read
}

/// Reads a collection in which one file is `bytes`.
fn in_collection(bytes: &[u8], name: &str) -> bool {
    let folder = seeds::collection_folder();
    let path = folder.join(name);
    let good = std::fs::read(&path).unwrap();
    overwrite(&path, bytes);
    let read = SweepRecords::read(folder).is_ok();
    overwrite(&path, &good);
    read
}

/// Opens a pack in which one file is `bytes`, and reads every image.
fn in_pack(bytes: &[u8], name: &str) -> bool {
    let pack = seeds::pack_folder();
    let path = pack.join(name);
    let good = std::fs::read(&path).unwrap();
    overwrite(&path, bytes);
    let read = Packed::open(pack).and_then(|p| p.load()).is_ok();
    overwrite(&path, &good);
    read
}
