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
use crate::options::{NODE, Options, Source, Subject, TWO_WORKERS};

/// The step whose time is measured against its number of threads.
pub const SCALED: &str = "step3-multi-worker";

const EXAMPLE_OF: &str = "step1-blocking";

/// Programs by name; those of Node.js are scripts.
pub type Programs = BTreeMap<String, PathBuf>;

/// The programs that are needed. Steps are built.
///
/// # Errors
/// When cargo fails, or Node.js is missing or too old.
pub async fn find(options: &Options) -> Result<Programs, Failure> {
    if options.node {
        spawn_blocking(check_node).await??;
    }
    let mut programs = build(options).await?;
    let folder = harness::workspace().join("tools/peers/node");
    programs.extend(
        NODE.map(|name| (name.to_owned(), folder.join(format!("{name}.mjs")))),
    );
    Ok(programs)
}

fn check_node() -> Result<(), &'static str> {
    // The first version with this function is 18.14.
    let script = "require('os').availableParallelism()";
    match Command::new("node").args(["--eval", script]).output() {
        Ok(output) if output.status.success() => Ok(()),
        _ => Err("--node needs Node.js 18.14 or newer, and there is none; \
                  install it (https://nodejs.org), or leave out --node"),
    }
}

/// Builds the steps. Cargo's messages go to standard error. Dropping this future
/// ends cargo and all compilers that it has started.
async fn build(options: &Options) -> Result<Programs, Failure> {
    let subjects = options.subjects();
    let steps = subjects.iter().filter(|it| it.source == Source::Step);
    let scaled = (!options.scaling.is_empty()).then_some(SCALED);
    let steps = steps.map(|step| &*step.name).chain(scaled);
    let mut command = harness::build(steps);
    command.args(options.ready.then_some("--offline")).stdout(Stdio::piped());
    if options.two_workers {
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

/// Starts a server that counts this far with so many threads, unless it runs
/// already, and finds out where it can be reached. It is killed when its handle is
/// dropped.
///
/// # Errors
/// When it can't be started or reached.
pub async fn reach(
    Subject { name, source }: &Subject,
    count: u64,
    threads: usize,
    options: &Options,
    programs: &Programs,
) -> Result<(Option<Server>, Target), Failure> {
    let patience = options.patience();
    if let Source::Url(url) = source {
        return Ok((None, Target::find(url, patience, None).await?));
    }
    let server = start(programs, name, count, threads).await?;
    let target = Target::find(server.url(), patience, Some(count)).await?;
    Ok((Some(server), target))
}
