//! What Linux knows about a thread, for watch.rs: whether it computes, waits or
//! wants a core, and which line of your code it has reached.

use std::{env, fs, path::Path, ptr, thread, time::Duration};

use nix::sys::pthread::{Pthread, pthread_kill, pthread_self};
use nix::sys::signal::Signal::SIGPROF;
use pprof::{Frames, ProfilerGuard};

/// Parts of the paths of files that aren't yours.
const FOREIGN: [&str; 5] = [
    "/rustc/",
    "/rustlib/",
    "/rust/deps/",
    "/registry/src/",
    "/git/checkouts/",
];

const NO_LINE: &str = " (its line isn't known: build with \
    debug = \"line-tables-only\", and use one profiler at a time)";

pub struct Thread {
    id: Pthread,
    folder: String,
}

/// Reads the line tables, so that the first report doesn't have to wait for them.
pub fn prepare() {
    wants_lines().then(|| ProfilerGuard::new(1));
}

impl Default for Thread {
    fn default() -> Self {
        let task = fs::read_link("/proc/thread-self").unwrap_or_default();
        let folder = format!("/proc/{}", task.display());
        Self { id: pthread_self(), folder }
    }
}

impl Thread {
    /// How long it has been on a core, in seconds.
    pub fn used(&self) -> Option<f64> {
        let used = fs::read_to_string(format!("{}/schedstat", self.folder));
        let used: f64 = used.ok()?.split(' ').next()?.parse().ok()?;
        Some(used / 1e9)
    }

    pub fn does(&self, seen: &super::Seen) -> Option<String> {
        let used = self.used()? - seen.used?;
        let share = 100.0 * used / seen.at.elapsed().as_secs_f64();
        let stat = fs::read_to_string(format!("{}/stat", self.folder)).ok()?;
        let does = match share {
            50.0.. => "computes",
            _ if stat.contains(") R ") => "wants a core",
            _ => "waits",
        };
        Some(format!(" {does} ({share:.0} % of a core)"))
    }

    pub fn line(&self) -> String {
        if !wants_lines() {
            return String::new();
        }
        let lines = self.lines().unwrap_or_default();
        match &lines[..] {
            [] => NO_LINE.into(),
            [at] => format!(" at {at}"),
            [at, by, ..] => format!(" at {at}, called from {by}"),
        }
    }

    /// The lines of your code, the innermost first. The thread unwinds its own
    /// stack in a signal handler, which isn't quite safe.
    fn lines(&self) -> Option<Vec<String>> {
        let profiler = ProfilerGuard::new(1).ok()?;
        (0..500).find_map(|_| {
            self.signal();
            thread::sleep(Duration::from_millis(2));
            let mut stacks = profiler.report().build().ok()?.data.into_keys();
            // The profiler signals other threads too, once per second.
            let stack = stacks.find(|stack| stack.thread_id == self.id)?;
            Some(your_lines(&stack))
        })
    }

    /// Signalling a thread that has ended is undefined. As long as this has
    /// locked the list, none of the threads in it ends.
    fn signal(&self) {
        let all = super::lock(&super::ALL);
        if all.iter().any(|thread| ptr::eq(&thread.system, self)) {
            pthread_kill(self.id, SIGPROF).ok();
        }
    }
}

fn your_lines(stack: &Frames) -> Vec<String> {
    let calls = stack.frames.iter().flatten();
    calls
        .map(|call| (call.filename(), call))
        // The frames further out poll your code, but aren't yours.
        .take_while(|(file, _)| !file.ends_with("/watch.rs"))
        .filter(|(file, _)| is_yours(file))
        .map(|(file, call)| match call.lineno() {
            // Code that the compiler has moved has no line.
            0 => format!("{} in {}", short(&file), call.name()),
            line => format!("{}:{line}", short(&file)),
        })
        .collect()
}

/// WATCH_LINES=0 switches them off, and the risk of `lines` too.
fn wants_lines() -> bool {
    env::var("WATCH_LINES").map_or(true, |lines| lines != "0")
}

fn is_yours(file: &str) -> bool {
    file.starts_with('/') && !FOREIGN.iter().any(|it| file.contains(it))
}

fn short(file: &str) -> &str {
    let mut folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let short = folders.find_map(|it| Path::new(file).strip_prefix(it).ok());
    short.and_then(Path::to_str).unwrap_or(file)
}
