//! Tells the program which commit it is built from, and whether the source was changed since: `SNGAN_COMMIT`, `SNGAN_DIRTY`.

use std::process::Command;

/// What git prints, or nothing outside a repository and without git.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_string())
}

fn main() {
    // Everything that the program is made from, so that `dirty` is not a remark on an earlier build.
    for path in ["../../crates", "../../experiments", "../../Cargo.lock", "../../Cargo.toml"] {
        println!("cargo:rerun-if-changed={path}");
    }
    let Some(commit) = git(&["rev-parse", "HEAD"]) else { return };
    for file in ["HEAD", "index", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", file]) {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    println!("cargo:rustc-env=SNGAN_COMMIT={commit}");
    let watched = [
        "status",
        "--porcelain",
        "--",
        "../../crates",
        "../../experiments",
        "../../Cargo.lock",
        "../../Cargo.toml",
    ];
    if let Some(changes) = git(&watched) {
        println!("cargo:rustc-env=SNGAN_DIRTY={}", !changes.is_empty());
    }
}
