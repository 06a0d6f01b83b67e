//! What a task expects of the learner's server. A move's `check:` says it as
//! data: some of it is read in the code, some is seen while the server counts,
//! and for some the server is asked. An exercise has a function in
//! [`exercises`].

use std::{
    panic::{self, AssertUnwindSafe},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use harness::Server;

use crate::{
    ITERATIONS, exercises,
    look::{PATIENCE, Seen, look, start, threads},
    task::{Files, Task},
};

/// How long a server that will still do something is never idle.
const IDLE: Duration = Duration::from_secs(1);

/// The same where nobody lists its threads, and tells whether it is idle.
const SHORT: Duration = Duration::from_secs(3);

/// What a task's server doesn't do yet, one sentence per item. `begun` is the
/// code that the task began with.
///
/// # Panics
/// When a server doesn't start or answer.
pub fn missing(
    task: &Task,
    seen: &mut Seen,
    begun: &Files,
    files: &Files,
    program: &Path,
) -> Vec<String> {
    if task.step().is_some() {
        return exercises::missing(&task.name, program).into_iter().collect();
    }
    let mut missing = missing_in_code(task, files);
    if seen.counting.is_none() && begun == files {
        missing.push("you haven't changed anything in this move yet.".into());
    }
    let mut unseen = unmet(task, |what, rest| in_look(what, rest, seen));
    if missing.is_empty() && !unseen.is_empty() && begun != files {
        // The machine may have been too busy: take a longer look.
        *seen = look(program, 3 * ITERATIONS);
        unseen = unmet(task, |what, rest| in_look(what, rest, seen));
    }
    missing.extend(unseen);
    if missing.is_empty() {
        missing = unmet(task, |what, rest| in_answers(what, rest, program));
    }
    missing
}

/// What a move's code doesn't contain yet.
pub fn missing_in_code(task: &Task, files: &Files) -> Vec<String> {
    unmet(task, |what, rest| in_code(what, rest, files))
}

/// What a move expects, and one kind of check doesn't find.
fn unmet(
    task: &Task,
    check: impl Fn(&str, &str) -> Option<String>,
) -> Vec<String> {
    let expected = task.check.split("; ");
    let expected = expected.map(|it| it.split_once(' ').unwrap_or((it, "")));
    expected.filter_map(|(what, rest)| check(what, rest)).collect()
}

fn in_code(what: &str, rest: &str, files: &Files) -> Option<String> {
    // A file or a function.
    let (words, place) = rest.split_once(" in ").unwrap_or((rest, ""));
    let mut searched = String::new();
    for (name, text) in files {
        // The comments after the header may contain an old version.
        let code = text.lines().filter_map(|line| {
            let is_header = line.starts_with("//!");
            if is_header { Some(line) } else { line.split("//").next() }
        });
        let code = code.collect::<Vec<_>>().join("\n ");
        if place.is_empty() || place == name {
            searched += &code;
        }
        let functions = code.split(" fn ").skip(1).filter(|it| {
            let after = it.strip_prefix(place);
            after.is_some_and(|it| it.starts_with(['(', '<']))
        });
        searched.extend(functions);
    }
    let plain = |text: &str| text.replace(char::is_whitespace, "");
    let is_found = plain(&searched).contains(&plain(words));
    let place = if place.is_empty() { "your code" } else { place };
    match what {
        "code" if !is_found => {
            Some(format!("there is no `{words}` in {place}."))
        }
        "without" if is_found => {
            Some(format!("`{words}` is still in {place}."))
        }
        _ => None,
    }
}

fn in_look(what: &str, rest: &str, seen: &Seen) -> Option<String> {
    let counting = seen.counting.as_ref();
    match what {
        "frozen" if !seen.frozen => Some(
            "this move's server should still freeze; yours doesn't.".into(),
        ),
        "alive" if seen.frozen => Some(
            "nobody is answered while /blocking counts: what is the \
             server thread doing?"
                .into(),
        ),
        "counting" => {
            let threads = counting?.threads.to_string();
            (threads != rest).then(|| {
                format!(
                    "number of threads that count at once, other than the \
                     server thread: {threads}. Expected: {rest}."
                )
            })
        }
        "reused" => (!counting?.reused)
            .then(|| "each request still starts a thread.".into()),
        "named" => {
            let names: Vec<_> =
                counting?.names.iter().map(String::as_str).collect();
            let names = names.join(", ");
            (names != rest).then(|| {
                format!(
                    "the threads that count should be named \"{rest}\", not \
                     \"{names}\"."
                )
            })
        }
        _ => None,
    }
}

fn in_answers(what: &str, rest: &str, program: &Path) -> Option<String> {
    // With one thread, a single panic can end a whole pool.
    let threads = if what == "failing" { 1 } else { 2 };
    let start = || start(program, [("ITERATIONS", 1), ("THREADS", threads)]);
    match what {
        "failing" => {
            let (failing, then) = rest.split_once(" then ")?;
            let is_expected =
                |it: &String| then.split(" or ").any(|then| then == it);
            let mut server = start();
            let first = status(&mut server, "/failing");
            let mut second = status(&mut server, "/blocking");
            if !is_expected(&second) {
                // The thread may still have been ending.
                second = status(&mut server, "/blocking");
            }
            let logged = logged(server);
            let is_met = first == failing
                && is_expected(&second)
                && logged.contains("panicked at");
            (!is_met).then(|| {
                format!(
                    "with THREADS=1, /failing should panic and get {failing}, \
                     and a /blocking after it {then}. They get {first} and \
                     {second}, and your server logs:\n{logged}"
                )
            })
        }
        #[cfg(target_os = "linux")]
        "limited" => {
            let server = start();
            server.open("/non-blocking").wait();
            server.limit_memory(Some(1024 * 1024));
            let said = server.open("/blocking").wait();
            let logged = logged(server);
            let is_met = said.starts_with("HTTP/1.1 503 ")
                && said.ends_with(rest)
                && (rest.is_empty() || logged.contains("os error"));
            let more = if rest.is_empty() {
                String::new()
            } else {
                format!(" with \"{rest}\", and the log the system's error")
            };
            (!is_met).then(|| {
                format!(
                    "when no thread can be started, the client gets:\n{said}\n\
                     and your server logs:\n{logged}\nThe client should get \
                     a 503{more}."
                )
            })
        }
        #[cfg(unix)]
        "stops" => {
            let mut server = start();
            server.open("/blocking").wait();
            server.terminate();
            (!comes(&mut server, Server::has_ended)).then(|| {
                "after Ctrl-C or SIGTERM, your server doesn't end: what do its \
                 threads still wait for?"
                    .into()
            })
        }
        _ => None,
    }
}

/// The status of the response to a GET, or `nothing`.
fn status(server: &mut Server, path: &str) -> String {
    let pending = server.open(path);
    if !comes(server, |_| pending.is_answered()) {
        return "nothing".into();
    }
    let answer = pending.wait();
    answer.split(' ').nth(1).unwrap_or("nothing").into()
}

/// Waits until something is true. Returns false if it isn't, and the server
/// has nothing left to do.
fn comes(
    server: &mut Server,
    mut is_true: impl FnMut(&mut Server) -> bool,
) -> bool {
    let start = Instant::now();
    let mut last_busy = start;
    while !is_true(server) {
        let threads = threads(server);
        let are_listed = !threads.is_empty();
        if threads.iter().any(|it| it.is_busy) {
            last_busy = Instant::now();
        }
        let limit = if are_listed { IDLE } else { SHORT };
        if last_busy.elapsed() > limit || start.elapsed() > PATIENCE {
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
    true
}

/// What a server has logged, or `nothing`.
fn logged(server: Server) -> String {
    let stderr = server.kill().stderr;
    if stderr.is_empty() { "nothing".into() } else { stderr }
}

/// Runs a check. If it panics, the panic's message is for the learner.
pub fn caught<T>(
    check: impl FnOnce() -> Result<T, String>,
) -> Result<T, String> {
    panic::catch_unwind(AssertUnwindSafe(check)).unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<&str>().map(|it| (*it).to_owned());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        Err(text.unwrap_or_default())
    })
}
