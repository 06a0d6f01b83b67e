//! A file's items, each with the name by which it finds its counterpart.

use std::ops::Range;

use crate::{
    rows::lines,
    words::{Kind, Word, words},
};

/// A function, a type or another item of a file, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    /// Its name: `main`, `Pool`, `impl Drop for Pool`, `Pool::submit`.
    pub name: String,
    /// Its lines, with the comments just above it.
    pub text: &'a str,
    /// Whether it is a method, or stands in a module.
    pub is_inner: bool,
}

/// The items of a file, each before its parts. The header and what the file
/// imports are none.
///
/// This goes by braces and empty lines, as rustfmt leaves them, not by a parser:
/// it takes any text, and costs no build.
pub fn items(source: &str) -> Vec<Item<'_>> {
    let words = words(source);
    let starts: Vec<usize> = [0]
        .into_iter()
        .chain(source.match_indices('\n').map(|(at, _)| at + 1))
        .chain([source.len()])
        .collect();
    let text = |lines: Range<usize>| {
        source[starts[lines.start]..starts[lines.end]].trim_matches('\n')
    };
    let units = units(&lines(&words));
    let mut container_ends = 0;
    let mut items = Vec::new();
    for (i, Unit { name, is_preamble, lines }) in units.iter().enumerate() {
        if *is_preamble || name.is_empty() || name.starts_with("end of ") {
            continue;
        }
        let end = format!("end of {name}");
        let rest = units[i..].iter();
        let end =
            rest.filter(|it| it.name == end).map(|it| it.lines.end).next();
        let is_inner = lines.start < container_ends;
        container_ends = end.unwrap_or(container_ends);
        let text = text(lines.start..end.unwrap_or(lines.end));
        items.push(Item { name: name.clone(), text, is_inner });
    }
    items
}

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
        "fn", "struct", "enum", "const", "static", "type", "trait", "mod",
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
    let name = words.windows(2).find(is_declared).map(|pair| pair[1]);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_has_its_comments_and_a_whole_comes_before_its_parts() {
        let source = "//! A header.\n\nuse std::io;\n\n/// A pool.\n#[derive(Debug)]\n\
            pub struct Pool {\n    size: u8,\n}\n\nimpl Drop for Pool {\n    \
            /// Ends it.\n    fn drop(&mut self) {\n\n        end();\n    }\n}\n\n\
            async fn main() {}\n";
        let found = items(source);
        let names: Vec<_> =
            found.iter().map(|it| (it.name.as_str(), it.is_inner)).collect();
        assert_eq!(
            names,
            [
                ("Pool", false),
                ("impl Drop for Pool", false),
                ("Pool::drop", true),
                ("main", false)
            ]
        );
        assert!(found[0].text.starts_with("/// A pool.\n#[derive"));
        assert!(found[1].text.ends_with("    }\n}"), "{}", found[1].text);
        assert!(found[2].text.starts_with("    /// Ends it.\n"));
    }
}
