//! The rules that make the difference between two steps read like a lesson.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use difference::items;
use docs::{read, workspace};
use harness::STEPS;
use regex::Regex;
use similar::{ChangeTag, TextDiff};

/// What each step from the second on changes because it's the lesson: of the
/// items that the step before also has, only these may differ.
const LESSONS: [&str; STEPS.len() - 1] = [
    "main, routes, count_all",
    "State, count_all",
    "State, main, failing, count_all",
    "State, main, routes, blocking, failing, count_all, Pool, impl Pool",
    "State, main, routes, blocking, failing, admit, count_all",
    "State, main, waiting, blocking, failing, Permit, impl Pool, Ended, \
     Progress, impl Progress, Request, impl Requests, impl Drop for Request<'_>",
    "State, main, routes, Progress, impl Progress",
    "State, main, failing, summary, count_all, Progress, impl Progress, \
     impl Tables, summarise",
];

/// The most lines that may change from a step to the next: in `main.rs`, and
/// in all other files that both have. Don't relax them to fit the code.
const MOST_CHANGED: (usize, usize) = (65, 60);

/// How many files may be new in each step from the second on, and how many
/// lines they may have in all.
const MOST_NEW: [(usize, usize); STEPS.len() - 1] =
    [(0, 0), (0, 0), (1, 75), (0, 0), (1, 110), (0, 0), (1, 120), (2, 380)];

/// The `main.rs` of each step has fewer lines than this.
const LONGEST_MAIN: [usize; STEPS.len()] =
    [110, 110, 110, 110, 150, 150, 150, 185, 185];

/// The opening lines of each `main.rs`, after the imports.
const FIRST_ITEMS: [&str; 6] =
    ["State", "main", "routes", "non_blocking", "waiting", "blocking"];

/// The dependencies that the first three steps may have.
const FIRST: [&str; 5] = ["actix-web", "common", "futures", "page", "tokio"];

fn main_rs(step: &str) -> String {
    read(format!("{step}/src/main.rs")).unwrap()
}

/// The files in a step's `src`, with their text.
fn files(step: &str) -> BTreeMap<String, String> {
    let folder = format!("{step}/src");
    let file = |path: PathBuf| {
        let name = path.strip_prefix(&folder).unwrap();
        (name.to_str().unwrap().to_owned(), read(&path).unwrap())
    };
    docs::files(&folder, "rs").into_iter().map(file).collect()
}

/// A file's items, by name.
fn named(source: &str) -> BTreeMap<String, String> {
    let items = items(source).into_iter().filter(|it| !it.is_inner);
    items.map(|it| (it.name, it.text.to_owned())).collect()
}

/// How many lines differ: lines removed plus lines added.
fn changed(before: &str, after: &str) -> usize {
    let diff = TextDiff::from_lines(before, after);
    diff.iter_all_changes().filter(|it| it.tag() != ChangeTag::Equal).count()
}

/// Each step except the first: its number, its name, and the step before it.
fn pairs() -> impl Iterator<Item = (usize, &'static str, &'static str)> {
    (1..).zip(STEPS.windows(2)).map(|(i, pair)| (i + 1, pair[1], pair[0]))
}

#[test]
fn the_list_of_steps_names_each_folder_and_no_other() {
    let entries = fs::read_dir(workspace("")).unwrap();
    let folders: BTreeSet<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("step"))
        .collect();
    assert_eq!(folders, STEPS.map(str::to_owned).into());
}

#[test]
fn each_step_has_its_items_in_the_same_order() {
    let names = |step| -> Vec<String> {
        let source = main_rs(step);
        let items = items(&source).into_iter().filter(|it| !it.is_inner);
        items.map(|it| it.name).collect()
    };
    for (_, step, before) in pairs() {
        let (old, new) = (names(before), names(step));
        let first = &new[..FIRST_ITEMS.len()];
        assert_eq!(first, FIRST_ITEMS, "{step}/src/main.rs");
        let old: Vec<_> = old.iter().filter(|it| new.contains(it)).collect();
        let new: Vec<_> = new.iter().filter(|it| old.contains(it)).collect();
        assert_eq!(old, new, "the order in {before}, and in {step}");
    }
}

#[test]
fn code_that_a_lesson_does_not_touch_is_identical_byte_for_byte() {
    for (number, step, before) in pairs() {
        let lesson: Vec<_> = LESSONS[number - 2].split(", ").collect();
        let mut touched = BTreeSet::new();
        let (old, new) = (files(before), files(step));
        for (file, old) in &old {
            let new = new.get(file).unwrap_or_else(|| {
                panic!("{step} has no src/{file}, but {before} has one")
            });
            let new = named(new);
            for (name, old) in named(old) {
                if new.get(&name) != Some(&old) {
                    assert!(
                        lesson.contains(&&*name) || !new.contains_key(&name),
                        "`{name}` in src/{file} must be the same in {before} \
                         and in {step}: it isn't the lesson of step {number}",
                    );
                    touched.insert(name);
                }
            }
        }
        let idle = lesson.iter().find(|name| !touched.contains(**name));
        assert_eq!(idle, None, "step {number} doesn't change this any more");
    }
}

