//! A file's items, each with the name by which it finds its counterpart.

use std::ops::Range;

use crate::words::{Kind, Word};

/// Some lines that belong together: a function with its comments, a type.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unit {
    /// In which type it stands and what it is, as in `Pool::submit`.
    pub name: String,
    /// Whether it is the header of the file, or what the file imports.
    pub is_preamble: bool,
    /// Its lines, counted from 0, and the empty ones after them.
    pub lines: Range<usize>,
}

/// Takes a file apart, at the empty lines between items and between methods.
/// All units, one after another, are all lines.
///
/// This goes by braces and empty lines, as rustfmt leaves them, not by a parser:
/// it takes any text, and costs no build.
pub(crate) fn units(lines: &[Vec<Word<'_>>]) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    // What the unit is in, as `impl Pool`, and where the unit begins.
    let mut container: Option<String> = None;
    let mut start = 0;
    let mut depth = 0;
    for (i, line) in lines.iter().enumerate() {
        let before = depth;
        depth = after(depth, line);
        let next_is_empty = lines.get(i + 1).is_none_or(|it| is_empty(it));
        let opens = before == 0
            && depth == 1
            && line.iter().any(|it| it.text == "{")
            && container_name(&lines[start..=i]).is_some();
        let closes = container.is_some() && depth == 0;
        let base = usize::from(container.is_some());
        let ends = opens
            || closes
            // The last method, and then the brace that closes its type.
            || depth == 1 && base == 1 && closing(lines.get(i + 1))
            || is_empty(line) && depth <= base && !next_is_empty;
        if !ends && i + 1 < lines.len() {
            continue;
        }
        let unit = &lines[start..=i];
        let is_preamble = container.is_none() && is_preamble(unit);
        if let Some(last) =
            units.last_mut().filter(|it| it.is_preamble && is_preamble)
        {
            last.lines.end = i + 1;
            start = i + 1;
            continue;
        }
        let name = match &container {
            Some(of) if closes => format!("end of {of}"),
            Some(of) => {
                // The last word without its generics.
                let of = of.rsplit(' ').next().unwrap_or(of);
                let of = of.split('<').next().unwrap_or(of);
                name(unit).map_or(of.into(), |it| format!("{of}::{it}"))
            }
            None => container_name(unit)
                .filter(|_| opens)
                .or_else(|| name(unit))
                .unwrap_or_default(),
        };
        units.push(Unit { name, is_preamble, lines: start..i + 1 });
        start = i + 1;
        if opens {
            container = container_name(unit);
        } else if closes {
            container = None;
        }
    }
    units
}

/// A line without a word.
pub(crate) fn is_empty(line: &[Word<'_>]) -> bool {
    line.iter().all(|it| it.text.trim().is_empty())
}

fn closing(line: Option<&Vec<Word<'_>>>) -> bool {
    line.is_some_and(|line| line.first().is_some_and(|it| it.text == "}"))
}

fn after(depth: usize, line: &[Word<'_>]) -> usize {
    let plain = line.iter().filter(|it| it.kind == Kind::Plain);
    plain.fold(depth, |depth, it| match it.text {
        "{" | "(" | "[" => depth + 1,
        "}" | ")" | "]" => depth.saturating_sub(1),
        _ => depth,
    })
}

/// The words of the first line that is neither comment nor attribute.
fn first_line<'a>(unit: &'a [Vec<Word<'a>>]) -> Vec<&'a str> {
    let code = unit.iter().map(|line| {
        let words = line.iter().filter(|it| it.kind != Kind::Comment);
        words.map(|it| it.text).filter(|it| !it.trim().is_empty())
    });
    let mut code = code.map(Iterator::collect::<Vec<_>>);
    code.find(|it| !it.is_empty() && it[0] != "#").unwrap_or_default()
}

/// `impl Pool`, if that is what the lines open.
fn container_name(unit: &[Vec<Word<'_>>]) -> Option<String> {
    let words = first_line(unit);
    let kind = words.iter().find(|it| ["impl", "mod", "trait"].contains(it))?;
    if words.contains(&"fn") || words.contains(&";") {
        return None;
    }
    let all = words.iter().skip_while(|it| *it != kind);
    let all = all.take_while(|it| **it != "{" && **it != "where");
    let mut name = String::new();
    for word in all {
        let is_word = word.starts_with(|it: char| it.is_alphanumeric());
        if is_word
            && name.ends_with(|it: char| it.is_alphanumeric() || it == '>')
        {
            name.push(' ');
        }
        name.push_str(word);
    }
    Some(name)
}

fn name(unit: &[Vec<Word<'_>>]) -> Option<String> {
    let words = first_line(unit);
    let declares = [
        "fn",
        "struct",
        "enum",
        "union",
        "const",
        "static",
        "type",
        "trait",
        "macro_rules",
        "mod",
        "impl",
    ];
    let is_declared = |pair: &&[&str]| {
        declares.contains(&pair[0])
            && !declares.contains(&pair[1])
            && !["async", "unsafe", "mut", "<"].contains(&pair[1])
    };
    if is_preamble(unit) {
        return Some("header and imports".into());
    }
    let name = words.windows(2).find(is_declared).map(|pair| match pair[1] {
        "!" => words.last().copied().unwrap_or_default(),
        name => name,
    });
    name.or(words.first().copied()).map(str::to_owned)
}

/// Whether these lines are about the file, `mod x;` or `use x;`.
fn is_preamble(unit: &[Vec<Word<'_>>]) -> bool {
    let words = first_line(unit);
    let code = words.iter().skip_while(|it| **it == "pub");
    match code.clone().next() {
        // Comments alone, as at the top of a file.
        None => unit.iter().any(|line| !is_empty(line)),
        Some(&"use") => true,
        Some(&"mod") => words.contains(&";"),
        _ => false,
    }
}
