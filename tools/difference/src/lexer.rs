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

/// The length and kind of the token at the start of the text: of Rust as the
/// steps have it, without raw strings or comments between `/*` and `*/`.
fn token(text: &str) -> (usize, Kind) {
    let (word, after) = text.split_at(word(text));
    let kind = match word {
        "/" if after.starts_with('/') => {
            return (run(text, |character| character != '\n'), Kind::Comment);
        }
        "\"" => return (1 + string(after), Kind::Text),
        "'" => {
            let is_escape = after.starts_with('\\');
            let end = after.char_indices().nth(1 + usize::from(is_escape));
            return match end {
                Some((at, '\'')) => (at + 2, Kind::Text),
                _ => (1 + run(after, is_name), Kind::Type),
            };
        }
        _ if word.starts_with(|first: char| first.is_ascii_digit()) => {
            Kind::Number
        }
        _ if KEYWORDS.contains(&word) => Kind::Keyword,
        _ if PRIMITIVES.contains(&word) => Kind::Type,
        _ if word.starts_with(char::is_uppercase) => Kind::Type,
        _ if word.starts_with(is_name) && after.starts_with(['(', '!']) => {
            Kind::Function
        }
        _ => Kind::Plain,
    };
    (word.len(), kind)
}

/// The length of the rest of a string, with the quotation mark that ends it.
fn string(text: &str) -> usize {
    let mut is_escaped = false;
    let end = text.find(|character| {
        let ends = character == '"' && !is_escaped;
        is_escaped = character == '\\' && !is_escaped;
        ends
    });
    end.map_or(text.len(), |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_has_its_colours() {
        let text =
            "pub fn f(x: &'a u8) -> Vec { g!('b', '\\n', 1) \"\\\"\" } // h";
        let of_kind = |kind| -> String {
            let words = lex(text).into_iter();
            words
                .filter(|word| word.kind == kind)
                .map(|word| word.text)
                .collect()
        };
        assert_eq!(of_kind(Kind::Keyword), "pubfn");
        assert_eq!(of_kind(Kind::Function), "fg");
        assert_eq!(of_kind(Kind::Type), "'au8Vec");
        assert_eq!(of_kind(Kind::Text), "'b''\\n'\"\\\"\"");
        assert_eq!(of_kind(Kind::Number), "1");
        assert_eq!(of_kind(Kind::Comment), "// h");
    }
}
