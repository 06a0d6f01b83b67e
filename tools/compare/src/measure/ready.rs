//! Whether a machine is ready for a class.

use super::{
    Failure,
    probe::Target,
    programs::{self, Programs},
};
use crate::{
    format::failure,
    plan::{Plan, Source, Subject},
};

/// How far each server counts: at once.
const COUNT: u64 = 1_000_000;

/// Starts each server, asks it for its two routes, and stops it. Returns what
/// went wrong, by the name of the server.
///
/// # Errors
/// When the steps can't be built.
pub async fn ready(plan: &Plan, quiet: bool) -> Result<Vec<String>, Failure> {
    let programs = programs::find(plan, quiet).await?;
    let mut wrong = Vec::new();
    for subject in &plan.subjects {
        if let Err(error) = answers(subject, plan, &programs).await {
            wrong.push(format!("{}: {}", subject.name, failure(error)));
        }
    }
    Ok(wrong)
}

async fn answers(
    Subject { name, source }: &Subject,
    plan: &Plan,
    programs: &Programs,
) -> Result<(), Failure> {
    let patience = plan.patience();
    if let Source::Url(url) = source {
        return Target::find(url, patience, None).await?.non_blocking().await;
    }
    let threads = plan.settings.threads;
    let server = programs::start(programs, name, COUNT, threads).await?;
    let target = Target::find(server.url(), patience, Some(COUNT)).await?;
    target.non_blocking().await?;
    target.blocking().await.map(|_| ())
}
