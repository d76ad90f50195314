//! `sngan`: trains, scores, tabulates and draws what "Spectral Normalization for Generative Adversarial Networks" reports.

mod args;
mod command;
mod experiments;
mod progress;
mod signals;

use clap::Parser;
use sngan_experiment::records::Source;
use std::process::ExitCode;

// Candle allocates a new buffer for every gradient of a weight; an allocator that keeps large
// blocks avoids page faults.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The source that the program was built from, as found by its build script.
pub(crate) const SOURCE: Source = Source {
    commit: option_env!("SNGAN_COMMIT"),
    dirty: match option_env!("SNGAN_DIRTY") {
        Some(text) => Some(matches!(text.as_bytes(), b"true")),
        None => None,
    },
};

/// How a command ended, for the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// 0: everything asked for is done.
    Well,
    /// 1: a run of a sweep failed; its status says why.
    WithFailures,
    /// 3: the run diverged, which is a result.
    Diverged,
    /// 130: a signal; checkpoints are written.
    Interrupted,
}

fn main() -> ExitCode {
    // Candle runs its element-wise operations on a pool of spinning threads, which run beside ours
    // and take their cores. This variable is the only way to set the pool's size; our pools are
    // given their sizes explicitly. SAFETY: no other thread exists yet.
    unsafe { std::env::set_var("RAYON_NUM_THREADS", "1") };
    // Rust ignores SIGPIPE and then panics when a reader such as `head` has gone; end quietly
    // instead, like other tools. SAFETY: sets a signal's default action before anything else
    // happens.
    #[cfg(unix)]
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
    let arguments = args::Arguments::parse();
    match command::run(arguments) {
        Ok(Ended::Well) => ExitCode::SUCCESS,
        Ok(Ended::WithFailures) => ExitCode::from(1),
        Ok(Ended::Diverged) => ExitCode::from(3),
        Ok(Ended::Interrupted) => ExitCode::from(130),
        Err(e) => {
            eprintln!("error: {}", in_one_line(&e));
            ExitCode::from(1)
        }
    }
}

/// An error with its causes, except those that the message before them already contains.
fn in_one_line(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text += &format!(": {cause}");
        }
    }
    text
}
