//! A file's items, each with the name used to find its counterpart.

use std::ops::Range;

/// A function, a type or another item of a file, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    /// Its name: `main`, `Pool`, `impl Drop for Pool`, `Pool::submit`.
    pub name: String,
    /// Its lines, with the comments just above it.
    pub text: &'a str,
    /// Whether it is a method, or inside a module.
    pub is_inner: bool,
}

/// The items of a file, each before its parts, without the header and the
/// imports.
///
/// They are found by their indentation and the empty lines between them, which
/// rustfmt guarantees, so this takes any text and needs no parser.
pub fn items(source: &str) -> Vec<Item<'_>> {
    let starts = source.split_inclusive('\n').scan(0, |end, line| {
        let start = *end;
        *end += line.len();
        Some(start)
    });
    let starts: Vec<usize> = starts.chain([source.len()]).collect();
    let text = |lines: Range<usize>| {
        source[starts[lines.start]..starts[lines.end]].trim_matches('\n')
    };
    let units = units(source);
    let mut container_end = 0;
    let mut items = Vec::new();
    for (i, Unit { name, is_preamble, lines }) in units.iter().enumerate() {
        if *is_preamble || name.is_empty() || name.starts_with("end of ") {
            continue;
        }
        let is_inner = lines.start < container_end;
        let end_name = format!("end of {name}");
        let end = units[i..].iter().find(|unit| unit.name == end_name);
        let mut end_line = lines.end;
        if let Some(end) = end {
            (end_line, container_end) = (end.lines.end, end.lines.end);
        }
        let text = text(lines.start..end_line);
        items.push(Item { name: name.clone(), text, is_inner });
    }
    items
}

/// Lines that belong together: a function with its comments, a type.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unit {
    /// Its type and its own name, as in `Pool::submit`.
    pub name: String,
    /// Whether it is the file's header, or its imports.
    pub is_preamble: bool,
    /// Its lines, counted from 0, and the empty ones after them.
    pub lines: Range<usize>,
}

/// Splits a file at the empty lines between items and between methods. The
/// units together are all of its lines.
pub(crate) fn units(source: &str) -> Vec<Unit> {
    let lines: Vec<&str> = source.split_inclusive('\n').collect();
    let mut units: Vec<Unit> = Vec::new();
    // The item around the unit, such as `impl Pool`, and where the unit begins.
    let mut container: Option<String> = None;
    let mut start = 0;
    for (i, line) in lines.iter().enumerate() {
        let next = lines.get(i + 1).copied().unwrap_or_default();
        let code = first_line(&lines[start..=i]);
        let opened = container_name(code).filter(|_| {
            container.is_none()
                && line.trim_end().ends_with('{')
                && !line.starts_with(' ')
        });
        let closes = container.is_some() && line.starts_with('}');
        let indentation = next.len() - next.trim_start().len();
        let ends = opened.is_some()
            || closes
            // The last method, and then the brace that closes its type.
            || container.is_some() && next.starts_with('}')
            || line.trim().is_empty()
                && !next.trim().is_empty()
                && indentation <= if container.is_some() { 4 } else { 0 };
        if !ends && i + 1 < lines.len() {
            continue;
        }
        let is_blank =
            lines[start..=i].iter().all(|line| line.trim().is_empty());
        let is_preamble = container.is_none() && !is_blank && is_preamble(code);
        let lines = start..i + 1;
        start = i + 1;
        match units.last_mut() {
            Some(last) if last.is_preamble && is_preamble => {
                last.lines.end = lines.end;
                continue;
            }
            _ => (),
        }
        let name = match &container {
            Some(container) if closes => format!("end of {container}"),
            Some(container) => {
                // Its last word without its generics.
                let it = container.rsplit(' ').next().unwrap_or(container);
                let it = it.split('<').next().unwrap_or(it);
                name(code).map_or(it.into(), |name| format!("{it}::{name}"))
            }
            None if is_preamble => "header and imports".into(),
            None => opened
                .clone()
                .or_else(|| name(code).map(str::to_owned))
                .unwrap_or_default(),
        };
        units.push(Unit { name, is_preamble, lines });
        if closes {
            container = None;
        }
        container = container.or(opened);
    }
    units
}

/// The first line that is neither empty nor a comment nor an attribute.
fn first_line<'a>(unit: &[&'a str]) -> Option<&'a str> {
    let mut lines = unit.iter().map(|line| line.trim());
    lines.find(|line| {
        !line.is_empty() && !line.starts_with("//") && !line.starts_with('#')
    })
}

/// `impl Pool`, if this line opens it.
fn container_name(code: Option<&str>) -> Option<String> {
    let code = code?.trim_end_matches('{').trim_end();
    let kind = |word: &&str| ["impl", "mod", "trait"].contains(word);
    let kind = identifiers(code).find(kind)?;
    let is_other =
        code.ends_with(';') || identifiers(code).any(|word| word == "fn");
    (!is_other).then(|| code[code.find(kind).unwrap_or(0)..].to_owned())
}

fn name(code: Option<&str>) -> Option<&str> {
    const DECLARE: [&str; 9] = [
        "fn", "struct", "enum", "const", "static", "type", "trait", "mod",
        "impl",
    ];
    const QUALIFY: [&str; 3] = ["async", "unsafe", "mut"];
    let words: Vec<&str> = identifiers(code?).collect();
    let declared = words.windows(2).find(|pair| {
        let mut others = DECLARE.iter().chain(&QUALIFY);
        DECLARE.contains(&pair[0]) && others.all(|word| *word != pair[1])
    });
    declared.map(|pair| pair[1]).or(words.first().copied())
}

fn identifiers(code: &str) -> impl Iterator<Item = &str> {
    let is_name =
        |character: char| character.is_alphanumeric() || character == '_';
    code.split(move |character| !is_name(character))
        .filter(|word| !word.is_empty())
}

/// Whether a unit that begins like this belongs to the file: comments alone,
/// `mod x;` or `use x;`.
fn is_preamble(code: Option<&str>) -> bool {
    let Some(code) = code else { return true };
    let code = code.trim_start_matches("pub ");
    code.starts_with("use ") || code.starts_with("mod ") && code.ends_with(';')
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
        let names: Vec<_> = found
            .iter()
            .map(|item| (item.name.as_str(), item.is_inner))
            .collect();
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
