//! Records in run folders and in collections.

use crate::support::{Folder, diverge, draw_samples, log, score, spec, spectrum, write_lines};
use polars::prelude::{ParquetReader, SerReader};
use sngan_experiment::method::Method;
use sngan_experiment::records::TimingRecord;
use sngan_plot::records::{
    MAY_LACK, RunRecords, Samples, SweepRecords, collect_into, collect_without, unpack, write_csv,
};
use sngan_plot::{ScoredSweep, figures, render_all, tables};
use std::collections::BTreeMap;
use std::path::Path;

/// Runs with every kind of record, one of them diverged.
fn sweep() -> Folder {
    let mut sweep = Folder::new("table1", "tiny");
    for (method, is) in [(Method::WeightNorm, 7.5), (Method::Sn, 8.2), (Method::WganGp, 1.5)] {
        for seed in [0, 1] {
            let scores = [score(5, 0.5, 999.0), score(10, is, 25.0)].concat();
            let dir = sweep.run(&spec(method, "C", seed), &scores);
            let mut first = log(1, 1.0);
            // Not kept, not finite, and a layer that only one of the maps has.
            first.stable_rank.clear();
            first.sigma_forward.insert("conv3".into(), None);
            first.sigma_fig9.insert("dense".into(), Some(0.1 + 0.2));
            let mut last = log(10, 1.0);
            (last.loss_d, last.grad_norm_x_hat) = (Some(1.0 / 3.0), Some(f64::MIN_POSITIVE));
            write_lines(&dir.log_path(), &[first, last]);
            let timing = TimingRecord { version: 1, gen_update: 10, seconds: 0.25 };
            write_lines(&dir.timing_path(), &[timing]);
            let spectra: Vec<_> = (0..7)
                .flat_map(|l| [spectrum(l, "raw", 0.5), spectrum(l, "normalized", 0.9)])
                .collect();
            write_lines(&dir.spectrum_path(), &spectra);
            draw_samples(&dir);
            if method == Method::WganGp && seed == 1 {
                diverge(&dir);
            }
        }
    }
    sweep.untrained(1.0, 400.0);
    sweep.ceiling(&score(0, 9.0, 0.5));
    sweep
}

fn read(path: &Path) -> SweepRecords {
    SweepRecords::read(path).unwrap()
}

/// All of a run's records but the picture.
fn facts(run: &RunRecords) -> String {
    let mut r = RunRecords { place: "".into(), samples: None, ..run.clone() };
    // What a folder puts down of its own files is not in a collection.
    if let Some(status) = &mut r.status {
        status.run_id = None;
        status.records.clear();
    }
    format!("{r:?}")
}

#[test]
fn a_collection_holds_what_the_run_folders_hold() {
    let sweep = sweep();
    let folders = read(sweep.path());
    let place = tempfile::tempdir().unwrap();
    let (folder, again) = (place.path().join("once"), place.path().join("again"));
    let files = collect_into(&folders, &folder).unwrap();
    // plan.json, collection.json, and every table.
    assert_eq!(files.len(), 2 + 7, "{files:?}");
    let collection = read(&folder);
    // Twice the same bytes, and a collection of a collection is itself but for the name in its rows.
    collect_into(&folders, &folder).unwrap();
    collect_into(&collection, &again).unwrap();
    assert_eq!(facts_of(&read(&again)), facts_of(&folders));
    let unpacked = place.path().join("unpacked");
    unpack(&collection, &unpacked).unwrap();
    assert_eq!(facts_of(&read(&unpacked)), facts_of(&folders));
    let message = unpack(&collection, &unpacked).unwrap_err().to_string();
    assert!(message.contains("unpacked is there already"), "{message}");
    // Sixteen samples of the lowest seed.
    let drawn = |run: &RunRecords| match &run.samples {
        Some(samples @ Samples::Png(..)) => Some(samples.decode().unwrap().dimensions()),
        _ => None,
    };
    let kept: Vec<_> = collection.runs.iter().map(|run| (run.spec.seed, drawn(run))).collect();
    assert!(kept.iter().all(|(seed, d)| *d == (*seed == 0).then_some((32, 32))), "{kept:?}");
}

