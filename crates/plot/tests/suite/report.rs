//! The report from made-up records.

use crate::support::{Folder, draw_samples, log, score, spec, write_lines};
use sngan_experiment::method::Method;
use sngan_experiment::{Dataset, Imported, RunSpec};
use sngan_plot::{ScoredSweep, report};
use std::path::PathBuf;

fn folder() -> Folder {
    let mut folder = Folder::new("table1", "quick");
    for (method, is) in [(Method::WganGp, 5.0), (Method::Sn, 7.0)] {
        for seed in 0..3 {
            let dir =
                folder.run(&spec(method, "C", seed), &score(10, is + 0.1 * seed as f64, 20.0));
            write_lines(&dir.log_path(), &[log(1, 1.0), log(10, 1.0)]);
            draw_samples(&dir);
        }
    }
    folder
}

#[test]
fn the_report_is_one_page_with_everything_inside() {
    let folder = folder();
    let path =
        report::write(&ScoredSweep::read(folder.path()).unwrap(), &report::Beside::default())
            .unwrap();
    let page = std::fs::read_to_string(&path).unwrap();
    let place = |id: &str| {
        page.find(&format!("<section id=\"{id}\">")).unwrap_or_else(|| panic!("no section {id}"))
    };
    assert!(
        ["verdict", "claims", "figures", "scores", "runs", "spec"].map(place).is_sorted(),
        "what it shows comes first"
    );
    assert!(
        page.matches("<figure ").count() >= 4
            && page.contains("<figure class=\"photo\">")
            && page.contains("<figure class=\"plot\">")
    );
    assert!(
        page.contains("7.10 ± 0.06 (n = 3)") && page.contains("7.42 ± 0.08"),
        "ours and the paper's"
    );
    assert!(page.contains("is_100") && page.contains("inception"), "both protocols are named");
    assert!(page.contains("prefers-color-scheme: dark") && page.contains("@media print"));
    assert!(
        page.contains("a CPU") && page.contains("sngan sweep table1 --scale quick --seeds 0,1,2")
    );
    // Small numbers sort as numbers, and a score that was taken once is no best one.
    assert!(page.contains("data-value=\"0.0002\">0.0002</td>"), "settings and specs");
    assert!(
        !page.contains("<button type=\"button\">is[made-up], best")
            && page.contains("95 % interval leaves out")
    );
    // Nothing is loaded from elsewhere.
    for outside in ["src=", "href=\"http", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    let again = std::fs::read(
        report::write(&ScoredSweep::read(folder.path()).unwrap(), &report::Beside::default())
            .unwrap(),
    )
    .unwrap();
    assert_eq!(page.into_bytes(), again);
}

#[test]
fn markup_in_records_stays_text() {
    let mut folder = folder();
    let attack = "<script>alert(1)</script>";
    folder.title(attack);
    folder.run(
        &RunSpec { label: format!("\"{attack}&"), ..spec(Method::LayerNorm, "C", 0) },
        &score(10, 3.0, 30.0),
    );
    let page = std::fs::read_to_string(
        report::write(&ScoredSweep::read(folder.path()).unwrap(), &report::Beside::default())
            .unwrap(),
    )
    .unwrap();
    assert_eq!(page.matches("<script>").count(), 1, "only our own");
    assert!(page.contains("&quot;&lt;script&gt;alert(1)&lt;/script&gt;&amp;"));
}

fn page_of(c: &ScoredSweep) -> String {
    std::fs::read_to_string(report::write(c, &report::Beside::default()).unwrap()).unwrap()
}

#[test]
fn single_runs_have_no_scale_and_their_own_specs() {
    let (folder, out) = (folder(), tempfile::tempdir().unwrap());
    let runs = ScoredSweep::read(folder.path()).unwrap().runs;
    let places: Vec<PathBuf> = runs.iter().map(|r| r.records.place.clone()).collect();
    let one = ScoredSweep::of_runs(&places[..1], out.path()).unwrap();
    let page = page_of(&one);
    let name = &runs[0].records.name;
    assert!(page.contains(&format!("<h1>{name}</h1>")), "{}", &page[..900]);
    assert!(page.contains(&format!("10 updates ({name}).")) && !page.contains("at scale runs"));
    assert!(page.contains("A run&#39;s own spec makes it again:"));
    assert!(!one.conditions().contains("scale"), "{}", one.conditions());
    let two = ScoredSweep::of_runs(&places[..2], out.path()).unwrap();
    assert!(two.describe_runs().contains("(2 single runs)"), "{}", two.describe_runs());
    // A sweep has one still.
    let sweep = ScoredSweep::read(folder.path()).unwrap();
    assert!(sweep.conditions().starts_with("scale quick, "), "{}", sweep.conditions());
}

#[test]
fn nothing_is_made_up_of_how_another_program_trained_its_networks() {
    let mut folder = Folder::new("imports", "quick");
    let mut places = Vec::new();
    for generator in ["aa", "bb"] {
        let imported = Imported::new(generator.repeat(32), None).knowing(&["gen_updates"]);
        let spec =
            RunSpec { label: "G".into(), gen_updates: 7, ..RunSpec::of_imported(imported, 0) };
        places.push(folder.run(&spec, &[]).path().to_path_buf());
    }
    let out = tempfile::tempdir().unwrap();
    let c = ScoredSweep::of_runs(&places, out.path()).unwrap();
    for run in &c.runs {
        assert_eq!(run.spec.label, format!("G, {}", run.records.name));
    }
    let said = [c.describe_runs(), c.conditions()];
    for part in ["unknown data", "batch unknown", "7 updates"] {
        assert!(said.iter().all(|said| said.contains(part)), "{part}: {said:?}");
    }
    let page = page_of(&c);
    assert!(page.contains("Another program trained these networks"));
    assert!(!page.contains("makes it again") && !page.contains("<pre>sngan train"));
    assert!(page.matches("unknown</td>").count() >= 4 && !page.contains("data-value=\"0.0002\""));
}

#[test]
fn an_experiment_of_ones_own_is_not_said_to_have_a_command_or_a_file() {
    for name in ["pets", "table1"] {
        let mut folder = Folder::new(name, "quick");
        folder.run(
            &RunSpec { dataset: Dataset::Folder, ..spec(Method::Sn, "C", 0) },
            &score(10, 3.0, 20.0),
        );
        let page = page_of(&ScoredSweep::read(folder.path()).unwrap());
        assert!(page.contains("Neither the command that made all of them is recorded"));
        assert!(page.contains("sngan train RUN/spec.toml --out FOLDER"));
        assert!(!page.contains("To run it again") && !page.contains("It makes other runs today"));
    }
}
