//! Networks from other programs and to them, by commands.

use crate::support::Folder;
use std::io::Write;

/// Arrays of these keys and shapes, as Chainer's `save_npz` writes them.
fn archive(folder: &Folder, name: &str, arrays: &[(String, Vec<usize>)]) {
    let mut archive = zip::ZipWriter::new(std::fs::File::create(folder.path(name)).unwrap());
    for (key, shape) in arrays {
        let options = zip::write::SimpleFileOptions::default();
        archive.start_file(format!("{key}.npy"), options).unwrap();
        let sizes: String = shape.iter().map(|n| format!("{n}, ")).collect();
        let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({sizes}), }}");
        archive.write_all(b"\x93NUMPY\x01\x00\x76\x00").unwrap();
        archive.write_all(format!("{header:<117}\n").as_bytes()).unwrap();
        let n = shape.iter().product::<usize>();
        let numbers = (0..n).flat_map(|i| (0.5 + 0.4 * (i as f32).cos()).to_le_bytes());
        archive.write_all(&numbers.collect::<Vec<u8>>()).unwrap();
    }
    archive.finish().unwrap();
}

/// A generator of the authors' code at 8x8 pixels; `change` may alter an array's key or leave it out.
fn snapshot(folder: &Folder, name: &str, change: impl Fn(&str) -> Option<String>) {
    let mut arrays = Vec::new();
    let mut put = |key: &str, shape: &[usize]| {
        arrays.extend(change(key).map(|key| (key, shape.to_vec())));
    };
    put("l0/W", &[8, 128]);
    put("l0/b", &[8]);
    for (i, channels) in [8, 4, 2, 1].into_iter().enumerate() {
        for part in ["gamma", "beta", "avg_mean", "avg_var"] {
            put(&format!("bn{i}/{part}"), &[channels]);
        }
        let (outputs, kernel) = if i == 3 { (3, 3) } else { (channels / 2, 4) };
        put(&format!("dc{}/W", i + 1), &[channels, outputs, kernel, kernel]);
        put(&format!("dc{}/b", i + 1), &[outputs]);
    }
    archive(folder, name, &arrays);
}

#[test]
fn spectra_of_a_snapshot_are_those_of_its_weights_and_not_of_u() {
    let folder = Folder::new();
    let arrays = [
        ("block1/c1/W", vec![4, 3, 3, 3]),
        ("block1/c1/u", vec![1, 4]),
        ("l6/W", vec![1, 4]),
        ("l6/u", vec![1, 1]),
        // It divides nothing.
        ("left/u", vec![1, 4]),
    ];
    archive(&folder, "D.npz", &arrays.map(|(key, shape)| (key.to_string(), shape)));
    let said = folder.expect(0, "spectrum D.npz");
    for part in ["block1/c1/W ", "block1/c1 / σ by u ", "l6 / σ by u ", "left/u "] {
        assert!(said.contains(part), "{part}: {said}");
    }
    for part in ["u and v", "c1/u", "l6/u"] {
        assert!(!said.contains(part), "{part}: {said}");
    }
    let json = folder.expect(0, "spectrum D.npz --json");
    assert!(json.contains("\"block1/c1/W\"") && !json.contains("\"block1/c1/u\""), "{json}");
    let torch = include_bytes!("../../../core/tests/fixtures/import/resnet32.safetensors");
    std::fs::write(folder.path("torch.safetensors"), torch).unwrap();
    assert!(folder.expect(0, "spectrum torch.safetensors").contains("weight / σ by u and v "));
}

