//! The chapters as Markdown, and their code blocks.

use std::path::PathBuf;

use pulldown_cmark::{
    CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd,
};

use crate::{files, shown};

/// Where the chapters are.
pub const FOLDER: &str = "docs/chapters";

/// A block of code in a chapter.
#[derive(Debug)]
pub struct Block {
    /// The words after the three backticks: the language, then how the block is
    /// tested.
    pub words: Vec<String>,
    /// The text between them.
    pub text: String,
    /// The headings above it, the chapter's own first.
    pub under: Vec<String>,
}

/// All chapters, as paths in the workspace.
pub fn all() -> Vec<PathBuf> {
    files(FOLDER, "md")
}

/// The blocks of code in a chapter.
pub fn blocks(markdown: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut under: Vec<(HeadingLevel, String)> = Vec::new();
    let mut heading = None;
    let mut block: Option<Block> = None;
    for event in Parser::new_ext(markdown, Options::all()) {
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                under.retain(|(outer, _)| *outer < level);
                heading = Some(level);
                under.push((level, String::new()));
            }
            Event::End(TagEnd::Heading(_)) => heading = None,
            Event::Text(text) | Event::Code(text) if heading.is_some() => {
                if let Some((_, title)) = under.last_mut() {
                    title.push_str(&text);
                }
            }
            Event::Start(Tag::CodeBlock(kind)) => {
                let info = match &kind {
                    CodeBlockKind::Fenced(info) => info,
                    CodeBlockKind::Indented => "indented",
                };
                let words = info.split([',', ' ']).filter(|it| !it.is_empty());
                block = Some(Block {
                    words: words.map(str::to_owned).collect(),
                    text: String::new(),
                    under: under.iter().map(|(_, it)| it.clone()).collect(),
                });
            }
            Event::Text(text) => {
                if let Some(block) = &mut block {
                    block.text.push_str(&text);
                }
            }
            Event::End(TagEnd::CodeBlock) => blocks.extend(block.take()),
            _ => (),
        }
    }
    blocks
}

/// What's wrong with a chapter's code blocks, one sentence per mistake.
///
/// A Rust block is tested, unless it shows a file, which is tested where it is.
pub fn mistakes(markdown: &str) -> Vec<String> {
    let mut mistakes = Vec::new();
    for Block { words, text, .. } in blocks(&shown::own(markdown)) {
        let first = text.lines().next().unwrap_or("");
        let has = |word: &str| words.iter().any(|it| it == word);
        let why = match words.first().map(String::as_str) {
            None => "name its language, or `text`",
            Some("indented") => {
                "rustdoc takes indented lines for Rust; use ```text"
            }
            Some("rust") if has("ignore") => {
                "nothing would test it; show an item of a file"
            }
            Some("rust")
                if has("compile_fail")
                    && !words.iter().any(|word| is_error_code(word)) =>
            {
                "name the error, as in `rust,compile_fail,E0277`"
            }
            _ => continue,
        };
        mistakes.push(format!("the block that begins `{first}`: {why}"));
    }
    mistakes
}

fn is_error_code(word: &str) -> bool {
    let digits = word.strip_prefix('E').unwrap_or("");
    digits.len() == 4 && digits.chars().all(|it| it.is_ascii_digit())
}

/// A heading's ID in the built book.
pub fn id(heading: &str) -> String {
    let heading = heading.trim().to_lowercase();
    heading
        .chars()
        .filter_map(|it| match it {
            _ if it.is_alphanumeric() || it == '_' || it == '-' => Some(it),
            _ if it.is_whitespace() => Some('-'),
            _ => None,
        })
        .collect()
}
