//! What one file shows of another: text between two comments. The first names
//! the source.
//!
//! | source | what is shown |
//! |---|---|
//! | `path/to/a.file` | the whole file |
//! | `path/to/main.rs: main, Pool::submit` | items of it |
//! | `the difference of steps 1 and 2` | what differs in their `src` |
//! | `the difference of steps 4 and 5: admit, Pool::submit` | parts of it |
//! | `docs/results/pools.json: table` | measurements: see `figures` |
//! | `its commands` | the commands in that place, and what they print |

use std::{fs, path::PathBuf, sync::LazyLock};

use difference::{Difference, html, items, markdown};
use rayon::prelude::*;
use regex::{Captures, Regex};
use similar::TextDiff;

use crate::{CHAPTERS, figures, files, read, sessions, workspace};

static SHOWN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?s)<!-- from ([^\n]+?) -->(.*?)<!-- end -->")
        .expect("it is valid")
});

/// The source of a block that is renewed by running it.
const COMMANDS: &str = "its commands";

/// A place in a file that shows something of another.
struct Shown {
    file: PathBuf,
    source: String,
    /// The text between the comments now.
    text: String,
    /// The line of the first comment, counted from 1.
    line: usize,
}

/// Every such place: in the chapters, and in their pictures.
fn all() -> Result<Vec<Shown>, String> {
    let mut all = Vec::new();
    let chapters = files(CHAPTERS, "md").into_iter();
    for file in chapters.chain(files(CHAPTERS, "svg")) {
        let text = read(&file)?;
        let before = all.len();
        for found in SHOWN.captures_iter(&text) {
            let start = found.get_match().start();
            all.push(Shown {
                file: file.clone(),
                source: found[1].into(),
                text: found[2].into(),
                line: 1 + text[..start].matches('\n').count(),
            });
        }
        // A comment that isn't closed would swallow the next.
        if text.matches("<!-- from ").count() != all.len() - before {
            return Err(format!(
                "{}: a `<!-- from … -->` has no `<!-- end -->` of its own",
                file.display()
            ));
        }
    }
    Ok(all)
}

impl Shown {
    fn is_run(&self) -> bool {
        self.source == COMMANDS
    }

    /// The text that should be between the comments, if it differs; perhaps with
    /// the times of a shorter count. Times differ with each run; that doesn't
    /// make a block stale.
    fn fresh(&self, is_short: bool) -> Result<Option<String>, String> {
        let made = if self.is_run() {
            sessions::run(&self.text, is_short).map(fenced("console"))
        } else {
            make(&self.source)
        };
        let made = made.map_err(|error| {
            format!("{}:{}: {error}", self.file.display(), self.line)
        })?;
        let is_same = self.text == made
            || self.is_run()
                && sessions::timeless(&self.text) == sessions::timeless(&made);
        Ok((!is_same).then_some(made))
    }

    /// Why the text isn't what it should be, if so.
    fn mistake(&self) -> Option<String> {
        let fresh = match self.fresh(true) {
            Ok(fresh) => fresh?,
            Err(error) => return Some(error),
        };
        let difference = TextDiff::from_lines(&self.text, &fresh);
        Some(format!(
            "{}:{} is stale: from {}\n{}",
            self.file.display(),
            self.line,
            self.source,
            difference.unified_diff().context_radius(1),
        ))
    }
}

/// The blocks that differ from their source, or from what their commands print:
/// one sentence each, with the line.
///
/// # Errors
/// When a file can't be read, or a comment isn't closed.
pub fn stale(commands: bool) -> Result<Vec<String>, String> {
    let mut places = all()?;
    places.retain(|it| it.is_run() == commands);
    let mistakes = places.par_iter().filter_map(Shown::mistake);
    let mut mistakes: Vec<_> = mistakes.collect();
    if !mistakes.is_empty() {
        mistakes.push("renew it with: cargo run -p docs -- renew".into());
    }
    Ok(mistakes)
}

