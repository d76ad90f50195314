//! `figure`, `table`, `claims`, `report` and `bench figure10`.

use crate::support::Folder;

#[test]
fn what_has_no_records_says_which_commands_make_them() {
    let folder = Folder::new();
    let said = folder.expect(1, "figure fig11 --scale smoke");
    assert!(
        said.contains("sngan sweep n-dis --scale smoke")
            && said.contains("sngan figure fig11 --scale smoke"),
        "{said}"
    );
    let said = folder.expect(1, "table table7");
    assert!(
        said.contains("sngan sweep table7 --scale quick")
            && said.contains("sngan sweep table7-resnet --scale quick"),
        "{said}"
    );
    assert!(folder.expect(1, "figure fig10").contains("sngan bench figure10"));
    assert!(
        folder.expect(1, "figure fig10 --dry-run").contains("sngan bench figure10"),
        "a dry run refuses what the real one would"
    );
    assert!(folder.expect(1, "figure fig16").contains("known: table1"));
    assert!(folder.expect(1, "figure table4").contains("`sngan table`"));
    assert!(
        folder
            .expect(1, "claims nowhere")
            .contains("neither a sweep's plan.json nor figure10.json")
    );
}

#[test]
fn what_the_code_decides_is_drawn_without_records() {
    let folder = Folder::new();
    assert!(folder.expect(0, "figure fig8 --out drawn").contains("drawn/fig8.svg"));
    folder.expect(0, "table table4 --out drawn");
    let table = std::fs::read_to_string(folder.path("drawn/table4.md")).unwrap();
    assert!(
        table.contains("4276739 parameters") && table.contains("1053824 parameters"),
        "{table}"
    );
}

#[test]
fn timings_are_taken_and_drawn() {
    let folder = Folder::new();
    let said = folder.expect(
        0,
        "bench figure10 --sizes 8 --batch 2 --width-divisor 64 --rounds 3 --repeat 1 --threads 1",
    );
    assert!(
        said.contains("round 3 of 3") && said.contains("runs/figure10/figure10.json"),
        "{said}"
    );
    assert!(folder.expect(0, "figure fig10 --compare").contains("runs/drawn/fig10.svg"));
    let said = folder.expect(0, "claims runs/figure10 --only 5 --markdown");
    assert!(
        said.contains("| 5 |") && said.contains("no timings of sn and weight-norm at side 32"),
        "{said}"
    );
}

#[test]
fn a_sweep_has_a_report_and_answers_claims() {
    let folder = Folder::new();
    folder.expect(0, "sweep tiny --out out --threads 1");
    assert!(folder.expect(0, "report out").contains("out/report.html"));
    let page = std::fs::read_to_string(folder.path("out/report.html")).unwrap();
    assert!(
        page.contains("a tiny grid at scale quick")
            && page.contains("diverged at")
            && page.matches("<figure ").count() >= 4
    );
    assert!(
        folder
            .expect(0, "report out --dry-run")
            .contains("write into out/tables: the sweep's tables")
    );
    let unknown = folder.expect(1, "claims out --only 13");
    assert!(
        unknown.contains("no claim has the number 13") && unknown.contains("1: SN keeps"),
        "{unknown}"
    );
    let said = folder.expect(0, "claims out --markdown");
    assert_eq!(
        said.matches("**not tested**").count(),
        12,
        "`tiny` is no experiment of a claim: {said}"
    );
    assert!(folder.expect(0, "figure fig1 --from out --out drawn").contains("drawn/fig1.png"));
    let plan = folder.path("out/plan.json");
    // As an older version wrote the paper's experiment, which it knew by its name.
    let known = std::fs::read_to_string(&plan).unwrap();
    let known = known.replace("\"tiny\"", "\"table1\"").replace("\"version\": 2", "\"version\": 1");
    std::fs::write(&plan, known).unwrap();
    let refused = folder.expect(1, "figure fig11 --from out --out drawn");
    assert!(refused.contains("`table1`; fig11 is made from n-dis"), "{refused}");

    std::fs::create_dir(folder.path("runs")).unwrap();
    std::fs::rename(folder.path("out"), folder.path("runs/table1-quick")).unwrap();
    let half = folder.expect(0, "figure fig1");
    assert!(
        half.contains("fig1 lacks table1-stl10 at scale quick")
            && half.contains("sngan sweep table1-stl10 --scale quick"),
        "{half}"
    );
    // A scale of one's own without the figure's methods.
    std::fs::rename(folder.path("runs/table1-quick"), folder.path("runs/table1-few")).unwrap();
    std::fs::create_dir(folder.path("mine")).unwrap();
    let file = include_str!("../../../../experiments/table1.toml");
    let few = file.replace("[scales.smoke]\n", "[scales.few]\nmethods = [\"SN\", \"WN\"]\n");
    std::fs::write(folder.path("mine/table1.toml"), few).unwrap();
    let never = folder.expect(1, "figure fig12 --scale few --experiments mine");
    let with_all = "with all of its methods: --scale narrow or paper or quick or wide";
    assert!(never.contains("table1 has SN, WN alone;") && never.contains(with_all), "{never}");

    // The records of before a scale was renamed.
    std::fs::rename(folder.path("runs/table1-few"), folder.path("runs/table1-cpu")).unwrap();
    for scale in ["cpu", "narrow"] {
        folder.expect(0, &format!("figure fig1 --scale {scale}"));
    }
}
