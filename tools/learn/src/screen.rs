//! What the terminal shows. Text has at most 80 columns; code has as many as
//! the terminal.

use std::{fmt::Write, path::Path, time::Duration};

use anstyle::{AnsiColor, Effects, Style};
use common::short;
use console::Term;
use similar::TextDiff;
use textwrap::{Options, WordSplitter};

use crate::{
    Report,
    look::Seen,
    server::Progress,
    task::{Files, Task},
};

const WIDTH: usize = 78;

/// How long the two lanes are.
const LANE: usize = 40;

const RED: Style = AnsiColor::Red.on_default().effects(Effects::BOLD);
const GREEN: Style = AnsiColor::Green.on_default().effects(Effects::BOLD);
const BOLD: Style = Style::new().effects(Effects::BOLD);
const DIM: Style = Style::new().effects(Effects::DIMMED);

fn painted(text: &str, style: Style) -> String {
    format!("{style}{text}{style:#}")
}

/// Markdown for a terminal: wrapped paragraphs, without the markup.
pub fn paragraphs(markdown: &str) -> String {
    let mut text = String::new();
    for paragraph in markdown.split("\n\n") {
        // Links lead to the book.
        let parts: Vec<_> = paragraph.split("](").collect();
        let mut plain = parts[0].to_owned();
        for part in &parts[1..] {
            plain += part.split_once(')').map_or("", |it| it.1);
        }
        let plain = match parts.len() {
            1 => plain,
            _ => plain.replace('[', ""),
        };
        let plain = plain.replace('*', "").replace('\n', " ");
        let _ = writeln!(text, "{}\n", filled(&plain, "  "));
    }
    text
}

/// Text wrapped at its words. Code that fits on a line stays on one.
fn filled(text: &str, initial_indent: &str) -> String {
    const NO_BREAK: &str = "\u{a0}";
    let parts = text.split('`').enumerate().map(|(number, part)| {
        let is_code = number % 2 == 1 && part.len() < WIDTH - 4;
        part.replace(' ', if is_code { NO_BREAK } else { " " })
    });
    let text = parts.collect::<Vec<_>>().join("`");
    let margin = Options::new(WIDTH)
        .initial_indent(initial_indent)
        .subsequent_indent("  ")
        .word_splitter(WordSplitter::NoHyphenation);
    textwrap::fill(&text, margin).replace(NO_BREAK, " ")
}

/// Lines of code, or of the compiler's, wrapped at their words where they are
/// wider than the terminal.
fn wrapped(text: &str) -> String {
    let width = usize::from(Term::stdout().size().1);
    let margin = Options::new(width)
        .subsequent_indent("        ")
        .word_splitter(WordSplitter::NoHyphenation);
    let line = |line| textwrap::fill(line, &margin) + "\n";
    text.lines().map(line).collect()
}

/// The first lines: the learner's progress, and the task.
pub fn head(
    tasks: &[Task],
    at: usize,
    progress: &Progress,
    code: &Path,
) -> String {
    let kind = |it: &&Task| it.step().is_none() == tasks[at].step().is_none();
    let all = tasks.iter().filter(kind).count();
    let done = tasks.iter().filter(kind).filter(|it| progress.is_done(it));
    let done = done.count();
    let full = done * 30 / all;
    let bar = format!("{}{}", "█".repeat(full), "░".repeat(30 - full));
    let title = painted(&plain(&tasks[at].title), BOLD);
    let code = code.display();
    format!("  {bar} {done} of {all}   {code}\n\n  {title}\n\n")
        + &paragraphs(&tasks[at].text)
}

fn plain(title: &str) -> String {
    title.replace('`', "")
}

/// The result of the last save.
pub fn report(
    task: &Task,
    report: &Report,
    progress: &Progress,
    is_begun: bool,
) -> String {
    let mut text = wrapped(&report.messages);
    if !text.is_empty() {
        text.push('\n');
    }
    if let Some(seen) = &report.seen {
        text += &lanes(seen);
        text.push('\n');
    }
    if !is_begun && report.seen.is_some() && !report.is_solved() {
        text += "  Now it's your turn: type, and save.\n";
        return text;
    }
    for missing in &report.missing {
        // A server's output may have many lines.
        for (number, line) in missing.lines().enumerate() {
            text += &match number {
                0 => filled(line, "  Not yet: "),
                _ => format!("  {line}"),
            };
            text.push('\n');
        }
    }
    if report.is_solved() {
        let done = painted("  Solved.", GREEN);
        let _ = writeln!(text, "{done}");
        if !progress.prediction.is_empty() {
            let _ = writeln!(text, "  You predicted: {}", progress.prediction);
        }
        text.push('\n');
        text += &paragraphs(&task.seen);
    }
    text
}

