//! Builds the book, and follows its links.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use difference::{Difference, html};
use mdbook_driver::{MDBook, config::Config};
use regex::Regex;
use tracing::{Level, subscriber};

use crate::{chapters::plain, figures, shown, workspace};

/// What mdBook had to say.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Builds the book into a folder, `target/book` unless another is named.
/// Returns the folder.
///
/// # Errors
/// When a chapter asks for what can't be made, it can't be built, or mdBook
/// warns of anything.
pub fn build(folder: Option<&Path>) -> Result<PathBuf, String> {
    let log = Log::default();
    let writer = log.clone();
    let warnings = tracing_subscriber::fmt()
        .with_max_level(Level::WARN)
        .with_ansi(false)
        .without_time()
        .with_target(false)
        .with_writer(move || writer.clone())
        .finish();
    let mut errors = Vec::new();
    let built = subscriber::with_default(warnings, || {
        let root = workspace("docs");
        // The environment is nobody's business here.
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
        Ok(plain(&book.build_dir_for("html")))
    });
    let folder = built
        .map_err(|error: mdbook_driver::errors::Error| format!("{error:#}"))?;
    if !errors.is_empty() {
        return Err(errors.join("\n"));
    }
    let all = Difference::all().map_err(|error| error.to_string())?;
    for (name, text) in [
        (html::PAGE, html::page(&all)),
        ("difference.css", html::style()),
        ("difference.js", html::SCRIPT.into()),
        ("chart.css", figures::STYLE.into()),
    ] {
        let file = folder.join(name);
        fs::write(&file, text)
            .map_err(|error| format!("{}: {error}", file.display()))?;
    }
    let log = log.0.lock().unwrap_or_else(PoisonError::into_inner);
    if log.is_empty() {
        return Ok(folder);
    }
    Err(String::from_utf8_lossy(&log).into_owned())
}

/// Where the links of a page lead, and what can be linked to in it.
#[derive(Debug, Default)]
struct Page {
    links: BTreeSet<String>,
    ids: BTreeSet<String>,
}

fn page(html: &str) -> Page {
    static TAG: LazyLock<Regex> =
        LazyLock::new(|| Regex::new("<[a-z][^<>]*>").expect("it is valid"));
    static ATTRIBUTE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new("\\s(href|src|id|name)=\"([^\"]*)\"").expect("it is valid")
    });
    let mut page = Page::default();
    for tag in TAG.find_iter(html) {
        for attribute in ATTRIBUTE.captures_iter(tag.as_str()) {
            let value = attribute[2].replace("&amp;", "&");
            match &attribute[1] {
                "href" | "src" => page.links.insert(value),
                _ => page.ids.insert(value),
            };
        }
    }
    page
}

/// The links of the built book that lead nowhere, a line each: those within
/// the book, with their anchors, and those to files of the workspace, which
/// are seen from `docs/chapters` as from `target/book`.
///
/// # Errors
/// When the book can't be read.
pub fn broken_links(folder: &Path) -> io::Result<Vec<String>> {
    let mut pages = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "html") {
                let page = page(&fs::read_to_string(&path)?);
                pages.insert(path, page);
            }
        }
    }
    // Chapters, but not the frames around them.
    let special = ["404.html", "print.html", "toc.html"];
    let mut broken = Vec::new();
    for (path, page) in &pages {
        let name = path.strip_prefix(folder).unwrap_or(path);
        if special.iter().any(|it| name == Path::new(it)) {
            continue;
        }
        for link in &page.links {
            if let Err(why) = follow(folder, &pages, path, link) {
                broken.push(format!("{}: {link}: {why}", name.display()));
            }
        }
    }
    Ok(broken)
}

fn follow(
    folder: &Path,
    pages: &BTreeMap<PathBuf, Page>,
    from: &Path,
    link: &str,
) -> Result<(), &'static str> {
    if link.contains("://") || link.starts_with("mailto:") {
        return Ok(());
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let file = file.split('?').next().unwrap_or(file);
    let to = match file {
        "" => from.to_owned(),
        _ => plain(&from.parent().unwrap_or(folder).join(file)),
    };
    if let Some(page) = pages.get(&to) {
        return match anchor {
            "" => Ok(()),
            _ if page.ids.contains(anchor) => Ok(()),
            _ => Err("there is no such heading"),
        };
    }
    if to.starts_with(folder) {
        return if to.is_file() {
            Ok(())
        } else {
            Err("there is no such page")
        };
    }
    // It leads out of the book: as from docs/chapters, or from target/book.
    let chapter = from.strip_prefix(folder).unwrap_or(from);
    let source = Path::new("docs/chapters").join(chapter);
    let to = plain(&source.parent().unwrap_or(Path::new("")).join(file));
    if workspace(to).exists() { Ok(()) } else { Err("there is no such file") }
}
