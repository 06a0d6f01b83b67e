//! `cargo run -p learn`: shows what to do next. On each save, it compiles the
//! learner's server and shows whether it is frozen or alive.

use std::{
    io::{self, IsTerminal, Write},
    panic,
    path::PathBuf,
    process::ExitCode,
    sync::mpsc::{self, Sender},
    thread::{self, JoinHandle},
    time::Duration,
};

use clap::Parser;
use console::{Key, Term, colors_enabled};
use learn::{
    Report,
    check::caught,
    screen,
    server::{Progress, Server},
    task::{self, Files, Task},
    try_out,
};
use notify::{RecursiveMode, Watcher};

#[derive(Parser)]
#[command(about, next_line_help = true)]
struct Options {
    /// The task to go to: a move's number, or e3 for exercise 3;
    /// what you have is copied to my-server/kept first
    #[arg(verbatim_doc_comment)]
    task: Option<String>,

    /// Check once and print the result as JSON, as in a pipe;
    /// the exit status is 0 if the task is solved
    #[arg(long, verbatim_doc_comment)]
    once: bool,

    /// Where your server is [default: my-server]
    #[arg(long, hide_default_value = true)]
    #[arg(default_value_os_t = harness::workspace().join("my-server"))]
    folder: PathBuf,
}

/// An event the tool waits for.
enum Event {
    Key(Key),
    Predicted(String),
    Quit,
    Saved,
    /// The result for the task at this place.
    Tried(usize, Box<Report>),
}

struct Learner {
    tasks: Vec<Task>,
    server: Server,
    progress: Progress,
    at: usize,
    hints: usize,
    /// The output of the last key, shown below the rest.
    shown: String,
    /// Where the code that it replaced is kept.
    kept: String,
    report: Option<Report>,
    has_ended: bool,
}

fn main() -> ExitCode {
    // Panics are messages: of a check, which the screen shows, or of `learn`.
    panic::set_hook(Box::new(|_| ()));
    caught(|| learn(&Options::parse())).unwrap_or_else(|error| {
        anstream::eprintln!("{error}");
        ExitCode::from(2)
    })
}

fn learn(options: &Options) -> Result<ExitCode, String> {
    let is_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    let mut learner = Learner::open(options)?;
    if is_terminal && !options.once {
        learner.run()?;
        return Ok(ExitCode::SUCCESS);
    }
    let task = &learner.tasks[learner.at];
    let report = try_out(&learner.server, task, false);
    eprint!("{}", learner.kept);
    println!("{}", report.json(task));
    Ok(ExitCode::from(u8::from(!report.is_solved())))
}

impl Learner {
    fn open(options: &Options) -> Result<Self, String> {
        let tasks = task::all()?;
        let server = Server::open(&options.folder)?;
        let progress = server.progress()?;
        let known = tasks.iter().position(|it| it.name == progress.task);
        let at = match &options.task {
            Some(number) => named(&tasks, number)?,
            None => known.unwrap_or(0),
        };
        let mut learner = Self {
            tasks,
            server,
            progress,
            at,
            hints: 0,
            shown: String::new(),
            kept: String::new(),
            report: None,
            has_ended: false,
        };
        let is_new = learner.progress.task.is_empty();
        if is_new || options.task.is_some() && known != Some(at) {
            learner.begin(at, true)?;
        }
        Ok(learner)
    }

    /// Goes to a task. An exercise begins with its step; a `fresh` move begins
    /// with the code of the move before it.
    fn begin(&mut self, task: usize, fresh: bool) -> Result<(), String> {
        self.shown.clear();
        if fresh || self.tasks[task].step().is_some() {
            self.put(&task::before(&self.tasks, task)?, "")?;
        }
        self.at = task;
        self.hints = 0;
        self.report = None;
        self.progress.prediction.clear();
        self.progress.task = self.tasks[task].name.clone();
        self.progress.begun = task::sources(&self.server.src())?;
        self.server.save(&self.progress)
    }

