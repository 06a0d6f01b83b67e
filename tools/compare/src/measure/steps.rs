//! Builds the steps, and starts them.

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal},
    path::PathBuf,
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
use crate::plan::Plan;

/// Where the binary of each step is.
pub type Programs = BTreeMap<String, PathBuf>;

/// Builds the steps of the plan. What cargo has to say goes to standard error.
///
/// # Errors
/// When cargo can't be run, or can't build them.
pub async fn build(plan: &Plan, quiet: bool) -> Result<Programs, String> {
    let mut command = harness::build();
    command.args(quiet.then_some("--quiet")).stdout(Stdio::piped());
    // Cargo would fail where standard error can't be written.
    if !io::stderr().is_terminal() {
        command.stderr(Stdio::piped());
    }
    let mut command = Command::from(command);
    command.kill_on_drop(true);
    for step in plan.steps() {
        command.args(["--package", step]);
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
    Ok(harness::programs(&output.stdout))
}

async fn pass_on(stderr: Option<ChildStderr>) {
    let Some(stderr) = stderr else { return };
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        common::log(line);
    }
}

/// Starts a step on a free port. To drop this future is to kill the step.
///
/// # Errors
/// When it wasn't built, or doesn't listen.
pub async fn start(
    programs: &Programs,
    step: &str,
    iterations: u64,
    threads: usize,
) -> Result<Server, Failure> {
    let program = programs.get(step).ok_or("cargo built no program for it")?;
    let mut command = harness::command(program);
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
