//! The rules that make the difference between two steps read like a lesson.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// How many of them are one file, and the same but for their lesson.
const ONE_FILE: usize = 3;

/// The order in which the functions of a step stand, callers first. A step
/// has those that it needs.
const ORDER: [&str; 17] = [
    "main",
    "routes",
    "non_blocking",
    "blocking",
    "failing",
    "figures",
    "progress",
    "event",
    "count_all",
    "spawn_worker",
    "finish",
    "step_back",
    "limit",
    "admit",
    "no_room",
    "too_late",
    "worker_failed",
];

/// What differs from step to step because it is the lesson. All else is the
/// same to the byte through steps 1 to 3, from the step on that has it first.
const LESSON: [&str; 3] = ["main", "routes", "count_all"];

fn root() -> &'static Path {
    harness::workspace()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .replace("\r\n", "\n")
}

fn main_rs(step: &str) -> String {
    read(format!("{step}/src/main.rs"))
}

/// The items of a file: what stands between blank lines at the left margin.
fn items(source: &str) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    for block in source.split("\n\n") {
        match items.last_mut() {
            Some(last) if block.starts_with([' ', '}']) => {
                last.push_str("\n\n");
                last.push_str(block);
            }
            _ => items.push(block.trim_end().to_owned()),
        }
    }
    items
}

/// The name of the function that an item is.
fn name(item: &str) -> Option<&str> {
    let line = item.lines().find(|line| line.contains("fn "))?;
    let (_, rest) = line.split_once("fn ")?;
    rest.split(['(', '<']).next()
}

fn function(step: &str, wanted: &str) -> Option<String> {
    items(&main_rs(step)).into_iter().find(|item| name(item) == Some(wanted))
}

#[test]
fn each_step_has_its_items_in_the_same_order() {
    for step in STEPS {
        let source = main_rs(step);
        let items = items(&source);
        assert!(
            items[0].starts_with("//! "),
            "{step}/src/main.rs must open with its header"
        );
        let mut names = items.iter().filter_map(|item| name(item));
        let mut order = ORDER.iter();
        let out_of_order =
            names.find(|name| !order.any(|expected| expected == name));
        assert_eq!(
            out_of_order, None,
            "{step}/src/main.rs has this function in another place than the \
             other steps, which have: {ORDER:?}"
        );
    }
}

#[test]
fn what_a_lesson_does_not_touch_is_the_same_to_the_byte() {
    let mut seen = BTreeSet::new();
    for pair in STEPS[..ONE_FILE].windows(2) {
        for wanted in ORDER.iter().filter(|name| !LESSON.contains(name)) {
            let Some(before) = function(pair[0], wanted) else {
                continue;
            };
            seen.insert(*wanted);
            assert_eq!(
                Some(before),
                function(pair[1], wanted),
                "`{wanted}` must be the same in {} and in {}",
                pair[0],
                pair[1],
            );
        }
    }
    assert!(seen.len() >= 4, "too few functions were compared: {seen:?}");
}

#[test]
fn main_differs_in_nothing_but_the_settings_that_it_takes() {
    let mains: Vec<String> = STEPS[..ONE_FILE]
        .iter()
        .map(|step| {
            let main = function(step, "main").expect("every step has a main");
            main.replace("settings!(\"threads\")", "settings!()")
        })
        .collect();
    assert_eq!(mains[0], mains[1], "`main` of steps 1 and 2");
    assert_eq!(mains[1], mains[2], "`main` of steps 2 and 3");
    assert!(mains[0].contains("    .workers(1)\n"), "{}", mains[0]);
}

#[test]
fn every_step_has_one_server_thread_and_the_same_fast_route() {
    let [first, others @ ..] = STEPS;
    for step in others {
        assert_eq!(
            function(step, "non_blocking"),
            function(first, "non_blocking")
        );
        let main = function(step, "main").expect("every step has a main");
        assert!(main.contains("    .workers(1)\n"), "{main}");
    }
}

#[test]
fn each_step_has_the_same_routes_in_the_same_order_and_perhaps_more() {
    let routes = STEPS.map(|step| {
        let routes = function(step, "routes").expect("every step has routes");
        routes.trim_end_matches(";\n}").to_owned()
    });
    for (i, pair) in routes.windows(2).enumerate() {
        assert!(
            pair[1].starts_with(&pair[0]),
            "{} must begin with the routes of {}",
            STEPS[i + 1],
            STEPS[i],
        );
    }
}

