//! The difference between two steps in the terminal.

use std::{env, io::Write};

use anstyle::{AnsiColor, Style};
use console::Term;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::{Change, Difference, Error, File, Kind, Line, Row};

/// With this many columns or more, two files are shown side by side.
const SIDE_BY_SIDE: usize = 100;

/// A line's number, its sign, and the spaces around them.
const MARGIN: usize = 7;

/// Used if the output isn't a terminal and `COLUMNS` isn't set.
const WIDTH: usize = 100;

const SEPARATOR: &str = " │ ";

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const CAPTION: Style = AnsiColor::Cyan.on_default().bold();
const OLD: Style = AnsiColor::Red.on_default();
const NEW: Style = AnsiColor::Green.on_default();

/// Prints the difference between two steps, given their numbers. `NO_COLOR` and
/// `CLICOLOR_FORCE` control colours, and `COLUMNS` the width.
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
    let columns = env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    let of_terminal = || Some(Term::stdout().size_checked()?.1.into());
    columns.or_else(of_terminal).unwrap_or(WIDTH).max(MARGIN + 20)
}

/// Everything that differs, with the escape sequences for its colours, in lines
/// of at most `width` columns.
fn render(difference: &Difference, width: usize) -> String {
    let lines = difference.files.iter().flat_map(|file| {
        let (name, (old, new)) = (&file.name, difference.steps);
        let title = match (file.in_old, file.in_new) {
            (true, true) => format!("── {name}: {old} → {new} "),
            (_, true) => format!("── {name}: new in {new} "),
            (_, false) => format!("── {name}: gone in {new} "),
        };
        let rule = "─".repeat(width.saturating_sub(title.width()));
        let mut lines = vec![paint(BOLD, &(title + &rule))];
        lines.extend(parts(file, width));
        lines.push(String::new());
        lines
    });
    lines.map(|line| format!("{}\n", line.trim_end())).collect()
}

fn parts(file: &File, width: usize) -> Vec<String> {
    let both = file.in_old && file.in_new;
    let mut lines = Vec::new();
    for part in file.parts.iter().filter(|part| !part.is_blank()) {
        let caption = &part.caption;
        if part.folded {
            lines.push(paint(DIM, &format!("{:>MARGIN$}{caption}", "⋯ ")));
            continue;
        }
        if both {
            lines.push(paint(CAPTION, &format!("{:MARGIN$}{caption}", "")));
        }
        lines.extend(part.rows.iter().flat_map(|row| {
            if both && width >= SIDE_BY_SIDE {
                side_by_side(row, width)
            } else {
                one_below(row, width)
            }
        }));
    }
    lines
}

fn side_by_side(row: &Row, width: usize) -> Vec<String> {
    let width = (width - SEPARATOR.width()) / 2;
    let [(left, left_fill), (right, right_fill)] =
        sides(row).map(|(line, sign)| match line {
            Some(line) => (cell(line, sign, width), " ".repeat(width)),
            None => (Vec::new(), paint(DIM, &"╱".repeat(width))),
        });
    let height = left.len().max(right.len());
    let lines = (0..height).map(|i| {
        let left = left.get(i).unwrap_or(&left_fill);
        let right = right.get(i).unwrap_or(&right_fill);
        format!("{left}{}{right}", paint(DIM, SEPARATOR))
    });
    lines.collect()
}

fn one_below(row: &Row, width: usize) -> Vec<String> {
    // Unchanged lines are shown once.
    let skipped = usize::from(row.change() == Change::Same);
    let sides = sides(row).into_iter().skip(skipped);
    sides
        .flat_map(|(line, sign)| Some(cell(line?, sign, width)))
        .flatten()
        .collect()
}

type Sign = (char, Style);

fn sides(row: &Row) -> [(Option<&Line>, Sign); 2] {
    let (old, new) = match row.change() {
        Change::Same => ((' ', DIM), (' ', DIM)),
        _ => (('-', OLD), ('+', NEW)),
    };
    [(row.old.as_ref(), old), (row.new.as_ref(), new)]
}

