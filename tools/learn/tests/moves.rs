//! The moves and exercises: each server does what its text claims.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

use harness::{STEPS, programs, workspace};
use learn::{check, exercises, server, task};
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
    fn lines(files: &Files) -> impl Iterator<Item = &str> {
        files.values().flat_map(|text| text.lines()).map(str::trim)
    }
    let mut old: Vec<_> = lines(before).collect();
    let is_new = |line: &&str| match old.iter().position(|it| it == line) {
        Some(known) => {
            old.swap_remove(known);
            false
        }
        None => line.contains(char::is_alphanumeric),
    };
    lines(after).filter(is_new).count()
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

/// The program built from these sources.
fn program(files: &Files) -> &'static Path {
    static BUILT: LazyLock<BTreeMap<Files, PathBuf>> = LazyLock::new(|| {
        let tasks = task::all().unwrap();
        let sources = (0..tasks.len()).flat_map(|number| {
            [task::before(&tasks, number), task::after(&tasks, number)]
        });
        build(sources.map(Result::unwrap).collect())
    });
    &BUILT[files]
}

/// Builds all servers at once, as modules of one program that runs the one it
/// is called by: compiled and linked one by one, they would take a minute.
fn build(servers: BTreeSet<Files>) -> BTreeMap<Files, PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("servers");
    let write = |path: &str, text: &str| {
        let path = folder.join(path);
        if fs::read_to_string(&path).is_ok_and(|old| old == text) {
            return;
        }
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let (mut modules, mut calls) = (String::new(), String::new());
    for (number, files) in servers.iter().enumerate() {
        modules += &format!("mod server_{number};\n");
        calls += &format!("\"{number}\" => server_{number}::run(),\n");
        for (file, text) in files {
            let mut text = text
                .replace("crate::", &format!("crate::server_{number}::"))
                .replace("HttpServer::new(", "crate::http_server!(");
            let file = match file.as_str() {
                "main.rs" => {
                    text += "pub fn run() -> io::Result<()> { main() }\n";
                    "mod.rs"
                }
                other => other,
            };
            write(&format!("src/server_{number}/{file}"), &text);
        }
    }
    // actix-web's generic code is compiled for each type of closure, so give
    // all of them the same.
    let main = format!(
        "use std::{{env, io, path::Path, sync::Arc}};

        type Factory<A> = Arc<dyn Fn() -> A + Send + Sync>;
        fn same<A>(new: Factory<A>) -> impl Fn() -> A + Clone + Send {{
            move || new()
        }}
        #[macro_export]
        macro_rules! http_server {{
            ($new:expr) => {{
                HttpServer::new($crate::same(std::sync::Arc::new($new)))
            }};
        }}
        {modules}
        fn main() -> io::Result<()> {{
            let program = env::args().next().unwrap();
            let name = Path::new(&program).file_stem().unwrap();
            match name.to_str().unwrap() {{ {calls} _ => Ok(()) }}
        }}"
    );
    write("src/main.rs", &main);
    let bin = "[[bin]]\nname = \"servers\"\npath = \"src/main.rs\"\n";
    let manifest = server::manifest("servers", bin).unwrap();
    // Nobody debugs it.
    let manifest = manifest.replace("\"line-tables-only\"", "false");
    write("Cargo.toml", &manifest);
    write("Cargo.lock", &server::lock("servers").unwrap());
    let output = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--message-format=json-render-diagnostics"])
        .arg("--manifest-path")
        .arg(folder.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(server::target())
        .env("CARGO_INCREMENTAL", "0")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
    let built = &programs(&output.stdout)["servers"];
    let name = |number: usize| {
        let name = folder.join(format!("{number}{}", env::consts::EXE_SUFFIX));
        fs::remove_file(&name).ok();
        fs::hard_link(built, &name).unwrap();
        name
    };
    let names = (0..).map(name);
    servers.into_iter().zip(names).collect()
}

/// For a tenth of a second.
const ITERATIONS: u64 = 400_000_000;

#[test]
fn each_move_is_frozen_or_alive_as_it_says_and_not_done_before() {
    let moves = moves();
    // Number 0 is step 1.
    in_lanes(moves.len() + 1, |number| {
        let done = number.checked_sub(1);
        let files = match done {
            Some(done) => task::after(&moves, done).unwrap(),
            None => task::before(&moves, 0).unwrap(),
        };
        let program = program(&files);
        let look = |iterations| {
            let seen = check::look(program, iterations);
            let missing = done
                .map(|it| check::missing(&moves[it], &seen, &files, program));
            (seen, missing.unwrap_or_default())
        };
        let (mut seen, mut missing) = look(ITERATIONS);
        if !missing.is_empty() {
            // A busy machine may need a longer look.
            (seen, missing) = look(8 * ITERATIONS);
        }
        assert!(missing.is_empty(), "move {number}: {missing:?}, {seen:?}");
        // Elsewhere, the system doesn't list a server's threads.
        if let Some(next) =
            moves.get(number).filter(|_| cfg!(target_os = "linux"))
        {
            let missing = check::missing(next, &seen, &files, program);
            assert!(!missing.is_empty(), "{}: done before it began", next.name);
        }
    });
}

/// Does something for each number, a few at a time: most servers count, and
/// need a core for it.
fn in_lanes(count: usize, something: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    let lane = || {
        loop {
            let number = next.fetch_add(1, Relaxed);
            if number >= count {
                break;
            }
            something(number);
        }
    };
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(lane);
        }
    });
}

#[test]
fn each_exercise_fails_before_its_solution_and_passes_after_it() {
    let tasks = task::all().unwrap();
    let is_exercise = |it: &usize| tasks[*it].step().is_some();
    let exercises: Vec<_> = (0..tasks.len()).filter(is_exercise).collect();
    assert_eq!(exercises.len(), 11);
    // Each one before and after its solution: twice as many numbers.
    in_lanes(2 * exercises.len(), |number| {
        let (at, is_solved) = (exercises[number / 2], number % 2 == 1);
        let sources = if is_solved { task::after } else { task::before };
        let program = program(&sources(&tasks, at).unwrap());
        let name = &tasks[at].name;
        // A server that gets no core looks frozen, so a busy machine may try
        // again.
        let check = || check::caught(|| exercises::run(name, program));
        let mut checked = check();
        for _ in 0..5 {
            if checked.is_ok() != is_solved {
                checked = check();
            }
        }
        assert_eq!(checked.is_ok(), is_solved, "{name}: {checked:?}");
        let not_yet = checked.err().unwrap_or_default();
        assert!(!not_yet.starts_with("unexpected: "), "{name}: {not_yet}");
    });
}
