//! Splits Rust into words, each with its colour.
//!
//! This small lexer needs no grammar, takes any text, and costs nothing to
//! build: syntect or tree-sitter take longer than all of this workspace's
//! tools.

/// What a word is, and so its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// White space, punctuation, a variable or a module.
    Plain,
    /// A part of a comment or of documentation.
    Comment,
    /// A keyword.
    Keyword,
    /// A name that begins with a capital letter, or a primitive type.
    Type,
    /// A name that is called or declared as a function or a macro.
    Function,
    /// A part of a string, or a character.
    Text,
    /// A number.
    Number,
}

/// A word, a space or a sign. A text's words, joined together, are the text,
/// byte for byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Word<'a> {
    pub text: &'a str,
    pub kind: Kind,
}

const KEYWORDS: [&str; 37] = [
    "as", "async", "await", "break", "const", "continue", "crate", "dyn",
    "else", "enum", "extern", "false", "fn", "for", "if", "impl", "in", "let",
    "loop", "match", "mod", "move", "mut", "pub", "ref", "return", "self",
    "static", "struct", "super", "trait", "true", "type", "unsafe", "use",
    "where", "while",
];

const PRIMITIVES: [&str; 17] = [
    "bool", "char", "f32", "f64", "i128", "i16", "i32", "i64", "i8", "isize",
    "str", "u128", "u16", "u32", "u64", "u8", "usize",
];

/// Splits a text into words. Comments and strings are compared word by word
/// too, and no word continues past the end of its line.
pub(crate) fn lex(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (length, kind) = token(rest);
        let (mut token, after) = rest.split_at(length);
        while !token.is_empty() {
            let (text, others) = token.split_at(word(token));
            words.push(Word { text, kind });
            token = others;
        }
        rest = after;
    }
    words
}

/// The length of the word, the spaces or the sign at the start of the text.
fn word(text: &str) -> usize {
    let first = text.chars().next().unwrap_or_default();
    match first {
        ' ' => run(text, |character| character == ' '),
        _ if is_name(first) => run(text, is_name),
        _ => first.len_utf8(),
    }
}

fn is_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// How many bytes at the start of the text are characters of that kind.
fn run(text: &str, is_so: impl Fn(char) -> bool) -> usize {
    text.find(|character| !is_so(character)).unwrap_or(text.len())
}

/// The length and kind of the token at the start of the text.
fn token(text: &str) -> (usize, Kind) {
    let (word, after) = text.split_at(word(text));
    let up_to = |from: usize, end: &str| {
        let at = text[from..].find(end).map(|at| from + at + end.len());
        at.unwrap_or(text.len())
    };
    match word {
        "/" if after.starts_with('/') => {
            (text.find('\n').unwrap_or(text.len()), Kind::Comment)
        }
        "/" if after.starts_with('*') => (up_to(2, "*/"), Kind::Comment),
        "\"" => (string(text, 1), Kind::Text),
        "b" | "c" if after.starts_with('"') => (string(text, 2), Kind::Text),
        "r" | "br" | "cr" if after.trim_start_matches('#').starts_with('"') => {
            let hashes = run(after, |character| character == '#');
            let end = format!("\"{}", "#".repeat(hashes));
            (up_to(word.len() + hashes + 1, &end), Kind::Text)
        }
        "'" => {
            let mut inner = after.char_indices();
            let close = if after.starts_with('\\') {
                inner
                    .skip(2)
                    .find(|(_, character)| ['\'', '\n'].contains(character))
            } else {
                inner.nth(1)
            };
            match close {
                Some((at, '\'')) => (at + 2, Kind::Text),
                _ => (1 + run(after, is_name), Kind::Type),
            }
        }
        _ if word.starts_with(|first: char| first.is_ascii_digit()) => {
            (word.len(), Kind::Number)
        }
        _ => (word.len(), name(word, after)),
    }
}

/// The length of a string whose content begins at `start`.
fn string(text: &str, start: usize) -> usize {
    let mut is_escaped = false;
    let end = text[start..].find(|character| {
        let ends = character == '"' && !is_escaped;
        is_escaped = character == '\\' && !is_escaped;
        ends
    });
    end.map_or(text.len(), |at| start + at + 1)
}

fn name(name: &str, after: &str) -> Kind {
    let is_called = after.starts_with('(')
        || after.starts_with('!') && !after.starts_with("!=");
    if KEYWORDS.contains(&name) {
        Kind::Keyword
    } else if PRIMITIVES.contains(&name) || name.starts_with(char::is_uppercase)
    {
        Kind::Type
    } else if is_called && name.starts_with(is_name) {
        Kind::Function
    } else {
        Kind::Plain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_has_its_colours() {
        let text = "pub fn f(x: &'a u8) -> Vec<u8> { g!('b', 1) != c\"d\" }";
        let of_kind = |kind| -> String {
            let words = lex(text).into_iter();
            words
                .filter(|word| word.kind == kind)
                .map(|word| word.text)
                .collect()
        };
        assert_eq!(of_kind(Kind::Keyword), "pubfn");
        assert_eq!(of_kind(Kind::Function), "fg");
        assert_eq!(of_kind(Kind::Type), "'au8Vecu8");
        assert_eq!(of_kind(Kind::Text), "'b'c\"d\"");
        assert_eq!(of_kind(Kind::Number), "1");
    }

    #[test]
    fn a_string_or_comment_ends_where_it_ends() {
        for text in [
            r#""\"""#,
            r##"r#"""#"##,
            r#"b"\\""#,
            "/* a */",
            "'\\n'",
            "'\\''",
            "'\\u{41}'",
            "// a",
        ] {
            let both = format!("{text}\nlet");
            let words = lex(&both);
            let last = words.last().map(|word| (word.text, word.kind));
            assert_eq!(last, Some(("let", Kind::Keyword)), "{text}");
        }
    }
}
