use crate::support::Folder;

/// Two runs of no sweep, scored alike.
fn two_runs() -> Folder {
    let folder = Folder::new();
    for (method, seed) in [("SN", 0), ("WN", 7)] {
        let run = method.to_lowercase();
        folder.expect(
            0,
            &format!("train tiny --method {method} --setting C --seed {seed} --log-every 1 --out runs/{run}"),
        );
    }
    let said = folder.expect(0, "score runs/sn runs/wn --samples 70 --splits 2");
    assert!(said.contains("sn, 6 updates") && said.contains("wn, 6 updates"), "{said}");
    assert!(said.contains("Next: `sngan compare runs/sn runs/wn`"), "{said}");
    folder
}

#[test]
fn single_runs_are_shown_drawn_reported_gathered_and_checked() {
    let folder = two_runs();
    // The seed is what was asked for, though the experiment has another.
    let spec = std::fs::read_to_string(folder.path("runs/wn/spec.toml")).unwrap();
    assert!(spec.contains("seed = 7"), "{spec}");
    let log = std::fs::read_to_string(folder.path("runs/wn/log.jsonl")).unwrap();
    assert_eq!(log.lines().count(), 6, "every update is logged");

    for arguments in ["status runs/sn runs/wn", "status runs"] {
        let said = folder.expect(0, arguments);
        for part in ["sn", "wn", "completed", "6/6", "fid[scorer-fashion]", "Next: `sngan compare"]
        {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    assert!(folder.expect(1, "status experiments").contains("holds none"));
    let said = folder.expect(0, "figures runs/sn");
    assert!(said.contains("tables: table1") && said.contains("runs/sn/figures"), "{said}");
    let said = folder.expect(0, "figures runs/sn runs/wn --out both");
    assert!(
        said.contains("both/figures") && folder.path("both/tables/table1.md").exists(),
        "{said}"
    );
    let table = std::fs::read_to_string(folder.path("both/tables/table1.md")).unwrap();
    assert!(table.contains("| SN |") && table.contains("| WN |"), "{table}");
    let said = folder.expect(0, "report runs/sn runs/wn --out both");
    assert!(said.contains("both/report.html") && said.contains("Next: "), "{said}");
    assert!(folder.path("both/report.html").exists());
    let said = folder.expect(0, "collect runs/sn runs/wn --out gathered");
    assert!(said.contains("gathered/sn") && said.contains("gathered/wn"), "{said}");
    assert!(folder.expect(0, "verify runs/sn gathered").contains("0 damaged"));
    let said = folder.expect(1, "figures runs/sn experiments");
    assert!(said.contains("experiments is no run"), "{said}");
}

#[test]
fn runs_are_compared_in_what_differs_with_their_curves_on_one_axis() {
    let folder = two_runs();
    let said = folder.expect(0, "compare runs/sn runs/wn --out drawn");
    for part in
        ["1: sn", "normalization  ", "spectral", "weight", "fid_70_ref2k", "drawn/compare.png"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    // What is the same in both is not listed.
    assert!(!said.contains("gen_batch") && !said.contains("beta2"), "{said}");
    assert!(folder.path("drawn/compare.svg").exists());
    let dry = folder.expect(0, "compare runs/sn runs/wn --dry-run");
    assert!(dry.contains("runs/drawn") && !folder.path("runs/drawn").exists(), "{dry}");
    assert!(folder.expect(1, "compare runs/sn").contains("name another one"));
    assert!(folder.expect(1, "compare runs/sn nowhere").contains("nowhere is no run"));
    folder.expect(0, "sweep tiny --method SN --out out");
    assert!(folder.expect(0, "compare out runs/wn --out drawn").contains("sn-a-s0"));
}

#[test]
fn runs_of_one_label_that_differ_are_called_after_the_difference() {
    let folder = Folder::new();
    for batch in [2, 4] {
        let set = format!("--method SN --setting C --set batch={batch}");
        folder.expect(0, &format!("train tiny {set} --out runs/b{batch}"));
        folder.expect(0, &format!("score runs/b{batch} --samples 70 --splits 2"));
    }
    folder.expect(0, "figures runs/b2 runs/b4 --out both");
    let table = std::fs::read_to_string(folder.path("both/tables/table1.md")).unwrap();
    assert!(table.contains("SN, batch=2") && table.contains("SN, batch=4"), "{table}");
}

#[test]
fn a_run_is_named_to_go_on() {
    let folder = two_runs();
    assert!(folder.expect(1, "train runs/sn").contains("add --resume"));
    let said = folder.expect(0, "train runs/sn --resume --set gen_updates=8");
    assert!(said.contains("completed 8 updates") && said.contains("Next: "), "{said}");
    // At the cadence that its log began with.
    let log = std::fs::read_to_string(folder.path("runs/sn/log.jsonl")).unwrap();
    assert_eq!(log.lines().count(), 8);
    let said = folder.expect(0, "train runs/sn --seed 3 --out runs/other --checkpoint-every 1");
    assert!(said.contains("runs/other"), "{said}");
    assert!(folder.expect(1, "train runs/sn --set lr=[1,2] --resume").contains("one run"));
}

/// Event files below a folder.
fn event_files(folder: &std::path::Path) -> usize {
    let below = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let count = |path: std::path::PathBuf| match path.is_dir() {
        true => event_files(&path),
        false => usize::from(path.to_string_lossy().contains("events.out.tfevents.")),
    };
    below.map(count).sum()
}

#[test]
fn tensorboard_shows_runs_sweeps_and_collections() {
    let folder = Folder::new();
    let said = folder.expect(0, "sweep tiny --method SN --out s --tensorboard");
    assert!(said.contains("`tensorboard --logdir s`"), "{said}");
    assert_eq!(event_files(&folder.path("s/runs")), 2);
    for (source, out) in [("s", "a"), ("s/runs", "b")] {
        let said = folder.expect(0, &format!("tensorboard {source} --out {out}"));
        assert!(said.contains("2 event files") && said.contains("--logdir"), "{said}");
        assert_eq!(event_files(&folder.path(out)), 2, "{source}");
    }
    folder.expect(0, "collect s --out c");
    let said = folder.expect(1, "tensorboard c/s");
    assert!(said.contains("c/s is a collection") && said.contains("--out"), "{said}");
    folder.expect(0, "tensorboard c/s --out d");
    assert_eq!(event_files(&folder.path("d")), 2);
    // A training writes into its own folder; a later command replaces what it wrote.
    folder.expect(0, "train tiny --method SN --setting C --out r --tensorboard");
    folder.expect(0, "tensorboard r");
    assert_eq!(event_files(&folder.path("r")), 1);
    folder.expect(0, "verify r");
    assert!(folder.expect(1, "tensorboard experiments").contains("holds none"));
}