    /// Replaces the learner's files, if that changes anything, and shows where
    /// their copies are.
    fn put(&mut self, files: &Files, no_change: &str) -> Result<(), String> {
        self.shown = no_change.into();
        if let Some(kept) = self.server.put(files)? {
            self.shown.clear();
            self.kept =
                format!("  Your old code is kept in {}\n", kept.display());
        }
        Ok(())
    }

    fn tried(&mut self, report: Report) -> Result<(), String> {
        let task = &self.tasks[self.at];
        if let Some(seen) = report.seen.as_ref().filter(|it| it.frozen) {
            self.progress.frozen_ms += seen.blocking_ms;
        }
        if report.is_solved() {
            // Neither hints nor the solution are needed any more.
            self.shown.clear();
            if !self.progress.is_done(task) {
                self.progress.solved.push(task.name.clone());
            }
        }
        self.report = Some(report);
        self.server.save(&self.progress)
    }

    fn screen(&self) -> String {
        let task = &self.tasks[self.at];
        let path = self.server.src().join("main.rs");
        let path = path.strip_prefix(harness::workspace()).unwrap_or(&path);
        let (tasks, progress) = (&self.tasks, &self.progress);
        let mut text = screen::head(tasks, self.at, progress, path);
        if let Some(report) = &self.report {
            let before = task::before(tasks, self.at);
            let is_begun = progress.begun != report.files
                && before.is_ok_and(|it| it != report.files);
            text += &screen::report(task, report, progress, is_begun);
        }
        let keys = screen::keys(task.hints.len() - self.hints);
        text + &self.shown + &self.kept + &keys
    }

    fn draw(&self, is_trying: bool) {
        let note =
            if is_trying { "\n  Compiling and checking…\n" } else { "" };
        let mut out = anstream::stdout();
        let _ = write!(out, "\x1b[2J\x1b[H\n{}{note}", self.screen());
        let _ = out.flush();
    }

