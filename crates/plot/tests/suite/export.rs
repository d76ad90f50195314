//! Records as tables for other programs.

use crate::support::{Folder, log, score, spec, spectrum, write_lines};
use polars::prelude::{ParquetReader, SerReader};
use sngan_experiment::method::Method;
use sngan_plot::export;

#[test]
fn records_become_tables_that_other_programs_read() {
    let mut sweep = Folder::new("made-up", "tiny");
    for (method, is) in [(Method::WeightNorm, 7.5), (Method::Sn, 8.2)] {
        let dir =
            sweep.run(&spec(method, "C", 0), &[score(5, 0.5, 999.0), score(10, is, 25.0)].concat());
        write_lines(&dir.log_path(), &[log(1, 1.0), log(10, 1.0)]);
        let spectra: Vec<_> = (0..7)
            .flat_map(|l| [spectrum(l, "raw", 0.5), spectrum(l, "normalized", 0.9)])
            .collect();
        write_lines(&dir.spectrum_path(), &spectra);
    }
    sweep.untrained(1.0, 400.0);
    let folder = sweep.path().join("records");
    let files = export(&[sweep.path().to_path_buf()], &folder).unwrap();
    // The made-up runs have no timing.
    assert_eq!(files.len(), 2 * 6, "{files:?}");
    let read = |name: &str| {
        ParquetReader::new(std::fs::File::open(folder.join(name)).unwrap()).finish().unwrap()
    };
    let height = |name: &str| read(&format!("{name}.parquet")).height();
    assert_eq!(
        ["runs", "log", "sigma", "scores", "untrained", "spectrum"].map(height),
        [2, 2 * 2, 2 * 7 * 2, 4 * 2, 2, 8 * 14 * 2]
    );
    let scores = read("scores.parquet");
    let values: Vec<Option<f64>> = scores.column("value").unwrap().f64().unwrap().iter().collect();
    assert!(values.contains(&Some(8.2)) && values.contains(&Some(999.0)), "{values:?}");
    assert_eq!(scores.column("reference").unwrap().null_count(), 2 * 2);
    let csv = std::fs::read_to_string(folder.join("scores.csv")).unwrap();
    assert!(csv.starts_with("sweep,run,gen_updates,metric,value,std,protocol,backbone,"), "{csv}");
    assert_eq!(csv.lines().count(), 1 + 4 * 2);
    let message = export(&[folder.join("nothing")], &folder).unwrap_err().to_string();
    assert!(
        message.contains("nothing/plan.json") && message.contains("sngan sweep NAME --out"),
        "{message}"
    );
}
