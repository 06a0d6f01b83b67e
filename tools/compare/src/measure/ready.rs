//! Whether a machine is ready for a class.

use super::{
    Failure,
    programs::{self, Programs, reach},
};
use crate::{
    format::failure,
    plan::{Plan, Source, Subject},
};

/// How far each server counts: at once.
const COUNT: u64 = 1_000_000;

/// Starts each server, requests its two routes, and stops it. Returns what went
/// wrong, by server name.
///
/// # Errors
/// When the steps can't be built.
pub async fn ready(plan: &Plan) -> Result<Vec<String>, Failure> {
    let programs = programs::find(plan).await?;
    let mut wrong = Vec::new();
    for subject in &plan.subjects {
        if let Err(error) = check(subject, plan, &programs).await {
            wrong.push(format!("{}: {}", subject.name, failure(error)));
        }
    }
    Ok(wrong)
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
