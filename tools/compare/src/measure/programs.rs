//! The programs that are measured: built, and started.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::{Command, Stdio},
    sync::Arc,
};

use harness::{Group, Server};
use tokio::task::spawn_blocking;

use super::probe::{Failure, Target};
use crate::{
    options::{NODE, TWO_WORKERS},
    plan::{Plan, Source, Subject},
};

const EXAMPLE_OF: &str = "step1-blocking";

/// Programs by name; those of Node.js are scripts.
pub type Programs = BTreeMap<String, PathBuf>;

/// The programs that the plan needs. Steps are built.
///
/// # Errors
/// When cargo fails, or Node.js is missing or too old.
pub async fn find(plan: &Plan) -> Result<Programs, Failure> {
    if plan.has(&Source::Node) {
        spawn_blocking(check_node).await??;
    }
    let mut programs = build(plan).await?;
    let folder = harness::workspace().join("tools/peers/node");
    programs.extend(
        NODE.map(|name| (name.to_owned(), folder.join(format!("{name}.mjs")))),
    );
    Ok(programs)
}

fn check_node() -> Result<(), String> {
    let needed = "--node needs Node.js 18.14 or newer; install it \
                  (https://nodejs.org), or leave out --node";
    // The first version with this function is 18.14.
    let script = "require('os').availableParallelism()";
    match Command::new("node").args(["--eval", script]).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(_) => Err(format!("node is too old; {needed}")),
        Err(error) => Err(format!("can't run node: {error}; {needed}")),
    }
}

/// Builds the plan's steps. Cargo's messages go to standard error. Dropping this
/// future ends cargo and all compilers that it has started.
async fn build(plan: &Plan) -> Result<Programs, Failure> {
    let mut command = harness::build(plan.steps());
    command.args(plan.offline.then_some("--offline")).stdout(Stdio::piped());
    if plan.has(&Source::Example) {
        command.args(["--package", EXAMPLE_OF, "--example", TWO_WORKERS]);
    }
    let (cargo, group) = Group::spawn(&mut command)?;
    let output = spawn_blocking(|| cargo.wait_with_output()).await??;
    group.has_ended();
    if !output.status.success() {
        let status = output.status;
        return Err(format!("cargo could not build the steps: {status}").into());
    }
    Ok(harness::programs(&output.stdout))
}

/// Starts a program on a free port. Dropping this future kills it.
///
/// # Errors
/// When there is none, or it doesn't listen.
pub async fn start(
    programs: &Programs,
    name: &str,
    iterations: u64,
    threads: usize,
) -> Result<Server, Failure> {
    let program = programs.get(name).ok_or("cargo built no program for it")?;
    let is_script = program.extension().is_some_and(|it| it == "mjs");
    let mut command =
        harness::command(if is_script { "node".as_ref() } else { &**program });
    command.args(is_script.then_some(program));
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

/// Starts a server that counts this far, unless it runs already, and finds out
/// where it can be reached. It is killed when its handle is dropped.
///
/// # Errors
/// When it can't be started or reached.
pub async fn reach(
    Subject { name, source }: &Subject,
    plan: &Plan,
    programs: &Programs,
    iterations: u64,
) -> Result<(Option<Server>, Target), Failure> {
    let patience = plan.patience();
    if let Source::Url(url) = source {
        return Ok((None, Target::find(url, patience, None).await?));
    }
    let threads = plan.settings.threads;
    let server = start(programs, name, iterations, threads).await?;
    let target = Target::find(server.url(), patience, Some(iterations)).await?;
    Ok((Some(server), target))
}
