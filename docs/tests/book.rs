//! What the book claims is true, and what it shows runs.

use std::process::Command;

use clap::CommandFactory;
use common::BrokerSettings;
use docs::{build, chapters, files, read, shown};

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
    for program in ["bash", "curl"] {
        let mut there = Command::new(program);
        assert!(
            there.arg("--version").output().is_ok(),
            "{program}, which this test needs, isn't here: install it"
        );
    }
    none(shown::stale(true).unwrap());
}

#[test]
fn measurements_and_pictures_are_shown_by_a_chapter() {
    let chapters: String =
        chapters::all().iter().map(|it| read(it).unwrap()).collect();
    let mut unused = Vec::new();
    for (folder, extension, shown) in [
        ("docs/results", "json", "<!-- from docs/results/NAME.json: "),
        ("docs/chapters/pictures", "svg", "](pictures/NAME.svg)"),
    ] {
        for path in files(folder, extension) {
            let name = path.file_stem().unwrap().to_str().unwrap();
            if !chapters.contains(&shown.replace("NAME", name)) {
                unused.push(path.display().to_string());
            }
        }
    }
    none(unused);
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
    for chapter in chapters::all() {
        for mistake in chapters::mistakes(&read(&chapter).unwrap()) {
            mistakes.push(format!("{}: {mistake}", chapter.display()));
        }
    }
    none(mistakes);
}

#[test]
fn every_chapter_is_in_the_summary_and_its_examples_are_run() {
    let summary = read("docs/chapters/SUMMARY.md").unwrap();
    let lib = read("docs/src/lib.rs").unwrap();
    let mut missing = Vec::new();
    for chapter in chapters::all() {
        let name = chapter.file_stem().unwrap().to_str().unwrap();
        if name == "SUMMARY" {
            continue;
        }
        if !summary.contains(&format!("]({name}.md)")) {
            missing.push(format!("docs/chapters/SUMMARY.md lacks {name}.md"));
        }
        if !lib.contains(&format!(" \"{name}\"")) {
            missing.push(format!("docs/src/lib.rs lacks \"{name}\""));
        }
    }
    none(missing);
}

/// A reader of one chapter knows their way around all the others.
#[test]
fn each_steps_chapter_has_the_same_shape() {
    let shape = [
        "## Guess first",
        "## Run and see",
        "## The idea",
        "## What changed",
        "## Reading ",
        "## What can go wrong",
        "## What you can do now",
    ];
    let mut mistakes = Vec::new();
    for (number, step) in (1..).zip(harness::STEPS) {
        let chapter = read(format!("docs/chapters/step{number}.md")).unwrap();
        let headings = chapter.lines().filter(|line| line.starts_with("## "));
        let mut expected = shape.iter().peekable();
        for heading in headings {
            expected.next_if(|it| heading.starts_with(**it));
        }
        if let Some(missing) = expected.next() {
            mistakes.push(format!("{step}: no `{missing}`, or not in order"));
        }
        // Four answers, each with its reply; one is right.
        let guess = chapter.split("## Run and see").next().unwrap();
        let answers = guess.matches("<details name=\"guess\">\n<summary>");
        let right = guess.matches("</summary>\n\n**Yes").count();
        if (answers.count(), right) != (4, 1) {
            mistakes.push(format!("{step}: not one right guess among four"));
        }
    }
    none(mistakes);
}

#[test]
fn every_setting_has_its_row() {
    let page = read("docs/chapters/settings.md").unwrap();
    // The last step has all of them.
    let all = BrokerSettings::command();
    let flags: Vec<_> =
        all.get_arguments().filter_map(|it| it.get_long()).collect();
    assert!(flags.len() >= 8, "{flags:?}");
    let missing =
        flags.iter().filter(|it| !page.contains(&format!("| `--{it}` | ")));
    none(
        missing.map(|it| format!("settings.md has no row for {it}")).collect(),
    );
}
