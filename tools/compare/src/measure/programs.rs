//! The programs that are measured: built, and started.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io::{self, IsTerminal},
    process::Stdio,
    sync::Arc,
};

use harness::Server;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{ChildStderr, Command},
    task::spawn_blocking,
};

use super::probe::Failure;
use crate::{
    options::TWO_WORKERS,
    plan::{Plan, Source},
};

const EXAMPLE_OF: &str = "step1-blocking";

/// Programs by name, each as its path and arguments.
pub type Programs = BTreeMap<String, Vec<OsString>>;

/// What the plan wants to be started. Of that, steps are built.
///
/// # Errors
/// When it can't be had.
pub async fn find(plan: &Plan, quiet: bool) -> Result<Programs, String> {
    let node = plan.subjects.iter().filter(|it| it.source == Source::Node);
    let node: Vec<_> =
        node.map(|it| (it.name.clone(), stage(&it.name))).collect();
    if !node.is_empty() {
        find_node().await?;
    }
    let mut programs = build(plan, quiet).await?;
    programs.extend(node);
    Ok(programs)
}

fn stage(name: &str) -> Vec<OsString> {
    let folder = harness::workspace().join("tools/peers/node");
    vec!["node".into(), folder.join(format!("{name}.mjs")).into()]
}

async fn find_node() -> Result<(), String> {
    let mut node = Command::new("node");
    node.arg("--version").stdout(Stdio::null()).kill_on_drop(true);
    node.status().await.map(|_| ()).map_err(|error| {
        format!(
            "can't run node: {error}; install Node.js (https://nodejs.org), or \
             leave out --node"
        )
    })
}

/// Builds the steps of the plan. What cargo has to say goes to standard error.
async fn build(plan: &Plan, quiet: bool) -> Result<Programs, String> {
    let mut command = harness::build(plan.steps());
    command.args(quiet.then_some("--quiet")).stdout(Stdio::piped());
    command.args(plan.offline.then_some("--offline"));
    // Cargo would fail where standard error can't be written.
    if !io::stderr().is_terminal() {
        command.stderr(Stdio::piped());
    }
    let mut command = Command::from(command);
    command.kill_on_drop(true);
    if plan.subjects.iter().any(|it| it.source == Source::Example) {
        command.args(["--package", EXAMPLE_OF]);
        command.args(["--example", TWO_WORKERS]);
    }
    let output = async {
        let mut cargo = command.spawn()?;
        let stderr = cargo.stderr.take();
        tokio::join!(cargo.wait_with_output(), pass_on(stderr)).0
    };
    let output =
        output.await.map_err(|error| format!("can't run cargo: {error}"))?;
    if !output.status.success() {
        let status = output.status;
        return Err(format!("cargo could not build the steps: {status}"));
    }
    let built = harness::programs(&output.stdout).into_iter();
    Ok(built.map(|(name, path)| (name, vec![path.into()])).collect())
}

async fn pass_on(stderr: Option<ChildStderr>) {
    let Some(stderr) = stderr else { return };
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        common::log(line);
    }
}

/// Starts a program on a free port. To drop this future is to kill it.
///
/// # Errors
/// When there is none, or it doesn't listen.
pub async fn start(
    programs: &Programs,
    name: &str,
    iterations: u64,
    threads: usize,
) -> Result<Server, Failure> {
    let program = programs.get(name).and_then(|it| it.split_first());
    let (program, arguments) =
        program.ok_or("cargo built no program for it")?;
    let mut command = harness::command(program);
    command.args(arguments);
    // A step without threads ignores THREADS.
    command
        .env("ITERATIONS", iterations.to_string())
        .env("THREADS", threads.to_string());
    let here = Arc::new(());
    let wanted = Arc::downgrade(&here);
    let start =
        move || Server::start_while(&mut command, || wanted.strong_count() > 0);
    Ok(spawn_blocking(start).await??)
}
