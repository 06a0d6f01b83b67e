//! A file's functions and types.

use std::ops::Range;

/// A function, a type or another item of a file, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its name: `main`, `Pool`, `impl Drop for Pool`, `Pool::submit`.
    pub name: String,
    /// Its lines, with the comments just above it.
    pub text: String,
    /// Whether it is a method, or inside a module.
    pub is_inner: bool,
    /// Its lines, counted from 0, and the empty ones after them.
    pub(crate) lines: Range<usize>,
}

/// The items of a file, each before its parts, without the header and the
/// imports.
///
/// They are found by their indentation and the empty lines between them, which
/// rustfmt guarantees, so this takes any text and needs no parser.
pub fn items(source: &str) -> Vec<Item> {
    let all: Vec<&str> = source.split_inclusive('\n').collect();
    let item = |name, lines: Range<usize>, is_inner| {
        let text = all[lines.clone()].concat().trim_end().into();
        Item { name, text, is_inner, lines }
    };
    let code = |lines: &Range<usize>| lines.clone().find(|i| is_code(all[*i]));
    let mut items = Vec::new();
    for block in blocks(&all, 0..all.len(), 0) {
        let Some(first) = code(&block).filter(|i| !is_import(all[*i])) else {
            continue;
        };
        let Some(container) = container(all[first]) else {
            items.push(item(name(all[first]).into(), block, false));
            continue;
        };
        let closes = block.clone().rfind(|i| all[*i].starts_with('}'));
        let inside = first + 1..closes.unwrap_or(block.end);
        // Its last word without its generics: `Pool` of `impl Drop for Pool`.
        let it = container.rsplit(' ').next().unwrap_or(container);
        let it = it.split('<').next().unwrap_or(it);
        items.push(item(container.into(), block, false));
        for block in blocks(&all, inside, 4) {
            if let Some(first) = code(&block) {
                let name = format!("{it}::{}", name(all[first]));
                items.push(item(name, block, true));
            }
        }
    }
    items
}

/// The paragraphs of these lines, with the empty lines after them. One that
/// begins further to the right than `margin` belongs to the one before.
fn blocks(
    all: &[&str],
    lines: Range<usize>,
    margin: usize,
) -> Vec<Range<usize>> {
    let mut blocks: Vec<Range<usize>> = Vec::new();
    let mut is_after_empty = false;
    for i in lines {
        let code = all[i].trim_start();
        let indentation = all[i].len() - code.len();
        let is_empty = code.is_empty();
        match blocks.last_mut() {
            Some(block)
                if is_empty || !is_after_empty || indentation > margin =>
            {
                block.end = i + 1;
            }
            _ => blocks.push(i..i + 1),
        }
        is_after_empty = is_empty;
    }
    blocks
}

/// Whether a line is neither empty nor a comment nor an attribute.
fn is_code(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with("//") && !line.starts_with('#')
}

fn is_import(code: &str) -> bool {
    let code = code.trim_end().trim_start_matches("pub ");
    code.starts_with("use ") || code.starts_with("mod ") && code.ends_with(';')
}

/// `impl Pool`, if this line opens it.
fn container(code: &str) -> Option<&str> {
    let code = code.strip_suffix("{\n")?.trim_start_matches("pub ");
    let is_one =
        ["impl", "mod ", "trait "].iter().any(|it| code.starts_with(it));
    is_one.then_some(code.trim_end())
}

/// What this line declares, or its first word.
fn name(code: &str) -> &str {
    const DECLARE: [&str; 8] =
        ["fn", "struct", "enum", "const", "static", "type", "trait", "mod"];
    let is_name = |it: char| it.is_alphanumeric() || it == '_';
    let words = code.split(|it| !is_name(it)).filter(|it| !it.is_empty());
    let words: Vec<&str> = words.collect();
    let declared = words
        .windows(2)
        .find(|pair| DECLARE.contains(&pair[0]) && pair[1] != "fn");
    let first = words.first().copied().unwrap_or_default();
    declared.map_or(first, |pair| pair[1])
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
        let [pool, whole, part, main] = &items(source)[..] else {
            panic!("{:?}", items(source))
        };
        assert_eq!((&*pool.name, &*main.name), ("Pool", "main"));
        assert!(pool.text.starts_with("/// A pool.\n#[derive"));
        assert_eq!(
            (&*whole.name, whole.is_inner),
            ("impl Drop for Pool", false)
        );
        assert!(whole.text.ends_with("    }\n}"), "{whole:?}");
        assert_eq!((&*part.name, part.is_inner), ("Pool::drop", true));
        assert!(part.text.starts_with("    /// Ends it.\n"), "{part:?}");
    }
}
