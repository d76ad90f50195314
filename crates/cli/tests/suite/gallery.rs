//! The published weights (weights/) and the page that shows them (docs/gallery.md).

use crate::support::{Folder, files};
use sngan_core::interchange::weights;
use sngan_experiment::protocol::Metric;
use sngan_plot::records::SweepRecords;
use std::path::{Path, PathBuf};

/// Bytes of the whole folder at most.
const MOST: u64 = 15_000_000;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn published() -> Vec<PathBuf> {
    let found = files(&repository().join("weights"), "safetensors");
    assert!(!found.is_empty());
    found
}

/// The committed records of every sweep.
fn sweeps() -> Vec<SweepRecords> {
    let entries = std::fs::read_dir(repository().join("results")).unwrap();
    let folders = entries.map(|entry| entry.unwrap().path());
    let collections = folders.filter(|folder| folder.join("collection.json").exists());
    collections.map(|folder| SweepRecords::read(&folder).unwrap()).collect()
}

/// The page's row of a file, from the file's metadata and the committed scores of its run.
fn row(file: &Path, sweeps: &[SweepRecords]) -> String {
    let exchange = weights::read(file).unwrap().exchange;
    let (id, spec) = (&exchange.checkpoint.metadata.run_id, &exchange.spec);
    let name = file.file_stem().unwrap().to_str().unwrap();
    let found = sweeps.iter().flat_map(|sweep| &sweep.runs).find(|run| run.spec.id() == *id);
    let run = found.unwrap_or_else(|| panic!("{name}: results/ has no run {id}"));
    let score = |metric: Metric| {
        let mut of_metric = run.scores.iter().filter(|score| {
            score.metric == metric && score.gen_updates == exchange.checkpoint.gen_updates
        });
        let value = of_metric.next().and_then(|score| score.value);
        format!("{:.2}", value.unwrap_or_else(|| panic!("{name}: no score of {}", run.name)))
    };
    format!(
        "| [{name}](../weights/{name}.safetensors) | {} | {} | {} | {} | {} | {} | {} |",
        spec.label,
        spec.setting,
        spec.seed,
        if spec.width_divisor == 1 { "full".into() } else { format!("1/{}", spec.width_divisor) },
        exchange.checkpoint.gen_updates,
        score(Metric::Is),
        score(Metric::Fid),
    )
}

#[test]
fn the_page_says_of_each_file_what_its_run_recorded() {
    let page = std::fs::read_to_string(repository().join("docs/gallery.md")).unwrap();
    let sweeps = sweeps();
    for file in published() {
        let row = row(&file, &sweeps);
        assert!(page.contains(&row), "docs/gallery.md lacks the row\n{row}");
        let name = file.file_stem().unwrap().to_str().unwrap();
        assert!(page.contains(&format!("](gallery/{name}.png)")), "{name} has no picture");
    }
    let bytes: u64 = std::fs::read_dir(repository().join("weights"))
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert!(bytes <= MOST, "weights/ has {bytes} bytes, {MOST} at most");
}

#[test]
fn each_picture_is_what_its_weights_draw() {
    let folder = Folder::new();
    for file in published() {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let said = folder
            .expect(0, &format!("generate --weights {} --zoom 2 --out g.png", file.display()));
        assert!(said.contains("64 images after"), "{said}");
        let committed = repository().join(format!("docs/gallery/{name}.png"));
        let [drawn, committed] = [folder.path("g.png"), committed]
            .map(|path| image::open(path).unwrap().to_rgb8().into_raw());
        // On another instruction set a value may be rounded to the next byte.
        let far = drawn.iter().zip(&committed).filter(|(a, b)| a.abs_diff(**b) > 1).count();
        assert_eq!((drawn.len(), far), (committed.len(), 0), "{name}");
    }
}

#[test]
fn weights_are_written_drawn_from_and_verified() {
    let folder = Folder::new();
    folder.expect(0, "train tiny --method SN --setting C --out run");
    let said = folder.expect(0, "export run --format weights --out w.safetensors");
    assert!(said.contains("Next: `sngan generate --weights w.safetensors`"), "{said}");
    let said = folder.expect(0, "generate --weights w.safetensors -n 3 --out three.npy");
    assert!(said.contains("3 images after 6 updates"), "{said}");
    let listed = folder.expect(0, "spectrum w.safetensors");
    assert!(listed.contains("generator.conv.weight") && !listed.contains("check."), "{listed}");
    assert!(folder.expect(0, "verify w.safetensors").contains("weights w.safetensors"));
    for (command, reason) in [
        ("generate w.safetensors", "read with --weights"),
        ("generate --weights three.npy", "no safetensors file"),
        ("generate --weights run/checkpoints/00000006.safetensors", "without --weights"),
        ("generate --weights run", "without --weights"),
        ("generate --weights experiments", "cannot be read"),
        ("export run --format weights --out w.bin", "FILE.safetensors"),
        ("export run --out run/checkpoints/00000006.safetensors", "among the checkpoints"),
        ("export run --out run", "is a folder"),
        ("export w.safetensors --out other.safetensors", "does not lie in a run's folder"),
        ("import w.safetensors --out back", "holds a generator alone"),
        ("generate --weights w.safetensors --class 1", "not conditional"),
    ] {
        let said = folder.expect(1, command);
        assert!(said.contains(reason), "{command}: {said}");
    }
    folder.expect(2, "generate run --weights w.safetensors");
    assert!(!folder.path("back").exists());

    let path = folder.path("w.safetensors");
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let said = folder.expect(1, "generate --weights w.safetensors");
    assert!(said.contains("not as it was written") && said.contains("w.safetensors"), "{said}");
    assert!(folder.expect(1, "verify w.safetensors").contains("DAMAGED"), "verify");
    // Whatever is wrong with it, and beside files that are nothing of the kind.
    std::fs::create_dir(folder.path("several")).unwrap();
    for (name, bytes) in [("cut", &b"{}"[..]), ("empty", b""), ("pointer", b"version https://")] {
        std::fs::write(folder.path(&format!("several/{name}.safetensors")), bytes).unwrap();
    }
    let said = folder.expect(1, "verify experiments several");
    assert!(
        said.contains("3 checked, 3 damaged") && said.contains("experiments is no run"),
        "{said}"
    );
}
