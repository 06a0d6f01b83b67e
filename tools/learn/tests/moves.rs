//! The moves and exercises: each server does what its text claims.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, OnceLock, PoisonError},
    thread,
};

use harness::{STEPS, programs, workspace};
use learn::{check, server, task};
use similar::{ChangeTag, TextDiff};
use task::{Files, Task};

/// The most lines a reader has to type in one move.
const MOST: usize = 12;

fn moves() -> Vec<Task> {
    let mut tasks = task::all().unwrap();
    tasks.retain(|task| task.step().is_none());
    tasks
}

/// How many new lines there are, not counting brackets and lines moved from
/// elsewhere.
fn typed(before: &Files, after: &Files) -> usize {
    let empty = String::new();
    let (mut added, mut removed) = (Vec::new(), Vec::new());
    for (name, text) in after {
        let old = before.get(name).unwrap_or(&empty);
        for change in TextDiff::from_lines(old, text).iter_all_changes() {
            let line = change.value().trim().to_owned();
            match change.tag() {
                ChangeTag::Insert if line.contains(char::is_alphanumeric) => {
                    added.push(line);
                }
                ChangeTag::Delete => removed.push(line),
                _ => {}
            }
        }
    }
    added.retain(|line| match removed.iter().position(|it| it == line) {
        Some(moved) => {
            removed.swap_remove(moved);
            false
        }
        None => true,
    });
    added.len()
}

#[test]
fn the_moves_lead_to_each_step_byte_for_byte_in_a_few_lines_each() {
    let moves = moves();
    let mut steps = vec![STEPS[0]];
    for number in 0..moves.len() {
        let before = task::before(&moves, number).unwrap();
        let after = task::after(&moves, number).unwrap();
        let name = &moves[number].name;
        let typed = typed(&before, &after);
        assert!((1..=MOST).contains(&typed), "{name} adds {typed} lines");
        let step = STEPS[steps.len()];
        let folder = workspace().join(step).join("src");
        if after == task::sources(&folder).unwrap() {
            steps.push(step);
        }
    }
    assert_eq!(steps, STEPS[..4], "the others aren't reached byte for byte");
}

/// All servers, built at once in a package like `my-server`, by their names:
/// where each program is.
fn built() -> &'static BTreeMap<String, PathBuf> {
    static BUILT: OnceLock<BTreeMap<String, PathBuf>> = OnceLock::new();
    BUILT.get_or_init(|| {
        let tasks = task::all().unwrap();
        let mut servers = vec![("step-1", task::before(&tasks, 0).unwrap())];
        for (number, task) in tasks.iter().enumerate() {
            servers.push((&task.name, task::after(&tasks, number).unwrap()));
        }
        build(&servers)
    })
}

fn build(servers: &[(&str, Files)]) -> BTreeMap<String, PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("servers");
    let write = |path: &str, text: &str| {
        let path = folder.join(path);
        if fs::read_to_string(&path).is_ok_and(|old| old == text) {
            return;
        }
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let mut targets = String::new();
    for (name, files) in servers {
        let main = format!("src/{name}/main.rs");
        targets += &format!("[[bin]]\nname = \"{name}\"\npath = \"{main}\"\n");
        for (file, text) in files {
            write(&format!("src/{name}/{file}"), text);
        }
    }
    write("Cargo.toml", &server::manifest("servers", &targets).unwrap());
    write("Cargo.lock", &server::lock("servers").unwrap());
    let output = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--message-format=json-render-diagnostics"])
        .arg("--manifest-path")
        .arg(folder.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(server::target())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
    programs(&output.stdout)
}

/// For a tenth of a second.
const ITERATIONS: u64 = 400_000_000;

#[test]
fn each_move_is_frozen_or_alive_as_it_says_and_not_done_before() {
    let moves = moves();
    let try_out = |number: usize| {
        let done = number.checked_sub(1).map(|it| &moves[it]);
        let program = &built()[done.map_or("step-1", |it| &it.name)];
        let files = match number {
            0 => task::before(&moves, 0).unwrap(),
            _ => task::after(&moves, number - 1).unwrap(),
        };
        let look = |iterations| {
            let seen = check::look(program, iterations).unwrap();
            let missing = done.map_or(Ok(Vec::new()), |it| {
                check::missing(it, &seen, &files, program)
            });
            (seen, missing.unwrap())
        };
        let (mut seen, mut missing) = look(ITERATIONS);
        if !missing.is_empty() {
            // A busy machine may need a longer look.
            (seen, missing) = look(8 * ITERATIONS);
        }
        assert!(missing.is_empty(), "move {number}: {missing:?}, {seen:?}");
        if let Some(next) = moves.get(number) {
            let missing = check::missing(next, &seen, &files, program).unwrap();
            assert!(!missing.is_empty(), "{}: done before it began", next.name);
        }
    };
    in_lanes(moves.len() + 1, try_out);
}

/// Does something for each number, a few at a time, while no other test does:
/// most servers count, and need a core for it.
fn in_lanes(count: usize, something: impl Fn(usize) + Sync) {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let something = &something;
    thread::scope(|scope| {
        for lane in 0..4 {
            let mine = (lane..count).step_by(4);
            scope.spawn(move || mine.for_each(something));
        }
    });
}

#[test]
fn each_exercise_fails_before_its_solution_and_passes_after_it() {
    let mut tasks = task::all().unwrap();
    tasks.retain(|task| task.step().is_some());
    assert_eq!(tasks.len(), 11);
    // Each one before and after its solution: twice as many numbers.
    in_lanes(2 * tasks.len(), |number| {
        let task = &tasks[number / 2];
        // A server that gets no core looks frozen, so a busy machine may try
        // again.
        if number % 2 == 1 {
            let check = || check::exercise(task, &built()[&task.name]);
            let after = check().or_else(|_| check()).or_else(|_| check());
            assert!(after.is_ok(), "{}: {after:?}", task.name);
            return;
        }
        let step = harness::program(task.step().unwrap(), None).unwrap();
        let mut before = (0..3).map(|_| check::exercise(task, &step));
        let not_yet = before.find_map(Result::err).expect(&task.name);
        let is_known = !not_yet.starts_with("unexpected: ");
        assert!(is_known, "{}: {not_yet}", task.name);
    });
}
