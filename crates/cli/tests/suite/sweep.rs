use crate::support::{Folder, files};
use std::path::Path;
use std::time::Duration;

/// Everything below a folder that must not depend on interruptions, by path.
fn contents(out: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for run in std::fs::read_dir(out.join("runs")).unwrap() {
        let run = run.unwrap().path();
        let name = run.file_name().unwrap().to_string_lossy().into_owned();
        for file in ["spec.toml", "status.json", "log.jsonl", "scores.jsonl", "spectrum.jsonl"] {
            if let Ok(bytes) = std::fs::read(run.join(file)) {
                all.push((format!("{name}/{file}"), bytes));
            }
        }
        let newest = files(&run.join("checkpoints"), "safetensors").pop();
        all.extend(newest.map(|p| (format!("{name}/checkpoint"), std::fs::read(p).unwrap())));
    }
    for folder in ["tables", "figures"] {
        for extension in ["md", "csv", "svg", "png"] {
            all.extend(files(&out.join(folder), extension).into_iter().map(|p| {
                (p.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(p).unwrap())
            }));
        }
    }
    all.sort();
    all
}

#[test]
fn a_killed_sweep_restarts_where_it_was_and_ends_in_the_same_tables_and_figures() {
    let folder = Folder::new();
    let said = folder.expect(0, "sweep tiny --out whole --threads 1");
    assert!(said.contains("4 completed, 2 diverged, 0 failed"), "{said}");
    for milliseconds in [80, 200] {
        let mut child = folder.spawn("sweep tiny --out cut --threads 2");
        std::thread::sleep(Duration::from_millis(milliseconds));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    // On a slow machine the kills may come before there is anything to tell.
    if folder.path("cut/plan.json").exists() {
        let said = folder.expect(0, "status cut");
        assert!(said.contains("no sweep is at work") && !said.contains("running"), "{said}");
    }
    let said = folder.expect(0, "sweep tiny --out cut --threads 2");
    assert!(said.contains("4 completed, 2 diverged, 0 failed"), "{said}");
    for out in ["whole", "cut"] {
        let said = folder.expect(0, &format!("figures {out}"));
        assert!(said.contains("figures: fig1 ") && said.contains("tables: table1"), "{said}");
        assert!(said.contains("One seed") && said.lines().count() <= 25, "{said}");
        assert!(said.lines().all(|line| line.chars().count() <= 80), "{said}");
    }
    let (whole, cut) = (contents(&folder.path("whole")), contents(&folder.path("cut")));
    assert_eq!(
        whole.iter().map(|(n, _)| n).collect::<Vec<_>>(),
        cut.iter().map(|(n, _)| n).collect::<Vec<_>>()
    );
    for ((name, a), (_, b)) in whole.iter().zip(&cut) {
        assert!(a == b, "{name} differs");
    }

    let table = std::fs::read_to_string(folder.path("whole/tables/table1.md")).unwrap();
    assert!(
        table.contains("is[scorer-fashion]")
            && table.contains("real data")
            && table.contains("diverged at"),
        "{table}"
    );
    let svgs = files(&folder.path("whole/figures"), "svg");
    assert!(svgs.len() >= 4, "{svgs:?}");
    assert!(svgs.iter().all(|p| !std::fs::read_to_string(p).unwrap().contains("<text")));
    assert!(folder.expect(0, "status whole").contains("diverged"));
}

#[test]
fn another_experiment_in_the_folder_is_refused() {
    let folder = Folder::new();
    folder.expect(0, "sweep tiny --out out");
    let other = std::fs::read_to_string(folder.path("experiments/tiny.toml"))
        .unwrap()
        .replace("\"tiny\"", "\"other\"");
    std::fs::write(folder.path("experiments/other.toml"), other).unwrap();
    let said = folder.expect(1, "sweep other --out out");
    assert!(
        said.contains("`tiny` at scale `quick`") && said.contains("choose another output folder"),
        "{said}"
    );
}

#[test]
fn scores_of_another_protocol_are_refused_by_figures() {
    let folder = Folder::new();
    folder.expect(0, "sweep tiny --out out");
    let run = std::fs::read_dir(folder.path("out/runs"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .find(|p| p.join("scores.jsonl").exists())
        .unwrap();
    let path = run.join("scores.jsonl");
    let changed =
        std::fs::read_to_string(&path).unwrap().replace("\"n_splits\":2", "\"n_splits\":1");
    std::fs::write(&path, changed).unwrap();
    // It is noticed that the record is not what was written, and the others are drawn.
    let said = folder.expect(0, "figures out");
    assert!(said.contains("is left out") && said.contains("scores.jsonl has been cut"), "{said}");
    assert!(folder.expect(1, "verify out").contains("DAMAGED"));
    // An older version put nothing down to notice it by.
    let status = run.join("status.json");
    let mut older: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&status).unwrap()).unwrap();
    older.as_object_mut().unwrap().remove("records");
    std::fs::write(&status, older.to_string()).unwrap();
    let said = folder.expect(1, "figures out");
    assert!(said.contains("n_splits: 2 → 1"), "{said}");
}

#[test]
fn held_out_images_are_watched_where_the_scale_says_so() {
    let folder = Folder::new();
    folder.expect(0, "sweep tiny --scale watched --out watched --threads 1");
    let run =
        std::fs::read_dir(folder.path("watched/runs")).unwrap().next().unwrap().unwrap().path();
    let log = std::fs::read_to_string(run.join("log.jsonl")).unwrap();
    assert!(
        log.lines().all(|line| line.contains("critic_train") && line.contains("critic_held_out")),
        "{log}"
    );
}

#[test]
fn two_sweeps_in_one_folder_share_the_runs() {
    let folder = Folder::new();
    folder.expect(0, "sweep tiny --out whole --threads 1");
    let mut first = folder.spawn("sweep tiny --out both --threads 1");
    let second = folder.expect(0, "sweep tiny --out both --threads 1");
    assert!(first.wait().unwrap().success(), "{second}");
    // Whoever left a run to the other finds it done when it looks again.
    let said = folder.expect(0, "sweep tiny --out both --threads 1");
    assert!(
        said.contains("4 completed, 2 diverged, 0 failed, 0 interrupted or not begun, in "),
        "{said}"
    );
    for out in ["whole", "both"] {
        folder.expect(0, &format!("figures {out}"));
    }
    // A run that both had worked at would have every line of its log and every score twice.
    assert_eq!(contents(&folder.path("whole")), contents(&folder.path("both")));
}

#[test]
fn a_log_that_was_cut_is_noticed_and_made_again() {
    let folder = Folder::new();
    folder.expect(0, "sweep tiny --out out");
    let log = first_run(&folder, "out").join("log.jsonl");
    let whole = std::fs::read_to_string(&log).unwrap();
    let (first, _) = whole.split_once('\n').unwrap();
    std::fs::write(&log, whole.replacen(&format!("{first}\n"), "", 1)).unwrap();
    assert!(folder.expect(1, "verify out").contains("log.jsonl has been cut or altered"));
    let said = folder.expect(0, "sweep tiny --out out");
    assert!(
        said.contains("training begins again at its start")
            || said.contains("trying the one before"),
        "{said}"
    );
    assert!(std::fs::read_to_string(&log).unwrap() == whole, "the log has other bits");
    folder.expect(0, "verify out");
}

#[test]
fn sweeps_that_begin_together_all_stay_in_the_plan() {
    let folder = Folder::new();
    // A part of one run each, so that what they do at the same moment is the plan.
    let sweeps: Vec<_> = (0..4)
        .map(|seed| {
            folder.spawn(&format!("sweep tiny --out out --threads 1 --shard 1/6 --seeds {seed}"))
        })
        .collect();
    for mut sweep in sweeps {
        assert!(sweep.wait().unwrap().success());
    }
    let said = folder.expect(0, "status out");
    assert!(said.contains(": 24 runs;"), "{said}");
}

#[test]
fn a_run_whose_checkpoints_were_removed_keeps_its_scores() {
    let folder = Folder::new();
    folder.expect(0, "sweep tiny --out out");
    let run = first_run(&folder, "out");
    std::fs::remove_dir_all(run.join("checkpoints")).unwrap();
    let kept = ["status.json", "scores.jsonl", "spectrum.jsonl"]
        .map(|name| std::fs::read_to_string(run.join(name)).unwrap());
    let said = folder.expect(0, "sweep tiny --out out");
    assert!(said.contains("4 completed, 2 diverged, 0 failed"), "{said}");
    // A score that is not there cannot be made up, and what is trained stays trained.
    std::fs::remove_file(run.join("scores.jsonl")).unwrap();
    let said = folder.expect(1, "sweep tiny --out out");
    assert!(
        said.contains("3 completed, 2 diverged, 1 failed")
            && said.contains("has no good checkpoint"),
        "{said}"
    );
    assert_eq!(std::fs::read_to_string(run.join("status.json")).unwrap(), kept[0]);
}

#[test]
fn parts_and_more_seeds_add_up_and_a_dry_run_writes_nothing() {
    let folder = Folder::new();
    let said = folder.expect(0, "sweep tiny --out out --seeds 0..2 --dry-run");
    assert_eq!(said.matches(" start").count(), 12, "{said}");
    assert!(!folder.path("out").exists());
    folder.expect(0, "sweep tiny --out out --shard 1/2");
    let said = folder.expect(0, "sweep tiny --out out --shard 2/2");
    assert!(said.contains("3 of 6 runs"), "{said}");
    let said = folder.expect(0, "sweep tiny --out out --dry-run");
    assert_eq!(said.matches(" keep: ").count(), 6, "{said}");
    folder.expect(0, "sweep tiny --out out --seeds 1");
    let said = folder.expect(0, "status out");
    assert!(said.contains(": 12 runs;"), "{said}");
}

/// A process whose files may not grow beyond a limit meets what a full disk does: short writes, then errors.
#[cfg(unix)]
#[test]
fn writes_that_fail_are_told_and_lose_nothing() {
    let folder = Folder::new();
    folder.expect(0, "sweep tiny --out whole --threads 1");
    let largest =
        files(&first_run(&folder, "whole").join("checkpoints"), "safetensors").pop().unwrap();
    let blocks = std::fs::metadata(largest).unwrap().len() / 512;
    for blocks in [blocks / 2, 1] {
        let script = format!(
            "trap '' XFSZ; ulimit -f {blocks}; exec {} sweep tiny --out cut --threads 1",
            env!("CARGO_BIN_EXE_sngan")
        );
        let output = std::process::Command::new("sh")
            .args(["-c", &script])
            .current_dir(folder.path(""))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("File too large") && said.contains("cut/"), "{said}");
        let unfinished = walk(&folder.path("cut"))
            .into_iter()
            .filter(|p| p.file_name().unwrap().to_string_lossy().starts_with(".unfinished"))
            .collect::<Vec<_>>();
        assert!(unfinished.is_empty(), "{unfinished:?}");
    }
    // The cause is gone.
    folder.expect(0, "sweep tiny --out cut --threads 1");
    for out in ["whole", "cut"] {
        folder.expect(0, &format!("figures {out}"));
    }
    assert_eq!(contents(&folder.path("whole")), contents(&folder.path("cut")));
}

fn first_run(folder: &Folder, out: &str) -> std::path::PathBuf {
    let mut runs: Vec<_> = std::fs::read_dir(folder.path(out).join("runs"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    runs.retain(|run| !files(&run.join("checkpoints"), "safetensors").is_empty());
    runs.sort();
    runs.remove(0)
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    entries.flat_map(|p| if p.is_dir() { walk(&p) } else { vec![p] }).collect()
}

/// A sweep of `tiny` as it is, and then as somebody has changed it since.
#[test]
fn a_changed_experiment_says_which_runs_count_no_longer() {
    let folder = Folder::new();
    let _ = folder.expect(0, "sweep tiny --out o");
    let path = folder.path("experiments/tiny.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("seeds = [0]"), "{text}");
    std::fs::write(&path, text.replace(", batch = 2", ", batch = 3")).unwrap();
    let message = folder.expect(1, "sweep tiny --out o --seeds 1");
    assert!(message.contains("differs in batch: 2 → 3"), "{message}");
    let said = folder.expect(0, "sweep tiny --out o");
    assert!(
        said.contains("6 runs that were planned before")
            && said.contains("--method or --setting keep"),
        "{said}"
    );
}
