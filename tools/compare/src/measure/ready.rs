//! Whether a machine is ready for a class.

use std::io::{self, Write};

use common::log;

use super::{
    Failure,
    programs::{self, Programs, reach},
};
use crate::{
    format::{counted, failure},
    plan::{Plan, Source, Subject},
};

/// How far each server counts: at once.
const COUNT: u64 = 1_000_000;

/// Starts each server, requests its two routes, and stops it. Prints what goes
/// wrong, and whether the machine is ready for a class, and returns that.
///
/// # Errors
/// When the steps can't be built.
pub async fn is_ready(plan: &Plan) -> Result<bool, Failure> {
    let programs = programs::find(plan).await?;
    let mut wrong = 0;
    for subject in &plan.subjects {
        if let Err(error) = check(subject, plan, &programs).await {
            wrong += 1;
            log(format!("{}: {}", subject.name, failure(error)));
        }
    }
    let servers = counted(plan.subjects.len(), "server");
    let line = match wrong {
        0 => format!("ready: {servers} start and answer\n"),
        _ => format!("not ready: {wrong} of {servers}\n"),
    };
    io::stdout().write_all(line.as_bytes()).ok();
    Ok(wrong == 0)
}

async fn check(
    subject: &Subject,
    plan: &Plan,
    programs: &Programs,
) -> Result<(), Failure> {
    let (_server, target) = reach(subject, plan, programs, COUNT).await?;
    target.non_blocking().await?;
    if !matches!(subject.source, Source::Url(_)) {
        target.blocking().await?;
    }
    Ok(())
}
