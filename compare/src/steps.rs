//! The steps: their list, how they are built and started.

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
    process::Stdio,
};

use harness::{Server, StartError};
use tokio::process::Command;

use crate::options::Options;

/// The steps, in order. A new one takes part by its line here.
pub const STEPS: &[&str] = &[
    "step1-blocking",
    "step2-single-worker",
    "step3-multi-worker",
    "step4-worker-pool",
    "step5-shared-memory",
];

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

/// The folder of the workspace.
pub fn workspace() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// The profile that this program was built with, and so the steps.
pub const PROFILE: &str =
    if cfg!(debug_assertions) { "dev" } else { "release" };

/// Builds the chosen steps. What cargo has to say goes to standard error.
///
/// # Errors
/// When cargo can't be run, or can't build them.
pub async fn build(options: &Options) -> Result<Programs, String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(&cargo);
    command
        .current_dir(workspace())
        .args(["build", "--message-format=json-render-diagnostics"])
        .args(["--profile", PROFILE])
        .args(options.quiet.then_some("--quiet"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let scaled = (!options.scaling.is_empty()).then_some(SCALED);
    for step in options.steps().chain(scaled) {
        command.args(["--package", step]);
    }
    let cargo = cargo.display();
    let output = async { command.spawn()?.wait_with_output().await };
    let output =
        output.await.map_err(|error| format!("can't run {cargo}: {error}"))?;
    if !output.status.success() {
        let status = output.status;
        return Err(format!("{cargo} could not build the steps: {status}"));
    }
    Ok(executables(&String::from_utf8_lossy(&output.stdout)))
}

/// The executables in cargo's messages, by name
/// (<https://doc.rust-lang.org/cargo/reference/external-tools.html>).
fn executables(messages: &str) -> Programs {
    messages
        .lines()
        .filter_map(|line| {
            let message: serde_json::Value = serde_json::from_str(line).ok()?;
            let name = message["target"]["name"].as_str()?;
            let path = message["executable"].as_str()?;
            Some((name.to_owned(), path.into()))
        })
        .collect()
}

/// Starts a step on a free port.
///
/// # Errors
/// When it doesn't listen.
pub fn start(
    program: &Path,
    iterations: u64,
    threads: usize,
) -> Result<Server, StartError> {
    // A step without threads ignores THREADS.
    Server::start(
        harness::command(program)
            .env("ITERATIONS", iterations.to_string())
            .env("THREADS", threads.to_string()),
    )
}
