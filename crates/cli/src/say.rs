//! Standard output, whose failing must not take hours of work with it: `println!` panics where the disk that output goes to is full.

use std::fmt::{Arguments, Display};
use std::io::{self, Write};
use std::path::Path;
use std::sync::OnceLock;

/// The first error of standard output.
static FAILED: OnceLock<String> = OnceLock::new();

/// Writes to standard output. After an error nothing more is written, and [`failure`] returns it.
pub(crate) fn write(text: Arguments<'_>) {
    if FAILED.get().is_some() {
        return;
    }
    let mut out = io::stdout().lock();
    if let Err(e) = out.write_fmt(text).and_then(|()| out.flush()) {
        FAILED.get_or_init(|| e.to_string());
    }
}

/// Why standard output is not complete, if it is not.
pub(crate) fn failure() -> Option<&'static str> {
    FAILED.get().map(String::as_str)
}

/// A path as a shell takes it.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// So many of what `noun` names: "1 run", "2 runs", "3 classes".
pub(crate) fn counted<N: Copy + Display + PartialEq + From<u8>>(n: N, noun: &str) -> String {
    let plural = match noun {
        _ if n == N::from(1) => "",
        _ if noun.ends_with('s') => "es",
        _ => "s",
    };
    format!("{n} {noun}{plural}")
}

/// The word that goes with so many.
pub(crate) fn agreeing<'a>(n: usize, one: &'a str, several: &'a str) -> &'a str {
    if n == 1 { one } else { several }
}

/// `println!` that does not panic.
macro_rules! say {
    () => { $crate::say::write(format_args!("\n")) };
    ($($text:tt)*) => { $crate::say::write(format_args!("{}\n", format_args!($($text)*))) };
}
pub(crate) use say;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular() {
        assert_eq!(counted(1, "run"), "1 run");
        assert_eq!(counted(0u64, "run"), "0 runs");
        assert_eq!([0, 1, 2].map(|n| agreeing(n, "is", "are")), ["are", "is", "are"]);
        assert_eq!([1usize, 2].map(|n| counted(n, "class")), ["1 class", "2 classes"]);
    }

    #[test]
    fn paths_are_quoted_where_a_shell_would_cut_them() {
        let quoted = |path: &str| quoted(Path::new(path));
        assert_eq!(quoted("runs/sn-lr=4e-4"), "runs/sn-lr=4e-4");
        assert_eq!(quoted("a/my run"), "'a/my run'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