fn facts_of(sweep: &SweepRecords) -> Vec<String> {
    let mut all = vec![format!("{:?} {:?} {:?}", sweep.plan, sweep.real, sweep.untrained)];
    all.extend(sweep.runs.iter().map(|run| facts(run)));
    all
}

#[test]
fn every_table_and_figure_is_drawn_alike_from_folders_and_from_a_collection() {
    let sweep = sweep();
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("collection");
    collect_into(&read(sweep.path()), &folder).unwrap();
    let mut bytes: Vec<BTreeMap<String, Vec<u8>>> = Vec::new();
    for out in [sweep.path(), &folder] {
        ScoredSweep::read(out).and_then(|s| render_all(&s, true)).unwrap();
        let mut files = BTreeMap::new();
        for part in ["tables", "figures"] {
            for entry in std::fs::read_dir(out.join(part)).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                files.insert(name, std::fs::read(path).unwrap());
            }
        }
        bytes.push(files);
    }
    let names = |i: usize| bytes[i].keys().collect::<Vec<_>>();
    assert_eq!(names(0), names(1));
    assert!(bytes[0].len() > 10, "{:?} of {} and {}", names(0), tables().len(), figures().len());
    for (name, content) in &bytes[0] {
        assert!(bytes[1][name] == *content, "{name} differs");
    }
}

#[test]
fn records_become_tables_that_other_programs_read() {
    let sweep = sweep();
    let folder = sweep.path().join("records");
    let records = read(sweep.path());
    collect_into(&records, &folder).unwrap();
    let table = |name: &str| {
        let file = std::fs::File::open(folder.join(format!("{name}.parquet"))).unwrap();
        ParquetReader::new(file).finish().unwrap()
    };
    let height = |name: &str| table(name).height();
    assert_eq!(
        ["runs", "log", "layers", "timing", "scores", "spectra", "samples"].map(height),
        [6, 6 * 2, 6 * (8 + 7), 6, 2 + 2 + 5 * 4, 6 * 14 * 8, 3]
    );
    let scores = table("scores");
    let values: Vec<Option<f64>> = scores.column("value").unwrap().f64().unwrap().iter().collect();
    assert!(values.contains(&Some(8.2)) && values.contains(&Some(999.0)), "{values:?}");
    // An inception score has no reference, and four scores are no run's.
    assert_eq!(scores.column("reference").unwrap().null_count(), scores.height() / 2);
    assert_eq!(scores.column("run").unwrap().null_count(), 4);
    let files = write_csv(&records, &folder).unwrap();
    assert_eq!(files.len(), 6, "{files:?}");
    let csv = std::fs::read_to_string(folder.join("scores.csv")).unwrap();
    assert!(csv.starts_with("sweep,run,of,gen_updates,metric,value,std,protocol,"), "{csv}");
    assert_eq!(csv.lines().count(), 1 + scores.height());
    // Each number is the one in Parquet, to its last bit, and an empty cell is its null.
    let mut read = csv::Reader::from_reader(csv.as_bytes());
    let at = read.headers().unwrap().iter().position(|name| name == "value").unwrap();
    let cells: Vec<_> = read.records().map(|row| row.unwrap()[at].to_string()).collect();
    let cell = |v: &Option<f64>| v.map_or(String::new(), |v| v.to_string());
    assert_eq!(cells, values.iter().map(cell).collect::<Vec<_>>());
    assert!(values.iter().zip(&cells).all(|(v, c)| *v == c.parse().ok()), "{cells:?}");
}

