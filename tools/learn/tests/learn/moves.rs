//! The moves and exercises: each server does what its text claims.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
    thread,
};

use harness::{STEPS, workspace};
use learn::{
    check, exercises,
    look::{Seen, look},
    server::Server,
    task::{self, Files, Task},
};

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
        let sources = sources.map(Result::unwrap);
        let others = WRONG.iter().chain(&RIGHT).map(|it| changed(&tasks, it));
        build(sources.chain(others).collect())
    });
    &BUILT[files]
}

/// Builds all servers at once, as modules of one program that runs the one it
/// is called by: compiled and linked one by one, they would take a minute.
fn build(servers: BTreeSet<Files>) -> BTreeMap<Files, PathBuf> {
    let mut sources = Files::new();
    let (mut modules, mut calls) = (String::new(), String::new());
    for (number, files) in servers.iter().enumerate() {
        let server = format!("server_{number}");
        modules += &format!("mod {server};\n");
        calls += &format!("\"{number}\" => run(Box::pin({server}::main())),\n");
        let mut text = files["main.rs"].clone();
        for (file, inner) in files {
            let name = file.trim_end_matches(".rs");
            let module = format!("mod {name} {{\n{inner}}}\n");
            text = text.replace(&format!("mod {name};\n"), &module);
        }
        let text = text
            .replace("crate::", &format!("crate::{server}::"))
            .replace("#[actix_web::main]\nasync", "pub async")
            .replace("HttpServer::new(", "crate::http_server!(");
        sources.insert(format!("{server}.rs"), text);
    }
    // Generic code is compiled for each type of closure and future, so give all
    // of them the same.
    let main = format!(
        "use std::{{env, io, path::Path, pin::Pin, sync::Arc}};

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
        #[actix_web::main]
        async fn run(
            server: Pin<Box<dyn Future<Output = io::Result<()>>>>,
        ) -> io::Result<()> {{
            server.await
        }}
        fn main() -> io::Result<()> {{
            let program = env::args().next().unwrap();
            let name = Path::new(&program).file_stem().unwrap();
            match name.to_str().unwrap() {{ {calls} _ => Ok(()) }}
        }}"
    );
    sources.insert("main.rs".into(), main);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("all-servers");
    let server = Server::open(&folder).unwrap();
    server.put(&sources).unwrap();
    let built = server.build(false).unwrap();
    let program = built.program.expect(&built.messages);
    assert_eq!(built.messages, "");
    let name = |number: usize| {
        let name = folder.join(number.to_string());
        fs::remove_file(&name).ok();
        fs::hard_link(&program, &name).unwrap();
        name
    };
    let names = (0..).map(name);
    servers.into_iter().zip(names).collect()
}

/// For less than a tenth of a second.
const ITERATIONS: u64 = 300_000_000;

/// What code doesn't do yet, and what was seen.
fn missing(task: &Task, files: &Files) -> (Vec<String>, Seen) {
    let program = program(files);
    let mut seen = look(program, ITERATIONS);
    let begun = Files::new();
    let missing = check::missing(task, &mut seen, &begun, files, program);
    (missing, seen)
}

#[test]
fn each_move_is_frozen_or_alive_as_it_says_and_not_done_before() {
    let moves = moves();
    for (number, task) in moves.iter().enumerate() {
        let after = task::after(&moves, number).unwrap();
        let (missing, mut seen) = missing(task, &after);
        assert!(missing.is_empty(), "{}: {missing:?}, {seen:?}", task.name);
        // Other systems don't list a server's threads.
        let mut elsewhere = Seen { counting: None, ..seen.clone() };
        let Some(next) = moves.get(number + 1) else { break };
        for seen in [&mut seen, &mut elsewhere] {
            let program = program(&after);
            let missing = check::missing(next, seen, &after, &after, program);
            assert!(!missing.is_empty(), "{}: done before it began", next.name);
        }
    }
}

/// A move's number, and a change to its solution.
type Change = (usize, &'static str, &'static str);

fn changed(moves: &[Task], (number, from, to): &Change) -> Files {
    let mut files = task::after(moves, number - 1).unwrap();
    let mut found = files.values_mut().filter(|it| it.contains(from));
    let file = found.next().unwrap_or_else(|| panic!("{number}: no {from}"));
    *file = file.replacen(from, to, 1);
    files
}

/// Code that doesn't do all that its move asks for.
const WRONG: [Change; 4] = [
    (14, "0..settings.threads.get()", "0..2"),
    (14, "0..settings.threads.get()", "0..=settings.threads.get()"),
    (21, "1..=threads.get()", "0..threads.get()"),
    (22, "self.jobs = unbounded().0;", ""),
];