/// A line as lines of `width` columns. The lines after the first hang at its
/// indentation.
fn cell(line: &Line, (sign, style): Sign, width: usize) -> Vec<String> {
    let characters = characters(line, style);
    let indentation =
        characters.iter().take_while(|pair| pair.0 == ' ').count();
    let hanging = (indentation + 2).min((width - MARGIN) / 2);
    let mut margin = paint(style, &format!("{:>4} {sign} ", line.number));
    let (mut room, mut at_least) = (width - MARGIN, indentation + 1);
    let mut lines = Vec::new();
    let mut rest = characters.as_slice();
    loop {
        let (now, later) = rest.split_at(fitting(rest, room, at_least));
        let used: usize = now.iter().map(|pair| columns(pair.0)).sum();
        let padding = " ".repeat(room.saturating_sub(used));
        lines.push(format!("{margin}{}{padding}", painted(now)));
        if later.is_empty() {
            return lines;
        }
        rest = later;
        margin = " ".repeat(MARGIN + hanging);
        (room, at_least) = (width - MARGIN - hanging, 1);
    }
}

/// How many of the characters fit into a line: up to a space or the next call
/// of a chain, or else up to arguments, if they come after the first
/// `at_least`.
fn fitting(
    characters: &[(char, Style)],
    room: usize,
    at_least: usize,
) -> usize {
    let mut used = 0;
    let fit = characters.iter().position(|(character, _)| {
        used += columns(*character);
        used > room
    });
    let Some(fit) = fit else { return characters.len() };
    let between = |i: usize| (characters[i - 1].0, characters[i].0);
    let last = |breaks: fn((char, char)) -> bool| {
        (at_least + 1..=fit).rev().find(|&i| breaks(between(i)))
    };
    last(|pair| pair.0 == ' ' || pair == (')', '.'))
        .or_else(|| last(|(before, after)| before == '(' && after != ')'))
        .unwrap_or(fit)
        .max(1)
}

fn columns(character: char) -> usize {
    character.width().unwrap_or(0)
}

/// The part of a line that a terminal can show.
fn characters(line: &Line, changed: Style) -> Vec<(char, Style)> {
    let characters = line.pieces.iter().flat_map(|piece| {
        let style = if piece.changed {
            changed.bold().underline()
        } else {
            colour(piece.kind)
        };
        let text = piece.text.trim_end_matches(['\r', '\n']);
        let text = text.replace('\t', "    ");
        let text = text.replace(char::is_control, "\u{fffd}");
        let characters: Vec<_> =
            text.chars().map(|character| (character, style)).collect();
        characters
    });
    characters.collect()
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
        let text: String = run.iter().map(|(character, _)| character).collect();
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
    fn two_columns_are_side_by_side_where_they_fit_and_no_line_is_wider() {
        for difference in Difference::all().expect("the steps are there") {
            for width in [60, 80, 99, 100, 120] {
                let text = render(&difference, width);
                let text = strip_str(&text).to_string();
                for line in text.lines() {
                    assert!(line.width() <= width, "{width}: {line}");
                }
                assert_eq!(text.contains('│'), width >= 100, "{text}");
            }
        }
    }

    #[test]
    fn a_long_line_hangs_at_its_indentation_and_keeps_every_character() {
        let text = "    one(two).three\tfour \x1b[2J世界世界世界世界世界世界\n";
        let file = File::new("main.rs", None, Some(text));
        let line = file.parts[0].rows[0].new.as_ref().expect("it is new");
        let lines = cell(line, ('+', NEW), 32);
        let lines = lines.iter().map(|line| strip_str(line).to_string());
        assert_eq!(
            lines.collect::<Vec<_>>(),
            [
                "   1 +     one(two).three       ",
                "             four               ",
                "             \u{fffd}[2J世界世界世界世 ",
                "             界世界世界         ",
            ]
        );
    }
}
