//! A folder with a tiny experiment, and the binary run in it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

const TINY: &str = r#"
name = "tiny"
title = "a tiny grid"
settings = ["A", "C"]
seeds = [0]
run = { dataset = "fashion-mnist", side = 8, width_divisor = 64, batch = 2, gen_batch = 2, gen_updates = 6 }
methods = [
    { label = "WN", method = "weight-norm" },
    { label = "SN", method = "sn" },
    { label = "broken", method = "vanilla", run = { lr = 1e30 } },
]
[scales.quick]
run = {}
score = { backbone = "scorer-fashion", protocols = ["is_70_split2", "fid_70_ref2k"], eval_every = 4, log_every = 2, checkpoint_every = 2 }
[scales.watched]
run = {}
methods = ["SN"]
settings = ["C"]
watch_held_out = true
score = { backbone = "none", protocols = ["is_70_split2", "fid_70_ref2k"], log_every = 2, checkpoint_every = 2 }
# Kills fall between checkpoints, where the log is ahead of them.
[scales.long]
run = { gen_updates = 2000 }
score = { backbone = "scorer-fashion", protocols = ["is_70_split2", "fid_70_ref2k"], log_every = 3, checkpoint_every = 40 }
"#;

pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Folder {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("experiments")).unwrap();
        std::fs::write(folder.path().join("experiments/tiny.toml"), TINY).unwrap();
        Folder(folder)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sngan"));
        command.args(arguments.split_whitespace()).current_dir(self.0.path());
        command
    }

    pub(crate) fn run(&self, arguments: &str) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Standard output of a command that must end with `code`.
    pub(crate) fn expect(&self, code: i32, arguments: &str) -> String {
        let output = self.run(arguments);
        let (out, err) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{arguments}\n{out}\n{err}");
        format!("{out}{err}")
    }

    pub(crate) fn spawn(&self, arguments: &str) -> Child {
        self.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Bytes of the newest checkpoint of a run and of its log.
    pub(crate) fn bits(&self, run: &str) -> (Vec<u8>, Vec<u8>) {
        let newest = files(&self.path(run).join("checkpoints"), "safetensors").pop().unwrap();
        (std::fs::read(newest).unwrap(), std::fs::read(self.path(run).join("log.jsonl")).unwrap())
    }
}

/// Files of an extension, sorted by name.
pub(crate) fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|e| e.unwrap().path());
    let mut found: Vec<_> =
        paths.filter(|p| p.extension().is_some_and(|e| e == extension)).collect();
    found.sort();
    found
}

/// A picture as a JPEG file with chroma at half the resolution.
pub(crate) fn jpeg(picture: &image::RgbImage) -> Vec<u8> {
    let mut encoder = mozjpeg::Compress::new(mozjpeg::ColorSpace::JCS_RGB);
    encoder.set_size(picture.width() as usize, picture.height() as usize);
    encoder.set_fastest_defaults();
    encoder.set_quality(90.0);
    let mut encoder = encoder.start_compress(Vec::new()).unwrap();
    encoder.write_scanlines(picture.as_raw()).unwrap();
    encoder.finish().unwrap()
}