/// Code that does, in other words.
const RIGHT: [Change; 7] = [
    (
        1,
        "let work = move || count(iterations);
    Ok(work())",
        "let work_fn = move || count(iterations);
    Ok(work_fn())",
    ),
    (
        1,
        "async fn count_all",
        "// async fn count_all(state: &State) -> Result<u64> {
async fn count_all",
    ),
    (
        2,
        "thread::spawn(move || count(iterations));",
        "thread::Builder::new().spawn(move || count(iterations))?;",
    ),
    (
        5,
        "spawn_worker<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Receiver<T> {",
        "spawn_worker<T, Work>(work: Work) -> Receiver<T>
where
    Work: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{",
    ),
    (
        15,
        "mem::forget(catch_unwind(AssertUnwindSafe(|| drop(result))));",
        "if let Err(payload) = result
        && let Err(other) =
            catch_unwind(AssertUnwindSafe(move || drop(payload)))
    {
        mem::forget(other);
    }",
    ),
    (
        21,
        "for number in 1..=threads.get() {
            start(number)?;",
        "for number in 0..threads.get() {
            start(number + 1)?;",
    ),
    (
        22,
        "for thread in self.threads.drain(..) {
            thread.join().ok();
        }",
        "while let Some(thread) = self.threads.pop() {
            let _ = thread.join();
        }",
    ),
];

/// The same for code that is only read, not run: it doesn't have to compile.
const INCOMPLETE: [Change; 12] = [
    (1, "let work = move ||", "let work = ||"),
    (4, ".shutdown_signal", ".client_request_timeout(x).shutdown_signal"),
    (5, "FnOnce", "Fn"),
    (5, "-> Receiver<T>", "-> Receiver<u64>"),
    (5, "spawn_worker(move ||", "thread::spawn(move ||"),
    (8, "//! Step 2: one", "//! Step 1: one"),
    (
        8,
        "a thread, a channel, and what happens when a worker thread panics.",
        "a server with one thread, and a route that computes for seconds.",
    ),
    (15, "mem::forget(", "drop("),
    (16, "-> oneshot::Receiver<T>", "-> Result<oneshot::Receiver<T>>"),
    (
        23,
        "//! Watch: a thousand requests at once, and not one thread more.",
        "//! Watch: /blocking is faster; how much depends on your cores.",
    ),
    (21, "settings.cannot_start_threads(error)", "panic!(\"{error}\")"),
    (22, "thread.join().ok();", "drop(thread);"),
];

#[test]
fn less_than_a_move_asks_for_is_refused_and_other_words_are_accepted() {
    let moves = moves();
    for change in &INCOMPLETE {
        let missing = check::missing_in_code(
            &moves[change.0 - 1],
            &changed(&moves, change),
        );
        assert_eq!(missing.len(), 1, "{change:?}: {missing:?}");
    }
    let step_1 = task::before(&moves, 0).unwrap();
    assert_ne!(check::missing_in_code(&moves[0], &step_1), [""; 0]);
    let wrong = WRONG.iter().map(|it| (it, false));
    for (change, is_right) in wrong.chain(RIGHT.iter().map(|it| (it, true))) {
        let task = &moves[change.0 - 1];
        let (missing, seen) = missing(task, &changed(&moves, change));
        let is_accepted = missing.is_empty();
        assert_eq!(is_accepted, is_right, "{change:?}: {missing:?}, {seen:?}");
    }
}

#[test]
fn each_exercise_fails_before_its_solution_and_passes_after_it() {
    let tasks = task::all().unwrap();
    let is_exercise = |it: &usize| tasks[*it].step().is_some();
    let exercises: Vec<_> = (0..tasks.len()).filter(is_exercise).collect();
    assert_eq!(exercises.len(), 11);
    let check = |at: usize, is_solved| {
        let sources = if is_solved { task::after } else { task::before };
        let program = program(&sources(&tasks, at).unwrap());
        let name = &tasks[at].name;
        let mut missing = exercises::missing(name, program);
        // A server that gets no core looks frozen, so a busy machine may try
        // again.
        for _ in 0..5 {
            if missing.is_none() != is_solved {
                missing = exercises::missing(name, program);
            }
        }
        assert_eq!(missing.is_none(), is_solved, "{name}: {missing:?}");
    };
    thread::scope(|scope| {
        scope.spawn(|| exercises.iter().for_each(|at| check(*at, false)));
        exercises.iter().for_each(|at| check(*at, true));
    });
}
