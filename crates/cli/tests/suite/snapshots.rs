//! Whole screens as people read them. `INSTA_UPDATE=always just test` writes them anew; look at the difference.

use crate::support::Folder;

#[test]
fn a_plan_as_it_is_read() {
    insta::assert_snapshot!(Folder::new().expect(0, "plan tiny --no-measure"));
}

#[test]
fn a_dry_run_as_it_is_read() {
    let said = Folder::new().expect(0, "sweep tiny --out out --dry-run --threads 2");
    insta::assert_snapshot!(said);
}

#[test]
fn a_status_as_it_is_read() {
    let folder = Folder::new();
    let _ = folder.expect(0, "sweep tiny --out out --threads 2");
    // Rates, scores and times depend on the machine: a line of each run is left.
    let said = folder.expect(0, "status out");
    let own = said.lines().filter(|line| !line.starts_with(' '));
    let columns: Vec<String> =
        own.map(|line| line.chars().take(57).collect::<String>().trim_end().to_string()).collect();
    insta::assert_snapshot!(columns.join("\n"));
}