/// The server while it counted, as two lanes on one time axis.
fn lanes(seen: &Seen) -> String {
    let time = |ms: f64| short(Duration::from_secs_f64(ms / 1000.0));
    let dim = |text: &str| painted(&format!("{:16}{text}\n", ""), DIM);
    let counting = seen.counting.as_ref().map(|it| {
        let names: Vec<_> = it.names.iter().map(String::as_str).collect();
        let name = match names.join(" and ") {
            none if none.is_empty() => "without a name".into(),
            names => names,
        };
        let counted = match it.threads {
            0 => "the server thread".into(),
            1 => format!("1 other thread, {name}"),
            more => format!("{more} other threads, {name}"),
        };
        dim(&format!("counted by: {counted}"))
    });
    let blocking = "█".repeat(LANE);
    let (lane, verdict) = if seen.frozen {
        let verdict = format!("FROZEN for {}", time(seen.blocking_ms));
        (painted(&"x".repeat(LANE), RED), painted(&verdict, RED))
    } else {
        let verdict = format!("ALIVE, {} answered", seen.meanwhile);
        (painted(&"▁".repeat(LANE), GREEN), painted(&verdict, GREEN))
    };
    let counting = counting.unwrap_or_else(|| {
        dim("Your system doesn't list threads, so they weren't checked.")
    });
    format!(
        "  /blocking     {blocking} {}\n  /non-blocking {lane} {verdict}\n\
         {counting}",
        time(seen.blocking_ms),
    )
}

/// The changes that turn the learner's files into the solution.
pub fn solution(mine: &Files, solution: &Files) -> String {
    let mut text = String::new();
    for (name, after) in solution {
        let before = mine.get(name).map_or("", String::as_str);
        let diff = TextDiff::from_lines(before, after);
        let diff = diff.unified_diff().context_radius(2).to_string();
        for line in diff.lines() {
            text += &match line.as_bytes().first() {
                Some(b'@') => format!("\n  {}\n", painted(name, BOLD)),
                Some(b'-') => format!("{}\n", painted(line, RED)),
                Some(b'+') => format!("{}\n", painted(line, GREEN)),
                _ => format!("{line}\n"),
            };
        }
    }
    if text.is_empty() {
        return "  Your code is already the solution.\n".into();
    }
    wrapped(&text)
}

/// All tasks, with marks for the ones that are done.
pub fn list(tasks: &[Task], at: usize, progress: &Progress) -> String {
    let line = |(number, task): (usize, &Task)| {
        let mark = match progress.is_done(task) {
            _ if number == at => "→",
            true => "✓",
            false => " ",
        };
        format!("  {mark} {}\n", plain(&task.title))
    };
    tasks.iter().enumerate().map(line).collect::<String>()
        + "\n  To go to one: cargo run -p learn -- 7 (or e3 for exercise 3)\n"
}

/// The last lines.
pub fn keys(hints: usize) -> String {
    let hint = match hints {
        0 => String::new(),
        left => format!("[h]int ({left}) "),
    };
    let keys = format!(
        "  [n]ext {hint}[s]olution [t]ake it [r]eset [l]ist [p]redict \
         [q]uit"
    );
    format!("\n{}\n", painted(&keys, DIM))
}

/// The end of the moves; `is_book` if the server is the book's.
pub fn end(progress: &Progress, is_book: bool) -> String {
    let own = progress.solved.len();
    let text = if is_book {
        "**That's step 4, byte for byte.**"
    } else {
        "**That's step 4 in your own words:** every check passes."
    };
    paragraphs(&format!(
        "{text}\n\nYou began with a server that froze at the first heavy \
         request. Now it starts its threads once, shares work among them, \
         survives a panic, and answers everyone while it counts. You solved \
         {own} tasks with your own code. On the way, your server was frozen \
         for {} altogether.\n\nTry it: `cd my-server`, `cargo run`, and open \
         http://127.0.0.1:3000/. It still can't refuse requests, report \
         progress or cancel: steps 5 to 7 add that. The exercises come next: \
         press n.",
        short(Duration::from_secs_f64(progress.frozen_ms / 1000.0)),
    ))
}
