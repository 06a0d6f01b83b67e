//! Type it yourself: the moves from step 1 to step 4, and the exercises after
//! them.
//!
//! - [`task`]: the tasks, from `moves/` and `docs/exercises/`;
//! - [`server`]: `my-server/`, the learner's own package;
//! - [`check`]: what a server does while it counts;
//! - [`exercises`]: what each exercise's server must do;
//! - [`screen`]: what the terminal shows.

pub mod check;
pub mod exercises;
pub mod screen;
pub mod server;

pub use difference::tasks as task;

use check::Seen;
use serde_json::{Value, json};
use server::Server;
use task::{Files, Task};

/// How far `/blocking` counts: for about a sixth of a second.
const ITERATIONS: u64 = 600_000_000;

/// The result of checking the learner's code.
pub struct Report {
    /// The code.
    pub files: Files,
    /// The compiler's messages.
    pub messages: String,
    /// What the server did, if it compiled.
    pub seen: Option<Seen>,
    /// What it doesn't do yet; empty if the task is solved.
    pub missing: Vec<String>,
}

impl Report {
    /// Whether it does what the task asks for.
    pub fn is_solved(&self) -> bool {
        self.seen.is_some() && self.missing.is_empty()
    }

    /// The result as JSON, for scripts.
    pub fn json(&self, task: &Task) -> Value {
        json!({
            "task": task.name,
            "solved": self.is_solved(),
            "seen": self.seen,
            "missing": self.missing,
            "messages": self.messages,
        })
    }
}

/// Compiles the learner's server, calls `compiled`, and checks what it does.
pub fn try_out(
    server: &Server,
    task: &Task,
    colour: bool,
    compiled: impl Fn(),
) -> Report {
    let mut report = Report {
        files: Files::new(),
        messages: String::new(),
        seen: None,
        missing: Vec::new(),
    };
    let mut checked = || {
        report.files = task::sources(&server.src())?;
        let built = server.build(colour)?;
        report.messages = built.messages;
        let program = built.program.ok_or("it doesn't compile.")?;
        compiled();
        let look = || check::look(&program, ITERATIONS);
        let seen = report.seen.insert(check::caught(look)?);
        let begun = server.progress()?.unwrap_or_default().begun;
        let files = &report.files;
        let missing = || check::missing(task, seen, &begun, files, &program);
        report.missing = check::caught(missing)?;
        Ok(())
    };
    let checked: Result<(), String> = checked();
    report.missing.extend(checked.err());
    report
}