    /// Runs until the learner quits.
    fn run(&mut self) -> Result<(), String> {
        let (sender, events) = mpsc::channel();
        let saved = sender.clone();
        let changed = move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|it| !it.kind.is_access()) {
                saved.send(Event::Saved).ok();
            }
        };
        let _watcher = notify::recommended_watcher(changed)
            .and_then(|mut watcher| {
                let folder = self.server.src();
                watcher.watch(&folder, RecursiveMode::NonRecursive)?;
                Ok(watcher)
            })
            .map_err(|error| error.to_string())?;
        let keys = sender.clone();
        thread::spawn(move || read_keys(&keys));
        let mut trying = Some(self.start(&sender));
        self.draw(true);
        for event in events {
            let is_saved = matches!(event, Event::Saved);
            let done = match event {
                Event::Key(key) => self.press(&key),
                Event::Predicted(text) => self.predicted(text),
                Event::Quit => break,
                Event::Tried(at, report) => {
                    trying = None;
                    // Otherwise the learner has gone to another task.
                    if at == self.at { self.tried(*report) } else { Ok(()) }
                }
                Event::Saved => {
                    // An editor may write a file in several steps.
                    thread::sleep(Duration::from_millis(20));
                    Ok(())
                }
            };
            // It isn't returned: while keys are read, the terminal is raw.
            if let Err(error) = done {
                self.shown = format!("  {error}\n");
            }
            if trying.is_none() && self.has_changed() {
                trying = Some(self.start(&sender));
            } else if is_saved {
                // Nothing new, such as an editor's own file.
                continue;
            }
            self.draw(trying.is_some());
        }
        // This also ends the server that the thread started.
        trying.map(JoinHandle::join);
        println!("  Until next time: cargo run -p learn continues here.");
        Ok(())
    }

    /// Whether the learner has saved a change since the last check.
    fn has_changed(&self) -> bool {
        let Some(report) = &self.report else { return true };
        let mine = task::sources(&self.server.src());
        mine.is_ok_and(|it| it != report.files)
    }

    fn start(&self, done: &Sender<Event>) -> JoinHandle<()> {
        let (server, done) = (self.server.clone(), done.clone());
        let (at, task) = (self.at, self.tasks[self.at].clone());
        thread::spawn(move || {
            let report = try_out(&server, &task, colors_enabled());
            let report = Box::new(report);
            done.send(Event::Tried(at, report)).ok();
        })
    }

    fn press(&mut self, key: &Key) -> Result<(), String> {
        let task = &self.tasks[self.at];
        let mine = task::sources(&self.server.src()).unwrap_or_default();
        self.kept.clear();
        match key {
            Key::Char('n') => self.next()?,
            Key::Char('h') if self.hints < task.hints.len() => {
                self.hints += 1;
                self.shown = screen::paragraphs(&format!(
                    "**Hint:** {}",
                    task.hints[..self.hints].join("\n\n**Hint:** ")
                ));
            }
            Key::Char('s') => {
                let solution = task::after(&self.tasks, self.at)?;
                self.shown = screen::solution(&mine, &solution);
            }
            Key::Char('t') => {
                self.progress.taken.push(task.name.clone());
                let solution = task::after(&self.tasks, self.at)?;
                self.put(&solution, "  Your code is already the solution.\n")?;
                self.server.save(&self.progress)?;
            }
            Key::Char('r') => {
                let before = task::before(&self.tasks, self.at)?;
                self.put(&before, "  You haven't changed anything yet.\n")?;
            }
            Key::Char('l') => {
                self.shown = screen::list(&self.tasks, self.at, &self.progress);
            }
            _ => self.shown.clear(),
        }
        Ok(())
    }

    fn predicted(&mut self, prediction: String) -> Result<(), String> {
        self.kept.clear();
        self.shown = "  Noted. You'll see it again once it's solved.\n".into();
        self.progress.prediction = prediction;
        self.server.save(&self.progress)
    }

    fn next(&mut self) -> Result<(), String> {
        let next = self.at + 1;
        let is_move = |at: usize| {
            self.tasks.get(at).is_some_and(|it| it.step().is_none())
        };
        // The ending is shown once, between the moves and the exercises.
        let is_end = is_move(self.at) && !is_move(next) && !self.has_ended;
        if !self.report.as_ref().is_some_and(Report::is_solved) {
            self.shown = "  Not solved yet. Press h for a hint, or t to take \
                          the solution.\n"
                .into();
        } else if is_end {
            let mine = task::sources(&self.server.src())?;
            let is_book = mine == task::after(&self.tasks, self.at)?;
            self.shown = screen::end(&self.progress, is_book);
            self.has_ended = true;
        } else if next == self.tasks.len() {
            self.shown = "  That was the last exercise.\n".into();
        } else {
            self.begin(next, false)?;
        }
        Ok(())
    }
}

/// The task with that number, or with `e` in front, the exercise.
fn named(tasks: &[Task], number: &str) -> Result<usize, String> {
    let digits = number.trim_start_matches('e');
    let prefix = format!("{digits:0>2}-");
    let is_exercise = digits != number;
    let is_it = |it: &Task| {
        it.name.starts_with(&prefix) && it.step().is_some() == is_exercise
    };
    tasks
        .iter()
        .position(is_it)
        .ok_or_else(|| format!("there is no task {number}; press l for a list"))
}

/// Sends each key, until the learner quits.
fn read_keys(events: &Sender<Event>) {
    loop {
        let key = Term::stdout().read_key_raw().unwrap_or(Key::Unknown);
        let event = match key {
            Key::Char('q') | Key::CtrlC | Key::Unknown => Event::Quit,
            Key::Char('p') => Event::Predicted(ask_for_prediction()),
            key => Event::Key(key),
        };
        let is_last = matches!(event, Event::Quit);
        if events.send(event).is_err() || is_last {
            break;
        }
    }
}

fn ask_for_prediction() -> String {
    // While this is locked, nothing else is drawn.
    let mut out = io::stdout().lock();
    let _ = write!(out, "\n  Your prediction: ");
    let _ = out.flush();
    Term::stdout().read_line().unwrap_or_default()
}
