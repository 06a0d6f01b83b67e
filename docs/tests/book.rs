//! What the book claims is true, and what it shows runs.

use std::fs;

use clap::CommandFactory;
use common::BrokerSettings;
use docs::{CHAPTERS, build, files, read, shown};
use regex::Regex;

/// Fails and lists all mistakes, one per line.
fn none(mistakes: Vec<String>) {
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

#[test]
fn a_chapter_shows_its_sources_as_they_are() {
    none(shown::stale(false).unwrap());
}

#[cfg(unix)]
#[test]
fn commands_in_a_chapter_print_what_it_shows() {
    none(shown::stale(true).unwrap());
}

#[test]
fn the_book_builds_without_a_warning_and_each_link_leads_somewhere() {
    let built = crate::built();
    assert!(built.join("index.html").is_file());
    none(build::broken_links(built).unwrap());
}

#[test]
fn rust_in_a_chapter_is_tested_or_shown_from_a_file() {
    let mut mistakes = Vec::new();
    for chapter in files(CHAPTERS, "md") {
        let text = shown::own(&read(&chapter).unwrap());
        for line in text.lines() {
            let why = match line.trim().strip_prefix("```rust") {
                Some(words) if words.contains("ignore") => {
                    "nothing would test it; show an item of a file"
                }
                Some(words) if words.ends_with("compile_fail") => {
                    "name the error, as in `rust,compile_fail,E0277`"
                }
                _ => continue,
            };
            mistakes.push(format!("{}: {line}: {why}", chapter.display()));
        }
    }
    none(mistakes);
}

#[test]
fn every_chapter_is_in_the_book_and_in_the_doctests() {
    let summary = read("docs/chapters/SUMMARY.md").unwrap();
    let doctests = read("docs/src/lib.rs").unwrap();
    for path in files(CHAPTERS, "md") {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let is_there = summary.contains(&format!("]({name}.md)"))
            && doctests.contains(&format!(" \"{name}\""));
        assert!(is_there || name == "SUMMARY", "{name}");
    }
}

/// A proof is a test, called by its name; a file; or an example or commands in a
/// chapter. A file is there if its link leads somewhere.
#[test]
fn every_claim_has_a_proof() {
    let row = Regex::new(r"(?m)^\| \d+ \| (.+) \| (.*) \|$").unwrap();
    let link = Regex::new(r"\[([^\]]+)\]\(([^)]+)\)").unwrap();
    let page = read("docs/chapters/proofs.md").unwrap();
    assert!(row.captures_iter(&page).count() > 50);
    let mut mistakes = Vec::new();
    for row in row.captures_iter(&page) {
        let (claim, proofs) = (&row[1], &row[2]);
        if !link.is_match(proofs) {
            mistakes.push(format!("{claim}: nothing backs it up"));
        }
        for proof in link.captures_iter(proofs) {
            let (text, to) = (&proof[1], &proof[2]);
            let is_there = match to.split_once(".md#") {
                Some((chapter, heading)) => runs_under(chapter, heading),
                None => text.starts_with('`') || is_test(to, text),
            };
            if !is_there {
                mistakes.push(format!("{claim}: {text}: {to}"));
            }
        }
    }
    none(mistakes);
}

/// Whether a file has a function of that name, and a test's attribute above it.
fn is_test(path: &str, name: &str) -> bool {
    let source = read(format!("{CHAPTERS}/{path}")).unwrap();
    let function = format!("fn {}(", name.replace(' ', "_"));
    let Some((before, _)) = source.split_once(&function) else { return false };
    let mut above = before.lines().rev().take_while(|it| !it.is_empty());
    above.any(|it| it.contains("test]") || it.contains("test("))
}

/// Whether there is Rust that is tested, or are commands that are run, under a
/// heading.
fn runs_under(chapter: &str, heading: &str) -> bool {
    let page = crate::built().join(format!("{chapter}.html"));
    let page = fs::read_to_string(page).unwrap();
    let Some((before, mut section)) =
        page.split_once(&format!(" id=\"{heading}\""))
    else {
        return false;
    };
    // It ends with the next heading of its level, or of a higher one.
    for next in 1..=before.chars().last().unwrap().to_digit(10).unwrap() {
        section = section.split(&format!("<h{next} ")).next().unwrap();
    }
    let mut blocks = section.split("<code class=\"language-").skip(1);
    blocks.any(|block| {
        let (words, _) = block.split_once('"').unwrap();
        words == "console"
            || words.starts_with("rust") && !words.contains("ignore")
    })
}

/// A reader of one chapter knows their way around all the others.
#[test]
fn each_steps_chapter_has_the_same_shape() {
    let shape = [
        "Guess first",
        "Run and see",
        "The idea",
        "What changed",
        "Reading ",
        "What can go wrong",
        "What you can do now",
    ]
    .join("(?s:.*)\n## ");
    let shape = Regex::new(&shape).unwrap();
    for number in 1..=harness::STEPS.len() {
        let chapter = read(format!("docs/chapters/step{number}.md")).unwrap();
        let headings = chapter.lines().filter(|line| line.starts_with("## "));
        let headings: Vec<_> = headings.collect();
        assert!(shape.is_match(&chapter), "not {shape}: {headings:#?}");
        // Four answers, each with its reply; one is right.
        let guess = chapter.split("## Run and see").next().unwrap();
        let answers = guess.matches("<details name=\"guess\">\n<summary>");
        let right = guess.matches("</summary>\n\n**Yes").count();
        assert_eq!((answers.count(), right), (4, 1), "step {number}");
    }
}

#[test]
fn every_setting_has_its_row() {
    let page = read("docs/chapters/settings.md").unwrap();
    // The last step has all of them.
    let all = BrokerSettings::command();
    for flag in all.get_arguments().filter_map(|it| it.get_long()) {
        assert!(
            page.contains(&format!("| `--{flag}` | ")),
            "no row for {flag}"
        );
    }
}