#[test]
fn an_imported_generator_is_sampled_and_scored_and_says_what_it_lacks() {
    let folder = Folder::new();
    snapshot(&folder, "DCGANGenerator_300.npz", |key| Some(key.into()));
    let dry = folder.expect(0, "import DCGANGenerator_300.npz --out run --dry-run");
    assert!(dry.contains("write run: a run") && !folder.path("run").exists(), "{dry}");
    let said = folder.expect(0, "import DCGANGenerator_300.npz --out run");
    let one_line = said.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "run: DCGANGenerator_300 after 300 updates, G alone: standard-cnn-cgl at 8x8, widths divided by 64",
        "nothing else is known",
        "Next: `sngan generate run`",
    ] {
        assert!(one_line.contains(part), "{part}: {said}");
    }
    let spec = std::fs::read_to_string(folder.path("run/spec.toml")).unwrap();
    assert!(
        !spec.contains("\nlr =") && spec.contains("unknown = [") && spec.contains("uniform"),
        "{spec}"
    );
    let provenance = std::fs::read_to_string(folder.path("run/provenance.json")).unwrap();
    assert!(
        provenance.contains("DCGANGenerator_300.npz") && provenance.contains("chainer"),
        "{provenance}"
    );

    let drawn = folder.expect(0, "generate run -n 4 --out four.npy");
    assert!(drawn.contains("4 images after 300 updates"), "{drawn}");
    let score = "score run --backbone scorer-fashion --samples 70 --splits 2";
    let said = folder.expect(1, score);
    assert!(said.contains("its images are not known") && said.contains("--reference"), "{said}");
    let said = folder.expect(0, &format!("{score} --reference fashion-mnist"));
    assert!(said.contains("fid_70_ref2k") && said.contains("300 updates"), "{said}");
    assert!(folder.expect(0, "verify run").contains("run"), "verify");
    folder.expect(0, "status run");
    folder.expect(0, "train tiny --method SN --setting C --set gen_updates=1 --out own");
    let compared = folder.expect(0, "compare run own");
    assert!(compared.contains("imported") && compared.contains("unknown"), "{compared}");
    assert!(!compared.contains("null") && !compared.contains('{'), "{compared}");
    folder.expect(0, "collect run");
    for (command, reason) in [
        ("spectrum run --images 0", "generator alone"),
        ("record-spectrum run", "generator alone"),
        ("train run --resume", "cannot be continued"),
        ("train run/spec.toml --out other", "cannot be continued"),
        ("import DCGANGenerator_300.npz --out run", "holds a run already"),
    ] {
        let said = folder.expect(1, command);
        assert!(said.contains(reason), "{command}: {said}");
    }
    assert!(!folder.path("other").exists());

    // To PyTorch and back, and to ONNX.
    folder.expect(0, "export run --out g.safetensors");
    folder.expect(0, "import g.safetensors --out back");
    assert_eq!(spec, std::fs::read_to_string(folder.path("back/spec.toml")).unwrap());
    folder.expect(0, "generate back -n 4 --out again.npy");
    let read = |name| std::fs::read(folder.path(name)).unwrap();
    assert!(read("four.npy") == read("again.npy"));
    let said = folder.expect(0, "export run --format onnx --out g.onnx");
    assert!(said.contains("g.onnx: DCGANGenerator_300 after 300 updates"), "{said}");
    assert!(read("g.onnx").windows(13).any(|w| w == b"ConvTranspose"));
}

#[test]
fn files_that_hold_no_such_networks_leave_no_folder() {
    let folder = Folder::new();
    snapshot(&folder, "cut.npz", |key| (key != "dc2/W").then(|| key.into()));
    snapshot(&folder, "more.npz", |key| Some(key.replace("dc4/b", "dc5/b")));
    std::fs::write(folder.path("text.npz"), "no archive").unwrap();
    let whole = std::fs::read(folder.path("cut.npz")).unwrap();
    std::fs::write(folder.path("half.npz"), &whole[..whole.len() / 2]).unwrap();
    let torch = include_bytes!("../../../tensor/tests/fixtures/torch-file-old.pth");
    std::fs::write(folder.path("state.pth"), torch).unwrap();
    std::fs::write(folder.path("map.toml"), "architecture = \"vgg\"").unwrap();
    for (command, reason) in [
        ("import cut.npz --out run", "cut.npz: has no tensor `dc2/W`"),
        ("import more.npz --out run", "`dc5/b` belongs to no layer"),
        ("import text.npz --out run", "text.npz"),
        ("import half.npz --out run", "half.npz"),
        (
            "import state.pth --out run",
            "state.pth: only Chainer's snapshots say which networks they hold; give a map",
        ),
        ("import none.npz --out run", "none.npz"),
        ("import cut.npz --map map.toml --out run", "map.toml"),
        ("import cut.npz --map none.toml --out run", "none.toml"),
        ("import cut.npz --discriminator cut.npz --out run", "holds no discriminator"),
    ] {
        let said = folder.expect(1, command);
        assert!(said.contains(reason), "{command}: {said}");
        assert!(!folder.path("run").exists(), "{command}");
    }
}
