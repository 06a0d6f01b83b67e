//! What the terminal shows, in at most 80 columns.

use std::{fmt::Write, path::Path, time::Duration};

use anstyle::{AnsiColor, Effects, Style};
use common::short;
use similar::TextDiff;
use textwrap::Options;

use crate::{
    Report,
    check::Seen,
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
        let margin =
            Options::new(WIDTH).initial_indent("  ").subsequent_indent("  ");
        let _ = writeln!(text, "{}\n", textwrap::fill(&plain, margin));
    }
    text
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
    let mut text = report.messages.clone();
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
        let margin = Options::new(WIDTH)
            .initial_indent("  Not yet: ")
            .subsequent_indent("  ");
        // A server's output may have many lines.
        for (number, line) in missing.lines().enumerate() {
            text += &match number {
                0 => textwrap::fill(line, &margin),
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
        painted(&format!("{:16}counted by: {counted}\n", ""), DIM)
    });
    let blocking = "█".repeat(LANE);
    let (lane, verdict) = if seen.frozen {
        let verdict = format!("FROZEN for {}", time(seen.waited_ms));
        (painted(&"x".repeat(LANE), RED), painted(&verdict, RED))
    } else {
        let verdict = format!("ALIVE, {} answered", seen.meanwhile);
        (painted(&"▁".repeat(LANE), GREEN), painted(&verdict, GREEN))
    };
    format!(
        "  /blocking     {blocking} {}\n  /non-blocking {lane} {verdict}\n{}",
        time(seen.blocking_ms),
        counting.unwrap_or_default(),
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
            // As wide as it can be: these are lines of code.
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
    text
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
        "  [n]ext {hint}[s]olution [t]ake it over [r]eset [l]ist [p]redict \
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
