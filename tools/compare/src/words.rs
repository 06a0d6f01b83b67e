//! What others say, and figures, as people read them.

use std::time::Duration;

/// Stands where there is no figure.
pub const NONE: &str = "–";

/// What is said of a failure may be so many characters long.
const LONGEST: usize = 400;

/// Milliseconds: three digits and a unit.
pub fn short(ms: f64) -> String {
    common::short(Duration::from_secs_f64(ms / 1e3))
}

/// Milliseconds at a tick of an axis: all digits, and few are needed.
pub fn tick(ms: f64) -> String {
    if ms != 0.0 && ms < 1_000.0 {
        format!("{ms} ms")
    } else {
        format!("{} s", ms / 1e3)
    }
}

/// As 45 s, or 1 min 30 s.
pub fn time(time: Duration) -> String {
    match (time.as_secs() / 60, time.as_secs() % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
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

/// How many times as fast.
pub fn ratio(ratio: Option<f64>) -> String {
    ratio.map_or(NONE.into(), |it| format!("{it:.2}"))
}

/// What others have said, as one line of plain text: whatever a terminal could
/// obey is replaced by a mark, and the line isn't longer than `most` characters.
pub fn plain(text: &str, most: usize) -> String {
    let text = text.trim();
    let plain = text.chars().map(|c| match c {
        '\n' | '\r' | '\t' => ' ',
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    });
    let cut = if text.chars().nth(most).is_some() { "…" } else { "" };
    plain.take(most).chain(cut.chars()).collect()
}

/// Why something failed, as [`plain`] text.
pub fn failure(message: impl ToString) -> String {
    plain(&message.to_string(), LONGEST)
}

/// The first and the last line of a long message.
pub fn ends(message: impl ToString) -> String {
    let message = message.to_string();
    let first = message.lines().next().unwrap_or("");
    match last_line(&message).filter(|last| *last != first) {
        Some(last) => failure(format!("{first}; {last}")),
        None => failure(first),
    }
}

/// The last line with something in it. What a panic adds about backtraces
/// says nothing.
pub fn last_line(text: &str) -> Option<&str> {
    let mut lines = text.lines().rev().map(str::trim);
    lines.find(|line| !line.is_empty() && !line.starts_with("note: "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_could_obey_becomes_a_mark() {
        let hostile = "  \x1b]0;title\x07a\u{9b}31m\tbc\r\n";
        assert_eq!(
            plain(hostile, 30),
            "\u{fffd}]0;title\u{fffd}a\u{fffd}31m bc"
        );
        assert_eq!(plain("Übermaß 世界", 10), "Übermaß 世界");
        assert_eq!(plain("Übermaß 世界", 9), "Übermaß 世…");
    }

    #[test]
    fn a_percentage_is_not_rounded_to_none_or_all() {
        assert_eq!(percent(0.0), "0 %");
        assert_eq!(percent(0.000_1), "<0.1 %");
        assert_eq!(percent(0.5), "50 %");
        assert_eq!(percent(0.999_9), "99.9 %");
        assert_eq!(percent(1.0), "100 %");
    }
}
