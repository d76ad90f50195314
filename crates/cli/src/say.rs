//! Standard output, whose failing must not take hours of work with it: `println!` panics where the disk that output goes to is full.

use std::fmt::Arguments;
use std::io::{self, Write};
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

/// `println!` that does not panic.
macro_rules! say {
    () => { $crate::say::write(format_args!("\n")) };
    ($($text:tt)*) => { $crate::say::write(format_args!("{}\n", format_args!($($text)*))) };
}
pub(crate) use say;
