//! Measurements and other programs' output as text.

use std::time::Duration;

/// Milliseconds: three digits and a unit.
pub fn short(ms: f64) -> String {
    common::short(Duration::from_secs_f64(ms / 1e3))
}

/// As 1 run, or 3 runs.
pub fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A share from 0 to 1. 100 % and 0 % are exact: nothing is rounded to them.
pub fn percent(share: f64) -> String {
    let tenths = match share * 1e3 {
        small @ ..1.0 if small > 0.0 => return "<0.1 %".into(),
        tenths => tenths.floor(),
    };
    format!("{} %", tenths / 10.0)
}

/// Another program's output as one line of at most `most` characters, without
/// control characters.
pub fn sanitized(text: &str, most: usize) -> String {
    let text = text.trim();
    let harmless = text.chars().map(|c| match c {
        '\n' | '\r' | '\t' => ' ',
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    });
    let cut = if text.chars().nth(most).is_some() { "…" } else { "" };
    harmless.take(most).chain(cut.chars()).collect()
}

/// Why something failed: the first and last line of a long message.
pub fn failure(message: impl ToString) -> String {
    let message = message.to_string();
    let first = message.lines().next().unwrap_or("").trim();
    match last_line(&message).filter(|last| *last != first) {
        Some(last) => sanitized(&format!("{first}; {last}"), 400),
        None => sanitized(first, 400),
    }
}

/// The last line that isn't empty and isn't a panic's hint about backtraces.
pub fn last_line(text: &str) -> Option<&str> {
    let mut lines = text.lines().rev().map(str::trim);
    lines.find(|line| !line.is_empty() && !line.starts_with("note: "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_control_a_terminal_become_marks() {
        let hostile = "  \x1b]0;title\x07a\u{9b}31m\tb\r\n";
        let marked = "\u{fffd}]0;title\u{fffd}a\u{fffd}31m b";
        assert_eq!(sanitized(hostile, 30), marked);
        assert_eq!(sanitized("Übermaß 世界", 10), "Übermaß 世界");
        assert_eq!(sanitized("Übermaß 世界", 9), "Übermaß 世…");
    }

    #[test]
    fn a_percentage_is_not_rounded_to_none_or_all() {
        let shares = [0.0, 0.000_1, 0.5, 0.999_9, 1.0];
        let texts = ["0 %", "<0.1 %", "50 %", "99.9 %", "100 %"];
        assert_eq!(shares.map(percent), texts);
    }
}
