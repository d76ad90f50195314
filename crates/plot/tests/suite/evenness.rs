//! The lines at the end of a drawing: names stand in full, and no line is wider than a terminal.

use crate::support::{Folder, score, spec};
use sngan_experiment::RunSpec;
use sngan_experiment::method::Method;
use sngan_plot::{ScoredSweep, evenness_lines};

/// What is said of WN and SN with an FID of 10 in the first setting, 20 in the second.
fn said(settings: [&str; 2]) -> Vec<String> {
    let mut folder = Folder::new("mine", "quick");
    for method in [Method::WeightNorm, Method::Sn] {
        for (setting, fid) in settings.into_iter().zip([10.0, 20.0]) {
            let of_table_1 = setting.len() == 1;
            let named = RunSpec { setting: setting.into(), lr: fid * 1e-5, ..spec(method, "C", 0) };
            let spec = if of_table_1 { spec(method, setting, 0) } else { named };
            folder.run(&spec, &score(10, 5.0, fid));
        }
    }
    let lines = evenness_lines(&ScoredSweep::read(folder.path()).unwrap());
    assert!(lines.iter().all(|line| line.chars().count() <= 80), "{lines:#?}");
    lines
}

#[test]
fn names_of_one_letter_leave_the_columns_as_they_are() {
    assert_eq!(
        said(["A", "D"])[..4],
        [
            "FID over settings A, D through made-up, lower is better",
            "                            level       best      worst  worst/best",
            "WN                           14.1     10.0 A     20.0 D         2.0",
            "SN                           14.1     10.0 A     20.0 D         2.0",
        ]
    );
}

#[test]
fn columns_are_as_wide_as_the_names_of_settings() {
    assert_eq!(
        said(["lr=0.0001", "lr=0.0002"])[1..4],
        [
            "                            level            best           worst  worst/best",
            "WN                           14.1  10.0 lr=0.0001  20.0 lr=0.0002         2.0",
            "SN                           14.1  10.0 lr=0.0001  20.0 lr=0.0002         2.0",
        ]
    );
    // The names of rows need less room than they usually have.
    assert_eq!(
        said(["beta1=0.5, lr=0.0001", "beta1=0.5, lr=0.0002"])[1..3],
        [
            "     level                       best                      worst  worst/best",
            "WN    14.1  10.0 beta1=0.5, lr=0.0001  20.0 beta1=0.5, lr=0.0002         2.0",
        ]
    );
}

#[test]
fn names_that_have_no_room_beside_each_other_stand_below_their_row() {
    let settings =
        ["beta1=0.5, beta2=0.999, n_dis=1, lr=0.0001, batch=64", "another of 20 letters"];
    assert_eq!(
        said(settings)[..6],
        [
            "FID over 2 settings through made-up, lower is better",
            "WN",
            "    level 14.1",
            "    best 10.0 at beta1=0.5, beta2=0.999, n_dis=1, lr=0.0001, batch=64",
            "    worst 20.0 at another of 20 letters · worst/best 2.0",
            "SN",
        ]
    );
}
