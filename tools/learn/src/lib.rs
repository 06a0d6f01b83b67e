//! Type it yourself: the moves from step 1 to step 4, and the exercises after
//! them.
//!
//! - [`task`]: the tasks, from `moves/` and `docs/exercises/`;
//! - [`server`]: `my-server/`, the learner's own package;
//! - [`look`]: what a server does while it counts;
//! - [`check`]: what a task expects of the server;
//! - [`exercises`]: what each exercise's server must do;
//! - [`screen`]: what the terminal shows.

pub mod check;
pub mod exercises;
pub mod look;
pub mod screen;
pub mod server;

pub use difference::tasks as task;

use look::Seen;
use serde_json::{Value, json};
use server::Server;
use task::{Files, Task};

/// How far `/blocking` counts: for about a sixth of a second.
const ITERATIONS: u64 = 600_000_000;

/// The result of checking the learner's code.
#[derive(Default)]
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

/// Compiles the learner's server, and checks what it does.
pub fn try_out(server: &Server, task: &Task, colour: bool) -> Report {
    let mut report = Report::default();
    let checked = check::caught(|| {
        report.files = task::sources(&server.src())?;
        let built = server.build(colour)?;
        report.messages = built.messages;
        let program = built.program.ok_or("it doesn't compile.")?;
        let seen = report.seen.insert(look::look(&program, ITERATIONS));
        let begun = server.progress()?.begun;
        report.missing =
            check::missing(task, seen, &begun, &report.files, &program);
        Ok(())
    });
    report.missing.extend(checked.err());
    report
}
