//! The difference between two steps in the terminal.

use std::{env, io::Write};

use anstyle::{AnsiColor, Style};
use console::Term;
use textwrap::{Options, WordSplitter, core::display_width};

use crate::{Change, Difference, File, Kind, Line, Piece, Row};

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
pub fn print(before: usize, after: usize) -> Result<(), String> {
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
        let rule = "─".repeat(width.saturating_sub(display_width(&title)));
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
    let width = (width - display_width(SEPARATOR)) / 2;
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
    let text = line.text();
    let indentation = text.len() - text.trim_start_matches(' ').len();
    let margin = MARGIN + indentation.min((width - MARGIN) / 2);
    let hanging = " ".repeat(margin + 2);
    let words = line.pieces.iter().map(|piece| words(piece, style));
    let number = format!("{:>4} {sign}", line.number);
    let line =
        format!("{} {}", paint(style, &number), words.collect::<String>());
    // A word that is split would be painted on.
    let options = Options::new(width)
        .subsequent_indent(&hanging)
        .word_splitter(WordSplitter::NoHyphenation);
    let lines = textwrap::wrap(&line, options).into_iter().map(|line| {
        let padding = width.saturating_sub(display_width(&line));
        line.into_owned() + &" ".repeat(padding)
    });
    lines.collect()
}

/// A piece's words, each painted: no colour continues where a line is wrapped.
/// What a terminal would obey is replaced.
fn words(piece: &Piece, changed: Style) -> String {
    let style = match piece.changed {
        true => changed.bold().underline(),
        false => colour(piece.kind),
    };
    let text = piece.text.trim_end_matches(['\r', '\n']);
    let text = text.replace('\t', "    ").replace(char::is_control, "\u{fffd}");
    let words = text.split(' ').map(|word| match word {
        "" => String::new(),
        word => paint(style, word),
    });
    words.collect::<Vec<_>>().join(" ")
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
                    assert!(display_width(line) <= width, "{width}: {line}");
                }
                assert_eq!(text.contains('│'), width >= 100, "{text}");
            }
        }
    }

    #[test]
    fn a_long_line_hangs_at_its_indentation_and_keeps_every_character() {
        let text = "    one(two) three four \x1b[2J世界世界世界世界世界世界\n";
        let file = File::new("main.rs", None, Some(text));
        let line = file.parts[0].rows[0].new.as_ref().expect("it is new");
        let lines = cell(line, ('+', NEW), 32);
        let lines = lines.iter().map(|line| strip_str(line).to_string());
        assert_eq!(
            lines.collect::<Vec<_>>(),
            [
                "   1 +     one(two) three four  ",
                "             \u{fffd}[2J世界世界世界世 ",
                "             界世界世界         ",
            ]
        );
    }
}
