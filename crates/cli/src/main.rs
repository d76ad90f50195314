//! `sngan`: trains, scores, tabulates and draws what "Spectral Normalization for Generative Adversarial Networks" reports.

mod args;
mod command;
mod experiments;
mod progress;
mod say;
mod signals;
mod table;

use clap::{CommandFactory, FromArgMatches};
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
    let command = args::Arguments::command().term_width(table::width());
    let arguments = match args::Arguments::from_arg_matches(&command.get_matches()) {
        Ok(arguments) => arguments,
        Err(e) => e.exit(),
    };
    if let Err(reason) = sngan_tensor::check_instruction_set() {
        eprintln!("error: {reason}");
        return ExitCode::from(1);
    }
    let ended = command::run(arguments);
    if let (Ok(_), Some(reason)) = (&ended, say::failure()) {
        eprintln!(
            "error: failed to write to standard output: {reason}; what goes to files is complete"
        );
        return ExitCode::from(1);
    }
    match ended {
        Ok(Ended::Well) => ExitCode::SUCCESS,
        Ok(Ended::WithFailures) => ExitCode::from(1),
        Ok(Ended::Diverged) => ExitCode::from(3),
        Ok(Ended::Interrupted) => ExitCode::from(130),
        // Not a fault: a scoring beside a training or sweep was told to stop.
        Err(e) if is_interruption(&e) => {
            eprintln!("{}; the same command goes on", in_one_line(&e));
            ExitCode::from(130)
        }
        Err(e) => {
            eprintln!("error: {}", in_one_line(&e));
            ExitCode::from(1)
        }
    }
}

/// Whether a scoring was told to stop.
pub(crate) fn is_interruption(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        matches!(cause.downcast_ref(), Some(sngan_eval::Error::Interrupted { .. }))
            || cause.downcast_ref().is_some_and(sngan_sweep::Error::is_interruption)
    })
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
    for_terminal(&text)
}

/// The longest message, characters: one may quote a file.
const LONGEST_MESSAGE: usize = 4000;

/// Text that may hold what a file said: without characters that move the cursor, and not endless.
pub(crate) fn for_terminal(text: &str) -> String {
    let is_harmless = |c: char| !c.is_control() || c == '\n' || c == '\t';
    let visible =
        |c: char| if is_harmless(c) { c.to_string() } else { c.escape_default().to_string() };
    let mut shown: String = text.chars().take(LONGEST_MESSAGE).map(visible).collect();
    if text.chars().nth(LONGEST_MESSAGE).is_some() {
        shown += " …";
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_moves_no_cursor_and_has_an_end() {
        assert_eq!(for_terminal("a\u{1b}[2Jb\nc"), "a\\u{1b}[2Jb\nc");
        assert!(for_terminal(&"x".repeat(1 << 20)).chars().count() < 4010);
    }
}
