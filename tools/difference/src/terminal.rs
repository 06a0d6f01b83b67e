//! The difference of two steps in the terminal.

use std::{env, io::Write};

use anstyle::{AnsiColor, Style};
use console::Term;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::{Change, Difference, Error, File, Kind, Line, Part, Row};

/// From how many columns on two files stand side by side.
const SIDE_BY_SIDE: usize = 100;

/// The number of a line, its sign, and the spaces around them.
const MARGIN: usize = 7;

/// Where the output is no terminal and `COLUMNS` doesn't say it.
const WIDTH: usize = 100;

const SEPARATOR: &str = " │ ";

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const CAPTION: Style = AnsiColor::Cyan.on_default().bold();
const OLD: Style = AnsiColor::Red.on_default();
const NEW: Style = AnsiColor::Green.on_default();

/// Prints what differs between two steps, by their numbers. Colours go where
/// they are wanted: see `NO_COLOR` and `CLICOLOR_FORCE`. `COLUMNS` sets the
/// width.
///
/// # Errors
/// When there is no such step, or a file can't be read.
pub fn print(before: usize, after: usize) -> Result<(), Error> {
    let text = render(&Difference::between(before, after)?, width());
    // It fails when the reader has seen enough, as `head` has.
    write!(anstream::stdout(), "{text}").ok();
    Ok(())
}

fn width() -> usize {
    let columns = env::var("COLUMNS").ok().and_then(|it| it.parse().ok());
    let of_terminal = || Term::stdout().size_checked().map(|it| it.1.into());
    columns.or_else(of_terminal).unwrap_or(WIDTH).max(MARGIN + 20)
}

/// All that differs, with the escape sequences for its colours, in lines of
/// at most `width` columns: side by side from 100 columns on.
fn render(difference: &Difference, width: usize) -> String {
    let mut screen = Screen { width, text: String::new() };
    let (old, new) = difference.steps;
    for file in &difference.files {
        screen.file(old, new, file);
    }
    screen.text
}

struct Screen {
    width: usize,
    text: String,
}

impl Screen {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// The columns of text for each of two files.
    fn column(&self) -> usize {
        (self.width - SEPARATOR.width()) / 2
    }

    fn file(&mut self, old: &str, new: &str, file: &File) {
        let name = &file.name;
        let both = file.in_old && file.in_new;
        let title = match (both, file.in_new) {
            (true, _) => format!("{name}: {old} → {new}"),
            (false, true) => format!("{name}: new in {new}"),
            (false, false) => format!("{name}: gone in {new}"),
        };
        let rule = "─".repeat(self.width.saturating_sub(title.width() + 4));
        self.line(&paint(BOLD, &format!("── {title} {rule}")));
        for part in file.parts.iter().filter(|it| !it.is_blank()) {
            self.part(part, both);
        }
        self.line("");
    }

    fn part(&mut self, part: &Part, both: bool) {
        if part.folded {
            let text = format!("{:>MARGIN$}{}", "⋯ ", part.caption);
            self.line(&paint(DIM, &text));
            return;
        }
        if both {
            let text = format!("{:MARGIN$}{}", "", part.caption);
            self.line(&paint(CAPTION, &text));
        }
        for row in &part.rows {
            if both && self.width >= SIDE_BY_SIDE {
                self.side_by_side(row);
            } else {
                self.one_below(row);
            }
        }
    }

    fn side_by_side(&mut self, row: &Row) {
        let width = self.column();
        let (old, new) = signs(row.change());
        let left = row.old.as_ref().map(|it| cell(it, old, width));
        let right = row.new.as_ref().map(|it| cell(it, new, width));
        let length =
            |cell: &Option<Vec<String>>| cell.as_ref().map_or(1, Vec::len);
        let hatched = paint(DIM, &"╱".repeat(width));
        let empty = " ".repeat(width);
        let line = |cell: &Option<Vec<String>>, i: usize| match cell {
            None => hatched.clone(),
            Some(lines) => lines.get(i).unwrap_or(&empty).clone(),
        };
        for i in 0..length(&left).max(length(&right)) {
            let separator = paint(DIM, SEPARATOR);
            let both = [line(&left, i), separator, line(&right, i)];
            self.line(&both.concat());
        }
    }

    fn one_below(&mut self, row: &Row) {
        let (old, new) = signs(row.change());
        let old_line = row.old.as_ref();
        let old_line = old_line.filter(|_| row.change() != Change::Same);
        let lines = old_line.map(|it| cell(it, old, self.width));
        let new_lines = row.new.as_ref().map(|it| cell(it, new, self.width));
        for line in lines.into_iter().chain(new_lines).flatten() {
            self.line(&line);
        }
    }
}

type Sign = (char, Style);

fn signs(change: Change) -> (Sign, Sign) {
    match change {
        Change::Same => ((' ', DIM), (' ', DIM)),
        _ => (('-', OLD), ('+', NEW)),
    }
}

