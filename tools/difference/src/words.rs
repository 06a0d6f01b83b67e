//! Rust as words, each with what it is.
//!
//! A lexer of a hundred lines does for colours: it needs no grammar, takes
//! any text, and costs nothing to build, where syntect or tree-sitter compile
//! for longer than all of this workspace's tools.

/// What a word is, and so its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// White space, punctuation, a variable or a module.
    Plain,
    /// A part of a comment or of documentation.
    Comment,
    /// A word of the language.
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

/// A word, a space or a sign. All words of a text, one after another, are the
/// text to the byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

/// Takes a text apart.
pub(crate) fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (length, kind) = token(rest, first);
        let (token, after) = rest.split_at(length);
        let kind = match kind {
            Kind::Plain if is_name(first) => name(token, after),
            kind => kind,
        };
        split(token, kind, &mut words);
        rest = after;
    }
    words
}

/// How long the token is that opens the text. A name is plain here.
fn token(text: &str, first: char) -> (usize, Kind) {
    if text.starts_with("//") {
        return (text.find('\n').unwrap_or(text.len()), Kind::Comment);
    }
    if text.starts_with("/*") {
        return (block_comment(text), Kind::Comment);
    }
    if let Some(length) = string(text) {
        return (length, Kind::Text);
    }
    if first == '\'' {
        return match character(text) {
            Some(length) => (length, Kind::Text),
            // A lifetime.
            None => (1 + run(&text[1..], is_name), Kind::Type),
        };
    }
    if first.is_ascii_digit() {
        return (run(text, is_name), Kind::Number);
    }
    let same: fn(char) -> bool = match first {
        _ if is_name(first) => is_name,
        ' ' => |it| it == ' ',
        _ => return (first.len_utf8(), Kind::Plain),
    };
    (run(text, same), Kind::Plain)
}

fn is_name(it: char) -> bool {
    it.is_alphanumeric() || it == '_'
}

/// The bytes at the beginning of the text whose characters are so.
fn run(text: &str, is_so: impl Fn(char) -> bool) -> usize {
    text.find(|it| !is_so(it)).unwrap_or(text.len())
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let Some(next) =
            rest.find("/*").into_iter().chain(rest.find("*/")).min()
        else {
            return text.len();
        };
        depth += if rest[next..].starts_with("/*") { 1 } else { -1 };
        at += next + 2;
        if depth == 0 {
            return at;
        }
    }
}

/// The length of a string: plain, raw, of bytes or of C.
fn string(text: &str) -> Option<usize> {
    let prefix = run(text, |it| "bcr".contains(it));
    let hashes = run(&text[prefix..], |it| it == '#');
    let inner = prefix + hashes + 1;
    let is_raw = text[..prefix].ends_with('r');
    if prefix > 2
        || !text[prefix + hashes..].starts_with('"')
        || (hashes > 0 && !is_raw)
    {
        return None;
    }
    if is_raw {
        let end = format!("\"{}", "#".repeat(hashes));
        let length = text[inner..].find(&end).map(|at| inner + at + end.len());
        return Some(length.unwrap_or(text.len()));
    }
    let mut escaped = false;
    let end = text[inner..].find(|it| {
        let ends = it == '"' && !escaped;
        escaped = it == '\\' && !escaped;
        ends
    });
    Some(end.map_or(text.len(), |at| inner + at + 1))
}

/// The length of a character, unless it is a lifetime.
fn character(text: &str) -> Option<usize> {
    let mut inner = text[1..].chars();
    if inner.next()? == '\\' {
        let escape = 2 + inner.next()?.len_utf8();
        let end = text[escape..].find(['\'', '\n'])?;
        return text[escape + end..]
            .starts_with('\'')
            .then_some(escape + end + 1);
    }
    let end = text.len() - inner.as_str().len();
    inner.as_str().starts_with('\'').then_some(end + 1)
}

fn name(name: &str, after: &str) -> Kind {
    let is_called = || {
        after.starts_with('(')
            || after.starts_with('!') && !after.starts_with("!=")
    };
    if KEYWORDS.contains(&name) {
        Kind::Keyword
    } else if PRIMITIVES.contains(&name) || name.starts_with(char::is_uppercase)
    {
        Kind::Type
    } else if is_called() {
        Kind::Function
    } else {
        Kind::Plain
    }
}

/// Comments and strings are compared word by word too, and no word goes
/// beyond the end of its line.
fn split<'a>(token: &'a str, kind: Kind, words: &mut Vec<Word<'a>>) {
    let mut rest = token;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            _ if is_name(first) => run(rest, is_name),
            ' ' => run(rest, |it| it == ' '),
            _ => first.len_utf8(),
        };
        let (text, after) = rest.split_at(length);
        words.push(Word { text, kind });
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The words that aren't plain.
    fn coloured(text: &str) -> Vec<(&str, Kind)> {
        let words = words(text).into_iter();
        words
            .filter(|it| it.kind != Kind::Plain)
            .map(|it| (it.text, it.kind))
            .collect()
    }

    #[test]
    fn rust_has_its_colours() {
        let found =
            coloured("pub fn f<'a>(x: &'a u8) -> Vec<u8> { g!('b', 1) }");
        let expected = [
            ("pub", Kind::Keyword),
            ("fn", Kind::Keyword),
            ("'", Kind::Type),
            ("a", Kind::Type),
            ("'", Kind::Type),
            ("a", Kind::Type),
            ("u8", Kind::Type),
            ("Vec", Kind::Type),
            ("u8", Kind::Type),
            ("g", Kind::Function),
            ("'", Kind::Text),
            ("b", Kind::Text),
            ("'", Kind::Text),
            ("1", Kind::Number),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_string_or_comment_ends_where_it_ends() {
        for text in [
            r#""\"""#,
            r##"r#"""#"##,
            r#"b"\\""#,
            "/* /* a */ b */",
            "'\\n'",
            "'\\u{41}'",
            "// a",
        ] {
            let both = format!("{text}\nlet");
            let words = words(&both);
            let last = words.last().map(|it| (it.text, it.kind));
            assert_eq!(last, Some(("let", Kind::Keyword)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn all_words_together_are_the_text(
            text in "([a-z]|[\\PC\n]|[/*\"'#\\\\rb{}]){0,60}"
        ) {
            let all: String = words(&text).iter().map(|it| it.text).collect();
            prop_assert_eq!(all, text);
        }
    }
}
