//! The steps: their list, how they are built and started.

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
};

use harness::Server;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{ChildStderr, Command},
    task::spawn_blocking,
};

use crate::{options::Options, probe::Failure};

/// The step that the others are compared with.
pub const BASELINE: &str = "step1-blocking";

/// The step whose time is measured against its number of threads.
pub const SCALED: &str = "step3-multi-worker";

/// Where the binary of each step is.
pub type Programs = BTreeMap<String, PathBuf>;

/// A server to measure.
pub enum Subject<'a> {
    /// A step, which is to be started.
    Step { name: &'a str, program: &'a Path },
    /// One that runs already.
    Peer { name: &'a str, url: &'a str },
}

impl Subject<'_> {
    pub fn name(&self) -> &str {
        match self {
            Self::Step { name, .. } | Self::Peer { name, .. } => name,
        }
    }

    pub fn url(&self) -> Option<&str> {
        match self {
            Self::Step { .. } => None,
            Self::Peer { url, .. } => Some(url),
        }
    }
}

/// Builds the chosen steps. What cargo has to say goes to standard error.
///
/// # Errors
/// When cargo can't be run, or can't build them.
pub async fn build(options: &Options) -> Result<Programs, String> {
    let mut command = harness::build();
    command.args(options.quiet.then_some("--quiet")).stdout(Stdio::piped());
    // Cargo would fail where standard error can't be written.
    if !io::stderr().is_terminal() {
        command.stderr(Stdio::piped());
    }
    let mut command = Command::from(command);
    command.kill_on_drop(true);
    let scaled = (!options.scaling.is_empty()).then_some(SCALED);
    for step in options.steps().chain(scaled) {
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
/// When it doesn't listen.
pub async fn start(
    program: &Path,
    iterations: u64,
    threads: usize,
) -> Result<Server, Failure> {
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
