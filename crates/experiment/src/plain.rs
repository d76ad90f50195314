//! Names that came from a file, and go into lines, tables and paths.

use crate::{Error, Result};

/// Whether a name may hold `/`: one that never becomes a path may, such as `WGAN-GP w/ SN`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slash {
    /// It may.
    Allowed,
    /// It may not.
    Refused,
}

/// The longest name, characters.
const LONGEST: usize = 200;

/// Checks a name that was read: no control characters, which would write on the terminal or break a line of a table; nothing that leads out
/// of a folder; not longer than a table can bear.
///
/// # Errors
/// [`Error::Invalid`], naming the key.
pub fn plain(key: &'static str, name: &str, slash: Slash) -> Result<()> {
    let refused = |what: &str| {
        let shown: String = name.chars().take(40).flat_map(char::escape_default).collect();
        Err(Error::invalid(key, format!("`{shown}` {what}; use letters, digits, spaces and signs")))
    };
    if name.chars().any(is_control) {
        return refused("holds a control character");
    }
    if name.chars().count() > LONGEST {
        return refused("is longer than 200 characters");
    }
    let leads_out = name == ".." || name == "." || name.contains(['/', '\\']);
    match slash {
        Slash::Refused if leads_out => refused("would be another folder"),
        Slash::Refused | Slash::Allowed => Ok(()),
    }
}

/// Control characters, and those that reorder the text around them.
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_become_something_else_are_refused() {
        for name in ["SN", "SN (γ), 2x", "α 1e-4 | β1 0.5", "..5"] {
            plain("setting", name, Slash::Refused).unwrap();
        }
        plain("label", "WGAN-GP w/ SN", Slash::Allowed).unwrap();
        for name in
            ["../x", "a/b", "..", "a\\b", "a\nb", "\u{1b}[2J", "\u{202e}x", &"x".repeat(201)]
        {
            let message = plain("setting", name, Slash::Refused).unwrap_err().to_string();
            assert!(!message.contains('\u{1b}') && message.len() < 300, "{message}");
        }
        assert!(plain("label", "a\u{7}", Slash::Allowed).is_err());
    }
}