/// A line as lines of that many columns. Those after the first hang at its
/// indentation.
fn cell(line: &Line, sign: Sign, width: usize) -> Vec<String> {
    let (sign, style) = sign;
    let characters = characters(line, style);
    let is_space = |it: &(char, Style)| it.0 == ' ';
    let indentation = characters.iter().take_while(|it| is_space(it)).count();
    let room = width - MARGIN;
    let hanging = (indentation + 2).min(room / 2);
    let mut lines = Vec::new();
    let mut rest = characters.as_slice();
    loop {
        let first = lines.is_empty();
        let margin = match first {
            true => paint(style, &format!("{:>4} {sign} ", line.number)),
            false => " ".repeat(MARGIN + hanging),
        };
        let room = if first { room } else { room - hanging };
        let at_least = if first { indentation + 1 } else { 1 };
        let (now, later) = rest.split_at(fitting(rest, room, at_least));
        let used: usize = now.iter().map(|it| columns(it.0)).sum();
        let padding = " ".repeat(room.saturating_sub(used));
        lines.push(format!("{margin}{}{padding}", painted(now)));
        if later.is_empty() {
            return lines;
        }
        rest = later;
    }
}

/// How many of the characters fit into a line: up to a space or the next call
/// of a chain, or else to arguments, if they are behind the first `at_least`.
fn fitting(
    characters: &[(char, Style)],
    room: usize,
    at_least: usize,
) -> usize {
    let mut used = 0;
    let fit = characters.iter().position(|it| {
        used += columns(it.0);
        used > room
    });
    let Some(fit) = fit else { return characters.len() };
    let between = |i: usize| (characters[i - 1].0, characters[i].0);
    let last = |breaks: fn((char, char)) -> bool| {
        (at_least + 1..=fit).rev().find(|&i| breaks(between(i)))
    };
    last(|it| it.0 == ' ' || it == (')', '.'))
        .or_else(|| last(|it| it.0 == '(' && it.1 != ')'))
        .unwrap_or(fit)
        .max(1)
}

fn columns(character: char) -> usize {
    character.width().unwrap_or(0)
}

/// What a terminal can show of a line.
fn characters(line: &Line, changed: Style) -> Vec<(char, Style)> {
    let mut characters = Vec::new();
    for piece in &line.pieces {
        let style = match piece.changed {
            true => changed.bold().underline(),
            false => colour(piece.kind),
        };
        for it in piece.text.trim_end_matches(['\r', '\n']).chars() {
            match it {
                '\t' => characters.extend([(' ', style); 4]),
                _ if it.is_control() => {
                    characters.push((char::REPLACEMENT_CHARACTER, style));
                }
                _ => characters.push((it, style)),
            }
        }
    }
    characters
}

fn colour(kind: Kind) -> Style {
    match kind {
        Kind::Plain => Style::new(),
        Kind::Comment => DIM.italic(),
        Kind::Keyword => AnsiColor::Magenta.on_default(),
        Kind::Type => AnsiColor::Yellow.on_default(),
        Kind::Function => AnsiColor::Blue.on_default(),
        Kind::Text | Kind::Number => AnsiColor::Cyan.on_default(),
    }
}

fn painted(characters: &[(char, Style)]) -> String {
    let runs = characters.chunk_by(|a, b| a.1 == b.1);
    let run = |run: &[(char, Style)]| {
        let text: String = run.iter().map(|it| it.0).collect();
        paint(run[0].1, &text)
    };
    runs.map(run).collect()
}

fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;

    use super::*;

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in [60, 80, 100, 120, 200] {
            for difference in Difference::all().expect("the steps are there") {
                let text = render(&difference, width);
                for line in strip_str(&text).to_string().lines() {
                    assert!(line.width() <= width, "{width}: {line}");
                }
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_keeps_its_characters_and_the_width(
            text in "(?s).{0,80}", width in MARGIN + 20..60,
        ) {
            let file = File::new("main.rs", None, Some(&text));
            for row in &file.parts[0].rows {
                let line = row.new.as_ref().expect("it is new");
                let mut shown = String::new();
                for it in cell(line, ('+', NEW), width) {
                    let it = strip_str(&it).to_string();
                    let used: usize = it.chars().map(columns).sum();
                    assert!(used <= width, "{it}");
                    shown += &it;
                }
                let letters = |text: &str| {
                    text.matches(char::is_alphabetic).collect::<String>()
                };
                assert_eq!(letters(&shown), letters(&line.text()));
            }
        }
    }

    #[test]
    fn two_columns_stand_side_by_side_where_they_have_room() {
        let difference = Difference::between(1, 2).expect("both are there");
        let narrow = strip_str(&render(&difference, 99)).to_string();
        let wide = strip_str(&render(&difference, 100)).to_string();
        assert!(!narrow.contains('│'), "{narrow}");
        assert!(wide.contains('│'), "{wide}");
    }

    #[test]
    fn a_long_line_hangs_at_its_indentation() {
        let text = "    one two three four five six seven eight\n";
        let file = File::new("main.rs", None, Some(text));
        let line = file.parts[0].rows[0].new.as_ref().expect("it is new");
        let lines = cell(line, ('+', NEW), 32);
        let lines: Vec<_> = lines
            .iter()
            .map(|it| strip_str(it).to_string().trim_end().to_owned())
            .collect();
        assert_eq!(
            lines,
            [
                "   1 +     one two three four",
                "             five six seven",
                "             eight"
            ]
        );
    }
}