#[test]
fn each_step_is_as_small_as_a_lesson_can_be() {
    for (number, step, before) in pairs() {
        let (old, new) = (files(before), files(step));
        let (mut main, mut others, mut added) = (0, 0, Vec::new());
        for (file, text) in &new {
            match old.get(file) {
                Some(old) if file == "main.rs" => main = changed(old, text),
                Some(old) => others += changed(old, text),
                None => added.push((file, text.lines().count())),
            }
        }
        assert!(
            main <= MOST_CHANGED.0 && others <= MOST_CHANGED.1,
            "from {before} to {step}, {main} lines of main.rs change and \
             {others} of the other files: more than {MOST_CHANGED:?}"
        );
        let (files, most) = MOST_NEW[number - 2];
        let lines: usize = added.iter().map(|it| it.1).sum();
        assert!(
            added.len() <= files && lines <= most,
            "{step} has {lines} lines in new files, of at most {most} in \
             {files}: {added:?}"
        );
        let (lines, most) =
            (new["main.rs"].lines().count(), LONGEST_MAIN[number - 1]);
        assert!(
            lines < most,
            "{step}/src/main.rs has {lines} lines, and must have fewer than \
             {most}: let what is new have a file of its own"
        );
    }
}

#[test]
fn two_workers_differ_from_step_1_in_nothing_else() {
    let example = read("step1-blocking/examples/two-workers.rs").unwrap();
    let code = |source: &str| {
        let is_code = |line: &&str| !line.trim().starts_with("//");
        source.lines().filter(is_code).collect::<Vec<_>>().join("\n")
    };
    let expected =
        code(&main_rs(STEPS[0])).replace(".workers(1)", ".workers(2)");
    assert_eq!(code(&example), expected);
}

#[test]
fn the_server_of_twenty_lines_freezes_as_step_1_does() {
    let source = read("docs/examples/twenty-lines.rs").unwrap();
    let is_code = |it: &&str| !it.is_empty() && !it.starts_with("//");
    assert!(source.lines().filter(is_code).count() <= 22);
    let items = named(&source);
    assert!(items["main"].contains(".workers(1)"));
    let blocking = &items["blocking"];
    assert!(blocking.contains("while n < ") && !blocking.contains("await"));
}

#[test]
fn each_step_has_one_server_thread_and_the_routes_of_the_one_before() {
    let mut before = String::new();
    for step in STEPS {
        let items = named(&main_rs(step));
        assert!(items["main"].contains("    .workers(1)\n"), "{step}");
        let routes = items["routes"].trim_end_matches(";\n}");
        assert!(routes.starts_with(&before), "{step} must begin with {before}");
        before = routes.to_owned();
    }
}

#[test]
fn a_header_has_a_fixed_shape() {
    for (i, step) in STEPS.iter().enumerate() {
        let diff = match i {
            0 => "none; the story starts here.".to_owned(),
            _ => format!("git diff --no-index {}/src {step}/src", STEPS[i - 1]),
        };
        let shape = format!(
            "^//! Step {}: .+\n//!\n//! New: .+\n//! Watch: .+\n//! Diff: .*{}\n\n",
            i + 1,
            regex::escape(&diff),
        );
        assert!(
            Regex::new(&shape).unwrap().is_match(&main_rs(step)),
            "the header of {step}/src/main.rs must be one sentence, an empty \
             line, then New, Watch and Diff, a line each: {shape}"
        );
    }
}

#[test]
fn lines_are_short_and_contain_no_marks_and_no_unwrap() {
    let marks = ["ANCHOR", "--snip--", "TODO", "FIXME", "New!", "unwrap()"];
    for step in STEPS {
        for (file, text) in files(step) {
            for (number, line) in (1..).zip(text.lines()) {
                let place = format!("{step}/src/{file}:{number}");
                assert!(line.chars().count() <= 80, "{place} is too wide");
                let mark = marks.iter().find(|mark| line.contains(**mark));
                assert_eq!(mark, None, "{place}: it is part of no lesson");
            }
        }
    }
}

#[test]
fn common_starts_no_thread_and_hides_no_lesson() {
    for path in docs::files("common/src", "rs") {
        // It starts the thread that waits for Ctrl-C.
        if path.ends_with("stop.rs") {
            continue;
        }
        let source = read(&path).unwrap();
        let code = source.split("#[cfg(test)]").next().unwrap();
        for lesson in ["spawn(", "thread::Builder", "channel", "JoinHandle"] {
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
fn every_step_has_the_lints_and_the_contract_and_the_first_ones_need_little() {
    for (i, step) in STEPS.iter().enumerate() {
        let manifest = read(format!("{step}/Cargo.toml")).unwrap();
        for part in [
            "[lints]\nworkspace = true",
            "path = \"../tools/contract/contract.rs\"\n",
        ] {
            assert!(manifest.contains(part), "{step} lacks {part}");
        }
        let (_, dependencies) =
            manifest.split_once("\n[dependencies]\n").unwrap();
        let lines = dependencies.lines().take_while(|it| !it.starts_with('['));
        for line in lines.filter(|line| !line.is_empty()) {
            let name = line.split('.').next().unwrap();
            let free = i >= 3 && !name.starts_with("step");
            assert!(free || FIRST.contains(&name), "{step} has {name}");
        }
    }
}