#[test]
fn a_header_has_a_fixed_shape() {
    for (i, step) in STEPS.iter().enumerate() {
        let source = main_rs(step);
        let header: Vec<&str> =
            source.lines().take_while(|l| l.starts_with("//!")).collect();
        let title = format!("//! Step {}: ", i + 1);
        let diff = match i {
            0 => "none, the story starts here.".to_owned(),
            _ => format!("git diff --no-index {}/src {step}/src", STEPS[i - 1]),
        };
        let shape = [&title, "//!", "//! New: ", "//! Watch: ", "//! Diff: "];
        assert!(
            header.len() == shape.len()
                && header.iter().zip(shape).all(|(l, s)| l.starts_with(s))
                && header[4].ends_with(&diff),
            "the header of {step}/src/main.rs must be: one sentence that \
             begins with `{title}`, an empty line, then New, Watch and Diff \
             (`{diff}`), a line each; it is:\n{}",
            header.join("\n"),
        );
    }
}

#[test]
fn a_lesson_fits_on_the_projector() {
    for (i, step) in STEPS.iter().enumerate() {
        let (file, most) = match i {
            ..ONE_FILE => ("main.rs", 100),
            ONE_FILE => ("pool.rs", 150),
            _ => ("shared.rs", 125),
        };
        let lines = read(format!("{step}/src/{file}")).lines().count();
        assert!(lines < most, "{step}/src/{file} has {lines} lines");
        let source = main_rs(step);
        let wide = source.lines().find(|line| line.chars().count() > 80);
        assert_eq!(wide, None, "{step}/src/main.rs: more than 80 columns");
    }
}

#[test]
fn no_marks_and_no_unwrap_stand_in_the_code() {
    let marks = ["ANCHOR", "--snip--", "TODO", "FIXME", "XXX", "NEW!", "New!"];
    for step in STEPS {
        for (number, line) in main_rs(step).lines().enumerate() {
            for mark in marks.iter().chain(&["unwrap()", "unsafe"]) {
                assert!(
                    !line.contains(mark),
                    "{step}/src/main.rs:{}: `{mark}` is part of no lesson",
                    number + 1,
                );
            }
        }
    }
}

#[test]
fn contract_and_page_are_tested_by_the_same_file_in_every_step() {
    for file in ["contract.rs", "page.rs"] {
        let first = read(format!("{}/tests/{file}", STEPS[0]));
        for step in STEPS {
            assert!(
                read(format!("{step}/tests/{file}")) == first,
                "{step}/tests/{file} must be a copy of {}/tests/{file}",
                STEPS[0],
            );
        }
    }
}

#[test]
fn common_starts_no_thread_and_hides_no_lesson() {
    let folder = root().join("common/src");
    let files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .collect();
    assert!(files.len() >= 5, "{files:?}");
    for path in files {
        let source = read(&path);
        let code = source.split("#[cfg(test)]").next().unwrap();
        for lesson in [
            "spawn(move",
            "thread::Builder",
            "thread::spawn",
            "channel",
            "pub async fn",
            "JoinHandle",
        ] {
            assert!(
                !code.contains(lesson),
                "`{lesson}` in {}: where a thread starts, who waits and what \
                 blocks must be seen in the step itself",
                path.display(),
            );
        }
    }
}

#[test]
fn every_step_is_a_member_with_the_same_dependencies_and_lints() {
    let allowed = ["actix-web", "common", "futures", "serde_json", "tokio"];
    for (i, step) in STEPS.iter().enumerate() {
        let manifest = read(format!("{step}/Cargo.toml"));
        let dependencies = manifest
            .split("\n[")
            .find_map(|table| table.strip_prefix("dependencies]\n"))
            .unwrap();
        for line in dependencies.lines().filter(|line| !line.is_empty()) {
            let name = line.split('.').next().unwrap();
            let free = i >= ONE_FILE;
            assert!(free || allowed.contains(&name), "{step} has {name}");
        }
        assert!(manifest.contains("[lints]\nworkspace = true"), "{step}");
        assert!(read("Cargo.toml").contains(&format!("    \"{step}\",\n")));
    }
}