#[test]
fn a_collection_without_logs_still_says_what_they_told() {
    let sweep = sweep();
    let [whole, part] = ["whole", "part"].map(|name| sweep.path().join(name));
    let records = read(sweep.path());
    collect_into(&records, &whole).unwrap();
    let files = collect_without(&records, &part, &MAY_LACK.map(String::from)).unwrap();
    let names: Vec<_> = files.iter().map(|f| f.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["plan.json", "runs.parquet", "scores.parquet", "collection.json"]);
    // The same bytes: what `runs` says of the critic was told by the log.
    for name in ["runs.parquet", "scores.parquet"] {
        let [whole, part] = [&whole, &part].map(|f| std::fs::read(f.join(name)).unwrap());
        assert!(whole == part, "{name}");
    }
    let back = read(&part);
    assert_eq!(back.runs.len(), records.runs.len());
    assert!(back.runs.iter().all(|r| r.log.is_empty() && r.spectra.is_empty()));
}

#[test]
fn a_folder_without_a_plan_says_how_to_make_one() {
    let folder = tempfile::tempdir().unwrap();
    let message = || SweepRecords::read(&folder.path().join("lost")).unwrap_err().to_string();
    assert!(message().contains("lost is no sweep, no run and no collection"), "{}", message());
    std::fs::create_dir_all(folder.path().join("lost/runs")).unwrap();
    let message = message();
    assert!(
        message.contains("lost/plan.json") && message.contains("`sngan sweep` into this folder"),
        "{message}"
    );
}

#[test]
fn a_damaged_collection_is_refused_by_the_name_of_its_file() {
    let sweep = sweep();
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("collection");
    let whole = |folder: &Path| {
        collect_into(&read(sweep.path()), folder).unwrap();
    };
    whole(&folder);
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        for damage in [&bytes[..bytes.len() / 2], &[]] {
            std::fs::write(&path, damage).unwrap();
            let message = SweepRecords::read(&folder).unwrap_err().to_string();
            assert!(message.contains(path.to_str().unwrap()), "{message}");
        }
        std::fs::remove_file(&path).unwrap();
        let message = SweepRecords::read(&folder).err().map(|e| e.to_string());
        // Without its list a collection is a folder without runs.
        let listed = !path.ends_with("collection.json");
        assert!(!listed || message.unwrap().contains(path.to_str().unwrap()));
        std::fs::write(&path, &bytes).unwrap();
    }
    assert_eq!(facts_of(&read(&folder)), facts_of(&read(sweep.path())));
    // A list that leads elsewhere, as one from a stranger may.
    let list = folder.join("collection.json");
    let text = std::fs::read_to_string(&list).unwrap();
    std::fs::write(&list, text.replace("log.parquet", "../log.parquet")).unwrap();
    let message = SweepRecords::read(&folder).unwrap_err().to_string();
    assert!(message.contains("no file's name"), "{message}");
    // Not into a sweep's own folder, whose runs would then be passed over.
    let message = collect_into(&read(sweep.path()), sweep.path()).unwrap_err().to_string();
    assert!(message.contains("is a sweep's folder"), "{message}");
    let _ = ScoredSweep::read(sweep.path()).unwrap();
}

/// The committed records, which every clone and every machine that they are carried to holds.
#[test]
fn committed_records_are_read_and_stay_small() {
    const FILES: usize = 400;
    const BYTES: u64 = 20_000_000;
    let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../results");
    let (mut files, mut bytes) = (0, 0);
    let mut folders = vec![results.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let about = entry.metadata().unwrap();
            if about.is_dir() {
                folders.push(entry.path());
            } else {
                (files, bytes) = (files + 1, bytes + about.len());
            }
        }
    }
    assert!(
        files <= FILES,
        "results/ has {files} files, {FILES} at most: gather runs with `just publish`"
    );
    assert!(bytes <= BYTES, "results/ has {bytes} bytes, {BYTES} at most");
    let mut runs = 0;
    for entry in std::fs::read_dir(results).unwrap().map(Result::unwrap) {
        if entry.path().join("collection.json").exists() {
            runs += ScoredSweep::read(&entry.path()).unwrap().runs.len();
        }
    }
    assert!(runs >= 425, "{runs} committed runs");
}
