//! The table of files in docs/architecture.md, against the tree.

use std::path::Path;

/// Files that an addition may touch, besides tests and docs.
const MOST: usize = 4;
/// What is in a row's cell but is no file of code: tests, fixtures, weights.
const NOT_COUNTED: [&str; 2] = ["/tests/", "eval/assets"];

/// The files of a cell, below crates/: what stands in backticks and has a folder.
fn files(cell: &str) -> Vec<&str> {
    let quoted = cell.split('`').skip(1).step_by(2);
    quoted.filter(|t| t.contains('/') && !NOT_COUNTED.iter().any(|n| t.contains(n))).collect()
}

/// The sources below `folder`, as one text.
fn sources(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let text = |path: std::path::PathBuf| {
        if path.is_dir() {
            sources(&path)
        } else if path.extension().is_some_and(|e| e == "rs") {
            std::fs::read_to_string(path).unwrap()
        } else {
            String::new()
        }
    };
    entries.map(text).collect()
}

#[test]
fn every_test_that_the_table_names_is_there() {
    let text = include_str!("../../../../docs/architecture.md");
    let (_, section) = text.split_once("## Adding things").unwrap();
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    let quoted = section.split('`').skip(1).step_by(2);
    for name in quoted.filter_map(|text| text.strip_suffix('…')) {
        assert!(sources.contains(&format!("fn {name}")), "no test is called {name}…");
    }
}

/// A document that names a file of the sources must name one that is there.
#[test]
fn every_source_that_a_document_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let docs = std::fs::read_dir(root.join("docs")).unwrap().map(|e| e.unwrap().path());
    let documents = docs.chain([root.join("README.md"), root.join("experiments/README.md")]);
    let mut named = 0;
    for document in documents.filter(|p| p.extension().is_some_and(|e| e == "md")) {
        let text = std::fs::read_to_string(&document).unwrap();
        let quoted = text.split('`').skip(1).step_by(2);
        let is_source = |t: &&str| t.contains("/src/") && t.ends_with(".rs") && !t.contains(' ');
        for file in quoted.filter(is_source) {
            // `x.rs` stands for what a reader adds.
            let file = file.trim_start_matches("crates/");
            let path = root.join("crates").join(file);
            let there = if file.ends_with("/x.rs") { path.parent().unwrap() } else { &path };
            assert!(there.exists(), "{}: {file} is not there", document.display());
            named += 1;
        }
    }
    assert!(named > 30, "the documents name {named} sources");
}

#[test]
fn no_addition_touches_more_files_than_the_table_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = include_str!("../../../../docs/architecture.md");
    let (_, section) = text.split_once("## Adding things").unwrap();
    let rows: Vec<&str> = section.lines().filter(|l| l.starts_with('|')).skip(2).collect();
    assert!(rows.len() > 10, "the table is gone");
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        let [what, cell, _] = cells[..] else { panic!("three cells: {row}") };
        let files = files(cell);
        let others = ["justfile", "experiments/claims.toml", "its experiments"];
        let others = others.iter().filter(|other| cell.contains(**other)).count();
        assert!(files.len() + others <= MOST, "{what}: {files:?} and {others} more");
        for file in files {
            let path = root.join("crates").join(file);
            // `x.rs` is what is added: its folder is there.
            let there = if file.ends_with("/x.rs") { path.parent().unwrap() } else { &path };
            assert!(there.exists(), "{what}: {file} is not there");
        }
    }
}
