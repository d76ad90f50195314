use crate::support::{Folder, files};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

const TRAIN: &str = "train tiny --scale long --method SN --setting C --set gen_updates=2000";

/// Waits until the run has a checkpoint newer than `after`, then some milliseconds more; whether it was still running then.
fn wait_in_the_middle(
    child: &mut Child,
    folder: &Folder,
    run: &str,
    after: usize,
    milliseconds: u64,
) -> bool {
    let started = Instant::now();
    let newest = || {
        files(&folder.path(run).join("checkpoints"), "json")
            .last()
            .map_or(0, |p| p.file_stem().unwrap().to_str().unwrap().parse().unwrap())
    };
    while newest() <= after {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "no checkpoint");
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(milliseconds));
    child.try_wait().unwrap().is_none()
}

#[test]
fn kill_9_at_three_moments_and_resumption_give_the_same_bits_on_one_and_two_threads() {
    let folder = Folder::new();
    folder.expect(0, &format!("{TRAIN} --threads 1 --out whole"));
    // Moments that differ from run to run: what is promised must hold at any.
    let mut moment = u64::from(
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().subsec_nanos(),
    );
    let mut killed = 0;
    for (i, after) in [0, 400, 1000].into_iter().enumerate() {
        let mut child =
            folder.spawn(&format!("{TRAIN} --resume --threads {} --out cut", 1 + i % 2));
        moment =
            moment.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if wait_in_the_middle(&mut child, &folder, "cut", after, (moment >> 33) % 40) {
            killed += 1;
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert_eq!(killed, 3, "a process ended before it could be killed; raise gen_updates");
    folder.expect(0, &format!("{TRAIN} --resume --threads 2 --out cut"));
    assert!(folder.bits("whole") == folder.bits("cut"), "{killed} kills");
}

#[test]
fn sigterm_writes_a_checkpoint_ends_with_130_and_resumes() {
    let folder = Folder::new();
    let train = TRAIN.replace("2000", "30000");
    let mut child = folder.spawn(&format!("{train} --out run"));
    assert!(wait_in_the_middle(&mut child, &folder, "run", 0, 0));
    let sent = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let status = std::fs::read_to_string(folder.path("run/status.json")).unwrap();
    assert!(status.contains("\"interrupted\""), "{status}");
    // A horizon just behind the interruption keeps the test short.
    let done: u64 = status
        .split("\"gen_updates\": ")
        .nth(1)
        .unwrap()
        .split(',')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let refused = folder
        .expect(1, &format!("{} --resume --out run", TRAIN.replace("2000", &done.to_string())));
    assert!(refused.contains("gen_updates: 30000 →"), "{refused}");
}

#[test]
fn a_run_is_continued_only_when_asked_and_only_with_the_same_spec() {
    let folder = Folder::new();
    let train = TRAIN.replace("2000", "4");
    folder.expect(0, &format!("{train} --out run"));
    assert!(folder.expect(1, &format!("{train} --out run")).contains("add --resume"));
    let refused =
        folder.expect(1, &format!("{train} --set lr=0.5 --set batch=3 --out run --resume"));
    assert!(
        refused.contains("lr: 0.0002 → 0.5")
            && refused.contains("batch: 2 → 3")
            && refused.contains("setting"),
        "{refused}"
    );
    folder.expect(0, &format!("{} --out run --resume", TRAIN.replace("2000", "6")));
    folder.expect(0, &format!("{} --out whole", TRAIN.replace("2000", "6")));
    assert!(folder.bits("run").0 == folder.bits("whole").0);
    folder.expect(0, "train run/spec.toml --out again");
    assert!(folder.bits("again").0 == folder.bits("whole").0);
}
