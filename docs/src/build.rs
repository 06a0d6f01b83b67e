//! Builds the book, and follows its links.

use std::{
    collections::BTreeMap,
    env,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process,
};

use difference::{Difference, html, tasks};
use mdbook_driver::{MDBook, config::Config};
use regex::Regex;
use tracing::{Level, subscriber};

use crate::{CHAPTERS, files, shown, workspace};

/// Builds the book into a folder, `target/book` unless another is named.
/// Returns the folder.
///
/// # Errors
/// When a chapter asks for something that can't be made, the book can't be
/// built, or mdBook prints a warning.
pub fn build(folder: Option<&Path>) -> Result<PathBuf, String> {
    let name = env::temp_dir().join(format!("book-{}.log", process::id()));
    let log = File::create(&name).map_err(|error| error.to_string())?;
    let warnings = tracing_subscriber::fmt()
        .with_max_level(Level::WARN)
        .with_ansi(false)
        .without_time()
        .with_target(false)
        .with_writer(log)
        .finish();
    let mut errors = Vec::new();
    let built = subscriber::with_default(warnings, || {
        // The environment is nobody's business here.
        let root = workspace("docs");
        let config = Config::from_disk(root.join("book.toml"))?;
        let mut book = MDBook::load_with_config(root, config)?;
        book.book.for_each_chapter_mut(|chapter| {
            match shown::book(&chapter.content) {
                Ok(filled) => chapter.content = filled,
                Err(error) => {
                    errors.push(format!("{}: {error}", chapter.name));
                }
            }
        });
        if let Some(folder) = folder {
            book.config.build.build_dir = folder.to_owned();
        }
        book.build()?;
        Ok(fs::canonicalize(book.build_dir_for("html"))?)
    });
    let folder = built
        .map_err(|error: mdbook_driver::errors::Error| format!("{error:#}"))?;
    if !errors.is_empty() {
        return Err(errors.join("\n"));
    }
    let all = Difference::all()?;
    let moves = tasks::moves()?;
    for (name, text) in [
        (html::PAGE, html::page("From step to step", "", &all)),
        (tasks::PAGE, moves),
        ("difference.css", html::style()),
        ("difference.js", html::SCRIPT.into()),
        ("axis.js", page::AXIS_SCRIPT.into()),
    ] {
        let file = folder.join(name);
        fs::write(&file, text)
            .map_err(|error| format!("{}: {error}", file.display()))?;
    }
    let log = fs::read_to_string(&name).unwrap_or_default();
    fs::remove_file(name).ok();
    if log.is_empty() { Ok(folder) } else { Err(log) }
}

/// The built book's dead links, one per line: links within the book, with their
/// anchors, and links to files of the workspace, which are the same from
/// `docs/chapters` as from `target/book`.
///
/// # Errors
/// When the book can't be read.
pub fn broken_links(folder: &Path) -> io::Result<Vec<String>> {
    let link = Regex::new("<[a-z][^<>]*? (?:href|src)=\"([^\"]*)\"");
    let link = link.expect("it is valid");
    let mut pages = BTreeMap::new();
    for path in files(folder, "html") {
        let page = fs::read_to_string(&path)?;
        pages.insert(path, page);
    }
    let mut broken = Vec::new();
    for (path, page) in &pages {
        // It holds all the others.
        if path.ends_with("print.html") {
            continue;
        }
        for found in link.captures_iter(page) {
            let link = found[1].replace("&amp;", "&");
            if let Err(why) = follow(&pages, path, &link) {
                broken.push(format!("{}: {link}: {why}", path.display()));
            }
        }
    }
    Ok(broken)
}

fn follow(
    pages: &BTreeMap<PathBuf, String>,
    from: &Path,
    link: &str,
) -> Result<(), &'static str> {
    if link.contains("://") || link.starts_with("mailto:") {
        return Ok(());
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let to = match file {
        "" => from.to_owned(),
        // It leads out of the book, so it counts from the chapter.
        _ if file.starts_with("..") => workspace(CHAPTERS).join(file),
        _ => from.with_file_name(file),
    };
    let id = format!(" id=\"{anchor}\"");
    match pages.get(&to) {
        Some(page) if anchor.is_empty() || page.contains(&id) => Ok(()),
        Some(_) => Err("there is no such heading"),
        None if to.exists() => Ok(()),
        None => Err("there is no such file"),
    }
}