/// Updates what each place shows, and runs its commands.
///
/// # Errors
/// What couldn't be made; everything else is renewed.
pub fn renew() -> Result<(), String> {
    let mut errors = Vec::new();
    // One at a time, because their times are shown.
    for shown in all()? {
        let fresh = match shown.fresh(false) {
            Ok(None) => continue,
            Ok(Some(fresh)) => fresh,
            Err(error) => {
                errors.push(error);
                continue;
            }
        };
        let Shown { file, source, text, line } = shown;
        let block = |text| format!("<!-- from {source} -->{text}<!-- end -->");
        let page = read(&file)?.replace(&block(text), &block(fresh));
        fs::write(workspace(&file), page)
            .map_err(|error| format!("{}: {error}", file.display()))?;
        println!("{}:{line}", file.display());
    }
    if errors.is_empty() { Ok(()) } else { Err(errors.join("\n")) }
}

fn make(source: &str) -> Result<String, String> {
    if let Some(difference) = difference(source) {
        return Ok(format!("\n{}", markdown(&difference?)));
    }
    let (path, part) = source.split_once(": ").unwrap_or((source, ""));
    let extension = path.rsplit('.').next().unwrap_or_default();
    match extension {
        "json" => figures::make(path, part),
        "rs" if !part.is_empty() => {
            let source = read(path)?;
            let found = part.split(", ").map(|name| {
                item(&source, name).map_err(|error| format!("{path}: {error}"))
            });
            let found = found.collect::<Result<Vec<_>, _>>()?;
            Ok(fenced("rust,ignore")(found.join("\n")))
        }
        "css" => Ok(format!("\n<style>\n{}</style>\n", read(path)?)),
        "rs" => read(path).map(fenced("rust,ignore")),
        "mjs" => read(path).map(fenced("js")),
        "md" => read(path).map(|it| format!("\n\n{it}\n")),
        _ => Err(format!("there is no way to show {source}")),
    }
}

fn fenced(words: &str) -> impl Fn(String) -> String {
    move |text| format!("\n```{words}\n{}\n```\n", text.trim_end())
}

/// The difference named by the source, if it names one.
fn difference(source: &str) -> Option<Result<Difference, String>> {
    let steps = source.strip_prefix("the difference of steps ")?;
    let (steps, parts) = steps.split_once(": ").unwrap_or((steps, ""));
    let (before, after) = steps.split_once(" and ")?;
    let (before, after) = before.parse().ok().zip(after.parse().ok())?;
    let difference = Difference::between(before, after);
    Some(match parts {
        "" => difference,
        _ => difference
            .and_then(|it| it.only(&parts.split(", ").collect::<Vec<_>>())),
    })
}

/// An item, moved to the left margin.
fn item(source: &str, name: &str) -> Result<String, String> {
    let items = items(source);
    let found = items.iter().find(|it| it.name == name);
    let text = found.map(|it| &*it.text).ok_or_else(|| {
        let names: Vec<_> = items.iter().map(|it| &*it.name).collect();
        format!("there is no `{name}`, but: {}", names.join(", "))
    })?;
    Ok(textwrap::dedent(text) + "\n")
}

/// A chapter in the form that mdBook gets, with its differences side by side.
///
/// # Errors
/// When there is no such step, or part of it.
pub fn book(chapter: &str) -> Result<String, String> {
    let mut errors = Vec::new();
    let text =
        SHOWN.replace_all(chapter, |found: &Captures| {
            match difference(&found[1]) {
                Some(Ok(difference)) => side_by_side(&difference),
                Some(Err(error)) => {
                    errors.push(error);
                    String::new()
                }
                None => found[2].to_owned(),
            }
        });
    // mdBook gives the first page this name.
    let text = text.replace("](README.md", "](index.md");
    if errors.is_empty() { Ok(text) } else { Err(errors.join("\n")) }
}

fn side_by_side(difference: &Difference) -> String {
    let (before, after) = difference.numbers;
    let id = format!("diff-{before}-{after}");
    let button = format!("<a href=\"{}#{id}\">Projector</a>", html::PAGE);
    // A chapter may show several parts of the same difference.
    let html = html::fragment(difference, &button);
    format!("\n{}", html.replacen(&format!(" id=\"{id}\""), "", 1))
}

/// A chapter without the text it shows from other files.
pub fn own(chapter: &str) -> String {
    SHOWN.replace_all(chapter, "").into_owned()
}
